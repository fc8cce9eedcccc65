//! The disk's own speed: how often in a second it makes an appended page durable.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::interrupt;

/// What is appended each time: the page of a database.
const PAGE: [u8; 4096] = [0x5A; 4096];

/// Appends a page to a new file in `directory` and calls `fdatasync`, again and again for
/// `time`; returns how often in a second.
pub fn sync_rate(directory: &Path, time: Duration) -> Result<f64> {
    let path = directory.join("fdatasync");
    let mut file = File::create(&path).with_context(|| format!("cannot write {path:?}"))?;
    let began = Instant::now();
    let mut syncs = 0;
    while began.elapsed() < time {
        interrupt::check()?;
        file.write_all(&PAGE)?;
        file.sync_data()?;
        syncs += 1;
    }
    let rate = f64::from(syncs) / began.elapsed().as_secs_f64();
    drop(file);
    std::fs::remove_file(&path)?;
    Ok(rate)
}
