use super::*;
use crate::scenario::rows::DELIMITER;

fn file(rows: u64, per: Per, order: Order, at_end: AtEnd) -> File {
    let text: String = (0..rows).map(|row| format!("{row},x\n")).collect();
    File {
        name: String::new(),
        rows: Rows::parse(format!("n,x\n{text}").as_bytes(), DELIMITER).expect("valid"),
        per,
        order,
        at_end,
    }
}

fn feeder(file: File) -> Feeder {
    let mut feeder = Feeder::default();
    feeder.add(file).expect("names of its own");
    feeder
}

fn key(user: u64, iteration: u64, seats: u64) -> RowKey {
    RowKey {
        user,
        iteration,
        seats,
        random: Keyed::new(1),
    }
}

/// The number in the row's first column, which is the row's own.
fn row(feeder: &Feeder, key: RowKey) -> usize {
    let text = String::from_utf8_lossy(feeder.field(0, key)).into_owned();
    text.parse().expect("a number")
}

#[test]
fn a_user_has_the_row_of_its_number_or_one_that_is_drawn() {
    let in_turn = feeder(file(3, Per::User, Order::InTurn, AtEnd::Again));
    let rows: Vec<usize> = (0..5).map(|user| row(&in_turn, key(user, 9, 5))).collect();
    assert_eq!(rows, [0, 1, 2, 0, 1]);
    let drawn = feeder(file(3, Per::User, Order::Random, AtEnd::Again));
    let first = (0..300).filter(|&user| row(&drawn, key(user, user, 5)) == 0);
    assert!((70..130).contains(&first.count()));
    assert_eq!(row(&drawn, key(7, 0, 9)), row(&drawn, key(7, 1, 9)));
}

#[test]
fn iterations_use_every_row_before_the_first_comes_again_and_a_seat_sees_all_of_them() {
    for (seats, rows) in [(1, 5), (4, 8), (10, 10), (7, 3), (3, 100)] {
        let feeder = feeder(file(rows, Per::Iteration, Order::InTurn, AtEnd::Again));
        for round in 0..3 {
            let numbers = round * rows..(round + 1) * rows;
            let mut seen: Vec<usize> = numbers.map(|it| row(&feeder, key(0, it, seats))).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..rows as usize).collect::<Vec<_>>());
        }
        // A seat sees every row as soon as it has done so many iterations.
        let of_seat = (0..rows).map(|pass| row(&feeder, key(0, pass * seats, seats)));
        let mut seen: Vec<usize> = of_seat.collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), rows as usize, "{seats} seats, {rows} rows");
    }
}

#[test]
fn rows_that_are_used_once_are_all_used_and_none_twice() {
    for (seats, rows) in [(1, 5), (4, 8), (4, 9), (10, 3), (7, 100)] {
        let feeder = feeder(file(rows, Per::Iteration, Order::InTurn, AtEnd::Stop));
        let mut used = vec![0; rows as usize];
        for seat in 0..seats {
            let end = feeder.end_of(seat, seat, seats).expect("the rows end");
            for pass in 0..u64::from(end.passes) {
                used[row(&feeder, key(seat, seat + pass * seats, seats))] += 1;
            }
            assert!(!end.fails);
        }
        assert!(used.iter().all(|&times| times == 1), "{used:?}");
    }
}

#[test]
fn the_file_that_is_over_first_bounds_a_user() {
    let mut feeder = feeder(file(6, Per::Iteration, Order::InTurn, AtEnd::Stop));
    feeder
        .add(File {
            name: "other".into(),
            ..file(3, Per::User, Order::InTurn, AtEnd::Fail)
        })
        .expect("names of its own");
    assert_eq!(feeder.columns(), ["n", "x", "other.n", "other.x"]);
    let end = |passes, fails| Some(RowsEnd { passes, fails });
    assert_eq!(feeder.end_of(2, 2, 4), end(1, false));
    assert_eq!(feeder.end_of(3, 3, 4), end(0, true));
    let again = file(1, Per::User, Order::Random, AtEnd::Again);
    assert_eq!(self::feeder(again).end_of(5, 5, 9), None);
}

#[test]
fn files_are_drawn_from_independently_and_names_are_unique() {
    let mut two = feeder(file(50, Per::Iteration, Order::Random, AtEnd::Again));
    let twin = file(50, Per::Iteration, Order::Random, AtEnd::Again);
    assert_eq!(two.add(twin.clone()), Err("n".into()));
    let mut two_named = Feeder::default();
    for name in ["a", "b"] {
        let named = File {
            name: name.into(),
            ..twin.clone()
        };
        two_named.add(named).expect("names of its own");
    }
    let same = (0..500u64).filter(|&it| {
        let key = key(it % 9, it, 9);
        two_named.field(0, key) == two_named.field(2, key)
    });
    assert!((1..30).contains(&same.count()));
}

#[test]
fn rows_that_no_user_gets_are_known() {
    let left = |per, order, users| file(3, per, order, AtEnd::Again).rows_left(users);
    assert_eq!(left(Per::User, Order::InTurn, 1), Some(2..=3));
    assert_eq!(left(Per::User, Order::InTurn, 3), None);
    assert_eq!(left(Per::User, Order::Random, 1), None);
    assert_eq!(left(Per::Iteration, Order::InTurn, 1), None);
}
