//! Reads `multipart/form-data` piece by piece: no part is ever in memory as a whole, and everything that is kept
//! has a bound.

use axum::body::Bytes;
use futures::{Stream, StreamExt};

/// The most bytes of the head of a part.
const MAX_HEAD: usize = 16 * 1024;

/// The longest boundary (RFC 2046).
const MAX_BOUNDARY: usize = 70;

/// The most parts of a body.
const MAX_PARTS: usize = 100;

/// The body is no multipart form, or ends before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// What a part says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// The name of the field.
    pub name: String,
    /// The name of the file, if it is one.
    pub filename: Option<String>,
    /// The declared media type.
    pub media_type: Option<String>,
}

/// Returns the boundary of a content type; the outer `None` means that it is no multipart form.
#[must_use]
pub fn boundary_of(content_type: &str) -> Option<Result<String, Malformed>> {
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters_of(parameters).find(|(name, _)| name == "boundary").map(|(_, value)| value);
    let fits =
        |boundary: &String| (1..=MAX_BOUNDARY).contains(&boundary.len()) && !boundary.contains(['\r', '\n']);
    Some(boundary.filter(fits).ok_or(Malformed))
}

/// Returns the parameters of a header in order, their names in lower case.
fn parameters_of(text: &str) -> impl Iterator<Item = (String, String)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([';', ' ', '\t']);
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let value = if let Some(quoted) = after.strip_prefix('"') {
            let (value, length) = unquote(quoted);
            rest = &quoted[length..];
            value
        } else {
            let end = after.find(';').unwrap_or(after.len());
            rest = &after[end..];
            after[..end].trim_end().to_owned()
        };
        Some((name.trim().to_ascii_lowercase(), value))
    })
}

/// Reads a quoted text, and returns it with how far it goes. Only a quote is escaped: some clients send paths
/// with plain backslashes.
fn unquote(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, at + 1),
            '\\' if characters.peek().is_some_and(|(_, next)| *next == '"') => {
                characters.next();
                value.push('"');
            }
            c => value.push(c),
        }
    }
    (value, text.len())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first boundary, or in the data of a part.
    InData,
    /// Behind a boundary.
    AtBoundary,
    /// Behind the last boundary.
    AtEnd,
}

/// A form, as it arrives.
pub struct Multipart<S> {
    stream: S,
    /// What has arrived and is not used; it begins at `start`.
    buffer: Vec<u8>,
    start: usize,
    /// A line break, two dashes and the boundary.
    delimiter: Vec<u8>,
    state: State,
    parts: usize,
    received: u64,
}

impl<S, E> Multipart<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// Reads a form from its beginning.
    pub fn new(stream: S, boundary: &str) -> Self {
        // The first boundary has no line before it.
        let buffer = b"\r\n".to_vec();
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Self { stream, buffer, start: 0, delimiter, state: State::InData, parts: 0, received: 0 }
    }

    /// Returns how many bytes have arrived.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Gives back what is left of the body.
    pub fn into_rest(self) -> S {
        self.stream
    }

    /// Waits for more bytes.
    async fn fill(&mut self) -> Result<(), Malformed> {
        let Some(Ok(bytes)) = self.stream.next().await else { return Err(Malformed) };
        self.received += bytes.len() as u64;
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }

    fn unused(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    async fn require(&mut self, length: usize) -> Result<(), Malformed> {
        while self.unused().len() < length {
            self.fill().await?;
        }
        Ok(())
    }

    /// Goes to the next part, past what is left of the present one; `None` behind the last.
    ///
    /// # Errors
    /// The body is malformed, or has too many parts.
    pub async fn next_part(&mut self) -> Result<Option<Head>, Malformed> {
        while self.state == State::InData {
            self.chunk().await?;
        }
        if self.state == State::AtEnd {
            return Ok(None);
        }
        self.require(2).await?;
        if self.unused().starts_with(b"--") {
            self.state = State::AtEnd;
            return Ok(None);
        }
        self.parts += 1;
        let head = self.head().await?;
        if self.parts > MAX_PARTS {
            return Err(Malformed);
        }
        self.state = State::InData;
        Ok(Some(head))
    }

    /// Reads what stands between a boundary and the empty line behind it.
    async fn head(&mut self) -> Result<Head, Malformed> {
        let mut searched = 0;
        let end = loop {
            let unused = self.unused();
            if let Some(at) = find(&unused[searched..], b"\r\n\r\n") {
                break searched + at;
            }
            searched = unused.len().saturating_sub(3);
            if searched > MAX_HEAD {
                return Err(Malformed);
            }
            self.fill().await?;
        };
        if end > MAX_HEAD {
            return Err(Malformed);
        }
        let head = parse_head(&self.unused()[..end]);
        self.start += end + 4;
        head
    }

    /// Returns the next bytes of the present part; `None` at its end.
    ///
    /// # Errors
    /// The body ends before the part does.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        if self.state != State::InData {
            return Ok(None);
        }
        loop {
            let unused = self.unused();
            if let Some(at) = find(unused, &self.delimiter) {
                let data = unused[..at].to_vec();
                self.start += at;
                if data.is_empty() {
                    self.start += self.delimiter.len();
                    self.state = State::AtBoundary;
                    return Ok(None);
                }
                return Ok(Some(data));
            }
            // Its end may be the beginning of the delimiter.
            let certain = unused.len().saturating_sub(self.delimiter.len() - 1);
            if certain > 0 {
                let data = unused[..certain].to_vec();
                self.start += certain;
                return Ok(Some(data));
            }
            self.fill().await?;
        }
    }
}

/// Returns where a text begins that starts with a character which it does not hold again: one pass is enough.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    let first = text.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        if bytes[from + at..].starts_with(text) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

fn parse_head(bytes: &[u8]) -> Result<Head, Malformed> {
    let text = String::from_utf8_lossy(bytes);
    // The line of the boundary may end with blanks.
    let (blanks, lines) = text.split_once("\r\n").unwrap_or((&text, ""));
    if !blanks.trim().is_empty() {
        return Err(Malformed);
    }
    let mut head = Head::default();
    let mut is_named = false;
    for line in lines.split("\r\n") {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.trim().eq_ignore_ascii_case("content-type") {
            head.media_type = Some(value.trim().to_owned());
        } else if name.trim().eq_ignore_ascii_case("content-disposition") {
            let (_, parameters) = value.split_once(';').unwrap_or((value, ""));
            for (name, value) in parameters_of(parameters) {
                match name.as_str() {
                    "name" => {
                        is_named = true;
                        head.name = value;
                    }
                    "filename" if head.filename.is_none() => head.filename = Some(value),
                    "filename*" => head.filename = extended(&value).or(head.filename),
                    _ => {}
                }
            }
        }
    }
    if is_named { Ok(head) } else { Err(Malformed) }
}

/// Reads `UTF-8''` and a percent-encoded text (RFC 5987).
fn extended(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, text) = rest.split_once('\'')?;
    let text = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
    charset.eq_ignore_ascii_case("utf-8").then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    type Parts = Vec<(Head, Vec<u8>)>;

    /// Reads a body that arrives in pieces of the given sizes, again and again.
    async fn parse(body: &[u8], sizes: &[usize]) -> Result<Parts, Malformed> {
        let mut pieces = Vec::new();
        let mut rest = body;
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            pieces.push(Ok::<_, Malformed>(Bytes::copy_from_slice(piece)));
            rest = after;
        }
        let mut form = Multipart::new(stream::iter(pieces), "xYz");
        let mut parts = Vec::new();
        while let Some(head) = form.next_part().await? {
            let mut data = Vec::new();
            while let Some(chunk) = form.chunk().await? {
                assert!(!chunk.is_empty(), "every chunk is a step");
                data.extend(chunk);
            }
            parts.push((head, data));
        }
        Ok(parts)
    }

    fn field(name: &str) -> Head {
        Head { name: name.to_owned(), ..Head::default() }
    }

    #[tokio::test]
    async fn parts_come_out_however_the_body_arrives() {
        let body = "a preamble\r\n--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--xY\r\n\
                    \r\n--xYz \t\r\ncontent-type: image/png\r\nContent-Disposition: form-data; name=file; \
                    filename=\"读 \\\"1\\\".png\"\r\n\r\n\r\n--xYz\r\nContent-Disposition: form-data; name=\"e\"\r\n\
                    \r\n\r\n--xYz--\r\nan epilogue";
        let file = Head {
            filename: Some("读 \"1\".png".to_owned()),
            media_type: Some("image/png".to_owned()),
            ..field("file")
        };
        let expected = vec![(field("a"), b"1\r\n--xY\r\n".to_vec()), (file, Vec::new()), (field("e"), Vec::new())];
        for size in 1..=body.len() {
            assert_eq!(parse(body.as_bytes(), &[size]).await, Ok(expected.clone()), "{size}");
        }
    }

    #[tokio::test]
    async fn a_body_that_ends_early_is_malformed_wherever_it_ends() {
        let body = "--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n123\r\n--xYz--\r\n";
        let complete = body.len() - 2;
        for length in 0..complete {
            assert_eq!(parse(&body.as_bytes()[..length], &[7]).await, Err(Malformed), "{length}");
        }
        assert!(parse(&body.as_bytes()[..complete], &[7]).await.is_ok());
    }

    #[tokio::test]
    async fn heads_and_parts_have_bounds() {
        let head = |length: usize| {
            let padding = "x".repeat(length);
            format!("--xYz\r\nX: {padding}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--xYz--")
        };
        assert!(parse(head(1000).as_bytes(), &[100]).await.is_ok());
        assert_eq!(parse(head(17_000).as_bytes(), &[100]).await, Err(Malformed));
        let parts = |count: usize| {
            let part = "--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
            format!("{}--xYz--", part.repeat(count))
        };
        assert_eq!(parse(parts(MAX_PARTS).as_bytes(), &[100]).await.unwrap().len(), MAX_PARTS);
        assert_eq!(parse(parts(MAX_PARTS + 1).as_bytes(), &[100]).await, Err(Malformed));
    }

    #[tokio::test]
    async fn a_part_needs_a_name_and_its_own_line() {
        for head in [
            "Content-Type: text/plain",
            "",
            "Content-Disposition: form-data",
            "Content-Disposition: form-data; x=1",
        ] {
            let body = format!("--xYz\r\n{head}\r\n\r\n1\r\n--xYz--");
            assert_eq!(parse(body.as_bytes(), &[9]).await, Err(Malformed), "{head}");
        }
        let glued = "--xYzz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--xYz--";
        assert_eq!(parse(glued.as_bytes(), &[9]).await, Err(Malformed));
    }

    #[test]
    fn boundaries_are_read_from_the_content_type() {
        let boundary = |text| boundary_of(text);
        assert_eq!(boundary("multipart/form-data; boundary=abc"), Some(Ok("abc".to_owned())));
        assert_eq!(boundary("Multipart/Form-Data;charset=x; Boundary=\"a b\"; y=z"), Some(Ok("a b".to_owned())));
        assert_eq!(boundary("application/json"), None);
        assert_eq!(boundary(""), None);
        for text in ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\""]
        {
            assert_eq!(boundary(text), Some(Err(Malformed)), "{text}");
        }
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(71))), Some(Err(Malformed)));
    }

    #[test]
    fn file_names_have_two_notations() {
        let name = |disposition: &str| {
            let head = format!("\r\nContent-Disposition: form-data; name=\"f\"; {disposition}");
            parse_head(head.as_bytes()).unwrap().filename
        };
        assert_eq!(name("filename=\"C:\\x\\y.txt\"").as_deref(), Some("C:\\x\\y.txt"));
        assert_eq!(name("filename=\"a\"; filename*=UTF-8''%E8%AF%BB.png").as_deref(), Some("读.png"));
        assert_eq!(name("filename*=utf-8'zh'%E8%AF%BB; filename=\"a\"").as_deref(), Some("读"));
        assert_eq!(name("filename=\"a\"; filename*=latin1''%E9").as_deref(), Some("a"));
        assert_eq!(name("filename=\"\"").as_deref(), Some(""));
        assert_eq!(name("x=y"), None);
    }

    /// A thousand forms of a fixed seed: what was written is read, whatever the pieces; and the same forms with
    /// bytes changed, doubled and cut are read to an end, the same one whatever the pieces.
    #[tokio::test]
    async fn random_forms_are_read_and_broken_ones_are_survived() {
        const ALPHABET: &[&[u8]] = &[b"\r\n--xYz", b"\r\n", b"--", b"xYz", b"\r", b"a", b"\0", "读".as_bytes()];
        let mut random = StdRng::seed_from_u64(20_261_125);
        for round in 0..1000 {
            let mut body = Vec::new();
            let mut expected = Vec::new();
            for part in 0..random.random_range(0..5) {
                let mut data: Vec<u8> = Vec::new();
                for _ in 0..random.random_range(0..20) {
                    data.extend(ALPHABET[random.random_range(1..ALPHABET.len())]);
                }
                while let Some(at) = data.windows(7).position(|bytes| bytes == b"\r\n--xYz") {
                    data.truncate(at);
                }
                body.extend(format!("--xYz\r\nContent-Disposition: form-data; name=\"{part}\"\r\n\r\n").bytes());
                body.extend(&data);
                body.extend(b"\r\n");
                expected.push((field(&part.to_string()), data));
            }
            body.extend(b"--xYz--\r\n");
            let sizes: Vec<usize> = (0..4).map(|_| random.random_range(1..40)).collect();
            assert_eq!(parse(&body, &sizes).await, Ok(expected), "round {round}");

            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..body.len());
                match random.random_range(0..4) {
                    0 => body[at] = random.random(),
                    1 => body.truncate(at.max(1)),
                    2 => {
                        let piece = ALPHABET[random.random_range(0..ALPHABET.len())];
                        body.splice(at..at, piece.iter().copied());
                    }
                    _ => drop(body.remove(at)),
                }
                if body.is_empty() {
                    body.push(b'-');
                }
            }
            assert_eq!(parse(&body, &sizes).await, parse(&body, &[body.len()]).await, "round {round}");
        }
    }
}
