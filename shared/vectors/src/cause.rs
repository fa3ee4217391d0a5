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

#[cfg(test)]
mod tests {
    use super::cause;

    #[test]
    fn an_answer_of_s3_is_reduced_to_its_code() {
        let error = std::io::Error::other(
            "LanceError(IO): Error performing GET http://127.0.0.1:8333/b?list-type=2&X-Amz-Signature=abc in 1ms - \
             Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?><Error><Code>AccessDenied\
             </Code><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>, /cargo/lance-io/src/object_store.rs:12:5",
        );
        assert_eq!(
            cause(&error),
            "LanceError(IO): Error performing GET http://127.0.0.1:8333/b in 1ms - Server returned non-2xx \
             status code: 403 Forbidden: AccessDenied"
        );
    }

    #[test]
    fn a_long_cause_is_cut_between_characters() {
        let error = std::io::Error::other("磁盘已满".repeat(200));
        assert_eq!(cause(&error), "磁盘已满".repeat(200)[..399]);
    }
}
