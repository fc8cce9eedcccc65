//! The schema's versions: each service brings its own, and the store has its own like a service.
//!
//! A version is one text of DDL, and is never changed after a release: a change is a new version.
//! Types are INTEGER, REAL, TEXT, BLOB; [`to_postgres`] says what they are on PostgreSQL.
//!
//! Forward only. A database that a newer program wrote is refused. An older one is copied first,
//! whole and consistent, to a file beside it; then all versions are made in one transaction, or
//! none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension};

use crate::{
    change::Micros,
    sqlite::{OpenError, file},
};

/// What one service brings: the first step makes version 1, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrations {
    /// The service's name; no two have the same.
    pub service: &'static str,
    /// One text of DDL per version.
    pub steps: &'static [&'static str],
}

impl Migrations {
    /// The version that the steps lead to.
    pub fn version(&self) -> i64 {
        self.steps.len() as i64
    }
}

/// The table that the versions stand in.
pub const SCHEMA_VERSION: &str = "CREATE TABLE IF NOT EXISTS schema_version (
    service TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    at INTEGER NOT NULL
)";

mod sql {
    crate::statements! {
        /// What the database holds.
        VERSIONS = "SELECT service, version FROM schema_version";
        /// What it holds now.
        VERSION_SET = "INSERT INTO schema_version (service, version, at) VALUES ($1, $2, $3) \
                       ON CONFLICT (service) DO UPDATE \
                       SET version = excluded.version, at = excluded.at";
    }
}

/// Every statement of this module.
pub use sql::STATEMENTS;

/// The DDL of every step of the store's own tables, then of each service, in order.
pub fn ddl(services: &[Migrations]) -> Vec<&'static str> {
    let all = std::iter::once(&crate::log::MIGRATIONS).chain(services);
    std::iter::once(SCHEMA_VERSION).chain(all.flat_map(|m| m.steps.iter().copied())).collect()
}

/// Brings the database up to what `services` know.
pub(crate) fn run(
    conn: &mut Connection,
    path: &Path,
    services: &[Migrations],
    now: Micros,
) -> Result<(), OpenError> {
    let (all, found) = judge(conn, path, services)?;
    let version = |m: &Migrations| found.get(m.service).copied().unwrap_or(0);
    let behind: Vec<&Migrations> = all.into_iter().filter(|m| version(m) < m.version()).collect();
    if behind.is_empty() {
        return Ok(());
    }
    let old: Vec<(&str, i64)> =
        behind.iter().map(|m| (m.service, version(m))).filter(|(_, v)| *v > 0).collect();
    if !old.is_empty() {
        copy(conn, path, &old).map_err(|e| {
            OpenError::Other(format!(
                "The database {} could not be copied before its upgrade: {e}.",
                path.display()
            ))
        })?;
    }
    apply(conn, &behind, &found, now).map_err(|e| OpenError::of_writing(path, "upgrading it", &e))
}

/// Whether the database is one of this program, at versions that it knows; gives the versions.
pub(crate) fn known(
    conn: &Connection,
    path: &Path,
    services: &[Migrations],
) -> Result<BTreeMap<String, i64>, OpenError> {
    let (_, found) = judge(conn, path, services)?;
    if found.contains_key(crate::log::MIGRATIONS.service) {
        return Ok(found);
    }
    Err(OpenError::Other(format!("{} is not a database of this program.", path.display())))
}

/// What this program knows and what the database holds, which must not be newer.
fn judge<'a>(
    conn: &Connection,
    path: &Path,
    services: &'a [Migrations],
) -> Result<(Vec<&'a Migrations>, BTreeMap<String, i64>), OpenError> {
    let all: Vec<&Migrations> = std::iter::once(&crate::log::MIGRATIONS).chain(services).collect();
    let names: BTreeSet<&str> = all.iter().map(|m| m.service).collect();
    assert!(names.len() == all.len(), "no two services have the same name");
    let found = versions(conn).map_err(|e| OpenError::of(path, "reading its version", &e))?;
    let version = |m: &Migrations| found.get(m.service).copied().unwrap_or(0);
    if let Some(newer) = all.iter().find(|m| version(m) > m.version()) {
        return Err(OpenError::Newer(format!(
            "The database {} was written by a newer version of this program ({} is at version {}, \
             known here up to {}): run that version, or restore the copy it made before upgrading.",
            path.display(),
            newer.service,
            version(newer),
            newer.version()
        )));
    }
    Ok((all, found))
}

/// Service and version, as the database has them; nothing if it is new.
fn versions(conn: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    let known = conn
        .query_row("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'", [], |_| Ok(()))
        .optional()?;
    if known.is_none() {
        return Ok(BTreeMap::new());
    }
    conn.prepare(sql::VERSIONS.0)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// All steps in one transaction. Foreign keys are checked once, at its end, so that a step may
/// build a table anew.
fn apply(
    conn: &mut Connection,
    behind: &[&Migrations],
    found: &BTreeMap<String, i64>,
    now: Micros,
) -> rusqlite::Result<()> {
    conn.pragma_update(None, "foreign_keys", false)?;
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    tx.execute_batch(SCHEMA_VERSION)?;
    for migrations in behind {
        let version = found.get(migrations.service).copied().unwrap_or(0);
        let done = usize::try_from(version).unwrap_or(0);
        for step in &migrations.steps[done..] {
            tx.execute_batch(step)?;
        }
        let values = rusqlite::params![migrations.service, migrations.version(), now];
        tx.execute(sql::VERSION_SET.0, values)?;
    }
    let broken = tx.query_row("PRAGMA foreign_key_check", [], |row| row.get::<_, String>(0));
    if let Some(table) = broken.optional()? {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY);
        let message = format!("a foreign key of {table} would point nowhere");
        return Err(rusqlite::Error::SqliteFailure(code, Some(message)));
    }
    tx.commit()?;
    conn.pragma_update(None, "foreign_keys", true)
}

/// Writes a consistent copy beside the database, readable by its owner alone, named with the
/// versions that it holds. It is complete, or there is none.
fn copy(conn: &Connection, path: &Path, old: &[(&str, i64)]) -> Result<PathBuf, String> {
    let versions: Vec<String> = old.iter().map(|(name, v)| format!("{name}-{v}")).collect();
    let to = file::beside(path, &format!(".before-{}", versions.join("-")));
    let part = file::beside(path, ".copying");
    let _ = fs::remove_file(&part);
    file::create_private(&part).map_err(|e| e.to_string())?;
    let text = part.to_str().ok_or("its path is not UTF-8")?;
    conn.execute("VACUUM INTO ?1", [text]).map_err(|e| e.to_string())?;
    File::open(&part).and_then(|part| part.sync_all()).map_err(|e| e.to_string())?;
    fs::rename(&part, &to).map_err(|e| e.to_string())?;
    file::sync_folder(&to).map_err(|e| e.to_string())?;
    Ok(to)
}

/// The same DDL for PostgreSQL: INTEGER is BIGINT there, REAL is DOUBLE PRECISION, BLOB is BYTEA,
/// and SQLite's table options are left out. Text in quotes and comments stays as it is.
pub fn to_postgres(ddl: &str) -> String {
    let mut out = String::with_capacity(ddl.len());
    let mut rest = ddl;
    while let Some(c) = rest.chars().next() {
        let len = match c {
            '\'' | '"' => rest[1..].find(c).map_or(rest.len(), |end| end + 2),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            c if c.is_alphabetic() || c == '_' => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        let (token, next) = rest.split_at(len);
        rest = next;
        match token.to_ascii_uppercase().as_str() {
            "INTEGER" => out.push_str("BIGINT"),
            "REAL" => out.push_str("DOUBLE PRECISION"),
            "BLOB" => out.push_str("BYTEA"),
            "STRICT" => {}
            "WITHOUT" if next.trim_start().to_ascii_uppercase().starts_with("ROWID") => {
                let skipped = next.len() - next.trim_start().len() + "ROWID".len();
                rest = &next[skipped..];
            }
            _ => out.push_str(token),
        }
    }
    out
}
