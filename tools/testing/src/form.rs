//! Forms with files, as browsers send them.

/// A `multipart/form-data` body under construction.
#[derive(Debug, Clone, Default)]
pub struct Form(Vec<u8>);

const BOUNDARY: &str = "----aimo-test-boundary";

impl Form {
    /// Returns an empty form.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    #[must_use]
    pub fn field(self, name: &str, value: &str) -> Self {
        self.part(&format!("Content-Disposition: form-data; name=\"{name}\""), value.as_bytes())
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, name: &str, filename: &str, media_type: &str, content: impl AsRef<[u8]>) -> Self {
        let disposition = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"");
        self.part(&format!("{disposition}\r\nContent-Type: {media_type}"), content.as_ref())
    }

    /// Adds a part with any head.
    #[must_use]
    pub fn part(mut self, head: &str, content: &[u8]) -> Self {
        self.0.extend(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").into_bytes());
        self.0.extend_from_slice(content);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// Returns the content type.
    #[must_use]
    pub fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        [&self.0, format!("--{BOUNDARY}--\r\n").as_bytes()].concat()
    }
}
