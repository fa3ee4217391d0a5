//! Passwords (`contract/auth-user.md`, routes 1, 2 and 5).

use serde_json::{Value, json};
use testing::{Answer, Client, Kind, PASSWORD, Server, on_every_database};

const PATH: &str = "/api/v1/user/password";

on_every_database!(
    checks_come_in_the_order_of_the_contract,
    a_changed_password_replaces_the_old_one_and_tokens_stay_valid,
    any_text_is_a_password_and_72_bytes_of_it_count,
    a_hash_is_bcrypt_and_carries_its_salt,
);

fn change(old: &str, new: &str) -> Value {
    json!({"oldPassword": old, "newPassword": new})
}

async fn sign_in(server: &Server, user: &Client, password: &str) -> Answer {
    server.anonymous().post("/api/v1/auth/login", json!({"email": user.email, "password": password})).await
}

async fn checks_come_in_the_order_of_the_contract(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    for (body, message) in [
        (json!({}), "请填写完整信息"),
        (json!({"newPassword": "x"}), "请填写完整信息"),
        (json!({"oldPassword": PASSWORD}), "请填写完整信息"),
        (change("", "secret"), "请填写完整信息"),
        (change("wrong", "12345"), "新密码长度至少6位"),
        (change("wrong", "密码😀"), "新密码长度至少6位"),
    ] {
        assert_eq!(ann.post(PATH, body).await.refusal(), (2, message));
    }
    // Two units each: six.
    assert_eq!(ann.post(PATH, change("wrong", "😀😀😀")).await.refusal(), (1002, "当前密码错误"));
    assert_eq!(sign_in(&server, &ann, "wrong").await.refusal(), (1002, "密码错误"));
    sign_in(&server, &ann, PASSWORD).await.data();
}

async fn a_changed_password_replaces_the_old_one_and_tokens_stay_valid(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    clock.set(1_750_000_000_007);
    let answer = ann.post(PATH, change(PASSWORD, "😀😀😀")).await;
    assert_eq!(answer.data(), &json!({"message": "密码修改成功"}));
    assert_eq!(sign_in(&server, &ann, PASSWORD).await.refusal(), (1002, "密码错误"));
    sign_in(&server, &ann, "😀😀😀").await.data();
    ann.get("/api/v1/user/info").await.data();
    let sql = format!("SELECT updated_at FROM users WHERE uid = '{}'", ann.uid);
    assert_eq!(server.fetch::<(i64,)>(sql).await, [(1_750_000_000_007,)]);
    assert_eq!(ann.post(PATH, change(PASSWORD, "another")).await.refusal(), (1002, "当前密码错误"));
}

async fn any_text_is_a_password_and_72_bytes_of_it_count(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let (long, cut) = ("长".repeat(24), "x".repeat(71));
    let mut current = PASSWORD.to_owned();
    for (new, same, other) in [
        ("      ".to_owned(), "      ".to_owned(), "     ".to_owned()),
        (format!("{long}left"), format!("{long}right"), format!("{}left", "长".repeat(23))),
        (format!("{cut}ab"), format!("{cut}ac"), format!("{cut}b")),
        ("p".repeat(100_000), "p".repeat(72), "p".repeat(71)),
    ] {
        ann.post(PATH, change(&current, &new)).await.data();
        sign_in(&server, &ann, &same).await.data();
        assert_eq!(sign_in(&server, &ann, &other).await.refusal(), (1002, "密码错误"));
        current = same;
    }
}

async fn a_hash_is_bcrypt_and_carries_its_salt(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let sql = format!("SELECT password, salt FROM users WHERE uid = '{}'", ann.uid);
    let mut seen = Vec::new();
    for new in ["secret1", "secret2"] {
        let (hash, salt) = server.fetch::<(String, String)>(sql.clone()).await.remove(0);
        assert!(hash.starts_with("$2b$10$") && hash.len() == 60, "{hash}");
        assert!(salt.len() == 29 && hash.starts_with(&salt), "{salt}");
        seen.push(salt);
        let old = if new == "secret1" { PASSWORD } else { "secret1" };
        ann.post(PATH, change(old, new)).await.data();
    }
    assert_ne!(seen[0], seen[1]);
    // A stored text that is no hash fits no password.
    server.execute(format!("UPDATE users SET password = 'no hash at all' WHERE uid = '{}'", ann.uid)).await;
    assert_eq!(sign_in(&server, &ann, "secret2").await.refusal(), (1002, "密码错误"));
}
