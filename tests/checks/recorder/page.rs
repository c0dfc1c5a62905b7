//! What the page says is what the two files say, and nothing that crossed does it harm.

use super::made;
use crate::support::{directory, fotalab};

#[test]
fn write_them() {
    for (name, (report, trace)) in [("lossy", made::lossy_push()), ("fleet", made::fleet(500, 20_000)), ("large", made::fleet(500, 200_000))] {
        let directory = directory(&format!("recorder-{name}"));
        std::fs::write(directory.join("report.json"), report).expect("written");
        std::fs::write(directory.join("trace.ndjson"), trace).expect("written");
        let began = std::time::SystemTime::UNIX_EPOCH;
        let _ = began;
        let ran = fotalab(&directory, &["report", "."]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        eprintln!("{}", directory.display());
    }
}
