//! The page for those who read it: on a phone, with keys, with a screen reader, in a hurry.

use serde_json::Value;

use super::{
    browser::{browse, count, fits, text},
    made,
};
use crate::support::{directory, fotalab};

const PHONE: (u32, u32) = (390, 844);

/// A run with tags, variants of a scenario and failures, in classic Gherkin.
const TAGGED: &str = "@api\nFeature: Tagged\n\n  \
    @t01 @t02 @t03 @t04 @t05 @t06 @t07 @t08 @t09 @t10 @t11 @t12 @t13 @t14 @t15 @t16 @t17 @t18 @t19 @t20\n  \
    Scenario: Holds\n    Given I store `1` into `one`\n\n  \
    @numbers\n  Scenario Outline: Value <value>\n    Given I store `<value>` into `it`\n    \
    Then the variable `it` should be\n      \"\"\"json\n      2\n      \"\"\"\n\n    \
    Examples:\n      | value |\n      | 1+1   |\n      | 1+2   |\n\n  \
    @numbers @slow\n  Scenario: Another\n    Given I store `3` into `it`\n    \
    Then the variable `it` should be\n      \"\"\"json\n      4\n      \"\"\"\n";

#[test]
fn text_tag_and_verdict_filter_together() {
    let out = directory("recorder-filters");
    std::fs::write(out.join("Tagged.feature"), TAGGED).expect("ours to write");
    let ran = fotalab(&out, &["run", "Tagged.feature", "--report", "."]);
    assert_eq!(ran.code, Some(100), "{}{}", ran.out, ran.err);
    let file = out.join("index.html");
    browse("filters", false, async |browser| {
        const SCENARIOS: &str = "details.feature li:not([hidden])";
        const FAILURES: &str = ".failures:not([hidden]) .failure:not([hidden])";
        browser.open(&file, "").await;
        assert_eq!(count(browser, SCENARIOS).await, 4);
        assert_eq!(count(browser, FAILURES).await, 2);
        // The tags that are used most are there, the others unfold.
        assert_eq!(text(browser, ".tags [data-tag]").await, "@api");
        assert_eq!(text(browser, ".tags summary").await, "7 more tags");
        browser.click("[data-tag=\"@numbers\"]").await;
        assert_eq!(count(browser, SCENARIOS).await, 3);
        browser.click("[data-filter=failed]").await;
        assert_eq!(count(browser, SCENARIOS).await, 2);
        let search = |words: &str| {
            format!("search.value = '{words}'; search.dispatchEvent(new Event('input')); 1")
        };
        browser.evaluate(&search("another")).await;
        assert_eq!(count(browser, SCENARIOS).await, 1);
        assert_eq!(count(browser, FAILURES).await, 1);
        // What failed is not told of above what held.
        browser.evaluate(&search("")).await;
        browser.click("[data-filter=failed]").await;
        browser.click("[data-filter=passed]").await;
        assert_eq!(count(browser, SCENARIOS).await, 1);
        assert_eq!(count(browser, FAILURES).await, 0);
        // The sentences as written, or with their values.
        browser.open(&file, "#tagged/value-1-2/2").await;
        let shown = "[...document.querySelectorAll('.step.chosen .sentence > *')].find(it => it.checkVisibility()).textContent";
        browser.open(&file, "#tagged/value-1-2/1").await;
        let as_written = browser.evaluate(shown).await;
        assert_eq!(as_written, "Given I store <value> into it");
        browser.click(".values-switch").await;
        let with_values = browser.evaluate(shown).await;
        assert_eq!(with_values, "Given I store 1+2 into it");
        assert_eq!(count(browser, ".values-switch[aria-pressed=true]").await, 1);
    });
}

#[test]
fn a_link_that_was_cut_leads_to_the_overview() {
    let (out, _) = super::page::page_of("cut-link", made::lossy_push());
    let file = out.join("index.html");
    browse("cut-link", false, async |browser| {
        for link in ["#%E0%A4%A", "#nothing/of/that/name", "#__proto__/1", "#//"] {
            browser.open(&file, link).await;
            assert_eq!(count(browser, "#overview:not([hidden])").await, 1, "{link}");
        }
    });
}

#[test]
fn a_phone_keys_and_a_screen_reader_do() {
    let (out, _) = super::page::page_of("reading", made::lossy_push());
    let file = out.join("index.html");
    browse("reading", false, async |browser| {
        browser.open(&file, "").await;
        browser.press("f").await;
        browser
            .until("document.querySelector('.step.chosen')")
            .await;
        // Its edge is not cut off.
        let edges = "['.scenario', '.step.chosen'].map(it => document.querySelector(it).getBoundingClientRect()).flatMap(it => [it.left, it.right])";
        let edges: Vec<f64> =
            serde_json::from_value(browser.evaluate(edges).await).expect("numbers");
        assert!(edges[2] >= edges[0] && edges[3] <= edges[1], "{edges:?}");
        assert_eq!(count(browser, ".step.chosen[aria-current=step]").await, 1);
        // What the step caused, in numbers, and its last message.
        let said = text(browser, ".message-pane .facts").await;
        assert!(said.contains(" messages"), "{said}");
        browser
            .evaluate("[...document.querySelectorAll('.message-pane button')].at(-1).click()")
            .await;
        browser
            .until("document.querySelector('.row-line.chosen')")
            .await;
        let last = "(index => `m${index.features[0].messages - 1}`)(JSON.parse(document.querySelector('#index').textContent))";
        let last = browser.evaluate(last).await;
        let address = browser.evaluate("location.hash.split('/').at(-1)").await;
        assert_eq!(address, last);
        // Arrows walk, and a screen reader hears where.
        browser
            .evaluate("document.querySelector('.rows').focus()")
            .await;
        browser.press("ArrowUp").await;
        assert_ne!(
            browser.evaluate("location.hash.split('/').at(-1)").await,
            last
        );
        let active = "document.getElementById(document.querySelector('.rows').getAttribute('aria-activedescendant'))?.getAttribute('aria-selected')";
        assert_eq!(browser.evaluate(active).await, "true");
        assert_eq!(count(browser, "[role=separator][aria-valuenow]").await, 2);
        // What was lost is found by that word.
        browser
            .evaluate("(it => { it.value = 'lost'; it.dispatchEvent(new Event('input')); })(document.querySelector('.toolbar input[type=search]')); 1")
            .await;
        let rows = "[...document.querySelectorAll('.row-line:not(.step-line)')]";
        let lost =
            format!("{rows}.length > 0 && {rows}.every(it => it.querySelector('.flag.lost'))");
        assert_eq!(browser.evaluate(&lost).await, true);
        // On a phone nothing is wider than the window, and the words have room.
        browser.resize(PHONE).await;
        for place in ["", "#made/over-the-air/1"] {
            browser.open(&file, place).await;
            assert!(fits(browser).await, "{place}");
            browser.picture(&out.join("phone.png")).await;
        }
        let arrows = "document.querySelector('.heads .lanes').getBoundingClientRect().width";
        let arrows = browser.evaluate(arrows).await;
        assert!(arrows.as_f64().is_some_and(|it| it < 200.0), "{arrows}");
        browser.open(&file, "").await;
        let words = "document.querySelector('.failure .where').getBoundingClientRect().width";
        let words = browser.evaluate(words).await;
        assert!(words.as_f64().is_some_and(|it| it > 250.0), "{words}");
        assert_eq!(browser.evaluate("window.harm ?? null").await, Value::Null);
    });
}
