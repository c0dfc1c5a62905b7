//! The World of cucumber: what a step sees of the laboratory.

use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    fmt,
    sync::Arc,
};

use fotalab_wire::net::{Clock, InMemory, Network, UnixMillis};
use rand::rngs::StdRng;
use serde_json::{Map, Value};

use super::{Mismatch, StepError, mismatch::StepResult};
use crate::{
    scenario::{Expression, ExpressionError},
    target::Target,
    trace::{Secrets, Trace},
};

/// The laboratory as a step sees it: variables, the network and clock of its world, the target.
///
/// One `Lab` serves a bdd-markdown file (or all files joined by `needs`); a Gherkin scenario has
/// one of its own.
#[derive(cucumber::World)]
#[world(init = Self::outside_of_a_run)]
pub struct Lab {
    variables: Map<String, Value>,
    /// Values of the example row that is running.
    row: Map<String, Value>,
    /// Stored by the attempt that is running; counts when it passes.
    pending: Vec<(String, Value)>,
    mismatch: Option<Mismatch>,
    notes: Vec<String>,
    states: BTreeMap<TypeId, Box<dyn Any>>,
    /// The attempt that is running.
    pub(crate) attempt: Attempt,
    /// How often the assertions on the last request may be tried (`retrying N times`).
    pub(crate) retrying: Option<u32>,
    pub(crate) equipment: Equipment,
    pub(crate) random: StdRng,
}

/// What a group's steps share.
#[derive(Clone)]
pub(crate) struct Equipment {
    pub network: Arc<dyn Network>,
    /// The same network where it is virtual: what carries its datagrams can be replaced.
    pub in_memory: Option<InMemory>,
    pub clock: Clock,
    pub trace: Trace,
    pub secrets: Secrets,
    pub target: Arc<Target>,
}

/// The attempt at a step that is running.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// The code block below the step, placeholders replaced.
    pub block: Option<AttemptBlock>,
    /// Directory of the scenario file: what relative paths in steps are relative to.
    pub directory: std::path::PathBuf,
}

/// A code block as a step sees it.
#[derive(Clone, Debug)]
pub struct AttemptBlock {
    /// `json` of ```` ```json ````.
    pub language: Option<String>,
    /// Its text.
    pub code: String,
}

impl Lab {
    pub(crate) fn new(equipment: Equipment, variables: Map<String, Value>, random: StdRng) -> Self {
        Self {
            variables,
            row: Map::new(),
            pending: Vec::new(),
            mismatch: None,
            notes: Vec::new(),
            states: BTreeMap::new(),
            attempt: Attempt::default(),
            retrying: None,
            equipment,
            random,
        }
    }

    /// cucumber's own runner makes Worlds; ours is needed for context, waiting and limits.
    async fn outside_of_a_run() -> Result<Self, StepError> {
        Err(StepError(
            "a Lab is made by fotalab's runner: use fotalab::run or `fotalab::harness`".to_owned(),
        ))
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.pending
            .iter()
            .rev()
            .find(|(it, _)| it == name)
            .map(|(_, value)| value)
            .or_else(|| self.variables.get(name))
    }

    /// All variables.
    #[must_use]
    pub fn variables(&self) -> &Map<String, Value> {
        &self.variables
    }

    /// Stores a variable. It counts when the step passes.
    pub fn store(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.pending.push((name.into(), value.into()));
    }

    /// Stores a variable whose value never appears in a report.
    pub fn store_secret(&mut self, name: impl Into<String>, kind: &str, value: &str) {
        self.equipment.secrets.add(kind, value);
        self.store(name, value);
    }

    /// Says that the step does not hold (yet): return what this gives.
    ///
    /// # Errors
    /// Always: that is its purpose.
    pub fn fail<T>(&mut self, mismatch: Mismatch) -> Result<T, StepError> {
        let error = StepError(mismatch.to_string());
        self.mismatch = Some(mismatch);
        Err(error)
    }

    /// Fails with this mismatch unless `holds`.
    ///
    /// # Errors
    /// When it does not hold.
    pub fn expect(&mut self, holds: bool, mismatch: impl FnOnce() -> Mismatch) -> StepResult {
        if holds { Ok(()) } else { self.fail(mismatch()) }
    }

    /// Adds a line to the report of this step.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// What a step keeps between calls: one value of each type.
    pub fn state<T: Default + 'static>(&mut self) -> &mut T {
        let state = self
            .states
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Box::new(T::default()));
        state
            .downcast_mut()
            .expect("it is stored under its own type")
    }

    /// The code block below the step, placeholders replaced.
    ///
    /// # Errors
    /// When there is none; the catalogue's `block` finds that before anything runs.
    pub fn block(&mut self) -> Result<AttemptBlock, StepError> {
        match self.attempt.block.clone() {
            Some(block) => Ok(block),
            None => self.fail(Mismatch::new("this step needs a code block below it")),
        }
    }

    /// The code block below the step as JSON.
    ///
    /// # Errors
    /// When it is not JSON, now that its placeholders have values.
    pub fn json_block(&mut self) -> Result<Value, StepError> {
        let block = self.block()?;
        match serde_json::from_str(&block.code) {
            Ok(value) => Ok(value),
            Err(error) => self.fail(
                Mismatch::new(format!(
                    "the code block is not JSON once its values are in: {error}"
                ))
                .note(block.code),
            ),
        }
    }

    /// Evaluates JSONata; `None` is JSONata's undefined.
    ///
    /// # Errors
    /// When the expression is broken, fails or does not end.
    pub fn evaluate(
        &mut self,
        expression: &str,
        input: &Value,
    ) -> Result<Option<Value>, StepError> {
        let now = self.now();
        let result = Expression::compile(expression).and_then(|it| it.evaluate(input, now));
        match result {
            Ok(value) => Ok(value),
            Err(error) => self.expression_failed(expression, &error),
        }
    }

    fn expression_failed<T>(
        &mut self,
        expression: &str,
        error: &ExpressionError,
    ) -> Result<T, StepError> {
        self.fail(Mismatch::new(format!(
            "`{expression}` cannot be evaluated: {error}"
        )))
    }

    /// The time of the world this scenario runs in.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.equipment.clock.now()
    }

    /// The network of the world this scenario runs in.
    #[must_use]
    pub fn network(&self) -> Arc<dyn Network> {
        Arc::clone(&self.equipment.network)
    }

    /// The timeline of this group.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.equipment.trace
    }

    /// What is under test.
    #[must_use]
    pub fn target(&self) -> Arc<Target> {
        Arc::clone(&self.equipment.target)
    }

    /// The random numbers of this group; they come from `--seed` and the file's path.
    pub fn random(&mut self) -> &mut StdRng {
        &mut self.random
    }

    /// Puts an example row's values before all others, for as long as its scenario runs.
    pub(crate) fn set_row(&mut self, row: &Map<String, Value>) {
        self.row = row.clone();
    }

    /// What placeholders see: all variables, and the example row before them.
    pub(crate) fn placeholder_context(&self) -> std::borrow::Cow<'_, Map<String, Value>> {
        if self.row.is_empty() {
            return std::borrow::Cow::Borrowed(&self.variables);
        }
        let mut context = self.variables.clone();
        context.extend(self.row.clone());
        std::borrow::Cow::Owned(context)
    }

    /// Gives a variable before the first step.
    pub(crate) fn give(&mut self, name: &str, value: Value) {
        self.variables.insert(name.to_owned(), value);
    }

    /// Puts the variant's values in, as `variant`.
    pub(crate) fn set_variant(&mut self, variant: Option<&Map<String, Value>>) {
        match variant {
            Some(values) => drop(
                self.variables
                    .insert("variant".to_owned(), Value::Object(values.clone())),
            ),
            None => drop(self.variables.shift_remove("variant")),
        }
    }

    pub(crate) fn begin_attempt(&mut self, attempt: Attempt) {
        self.attempt = attempt;
        self.pending.clear();
        self.mismatch = None;
        self.notes.clear();
    }

    /// What the attempt left: its mismatch and its notes.
    pub(crate) fn end_attempt(&mut self) -> (Option<Mismatch>, Vec<String>) {
        (self.mismatch.take(), std::mem::take(&mut self.notes))
    }

    /// Makes what the passed attempt stored count; variables named like secrets become some.
    pub(crate) fn commit(&mut self) {
        for (name, value) in std::mem::take(&mut self.pending) {
            self.equipment.secrets.learn_variable(&name, &value);
            self.variables.insert(name, value);
        }
    }
}

impl fmt::Debug for Lab {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No values: they may be secrets.
        let names: Vec<_> = self.variables.keys().collect();
        out.debug_struct("Lab")
            .field("variables", &names)
            .finish_non_exhaustive()
    }
}
