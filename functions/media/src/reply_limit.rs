//! What does not fit into the reply of a function (`contract/ai-asr-ocr-system.md` V10 and O4).

use std::io;

use serde::Serialize;
use shared::{Error, Result};

/// The most bytes of a body. Lambda takes 6 MiB with the head and the frame around both, for which there
/// is room here.
const MAX_BYTES: usize = 6 * 1024 * 1024 - 16 * 1024;

/// Refuses a payload that could not leave a function, with code 1 and the text of the route.
pub fn within_limit<T: Serialize>(payload: T, message: &'static str) -> Result<T> {
    let mut left = Room(MAX_BYTES);
    if serde_json::to_writer(&mut left, &payload).is_ok() {
        return Ok(payload);
    }
    tracing::error!(limit_bytes = MAX_BYTES, "reply.too_large");
    Err(Error::system(message))
}

/// Counts bytes as they are inside the JSON text that a function answers with, where quotes, backslashes
/// and control characters are escaped once more, and fails when there is no room left.
struct Room(usize);

impl io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let escaped = bytes.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        self.0 = self.0.checked_sub(bytes.len() + escaped).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_measured_as_it_leaves_the_function() {
        assert!(within_limit("x".repeat(MAX_BYTES - 4), "no").is_ok());
        assert!(within_limit("x".repeat(MAX_BYTES - 3), "no").is_err());
        assert!(within_limit("读".repeat(MAX_BYTES / 3 - 2), "no").is_ok());
        // A quote is escaped in the body, and the quote and its backslash again around it.
        assert!(within_limit("\"".repeat(MAX_BYTES / 4 - 2), "no").is_ok());
        assert!(within_limit("\"".repeat(MAX_BYTES / 4), "no").is_err());
    }
}
