//! A panic is a defect of the step: reported as such, never tried again, and the run goes on.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use cucumber::then;
use fotalab::{
    Lab,
    cli::Paint,
    plan::{self, Selection},
    report,
    run::{Session, Settings, Verdict},
    scenario,
};
use serde_json::Map;

static PANICS: AtomicU32 = AtomicU32::new(0);

#[then(regex = r"^this step of a test panics$")]
fn panics(_: &mut Lab) {
    PANICS.fetch_add(1, Ordering::Relaxed);
    panic!("out of cheese");
}

#[test]
fn a_panic_is_a_defect_of_the_step() {
    let text = "# Defect\n\n## It panics\n\nSoon this step of a test panics\n\n## After it\n\nGiven I store `1` into `x`\n";
    let other = "# Other\n\n## It holds\n\nGiven I store `1` into `x`\n";
    let documents = [("a.feature.md", text), ("b.feature.md", other)]
        .map(|(path, text)| scenario::parse(Path::new(path), Arc::from(text)).document);
    let plan =
        plan::plan(documents.to_vec(), &Selection::default(), &Map::new()).expect("it binds");
    let session = Arc::new(Session::new(Arc::new(plan), Settings::default()));
    Arc::clone(&session).run_to_end();
    let record = session.record(std::time::Duration::ZERO);
    let step = &record.features[0].scenarios[0].steps[0];
    assert_eq!(step.verdict, Verdict::Failed);
    let defect = step.defect.as_deref().expect("it is a defect");
    assert!(
        defect.contains("out of cheese") && defect.contains("defects.rs"),
        "{defect}"
    );
    assert_eq!(
        PANICS.load(Ordering::Relaxed),
        1,
        "it is not tried again, though it says Soon"
    );
    assert_eq!(
        record.features[1].verdict,
        Verdict::Passed,
        "other features go on"
    );
    let told = report::console(&record, Paint(false));
    assert!(told.contains("a defect of the step"), "{told}");
}
