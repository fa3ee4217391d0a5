//! A tour of the whole product: one request at least of every route, on a server whose time stands still and whose
//! chance is always the same, so that the answers are too.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{body::Body, http::Method};
use serde_json::{Value, json};
use shared::{clock::ManualClock, ids::Random};
use testing::{Answering, Client, Description, Form, Kind, Provider, Server, Settings};

use crate::examples::{Example, Examples};

/// 5 March 2026, 8 o'clock in Shanghai.
const NOW: i64 = 1_772_668_800_000;
const YEAR: i64 = 365 * 24 * 3_600_000;

/// The same numbers each time.
struct Dice(AtomicU64);

impl Random for Dice {
    fn below(&self, bound: u64) -> u64 {
        // The generator of Knuth's MMIX; its high bits are the good ones.
        let next =
            |state: u64| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| Some(next(state)));
        let number = next(before.unwrap_or_else(|state| state)) >> 33;
        if bound == 0 { 0 } else { number % bound }
    }
}

/// Somebody who goes round and notes what they see.
struct Tour {
    user: Client,
    seen: Examples,
}

impl Tour {
    /// Sends a JSON body or none, notes what comes back, and returns the payload.
    async fn send(&mut self, summary: &'static str, method: Method, path: &str, body: Option<Value>) -> Value {
        let user = self.user.clone();
        self.send_as(&user, summary, method, path, body).await
    }

    async fn send_as(
        &mut self,
        client: &Client,
        summary: &'static str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let answer = client.send(method.clone(), path, body.clone()).await;
        self.note(summary, method, path, body.map(|body| ("application/json", body)), &answer)
    }

    /// As [`Tour::send`], with a form of a text file.
    async fn send_form(
        &mut self,
        client: &Client,
        summary: &'static str,
        path: &str,
        form: &Form,
        shown: Value,
    ) -> Value {
        let answer = client.post_form(path, form).await;
        self.note(summary, Method::POST, path, Some(("multipart/form-data", shown)), &answer)
    }

    fn note(
        &mut self,
        summary: &'static str,
        method: Method,
        path: &str,
        body: Option<(&'static str, Value)>,
        answer: &testing::Answer,
    ) -> Value {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let description = Description::get();
        let (described, mut parameters) = description.path(path).expect("the path is described");
        parameters.extend(query.split('&').filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        }));
        if let Some((media_type, body)) = &body {
            let operation = description.operation(described, &method);
            let problems = description.problems_of_body(operation, media_type, body);
            let is_refused = answer.body["code"] != 0 && !answer.body["code"].is_null();
            assert!(problems.is_empty() || is_refused, "{method} {path}: {problems:?}");
        }
        let media_type = answer.header("content-type");
        let text = || Value::from(String::from_utf8_lossy(&answer.bytes).into_owned());
        self.seen.0.push(Example {
            summary,
            method,
            path: described.to_owned(),
            parameters,
            body,
            status: answer.status,
            media_type: media_type.split(';').next().unwrap_or_default().to_owned(),
            answer: if answer.body.is_null() { text() } else { rounded(answer.body.clone()) },
        });
        answer.body["data"].clone()
    }

    async fn get(&mut self, summary: &'static str, path: &str) -> Value {
        self.send(summary, Method::GET, path, None).await
    }

    async fn post(&mut self, summary: &'static str, path: &str, body: Value) -> Value {
        self.send(summary, Method::POST, path, Some(body)).await
    }

    async fn put(&mut self, summary: &'static str, path: &str, body: Value) -> Value {
        self.send(summary, Method::PUT, path, Some(body)).await
    }

    async fn delete(&mut self, summary: &'static str, path: &str) -> Value {
        self.send(summary, Method::DELETE, path, None).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Stands in for every provider: models, speech, text, releases.
fn provider(documents: String) -> Provider {
    Provider::start(move |asked, _| {
        let task = |status: &str| {
            json!({"request_id": "b5cd1f0a", "output": {
                "task_id": "c2a1e9d4", "task_status": status, "end_time": "2026-03-05 08:00:00",
                "results": [{"subtask_status": "SUCCEEDED", "transcription_url": documents}],
            }})
        };
        let path = asked.line.split_once(' ').map_or("", |(_, path)| path);
        Answering::json(&match path {
            "/v1/chat/completions" => json!({"choices": [{"message": {"content": said(&asked.body)}}]}),
            "/services/audio/asr/transcription" => task("PENDING"),
            "/paas/v4/layout_parsing" => json!({
                "md_results": "# Menu\n\nSencha 480",
                "layout_details": [[{
                    "index": 0, "label": "text", "bbox_2d": [12, 20, 310, 64], "content": "Menu",
                    "height": 842, "width": 595,
                }]],
            }),
            path if path.starts_with("/ann") => json!({"status": 200, "message": "推送成功"}),
            path if path.starts_with("/repos/") => json!({"tag_name": "v1.4.0"}),
            _ => task("SUCCEEDED"),
        })
    })
}

/// What a model says, which knows what it is asked for from the beginning of its instructions.
fn said(body: &Value) -> &'static str {
    let system = body["messages"][0]["content"].as_str().unwrap_or_default();
    let answers = [
        ("You judge", "The first note names the place."),
        ("You describe", "Both notes are about tea."),
        ("You say what files", "The menu lists the teas."),
        ("You answer", "At Ippodo, in Kyoto [1]."),
        ("You suggest", "1. Which tea was it?\n2. What did it cost?"),
    ];
    let found = answers.into_iter().find(|(beginning, _)| system.starts_with(beginning));
    found.map_or(r#"["tea", "kyoto"]"#, |(_, answer)| answer)
}

/// Cuts the digits of numbers that depend on the processor: how close two vectors are.
fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            json!(number.as_f64().map(|number| (number * 100.0).round() / 100.0))
        }
        Value::Array(list) => list.into_iter().map(rounded).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, rounded(value))).collect(),
        other => other,
    }
}

/// Starts the server, and goes round.
pub async fn take() -> Examples {
    let document = json!({"transcripts": [{"channel_id": 0, "text": "Bring the tea from Kyoto."}]});
    let documents = Provider::always(Answering::json(&document));
    let provider = provider(format!("{}/a.json", documents.url()));
    let variables = vec![
        ("OPENAI_BASE_URL", format!("{}/v1", provider.url())),
        ("OPENAI_API_KEY", "key-of-the-tour".to_owned()),
        ("FUN_ASR_BASE_URL", provider.url()),
        ("FUN_ASR_API_KEY", "key-of-the-tour".to_owned()),
        ("ZHIPU_OCR_BASE_URL", provider.url()),
        ("ZHIPU_API_KEY", "key-of-the-tour".to_owned()),
        ("GITHUB_API_BASE_URL", provider.url()),
        ("EMBEDDING_PROVIDER", "local".to_owned()),
        ("MEOW_BASE_URL", provider.url()),
        ("OUTBOUND_TRUSTED_HOSTS", format!("{},{}", documents.host(), provider.host())),
    ];
    let settings = Settings {
        clock: Some(Arc::new(ManualClock::at(NOW))),
        random: Some(Arc::new(Dice(AtomicU64::new(1)))),
        variables,
        ..Settings::default()
    };
    let server = Server::start_with(Kind::Sqlite, settings).await;
    let mut tour = Tour { user: server.anonymous(), seen: Examples::default() };

    users(&server, &mut tour).await;
    let (category, tag) = categories_and_tags(&mut tour).await;
    let attachment = attachments(&server, &mut tour).await;
    let memo = memos(&server, &mut tour, &category, &tag, &attachment).await;
    search(&mut tour, &memo).await;
    conversations(&mut tour, &memo).await;
    push_rules(&mut tour).await;
    insights(&mut tour).await;
    media(&mut tour).await;
    system(&server, &mut tour).await;
    removal(&mut tour, &category, &tag, &attachment, &memo).await;
    tour.seen
}

async fn users(server: &Server, tour: &mut Tour) {
    let ann = json!({"email": "ann@example.com", "password": "correct horse", "nickname": "Ann"});
    tour.post("Done", "/api/v1/auth/register", ann.clone()).await;
    tour.post("The e-mail is taken", "/api/v1/auth/register", ann).await;
    let credentials = json!({"email": "ann@example.com", "password": "correct horse"});
    let wrong = json!({"email": "ann@example.com", "password": "wrong"});
    tour.post("Wrong password", "/api/v1/auth/login", wrong).await;
    let signed_in = tour.post("Done", "/api/v1/auth/login", credentials).await;
    tour.get("Not signed in", "/api/v1/user/info").await;
    tour.user = server.signed_in(&text(&signed_in["user"]["uid"]), &text(&signed_in["token"]));
    tour.put("Done", "/api/v1/user/info", json!({"nickname": "Ann 安"})).await;
    let picture = Form::new().file("avatar", "ann.png", "image/png", "PNG");
    let user = tour.user.clone();
    tour.send_form(&user, "Done", "/api/v1/user/avatar", &picture, json!({"avatar": "(the bytes of a picture)"}))
        .await;
    tour.get("Done", "/api/v1/user/info").await;
    let change = json!({"oldPassword": "correct horse", "newPassword": "battery staple"});
    tour.post("Done", "/api/v1/user/password", change).await;
}

async fn categories_and_tags(tour: &mut Tour) -> (String, String) {
    let body = json!({"name": "Travel", "color": "#2f7d4f"});
    let category = tour.post("Done", "/api/v1/categories", body.clone()).await["category"]["categoryId"].clone();
    tour.post("The name is taken", "/api/v1/categories", body).await;
    tour.get("Done", "/api/v1/categories").await;
    let path = format!("/api/v1/categories/{}", text(&category));
    tour.get("Done", &path).await;
    tour.put("Without a colour", &path, json!({"name": "Journeys", "color": null})).await;
    let tag = tour.post("Done", "/api/v1/tags", json!({"name": "tea"})).await["tag"]["tagId"].clone();
    tour.post("Without a name", "/api/v1/tags", json!({"color": "green"})).await;
    tour.get("Done", "/api/v1/tags").await;
    let path = format!("/api/v1/tags/{}", text(&tag));
    tour.get("Done", &path).await;
    tour.get("Unknown", "/api/v1/tags/t00000000000000000000000").await;
    tour.put("Done", &path, json!({"color": "green"})).await;
    (text(&category), text(&tag))
}

async fn attachments(server: &Server, tour: &mut Tour) -> String {
    let (user, service) = (tour.user.clone(), server.service());
    let form =
        Form::new().field("properties", r#"{"pages":1}"#).file("file", "menu.txt", "text/plain", "Sencha 480");
    let shown = json!({"properties": r#"{"pages":1}"#, "file": "Sencha 480"});
    let uploaded = tour.send_form(&user, "Done", "/api/v1/attachments/upload", &form, shown.clone()).await;
    let attachment = uploaded["attachment"].clone();
    tour.send_form(
        &user,
        "Without a file",
        "/api/v1/attachments/upload",
        &Form::new().field("x", "y"),
        json!({"file": ""}),
    )
    .await;
    let path = format!("/api/v1/attachments/ba/upload?uid={}", user.uid);
    tour.send_form(&service, "Done", &path, &form, shown).await;
    tour.get("Done", "/api/v1/attachments?page=1&limit=20").await;
    let path = format!("/api/v1/attachments/{}", text(&attachment["attachmentId"]));
    tour.get("Done", &path).await;
    tour.get("A text", &format!("{path}/download")).await;
    tour.get("Unknown", "/api/v1/attachments/000000000000000000000000/download").await;
    tour.get("A text", &text(&attachment["url"])).await;
    for path in [format!("{path}/download"), text(&attachment["url"])] {
        let request = user.request(Method::GET, &path).header("range", "bytes=0-5");
        let answer = server.send(request.body(Body::empty()).expect("the request is right")).await;
        tour.note("A part of it", Method::GET, &path, None, &answer);
    }
    let properties = json!({"properties": {"pages": 2}});
    tour.send("Done", Method::PATCH, &format!("{path}/properties"), Some(properties)).await;
    let announced = json!({"filename": "walk.txt", "type": "text/plain", "size": 4});
    let ticket = tour.post("Done", "/api/v1/attachments/uploads", announced).await;
    let fields = ticket["fields"].as_object().expect("a ticket has fields");
    let form = fields.iter().fold(Form::new(), |form, (name, value)| form.field(name, &text(value)));
    let mut shown = ticket["fields"].clone();
    shown["file"] = json!("walk");
    let form = form.file("file", "walk.txt", "text/plain", "walk");
    tour.send_form(&user, "Done", &text(&ticket["url"]), &form, shown).await;
    let forged = Form::new().field("size", "4").field("expires", "1").field("signature", "x");
    let shown = json!({"size": "4", "expires": "1", "signature": "x", "file": "walk"});
    let forged = forged.file("file", "walk.txt", "text/plain", "walk");
    tour.send_form(&user, "A forged signature", &text(&ticket["url"]), &forged, shown).await;
    let path = format!("/api/v1/attachments/uploads/{}/complete", text(&ticket["attachmentId"]));
    tour.send("Done", Method::POST, &path, None).await;
    text(&attachment["attachmentId"])
}

async fn memos(server: &Server, tour: &mut Tour, category: &str, tag: &str, attachment: &str) -> String {
    let (user, service) = (tour.user.clone(), server.service());
    let body = json!({
        "content": "Matcha at Ippodo 一保堂, Kyoto",
        "categoryId": category,
        "tagIds": [tag],
        "attachments": [attachment],
        "isPublic": true,
    });
    let memo = tour.post("Done", "/api/v1/memos", body).await["memo"]["memoId"].clone();
    let memo = text(&memo);
    tour.post("Without a text", "/api/v1/memos", json!({"content": " "})).await;
    let body = json!({"content": "Teapots worth their money", "tags": ["tea", "shopping"], "relationIds": [memo]});
    let other = tour.post("With related memos", "/api/v1/memos", body).await["memo"]["memoId"].clone();
    let other = text(&other);
    let body = json!({"content": "A year ago: first frost", "createdAt": NOW - YEAR, "category": "Journal"});
    let path = format!("/api/v1/memos/ba/create?uid={}", user.uid);
    tour.send_as(&service, "From another day", Method::POST, &path, Some(body)).await;
    tour.send_as(&user, "Wrong service token", Method::POST, &path, Some(json!({"content": "x"}))).await;
    tour.get("Done", "/api/v1/memos?search=Ippodo&tags=tea&sortBy=updatedAt&sortOrder=desc&page=1&limit=10").await;
    tour.get("No number", "/api/v1/memos?page=first").await;
    tour.get("Done", &format!("/api/v1/memos/{other}")).await;
    tour.get("Unknown", "/api/v1/memos/m00000000000000000000000").await;
    let body = json!({"content": "Matcha at Ippodo 一保堂, Teramachi", "isPublic": true});
    tour.put("Done", &format!("/api/v1/memos/{memo}"), body).await;
    tour.put("By name", &format!("/api/v1/memos/{other}/tags"), json!({"tags": ["tea", "pottery"]})).await;
    tour.get("Done", &format!("/api/v1/memos/{memo}/backlinks?page=1&limit=20")).await;
    tour.get("Done", &format!("/api/v1/memos/public/{}?sortBy=createdAt&sortOrder=asc", user.uid)).await;
    tour.get("Done", &format!("/api/v1/memos/public/{}/random", user.uid)).await;
    tour.get("Done", &format!("/api/v1/memos/public/memo/{memo}")).await;
    memo
}

async fn search(tour: &mut Tour, memo: &str) {
    let body = json!({"query": "matcha Teramachi", "page": 1, "limit": 20});
    tour.post("Done", "/api/v1/memos/search/vector", body).await;
    tour.get("Done", &format!("/api/v1/memos/{memo}/related?page=1&limit=10")).await;
    let question = json!({"query": "Where is the matcha at Ippodo?"});
    tour.post("Done", "/api/v1/explore", question).await;
    tour.post("Done", "/api/v1/explore/quick-search", json!({"query": "matcha Ippodo", "limit": 5})).await;
    tour.get("Done", &format!("/api/v1/explore/relations/{memo}?includeBacklinks=true")).await;
}

async fn conversations(tour: &mut Tour, memo: &str) {
    let path = "/api/v1/explore/conversations";
    let begun = tour.post("Done", path, json!({"title": "Tea"})).await;
    let one = format!("{path}/{}", text(&begun["conversation"]["conversationId"]));
    let question = json!({"role": "user", "content": "Where did I drink matcha?"});
    tour.post("A question", &format!("{one}/messages"), question).await;
    let sources = json!([{"memoId": memo, "content": "Matcha at Ippodo", "similarity": 0.82}]);
    let answer = json!({"role": "assistant", "content": "At Ippodo in Kyoto.", "sources": sources});
    tour.post("An answer", &format!("{one}/messages"), answer).await;
    tour.get("Done", path).await;
    tour.get("Done", &one).await;
    tour.put("Done", &one, json!({"title": "Tea in Kyoto"})).await;
    tour.delete("Done", &one).await;
}

async fn push_rules(tour: &mut Tour) {
    let path = "/api/v1/push-rules";
    let channel = json!({"type": "meow", "nickname": "ann"});
    let body = json!({"name": "Morning", "pushTime": 8, "contentType": "daily_pick", "channels": [channel]});
    let rule = tour.post("Done", path, body).await;
    let one = format!("{path}/{}", text(&rule["pushRule"]["id"]));
    let late = json!({"name": "Late", "pushTime": 24, "contentType": "daily_pick", "channels": [channel]});
    tour.post("No such hour", path, late).await;
    tour.get("Done", path).await;
    tour.get("Done", &one).await;
    tour.send("Done", Method::POST, &format!("{one}/test"), None).await;
    tour.put("Switched off", &one, json!({"enabled": false})).await;
    tour.delete("Done", &one).await;
}

async fn insights(tour: &mut Tour) {
    tour.get("Done", "/api/v1/insights/activity?days=30").await;
    tour.get("Done", "/api/v1/insights/on-this-day").await;
    tour.get("Done", "/api/v1/insights/daily-recommendations").await;
}

async fn media(tour: &mut Tour) {
    tour.post("Done", "/api/v1/ai/generate-tags", json!({"content": "Matcha at Ippodo 一保堂, Kyoto"})).await;
    tour.get("Done", "/api/v1/ai/tools").await;
    let files = json!({"fileUrls": ["https://files.example.com/note.mp3"], "languageHints": ["en", "zh"]});
    let task = tour.post("Done", "/api/v1/asr/transcribe", files.clone()).await;
    tour.post("Without files", "/api/v1/asr/transcribe", json!({"fileUrls": []})).await;
    tour.post("Done", "/api/v1/asr/transcribe-and-wait", files).await;
    for route in ["task", "wait", "result"] {
        tour.get("Done", &format!("/api/v1/asr/{route}/{}", text(&task["taskId"]))).await;
    }
    let files = json!({"files": ["https://files.example.com/menu.png"]});
    tour.post("Done", "/api/v1/ocr/parse", files).await;
    let files = json!({"files": "https://files.example.com/menu.pdf", "options": {"endPageId": 1}});
    tour.post("Done", "/api/v1/ocr/parse-full", files).await;
    tour.get("Done", "/api/v1/ocr/status").await;
    tour.get("Done", "/api/v1/ocr/providers").await;
}

async fn system(server: &Server, tour: &mut Tour) {
    for path in ["/api/v1/health", "/health/db"] {
        tour.get("Done", path).await;
    }
    for path in ["version", "open/version", "app-versions", "open/app-versions"] {
        tour.get("Done", &format!("/api/v1/system/{path}")).await;
    }
    let service = server.service();
    for path in ["schema?table=memos", "data?table=memos&page=1&pageSize=20"] {
        tour.send_as(&service, "Refused", Method::GET, &format!("/api/v1/debug/ba/{path}"), None).await;
    }
}

async fn removal(tour: &mut Tour, category: &str, tag: &str, attachment: &str, memo: &str) {
    for (noun, id) in [("memos", memo), ("attachments", attachment), ("tags", tag), ("categories", category)] {
        tour.delete("Done", &format!("/api/v1/{noun}/{id}")).await;
        tour.delete("Gone already", &format!("/api/v1/{noun}/{id}")).await;
    }
}
