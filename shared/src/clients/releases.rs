//! The newest releases of the apps, from GitHub (`contract/ai-asr-ocr-system.md`, System).

use std::{sync::Arc, time::Duration};

use serde::Deserialize;

use super::{Call, Http, Patience};
use crate::config::Releases;

/// How much a look-up may cost (S1).
const PATIENCE: Patience = Patience { total: Duration::from_secs(5), retries: 0 };

/// The most bytes of an answer, which lists every file of the release.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

#[derive(Deserialize)]
struct Release {
    tag_name: Option<String>,
}

/// Returns the version of the newest release of a repository.
///
/// # Errors
/// The text says why there is none, as the contract words it.
pub async fn latest(http: &Arc<dyn Http>, releases: &Releases, repository: &str) -> Result<String, String> {
    let url = format!("{}/repos/{repository}/releases/latest", releases.base_url);
    let call = Call::get(url, PATIENCE, MAX_ANSWER_BYTES)
        .header("Accept", "application/vnd.github.v3+json")
        .header("User-Agent", "AIMO-App/1.0");
    let call = releases.token.iter().fold(call, Call::bearer);
    let answer = http.send(&call).await.map_err(|failure| failure.to_string())?;
    match answer.status {
        404 => return Err(format!("No releases found for {repository}")),
        403 | 429 => return Err("GitHub API rate limit exceeded".to_owned()),
        status if !answer.is_success() => return Err(format!("GitHub API error: {status} {}", answer.reason())),
        _ => {}
    }
    let tag = answer.json::<Release>().ok().and_then(|release| release.tag_name).filter(|tag| !tag.is_empty());
    let tag = tag.ok_or("Invalid response from GitHub API")?;
    Ok(tag.strip_prefix('v').unwrap_or(&tag).to_owned())
}
