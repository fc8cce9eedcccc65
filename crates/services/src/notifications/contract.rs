//! What is told, requests and replies.

use jiff::{Timestamp, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    identity::UserId,
    kit::{Label, Micros, Number, Paging, present, timestamp_bare},
};

/// The longest title that an admin sends, in characters.
pub const TITLE_CHARS_MAX: usize = 200;
/// The longest message that an admin sends, in bytes.
pub const MESSAGE_LEN_MAX: usize = 4 << 10;
/// The most notifications that one request names.
pub const IDS_MAX: usize = 1_000;

/// How much a notification matters, as document 004 has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Level {
    /// It is good to know.
    #[default]
    Info,
    /// Something went well.
    Success,
    /// Something should be looked at.
    Warning,
    /// Something went wrong.
    Error,
}

impl Level {
    /// Its name, in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Success => "success",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// What is told.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// The user who caused it; `None`: nobody, the system says it.
    pub from: Option<UserId>,
    /// What it is about, e.g. `sensor`; one word, shown as `type`.
    pub kind: &'a str,
    /// What it is, in a few words.
    pub title: &'a str,
    /// What happened, in a sentence.
    pub message: &'a str,
    /// How much it matters.
    pub level: Level,
    /// The booking that it is about, if it is.
    pub booking: Option<BookingWords<'a>>,
}

/// What a notification says of the booking that it is about.
#[derive(Debug, Clone, Copy)]
pub struct BookingWords<'a> {
    /// Its id.
    pub booking_id: i64,
    /// What the station is called.
    pub station_name: &'a str,
    /// Which battery it is, e.g. `Tesla Battery - Model 3`.
    pub battery_info: &'a str,
}

/// Who is told.
#[derive(Debug, Clone, Copy)]
pub enum Recipients<'a> {
    /// These users; each is there, and named once.
    Users(&'a [UserId]),
    /// All users that are admins and not shut out; and admins' tokens that speak for no user, as long as they are
    /// connected.
    Admins,
    /// All users that are not shut out.
    All,
}

/// There is something that this user should know.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NotificationTold")]
pub(super) struct Told<'a> {
    /// What it is, in a few words.
    pub title: &'a str,
    /// What happened, in a sentence.
    pub message: &'a str,
    /// How much it matters.
    pub level: Level,
    /// When, UTC, without zone and fraction.
    pub timestamp: String,
}

/// A battery was booked for this user.
#[derive(Serialize, JsonSchema)]
pub struct BookingConfirmed<'a> {
    /// Which booking.
    pub booking_id: Number,
    /// What the station is called.
    pub station_name: &'a str,
    /// Which battery it is, e.g. `Tesla Battery - Model 3`.
    pub battery_info: &'a str,
    /// What happened, for people.
    pub message: &'a str,
    /// When, UTC, without zone and fraction.
    pub timestamp: String,
}

/// The battery that this user booked can be collected.
#[derive(Serialize, JsonSchema)]
pub struct BookingReady<'a> {
    /// Which booking.
    pub booking_id: Number,
    /// What the station is called.
    pub station_name: &'a str,
    /// What happened, for people.
    pub message: &'a str,
    /// When, UTC, without zone and fraction.
    pub timestamp: String,
}

/// A day and a time of it, as people are shown them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DayAndTime")]
pub struct Date {
    /// The day of the month, from 1.
    pub day: i8,
    /// The month, from 1.
    pub month: i8,
    /// The year.
    pub year: i16,
    /// `HH:MM`.
    pub time: String,
}

impl Date {
    /// The date of this moment there.
    pub fn in_zone(at: Micros, zone: &TimeZone) -> Date {
        let second = at.div_euclid(1_000_000);
        // Where a clock says what no calendar has, the first of all days must do.
        let time = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
        let date = time.to_zoned(zone.clone());
        let (day, month, year) = (date.day(), date.month(), date.year());
        Date { day, month, year, time: format!("{:02}:{:02}", date.hour(), date.minute()) }
    }
}

/// Who caused a notification: in JSON the user's id, or `system`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The house itself, or an admin in its name.
    System,
    /// A user.
    User(UserId),
}

impl Sender {
    /// The user of that number, if there is one.
    pub fn of(user: Option<UserId>) -> Sender {
        user.map_or(Sender::System, Sender::User)
    }
}

impl Serialize for Sender {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Sender::System => to.serialize_str("system"),
            Sender::User(id) => id.serialize(to),
        }
    }
}

/// A notification as its recipient sees it: what users cause as document 003 has it, what the system says with more.
#[derive(Debug, Clone, Serialize)]
pub struct Notification {
    /// Its id.
    pub id: i64,
    /// Who caused it.
    pub from: Sender,
    /// Whose it is.
    pub to: UserId,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was made.
    pub date: Date,
    /// What happened.
    pub message: String,
    /// Whether its recipient has seen it.
    pub read: bool,
    /// What the system says besides; `None` of a user's.
    #[serde(flatten)]
    pub system: Option<SystemWords>,
}

/// What a notification of the system has besides.
#[derive(Debug, Clone, Serialize)]
pub struct SystemWords {
    /// What it is.
    pub title: String,
    /// How much it matters.
    pub level: String,
    /// Of which booking, if of one.
    #[serde(flatten)]
    pub booking: Option<BookingShown>,
    /// When it was made, UTC, without zone and fraction.
    pub timestamp: String,
}

/// What a notification about a booking has besides.
#[derive(Debug, Clone, Serialize)]
pub struct BookingShown {
    /// What the station was called.
    pub station_name: String,
    /// The booking's id.
    pub booking_id: i64,
    /// Which battery it was.
    pub battery_info: String,
}

/// Asks for one's own notifications, the newest first.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct List {
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// Notes that notifications have been seen: either these, or all.
#[derive(Debug, Clone, Deserialize)]
pub struct MarkRead {
    /// These; what is none of one's own does not count.
    #[serde(default, deserialize_with = "present")]
    pub ids: Option<Vec<i64>>,
    /// All there are.
    #[serde(default, deserialize_with = "present")]
    pub all: Option<bool>,
}

/// How many became read.
#[derive(Debug, Clone, Serialize)]
pub struct Marked {
    /// Those that were not before.
    pub read: u64,
}

/// Tells users something, in an admin's words.
#[derive(Debug, Clone, Deserialize)]
pub struct Send {
    /// Whom.
    pub to: To,
    /// What it is.
    pub title: Label<TITLE_CHARS_MAX>,
    /// What happened.
    pub message: Message,
    /// How much it matters.
    #[serde(default)]
    pub level: Level,
}

/// One user by their id, or `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// This user.
    User(UserId),
    /// All users.
    All,
}

impl Serialize for To {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            To::User(id) => id.serialize(to),
            To::All => to.serialize_str("all"),
        }
    }
}

impl<'de> Deserialize<'de> for To {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        match UserId::parse(&text) {
            Some(id) => Ok(To::User(id)),
            None if text == "all" => Ok(To::All),
            None => Err(D::Error::custom("a user's id, or all")),
        }
    }
}

/// 1 byte to [`MESSAGE_LEN_MAX`]; lines may end in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Message(String);

impl Message {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let fits = !text.trim().is_empty() && text.len() <= MESSAGE_LEN_MAX;
        let fits = fits && !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t'));
        let words =
            || format!("a text to {MESSAGE_LEN_MAX} bytes without control characters, not blank");
        fits.then_some(Message(text)).ok_or_else(|| D::Error::custom(words()))
    }
}

/// What was sent, and to how many.
#[derive(Debug, Clone, Serialize)]
pub struct Sent {
    /// To whom.
    pub to: To,
    /// How many users these are.
    pub recipients: usize,
    /// What it is.
    pub title: String,
    /// What happened.
    pub message: String,
    /// How much it matters.
    pub level: Level,
    /// When it was made, UTC, without zone and fraction.
    pub timestamp: String,
}

impl Sent {
    /// What was sent so, to so many, at this time.
    pub(super) fn of(cmd: &Send, recipients: usize, at: Micros) -> Sent {
        Sent {
            to: cmd.to,
            recipients,
            title: cmd.title.as_str().to_owned(),
            message: cmd.message.as_str().to_owned(),
            level: cmd.level,
            timestamp: timestamp_bare(at),
        }
    }
}
