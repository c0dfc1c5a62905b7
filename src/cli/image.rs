//! `fotalab image`: makes a firmware image that simulated devices can check.

use std::path::PathBuf;

use fotalab_wire::image;
use sha2::{Digest as _, Sha256};

use super::{Exit, Failure};

/// What `image` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The version that a device runs after it: up to 16 characters of ASCII.
    #[arg(long, value_name = "VERSION")]
    firmware: String,
    /// Bytes of the whole file, its header of 64 included.
    #[arg(long, default_value_t = 65_536)]
    size: u64,
    /// Equal seeds give equal bytes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The file to write.
    output: PathBuf,
}

/// Writes the file and says what is in it, as one line of JSON.
pub(super) fn image(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments {
        firmware,
        size,
        seed,
        output,
    } = arguments;
    let bytes =
        image::build(firmware, *size, *seed).map_err(|error| Failure::usage(error.to_string()))?;
    std::fs::write(output, &bytes).map_err(|error| {
        Failure::environment(format!("cannot write {}: {error}", output.display()))
    })?;
    let hash: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let said = serde_json::json!({
        "file": output.display().to_string(),
        "firmware": firmware,
        "length": bytes.len(),
        "sha256": hash,
    });
    println!("{said}");
    Ok(Exit::Held)
}
