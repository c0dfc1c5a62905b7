//! The scenario language, against files: those of other people, our own, and broken ones.

use std::time::Duration;

mod any_text;
mod broken;
mod gherkin;
mod seeds;

/// Does it until it took less than `longest`, a few times at most, and tells the quickest: a busy
/// machine is not what is tested.
fn within<T>(longest: Duration, mut act: impl FnMut() -> T) -> (T, Duration) {
    const ATTEMPTS: usize = 5;
    let mut attempt = || {
        #[expect(
            clippy::disallowed_methods,
            reason = "it is the machine's time that is limited"
        )]
        let began = std::time::Instant::now();
        let done = act();
        (done, began.elapsed())
    };
    let mut quickest = attempt();
    for _ in 1..ATTEMPTS {
        if quickest.1 < longest {
            break;
        }
        let again = attempt();
        if again.1 < quickest.1 {
            quickest = again;
        }
    }
    quickest
}
