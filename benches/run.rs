//! What `fotalab run` costs: the do-nothing run as a process, a do-nothing step, the seed, a report.
//!
//! Budgets (design, "Figures to reach"): 15 ms for the process, 15 us for the step, 0.3 s for the
//! seed. Each stands beside something measured in the same run: starting `true`, a plain loop.

use std::{fmt::Write as _, path::PathBuf, process::Command, sync::Arc};

use divan::Bencher;
use fotalab::{
    plan::{self, Plan, Selection},
    run::{Session, Settings, Verdict},
    scenario,
};
use serde_json::Map;

fn main() {
    divan::main();
    cost_of_a_report();
}

const STEPS: usize = 1_000;

fn do_nothing(steps: usize) -> String {
    let mut text = String::from("# Nothing\n\n## Happens\n");
    for _ in 0..steps {
        let _ = write!(text, "\nGiven I store `1` into `x`\n");
    }
    text
}

fn planned(text: &str) -> Arc<Plan> {
    let parsed = scenario::parse(std::path::Path::new("nothing.feature.md"), Arc::from(text));
    assert!(parsed.diagnostics.is_empty());
    let plan = plan::plan(vec![parsed.document], &Selection::default(), &Map::new());
    Arc::new(plan.expect("it binds"))
}

/// The binary of this very profile, running one step and ending.
#[divan::bench]
fn process_that_does_nothing(bencher: Bencher) {
    let directory = std::env::temp_dir().join("fotalab-bench");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("nothing.feature.md"), do_nothing(1)).expect("a file");
    bencher.bench(|| {
        let status = Command::new(env!("CARGO_BIN_EXE_fotalab"))
            .args(["run", "nothing.feature.md"])
            .current_dir(&directory)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status();
        assert!(status.expect("it starts").success());
    });
}

/// The yardstick: a process that only starts and ends.
#[divan::bench]
fn process_true(bencher: Bencher) {
    bencher.bench(|| Command::new("true").status().expect("it starts").success());
}

/// A thousand steps that store a constant: divide by 1,000.
#[divan::bench]
fn thousand_steps(bencher: Bencher) {
    let plan = planned(&do_nothing(STEPS));
    bencher.bench(|| {
        let session = Session::new(Arc::clone(&plan), Settings::default());
        let features = session.run_group_here(0).expect("it starts");
        assert_eq!(features[0].verdict, Verdict::Passed);
    });
}

/// The yardstick: the same thousand values into a map.
#[divan::bench]
fn thousand_values_into_a_map(bencher: Bencher) {
    bencher.bench(|| {
        let mut map = Map::new();
        for _ in 0..STEPS {
            map.insert(divan::black_box("x").to_owned(), serde_json::json!(1));
        }
        map
    });
}

/// The seed scenario, plan and all, on the virtual clock.
#[divan::bench]
fn seed_on_the_virtual_clock(bencher: Bencher) {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/seeds");
    let seeds = std::env::var_os("FOTALAB_SEEDS").map_or(beside, PathBuf::from);
    let Ok(text) = std::fs::read_to_string(seeds.join("DeviceFOTA.feature.md")) else {
        eprintln!("SKIPPED: no seed scenario; FOTALAB_SEEDS names its directory");
        return;
    };
    bencher.bench(|| {
        let session = Session::new(planned(&text), Settings::default());
        let features = session.run_group_here(0).expect("it starts");
        assert_eq!(features[0].verdict, Verdict::Passed);
    });
}

/// What `--report` takes of processor time, beside a run of all features without it (budget: less
/// than a tenth more). Only where the kernel tells what children took (Linux); wanted as `report`.
///
/// Neighbours on the machine and pages that the kernel has to find make single runs differ by a
/// tenth and more: pairs of runs are compared, and the middle one counts.
fn cost_of_a_report() {
    const PAIRS: usize = 21;
    let wanted = |it: String| it == "report" || it == "--bench";
    if !std::env::args().skip(1).all(wanted) {
        return;
    }
    let directory = std::env::temp_dir().join("fotalab-bench-report");
    let report = directory.display().to_string();
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        // A report over another one would also pay for taking that away.
        drop(std::fs::remove_dir_all(&directory));
        let without = time_of_a_run(&[]);
        let with = time_of_a_run(&["--report", &report]);
        let (Some(without), Some(with)) = (without, with) else {
            eprintln!("SKIPPED: the processor time of children is only known on Linux");
            return;
        };
        pairs.push((with / without, without, with));
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let percent = |at: usize| (pairs[at].0 - 1.0) * 100.0;
    let (_, without, with) = pairs[PAIRS / 2];
    println!(
        "all features: {without:.0} ms of processor time, {with:.0} ms with --report, {:.1} % more \
         (median of {PAIRS} pairs; half of them between {:.1} and {:.1} %)",
        percent(PAIRS / 2),
        percent(PAIRS / 4),
        percent(PAIRS * 3 / 4),
    );
}

/// Processor time of a run of all features, in milliseconds.
fn time_of_a_run(flags: &[&str]) -> Option<f64> {
    let before = ticks_of_children()?;
    let status = Command::new(env!("CARGO_BIN_EXE_fotalab"))
        .args(["run", "features"])
        .args(flags)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    assert!(status.expect("it starts").success());
    Some(f64::from(ticks_of_children()? - before) * 10.0)
}

/// User and system time of all children that ended, in hundredths of a second (proc(5), 16 and 17).
fn ticks_of_children() -> Option<u32> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(13);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(next()? + next()?)
}
