//! What a front sends back.

use std::time::Duration;

use bytes::Bytes;

use super::{answer::Answer, journal::Answered, queue::ClosestAnswer};

/// The response to one call, for a front to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// Headers, without those of the connection.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
    /// Time to let pass first.
    pub after: Option<Duration>,
    /// Cut the connection after this many bytes of the response, the status line included.
    pub cut_after: Option<usize>,
}

impl Reply {
    pub(super) fn of(answer: &Answer) -> Self {
        Self {
            status: answer.status,
            headers: answer.headers.clone(),
            body: answer.body.clone(),
            after: answer.after,
            cut_after: answer.cut_after,
        }
    }

    pub(super) fn not_found(method: &str, target: &str, closest: Option<ClosestAnswer>) -> Self {
        // Begins as the reference's answer does.
        let mut text = format!("No responses found for {method} {target}\n");
        match closest {
            None => text.push_str("nothing is queued\n"),
            Some(ClosestAnswer {
                answer,
                used_up,
                differences,
            }) => {
                let state = if used_up { "used up" } else { "queued" };
                text.push_str(&format!(
                    "closest: {} {} ({state})\n",
                    answer.method, answer.path
                ));
                for difference in differences {
                    text.push_str(&format!("  {difference}\n"));
                }
            }
        }
        let plain = (
            "Content-Type".to_owned(),
            "text/plain; charset=utf-8".to_owned(),
        );
        let body = text.into();
        Self {
            status: 404,
            headers: vec![plain],
            body,
            after: None,
            cut_after: None,
        }
    }

    pub(super) fn to_journal(&self, from: Option<u64>, unexpected: bool) -> Answered {
        Answered {
            status: self.status,
            headers: self.headers.clone(),
            body: self.body.clone(),
            from,
            unexpected,
            after: self.after,
            cut_after: self.cut_after,
        }
    }
}
