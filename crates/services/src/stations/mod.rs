//! Stations where charged batteries wait, and who booked which. docs/protocol.md has the frames.
//!
//! - A battery is in a station, available or booked, or it was collected and is in none. What a station has is counted
//!   from its batteries' rows in the transaction that tells it: available and booked are always the total.
//! - A booking holds one battery for one user until it is collected, cancelled, or its time is over; then it has ended,
//!   and says how. Of a battery at most one booking is live.
//! - Batteries are booked at stations that are online. When a station leaves `online`, its bookings are cancelled.
//! - Whoever is let in hears of stations, without the addresses of people; staff hear those too ([`rights`]).
//! - Whose booking it is hears of it in their inbox (`notifications`).

mod batteries;
mod bookings;
mod contract;
mod forget;
mod news;
mod read;
pub mod rights;
mod seed;
mod sql;
#[expect(
    clippy::module_inception,
    reason = "decisions about stations, beside those about batteries and bookings"
)]
mod stations;
#[cfg(test)]
mod tests;

pub use forget::{forget, forget_user};
pub use seed::{add_samples, is_empty};

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    kit::{Access, Micros, Principal, Route, Said, Service, Spelling},
    notifications,
};

/// The name of this service.
pub const NAME: &str = "stations";
/// What is due when a hold ends; the key is the booking's number.
const HOLD: &str = "stations.hold";
/// What is due while there is more to forget of a user.
const DEPARTURE: &str = "stations.departure";

/// All times are microseconds since 1970.
///
/// - `batteries.station_id`: null of one that was collected.
/// - `bookings.expires_at`: until when the battery is held; null: for as long as it takes. `ended_at`: null of one that
///   is live.
/// - `bookings_live`: no battery is booked twice. The other indexes end with the number, by which pages go; with the
///   status before it, so that none has to look at what it does not show.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE stations (
        station_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        status TEXT NOT NULL,
        created_at INTEGER NOT NULL
    );
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
    CREATE UNIQUE INDEX bookings_live ON bookings (battery_id) WHERE status IN ('confirmed', 'ready');
    CREATE INDEX bookings_of_user ON bookings (user_id, status, booking_id);
    CREATE INDEX bookings_of_station ON bookings (station_id, status, booking_id);
    CREATE INDEX bookings_by_status ON bookings (status, booking_id);
    CREATE INDEX bookings_by_end ON bookings (ended_at) WHERE ended_at IS NOT NULL;
"];

/// What this service offers.
pub fn service() -> Service {
    let service = Service::new(NAME, MIGRATIONS, sql::STATEMENTS)
        .due(HOLD, bookings::expire)
        .due(DEPARTURE, forget::go_on)
        .event::<news::InventoryUpdate>("inventory_update", Spelling::Spread)
        .event::<news::BatteryBooked>("battery_booked", Spelling::Spread)
        .event::<news::BatteryCollected>("battery_collected", Spelling::Spread)
        .event::<news::BatteryAdded>("battery_added", Spelling::Spread)
        .event::<news::StatusOfStation>("station_status", Spelling::Spread)
        .says::<Connected>("connection_established")
        .answers::<read::StationsSnapshot>("stations:snapshot")
        .answers::<notifications::Refused>("error")
        .topics(rights::TOPICS)
        .public()
        .namespace("/stations", rights::ALL, |_| false)
        .names(rights::named)
        .stream("/ws/stations/", notifications::DIALECT, Access::Caller, |_, who| {
            Ok(rights::topics(who))
        })
        .greeting(greeting)
        .snapshot(read::snapshot)
        .stream("/ws/stations/{station_id}/", notifications::DIALECT, Access::Caller, |_, who| {
            Ok(rights::topics(who))
        })
        .hears(rights::heard_of_station)
        .exists(read::station_exists)
        .greeting(greeting)
        .snapshot(read::snapshot);
    booking_calls(station_calls(service))
}

/// What is done with stations and batteries.
fn station_calls(service: Service) -> Service {
    const BATTERIES: &str = "/api/stations/{station_id:int}/batteries?status&limit:int&cursor";
    service
        .query("stations.list", Access::Caller, read::stations)
        .long("stations.list")
        .query("stations.get", Access::Caller, read::one_station)
        .command("stations.create", Access::Admin, stations::create)
        .command("stations.change", Access::Bearer, stations::change)
        .command("stations.delete", Access::Admin, stations::delete)
        .query("batteries.list", Access::Caller, read::batteries)
        .command("batteries.add", Access::Bearer, batteries::add)
        .command("batteries.remove", Access::Bearer, batteries::remove)
        .rest("stations.list", Route::get("/api/stations?limit:int&cursor"))
        .rest("stations.create", Route::post("/api/stations"))
        .rest("stations.get", Route::get("/api/stations/{station_id:int}"))
        .rest("stations.change", Route::patch("/api/stations/{station_id:int}"))
        .rest("stations.delete", Route::delete("/api/stations/{station_id:int}"))
        .rest("batteries.list", Route::get(BATTERIES))
        .rest("batteries.add", Route::post("/api/stations/{station_id:int}/batteries"))
        .rest(
            "batteries.remove",
            Route::delete("/api/stations/{station_id:int}/batteries/{battery_id:int}"),
        )
}

/// What is done with bookings.
fn booking_calls(service: Service) -> Service {
    const BOOKINGS: &str = "/api/bookings?station_id:int&user_id&status&limit:int&cursor";
    service
        .command("stations.book", Access::Bearer, bookings::book)
        .query("bookings.list", Access::Bearer, read::bookings)
        .query("bookings.get", Access::Bearer, read::one_booking)
        .command("bookings.ready", Access::Bearer, bookings::ready)
        .command("bookings.collect", Access::Bearer, bookings::collect)
        .command("bookings.cancel", Access::Bearer, bookings::cancel)
        .rest(
            "stations.book",
            Route::post("/api/stations/{station_id:int}/bookings").found_in("/api/bookings"),
        )
        .rest("bookings.list", Route::get(BOOKINGS))
        .rest("bookings.get", Route::get("/api/bookings/{booking_id:int}"))
        .rest(
            "bookings.ready",
            Route::post("/api/bookings/{booking_id:int}/ready").status(200).changes("bookings.get"),
        )
        .rest(
            "bookings.collect",
            Route::post("/api/bookings/{booking_id:int}/collect")
                .status(200)
                .changes("bookings.get"),
        )
        .rest("bookings.cancel", Route::delete("/api/bookings/{booking_id:int}"))
}

/// The first that a connection to stations is told.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConnectedToStations")]
struct Connected {
    /// To what, for people.
    message: String,
    /// To which station; `null`: to all.
    station_id: Option<i64>,
}

/// What who comes is told first, as document 004 has it.
fn greeting(_: &Principal, place: Option<i64>, _: Micros) -> Option<Said> {
    let message = match place {
        None => "Connected to all_stations".to_owned(),
        Some(id) => format!("Connected to station_{id}"),
    };
    Some(Said::of("connection_established", &Connected { message, station_id: place }))
}
