//! Versions of the schema: new, old, newer, and a step that fails.

use std::path::{Path, PathBuf};

use bellwire_store::{
    migrate::{Migrations, to_postgres},
    sqlite::{OpenError, Options, Writer},
};

const ONE: Migrations = Migrations {
    service: "pets",
    steps: &["CREATE TABLE pets (pet_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
              CREATE TABLE toys (pet_id INTEGER NOT NULL REFERENCES pets (pet_id))"],
};
const TWO: Migrations = Migrations {
    service: "pets",
    steps: &[ONE.steps[0], "ALTER TABLE pets ADD COLUMN age INTEGER"],
};
const BROKEN: Migrations = Migrations {
    service: "pets",
    steps: &[ONE.steps[0], "ALTER TABLE pets ADD COLUMN age INTEGER; DROP TABLE no_table"],
};
const ORPHANS: Migrations =
    Migrations { service: "pets", steps: &[ONE.steps[0], "DELETE FROM pets"] };
const OTHER: Migrations = Migrations {
    service: "plants",
    steps: &["CREATE TABLE plants (plant_id INTEGER PRIMARY KEY)"],
};

fn open(folder: &Path, services: &[Migrations]) -> Result<(), OpenError> {
    Writer::open(&Options::new(folder.join("db"), "epoch", 7), services)
        .map(|writer| writer.close().expect("a sound disk"))
}

fn query(path: &Path, sql: &str) -> rusqlite::Result<i64> {
    rusqlite::Connection::open(path).expect("it opens").query_row(sql, [], |row| row.get(0))
}

fn copies(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("it is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it is there").path()).collect();
    paths.retain(|path| path.to_string_lossy().contains(".before-"));
    paths
}

/// A database at version 1 with a pet and its toy.
fn old() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("room");
    open(folder.path(), &[ONE]).expect("it opens");
    let path = folder.path().join("db");
    let conn = rusqlite::Connection::open(&path).expect("it opens");
    let fill = "INSERT INTO pets VALUES (1, 'Rex'); INSERT INTO toys VALUES (1)";
    conn.execute_batch(fill).expect("room");
    (folder, path)
}

#[test]
fn a_new_database_gets_every_version_and_no_copy() {
    let (folder, path) = old();
    for _ in 0..2 {
        open(folder.path(), &[ONE, OTHER]).expect("it opens");
        assert_eq!(
            query(&path, "SELECT version FROM schema_version WHERE service = 'pets'"),
            Ok(1)
        );
        assert_eq!(query(&path, "SELECT count(*) FROM schema_version"), Ok(3));
        assert_eq!(query(&path, "SELECT min(at) FROM schema_version"), Ok(7));
    }
    assert!(copies(folder.path()).is_empty(), "a new service changes nothing that is there");
    // A service that is gone leaves its tables.
    open(folder.path(), &[OTHER]).expect("it opens");
    assert_eq!(query(&path, "SELECT count(*) FROM pets"), Ok(1));
}

#[test]
fn an_old_database_is_copied_then_upgraded() {
    let (folder, path) = old();
    open(folder.path(), &[TWO]).expect("it opens");
    assert_eq!(query(&path, "SELECT version FROM schema_version WHERE service = 'pets'"), Ok(2));
    assert_eq!(query(&path, "SELECT count(*) FROM pets WHERE age IS NULL"), Ok(1));
    let copies = copies(folder.path());
    assert_eq!(copies, [folder.path().join("db.before-pets-1")]);
    assert_eq!(
        query(&copies[0], "SELECT version FROM schema_version WHERE service = 'pets'"),
        Ok(1)
    );
    assert_eq!(query(&copies[0], "SELECT count(*) FROM pets"), Ok(1));
    assert!(query(&copies[0], "SELECT count(age) FROM pets").is_err());
    #[cfg(unix)]
    for path in [&path, &copies[0]] {
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(path).expect("it is there").permissions(),
        );
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}

#[test]
fn a_newer_database_is_refused() {
    let (folder, path) = old();
    open(folder.path(), &[TWO]).expect("it opens");
    let error = open(folder.path(), &[ONE]).expect_err("it is newer");
    let sentence = format!(
        "The database {} was written by a newer version of this program (pets is at version 2, \
         known here up to 1): run that version, or restore the copy it made before upgrading.",
        path.display()
    );
    assert_eq!(error, OpenError::Newer(sentence));
}

#[test]
fn a_step_that_fails_changes_nothing() {
    let (folder, path) = old();
    let check = |services: &[Migrations], words: &str| {
        let error = open(folder.path(), services).expect_err("the step fails").to_string();
        assert!(error.contains("failed while upgrading it") && error.contains(words), "{error}");
        assert_eq!(
            query(&path, "SELECT version FROM schema_version WHERE service = 'pets'"),
            Ok(1)
        );
        assert!(query(&path, "SELECT count(age) FROM pets").is_err());
        assert!(query(&path, "SELECT count(*) FROM plants").is_err(), "all versions or none");
    };
    check(&[OTHER, BROKEN], "no such table: no_table");
    check(&[OTHER, ORPHANS], "a foreign key of toys would point nowhere");
    open(folder.path(), &[OTHER, TWO]).expect("a better step follows");
}

#[test]
fn a_database_keeps_its_epoch() {
    let folder = tempfile::tempdir().expect("room");
    for given in ["first", "second"] {
        let options = Options::new(folder.path().join("db"), given, 0);
        assert_eq!(Writer::open(&options, &[]).expect("it opens").epoch(), "first");
    }
    for bad in ["", "a.b", "a b", "\u{e9}", &"x".repeat(65)] {
        let options = Options::new(folder.path().join("db"), bad, 0);
        assert!(Writer::open(&options, &[]).is_err(), "{bad}");
    }
}

#[test]
fn ddl_is_translated_outside_of_quotes_and_comments() {
    for (sqlite, postgres) in [
        ("a INTEGER, b real,c Blob", "a BIGINT, b DOUBLE PRECISION,c BYTEA"),
        ("integers INTEGER_2 xREAL TEXT", "integers INTEGER_2 xREAL TEXT"),
        (
            "DEFAULT 'INTEGER ''REAL' \"BLOB\" -- REAL\nREAL",
            "DEFAULT 'INTEGER ''REAL' \"BLOB\" -- REAL\nDOUBLE PRECISION",
        ),
        ("(a TEXT) STRICT, WITHOUT  rowid;", "(a TEXT) , ;"),
        ("'unclosed INTEGER", "'unclosed INTEGER"),
    ] {
        assert_eq!(to_postgres(sqlite), postgres);
    }
}
