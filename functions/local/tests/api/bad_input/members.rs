//! Members of the wrong JSON type: code 2 with the text of the route, or `参数错误`.

use serde_json::{Value, json};
use testing::{Kind, Server, on_every_database};

use super::writes::World;
use crate::objects::everything;

on_every_database!(a_member_of_the_wrong_type_is_refused_and_nothing_is_written, unknown_members_are_ignored);

const PARAMS: &str = "参数错误";
const CREDENTIALS: &str = "Email and password are required";
const CONTENT: &str = "Content is required";

/// The members of a route that take values of a type, what is wrong for them, and the message.
struct Wrong(&'static str, &'static str, &'static [&'static str], Vec<Value>, &'static str);

fn no_text() -> Vec<Value> {
    vec![json!(5), json!(true), json!([]), json!({}), json!(["x"])]
}

fn no_list_of_texts() -> Vec<Value> {
    vec![json!("x"), json!(5), json!(true), json!({}), json!([5]), json!(["x", null]), json!([["x"]])]
}

fn no_boolean() -> Vec<Value> {
    vec![json!(5), json!(0), json!("true"), json!([]), json!({})]
}

fn no_time() -> Vec<Value> {
    vec![json!("x"), json!("1600000000000"), json!(true), json!([]), json!({}), json!(1e300), json!(u64::MAX)]
}

fn blank() -> Vec<Value> {
    vec![Value::Null, json!(""), json!(" \n\u{3000}")]
}

fn no_name() -> Vec<Value> {
    [no_text(), blank()].concat()
}

fn no_source() -> Vec<Value> {
    let elements = [
        json!("x"),
        json!(5),
        Value::Null,
        json!([]),
        json!(["m"]),
        json!({"memoId": 5}),
        json!({"content": []}),
        json!({"similarity": "0.5"}),
        json!({"relevanceScore": true}),
        json!({"createdAt": "2024"}),
    ];
    let lists = elements.into_iter().map(|element| json!([{"memoId": "m"}, element]));
    lists.chain([json!("x"), json!(5), json!({})]).collect()
}

fn wrong_bodies() -> Vec<Wrong> {
    const REGISTER: &str = "/api/v1/auth/register";
    const LOGIN: &str = "/api/v1/auth/login";
    const INFO: &str = "/api/v1/user/info";
    const PASSWORD: &str = "/api/v1/user/password";
    const CATEGORIES: &str = "/api/v1/categories";
    const CATEGORY: &str = "/api/v1/categories/{categoryId}";
    const TAGS: &str = "/api/v1/tags";
    const TAG: &str = "/api/v1/tags/{tagId}";
    const MEMOS: &str = "/api/v1/memos";
    const MEMO: &str = "/api/v1/memos/{memoId}";
    const BA: &str = "/api/v1/memos/ba/create";
    const FILE_URLS: &str = "At least one file URL is required";
    const LISTS: &[&str] = &["attachments", "tagIds", "tags", "relationIds"];
    let mut wrong = vec![
        Wrong("POST", REGISTER, &["email", "password", "nickname", "phone"], no_text(), PARAMS),
        Wrong("POST", REGISTER, &["email", "password"], vec![Value::Null, json!("")], CREDENTIALS),
        Wrong("POST", LOGIN, &["email", "password"], no_text(), PARAMS),
        Wrong("POST", LOGIN, &["email", "password"], vec![Value::Null, json!("")], CREDENTIALS),
        Wrong("PUT", INFO, &["nickname", "avatar"], no_text(), PARAMS),
        Wrong("POST", PASSWORD, &["oldPassword", "newPassword"], no_text(), PARAMS),
        Wrong("POST", PASSWORD, &["oldPassword", "newPassword"], vec![Value::Null, json!("")], "请填写完整信息"),
        Wrong("POST", CATEGORIES, &["name"], no_name(), "Category name is required"),
        Wrong("POST", CATEGORIES, &["color"], no_text(), PARAMS),
        Wrong("PUT", CATEGORY, &["name"], no_name(), "Category name is required"),
        Wrong("PUT", CATEGORY, &["color"], no_text(), PARAMS),
        Wrong("POST", TAGS, &["name"], no_name(), "Tag name is required"),
        Wrong("POST", TAGS, &["color"], no_text(), PARAMS),
        Wrong("PUT", TAG, &["name"], no_name(), "Tag name cannot be empty"),
        Wrong("PUT", TAG, &["color"], no_text(), PARAMS),
        Wrong("PUT", "/api/v1/memos/{memoId}/tags", &["tags"], no_array(), "Tags must be an array"),
        Wrong("PUT", "/api/v1/memos/{memoId}/tags", &["tagIds"], no_array(), "TagIds must be an array"),
        Wrong("POST", BA, &["category"], no_text(), PARAMS),
        Wrong("POST", BA, &["category"], vec![json!(""), json!("  ")], "Category cannot be empty"),
    ];
    for (method, route) in [("POST", MEMOS), ("PUT", MEMO), ("POST", BA)] {
        wrong.push(Wrong(method, route, &["content"], blank(), CONTENT));
        wrong.push(Wrong(method, route, &["content", "type", "categoryId", "source"], no_text(), PARAMS));
        wrong.push(Wrong(method, route, &["type"], vec![json!("note"), json!("TEXT")], PARAMS));
        wrong.push(Wrong(method, route, LISTS, no_list_of_texts(), PARAMS));
        wrong.push(Wrong(method, route, &["isPublic"], no_boolean(), PARAMS));
        if method == "POST" {
            wrong.push(Wrong(method, route, &["createdAt", "updatedAt"], no_time(), PARAMS));
        }
    }
    for route in ["/api/v1/asr/transcribe", "/api/v1/asr/transcribe-and-wait"] {
        wrong.push(Wrong("POST", route, &["fileUrls", "languageHints"], no_list_of_texts(), PARAMS));
        wrong.push(Wrong("POST", route, &["fileUrls"], vec![Value::Null, json!([])], FILE_URLS));
    }
    for route in ["/api/v1/ocr/parse", "/api/v1/ocr/parse-full"] {
        let no_files = no_list_of_texts().into_iter().filter(|files| !files.is_string());
        let no_files = no_files.chain([json!(vec!["x"; 11])]).collect();
        wrong.push(Wrong("POST", route, &["files"], no_files, PARAMS));
        wrong.push(Wrong("POST", route, &["files"], vec![json!([]), json!("")], "At least one file is required"));
        wrong.push(Wrong("POST", route, &["provider"], no_text(), PARAMS));
    }
    wrong.push(Wrong("POST", "/api/v1/ocr/parse-full", &["options"], no_options(), PARAMS));
    wrong.push(Wrong("POST", "/api/v1/ai/generate-tags", &["content"], no_text(), PARAMS));
    wrong.push(Wrong("POST", "/api/v1/ai/generate-tags", &["content"], blank(), CONTENT));
    wrong.extend(wrong_messages());
    wrong.extend(wrong_rules());
    wrong
}

fn no_options() -> Vec<Value> {
    let members = [
        json!({"returnCropImages": "true"}),
        json!({"needLayoutVisualization": 1}),
        json!({"startPageId": "1"}),
        json!({"endPageId": -1}),
        json!({"requestId": 5}),
        json!({"userId": ["u"]}),
    ];
    [no_array().into_iter().filter(|value| !value.is_object()).collect(), members.to_vec()].concat()
}

fn no_array() -> Vec<Value> {
    vec![json!("x"), json!(5), json!(true), json!({})]
}

fn wrong_messages() -> Vec<Wrong> {
    const CONVERSATIONS: &str = "/api/v1/explore/conversations";
    const CONVERSATION: &str = "/api/v1/explore/conversations/{conversationId}";
    const MESSAGES: &str = "/api/v1/explore/conversations/{conversationId}/messages";
    const ROLE: &str = "Valid role is required (user or assistant)";
    let roles =
        vec![Value::Null, json!(""), json!("system"), json!(" user"), json!("User"), json!(5), json!(["user"])];
    vec![
        Wrong("POST", CONVERSATIONS, &["title"], no_text(), PARAMS),
        Wrong("PUT", CONVERSATION, &["title"], no_text(), PARAMS),
        Wrong("PUT", CONVERSATION, &["title"], blank(), "Title is required"),
        Wrong("POST", MESSAGES, &["role"], roles, ROLE),
        Wrong("POST", MESSAGES, &["content"], no_text(), PARAMS),
        Wrong("POST", MESSAGES, &["content"], blank(), CONTENT),
        Wrong("POST", MESSAGES, &["sources"], no_source(), PARAMS),
    ]
}

fn wrong_rules() -> Vec<Wrong> {
    const RULES: &str = "/api/v1/push-rules";
    const RULE: &str = "/api/v1/push-rules/{id}";
    const HOUR: &str = "Push time must be between 0 and 23";
    const KIND: &str = "Content type must be daily_pick or daily_memos";
    const CHANNEL: &str = "At least one channel is required";
    let hours = vec![json!("8"), json!(8.5), json!(-1), json!(24), json!(true), json!([8]), json!(1e300)];
    let kinds = vec![json!(""), json!("daily"), json!("Daily_pick"), json!(5), json!(["daily_pick"])];
    let mut wrong = vec![Wrong("PUT", RULE, &["enabled"], no_boolean(), PARAMS)];
    for (method, route) in [("POST", RULES), ("PUT", RULE)] {
        let names = no_name().into_iter().filter(|name| !name.is_null()).collect();
        wrong.push(Wrong(method, route, &["name"], names, "Push rule name is required"));
        wrong.push(Wrong(method, route, &["pushTime"], hours.clone(), HOUR));
        wrong.push(Wrong(method, route, &["contentType"], kinds.clone(), KIND));
        wrong.push(Wrong(method, route, &["channels"], [no_array(), vec![json!([])]].concat(), CHANNEL));
        let elements = vec![json!(["meow"]), json!([5]), json!([null]), json!([[]])];
        wrong.push(Wrong(method, route, &["channels"], elements, PARAMS));
    }
    let null = || vec![Value::Null];
    wrong.push(Wrong("POST", RULES, &["name"], null(), "Push rule name is required"));
    wrong.push(Wrong("POST", RULES, &["pushTime"], null(), HOUR));
    wrong.push(Wrong("POST", RULES, &["contentType"], null(), KIND));
    wrong.push(Wrong("POST", RULES, &["channels"], null(), CHANNEL));
    wrong
}

async fn a_member_of_the_wrong_type_is_refused_and_nothing_is_written(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    let before = everything(&world.ann).await;
    let mut failures = Vec::new();
    for Wrong(method, route, members, values, message) in wrong_bodies() {
        let write = world.find(method, route);
        for member in members {
            for value in &values {
                let answer = write.send_json(write.with(member, value.clone()).to_string()).await;
                if (answer.status.as_u16(), &answer.body["code"], &answer.body["msg"])
                    != (write.status(), &json!(2), &json!(message))
                {
                    failures.push(format!("{write} {member}: {value} => {}", answer.body));
                }
            }
        }
    }
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(everything(&world.ann).await, before);
}

async fn unknown_members_are_ignored(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    let memo = world.find("POST", "/api/v1/memos");
    let body = json!({"content": "x", "uid": "u", "memoId": "m", "tag": 5, "embedding": [1], "": {}, "a[": 1});
    let answer = memo.send_json(body.to_string()).await;
    assert_eq!(answer.data()["memo"]["uid"], json!(world.ann.uid));
    assert_ne!(answer.data()["memo"]["memoId"], json!("m"));
}
