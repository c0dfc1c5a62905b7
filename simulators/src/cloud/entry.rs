//! One queued answer, and which requests find it.

use std::sync::Arc;

use super::{
    answer::{Answer, Mode, weight},
    difference::Difference,
    target::{BadRegex, QueryPattern, Target, normal_path},
};

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) answer: Arc<Answer>,
    pub(super) path: String,
    query: QueryPattern,
    pub(super) uses: u64,
}

impl Entry {
    pub(super) fn new(answer: Answer) -> Result<Self, BadRegex> {
        let query = QueryPattern::compile(&answer.query)?;
        let path = normal_path(&answer.path);
        Ok(Self {
            answer: Arc::new(answer),
            path,
            query,
            uses: 0,
        })
    }

    /// Whether a request finds it in [`Mode::InOrder`].
    pub(super) fn answers(&self, method: &str, target: &Target) -> bool {
        self.answer.method == method
            && self.path == target.path
            && !self.query_differs(target, Mode::InOrder)
    }

    /// The reference's lookup: by the stored key's beginning, surplus parameters allowed.
    pub(super) fn is_found_by(&self, method: &str, target: &Target) -> bool {
        self.answer.method == method
            && self.path.starts_with(&target.path)
            && !self.query_differs(target, Mode::NewestFirst)
    }

    pub(super) fn query_differs(&self, target: &Target, mode: Mode) -> bool {
        !match mode {
            _ if self.query.is_empty() => true,
            Mode::InOrder => self.query.is_exactly(&target.query),
            Mode::NewestFirst => self.query.is_within(&target.query),
        }
    }

    /// Whether both wait for the same method, path and query.
    pub(super) fn has_pattern_of(&self, other: &Self) -> bool {
        let sorted = |entry: &Self| {
            let mut query = entry.answer.query.clone();
            query.sort_unstable();
            query
        };
        self.answer.method == other.answer.method
            && self.path == other.path
            && weight(&self.answer.query) == weight(&other.answer.query)
            && sorted(self) == sorted(other)
    }

    /// What keeps the request from finding it.
    pub(super) fn differences(&self, method: &str, target: &Target, mode: Mode) -> Vec<Difference> {
        let mut differences = Vec::new();
        if self.answer.method != method {
            let (expected, actual) = (self.answer.method.clone(), method.to_owned());
            differences.push(Difference::Method { expected, actual });
        }
        if self.path != target.path {
            let (expected, actual) = (self.path.clone(), target.path.clone());
            differences.push(Difference::Path { expected, actual });
        }
        if !self.query.is_empty() {
            differences.extend(self.query.differences(&target.query, mode == Mode::InOrder));
        }
        differences
    }
}

/// How many bytes two paths begin with in common.
pub(super) fn common(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}
