//! The process `local`: how it starts, what it says when it cannot, and how it stops.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use testing::{Answering, Provider};

/// A directory that is removed with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("aimo-process-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn command(directory: &Directory) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.current_dir(&directory.0).env("DATA_DIR", directory.0.join("data")).env("PORT", "0");
    command
}

fn run(mut command: Command) -> (bool, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.success(), String::from_utf8(stderr).unwrap())
}

/// Starts the process and returns it with its address, once it listens.
fn start(mut command: Command) -> (Child, String, impl Iterator<Item = String>) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("\"url\"")).expect("it says that it listens");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = line["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
    (child, address, lines)
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn terminate(child: &Child) {
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn the_data_of_an_old_install_is_not_passed_over_in_silence() {
    let directory = Directory::new("old-install");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contract/fixtures/legacy-lancedb-small/lancedb");
    let mut command = command(&directory);
    command.env("LANCEDB_PATH", fixture);
    let (mut child, _, mut lines) = start(command);
    let notice = lines.find(|line| line.contains("migrate run")).unwrap();
    assert!(notice.contains(fixture) && notice.contains("memos"), "{notice}");
    terminate(&child);
    assert!(child.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_delivers_the_pushes_of_the_hour_in_which_it_starts() {
    let directory = Directory::new("pushes");
    let mut before = command(&directory);
    before.env("SCHEDULES_ENABLED", "false");
    let (mut child, _, _lines) = start(before);
    terminate(&child);
    child.wait().unwrap();
    // A rule of each hour, made long ago: one of them is due, whatever time it is.
    let rules = (0..24).map(|hour| {
        let channels = r#"[{"type": "meow", "nickname": "ann"}]"#;
        format!("('push{hour}', 'u1', 'a rule', {hour}, 'daily_memos', '{channels}', 1, 1, 1)")
    });
    let columns = "id, uid, name, push_time, content_type, channels, enabled, created_at, updated_at";
    let insert = format!("INSERT INTO push_rules ({columns}) VALUES {}", rules.collect::<Vec<_>>().join(", "));
    testing::execute(&format!("sqlite://{}", directory.0.join("data/aimo.db").display()), insert).await;
    let provider = Provider::always(Answering::text("{}"));
    let mut command = command(&directory);
    command.env("MEOW_BASE_URL", provider.url()).env("OUTBOUND_TRUSTED_HOSTS", provider.host());
    let (mut child, _, mut lines) = start(command);
    let delivered = lines.find(|line| line.contains("push.delivered")).unwrap();
    assert!(delivered.contains("\"push.sent\":1"), "{delivered}");
    assert_eq!(provider.asked()[0].line, "POST /ann?msgType=text");
    terminate(&child);
    child.wait().unwrap();
}

#[test]
fn it_needs_no_setting_logs_requests_and_stops_when_asked() {
    let directory = Directory::new("start");
    let (mut child, address, mut lines) = start(command(&directory));
    assert!(get(&address, "/api/v1/health").starts_with("HTTP/1.1 200 OK"));
    let served = lines.find(|line| line.contains("request.served")).unwrap();
    let served: serde_json::Value = serde_json::from_str(&served).unwrap();
    assert_eq!((&served["http.route"], &served["http.status"]), (&"/api/v1/health".into(), &200.into()));
    terminate(&child);
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_names_the_key_that_is_missing_and_not_one_that_is_there() {
    for (key, expected) in [(None, true), (Some("sk-secret"), false)] {
        let directory = Directory::new("key");
        let mut command = command(&directory);
        command.env_remove("OPENAI_API_KEY").envs(key.map(|key| ("OPENAI_API_KEY", key)));
        let (mut child, _, lines) = start(command);
        terminate(&child);
        child.wait().unwrap();
        let rest: Vec<String> = lines.collect();
        assert_eq!(rest.iter().any(|line| line.contains("OPENAI_API_KEY is not set")), expected, "{rest:?}");
        assert!(!rest.iter().any(|line| line.contains("sk-secret")));
    }
}

#[test]
fn the_login_secret_survives_a_restart_and_only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;

    let directory = Directory::new("secret");
    let secret = directory.0.join("data/jwt-secret");
    let mut secrets = Vec::new();
    for _ in 0..2 {
        let (mut child, _, _lines) = start(command(&directory));
        terminate(&child);
        child.wait().unwrap();
        secrets.push(std::fs::read_to_string(&secret).unwrap());
    }
    assert_eq!(secrets[0], secrets[1]);
    assert_eq!(secrets[0].len(), 64);
    assert_eq!(secret.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn settings_may_stand_in_a_file() {
    let directory = Directory::new("dotenv");
    std::fs::write(directory.0.join(".env"), "LOCALE_TIMEZONE=Mars/Base\n").unwrap();
    let (ok, message) = run(command(&directory));
    assert!(!ok && message.contains("LOCALE_TIMEZONE"), "{message}");
}

#[test]
fn a_taken_port_is_named() {
    let directory = Directory::new("port");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut command = command(&directory);
    command.env("PORT", &port);
    let (ok, message) = run(command);
    assert!(!ok && message.contains(&port) && message.contains("Set PORT"), "{message}");
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let directory = Directory::new("data");
    std::fs::write(directory.0.join("data"), "a file").unwrap();
    let (ok, message) = run(command(&directory));
    assert!(!ok && message.contains("DATA_DIR"), "{message}");
}

#[test]
fn a_database_that_cannot_be_reached_is_explained_without_its_password() {
    let directory = Directory::new("database");
    let mut command = command(&directory);
    command
        .env("DATABASE_URL", "postgres://ann:s3cret@127.0.0.1:1/aimo")
        .env("DATABASE_ACQUIRE_TIMEOUT_MS", "500");
    let (ok, message) = run(command);
    assert!(!ok && message.contains("DATABASE_URL") && !message.contains("s3cret"), "{message}");
}
