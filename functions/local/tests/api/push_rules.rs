//! Push rules (`contract/push-rules-scheduler.md`).

use serde_json::{Value, json};
use testing::{Answering, Client, Kind, Provider, Server, Settings, on_every_database};

use crate::objects::{push_rule, push_rule_body, text};

const PATH: &str = "/api/v1/push-rules";
const NOW: i64 = 1_750_000_000_000;

on_every_database!(
    a_new_rule_is_enabled_whatever_the_body_says,
    checks_come_in_the_order_of_the_contract,
    channels_are_kept_to_the_letter,
    channels_that_could_never_be_sent_to_are_refused,
    webhooks_name_allowed_hosts,
    absent_and_null_members_are_kept,
    rules_are_listed_oldest_first,
    a_deleted_rule_is_gone,
    channels_that_cannot_be_read_count_as_none,
    a_test_push_goes_to_every_channel_in_order_until_one_fails,
    a_test_push_that_fails_says_why_and_no_more,
);

/// Returns the body of a rule with another member.
fn with(member: &str, value: Value) -> Value {
    let mut body = push_rule_body();
    body[member] = value;
    body
}

async fn create(user: &Client, body: Value) -> Value {
    user.post(PATH, body).await.data()["pushRule"].clone()
}

async fn a_new_rule_is_enabled_whatever_the_body_says(kind: Kind) {
    let (server, _) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    for enabled in [Value::Null, json!(false), json!("x")] {
        let rule = create(&ann, with("enabled", enabled)).await;
        let id = text(&rule, "id");
        let expected = json!({
            "id": id,
            "uid": ann.uid,
            "name": "Ann's rule",
            "pushTime": 8,
            "contentType": "daily_pick",
            "channels": [{"type": "meow", "nickname": "ann"}],
            "enabled": true,
            "createdAt": NOW,
            "updatedAt": NOW,
        });
        assert_eq!(rule, expected);
        assert!(id.len() == 27 && id.starts_with("push"), "{id}");
        assert_eq!(ann.get(&format!("{PATH}/{id}")).await.data()["pushRule"], expected);
    }
    assert_eq!(create(&ann, with("name", json!(" \tdaily 每日 \n"))).await["name"], "daily 每日");
    for hour in [0, 23] {
        assert_eq!(create(&ann, with("pushTime", json!(hour))).await["pushTime"], hour);
    }
    assert_eq!(create(&ann, with("pushTime", json!(7.0))).await["pushTime"], 7);
}

async fn checks_come_in_the_order_of_the_contract(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let messages = [
        ("name", "Push rule name is required"),
        ("pushTime", "Push time must be between 0 and 23"),
        ("contentType", "Content type must be daily_pick or daily_memos"),
        ("channels", "At least one channel is required"),
    ];
    let wrong = json!({"name": " ", "pushTime": 24, "contentType": "x", "channels": []});
    let rule = format!("{PATH}/{}", push_rule(&ann).await);
    let before = ann.get(&rule).await.data().clone();
    let mut body = wrong;
    for (member, message) in messages {
        assert_eq!(ann.post(PATH, body.clone()).await.refusal(), (2, message));
        assert_eq!(ann.put(&rule, body.clone()).await.refusal(), (2, message));
        body[member] = push_rule_body()[member].clone();
    }
    assert_eq!(ann.get(&rule).await.data(), &before);
    // What is wrong is said before what is unknown.
    let unknown = format!("{PATH}/push00000000000000000000000");
    assert_eq!(ann.put(&unknown, json!({"pushTime": 24})).await.refusal(), (2, messages[1].1));
    assert_eq!(ann.put(&unknown, json!({})).await.refusal(), (3, "资源不存在"));
}

async fn channels_are_kept_to_the_letter(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let channels = json!([
        {"zeta": 1.50, "type": "meow", "nickname": " ann 安 ", "msgType": "html", "htmlHeight": 500, "alpha": [null, {"b": 1, "a": 2}]},
        {"type": "feishu", "webhookUrl": "https://open.feishu.cn/open-apis/bot/v2/hook/x?y=%20", "secret": "s3cr€t 😀", "nickname": ""},
        {"type": "feishu", "webhookUrl": "https://open.larksuite.com:443/x", "msgType": "other"},
    ]);
    let rule = create(&ann, with("channels", channels.clone())).await;
    // The text is compared, so that the order of members counts too.
    assert_eq!(rule["channels"].to_string(), channels.to_string());
    let read = ann.get(&format!("{PATH}/{}", text(&rule, "id"))).await;
    assert_eq!(read.data()["pushRule"]["channels"].to_string(), channels.to_string());
    let changed = json!([{"type": "meow", "nickname": "b", "unknown": {}}]);
    let updated = ann.put(&format!("{PATH}/{}", text(&rule, "id")), json!({"channels": changed})).await;
    assert_eq!(updated.data()["pushRule"]["channels"].to_string(), changed.to_string());
}

async fn channels_that_could_never_be_sent_to_are_refused(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let rule = format!("{PATH}/{}", push_rule(&ann).await);
    let before = ann.get(PATH).await.data().clone();
    for (channel, message) in [
        (json!({}), "Unsupported channel type: "),
        (json!({"type": "email"}), "Unsupported channel type: email"),
        (json!({"type": "Meow", "nickname": "a"}), "Unsupported channel type: Meow"),
        (json!({"type": "meow"}), "MeoW nickname is required"),
        (json!({"type": "meow", "nickname": " "}), "MeoW nickname is required"),
        (json!({"type": "meow", "nickname": "a/b"}), "MeoW nickname is required"),
        (json!({"type": "meow", "nickname": 5}), "MeoW nickname is required"),
        (json!({"type": "feishu"}), "Feishu webhook URL is required"),
        (json!({"type": "feishu", "webhookUrl": ""}), "Feishu webhook URL is required"),
        (json!({"type": "feishu", "webhookUrl": null}), "Feishu webhook URL is required"),
    ] {
        // The first channel is right, the second is not.
        let channels = json!([{"type": "meow", "nickname": "a"}, channel]);
        assert_eq!(ann.post(PATH, with("channels", channels.clone())).await.refusal(), (2, message));
        assert_eq!(ann.put(&rule, json!({"channels": channels})).await.refusal(), (2, message));
    }
    assert_eq!(ann.get(PATH).await.data(), &before);
}

async fn webhooks_name_allowed_hosts(kind: Kind) {
    let variables = vec![
        ("PUSH_ALLOWED_HOSTS", "hooks.example".to_owned()),
        ("OUTBOUND_TRUSTED_HOSTS", "127.0.0.1:18080".to_owned()),
    ];
    let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
    let ann = server.user().await;
    let answer = async |url: &str| {
        let channels = json!([{"type": "feishu", "webhookUrl": url}]);
        ann.post(PATH, with("channels", channels)).await
    };
    for url in [
        "https://open.feishu.cn/x",
        "https://OPEN.larksuite.com/x",
        "https://hooks.example/x",
        "http://127.0.0.1:18080/x",
    ] {
        answer(url).await.data();
    }
    for url in [
        "http://open.feishu.cn/x",
        "https://open.feishu.cn:8443/x",
        "https://open.feishu.cn.evil.example/x",
        "https://evil.example/open.feishu.cn",
        "https://open.feishu.cn@evil.example/x",
        "https://127.0.0.1/x",
        "http://127.0.0.1:18081/x",
        "http://169.254.169.254/latest",
        "https://[::1]/x",
        "https://localhost/x",
        "file:///etc/passwd",
        "open.feishu.cn/x",
        " ",
    ] {
        assert_eq!(answer(url).await.refusal(), (2, "Feishu webhook URL is not allowed"), "{url}");
    }
}

async fn absent_and_null_members_are_kept(kind: Kind) {
    let (server, clock) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let mut expected = create(&ann, push_rule_body()).await;
    let path = format!("{PATH}/{}", text(&expected, "id"));
    let null = json!({"name": null, "pushTime": null, "contentType": null, "channels": null, "enabled": null});
    let changes = [
        json!({}),
        null,
        json!({"name": " new "}),
        json!({"pushTime": 0}),
        json!({"contentType": "daily_memos"}),
        json!({"channels": [{"type": "meow", "nickname": "b"}]}),
        json!({"enabled": false}),
        json!({"uid": "u", "id": "p", "createdAt": 1, "updatedAt": 1}),
        json!({"enabled": true, "pushTime": 23}),
    ];
    for (now, change) in (NOW + 1..).zip(changes) {
        clock.set(now);
        for member in ["name", "pushTime", "contentType", "channels", "enabled"] {
            match change.get(member) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => expected[member] = json!(text.trim()),
                Some(value) => expected[member] = value.clone(),
            }
        }
        expected["updatedAt"] = json!(now);
        let answer = ann.put(&path, change.clone()).await;
        assert_eq!(answer.data()["message"], "Push rule updated successfully");
        assert_eq!(answer.data()["pushRule"], expected, "{change}");
        assert_eq!(ann.get(&path).await.data()["pushRule"], expected, "{change}");
    }
}

async fn rules_are_listed_oldest_first(kind: Kind) {
    let (server, clock) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    assert_eq!(
        ann.get(PATH).await.data(),
        &json!({"message": "Push rules fetched successfully", "pushRules": []})
    );
    let mut ids = Vec::new();
    for now in [NOW, NOW + 1, NOW + 2] {
        clock.set(now);
        ids.push(push_rule(&ann).await);
    }
    clock.set(NOW + 9);
    ann.put(&format!("{PATH}/{}", ids[0]), json!({"name": "changed"})).await.data();
    let listed = ann.get(PATH).await;
    let listed = listed.data()["pushRules"].as_array().unwrap();
    assert_eq!(listed.iter().map(|rule| text(rule, "id")).collect::<Vec<_>>(), ids);
}

async fn a_deleted_rule_is_gone(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let (gone, stays) = (push_rule(&ann).await, push_rule(&ann).await);
    let path = format!("{PATH}/{gone}");
    assert_eq!(ann.delete(&path).await.data(), &json!({"message": "Push rule deleted successfully"}));
    for answer in [ann.get(&path).await, ann.delete(&path).await, ann.put(&path, json!({"name": "x"})).await] {
        assert_eq!(answer.refusal(), (3, "资源不存在"));
    }
    ann.get(&format!("{PATH}/{stays}")).await.data();
}

async fn channels_that_cannot_be_read_count_as_none(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let id = push_rule(&ann).await;
    server.execute(format!("UPDATE push_rules SET channels = '[{{' WHERE id = '{id}'")).await;
    assert_eq!(ann.get(&format!("{PATH}/{id}")).await.data()["pushRule"]["channels"], json!([]));
    // Rules that an older version stored are shown as they are.
    let old = r#"[{"type":"feishu","webhookUrl":"http://old.example"},{"type":"pigeon"}]"#;
    server.execute(format!("UPDATE push_rules SET channels = '{old}', push_time = 99 WHERE id = '{id}'")).await;
    let rule = ann.get(PATH).await.data()["pushRules"][0].clone();
    assert_eq!((rule["channels"].to_string(), &rule["pushTime"]), (old.to_owned(), &json!(99)));
    ann.put(&format!("{PATH}/{id}"), json!({"enabled": false})).await.data();
}

/// Starts the product with an endpoint for every channel.
async fn with_endpoint(kind: Kind, provider: &Provider) -> Server {
    let variables =
        vec![("MEOW_BASE_URL", provider.url()), ("OUTBOUND_TRUSTED_HOSTS", provider.host().to_owned())];
    Server::start_with(kind, Settings { variables, ..Settings::default() }).await
}

/// Makes a rule with some channels, switches it off, and returns the path of its test push.
async fn test_path(user: &Client, channels: Value) -> String {
    let id = text(&create(user, with("channels", channels)).await, "id");
    user.put(&format!("{PATH}/{id}"), json!({"enabled": false})).await.data();
    format!("{PATH}/{id}/test")
}

async fn a_test_push_goes_to_every_channel_in_order_until_one_fails(kind: Kind) {
    let provider = Provider::start(|asked, _| {
        Answering::text("{}").status(if asked.line.contains("/bad") { 400 } else { 200 })
    });
    let ann = with_endpoint(kind, &provider).await.user().await;
    let hook = |name: &str| json!({"type": "feishu", "webhookUrl": format!("{}/{name}", provider.url())});
    let meow = |name: &str| json!({"type": "meow", "nickname": name, "msgType": "html", "htmlHeight": 300});
    let sent = ann.post(&test_path(&ann, json!([meow("喵"), hook("good")])).await, json!({})).await;
    assert_eq!(sent.data(), &json!({"message": "Test push sent successfully"}));
    let asked = provider.asked();
    let lines: Vec<&str> = asked.iter().map(|asked| &*asked.line).collect();
    assert_eq!(lines, ["POST /%E5%96%B5?msgType=html&htmlHeight=300", "POST /good"]);
    let says = "这是一条测试消息，如果你能看到这条消息，说明推送配置正确！";
    let html = format!("<p style=\"font-size: 14px; line-height: 1.6;\">{says}</p>");
    assert_eq!(asked[0].body, json!({"title": "测试推送", "msg": html}));
    assert_eq!(asked[1].body, json!({"msg_type": "text", "content": {"text": format!("测试推送\n{says}")}}));
    let path = test_path(&ann, json!([hook("good"), meow("bad"), hook("good")])).await;
    assert_eq!(ann.post(&path, json!({})).await.refusal(), (2000, "MeoW channel error: 400 - Bad Request"));
    assert_eq!(provider.asked().len(), 4);
}

async fn a_test_push_that_fails_says_why_and_no_more(kind: Kind) {
    let long = "x".repeat(500);
    let said = json!({"code": 9499, "msg": format!("too\u{7} many <b> {long}")}).to_string();
    let provider = Provider::start(move |asked, _| match asked.line.as_str() {
        "POST /said" => Answering::text(said.clone()),
        "POST /page" => Answering::text("<html>secret of another host</html>"),
        "POST /moved" => Answering::text("").status(302).header("location", "http://127.0.0.1:1/"),
        _ => Answering::text("secret of another host").status(404),
    });
    let server = with_endpoint(kind, &provider).await;
    let ann = server.user().await;
    let fails = async |name: &str| {
        let hook = json!([{"type": "feishu", "webhookUrl": format!("{}/{name}", provider.url())}]);
        let answer = ann.post(&test_path(&ann, hook).await, json!({})).await;
        let (code, message) = answer.refusal();
        (code, message.to_owned())
    };
    let (code, message) = fails("said").await;
    assert!(code == 2000 && message.starts_with("Feishu channel error: 200 - 9499 too many <b> xxx"), "{message}");
    assert!(message.len() < 260, "{message}");
    assert_eq!(fails("page").await, (2000, "Failed to send test push".to_owned()));
    assert_eq!(fails("moved").await, (2000, "Feishu channel error: 302 - Found".to_owned()));
    assert_eq!(fails("other").await, (2000, "Feishu channel error: 404 - Not Found".to_owned()));
    // What a rule of an old install may hold.
    let path = test_path(&ann, json!([{"type": "meow", "nickname": "a"}])).await;
    for (channels, expected) in [
        ("[]", "No channels configured"),
        ("{}", "No channels configured"),
        (r#"[{"type": "feishu"}]"#, "Feishu webhook URL is required"),
        (r#"[{"type": "feishu", "webhookUrl": "https://169.254.169.254/"}]"#, "Feishu webhook URL is not allowed"),
        (r#"[{"type": "sms"}]"#, "Unsupported channel type: sms"),
        (r#"["text"]"#, "Unsupported channel type: "),
        (r#"[{"type": "meow", "nickname": ".."}]"#, "MeoW nickname is required"),
    ] {
        let id = path.split('/').rev().nth(1).unwrap();
        server.execute(format!("UPDATE push_rules SET channels = '{channels}' WHERE id = '{id}'")).await;
        assert_eq!(ann.post(&path, json!({})).await.refusal(), (2000, expected), "{channels}");
    }
    let bob = server.user().await;
    for (user, path) in [(&bob, path), (&ann, format!("{PATH}/push00000000000000000000000/test"))] {
        assert_eq!(user.post(&path, json!({})).await.refusal(), (2000, "Push rule not found"));
    }
}
