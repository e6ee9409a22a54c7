//! What steps are called in a narrow table.

use crate::record::schema::StepRecord;

/// `POST /v1/agent/[id]/workflow`.
pub(in crate::report) fn whole(step: &StepRecord) -> String {
    format!("{} {}", step.method, step.name)
}

/// By step: `POST …/workflow`, the shortest end of its path that no other step of this method has.
pub(super) fn tails(steps: &[StepRecord]) -> Vec<String> {
    steps.iter().map(|step| tail(step, steps)).collect()
}

fn tail(step: &StepRecord, steps: &[StepRecord]) -> String {
    let name = &step.name;
    let others = || {
        steps
            .iter()
            .filter(|other| other.method == step.method && other.name != *name)
    };
    let path_length = name.find('?').unwrap_or(name.len());
    let path = name[..path_length].trim_end_matches('/');
    let slashes = path.rmatch_indices('/').map(|(at, _)| at);
    // At 0 the end is the whole.
    let ends = slashes.filter(|at| *at > 0).map(|at| &name[at..]);
    let mut unambiguous = ends.filter(|end| !others().any(|other| other.name.ends_with(end)));
    match unambiguous.next() {
        Some(end) => format!("{} …{end}", step.method),
        None => whole(step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_the_shortest_end_that_is_unambiguous() {
        let check = |names: &[&str], expected: &[&str]| {
            let steps: Vec<StepRecord> = names
                .iter()
                .map(|name| {
                    let (method, name) = name.split_once(' ').expect("both");
                    StepRecord {
                        method: method.into(),
                        name: name.into(),
                        ..StepRecord::default()
                    }
                })
                .collect();
            assert_eq!(tails(&steps), expected);
        };
        check(
            &["GET /a/[id]/state", "POST /a/[id]/state", "GET /health"],
            &["GET …/state", "POST …/state", "GET /health"],
        );
        check(
            &["GET /a/b/state", "GET /c/b/state", "GET /b/state"],
            &["GET /a/b/state", "GET /c/b/state", "GET /b/state"],
        );
        check(
            &[
                "GET /x/a/b",
                "GET /x/c/b",
                "GET /x/list/?q=a/b",
                "GET the front page",
            ],
            &[
                "GET …/a/b",
                "GET …/c/b",
                "GET …/list/?q=a/b",
                "GET the front page",
            ],
        );
    }
}
