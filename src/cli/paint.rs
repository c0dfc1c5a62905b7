//! Colour, where the reader can see it.

use std::io::IsTerminal;

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum When {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl When {
    /// Decides for a stream.
    #[must_use]
    pub(super) fn on(self, stream: &impl IsTerminal) -> Paint {
        let set = |name: &str| std::env::var_os(name).is_some_and(|it| !it.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|it| it == "dumb");
        Paint(match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => stream.is_terminal() && !set("NO_COLOR") && !dumb,
        })
    }
}

/// Whether to colour.
#[derive(Clone, Copy, Debug)]
pub struct Paint(pub bool);

impl Paint {
    fn code(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// What held.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.code("32", text)
    }

    /// What failed.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.code("31", text)
    }

    /// What was skipped.
    #[must_use]
    pub fn quiet(self, text: &str) -> String {
        self.code("2", text)
    }

    /// Headings.
    #[must_use]
    pub fn strong(self, text: &str) -> String {
        self.code("1", text)
    }
}
