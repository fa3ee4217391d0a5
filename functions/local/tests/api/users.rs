//! Registration, sign-in and the own user (`contract/auth-user.md`).

use axum::http::Method;
use serde_json::{Value, json};
use testing::{Answer, Kind, PASSWORD, Server, Settings, on_every_database};

use crate::objects::text;

mod avatars;
mod passwords;

const NOW: i64 = 1_750_000_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

on_every_database!(
    sign_in_sets_a_cookie_for_ninety_days,
    the_cookie_is_secure_in_production_unless_told_otherwise,
    registration_sets_no_cookie_and_gives_no_token,
    a_token_lives_for_ninety_days,
    a_token_comes_by_cookie_or_header,
    an_email_is_trimmed_and_minds_case,
    a_deactivated_user_counts_as_missing,
    an_account_is_made_without_its_category_when_that_cannot_be_stored,
    an_update_without_members_moves_the_time_of_change,
    nothing_of_the_account_but_its_info_leaves_the_server,
);

async fn sign_in(server: &Server, email: &str) -> Answer {
    let credentials = json!({"email": email, "password": PASSWORD});
    server.anonymous().post("/api/v1/auth/login", credentials).await
}

/// Returns the parts of the login cookie, sorted.
fn cookie(answer: &Answer) -> Vec<String> {
    let mut parts: Vec<String> = answer.header("set-cookie").split("; ").map(str::to_owned).collect();
    parts.sort_unstable();
    parts
}

async fn sign_in_sets_a_cookie_for_ninety_days(kind: Kind) {
    let (server, _) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let answer = sign_in(&server, &ann.email).await;
    let token = format!("aimo_token={}", text(answer.data(), "token"));
    let expected =
        ["Expires=Sat, 13 Sep 2025 15:06:40 GMT", "HttpOnly", "Max-Age=7776000", "Path=/", "SameSite=Lax", &token];
    assert_eq!(cookie(&answer), expected);
    assert_eq!(answer.data()["user"], json!({"uid": ann.uid, "email": ann.email}));
}

async fn the_cookie_is_secure_in_production_unless_told_otherwise(kind: Kind) {
    for (variables, is_secure) in [
        (vec![], false),
        (vec![("APP_ENV", "production")], true),
        (vec![("NODE_ENV", "production")], true),
        (vec![("APP_ENV", "development"), ("NODE_ENV", "production")], false),
        (vec![("APP_ENV", "production"), ("COOKIE_SECURE", "false")], false),
        (vec![("COOKIE_SECURE", "true")], true),
    ] {
        // Production checks the certificate of the database, and the one of the tests has none.
        let ssl = ("DATABASE_SSL_MODE", "disable");
        let variables =
            variables.iter().copied().chain([ssl]).map(|(name, value)| (name, value.to_owned())).collect();
        let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
        let answer = sign_in(&server, &server.user().await.email).await;
        assert_eq!(cookie(&answer).contains(&"Secure".to_owned()), is_secure);
    }
}

async fn registration_sets_no_cookie_and_gives_no_token(kind: Kind) {
    let server = Server::start(kind).await;
    let email = format!("new{}", server.user().await.uid);
    let body =
        json!({"email": email, "password": "x", "nickname": " N ", "phone": "+86 138", "status": 0, "uid": "u1"});
    let answer = server.anonymous().post("/api/v1/auth/register", body).await;
    let uid = text(&answer.data()["user"], "uid");
    assert!(uid.len() == 24 && uid.starts_with('u'), "{uid}");
    assert_eq!(answer.data(), &json!({"user": {"uid": uid, "email": email, "nickname": "N"}}));
    assert_eq!(answer.header("set-cookie"), "");
    let sql = format!("SELECT phone, status FROM users WHERE uid = '{uid}'");
    assert_eq!(server.fetch::<(String, i32)>(sql).await, [("+86 138".to_owned(), 1)]);
}

async fn a_token_lives_for_ninety_days(kind: Kind) {
    let (server, clock) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    clock.set(NOW + 90 * DAY - 1);
    ann.get("/api/v1/user/info").await.data();
    clock.set(NOW + 90 * DAY);
    let answer = ann.get("/api/v1/user/info").await;
    let expected = json!({"success": false, "message": "Invalid token"});
    assert_eq!((answer.status.as_u16(), answer.body), (401, expected));
}

async fn a_token_comes_by_cookie_or_header(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let token = text(sign_in(&server, &ann.email).await.data(), "token");
    let bearer = format!("Bearer {token}");
    let cookie = |value: &str| Some(format!("theme=dark; aimo_token={value}; x=y"));
    let required = "Authentication required";
    let cases: [(Option<String>, Option<&str>, &str); 12] = [
        (cookie(&token), None, ""),
        (cookie(&token), Some("Bearer garbage"), ""),
        (cookie("garbage"), Some(&bearer), "Invalid token"),
        (cookie(""), Some(&bearer), ""),
        (cookie(""), None, required),
        (Some(format!("aimo_tokens={token}; my_aimo_token={token}")), None, required),
        (None, Some(&token), ""),
        (None, Some(&bearer), ""),
        (None, Some(&bearer.to_lowercase()), "Invalid token"),
        (None, Some("Bearer"), "Invalid token"),
        (None, Some(""), required),
        (None, None, required),
    ];
    for (cookie, authorization, refusal) in cases {
        let mut request = server.anonymous().request(Method::GET, "/api/v1/user/info");
        if let Some(cookie) = &cookie {
            request = request.header("cookie", cookie);
        }
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = server.send(request.body("".into()).unwrap()).await;
        let expected = if refusal.is_empty() { Value::Null } else { json!(refusal) };
        assert_eq!(answer.body["message"], expected, "{cookie:?} {authorization:?}");
        assert_eq!(answer.status, if refusal.is_empty() { 200 } else { 401 });
    }
}

async fn an_email_is_trimmed_and_minds_case(kind: Kind) {
    let server = Server::start(kind).await;
    let anonymous = server.anonymous();
    let unique = server.user().await.uid;
    let credentials = |email: &str| json!({"email": format!("{email}{unique}@x.y \n"), "password": "secret"});
    let register = async |email: &str| anonymous.post("/api/v1/auth/register", credentials(email)).await;
    let lower = register(" a").await;
    assert_eq!(lower.data()["user"]["email"], format!("a{unique}@x.y"));
    assert_eq!(register("\ta").await.refusal(), (1001, "用户已存在"));
    let upper = register("A").await;
    let accented = register("á").await;
    for (email, registered) in [("a", &lower), ("A ", &upper), ("  á", &accented)] {
        let email = format!(" {}", email.trim());
        let answer = anonymous.post("/api/v1/auth/login", credentials(&email)).await;
        assert_eq!(answer.data()["user"]["uid"], registered.data()["user"]["uid"]);
    }
    let unknown = anonymous.post("/api/v1/auth/login", credentials("o'hara")).await;
    assert_eq!(unknown.refusal(), (1000, "用户不存在"));
}

async fn a_deactivated_user_counts_as_missing(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    server.execute(format!("UPDATE users SET status = 0 WHERE uid = '{}'", ann.uid)).await;
    let answer = ann.get("/api/v1/user/info").await;
    assert_eq!(
        (answer.status.as_u16(), answer.body),
        (401, json!({"success": false, "message": "User not found"}))
    );
    assert_eq!(sign_in(&server, &ann.email).await.refusal(), (1000, "用户不存在"));
    // The e-mail stays taken.
    let credentials = json!({"email": ann.email, "password": "x"});
    let again = server.anonymous().post("/api/v1/auth/register", credentials).await;
    assert_eq!(again.refusal(), (1001, "用户已存在"));
    server.execute(format!("UPDATE users SET status = 1 WHERE uid = '{}'", ann.uid)).await;
    ann.get("/api/v1/user/info").await.data();
}

async fn an_update_without_members_moves_the_time_of_change(kind: Kind) {
    let (server, clock) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    ann.put("/api/v1/user/info", json!({"nickname": "N", "avatar": "https://img.example/a.png"})).await.data();
    let before = ann.get("/api/v1/user/info").await.data().clone();
    clock.set(NOW + 5);
    let answer = ann.put("/api/v1/user/info", json!({"email": "x", "phone": "y", "status": 0, "uid": "z"})).await;
    assert_eq!(answer.data(), &json!({"message": "User info updated successfully", "user": before}));
    assert_eq!(ann.get("/api/v1/user/info").await.data(), &before);
    let sql = format!("SELECT created_at, updated_at FROM users WHERE uid = '{}'", ann.uid);
    assert_eq!(server.fetch::<(i64, i64)>(sql).await, [(NOW, NOW + 5)]);
    for nickname in [json!(""), Value::Null] {
        ann.put("/api/v1/user/info", json!({"nickname": "N"})).await.data();
        let cleared = ann.put("/api/v1/user/info", json!({"nickname": nickname})).await;
        assert_eq!(cleared.data()["user"].get("nickname"), None);
    }
}

async fn nothing_of_the_account_but_its_info_leaves_the_server(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let info = ann.get("/api/v1/user/info").await;
    assert_eq!(info.data(), &json!({"uid": ann.uid, "email": ann.email, "avatar": ""}));
    for answer in [info, sign_in(&server, &ann.email).await] {
        for secret in ["$2b$", "password", "salt", "phone", "status"] {
            assert!(!answer.body.to_string().contains(secret), "{secret}: {answer:?}");
        }
    }
}

async fn an_account_is_made_without_its_category_when_that_cannot_be_stored(kind: Kind) {
    let server = Server::start_alone(kind).await;
    server.execute("ALTER TABLE categories RENAME TO categories_away").await;
    let ann = server.user().await;
    server.execute("ALTER TABLE categories_away RENAME TO categories").await;
    assert_eq!(sign_in(&server, &ann.email).await.data()["user"]["uid"], json!(ann.uid));
    assert_eq!(ann.get("/api/v1/categories").await.data()["categories"], json!([]));
}
