//! What is pushed (`contract/push-rules-scheduler.md`, content): made once for a user and a content type, as plain
//! text and as HTML, from the same memos.

use std::{collections::HashMap, sync::Arc};

use super::{
    insights::zoned,
    push_slots::Slot,
    recommendations::{self, Curator},
    tags::distinct,
};
use crate::{Context, Result, clients::push::Message, clock::Millis, ids::Uid, repositories};

/// The most bytes of the plain text as JSON: Feishu takes requests of about 20 KB.
const MAX_TEXT: usize = 18_000;

/// The most bytes of the HTML, which nobody limits but the memory of a function.
const MAX_HTML: usize = 128 * 1024;

/// What a rule sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// The memos worth reading again today.
    DailyPick,
    /// The memos that were written today.
    DailyMemos,
}

impl ContentType {
    /// Reads the content type of a rule; `None` for one that a rule of an old install may hold.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "daily_pick" => Some(Self::DailyPick),
            "daily_memos" => Some(Self::DailyMemos),
            _ => None,
        }
    }

    fn title(self, memos: usize) -> String {
        match self {
            Self::DailyPick => "今日推荐".to_owned(),
            Self::DailyMemos if memos == 0 => "今日备忘录".to_owned(),
            Self::DailyMemos => format!("今日备忘录 ({memos}条)"),
        }
    }

    fn nothing(self) -> &'static str {
        match self {
            Self::DailyPick => "你还没有记录任何备忘录，来创建一个吧！",
            Self::DailyMemos => "今天还没有记录任何备忘录",
        }
    }

    /// Returns how the time of a memo is written: without leading zeros for a date, with them for a time.
    fn stamp(self, ctx: &Context, time: Millis) -> String {
        let form = match self {
            Self::DailyPick => "%Y/%-m/%-d",
            Self::DailyMemos => "%H:%M",
        };
        zoned(ctx, time).strftime(form).to_string()
    }

    /// Returns the styles of a card, its stamp and its content.
    fn styles(self) -> [&'static str; 3] {
        match self {
            Self::DailyPick => [
                "margin-bottom: 16px; padding: 12px; background: #f5f5f5; border-radius: 8px;",
                "color: #999; font-size: 26px; margin: 0 0 8px 0;",
                "margin: 0; font-size: 36px; line-height: 1.6;",
            ],
            Self::DailyMemos => [
                "margin-bottom: 12px; padding: 8px; background: #f5f5f5; border-radius: 6px;",
                "color: #999; font-size: 26px; margin: 0 0 4px 0;",
                "margin: 0;",
            ],
        }
    }
}

/// What is wanted, and what was made of it.
pub type Contents = HashMap<(Uid, ContentType), Arc<Message>>;

/// Makes the contents of a slot for some users. The number of statements depends neither on how many users nor on
/// how many memos there are, and no more of the memos is kept than is sent.
///
/// # Errors
/// The database fails.
pub async fn make(
    ctx: &Context,
    curator: &Curator<'_>,
    slot: Slot,
    wanted: &[(Uid, ContentType)],
) -> Result<Contents> {
    let uids_of = |kind| distinct(wanted.iter().filter(|wanted| wanted.1 == kind).map(|(uid, _)| uid.clone()));
    let mut drafts: HashMap<(Uid, ContentType), Draft> =
        wanted.iter().map(|wanted| (wanted.clone(), Draft::new(wanted.1))).collect();
    let mut add = |uid: Uid, kind: ContentType, created_at, content: &str| {
        if let Some(draft) = drafts.get_mut(&(uid, kind)) {
            draft.add(&kind.stamp(ctx, created_at), content);
        }
    };
    let picking = uids_of(ContentType::DailyPick);
    if !picking.is_empty() {
        for (uid, memos) in recommendations::of_day(ctx, curator, slot.day(), &picking).await? {
            for memo in memos {
                add(uid.clone(), ContentType::DailyPick, memo.created_at, &memo.content);
            }
        }
    }
    let writing = uids_of(ContentType::DailyMemos);
    if !writing.is_empty() {
        let (from, to) = slot.bounds_of_day(&ctx.zone);
        let each = |memo: repositories::memos::WrittenMemo| {
            add(memo.uid, ContentType::DailyMemos, memo.created_at, &memo.content);
        };
        repositories::memos::find_written_by_users(&ctx.db, &writing, from, to, each).await?;
    }
    Ok(drafts.into_iter().map(|(wanted, draft)| (wanted, Arc::new(draft.finish()))).collect())
}

/// A message that grows memo by memo, until a form is as long as it may be.
struct Draft {
    kind: ContentType,
    memos: usize,
    text: Form,
    html: Form,
}

/// One form of a message.
struct Form {
    text: String,
    /// How much may still be added.
    left: usize,
    is_full: bool,
}

impl Form {
    fn new(limit: usize) -> Self {
        Self { text: String::new(), left: limit, is_full: false }
    }

    /// Adds a part unless it is too long: then the form ends here. Of a first part that is too long by itself, as
    /// much of the content as fits is kept. `written` says how a content is written, `size` what a text costs.
    fn add(
        &mut self,
        content: &str,
        written: fn(&str) -> String,
        size: fn(&str) -> usize,
        part: impl Fn(String) -> String,
    ) {
        if self.is_full {
            return;
        }
        let whole = part(written(content));
        if let Some(left) = self.left.checked_sub(size(&whole)) {
            self.text.push_str(&whole);
            self.left = left;
            return;
        }
        self.is_full = true;
        if self.text.is_empty() {
            let mut left = self.left.saturating_sub(size(&part(String::new())));
            let end = content.char_indices().find(|(at, character)| {
                let grown = size(&written(&content[*at..at + character.len_utf8()]));
                let is_over = grown > left;
                left = left.saturating_sub(grown);
                is_over
            });
            self.text = part(written(end.map_or(content, |(end, _)| &content[..end])));
        }
    }
}

impl Draft {
    fn new(kind: ContentType) -> Self {
        Self { kind, memos: 0, text: Form::new(MAX_TEXT), html: Form::new(MAX_HTML) }
    }

    fn add(&mut self, stamp: &str, content: &str) {
        self.memos += 1;
        self.text.add(content, str::to_owned, size_in_json, |content| format!("{stamp}\n{content}\n\n"));
        let [card, head, body] = self.kind.styles();
        self.html.add(content, escaped, str::len, |content| {
            format!("<div style=\"{card}\"><p style=\"{head}\">{stamp}</p><p style=\"{body}\">{content}</p></div>")
        });
    }

    fn finish(self) -> Message {
        let title = self.kind.title(self.memos);
        if self.memos == 0 {
            let nothing = self.kind.nothing();
            return Message { title, text: nothing.to_owned(), html: format!("<p>{nothing}</p>") };
        }
        let mut text = self.text.text;
        text.truncate(text.trim_end().len());
        if self.text.is_full {
            text.push_str("\n\n…");
        }
        let mut html = self.html.text;
        if self.html.is_full {
            html.push_str("<p>…</p>");
        }
        Message { title, text, html }
    }
}

/// Returns how many bytes a text has inside a JSON text.
fn size_in_json(text: &str) -> usize {
    let size = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(size).sum()
}

/// Escapes a text for HTML. Line breaks stay as they are.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            '/' => escaped.push_str("&#x2F;"),
            other => escaped.push(other),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: ContentType, memos: &[(&str, &str)]) -> Message {
        let mut draft = Draft::new(kind);
        for (stamp, content) in memos {
            draft.add(stamp, content);
        }
        draft.finish()
    }

    #[test]
    fn a_pick_has_large_cards_and_plain_text_without_entities() {
        let pushed = message(
            ContentType::DailyPick,
            &[
                ("2026/3/5", "first <b>bold</b> & \"quoted\" it's a/b\nsecond line 中文"),
                ("2020/9/13", "old &lt; 😀"),
            ],
        );
        let card = |stamp: &str, content: &str| {
            format!(
                "<div style=\"margin-bottom: 16px; padding: 12px; background: #f5f5f5; border-radius: 8px;\">\
                 <p style=\"color: #999; font-size: 26px; margin: 0 0 8px 0;\">{stamp}</p>\
                 <p style=\"margin: 0; font-size: 36px; line-height: 1.6;\">{content}</p></div>"
            )
        };
        let first =
            "first &lt;b&gt;bold&lt;&#x2F;b&gt; &amp; &quot;quoted&quot; it&#x27;s a&#x2F;b\nsecond line 中文";
        assert_eq!(pushed.title, "今日推荐");
        assert_eq!(pushed.html, card("2026/3/5", first) + &card("2020/9/13", "old &amp;lt; 😀"));
        let text = "2026/3/5\nfirst <b>bold</b> & \"quoted\" it's a/b\nsecond line 中文\n\n2020/9/13\nold &lt; 😀";
        assert_eq!(pushed.text, text);
    }

    #[test]
    fn the_memos_of_a_day_are_counted() {
        let pushed = message(ContentType::DailyMemos, &[("00:05", "a"), ("23:59", "b \n\n")]);
        assert_eq!((&*pushed.title, &*pushed.text), ("今日备忘录 (2条)", "00:05\na\n\n23:59\nb"));
        let card = "<div style=\"margin-bottom: 12px; padding: 8px; background: #f5f5f5; border-radius: 6px;\">\
                    <p style=\"color: #999; font-size: 26px; margin: 0 0 4px 0;\">00:05</p>\
                    <p style=\"margin: 0;\">a</p></div>";
        assert!(pushed.html.starts_with(card), "{}", pushed.html);
    }

    #[test]
    fn nothing_is_said_too() {
        let pick = message(ContentType::DailyPick, &[]);
        assert_eq!((&*pick.title, &*pick.text), ("今日推荐", "你还没有记录任何备忘录，来创建一个吧！"));
        assert_eq!(pick.html, "<p>你还没有记录任何备忘录，来创建一个吧！</p>");
        let memos = message(ContentType::DailyMemos, &[]);
        assert_eq!((&*memos.title, &*memos.text), ("今日备忘录", "今天还没有记录任何备忘录"));
    }

    #[test]
    fn a_long_text_ends_between_two_memos() {
        let memo = ["读\"书\""; 300].join("\n");
        let pushed = message(ContentType::DailyMemos, &[("08:00", &*memo); 100]);
        assert_eq!(pushed.title, "今日备忘录 (100条)");
        assert!(serde_json::to_string(&pushed.text).unwrap().len() < 18 * 1024);
        let (memos, end) = pushed.text.rsplit_once("\n\n").unwrap();
        assert_eq!(end, "…");
        assert!(memos.split("\n\n").all(|part| part == format!("08:00\n{memo}")), "{memos}");
        assert!(pushed.html.len() <= MAX_HTML + 10 && pushed.html.ends_with("</div><p>…</p>"));
        // One more would not have fitted.
        let next = serde_json::to_string(&format!("{}08:00\n{memo}\n\n", pushed.text)).unwrap();
        assert!(next.len() > MAX_TEXT);
    }

    #[test]
    fn a_memo_that_is_too_long_by_itself_is_cut_between_characters() {
        for character in ["a", "读", "😀", "\"", "\u{1}", "<"] {
            let pushed =
                message(ContentType::DailyPick, &[("2026/3/5", &*character.repeat(200_000)), ("2026/3/6", "b")]);
            let size = serde_json::to_string(&pushed.text).unwrap().len();
            assert!((MAX_TEXT - 10..18 * 1024).contains(&size), "{character:?}: {size}");
            assert!(pushed.text.ends_with(&format!("{character}\n\n…")), "{character:?}");
            assert!((MAX_HTML - 10..=MAX_HTML + 10).contains(&pushed.html.len()), "{}", pushed.html.len());
            assert!(pushed.html.ends_with("</p></div><p>…</p>"));
        }
    }
}
