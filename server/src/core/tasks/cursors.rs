//! Places in lists of reports that somebody pages through.

use std::collections::BTreeMap;

use crate::limits;

/// Where somebody is in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Whose list it is.
    pub(crate) owner: String,
    /// What the list was asked for.
    pub(crate) criteria: Option<String>,
    /// Task and device of the last report that was given.
    pub(crate) after: Option<(String, String)>,
}

/// All places, by number.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    cursors: BTreeMap<u64, Cursor>,
    last: u64,
}

impl Cursors {
    /// A number for a place; the oldest place is forgotten where there are too many.
    pub(crate) fn add(&mut self, cursor: Cursor) -> u64 {
        if self.cursors.len() >= limits::MAX_REPORT_CURSORS {
            self.cursors.pop_first();
        }
        self.last += 1;
        self.cursors.insert(self.last, cursor);
        self.last
    }

    /// A place.
    pub(crate) fn get(&self, owner: &str, number: u64) -> Option<&Cursor> {
        self.cursors.get(&number).filter(|it| it.owner == owner)
    }
}
