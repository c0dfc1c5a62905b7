//! Any text at all: reading it ends, without a panic, and says only places that exist.

use std::{path::Path, time::Duration};

use fotalab::scenario::{Parsed, ast::Child, gherkin_document, instances, parse};
use proptest::prelude::*;

use super::within;

/// What a reader of all constructs would write, to be cut and spliced.
const SAMPLE: &str = "---\norder: first\nneeds:\n  - Other\nvariants:\n  - nw: ltem\ntimeout: 30 s\nexampleContext:\n  a: 1\n---\n\n\
<!-- about it\n@tag @slow -->\n\n# Firmware: over the air\n\n> A description.\n>\n> Of two paragraphs.\n\n## Background\n\n\
Given I have a random UUIDv4 in `id`\n\n<!-- a comment -->\n\nAnd a body `${id}`\n\n```json\n{\n  \"a\": \"${$millis()}\",\n  \"b\": \"$number{ts}\"\n}\n```\n\n\
> Described.\n\n## Scenario Outline: rows\n\nWhen I `GET`\n`${a}` <variant.nw>\n\nSoon it holds\n\n### Examples\n\n| a | b |\n| --- | --- |\n| 1 |  |\n\n\
## Rule: r\n\n### Example: e\n\nThen it runs\n\n- Given a bullet\n  | x | y |\n  ```\n  text\n  ```\n\n`@tag`\n\
Feature: f\n  @a @b\n  Scenario Outline: s\n    Given <x>\n      \"\"\"json\n      {}\n      \"\"\"\n    Examples:\n      | x |\n      | 1\\|2 |\n# language: no\n";

/// The longest that reading one text may take.
const LONGEST: Duration = Duration::from_secs(4);

const NAMES: [&str; 3] = ["a.feature.md", "a.feature", "a.md"];

fn check(name: &str, source: &str) -> Parsed {
    let path = Path::new(name);
    let parsed = parse(path, source.into());
    for it in &parsed.diagnostics {
        for span in it.related.iter().map(|(span, _)| span).chain([&it.span]) {
            assert!(span.start <= span.end && span.end <= source.len(), "{it:?}");
            assert!(source.is_char_boundary(span.start), "{it:?}");
            assert!(source.is_char_boundary(span.end), "{it:?}");
            let _ = span.position(source);
        }
    }
    for child in parsed.document.feature.iter().flat_map(|it| &it.children) {
        let scenarios = match child {
            Child::Scenario(it) => std::slice::from_ref(it),
            Child::Rule(it) => &it.scenarios,
        };
        for scenario in scenarios {
            let _ = instances(scenario, parsed.document.dialect);
        }
    }
    let _ = gherkin_document(path, source);
    parsed
}

/// Lines of the sample in any order, with letters put in.
fn spliced() -> impl Strategy<Value = String> {
    let lines: Vec<String> = SAMPLE.lines().map(str::to_owned).collect();
    let odd = prop::sample::select(vec![
        "", "`", "```", "|", "<!--", "-->", "\u{feff}", "\r", "${", "}", "😀", "\\", "@", "\t",
        ":", "\u{2028}",
    ]);
    let piece = (
        0..lines.len(),
        1..12_usize,
        odd,
        any::<prop::sample::Index>(),
    );
    prop::collection::vec(piece, 0..12).prop_map(move |pieces| {
        let mut text = String::new();
        for (from, count, odd, at) in pieces {
            let part = lines[from..(from + count).min(lines.len())].join("\n");
            let places: Vec<usize> = part
                .char_indices()
                .map(|(at, _)| at)
                .chain([part.len()])
                .collect();
            let (before, after) = part.split_at(*at.get(&places));
            text += before;
            text += odd;
            text += after;
            text.push('\n');
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text(source in "(?s).{0,200}", name in prop::sample::select(&NAMES[..])) {
        check(name, &source);
    }

    #[test]
    fn arbitrary_signs(source in "[-#>|`@:<!$\\{\\}\"\\\\ \t\r\n*a&%?'~+.😀\u{feff}]{0,200}", name in prop::sample::select(&NAMES[..])) {
        check(name, &source);
    }

    #[test]
    fn cuts_and_splices(source in spliced(), name in prop::sample::select(&NAMES[..])) {
        check(name, &source);
    }
}

#[test]
fn every_cut_of_the_sample() {
    for (at, _) in SAMPLE.char_indices() {
        check("a.feature.md", &SAMPLE[..at]);
        check("a.feature.md", &SAMPLE[at..]);
    }
}

#[test]
fn long_files_take_time_in_proportion() {
    let mut scenario = String::new();
    for number in 0..20 {
        scenario += &format!(
            "Given step {number} of `${{id}}` that\nwraps\n\n```json\n{{\n  \"a\": \"$number{{ts}}\"\n}}\n```\n\n"
        );
    }
    let long = |count: usize| {
        (0..count).fold("# F\n\n".to_owned(), |all, it| {
            all + &format!("## Scenario {it}\n\n{scenario}")
        })
    };
    let hostile = [
        "# F\n\n## S\n\n".to_owned() + &"Given `${".repeat(20_000),
        "# F\n\n## S\n\nGiven a\n\n```\n".to_owned() + &"```json\n\n".repeat(20_000),
        "<!-- ".repeat(20_000),
        "<!--\n\n".repeat(20_000),
        "@a\n".repeat(20_000),
        "# Feature: f\n\n## Scenario: s\n\n* Given a\n".to_owned() + &"`@a`\n".repeat(20_000),
        "---\na: ".to_owned() + &"[".repeat(20_000) + "\n---\n",
        "---\n".to_owned() + &"- ".repeat(20_000) + "\n---\n",
        "# F\n\n## S\n\nGiven ${".to_owned() + &"(".repeat(15_000) + "}\n",
        "# F\n\n## S\n\nGiven ${".to_owned() + &"- ".repeat(8_000) + "}\n",
        "| a ".repeat(50_000),
        long(100),
    ];
    for source in hostile {
        for name in NAMES {
            let (_, took) = within(LONGEST, || parse(Path::new(name), source.as_str().into()));
            let start: String = source.chars().take(40).collect();
            assert!(took < LONGEST, "{took:?} for {name}: {start:?}");
            if took > Duration::from_millis(300) {
                println!("{took:?} for {name}: {start:?}");
            }
        }
    }
    let source = long(11);
    assert!(source.lines().count() > 2_000);
    let (parsed, took) = within(LONGEST, || check_clean(&source));
    println!("{} lines in {took:?}", source.lines().count());
    assert!(took < LONGEST, "{took:?}");
    assert!(parsed.document.feature.is_some());
}

fn check_clean(source: &str) -> Parsed {
    let parsed = parse(Path::new("a.feature.md"), source.into());
    assert_eq!(parsed.diagnostics, []);
    parsed
}
