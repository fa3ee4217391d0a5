//! `migrate attachments`, from the settings to the report.

use std::sync::Mutex;

use migrate::{
    attachments,
    load::Deadline,
    observer::{Event, Observer},
};
use shared::{
    config::{Migration, Runtime, Variables},
    db::{Database, schema},
};
use testing::{Form, Kind, Server, Settings, directory, empty_database, on_every_database, s3_settings};

on_every_database!(the_files_of_an_install_follow_their_rows);

/// Somebody who counts.
#[derive(Default)]
struct Counter(Mutex<Vec<(u64, u64)>>);

impl Observer for Counter {
    fn hear(&self, event: Event<'_>) {
        if let Event::Progress { done, total, .. } = event {
            self.0.lock().unwrap().push((done, total));
        }
    }
}

async fn the_files_of_an_install_follow_their_rows(kind: Kind) {
    let database = empty_database(kind).await;
    schema::migrate(&Database::open(&database).unwrap(), 1).await.unwrap();
    let root = directory("files");
    let old = Settings {
        variables: vec![("ATTACHMENT_LOCAL_PATH", root.display().to_string())],
        database_url: Some(database.url.clone()),
        ..Settings::default()
    };
    let ann = Server::start_with(kind, old).await.user().await;
    for content in ["one", "two"] {
        let form = Form::new().file("file", "a.png", "image/png", content);
        ann.post_form("/api/v1/attachments/upload", &form).await.data();
    }
    let variables = || {
        let pairs = s3_settings().into_iter().chain([("DATABASE_URL", database.url.clone())]);
        pairs.map(|(name, value)| (name.to_owned(), value)).collect::<Variables>()
    };
    let config = Migration::read(Runtime::Local, variables()).unwrap();
    let counter = Counter::default();
    let report =
        attachments::run(&config, variables(), Some(root.clone()), &counter, Deadline(None)).await.unwrap();
    assert_eq!((report.moved, report.bytes, report.failed, report.complete), (2, 6, 0, true));
    assert_eq!(counter.0.into_inner().unwrap(), [(1, 2), (2, 2)]);
    let rows: Vec<(String,)> =
        testing::fetch(&database.url, "SELECT storage_type FROM attachments".to_owned()).await;
    assert_eq!(rows, [("s3".to_owned(),), ("s3".to_owned(),)]);

    // What is wrong with the settings is said before anything is done.
    let wrong = [("ATTACHMENT_STORAGE_TYPE", "s3"), ("DATABASE_URL", &database.url)];
    let wrong = wrong.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let refused = attachments::run(&config, wrong, None, &Counter::default(), Deadline(None)).await.unwrap_err();
    assert!(refused.to_string().contains("ATTACHMENT_S3_BUCKET"), "{refused}");
    std::fs::remove_dir_all(root).unwrap();
}
