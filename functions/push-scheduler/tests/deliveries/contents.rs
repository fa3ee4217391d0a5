//! What arrives (`contract/scheduled-pushes.json`, in the layout of `contract/push-rules-scheduler.md`).

use serde_json::json;
use testing::{Kind, on_every_database};

use crate::harness::{DAY, HOUR, Install, NOW, rule};

on_every_database!(
    memos_of_the_day_arrive_in_the_form_of_each_channel,
    picks_arrive_and_are_those_of_the_day,
    who_has_written_nothing_is_told_so,
    the_content_is_that_of_the_day_that_was_due,
);

const CHANNELS: &str = r#"[
    {"type": "meow", "nickname": "ok-html", "msgType": "html"},
    {"type": "meow", "nickname": "ok-text", "msgType": "text"},
    {"type": "meow", "nickname": "ok-plain"},
    {"type": "feishu", "webhookUrl": "URL/ok-feishu"}
]"#;

async fn install(kind: Kind, content: &str) -> Install {
    let install = Install::start(kind).await;
    let channels = serde_json::from_str(&CHANNELS.replace("URL", &install.endpoint.url())).unwrap();
    install.insert_rules(vec![rule("push1", "u1", 8, content, &channels)]).await;
    install
}

fn memo(uid: &str, text: &str, time: i64) -> (String, String, i64) {
    (uid.to_owned(), text.to_owned(), time)
}

async fn memos_of_the_day_arrive_in_the_form_of_each_channel(kind: Kind) {
    let install = install(kind, "daily_memos").await;
    let midnight = NOW - 8 * HOUR;
    install
        .memos([
            memo("u1", "yesterday", midnight - 1),
            memo("u1", "second <b> & 中文 😀", NOW - HOUR),
            memo("u1", "first", midnight),
            memo("u1", "later today", midnight + DAY - 1),
            memo("u1", "tomorrow", midnight + DAY),
            memo("u2", "of somebody else", NOW - HOUR),
        ])
        .await;
    assert_eq!(install.run(NOW).await.sent, 4);
    let text = "00:00\nfirst\n\n07:00\nsecond <b> & 中文 😀\n\n23:59\nlater today";
    let title = "今日备忘录 (3条)";
    for name in ["ok-text", "ok-plain"] {
        assert_eq!(install.endpoint.bodies(name), [json!({"title": title, "msg": text})]);
    }
    let feishu = json!({"msg_type": "text", "content": {"text": format!("{title}\n{text}")}});
    assert_eq!(install.endpoint.bodies("ok-feishu"), [feishu]);
    let card = |stamp: &str, content: &str| {
        format!(
            "<div style=\"margin-bottom: 12px; padding: 8px; background: #f5f5f5; border-radius: 6px;\">\
             <p style=\"color: #999; font-size: 26px; margin: 0 0 4px 0;\">{stamp}</p>\
             <p style=\"margin: 0;\">{content}</p></div>"
        )
    };
    let html =
        [card("00:00", "first"), card("07:00", "second &lt;b&gt; &amp; 中文 😀"), card("23:59", "later today")];
    assert_eq!(install.endpoint.bodies("ok-html"), [json!({"title": title, "msg": html.concat()})]);
}

async fn picks_arrive_and_are_those_of_the_day(kind: Kind) {
    let install = install(kind, "daily_pick").await;
    // Those of another user are many more, and none of them may arrive.
    let mine = (0..10).map(|number| memo("u1", &format!("memo {number}"), NOW - number * DAY));
    let others = (0..100).map(|number| memo("u2", "of somebody else", NOW - number * DAY));
    install.memos(mine.chain(others)).await;
    assert_eq!(install.run(NOW).await.sent, 4);
    let pushed = install.endpoint.bodies("ok-text")[0].clone();
    assert_eq!(pushed["title"], "今日推荐");
    let lines: Vec<String> = pushed["msg"].as_str().unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.iter().filter(|line| line.starts_with("memo ")).count(), 3, "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("2026/")), "{lines:?}");
    // The rule at another hour of the same day shows the same.
    install.server.execute("UPDATE push_rules SET push_time = 9").await;
    install.run_at(NOW + HOUR).await;
    assert_eq!(install.endpoint.bodies("ok-text"), [pushed.clone(), pushed]);
}

async fn who_has_written_nothing_is_told_so(kind: Kind) {
    for (content, title, nothing) in [
        ("daily_pick", "今日推荐", "你还没有记录任何备忘录，来创建一个吧！"),
        ("daily_memos", "今日备忘录", "今天还没有记录任何备忘录"),
    ] {
        let install = install(kind, content).await;
        assert_eq!(install.run(NOW).await.sent, 4);
        assert_eq!(install.endpoint.bodies("ok-plain"), [json!({"title": title, "msg": nothing})]);
        let html = format!("<p>{nothing}</p>");
        assert_eq!(install.endpoint.bodies("ok-html"), [json!({"title": title, "msg": html})]);
    }
}

async fn the_content_is_that_of_the_day_that_was_due(kind: Kind) {
    let install = install(kind, "daily_memos").await;
    install.memos([memo("u1", "of the day", NOW), memo("u1", "of the next", NOW + 17 * HOUR)]).await;
    install.clock.set(NOW + 18 * HOUR);
    install.run(NOW).await;
    assert_eq!(install.endpoint.bodies("ok-text")[0]["title"], "今日备忘录 (1条)");
}
