//! Which features run together and in what order: `needs`, `order`, `run`, `variants`.

use std::collections::{BTreeMap, BTreeSet};

use super::FileDiagnostic;
use crate::scenario::{
    Diagnostic,
    ast::{Document, Order, RunWhen},
};

/// Documents by index, joined by `needs`, each list in the order its members run.
///
/// Problems: titles that do not exist or go round.
pub(super) fn groups(
    documents: &[Document],
    problems: &mut Vec<FileDiagnostic>,
) -> Vec<Vec<usize>> {
    let titles = titles(documents);
    let needs: Vec<Vec<usize>> = documents
        .iter()
        .enumerate()
        .map(|(index, document)| needs_of(index, document, documents, &titles, problems))
        .collect();
    report_cycles(documents, &needs, problems);

    // Connected by `needs`, in either direction.
    let mut group_of: Vec<usize> = (0..documents.len()).collect();
    for (index, needed) in needs.iter().enumerate() {
        for &other in needed {
            let (from, to) = (
                group_of[index].max(group_of[other]),
                group_of[index].min(group_of[other]),
            );
            for group in &mut group_of {
                if *group == from {
                    *group = to;
                }
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, group) in group_of.into_iter().enumerate() {
        groups.entry(group).or_default().push(index);
    }
    let mut ordered: Vec<Vec<usize>> = groups
        .into_values()
        .map(|members| in_order(members, documents, &needs))
        .collect();
    // `order` also places whole groups: a group is as early as its earliest member wishes.
    ordered.sort_by_key(|members| members.iter().map(|&it| rank(&documents[it])).min());
    ordered
}

/// The documents that are not to run, each with the reason.
pub(super) fn skipped(documents: &[Document]) -> BTreeMap<usize, String> {
    let titles = titles(documents);
    let needs = |index: usize| -> Vec<usize> {
        let needs = &documents[index].front_matter.needs;
        needs
            .iter()
            .filter_map(|title| titles.get(title.value.as_str()).copied())
            .collect()
    };
    let mut skipped = BTreeMap::new();
    let only: Vec<usize> = (0..documents.len())
        .filter(|&it| documents[it].front_matter.run == Some(RunWhen::Only))
        .collect();
    if !only.is_empty() {
        let mut wanted = BTreeSet::new();
        let mut open = only;
        while let Some(index) = open.pop() {
            if wanted.insert(index) {
                open.extend(needs(index));
            }
        }
        for index in (0..documents.len()).filter(|it| !wanted.contains(it)) {
            skipped.insert(index, "another feature says `run: only`".to_owned());
        }
    }
    for (index, document) in documents.iter().enumerate() {
        if document.front_matter.run == Some(RunWhen::Never) {
            skipped.insert(index, "its front matter says `run: never`".to_owned());
        }
    }
    // What needs a feature that never runs cannot run either.
    loop {
        let more: Vec<(usize, String)> = (0..documents.len())
            .filter(|index| !skipped.contains_key(index))
            .filter_map(|index| {
                let missing = needs(index)
                    .into_iter()
                    .find(|it| skipped.contains_key(it))?;
                Some((
                    index,
                    format!(
                        "it needs \"{}\", which is skipped",
                        title(&documents[missing])
                    ),
                ))
            })
            .collect();
        if more.is_empty() {
            return skipped;
        }
        skipped.extend(more);
    }
}

/// Indices of the documents that this one needs directly.
pub(super) fn needed_by(index: usize, documents: &[Document]) -> Vec<usize> {
    let titles = titles(documents);
    let needs = &documents[index].front_matter.needs;
    needs
        .iter()
        .filter_map(|title| titles.get(title.value.as_str()).copied())
        .collect()
}

fn title(document: &Document) -> &str {
    document
        .feature
        .as_ref()
        .map_or("", |feature| feature.title.value.as_str())
}

fn titles(documents: &[Document]) -> BTreeMap<&str, usize> {
    documents
        .iter()
        .enumerate()
        .map(|(index, document)| (title(document), index))
        .collect()
}

fn needs_of(
    index: usize,
    document: &Document,
    documents: &[Document],
    titles: &BTreeMap<&str, usize>,
    problems: &mut Vec<FileDiagnostic>,
) -> Vec<usize> {
    let mut found = Vec::new();
    for need in &document.front_matter.needs {
        match titles.get(need.value.as_str()) {
            Some(&other) if other == index => problems.push(FileDiagnostic::new(
                document,
                Diagnostic::new("plan::needs", need.span(), "a feature cannot need itself")
                    .help("remove the entry"),
            )),
            Some(&other) => {
                let same = |it: &&Document| title(it) == need.value;
                if documents.iter().filter(same).count() > 1 {
                    let message = format!("more than one feature has the title \"{}\"", need.value);
                    let problem = Diagnostic::new("plan::needs", need.span(), message)
                        .help("give them different titles: `needs` finds a feature by its title");
                    problems.push(FileDiagnostic::new(document, problem));
                }
                found.push(other);
            }
            None => {
                let nearest = titles
                    .keys()
                    .map(|known| (strsim::jaro_winkler(known, &need.value), known))
                    .max_by(|a, b| a.0.total_cmp(&b.0))
                    .filter(|(likeness, _)| *likeness > 0.7);
                let help = match nearest {
                    Some((_, known)) => format!("did you mean \"{known}\"?"),
                    None => "give the title of a feature that is among the files to run".to_owned(),
                };
                problems.push(FileDiagnostic::new(
                    document,
                    Diagnostic::new(
                        "plan::needs",
                        need.span(),
                        format!("there is no feature with the title \"{}\"", need.value),
                    )
                    .help(help),
                ));
            }
        }
    }
    found
}

fn report_cycles(documents: &[Document], needs: &[Vec<usize>], problems: &mut Vec<FileDiagnostic>) {
    let mut reported = BTreeSet::new();
    for start in 0..documents.len() {
        if reported.contains(&start) {
            continue;
        }
        let Some(cycle) = cycle_through(start, needs) else {
            continue;
        };
        let names: Vec<_> = cycle
            .iter()
            .map(|&it| format!("\"{}\"", title(&documents[it])))
            .collect();
        let next = cycle.get(1).copied().unwrap_or(start);
        let need = documents[start]
            .front_matter
            .needs
            .iter()
            .find(|it| it.value == title(&documents[next]));
        let span = need.map_or(
            documents[start].front_matter.span,
            crate::scenario::Text::span,
        );
        problems.push(FileDiagnostic::new(
            &documents[start],
            Diagnostic::new(
                "plan::needs-cycle",
                span,
                format!("`needs` goes round: {} -> {}", names.join(" -> "), names[0]),
            )
            .help("remove one of these entries: the first of them could never run"),
        ));
        reported.extend(cycle);
    }
}

fn cycle_through(start: usize, needs: &[Vec<usize>]) -> Option<Vec<usize>> {
    fn walk(
        at: usize,
        start: usize,
        needs: &[Vec<usize>],
        seen: &mut BTreeSet<usize>,
        path: &mut Vec<usize>,
    ) -> bool {
        path.push(at);
        for &next in &needs[at] {
            if next == start || (seen.insert(next) && walk(next, start, needs, seen, path)) {
                return true;
            }
        }
        path.pop();
        false
    }
    let mut path = Vec::new();
    walk(start, start, needs, &mut BTreeSet::new(), &mut path).then_some(path)
}

/// Dependencies first; then `order`; then the order the files were given in.
fn in_order(members: Vec<usize>, documents: &[Document], needs: &[Vec<usize>]) -> Vec<usize> {
    let mut waiting = members;
    waiting.sort_by_key(|&it| (rank(&documents[it]), it));
    let mut done = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = waiting
            .iter()
            .position(|&it| needs[it].iter().all(|need| done.contains(need)));
        // A cycle has been reported; its members run in any order, that is, not at all.
        done.push(waiting.remove(ready.unwrap_or(0)));
    }
    done
}

fn rank(document: &Document) -> u8 {
    match document.front_matter.order {
        Some(Order::First) => 0,
        None => 1,
        Some(Order::Last) => 2,
    }
}
