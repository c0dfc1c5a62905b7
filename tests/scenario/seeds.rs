//! Scenario files that others wrote parse without a mistake.

use std::{fs, path::PathBuf};

use fotalab::scenario::{ast::Child, parse};

/// The folder named by `FOTALAB_SEEDS`, else the one beside the repository.
fn seeds() -> Option<PathBuf> {
    let folder = std::env::var_os("FOTALAB_SEEDS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/seeds"),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

#[test]
fn seeds_parse() {
    let Some(folder) = seeds() else {
        println!("SKIPPED: no folder of seeds; name one with FOTALAB_SEEDS");
        return;
    };
    let mut read = 0;
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the entry can be read").path();
        if !path.to_string_lossy().ends_with(".feature.md") {
            continue;
        }
        let source = fs::read_to_string(&path).expect("the file can be read");
        let parsed = parse(&path, source.as_str().into());
        assert_eq!(parsed.diagnostics, [], "{}", path.display());
        let feature = parsed.document.feature.expect("it has a feature");
        let scenarios = feature
            .children
            .iter()
            .filter(|it| matches!(it, Child::Scenario(_)));
        println!("{}: {} scenarios", path.display(), scenarios.count());
        read += 1;
    }
    assert!(read > 0, "the folder has no scenario file");
}
