//! The environment's variables: `FOTALAB_*` are ours, and one that no flag reads is a mistake.

use std::{collections::BTreeSet, env};

use clap::CommandFactory as _;

use super::{Arguments, Failure};
use crate::scenario::nearest::nearest;

const PREFIX: &str = "FOTALAB_";
/// Read by our tests: the long runs, and where the seeds are.
const OF_TESTS: [&str; 2] = ["FOTALAB_LONG", "FOTALAB_SEEDS"];

/// Every `FOTALAB_*` variable means something.
pub(super) fn check() -> Result<(), Failure> {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    match unknown(names) {
        Some(why) => Err(Failure::usage(why)),
        None => Ok(()),
    }
}

/// What is wrong with the first name that nothing reads.
fn unknown(names: impl Iterator<Item = String>) -> Option<String> {
    let mut ours = names.filter(|it| it.starts_with(PREFIX)).peekable();
    ours.peek()?;
    let known = known();
    let wrong = ours.find(|it| !known.contains(it.as_str()))?;
    let help = nearest(&wrong, known.iter().map(String::as_str)).map_or_else(
        || {
            format!(
                "known are {}",
                Vec::from_iter(known.iter().map(String::as_str)).join(", ")
            )
        },
        |near| format!("did you mean {near}?"),
    );
    Some(format!(
        "the environment sets {wrong}, which means nothing here; {help}"
    ))
}

fn known() -> BTreeSet<String> {
    let command = Arguments::command();
    let flags = command.get_arguments();
    let flags = flags.chain(
        command
            .get_subcommands()
            .flat_map(clap::Command::get_arguments),
    );
    let read = flags.filter_map(|it| Some(it.get_env()?.to_str()?.to_owned()));
    read.chain(OF_TESTS.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_nothing_reads_is_a_mistake() {
        let of = |names: &[&str]| unknown(names.iter().map(|&it| it.to_owned()));
        assert_eq!(
            of(&["HOME", "FOTALAB_SEED", "FOTALAB_COLOR", "FOTALAB_LONG"]),
            None
        );
        let why = of(&["FOTALAB_SEED", "FOTALAB_SEDE"]).expect("a typo");
        assert!(
            why.contains("FOTALAB_SEDE") && why.contains("did you mean FOTALAB_SEED?"),
            "{why}"
        );
    }
}
