//! Uploads that go to the store and not through the product (`contract/attachments.md` section 6).

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use shared::{clock::ManualClock, services::pending_files};
use testing::{Answer, Client, Form, Kind, Server, Settings, on_every_database, s3_settings};

use super::{LIST, Local, buckets::objects};
use crate::objects::text;

on_every_database!(
    a_file_goes_to_the_disk_and_becomes_an_attachment,
    a_form_of_local_storage_permits_one_file,
    a_file_goes_to_the_bucket_and_becomes_an_attachment,
    a_form_of_a_bucket_permits_one_object,
    an_announcement_is_checked_before_anything_is_signed,
    only_the_owner_completes_and_only_in_time,
    abandoned_reservations_are_collected,
    a_form_that_is_used_again_after_the_deletion_leaves_nothing,
);

const RESERVE: &str = "/api/v1/attachments/uploads";
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// A reservation, as a client reads it.
#[derive(Clone)]
struct Ticket {
    id: String,
    url: String,
    fields: Vec<(String, String)>,
}

async fn reserve(user: &Client, filename: &str, size: usize) -> Ticket {
    let body = json!({"filename": filename, "type": "video/mp4", "size": size, "properties": {"duration": 1}});
    let answer = user.post(RESERVE, body).await;
    let data = answer.data();
    let fields = data["fields"].as_object().unwrap().iter();
    let fields = fields.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    Ticket { id: text(data, "attachmentId"), url: text(data, "url"), fields }
}

impl Ticket {
    fn with(&self, name: &str, value: &str) -> Self {
        let mut changed = self.clone();
        let field = changed.fields.iter_mut().find(|(given, _)| given == name).expect("the field is there");
        value.clone_into(&mut field.1);
        changed
    }

    fn form(&self) -> Form {
        self.fields.iter().fold(Form::new(), |form, (name, value)| form.field(name, value))
    }

    /// Posts the form to the bucket, and returns its answer.
    async fn send(&self, content: &[u8]) -> u16 {
        let form = self.form().part("Content-Disposition: form-data; name=\"file\"; filename=\"blob\"", content);
        let request = reqwest::Client::new().post(&self.url).header("content-type", form.content_type());
        request.body(form.body()).send().await.unwrap().status().as_u16()
    }

    /// Posts the form to the product itself.
    async fn send_to(&self, server: &Server, content: &[u8]) -> Answer {
        server.anonymous().post_form(&self.url, &self.form().file("file", "blob", "x/y", content)).await
    }

    async fn complete(&self, user: &Client) -> Answer {
        user.post(&format!("{RESERVE}/{}/complete", self.id), json!({})).await
    }
}

/// Uploads a file to the bucket of a server.
pub async fn upload_directly(server: &Server, user: &Client, filename: &str, content: &[u8]) -> Value {
    let ticket = reserve(user, filename, content.len()).await;
    assert!((200..300).contains(&ticket.send(content).await), "{}", objects(server).await.len());
    ticket.complete(user).await.data()["attachment"].clone()
}

async fn a_file_goes_to_the_disk_and_becomes_an_attachment(kind: Kind) {
    let local = Local::start(kind).await;
    let ticket = reserve(&local.ann, "../影片.mp4", 6).await;
    assert_eq!(ticket.complete(&local.ann).await.refusal(), (4002, "附件不存在"), "nothing was sent");
    assert_eq!(ticket.send_to(&local.server, b"a film").await.status, StatusCode::NO_CONTENT);
    assert_eq!(local.total().await, 0);
    let first = ticket.complete(&local.ann).await;
    assert_eq!(first.data()["message"], "File uploaded successfully");
    let file = &first.data()["attachment"];
    for (member, value) in [
        ("filename", json!("影片.mp4")),
        ("type", json!("video/mp4")),
        ("size", json!(6)),
        ("properties", json!({"duration": 1})),
        ("attachmentId", json!(ticket.id)),
    ] {
        assert_eq!(file[member], value, "{member}");
    }
    let again = ticket.complete(&local.ann).await;
    assert_eq!(again.data()["attachment"]["createdAt"], file["createdAt"]);
    assert_eq!((local.total().await, local.files().len()), (1, 1));
    assert_eq!(local.ann.get(&format!("{LIST}/{}/download", ticket.id)).await.bytes, b"a film");
    let url = local.server.anonymous().get(&text(file, "url")).await;
    assert_eq!(url.header("content-type"), "video/mp4");
}

async fn a_form_of_local_storage_permits_one_file(kind: Kind) {
    let clock = Arc::new(ManualClock::at(1_750_000_000_000));
    let settings = Settings { clock: Some(clock.clone()), ..Settings::default() };
    let local = Local::start_with(kind, settings).await;
    let ticket = reserve(&local.ann, "a.mp4", 6).await;
    let other = reserve(&local.ann, "b.mp4", 6).await;
    let elsewhere = Ticket { url: other.url.clone(), ..ticket.clone() };
    let outside = Ticket { url: "/api/v1/files/..%2F..%2Fx.mp4".to_owned(), ..ticket.clone() };
    for (name, wrong) in [
        ("another key", elsewhere),
        ("a way out", outside),
        ("another size", ticket.with("size", "7")),
        ("a longer life", ticket.with("expires", "1760000000")),
        ("another signature", ticket.with("signature", "00")),
        ("no numbers", ticket.with("size", "x")),
        ("no fields", Ticket { fields: Vec::new(), ..ticket.clone() }),
    ] {
        assert_eq!(wrong.send_to(&local.server, b"a film").await.refusal(), (4002, "附件不存在"), "{name}");
    }
    assert_eq!(ticket.send_to(&local.server, b"a film!").await.refusal(), (4004, "文件上传失败"));
    assert_eq!(ticket.send_to(&local.server, b"a fil").await.refusal(), (4004, "文件上传失败"));
    clock.set(1_750_000_000_000 + HOUR);
    assert_eq!(ticket.send_to(&local.server, b"a film").await.refusal(), (4002, "附件不存在"), "expired");
    assert_eq!((local.total().await, local.files()), (0, Vec::new()));
}

async fn bucket(kind: Kind) -> Server {
    Server::start_with(kind, Settings { variables: s3_settings(), ..Settings::default() }).await
}

async fn a_file_goes_to_the_bucket_and_becomes_an_attachment(kind: Kind) {
    let server = bucket(kind).await;
    let ann = server.user().await;
    let file = upload_directly(&server, &ann, "影片.mp4", b"a film").await;
    assert_eq!((&file["size"], &file["filename"]), (&json!(6), &json!("影片.mp4")));
    assert_eq!(reqwest::get(text(&file, "url")).await.unwrap().text().await.unwrap(), "a film");
    // What is saved and not shown says so, and nothing at all can be sent too.
    for (name, content) in [("a.pdf", &b"%PDF"[..]), ("empty", b"")] {
        let file = upload_directly(&server, &ann, name, content).await;
        assert_eq!(reqwest::get(text(&file, "url")).await.unwrap().bytes().await.unwrap(), content);
    }
    assert_eq!((objects(&server).await.len(), &ann.get(LIST).await.data()["total"]), (3, &json!(3)));
}

/// What each wrong form meets: the refusal of the server, or of the completion where the server lets it pass.
async fn a_form_of_a_bucket_permits_one_object(kind: Kind) {
    let server = bucket(kind).await;
    let (ann, bob) = (server.user().await, server.user().await);
    let ticket = reserve(&ann, "a.mp4", 6).await;
    let key = ticket.fields.iter().find(|(name, _)| name == "key").unwrap().1.clone();
    let other = reserve(&bob, "b.mp4", 6).await;
    let others_key = other.fields.iter().find(|(name, _)| name == "key").unwrap().1.clone();
    for (name, wrong) in [
        ("another key", ticket.with("key", &format!("{key}x"))),
        ("the key of another user", ticket.with("key", &others_key)),
        ("another type", ticket.with("Content-Type", "text/html")),
        ("another signature", ticket.with("x-amz-signature", &"0".repeat(64))),
        ("another policy", ticket.with("policy", "e30=")),
        ("another account", ticket.with("x-amz-credential", "x/20260101/us-east-1/s3/aws4_request")),
    ] {
        assert_eq!(wrong.send(b"a film").await, 403, "{name}");
    }
    for (name, content) in [("a larger body", &b"a film!"[..]), ("a smaller body", b"a fil")] {
        let status = ticket.send(content).await;
        assert!((400..500).contains(&status), "{name}: {status}");
    }
    assert_eq!(ticket.complete(&ann).await.refusal(), (4002, "附件不存在"), "nothing was stored");
    assert_eq!(objects(&server).await, [""; 0]);

    let past = Arc::new(ManualClock::at(server.app.context.now() - 2 * HOUR));
    let past = Settings { clock: Some(past), variables: s3_settings(), ..Settings::default() };
    let earlier = Server::start_with(kind, past).await;
    assert_eq!(reserve(&earlier.user().await, "a.mp4", 6).await.send(b"a film").await, 403, "expired");

    // What a server without such checks would have stored is refused on completion, and removed.
    let files = &server.app.context.files;
    let store = files.store(files.current().unwrap()).unwrap();
    let path = key.rsplit_once(&ann.uid).map(|(_, rest)| format!("{}{rest}", ann.uid)).unwrap();
    for (name, content, content_type, code) in
        [("a larger object", &b"a film!"[..], "video/mp4", 4004), ("another type", b"a film", "text/plain", 4001)]
    {
        let mut spool = shared::clients::storage::Spool::create(&std::env::temp_dir(), &shared::ids::SystemRandom)
            .await
            .unwrap();
        spool.write(content).await.unwrap();
        spool.finish().await.unwrap();
        let presentation = shared::clients::storage::Presentation { content_type, is_download: false };
        store.put(&path, &spool, presentation).await.unwrap();
        assert_eq!(ticket.complete(&ann).await.refusal().0, code, "{name}");
        assert_eq!(objects(&server).await, [""; 0], "{name}");
    }
    assert!((200..300).contains(&ticket.send(b"a film").await));
    ticket.complete(&ann).await.data();
}

async fn an_announcement_is_checked_before_anything_is_signed(kind: Kind) {
    let local = Local::start(kind).await;
    for (body, code) in [
        (json!({}), 2),
        (json!({"filename": "", "size": 1}), 2),
        (json!({"filename": "a"}), 2),
        (json!({"filename": "a", "size": -1}), 2),
        (json!({"filename": "a", "size": 1.5}), 2),
        (json!({"filename": "a", "size": "1"}), 2),
        (json!({"filename": 1, "size": 1}), 2),
        (json!({"filename": "a", "size": 1, "properties": []}), 2),
        (json!({"filename": "a", "size": 1, "properties": {"x": "y".repeat(70_000)}}), 2),
        (json!({"filename": "a", "size": 1, "type": "text/html"}), 4001),
        (json!({"filename": "a", "size": 52_428_801}), 4000),
        (json!({"filename": "a", "size": i64::MAX}), 4000),
    ] {
        assert_eq!(local.ann.post(RESERVE, body.clone()).await.refusal().0, code, "{body}");
    }
    let pending: Vec<(String,)> =
        local.server.fetch(format!("SELECT file_id FROM pending_files WHERE uid = '{}'", local.ann.uid)).await;
    assert_eq!(pending, []);
    local.ann.post(RESERVE, json!({"filename": "a", "size": 52_428_800, "createdAt": 5})).await.data();
}

async fn only_the_owner_completes_and_only_in_time(kind: Kind) {
    let clock = Arc::new(ManualClock::at(1_750_000_000_000));
    let settings = Settings { clock: Some(clock.clone()), ..Settings::default() };
    let local = Local::start_with(kind, settings).await;
    let bob = local.server.user().await;
    let ticket = reserve(&local.ann, "a.mp4", 6).await;
    assert_eq!(ticket.send_to(&local.server, b"a film").await.status, StatusCode::NO_CONTENT);
    assert_eq!(ticket.complete(&bob).await.refusal(), (4002, "附件不存在"));
    clock.set(1_750_000_000_000 + HOUR);
    assert_eq!(ticket.complete(&local.ann).await.refusal(), (4002, "附件不存在"));
    clock.set(1_750_000_000_000 + HOUR - 1);
    // Ten clients at once make one attachment.
    let all = (0..10).map(|_| ticket.complete(&local.ann));
    for answer in futures::future::join_all(all).await {
        answer.data();
    }
    assert_eq!(local.total().await, 1);
    clock.set(1_750_000_000_000 + 2 * HOUR);
    ticket.complete(&local.ann).await.data();
    assert_eq!(ticket.complete(&bob).await.refusal(), (4002, "附件不存在"));
}

/// The product on a database of its own, since a collection sees the files of everybody.
async fn alone(kind: Kind, now: i64) -> (Local, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(now));
    let database_url = Some(super::failures::database(kind).await);
    let settings = Settings { clock: Some(clock.clone()), database_url, ..Settings::default() };
    (Local::start_with(kind, settings).await, clock)
}

async fn abandoned_reservations_are_collected(kind: Kind) {
    let (local, clock) = alone(kind, 1_750_000_000_000).await;
    let [sent, never_sent, completed] = [
        reserve(&local.ann, "a.mp4", 1).await,
        reserve(&local.ann, "b.mp4", 1).await,
        reserve(&local.ann, "c.mp4", 1).await,
    ];
    sent.send_to(&local.server, b"x").await;
    completed.send_to(&local.server, b"x").await;
    completed.complete(&local.ann).await.data();
    let collect = || pending_files::collect(&local.server.app.context);
    clock.set(1_750_000_000_000 + HOUR + DAY - 1);
    assert_eq!(collect().await.unwrap(), pending_files::Report::default());
    clock.set(1_750_000_000_000 + HOUR + DAY);
    let report = collect().await.unwrap();
    assert_eq!((report.removed, report.kept, report.failed), (2, 1, 0));
    assert_eq!((local.files().len(), local.total().await), (1, 1));
    assert_eq!(collect().await.unwrap(), pending_files::Report::default());
    assert_eq!(never_sent.complete(&local.ann).await.refusal().0, 4002);
    assert_eq!(local.ann.get(&format!("{LIST}/{}/download", completed.id)).await.bytes, b"x");
}

async fn a_form_that_is_used_again_after_the_deletion_leaves_nothing(kind: Kind) {
    let (local, clock) = alone(kind, 1_750_000_000_000).await;
    let ticket = reserve(&local.ann, "a.mp4", 1).await;
    ticket.send_to(&local.server, b"x").await;
    ticket.complete(&local.ann).await.data();
    local.ann.delete(&format!("{LIST}/{}", ticket.id)).await.data();
    assert_eq!(local.files(), [""; 0]);
    ticket.send_to(&local.server, b"y").await;
    assert_eq!(local.files().len(), 1);
    clock.set(1_750_000_000_000 + HOUR + DAY);
    pending_files::collect(&local.server.app.context).await.unwrap();
    assert_eq!(local.files(), [""; 0]);
}
