//! What a task is to do, and on whom.

use serde::{Deserialize, Serialize};

use super::parameters::Parameters;

/// On whom a task runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Scope {
    /// One device.
    Device(String),
    /// All that were in this group when the task was made.
    Group(String),
}

/// What a task is to do. Two with the same are the same task, run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// What somebody calls it.
    pub(crate) name: Option<String>,
    /// What is done.
    pub(crate) work: Work,
    /// Without waiting for the device to come.
    pub(crate) immediately: bool,
    /// It runs at all.
    pub(crate) active: bool,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Work {
    /// Operations, one after the other, until one fails.
    Operations {
        /// The wish to send them together; each is one message all the same.
        batch: bool,
        /// What is asked.
        operations: Vec<Operation>,
    },
    /// An update of the firmware; what the parameters say is found out when it begins.
    Firmware(Parameters),
}

/// One operation, written as the API writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Operation {
    /// Read a key, or all below it.
    Read {
        /// Of what.
        key: String,
    },
    /// Write one value.
    Write {
        /// Of what.
        key: String,
        /// The value as text.
        value: String,
    },
    /// Execute a resource.
    #[serde(rename_all = "camelCase")]
    Execute {
        /// Which.
        key: String,
        /// What it is given.
        #[serde(default)]
        argument_list: Vec<Argument>,
    },
}

/// An argument of Execute: `digit` or `digit='argument'` (TS 1.1 C 6.3.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Argument {
    /// 0 to 9.
    pub(crate) digit: u8,
    /// What follows the equals sign.
    pub(crate) argument: Option<String>,
}

impl Operation {
    /// What it is about.
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Read { key } | Self::Write { key, .. } | Self::Execute { key, .. } => key,
        }
    }

    /// What it does, as a person would say it.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Read { .. } => "Read",
            Self::Write { .. } => "Write",
            Self::Execute { .. } => "Execute",
        }
    }
}

impl Argument {
    /// All of them as a payload.
    pub(crate) fn payload(arguments: &[Self]) -> String {
        let each = arguments.iter().map(|it| match &it.argument {
            None => it.digit.to_string(),
            Some(argument) => format!("{}='{argument}'", it.digit),
        });
        each.collect::<Vec<_>>().join(",")
    }
}
