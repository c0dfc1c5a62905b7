//! Panics of steps: kept off the terminal, and remembered for the report.

use std::{
    cell::RefCell,
    panic,
    sync::{Arc, Once},
};

use futures_util::FutureExt as _;

thread_local! {
    /// Where the panic of the step that is running happened; `None` outside of a step.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps the panic hook quiet while a step is polled and remembers where it panicked.
pub(super) struct InStep<F>(pub(super) F);

impl<F: Future + Unpin> Future for InStep<F> {
    type Output = F::Output;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<F::Output> {
        install_hook();
        PANIC.set(Some(String::new()));
        let polled = self.0.poll_unpin(context);
        if polled.is_pending() {
            PANIC.set(None);
        }
        polled
    }
}

/// The step ended well: what was remembered is of no use.
pub(super) fn forget() {
    PANIC.set(None);
}

/// One hook for the process: silent within steps, whose panics become part of the report.
fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = Arc::new(panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            let within = PANIC.try_with(|it| {
                let mut it = it.borrow_mut();
                it.is_some()
                    .then(|| *it = info.location().map(ToString::to_string))
            });
            if !matches!(within, Ok(Some(()))) {
                usual(info);
            }
        }));
    });
}

/// What a step's panic said, and where.
pub(super) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(no message)");
    match PANIC.take() {
        Some(place) if !place.is_empty() => format!("the step panicked at {place}: {words}"),
        _ => format!("the step panicked: {words}"),
    }
}
