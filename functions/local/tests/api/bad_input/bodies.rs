//! Bodies that are not the JSON object that a route wants.

use axum::http::StatusCode;
use serde_json::{Value, json};
use testing::{Answer, Kind, Server, encoded, on_every_database};

use super::writes::World;
use crate::objects::everything;

on_every_database!(
    every_route_that_takes_a_body_is_tested,
    a_body_that_is_no_json_object_or_array_is_refused,
    a_missing_body_another_content_type_and_an_array_count_as_an_empty_object,
    a_byte_order_mark_and_an_unknown_charset_do_not_hurt,
    a_form_is_read_like_json,
    a_form_carries_lists_numbers_and_booleans_as_text,
);

/// Routes that take a form with a file, or nothing.
const OTHERS: [&str; 6] = [
    "/api/v1/user/avatar",
    "/api/v1/attachments/upload",
    "/api/v1/attachments/ba/upload",
    "/api/v1/attachments/uploads/{attachmentId}/complete",
    "/api/v1/files/{*key}",
    "/api/v1/push-rules/{id}/test",
];

/// The list that the tests of bad bodies go through is complete.
async fn every_route_that_takes_a_body_is_tested(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    let mut tested: Vec<String> = world.writes().iter().map(ToString::to_string).collect();
    let routes = local::routes();
    let with_body = routes.iter().filter(|route| route.method != "GET" && route.method != "DELETE");
    let with_body = with_body.filter(|route| !OTHERS.contains(&route.path));
    let mut routes: Vec<String> = with_body.map(|route| format!("{} {}", route.method, route.path)).collect();
    tested.sort_unstable();
    routes.sort_unstable();
    assert_eq!(tested, routes);
}

/// The outcome without the data, which differs between two successes.
fn outcome(answer: &Answer) -> (StatusCode, Value, Value) {
    (answer.status, answer.body["code"].clone(), answer.body["msg"].clone())
}

async fn a_body_that_is_no_json_object_or_array_is_refused(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    let before = everything(&world.ann).await;
    let deep = "[".repeat(100_000);
    let bodies = [
        "{",
        "null",
        "true",
        "5",
        "\"text\"",
        "{\"content\":\"x\"} x",
        "{'content':'x'}",
        "{\"content\":\"x\",}",
        "{\"content\":\"a raw \0\"}",
        "content=x",
        "\u{feff}null",
        &deep,
    ];
    for write in world.writes() {
        for body in bodies {
            let answer = write.send_json(body.to_owned()).await;
            assert_eq!(answer.status, 400, "{write} {body:.40}");
            assert_eq!(answer.body, json!({"status": "error", "message": "Invalid JSON body"}), "{write}");
        }
    }
    assert_eq!(everything(&world.ann).await, before);
}

async fn a_missing_body_another_content_type_and_an_array_count_as_an_empty_object(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    for write in world.writes() {
        let expected = outcome(&write.send_json("{}").await);
        let valid = Value::Object(write.body.clone()).to_string();
        let bodies = [
            ("application/json", String::new()),
            ("application/json", " \n".to_owned()),
            ("application/json", "\u{feff}".to_owned()),
            ("application/json", "[]".to_owned()),
            ("application/json", format!("[{valid}]")),
            ("application/x-www-form-urlencoded", String::new()),
            ("", valid.clone()),
            ("text/plain", valid.clone()),
            ("application/vnd.api+json", valid.clone()),
            ("multipart/form-data; boundary=x", valid.clone()),
            ("json", valid),
        ];
        for (content_type, body) in bodies {
            let answer = write.send(content_type, body.clone()).await;
            assert_eq!(outcome(&answer), expected, "{write} {content_type} {body}");
        }
    }
}

async fn a_byte_order_mark_and_an_unknown_charset_do_not_hurt(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    for write in world.writes() {
        let body = Value::Object(write.body.clone()).to_string();
        // What is created once is refused the second time, so the second answer is the one to expect.
        write.send_json(body.clone()).await;
        let expected = outcome(&write.send_json(body.clone()).await);
        let content_types =
            ["application/json; charset=nonsense", "Application/JSON ;charset=UTF-16", "application/json;"];
        for content_type in content_types {
            assert_eq!(outcome(&write.send(content_type, body.clone()).await), expected, "{write} {content_type}");
        }
        assert_eq!(outcome(&write.send_json(format!("\u{feff}{body}")).await), expected, "{write}");
    }
}

/// Writes JSON as a form with brackets.
fn form_of(name: &str, value: &Value) -> Vec<String> {
    let nested = |member: &str| if name.is_empty() { member.to_owned() } else { format!("{name}[{member}]") };
    match value {
        Value::Object(members) => {
            members.iter().flat_map(|(member, value)| form_of(&nested(member), value)).collect()
        }
        Value::Array(list) => {
            (0..).zip(list).flat_map(|(i, value): (u32, _)| form_of(&nested(&i.to_string()), value)).collect()
        }
        Value::String(text) => vec![format!("{}={}", encoded(name), encoded(text))],
        other => vec![format!("{}={}", encoded(name), encoded(&other.to_string()))],
    }
}

async fn a_form_is_read_like_json(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    for write in world.writes() {
        let body = Value::Object(write.body.clone());
        write.send_json(body.to_string()).await;
        let expected = outcome(&write.send_json(body.to_string()).await);
        let form = form_of("", &body).join("&");
        let answer = write.send("application/x-www-form-urlencoded", form.clone()).await;
        assert_eq!(outcome(&answer), expected, "{write} {form}");
    }
}

async fn a_form_carries_lists_numbers_and_booleans_as_text(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    let cases = [
        (
            "POST",
            "/api/v1/memos",
            "content=a+b%26&isPublic=true&createdAt=-5",
            json!({"content": "a b&", "isPublic": true, "createdAt": -5}),
        ),
        (
            "POST",
            "/api/v1/memos",
            "content=x&isPublic=0&updatedAt=1.6e12",
            json!({"isPublic": false, "updatedAt": 1_600_000_000_000_i64}),
        ),
        ("PUT", "/api/v1/push-rules/{id}", "pushTime=23&enabled=false", json!({"pushTime": 23, "enabled": false})),
        (
            "PUT",
            "/api/v1/push-rules/{id}",
            "channels[0][type]=meow&channels[0][nickname]=a&channels[0][htmlHeight]=5",
            json!({"channels": [{"type": "meow", "nickname": "a", "htmlHeight": "5"}]}),
        ),
    ];
    for (method, route, form, expected) in cases {
        let answer = world.find(method, route).send("application/x-www-form-urlencoded", form).await;
        let object = answer.data().as_object().unwrap().values().find(|value| value.is_object()).unwrap();
        for (member, value) in expected.as_object().unwrap() {
            assert_eq!(&object[member], value, "{form}");
        }
    }
    for list in ["tags=a&tags=b", "tags[]=a&tags[]=b", "tags[1]=b&tags[0]=a"] {
        let memo = world
            .find("POST", "/api/v1/memos")
            .send("application/x-www-form-urlencoded", format!("content=x&{list}"))
            .await;
        let tags = memo.data()["memo"]["tags"].as_array().unwrap();
        assert_eq!(tags.iter().map(|tag| &tag["name"]).collect::<Vec<_>>(), ["a", "b"], "{list}");
    }
    for wrong in ["isPublic=yes", "createdAt=x", "attachments=x"] {
        let answer = world
            .find("POST", "/api/v1/memos")
            .send("application/x-www-form-urlencoded", format!("content=x&{wrong}"))
            .await;
        assert_eq!(answer.refusal(), (2, "参数错误"), "{wrong}");
    }
}
