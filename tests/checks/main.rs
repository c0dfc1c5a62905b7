//! What the features cannot say of fotalab itself.

mod vocabulary;
