//! SQLite's own speed with as many rows as a booking is: a battery, a booking, what is due, a notification,
//! an inbox and three rows of the log, in tables like the server's.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, params};

use crate::bookings::Command;
use crate::feed::now_us;
use crate::interrupt;

/// Stations, batteries at each, and people.
const STATIONS: i64 = 1_000;
const PER_STATION: i64 = 16;
const PEOPLE: i64 = 256;

/// The columns, keys and indexes of the server's tables. What is in the write-ahead log is moved to the
/// database between measurements, as the server has another thread do that.
const TABLES: &str = "PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA cache_size = -65536;
    CREATE TABLE batteries (
        battery_id INTEGER PRIMARY KEY,
        station_id INTEGER,
        name TEXT NOT NULL,
        model TEXT NOT NULL,
        status TEXT NOT NULL
    );
    CREATE INDEX batteries_of_station ON batteries (station_id, status, battery_id);
    CREATE TABLE bookings (
        booking_id INTEGER PRIMARY KEY,
        station_id INTEGER NOT NULL,
        battery_id INTEGER NOT NULL,
        user_id INTEGER NOT NULL,
        status TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER,
        ended_at INTEGER
    );
    CREATE UNIQUE INDEX bookings_live ON bookings (battery_id)
        WHERE status IN ('confirmed', 'ready');
    CREATE INDEX bookings_of_user ON bookings (user_id, status, booking_id);
    CREATE INDEX bookings_of_station ON bookings (station_id, status, booking_id);
    CREATE INDEX bookings_by_status ON bookings (status, booking_id);
    CREATE INDEX bookings_by_end ON bookings (ended_at) WHERE ended_at IS NOT NULL;
    CREATE TABLE due (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (kind, key)
    ) WITHOUT ROWID;
    CREATE INDEX due_at ON due (kind, at, key);
    CREATE TABLE notifications (
        notification_id INTEGER PRIMARY KEY,
        user_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        message TEXT NOT NULL,
        level TEXT NOT NULL,
        at INTEGER NOT NULL,
        is_read INTEGER NOT NULL,
        from_user INTEGER,
        booking_id INTEGER,
        station_name TEXT,
        battery_info TEXT
    );
    CREATE INDEX notifications_of_user ON notifications (user_id, notification_id);
    CREATE INDEX notifications_unread ON notifications (user_id) WHERE is_read = 0;
    CREATE INDEX notifications_by_age ON notifications (at);
    CREATE TABLE inboxes (
        user_id INTEGER PRIMARY KEY,
        notifications INTEGER NOT NULL
    );
    CREATE TABLE log (
        log_offset INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        overflow INTEGER NOT NULL,
        name TEXT,
        key TEXT,
        topics TEXT NOT NULL,
        except_topics TEXT,
        payloads TEXT,
        effects TEXT
    );";
const NEW_BATTERIES: &str = "WITH RECURSIVE numbers (n) AS (
        SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1
    )
    INSERT INTO batteries (battery_id, station_id, name, model, status)
    SELECT n, n / ?2, 'Tesla Battery', 'Model 3', 'available' FROM numbers";
/// All batteries are there again.
const RELEASE: &str = "UPDATE bookings SET status = 'cancelled' WHERE status = 'confirmed';
    UPDATE batteries SET status = 'available' WHERE status = 'booked';
    DELETE FROM due;
    PRAGMA wal_checkpoint(TRUNCATE);";
const HOLD: &str =
    "UPDATE batteries SET status = 'booked' WHERE battery_id = ?1 AND status = 'available'";
const BOOK: &str = "INSERT INTO bookings
    (booking_id, station_id, battery_id, user_id, status, created_at, expires_at)
    VALUES (?1, ?2, ?3, ?4, 'confirmed', ?5, ?5)";
const ARM: &str = "INSERT INTO due (kind, key, at) VALUES ('stations.hold', ?1, ?2)";
const NOTIFY: &str = "INSERT INTO notifications
    (notification_id, user_id, kind, title, message, level, at, is_read,
     booking_id, station_name, battery_info)
    VALUES (?1, ?2, 'booking_confirmed', 'Booking confirmed', ?3, 'success', ?4, 0,
            ?1, 'Station 500', 'Tesla Battery - Model 3')";
const COUNT: &str = "INSERT INTO inboxes (user_id, notifications) VALUES (?1, 1)
    ON CONFLICT (user_id) DO UPDATE SET notifications = notifications + 1";
const LOG: &str = "INSERT INTO log (log_offset, at, bytes, overflow, name, key, topics, payloads)
    VALUES (?1, ?2, ?3, 0, 'battery_booked', ?4, 'stations', ?5)";

/// A database with those tables.
pub struct Ledger {
    connection: Connection,
    /// How many were booked.
    booked: i64,
    /// What the three rows of the log tell.
    told: [String; 3],
}

impl Ledger {
    /// A new one in `directory`.
    pub fn new(directory: &Path) -> Result<Self> {
        let path = directory.join("ledger.db");
        let connection =
            Connection::open(&path).with_context(|| format!("cannot open {path:?}"))?;
        connection.execute_batch(TABLES)?;
        connection.execute(NEW_BATTERIES, [STATIONS * PER_STATION, PER_STATION])?;
        let [booked, update] = Command::Book.told(500).try_into().unwrap_or_default();
        // The first is told in two ways: whole to staff, masked to others.
        let told = [booked.repeat(2), update, booked];
        Ok(Self { connection, booked: 0, told })
    }

    /// Books for so long, or until all batteries are booked, so many in each transaction; returns the
    /// bookings a second. All batteries were there before.
    pub fn rate(&mut self, set: usize, time: Duration) -> Result<f64> {
        self.connection.execute_batch(RELEASE)?;
        let began = Instant::now();
        let mut count = 0;
        while began.elapsed() < time && count + (set as i64) <= STATIONS * PER_STATION {
            interrupt::check()?;
            let transaction = self.connection.transaction()?;
            for _ in 0..set {
                self.booked += 1;
                book(&transaction, self.booked, &self.told)?;
            }
            transaction.commit()?;
            count += set as i64;
        }
        Ok(count as f64 / began.elapsed().as_secs_f64())
    }
}

/// Books at one station after another.
fn book(transaction: &Connection, number: i64, told: &[String; 3]) -> Result<()> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<()> {
        let changed = transaction.prepare_cached(sql)?.execute(values)?;
        ensure!(changed == 1, "{changed} rows instead of one: {sql}");
        Ok(())
    };
    let (user, at) = (number % PEOPLE, now_us());
    let station = number % STATIONS;
    let battery = station * PER_STATION + number / STATIONS % PER_STATION;
    run(HOLD, params![battery])?;
    run(BOOK, params![number, station, battery, user, at])?;
    run(ARM, params![number.to_string(), at])?;
    run(NOTIFY, params![number, user, "Battery booked successfully at Station 500", at])?;
    run(COUNT, params![user])?;
    for (place, told) in (0_i64..).zip(told) {
        let offset = number * 3 + place;
        run(LOG, params![offset, at, told.len() as i64, station.to_string(), told])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::ScratchDir;

    #[test]
    fn a_booking_is_eight_rows() {
        let scratch = ScratchDir::new(&std::env::temp_dir(), "ledger-test").unwrap();
        let mut ledger = Ledger::new(scratch.path()).unwrap();
        for set in [1, 16] {
            assert!(ledger.rate(set, Duration::from_millis(5)).unwrap() > 0.0);
        }
        let rows = |sql: &str| -> i64 {
            let count = format!("SELECT count(*) FROM {sql}");
            ledger.connection.query_row(&count, [], |row| row.get(0)).unwrap()
        };
        let booked = ledger.booked;
        assert!(booked >= 17);
        assert_eq!(["bookings", "notifications"].map(rows), [booked; 2]);
        assert_eq!(rows("log"), 3 * booked);
        assert_eq!(rows("inboxes"), booked.min(PEOPLE));
        // What was booked before is not held any more.
        let held = rows("batteries WHERE status = 'booked'");
        assert!(held < booked);
        assert_eq!(["bookings WHERE status = 'confirmed'", "due"].map(rows), [held; 2]);
    }
}
