//! What the features cannot say of fotalab itself.

mod broken;
mod command;
mod conform;
mod defects;
mod groups;
#[path = "../scenario/mod.rs"]
mod language;
mod rooms;
mod running;
mod secrets;
mod seed;
mod support;
mod vocabulary;
