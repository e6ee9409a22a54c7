use super::*;

#[test]
fn rows_are_given_in_turn_or_drawn() {
    let text = b"name,mail\nann,ann@example.test\n\"bob \"\"b\"\"\",\"a,b\"\n";
    let feeder = Feeder::parse(text, Order::InTurn, DELIMITER).expect("it is valid");
    let random = Keyed::new(1);
    let name = |user| feeder.text(feeder.row_of(user, random), 0).to_vec();
    assert_eq!((name(0), name(1)), (b"ann".to_vec(), b"bob \"b\"".to_vec()));
    assert_eq!((name(0), feeder.text(1, 1)), (name(2), &b"a,b"[..]));
    let drawn = Feeder::parse(text, Order::Random, DELIMITER).expect("it is valid");
    let first = (0..100)
        .filter(|&user| drawn.row_of(user, random) == 0)
        .count();
    assert!((30..70).contains(&first), "{first}");
    assert_eq!((feeder.bytes_max(1), feeder.is_fixed(1)), (16, false));
}

fn fields(text: &str, delimiter: u8) -> Result<Vec<String>, String> {
    let feeder = Feeder::parse(text.as_bytes(), Order::InTurn, delimiter)?;
    let columns = feeder.columns().len();
    let places = (0..feeder.rows()).flat_map(|row| (0..columns).map(move |it| (row, it)));
    let fields = places.map(|(row, column)| feeder.text(row, column));
    Ok(fields
        .map(|field| String::from_utf8_lossy(field).into_owned())
        .collect())
}

#[test]
fn a_file_that_is_not_a_table_is_refused_with_its_line() {
    let check = |text: &str, reason: &str| {
        let error = fields(text, DELIMITER).expect_err(text);
        assert!(error.starts_with(reason), "{error}");
    };
    check("", "it has no row");
    check("a,b\n", "it has no row");
    check("a,a\n1,2\n", "line 1: column 2");
    check(
        "a,b\n1\n",
        "line 2: the number of its fields is 1, and that of the columns 2",
    );
    check("a,b\n1,2\n1,2,3\n", "line 3: the number of its fields is 3");
    check(
        "a,b\n1,\"2\n3,4\n5,6\n",
        "line 2: a quote is opened here and never closed",
    );
    check(
        "a\n\"x\"\"\n",
        "line 2: a quote is opened here and never closed",
    );
    check(
        "a,b\n\"ann,1\n\"bob\",2\n",
        "line 3: the quote that is opened in line 2 is closed here",
    );
    check("a\n\"x\"y\n", "line 2: the quote that is opened in line 2");
    check("a,b\n1, \"x,y\"\n", "line 2: blanks stand before a quote");
    check(
        "a;b\n1;2\n",
        "line 1: with its delimiter it is one column, and has ; in it; say delimiter = \";\"",
    );
    check(
        "a\tb\n1\t2\n",
        "line 1: with its delimiter it is one column, and has \\t",
    );
    let error = fields("a,b\n1,2\n", b';').expect_err("no such delimiter");
    assert!(error.ends_with("leave delimiter out"), "{error}");
}

#[test]
fn quotes_and_delimiters_are_taken_as_they_are_meant() {
    for (text, delimiter, expected) in [
        ("a,b\r\n1,2\r\n", b',', &["1", "2"][..]),
        ("\u{feff}a,b\n1,2", b',', &["1", "2"]),
        ("\u{feff}\"a\",b\n1,2", b',', &["1", "2"]),
        ("a;b\n1,5;\"2;3\"\n", b';', &["1,5", "2;3"]),
        ("a\tb\n1\t\"2\n3\"\n", b'\t', &["1", "2\n3"]),
        (
            "a\n\"x \"\"y\"\"\"\n5\"\n x\n",
            b',',
            &["x \"y\"", "5\"", " x"],
        ),
    ] {
        assert_eq!(fields(text, delimiter).expect(text), expected, "{text}");
    }
}

#[test]
fn rows_that_no_user_gets_are_known() {
    let feeder = |order| Feeder::parse(b"a\n1\n2\n3\n", order, DELIMITER).expect("valid");
    let in_turn = feeder(Order::InTurn);
    assert_eq!(in_turn.rows_left(1), Some(2..=3));
    assert_eq!((in_turn.rows_left(3), in_turn.rows_left(9)), (None, None));
    assert_eq!(feeder(Order::Random).rows_left(1), None);
}
