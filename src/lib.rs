//! fotalab: a conformance lab for firmware over the air.
pub mod scenario;
