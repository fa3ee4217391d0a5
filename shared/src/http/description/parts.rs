//! The parts of the document that belong to no route.

use serde_json::{Map, Value, json};

use crate::{error::Code, services::tokens::COOKIE};

/// What holds for every route (`contract/http-conventions.md`).
pub const DESCRIPTION: &str = "\
Every JSON answer is an envelope of `code`, `msg` and `data`. The HTTP status is 200 for what was done and for \
what was refused; `code` 0 tells them apart, and the other codes say why `data` is `null`. Statuses of their own \
have only requests that are not signed in (401), cannot be read (400, 413) or meet a server that is not ready \
(500, 503), answers with the bytes of a file, and what the routes themselves say. Behind API Gateway a request over \
its limits gets a 429 without an envelope.

Times are milliseconds since 1970-01-01 UTC. A member without a value is absent from an answer, never `null`. In a \
request `null` means absent, except where it clears a value. Unknown members and parameters are ignored. Paths may \
end with a slash. Bodies may be JSON or forms with brackets (`tags[]=a`), in which numbers and booleans are text. \
Every `GET` route answers `HEAD` too.

A list in a query is written `tags=a&tags=b`, `tags[]=a&tags[]=b` or `tags[0]=a`.";

/// Answers that are the same for many routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// The request cannot be read.
    Unreadable,
    /// The body is too large.
    TooLarge,
    /// The token is missing or wrong.
    Unauthenticated,
    /// The token could not be checked.
    AuthenticationFailed,
    /// The database waits for a migration.
    SchemaMismatch,
}

impl Shared {
    const ALL: [Self; 5] = [
        Self::Unreadable,
        Self::TooLarge,
        Self::Unauthenticated,
        Self::AuthenticationFailed,
        Self::SchemaMismatch,
    ];

    /// Returns the HTTP status.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Unreadable => 400,
            Self::TooLarge => 413,
            Self::Unauthenticated => 401,
            Self::AuthenticationFailed => 500,
            Self::SchemaMismatch => 503,
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Unreadable => "The body is no JSON, a number is none, or the path cannot be decoded.",
            Self::TooLarge => "The body has too many bytes.",
            Self::Unauthenticated => "The token is missing or wrong, or its user is gone: sign in again.",
            Self::AuthenticationFailed => "The token could not be checked, since the database does not answer.",
            Self::SchemaMismatch => "The schema of the database is not the one that this version needs.",
        }
    }

    /// Returns the schema of the body.
    pub(super) fn schema(self) -> Value {
        match self {
            Self::Unauthenticated | Self::AuthenticationFailed => reference("AuthenticationFailure"),
            Self::Unreadable | Self::TooLarge | Self::SchemaMismatch => reference("Problem"),
        }
    }

    /// Returns the response in place.
    pub(super) fn reference(self) -> Value {
        json!({"$ref": format!("#/components/responses/{self:?}")})
    }
}

/// Returns the schema in place.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Returns the answers that are the same for many routes.
pub fn responses() -> Map<String, Value> {
    let response = |shared: Shared| {
        json!({
            "description": shared.description(),
            "content": {"application/json": {"schema": shared.schema()}},
        })
    };
    Shared::ALL.into_iter().map(|shared| (format!("{shared:?}"), response(shared))).collect()
}

/// Returns the ways to sign in (`contract/http-conventions.md` sections 4 and 6).
pub fn security_schemes() -> Value {
    json!({
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The token that signing in returns. The word `Bearer` may be left out.",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": "The same token, as signing in sets it. A cookie wins over the header.",
        },
        "service": {
            "type": "http",
            "scheme": "bearer",
            "description": "The service token (\"BA\") of machines, `BA_AUTH_TOKEN`, if `BA_AUTH_ENABLED` is `true`.",
        },
    })
}

/// Returns the schemas of what has no payload.
pub fn schemas() -> Map<String, Value> {
    let codes = Code::ALL.iter().map(|code| {
        let description = format!("{} `{}`", code.meaning(), code.default_message());
        json!({"const": code.number(), "description": description})
    });
    let schemas = json!({
        "Refusal": {
            "type": "object",
            "description": "Nothing was done, or nothing was found.",
            "properties": {
                "code": {"oneOf": codes.collect::<Value>()},
                "msg": {"type": "string", "description": "The text of the route, or the usual one of the code."},
                "data": {"type": "null"},
            },
            "required": ["code", "msg", "data"],
        },
        "AuthenticationFailure": {
            "type": "object",
            "description": "Nobody is signed in.",
            "properties": {"success": {"const": false}, "message": {"type": "string"}},
            "required": ["success", "message"],
        },
        "Problem": {
            "type": "object",
            "description": "The request did not reach its route.",
            "properties": {"status": {"const": "error"}, "message": {"type": "string"}},
            "required": ["status", "message"],
        },
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}
