//! Messages that get lost, as a scenario says.

use super::{Crossing, limits::DROPS, notation::Notation};

/// The rules by which messages get lost.
#[derive(Debug, Default)]
pub(crate) struct Drops(Vec<Rule>);

/// One of them.
#[derive(Debug)]
struct Rule {
    messages: Notation,
    /// Whose; `None`: everybody's.
    parties: Option<Vec<usize>>,
    /// How many more; `None`: all.
    left: Option<u64>,
}

impl Drops {
    /// Drops what a rule says, for these devices and peers or, without any, for all; so often, or
    /// always.
    ///
    /// # Errors
    /// There are too many rules.
    pub(crate) fn add(
        &mut self,
        messages: Notation,
        parties: Option<Vec<usize>>,
        left: Option<u64>,
    ) -> Result<(), String> {
        if self.0.len() >= DROPS {
            return Err(format!("a link has at most {DROPS} such rules"));
        }
        self.0.push(Rule {
            messages,
            parties,
            left,
        });
        Ok(())
    }

    /// Ends the rules of these devices and peers, and with `None` all of them.
    pub(crate) fn end(&mut self, parties: Option<&[usize]>) {
        let Some(parties) = parties else {
            return self.0.clear();
        };
        for rule in &mut self.0 {
            if let Some(of) = &mut rule.parties {
                of.retain(|it| !parties.contains(it));
            }
        }
        self.0
            .retain(|it| it.parties.as_ref().is_none_or(|of| !of.is_empty()));
    }

    /// A rule says that it gets lost; the rule counts it.
    pub(crate) fn take(&mut self, party: usize, crossing: &Crossing) -> bool {
        let of_party = |rule: &Rule| rule.parties.as_ref().is_none_or(|it| it.contains(&party));
        let rules = &mut self.0;
        let found = rules
            .iter_mut()
            .find(|rule| rule.left != Some(0) && of_party(rule) && rule.messages.is(crossing));
        if let Some(left) = found.as_ref().and_then(|it| it.left) {
            if let Some(rule) = found {
                rule.left = Some(left - 1);
            }
            return true;
        }
        found.is_some()
    }
}
