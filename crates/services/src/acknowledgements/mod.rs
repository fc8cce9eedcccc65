//! Which critical events a principal has acknowledged, so that those that it has not are told again, on the next
//! connection too.
//!
//! - Each service has events of its own: a [`Reader`] is a principal as it hears one of them.
//! - A reader's place begins where it first asked to acknowledge. What lies before is settled.
//! - From the place on, each acknowledgement is a row. When all up to a later place are acknowledged, the place
//!   moves there and the rows go.
//! - Any connection acknowledges for all of its principal.
//! - What the log does not keep any more has expired, acknowledged or not.
//!
//! There are no commands: only the server's door writes here.

use bellwire_store::{change::Offset, statements, tx::Value};

use crate::kit::{Fault, ReadTx, Service, Tx};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE acknowledgement_places (
        principal TEXT NOT NULL,
        service TEXT NOT NULL,
        since_offset INTEGER NOT NULL,
        epoch TEXT NOT NULL,
        PRIMARY KEY (principal, service)
    );
    CREATE TABLE acknowledgements (
        principal TEXT NOT NULL,
        service TEXT NOT NULL,
        log_offset INTEGER NOT NULL,
        PRIMARY KEY (principal, service, log_offset)
    );
    CREATE INDEX acknowledgements_by_offset ON acknowledgements (log_offset);
"];

statements! {
    /// Finds the place of a reader.
    PLACE = "SELECT since_offset FROM acknowledgement_places
             WHERE principal = $1 AND service = $2 AND epoch = $3";
    /// Lists what a reader acknowledged after its place.
    ACKNOWLEDGED = "SELECT log_offset FROM acknowledgements
                    WHERE principal = $1 AND service = $2 AND log_offset > $3 ORDER BY log_offset";
    /// Gives a reader its first place, or its first one in this life of the database.
    BEGIN = "INSERT INTO acknowledgement_places (principal, service, since_offset, epoch) VALUES ($1, $2, $3, $4)
             ON CONFLICT (principal, service)
             DO UPDATE SET since_offset = excluded.since_offset, epoch = excluded.epoch
             WHERE acknowledgement_places.epoch <> excluded.epoch";
    /// Moves a reader to a later place.
    SETTLE = "UPDATE acknowledgement_places SET since_offset = $3
              WHERE principal = $1 AND service = $2 AND since_offset < $3 AND epoch = $4";
    /// Forgets what a reader acknowledged up to its place.
    FORGET_SETTLED = "DELETE FROM acknowledgements WHERE principal = $1 AND service = $2 AND log_offset <= $3";
    /// Forgets all places of a principal.
    FORGET_PLACES = "DELETE FROM acknowledgement_places WHERE principal = $1";
    /// Forgets all that a principal acknowledged.
    FORGET_ALL = "DELETE FROM acknowledgements WHERE principal = $1";
    /// Notes an acknowledgement.
    ACKNOWLEDGE = "INSERT INTO acknowledgements (principal, service, log_offset) VALUES ($1, $2, $3)
                   ON CONFLICT (principal, service, log_offset) DO NOTHING";
    /// Forgets some of what the log does not keep any more.
    PRUNE = "DELETE FROM acknowledgements WHERE (principal, service, log_offset) IN (
             SELECT principal, service, log_offset FROM acknowledgements WHERE log_offset <= $1
             ORDER BY log_offset LIMIT $2)";
}

/// A principal that hears the critical events of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Who acknowledges: the id of a principal.
    pub principal: String,
    /// The service whose events these are.
    pub service: &'static str,
}

impl Reader {
    /// This principal, as it hears the events of this service.
    pub fn new(principal: &str, service: &'static str) -> Reader {
        Reader { principal: principal.to_owned(), service }
    }

    /// As parameters of a statement, the first two.
    fn values(&self) -> [Value<'_>; 2] {
        [Value::Text(&self.principal), Value::Text(self.service)]
    }
}

/// The tables behind it.
pub fn service() -> Service {
    Service::new("acknowledgements", MIGRATIONS, STATEMENTS)
}

/// What a reader has acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Everything up to here.
    pub upto: Offset,
    /// And these, in order.
    pub besides: Vec<Offset>,
}

impl Acknowledged {
    /// Whether it has acknowledged the event at this place.
    pub fn has(&self, offset: Offset) -> bool {
        offset <= self.upto || self.besides.binary_search(&offset).is_ok()
    }
}

/// What a reader has acknowledged; `None` if it never asked to.
///
/// # Errors
/// The store's.
pub fn of(tx: &ReadTx<'_>, reader: &Reader) -> Result<Option<Acknowledged>, Fault> {
    let [principal, service] = reader.values();
    let now = [principal, service, Value::Text(tx.epoch())];
    let Some(upto) = tx.one(PLACE, &now, |row| offset_of(row.integer(0)))? else {
        return Ok(None);
    };
    let after = [principal, service, value(upto)];
    let besides = tx.all(ACKNOWLEDGED, &after, |row| offset_of(row.integer(0)))?;
    Ok(Some(Acknowledged { upto, besides }))
}

/// Notes that a reader asks to acknowledge what comes after the place `at`, unless it does already.
///
/// # Errors
/// The store's.
pub fn begin(tx: &mut Tx<'_>, reader: &Reader, at: Offset) -> Result<(), Fault> {
    let ([principal, service], epoch) = (reader.values(), tx.epoch());
    tx.execute(BEGIN, &[principal, service, value(at), Value::Text(epoch)]).map(drop)
}

/// Notes what a reader acknowledged, and that nothing up to `settled` is still to be.
///
/// # Errors
/// The store's.
pub fn acknowledge(
    tx: &mut Tx<'_>,
    reader: &Reader,
    offsets: &[Offset],
    settled: Offset,
) -> Result<(), Fault> {
    let ([principal, service], epoch) = (reader.values(), tx.epoch());
    for offset in offsets.iter().filter(|offset| **offset > settled) {
        tx.execute(ACKNOWLEDGE, &[principal, service, value(*offset)])?;
    }
    let settled = value(settled);
    if tx.execute(SETTLE, &[principal, service, settled, Value::Text(epoch)])? > 0 {
        tx.execute(FORGET_SETTLED, &[principal, service, settled])?;
    }
    Ok(())
}

/// Forgets all that a principal acknowledged: there is no such principal any more.
///
/// # Errors
/// The store's.
pub fn forget(tx: &mut Tx<'_>, principal: &str) -> Result<(), Fault> {
    tx.execute(FORGET_ALL, &[Value::Text(principal)])?;
    tx.execute(FORGET_PLACES, &[Value::Text(principal)]).map(drop)
}

/// Forgets up to `rows_max` acknowledgements of what the log does not keep any more; says how many.
///
/// # Errors
/// The store's.
pub fn prune(tx: &mut Tx<'_>, kept_after: Offset, rows_max: i64) -> Result<u64, Fault> {
    tx.execute(PRUNE, &[value(kept_after), Value::Integer(rows_max)])
}

fn value(offset: Offset) -> Value<'static> {
    Value::Integer(i64::try_from(offset).unwrap_or(i64::MAX))
}

fn offset_of(stored: i64) -> Offset {
    Offset::try_from(stored).expect("places are stored as they were counted")
}

#[cfg(test)]
mod tests {
    use bellwire_store::{
        change::Outcome,
        sqlite::{Options, Write, Writer},
    };

    use super::*;

    fn run<T: Send + 'static>(
        writer: &mut Writer,
        run: impl Fn(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> T {
        let run = move |tx: &mut Tx<'_>| run(tx).map(Outcome::reply);
        let batch = writer.batch(vec![Write { at: 0, run: Box::new(run), to: () }]);
        let answer = batch.expect("the disk is sound").answers.remove(0).result;
        answer.expect("it is committed").into_parts().0
    }

    fn client() -> Reader {
        Reader::new("client/client_7", "areas")
    }

    /// Plays a script for one reader: `b5` begins at 5, `7:4` acknowledges 7 with all up to 4 settled, `p6`
    /// prunes up to 6; then what is acknowledged.
    fn check(script: &str, upto: Offset, besides: &[Offset]) {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options::new(directory.path().join("test.db"), "e", 0);
        let mut writer = Writer::open(&options, &[service().migrations]).expect("it opens");
        run(&mut writer, |tx| begin(tx, &Reader::new("other", "areas"), 1));
        for word in script.split_whitespace() {
            let number = |text: &str| text.parse::<Offset>().expect("a number");
            match word.split_once(':') {
                Some((offset, settled)) => {
                    let (offset, settled) = (number(offset), number(settled));
                    run(&mut writer, move |tx| acknowledge(tx, &client(), &[offset], settled));
                }
                None => {
                    let at = number(&word[1..]);
                    let prunes = word.starts_with('p');
                    run(&mut writer, move |tx| match prunes {
                        true => prune(tx, at, 100).map(drop),
                        false => begin(tx, &client(), at),
                    });
                }
            }
        }
        let found = run(&mut writer, |tx| of(tx, &client()));
        assert_eq!(found, Some(Acknowledged { upto, besides: besides.to_vec() }), "{script}");
        let other = run(&mut writer, |tx| of(tx, &Reader::new("other", "areas")));
        assert_eq!(other, Some(Acknowledged { upto: 1, besides: Vec::new() }), "{script}");
        let [nobody, elsewhere] = [("nobody", "areas"), ("client/client_7", "states")]
            .map(|(id, of)| Reader::new(id, of));
        assert_eq!(run(&mut writer, move |tx| of(tx, &nobody)), None);
        assert_eq!(run(&mut writer, move |tx| of(tx, &elsewhere)), None);
        run(&mut writer, |tx| forget(tx, "client/client_7"));
        assert_eq!(run(&mut writer, |tx| of(tx, &client())), None);
        run(&mut writer, |tx| begin(tx, &client(), 0));
        let anew = Acknowledged { upto: 0, besides: Vec::new() };
        assert_eq!(run(&mut writer, |tx| of(tx, &client())), Some(anew), "nothing is left of it");
    }

    #[test]
    fn what_is_acknowledged_is_known_one_by_one() {
        check("b5", 5, &[]);
        check("b5 b9", 5, &[]);
        check("b5 7:5", 5, &[7]);
        check("b5 7:5 9:5 7:5", 5, &[7, 9]);
        check("b5 7:5 9:5 6:9", 9, &[]);
        check("b5 9:5 7:8", 8, &[9]);
        check("b5 9:9 8:7", 9, &[]);
        check("b5 7:5 9:5 p8", 5, &[9]);
        let known = Acknowledged { upto: 5, besides: vec![7, 9] };
        let has: Vec<Offset> = (4..=10).filter(|offset| known.has(*offset)).collect();
        assert_eq!(has, [4, 5, 7, 9]);
    }
}
