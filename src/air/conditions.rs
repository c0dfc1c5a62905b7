//! How good the links of devices and peers are, who is cut off, and which messages get lost.

use std::collections::BTreeMap;

use fotalab_wire::net::LossyOptions;

/// The conditions of all links of one laboratory.
#[derive(Debug)]
pub(crate) struct Conditions {
    /// All there have been, by number; the first is a perfect link.
    set: Vec<LossyOptions>,
    /// Which of them hold for those that have none of their own.
    common: usize,
    /// Which of them a device or peer has.
    of: BTreeMap<usize, usize>,
    cut: BTreeMap<usize, Way>,
}

/// Which way something goes, seen from a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the device to the server.
    Up,
    /// From the server to the device.
    Down,
    /// Both.
    Both,
}

impl Conditions {
    /// Perfect links for all.
    pub(crate) fn new() -> Self {
        Self {
            set: vec![LossyOptions::default()],
            common: 0,
            of: BTreeMap::new(),
            cut: BTreeMap::new(),
        }
    }

    /// Gives all devices and peers these conditions, also those that had their own.
    pub(crate) fn set_common(&mut self, options: LossyOptions) {
        self.set.push(options);
        self.common = self.set.len() - 1;
        self.of.clear();
    }

    /// Gives these devices and peers conditions of their own.
    pub(crate) fn set(&mut self, parties: &[usize], options: LossyOptions) {
        self.set.push(options);
        let number = self.set.len() - 1;
        for party in parties {
            self.of.insert(*party, number);
        }
    }

    /// Cuts devices and peers off, or with `None` heals that.
    pub(crate) fn cut(&mut self, parties: &[usize], way: Option<Way>) {
        for party in parties {
            match way {
                Some(way) => drop(self.cut.insert(*party, way)),
                None => drop(self.cut.remove(party)),
            }
        }
    }

    /// Whether what a device or peer sends (up) or is sent gets nowhere.
    pub(crate) fn is_cut(&self, party: usize, up: bool) -> bool {
        match self.cut.get(&party) {
            None => false,
            Some(Way::Both) => true,
            Some(way) => (*way == Way::Up) == up,
        }
    }

    /// The conditions that hold for a device or peer, with their number.
    pub(crate) fn number_of(&self, party: usize) -> usize {
        self.of.get(&party).copied().unwrap_or(self.common)
    }

    /// The conditions of a number.
    pub(crate) fn numbered(&self, number: usize) -> LossyOptions {
        self.set.get(number).cloned().unwrap_or_default()
    }

    /// Whether anybody has the conditions of a number.
    pub(crate) fn is_used(&self, number: usize) -> bool {
        number == self.common || self.of.values().any(|it| *it == number)
    }
}
