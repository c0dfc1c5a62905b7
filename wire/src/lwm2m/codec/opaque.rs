//! `application/octet-stream` (42): one opaque value as it is (TS 1.1 C 7.4.2).

use bytes::Bytes;

use super::{At, DecodeError, EncodeError, Errors, check_single_base, leaf, single};
use crate::lwm2m::definition::Definitions;
use crate::lwm2m::error::Problem;
use crate::lwm2m::format::ContentFormat;
use crate::lwm2m::node::Tree;
use crate::lwm2m::path::Path;
use crate::lwm2m::value::{Kind, Value};

const ERRORS: Errors = Errors(ContentFormat::Opaque);

/// The bytes of one opaque value.
pub fn encode(base: Path, tree: &Tree) -> Result<Vec<u8>, EncodeError> {
    match single(ERRORS, base, tree)? {
        Value::Opaque(bytes) => Ok(bytes.to_vec()),
        other => Err(ERRORS.encode(base, format!("{other} is not opaque"))),
    }
}

/// One opaque value. A resource defined as something else is 4.15: its bytes say nothing of it.
pub fn decode(base: Path, payload: &[u8], definitions: &Definitions) -> Result<Tree, DecodeError> {
    check_single_base(ERRORS, base)?;
    match definitions.kind(base) {
        None | Some(Kind::Opaque) => Ok(leaf(base, Value::Opaque(Bytes::copy_from_slice(payload)))),
        Some(kind) => {
            let what = format!("it carries opaque values, {base} is {kind}");
            Err(ERRORS.problem(At::Node(base), Problem::Unsupported(what)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lwm2m::version::Version;

    #[test]
    fn carries_opaque_values_only() {
        let definitions = Definitions::core(Version::V1_0);
        let package = Path::resource(5, 0, 0);
        let tree = decode(package, &[0], &definitions).unwrap();
        assert_eq!(encode(package, &tree).unwrap(), [0]);
        let state = Path::resource(5, 0, 3);
        assert_eq!(
            decode(state, &[0], &definitions)
                .unwrap_err()
                .code()
                .to_string(),
            "4.15"
        );
        let tree = Tree::of(state, Value::Integer(1));
        assert_eq!(encode(state, &tree).unwrap_err().code().to_string(), "4.06");
    }
}
