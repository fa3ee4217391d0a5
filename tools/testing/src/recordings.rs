//! The recordings of the existing server, and the stand-in for providers that they were made with
//! (`contract/README.md`).

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The settings of the server that was recorded, but for its database, files and providers. All of them that are
/// secrets are in [`SECRETS`] too.
pub const RECORDED: &[(&str, &str)] = &[
    ("DATABASE_SSL_MODE", "prefer"),
    ("NODE_ENV", "production"),
    ("JWT_SECRET", "test-secret-test-secret-test-secret-1234"),
    ("BA_AUTH_ENABLED", "true"),
    ("BA_AUTH_TOKEN", "test-ba-token"),
    ("ATTACHMENT_MAX_FILE_SIZE", "1048576"),
    ("PUSH_ALLOWED_HOSTS", "127.0.0.1"),
    ("OPENAI_API_KEY", "test-key"),
    ("OPENAI_EMBEDDING_DIMENSIONS", "64"),
    ("FUN_ASR_API_KEY", "test-asr-key"),
    ("ZHIPU_API_KEY", "test-zhipu-key"),
];

/// What no log of that server may hold.
pub const SECRETS: &[&str] =
    &["test-secret-test-secret-test-secret-1234", "test-ba-token", "test-key", "test-asr-key", "test-zhipu-key"];

fn contract() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contract")
}

/// A child that ends with the test.
pub struct Guard(pub Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The stand-in for the model providers and push channels.
pub struct Mock {
    port: u16,
    _process: Guard,
}

impl Mock {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        let port = free_port();
        let process = Command::new("python3")
            .arg(contract().join("mock_upstream.py"))
            .args(["--port", &port.to_string()])
            .env("PYTHONUNBUFFERED", "1")
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let mut process = Guard(process);
        let output = process.0.stdout.take().expect("the output is piped");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.next().expect("it says that it is ready");
        std::thread::spawn(move || lines.for_each(drop));
        Self { port, _process: process }
    }

    /// Returns the `host:port`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    /// Returns the settings that make a server ask it.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("OPENAI_BASE_URL", format!("{}/v1", self.url())),
            ("FUN_ASR_BASE_URL", format!("{}/api/v1", self.url())),
            ("ZHIPU_OCR_BASE_URL", self.url()),
            ("GITHUB_API_BASE_URL", self.url()),
            ("MEOW_BASE_URL", format!("{}/meow", self.url())),
        ]
    }

    /// Replays recordings against a server, by default those of all areas.
    pub fn replay(&self, server: &str, arguments: &[&str]) {
        let replayed = Command::new("python3")
            .arg(contract().join("replay.py"))
            .args([server, "--mock", &self.url(), "--ba-token", "test-ba-token"])
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("python3 runs");
        let report = String::from_utf8_lossy(&replayed.stdout);
        assert!(replayed.status.success(), "{report}{}", String::from_utf8_lossy(&replayed.stderr));
    }
}

/// Returns the path of a recording that is not replayed by default.
#[must_use]
pub fn recording(name: &str) -> String {
    contract().join("transcripts/alt").join(name).display().to_string()
}

/// Returns a port that was free a moment ago.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}
