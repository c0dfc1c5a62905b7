//! As text for an issue: <https://mermaid.js.org/syntax/sequenceDiagram.html>.

use std::fmt::Write as _;

use super::{Arrow, Item, Sequence};

/// The diagram as Mermaid.
#[must_use]
pub fn mermaid(sequence: &Sequence) -> String {
    let mut text = String::from("sequenceDiagram\n");
    for (number, lane) in sequence.lanes.iter().enumerate() {
        let _ = writeln!(text, "  participant L{number} as {}", escaped(lane));
    }
    let last = sequence.lanes.len().saturating_sub(1);
    for item in &sequence.items {
        match item {
            Item::Step { text: step, .. } => {
                let _ = writeln!(text, "  Note over L0,L{last}: {}", escaped(step));
            }
            Item::Arrow(arrow) => line(arrow, "  ", &mut text),
            Item::Loop { times, arrows } => {
                let _ = writeln!(text, "  loop {times} times");
                for arrow in arrows {
                    line(arrow, "    ", &mut text);
                }
                text.push_str("  end\n");
            }
            Item::LeftOut(count) => {
                let _ = writeln!(text, "  Note over L0,L{last}: … {count} more …");
            }
        }
    }
    text
}

fn line(arrow: &Arrow, indent: &str, text: &mut String) {
    let said = escaped(&arrow.label);
    let _ = if arrow.from == arrow.to {
        writeln!(text, "{indent}Note over L{}: {said}", arrow.from)
    } else {
        let head = match (arrow.lost, arrow.answer) {
            (true, _) => "--x",
            (false, true) => "-->>",
            (false, false) => "->>",
        };
        let again = if arrow.again { "(again) " } else { "" };
        let (from, to) = (arrow.from, arrow.to);
        writeln!(text, "{indent}L{from}{head}L{to}: {again}{said}")
    };
}

/// Mermaid ends a statement at `;` and begins a comment at `#`; entities are its own way out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '#' | ';' | '<' | '>' | '%' | '{' | '}' => {
                let _ = write!(safe, "#{};", u32::from(character));
            }
            other => safe.push(other),
        }
    }
    // `end` alone ends a loop.
    if safe.trim().eq_ignore_ascii_case("end") {
        safe.push('.');
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Verdict;

    #[test]
    fn it_is_what_mermaid_reads() {
        let arrow = |from, to, label: &str, answer, lost| Arrow {
            from,
            to,
            label: label.to_owned(),
            after: 0,
            answer,
            lost,
            again: false,
        };
        let sequence = Sequence {
            title: "t".to_owned(),
            lanes: vec!["operator".to_owned(), "server".to_owned()],
            items: vec![
                Item::Step {
                    text: "When I `GET` a;b".to_owned(),
                    verdict: Verdict::Passed,
                },
                Item::Arrow(arrow(0, 1, "GET /a#b", false, false)),
                Item::Loop {
                    times: 3,
                    arrows: vec![arrow(1, 0, "200", true, true)],
                },
                Item::LeftOut(2),
            ],
        };
        assert_eq!(
            mermaid(&sequence),
            "sequenceDiagram\n  participant L0 as operator\n  participant L1 as server\n  \
             Note over L0,L1: When I `GET` a#59;b\n  L0->>L1: GET /a#35;b\n  loop 3 times\n    \
             L1--xL0: 200\n  end\n  Note over L0,L1: … 2 more …\n"
        );
    }
}
