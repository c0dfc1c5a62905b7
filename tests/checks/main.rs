//! What the features cannot say of fotalab itself.

mod air;
mod broken;
mod command;
mod conform;
mod defects;
mod devices;
mod groups;
#[path = "../scenario/mod.rs"]
mod language;
mod recorder;
mod restart;
mod rooms;
mod running;
mod secrets;
mod seed;
mod support;
mod vocabulary;
