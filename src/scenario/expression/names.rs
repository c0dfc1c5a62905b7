//! What an expression refers to: fields of its input, and functions.

use std::collections::{BTreeMap, BTreeSet};

use jsonata_core::ast::{AstNode, PathStep, Stage};

/// A top-level field of the input that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeName {
    /// Its name.
    pub name: String,
    /// The byte of the expression where it first stands.
    pub offset: usize,
}

pub(super) fn free_names(tree: &AstNode, source: &str) -> Vec<FreeName> {
    let mut names = BTreeSet::new();
    collect(tree, true, &mut names);
    let places = places(source);
    names
        .into_iter()
        .map(|name| {
            let offset = places.get(name).copied().unwrap_or(0);
            FreeName {
                name: name.to_owned(),
                offset,
            }
        })
        .collect()
}

/// Names of the functions that are called or passed on.
pub(super) fn functions<'t>(tree: &'t AstNode, into: &mut BTreeSet<&'t str>) {
    match tree {
        AstNode::Function { name, .. } | AstNode::Variable(name) => {
            into.insert(name);
        }
        _ => {}
    }
    each_child(tree, &mut |child, _| functions(child, into));
}

/// `at_root`: whether the node is evaluated with the whole input as its context.
fn collect<'t>(tree: &'t AstNode, at_root: bool, names: &mut BTreeSet<&'t str>) {
    match tree {
        AstNode::Name(name) if at_root => {
            names.insert(name);
        }
        AstNode::Path { steps } => collect_path(steps, at_root, names),
        _ => each_child(tree, &mut |child, context| {
            let is_key = context == Place::Key && is_name(child);
            if !is_key {
                collect(child, at_root && context != Place::Item, names);
            }
        }),
    }
}

fn collect_path<'t>(steps: &'t [PathStep], at_root: bool, names: &mut BTreeSet<&'t str>) {
    // `$` and `$$` first: the step after them reads the input.
    let mut reads_input = true;
    for (index, step) in steps.iter().enumerate() {
        match &step.node {
            AstNode::Variable(name) if index == 0 && name.is_empty() => reads_input = at_root,
            AstNode::ParentVariable(_) if index == 0 => {
                reads_input = true;
                if let Some(AstNode::Name(name)) = steps.get(1).map(|it| &it.node) {
                    names.insert(name);
                }
            }
            node => {
                let here = reads_input && (index > 0 || at_root);
                collect(node, here, names);
                reads_input = false;
            }
        }
        if index > 0 {
            reads_input = false;
        }
        for stage in &step.stages {
            if let Stage::Filter(filter) = stage {
                collect(filter, false, names);
            }
        }
    }
}

fn is_name(node: &AstNode) -> bool {
    match node {
        AstNode::Name(_) => true,
        AstNode::Path { steps } => matches!(
            steps.as_slice(),
            [PathStep {
                node: AstNode::Name(_),
                ..
            }]
        ),
        _ => false,
    }
}

/// Where a child stands in its parent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the parent's own context.
    Here,
    /// A key of an object.
    Key,
    /// In the context of an item, no longer of the parent.
    Item,
}

fn each_child<'t>(tree: &'t AstNode, visit: &mut dyn FnMut(&'t AstNode, Place)) {
    use Place::{Here, Item, Key};
    match tree {
        AstNode::Path { steps } => {
            for step in steps {
                visit(&step.node, Item);
                for stage in &step.stages {
                    if let Stage::Filter(filter) = stage {
                        visit(filter, Item);
                    }
                }
            }
        }
        AstNode::Binary { lhs, rhs, .. } => {
            visit(lhs, Here);
            visit(rhs, Here);
        }
        AstNode::Unary { operand, .. } => visit(operand, Here),
        AstNode::Function { args, .. } => args.iter().for_each(|it| visit(it, Here)),
        AstNode::Call { procedure, args } => {
            visit(procedure, Here);
            args.iter().for_each(|it| visit(it, Here));
        }
        AstNode::Lambda { body, .. } => visit(body, Here),
        AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => {
            items.iter().for_each(|it| visit(it, Here));
        }
        AstNode::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            visit(key, Key);
            visit(value, Here);
        }),
        AstNode::ObjectTransform { input, pattern } => {
            visit(input, Here);
            for (key, value) in pattern {
                visit(key, Item);
                visit(value, Item);
            }
        }
        AstNode::Conditional {
            condition,
            then_branch,
            else_branch,
        } => {
            visit(condition, Here);
            visit(then_branch, Here);
            if let Some(other) = else_branch {
                visit(other, Here);
            }
        }
        AstNode::FunctionApplication(body) => visit(body, Here),
        AstNode::Sort { input, terms } => {
            visit(input, Here);
            terms.iter().for_each(|(term, _)| visit(term, Item));
        }
        AstNode::Transform {
            location,
            update,
            delete,
        } => {
            visit(location, Item);
            visit(update, Item);
            if let Some(delete) = delete {
                visit(delete, Item);
            }
        }
        _ => {}
    }
}

/// As [`each_child`], for changing them.
pub(super) fn each_child_mut(tree: &mut AstNode, visit: &mut dyn FnMut(&mut AstNode)) {
    match tree {
        AstNode::Path { steps } => {
            for step in steps {
                visit(&mut step.node);
                for stage in &mut step.stages {
                    if let Stage::Filter(filter) = stage {
                        visit(filter);
                    }
                }
            }
        }
        AstNode::Binary { lhs, rhs, .. } => {
            visit(lhs);
            visit(rhs);
        }
        AstNode::Function { args, .. } => args.iter_mut().for_each(visit),
        AstNode::Call { procedure, args } => {
            visit(procedure);
            args.iter_mut().for_each(visit);
        }
        AstNode::Unary { operand: only, .. }
        | AstNode::Lambda { body: only, .. }
        | AstNode::FunctionApplication(only) => visit(only),
        AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => {
            items.iter_mut().for_each(visit);
        }
        AstNode::Object(pairs) => pairs.iter_mut().for_each(|(key, value)| {
            visit(key);
            visit(value);
        }),
        AstNode::ObjectTransform { input, pattern } => {
            visit(input);
            for (key, value) in pattern {
                visit(key);
                visit(value);
            }
        }
        AstNode::Conditional {
            condition,
            then_branch,
            else_branch,
        } => {
            visit(condition);
            visit(then_branch);
            if let Some(other) = else_branch {
                visit(other);
            }
        }
        AstNode::Sort { input, terms } => {
            visit(input);
            terms.iter_mut().for_each(|(term, _)| visit(term));
        }
        AstNode::Transform {
            location,
            update,
            delete,
        } => {
            visit(location);
            visit(update);
            if let Some(delete) = delete {
                visit(delete);
            }
        }
        _ => {}
    }
}

/// Where each name first stands as a field, outside strings and not behind a `$`. The tree has no
/// places, so this reads the text once more. A name behind a `.` counts only where no other does.
fn places(source: &str) -> BTreeMap<&str, usize> {
    let mut first = BTreeMap::new();
    let mut behind_dot = BTreeMap::new();
    let mut at = 0;
    let mut previous = ' ';
    while let Some(letter) = source[at..].chars().next() {
        let rest = &source[at..];
        let length = match letter {
            '"' | '\'' => string_length(rest, letter),
            '`' => {
                let end = rest[1..].find('`').map_or(rest.len(), |it| it + 2);
                let name = rest[1..end].trim_end_matches('`');
                first.entry(name).or_insert(at);
                end
            }
            it if it.is_alphabetic() || it == '_' || it == '$' => {
                let end = rest
                    .find(|it: char| !(it.is_alphanumeric() || it == '_' || it == '$'))
                    .unwrap_or(rest.len());
                let name = &rest[..end];
                if previous == '.' {
                    behind_dot.entry(name).or_insert(at);
                } else if it != '$' {
                    first.entry(name).or_insert(at);
                }
                end
            }
            it => it.len_utf8(),
        };
        if !letter.is_whitespace() {
            previous = letter;
        }
        at += length;
    }
    for (name, at) in behind_dot {
        first.entry(name).or_insert(at);
    }
    first
}

fn string_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            it if it == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}
