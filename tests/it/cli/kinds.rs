//! Kinds of users in the reports of a real run.

use crate::support::binary::{check_sums, record_of};
use crate::support::raw_server::{RawServer, answer_ok};

const SCENARIO: &str = r#"
name = "shop"

[[users]]
name = "browser"
share = "75%"
[[users.task]]
method = "GET"
path = "/items"

[[users]]
name = "buyer"
share = "25%"
[[users.task]]
method = "GET"
path = "/items"
[[users.task]]
method = "POST"
path = "/orders"
"#;

#[test]
fn every_report_has_the_figures_of_each_kind() {
    let server = RawServer::start(answer_ok);
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(at("shop.toml"), SCENARIO).expect("it can be written");
    let (url, file, page, tables) = (server.url(), at("shop.toml"), at("r.html"), at("r"));
    let arguments = [
        &file,
        "-H",
        &url,
        "-u",
        "4",
        "--iterations",
        "40",
        "--html",
        &page,
        "--csv",
        &tables,
    ];
    let (record, printed) = record_of(&arguments, 0);
    check_sums(&record);
    let kinds: Vec<_> = record
        .kinds
        .iter()
        .map(|kind| {
            (
                kind.name.as_str(),
                kind.users,
                kind.iterations,
                kind.requests,
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("browser", Some(3), Some(30), 30),
            ("buyer", Some(1), Some(10), 10)
        ]
    );
    assert_eq!(record.kinds[0].steps, ["GET browser/items"]);
    assert_eq!(record.kinds[1].all_us.count, 10);
    let row = |text: &str, name: &str| {
        let row = text.lines().find(|line| line.starts_with(name));
        row.map(|row| row.split_whitespace().take(5).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(
        row(&printed, "browser "),
        Some("browser 3 30 30 0".into()),
        "{printed}"
    );
    let page = std::fs::read_to_string(&page).expect("it was written");
    assert!(page.contains("Kinds of users") && page.contains("buyer"));
    let table = std::fs::read_to_string(at("r_users.csv")).expect("it was written");
    assert!(
        table.contains("\nbuyer,1,10,10,0,") || table.contains("\n\"buyer\",1,10,10,0,"),
        "{table}"
    );
}
