//! Whether the database and the vector store can be reached
//! (`contract/ai-asr-ocr-system.md`, Health).

use std::{sync::Arc, time::Duration};

use sea_query::{Expr, Query};

use crate::{
    Context,
    clients::{
        Call, Http, Patience,
        storage::{Location, StorageType, presigned::presigned_get},
    },
    clock::Millis,
    config::VectorStore,
};

/// How long each check may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The most bytes of a listing with one name.
const MAX_LISTING: usize = 64 * 1024;

/// Reports whether the database answers and has the schema of this version. Why not is only logged.
pub async fn database(ctx: &Context) -> bool {
    let db = ctx.db.clone();
    // A task of its own: the statement is not abandoned when the time is up.
    let check = tokio::spawn(async move {
        let select = Query::select().expr(Expr::val(1)).to_owned();
        db.fetch_one::<(i32,)>("health.database", &select).await
    });
    match tokio::time::timeout(TIMEOUT, check).await {
        Ok(Ok(Ok(_))) => true,
        Ok(Ok(Err(error))) => {
            tracing::warn!(error = %error, "health.database_failed");
            false
        }
        Ok(Err(_)) | Err(_) => {
            tracing::warn!(timeout_ms = 3000, "health.database_timed_out");
            false
        }
    }
}

/// Reports whether the vector store can be listed. A store that is not configured, or that nobody has written to
/// yet, counts as reachable.
pub async fn vector_store<'a>(
    store: Option<&VectorStore>,
    http: impl FnOnce() -> &'a Arc<dyn Http>,
    now: Millis,
) -> bool {
    let Some(store) = store else { return true };
    let listed = async {
        match store.uri.strip_prefix("s3://") {
            Some(place) => list_bucket(store, place, &**http(), now).await,
            None => list_directory(store.uri.strip_prefix("file://").unwrap_or(&store.uri)).await,
        }
    };
    match tokio::time::timeout(TIMEOUT, listed).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(error, "health.vector_store_failed");
            false
        }
        Err(_) => {
            tracing::warn!(timeout_ms = 3000, "health.vector_store_timed_out");
            false
        }
    }
}

async fn list_directory(directory: &str) -> Result<(), String> {
    match tokio::fs::read_dir(directory).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Asks for one name below the prefix of the store.
async fn list_bucket(store: &VectorStore, place: &str, http: &dyn Http, now: Millis) -> Result<(), String> {
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let location = Location {
        bucket: Some(bucket.to_owned()),
        endpoint: store.endpoint.clone(),
        region: Some(store.region.clone().unwrap_or_else(|| "us-east-1".to_owned())),
        ..Location::local()
    };
    let location = Location { storage: StorageType::S3, ..location };
    // As LanceDB addresses an endpoint of one's own.
    let address = location.address(store.endpoint.is_some().then_some(true)).map_err(|error| error.to_string())?;
    let credentials = store.credentials.as_ref().ok_or("AWS_ACCESS_KEY_ID is not set")?;
    let parameters = [("list-type", "2"), ("max-keys", "1"), ("prefix", prefix)];
    let url = presigned_get(credentials, &address, "", &parameters, TIMEOUT.as_secs(), now);
    let patience = Patience { total: TIMEOUT, retries: 0 };
    let answer = http.send(&Call::get(url, patience, MAX_LISTING)).await.map_err(|failure| failure.to_string())?;
    if answer.is_success() { Ok(()) } else { Err(format!("the bucket answers with status {}", answer.status)) }
}
