//! The arrows of the design hold: who may name whom.

use std::{fs, path::Path};

#[test]
fn rooms_do_not_look_into_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules: &[(&str, &[&str], &[&str])] = &[
        // Folder, crates it must not name, files that may.
        ("server/src", &["fotalab_simulators", "fotalab::"], &[]),
        ("simulators/src", &["fotalab_server", "fotalab::"], &[]),
        (
            "wire/src",
            &["fotalab_server", "fotalab_simulators", "fotalab::"],
            &[],
        ),
        (
            "src",
            &["fotalab_server"],
            &["src/target/embedded.rs", "src/cli/serve.rs"],
        ),
    ];
    let mut wrong = Vec::new();
    for (folder, forbidden, allowed) in rules {
        for file in rust_files(&root.join(folder)) {
            let name = file
                .strip_prefix(root)
                .expect("it is below")
                .display()
                .to_string();
            if allowed.contains(&name.as_str()) {
                continue;
            }
            let text = fs::read_to_string(&file).expect("it can be read");
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if let Some(word) = forbidden.iter().find(|word| code.contains(**word)) {
                    wrong.push(format!("{name}:{} names {word}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("it is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found
}
