use super::*;

const USERS: Changes = Changes {
    is_open: false,
    min: 1.0,
    max: 150.0,
};

fn press(keys: &mut Keys, code: KeyCode, level: f64) -> Option<Wish> {
    keys.on_key(KeyEvent::new(code, KeyModifiers::NONE), level)
}

fn type_all(keys: &mut Keys, text: &str) -> Option<Wish> {
    let mut last = None;
    for character in text.chars() {
        last = match character {
            '\n' => press(keys, KeyCode::Enter, 50.0),
            '\u{8}' => press(keys, KeyCode::Backspace, 50.0),
            '\u{1b}' => press(keys, KeyCode::Esc, 50.0),
            character => press(keys, KeyCode::Char(character), 50.0),
        };
    }
    last
}

#[test]
fn plus_and_minus_change_the_level_by_a_tenth_within_its_limits() {
    let mut keys = Keys::new(Ok(USERS));
    for (code, level, expected) in [
        (KeyCode::Char('+'), 50.0, 55.0),
        (KeyCode::Up, 3.0, 4.0),
        (KeyCode::Char('='), 149.0, 150.0),
        (KeyCode::Char('-'), 50.0, 45.0),
        (KeyCode::Down, 1.0, 1.0),
        (KeyCode::PageUp, 50.0, 100.0),
        (KeyCode::PageUp, 100.0, 150.0),
        (KeyCode::PageDown, 50.0, 25.0),
    ] {
        assert_eq!(
            press(&mut keys, code, level),
            Some(Wish::Change(expected)),
            "{code:?} at {level}"
        );
    }
}

#[test]
fn a_typed_number_is_set_by_enter_and_dropped_by_escape() {
    let mut keys = Keys::new(Ok(USERS));
    assert_eq!(type_all(&mut keys, "12"), None);
    assert_eq!(keys.typed.as_deref(), Some("12"));
    assert_eq!(type_all(&mut keys, "x.\u{8}0\n"), Some(Wish::Change(10.0)));
    assert_eq!(keys.typed, None);
    assert_eq!(type_all(&mut keys, "999\n"), Some(Wish::Change(150.0)));
    assert_eq!(type_all(&mut keys, "7\u{1b}"), None);
    assert_eq!(keys.typed, None);
    assert_eq!(type_all(&mut keys, "7\u{8}"), None);
    assert_eq!(keys.typed, None);
    // While a number is typed, other keys do not act.
    assert_eq!(type_all(&mut keys, "5q"), None);
    let mut rates = Keys::new(Ok(Changes {
        is_open: true,
        min: 0.0,
        max: 1e3,
    }));
    assert_eq!(type_all(&mut rates, "12.5.\n"), Some(Wish::Change(12.5)));
}

#[test]
fn a_load_that_cannot_be_changed_says_why() {
    let mut keys = Keys::new(Err("the search decides the load".into()));
    for code in ['+', '-', '5'] {
        assert_eq!(
            press(&mut keys, KeyCode::Char(code), 1.0),
            Some(Wish::Say("the search decides the load".into()))
        );
    }
    assert_eq!(keys.typed, None);
}

#[test]
fn stopping_works_in_every_state() {
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    let mut keys = Keys::new(Ok(USERS));
    for before in ["", "?", "12", " "] {
        type_all(&mut keys, before);
        assert_eq!(
            keys.on_key(control_c, 1.0),
            Some(Wish::Interrupt),
            "{before}"
        );
        keys.typed = None;
    }
    for code in ['q', 'd'] {
        keys.is_help = code == 'd';
        let wish = press(&mut keys, KeyCode::Char(code), 1.0);
        assert_eq!(wish, Some(Wish::Interrupt), "{code}");
    }
}

#[test]
fn the_view_is_switched_and_the_help_is_closed_by_any_key() {
    let mut keys = Keys::new(Ok(USERS));
    assert_eq!(type_all(&mut keys, " wz?"), None);
    assert!(keys.is_paused && keys.is_long && keys.is_help);
    assert_eq!(keys.span, Span::SoFar);
    assert_eq!(type_all(&mut keys, "x wz"), None);
    assert!(!keys.is_paused && !keys.is_long && !keys.is_help);
    assert_eq!(keys.span, Span::Window);
    let suspend = KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL);
    assert!(matches!(keys.on_key(suspend, 1.0), Some(Wish::Say(_))));
    assert!(!keys.is_long, "Ctrl-Z is no z");
}
