//! Untrusted text for a terminal: characters that the terminal would obey are escaped.

/// An untrusted text in one line: line ends and everything else that a terminal would obey are shown as their escapes.
pub fn in_one_line(text: &str) -> String {
    escaped(text, |_| false)
}

/// An untrusted text whose own line ends and tabs stay.
pub fn in_lines(text: &str) -> String {
    escaped(text, |character| matches!(character, '\n' | '\t'))
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match is_obeyed(character) && !is_kept(character) {
            true => safe.extend(character.escape_default()),
            false => safe.push(character),
        }
    }
    safe
}

/// Characters that move, colour, end or reorder what a terminal shows: C0, DEL and C1 controls, line and paragraph
/// separators, and the marks of Unicode's bidirectional algorithm.
fn is_obeyed(character: char) -> bool {
    let reorders = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || reorders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_a_terminal_would_obey_are_escaped() {
        let wild = "a\x1b[2J\u{9b}31m\x7f\u{202e}\r\n\tb";
        let line = in_one_line(wild);
        assert_eq!(line, r"a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\r\n\tb");
        assert_eq!(in_lines(wild), line.replace(r"\n\t", "\n\t"));
        for code in 0..0x3000 {
            let Some(character) = char::from_u32(code) else {
                continue;
            };
            let shown = in_lines(&character.to_string());
            let is_plain = shown
                .chars()
                .all(|c| matches!(c, '\n' | '\t') || !c.is_control());
            assert!(is_plain, "{code:x}");
        }
        assert_eq!(in_one_line("caf\u{e9} \u{1f600}"), "caf\u{e9} \u{1f600}");
    }
}
