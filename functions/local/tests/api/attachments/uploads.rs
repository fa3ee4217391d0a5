//! What is kept of an upload.

use axum::http::Method;
use serde_json::{Map, Value, json};
use shared::{
    ids::AttachmentId,
    repositories::{self, attachments::AttachmentRecord},
};
use testing::{Form, Kind, Server, Settings, on_every_database};

use super::{LIST, Local, UPLOAD};
use crate::objects::{memo, text, upload};

on_every_database!(
    a_file_is_stored_under_its_owner_day_and_id,
    a_name_is_utf_8_without_folders_and_control_characters,
    the_fields_of_an_import_are_kept_and_unreadable_ones_ignored,
    blocked_types_are_refused_with_parameters_and_in_any_case,
    a_file_of_exactly_the_limit_fits,
    properties_are_merged_by_everybody_at_once,
    properties_have_a_bound,
    an_id_that_begins_with_ba_works_on_every_route,
    a_service_uploads_for_a_user,
    a_memo_shows_its_files_with_one_statement,
);

async fn a_file_is_stored_under_its_owner_day_and_id(kind: Kind) {
    // A minute past midnight in Shanghai.
    let clock = std::sync::Arc::new(shared::clock::ManualClock::at(1_767_196_860_000));
    let local = Local::start_with(kind, Settings { clock: Some(clock), ..Settings::default() }).await;
    let file = upload(&local.ann, "a.b.PNG", "image/png", b"a picture").await;
    let id = text(&file, "attachmentId");
    let path = format!("{}/2026-01-01/{id}.PNG", local.ann.uid);
    assert_eq!(local.files(), std::slice::from_ref(&path));
    let url = text(&file, "url");
    assert!(url.starts_with(&format!("/api/v1/files/{path}?expires=1767200460&signature=")), "{url}");
    let expected = json!({"attachmentId": id, "filename": "a.b.PNG", "url": url, "type": "image/png", "size": 9,
        "createdAt": 1_767_196_860_000_i64});
    assert_eq!(file, expected);
    let bare = upload(&local.ann, "README", "text/plain", b"").await;
    assert_eq!(bare["size"], 0);
    assert!(local.files().contains(&format!("{}/2026-01-01/{}", local.ann.uid, text(&bare, "attachmentId"))));
}

async fn a_name_is_utf_8_without_folders_and_control_characters(kind: Kind) {
    let local = Local::start(kind).await;
    for (sent, kept) in [
        ("文档 一 😀.txt", "文档 一 😀.txt"),
        ("../../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\a.txt", "a.txt"),
        ("..", ".."),
        ("a\u{1}\u{7f}\u{85}b.txt", "ab.txt"),
        ("a.t%2Fxt", "a.t%2Fxt"),
        ("folder/", "file"),
        ("it's 100%'; DROP TABLE x --.txt", "it's 100%'; DROP TABLE x --.txt"),
    ] {
        let file = upload(&local.ann, sent, "text/plain", b"x").await;
        assert_eq!(file["filename"], kept, "{sent}");
        assert_eq!(
            local.ann.get(&format!("{LIST}/{}", text(&file, "attachmentId"))).await.data()["filename"],
            kept
        );
    }
    // No name leads out of the folder of its owner, and none gives an odd extension.
    for file in local.files() {
        let (folder, name) = file.rsplit_once('/').unwrap();
        assert!(folder.starts_with(&local.ann.uid) && name.len() <= 24 + 17, "{file}");
    }
}

async fn the_fields_of_an_import_are_kept_and_unreadable_ones_ignored(kind: Kind) {
    let local = Local::start(kind).await;
    let form = |time: &str, properties: &str| {
        let form = Form::new().field("createdAt", time).file("file", "a.mp4", "video/mp4", "x");
        form.field("properties", properties)
    };
    let properties = json!({"duration": 3.5, "coverUrl": "https://img.example/c.jpg", "注": "😀"});
    let answer = local.ann.post_form(UPLOAD, &form("1650000000000", &properties.to_string())).await;
    let file = &answer.data()["attachment"];
    assert_eq!((&file["createdAt"], &file["properties"]), (&json!(1_650_000_000_000_i64), &properties));
    assert_eq!(file["coverUrl"], "https://img.example/c.jpg");
    let now = local.server.app.context.now();
    for (time, properties) in
        [("0", "[1]"), ("-1", "5"), ("soon", "{\"a\":"), ("", "null"), ("9".repeat(30).as_str(), "")]
    {
        let answer = local.ann.post_form(UPLOAD, &form(time, properties)).await;
        let file = &answer.data()["attachment"];
        assert!(file["createdAt"].as_i64().unwrap() >= now && file.get("properties").is_none(), "{time} {file}");
    }
}

async fn blocked_types_are_refused_with_parameters_and_in_any_case(kind: Kind) {
    let variables = vec![("ATTACHMENT_BLOCKED_MIME_TYPES", "Text/HTML , video/*".to_owned())];
    let local = Local::start_with(kind, Settings { variables, ..Settings::default() }).await;
    for (media_type, plain) in [
        ("text/html", "text/html"),
        ("TEXT/html; charset=utf-8", "text/html"),
        ("video/mp4", "video/mp4"),
        ("Video/anything", "video/anything"),
    ] {
        let form = Form::new().file("file", "a.bin", media_type, "x");
        let answer = local.ann.post_form(UPLOAD, &form).await;
        let message = format!("File type {plain} is not allowed due to security restrictions");
        assert_eq!(answer.refusal(), (4001, message.as_str()));
    }
    assert_eq!(upload(&local.ann, "a.js", "application/javascript", b"x").await["type"], "application/javascript");
    // As a browser declares what it has recorded.
    assert_eq!(upload(&local.ann, "a.webm", "Audio/webm;codecs=opus", b"x").await["type"], "audio/webm");
    assert_eq!((local.total().await, local.files().len()), (2, 2));
}

async fn a_file_of_exactly_the_limit_fits(kind: Kind) {
    let variables = vec![("ATTACHMENT_MAX_FILE_SIZE", "1000".to_owned())];
    let local = Local::start_with(kind, Settings { variables, ..Settings::default() }).await;
    assert_eq!(upload(&local.ann, "a.bin", "x/y", &[0; 1000]).await["size"], 1000);
    let answer = local.ann.post_form(UPLOAD, &Form::new().file("file", "a.bin", "x/y", [0; 1001])).await;
    assert_eq!(answer.refusal(), (4000, "文件过大"));
    let answer = local.ann.post("/api/v1/attachments/uploads", json!({"filename": "a", "size": 1001})).await;
    assert_eq!(answer.refusal(), (4000, "文件过大"));
    assert_eq!((local.total().await, local.files().len()), (1, 1));
}

async fn properties_are_merged_by_everybody_at_once(kind: Kind) {
    let local = Local::start(kind).await;
    let id = text(&upload(&local.ann, "a.png", "image/png", b"x").await, "attachmentId");
    let route = format!("{LIST}/{id}/properties");
    let patch = |properties: Value| local.ann.send(Method::PATCH, &route, Some(json!({"properties": properties})));
    patch(json!({"kept": {"a": 1}, "replaced": 1})).await.data();
    let all = (0..10).map(|n| patch(json!({format!("k{n}"): n})));
    for answer in futures::future::join_all(all).await {
        answer.data();
    }
    let answer = patch(json!({"replaced": null, "coverUrl": "c"})).await;
    let file = &answer.data()["attachment"];
    let properties = file["properties"].as_object().unwrap();
    assert_eq!(
        (properties.len(), &properties["replaced"], &properties["kept"]),
        (13, &Value::Null, &json!({"a": 1}))
    );
    assert_eq!(file["coverUrl"], "c");
    assert_eq!(&local.ann.get(&format!("{LIST}/{id}")).await.data()["properties"], &file["properties"]);
    for wrong in [json!(null), json!("ab"), json!(1), json!([]), json!(false)] {
        assert_eq!(patch(wrong).await.refusal(), (2, "Properties are required"));
    }
}

async fn properties_have_a_bound(kind: Kind) {
    let local = Local::start(kind).await;
    let id = text(&upload(&local.ann, "a.png", "image/png", b"x").await, "attachmentId");
    let patch = |length: usize| {
        let body = json!({"properties": {"x": "y".repeat(length)}});
        let path = format!("{LIST}/{id}/properties");
        let ann = local.ann.clone();
        async move { ann.send(Method::PATCH, &path, Some(body)).await }
    };
    patch(65_000).await.data();
    assert_eq!(patch(66_000).await.refusal(), (2, "参数错误"));
    let properties = json!({"x": "y".repeat(66_000)}).to_string();
    let form = Form::new().file("file", "a.png", "image/png", "x").field("properties", &properties);
    assert_eq!(local.ann.post_form(UPLOAD, &form).await.refusal(), (2, "参数错误"));
    assert_eq!((local.total().await, local.files().len()), (1, 1));
}

async fn an_id_that_begins_with_ba_works_on_every_route(kind: Kind) {
    let local = Local::start(kind).await;
    for (number, start) in ["ba", "ba_", "ba-upload", "bad", "uploads", "upload"].into_iter().enumerate() {
        let id =
            AttachmentId::from(format!("{start:x<20}{:04}", number + 1000 * std::process::id() as usize % 9000));
        let path = format!("{}/2026-01-02/{id}.txt", local.ann.uid);
        let file = AttachmentRecord {
            attachment_id: id.clone(),
            uid: local.ann.uid.as_str().into(),
            filename: "a.txt".to_owned(),
            media_type: "text/plain".to_owned(),
            size: 5,
            storage_type: "local".to_owned(),
            path: path.clone(),
            bucket: None,
            prefix: None,
            endpoint: None,
            region: None,
            is_public_bucket: None,
            properties: Map::new(),
            created_at: 1,
            updated_at: 1,
        };
        let db = &local.server.app.context.db;
        repositories::attachments::delete(db, &file.uid, &id).await.unwrap();
        repositories::attachments::create(db, &file).await.unwrap();
        std::fs::create_dir_all(local.directory.join(&path).parent().unwrap()).unwrap();
        std::fs::write(local.directory.join(&path), "hello").unwrap();
        let at = format!("{LIST}/{id}");
        assert_eq!(local.ann.get(&at).await.data()["attachmentId"], id.as_str());
        assert_eq!(local.ann.get(&format!("{at}/download")).await.bytes, b"hello");
        let body = Some(json!({"properties": {"a": 1}}));
        local.ann.send(Method::PATCH, &format!("{at}/properties"), body).await.data();
        local.ann.post(&format!("{LIST}/uploads/{id}/complete"), json!({})).await.data();
        local.ann.delete(&at).await.data();
        assert_eq!(local.ann.get(&at).await.refusal(), (4002, "附件不存在"));
    }
    assert_eq!(local.files(), [""; 0]);
}

async fn a_service_uploads_for_a_user(kind: Kind) {
    let server = Server::start(kind).await;
    let (ann, service) = (server.user().await, server.service());
    let form = Form::new().file("file", "a.png", "image/png", "x").field("createdAt", "5");
    let path = format!("/api/v1/attachments/ba/upload?uid={}", ann.uid);
    let answer = service.post_form(&path, &form).await;
    assert_eq!(answer.data()["message"], "File uploaded successfully via BA authentication");
    assert_eq!(ann.get(LIST).await.data()["items"][0]["createdAt"], 5);
    let missing = service.post_form("/api/v1/attachments/ba/upload", &form).await;
    assert_eq!(missing.refusal(), (2, "User ID (uid) is required"));
    let unknown = service.post_form("/api/v1/attachments/ba/upload?uid=u1", &form).await;
    assert_eq!(unknown.refusal(), (3, "User not found"));
}

async fn a_memo_shows_its_files_with_one_statement(kind: Kind) {
    let local = Local::start(kind).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(text(&upload(&local.ann, &format!("{number}.png"), "image/png", b"x").await, "attachmentId"));
    }
    let db = &local.server.app.context.db;
    let mut costs = Vec::new();
    for count in [0, 1, 5] {
        let shown = memo(&local.ann, json!({"content": "x", "attachments": ids[..count]})).await;
        let names: Vec<String> =
            shown["attachments"].as_array().unwrap().iter().map(|file| text(file, "attachmentId")).collect();
        assert_eq!(names, ids[..count]);
        let before = db.statements();
        local.ann.get(&format!("/api/v1/memos/{}", text(&shown, "memoId"))).await.data();
        costs.push(db.statements() - before);
    }
    assert_eq!((costs[1], costs[2]), (costs[0] + 1, costs[0] + 1));
}
