//! The scenario language, against files: those of other people, our own, and broken ones.

mod any_text;
mod broken;
mod gherkin;
mod seeds;
