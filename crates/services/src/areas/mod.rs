//! Areas, paired clients and pairing: an admin arranges areas of entities and says which screen has which; each
//! screen hears at once, and only, what concerns it. docs/protocol.md has the frames.
//!
//! - A client hears what happens to the areas that it has, enabled or not, and reads the states of the entities
//!   in those that are enabled. It changes nothing.
//! - Every change of an area is told, even if nothing is different by it; getting and losing an area, and being
//!   switched to what it is, are silent where nothing happens.
//! - Who is told is read in the transaction: deleting an area tells those who had it, taking it from a client
//!   tells that client alone.
//! - What a client was told is kept for a time. An event is kept once, with the area it is of: who had that
//!   area then, the rows of assignments say.
//! - Revoking a client ends all of its tokens and connections, which are told why first.

mod clients;
mod contract;
mod decide;
mod dialect;
mod news;
pub mod pairing;
mod read;
pub mod rights;
mod seed;
mod sql;
#[cfg(test)]
mod tests;

pub use clients::{AREAS_OF_CLIENT_MAX, CLIENTS_OF_AREA_MAX, PRESENT_MAX};
pub use contract::{AreaId, ClientId, NAME_CHARS_MAX, Presence, TokenUsed};
pub use seed::{SampleArea, SampleClient, add_sample};

use bellwire_store::tx::Value;
use schemars::JsonSchema;
use serde::Serialize;

use crate::kit::{
    Access, Code, Fault, Micros, Named, Principal, ReadTx, RefusedAt, Role, Route, Said, Service,
    Spelling, Tx, Words, timestamp_ms,
};

/// The name of this service.
const NAME: &str = "areas";

/// All times are microseconds since 1970.
///
/// - `clients.still_at`: when it was last written down that the client, who is online, still is.
/// - `assignments`: who had which area. A client was told the events of the area that lie behind `from_offset`, up to
///   and with `upto_offset`; while that is null, the client has the area.
/// - `area_client_counts`: how many clients have an area now.
/// - `area_events`: what clients were told. Exactly one of `area_id` (told to who had the area) and `client_id` (told
///   to this client alone) is set.
/// - `area_events_forgotten`: one row, the place up to which events are not kept any more.
/// - `pairings.device_code_digest`: the [`digest`](pairing::digest) of the secret, never the secret.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE areas (
        area_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        entity_ids TEXT NOT NULL,
        is_enabled INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    );
    CREATE TABLE area_entities (
        entity_id TEXT NOT NULL,
        area_id INTEGER NOT NULL,
        PRIMARY KEY (entity_id, area_id)
    );
    CREATE INDEX area_entities_by_area ON area_entities (area_id);
    CREATE TABLE clients (
        client_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        online INTEGER NOT NULL,
        last_seen INTEGER,
        still_at INTEGER,
        revoked_at INTEGER
    );
    CREATE INDEX clients_online ON clients (online) WHERE online = 1;
    CREATE TABLE assignments (
        client_id INTEGER NOT NULL,
        area_id INTEGER NOT NULL,
        from_offset INTEGER NOT NULL,
        upto_offset INTEGER
    );
    CREATE UNIQUE INDEX assignments_now ON assignments (client_id, area_id) WHERE upto_offset IS NULL;
    CREATE INDEX assignments_of_area ON assignments (area_id, client_id) WHERE upto_offset IS NULL;
    CREATE INDEX assignments_of_client ON assignments (client_id, area_id);
    CREATE INDEX assignments_by_end ON assignments (upto_offset);
    CREATE TABLE area_client_counts (
        area_id INTEGER PRIMARY KEY,
        clients INTEGER NOT NULL
    );
    CREATE TABLE area_events (
        log_offset INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        name TEXT NOT NULL,
        payload TEXT NOT NULL,
        area_id INTEGER,
        client_id INTEGER
    );
    CREATE INDEX area_events_of_area ON area_events (area_id, log_offset);
    CREATE INDEX area_events_of_client ON area_events (client_id, log_offset);
    CREATE INDEX area_events_by_age ON area_events (at);
    CREATE TABLE area_events_forgotten (upto_offset INTEGER NOT NULL);
    INSERT INTO area_events_forgotten (upto_offset) VALUES (0);
    CREATE TABLE pairings (
        pairing_id INTEGER PRIMARY KEY,
        device_code_digest TEXT NOT NULL UNIQUE,
        user_code TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        client_id INTEGER,
        status TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        asked_at INTEGER,
        decided_at INTEGER,
        token_id TEXT
    );
    CREATE INDEX pairings_by_end ON pairings (expires_at, status);
    CREATE TABLE pairing_misses (
        principal TEXT PRIMARY KEY,
        misses INTEGER NOT NULL,
        since INTEGER NOT NULL
    );
"];

/// How long pairings are kept after their end, in microseconds: who asks late hears that it is over.
const PAIRINGS_KEPT_MICROS: Micros = 3_600 * 1_000_000;
/// How many new pairings an address may begin in a minute.
const PAIRINGS_PER_MINUTE: u32 = 30;
/// How often an address may ask what came of pairings: a house of a hundred screens.
const QUESTIONS_PER_MINUTE: u32 = 1_200;

/// What clients are told that they can rely on.
const FEATURES: [&str; 5] =
    ["area_updates", "area_assignments", "token_revocation", "pairing", "event_history"];

/// What this service offers.
pub fn service() -> Service {
    let service = Service::new(NAME, MIGRATIONS, sql::STATEMENTS)
        .command("areas.create", Access::Admin, decide::create)
        .command("areas.change", Access::Admin, decide::change)
        .command("areas.change_all", Access::Admin, decide::change_all)
        .command("areas.toggle", Access::Admin, decide::toggle)
        .command("areas.delete", Access::Admin, decide::delete)
        .query("areas.list", Access::Bearer, read::areas)
        .query("areas.get", Access::Bearer, read::one_area)
        .rest("areas.list", Route::get("/api/areas?limit:int&cursor"))
        .rest("areas.create", Route::post("/api/areas"))
        .rest("areas.change_all", Route::patch("/api/areas").listed("items"))
        .rest("areas.get", Route::get("/api/areas/{areaId}"))
        .rest("areas.change", Route::put("/api/areas/{areaId}"))
        .rest("areas.change", Route::patch("/api/areas/{areaId}"))
        .rest("areas.delete", Route::delete("/api/areas/{areaId}"))
        .rest("areas.toggle", Route::patch("/api/areas/{areaId}/toggle").changes("areas.get"))
        .topics(rights::TOPICS)
        .bare_stream("/", dialect::DIALECT, Access::Bearer, rights::topics, greeting)
        .namespace("/areas", rights::ALL, |principal| principal.role == Role::Client)
        .names(|name| (name == rights::ALL).then_some(Named::All));
    pairing_calls(client_calls(told(service)))
}

/// What is told.
fn told(service: Service) -> Service {
    let change = |service: Service, change: news::Change| {
        service
            .critical_event::<news::AreaChanged>(change.event(), Spelling::Spread)
            .means(change.means())
    };
    let service = news::Change::ALL.into_iter().fold(service, change);
    // These only admins hear.
    let service = service
        .event::<contract::Client>("client_changed", Spelling::Spread)
        .means("A client was made, paired anew, renamed or revoked, or it got or lost an area.")
        .event::<news::ClientRemoved>("client_removed", Spelling::Spread)
        .event::<news::ClientsPresent>("clients_present", Spelling::Spread)
        .event::<pairing::PairingChanged>("pairing_changed", Spelling::Spread);
    service
        .says::<Connected>("connected")
        .says_everywhere::<news::TokenRevoked>("token_revoked")
        .says_everywhere::<contract::PairingCompleted>("pairing_completed")
        .answers::<RefusedAt>("error")
        // Whose pairing was denied or is over, wherever it waits.
        .says_everywhere::<RefusedAt>("error")
}

/// What is done with clients.
fn client_calls(service: Service) -> Service {
    service
        .command("clients.change", Access::Admin, clients::change)
        .command("clients.delete", Access::Admin, clients::delete)
        .command("clients.assign_all", Access::Admin, clients::assign_all)
        .command("clients.assign", Access::Admin, clients::assign)
        .command("clients.unassign", Access::Admin, clients::unassign)
        .command("clients.revoke", Access::Admin, clients::revoke)
        .command("clients.present", Access::Operator, clients::present)
        .command("clients.nobody", Access::Operator, clients::nobody)
        .query("clients.list", Access::Admin, read::clients)
        .query("clients.get", Access::Admin, read::one_client)
        .query("clients.events", Access::Admin, read::events)
        .query("clients.own_events", Access::Bearer, read::own_events)
        .rest("clients.list", Route::get("/api/clients?limit:int&cursor"))
        .rest("clients.get", Route::get("/api/clients/{clientId}"))
        .rest("clients.change", Route::patch("/api/clients/{clientId}"))
        .rest("clients.delete", Route::delete("/api/clients/{clientId}"))
        .rest("clients.assign_all", Route::put("/api/clients/{clientId}/areas"))
        .rest("clients.assign", Route::put("/api/clients/{clientId}/areas/{areaId}"))
        .rest("clients.unassign", Route::delete("/api/clients/{clientId}/areas/{areaId}"))
        .rest("clients.revoke", Route::post("/api/clients/{clientId}/revoke").status(200))
        .rest("clients.events", Route::get("/api/clients/{clientId}/events?since&limit:int"))
        .rest("clients.own_events", Route::get("/api/clients/me/events?since&limit:int"))
}

/// How screens become clients.
fn pairing_calls(service: Service) -> Service {
    service
        .command("pairing.start", Access::Visitor, pairing::start)
        .command("pairing.token", Access::Anyone, pairing::poll)
        .command("pairing.approve", Access::Admin, pairing::approve)
        .command("pairing.deny", Access::Admin, pairing::deny)
        .command("pairing.token_used", Access::Operator, pairing::token_used)
        .query("pairing.list", Access::Admin, pairing::list)
        .rest("pairing.start", Route::post("/api/pairing").per_minute(PAIRINGS_PER_MINUTE).secret())
        .rest(
            "pairing.token",
            Route::post("/api/pairing/token").status(200).per_minute(QUESTIONS_PER_MINUTE),
        )
        .rest("pairing.list", Route::get("/api/pairing?limit:int&cursor"))
        .rest("pairing.approve", Route::post("/api/pairing/{userCode}/approve").status(200))
        .rest("pairing.deny", Route::post("/api/pairing/{userCode}/deny").status(204))
}

/// The first that a paired client is told.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Connected {
    /// Which client it is.
    client_id: ClientId,
    /// What happened, for people.
    message: &'static str,
    /// What it can rely on.
    features: [&'static str; FEATURES.len()],
    /// When, RFC 3339 with milliseconds.
    timestamp: String,
}

/// What a paired client is told first.
fn greeting(principal: &Principal, _: Option<i64>, now: Micros) -> Option<Said> {
    let connected = Connected {
        client_id: rights::caller(principal)?,
        message: "Connected to real-time events",
        features: FEATURES,
        timestamp: timestamp_ms(now),
    };
    Some(Said::of("connected", &connected))
}

/// What sessions of a client are told last when an admin revokes their token.
pub fn last_words(role: Role) -> Option<Words> {
    (role == Role::Client).then(news::token_revoked)
}

/// Judges for which client a token is to be made.
///
/// # Errors
/// [`Code::Invalid`] if there is no such client, or its access was revoked.
pub fn check_subject(tx: &ReadTx<'_>, role: Role, subject: Option<&str>) -> Result<(), Fault> {
    let (Role::Client, Some(subject)) = (role, subject) else { return Ok(()) };
    let invalid = |why: &'static str| Fault::new(Code::Invalid, why);
    let none = || invalid("subject: there is no such client");
    let client = read::client(tx, ClientId::parse(subject).ok_or_else(none)?);
    match client {
        Ok(client) if client.revoked => Err(invalid("subject: this client was revoked")),
        Ok(_) => Ok(()),
        Err(fault) if fault.code == Code::NotFound => Err(none()),
        Err(fault) => Err(fault),
    }
}

/// Notes that the clients that are connected still are: after a crash, when they were seen last is known to as
/// much as lies between two calls.
///
/// # Errors
/// The store's.
pub fn still_here(tx: &mut Tx<'_>, now: Micros) -> Result<(), Fault> {
    tx.execute(sql::SEEN_STILL, &[Value::Integer(now)]).map(drop)
}

/// Notes of up to `rows_max` pairings that their time was over before anybody decided, and says of how many: a code
/// that is over stays so, whatever the clock says later.
///
/// # Errors
/// The store's.
pub fn end_pairings(tx: &mut Tx<'_>, now: Micros, rows_max: i64) -> Result<u64, Fault> {
    tx.execute(sql::END_PAIRINGS, &[now, rows_max].map(Value::Integer))
}

/// Forgets up to `rows_max` of each that is past its time: pairings, wrong codes, events from before
/// `events_before`, and assignments that ended before all events that are left; says how many that were.
///
/// # Errors
/// The store's.
pub fn forget(
    tx: &mut Tx<'_>,
    now: Micros,
    events_before: Micros,
    rows_max: i64,
) -> Result<u64, Fault> {
    let over = [Value::Integer(now - PAIRINGS_KEPT_MICROS), Value::Integer(rows_max)];
    let mut forgotten = tx.execute(sql::FORGET_PAIRINGS, &over)?;
    forgotten += tx.execute(sql::FORGET_MISSES, &over)?;
    let old = [Value::Integer(events_before), Value::Integer(rows_max)];
    if let Some(upto) = tx.one(sql::OLD_EVENTS, &old, |row| row.optional_integer(0))?.flatten() {
        let upto = [Value::Integer(upto)];
        forgotten += tx.execute(sql::FORGET_EVENTS, &upto)?;
        tx.execute(sql::FORGOT, &upto)?;
    }
    forgotten += tx.execute(sql::FORGET_SPANS, &[Value::Integer(rows_max)])?;
    Ok(forgotten)
}
