//! Ops-Core by its contract, for the simulation; shares no code with the stand-in.

use std::collections::HashMap;

use crate::support::sim_server::{Answer, Answers, Seen};

/// The service with its agents and counts.
pub struct OpsCore {
    /// Polls so far of each registered agent.
    pub agents: HashMap<String, u32>,
    not_ready_polls: u32,
    answer_delay_ns: u64,
    /// Number of answers, by method, last part of the path, and status.
    pub answers: HashMap<(String, String, u16), u64>,
    /// Reasons why a request should not have been sent.
    pub complaints: Vec<String>,
}

impl OpsCore {
    pub fn new(not_ready_polls: u32, answer_delay_ns: u64) -> Self {
        Self {
            agents: HashMap::new(),
            not_ready_polls,
            answer_delay_ns,
            answers: HashMap::new(),
            complaints: Vec::new(),
        }
    }

    pub fn count(&self, last: &str, status: u16) -> u64 {
        let same = |key: &(String, String, u16)| key.1 == last && key.2 == status;
        self.answers
            .iter()
            .filter(|(key, _)| same(key))
            .map(|(_, count)| count)
            .sum()
    }
}

impl Answers for OpsCore {
    fn answer(&mut self, seen: &Seen) -> Answer {
        let (path, body) = (&seen.path, &seen.body);
        let has_key = seen
            .head
            .contains("\r\nAuthorization: Bearer test-api-key\r\n");
        let (status, text) = match path.strip_prefix("/v1/opscore/agent/") {
            None if has_key => (400, "a registration with a key".to_owned()),
            None => {
                let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
                let id = json["agent_details"]["agentId"]
                    .as_str()
                    .unwrap_or_default();
                self.agents.insert(id.to_owned(), 0);
                (200, "{\"status\":\"success\"}".to_owned())
            }
            Some(_) if !has_key => (401, "no key".to_owned()),
            Some(rest) => {
                let (id, what) = rest.split_once('/').unwrap_or_default();
                match (self.agents.get_mut(id), what) {
                    (None, _) => (404, "not registered".to_owned()),
                    (Some(polls), "state") if seen.method == "GET" => {
                        *polls += 1;
                        match (*polls).cmp(&self.not_ready_polls) {
                            std::cmp::Ordering::Less => (404, "{\"detail\":\"none\"}".to_owned()),
                            std::cmp::Ordering::Equal => (200, "null".to_owned()),
                            std::cmp::Ordering::Greater => {
                                (200, format!("{{\"agentId\":\"{id}\"}}"))
                            }
                        }
                    }
                    (Some(_), _) => {
                        let names_one = body.contains("\"agentId\":");
                        if names_one && !body.contains(&format!("\"agentId\":\"{id}\"")) {
                            self.complaints
                                .push(format!("another agent's body: {body}"));
                        }
                        (202, "{\"sessionId\":\"x\"}".to_owned())
                    }
                }
            }
        };
        let last = path.rsplit('/').next().unwrap_or_default().to_owned();
        let key = (seen.method.clone(), last, status);
        *self.answers.entry(key).or_default() += 1;
        Answer {
            after_ns: self.answer_delay_ns,
            ..Answer::new(status, text)
        }
    }
}
