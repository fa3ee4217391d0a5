//! Attachments and avatars in a bucket of a server that checks signatures.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::json;
use shared::clock::ManualClock;
use testing::{Client, Form, Kind, Server, Settings, directory, on_every_database, s3_settings};

use super::LIST;
use crate::objects::{memo, text, upload};

on_every_database!(
    every_route_works_on_a_bucket,
    a_signed_url_opens_one_object_until_it_expires,
    a_large_download_comes_from_the_bucket,
    a_large_upload_arrives_whole,
    old_files_stay_reachable_after_a_change_of_settings,
    a_bucket_of_oss_works_like_one_of_s3,
    a_public_bucket_has_plain_urls_and_safe_objects,
    avatars_live_in_the_bucket,
);

async fn start(kind: Kind, variables: Vec<(&'static str, String)>) -> Server {
    Server::start_with(kind, Settings { variables, ..Settings::default() }).await
}

/// Returns the paths of all objects below the prefix of a server.
pub async fn objects(server: &Server) -> Vec<String> {
    let files = &server.app.context.files;
    let store = files.store(files.current().unwrap()).unwrap();
    store.list("", None, 1000).await.unwrap().into_iter().map(|object| object.path).collect()
}

async fn fetch(url: &str) -> reqwest::Response {
    reqwest::get(url).await.unwrap()
}

fn header(response: &reqwest::Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

async fn every_route_works_on_a_bucket(kind: Kind) {
    let server = start(kind, s3_settings()).await;
    let (ann, bob) = (server.user().await, server.user().await);
    let file = upload(&ann, "读 1.png", "image/png", b"a picture").await;
    let id = text(&file, "attachmentId");
    let at = format!("{LIST}/{id}");
    let stored = objects(&server).await;
    assert_eq!(stored.len(), 1);
    assert!(stored[0].starts_with(&ann.uid) && stored[0].ends_with(&format!("{id}.png")), "{stored:?}");
    assert_eq!(ann.get(LIST).await.data()["items"][0]["attachmentId"], id);
    let download = ann.get(&format!("{at}/download")).await;
    assert_eq!((download.status, download.bytes.as_slice()), (StatusCode::OK, &b"a picture"[..]));
    assert_eq!(download.header("content-length"), "9");
    let request = ann.request(Method::GET, &format!("{at}/download")).header("range", "bytes=2-4");
    let part = server.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((part.status, part.bytes.as_slice()), (StatusCode::PARTIAL_CONTENT, &b"pic"[..]));
    let empty = upload(&ann, "empty.bin", "x/y", b"").await;
    let answer = ann.get(&format!("{LIST}/{}/download", text(&empty, "attachmentId"))).await;
    assert_eq!((answer.status, answer.bytes.len()), (StatusCode::OK, 0));
    let shown = memo(&ann, json!({"content": "x", "attachments": [id]})).await;
    assert_eq!(fetch(&text(&shown["attachments"][0], "url")).await.text().await.unwrap(), "a picture");
    assert_eq!(bob.delete(&at).await.refusal(), (4002, "附件不存在"));
    assert_eq!(objects(&server).await.len(), 2);
    ann.delete(&at).await.data();
    assert_eq!(objects(&server).await.len(), 1);
    assert_eq!(ann.get(&format!("{at}/download")).await.status, StatusCode::NOT_FOUND);
}

async fn a_signed_url_opens_one_object_until_it_expires(kind: Kind) {
    let settings = s3_settings();
    let server = start(kind, settings.clone()).await;
    let ann = server.user().await;
    let url = text(&upload(&ann, "a.svg", "image/svg+xml", b"<svg/>").await, "url");
    let other = text(&upload(&ann, "b.svg", "image/svg+xml", b"<svg/>").await, "url");
    let response = fetch(&url).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), "image/svg+xml");
    assert_eq!(header(&response, "content-disposition"), "attachment");
    let (_, query) = url.split_once('?').unwrap();
    let (path, _) = other.split_once('?').unwrap();
    for wrong in [
        format!("{path}?{query}"),
        path.to_owned(),
        url.replace("X-Amz-Expires=3600", "X-Amz-Expires=36000"),
        url.replace("response-content-disposition=attachment&", ""),
        url.replace("image%2Fsvg%2Bxml", "text%2Fhtml"),
    ] {
        assert_eq!(fetch(&wrong).await.status(), 403, "{wrong}");
    }
    // The same settings two hours ago.
    let past = Arc::new(ManualClock::at(server.app.context.now() - 7_200_000));
    let past = Settings { clock: Some(past), variables: settings, ..Settings::default() };
    let earlier = Server::start_with(kind, past).await.user().await;
    let expired = text(&upload(&earlier, "a.png", "image/png", b"x").await, "url");
    assert_eq!(fetch(&expired).await.status(), 403);
}

async fn a_large_download_comes_from_the_bucket(kind: Kind) {
    let server = start(kind, s3_settings()).await;
    let ann = server.user().await;
    let content = vec![b'x'; 4 * 1024 * 1024 + 1];
    let inline = upload(&ann, "a.txt", "text/plain", &content[1..]).await;
    let answer = ann.get(&format!("{LIST}/{}/download", text(&inline, "attachmentId"))).await;
    assert_eq!((answer.status, answer.bytes.len()), (StatusCode::OK, content.len() - 1));
    let large = upload(&ann, "读.txt", "text/plain", &content).await;
    let answer = ann.get(&format!("{LIST}/{}/download", text(&large, "attachmentId"))).await;
    assert_eq!((answer.status, answer.header("cache-control").as_str()), (StatusCode::FOUND, "no-store"));
    let response = fetch(&answer.header("location")).await;
    assert_eq!(header(&response, "content-type"), "text/plain");
    let disposition = "attachment; filename=\"%E8%AF%BB.txt\"; filename*=UTF-8''%E8%AF%BB.txt";
    assert_eq!(header(&response, "content-disposition"), disposition);
    assert_eq!(response.bytes().await.unwrap(), content);
}

async fn a_large_upload_arrives_whole(kind: Kind) {
    let server = start(kind, s3_settings()).await;
    let ann = server.user().await;
    // More than two parts, each other than the one before.
    let content: Vec<u8> = (0..u32::try_from(17 * 1024 * 1024 / 4).unwrap()).flat_map(u32::to_le_bytes).collect();
    let response = fetch(&text(&upload(&ann, "a.png", "image/png", &content).await, "url")).await;
    assert_eq!(header(&response, "content-type"), "image/png");
    assert!(response.bytes().await.unwrap() == content);
}

async fn old_files_stay_reachable_after_a_change_of_settings(kind: Kind) {
    let root = ("ATTACHMENT_LOCAL_PATH", directory("attachments").display().to_string());
    let (first, mut second) = (s3_settings(), s3_settings());
    second.push(root.clone());
    // A later setting of the same name wins.
    let local = [first.clone(), vec![("ATTACHMENT_STORAGE_TYPE", "local".to_owned()), root]].concat();
    let servers = [start(kind, first).await, start(kind, local).await, start(kind, second).await];
    let owner = servers[0].user().await;
    let as_owner = |server: &Server| {
        let token = server.app.tokens.issue(&owner.uid.as_str().into(), server.app.context.now()).unwrap();
        server.signed_in(&owner.uid, &token)
    };
    let mut ids = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        ids.push(text(
            &upload(&as_owner(server), &format!("{number}.png"), "image/png", b"x").await,
            "attachmentId",
        ));
    }
    let newest = as_owner(&servers[2]);
    assert_eq!(newest.get(LIST).await.data()["total"], 3);
    for id in &ids {
        let at = format!("{LIST}/{id}");
        assert_eq!(newest.get(&format!("{at}/download")).await.bytes, b"x", "{id}");
        let url = text(newest.get(&at).await.data(), "url");
        let shown = if url.starts_with('/') {
            servers[2].anonymous().get(&url).await.bytes
        } else {
            fetch(&url).await.bytes().await.unwrap().into()
        };
        assert_eq!(shown, b"x", "{url}");
        newest.delete(&at).await.data();
    }
    assert_eq!(objects(&servers[0]).await, [""; 0]);
    assert_eq!(objects(&servers[1]).await, [""; 0]);
    assert_eq!(objects(&servers[2]).await, [""; 0]);
}

async fn a_bucket_of_oss_works_like_one_of_s3(kind: Kind) {
    let oss = s3_settings().into_iter().map(|(name, value)| match name {
        "ATTACHMENT_STORAGE_TYPE" => (name, "oss".to_owned()),
        "ATTACHMENT_S3_ENDPOINT" => ("ATTACHMENT_OSS_ENDPOINT", value),
        "ATTACHMENT_S3_BUCKET" => ("ATTACHMENT_OSS_BUCKET", value),
        "ATTACHMENT_S3_PREFIX" => ("ATTACHMENT_OSS_PREFIX", value),
        "ATTACHMENT_S3_ACCESS_KEY_ID" => ("ATTACHMENT_OSS_ACCESS_KEY_ID", value),
        "ATTACHMENT_S3_SECRET_ACCESS_KEY" => ("ATTACHMENT_OSS_ACCESS_KEY_SECRET", value),
        _ => (name, value),
    });
    let server = start(kind, oss.collect()).await;
    let ann = server.user().await;
    let file = upload(&ann, "a.png", "image/png", b"a picture").await;
    assert_eq!(fetch(&text(&file, "url")).await.text().await.unwrap(), "a picture");
    let at = format!("{LIST}/{}", text(&file, "attachmentId"));
    assert_eq!(ann.get(&format!("{at}/download")).await.bytes, b"a picture");
    let row: Vec<(String, String)> =
        server.fetch(format!("SELECT storage_type, region FROM attachments WHERE uid = '{}'", ann.uid)).await;
    assert_eq!(row, [("oss".to_owned(), "cn-hangzhou".to_owned())]);
    super::direct::upload_directly(&server, &ann, "b.mp4", b"a film").await;
    assert_eq!(objects(&server).await.len(), 2);
    ann.delete(&at).await.data();
    assert_eq!(objects(&server).await.len(), 1);
}

async fn a_public_bucket_has_plain_urls_and_safe_objects(kind: Kind) {
    let mut settings = s3_settings();
    settings.push(("ATTACHMENT_S3_IS_PUBLIC", "true".to_owned()));
    let server = start(kind, settings.clone()).await;
    let ann = server.user().await;
    let file = upload(&ann, "a.png", "text/x-active", b"<script>").await;
    let path = objects(&server).await.remove(0);
    let value = |name: &str| settings.iter().find(|(given, _)| *given == name).unwrap().1.clone();
    let bucket = format!("{}/{}", value("ATTACHMENT_S3_ENDPOINT"), value("ATTACHMENT_S3_BUCKET"));
    assert_eq!(text(&file, "url"), format!("{bucket}/{}/{path}", value("ATTACHMENT_S3_PREFIX")));
    let files = &server.app.context.files;
    let metadata = files.store(files.current().unwrap()).unwrap().metadata(&path).await.unwrap().unwrap();
    assert_eq!(metadata.content_type.as_deref(), Some("image/png"), "not what the uploader says");
    // An old row that does not say whether its bucket is public.
    server.execute(format!("UPDATE attachments SET is_public_bucket = NULL WHERE uid = '{}'", ann.uid)).await;
    assert_eq!(ann.get(LIST).await.data()["items"][0]["url"], file["url"]);
    server.execute(format!("UPDATE attachments SET is_public_bucket = 'false' WHERE uid = '{}'", ann.uid)).await;
    assert!(text(&ann.get(LIST).await.data()["items"][0], "url").contains("X-Amz-Signature="));
}

async fn avatar(user: &Client, filename: &str, content: &[u8]) -> String {
    let form = Form::new().file("avatar", filename, "image/png", content);
    text(user.post_form("/api/v1/user/avatar", &form).await.data(), "avatar")
}

async fn avatars_live_in_the_bucket(kind: Kind) {
    let server = start(kind, s3_settings()).await;
    let ann = server.user().await;
    let first = avatar(&ann, "me.png", b"first").await;
    assert!(first.contains("X-Amz-Expires=604800&"), "seven days: {first}");
    assert_eq!(fetch(&first).await.text().await.unwrap(), "first");
    let second = avatar(&ann, "me.png", b"second").await;
    assert_eq!(fetch(&second).await.text().await.unwrap(), "second");
    assert_eq!(fetch(&first).await.status(), 404, "the one before is gone");
    let stored = objects(&server).await;
    assert!(stored.len() == 1 && stored[0].starts_with(&format!("avatar/{}/", ann.uid)), "{stored:?}");
    // The client sends the URL back that it was given.
    ann.put("/api/v1/user/info", json!({"avatar": second, "nickname": "N"})).await.data();
    let shown = text(ann.get("/api/v1/user/info").await.data(), "avatar");
    assert_eq!(fetch(&shown).await.text().await.unwrap(), "second");
}

/// Without keys nothing can be signed, and the product says so when it starts.
#[test]
fn a_bucket_without_keys_is_refused() {
    let variables = s3_settings().into_iter().filter(|(name, _)| !name.contains("ACCESS"));
    let variables = variables.chain([("JWT_SECRET", "x".repeat(32))]);
    let variables = variables.map(|(name, value)| (name.to_owned(), value)).collect();
    let refused = shared::config::Config::read(shared::config::Runtime::Local, variables).unwrap_err();
    assert!(refused.to_string().contains("ATTACHMENT_S3_ACCESS_KEY_ID"), "{refused}");
}
