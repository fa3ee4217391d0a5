//! Measuring and cutting texts as the contract counts them: in UTF-16 code units, never inside a character.

/// Returns the length of a text in UTF-16 code units.
#[must_use]
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Returns the beginning of a text, at most `max` UTF-16 code units.
#[must_use]
pub fn beginning(text: &str, max: usize) -> &str {
    let mut units = 0;
    let cut = text.char_indices().find(|(_, character)| {
        units += character.len_utf16();
        units > max
    });
    cut.map_or(text, |(end, _)| &text[..end])
}

/// Returns the end of a text, at most `max` UTF-16 code units.
#[must_use]
pub fn ending(text: &str, max: usize) -> &str {
    let mut units = 0;
    let cut = text.char_indices().rev().find(|(_, character)| {
        units += character.len_utf16();
        units > max
    });
    cut.map_or(text, |(start, character)| &text[start + character.len_utf8()..])
}

/// Returns a text, or when it is longer than `max` UTF-16 code units its beginning and three dots.
#[must_use]
pub fn shortened(text: &str, max: usize) -> String {
    let beginning = beginning(text, max);
    let dots = if beginning.len() < text.len() { "..." } else { "" };
    format!("{beginning}{dots}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_utf_16_units_between_characters() {
        assert_eq!(beginning("读书x", 2), "读书");
        assert_eq!(beginning("a😀b", 2), "a");
        assert_eq!(beginning("a😀b", 3), "a😀");
        assert_eq!(beginning("ab", 2), "ab");
        assert_eq!(beginning("", 0), "");
        assert_eq!(ending("x读书", 2), "读书");
        assert_eq!(ending("b😀a", 2), "a");
        assert_eq!(ending("b😀a", 3), "😀a");
        assert_eq!(ending("ab", 2), "ab");
        assert_eq!(ending("ab", 0), "");
        assert_eq!(units("a😀读"), 4);
    }

    #[test]
    fn dots_show_that_a_text_was_longer() {
        assert_eq!(shortened("读书", 2), "读书");
        assert_eq!(shortened("读书x", 2), "读书...");
        assert_eq!(shortened("a😀", 2), "a...");
    }
}
