//! What repeats becomes a loop: a poll of an hour is two arrows.

use super::{Arrow, Item};

/// Messages of a turn at most.
const LONGEST_TURN: usize = 8;
/// Turns from which on they are a loop.
const TURNS: usize = 3;

/// Arrows, each with what makes it the same as another one.
pub(super) fn fold(arrows: Vec<(Arrow, String)>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut at = 0;
    while at < arrows.len() {
        // A turn begins with who asks: an answer before it belongs to something else.
        let longest = if arrows[at].0.answer { 1 } else { LONGEST_TURN };
        let turn = (1..=longest)
            .map(|length| (turns(&arrows[at..], length), length))
            .filter(|(turns, _)| *turns >= TURNS)
            .max_by_key(|(turns, length)| (turns * length, std::cmp::Reverse(*length)));
        match turn {
            Some((times, length)) => {
                let arrows_of = arrows[at..at + length].iter();
                items.push(Item::Loop {
                    times,
                    arrows: arrows_of.map(|(arrow, _)| arrow.clone()).collect(),
                });
                at += times * length;
            }
            None => {
                items.push(Item::Arrow(arrows[at].0.clone()));
                at += 1;
            }
        }
    }
    items
}

/// How often the first `length` arrows come one after the other.
fn turns(arrows: &[(Arrow, String)], length: usize) -> usize {
    let Some(first) = arrows.get(..length) else {
        return 0;
    };
    let same = |turn: &&[(Arrow, String)]| turn.iter().zip(first).all(|(a, b)| a.1 == b.1);
    arrows.chunks_exact(length).take_while(same).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let arrows = text.chars().map(|it| {
            let arrow = Arrow {
                from: 0,
                to: 1,
                label: it.to_string(),
                after: 0,
                answer: it.is_uppercase(),
                lost: false,
                again: false,
            };
            (arrow, it.to_string())
        });
        let words = fold(arrows.collect()).into_iter().map(|item| match item {
            Item::Loop { times, arrows } => {
                let labels: String = arrows.iter().map(|it| it.label.as_str()).collect();
                format!("{times}({labels})")
            }
            Item::Arrow(arrow) => arrow.label,
            Item::Step { .. } | Item::LeftOut(_) => unreachable!("folding makes none"),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_longest_repetition_is_a_loop_of_its_shortest_turn() {
        assert_eq!(folded("abababx"), "3(ab) x");
        assert_eq!(folded("aaaaaa"), "6(a)");
        assert_eq!(folded("abab"), "a b a b");
        // Answers are written large here.
        assert_eq!(folded("xAyAyAyA"), "x A 3(yA)");
        assert_eq!(folded("AAAyAy"), "3(A) y A y");
        assert_eq!(folded("xyabcabcabcabcz"), "x y 4(abc) z");
    }
}
