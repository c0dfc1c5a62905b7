//! The flight recorder: the page, what it says, and what it stands.

mod browser;
mod devtools;
mod made;
mod page;
