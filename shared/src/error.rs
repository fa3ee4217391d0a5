//! The one error of services and handlers.
//!
//! [`Code`] is the table of the API's numeric codes; [`Error::outcome`] is the only place that turns
//! an error into a code, a status and a public message. Causes are logged, never sent.

use std::borrow::Cow;

use crate::{
    clients::{self, storage},
    db,
};

/// The result of services and handlers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($(#[doc = $doc:literal] $name:ident = $number:literal, $message:literal;)*) => {
        /// The numeric codes of the envelope (`contract/http-conventions.md` section 2).
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $doc] $name = $number,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the message that is sent when the route gives none.
            #[must_use]
            pub fn default_message(self) -> &'static str {
                match self {
                    $(Self::$name => $message,)*
                }
            }

            /// Returns what the code means, in English.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $doc.trim_ascii(),)*
                }
            }
        }
    };
}

codes! {
    /// A failure that has no better code.
    System = 1, "系统错误";
    /// A parameter is missing, has the wrong type or an impossible value.
    Params = 2, "参数错误";
    /// The object does not exist, or belongs to somebody else.
    NotFound = 3, "资源不存在";
    /// The caller is not signed in.
    Unauthorized = 4, "未授权";
    /// There is no user with that e-mail.
    UserNotFound = 1000, "用户不存在";
    /// The e-mail is registered already.
    UserAlreadyExists = 1001, "用户已存在";
    /// The password is wrong.
    Password = 1002, "密码错误";
    /// The database failed, or something else that nobody foresaw.
    Database = 2000, "数据库错误";
    /// The user has a category of that name.
    CategoryAlreadyExists = 3001, "类别已存在";
    /// The file is over the limit.
    FileTooLarge = 4000, "文件过大";
    /// Files of that media type are refused.
    UnsupportedFileType = 4001, "不支持的文件类型";
    /// There is no such attachment, or it belongs to somebody else.
    AttachmentNotFound = 4002, "附件不存在";
    /// A file could not be stored, read or deleted.
    Storage = 4003, "存储错误";
    /// The form of an upload cannot be read.
    FileUpload = 4004, "文件上传失败";
}

impl Code {
    /// Returns the number on the wire.
    #[must_use]
    pub fn number(self) -> i32 {
        self as i32
    }
}

/// Why a request was not served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rules of a route refuse the request: HTTP 200 with the envelope.
    #[error("refused with code {code:?}")]
    Refused {
        /// The code of the envelope.
        code: Code,
        /// The text of the route, if it has one of its own.
        message: Option<Cow<'static, str>>,
    },
    /// A dependency failed: HTTP 200 with code 2000, and the cause in the log.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// As [`Error::Database`], with the message that the route prescribes for its failures.
    #[error("{message}")]
    Failed {
        /// The public message.
        message: &'static str,
        /// What really happened.
        source: db::Error,
    },
    /// A file could not be stored, read or deleted: HTTP 200 with code 4003, and the cause in the log.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// As [`Error::Storage`], because the database failed.
    #[error("the row of a file could not be written")]
    NotStored(#[source] db::Error),
    /// A file cannot be sent as bytes: the envelope under an HTTP status of its own.
    #[error(transparent)]
    NoDownload(Box<Error>),
    /// A provider failed: HTTP 200 with code 1 and the message of the route, and the cause in the log.
    #[error("{message}")]
    Provider {
        /// The public message.
        message: Cow<'static, str>,
        /// What really happened.
        source: clients::Failure,
    },
    /// Something failed for which no route has a code, such as the vector store: HTTP 200 with code 2000, and
    /// the cause in the log (`contract/http-conventions.md` section 2).
    #[error(transparent)]
    Unforeseen(Box<dyn std::error::Error + Send + Sync>),
    /// The token is missing or wrong: HTTP 401.
    #[error("not authenticated: {0}")]
    Unauthenticated(&'static str),
    /// The user could not be looked up: HTTP 500, before anything else was done.
    #[error("authentication failed")]
    AuthenticationFailed(#[source] db::Error),
    /// The request cannot be read: HTTP 400 or 413.
    #[error("unreadable request: {message}")]
    Unreadable {
        /// The HTTP status.
        status: u16,
        /// The public message.
        message: Cow<'static, str>,
    },
    /// No route has this path and method: HTTP 404.
    #[error("no such route")]
    NoRoute,
}

/// What a client sees of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The envelope with a code, under an HTTP status.
    Envelope {
        /// The HTTP status.
        status: u16,
        /// The numeric code.
        code: Code,
        /// The public message.
        message: Cow<'static, str>,
    },
    /// `{"success": false, "message": …}`.
    Authentication {
        /// The HTTP status.
        status: u16,
        /// The public message.
        message: &'static str,
    },
    /// `{"status": "error", "message": …}`.
    Plain {
        /// The HTTP status.
        status: u16,
        /// The public message.
        message: Cow<'static, str>,
    },
}

impl Error {
    /// A parameter is missing or wrong; `message` is the text of the route.
    #[must_use]
    pub fn params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused { code: Code::Params, message: Some(message.into()) }
    }

    /// A parameter has the wrong JSON type or an impossible value: code 2 with the default text.
    #[must_use]
    pub fn bad_params() -> Self {
        Code::Params.into()
    }

    /// The object does not exist or belongs to somebody else; `message` is the text of the route.
    #[must_use]
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused { code: Code::NotFound, message: Some(message.into()) }
    }

    /// Something that a client asked for failed, in a route that answers every failure with code 2000; `message`
    /// is the text of the route.
    #[must_use]
    pub fn failed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused { code: Code::Database, message: Some(message.into()) }
    }

    /// Something that a client asked for cannot be done; `message` is the text of the route.
    #[must_use]
    pub fn system(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused { code: Code::System, message: Some(message.into()) }
    }

    /// Gives a failure (not a refusal) the message that the route prescribes for it.
    #[must_use]
    pub fn or_failed(self, message: &'static str) -> Self {
        match self {
            Self::Database(source) if !source.is_schema_mismatch() => Self::Failed { message, source },
            other => other,
        }
    }

    /// Makes a failure of the database one of storage, for routes whose failures are all alike.
    #[must_use]
    pub fn or_not_stored(self) -> Self {
        match self {
            Self::Database(source) if !source.is_schema_mismatch() => Self::NotStored(source),
            other => other,
        }
    }

    /// Returns what the client sees (`contract/http-conventions.md` sections 1 to 3).
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let envelope = |code: Code, message: Cow<'static, str>| Outcome::Envelope { status: 200, code, message };
        match self {
            Self::Database(cause) | Self::AuthenticationFailed(cause) if cause.is_schema_mismatch() => {
                Outcome::Plain { status: 503, message: "Database schema is not up to date".into() }
            }
            Self::Refused { code, message } => {
                envelope(*code, message.clone().unwrap_or_else(|| code.default_message().into()))
            }
            Self::Database(_) | Self::Unforeseen(_) => {
                envelope(Code::Database, Code::Database.default_message().into())
            }
            Self::Failed { message, .. } => envelope(Code::Database, (*message).into()),
            Self::Storage(_) | Self::NotStored(_) => {
                envelope(Code::Storage, Code::Storage.default_message().into())
            }
            Self::NoDownload(cause) => {
                let (status, code) = match **cause {
                    Self::Refused { code, .. } => (404, code),
                    _ => (500, Code::System),
                };
                Outcome::Envelope { status, code, message: code.default_message().into() }
            }
            Self::Provider { message, .. } => envelope(Code::System, message.clone()),
            Self::Unauthenticated(message) => Outcome::Authentication { status: 401, message },
            Self::AuthenticationFailed(_) => {
                Outcome::Authentication { status: 500, message: "Authentication failed" }
            }
            Self::Unreadable { status, message } => Outcome::Plain { status: *status, message: message.clone() },
            Self::NoRoute => Outcome::Envelope {
                status: 404,
                code: Code::NotFound,
                message: Code::NotFound.default_message().into(),
            },
        }
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::Refused { code, message: None }
    }
}

/// Returns what an error says and what its causes say; for the log.
#[must_use]
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let texts = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    texts.collect::<Vec<_>>().join(": ")
}
