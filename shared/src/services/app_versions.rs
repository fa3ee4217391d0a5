//! The newest versions of the apps (`contract/ai-asr-ocr-system.md`, System).

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;

use crate::{
    Context,
    clients::{Http, releases},
    clock::Millis,
    config::Releases,
    dto::app_versions::{AppVersion, Versions},
};

/// How long an answer is given again (S1).
const VERSION_KEPT: Duration = Duration::from_hours(1);
const ERROR_KEPT: Duration = Duration::from_mins(5);

/// What was looked up lately. Functions live for a short time and share their addresses, so GitHub would
/// soon refuse to answer.
#[derive(Default)]
pub struct AppVersions {
    desktop: Mutex<Remembered>,
    apk: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    /// What was answered last, and until when it is answered again.
    answer: Option<(AppVersion, Millis)>,
}

impl AppVersions {
    /// Returns the newest versions. A look-up that fails affects neither the other one nor a version that
    /// is already known.
    pub async fn latest(&self, ctx: &Context, http: &Arc<dyn Http>, releases: &Releases) -> Versions {
        let (desktop, apk) = tokio::join!(
            latest(&self.desktop, ctx, http, releases, &releases.desktop),
            latest(&self.apk, ctx, http, releases, &releases.apk),
        );
        Versions { desktop, apk }
    }
}

/// Those who ask while a look-up is under way wait for it.
async fn latest(
    remembered: &Mutex<Remembered>,
    ctx: &Context,
    http: &Arc<dyn Http>,
    releases: &Releases,
    repository: &str,
) -> AppVersion {
    let mut remembered = remembered.lock().await;
    let now = ctx.now();
    if let Some((answer, _)) = remembered.answer.as_ref().filter(|(_, until)| now < *until) {
        return answer.clone();
    }
    let (answer, kept) = match releases::latest(http, releases, repository).await {
        Ok(version) => (AppVersion::Version(version), VERSION_KEPT),
        Err(problem) => {
            tracing::warn!(repository, problem, "app_versions.not_found");
            match remembered.answer.take() {
                Some((known @ AppVersion::Version(_), _)) => (known, ERROR_KEPT),
                _ => (AppVersion::Error(problem), ERROR_KEPT),
            }
        }
    };
    let until = now.saturating_add(i64::try_from(kept.as_millis()).unwrap_or_default());
    remembered.answer = Some((answer.clone(), until));
    answer
}
