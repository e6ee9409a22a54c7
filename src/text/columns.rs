//! How many columns of a terminal a text takes.

/// Columns of a text.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// A text of at most so many columns; a longer one loses its middle.
pub(crate) fn shortened(text: &str, columns_max: usize) -> String {
    if columns(text) <= columns_max {
        return text.to_owned();
    }
    let tail_columns = columns_max / 2;
    let head_columns = (columns_max - tail_columns).saturating_sub(1);
    let head: String = begin(text.chars(), head_columns).collect();
    let tail: Vec<char> = begin(text.chars().rev(), tail_columns).collect();
    let tail: String = tail.into_iter().rev().collect();
    format!("{head}…{tail}")
}

/// The first characters, as many as fit.
pub(crate) fn begin(
    text: impl Iterator<Item = char>,
    columns_max: usize,
) -> impl Iterator<Item = char> {
    text.scan(0, move |taken, character| {
        *taken += columns_of(character);
        (*taken <= columns_max).then_some(character)
    })
}

/// Two for characters that are wide or fullwidth (Unicode Standard Annex #11, by block), none for combining marks.
fn columns_of(character: char) -> usize {
    match character {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns_and_combining_marks_none() {
        assert_eq!(columns("plain"), 5);
        assert_eq!(columns("注文"), 4);
        assert_eq!(columns("cafe\u{301}"), 4);
        assert_eq!(
            shortened("/v1/opscore/agent/[id]/state", 12),
            "/v1/o…/state"
        );
        for columns_max in 1..20 {
            let text = shortened("注文/注文/abc/注文/注文", columns_max);
            assert!(columns(&text) <= columns_max, "{text}");
        }
    }
}
