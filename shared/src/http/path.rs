//! The id in a path.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use crate::{Error, Result};

/// The id in the path of a request, percent-decoded. There is no format: an unknown id is simply not
/// found (`contract/http-conventions.md` section 9).
#[derive(Debug, Clone)]
pub struct PathId<T>(pub T);

impl<S: Send + Sync, T: From<String>> FromRequestParts<S> for PathId<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let unreadable = |_| Error::Unreadable { status: 400, message: "The path cannot be decoded".into() };
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(unreadable)?;
        if id.is_empty() {
            return Err(Error::NoRoute);
        }
        Ok(Self(id.into()))
    }
}
