//! Every bound of this module, in one place. What crosses one is an error, never a truncation.

/// Largest payload that a decoder looks at, in bytes. Firmware is not decoded here.
pub const PAYLOAD: usize = 256 * 1024;

/// Values in one payload: resources, resource instances, SenML records. A value costs up to some
/// 600 bytes in a [`super::Tree`], so this is also the bound of a payload's memory: 2.5 MB.
pub const VALUES: usize = 4_096;

/// Longest string or opaque value that an encoder takes, in bytes (24 bits in TLV).
pub const VALUE_LENGTH: usize = (1 << 24) - 1;

/// Containers inside each other in the value of a SenML CBOR field that is unknown, and skipped.
/// (The other formats cannot nest deeper than they mean to; JSON has serde_json's bound of 128.)
pub const CBOR_DEPTH: usize = 8;

/// Longest base name plus name of a SenML record, in bytes.
pub const NAME_LENGTH: usize = 256;

/// Links in one registration or discover payload.
pub const LINKS: usize = 4_096;

/// Attributes of one link.
pub const LINK_ATTRIBUTES: usize = 32;

/// Query parameters of one register, update or write-attributes request.
pub const PARAMETERS: usize = 32;

/// Longest endpoint client name, in bytes.
pub const ENDPOINT_LENGTH: usize = 255;

/// Longest alternate root path, in bytes.
pub const ROOT_LENGTH: usize = 64;

/// Longest phone number of a registration, in characters (E.164 has 15 digits).
pub const SMS_LENGTH: usize = 20;

/// Lifetime of a registration that states none, in seconds (TS 1.1 C 6.2.1).
pub const DEFAULT_LIFETIME: u32 = 86_400;

/// Shortest lifetime that is taken, in seconds. 0 is "for ever" only in version 1.2 of object 1.
pub const SHORTEST_LIFETIME: u32 = 1;

/// Longest lifetime that is taken, in seconds: what fits 32 bits, 136 years.
pub const LONGEST_LIFETIME: u32 = u32::MAX;

/// Largest file of object definitions, in bytes.
pub const DEFINITION_FILE: usize = 4 * 1024 * 1024;

/// Elements, attributes and texts of one XML file of object definitions; the registry's largest
/// has some 3,000.
pub const DEFINITION_NODES: u32 = 100_000;

/// Resources of one object definition.
pub const DEFINITION_RESOURCES: usize = 1_024;
