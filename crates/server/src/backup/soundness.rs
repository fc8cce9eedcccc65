//! Whether a data directory is sound, and who else can look into it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use bellwire_store::sqlite::{self, CheckReport};

use super::{DATABASE, KEYS, database, keys, migrations};

/// Checks a data directory, served or not: its database from end to end, its keys, and that nobody
/// but its owner can look into it.
///
/// # Errors
/// Every problem that was found, as a sentence that says what to do.
pub fn check(data: &Path) -> Result<CheckReport, Vec<String>> {
    let database = database(data).map_err(|error| vec![error.to_string()])?;
    let found = sqlite::check(&database, &migrations());
    // After that, for SQLite gives the files beside the database its mode.
    let mut problems = exposed(data);
    if let Err(error) = keys(data) {
        problems.push(format!("{error:#}."));
    }
    match found {
        Ok(report) if problems.is_empty() => Ok(report),
        Ok(_) => Err(problems),
        Err(found) => Err([found, problems].concat()),
    }
}

/// What others than the owner can use of a data directory, a sentence each.
pub fn exposed(data: &Path) -> Vec<String> {
    private(data).iter().filter_map(|path| loose(path)).collect()
}

/// What only the owner may read: the directory, its database, the keys. A certificate, or the demo's
/// marker, is for everyone.
fn private(data: &Path) -> Vec<PathBuf> {
    let named = |folder: &Path, is_private: fn(&str) -> bool| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let found = entries.filter(|entry| is_private(&entry.file_name().to_string_lossy()));
        found.map(|entry| entry.path()).collect()
    };
    let mut paths = [
        vec![data.to_owned()],
        named(data, |name| name.starts_with(DATABASE) || [KEYS, "tls"].contains(&name)),
        named(&data.join(KEYS), |_| true),
        named(&data.join("tls"), |name| name.contains("key")),
    ]
    .concat();
    paths.sort();
    paths
}

/// What is wrong with the mode of a file or a folder.
fn loose(path: &Path) -> Option<String> {
    let found = fs::metadata(path).ok()?;
    let mode = found.permissions().mode() & 0o777;
    let right = match (found.is_dir(), found.is_file()) {
        (true, _) => 700,
        (_, true) => 600,
        // The operator's socket lies behind the directory.
        _ => return None,
    };
    let at = path.display();
    (mode & 0o077 != 0).then(|| {
        format!(
            "{at} can be used by others than its owner (mode {mode:o}): run `chmod {right} {at}`."
        )
    })
}
