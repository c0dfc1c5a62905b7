//! From the text of a scenario file to its tree: three dialects, one tree, every node with its place.

pub mod ast;
mod diagnostic;
mod text;

pub use diagnostic::Diagnostic;
pub use text::{Position, Span, Text};
