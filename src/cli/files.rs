//! Which files to read, and reading them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    plan::FileDiagnostic,
    scenario::{self, Diagnostic, Parsed, Span, ast::Document},
};

/// Directories below a given one that are looked into, at most this deep.
const MAX_DEPTH: usize = 32;
/// The largest scenario file.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// The files of a command.
#[derive(Debug, Default)]
pub struct Collected {
    /// Every file's tree.
    pub documents: Vec<Document>,
    /// Every file's mistakes.
    pub diagnostics: Vec<FileDiagnostic>,
    /// `PATH:LINE` of the arguments.
    pub lines: Vec<(PathBuf, usize)>,
}

impl Collected {
    /// Adds a file that has been read.
    pub(super) fn take(&mut self, parsed: Parsed) {
        let Parsed {
            document,
            diagnostics,
        } = parsed;
        let mistakes = diagnostics.into_iter();
        let mistakes = mistakes.map(|it| FileDiagnostic::new(&document, it));
        self.diagnostics.extend(mistakes);
        self.documents.push(document);
    }
}

/// Finds and reads the files that these arguments name: files as they are, directories for
/// `.feature.md` and `.feature` below them.
///
/// # Errors
/// A path that does not exist or cannot be read, in words.
pub fn collect(arguments: &[String]) -> Result<Collected, String> {
    let mut collected = Collected::default();
    for (path, line) in find(arguments)? {
        if let Some(line) = line {
            collected.lines.push((path.clone(), line));
        }
        if collected.documents.iter().any(|it| it.path == path) {
            continue;
        }
        let source = match read(&path) {
            Ok(source) => source,
            // One file that cannot be read must not hide the mistakes of the others.
            Err(why) => {
                let diagnostic = Diagnostic::new("file::unreadable", Span::default(), why)
                    .help("save it as UTF-8, below 8 MiB");
                let source = Arc::from("");
                collected.diagnostics.push(FileDiagnostic {
                    path,
                    source,
                    diagnostic,
                });
                continue;
            }
        };
        collected.take(scenario::parse(&path, source));
    }
    Ok(collected)
}

/// The files that these arguments name, sorted within each directory.
pub(super) fn find(arguments: &[String]) -> Result<Vec<(PathBuf, Option<usize>)>, String> {
    let mut found = Vec::new();
    for argument in arguments {
        let (path, line) = split_line(argument);
        if path.is_dir() {
            if line.is_some() {
                return Err(format!(
                    "`{argument}`: a line goes with a file, not with a directory"
                ));
            }
            let mut below = Vec::new();
            walk(&path, 0, &mut below)?;
            below.sort();
            found.extend(below.into_iter().map(|it| (it, None)));
        } else if path.is_file() {
            found.push((path, line));
        } else {
            return Err(format!("`{}` does not exist", path.display()));
        }
    }
    Ok(found)
}

/// Reads a file as text.
pub(super) fn read(path: &Path) -> Result<Arc<str>, String> {
    let fail = |why: &dyn std::fmt::Display| format!("`{}` cannot be read: {why}", path.display());
    let length = std::fs::metadata(path).map_err(|error| fail(&error))?.len();
    if length > MAX_FILE_BYTES {
        return Err(fail(&format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|error| fail(&error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        fail(&format!(
            "it is not UTF-8 (byte {})",
            error.utf8_error().valid_up_to()
        ))
    })?;
    Ok(Arc::from(text))
}

/// `PATH:LINE`, unless a file has that whole name.
fn split_line(argument: &str) -> (PathBuf, Option<usize>) {
    if let Some((path, line)) = argument.rsplit_once(':')
        && let Ok(line) = line.parse()
        && !Path::new(argument).exists()
    {
        return (normal(path), Some(line));
    }
    (normal(argument), None)
}

/// `./a/../b` and `b` are different paths, `./b` and `b` are not.
fn normal(path: &str) -> PathBuf {
    let stripped: PathBuf = Path::new(path).components().collect();
    match stripped.strip_prefix(".") {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.to_owned(),
        _ => stripped,
    }
}

fn walk(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("`{}` cannot be read: {error}", directory.display());
    if depth > MAX_DEPTH {
        return Err(format!(
            "`{}` is more than {MAX_DEPTH} directories deep",
            directory.display()
        ));
    }
    for entry in std::fs::read_dir(directory).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path
            .file_name()
            .map(|it| it.to_string_lossy().into_owned())
            .unwrap_or_default();
        if path.is_dir() {
            walk(&path, depth + 1, found)?;
        } else if name.ends_with(".feature.md") || name.ends_with(".feature") {
            found.push(normal(&path.to_string_lossy()));
        }
    }
    Ok(())
}
