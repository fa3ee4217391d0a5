//! The recordings of the existing server, and the stand-in for providers that they were made with
//! (`contract/README.md`).

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The settings of the server that was recorded, but for its database and files; `MOCK` is the address of the
/// stand-in. All of them that are secrets are in [`SECRETS`] too.
const RECORDED: &str = include_str!("../recorded.env");

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

    /// Returns the settings of the server that was recorded, which asked it.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let settings = RECORDED.lines().filter_map(|line| line.split_once('='));
        settings.map(|(name, value)| (name, value.replace("MOCK", &self.host()))).collect()
    }

    /// Replays recordings against a server, by default those of all areas.
    pub fn replay(&self, server: &str, arguments: &[&str]) {
        let mut replay = Command::new("python3");
        replay.arg(contract().join("replay.py"));
        replay.args([server, "--mock", &self.url(), "--ba-token", "test-ba-token"]).args(arguments);
        succeeds(replay.env("PYTHONDONTWRITEBYTECODE", "1"));
    }

    /// Replays the recordings of all areas against functions, without the steps that no function can answer as
    /// recorded.
    pub fn replay_functions(&self, gateway: &str) {
        succeeds(Command::new(contract().join("../scripts/replay.sh")).args([&self.url(), gateway]));
    }
}

fn succeeds(replay: &mut Command) {
    let replayed = replay.output().expect("the replayer runs");
    let report = String::from_utf8_lossy(&replayed.stdout);
    assert!(replayed.status.success(), "{report}{}", String::from_utf8_lossy(&replayed.stderr));
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
