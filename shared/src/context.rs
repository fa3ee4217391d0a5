//! What every service needs from the outside world, in one place.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::{
    clock::{Clock, Millis},
    db::Database,
    ids::Random,
    services::files::Files,
};

/// The dependencies of the services: the database, the time, randomness, and what the configuration
/// says about them. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The relational database.
    pub db: Database,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for ids and for drawing lots.
    pub random: Arc<dyn Random>,
    /// The zone of "today" (`LOCALE_TIMEZONE`).
    pub zone: TimeZone,
    /// Where files are, and their access URLs.
    pub files: Files,
}

impl Context {
    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.clock.now()
    }
}
