//! One mistake in a scenario file: where, what, and how to mend it.

use super::Span;

/// A mistake in a source, found before anything ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code such as `syntax::unclosed-fence`; part of the machine formats' API.
    pub code: &'static str,
    /// What is wrong, in one lower-case sentence without a full stop.
    pub message: String,
    /// Where in the file.
    pub span: Span,
    /// The words under the marked place, if any.
    pub label: Option<String>,
    /// How to mend it.
    pub help: Option<String>,
    /// Other places of the same file that belong to it.
    pub related: Vec<(Span, String)>,
}

impl Diagnostic {
    /// A mistake at `span`.
    #[must_use]
    pub fn new(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            span,
            label: None,
            help: None,
            related: Vec::new(),
        }
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Puts words under the marked place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds another place that belongs to it.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }
}
