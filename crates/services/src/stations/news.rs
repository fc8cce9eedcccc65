//! What is told of stations, as document 004 has it. Each event comes with what is counted in its own transaction.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::to_raw_value;

use super::{
    contract::StationStatus,
    read::{Counts, StationRow},
    rights,
};
use crate::{
    identity::{User, UserId},
    kit::{Ctx, Event, Fault, Micros, Number, Overflow, Topic, Tx, Variant, timestamp_bare},
    notifications::{
        self, BOOKING_CONFIRMED, BOOKING_READY, BookingConfirmed, BookingReady, BookingWords,
        Level, Notice, Recipients, tell_as,
    },
};

/// What changed in a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Action {
    /// Something else than the others.
    Update,
    /// A battery came.
    Add,
    /// A battery was booked.
    Book,
    /// A battery was collected.
    Collect,
}

/// What is told of a station at one moment.
#[derive(Debug, Clone)]
pub(super) struct News<'a> {
    station: &'a StationRow,
    counts: Counts,
    timestamp: String,
}

/// What a station has is different now.
#[derive(Serialize, JsonSchema)]
pub(super) struct InventoryUpdate<'a> {
    /// Which station.
    station_id: Number,
    /// What people call it.
    station_name: &'a str,
    /// How many batteries can be booked there now.
    available_batteries: i64,
    /// How many are held there now.
    booked_batteries: i64,
    /// How many there are: those and these.
    total_batteries: i64,
    /// When, UTC, without zone and fraction.
    timestamp: &'a str,
    /// What changed.
    action: Action,
}

/// A battery was booked.
#[derive(Serialize, JsonSchema)]
pub(super) struct BatteryBooked<'a> {
    /// Which station.
    station_id: Number,
    /// What people call it.
    station_name: &'a str,
    /// Which battery.
    battery_id: Number,
    /// How many batteries can be booked there now.
    available_batteries: i64,
    /// How many are held there now.
    booked_batteries: i64,
    /// Who booked it: staff are told the whole e-mail address, others its beginning and its domain.
    user: &'a str,
    /// When, UTC, without zone and fraction.
    timestamp: &'a str,
}

/// A booked battery was collected: it is in no station any more.
#[derive(Serialize, JsonSchema)]
pub(super) struct BatteryCollected<'a> {
    /// Which station.
    station_id: Number,
    /// What people call it.
    station_name: &'a str,
    /// Which battery.
    battery_id: Number,
    /// How many batteries can be booked there now.
    available_batteries: i64,
    /// How many are held there now.
    booked_batteries: i64,
    /// When, UTC, without zone and fraction.
    timestamp: &'a str,
}

/// A battery came to a station.
#[derive(Serialize, JsonSchema)]
pub(super) struct BatteryAdded<'a> {
    /// Which station.
    station_id: Number,
    /// What people call it.
    station_name: &'a str,
    /// Which battery.
    battery_id: Number,
    /// How many batteries can be booked there now.
    available_batteries: i64,
    /// How many there are: those and these.
    total_batteries: i64,
    /// When, UTC, without zone and fraction.
    timestamp: &'a str,
}

/// A station works, or does not any more.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StationStatus")]
pub(super) struct StatusOfStation<'a> {
    /// Which station.
    station_id: Number,
    /// What people call it.
    station_name: &'a str,
    /// Whether the station works.
    status: StationStatus,
    /// The same, for people.
    message: &'a str,
    /// When, UTC, without zone and fraction.
    timestamp: &'a str,
}

impl<'a> News<'a> {
    /// What is told of a station that has so many batteries now.
    pub fn of(station: &'a StationRow, counts: Counts, now: Micros) -> News<'a> {
        News { station, counts, timestamp: timestamp_bare(now) }
    }

    /// `inventory_update`.
    pub fn inventory(&self, action: Action) -> Event {
        let payload = InventoryUpdate {
            station_id: self.station.id,
            station_name: &self.station.name,
            available_batteries: self.counts.available,
            booked_batteries: self.counts.booked,
            total_batteries: self.counts.total(),
            timestamp: &self.timestamp,
            action,
        };
        let event = self.event("inventory_update", vec![variant(rights::ALL, &payload)]);
        // Who does not keep up needs the newest counts alone.
        Event { overflow: Overflow::Latest, ..event }
    }

    /// `battery_booked`: staff are told by whom, all others not quite.
    pub fn booked(&self, battery_id: Number, by: &User) -> Event {
        let told = |topic, user: &str| {
            let payload = BatteryBooked {
                station_id: self.station.id,
                station_name: &self.station.name,
                battery_id,
                available_batteries: self.counts.available,
                booked_batteries: self.counts.booked,
                user,
                timestamp: &self.timestamp,
            };
            variant(topic, &payload)
        };
        let whole = by.email.as_deref().unwrap_or(&by.username);
        let masked = masked(by.email.as_deref(), &by.username);
        self.event("battery_booked", vec![told(rights::STAFF, whole), told(rights::ALL, &masked)])
    }

    /// `battery_collected`.
    pub fn collected(&self, battery_id: Number) -> Event {
        let payload = BatteryCollected {
            station_id: self.station.id,
            station_name: &self.station.name,
            battery_id,
            available_batteries: self.counts.available,
            booked_batteries: self.counts.booked,
            timestamp: &self.timestamp,
        };
        self.event("battery_collected", vec![variant(rights::ALL, &payload)])
    }

    /// `battery_added`.
    pub fn added(&self, battery_id: Number) -> Event {
        let payload = BatteryAdded {
            station_id: self.station.id,
            station_name: &self.station.name,
            battery_id,
            available_batteries: self.counts.available,
            total_batteries: self.counts.total(),
            timestamp: &self.timestamp,
        };
        self.event("battery_added", vec![variant(rights::ALL, &payload)])
    }

    /// `station_status`.
    pub fn status(&self) -> Event {
        let status = self.station.status;
        let payload = StatusOfStation {
            station_id: self.station.id,
            station_name: &self.station.name,
            status,
            message: status.words(),
            timestamp: &self.timestamp,
        };
        let event = self.event("station_status", vec![variant(rights::ALL, &payload)]);
        Event { overflow: Overflow::Latest, ..event }
    }

    fn event(&self, name: &'static str, variants: Vec<Variant>) -> Event {
        Event {
            name: name.into(),
            key: self.station.id.to_string(),
            except: Vec::new(),
            variants,
            overflow: Overflow::Close,
        }
    }
}

fn variant(topic: &'static str, payload: &impl Serialize) -> Variant {
    let payload = to_raw_value(payload).expect("texts and numbers serialise");
    Variant { topics: vec![Topic::Borrowed(topic)], payload }
}

/// Who somebody is, for those who need not know: the first character of what stands before the last `@` of the
/// address, and its domain; without an address the first character of the name.
fn masked(email: Option<&str>, username: &str) -> String {
    let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
    match email.and_then(|email| email.rsplit_once('@')) {
        Some((local, domain)) => format!("{}***@{domain}", first(local)),
        None => format!("{}***", first(username)),
    }
}

/// What became of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BookingChange {
    /// It was made.
    Confirmed,
    /// Its battery can be collected at once.
    Ready,
    /// Nobody collected its battery in time.
    Expired,
    /// It was taken back; if that is because the station is so from now on, by that.
    Cancelled(Option<StationStatus>),
}

/// A booking whose user is told something.
#[derive(Debug, Clone, Copy)]
pub(super) struct BookingSubject<'a> {
    pub booking_id: Number,
    pub user_id: UserId,
    pub station_name: &'a str,
    /// E.g. `Tesla Battery - Model 3`.
    pub battery_info: &'a str,
}

impl BookingChange {
    /// What it is about, and what it is in a few words.
    fn kind_and_title(self) -> (&'static str, &'static str) {
        match self {
            BookingChange::Confirmed => ("booking_confirmed", "Booking confirmed"),
            BookingChange::Ready => ("booking_ready", "Booking ready"),
            BookingChange::Expired => ("booking_expired", "Booking expired"),
            BookingChange::Cancelled(_) => ("booking_cancelled", "Booking cancelled"),
        }
    }

    fn message(self, station: &str) -> String {
        match self {
            BookingChange::Confirmed => format!("Battery booked successfully at {station}"),
            BookingChange::Ready => format!("Your battery is ready for collection at {station}"),
            BookingChange::Expired => format!("Your booking at {station} has expired"),
            BookingChange::Cancelled(None) => format!("Your booking at {station} was cancelled"),
            BookingChange::Cancelled(Some(status)) => {
                format!("Your booking at {station} was cancelled: {}", status.words())
            }
        }
    }

    /// Writes it into the inbox of the booking's user, and gives the event by which they are told.
    ///
    /// # Errors
    /// The store's.
    pub fn tell(
        self,
        tx: &mut Tx<'_>,
        ctx: &Ctx<'_>,
        booking: BookingSubject<'_>,
    ) -> Result<Option<Event>, Fault> {
        let BookingSubject { booking_id, user_id, station_name, battery_info } = booking;
        let ((kind, title), message) = (self.kind_and_title(), self.message(station_name));
        let (timestamp, message) = (timestamp_bare(ctx.now), message.as_str());
        let level = match self {
            BookingChange::Confirmed | BookingChange::Ready => Level::Success,
            BookingChange::Expired | BookingChange::Cancelled(_) => Level::Warning,
        };
        let words = BookingWords { booking_id: booking_id.get(), station_name, battery_info };
        let notice = Notice { from: None, kind, title, message, level, booking: Some(words) };
        match self {
            BookingChange::Confirmed => {
                let told =
                    BookingConfirmed { booking_id, station_name, battery_info, message, timestamp };
                tell_as(tx, ctx, user_id, &notice, BOOKING_CONFIRMED, &told).map(Some)
            }
            BookingChange::Ready => {
                let told = BookingReady { booking_id, station_name, message, timestamp };
                tell_as(tx, ctx, user_id, &notice, BOOKING_READY, &told).map(Some)
            }
            BookingChange::Expired | BookingChange::Cancelled(_) => {
                notifications::tell(tx, ctx, Recipients::Users(&[user_id]), &notice)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_books_is_shown_in_part() {
        let check = |email: Option<&str>, username: &str, shown: &str| {
            assert_eq!(masked(email, username), shown, "{email:?} {username:?}");
        };
        check(Some("user@example.com"), "john", "u***@example.com");
        check(Some("u@example.com"), "john", "u***@example.com");
        check(Some("\u{fc}ser@example.com"), "john", "\u{fc}***@example.com");
        check(Some("\u{1f50b}\u{1f50b}@example.com"), "john", "\u{1f50b}***@example.com");
        check(Some("\u{5d0}\u{5d1}@\u{5d2}.il"), "john", "\u{5d0}***@\u{5d2}.il");
        check(Some("\"a@b\"@example.com"), "john", "\"***@example.com");
        check(Some("@example.com"), "john", "***@example.com");
        check(Some("user@"), "john", "u***@");
        check(None, "john", "j***");
        check(None, "j", "j***");
        check(None, "\u{e9}lodie@home", "\u{e9}***");
        check(None, "", "***");
    }
}
