//! `fotalab report`: the page of a run, made again from what was kept.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{Exit, Failure, places};
use crate::report::{self, Kept, Packed, sequence};

/// What `report` takes.
///
/// Examples:
///   fotalab report out                        makes out/index.html again
///   fotalab report out --mermaid 'Job ends'   a sequence diagram to paste into an issue
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    /// The directory that `--report` wrote.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Print the sequence diagram of a scenario as Mermaid, and write nothing.
    #[arg(long, value_name = "SCENARIO", conflicts_with = "svg")]
    mermaid: Option<String>,
    /// Print the sequence diagram of a scenario as SVG, and write nothing.
    #[arg(long, value_name = "SCENARIO")]
    svg: Option<String>,
}

/// Reads what was kept and writes `index.html`, or prints a diagram.
pub(super) fn report(arguments: &Arguments) -> Result<Exit, Failure> {
    let (report, trace) = (
        read(&arguments.directory.join("report.json"))?,
        read(&arguments.directory.join("trace.ndjson"))?,
    );
    let kept = Kept::read(&report, &trace);
    let kept = kept.map_err(|error| Failure::usage(error.to_string()))?;
    let diagram = match (&arguments.mermaid, &arguments.svg) {
        (Some(name), _) => sequence::mermaid(&diagram(&kept, name)?),
        (None, Some(name)) => sequence::standalone(&diagram(&kept, name)?),
        (None, None) => {
            let path = arguments.directory.join("index.html");
            let packed = Packed::of(&kept.run);
            places::created(&path, |it| report::write_page(&kept, &packed, it))?;
            println!("{}", path.display());
            return Ok(Exit::Held);
        }
    };
    // A reader that went away has seen what it wanted.
    drop(std::io::stdout().write_all(diagram.as_bytes()));
    Ok(Exit::Held)
}

/// The diagram of the scenario of this title or id, or of the one whose title contains it.
fn diagram(kept: &Kept<'_>, name: &str) -> Result<sequence::Sequence, Failure> {
    let scenarios = kept.run.features.iter().enumerate().flat_map(|(at, it)| {
        let of_feature = it.scenarios.iter().enumerate();
        of_feature.map(move |(nth, scenario)| (at, nth, scenario))
    });
    let all: Vec<_> = scenarios.collect();
    let exact = all
        .iter()
        .filter(|it| it.2.title == name || it.2.id == name);
    let mut found: Vec<_> = exact.collect();
    if found.is_empty() {
        let part = all.iter().filter(|it| it.2.id.contains(name));
        found = part.collect();
    }
    let (feature, scenario) = match found.as_slice() {
        [] => return Err(Failure::usage(format!("no scenario is called `{name}`"))),
        [(feature, scenario, _)] => (*feature, *scenario),
        several => {
            let ids = several.iter().take(10).map(|it| it.2.id.as_str());
            let ids = ids.collect::<Vec<_>>().join("\n  ");
            let count = several.len();
            return Err(Failure::usage(format!(
                "{count} scenarios are called `{name}`; name one:\n  {ids}"
            )));
        }
    };
    let sequence = sequence::of_scenario(kept, feature, scenario);
    sequence.ok_or_else(|| Failure::usage(format!("no message crossed during `{name}`")))
}

fn read(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path);
    text.map_err(|error| Failure::usage(format!("`{}` cannot be read: {error}", path.display())))
}
