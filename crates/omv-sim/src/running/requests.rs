//! What a host asks of channels that a script made. On a camera their Python methods are called between two
//! steps of the script; here at the next moment at which the script sleeps, takes a picture or asks the
//! camera for anything else.
//!
//! ```text
//!   host --READ--> ask: LATER --> script: asked() --> method --> answer() --> ask again: the answer
//!                   |                                                            ^
//!                   +-- camera's half of the protocol asks again, up to LIMIT ---+
//! ```
//!
//! Source: openmv/openmv modules/py_protocol.c, scripts/examples/12-Protocol/basic_channel.py.

use std::collections::VecDeque;
use std::time::Duration;

use omv_wire::v2::codec::Status;

/// A script that computes without a pause so long leaves its channels unanswered.
const LIMIT: Duration = Duration::from_millis(300);
/// Most channels, the four of the firmware's own among them.
pub const MOST: usize = 32;

/// A channel of the script's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// Its name.
    pub name: String,
    /// Its flags.
    pub flags: u8,
    /// The methods its backend has.
    pub methods: Vec<String>,
    /// What `poll` said last.
    pub ready: bool,
}

/// One call of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The channel; 0 for all that have this method.
    pub id: u8,
    /// Name of the method.
    pub method: &'static str,
    /// Its numbers.
    pub words: Vec<u32>,
    /// Its last argument, where it is bytes.
    pub data: Option<Vec<u8>>,
}

/// What a method gave back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// Numbers; a truth is 0 or 1.
    Numbers(Vec<i64>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An exception, or nothing of use.
    Nothing,
}

/// Calls that wait, and the one whose answer is waited for.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    asked: Option<(Call, Duration)>,
    given: Option<Given>,
    waiting: VecDeque<Call>,
}

impl Requests {
    /// Whether the script has something to do.
    pub fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next call for the script.
    pub fn take(&mut self) -> Option<Call> {
        self.waiting.pop_front()
    }

    /// What came of the call whose answer is waited for.
    pub fn give(&mut self, call: &Call, given: Given) {
        if self.asked.as_ref().is_some_and(|(asked, _)| asked == call) {
            self.given = Some(given);
        }
    }

    /// Wishes for a call without an answer.
    pub fn wish(&mut self, call: Call) {
        if !self.waiting.contains(&call) && self.waiting.len() < MOST {
            self.waiting.push_back(call);
        }
    }

    /// The answer to a call, which is made by the first of these questions.
    ///
    /// # Errors
    /// [`Status::LATER`] while it is not there yet, [`Status::FAILED`] when it has not come in time.
    pub fn ask(&mut self, now: Duration, call: Call) -> Result<Given, Status> {
        match &self.asked {
            Some((asked, at)) if *asked == call => {
                if let Some(given) = self.given.take() {
                    self.asked = None;
                    return Ok(given);
                }
                if now < *at + LIMIT {
                    return Err(Status::LATER);
                }
                self.asked = None;
                self.waiting.retain(|waiting| *waiting != call);
                Err(Status::FAILED)
            }
            _ => {
                self.given = None;
                self.waiting.push_back(call.clone());
                self.asked = Some((call, now));
                Err(Status::LATER)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &'static str) -> Call {
        Call {
            id: 4,
            method,
            words: Vec::new(),
            data: None,
        }
    }

    #[test]
    fn an_answer_is_waited_for_and_not_for_ever() {
        let mut requests = Requests::default();
        let at = Duration::from_millis;
        assert_eq!(requests.ask(at(0), call("size")), Err(Status::LATER));
        let size = requests.take().unwrap();
        assert!(!requests.are_waiting());
        requests.give(&size, Given::Numbers(vec![7]));
        assert_eq!(
            requests.ask(at(1), call("size")),
            Ok(Given::Numbers(vec![7]))
        );
        assert_eq!(requests.ask(at(2), call("size")), Err(Status::LATER));
        assert_eq!(requests.ask(at(302), call("size")), Err(Status::FAILED));
        assert!(!requests.are_waiting());
    }

    #[test]
    fn the_answer_to_a_question_given_up_is_nobodys() {
        let mut requests = Requests::default();
        let now = Duration::ZERO;
        assert!(requests.ask(now, call("size")).is_err());
        let size = requests.take().unwrap();
        assert!(requests.ask(now, call("read")).is_err());
        requests.give(&size, Given::Numbers(vec![7]));
        assert_eq!(requests.ask(now, call("read")), Err(Status::LATER));
    }
}
