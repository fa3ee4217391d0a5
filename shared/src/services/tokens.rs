//! Login tokens: HS256, 90 days, no revocation (`contract/http-conventions.md` section 4).

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::ErrorKind,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;
use signature::{Signer, Verifier};

use crate::{Error, Result, clock::Millis, db, ids::Uid};

/// The name of the login cookie.
pub const COOKIE: &str = "aimo_token";

/// How long a token lives, in seconds.
pub const LIFETIME_SECONDS: i64 = 90 * 24 * 60 * 60;

/// Returns the login cookie: the value of a `Set-Cookie` header.
#[must_use]
pub fn cookie(token: &str, now: Millis, secure: bool) -> String {
    let expires = jiff::Timestamp::from_second(now.div_euclid(1000) + LIFETIME_SECONDS).unwrap_or_default();
    let expires = expires.strftime("%a, %d %b %Y %H:%M:%S GMT");
    let secure = if secure { "; Secure" } else { "" };
    format!(
        "{COOKIE}={token}; Max-Age={LIFETIME_SECONDS}; Path=/; Expires={expires}; HttpOnly{secure}; SameSite=Lax"
    )
}

#[derive(Serialize, Deserialize)]
struct Claims {
    /// A text in tokens of our own.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    uid: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

/// HMAC with SHA-256 and nothing else: the cryptography that the library brings knows every algorithm, and would be a
/// twentieth of a small function.
static HS256: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Hs256::new(*algorithm, key.as_bytes())?)),
    verifier_factory: |algorithm, key| Ok(Box::new(Hs256::new(*algorithm, key.try_get_as_bytes()?)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: Algorithm, key: &[u8]) -> jsonwebtoken::errors::Result<Self> {
        match Hmac::new_from_slice(key) {
            Ok(hmac) if algorithm == Algorithm::HS256 => Ok(Self(hmac)),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        }
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, text: &[u8]) -> signature::Result<Vec<u8>> {
        Ok(self.0.clone().chain_update(text).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, text: &[u8], signature: &Vec<u8>) -> signature::Result<()> {
        let hmac = self.0.clone().chain_update(text);
        hmac.verify_slice(signature).map_err(signature::Error::from_source)
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

/// Makes and checks login tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Tokens {
    /// Takes the secret that signs the tokens.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        // A second call changes nothing.
        let _ = HS256.install_default();
        Self {
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
        }
    }

    /// Makes a token for a user.
    ///
    /// # Errors
    /// The token cannot be encoded, which does not happen.
    pub fn issue(&self, uid: &Uid, now: Millis) -> Result<String> {
        let iat = now.div_euclid(1000);
        let claims =
            Claims { uid: uid.as_str().into(), iat: Some(iat), exp: Some(iat + LIFETIME_SECONDS), nbf: None };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|error| Error::Database(db::Error::Internal(format!("a token cannot be signed: {error}"))))
    }

    /// Checks signature, algorithm and times. The outer `None` is an invalid token, the inner one a
    /// valid token that names nobody.
    #[must_use]
    pub fn verify(&self, token: &str, now: Millis) -> Option<Option<Uid>> {
        let mut validation = Validation::new(Algorithm::HS256);
        // The times are compared with the clock of the product, below.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation).ok()?.claims;
        let now = now.div_euclid(1000);
        let is_current = claims.exp.is_none_or(|exp| now < exp) && claims.nbf.is_none_or(|nbf| nbf <= now);
        is_current.then(|| claims.uid.as_str().map(Uid::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_ninety_days() {
        let tokens = Tokens::new("0123456789abcdef0123456789abcdef");
        let token = tokens.issue(&"u1".into(), 0).unwrap();
        assert_eq!(tokens.verify(&token, 0), Some(Some("u1".into())));
        assert!(tokens.verify(&token, LIFETIME_SECONDS * 1000 - 1).is_some());
        assert!(tokens.verify(&token, LIFETIME_SECONDS * 1000).is_none());
    }

    #[test]
    fn a_signed_token_is_valid_whatever_else_it_says() {
        let secret = "0123456789abcdef0123456789abcdef";
        let sign = |claims: Value| {
            let key = EncodingKey::from_secret(secret.as_bytes());
            jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap()
        };
        let verify = |claims| Tokens::new(secret).verify(&sign(claims), 0);
        assert_eq!(verify(serde_json::json!({"uid": "u1", "aud": "x", "iss": "y"})), Some(Some("u1".into())));
        for nobody in [serde_json::json!({}), serde_json::json!({"uid": 5}), serde_json::json!({"uid": null})] {
            assert_eq!(verify(nobody), Some(None));
        }
        assert_eq!(verify(serde_json::json!({"uid": "u1", "exp": 0})), None);
    }

    #[test]
    fn a_token_of_another_secret_or_algorithm_is_invalid() {
        let tokens = Tokens::new("0123456789abcdef0123456789abcdef");
        let other = Tokens::new("another secret of thirty-two bytes").issue(&"u1".into(), 0).unwrap();
        assert!(tokens.verify(&other, 0).is_none());
        let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ1aWQiOiJ1MDAwIn0.";
        assert!(tokens.verify(unsigned, 0).is_none());
    }
}
