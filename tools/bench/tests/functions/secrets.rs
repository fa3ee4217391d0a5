//! Settings in Secrets Manager, and that no secret is told to anybody.

use bench::runtime_api::HttpRequest;
use serde_json::{Value, json};
use testing::{Answering, Asked, Kind, Provider, on_every_database};
use url::Url;

use crate::{Functions, post};

on_every_database!(
    secrets_are_read_by_the_first_request_and_only_once,
    a_password_that_was_rotated_is_read_again,
    everything_that_is_wrong_is_said_in_one_message,
);

const DATABASE: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:database-Ab12Cd";
const APP: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:app-Ef34Gh";

/// Fails when a text holds one of the secrets.
pub fn assert_none(secrets: &[String], text: &str) {
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{secret} is told in {text}");
    }
}

fn secret(members: &Value) -> Answering {
    Answering::json(&json!({"ARN": DATABASE, "Name": "x", "SecretString": members.to_string()}))
}

/// Returns the database of a URL as RDS writes it, with another password.
fn rds(url: &str, password: &str) -> Value {
    let url = Url::parse(url).unwrap();
    json!({
        "engine": url.scheme(),
        "host": url.host_str(),
        "port": url.port(),
        "username": url.username(),
        "password": password,
        "dbname": url.path().trim_start_matches('/'),
    })
}

/// Makes functions that find their settings in secrets, which `answer` gives.
async fn functions(
    kind: Kind,
    answer: impl Fn(&str, &Asked, usize) -> Answering + Send + Sync + 'static,
) -> (Functions, Provider) {
    let mut functions = Functions::on(kind).await;
    let take = |functions: &mut Functions, name| {
        let index = functions.environment.iter().position(|(known, _)| *known == name).unwrap();
        functions.environment.remove(index).1
    };
    let url = take(&mut functions, "DATABASE_URL");
    take(&mut functions, "JWT_SECRET");
    let manager = Provider::start(move |asked, before| answer(&url, asked, before));
    functions.environment.extend([
        ("DATABASE_SECRET_ARN", DATABASE.to_owned()),
        ("APP_SECRETS_ARN", APP.to_owned()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", manager.url()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "aws-key-canary".to_owned()),
        ("AWS_SESSION_TOKEN", "aws-token-canary".to_owned()),
    ]);
    functions.secrets.extend(["aws-key-canary".to_owned(), "aws-token-canary".to_owned()]);
    (functions, manager)
}

fn is_database(asked: &Asked) -> bool {
    asked.body["SecretId"] == DATABASE
}

fn app() -> Answering {
    secret(&json!({"JWT_SECRET": "a test secret of thirty-two bytes", "OPENAI_API_KEY": "sk-secret"}))
}

async fn secrets_are_read_by_the_first_request_and_only_once(kind: Kind) {
    let (mut functions, manager) =
        functions(kind, |url, asked, _| if is_database(asked) { secret(&json!({"url": url})) } else { app() })
            .await;
    functions.function("auth").await;
    assert!(manager.asked().is_empty(), "a start reads no secret");
    let login = functions.sign_in().await;
    assert_eq!(login.json()["code"], 0);
    let asked = manager.asked();
    assert_eq!(asked.len(), 2, "one request for each secret");
    for Asked { line, raw, .. } in asked {
        assert_eq!(line, "POST /");
        let raw = raw.to_lowercase();
        let signed = "signedheaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, signature=";
        for part in [
            "\r\ncontent-type: application/x-amz-json-1.1\r\n",
            "\r\nx-amz-target: secretsmanager.getsecretvalue\r\n",
            "\r\nx-amz-security-token: aws-token-canary\r\n",
            "\r\nauthorization: aws4-hmac-sha256 credential=akidexample/",
            "/eu-central-1/secretsmanager/aws4_request, ",
            signed,
        ] {
            assert!(raw.contains(part), "{part}: {raw}");
        }
        assert!(!raw.contains("aws-key-canary"));
    }
}

async fn a_password_that_was_rotated_is_read_again(kind: Kind) {
    // SQLite has no password, and the PostgreSQL of the tests takes any.
    let checks_passwords = kind == Kind::MariaDb;
    let (mut functions, manager) =
        functions(kind, move |url, asked, before| match (is_database(asked), checks_passwords) {
            (false, _) => app(),
            (true, false) => secret(&json!({"url": url})),
            (true, true) => {
                let password = Url::parse(url).unwrap().password().unwrap().to_owned();
                secret(&rds(url, if before < 2 { "an-old-password" } else { &password }))
            }
        })
        .await;
    functions.secrets.push("an-old-password".to_owned());
    let credentials = json!({"email": "ann@example.com", "password": "Passw0rd"});
    let register = || post("/api/v1/auth/register", &credentials);
    let first = functions.call("auth", register()).await;
    assert_eq!(first.json()["code"] != 0, checks_passwords, "{:?}", first.json());
    let second = functions.call("auth", register()).await;
    if checks_passwords {
        assert_eq!(second.json()["code"], 0, "{:?}", second.json());
    }
    assert_eq!(manager.asked().len(), if checks_passwords { 4 } else { 2 });
}

async fn everything_that_is_wrong_is_said_in_one_message(kind: Kind) {
    let (mut functions, _manager) = functions(kind, |_, asked, before| match (is_database(asked), before) {
        (true, 0) => Answering::json(&json!({"__type": "AccessDeniedException"})).status(400),
        (true, _) => secret(&json!({"password": "db-canary"})),
        (false, 1) => secret(&json!({"JWT_SECRET": "short-canary", "OPENAI_KEY": "sk-canary"})),
        (false, _) => Answering::json(&json!({"SecretString": "no-json-canary"})),
    })
    .await;
    let canaries = ["db-canary", "short-canary", "sk-canary", "no-json-canary"].map(str::to_owned);
    functions.secrets.extend(canaries);
    for wrong in [
        &[
            "DATABASE_SECRET_ARN cannot be read: Secrets Manager answered with 400 AccessDeniedException",
            "APP_SECRETS_ARN has a member that is no setting",
            "JWT_SECRET must have at least 32 bytes",
        ][..],
        &[
            "DATABASE_SECRET_ARN has no url, and no engine",
            "APP_SECRETS_ARN cannot be read: the secret is no JSON",
            "JWT_SECRET is missing",
            "DATABASE_URL is missing",
        ][..],
    ] {
        let reply = functions.call("tags", HttpRequest::get("/api/v1/tags")).await;
        assert_eq!(reply.status, 503, "{:?}", reply.json());
        let log = functions.function("tags").await.log();
        let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        for text in wrong {
            assert!(last["problem"].as_str().unwrap().contains(text), "{text}: {last}");
        }
    }
}
