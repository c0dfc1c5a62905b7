//! The page in a browser: it opens without a word on the console and without asking anybody for
//! anything, and shows what a reader looks for. Pictures stay beside the pages.

use std::path::Path;

use serde_json::Value;

use super::{
    devtools::{Browser, program},
    made, page,
};
use crate::support::{directory, fotalab, long, seeds};

const DESK: (u32, u32) = (1500, 950);

/// Opens pages one after the other, and then looks that nothing went wrong.
pub(super) fn browse(name: &str, dark: bool, act: impl AsyncFnOnce(&mut Browser)) {
    let Some(program) = program() else { return };
    let directory = directory(&format!("recorder-browser-{name}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut browser = Browser::start(&program, &directory, DESK, dark).await;
        act(&mut browser).await;
        assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
        assert!(browser.requests.is_empty(), "{:?}", browser.requests);
    });
}

pub(super) async fn count(browser: &mut Browser, selector: &str) -> u64 {
    let count = browser
        .evaluate(&format!("document.querySelectorAll(`{selector}`).length"))
        .await;
    count.as_u64().expect("a number")
}

/// Whether nothing has to be scrolled to the side.
pub(super) async fn fits(browser: &mut Browser) -> bool {
    let fits = "document.documentElement.scrollWidth <= innerWidth";
    browser.evaluate(fits).await == true
}

pub(super) async fn text(browser: &mut Browser, selector: &str) -> String {
    let text = browser
        .evaluate(&format!(
            "document.querySelector(`{selector}`)?.textContent"
        ))
        .await;
    text.as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_overview_finds_what_is_looked_for() {
    let out = directory("recorder-overview");
    let out_text = out.display().to_string();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = fotalab(
        repository,
        &["run", "features/hello-nrfcloud", "--report", &out_text],
    );
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let file = out.join("index.html");
    browse("overview", false, async |browser| {
        browser.open(&file, "").await;
        let report = std::fs::read_to_string(out.join("report.json")).expect("the report");
        let report: Value = serde_json::from_str(&report).expect("JSON");
        let features = report["features"].as_array().expect("features");
        assert_eq!(
            count(browser, "details.feature").await,
            features.len() as u64
        );
        let scenarios: usize = features
            .iter()
            .map(|it| it["scenarios"].as_array().expect("scenarios").len())
            .sum();
        assert_eq!(count(browser, "details.feature li").await, scenarios as u64);
        browser.picture(&out.join("overview.png")).await;
        // `/` and a word; then a verdict that nothing has.
        browser.press("/").await;
        assert_eq!(
            browser.evaluate("document.activeElement.id").await,
            "search"
        );
        browser
            .evaluate(
                "search.value = 'stopping a job'; search.dispatchEvent(new Event('input')); 1",
            )
            .await;
        assert_eq!(count(browser, "details.feature:not([hidden])").await, 1);
        browser
            .evaluate("search.value = 'no such thing'; search.dispatchEvent(new Event('input')); 1")
            .await;
        assert_eq!(count(browser, "details.feature:not([hidden])").await, 0);
        assert_eq!(count(browser, ".none:not([hidden])").await, 1);
        // A link leads to a scenario, Escape back.
        browser
            .evaluate(
                "search.value = ''; search.dispatchEvent(new Event('input')); search.blur(); 1",
            )
            .await;
        browser
            .evaluate("document.querySelector('details.feature .title').click()")
            .await;
        browser
            .until("document.querySelectorAll('.row-line').length")
            .await;
        assert_eq!(count(browser, "#overview[hidden]").await, 1);
        browser.press("Escape").await;
        browser
            .until("!document.querySelector('#overview').hidden")
            .await;
    });
}

#[test]
fn a_failing_seed_scenario_shows_why_and_what_crossed() {
    let Some(seeds) = seeds() else { return };
    let out = directory("recorder-seed");
    let source = std::fs::read_to_string(seeds.join("DeviceFOTA.feature.md")).expect("the seed");
    let (before, behind) = source
        .split_once("## Check the status")
        .expect("the seed's heading");
    let broken = behind.replacen("IN_PROGRESS", "DOWNLOADING", 1);
    let file = out.join("DeviceFOTA.feature.md");
    std::fs::write(file, format!("{before}## Check the status{broken}")).expect("ours to write");
    let ran = fotalab(&out, &["run", "DeviceFOTA.feature.md", "--report", "out"]);
    assert_eq!(ran.code, Some(100), "{}", ran.err);
    let file = out.join("out/index.html");
    browse("seed", false, async |browser| {
        browser.open(&file, "").await;
        browser.picture(&out.join("overview.png")).await;
        browser.press("f").await;
        browser
            .until("document.querySelector('.step.failed.chosen')")
            .await;
        assert_eq!(
            text(browser, ".step.failed .difference .expected mark").await,
            "DOWNLOADING"
        );
        assert_eq!(
            text(browser, ".step.failed .difference .actual mark").await,
            "IN_PROGRESS"
        );
        assert_eq!(
            text(browser, ".columns .differs pre:first-child")
                .await
                .trim(),
            "\"status\": \"DOWNLOADING\",".trim_end_matches(',')
        );
        browser.picture(&out.join("failed-step.png")).await;
        // A step selects its messages, a message its step.
        assert!(count(browser, ".row-line.of-step").await > 5);
        let address = browser.evaluate("location.hash").await;
        assert_eq!(address, "#devicefota/check-the-status/3");
        browser
            .evaluate("document.querySelector('.rows').scrollTop = 0; 1")
            .await;
        browser
            .until("document.querySelector('.row-line[data-row=\"1\"]')")
            .await;
        browser.click(".row-line[data-row=\"1\"]").await;
        browser
            .until("document.querySelector('.message-pane h3')")
            .await;
        let chosen = browser
            .evaluate("document.querySelector('.step.chosen').dataset.step")
            .await;
        assert_ne!(chosen, Value::Null);
        let address = browser.evaluate("location.hash").await;
        assert!(
            address.as_str().is_some_and(|it| it.ends_with("/m0")),
            "{address}"
        );
        // An answer leads to what it answers.
        browser.press("n").await;
        browser.until("document.querySelector('.message-pane .tools button')?.textContent.includes('answers')").await;
        browser.picture(&out.join("message.png")).await;
        // With its values, and as a diagram.
        let written = "getComputedStyle(document.querySelector('.as-written')).display";
        assert_eq!(browser.evaluate(written).await, "block");
        browser.press("v").await;
        assert_eq!(browser.evaluate(written).await, "none");
        browser.press("v").await;
        browser.press("s").await;
        browser
            .until("document.querySelector('.sequence svg')")
            .await;
        let mermaid = browser
            .evaluate("document.querySelector('.mermaid').value")
            .await;
        assert!(
            mermaid
                .as_str()
                .is_some_and(|it| it.starts_with("sequenceDiagram"))
        );
        browser.picture(&out.join("sequence.png")).await;
        // A link to a step opens it.
        browser.open(&file, "#devicefota/background/2").await;
        assert!(
            text(browser, ".step.chosen .sentence")
                .await
                .contains("random UUIDv4")
        );
        // j and k walk.
        browser.press("j").await;
        assert_eq!(
            browser.evaluate("location.hash").await,
            "#devicefota/background/3"
        );
        browser.press("k").await;
        assert_eq!(
            browser.evaluate("location.hash").await,
            "#devicefota/background/2"
        );
    });
}

#[test]
fn a_lossy_push_shows_what_was_lost_and_sent_again() {
    let out = directory("recorder-lossy-push");
    let scenario = include_str!("LossyPush.feature.md");
    std::fs::write(out.join("LossyPush.feature.md"), scenario).expect("ours to write");
    let ran = fotalab(&out, &["run", "LossyPush.feature.md", "--report", "."]);
    assert_eq!(ran.code, Some(100), "{}{}", ran.out, ran.err);
    let file = out.join("index.html");
    browse("lossy", true, async |browser| {
        browser
            .open(&file, "#lossypush/the-server-updates-it/3")
            .await;
        browser
            .until("document.querySelector('.row-line .flag.lost')")
            .await;
        assert!(count(browser, ".row-line .flag.again").await > 0);
        assert_eq!(text(browser, ".difference .expected mark").await, "1");
        assert_eq!(text(browser, ".difference .actual mark").await, "0");
        assert!(
            text(browser, ".waiting li")
                .await
                .starts_with("device meter-7 is registered and listens")
        );
        // One bar for the whole transfer, which unfolds.
        let bar =
            "[...document.querySelectorAll('.row-line')].find(it => it.title.startsWith('Block1'))";
        let down = "(rows => { rows.scrollTop = (rows.scrollTop + 100) % rows.scrollHeight; })(document.querySelector('.rows'))";
        browser.until(&format!("{bar} || ({down}, false)")).await;
        let said = browser.evaluate(&format!("{bar}.textContent")).await;
        let said = said.as_str().expect("a text");
        assert!(said.contains("/5/0/0 in 29 blocks, 8.2 kB"), "{said}");
        assert_eq!(count(browser, ".row-line.inside").await, 0);
        browser.evaluate(&format!("{bar}.click()")).await;
        browser
            .until("document.querySelectorAll('.row-line.inside').length > 4")
            .await;
        browser
            .evaluate("document.querySelectorAll('.row-line.inside')[2].click()")
            .await;
        browser
            .until("document.querySelector('.message-pane').textContent.includes('message ID')")
            .await;
        assert!(
            text(browser, ".message-pane")
                .await
                .contains("of 256 bytes")
        );
        let said = text(browser, ".message-pane").await;
        assert!(said.contains("42, application/octet-stream"), "{said}");
        // The button knows what is unfolded.
        let all = "[...document.querySelectorAll('.toolbar button')].at(-1).textContent";
        assert_eq!(browser.evaluate(all).await, "Fold all");
        browser.picture(&out.join("lossy.png")).await;
        // What the message belongs to is chosen on the other side.
        assert_eq!(count(browser, ".step.chosen").await, 1);
    });
}

#[test]
fn a_fleet_is_one_lane_that_unfolds_to_one_device() {
    let (out, page) = page::page_of("fleet-browser", made::fleet(500, 10_000));
    assert!(page.len() < 20_000_000, "{} bytes", page.len());
    let file = out.join("index.html");
    browse("fleet", false, async |browser| {
        browser.open(&file, "#made/over-the-air/1").await;
        browser
            .until("document.querySelector('.row-line .fold')")
            .await;
        assert_eq!(
            text(browser, ".heads .lanes span:last-child").await,
            "500 devices"
        );
        browser.click(".row-line[data-row=\"2\"]").await;
        browser
            .until("document.querySelector('tr[data-device]')")
            .await;
        browser.picture(&out.join("fleet.png")).await;
        let device = text(browser, "tr[data-device] td").await;
        browser.click("tr[data-device]").await;
        browser
            .until("document.querySelector('.lane-chip[aria-pressed=\"false\"]')")
            .await;
        assert_eq!(text(browser, ".heads .lanes span:last-child").await, device);
        browser.picture(&out.join("one-device.png")).await;
    });
}

#[test]
fn what_would_like_to_act_does_not() {
    let (out, _) = page::page_of("hostile-browser", page::hostile());
    let file = out.join("index.html");
    browse("hostile", false, async |browser| {
        browser.open(&file, "").await;
        browser.picture(&out.join("overview.png")).await;
        assert!(
            fits(browser).await,
            "a long title makes the page wider than the window"
        );
        browser.press("f").await;
        browser.until("document.querySelector('.row-line')").await;
        assert!(
            fits(browser).await,
            "a long title makes the page wider than the window"
        );
        for row in 1..7 {
            browser
                .click(&format!(".row-line[data-row=\"{row}\"]"))
                .await;
            browser
                .until("document.querySelector('.message-pane h3')")
                .await;
        }
        browser.picture(&out.join("messages.png")).await;
        browser.press("s").await;
        browser
            .until("document.querySelector('.sequence svg')")
            .await;
        assert_eq!(browser.evaluate("window.harm ?? null").await, Value::Null);
        let shown = "getComputedStyle(document.querySelector('.written')).display";
        assert_ne!(browser.evaluate(shown).await, "none");
    });
}

/// 200,000 messages take a minute to make: CI asks for them.
#[test]
fn a_page_of_200_000_messages_opens_in_2_s() {
    if !long() {
        return;
    }
    let (out, page) = page::page_of("large", made::fleet(500, 200_000));
    assert!(page.len() < 20_000_000, "{} bytes", page.len());
    let file = out.join("index.html");
    browse("large", false, async |browser| {
        for place in ["", "#made/over-the-air/1"] {
            // A busy machine is not what is tested: the quickest of a few counts.
            let mut quickest = f64::INFINITY;
            for _ in 0..5 {
                browser.open(&file, place).await;
                let took = browser.evaluate("performance.now()").await;
                let took = took.as_f64().expect("milliseconds");
                eprintln!("{} bytes at \"{place}\": {took:.0} ms", page.len());
                quickest = quickest.min(took);
                if quickest < 2_000.0 {
                    break;
                }
            }
            assert!(quickest < 2_000.0, "{quickest} ms");
        }
        browser
            .until("document.querySelector('.row-line .fold')")
            .await;
        browser.picture(&out.join("large.png")).await;
    });
}
