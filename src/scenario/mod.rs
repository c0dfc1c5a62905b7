//! From the text of a scenario file to its tree: three dialects, one tree, every node with its place.

pub mod ast;
mod diagnostic;
mod duration;
mod expression;
mod expression_names;
mod lines;
mod placeholder;
mod print;
mod text;

pub use diagnostic::Diagnostic;
pub use duration::parse_duration;
pub use expression::{Expression, ExpressionError, FreeName};
pub use placeholder::{Kind, Placeholder, PlaceholderError, Replaced, find, replace};
pub use text::{Position, Span, Text};
