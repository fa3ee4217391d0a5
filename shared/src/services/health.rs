//! Whether the database and the vector store can be reached
//! (`contract/ai-asr-ocr-system.md`, Health).

use std::{path::Path, time::Duration};

use sea_query::{Expr, Query};

use crate::Context;

/// How long each check may take.
const TIMEOUT: Duration = Duration::from_secs(3);

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

/// Reports whether the directory of the vector store can be listed. A store that is not configured,
/// or that nobody has written to yet, counts as reachable.
pub async fn vector_store(uri: Option<&str>) -> bool {
    let Some(directory) = uri.map(|uri| uri.strip_prefix("file://").unwrap_or(uri)) else { return true };
    match tokio::time::timeout(TIMEOUT, tokio::fs::read_dir(Path::new(directory))).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => true,
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "health.vector_store_failed");
            false
        }
        Err(_) => {
            tracing::warn!(timeout_ms = 3000, "health.vector_store_timed_out");
            false
        }
    }
}
