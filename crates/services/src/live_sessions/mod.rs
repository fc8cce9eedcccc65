//! Connections that may be recovered: what each listens to, and from which place of the log on, under
//! an id of its own, the `pid`. They outlive the connection, the process, and a power cut.
//!
//! - A row belongs to a principal and a namespace, and serves no other.
//! - It belongs to one connection at a time, its `sid`. Another that goes on with it compares and sets
//!   that id, so that of two at once one does. Whoever lost it changes it no more.
//! - A row is of one life of the database: what a restored one lacks, nobody can be told.
//! - It is kept while its connection lives, and as long after that as the log is surely kept.
//!
//! There are no commands: only the server's door writes here, and never in the name of a caller.

mod sql;

use bellwire_store::{change::Offset, tx::Value};
use serde::{Deserialize, Serialize};

use crate::kit::{Fault, Micros, ReadTx, Service, Tx};

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE live_sessions (
        pid TEXT PRIMARY KEY,
        sid TEXT NOT NULL,
        principal TEXT NOT NULL,
        namespace TEXT NOT NULL,
        topics TEXT NOT NULL,
        epoch TEXT NOT NULL,
        at INTEGER NOT NULL,
        left_at INTEGER
    );
    CREATE INDEX live_sessions_by_end ON live_sessions (left_at);
    CREATE INDEX live_sessions_by_principal ON live_sessions (principal, left_at);
",
    "
    ALTER TABLE live_sessions ADD COLUMN rooms TEXT NOT NULL DEFAULT '[]';
",
];

/// How long a `pid` is, in characters of base64url: 120 bits of chance.
pub const PID_LEN: usize = 20;

/// How many of a principal are kept whose connection ended: who makes more has lost the first.
pub const LEFT_MAX: i64 = 1_000;

/// The table behind it.
pub fn service() -> Service {
    Service::new("live_sessions", MIGRATIONS, sql::STATEMENTS)
}

/// A topic that is listened to, or a room that was entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, Offset)", into = "(String, Offset)")]
pub struct Listened {
    /// Its name, as clients use it.
    pub name: String,
    /// Events after this place are told.
    pub since: Offset,
}

impl From<(String, Offset)> for Listened {
    fn from((name, since): (String, Offset)) -> Listened {
        Listened { name, since }
    }
}

impl From<Listened> for (String, Offset) {
    fn from(listened: Listened) -> (String, Offset) {
        (listened.name, listened.since)
    }
}

/// A connection that may be recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// Its secret id, by which a client comes back.
    pub pid: String,
    /// The connection that has it, or had it last.
    pub sid: String,
    /// Whose it is: [`Principal::id`](crate::kit::Principal::id).
    pub principal: String,
    /// Where it connected.
    pub namespace: String,
    /// The topics that it listens to.
    pub topics: Vec<Listened>,
    /// The rooms that it is in.
    pub rooms: Vec<Listened>,
    /// The place at which it began: nothing before it is to be told.
    pub at: Offset,
    /// When its connection ended, if it has.
    pub left_at: Option<Micros>,
}

/// The one with this `pid`, which is text as a client sent it.
///
/// # Errors
/// The store's.
pub fn find(tx: &ReadTx<'_>, pid: &str) -> Result<Option<LiveSession>, Fault> {
    if !is_pid(pid) {
        return Ok(None);
    }
    tx.one(sql::FIND, &[Value::Text(pid), Value::Text(tx.epoch())], |row| LiveSession {
        pid: row.text(0),
        sid: row.text(1),
        principal: row.text(2),
        namespace: row.text(3),
        topics: list(row.text_ref(4)),
        rooms: list(row.text_ref(7)),
        at: Offset::try_from(row.integer(5)).expect("places are stored as they were counted"),
        left_at: row.optional_integer(6),
    })
}

fn is_pid(text: &str) -> bool {
    text.len() == PID_LEN
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Adds one that is connected; `left_at` does not count. Of its principal's whose connection ended, the
/// newest [`LEFT_MAX`] stay.
///
/// # Errors
/// The store's.
pub fn insert(tx: &mut Tx<'_>, session: &LiveSession) -> Result<(), Fault> {
    let (topics, rooms) = (json(&session.topics), json(&session.rooms));
    let row = [
        Value::Text(&session.pid),
        Value::Text(&session.sid),
        Value::Text(&session.principal),
        Value::Text(&session.namespace),
        Value::Text(&topics),
        Value::Text(tx.epoch()),
        Value::Integer(i64::try_from(session.at).unwrap_or(i64::MAX)),
        Value::Text(&rooms),
    ];
    tx.execute(sql::INSERT, &row)?;
    tx.execute(sql::TRIM, &[Value::Text(&session.principal), Value::Integer(LEFT_MAX)]).map(drop)
}

/// Gives it to the connection `sid`, if it is still as it was `found`: the same connection has it, or
/// had it last, and hears the same. Says whether that is so.
///
/// # Errors
/// The store's.
pub fn claim(tx: &mut Tx<'_>, found: &LiveSession, sid: &str) -> Result<bool, Fault> {
    let (topics, rooms) = (json(&found.topics), json(&found.rooms));
    let params = [
        Value::Text(&found.pid),
        Value::Text(&found.sid),
        Value::Text(&topics),
        Value::Text(sid),
        Value::Text(&rooms),
    ];
    Ok(tx.execute(sql::CLAIM, &params)? > 0)
}

/// Notes what it listens to from now on and where it is, if `sid` has it; says whether that is so.
///
/// # Errors
/// The store's.
pub fn listen(
    tx: &mut Tx<'_>,
    pid: &str,
    sid: &str,
    topics: &[Listened],
    rooms: &[Listened],
) -> Result<bool, Fault> {
    let (topics, rooms) = (json(topics), json(rooms));
    let params = [Value::Text(pid), Value::Text(sid), Value::Text(&topics), Value::Text(&rooms)];
    Ok(tx.execute(sql::LISTEN, &params)? > 0)
}

/// Notes that its connection ended, if that is still `sid`.
///
/// # Errors
/// The store's.
pub fn leave(tx: &mut Tx<'_>, pid: &str, sid: &str, now: Micros) -> Result<(), Fault> {
    let params = [Value::Text(pid), Value::Text(sid), Value::Integer(now)];
    tx.execute(sql::LEAVE, &params).map(drop)
}

/// Takes it away, if `sid` has it: the client said goodbye.
///
/// # Errors
/// The store's.
pub fn forget(tx: &mut Tx<'_>, pid: &str, sid: &str) -> Result<(), Fault> {
    tx.execute(sql::FORGET, &[Value::Text(pid), Value::Text(sid)]).map(drop)
}

/// Notes for up to `rows_max` that their connection ended: at a start nobody is connected. Says how
/// many there were.
///
/// # Errors
/// The store's.
pub fn leave_all(tx: &mut Tx<'_>, now: Micros, rows_max: i64) -> Result<u64, Fault> {
    tx.execute(sql::LEAVE_ALL, &[Value::Integer(now), Value::Integer(rows_max)])
}

/// Forgets up to `rows_max` whose connection ended before `before`; says how many.
///
/// # Errors
/// The store's.
pub fn prune(tx: &mut Tx<'_>, before: Micros, rows_max: i64) -> Result<u64, Fault> {
    tx.execute(sql::PRUNE, &[Value::Integer(before), Value::Integer(rows_max)])
}

fn list(json: &str) -> Vec<Listened> {
    serde_json::from_str(json).expect("names are stored as a JSON array")
}

fn json(topics: &[Listened]) -> String {
    serde_json::to_string(topics).expect("texts serialise")
}

#[cfg(test)]
mod tests {
    use bellwire_store::{
        change::Outcome,
        sqlite::{Options, Write, Writer},
    };

    use super::*;

    fn topic(name: &str, since: Offset) -> Listened {
        Listened { name: name.to_owned(), since }
    }

    /// A database that lives once.
    struct Base {
        directory: tempfile::TempDir,
        writer: Writer,
    }

    impl Base {
        fn new() -> Base {
            let directory = tempfile::tempdir().expect("a directory");
            let options = Options::new(directory.path().join("test.db"), "e", 0);
            let writer = Writer::open(&options, &[service().migrations]).expect("it opens");
            Base { directory, writer }
        }

        fn run<T: Send + 'static>(
            &mut self,
            run: impl Fn(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
        ) -> T {
            let run = move |tx: &mut Tx<'_>| run(tx).map(Outcome::reply);
            let batch = self.writer.batch(vec![Write { at: 0, run: Box::new(run), to: () }]);
            let answer = batch.expect("the disk is sound").answers.remove(0).result;
            answer.expect("it is committed").into_parts().0
        }

        fn insert(&mut self, number: u32) -> LiveSession {
            let session = session(number);
            let inserted = session.clone();
            self.run(move |tx| insert(tx, &inserted));
            session
        }

        fn find(&mut self, number: u32) -> Option<LiveSession> {
            self.run(move |tx| find(tx, &pid(number)))
        }
    }

    fn pid(number: u32) -> String {
        format!("{number:_>20}")
    }

    fn session(number: u32) -> LiveSession {
        LiveSession {
            pid: pid(number),
            sid: format!("sid{number}"),
            principal: "user/1".into(),
            namespace: "/states".into(),
            topics: vec![topic("entity/light.a", 0), topic("a \"name\"\0", 7)],
            rooms: vec![topic("private/1:2", 3)],
            at: 7,
            left_at: None,
        }
    }

    #[test]
    fn what_was_inserted_is_found_by_its_pid_alone() {
        let mut base = Base::new();
        let inserted = base.insert(1);
        assert_eq!(base.find(1), Some(inserted));
        assert_eq!(base.find(2), None);
        for text in ["", "sid1", "\0", &pid(1)[1..], &format!("{}_", pid(1)), &"\0".repeat(20)] {
            let text = text.to_owned();
            assert_eq!(base.run(move |tx| find(tx, &text)), None);
        }
    }

    #[test]
    fn one_connection_has_it_at_a_time() {
        let mut base = Base::new();
        base.insert(1);
        let claim_as = |base: &mut Base, found: LiveSession, to: &'static str| {
            base.run(move |tx| claim(tx, &found, to))
        };
        base.run(|tx| leave(tx, &pid(1), "sid1", 5));
        assert_eq!(base.find(1).and_then(|row| row.left_at), Some(5));
        let listened = LiveSession { topics: vec![topic("states", 7)], ..session(1) };
        assert!(!claim_as(&mut base, listened, "sid2"), "it listens to something else by now");
        assert!(claim_as(&mut base, session(1), "sid2"));
        assert!(!claim_as(&mut base, session(1), "sid3"), "it was claimed before");
        let now = LiveSession { sid: "sid2".into(), ..session(1) };
        assert_eq!(base.find(1), Some(now.clone()), "and is connected again");
        // Who lost it changes it no more.
        base.run(|tx| leave(tx, &pid(1), "sid1", 6));
        base.run(|tx| forget(tx, &pid(1), "sid1"));
        assert!(!base.run(|tx| listen(tx, &pid(1), "sid1", &[], &[])));
        assert_eq!(base.find(1), Some(now.clone()));
        let topics = vec![topic("states", 7)];
        assert!(base.run(|tx| listen(
            tx,
            &pid(1),
            "sid2",
            &[topic("states", 7)],
            &[topic("a", 8)]
        )));
        assert_eq!(
            base.find(1),
            Some(LiveSession { topics, rooms: vec![topic("a", 8)], ..now.clone() })
        );
        assert!(!claim_as(&mut base, now, "sid4"), "it is elsewhere by now");
        base.run(|tx| forget(tx, &pid(1), "sid2"));
        assert_eq!(base.find(1), None);
    }

    #[test]
    fn at_a_start_all_have_left_and_the_old_ones_go() {
        let mut base = Base::new();
        (1..=5).for_each(|number| drop(base.insert(number)));
        base.run(|tx| leave(tx, &pid(3), "sid3", 5));
        let left: Vec<u64> = (0..3).map(|_| base.run(|tx| leave_all(tx, 9, 3))).collect();
        assert_eq!(left, [3, 1, 0]);
        let ends: Vec<_> = (1..=5).map(|n| base.find(n).and_then(|row| row.left_at)).collect();
        assert_eq!(ends, [Some(9), Some(9), Some(5), Some(9), Some(9)]);
        base.insert(6);
        assert_eq!(base.run(|tx| prune(tx, 5, 9)), 0);
        assert_eq!(base.run(|tx| prune(tx, 6, 9)), 1);
        assert_eq!(base.find(3), None);
        let pruned: Vec<u64> = (0..3).map(|_| base.run(|tx| prune(tx, 10, 3))).collect();
        assert_eq!(pruned, [3, 1, 0]);
        assert_eq!(base.find(6), Some(session(6)), "a connection that lives keeps its row");
    }

    #[test]
    fn a_row_of_another_life_of_the_database_is_not_found() {
        let mut base = Base::new();
        base.insert(1);
        let (copy, path) = (base.directory.path().join("copy.db"), base.directory.path());
        let options = Options::new(path.join("test.db"), "e", 0);
        drop(base.writer);
        bellwire_store::sqlite::backup(&options.path, &copy, "f", &[service().migrations])
            .expect("it is copied");
        let writer = Writer::open(&Options::new(copy, "g", 0), &[service().migrations]);
        let mut base = Base { writer: writer.expect("it opens"), directory: base.directory };
        assert_eq!(base.find(1), None);
        assert_eq!(base.run(|tx| leave_all(tx, 9, 3)), 1, "and is forgotten in time");
        assert_eq!(base.run(|tx| prune(tx, 10, 3)), 1);
    }
}
