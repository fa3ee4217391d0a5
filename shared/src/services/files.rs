//! Access URLs of stored files: the signed file route (`contract/attachments.md` section 4).

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::Sha256;

use crate::clock::Millis;

/// The path of the signed file route; the storage key follows.
pub const ROUTE: &str = "/api/v1/files/";

/// The life of the access URL of an avatar.
const AVATAR_EXPIRY: Duration = Duration::from_hours(7 * 24);

/// What is encoded in a segment of a key: everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Makes access URLs that carry their own permission. Cheap to clone.
#[derive(Clone)]
pub struct UrlSigner {
    key: Hmac<Sha256>,
    expiry: Duration,
}

impl UrlSigner {
    /// Derives the signing key from the secret of the login tokens; `expiry` is the life of the URL of
    /// an attachment.
    #[must_use]
    pub fn new(secret: &str, expiry: Duration) -> Self {
        let mac = |key: &[u8]| {
            // HMAC takes keys of any length.
            <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap_or_else(|_| unreachable!())
        };
        let derived = mac(secret.as_bytes()).chain_update(b"aimo file urls").finalize().into_bytes();
        Self { key: mac(&derived), expiry }
    }

    /// Returns the access URL of an attachment.
    #[must_use]
    pub fn attachment_url(&self, key: &str, now: Millis) -> String {
        self.url(key, self.expiry, now)
    }

    /// Returns the access URL of an avatar: empty for none, a full URL as it is.
    #[must_use]
    pub fn avatar_url(&self, avatar: Option<&str>, now: Millis) -> String {
        match avatar {
            None | Some("") => String::new(),
            Some(url) if url.starts_with("http") => url.to_owned(),
            Some(key) => self.url(key, AVATAR_EXPIRY, now),
        }
    }

    fn url(&self, key: &str, expiry: Duration, now: Millis) -> String {
        let expires = now.div_euclid(1000) + i64::try_from(expiry.as_secs()).unwrap_or_default();
        let signature = self.key.clone().chain_update(format!("{key}\n{expires}")).finalize().into_bytes();
        let segments: Vec<String> =
            key.split('/').map(|segment| utf8_percent_encode(segment, SEGMENT).to_string()).collect();
        format!("{ROUTE}{}?expires={expires}&signature={}", segments.join("/"), hex::encode(signature))
    }
}

/// Reports whether a URL is an access URL of a storage key: clients send the URL of the current
/// avatar back when it has not changed (`contract/auth-user.md`, route 4).
#[must_use]
pub fn is_url_of(url: &str, key: &str) -> bool {
    let is_url = ["http://", "https://", ROUTE].iter().any(|start| url.starts_with(start));
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = percent_decode_str(path).decode_utf8_lossy();
    is_url && path.strip_suffix(key).is_some_and(|before| before.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> UrlSigner {
        UrlSigner::new("0123456789abcdef0123456789abcdef", Duration::from_hours(1))
    }

    #[test]
    fn urls_carry_their_expiry_and_a_signature_of_both() {
        let url = signer().attachment_url("u1/2026-01-01/读 1.png", 1_000_000);
        assert!(url.starts_with("/api/v1/files/u1/2026-01-01/%E8%AF%BB%201.png?expires=4600&signature="), "{url}");
        assert_ne!(url, signer().attachment_url("u1/2026-01-01/读 1.png", 2_000_000));
    }

    #[test]
    fn an_access_url_is_recognised_as_that_of_its_key() {
        let key = "avatar/u1/2026-01-01/a.png";
        let url = signer().avatar_url(Some(key), 0);
        assert!(is_url_of(&url, key));
        assert!(is_url_of("https://cdn.example/attachments/avatar/u1/2026-01-01/a.png?X-Amz=1", key));
        assert!(!is_url_of(&url, "avatar/u1/2026-01-01/b.png"));
        assert!(!is_url_of(key, key));
        assert_eq!(signer().avatar_url(None, 0), "");
    }
}
