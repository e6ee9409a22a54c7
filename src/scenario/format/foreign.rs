//! Keys of other tools, and what they are called here.

/// Keys that people bring along, and the cure.
const FOREIGN: [(&[&str], &str); 24] = [
    (
        &["files", "upload", "uploads", "formdata", "form_data"],
        "files are sent with multipart = { file = { path = \"a.png\", type = \"image/png\" } }",
    ),
    (
        &["jsonpath", "json_path", "xpath", "css", "selector"],
        "a value is found by { json = \"/pointer\" }, { regex = \"id=([0-9]+)\" } or { html = \"input[name=id]@value\" }",
    ),
    (
        &[
            "assert",
            "asserts",
            "assertions",
            "check",
            "checks",
            "validate",
            "verify",
            "thresholds",
        ],
        "conditions of an answer stand in expect, for example expect = { status = [200] }; rules of a run in fail_if",
    ),
    (
        &[
            "think_time",
            "thinktime",
            "think",
            "sleep",
            "delay",
            "wait_time",
            "min_wait",
            "max_wait",
        ],
        "the time between tasks is wait = \"1s..3s\", at the top of the file; the time after a step is pause",
    ),
    (
        &["duration", "time", "hold_for", "runtime"],
        "the length of a run is load = { run_time = \"5m\" }, at the top of the file, or -t 5m",
    ),
    (
        &[
            "vus",
            "vu",
            "virtual_users",
            "concurrency",
            "threads",
            "num_users",
            "clients",
            "users",
        ],
        "the number of users is load = { users = 10 }, at the top of the file, or -u 10",
    ),
    (
        &["ramp_up", "rampup", "spawn_rate", "hatch_rate", "ramp"],
        "a ramp is load = { users = 100, ramp = \"1m\" }, at the top of the file, or -r 10",
    ),
    (
        &["rate", "rps", "arrival_rate", "qps"],
        "a rate of arrivals is given by the flag --rate",
    ),
    (
        &["host", "base_url", "baseurl", "target", "server"],
        "the target is given by --host http://localhost:8000, so that a scenario runs anywhere",
    ),
    (
        &["url", "uri", "endpoint"],
        "a step has path = \"/items\"; the target is given by --host",
    ),
    (
        &[
            "params",
            "query_params",
            "querystring",
            "query_string",
            "args",
        ],
        "parameters stand in query = { page = \"1\" }",
    ),
    (
        &["before", "on_start", "init", "before_all"],
        "steps that a user runs once are [[start]]",
    ),
    (
        &["after", "on_stop", "after_all"],
        "steps before a user leaves are [[stop]]",
    ),
    (
        &["requests", "request", "scenarios", "flow", "steps"],
        "what users do is [[task]], one for each; several steps in order are [[task.step]]",
    ),
    (
        &["vars", "variable", "env", "environment", "let"],
        "variables stand in [variables]",
    ),
    (
        &[
            "capture",
            "captures",
            "save",
            "set",
            "correlate",
            "extractors",
        ],
        "a value of an answer is extract = { id = { json = \"/id\" } }",
    ),
    (
        &["feeder", "data_file", "csv_file", "dataset", "feeders"],
        "rows for users stand in a file: [csv] with file = \"users.csv\"",
    ),
    (
        &["percentage", "probability", "ratio", "share", "frequency"],
        "how often a task is drawn is its weight, for example weight = 3",
    ),
    (
        &["if", "only_if", "condition", "unless"],
        "a step is sent in some cases with when = { set = \"token\" }, when = \"10%\" or when = \"else\"",
    ),
    (
        &["loop", "while", "foreach", "for_each", "times", "count"],
        "a step is sent several times with repeat = 3, or repeat = { until = { unset = \"next\" }, max = 50 }",
    ),
    (
        &["parallel", "batch", "concurrent", "at_once", "simultaneous"],
        "steps that are sent at once stand in one step: together = [{ method = \"GET\", path = \"/app.css\" }, ...]",
    ),
    (
        &["deadline", "task_timeout", "max_time"],
        "the time limit of a task is within = \"20s\", that of a request timeout = \"5s\"",
    ),
    (
        &["retries", "max_retries", "retry_on", "backoff"],
        "failures are sent again with retry = { times = 3, on = [503] }",
    ),
    (
        &["bearer", "bearer_token", "basic_auth", "authorization"],
        "credentials are a header: headers = { Authorization = \"Bearer {{env.TOKEN}}\" }",
    ),
];

/// What a key of another tool is called here; `None` for a key of no known tool.
pub(super) fn cure(key: &str) -> Option<&'static str> {
    let plain = key.replace('-', "_").to_ascii_lowercase();
    let found = FOREIGN
        .iter()
        .find(|(keys, _)| keys.contains(&plain.as_str()));
    found.map(|(_, cure)| *cure)
}
