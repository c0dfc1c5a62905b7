//! What the features cannot say of fotalab itself.

mod seed;
mod support;
mod vocabulary;
