//! Configuration: every setting, read once from the environment (`contract/configuration.md`).
//!
//! The only module that reads environment variables. All problems are collected and reported in one
//! message, so that a person fixes them in one go. [`SETTINGS`] lists every setting that
//! [`Config::read`] knows; `.env.example` is generated from it.

mod files;
mod migration;
mod providers;
mod secrets;
mod vectors;

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use jiff::tz::TimeZone;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

pub use self::{
    files::read_files,
    migration::{Choices, DuplicateEmails, InvalidProperties, LegacyTagNames, Migration, VectorStores},
    providers::{
        BedrockSettings, EmbeddingProvider, ModelProvider, Models, Ocr, OpenAiSettings, Releases, Speech,
    },
    vectors::VectorStore,
};
use crate::{
    clients::storage,
    db::{self, Dialect, SqliteJournal, SslMode},
};

/// A setting, as `.env.example` shows it.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The name of the environment variable.
    pub name: &'static str,
    /// An example or the default.
    pub example: &'static str,
    /// What it does.
    pub help: &'static str,
}

macro_rules! settings {
    ($($name:ident = $example:literal, $help:literal;)*) => {
        /// Every setting, in the order of `.env.example`.
        pub const SETTINGS: &[Setting] =
            &[$(Setting { name: stringify!($name), example: $example, help: $help }),*];
    };
}

settings! {
    APP_ENV = "production", "production marks the login cookie Secure and checks database certificates. Default: production in Lambda, development in `local`. NODE_ENV is read when it is unset.";
    HOST = "127.0.0.1", "`local`: the listening address.";
    PORT = "9000", "`local`: the listening port.";
    DATA_DIR = ".data", "`local`: where aimo.db, lancedb/, attachments/ and the generated JWT secret live.";
    JWT_SECRET = "", "Signs the login tokens; at least 32 bytes. Keep the value of an old install, or everybody is signed out. `local` makes one and keeps it in DATA_DIR.";
    CORS_ORIGIN = "", "Comma-separated list of allowed origins. Unset: any origin, without credentials.";
    CORS_CREDENTIALS = "false", "true allows the listed origins to send the cookie.";
    COOKIE_SECURE = "", "true or false overrides what APP_ENV says about the login cookie.";
    BA_AUTH_ENABLED = "false", "true enables the import and debug routes that take a service token.";
    BA_AUTH_TOKEN = "", "The service token. Required when BA_AUTH_ENABLED is true.";
    AIMO_LOG_LEVEL = "info", "trace, debug, info, warn or error.";
    RUST_LOG = "", "A log filter such as info,sqlx=debug; refines AIMO_LOG_LEVEL.";
    METRICS_SERVICE = "", "The name of this installation in the metrics of CloudWatch, which are lines of the log in its Embedded Metric Format. Unset: none are written.";
    AWS_LAMBDA_FUNCTION_NAME = "", "Set by Lambda.";
    LOCALE_TIMEZONE = "Asia/Shanghai", "IANA zone of \"today\", \"on this day\" and the push hour.";
    DATABASE_URL = "sqlite://.data/aimo.db", "postgres://, postgresql://, mysql:// or sqlite:. `local` defaults to aimo.db in DATA_DIR.";
    DATABASE_TYPE = "", "mysql, postgresql or sqlite. With a URL a cross-check; without, it chooses the parameters below.";
    DATABASE_SECRET_ARN = "", "Secret of AWS Secrets Manager with the database: {\"url\"}, or {\"engine\", \"host\", \"port\", \"username\", \"password\", \"dbname\"} as RDS writes it; what is missing there is read from the parameters below. Variables that are set win.";
    APP_SECRETS_ARN = "", "Secret of AWS Secrets Manager: a JSON object of any of these settings, such as JWT_SECRET and OPENAI_API_KEY. Variables that are set win.";
    AWS_ENDPOINT_URL_SECRETS_MANAGER = "", "Another endpoint of Secrets Manager, such as one inside a private network.";
    DATABASE_POOL_SIZE = "1", "Connections of a process. Default: 1, and 10 in `local`.";
    DATABASE_POSTGRES_HOST = "localhost", "Instead of DATABASE_URL.";
    DATABASE_POSTGRES_PORT = "5432", "Instead of DATABASE_URL.";
    DATABASE_POSTGRES_USERNAME = "postgres", "Instead of DATABASE_URL.";
    DATABASE_POSTGRES_PASSWORD = "", "Instead of DATABASE_URL.";
    DATABASE_POSTGRES_DATABASE = "aimo", "Instead of DATABASE_URL.";
    DATABASE_MYSQL_HOST = "localhost", "Instead of DATABASE_URL.";
    DATABASE_MYSQL_PORT = "3306", "Instead of DATABASE_URL.";
    DATABASE_MYSQL_USERNAME = "root", "Instead of DATABASE_URL.";
    DATABASE_MYSQL_PASSWORD = "", "Instead of DATABASE_URL.";
    DATABASE_MYSQL_DATABASE = "aimo", "Instead of DATABASE_URL.";
    DATABASE_SQLITE_PATH = "./aimo.db", "Instead of DATABASE_URL.";
    DATABASE_ACQUIRE_TIMEOUT_MS = "5000", "How long a request waits for a connection, connecting included.";
    DATABASE_IDLE_TIMEOUT_S = "300", "A connection that rests this long is closed.";
    DATABASE_SSL_MODE = "verify-full", "disable, prefer, require, verify-ca or verify-full. Default: verify-full in production unless the URL names one.";
    DATABASE_SSL_CA = "", "File of certificates to trust beside the public ones, such as the RDS bundle.";
    SQLITE_JOURNAL_MODE = "wal", "wal on a local disk, truncate on a network file system. Default: wal in `local`, truncate in Lambda.";
    CHAT_PROVIDER = "openai", "Who answers questions, suggests tags and picks the memos of the day: openai or bedrock.";
    EMBEDDING_PROVIDER = "openai", "Who embeds memos for the search by meaning: openai, bedrock or local, which needs no network and is lexical. `local` defaults to local when OPENAI_API_KEY is unset.";
    OPENAI_API_KEY = "", "Key of the OpenAI-compatible API, for chat and embeddings.";
    OPENAI_BASE_URL = "https://api.openai.com/v1", "Any OpenAI-compatible API.";
    OPENAI_MODEL = "gpt-4o-mini", "The chat model.";
    OPENAI_EMBEDDING_MODEL = "text-embedding-3-small", "The embedding model. Part of the key of cached vectors.";
    OPENAI_EMBEDDING_DIMENSIONS = "1536", "Size of the vectors, for every embedding provider; the model must offer it. Part of the key of cached vectors.";
    BEDROCK_CHAT_MODEL = "", "Id of a model or inference profile. Required when CHAT_PROVIDER is bedrock.";
    BEDROCK_EMBEDDING_MODEL = "", "Id of a Titan or Cohere embedding model. Required when EMBEDDING_PROVIDER is bedrock.";
    BEDROCK_REGION = "", "Region of Bedrock. Default: AWS_REGION, which Lambda sets.";
    AWS_BEARER_TOKEN_BEDROCK = "", "Key of Bedrock. Default: the credentials of the environment (AWS_ACCESS_KEY_ID and so on), which are the role of a function.";
    BEDROCK_ENDPOINT_URL = "", "Another endpoint of Bedrock, such as one inside a private network.";
    HTTP_TIMEOUT_MS = "25000", "How long a call to a model may take, retries included. Stay below the time limit of the function.";
    FUN_ASR_ENABLED = "true", "false switches speech recognition off.";
    FUN_ASR_API_KEY = "", "Key of DashScope for speech recognition.";
    DASHSCOPE_API_KEY = "", "Read when FUN_ASR_API_KEY is unset.";
    FUN_ASR_BASE_URL = "https://dashscope.aliyuncs.com/api/v1", "Singapore: https://dashscope-intl.aliyuncs.com/api/v1.";
    FUN_ASR_MODEL = "fun-asr", "The model of speech recognition.";
    FUN_ASR_WAIT_TIMEOUT_MS = "25000", "How long the waiting routes of speech recognition wait.";
    OCR_ENABLED = "true", "false switches text recognition off.";
    OCR_DEFAULT_PROVIDER = "zhipu", "zhipu, the only one.";
    ZHIPU_API_KEY = "", "Key of Zhipu for text recognition.";
    ZHIPU_OCR_BASE_URL = "https://open.bigmodel.cn/api", "The API of Zhipu.";
    GITHUB_API_BASE_URL = "https://api.github.com", "Where the releases of the apps are looked up.";
    GITHUB_TOKEN = "", "Raises the limit on look-ups of releases.";
    DESKTOP_RELEASE_REPOSITORY = "ximing/aimo", "Repository of the desktop app.";
    APK_RELEASE_REPOSITORY = "ximing/aimo-app", "Repository of the Android app.";
    LANCEDB_URI = "", "The vector store: s3://bucket/prefix or a directory. `local` defaults to lancedb/ in DATA_DIR.";
    LANCEDB_STORAGE_TYPE = "", "local or s3: which of the following names the vector store when LANCEDB_URI is unset.";
    LANCEDB_PATH = "", "Directory of the vector store.";
    LANCEDB_S3_BUCKET = "", "Bucket of the vector store.";
    LANCEDB_S3_PREFIX = "lancedb", "Prefix in that bucket.";
    LANCEDB_S3_ENDPOINT = "", "Address of an S3 server that is not AWS.";
    LANCEDB_READ_CONSISTENCY_MS = "", "How old what an open table knows may be. Default: 0 for vectors, 5000 for caches.";
    LANCEDB_VERSION_RETENTION_DAYS = "7", "How long `maintenance` keeps old versions of a table.";
    AWS_REGION = "us-east-1", "Region of the buckets. Lambda sets it, and the credentials too.";
    ATTACHMENT_STORAGE_TYPE = "local", "local, s3 or oss: where new files go. Old ones stay where they are. Default: s3 in Lambda, local in `local`.";
    ATTACHMENT_MAX_FILE_SIZE = "52428800", "Bytes of an attachment or avatar.";
    ATTACHMENT_BLOCKED_MIME_TYPES = "", "Comma-separated media types that are refused, replacing the built-in list; x/* is a family.";
    ATTACHMENT_PRESIGNED_URL_EXPIRY = "3600", "Life of an access URL, in seconds; at most 604800, and 43200 when the keys are those of a role.";
    ATTACHMENT_LOCAL_PATH = "./attachments", "Directory of local files. `local` defaults to attachments/ in DATA_DIR; in Lambda below EFS_MOUNT_PATH.";
    ATTACHMENT_S3_BUCKET = "", "Required for s3.";
    ATTACHMENT_S3_PREFIX = "attachments", "What the keys of new objects begin with.";
    ATTACHMENT_S3_REGION = "us-east-1", "Default: AWS_REGION, which Lambda sets, else us-east-1.";
    ATTACHMENT_S3_ENDPOINT = "", "Another service that speaks the protocol of S3.";
    ATTACHMENT_S3_FORCE_PATH_STYLE = "", "true or false. Unset: true for an endpoint that does not name the region.";
    ATTACHMENT_S3_ACCESS_KEY_ID = "", "With ATTACHMENT_S3_SECRET_ACCESS_KEY. Default: those of the environment (AWS_ACCESS_KEY_ID and so on), which are the role of a function.";
    ATTACHMENT_S3_SECRET_ACCESS_KEY = "", "With ATTACHMENT_S3_ACCESS_KEY_ID.";
    ATTACHMENT_S3_IS_PUBLIC = "false", "true when everybody may read the bucket: access URLs are then not signed.";
    ATTACHMENT_OSS_BUCKET = "", "Aliyun OSS. Required for oss; needed for old files as long as there are some.";
    ATTACHMENT_OSS_PREFIX = "attachments", "What the keys of new objects begin with.";
    ATTACHMENT_OSS_REGION = "cn-hangzhou", "The region of the bucket.";
    ATTACHMENT_OSS_ENDPOINT = "", "Default: that of the region.";
    ATTACHMENT_OSS_ACCESS_KEY_ID = "", "Required for oss.";
    ATTACHMENT_OSS_ACCESS_KEY_SECRET = "", "Required for oss.";
    ATTACHMENT_OSS_IS_PUBLIC = "false", "true when everybody may read the bucket.";
    AWS_ACCESS_KEY_ID = "", "Set by Lambda.";
    AWS_SECRET_ACCESS_KEY = "", "Set by Lambda.";
    AWS_SESSION_TOKEN = "", "Set by Lambda.";
    SCHEDULES_ENABLED = "true", "`local`: false leaves the scheduled work, such as pushes, to another process.";
    WEB_DIR = "", "`local`: a built web client to serve beside the API.";
    MEOW_BASE_URL = "https://api.chuckfang.com", "The MeoW service, to which pushes to a nickname go.";
    PUSH_ALLOWED_HOSTS = "", "Comma-separated hosts that webhooks may name beside open.feishu.cn and open.larksuite.com.";
    MIGRATION_SOURCE_LANCEDB_URI = "", "`migrate`: the LanceDB of the old install. Default: LANCEDB_URI.";
    BACKUP_URI = "", "`migrate`: where the backup goes, s3://bucket/prefix or a directory.";
    MIGRATION_SKIP_BACKUP = "false", "`migrate`: true migrates without a backup.";
    MIGRATION_DUPLICATE_EMAILS = "refuse", "`migrate`: refuse, or oldest-keeps: the others keep everything but the e-mail.";
    MIGRATION_LEGACY_TAG_NAMES = "restore", "`migrate`: restore makes tags of the names in very old memos, report only lists them.";
    MIGRATION_INVALID_PROPERTIES = "refuse", "`migrate`: refuse, or null: attachment properties that are no JSON object are dropped.";
    MIGRATION_ALLOW_STALE_SOURCE = "false", "`migrate`: true migrates a LanceDB whose install has moved on to MySQL.";
    MIGRATION_TIME_BUDGET_S = "480", "`migrate`: refuses when it would load longer. Default: no limit outside Lambda.";
    MIGRATION_BATCH_ROWS = "100", "`migrate`: rows of a statement and of a line of progress.";
    EFS_MOUNT_PATH = "", "In Lambda: the only directory that outlives a function.";
    OUTBOUND_TRUSTED_HOSTS = "", "Comma-separated host:port pairs that may be reached by plain http and on private addresses. For tests and home servers; refused in Lambda.";
}

/// A text that never appears in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whether a process is a function or the local server; the two have different defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// A function behind a gateway.
    Lambda,
    /// The process `local`, or a command line.
    Local,
}

/// How logs and metrics name a process.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The function; `None` outside Lambda.
    pub function: Option<String>,
    /// The installation that metrics are counted for; `None` when none are wanted.
    pub service: Option<String>,
}

impl Names {
    /// Reads the names.
    #[must_use]
    pub fn read(vars: &Variables) -> Self {
        let text = |name| vars.get(name).map(str::to_owned);
        Self { function: text("AWS_LAMBDA_FUNCTION_NAME"), service: text("METRICS_SERVICE") }
    }
}

/// Who may call from a browser page of another origin (`contract/http-conventions.md` section 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsPolicy {
    /// Anybody, without credentials.
    AnyOrigin,
    /// The listed origins.
    Origins {
        /// The origins, such as `https://app.example`.
        origins: Vec<String>,
        /// Whether they may send the cookie.
        credentials: bool,
    },
}

/// Where pushes go (`contract/push-rules-scheduler.md` P1).
#[derive(Debug, Clone, Default)]
pub struct OutboundPolicy {
    /// The base of the MeoW service, without a slash at its end.
    pub meow_base_url: String,
    /// Hosts reached by https.
    pub allowed_hosts: Vec<String>,
    /// `host:port` pairs reached in any way.
    pub trusted_hosts: Vec<String>,
}

/// The configuration of a process.
#[derive(Debug, Clone)]
pub struct Config {
    /// Function or local server.
    pub runtime: Runtime,
    /// Where `local` listens.
    pub host: String,
    /// Where `local` listens.
    pub port: u16,
    /// Where `local` keeps its files.
    pub data_dir: PathBuf,
    /// Signs the login tokens.
    pub jwt_secret: Secret,
    /// The service token; `None` when those routes are off.
    pub ba_token: Option<Secret>,
    /// Who may call from other origins.
    pub cors: CorsPolicy,
    /// Whether the login cookie is sent over https only.
    pub cookie_secure: bool,
    /// The zone of "today".
    pub zone: TimeZone,
    /// The relational database.
    pub database: db::Options,
    /// The vector store; `None` when none is configured.
    pub vector_store: Option<VectorStore>,
    /// Where files are.
    pub files: storage::Settings,
    /// Whether `local` does the scheduled work.
    pub schedules: bool,
    /// A built web client that `local` serves.
    pub web_dir: Option<PathBuf>,
    /// Where pushes go.
    pub outbound: OutboundPolicy,
    /// Chat and embedding models.
    pub models: Models,
    /// Speech recognition.
    pub speech: Speech,
    /// Text recognition.
    pub ocr: Ocr,
    /// Where the releases of the apps are.
    pub releases: Releases,
}

/// What is wrong with the configuration, all of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has problems:\n{}", .0.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<String>);

/// The variables that a configuration is read from. Empty values count as unset.
#[derive(Clone)]
pub struct Variables {
    values: HashMap<String, String>,
    problems: Vec<String>,
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        let values = variables.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect();
        Self { values, problems: Vec::new() }
    }
}

impl Variables {
    /// Reads the environment of the process; `fallback` is used for what it does not set.
    #[must_use]
    pub fn from_environment(fallback: impl IntoIterator<Item = (String, String)>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "this module is the one that reads the environment")]
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(_, value)| !value.trim().is_empty());
        fallback.into_iter().chain(environment).collect()
    }

    /// Returns a variable that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.trim())
    }

    /// Sets a variable, whatever it was.
    pub fn set(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), value);
    }

    /// Sets a variable unless it is set.
    pub fn set_default(&mut self, name: &str, value: String) {
        self.values.entry(name.to_owned()).or_insert(value);
    }

    fn text(&self, name: &str, default: &str) -> String {
        self.get(name).unwrap_or(default).to_owned()
    }

    fn number<T: FromStr>(&mut self, name: &str, default: T) -> T {
        let Some(text) = self.get(name) else { return default };
        if let Ok(number) = text.parse() {
            return number;
        }
        self.problems.push(format!("{name} must be a whole number that fits, not {text:?}"));
        default
    }

    fn one_of<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.get(name)?;
        let chosen = choices.iter().find(|(choice, _)| *choice == text).map(|(_, value)| *value);
        if chosen.is_none() {
            let names: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
            self.problems.push(format!("{name} must be one of {}, not {text:?}", names.join(", ")));
        }
        chosen
    }

    fn list(&self, name: &str) -> Vec<String> {
        let items = self.get(name).unwrap_or_default().split(',').map(str::trim);
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// Contract: only the exact text `true` enables (contract/configuration.md).
    fn enabled(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// Contract: anything but the exact text `false` enables (contract/configuration.md).
    fn enabled_unless_false(&self, name: &str) -> bool {
        self.get(name) != Some("false")
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).map(|value| Secret(value.to_owned()))
    }

    /// Returns the base of an API, without a slash at its end.
    fn base_url(&mut self, name: &str, default: &str) -> String {
        let text = self.text(name, default).trim_end_matches('/').to_owned();
        let is_http = Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !is_http {
            self.problems.push(format!("{name} must be a URL that begins with https:// or http://"));
        }
        text
    }
}

impl Config {
    /// Reads the configuration of a process.
    ///
    /// # Errors
    /// [`Problems`] lists everything that is missing or wrong.
    pub fn read(runtime: Runtime, mut variables: Variables) -> Result<Self, Problems> {
        let vars = &mut variables;
        let production = is_production(vars, runtime);
        let data_dir = PathBuf::from(vars.text("DATA_DIR", ".data"));
        let zone = vars.text("LOCALE_TIMEZONE", "Asia/Shanghai");
        let zone = TimeZone::get(&zone).unwrap_or_else(|_| {
            vars.problems
                .push(format!("LOCALE_TIMEZONE must be an IANA zone such as Asia/Shanghai, not {zone:?}"));
            TimeZone::UTC
        });
        let cookie_secure = vars.one_of("COOKIE_SECURE", &[("true", true), ("false", false)]);
        let config = Self {
            runtime,
            host: vars.text("HOST", "127.0.0.1"),
            port: vars.number("PORT", 9000),
            jwt_secret: jwt_secret(vars),
            ba_token: ba_token(vars),
            cors: cors(vars),
            cookie_secure: cookie_secure.unwrap_or(production),
            zone,
            database: database(vars, runtime, production, &data_dir),
            vector_store: VectorStore::read(vars, runtime, &data_dir),
            files: files::read(vars, runtime, &data_dir),
            schedules: vars.enabled_unless_false("SCHEDULES_ENABLED"),
            web_dir: vars.get("WEB_DIR").map(PathBuf::from),
            outbound: OutboundPolicy {
                meow_base_url: vars.base_url("MEOW_BASE_URL", "https://api.chuckfang.com"),
                allowed_hosts: vars.list("PUSH_ALLOWED_HOSTS"),
                trusted_hosts: trusted_hosts(vars, runtime),
            },
            models: Models::read(vars, runtime),
            speech: Speech::read(vars),
            ocr: Ocr::read(vars),
            releases: Releases::read(vars),
            data_dir,
        };
        if let Some(file) = config.database.url.strip_prefix("sqlite:") {
            let file = Path::new(file.trim_start_matches("//"));
            files::require_mount(vars, runtime, "The file of DATABASE_URL", file);
        }
        if variables.problems.is_empty() { Ok(config) } else { Err(Problems(variables.problems)) }
    }
}

/// Reads the settings of the database alone, for a process that needs nothing else.
///
/// # Errors
/// [`Problems`] lists everything that is missing or wrong.
pub fn read_database(runtime: Runtime, mut variables: Variables) -> Result<db::Options, Problems> {
    let production = is_production(&variables, runtime);
    let data_dir = PathBuf::from(variables.text("DATA_DIR", ".data"));
    let options = database(&mut variables, runtime, production, &data_dir);
    if variables.problems.is_empty() { Ok(options) } else { Err(Problems(variables.problems)) }
}

fn is_production(vars: &Variables, runtime: Runtime) -> bool {
    match vars.get("APP_ENV").or_else(|| vars.get("NODE_ENV")) {
        Some(name) => name == "production",
        None => runtime == Runtime::Lambda,
    }
}

/// Returns the log filter, which is needed before the rest of the configuration is known to be right.
#[must_use]
pub fn log_filter(vars: &Variables) -> String {
    let level = vars.text("AIMO_LOG_LEVEL", "info");
    let refinements = vars.get("RUST_LOG").unwrap_or_default().split(',').map(str::trim);
    let directives: Vec<&str> =
        std::iter::once(level.as_str()).chain(refinements).filter(|directive| !directive.is_empty()).collect();
    directives.join(",")
}

fn jwt_secret(vars: &mut Variables) -> Secret {
    let secret = vars.text("JWT_SECRET", "");
    if secret.is_empty() {
        vars.problems.push("JWT_SECRET is missing: a random text of at least 32 bytes".to_owned());
    } else if secret.len() < 32 {
        vars.problems.push(format!("JWT_SECRET must have at least 32 bytes, it has {}", secret.len()));
    }
    secret.into()
}

fn ba_token(vars: &mut Variables) -> Option<Secret> {
    if !vars.enabled("BA_AUTH_ENABLED") {
        return None;
    }
    let token = vars.get("BA_AUTH_TOKEN").map(str::to_owned);
    if token.is_none() {
        vars.problems.push("BA_AUTH_TOKEN is missing, but BA_AUTH_ENABLED is true".to_owned());
    }
    token.map(Secret::from)
}

fn cors(vars: &Variables) -> CorsPolicy {
    match vars.list("CORS_ORIGIN") {
        origins if origins.is_empty() => CorsPolicy::AnyOrigin,
        origins => CorsPolicy::Origins { origins, credentials: vars.enabled("CORS_CREDENTIALS") },
    }
}

fn trusted_hosts(vars: &mut Variables, runtime: Runtime) -> Vec<String> {
    let hosts = vars.list("OUTBOUND_TRUSTED_HOSTS");
    if runtime == Runtime::Lambda && !hosts.is_empty() {
        vars.problems.push("OUTBOUND_TRUSTED_HOSTS must not be set in Lambda".to_owned());
    }
    hosts
}

fn database(vars: &mut Variables, runtime: Runtime, production: bool, data_dir: &Path) -> db::Options {
    let chosen = vars.one_of(
        "DATABASE_TYPE",
        &[("mysql", Dialect::MySql), ("postgresql", Dialect::Postgres), ("sqlite", Dialect::Sqlite)],
    );
    let url = match vars.get("DATABASE_URL") {
        Some(url) => Some(url.to_owned()),
        None => url_of_parameters(vars, chosen),
    };
    let url = url.or_else(|| {
        (runtime == Runtime::Local).then(|| format!("sqlite://{}", data_dir.join("aimo.db").display()))
    });
    match url.as_deref().map(db::dialect_of) {
        None => vars.problems.push("DATABASE_URL is missing".to_owned()),
        Some(Err(problem)) => vars.problems.push(format!("DATABASE_URL: {problem}")),
        Some(Ok(dialect)) if chosen.is_some_and(|chosen| chosen != dialect) => {
            vars.problems.push("DATABASE_TYPE and DATABASE_URL name different databases".to_owned());
        }
        Some(Ok(_)) => {}
    }
    let url = url.unwrap_or_default();
    let names_ssl_mode = url.contains("sslmode=") || url.contains("ssl-mode=");
    let ssl_mode = vars.one_of(
        "DATABASE_SSL_MODE",
        &[
            ("disable", SslMode::Disable),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ],
    );
    let journal =
        vars.one_of("SQLITE_JOURNAL_MODE", &[("wal", SqliteJournal::Wal), ("truncate", SqliteJournal::Truncate)]);
    let (pool_size, default_journal) = match runtime {
        Runtime::Lambda => (1, SqliteJournal::Truncate),
        Runtime::Local => (10, SqliteJournal::Wal),
    };
    db::Options {
        pool_size: vars.number("DATABASE_POOL_SIZE", pool_size).max(1),
        acquire_timeout: Duration::from_millis(vars.number("DATABASE_ACQUIRE_TIMEOUT_MS", 5000)),
        idle_timeout: Duration::from_secs(vars.number("DATABASE_IDLE_TIMEOUT_S", 300)),
        ssl_mode: ssl_mode.or((production && !names_ssl_mode).then_some(SslMode::VerifyFull)),
        ssl_ca: vars.get("DATABASE_SSL_CA").map(PathBuf::from),
        sqlite_journal: journal.unwrap_or(default_journal),
        url,
    }
}

/// Builds a URL of the single parameters. They are used when the type names them, or when a host,
/// database or path is given.
fn url_of_parameters(vars: &Variables, chosen: Option<Dialect>) -> Option<String> {
    let server = |prefix: &str, scheme: &str, port: &str, user: &str| {
        let text = |name: &str, default: &str| vars.text(&format!("{prefix}_{name}"), default);
        let encoded = |text: String| utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
        format!(
            "{scheme}://{}:{}@{}:{}/{}",
            encoded(text("USERNAME", user)),
            encoded(text("PASSWORD", "")),
            text("HOST", "localhost"),
            text("PORT", port),
            encoded(text("DATABASE", "aimo")),
        )
    };
    let given = |names: &[&str]| names.iter().any(|name| vars.get(name).is_some());
    let wants = |dialect: Dialect, names: &[&str]| chosen == Some(dialect) || chosen.is_none() && given(names);
    if wants(Dialect::Postgres, &["DATABASE_POSTGRES_HOST", "DATABASE_POSTGRES_DATABASE"]) {
        Some(server("DATABASE_POSTGRES", "postgres", "5432", "postgres"))
    } else if wants(Dialect::MySql, &["DATABASE_MYSQL_HOST", "DATABASE_MYSQL_DATABASE"]) {
        Some(server("DATABASE_MYSQL", "mysql", "3306", "root"))
    } else if given(&["DATABASE_SQLITE_PATH"]) {
        Some(format!("sqlite://{}", vars.text("DATABASE_SQLITE_PATH", "./aimo.db")))
    } else {
        None
    }
}

/// Returns the text of `.env.example`.
#[must_use]
pub fn env_example() -> String {
    let mut text = String::from(
        "# Every setting, with its default or an example. Copy to .env, which `local` reads, and uncomment\n\
         # what you change. Real environment variables win. Generated from shared/src/config.rs.\n",
    );
    for Setting { name, example, help } in SETTINGS {
        text.extend(["\n# ", help, "\n#", name, "=", example, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::storage::{Location, StorageType};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn read(runtime: Runtime, pairs: &[(&str, &str)]) -> Result<Config, Problems> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::read(runtime, pairs.collect())
    }

    #[test]
    fn the_log_filter_is_read_with_blanks_and_empty_parts() {
        let filter = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            log_filter(&pairs.collect())
        };
        assert_eq!(filter(&[]), "info");
        assert_eq!(filter(&[("RUST_LOG", "hyper=warn, sqlx=debug,")]), "info,hyper=warn,sqlx=debug");
        assert_eq!(filter(&[("AIMO_LOG_LEVEL", "warn"), ("RUST_LOG", "debug")]), "warn,debug");
    }

    #[test]
    fn all_problems_are_reported_together() {
        let pairs = [("PORT", "many"), ("BA_AUTH_ENABLED", "true"), ("LOCALE_TIMEZONE", "Mars/Base")];
        let Problems(problems) = read(Runtime::Lambda, &pairs).unwrap_err();
        for name in ["PORT", "BA_AUTH_TOKEN", "LOCALE_TIMEZONE", "JWT_SECRET", "DATABASE_URL"] {
            assert!(problems.iter().any(|problem| problem.contains(name)), "{name}: {problems:?}");
        }
    }

    #[test]
    fn a_number_that_does_not_parse_is_an_error_and_zero_is_not() {
        let problems = read(Runtime::Local, &[("JWT_SECRET", SECRET), ("PORT", "")]);
        assert_eq!(problems.unwrap().port, 9000);
        assert_eq!(read(Runtime::Local, &[("JWT_SECRET", SECRET), ("PORT", "0")]).unwrap().port, 0);
        assert!(read(Runtime::Local, &[("JWT_SECRET", SECRET), ("PORT", "70000")]).is_err());
    }

    #[test]
    fn single_parameters_are_encoded_into_a_url() {
        let config = read(
            Runtime::Local,
            &[("JWT_SECRET", SECRET), ("DATABASE_TYPE", "mysql"), ("DATABASE_MYSQL_PASSWORD", "p@ss/w")],
        );
        assert_eq!(config.unwrap().database.url, "mysql://root:p%40ss%2Fw@localhost:3306/aimo");
    }

    #[test]
    fn the_type_must_agree_with_the_url() {
        let pairs = [("JWT_SECRET", SECRET), ("DATABASE_TYPE", "mysql"), ("DATABASE_URL", "postgres://h/d")];
        assert!(read(Runtime::Lambda, &pairs).is_err());
        assert!(read(Runtime::Lambda, &[("JWT_SECRET", SECRET), ("DATABASE_URL", "oracle://h/d")]).is_err());
    }

    #[test]
    fn production_checks_certificates_unless_told_otherwise() {
        let mode = |url| {
            let config = read(Runtime::Lambda, &[("JWT_SECRET", SECRET), ("DATABASE_URL", url)]).unwrap();
            config.database.ssl_mode
        };
        assert_eq!(mode("postgres://h/d"), Some(SslMode::VerifyFull));
        assert_eq!(mode("postgres://h/d?sslmode=disable"), None);
    }

    #[test]
    fn files_are_local_by_default_and_need_what_their_storage_needs() {
        let files = |runtime, pairs: &[(&str, &str)]| {
            let base = [("JWT_SECRET", SECRET), ("DATABASE_URL", "postgres://h/d")];
            read(runtime, &[&base, pairs].concat()).map(|config| config.files)
        };
        let local = files(Runtime::Local, &[("DATA_DIR", "/d")]).unwrap();
        assert_eq!((local.current, local.local_root), (Some(Location::local()), "/d/attachments".into()));
        assert_eq!(files(Runtime::Lambda, &[]).unwrap().current, None);
        let s3 = [("ATTACHMENT_S3_BUCKET", "b"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let current = files(Runtime::Lambda, &s3).unwrap().current.unwrap();
        assert_eq!((current.storage, current.is_public), (StorageType::S3, Some(false)));
        for wrong in [
            &[("ATTACHMENT_STORAGE_TYPE", "s3")][..],
            &[("ATTACHMENT_STORAGE_TYPE", "oss"), ("ATTACHMENT_OSS_BUCKET", "b")],
            &[("ATTACHMENT_STORAGE_TYPE", "local"), ("ATTACHMENT_LOCAL_PATH", "/tmp/x")],
            &[("ATTACHMENT_S3_BUCKET", "b"), ("ATTACHMENT_S3_ACCESS_KEY_ID", "a")],
            &[("ATTACHMENT_PRESIGNED_URL_EXPIRY", "0")],
        ] {
            assert!(files(Runtime::Lambda, wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_function_keeps_nothing_outside_of_its_mount() {
        let read = |pairs: &[(&str, &str)]| {
            let base = [("JWT_SECRET", SECRET), ("DATABASE_URL", "sqlite:///mnt/aimo/aimo.db")];
            read(Runtime::Lambda, &[&base, pairs].concat()).is_ok()
        };
        let mount = ("EFS_MOUNT_PATH", "/mnt/aimo");
        assert!(read(&[mount, ("LANCEDB_URI", "/mnt/aimo/lancedb")]));
        assert!(read(&[mount, ("LANCEDB_URI", "s3://bucket/lancedb")]));
        for lost in [
            &[][..],
            &[mount, ("LANCEDB_URI", "/tmp/lancedb")],
            &[mount, ("LANCEDB_PATH", "lancedb")],
            &[mount, ("DATABASE_URL", "sqlite:///tmp/aimo.db")],
        ] {
            assert!(!read(lost), "{lost:?}");
        }
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let config = read(Runtime::Local, &[("JWT_SECRET", SECRET)]).unwrap();
        assert!(!format!("{:?}", config.jwt_secret).contains(SECRET));
    }

    #[test]
    fn every_setting_of_the_example_is_read_by_the_parser_and_the_other_way_round() {
        let source = include_str!("config.rs");
        let (_, parser) = source.split_once("pub struct Secret").unwrap();
        let (parser, _) = parser.split_once("#[cfg(test)]").unwrap();
        let providers = include_str!("config/providers.rs");
        let (providers, _) = providers.split_once("#[cfg(test)]").unwrap();
        let (files, migration) = (include_str!("config/files.rs"), include_str!("config/migration.rs"));
        let (secrets, vectors) = (include_str!("config/secrets.rs"), include_str!("config/vectors.rs"));
        let parser = [parser, files, migration, providers, secrets, vectors].concat();
        let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        for name in &known {
            let may_be_composed = ["DATABASE_", "ATTACHMENT_"].iter().any(|start| name.starts_with(start));
            let ends = name.match_indices('_').filter(|_| may_be_composed).map(|(at, _)| &name[at + 1..]);
            let read = std::iter::once(*name).chain(ends).any(|text| parser.contains(&format!("\"{text}\"")));
            assert!(read, "{name} is listed but not read");
        }
        for quoted in parser.split('"').filter(|text| text.contains('_') && !text.contains(' ')) {
            let is_name = quoted.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            let is_part = known.iter().any(|name| name.starts_with(quoted) || name.ends_with(quoted));
            assert!(!is_name || is_part || quoted == "NODE_ENV", "{quoted} is read but not listed");
        }
    }

    #[test]
    fn the_example_file_is_up_to_date() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../.env.example");
        let written = std::fs::read_to_string(file).unwrap_or_default();
        assert_eq!(written, env_example(), "run `cargo run --bin local -- --env-example > .env.example`");
    }
}
