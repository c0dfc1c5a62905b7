//! What the features cannot say of fotalab itself.

mod broken;
mod groups;
mod rooms;
mod secrets;
mod seed;
mod support;
mod vocabulary;
