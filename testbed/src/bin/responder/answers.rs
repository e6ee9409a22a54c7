//! The answers, made once: heads and bodies as a real Ops-Core sends them, each repeated for pipelined requests.

use opsurge_testbed::requests::Kind;

/// Most bytes of a repeated answer; a longer one is there once.
const REPEATED_BYTES_MAX: usize = 32 * 1024;

const REGISTERED: &str = r#"{"status":"success","message":"Agent workflow-agent-0f5e4f0e-2a53-4a0e-9d0f-6d2b8c9a1e77 registered successfully."}"#;
const STATE: &str = r#"{"agentId":"workflow-agent-0f5e4f0e-2a53-4a0e-9d0f-6d2b8c9a1e77","state":"UNKNOWN","details":{"reason":"Initial registration"},"timestamp":"2026-11-23T21:03:45.023768Z"}"#;
const STARTED: &str = r#"{"sessionId":"d96aaa22-a187-4972-a633-b41aa48fa1a6","workflowId":"sample_workflow_id","message":"Workflow triggered successfully"}"#;
const HEALTHY: &str = r#"{"status":"ok"}"#;

/// An answer, repeated.
#[derive(Debug)]
pub struct Answer {
    /// The bytes of all repetitions.
    pub repeated: Vec<u8>,
    /// Length of one in bytes.
    pub answer_bytes: usize,
    /// Number of repetitions.
    pub repeats: usize,
}

/// All answers.
#[derive(Debug)]
pub struct Answers {
    plain: Answer,
    registered: Answer,
    state: Answer,
    started: Answer,
}

impl Answers {
    /// All answers; `plain_bytes` is the length of the body for requests that are not Ops-Core's.
    pub fn new(plain_bytes: Option<usize>) -> Self {
        let plain = match plain_bytes {
            Some(bytes) => "x".repeat(bytes),
            None => HEALTHY.to_owned(),
        };
        Self {
            plain: Answer::new("200 OK", &plain),
            registered: Answer::new("200 OK", REGISTERED),
            state: Answer::new("200 OK", STATE),
            started: Answer::new("202 Accepted", STARTED),
        }
    }

    /// The answer to a kind of request. That to `Count` is not among them: it is built each time.
    pub fn to(&self, kind: Kind) -> &Answer {
        match kind {
            Kind::Plain | Kind::Count => &self.plain,
            Kind::Register => &self.registered,
            Kind::ReadState => &self.state,
            Kind::Workflow => &self.started,
        }
    }
}

impl Answer {
    fn new(status: &str, body: &str) -> Self {
        let one = with_head(status, body);
        let repeats = (REPEATED_BYTES_MAX / one.len()).max(1);
        Self {
            answer_bytes: one.len(),
            repeated: one.repeat(repeats),
            repeats,
        }
    }
}

/// An answer's head and body.
pub fn with_head(status: &str, body: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\ndate: Mon, 23 Nov 2026 21:03:44 GMT\r\nserver: uvicorn\r\ncontent-length: {}\r\n\
         content-type: application/json\r\nx-process-time: 0.0024747848510742188\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}
