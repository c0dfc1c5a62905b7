//! Time: on the virtual clock it passes at once.

use cucumber::when;

use crate::{
    catalogue,
    plan::Waiting,
    run::{Lab, Mismatch, StepResult},
    scenario::parse_duration,
};

catalogue! {
    sentence: "time passes for `DURATION`",
    does: "Lets time pass on the virtual clock; everything that was due in it happens. Not for the real clock: wait for what you expect instead.",
    example: "Given I store `$millis()` into `before`\n\nWhen time passes for `2 hours`\n\nThen the variable `$millis() - before >= 7200000` should be\n\n```json\ntrue\n```",
    durations: &["duration"],
    waiting: Waiting::Never,
    own_time: true,
}
#[when(regex = r"^time passes for `(?P<duration>[^`]+)`$")]
async fn time_passes(lab: &mut Lab, duration: String) -> StepResult {
    if !lab.network().is_virtual() {
        return lab.fail(
            Mismatch::new("time passes on the virtual clock only")
                .help("say `clock: virtual` in front matter, or wait for what you expect with `Soon` or `Within`"),
        );
    }
    match parse_duration(&duration) {
        Ok(duration) => {
            tokio::time::sleep(duration).await;
            Ok(())
        }
        Err(why) => lab.fail(Mismatch::new(format!(
            "`{duration}` is not a duration: {why}"
        ))),
    }
}
