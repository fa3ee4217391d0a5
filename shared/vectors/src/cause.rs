//! Why something failed, in words that may be shown.
//!
//! The errors of LanceDB and of S3 carry whole answers of servers (access keys and what was signed
//! among them), URLs, and the source files of the libraries.

use std::error::Error;

/// The longest text of a cause.
const MAX_CHARS: usize = 400;

/// Returns the text of an error without answers of servers, queries of URLs and source locations.
pub(crate) fn cause(error: &(dyn Error + 'static)) -> String {
    let text = error.to_string();
    let (text, answer) = text.split_at(text.find('<').unwrap_or(text.len()));
    let words = text.split_whitespace().filter(|word| !word.contains(".rs:")).map(without_query);
    let mut cause = words.collect::<Vec<_>>().join(" ");
    if let Some((_, code)) = answer.split_once("<Code>")
        && let Some((code, _)) = code.split_once("</Code>")
    {
        cause.push(' ');
        cause.push_str(code);
    }
    cause.truncate(cause.floor_char_boundary(MAX_CHARS));
    cause.trim_end_matches([',', ' ']).to_owned()
}

fn without_query(word: &str) -> &str {
    match word.find('?') {
        Some(query) if word.contains("://") => &word[..query],
        _ => word,
    }
}
