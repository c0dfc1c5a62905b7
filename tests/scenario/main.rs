//! The scenario language, against files: those of other people, our own, and broken ones.

mod gherkin;
mod seeds;
