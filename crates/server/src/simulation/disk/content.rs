//! What a database holds, as digests that can be compared, and what is left of one after a power cut.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

use bellwire_store::sqlite::Writer;
use rusqlite::{Connection, types::ValueRef};

use super::{
    house::{Services, options, room},
    vfs::Photo,
};

/// Every row of every table, and the schema: a digest for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(BTreeMap<String, u64>);

impl Content {
    /// What is there now, as somebody reads it who uses nothing of ours.
    pub fn of(conn: &Connection) -> rusqlite::Result<Content> {
        // One transaction, so that all of it is of one moment.
        conn.execute_batch("BEGIN")?;
        let mut schema = conn.prepare_cached("SELECT type, name, sql FROM sqlite_schema")?;
        let texts = schema.query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, Option<String>>(2)?,
            ))
        })?;
        let texts: Vec<_> = texts.collect::<rusqlite::Result<_>>()?;
        let mut digests = BTreeMap::from([("the schema".to_owned(), digest(&texts))]);
        for (_, name, _) in texts.iter().filter(|(kind, ..)| kind == "table") {
            digests.insert(name.clone(), table(conn, name)?);
        }
        conn.execute_batch("COMMIT")?;
        Ok(Content(digests))
    }

    /// The tables that are not as in another.
    pub fn apart(&self, other: &Content) -> Vec<&str> {
        let differs = |(name, digest): &(&String, &u64)| other.0.get(*name) != Some(*digest);
        self.0.iter().filter(differs).map(|(name, _)| name.as_str()).collect()
    }
}

fn digest(what: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// The rows of a table in the order in which they lie there, which is that of its key.
fn table(conn: &Connection, name: &str) -> rusqlite::Result<u64> {
    let mut hasher = DefaultHasher::new();
    let mut rows = conn.prepare_cached(&format!("SELECT * FROM \"{name}\" NOT INDEXED"))?;
    let columns = rows.column_count();
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            match row.get_ref(column)? {
                ValueRef::Null => 0_u8.hash(&mut hasher),
                ValueRef::Integer(number) => (1_u8, number).hash(&mut hasher),
                ValueRef::Real(number) => (2_u8, number.to_bits()).hash(&mut hasher),
                ValueRef::Text(text) => (3_u8, text).hash(&mut hasher),
                ValueRef::Blob(bytes) => (4_u8, bytes).hash(&mut hasher),
            }
        }
    }
    Ok(hasher.finish())
}

/// Opens what a power cut left, as the server does, after looking whether it is whole; gives what it holds.
pub fn survives(folder: &Path) -> Result<Content, String> {
    let failed = |what: &str, e: &dyn std::fmt::Display| format!("{what}: {e}");
    let path = folder.join("db");
    let conn = Connection::open(&path).map_err(|e| failed("what is left does not open", &e))?;
    let whole: rusqlite::Result<String> =
        conn.query_row("PRAGMA integrity_check", [], |row| row.get(0));
    match whole {
        Ok(text) if text == "ok" => {}
        other => return Err(format!("what is left is not whole: {other:?}")),
    }
    let writer = Writer::open(&options(&path), Services::get().tables.migrations());
    let writer = writer.map_err(|e| failed("the server does not open what is left", &e))?;
    let content = Content::of(&conn).map_err(|e| failed("what is left cannot be read", &e))?;
    drop(writer);
    Ok(content)
}

/// What photos hold. Many are the same to the byte: those are opened once.
#[derive(Default)]
pub struct Album {
    known: HashMap<u64, Content>,
    /// Photos that were looked at.
    pub looks: u64,
}

impl Album {
    /// What this photo holds.
    pub fn look(&mut self, photo: &Photo) -> Result<Content, String> {
        self.looks += 1;
        let key = digest(&photo.files);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let folder = room();
        photo.restore(folder.path());
        let content = survives(folder.path())?;
        self.known.insert(key, content.clone());
        Ok(content)
    }
}
