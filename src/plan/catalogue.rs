//! What every sentence of the vocabulary says of itself, beside the step that carries it out.

use std::time::Duration;

/// The catalogue entry of one sentence. Write it with [`catalogue!`](crate::catalogue), directly
/// above the step's attribute.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The sentence: arguments in backticks, what may be left out in `[ ]`, choices in `( | )`.
    pub sentence: &'static str,
    /// What it does, for people, in one or two sentences.
    pub does: &'static str,
    /// A scenario body in bdd-markdown that uses it and passes; a test runs it.
    pub example: &'static str,
    /// Whether a code block belongs below it.
    pub block: BlockNeed,
    /// Names it stores: `{group}` stands for what the regex's named group caught.
    pub stores: &'static [&'static str],
    /// Named groups that hold a JSONata expression.
    pub expressions: &'static [&'static str],
    /// Named groups that hold a duration.
    pub durations: &'static [&'static str],
    /// Named groups that hold a regular expression.
    pub patterns: &'static [&'static str],
    /// Named groups that hold a JSONPath.
    pub json_paths: &'static [&'static str],
    /// Named groups that hold the path of a file, relative to the scenario's directory.
    pub files: &'static [&'static str],
    /// Named groups with what looks at them before anything runs.
    pub checks: &'static [(&'static str, CheckArgument)],
    /// How it waits.
    pub waiting: Waiting,
    /// What has to run for it.
    pub uses: &'static [Part],
    /// `true` for a step that by its nature takes virtual time and so has no time limit itself.
    pub own_time: bool,
    /// A message that arrives makes the runner try again at once instead of waiting out its delay.
    pub wakes: bool,
    /// The same for something on the air: a datagram, what a device does.
    pub on_air: bool,
    /// The source file of the entry.
    pub file: &'static str,
    /// The source line of the entry.
    pub line: u32,
}

inventory::collect!(Entry);

impl Entry {
    /// What the fields are that an entry leaves out.
    pub const NONE: Self = Self {
        sentence: "",
        does: "",
        example: "",
        block: BlockNeed::None,
        stores: &[],
        expressions: &[],
        durations: &[],
        patterns: &[],
        json_paths: &[],
        files: &[],
        checks: &[],
        waiting: Waiting::WhenSoon(Budget::REST),
        uses: &[],
        own_time: false,
        wakes: false,
        on_air: false,
        file: "",
        line: 0,
    };

    /// Words that stand in every title of this sentence: the longest run outside of arguments,
    /// options and choices. Looked for before a regex is compiled.
    #[must_use]
    pub fn fixed_words(&self) -> &'static str {
        let mut longest = "";
        let mut start = 0;
        let mut depth = 0_u32;
        let mut in_argument = false;
        for (at, byte) in self.sentence.bytes().enumerate() {
            let boundary = matches!(byte, b'`' | b'[' | b']' | b'(' | b')');
            if boundary && depth == 0 && !in_argument && at - start > longest.len() {
                longest = &self.sentence[start..at];
            }
            match byte {
                b'`' => in_argument = !in_argument,
                b'[' | b'(' => depth += 1,
                b']' | b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if boundary {
                start = at + 1;
            }
        }
        if self.sentence.len() - start.min(self.sentence.len()) > longest.len() && depth == 0 {
            longest = &self.sentence[start..];
        }
        longest.trim()
    }
}

/// Whether a code block belongs below a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockNeed {
    /// None may stand there.
    None,
    /// JSON has to.
    Json,
    /// JSON has to when the title ends in `with`.
    JsonAfterWith,
    /// Any text has to.
    Text,
    /// An HTTP request has to.
    HttpRequest,
    /// An HTTP response has to.
    HttpResponse,
    /// Something of a form of its own has to, or may.
    Form(&'static Form),
    /// The step itself looks (steps that declare nothing).
    Free,
}

/// What a code block of its own kind holds.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// What it is: it follows "takes".
    pub name: &'static str,
    /// An example of it.
    pub example: &'static str,
    /// Whether it has to be there.
    pub required: bool,
    /// Looks through a block without placeholders: its language, its text.
    pub check: fn(Option<&str>, &str) -> Result<(), Mistake>,
    /// The secrets that are written in a block, each with what it is: no report shows them.
    pub secrets: fn(Option<&str>, &str) -> FoundSecrets,
}

/// Secrets of a code block: what each is, and its value.
pub type FoundSecrets = Vec<(&'static str, String)>;

impl Form {
    /// For blocks that hold no secrets.
    #[must_use]
    pub const fn no_secrets(_: Option<&str>, _: &str) -> FoundSecrets {
        Vec::new()
    }
}

/// A mistake in a code block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line in the block, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

impl Mistake {
    /// What is wrong in this line.
    #[must_use]
    pub fn in_line(line: usize, message: impl Into<String>) -> Self {
        Self {
            line,
            message: message.into(),
            help: None,
        }
    }
}

impl PartialEq for Form {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Form {}

/// Looks at an argument before anything runs: what is wrong with it, and how to mend it.
pub type CheckArgument = fn(&str) -> Result<(), (String, String)>;

/// A part of the laboratory that a step needs running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The server under test.
    Server,
    /// The mock of the cloud upstream.
    Upstream,
}

/// How a step waits for what it asserts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It asserts nothing that could become true: `Soon` on it is an error.
    Never,
    /// Under `Soon`, or after a request that says `retrying`, this long; once otherwise.
    WhenSoon(Budget),
    /// Always this long, woken by the arrival of a message.
    Always(Budget),
    /// It says that something does not happen: it has to hold for this long. `Soon` is an error.
    Window(Duration),
}

/// How often and when a step is tried again: delays that double from `first` up to `longest`.
///
/// The figures are the reference dialect's (contract scenario-dialect, 2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// A first wait before the doubling ones begin; zero for none.
    pub lead: Duration,
    /// How many doubling waits there are.
    pub retries: u32,
    /// The first doubling wait.
    pub first: Duration,
    /// No wait is longer.
    pub longest: Duration,
}

/// No step is tried more often than this, whatever it asks for.
pub const MAX_RETRIES: u32 = 10_000;

impl Budget {
    /// REST assertions: 1 + 1, 2, 4, 8 = 16 s.
    pub const REST: Self = Self::new(1_000, 4, 1_000, 10_000);
    /// Websocket messages: 1, 2, 4, 5, 5 = 17 s.
    pub const WEBSOCKET: Self = Self::new(0, 5, 1_000, 5_000);
    /// Calls upstream: 5, 10, 10, 10, 10 = 45 s.
    pub const UPSTREAM: Self = Self::new(0, 5, 5_000, 10_000);
    /// What a device does, from one retransmission to an update: 1, 2, 4, 8, 16, 30, 30, 30 = 121 s.
    pub const DEVICE: Self = Self::new(0, 8, 1_000, 30_000);
    /// Opening a websocket: 0.5, 1, 1, 1, 1 = 4.5 s.
    pub const CONNECT: Self = Self::new(0, 5, 500, 1_000);

    /// A budget; all times in milliseconds.
    #[must_use]
    pub const fn new(lead: u64, retries: u32, first: u64, longest: u64) -> Self {
        Self {
            lead: Duration::from_millis(lead),
            retries,
            first: Duration::from_millis(first),
            longest: Duration::from_millis(longest),
        }
    }

    /// The same shape with another number of doubling waits.
    #[must_use]
    pub fn with_retries(self, retries: u32) -> Self {
        Self {
            retries: retries.min(MAX_RETRIES),
            ..self
        }
    }

    /// The waits between attempts, one after the other.
    pub fn delays(self) -> impl Iterator<Item = Duration> {
        let lead = (!self.lead.is_zero()).then_some(self.lead);
        lead.into_iter()
            .chain((0..self.retries).map(move |nth| self.doubled(nth)))
    }

    /// The `nth` doubling wait.
    #[must_use]
    pub fn doubled(self, nth: u32) -> Duration {
        self.first
            .saturating_mul(1_u32.checked_shl(nth).unwrap_or(u32::MAX))
            .min(self.longest)
    }
}

/// Declares the sentence of the step below it; fields as in [`Entry`](crate::plan::Entry).
#[macro_export]
macro_rules! catalogue {
    ($($field:ident : $value:expr),+ $(,)?) => {
        $crate::plan::inventory::submit! {
            $crate::plan::Entry {
                file: file!(),
                line: line!(),
                $($field: $value,)+
                ..$crate::plan::Entry::NONE
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(budget: Budget) -> f64 {
        budget.delays().map(|it| it.as_secs_f64()).sum()
    }

    #[test]
    fn budgets_are_the_dialects() {
        assert!((seconds(Budget::REST) - 16.0).abs() < 1e-9);
        assert!((seconds(Budget::REST.with_retries(10)) - 76.0).abs() < 1e-9);
        assert!((seconds(Budget::WEBSOCKET) - 17.0).abs() < 1e-9);
        assert!((seconds(Budget::WEBSOCKET.with_retries(20)) - 92.0).abs() < 1e-9);
        assert!((seconds(Budget::UPSTREAM) - 45.0).abs() < 1e-9);
        assert!((seconds(Budget::CONNECT) - 4.5).abs() < 1e-9);
    }

    #[test]
    fn fixed_words_leave_out_arguments_options_and_choices() {
        let words = |sentence| {
            Entry {
                sentence,
                ..Entry::NONE
            }
            .fixed_words()
        };
        assert_eq!(words("I store `EXPRESSION` into `NAME`"), "I store");
        assert_eq!(
            words("I [re]connect to the websocket using `X`"),
            "connect to the websocket using"
        );
        assert_eq!(words("it (is|was) so [for long] and ends"), "and ends");
    }
}
