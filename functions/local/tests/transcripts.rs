//! The recordings of the existing server, replayed against the process `local`
//! (`contract/README.md`). What the product cannot answer yet is named in `transcripts-excluded.json`.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc::{Receiver, channel},
};

use testing::{
    Kind, empty_database, on_every_database,
    recordings::{Guard, Mock, SECRETS, free_port, recording},
};

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

/// Replays recordings, by default those of all areas, with settings that differ from the usual ones. Whatever
/// they are, the log holds no secret.
async fn replay(kind: Kind, settings: &[(&str, &str)], arguments: &[&str]) {
    let mock = Mock::start();
    let product = Product::start(&empty_database(kind).await.url, &mock, settings);
    mock.replay(&product.url, arguments);
    let log = product.stop();
    assert!(log.iter().any(|line| line.contains("request.served")), "{kind:?}: {log:?}");
    for line in log {
        let told = SECRETS.iter().find(|secret| line.contains(*secret));
        assert_eq!(told, None, "{kind:?}: {line}");
    }
}

/// The process `local`, configured like the server that was recorded (`contract/README.md`).
struct Product {
    url: String,
    data_dir: PathBuf,
    process: Guard,
    log: Receiver<String>,
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
            .env("SCHEDULES_ENABLED", "false")
            .env("OUTBOUND_TRUSTED_HOSTS", mock.host())
            .envs(mock.settings())
            .envs(settings)
            .stdout(Stdio::piped())
            .spawn()
            .expect("local starts");
        let mut process = Guard(process);
        let output = process.0.stdout.take().expect("the output is piped");
        let (sender, log) = channel();
        // Reads on, so that the process never waits.
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let line = log.iter().find(|line| line.contains("\"url\"")).expect("the process says that it is ready");
        let line: serde_json::Value = serde_json::from_str(&line).expect("the log is JSON");
        let url = line["url"].as_str().expect("a URL").to_owned();
        Self { url, data_dir, process, log }
    }

    /// Ends the process and returns the rest of its log.
    fn stop(mut self) -> Vec<String> {
        let _ = self.process.0.kill();
        self.log.iter().collect()
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.data_dir);
    }
}
