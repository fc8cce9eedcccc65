//! How far the wall clock is ahead of the time that has stood, kept for the next start: the clock's own memory does not
//! outlive the process, and the log's times are those of the clock.
//!
//! There are no commands: only the server's housekeeping writes here.

use bellwire_store::{statements, tx::Value};

use crate::kit::{Fault, Micros, ReadTx, Service, Tx};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE standing (
        id INTEGER PRIMARY KEY,
        ahead INTEGER NOT NULL
    );
"];

statements! {
    /// How far it was ahead.
    AHEAD = "SELECT ahead FROM standing WHERE id = 1";
    /// How far it is; nothing is written where that is known.
    NOTE = "INSERT INTO standing (id, ahead)
            SELECT 1, $1 WHERE $1 <> coalesce((SELECT ahead FROM standing WHERE id = 1), 0)
            ON CONFLICT (id) DO UPDATE SET ahead = excluded.ahead";
}

/// The table behind it.
pub fn service() -> Service {
    Service::new("standing", MIGRATIONS, STATEMENTS)
}

/// How far the clock was ahead, in microseconds.
///
/// # Errors
/// The store's.
pub fn ahead(tx: &ReadTx<'_>) -> Result<Micros, Fault> {
    Ok(tx.one(AHEAD, &[], |row| row.integer(0))?.unwrap_or(0))
}

/// Notes how far it is ahead now; says whether that was news.
///
/// # Errors
/// The store's.
pub fn note(tx: &mut Tx<'_>, ahead: Micros) -> Result<bool, Fault> {
    Ok(tx.execute(NOTE, &[Value::Integer(ahead)])? > 0)
}

#[cfg(test)]
mod tests {
    use bellwire_store::{
        change::Outcome,
        sqlite::{Options, Write, Writer},
    };

    use super::*;

    #[test]
    fn it_is_written_when_it_is_news() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options::new(directory.path().join("test.db"), "e", 0);
        let mut writer = Writer::open(&options, &[service().migrations]).expect("it opens");
        for (said, is_news) in [(0, false), (7, true), (7, false), (9, true), (0, true)] {
            let run = move |tx: &mut Tx<'_>| {
                let noted = note(tx, said)?;
                Ok(Outcome::reply((noted, ahead(tx)?)))
            };
            let batch = writer.batch(vec![Write { at: 0, run: Box::new(run), to: () }]);
            let answer = batch.expect("the disk is sound").answers.remove(0);
            let came_to = answer.result.map(|committed| committed.into_parts().0);
            assert_eq!(came_to.ok(), Some((is_news, said)));
        }
    }
}
