//! Datagrams as they crossed, for who asked for captures.

use std::{mem, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use fotalab_wire::net::{Datagram, UnixMillis};

use super::{StepPlace, Trace};

/// Bytes of datagrams that one feature's capture keeps; later ones are counted.
pub const MAX_CAPTURE_BYTES: usize = 256 * 1024 * 1024;
/// Lines of a key log that a group keeps: two for each session of a large fleet.
const MAX_KEY_LINES: usize = 200_000;

/// What is captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capture {
    /// Nothing.
    #[default]
    No,
    /// Datagrams, sealed ones as they are.
    Datagrams,
    /// Datagrams, and what opens the sealed ones.
    WithSecrets,
}

/// A datagram.
#[derive(Clone, Debug)]
pub struct Captured {
    /// When it was sent, on the group's clock.
    pub at: UnixMillis,
    /// The step at work.
    pub step: Option<StepPlace>,
    /// The sender.
    pub from: SocketAddr,
    /// The receiver.
    pub to: SocketAddr,
    /// All of it.
    pub bytes: Bytes,
    /// `delivered`, `lost`, `duplicated`, `corrupted` or `late`.
    pub fate: &'static str,
}

/// What was captured while a feature ran.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// In the order of sending.
    pub datagrams: Vec<Captured>,
    /// Datagrams that were not kept.
    pub dropped: u64,
    /// Lines of an NSS key log, of the whole group so far.
    pub keys: Vec<String>,
    bytes: usize,
}

/// Takes lines of a key log.
pub type KeyLog = Arc<dyn Fn(&str) + Send + Sync>;

impl Trace {
    /// Keeps a datagram, where captures were asked for.
    pub(crate) fn capture(&self, datagram: &Datagram, fate: &'static str) {
        if self.capture == Capture::No {
            return;
        }
        let at = self.clock.now();
        let mut inner = self.inner();
        let step = inner.step.clone();
        let recording = &mut inner.recording;
        if recording.bytes + datagram.bytes.len() > MAX_CAPTURE_BYTES {
            recording.dropped += 1;
            return;
        }
        recording.bytes += datagram.bytes.len();
        recording.datagrams.push(Captured {
            at,
            step,
            from: datagram.from,
            to: datagram.to,
            bytes: datagram.bytes.clone(),
            fate,
        });
    }

    /// Where the secrets of sessions go; nowhere, unless they were asked for.
    pub(crate) fn key_log(&self) -> Option<KeyLog> {
        if self.capture != Capture::WithSecrets {
            return None;
        }
        let trace = self.clone();
        Some(Arc::new(move |line| {
            let keys = &mut trace.inner().recording.keys;
            if keys.len() < MAX_KEY_LINES {
                keys.push(line.to_owned());
            }
        }))
    }

    /// What was captured since the last call. Sessions outlive a feature, so keys stay.
    pub(crate) fn take_recording(&self) -> Recording {
        let recording = &mut self.inner().recording;
        let keys = recording.keys.clone();
        mem::replace(
            recording,
            Recording {
                keys,
                ..Recording::default()
            },
        )
    }
}
