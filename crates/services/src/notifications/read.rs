//! Queries about notifications.

use bellwire_store::tx::{Row, Value};
use jiff::tz::TimeZone;

use super::{
    contract::{BookingShown, Date, List, Notification, Sender, SystemWords},
    rights, sql,
};
use crate::{
    identity::UserId,
    kit::{Code, Ctx, Fault, Page, Principal, ReadTx, timestamp_bare},
};

/// `notifications.list`: the caller's own, the newest first. A cursor is the last one's id.
pub fn list(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &List) -> Result<Page<Notification>, Fault> {
    let user_id = owner(ctx.principal)?;
    let len = query.paging.page_len()?;
    let before = query.paging.after()?.unwrap_or(i64::MAX);
    let place = [Value::Integer(user_id.0), Value::Integer(before), Value::Integer(len as i64 + 1)];
    let items = tx.all(sql::LIST, &place, |row| shown(row, &ctx.settings.time_zone))?;
    Ok(Page::of(items, len, |item| item.id.to_string()))
}

/// The user whose inbox a caller may use.
///
/// # Errors
/// [`Code::Forbidden`] for who speaks for no user.
pub(super) fn owner(principal: &Principal) -> Result<UserId, Fault> {
    rights::caller(principal).ok_or_else(|| {
        Fault::new(Code::Forbidden, "only users have an inbox, and this token speaks for none")
    })
}

fn shown(row: &Row<'_>, zone: &TimeZone) -> Notification {
    let at = row.integer(6);
    let from = Sender::of(row.optional_integer(8).map(UserId));
    let booking = row.optional_integer(9).map(|booking_id| BookingShown {
        station_name: row.text(10),
        booking_id,
        battery_info: row.text(11),
    });
    let words = || SystemWords {
        title: row.text(3),
        level: row.text(5),
        booking,
        timestamp: timestamp_bare(at),
    };
    Notification {
        id: row.integer(0),
        from,
        to: UserId(row.integer(1)),
        kind: row.text(2),
        date: Date::in_zone(at, zone),
        message: row.text(4),
        read: row.integer(7) != 0,
        system: (from == Sender::System).then(words),
    }
}
