//! The flight recorder: the page, what it says, and what it stands.

mod browser;
mod capture;
mod devtools;
mod github;
mod made;
mod page;
mod reading;
mod situations;
mod waiting;
