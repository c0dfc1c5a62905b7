//! Messages on their way into a report: each is looked at once, while it is at hand.

use std::io::{self, Write};

use super::{
    html::{Packed, Packing},
    trace::TraceWriter,
};
use crate::{
    run::{FeatureRecord, Redacting, RunRecord},
    trace::{Message, Secrets},
};

/// Replaces the secrets in all messages of a record, writes `trace.ndjson`, and packs them for a
/// page.
///
/// # Errors
/// What `out` says; the secrets are replaced all the same.
pub fn write_messages(
    record: &mut RunRecord,
    secrets: &Secrets,
    out: impl Write,
) -> io::Result<Packed> {
    let secrets = secrets.replacer();
    let mut redacting = Redacting::with(&secrets);
    let mut trace = TraceWriter::to(out);
    let mut packing = Packing::of(record);
    let mut written = Ok(());
    for (number, feature) in record.features.iter_mut().enumerate() {
        let FeatureRecord {
            scenarios,
            messages,
            ..
        } = feature;
        trace.feature(number);
        let count = messages.len();
        let each = messages.iter_mut().map(|message| -> &Message {
            redacting.message(message);
            if written.is_ok() {
                written = trace.message(message);
            }
            message
        });
        packing.feature(scenarios, count, each);
    }
    written.and_then(|()| trace.end())?;
    Ok(packing.packed)
}
