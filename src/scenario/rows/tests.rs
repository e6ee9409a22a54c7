use super::*;

fn fields(text: &str, delimiter: u8) -> Result<Vec<String>, String> {
    let rows = Rows::parse(text.as_bytes(), delimiter)?;
    let columns = rows.columns().len();
    let places = (0..rows.count()).flat_map(|row| (0..columns).map(move |it| (row, it)));
    let fields = places.map(|(row, column)| rows.text(row, column));
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
