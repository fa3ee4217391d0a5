//! The bytes of a file: by its download route, and by its access URL.

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};
use testing::{Answer, Client, Kind, Settings, on_every_database};

use super::{LIST, Local};
use crate::objects::{text, upload};

on_every_database!(
    a_download_has_the_declared_type_and_its_name,
    a_range_is_a_part_of_the_file,
    an_access_url_needs_no_token_until_it_expires,
    an_access_url_serves_no_active_content,
    a_download_that_fails_says_so_by_its_status,
);

async fn a_download_has_the_declared_type_and_its_name(kind: Kind) {
    let local = Local::start(kind).await;
    // Latin-1, which is no UTF-8.
    let file = upload(&local.ann, "读 (1)'s.txt", "text/plain", b"caf\xe9").await;
    let answer = local.ann.get(&format!("{LIST}/{}/download", text(&file, "attachmentId"))).await;
    assert_eq!((answer.status, answer.bytes.as_slice()), (StatusCode::OK, &b"caf\xe9"[..]));
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-length", "4"),
        ("cache-control", "private, max-age=3600"),
        ("accept-ranges", "bytes"),
        ("content-encoding", ""),
        (
            "content-disposition",
            "attachment; filename=\"%E8%AF%BB%20(1)'s.txt\"; filename*=UTF-8''%E8%AF%BB%20%281%29%27s.txt",
        ),
    ] {
        assert_eq!(answer.header(name), value);
    }
}

async fn ranged(local: &Local, client: &Client, path: &str, range: &str) -> Answer {
    let request = client.request(Method::GET, path).header(header::RANGE, range);
    local.server.send(request.body(axum::body::Body::empty()).unwrap()).await
}

async fn a_range_is_a_part_of_the_file(kind: Kind) {
    let local = Local::start(kind).await;
    let content: Vec<u8> = (0..200_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let file = upload(&local.ann, "a.mp4", "video/mp4", &content).await;
    let download = format!("{LIST}/{}/download", text(&file, "attachmentId"));
    for path in [download, text(&file, "url")] {
        for (range, first, last) in [
            ("bytes=0-0", 0, 0),
            ("bytes=100-70000", 100, 70_000),
            ("bytes=199990-", 199_990, 199_999),
            ("bytes=-5", 199_995, 199_999),
            ("bytes=65536-999999", 65_536, 199_999),
        ] {
            let answer = ranged(&local, &local.ann, &path, range).await;
            assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
            assert_eq!(answer.header("content-range"), format!("bytes {first}-{last}/200000"));
            assert_eq!(answer.header("content-length"), (last - first + 1).to_string());
            assert_eq!(answer.bytes, content[first..=last], "{range}");
        }
        let whole = ranged(&local, &local.ann, &path, "bytes=0-1,5-6").await;
        assert_eq!((whole.status, whole.bytes.len()), (StatusCode::OK, 200_000));
        let none = ranged(&local, &local.ann, &path, "bytes=200000-").await;
        assert_eq!(none.status, StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(none.header("content-range"), "bytes */200000");
    }
}

fn not_found() -> (StatusCode, Value) {
    (StatusCode::NOT_FOUND, json!({"code": 4002, "msg": "附件不存在", "data": null}))
}

async fn an_access_url_needs_no_token_until_it_expires(kind: Kind) {
    let clock = std::sync::Arc::new(shared::clock::ManualClock::at(1_750_000_000_000));
    let settings = Settings { clock: Some(clock.clone()), ..Settings::default() };
    let local = Local::start_with(kind, settings).await;
    let file = upload(&local.ann, "a.png", "image/png", b"a picture").await;
    let url = text(&file, "url");
    let anonymous = local.server.anonymous();
    let answer = anonymous.get(&url).await;
    assert_eq!((answer.status, answer.bytes.as_slice()), (StatusCode::OK, &b"a picture"[..]));
    assert_eq!(answer.header("content-type"), "image/png");
    assert_eq!(answer.header("content-disposition"), "");
    assert!(answer.header("cache-control").contains("private"));

    let (path, query) = url.split_once('?').unwrap();
    let key = path.trim_start_matches("/api/v1/files/");
    let id = text(&file, "attachmentId");
    let last = if query.ends_with('0') { '1' } else { '0' };
    for wrong in [
        path.to_owned(),
        format!("{path}?{}", query.replace("expires=1", "expires=2")),
        format!("{path}?{query}0"),
        format!("{path}?{}", &query[..query.len() - 1]),
        format!("{path}?{}{last}", &query[..query.len() - 1]),
        format!("{path}?expires=1750003600&signature="),
        format!("{path}?expires=x&signature=y"),
        format!("{}?{query}", path.replace(&id, &format!("../{id}"))),
        format!("/api/v1/files/..%2F..%2F{key}?{query}"),
        format!("/api/v1/files/%2e%2e/{key}?{query}"),
        format!("/api/v1/files//{key}?{query}"),
        format!("/api/v1/files/{}?{query}", key.replace('/', "%5C")),
        format!("/api/v1/files/{}?{query}", key.to_uppercase()),
        format!("/api/v1/files/{key}%00?{query}"),
    ] {
        let answer = anonymous.get(&wrong).await;
        assert_eq!((answer.status, answer.body), not_found(), "{wrong}");
    }
    clock.set(1_750_003_599_000);
    assert_eq!(anonymous.get(&url).await.status, StatusCode::OK);
    clock.set(1_750_003_600_000);
    let answer = anonymous.get(&url).await;
    assert_eq!((answer.status, answer.body), not_found());
    clock.set(1_750_000_000_000);
    local.ann.delete(&format!("{LIST}/{id}")).await.data();
    let answer = anonymous.get(&url).await;
    assert_eq!((answer.status, answer.body), not_found(), "deleted");
}

async fn an_access_url_serves_no_active_content(kind: Kind) {
    let local = Local::start(kind).await;
    for (name, media_type, served, disposition) in [
        ("a.svg", "image/svg+xml", "image/svg+xml", "attachment"),
        ("a.html", "image/png", "application/octet-stream", "attachment"),
        ("a.txt", "text/plain", "application/octet-stream", "attachment"),
        ("a.pdf", "application/pdf", "application/pdf", "attachment"),
        ("a", "image/png", "application/octet-stream", "attachment"),
        ("a.mp3", "whatever", "audio/mpeg", ""),
    ] {
        let file = upload(&local.ann, name, media_type, b"<script>").await;
        let answer = local.server.anonymous().get(&text(&file, "url")).await;
        assert_eq!(
            (answer.header("content-type").as_str(), answer.header("content-disposition").as_str()),
            (served, disposition),
            "{name}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

async fn a_download_that_fails_says_so_by_its_status(kind: Kind) {
    let local = Local::start(kind).await;
    let file = upload(&local.ann, "a.png", "image/png", b"x").await;
    let path = format!("{LIST}/{}/download", text(&file, "attachmentId"));
    let bob = local.server.user().await;
    for (client, path) in [(&bob, path.as_str()), (&local.ann, "/api/v1/attachments/nothing/download")] {
        let answer = client.get(path).await;
        assert_eq!((answer.status, answer.body), not_found());
    }
    assert_eq!(local.server.anonymous().get(&path).await.status, StatusCode::UNAUTHORIZED);
    // The object is gone behind our back.
    std::fs::remove_file(local.directory.join(&local.files()[0])).unwrap();
    let answer = local.ann.get(&path).await;
    assert_eq!((answer.status, answer.body), not_found());
    // A row that names a storage which does not exist.
    let statement = format!("UPDATE attachments SET storage_type = 'tape' WHERE uid = '{}'", local.ann.uid);
    local.server.execute(statement).await;
    let answer = local.ann.get(&path).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.body, json!({"code": 1, "msg": "系统错误", "data": null}));
    // The rest of the product shows it all the same, without a URL.
    assert_eq!(local.ann.get(LIST).await.data()["items"][0]["url"], "");
}
