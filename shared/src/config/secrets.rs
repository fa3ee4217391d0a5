//! Settings that lie in AWS Secrets Manager (`contract/configuration.md` section 9).
//!
//! They are read when the first request needs them, never at the start of a process. What the environment sets
//! wins.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{SETTINGS, Secret, Variables, files::role_credentials};
use crate::{
    clients::{Direct, Http, secrets, storage::Credentials},
    clock::{Clock, SystemClock},
    ids::SystemRandom,
};

/// The layout of a secret of RDS, and the setting that each member becomes, behind `DATABASE_POSTGRES_` or
/// `DATABASE_MYSQL_`.
const DATABASE_MEMBERS: [(&str, &str); 5] = [
    ("host", "HOST"),
    ("port", "PORT"),
    ("username", "USERNAME"),
    ("password", "PASSWORD"),
    ("dbname", "DATABASE"),
];

impl Variables {
    /// Reports whether some settings lie in secrets.
    #[must_use]
    pub fn name_secrets(&self) -> bool {
        ["DATABASE_SECRET_ARN", "APP_SECRETS_ARN"].iter().any(|name| self.get(name).is_some())
    }

    /// Adds what lies in the secrets that are named. What is wrong with them is reported with everything else,
    /// by those who read the settings.
    pub async fn add_secrets(&mut self) {
        if !self.name_secrets() {
            return;
        }
        let http: Arc<dyn Http> = Arc::new(Direct::new(Arc::new(SystemClock), Arc::new(SystemRandom)));
        let Some(keys) = role_credentials(self) else {
            self.problems.push("secrets are named, but AWS_ACCESS_KEY_ID is missing".to_owned());
            return;
        };
        if let Some(members) = self.read_secret(&http, &keys, "DATABASE_SECRET_ARN").await {
            self.add_database(&members);
        }
        if let Some(members) = self.read_secret(&http, &keys, "APP_SECRETS_ARN").await {
            self.add_settings(members);
        }
    }

    async fn read_secret(
        &mut self,
        http: &Arc<dyn Http>,
        keys: &Credentials,
        name: &'static str,
    ) -> Option<Map<String, Value>> {
        let arn = self.get(name)?.to_owned();
        let endpoint = self.get("AWS_ENDPOINT_URL_SECRETS_MANAGER").map(str::to_owned);
        let read = secrets::read(http, keys, endpoint.as_deref(), &arn, SystemClock.now()).await;
        let members = read.and_then(|secret| {
            // The error of the parser could quote the secret.
            serde_json::from_str(secret.expose()).map_err(|_| "the secret is no JSON object".to_owned())
        });
        members.inspect_err(|problem| self.problems.push(format!("{name} cannot be read: {problem}"))).ok()
    }

    fn add_database(&mut self, members: &Map<String, Value>) {
        if let Some(url) = members.get("url").and_then(Value::as_str) {
            self.set_default("DATABASE_URL", url.to_owned());
            return;
        }
        let engine = members.get("engine").and_then(Value::as_str).or_else(|| self.get("DATABASE_TYPE"));
        let (prefix, dialect) = match engine.unwrap_or_default() {
            engine if engine.contains("postgres") => ("DATABASE_POSTGRES", "postgresql"),
            engine if engine.contains("mysql") || engine.contains("maria") => ("DATABASE_MYSQL", "mysql"),
            _ => {
                let problem = "DATABASE_SECRET_ARN has no url, and no engine that is postgres, mysql or mariadb";
                return self.problems.push(problem.to_owned());
            }
        };
        for (member, setting) in DATABASE_MEMBERS {
            let value = match members.get(member) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                _ => continue,
            };
            self.set_default(&format!("{prefix}_{setting}"), value);
        }
        self.set_default("DATABASE_TYPE", dialect.to_owned());
    }

    fn add_settings(&mut self, members: Map<String, Value>) {
        for (name, value) in members {
            match value {
                _ if !SETTINGS.iter().any(|setting| setting.name == name) => {
                    // The name itself may be a secret that stands in the wrong place.
                    self.problems.push("APP_SECRETS_ARN has a member that is no setting".to_owned());
                }
                Value::String(text) => self.set_default(&name, text),
                _ => self.problems.push(format!("APP_SECRETS_ARN: {name} must be a text")),
            }
        }
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}
