//! The state of a router.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use crate::{
    Context,
    clients::{self, ChatModel, Direct, EmbeddingModel, Guarded, Http},
    clock::{Clock, SystemClock},
    config::Config,
    db::Database,
    ids::{Random, SystemRandom},
    services::{app_versions::AppVersions, files::Files, tokens::Tokens},
};

/// Everything that the handlers of a process share. Cheap to clone; built once per cold start,
/// without any input or output.
#[derive(Clone)]
pub struct App(Arc<State>);

/// What an [`App`] holds.
pub struct State {
    /// The dependencies of the services.
    pub context: Context,
    /// The configuration.
    pub config: Config,
    /// Makes and checks login tokens.
    pub tokens: Tokens,
    /// The versions of the apps that were looked up lately.
    pub app_versions: AppVersions,
    clients: Clients,
    extensions: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

/// The clients of the outside world, each made when a handler first asks for it. They are trait objects so
/// that a function whose handlers do not ask for one does not link it.
#[derive(Default)]
struct Clients {
    http: OnceLock<Arc<dyn Http>>,
    guarded: OnceLock<Arc<dyn Http>>,
    chat: OnceLock<Arc<dyn ChatModel>>,
    embeddings: OnceLock<Arc<dyn EmbeddingModel>>,
}

impl Deref for App {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl App {
    /// Builds the state with the time and randomness of the operating system. Must be called inside a
    /// Tokio runtime, which the connection pool belongs to.
    ///
    /// # Errors
    /// The database URL cannot be read.
    pub fn new(config: Config) -> Result<Self, String> {
        Self::with(config, Arc::new(SystemClock), Arc::new(SystemRandom))
    }

    /// Builds the state with a given time and randomness.
    ///
    /// # Errors
    /// The database URL cannot be read.
    pub fn with(config: Config, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, String> {
        let context = Context {
            db: Database::open(&config.database)?,
            clock,
            random,
            zone: config.zone.clone(),
            files: Files::new(config.jwt_secret.expose(), config.files.clone()),
        };
        let tokens = Tokens::new(config.jwt_secret.expose());
        let (app_versions, clients) = (AppVersions::default(), Clients::default());
        let extensions = Mutex::default();
        Ok(Self(Arc::new(State { context, config, tokens, app_versions, clients, extensions })))
    }

    /// Returns the one value of a type that a function keeps beside the state, such as connections that this
    /// crate does not know.
    #[must_use]
    pub fn extension<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut extensions = self.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        let extension = extensions.entry(TypeId::of::<T>()).or_insert_with(|| Arc::<T>::default());
        // A value is stored under its own type.
        Arc::clone(extension).downcast().unwrap_or_default()
    }

    /// Returns what sends requests to addresses that the operator configured.
    #[must_use]
    pub fn http(&self) -> &Arc<dyn Http> {
        self.clients.http.get_or_init(|| {
            let Context { clock, random, .. } = self.context.clone();
            Arc::new(Direct::new(clock, random))
        })
    }

    /// Returns what sends requests to addresses that somebody else chose.
    #[must_use]
    pub fn guarded_http(&self) -> &Arc<dyn Http> {
        self.clients.guarded.get_or_init(|| {
            let Context { clock, random, .. } = self.context.clone();
            Arc::new(Guarded::new(self.config.outbound.trusted_hosts.clone(), clock, random))
        })
    }

    /// Returns the configured chat model.
    #[must_use]
    pub fn chat(&self) -> &dyn ChatModel {
        let open = || clients::chat::open(&self.config.models, || self.http().clone(), self.context.clock.clone());
        &**self.clients.chat.get_or_init(open)
    }

    /// Returns the configured embedding model.
    #[must_use]
    pub fn embeddings(&self) -> &dyn EmbeddingModel {
        let open =
            || clients::embeddings::open(&self.config.models, || self.http().clone(), self.context.clock.clone());
        &**self.clients.embeddings.get_or_init(open)
    }
}
