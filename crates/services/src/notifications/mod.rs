//! Notifications: what a user has to know, kept until they come and told at once while they are here. docs/protocol.md
//! has the frames.
//!
//! - A notification is made by the server: another service calls [`tell`] inside its own transaction. Each recipient
//!   gets a row, and the event goes to those who are connected; so who is away finds it later. Where each recipient is
//!   told something of their own, it calls [`write`] for each, and [`told`]; where by another event, [`tell_as`].
//! - Recipients are users. An admin's token that speaks for no user has no inbox, and hears what is told to admins.
//! - Everyone reads their own alone. What is not theirs is to them as if it were not there.
//! - An inbox keeps [`INBOX_MAX`]; then the oldest go, as do those that are past their time ([`forget`]).

mod contract;
mod decide;
mod dialect;
mod read;
pub mod rights;
mod sql;
#[cfg(test)]
mod tests;

pub use contract::{
    BookingConfirmed, BookingReady, BookingWords, Date, IDS_MAX, Level, MESSAGE_LEN_MAX, Notice,
    Recipients, Sender, TITLE_CHARS_MAX,
};
pub use decide::{RECIPIENTS_MAX, tell, tell_as, told, write};
pub use dialect::{DIALECT, Refused};

use bellwire_store::tx::Value;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    identity::UserId,
    kit::{Access, Fault, Micros, Named, Principal, Route, Said, Service, Spelling, Tx},
};

/// The name of this service.
const NAME: &str = "notifications";
/// The event by which users are told.
const EVENT: &str = "notification";
/// The event by which a user is told of a booking of theirs instead; stations say what is in it.
pub const BOOKING_CONFIRMED: &str = "booking_confirmed";
/// The same, when the battery is ready.
pub const BOOKING_READY: &str = "booking_ready";
/// The most notifications that an inbox keeps: one more, and the oldest goes.
pub const INBOX_MAX: i64 = 5_000;

/// All times are microseconds since 1970.
///
/// - `notifications.kind`: what it is about, e.g. `sensor`: shown as `type`.
/// - `notifications.from_user`: who caused it, if that was a user.
/// - `notifications.booking_id`, `station_name`, `battery_info`: the booking that it is about, if it is, as it was then.
/// - `inboxes`: how many notifications a user has, so that nobody has to count.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE notifications (
        notification_id INTEGER PRIMARY KEY,
        user_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        message TEXT NOT NULL,
        level TEXT NOT NULL,
        at INTEGER NOT NULL,
        is_read INTEGER NOT NULL
    );
    CREATE INDEX notifications_of_user ON notifications (user_id, notification_id);
    CREATE INDEX notifications_unread ON notifications (user_id) WHERE is_read = 0;
    CREATE INDEX notifications_by_age ON notifications (at);
    CREATE TABLE inboxes (
        user_id INTEGER PRIMARY KEY,
        notifications INTEGER NOT NULL
    );
",
    "
    ALTER TABLE notifications ADD COLUMN from_user INTEGER;
",
    "
    ALTER TABLE notifications ADD COLUMN booking_id INTEGER;
    ALTER TABLE notifications ADD COLUMN station_name TEXT;
    ALTER TABLE notifications ADD COLUMN battery_info TEXT;
",
];

/// What this service offers.
pub fn service() -> Service {
    Service::new(NAME, MIGRATIONS, sql::STATEMENTS)
        .query("notifications.list", Access::Bearer, read::list)
        .command("notifications.read", Access::Bearer, decide::mark_read)
        .command("notifications.send", Access::Admin, decide::send)
        .rest("notifications.list", Route::get("/api/notifications?limit:int&cursor"))
        .rest("notifications.send", Route::post("/api/notifications"))
        .rest("notifications.read", Route::post("/api/notifications/read").status(200))
        .event::<contract::Told>(EVENT, Spelling::Spread)
        .event::<BookingConfirmed>(BOOKING_CONFIRMED, Spelling::Spread)
        .event::<BookingReady>(BOOKING_READY, Spelling::Spread)
        .says::<Connected>("connection_established")
        .answers::<dialect::Refused>("error")
        .topics(rights::TOPICS)
        .stream("/ws/notifications/", DIALECT, Access::Bearer, |_, who| Ok(rights::topics(who)))
        .greeting(greeting)
        .names(|name| (name == NAME).then_some(Named::All))
}

/// The first that a connection to notifications is told.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConnectedToNotifications")]
struct Connected {
    /// To what, for people.
    message: &'static str,
}

/// What who comes is told first, as document 004 has it.
fn greeting(_: &Principal, _: Option<i64>, _: Micros) -> Option<Said> {
    Some(Said::of("connection_established", &Connected { message: "Connected to notifications" }))
}

/// Forgets up to `rows_max` notifications from before `before`; says how many.
///
/// # Errors
/// The store's.
pub fn forget(tx: &mut Tx<'_>, before: Micros, rows_max: i64) -> Result<u64, Fault> {
    let old = [Value::Integer(before), Value::Integer(rows_max)];
    let owners = tx.all(sql::FORGET, &old, |row| row.integer(0))?;
    for user_id in &owners {
        tx.execute(sql::ONE_LESS, &[Value::Integer(*user_id)])?;
    }
    Ok(owners.len() as u64)
}

/// Takes away what a user had: there is no such user any more.
///
/// # Errors
/// The store's.
pub fn forget_user(tx: &mut Tx<'_>, user_id: UserId) -> Result<(), Fault> {
    let user = [Value::Integer(user_id.0)];
    tx.execute(sql::FORGET_OF_USER, &user)?;
    tx.execute(sql::FORGET_INBOX, &user).map(drop)
}
