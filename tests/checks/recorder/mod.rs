//! The flight recorder: the page, what it says, and what it stands.

mod made;
mod page;
