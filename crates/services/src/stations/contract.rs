//! Requests and replies about stations, batteries and bookings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    identity::UserId,
    kit::{Label, Number, Paging, present},
};

/// The longest name of a station or a battery, and the longest model, in characters.
pub const NAME_CHARS_MAX: usize = 128;
/// The most batteries of a station: they are counted with each event, and are deleted with the station in
/// one transaction.
pub const STATION_BATTERIES_MAX: i64 = 1_000;

/// What people call a station or a battery.
pub type Name = Label<NAME_CHARS_MAX>;

/// Whether a station works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum StationStatus {
    /// It does: only now batteries are booked there.
    #[default]
    Online,
    /// It does not.
    Offline,
    /// Somebody works on it.
    Maintenance,
}

impl StationStatus {
    /// Its name, in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            StationStatus::Online => "online",
            StationStatus::Offline => "offline",
            StationStatus::Maintenance => "maintenance",
        }
    }

    /// The status of that name.
    pub(super) fn from_name(name: &str) -> Option<StationStatus> {
        use StationStatus::{Maintenance, Offline, Online};
        [Online, Offline, Maintenance].into_iter().find(|status| status.name() == name)
    }

    /// What is told when a station becomes so, as document 004 has it.
    pub fn words(self) -> &'static str {
        match self {
            StationStatus::Online => "Station is now operational",
            StationStatus::Offline => "Station is now offline",
            StationStatus::Maintenance => "Station is under maintenance",
        }
    }
}

/// Where a battery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatteryStatus {
    /// In a station, for whoever books it.
    Available,
    /// In a station, held for somebody.
    Booked,
    /// With somebody.
    Collected,
}

impl BatteryStatus {
    /// Its name, in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            BatteryStatus::Available => "available",
            BatteryStatus::Booked => "booked",
            BatteryStatus::Collected => "collected",
        }
    }

    /// The status of that name.
    pub(super) fn from_name(name: &str) -> Option<BatteryStatus> {
        use BatteryStatus::{Available, Booked, Collected};
        [Available, Booked, Collected].into_iter().find(|status| status.name() == name)
    }
}

/// What became of a booking. It is live as long as it holds its battery: while it is confirmed or ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BookingStatus {
    /// The battery is held.
    Confirmed,
    /// It can be collected at once, as staff have said.
    Ready,
    /// It was collected.
    Collected,
    /// Somebody took the booking back, or the station does not work any more.
    Cancelled,
    /// The battery was not collected in time.
    Expired,
}

impl BookingStatus {
    /// All there are.
    pub(super) const ALL: [BookingStatus; 5] = [
        BookingStatus::Confirmed,
        BookingStatus::Ready,
        BookingStatus::Collected,
        BookingStatus::Cancelled,
        BookingStatus::Expired,
    ];

    /// Its name, in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            BookingStatus::Confirmed => "confirmed",
            BookingStatus::Ready => "ready",
            BookingStatus::Collected => "collected",
            BookingStatus::Cancelled => "cancelled",
            BookingStatus::Expired => "expired",
        }
    }

    /// The status of that name.
    pub(super) fn from_name(name: &str) -> Option<BookingStatus> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A station.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Station {
    /// Its number.
    pub id: Number,
    /// What people call it.
    pub name: String,
    /// Whether it works.
    pub status: StationStatus,
    /// How many batteries can be booked.
    pub available_batteries: i64,
    /// How many are held.
    pub booked_batteries: i64,
    /// How many there are: those and these.
    pub total_batteries: i64,
}

/// A battery.
#[derive(Debug, Clone, Serialize)]
pub struct Battery {
    /// Its number.
    pub id: Number,
    /// Where it is; `None`: in no station.
    pub station_id: Option<Number>,
    /// What people call it.
    pub name: String,
    /// Of which model it is.
    pub model: String,
    /// Whether somebody has it.
    pub status: BatteryStatus,
}

/// A booking.
#[derive(Debug, Clone, Serialize)]
pub struct Booking {
    /// Its number.
    pub id: Number,
    /// At which station.
    pub station_id: Number,
    /// Of which battery.
    pub battery_id: Number,
    /// Whose it is.
    pub user_id: UserId,
    /// What became of it.
    pub status: BookingStatus,
    /// Until when the battery is held, UTC, without zone and fraction; `None`: for as long as it takes.
    pub expires_at: Option<String>,
}

/// `stations.list`.
#[derive(Debug, Clone, Deserialize)]
pub struct ListStations {
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// `stations.get`, `stations.delete`.
#[derive(Debug, Clone, Deserialize)]
pub struct OneStation {
    /// Which.
    pub station_id: Number,
}

/// `stations.create`.
#[derive(Debug, Clone, Deserialize)]
pub struct CreateStation {
    /// What people call it.
    pub name: Name,
    /// Whether it works; absent: it does.
    #[serde(default)]
    pub status: StationStatus,
}

/// `stations.change`: absent fields stay.
#[derive(Debug, Clone, Deserialize)]
pub struct ChangeStation {
    /// Which.
    pub station_id: Number,
    /// What people call it.
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Name>,
    /// Whether it works.
    #[serde(default, deserialize_with = "present")]
    pub status: Option<StationStatus>,
}

/// `batteries.list`.
#[derive(Debug, Clone, Deserialize)]
pub struct ListBatteries {
    /// Of which station.
    pub station_id: Number,
    /// Only those that are so.
    #[serde(default, deserialize_with = "present")]
    pub status: Option<BatteryStatus>,
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// `batteries.add`: a new battery, or one that comes back.
#[derive(Debug, Clone, Deserialize)]
pub struct AddBattery {
    /// To which station.
    pub station_id: Number,
    /// Its number; absent: a new battery gets one. Over HTTP it may be called `id`.
    #[serde(default, alias = "id", deserialize_with = "present")]
    pub battery_id: Option<Number>,
    /// What people call it; of a battery that comes back absent: as before.
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Name>,
    /// Of which model it is; the same.
    #[serde(default, deserialize_with = "present")]
    pub model: Option<Name>,
}

/// `batteries.remove`.
#[derive(Debug, Clone, Deserialize)]
pub struct OneBattery {
    /// From which station.
    pub station_id: Number,
    /// Which.
    pub battery_id: Number,
}

/// `stations.book`.
#[derive(Debug, Clone, Deserialize)]
pub struct Book {
    /// At which station.
    pub station_id: Number,
    /// Which battery; absent: the one with the lowest number that is available.
    #[serde(default, deserialize_with = "present")]
    pub battery_id: Option<Number>,
    /// For whom: the caller, or nobody.
    #[serde(default, deserialize_with = "present")]
    pub user_id: Option<UserId>,
}

/// `bookings.list`.
#[derive(Debug, Clone, Deserialize)]
pub struct ListBookings {
    /// Only those at this station.
    #[serde(default, deserialize_with = "present")]
    pub station_id: Option<Number>,
    /// Only those of this user.
    #[serde(default, deserialize_with = "present")]
    pub user_id: Option<UserId>,
    /// Only those that are so.
    #[serde(default, deserialize_with = "present")]
    pub status: Option<BookingStatus>,
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// `bookings.get`, `bookings.ready`, `bookings.collect`, `bookings.cancel`.
#[derive(Debug, Clone, Deserialize)]
pub struct OneBooking {
    /// Which.
    pub booking_id: Number,
}
