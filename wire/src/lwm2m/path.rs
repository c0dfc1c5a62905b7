//! Where something is in a device: `/object/instance/resource/resource instance`.
//!
//! ```
//! use fotalab_wire::lwm2m::Path;
//! let state: Path = "/5/0/3".parse()?;
//! assert!(state.starts_with(&Path::instance(5, 0)));
//! # Ok::<(), fotalab_wire::lwm2m::PathError>(())
//! ```

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The id that never names anything (TS 1.1 C 7.2: MAX_ID).
pub const RESERVED_ID: u16 = u16::MAX;

/// A path of none (the root) to four ids. Ordered as a tree is walked: parents first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Path {
    // Unused places hold 0, so that equality and order are the derived ones.
    ids: [u16; 4],
    length: u8,
}

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not a path: {why}")]
pub struct PathError {
    /// What was read, shortened.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Path {
    /// `/`, above all objects.
    pub const ROOT: Self = Self {
        ids: [0; 4],
        length: 0,
    };

    /// From up to four ids; `None` when there are more, or one is 65535.
    #[must_use]
    pub fn new(ids: &[u16]) -> Option<Self> {
        let mut path = Self::ROOT;
        for id in ids {
            path = path.child(*id)?;
        }
        Some(path)
    }

    /// `/object`
    #[must_use]
    pub const fn object(object: u16) -> Self {
        Self {
            ids: [object, 0, 0, 0],
            length: 1,
        }
    }

    /// `/object/instance`
    #[must_use]
    pub const fn instance(object: u16, instance: u16) -> Self {
        Self {
            ids: [object, instance, 0, 0],
            length: 2,
        }
    }

    /// `/object/instance/resource`
    #[must_use]
    pub const fn resource(object: u16, instance: u16, resource: u16) -> Self {
        Self {
            ids: [object, instance, resource, 0],
            length: 3,
        }
    }

    /// The ids, outermost first.
    #[must_use]
    pub fn ids(&self) -> &[u16] {
        &self.ids[..self.depth()]
    }

    /// How many ids: 0 the root, 1 an object, 2 an instance, 3 a resource, 4 a resource instance.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.length as usize
    }

    /// One step down; `None` below a resource instance and for the reserved id.
    #[must_use]
    pub fn child(&self, id: u16) -> Option<Self> {
        if self.depth() == 4 || id == RESERVED_ID {
            return None;
        }
        let mut child = *self;
        child.ids[self.depth()] = id;
        child.length += 1;
        Some(child)
    }

    /// One step up; `None` at the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.depth().checked_sub(1).map(|depth| self.prefix(depth))
    }

    /// The first `depth` ids, or all of them when there are fewer.
    #[must_use]
    pub fn prefix(&self, depth: usize) -> Self {
        let depth = depth.min(self.depth());
        let mut ids = [0; 4];
        ids[..depth].copy_from_slice(&self.ids[..depth]);
        Self {
            ids,
            length: depth as u8,
        }
    }

    /// Whether this is `ancestor` or lies below it.
    #[must_use]
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        self.ids().starts_with(ancestor.ids())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length == 0 {
            return f.write_str("/");
        }
        self.ids().iter().try_for_each(|id| write!(f, "/{id}"))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let error = |why| PathError {
            text: text.chars().take(64).collect(),
            why,
        };
        let Some(rest) = text.strip_prefix('/') else {
            return Err(error("it must begin with `/`"));
        };
        if rest.is_empty() {
            return Ok(Self::ROOT);
        }
        let mut path = Self::ROOT;
        for segment in rest.split('/') {
            if path.depth() == 4 {
                return Err(error("it has more than four ids"));
            }
            let id = parse_id(segment).ok_or_else(|| error("an id is a decimal 0 to 65534"))?;
            path = path
                .child(id)
                .ok_or_else(|| error("65535 is reserved and names nothing"))?;
        }
        Ok(path)
    }
}

/// Digits only, no sign, no leading zero: one spelling for one path.
pub(crate) fn parse_id(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    (digits && !leading_zero).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_no_path_and_says_why() {
        for (text, why) in [
            ("5/0", "must begin"),
            ("/5/", "decimal"),
            ("/5//3", "decimal"),
            ("/+5", "decimal"),
            ("/05", "decimal"),
            ("/65536", "decimal"),
            ("/65535", "reserved"),
            ("/1/2/3/4/5", "more than four"),
            ("", "must begin"),
        ] {
            let error = text.parse::<Path>().unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn parents_come_before_children() {
        let mut paths: Vec<Path> = ["/5/0/3", "/5", "/", "/10", "/5/0", "/5/0/0"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        paths.sort();
        let sorted: Vec<String> = paths.iter().map(Path::to_string).collect();
        assert_eq!(sorted, ["/", "/5", "/5/0", "/5/0/0", "/5/0/3", "/10"]);
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(ids in prop::collection::vec(0..RESERVED_ID, 0..=4)) {
            let path = Path::new(&ids).unwrap();
            prop_assert_eq!(path.to_string().parse::<Path>().unwrap(), path);
            prop_assert_eq!(path.ids(), &ids[..]);
        }
    }
}
