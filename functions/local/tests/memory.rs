//! How much memory the process `local` takes for files: none that grows with them.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use testing::directory;

/// What the process may take beside what it has when it has served its first requests.
const BOUND: u64 = 32 * 1024 * 1024;

/// The default limit.
const LARGEST: usize = 50 * 1024 * 1024;

struct Product {
    process: Child,
    directory: PathBuf,
    url: String,
    token: String,
    client: reqwest::Client,
}

impl Drop for Product {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Product {
    async fn start() -> Self {
        let directory = directory("memory");
        let mut process = Command::new(env!("CARGO_BIN_EXE_local"))
            .current_dir(std::env::temp_dir())
            .env("PORT", "0")
            .env("DATA_DIR", &directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("\"url\"")).expect("it listens");
        std::thread::spawn(move || lines.for_each(drop));
        let line: Value = serde_json::from_str(&line).unwrap();
        let url = line["url"].as_str().unwrap().to_owned();
        let mut product = Self { process, directory, url, token: String::new(), client: reqwest::Client::new() };
        let credentials = json!({"email": "ann@example.com", "password": "a long one"});
        product.post("/api/v1/auth/register", credentials.clone()).await;
        let signed_in = product.post("/api/v1/auth/login", credentials).await;
        product.token.push_str(signed_in["data"]["token"].as_str().unwrap());
        product
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(body.to_string());
        serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap()
    }

    /// Sends a form to a path and returns the code of the answer; 0 for one without a body.
    async fn send(&self, path: &str, content_type: &str, body: Vec<u8>) -> i64 {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let response = request.header("content-type", content_type).body(body).send().await.unwrap();
        let text = response.text().await.unwrap();
        serde_json::from_str::<Value>(&text).map_or(0, |answer| answer["code"].as_i64().unwrap())
    }

    /// Returns the largest resident size so far, in bytes.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

fn form(fields: &[(&str, &str)], name: &str, content: &[u8]) -> testing::Form {
    let form = fields.iter().fold(testing::Form::new(), |form, (name, value)| form.field(name, value));
    form.file(name, "a.mp4", "video/mp4", content)
}

#[tokio::test]
async fn files_and_abuse_pass_through_without_being_held() {
    let product = Product::start().await;
    let upload = "/api/v1/attachments/upload";
    let small = form(&[], "file", b"x");
    assert_eq!(product.send(upload, &small.content_type(), small.body()).await, 0);
    let base = product.peak();

    let content = vec![b'x'; LARGEST];
    let largest = form(&[], "file", &content);
    assert_eq!(product.send(upload, &largest.content_type(), largest.body()).await, 0);
    let announcement = json!({"filename": "a.mp4", "type": "video/mp4", "size": LARGEST});
    let ticket = &product.post("/api/v1/attachments/uploads", announcement).await["data"];
    let fields = ticket["fields"].as_object().unwrap().iter();
    let fields: Vec<(&str, &str)> = fields.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let direct = form(&fields, "file", &content);
    assert_eq!(product.send(ticket["url"].as_str().unwrap(), &direct.content_type(), direct.body()).await, 0);
    let complete = format!("/api/v1/attachments/uploads/{}/complete", ticket["attachmentId"].as_str().unwrap());
    let completed = product.post(&complete, json!({})).await;
    assert_eq!(completed["data"]["attachment"]["size"], LARGEST);
    let url = completed["data"]["attachment"]["url"].as_str().unwrap();
    let download = product.client.get(format!("{}{url}", product.url)).send().await.unwrap();
    assert_eq!(download.bytes().await.unwrap().len(), LARGEST);

    let multipart = "multipart/form-data; boundary=b";
    let part = b"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n";
    let head = b"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n";
    for (body, code) in [
        (part.repeat(1_000_000), 4004),
        ([&head[..], &vec![b'x'; LARGEST]].concat(), 4004),
        (vec![b'x'; LARGEST], 4004),
        (vec![b'x'; LARGEST + 3 * 1024 * 1024], 4000),
        ([&b"--b\r\nX: "[..], &vec![b'x'; LARGEST]].concat(), 4004),
        (b"\r\n--".repeat(LARGEST / 4), 4004),
        (form(&[], "file", &vec![b'x'; LARGEST + 1]).body(), 4004),
    ] {
        assert_eq!(product.send(upload, multipart, body).await, code);
    }
    let over = form(&[], "file", &vec![b'x'; LARGEST + 1]);
    assert_eq!(product.send(upload, &over.content_type(), over.body()).await, 4000);
    let grown = product.peak() - base;
    println!("{} KiB at first, {} KiB more at the peak", base / 1024, grown / 1024);
    assert!(grown <= BOUND, "{grown}");
}
