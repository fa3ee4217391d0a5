//! Password hashes: bcrypt, cost 10, as the old server made them (`contract/auth-user.md`).

use crate::{Error, Result, db};

const COST: u32 = 10;

/// A hash of no password. Checking it takes as long as checking a real one, so that the time of an
/// answer does not tell whether an e-mail is registered.
const NOBODY: &str = "$2b$10$abcdefghijklmnopqrstuuUoSR5yqkwvx4GaLaiwrjgtmi1qpVyTC";

/// The length of version, cost and salt at the beginning of a hash.
const SALT_LENGTH: usize = 29;

/// A hash and the salt inside it.
pub(super) struct Hashed {
    pub hash: String,
    pub salt: String,
}

/// Hashes a password. Bytes after the 72nd are ignored.
pub(super) async fn hash(password: String) -> Result<Hashed> {
    let hash = blocking(move || bcrypt::hash(password, COST)).await??;
    let salt = hash.get(..SALT_LENGTH).unwrap_or_default().to_owned();
    Ok(Hashed { hash, salt })
}

/// Checks a password against a hash; without a hash, takes as long and returns false.
pub(super) async fn verify(password: String, hash: Option<String>) -> Result<bool> {
    let exists = hash.is_some();
    let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
    let matches = blocking(move || bcrypt::verify(password, &hash)).await?;
    // A stored text that is no hash fits no password.
    Ok(exists && matches.unwrap_or(false))
}

/// Hashing takes tens of milliseconds of CPU: it must not hold up other requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> bcrypt::BcryptResult<T> + Send + 'static,
) -> Result<Result<T>> {
    let internal = |error: String| Error::Database(db::Error::Internal(error));
    let outcome = tokio::task::spawn_blocking(work).await.map_err(|error| internal(error.to_string()))?;
    Ok(outcome.map_err(|error| internal(format!("bcrypt: {error}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_of_the_old_server_verify() {
        let Hashed { hash, salt } = hash("密码 Passw0rd".to_owned()).await.unwrap();
        assert!(hash.starts_with("$2b$10$") && hash.starts_with(&salt));
        assert!(verify("密码 Passw0rd".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!verify("passw0rd".to_owned(), Some(hash)).await.unwrap());
        assert!(!verify("x".to_owned(), Some("no hash".to_owned())).await.unwrap());
    }

    #[tokio::test]
    async fn only_72_bytes_count() {
        let Hashed { hash, .. } = hash("x".repeat(72) + "left").await.unwrap();
        assert!(verify("x".repeat(72) + "right", Some(hash)).await.unwrap());
    }

    #[test]
    fn the_hash_of_nobody_is_a_hash() {
        assert!(!bcrypt::verify("x", NOBODY).unwrap());
    }
}
