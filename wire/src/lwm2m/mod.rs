//! What LwM2M says on the wire, without a socket or a clock: paths and values, payloads,
//! registrations, notification rules, and the vocabulary of firmware update.
//!
//! Versions 1.0 and 1.1 (OMA TS 1.0.2 and 1.1.1). "C 6.2.1" in these pages is a section of their
//! core specification in the numbering of 1.1.1.
//!
//! ```
//! use fotalab_wire::lwm2m::{ContentFormat, Definitions, Path, Value, Version, codec};
//! let definitions = Definitions::core(Version::V1_0);
//! let firmware = Path::instance(5, 0);
//! let answer = [0xc1, 0x03, 0x02, 0xc1, 0x05, 0x00];
//! let tree = codec::decode(ContentFormat::Tlv, firmware, &answer, &definitions)?;
//! assert_eq!(tree.value(Path::resource(5, 0, 3)), Some(&Value::Integer(2)));
//! # Ok::<(), fotalab_wire::lwm2m::DecodeError>(())
//! ```
//!
//! Not here: LwM2M CBOR (11544) and SenML ETCH (320, 322) of 1.2, which are refused as unknown
//! formats.

pub mod attributes;
pub mod codec;
pub mod definition;
pub mod firmware;
pub mod limits;
pub mod registration;

mod error;
mod format;
mod node;
mod path;
mod value;
mod version;

pub use definition::Definitions;
pub use error::{At, DecodeError, EncodeError, Problem};
pub use format::{ContentFormat, FormatError};
pub use node::{Instance, Object, Resource, Tree};
pub use path::{Path, PathError, RESERVED_ID};
pub use value::{Kind, ObjectLink, Value};
pub use version::Version;
