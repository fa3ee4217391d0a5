//! Failures between the object and its row: nothing unreachable is kept for ever, and nothing that a row refers
//! to is removed (`docs/decisions/0006-pending-files.md`).

use std::{fs, sync::Arc};

use serde_json::json;
use shared::{
    clients::storage::{INCOMING, Location},
    clock::ManualClock,
    db::{Database, schema},
    ids::AttachmentId,
    repositories::{self, pending_files::PendingFile},
    services::pending_files::{self, Report},
};
use testing::{Form, Kind, Settings, empty_database, on_every_database};

use super::{LIST, Local, UPLOAD};
use crate::objects::{text, upload};

on_every_database!(
    a_disk_that_fails_is_a_storage_error_and_leaves_no_row,
    a_database_that_fails_leaves_no_object,
    a_process_that_is_killed_before_the_row_leaves_the_object_to_the_collector,
    an_object_that_cannot_be_deleted_is_deleted_later,
    a_replaced_avatar_goes_and_one_in_use_stays,
    an_avatar_that_cannot_be_stored_leaves_the_one_before,
);

const NOW: i64 = 1_750_000_000_000;
const DAY: i64 = 24 * 3_600_000;

/// Makes a database with the schema that nobody else uses.
pub async fn database(kind: Kind) -> String {
    let options = empty_database(kind).await;
    schema::migrate(&Database::open(&options).unwrap(), NOW).await.unwrap();
    options.url
}

async fn start(kind: Kind) -> (Local, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    let database_url = Some(database(kind).await);
    let settings = Settings { clock: Some(clock.clone()), database_url, ..Settings::default() };
    (Local::start_with(kind, settings).await, clock)
}

async fn noted(local: &Local) -> i64 {
    let rows: Vec<(i64,)> = local.server.fetch("SELECT COUNT(*) FROM pending_files").await;
    rows[0].0
}

async fn collect(local: &Local) -> Report {
    pending_files::collect(&local.server.app.context).await.unwrap()
}

fn form() -> Form {
    Form::new().file("file", "a.png", "image/png", "x")
}

async fn a_disk_that_fails_is_a_storage_error_and_leaves_no_row(kind: Kind) {
    let (local, _) = start(kind).await;
    // A file where the folder of the user should be.
    fs::create_dir_all(&local.directory).unwrap();
    let blocked = local.directory.join(&local.ann.uid);
    fs::write(&blocked, "in the way").unwrap();
    assert_eq!(local.ann.post_form(UPLOAD, &form()).await.refusal(), (4003, "存储错误"));
    assert_eq!((local.total().await, noted(&local).await), (0, 0));
    assert_eq!(local.files(), std::slice::from_ref(&local.ann.uid));
    fs::remove_file(&blocked).unwrap();
    local.ann.post_form(UPLOAD, &form()).await.data();

    // A file where the directory should be.
    fs::remove_dir_all(&local.directory).unwrap();
    fs::write(&local.directory, "in the way").unwrap();
    assert_eq!(local.ann.post_form(UPLOAD, &form()).await.refusal(), (4003, "存储错误"));
    let avatar = Form::new().file("avatar", "a.png", "image/png", "x");
    assert_eq!(local.ann.post_form("/api/v1/user/avatar", &avatar).await.refusal(), (4003, "存储错误"));
    assert_eq!((local.total().await, noted(&local).await), (1, 0));
    fs::remove_file(&local.directory).unwrap();
}

async fn a_database_that_fails_leaves_no_object(kind: Kind) {
    let (local, _) = start(kind).await;
    local.server.execute("ALTER TABLE attachments RENAME TO gone").await;
    assert_eq!(local.ann.post_form(UPLOAD, &form()).await.refusal(), (4003, "存储错误"));
    assert_eq!(local.files(), [""; 0]);
    assert_eq!(noted(&local).await, 0);
    local.server.execute("ALTER TABLE gone RENAME TO attachments").await;
    // Not even the note can be written: nothing is stored at all.
    local.server.execute("ALTER TABLE pending_files RENAME TO gone").await;
    assert_eq!(local.ann.post_form(UPLOAD, &form()).await.refusal(), (4003, "存储错误"));
    assert_eq!(local.files(), [""; 0]);
}

async fn a_process_that_is_killed_before_the_row_leaves_the_object_to_the_collector(kind: Kind) {
    let (local, clock) = start(kind).await;
    let kept = text(&upload(&local.ann, "kept.png", "image/png", b"x").await, "attachmentId");
    // What an upload has done when it is killed: the note, and the object or half of it.
    let id = AttachmentId::new(&shared::ids::SystemRandom);
    let path = format!("{}/2025-06-15/{id}.png", local.ann.uid);
    let note = PendingFile {
        file_id: id,
        uid: local.ann.uid.as_str().into(),
        path: path.clone(),
        location: Location::local(),
        attachment: None,
        collect_after: NOW + DAY,
    };
    repositories::pending_files::create(&local.server.app.context.db, &note).await.unwrap();
    fs::write(local.directory.join(&path), "x").unwrap();
    let part = local.directory.join(INCOMING).join("aimo-left.part");
    fs::write(&part, "half").unwrap();
    assert_eq!(collect(&local).await, Report::default());
    // The files on the disk are of today, whatever the clock of the test says.
    clock.set(shared::clock::Clock::now(&shared::clock::SystemClock) + DAY + 60_000);
    assert_eq!(collect(&local).await, Report { removed: 1, abandoned: 1, ..Report::default() });
    assert_eq!(local.files().len(), 1);
    assert_eq!(noted(&local).await, 0);
    let download = format!("{LIST}/{kept}/download");
    let token = local.server.app.tokens.issue(&local.ann.uid.as_str().into(), clock_now(&clock)).unwrap();
    assert_eq!(local.server.signed_in(&local.ann.uid, &token).get(&download).await.bytes, b"x");
}

fn clock_now(clock: &ManualClock) -> i64 {
    shared::clock::Clock::now(clock)
}

async fn an_object_that_cannot_be_deleted_is_deleted_later(kind: Kind) {
    let (local, clock) = start(kind).await;
    let id = text(&upload(&local.ann, "a.png", "image/png", b"x").await, "attachmentId");
    let file = local.directory.join(&local.files()[0]);
    // A folder in its place cannot be removed like a file.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    local.ann.delete(&format!("{LIST}/{id}")).await.data();
    assert_eq!((local.total().await, noted(&local).await), (0, 1));
    assert_eq!(collect(&local).await, Report { failed: 1, ..Report::default() });
    fs::remove_dir(&file).unwrap();
    fs::write(&file, "x").unwrap();
    assert_eq!(collect(&local).await, Report::default(), "it waits before it tries again");
    clock.set(NOW + 3_600_000);
    assert_eq!(collect(&local).await, Report { removed: 1, ..Report::default() });
    assert_eq!((local.files(), noted(&local).await), (Vec::new(), 0));
}

async fn a_replaced_avatar_goes_and_one_in_use_stays(kind: Kind) {
    const INFO: &str = "/api/v1/user/info";
    let (local, clock) = start(kind).await;
    let avatar = |content: &'static str| {
        let form = Form::new().file("avatar", "me.png", "image/png", content);
        let ann = local.ann.clone();
        async move { ann.post_form("/api/v1/user/avatar", &form).await.data().clone() }
    };
    avatar("one").await;
    avatar("two").await;
    let key = local.files();
    assert_eq!((key.len(), noted(&local).await), (1, 0), "the first is gone at once");
    // Cleared, and put back within a day.
    local.ann.put(INFO, json!({"avatar": ""})).await.data();
    assert_eq!(noted(&local).await, 1);
    local.ann.put(INFO, json!({"avatar": key[0]})).await.data();
    clock.set(NOW + DAY);
    assert_eq!(collect(&local).await, Report { kept: 1, ..Report::default() });
    assert_eq!(local.files(), key);
    // Replaced by a picture elsewhere, for good.
    local.ann.put(INFO, json!({"avatar": "https://img.example/a.png"})).await.data();
    clock.set(NOW + 2 * DAY);
    assert_eq!(collect(&local).await, Report { removed: 1, ..Report::default() });
    assert_eq!(local.files(), [""; 0]);
}

async fn an_avatar_that_cannot_be_stored_leaves_the_one_before(kind: Kind) {
    let (local, _) = start(kind).await;
    let form = Form::new().file("avatar", "me.png", "image/png", "one");
    let path = "/api/v1/user/avatar";
    local.ann.post_form(path, &form).await.data();
    let before = local.files();
    for (form, code) in [
        (Form::new().file("avatar", "a.txt", "text/plain", "x"), 4001),
        (Form::new().file("avatar", "a.png", "IMAGE/", vec![0; 52_428_801]), 4000),
        (Form::new().file("file", "a.png", "image/png", "x"), 4004),
        (Form::new().file("avatar", "a.png", "image/png", "x").file("avatar", "b.png", "image/png", "x"), 4004),
        (Form::new().field("x", "y"), 2),
    ] {
        assert_eq!(local.ann.post_form(path, &form).await.refusal().0, code);
    }
    // The update fails after the object was written.
    local.server.execute("ALTER TABLE pending_files RENAME TO gone").await;
    assert_eq!(local.ann.post_form(path, &form).await.refusal(), (4003, "存储错误"));
    local.server.execute("ALTER TABLE gone RENAME TO pending_files").await;
    assert_eq!((local.files(), noted(&local).await), (before, 0));
    let shown = text(local.ann.get("/api/v1/user/info").await.data(), "avatar");
    assert_eq!(local.server.anonymous().get(&shown).await.bytes, b"one");
}
