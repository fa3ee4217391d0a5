//! The recordings of the existing server, replayed against the process `local`
//! (`contract/README.md`). What the product cannot answer yet is named in `transcripts-excluded.json`.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use testing::{Kind, empty_database, on_every_database};

on_every_database!(
    the_recordings_replay,
    the_recordings_without_keys_replay,
    the_recordings_with_everything_switched_off_replay,
    the_recordings_of_a_private_bucket_replay,
    the_recordings_of_a_public_bucket_replay,
);

async fn the_recordings_replay(kind: Kind) {
    let excluded = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts-excluded.json");
    replay(kind, &[], &["--exclude", excluded]).await;
}

async fn the_recordings_without_keys_replay(kind: Kind) {
    let keys = ["FUN_ASR_API_KEY", "DASHSCOPE_API_KEY", "ZHIPU_API_KEY"].map(|name| (name, ""));
    let others = [("BA_AUTH_ENABLED", "false"), ("NODE_ENV", "test")];
    replay(kind, &[&keys[..], &others].concat(), &[&recording("unconfigured.json")]).await;
}

async fn the_recordings_with_everything_switched_off_replay(kind: Kind) {
    let settings = [("FUN_ASR_ENABLED", "false"), ("OCR_ENABLED", "false")];
    replay(kind, &settings, &[&recording("disabled.json")]).await;
}

async fn the_recordings_of_a_private_bucket_replay(kind: Kind) {
    replay(kind, &bucket("false"), &[&recording("s3-private.json")]).await;
}

async fn the_recordings_of_a_public_bucket_replay(kind: Kind) {
    replay(kind, &bucket("true"), &[&recording("s3-public.json")]).await;
}

/// The settings of the recordings with a bucket (`contract/README.md`); `MOCK` is the address of the stand-in.
fn bucket(is_public: &'static str) -> [(&'static str, &'static str); 8] {
    [
        ("ATTACHMENT_STORAGE_TYPE", "s3"),
        ("ATTACHMENT_S3_BUCKET", "aimo-test"),
        ("ATTACHMENT_S3_PREFIX", "attachments"),
        ("ATTACHMENT_S3_REGION", "us-east-1"),
        ("ATTACHMENT_S3_ENDPOINT", "MOCK"),
        ("ATTACHMENT_S3_ACCESS_KEY_ID", "AKIATEST"),
        ("ATTACHMENT_S3_SECRET_ACCESS_KEY", "secret"),
        ("ATTACHMENT_S3_IS_PUBLIC", is_public),
    ]
}

fn recording(name: &str) -> String {
    format!("{}/../../contract/transcripts/alt/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Replays recordings, by default those of all areas, with settings that differ from the usual ones.
async fn replay(kind: Kind, settings: &[(&str, &str)], arguments: &[&str]) {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contract");
    let mock = Mock::start(&contract);
    let product = Product::start(&empty_database(kind).await.url, &mock, settings);
    let replayed = Command::new("python3")
        .arg(contract.join("replay.py"))
        .args([&product.url, "--mock", &mock.url(), "--ba-token", "test-ba-token"])
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3 runs");
    let report = String::from_utf8_lossy(&replayed.stdout);
    assert!(replayed.status.success(), "{kind:?}:\n{report}{}", String::from_utf8_lossy(&replayed.stderr));
}

/// A child that ends with the test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The stand-in for the model providers and push channels.
struct Mock {
    port: u16,
    _process: Guard,
}

impl Mock {
    fn start(contract: &Path) -> Self {
        let port = free_port();
        let process = Command::new("python3")
            .arg(contract.join("mock_upstream.py"))
            .args(["--port", &port.to_string()])
            .env("PYTHONUNBUFFERED", "1")
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let mut process = Guard(process);
        first_line(&mut process, |_| true);
        Self { port, _process: process }
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn url(&self) -> String {
        format!("http://{}", self.host())
    }
}

/// The process `local`, configured like the server that was recorded (`contract/README.md`).
struct Product {
    url: String,
    data_dir: PathBuf,
    _process: Guard,
}

impl Product {
    fn start(database_url: &str, mock: &Mock, settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|(name, value)| (*name, value.replace("MOCK", &mock.url())));
        let data_dir = std::env::temp_dir().join(format!("aimo-transcripts-{}", free_port()));
        let process = Command::new(env!("CARGO_BIN_EXE_local"))
            .current_dir(std::env::temp_dir())
            .env("PORT", "0")
            .env("DATA_DIR", &data_dir)
            .env("DATABASE_URL", database_url)
            .env("DATABASE_SSL_MODE", "prefer")
            .env("NODE_ENV", "production")
            .env("JWT_SECRET", "test-secret-test-secret-test-secret-1234")
            .env("BA_AUTH_ENABLED", "true")
            .env("BA_AUTH_TOKEN", "test-ba-token")
            .env("ATTACHMENT_MAX_FILE_SIZE", "1048576")
            .env("SCHEDULES_ENABLED", "false")
            .env("MEOW_BASE_URL", format!("{}/meow", mock.url()))
            .env("PUSH_ALLOWED_HOSTS", "127.0.0.1")
            .env("OUTBOUND_TRUSTED_HOSTS", mock.host())
            .env("OPENAI_BASE_URL", format!("{}/v1", mock.url()))
            .env("OPENAI_API_KEY", "test-key")
            .env("OPENAI_EMBEDDING_DIMENSIONS", "64")
            .env("FUN_ASR_BASE_URL", format!("{}/api/v1", mock.url()))
            .env("FUN_ASR_API_KEY", "test-asr-key")
            .env("ZHIPU_OCR_BASE_URL", mock.url())
            .env("ZHIPU_API_KEY", "test-zhipu-key")
            .env("GITHUB_API_BASE_URL", mock.url())
            .envs(settings)
            .stdout(Stdio::piped())
            .spawn()
            .expect("local starts");
        let mut process = Guard(process);
        let line = first_line(&mut process, |line| line.contains("\"url\""));
        let line: serde_json::Value = serde_json::from_str(&line).expect("the log is JSON");
        let url = line["url"].as_str().expect("a URL").to_owned();
        Self { url, data_dir, _process: process }
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.data_dir);
    }
}

/// Returns the first line of output that fits, and goes on reading, so that the child never waits.
fn first_line(process: &mut Guard, fits: fn(&str) -> bool) -> String {
    let output = process.0.stdout.take().expect("the output is piped");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let line = lines.find(|line| fits(line)).expect("the process says that it is ready");
    std::thread::spawn(move || lines.for_each(drop));
    line
}

/// Returns a port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}
