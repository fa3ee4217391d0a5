//! Cutting texts as the contract counts them: in UTF-16 code units, never inside a character.

/// Returns the beginning of a text, at most `max` UTF-16 code units.
pub(super) fn beginning(text: &str, max: usize) -> &str {
    let mut units = 0;
    let cut = text.char_indices().find(|(_, character)| {
        units += character.len_utf16();
        units > max
    });
    cut.map_or(text, |(end, _)| &text[..end])
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
    }
}
