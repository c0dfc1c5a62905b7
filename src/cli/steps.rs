//! `fotalab steps`.

use std::{fmt::Write as _, io::Write as _};

use serde_json::{Value, json};

use super::{Exit, Failure};
use crate::plan::{BlockNeed, Budget, Definition, Vocabulary, Waiting};

/// What `steps` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Only sentences that contain these words.
    words: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    /// For a terminal.
    #[default]
    Text,
    /// As a page.
    Md,
    /// For machines.
    Json,
}

/// Prints the vocabulary.
pub(super) fn steps(arguments: &Arguments) -> Result<Exit, Failure> {
    let all: Vec<&Definition> = Vocabulary::of_this_process()
        .definitions()
        .iter()
        .map(AsRef::as_ref)
        .filter(|it| {
            let sentence = it.sentence().to_lowercase();
            arguments
                .words
                .iter()
                .all(|word| sentence.contains(&word.to_lowercase()))
        })
        .collect();
    if all.is_empty() {
        eprintln!("no sentence contains {}", arguments.words.join(" and "));
        return Ok(Exit::Nothing);
    }
    let text = match arguments.format {
        Format::Text => text(&all),
        Format::Md => markdown(&all),
        Format::Json => format!(
            "{:#}\n",
            json!({ "schema": 1, "steps": all.iter().map(|it| as_json(it)).collect::<Vec<_>>() })
        ),
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::environment(error.to_string()))?;
    Ok(Exit::Held)
}

fn text(all: &[&Definition]) -> String {
    let mut text = String::new();
    for definition in all {
        let _ = writeln!(text, "{}", definition.sentence());
        if let Some(entry) = definition.entry {
            let _ = writeln!(text, "    {}", entry.does);
            let mut facts = vec![waiting(entry.waiting)];
            facts.extend(block(entry.block));
            if !entry.stores.is_empty() {
                facts.push(format!("stores {}", entry.stores.join(", ")));
            }
            let _ = writeln!(text, "    {}", facts.join("; "));
        }
        text.push('\n');
    }
    text
}

fn markdown(all: &[&Definition]) -> String {
    let mut text = String::from(
        "# The vocabulary\n\nArguments stand in backticks, what may be left out in `[ ]`, choices in `( | )`.\n",
    );
    for definition in all {
        let _ = writeln!(
            text,
            "\n## {}\n",
            definition.sentence().replace('<', "&lt;")
        );
        if let Some(entry) = definition.entry {
            let _ = writeln!(text, "{}\n\n- {}", entry.does, waiting(entry.waiting));
            if let Some(block) = block(entry.block) {
                let _ = writeln!(text, "- {block}");
            }
            if !entry.stores.is_empty() {
                let _ = writeln!(text, "- stores `{}`", entry.stores.join("`, `"));
            }
            let _ = writeln!(text, "\n````markdown\n{}\n````", entry.example);
        }
    }
    text
}

fn as_json(definition: &Definition) -> Value {
    let source = format!("{}:{}", definition.location.path, definition.location.line);
    let Some(entry) = definition.entry else {
        return json!({ "sentence": definition.sentence(), "source": source });
    };
    json!({
        "sentence": entry.sentence, "does": entry.does, "example": entry.example, "stores": entry.stores,
        "waits": waiting(entry.waiting), "block": block(entry.block), "pattern": definition.regex().as_str(),
        "source": source,
    })
}

fn waiting(waiting: Waiting) -> String {
    let seconds = |budget: Budget| budget.delays().map(|it| it.as_secs_f64()).sum::<f64>();
    match waiting {
        Waiting::Never => "does not wait".to_owned(),
        Waiting::WhenSoon(budget) => format!("with Soon it waits up to {} s", seconds(budget)),
        Waiting::Always(budget) => format!("waits up to {} s", seconds(budget)),
        Waiting::Window(time) => format!(
            "has to hold for {} s, or as long as For says",
            time.as_secs_f64()
        ),
    }
}

fn block(block: BlockNeed) -> Option<String> {
    let fixed = match block {
        BlockNeed::None => return None,
        BlockNeed::Json => "takes JSON in a code block",
        BlockNeed::JsonAfterWith => "after `with` it takes JSON in a code block",
        BlockNeed::Text => "takes a code block",
        BlockNeed::HttpRequest => "takes an HTTP request in a code block",
        BlockNeed::HttpResponse => "takes an HTTP response in a code block",
        BlockNeed::Form(form) if form.required => {
            return Some(format!("takes {} in a code block", form.name));
        }
        BlockNeed::Form(form) => return Some(format!("may take {} in a code block", form.name)),
        BlockNeed::Free => "may take a code block",
    };
    Some(fixed.to_owned())
}
