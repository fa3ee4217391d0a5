//! Tags that a model suggests for a text (`contract/ai-asr-ocr-system.md`, AI helper).

use std::time::Duration;

use serde_json::Value;

use super::{tags::distinct, text::beginning};
use crate::{
    Error, Result,
    clients::{ChatModel, Patience, Prompt},
};

/// How much the call may cost (A3).
const PATIENCE: Patience = Patience { total: Duration::from_secs(20), retries: 2 };

/// The most UTF-16 units of the text that the model sees.
const MAX_CONTENT: usize = 2000;

/// The most tags.
const MAX_TAGS: usize = 8;

/// The most UTF-16 units of a tag that stands in a line of its own.
const MAX_LINE: usize = 49;

const SYSTEM: &str = "\
你是内容分析与知识管理专家。请为用户的笔记提出 3 到 8 个高质量标签（tags），用于日后检索和建立知识之间的联系。

要求：
1. 标签表达领域或学科、核心概念、用途或目的、体裁，而不是照抄原文的词句；
2. 粒度适中，不要过于宽泛，也不要过于具体；
3. 使用小写（专有名词除外），每个标签 1 到 3 个词；
4. 使用与笔记相同的语言。

只返回一个 JSON 字符串数组，例如 [\"知识管理\", \"rust\", \"读书笔记\"]，不要返回任何其他内容。";

/// Returns tags for a text, at most eight, in lower case. Nothing is stored.
///
/// # Errors
/// Code 2 when the text is blank, 1 when the model fails.
pub async fn suggest_tags(chat: &dyn ChatModel, content: &str) -> Result<Vec<String>> {
    if content.trim().is_empty() {
        return Err(Error::params("Content is required"));
    }
    let user = format!("请为下面的笔记生成标签，只返回 JSON 数组：\n\n{}", beginning(content, MAX_CONTENT));
    let prompt = Prompt { system: SYSTEM.to_owned(), user, temperature: 0.3 };
    let reply = chat.complete(&prompt, PATIENCE).await;
    let reply = reply.map_err(|source| Error::Provider { message: "Failed to generate tags".into(), source })?;
    Ok(parse(&reply))
}

/// Reads the tags out of what the model says: a JSON array, else whatever stands in quotes, else lines.
fn parse(reply: &str) -> Vec<String> {
    let tags = match array_in(reply) {
        Some(elements) => texts_of(&elements),
        None => Some(quoted(reply)).filter(|quoted| !quoted.is_empty()).unwrap_or_else(|| lines(reply)),
    };
    distinct(tags).into_iter().take(MAX_TAGS).collect()
}

/// Returns the JSON array from the first `[` to the last `]` of a text.
pub(super) fn array_in(reply: &str) -> Option<Vec<Value>> {
    let (start, end) = (reply.find('[')?, reply.rfind(']')?);
    serde_json::from_str(reply.get(start..=end)?).ok()
}

fn texts_of(elements: &[Value]) -> Vec<String> {
    elements.iter().filter_map(|element| normalised(element.as_str()?)).collect()
}

/// Returns every text between two quotes of either kind.
fn quoted(reply: &str) -> Vec<String> {
    let is_quote = |c: char| matches!(c, '"' | '\'');
    let mut texts = Vec::new();
    let mut rest = reply;
    while let Some((_, after)) = rest.split_once(is_quote) {
        match after.split_once(is_quote) {
            // Two quotes in a row: the second one may begin a text.
            Some(("", _)) => rest = after,
            Some((text, after)) => {
                texts.extend(normalised(text));
                rest = after;
            }
            None => break,
        }
    }
    texts
}

fn lines(reply: &str) -> Vec<String> {
    let is_mark = |c: char| c.is_whitespace() || matches!(c, '-' | '•' | '*');
    let lines = reply.split(['\n', ',']).filter_map(|line| normalised(line.trim_start_matches(is_mark)));
    lines.filter(|line| line.encode_utf16().count() <= MAX_LINE).collect()
}

fn normalised(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_read_wherever_it_stands() {
        assert_eq!(parse("Here:\n```json\n[\"Rust\", \" 知识管理 \"]\n```"), ["rust", "知识管理"]);
        assert_eq!(parse(r#"["Good", 7, null, "  ", "good", "OK "]"#), ["good", "ok"]);
        assert_eq!(parse("[]"), Vec::<String>::new());
        let many: Vec<String> = (0..20).map(|number| format!("\"t{number}\"")).collect();
        assert_eq!(parse(&format!("[{}]", many.join(","))).len(), 8);
    }

    #[test]
    fn without_an_array_quoted_texts_count_and_without_those_lines() {
        assert_eq!(parse("I would use \"Alpha\" and 'Beta' and \"alpha\""), ["alpha", "beta"]);
        assert_eq!(parse("[\"a\", b] or ''c'"), ["a", "c"]);
        assert_eq!(parse("- First Tag\n* second tag, Third\n\n"), ["first tag", "second tag", "third"]);
        assert_eq!(parse(&format!("{}\nshort", "x".repeat(50))), ["short"]);
        for nothing in ["", " \n", "]", "][", "\"", "''"] {
            assert!(parse(nothing).len() <= 1, "{nothing:?}");
        }
    }
}
