//! Backups: a data directory copied while it is served, put back, and checked.
//!
//! A backup is a data directory of its own: the database, born with a new epoch, the signing keys,
//! what TLS needs, and a note that says what it is. A restore copies once more, and the epoch is
//! new once more, so that one backup restored twice does not make two servers that take each
//! other's cursors for their own.
//!
//! None of this needs the server, nor disturbs it; see `bellwire_store::sqlite::backup`.
//!
//! What is *not* here: what a table means, and what is printed (`cli/backup.rs`).

mod soundness;
mod staging;

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use bellwire_services::kit::Micros;
use bellwire_store::{
    migrate::Migrations,
    sqlite::{self, BackupReport},
};
use serde::{Deserialize, Serialize};
pub use soundness::{check, exposed};
use staging::Staging;
pub use staging::refuse_unfinished;

use crate::{
    app::epoch,
    credentials::chance,
    credentials::{self, Keyring},
    plain,
};

/// The database's name in a data directory.
pub const DATABASE: &str = "bellwire.db";
/// The note's name in a backup.
const NOTE: &str = "backup.json";
/// The most that is read of a note, in bytes.
const NOTE_LEN_MAX: u64 = 64 << 10;
/// The folder of the signing keys.
const KEYS: &str = "keys";
/// What else belongs to a data directory, if it is there: what TLS needs, and the demo's marker.
const OTHERS: &[&str] = &["tls", "demo"];

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When it was begun: RFC 3339, UTC.
    pub made_at: String,
    /// The version of the program that made it.
    pub version: String,
    /// The last offset of its log.
    pub head: u64,
    /// Its epoch.
    pub epoch: String,
}

/// What a restore came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The backup's note; a data directory that was copied by other means has none.
    pub note: Option<Note>,
    /// What the database holds.
    pub report: BackupReport,
}

/// Copies the data directory `data`, served or not, to `to`, which must be new or empty. `now` is
/// the wall time.
///
/// # Errors
/// In one sentence that says what to do; then nothing is at `to`.
pub fn backup(data: &Path, to: &Path, now: Micros) -> anyhow::Result<BackupReport> {
    let database = database(data)?;
    keys(data)?;
    let staging = Staging::begin(to)?;
    let report = copy_database(&database, staging.path())?;
    // After the database: a key that was made meanwhile does no harm, one that is missing would.
    copy_others(data, staging.path(), &[&[KEYS], OTHERS].concat())?;
    let made_at = jiff::Timestamp::from_microsecond(now).map(|at| at.to_string());
    let note = Note {
        made_at: made_at.unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        head: report.head,
        epoch: report.epoch.clone(),
    };
    let mut text = serde_json::to_vec_pretty(&note)?;
    text.push(b'\n');
    write_private(&staging.path().join(NOTE), &mut &text[..])?;
    staging.finish()?;
    Ok(report)
}

/// Makes the data directory `data`, which must be new or empty, of the backup `from`. With
/// `new_keys` it gets a signing key of its own, and no token of before is valid in it.
///
/// # Errors
/// In one sentence that says what to do; then nothing is at `data`.
pub fn restore(from: &Path, data: &Path, new_keys: bool) -> anyhow::Result<Restored> {
    let database = database(from)?;
    let note = note(from)?;
    if !new_keys {
        keys(from)?;
    }
    let staging = Staging::begin(data)?;
    sqlite::check(&database, &migrations()).map_err(|problems| {
        let more = match problems.len() {
            0 | 1 => String::new(),
            count => format!(" And {} more.", count - 1),
        };
        let problem = problems.into_iter().next().unwrap_or_default();
        anyhow!("{} cannot be restored. {problem}{more}", from.display())
    })?;
    let report = copy_database(&database, staging.path())?;
    if new_keys {
        let keys = staging.path().join(KEYS);
        Keyring::open(&keys, &chance())
            .with_context(|| format!("A key cannot be made in {}", keys.display()))?;
        copy_others(from, staging.path(), OTHERS)?;
    } else {
        copy_others(from, staging.path(), &[&[KEYS], OTHERS].concat())?;
    }
    staging.finish()?;
    Ok(Restored { note, report })
}

/// The services' tables that this program knows.
fn migrations() -> Vec<Migrations> {
    bellwire_services::all().iter().map(|service| service.migrations).collect()
}

/// The database of a data directory.
fn database(data: &Path) -> anyhow::Result<PathBuf> {
    let at = data.display();
    match fs::metadata(data) {
        Err(error) => bail!("The directory {at} cannot be used ({error}): name another one."),
        Ok(found) if !found.is_dir() => bail!("{at} is not a directory: name another one."),
        Ok(_) => {}
    }
    refuse_unfinished(data)?;
    let database = data.join(DATABASE);
    if !database.is_file() {
        bail!("{at} is not a data directory, for it has no {DATABASE}: name another one.");
    }
    Ok(database)
}

/// The note of a backup, if there is one.
fn note(from: &Path) -> anyhow::Result<Option<Note>> {
    let path = from.join(NOTE);
    match plain::read(&path, NOTE_LEN_MAX) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text).with_context(|| {
            format!("{} is not a backup's note: use another backup", path.display())
        })?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => bail!("{} cannot be read: {error}.", path.display()),
    }
}

/// Makes sure that there are signing keys and that they can be used.
fn keys(data: &Path) -> anyhow::Result<()> {
    let keys = data.join(KEYS);
    let at = keys.display();
    let found = credentials::read_keys(&keys)
        .with_context(|| format!("The signing keys in {at} cannot be used"))?;
    if found.keys.is_empty() {
        bail!("There is no signing key in {at}: tokens of this directory could not be verified.");
    }
    Ok(())
}

fn copy_database(from: &Path, to: &Path) -> anyhow::Result<BackupReport> {
    Ok(sqlite::backup(from, &to.join(DATABASE), &epoch(), &migrations())?)
}

/// Copies what is there of these.
fn copy_others(from: &Path, to: &Path, names: &[&str]) -> anyhow::Result<()> {
    for name in names {
        let path = from.join(name);
        if path.symlink_metadata().is_ok() {
            copy(&path, &to.join(name))?;
        }
    }
    staging::sync(to).with_context(|| format!("{} cannot be written", to.display()))
}

/// Copies a regular file, or a folder with all that is in it, for its owner alone, durably. A link is
/// not followed, and nothing else is opened: see [`plain`].
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let cannot_read = || format!("{} cannot be read", from.display());
    if !fs::symlink_metadata(from).with_context(cannot_read)?.is_dir() {
        let mut file = plain::open(from).with_context(cannot_read)?;
        return write_private(to, &mut file);
    }
    let cannot_write = || format!("{} cannot be written", to.display());
    staging::make(to).with_context(cannot_write)?;
    for entry in fs::read_dir(from).with_context(cannot_read)? {
        let name = entry.with_context(cannot_read)?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    staging::sync(to).with_context(cannot_write)
}

/// Writes a new file that its owner alone can read.
fn write_private(to: &Path, text: &mut dyn io::Read) -> anyhow::Result<()> {
    let mut write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        io::copy(text, &mut file)?;
        file.sync_all()
    };
    write().with_context(|| format!("{} cannot be written", to.display()))
}
