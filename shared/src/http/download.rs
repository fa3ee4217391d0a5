//! Answers with the bytes of a file, or a part of them.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use serde_json::json;

use super::{Answer, Operation};
use crate::{
    Error, Result,
    clients::storage::{ByteRange, Content},
    config::Runtime,
};

/// Which bytes a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    All,
    /// Some of them.
    Part(ByteRange),
    /// None that exist: HTTP 416.
    Nothing,
}

impl Wanted {
    /// Reads the header `Range` for a file of a size. Several ranges, other units and what cannot be read mean
    /// the whole file, as do ranges of a version that the client has named.
    #[must_use]
    pub fn of(headers: &HeaderMap, size: u64) -> Self {
        let range = headers.get(header::RANGE).filter(|_| !headers.contains_key(header::IF_RANGE));
        let range = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
        let Some((first, last)) = range else { return Self::All };
        let (first, last) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>(), last.trim()) {
            (Ok(first), Ok(last), _) if first <= last => (first, last),
            (Ok(first), _, "") => (first, u64::MAX),
            (Err(_), Ok(0), _) if first.trim().is_empty() => return Self::Nothing,
            (Err(_), Ok(length), _) if first.trim().is_empty() => (size.saturating_sub(length), u64::MAX),
            _ => return Self::All,
        };
        if first >= size { Self::Nothing } else { Self::Part(ByteRange { first, last: last.min(size - 1) }) }
    }

    /// Returns the range to read, if it is not everything.
    #[must_use]
    pub fn range(self) -> Option<ByteRange> {
        match self {
            Self::Part(range) => Some(range),
            Self::All | Self::Nothing => None,
        }
    }
}

/// The bytes of a file, and what is said of them.
pub struct Download {
    /// The content type.
    pub content_type: String,
    /// The header `Content-Disposition`.
    pub disposition: Option<String>,
    /// The header `Cache-Control`.
    pub cache_control: &'static str,
    /// The size of the whole file.
    pub size: u64,
    /// Which bytes of it follow.
    pub wanted: Wanted,
    /// The bytes.
    pub content: Content,
}

impl Download {
    /// Makes the answer.
    #[must_use]
    pub fn into_response(self, runtime: Runtime) -> Response {
        let length = match self.wanted {
            Wanted::All => self.size,
            Wanted::Part(ByteRange { first, last }) => last - first + 1,
            Wanted::Nothing => return unsatisfiable(self.size),
        };
        let mut response = Body::from_stream(self.content).into_response();
        let headers = response.headers_mut();
        let text = |text: &str| HeaderValue::from_bytes(text.as_bytes()).ok();
        let binary = HeaderValue::from_static("application/octet-stream");
        headers.insert(header::CONTENT_TYPE, text(&self.content_type).unwrap_or(binary));
        headers.insert(header::CONTENT_LENGTH, length.into());
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control));
        if let Some(disposition) = self.disposition.as_deref().and_then(text) {
            headers.insert(header::CONTENT_DISPOSITION, disposition);
        }
        if runtime == Runtime::Lambda {
            // Otherwise the runtime would read and write files of text types as UTF-8, and change others.
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
        }
        if let Wanted::Part(ByteRange { first, last }) = self.wanted {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = text(&format!("bytes {first}-{last}/{}", self.size));
            response.headers_mut().extend(range.map(|range| (header::CONTENT_RANGE, range)));
        }
        response
    }
}

/// The bytes of a file, or why there are none: in the envelope, but under a status of its own.
pub struct FileAnswer(pub Result<Response>);

impl IntoResponse for FileAnswer {
    fn into_response(self) -> Response {
        self.0.map_err(|error| Error::NoDownload(Box::new(error))).into_response()
    }
}

impl Answer for FileAnswer {
    fn describe(operation: &mut Operation<'_>) {
        operation.header("Range", "One range of bytes, such as `bytes=0-1023`.");
        let disposition = "Whether a browser shows the file, and its name.";
        for (status, description) in [(200, "The file."), (206, "The part of the file that `Range` asks for.")] {
            operation.answer(status, description);
            operation.content(status, "*/*", json!({}));
            operation.answer_header(status, "Content-Disposition", disposition);
        }
        operation.answer_header(206, "Content-Range", "Which part it is.");
        operation.answer(416, "The file has no such part.");
        operation.answer_header(416, "Content-Range", "The size of the file.");
        operation.refusal(404);
        operation.refusal(500);
    }
}

fn unsatisfiable(size: u64) -> Response {
    let range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
    (StatusCode::RANGE_NOT_SATISFIABLE, range).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_sends_files_of_text_types_as_they_are() {
        let answer = |runtime| {
            let content = futures::stream::empty();
            let download = Download {
                content_type: "text/plain".to_owned(),
                disposition: None,
                cache_control: "private",
                size: 0,
                wanted: Wanted::All,
                content: Box::pin(content),
            };
            download.into_response(runtime).headers().get(header::CONTENT_ENCODING).cloned()
        };
        assert_eq!(answer(Runtime::Lambda), Some(HeaderValue::from_static("identity")));
        assert_eq!(answer(Runtime::Local), None);
    }

    #[test]
    fn ranges_are_cut_to_the_file() {
        let wanted = |range: &'static str, size| {
            let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static(range))]);
            Wanted::of(&headers, size)
        };
        let part = |first, last| Wanted::Part(ByteRange { first, last });
        assert_eq!(wanted("bytes=0-4", 10), part(0, 4));
        assert_eq!(wanted("bytes=5-", 10), part(5, 9));
        assert_eq!(wanted("bytes=5-99", 10), part(5, 9));
        assert_eq!(wanted("bytes=-3", 10), part(7, 9));
        assert_eq!(wanted("bytes=-30", 10), part(0, 9));
        for nothing in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(wanted(nothing, 10), Wanted::Nothing, "{nothing}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Nothing);
        for all in ["bytes=0-1,3-4", "lines=0-1", "bytes=x-1", "bytes=5-4", "bytes=-", "bytes", "bytes=1-x"] {
            assert_eq!(wanted(all, 10), Wanted::All, "{all}");
        }
    }
}
