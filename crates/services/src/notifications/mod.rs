//! Notifications: what a user has to know, kept until they come and told at once while they are here. docs/protocol.md
//! has the frames.
//!
//! - A notification is made by the server: another service calls [`tell`] inside its own transaction. Each recipient
//!   gets a row, and the event goes to those who are connected; so who is away finds it later. Where each recipient is
//!   told something of their own, it calls [`write`] for each, and [`told`].
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
    Date, IDS_MAX, Level, MESSAGE_LEN_MAX, Notice, Recipients, Sender, TITLE_CHARS_MAX,
};
pub use decide::{RECIPIENTS_MAX, tell, told, write};

use bellwire_store::tx::Value;

use crate::{
    identity::UserId,
    kit::{Access, Fault, Micros, Named, Principal, Route, Said, Service, Spelling, Tx},
};

/// The name of this service.
const NAME: &str = "notifications";
/// The event by which users are told.
const EVENT: &str = "notification";
/// The most notifications that an inbox keeps: one more, and the oldest goes.
pub const INBOX_MAX: i64 = 5_000;

/// All times are microseconds since 1970.
///
/// - `notifications.kind`: what it is about, e.g. `sensor`: shown as `type`.
/// - `notifications.from_user`: who caused it, if that was a user.
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
        .event(EVENT, Spelling::Spread)
        .topics(rights::TOPICS)
        .stream("/ws/notifications/", dialect::DIALECT, Access::Bearer, |_, who| {
            Ok(rights::topics(who))
        })
        .greeting(greeting)
        .names(|name| (name == NAME).then_some(Named::All))
}

/// What who comes is told first, as document 004 has it.
fn greeting(_: &Principal, _: Micros) -> Option<Said> {
    let payload = r#"{"message":"Connected to notifications"}"#.to_owned();
    Some(Said { event: "connection_established".to_owned(), payload })
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
