//! Moving files from one storage to another (`docs/MIGRATING.md`).

use std::{fs, path::PathBuf, sync::Mutex};

use serde_json::json;
use shared::services::attachment_moves::{self, Options, Report};
use testing::{Client, Form, Kind, Server, Settings, directory, on_every_database, s3_settings};

use super::{LIST, buckets::objects};
use crate::objects::{text, upload};

on_every_database!(
    files_move_from_the_disk_to_a_bucket_and_back,
    a_second_run_moves_only_what_the_first_left,
    files_that_cannot_be_moved_are_reported_and_left_alone,
    files_of_an_old_directory_need_no_new_rows,
    a_run_that_is_late_stops_and_says_so,
);

/// One installation under different settings.
struct Install {
    database_url: String,
    root: PathBuf,
    bucket: Vec<(&'static str, String)>,
}

impl Install {
    async fn new(kind: Kind) -> Self {
        let database_url = super::failures::database(kind).await;
        Self { database_url, root: directory("moves"), bucket: s3_settings() }
    }

    async fn server(&self, kind: Kind, storage: &str, root: &std::path::Path) -> Server {
        let mut variables = self.bucket.clone();
        variables.push(("ATTACHMENT_STORAGE_TYPE", storage.to_owned()));
        variables.push(("ATTACHMENT_LOCAL_PATH", root.display().to_string()));
        let database_url = Some(self.database_url.clone());
        Server::start_with(kind, Settings { variables, database_url, ..Settings::default() }).await
    }
}

fn on(server: &Server, user: &Client) -> Client {
    let token = server.app.tokens.issue(&user.uid.as_str().into(), server.app.context.now()).unwrap();
    server.signed_in(&user.uid, &token)
}

async fn run(server: &Server, options: &Options) -> Report {
    attachment_moves::run(&server.app.context, options, &|_| ()).await.unwrap()
}

async fn bytes_at(server: &Server, url: &str) -> Vec<u8> {
    if url.starts_with('/') {
        server.anonymous().get(url).await.bytes
    } else {
        reqwest::get(url).await.unwrap().bytes().await.unwrap().into()
    }
}

async fn files_move_from_the_disk_to_a_bucket_and_back(kind: Kind) {
    let install = Install::new(kind).await;
    let local = install.server(kind, "local", &install.root).await;
    let ann = local.user().await;
    let contents: Vec<Vec<u8>> = (0..7).map(|n| vec![b'a' + n; 1000 * usize::from(n)]).collect();
    let mut ids = Vec::new();
    for content in &contents {
        ids.push(text(&upload(&ann, "读.png", "image/png", content).await, "attachmentId"));
    }
    let form = Form::new().file("avatar", "me.png", "image/png", "a face");
    ann.post_form("/api/v1/user/avatar", &form).await.data();
    let bob = local.user().await;
    bob.put("/api/v1/user/info", json!({"avatar": "https://img.example/b.png"})).await.data();

    let bucket = install.server(kind, "s3", &install.root).await;
    let seen = Mutex::new(Vec::new());
    let progress = |report: &Report| seen.lock().unwrap().push((report.done(), report.total));
    let report = attachment_moves::run(&bucket.app.context, &Options::default(), &progress).await.unwrap();
    let moved = Report { total: 8, moved: 8, bytes: 21_006, complete: true, ..Report::default() };
    assert_eq!(report, moved);
    assert_eq!(seen.into_inner().unwrap(), (1..=8).map(|n| (n, 8)).collect::<Vec<_>>());
    assert_eq!(objects(&bucket).await.len(), 8);
    assert_eq!(objects(&local).await.len(), 8, "the old files stay");

    fs::remove_dir_all(&install.root).unwrap();
    let ann = on(&bucket, &ann);
    for (id, content) in ids.iter().zip(&contents) {
        assert_eq!(&ann.get(&format!("{LIST}/{id}/download")).await.bytes, content);
        let url = text(ann.get(&format!("{LIST}/{id}")).await.data(), "url");
        assert_eq!(&bytes_at(&bucket, &url).await, content);
    }
    let avatar = text(ann.get("/api/v1/user/info").await.data(), "avatar");
    assert_eq!(bytes_at(&bucket, &avatar).await, b"a face");

    let back = install.server(kind, "local", &install.root).await;
    assert_eq!(run(&back, &Options::default()).await, moved);
    let ann = on(&back, &ann);
    let avatar = text(ann.get("/api/v1/user/info").await.data(), "avatar");
    assert_eq!(bytes_at(&back, &avatar).await, b"a face");
    assert_eq!(&ann.get(&format!("{LIST}/{}/download", ids[6])).await.bytes, &contents[6]);
    fs::remove_dir_all(&install.root).unwrap();
}

async fn a_second_run_moves_only_what_the_first_left(kind: Kind) {
    let install = Install::new(kind).await;
    let local = install.server(kind, "local", &install.root).await;
    let ann = local.user().await;
    upload(&ann, "a.png", "image/png", b"one").await;
    upload(&ann, "b.png", "image/png", b"two").await;
    let bucket = install.server(kind, "s3", &install.root).await;
    run(&bucket, &Options::default()).await;
    let there = Report { total: 2, there: 2, complete: true, ..Report::default() };
    assert_eq!(run(&bucket, &Options::default()).await, there);
    // As after a run that was killed between the copy and the row of one file.
    let rows = "UPDATE attachments SET storage_type = 'local', bucket = NULL, prefix = NULL, endpoint = NULL, \
                region = NULL WHERE filename = 'b.png'";
    bucket.execute(rows).await;
    upload(&on(&local, &ann), "c.png", "image/png", b"three").await;
    let report = run(&bucket, &Options::default()).await;
    assert_eq!((report.moved, report.there, report.failed), (2, 1, 0));
    assert_eq!(objects(&bucket).await.len(), 3);
    fs::remove_dir_all(&install.root).unwrap();
}

async fn files_that_cannot_be_moved_are_reported_and_left_alone(kind: Kind) {
    let install = Install::new(kind).await;
    let local = install.server(kind, "local", &install.root).await;
    let ann = local.user().await;
    let mut ids = Vec::new();
    for name in ["missing.png", "changed.png", "good.png", "odd.png", "outside.png"] {
        ids.push(text(&upload(&ann, name, "image/png", b"content").await, "attachmentId"));
    }
    let paths = objects(&local).await;
    let file = |id: &str| install.root.join(paths.iter().find(|path| path.contains(id)).unwrap());
    fs::remove_file(file(&ids[0])).unwrap();
    fs::write(file(&ids[1]), "longer content").unwrap();
    local.execute("UPDATE attachments SET storage_type = 'tape' WHERE filename = 'odd.png'").await;
    local.execute("UPDATE attachments SET path = '../../outside.png' WHERE filename = 'outside.png'").await;
    local.execute(format!("UPDATE users SET avatar = 'avatar/{0}/gone.png' WHERE uid = '{0}'", ann.uid)).await;
    let bucket = install.server(kind, "s3", &install.root).await;
    let report = run(&bucket, &Options::default()).await;
    assert_eq!((report.total, report.moved, report.there, report.failed, report.complete), (6, 1, 0, 5, true));
    let reason = |id: &str| {
        let failure = report.failures.iter().find(|failure| failure.id == id).unwrap();
        failure.reason.clone()
    };
    assert_eq!(reason(&ann.uid), "there is no such avatar");
    assert_eq!(reason(&ids[0]), "there is no such file");
    assert!(reason(&ids[1]).contains("another size"), "{}", reason(&ids[1]));
    assert!(reason(&ids[3]).contains("unknown storage type"), "{}", reason(&ids[3]));
    assert!(reason(&ids[4]).contains("not a storage path"), "{}", reason(&ids[4]));
    let rows: Vec<(String, String)> =
        bucket.fetch("SELECT filename, storage_type FROM attachments ORDER BY filename").await;
    let rows: Vec<String> = rows.into_iter().map(|(name, storage)| format!("{name} {storage}")).collect();
    assert_eq!(
        rows,
        ["changed.png local", "good.png s3", "missing.png local", "odd.png tape", "outside.png local"]
    );
    fs::remove_dir_all(&install.root).unwrap();
}

async fn files_of_an_old_directory_need_no_new_rows(kind: Kind) {
    let install = Install::new(kind).await;
    let local = install.server(kind, "local", &install.root).await;
    let ann = local.user().await;
    let id = text(&upload(&ann, "a.png", "image/png", b"one").await, "attachmentId");
    let new_root = directory("moves");
    let moved = install.server(kind, "local", &new_root).await;
    assert_eq!(on(&moved, &ann).get(&format!("{LIST}/{id}/download")).await.status, 404);
    let options = Options { local_source: Some(install.root.clone()), ..Options::default() };
    let report = run(&moved, &options).await;
    assert_eq!((report.moved, report.bytes), (1, 3));
    assert_eq!(on(&moved, &ann).get(&format!("{LIST}/{id}/download")).await.bytes, b"one");
    fs::remove_dir_all(&install.root).unwrap();
    fs::remove_dir_all(&new_root).unwrap();
}

async fn a_run_that_is_late_stops_and_says_so(kind: Kind) {
    let install = Install::new(kind).await;
    let local = install.server(kind, "local", &install.root).await;
    upload(&local.user().await, "a.png", "image/png", b"one").await;
    let bucket = install.server(kind, "s3", &install.root).await;
    let late = Options { deadline: Some(1), ..Options::default() };
    assert_eq!(run(&bucket, &late).await, Report { total: 1, ..Report::default() });
    assert_eq!(run(&bucket, &Options::default()).await.moved, 1);
    fs::remove_dir_all(&install.root).unwrap();
}
