//! What may become an avatar (`contract/auth-user.md`, route 4).

use serde_json::{Value, json};
use testing::{Client, Kind, Server, on_every_database};

use crate::objects::text;

const PATH: &str = "/api/v1/user/info";

on_every_database!(
    an_avatar_is_a_url_or_a_key_of_the_user,
    the_access_url_of_the_own_avatar_changes_nothing,
    null_and_empty_clear_the_avatar,
);

/// Returns what is stored as the avatar of a user.
async fn stored(server: &Server, user: &Client) -> Option<String> {
    let rows: Vec<(Option<String>,)> =
        server.fetch(format!("SELECT avatar FROM users WHERE uid = '{}'", user.uid)).await;
    rows.into_iter().next().unwrap().0
}

async fn an_avatar_is_a_url_or_a_key_of_the_user(kind: Kind) {
    let server = Server::start(kind).await;
    let (ann, bob) = (server.user().await, server.user().await);
    let own = |rest: &str| format!("avatar/{}/{rest}", ann.uid);
    for avatar in
        ["https://img.example/头像.png?x=y".to_owned(), "http://img.example".to_owned(), own("2026-01-02/a.png")]
    {
        ann.put(PATH, json!({"avatar": avatar})).await.data();
        assert_eq!(stored(&server, &ann).await, Some(avatar));
    }
    for avatar in [
        format!("avatar/{}/2026-01-02/a.png", bob.uid),
        format!("{}/2026-01-02/secret.pdf", bob.uid),
        format!("{}/2026-01-02/own.pdf", ann.uid),
        own(""),
        own("../x"),
        own(&format!("../{}/a.png", bob.uid)),
        own("a//b"),
        own("a\\b"),
        own("a\nb"),
        format!("/{}", own("a.png")),
        format!(" {}", own("a.png")),
        format!("AVATAR/{}/a.png", ann.uid),
        "javascript:alert(1)".to_owned(),
        "ftp://img.example/a.png".to_owned(),
        "data:image/png;base64,AAAA".to_owned(),
        "a.png".to_owned(),
        "/".to_owned(),
        "http:/x".to_owned(),
    ] {
        let answer = ann.put(PATH, json!({"avatar": avatar, "nickname": "changed"})).await;
        assert_eq!(answer.refusal(), (2, "参数错误"), "{avatar}");
        assert_eq!(stored(&server, &ann).await, Some(own("2026-01-02/a.png")), "{avatar}");
    }
    assert_eq!(ann.get(PATH).await.data().get("nickname"), None);
}

async fn the_access_url_of_the_own_avatar_changes_nothing(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let key = format!("avatar/{}/2026-01-02/头 像.png", ann.uid);
    let shown = ann.put(PATH, json!({"avatar": key})).await;
    let url = text(&shown.data()["user"], "avatar");
    // Seven days.
    let encoded = format!("/api/v1/files/avatar/{}/2026-01-02/%E5%A4%B4%20%E5%83%8F.png", ann.uid);
    assert!(url.starts_with(&format!("{encoded}?expires=1750604800&signature=")), "{url}");
    clock.set(1_750_000_099_000);
    for echo in [
        url.clone(),
        format!("https://aimo.example{url}"),
        format!("http://bucket.example/prefix{encoded}"),
        key.clone(),
    ] {
        ann.put(PATH, json!({"avatar": echo, "nickname": "N"})).await.data();
        assert_eq!(stored(&server, &ann).await, Some(key.clone()), "{echo}");
    }
    let other = format!("https://img.example/avatar/{}/2026-01-02/other.png", ann.uid);
    ann.put(PATH, json!({"avatar": other})).await.data();
    assert_eq!(
        (stored(&server, &ann).await, &ann.get(PATH).await.data()["avatar"]),
        (Some(other.clone()), &json!(other))
    );
}

async fn null_and_empty_clear_the_avatar(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    for empty in [json!(""), Value::Null] {
        ann.put(PATH, json!({"avatar": "https://img.example/a.png"})).await.data();
        assert_eq!(ann.put(PATH, json!({"avatar": empty})).await.data()["user"]["avatar"], "");
        assert_eq!(ann.get(PATH).await.data()["avatar"], "");
    }
}
