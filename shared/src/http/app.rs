//! The state of a router.

use std::{ops::Deref, sync::Arc};

use crate::{
    Context,
    clock::{Clock, SystemClock},
    config::Config,
    db::Database,
    ids::{Random, SystemRandom},
    services::{files::Files, tokens::Tokens},
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
        Ok(Self(Arc::new(State { context, config, tokens })))
    }
}
