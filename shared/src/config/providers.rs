//! Settings of the providers: models, speech, text recognition, releases
//! (`contract/configuration.md` sections 4, 5 and 9).

use std::time::Duration;

use super::{Runtime, Secret, Variables, files::role_credentials};
use crate::clients::storage::Credentials;

/// Who answers as a chat model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelProvider {
    /// An OpenAI-compatible API.
    OpenAi,
    /// Amazon Bedrock.
    Bedrock,
}

/// Who embeds texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddingProvider {
    /// An OpenAI-compatible API.
    OpenAi,
    /// Amazon Bedrock.
    Bedrock,
    /// The process itself, by letters and not by meaning.
    Local,
}

/// Chat and embedding models.
#[derive(Debug, Clone)]
pub struct Models {
    /// Who answers as a chat model.
    pub chat: ModelProvider,
    /// Who embeds texts.
    pub embedding: EmbeddingProvider,
    /// The size of the vectors.
    pub dimensions: usize,
    /// How long a call may take, retries included.
    pub timeout: Duration,
    /// The OpenAI-compatible API.
    pub openai: OpenAiSettings,
    /// Amazon Bedrock.
    pub bedrock: BedrockSettings,
}

/// An OpenAI-compatible API.
#[derive(Debug, Clone)]
pub struct OpenAiSettings {
    /// The base of the API, without a slash at its end.
    pub base_url: String,
    /// The key; needed when the API is first called.
    pub key: Option<Secret>,
    /// The chat model.
    pub chat_model: String,
    /// The embedding model.
    pub embedding_model: String,
}

/// Amazon Bedrock.
#[derive(Debug, Clone, Default)]
pub struct BedrockSettings {
    /// The region; needed unless there is another endpoint.
    pub region: Option<String>,
    /// Who asks; `None` also when Bedrock is not used.
    pub credentials: Option<Credentials>,
    /// A key that is used instead.
    pub key: Option<Secret>,
    /// Another endpoint.
    pub endpoint: Option<String>,
    /// The chat model.
    pub chat_model: Option<String>,
    /// The embedding model.
    pub embedding_model: Option<String>,
}

/// Speech recognition (`contract/ai-asr-ocr-system.md`).
#[derive(Debug, Clone)]
pub struct Speech {
    /// Whether it is switched on.
    pub enabled: bool,
    /// The key.
    pub key: Option<Secret>,
    /// The base of the API, without a slash at its end.
    pub base_url: String,
    /// The model.
    pub model: String,
    /// How long the waiting routes wait.
    pub wait: Duration,
    /// How long a call may take, retries included.
    pub timeout: Duration,
}

/// Text recognition (`contract/ai-asr-ocr-system.md`).
#[derive(Debug, Clone)]
pub struct Ocr {
    /// Whether it is switched on.
    pub enabled: bool,
    /// The key of Zhipu, the only provider.
    pub key: Option<Secret>,
    /// The base of the API, without a slash at its end.
    pub base_url: String,
}

/// Where the releases of the apps are (`contract/ai-asr-ocr-system.md`, System).
#[derive(Debug, Clone)]
pub struct Releases {
    /// The base of the API, without a slash at its end.
    pub base_url: String,
    /// Raises the limit on look-ups.
    pub token: Option<Secret>,
    /// The repository of the desktop app.
    pub desktop: String,
    /// The repository of the Android app.
    pub apk: String,
}

impl Models {
    pub(super) fn read(vars: &mut Variables, runtime: Runtime) -> Self {
        let chat = [("openai", ModelProvider::OpenAi), ("bedrock", ModelProvider::Bedrock)];
        let chat = vars.one_of("CHAT_PROVIDER", &chat).unwrap_or(ModelProvider::OpenAi);
        let key = vars.secret("OPENAI_API_KEY");
        let embedding = [
            ("openai", EmbeddingProvider::OpenAi),
            ("bedrock", EmbeddingProvider::Bedrock),
            ("local", EmbeddingProvider::Local),
        ];
        // A function never falls back by itself: lexical vectors must not slip in unseen.
        let embedding = vars.one_of("EMBEDDING_PROVIDER", &embedding).unwrap_or(match runtime {
            Runtime::Local if key.is_none() => EmbeddingProvider::Local,
            Runtime::Local | Runtime::Lambda => EmbeddingProvider::OpenAi,
        });
        let is_used = chat == ModelProvider::Bedrock || embedding == EmbeddingProvider::Bedrock;
        let bedrock = BedrockSettings {
            region: vars.get("BEDROCK_REGION").or_else(|| vars.get("AWS_REGION")).map(str::to_owned),
            credentials: if is_used { role_credentials(vars) } else { None },
            key: vars.secret("AWS_BEARER_TOKEN_BEDROCK"),
            endpoint: vars.get("BEDROCK_ENDPOINT_URL").map(str::to_owned),
            chat_model: vars.get("BEDROCK_CHAT_MODEL").map(str::to_owned),
            embedding_model: vars.get("BEDROCK_EMBEDDING_MODEL").map(str::to_owned),
        };
        if is_used && bedrock.region.is_none() && bedrock.endpoint.is_none() {
            vars.problems
                .push("BEDROCK_REGION is missing, but CHAT_PROVIDER or EMBEDDING_PROVIDER is bedrock".to_owned());
        }
        if is_used && bedrock.credentials.is_none() && bedrock.key.is_none() {
            vars.problems.push(
                "AWS_ACCESS_KEY_ID or AWS_BEARER_TOKEN_BEDROCK is missing, but CHAT_PROVIDER or EMBEDDING_PROVIDER is bedrock"
                    .to_owned(),
            );
        }
        if chat == ModelProvider::Bedrock && bedrock.chat_model.is_none() {
            vars.problems.push("BEDROCK_CHAT_MODEL is missing, but CHAT_PROVIDER is bedrock".to_owned());
        }
        let is_spoken =
            |model: &String| ["titan-embed-text", "cohere.embed"].iter().any(|name| model.contains(name));
        if embedding == EmbeddingProvider::Bedrock && !bedrock.embedding_model.as_ref().is_some_and(is_spoken) {
            vars.problems.push(
                "BEDROCK_EMBEDDING_MODEL must name a Titan or Cohere model when EMBEDDING_PROVIDER is bedrock"
                    .to_owned(),
            );
        }
        Self {
            chat,
            embedding,
            dimensions: dimensions(vars),
            timeout: timeout(vars),
            openai: OpenAiSettings {
                base_url: vars.base_url("OPENAI_BASE_URL", "https://api.openai.com/v1"),
                key,
                chat_model: vars.text("OPENAI_MODEL", "gpt-4o-mini"),
                embedding_model: vars.text("OPENAI_EMBEDDING_MODEL", "text-embedding-3-small"),
            },
            bedrock,
        }
    }

    /// Says what does not work because a key is missing; `None` when nothing is.
    #[must_use]
    pub fn what_is_missing(&self) -> Option<&'static str> {
        match (self.chat, self.embedding, &self.openai.key) {
            (_, _, Some(_)) | (ModelProvider::Bedrock, EmbeddingProvider::Bedrock, None) => None,
            (ModelProvider::Bedrock, EmbeddingProvider::Local, None) => {
                Some("EMBEDDING_PROVIDER is local: the search finds words, not meaning")
            }
            (ModelProvider::OpenAi, EmbeddingProvider::Local, None) => Some(
                "OPENAI_API_KEY is not set: questions and tag suggestions fail, and the search finds words, not meaning",
            ),
            (ModelProvider::OpenAi, EmbeddingProvider::Bedrock, None) => {
                Some("OPENAI_API_KEY is not set: questions and tag suggestions fail")
            }
            (_, EmbeddingProvider::OpenAi, None) => {
                Some("OPENAI_API_KEY is not set: questions, tag suggestions or the search by meaning fail")
            }
        }
    }
}

/// Reads the size of the vectors.
pub(super) fn dimensions(vars: &mut Variables) -> usize {
    let dimensions = vars.number("OPENAI_EMBEDDING_DIMENSIONS", 1536);
    if !(1..=16_384).contains(&dimensions) {
        vars.problems.push("OPENAI_EMBEDDING_DIMENSIONS must be between 1 and 16384".to_owned());
    }
    dimensions
}

fn timeout(vars: &mut Variables) -> Duration {
    Duration::from_millis(vars.number("HTTP_TIMEOUT_MS", 25_000))
}

impl Speech {
    pub(super) fn read(vars: &mut Variables) -> Self {
        Self {
            enabled: vars.enabled_unless_false("FUN_ASR_ENABLED"),
            key: vars.secret("FUN_ASR_API_KEY").or_else(|| vars.secret("DASHSCOPE_API_KEY")),
            base_url: vars.base_url("FUN_ASR_BASE_URL", "https://dashscope.aliyuncs.com/api/v1"),
            model: vars.text("FUN_ASR_MODEL", "fun-asr"),
            wait: Duration::from_millis(vars.number("FUN_ASR_WAIT_TIMEOUT_MS", 25_000)),
            timeout: timeout(vars),
        }
    }
}

impl Ocr {
    pub(super) fn read(vars: &mut Variables) -> Self {
        // Zhipu is the only provider; another name would break every call (O7).
        vars.one_of("OCR_DEFAULT_PROVIDER", &[("zhipu", ())]);
        Self {
            enabled: vars.enabled_unless_false("OCR_ENABLED"),
            key: vars.secret("ZHIPU_API_KEY"),
            base_url: vars.base_url("ZHIPU_OCR_BASE_URL", "https://open.bigmodel.cn/api"),
        }
    }
}

impl Releases {
    pub(super) fn read(vars: &mut Variables) -> Self {
        Self {
            base_url: vars.base_url("GITHUB_API_BASE_URL", "https://api.github.com"),
            token: vars.secret("GITHUB_TOKEN"),
            desktop: repository(vars, "DESKTOP_RELEASE_REPOSITORY", "ximing/aimo"),
            apk: repository(vars, "APK_RELEASE_REPOSITORY", "ximing/aimo-app"),
        }
    }
}

/// Reads the name of a repository, which becomes a part of a URL.
fn repository(vars: &mut Variables, name: &str, default: &str) -> String {
    let text = vars.text(name, default);
    let is_word = |word: &str| {
        let is_plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        is_plain && !word.trim_matches('.').is_empty()
    };
    if text.split('/').count() != 2 || !text.split('/').all(is_word) {
        vars.problems.push(format!("{name} must be owner/repository, not {text:?}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Config, Problems},
        *,
    };

    fn read(runtime: Runtime, pairs: &[(&str, &str)]) -> Result<Config, Problems> {
        let needed = [("JWT_SECRET", "0123456789abcdef0123456789abcdef"), ("DATABASE_URL", "postgres://h/d")];
        let pairs = needed.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::read(runtime, pairs.collect())
    }

    #[test]
    fn only_the_local_process_falls_back_to_lexical_vectors_by_itself() {
        let embedding = |runtime, pairs: &[_]| read(runtime, pairs).unwrap().models.embedding;
        let key = [("OPENAI_API_KEY", "k")];
        assert_eq!(embedding(Runtime::Local, &[]), EmbeddingProvider::Local);
        assert_eq!(embedding(Runtime::Local, &key), EmbeddingProvider::OpenAi);
        assert_eq!(embedding(Runtime::Lambda, &[]), EmbeddingProvider::OpenAi);
        assert_eq!(embedding(Runtime::Lambda, &[("EMBEDDING_PROVIDER", "local")]), EmbeddingProvider::Local);
    }

    #[test]
    fn what_cannot_work_is_refused_at_the_start() {
        for (name, value, named) in [
            ("CHAT_PROVIDER", "bedrock", "BEDROCK_CHAT_MODEL"),
            ("EMBEDDING_PROVIDER", "bedrock", "BEDROCK_EMBEDDING_MODEL"),
            ("EMBEDDING_PROVIDER", "magic", "EMBEDDING_PROVIDER"),
            ("OPENAI_EMBEDDING_DIMENSIONS", "0", "OPENAI_EMBEDDING_DIMENSIONS"),
            ("OPENAI_BASE_URL", "api.openai.com", "OPENAI_BASE_URL"),
            ("OCR_DEFAULT_PROVIDER", "baidu", "OCR_DEFAULT_PROVIDER"),
            ("APK_RELEASE_REPOSITORY", "a/b/../c", "APK_RELEASE_REPOSITORY"),
            ("DESKTOP_RELEASE_REPOSITORY", "a/..", "DESKTOP_RELEASE_REPOSITORY"),
        ] {
            let pairs = [(name, value), ("AWS_REGION", "eu-central-1"), ("AWS_BEARER_TOKEN_BEDROCK", "k")];
            let Problems(problems) = read(Runtime::Lambda, &pairs).unwrap_err();
            assert!(problems.len() == 1 && problems[0].contains(named), "{problems:?}");
        }
    }

    #[test]
    fn bedrock_needs_a_region_and_somebody_who_asks() {
        let chosen = [("CHAT_PROVIDER", "bedrock"), ("BEDROCK_CHAT_MODEL", "m")];
        let Problems(problems) = read(Runtime::Lambda, &chosen).unwrap_err();
        let named = ["BEDROCK_REGION is missing", "AWS_ACCESS_KEY_ID or AWS_BEARER_TOKEN_BEDROCK is missing"];
        assert!(problems.iter().map(String::as_str).zip(named).all(|(problem, name)| problem.starts_with(name)));
        assert_eq!(problems.len(), 2, "{problems:?}");
        let role = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "eu-central-1")];
        let bedrock = |pairs: &[_]| read(Runtime::Lambda, pairs).unwrap().models.bedrock;
        assert!(bedrock(&[&chosen[..], &role].concat()).credentials.is_some());
        assert!(bedrock(&role).credentials.is_none());
    }

    #[test]
    fn keys_fall_back_and_base_urls_lose_their_slash() {
        let pairs = [("DASHSCOPE_API_KEY", "d"), ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1/")];
        let config = read(Runtime::Local, &pairs).unwrap();
        assert_eq!(config.speech.key, Some(Secret("d".to_owned())));
        assert_eq!(config.models.openai.base_url, "http://127.0.0.1:1/v1");
        assert!(!format!("{config:?}").contains("\"d\""));
    }

    #[test]
    fn a_missing_key_is_said_once_with_what_it_costs() {
        let missing = |pairs: &[_]| read(Runtime::Local, pairs).unwrap().models.what_is_missing();
        assert!(missing(&[]).unwrap().starts_with("OPENAI_API_KEY is not set"));
        assert_eq!(missing(&[("OPENAI_API_KEY", "k")]), None);
    }
}
