//! What each service is used for: a table.

use serde_json::{Value, json};

/// Those who work, and what they use. Areas, devices, stations are made by the writers' first requests.
pub struct People {
    /// The token of an admin, who speaks for no user.
    pub admin: String,
    /// A user who books batteries and is staff, too; their id and token.
    pub booker: String,
    pub booker_token: String,
    /// The token of a user who writes messages.
    pub writer_token: String,
    /// A user who reads them; their id and token.
    pub reader: String,
    pub reader_token: String,
    /// The room of these two.
    pub room: String,
}

/// What one service is used for.
pub struct Trade {
    /// The service.
    pub name: &'static str,
    /// Its stream, with what is asked for in its query.
    pub path: fn(&People) -> String,
    /// Its namespace, as packets have it.
    pub namespace: &'static str,
    /// Whether its calls are taken there.
    pub calls_over_socket_io: bool,
    /// The topics that are asked for there, if it is not heard there unasked.
    pub topics: &'static [&'static str],
    /// What is called there once, so that it is heard: names, and one argument each.
    pub entries: fn(&People) -> Vec<(&'static str, String)>,
    /// Who writes.
    pub writer: fn(&People) -> &str,
    /// Who listens.
    pub listener: fn(&People) -> &str,
    /// The events that count: those that are logged, and told to the listeners.
    pub events: &'static [&'static str],
    /// What is needed before the first request, made by the admin over HTTP: method, path and body.
    pub makes: fn() -> Vec<(&'static str, Value)>,
    /// The request after so many that were answered: the call and its fields.
    pub request: fn(&People, &Memory) -> (&'static str, Value),
    /// By what the event of a request is known: a text in its fields that is like no other.
    pub mark: fn(&Value) -> Option<String>,
    /// The same text in the event.
    pub heard: fn(&str, &Value) -> Option<String>,
    /// Calls whose events have no such text, and the events, which are counted.
    pub counted: &'static [(&'static str, &'static str)],
}

/// What a writer remembers between its requests.
#[derive(Debug, Default, Clone)]
pub struct Memory {
    /// Requests that were answered.
    pub answered: u64,
    /// The step that comes next in a cycle of several, and the booking that it is about.
    pub step: u8,
    pub booking: i64,
}

/// The entities whose states change.
pub const ENTITIES: u64 = 5;

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn nothing() -> Vec<(&'static str, Value)> {
    Vec::new()
}

fn no_entries(_: &People) -> Vec<(&'static str, String)> {
    Vec::new()
}

/// One trade for each service, and one for the inbox that they share.
pub static TRADES: [Trade; 6] = [
    Trade {
        name: "states",
        path: |_| "/api/ws".to_owned(),
        namespace: "/states",
        calls_over_socket_io: true,
        topics: &[],
        entries: no_entries,
        writer: |people| &people.admin,
        listener: |people| &people.admin,
        events: &["state_changed"],
        makes: nothing,
        request: |_, memory| {
            let entity = format!("light.town_{}", memory.answered % ENTITIES);
            let state = format!("state {}", memory.answered);
            ("states:create", json!({ "entity_id": entity, "state": state }))
        },
        mark: |fields| text(&fields["state"]),
        // The sensor is a home state, too.
        heard: |_, payload| {
            let is_ours = payload["entity_id"].as_str()?.starts_with("light.town_");
            is_ours.then(|| text(&payload["new_state"]["state"]))?
        },
        counted: &[],
    },
    Trade {
        name: "areas",
        path: |_| "/?typed=1".to_owned(),
        namespace: "/areas",
        calls_over_socket_io: true,
        topics: &[],
        entries: no_entries,
        writer: |people| &people.admin,
        listener: |people| &people.admin,
        events: &["area_updated"],
        makes: || vec![("/api/areas", json!({ "name": "Town" }))],
        request: |_, memory| {
            let name = format!("Area {}", memory.answered);
            ("areas.change", json!({ "areaId": "area_1", "name": name }))
        },
        mark: |fields| text(&fields["name"]),
        heard: |_, payload| text(&payload["name"]),
        counted: &[],
    },
    Trade {
        name: "sensors",
        path: |_| "/ws/sensor-data/".to_owned(),
        namespace: "/sensors",
        calls_over_socket_io: true,
        topics: &[],
        entries: no_entries,
        writer: |people| &people.admin,
        listener: |people| &people.admin,
        events: &["sensor_data_update", "device_status"],
        makes: || {
            let sensor = json!({
                "device_id": 1, "sensor_type": "temperature", "unit": "celsius", "silence_s": 3_600,
            });
            vec![("/api/devices", json!({ "name": "Town" })), ("/api/sensors", sensor)]
        },
        request: |_, memory| ("sensor_data", json!({ "sensor_id": 1, "value": memory.answered })),
        mark: |fields| Some(fields["value"].to_string()),
        heard: |name, payload| (name == "sensor_data_update").then(|| payload["value"].to_string()),
        counted: &[],
    },
    Trade {
        name: "chat",
        path: |people| format!("/ws/chat/?rooms=me,{}", people.room),
        namespace: "/chat",
        calls_over_socket_io: true,
        topics: &[],
        entries: |people| {
            vec![("joinRoom", people.reader.clone()), ("chatRoom.join", people.room.clone())]
        },
        writer: |people| &people.writer_token,
        listener: |people| &people.reader_token,
        events: &["messageRoom", "messageResponseNotify"],
        makes: nothing,
        request: |people, memory| {
            let message = format!("message {}", memory.answered);
            let data = json!({ "message": message, "roomID": people.room });
            ("message", json!({ "data": data }))
        },
        mark: |fields| text(&fields["data"]["message"]),
        heard: |name, payload| (name == "messageRoom").then(|| text(&payload["message"]))?,
        counted: &[],
    },
    Trade {
        name: "stations",
        path: |_| "/ws/stations/".to_owned(),
        namespace: "/stations",
        calls_over_socket_io: true,
        topics: &[],
        entries: no_entries,
        writer: |people| &people.booker_token,
        listener: |people| &people.admin,
        events: &[
            "battery_booked",
            "battery_collected",
            "battery_added",
            "inventory_update",
            "station_status",
        ],
        makes: || {
            let battery = json!({ "battery_id": 1, "name": "Battery", "model": "B1" });
            vec![
                ("/api/stations", json!({ "name": "Town" })),
                ("/api/stations/1/batteries", battery.clone()),
            ]
        },
        // A battery is booked, made ready, collected, and brought back.
        request: |_, memory| match memory.step {
            0 => ("stations.book", json!({ "station_id": 1, "battery_id": 1 })),
            1 => ("bookings.ready", json!({ "booking_id": memory.booking })),
            2 => ("bookings.collect", json!({ "booking_id": memory.booking })),
            _ => ("batteries.add", json!({ "station_id": 1, "battery_id": 1 })),
        },
        mark: |_| None,
        heard: |_, _| None,
        counted: &[
            ("stations.book", "battery_booked"),
            ("bookings.collect", "battery_collected"),
            ("batteries.add", "battery_added"),
        ],
    },
    Trade {
        name: "notifications",
        path: |_| "/ws/notifications/".to_owned(),
        namespace: "/",
        calls_over_socket_io: false,
        topics: &["notifications"],
        entries: no_entries,
        writer: |people| &people.admin,
        listener: |people| &people.booker_token,
        events: &["notification", "booking_confirmed", "booking_ready"],
        makes: nothing,
        request: |people, memory| {
            let message = format!("notice {}", memory.answered);
            let fields = json!({ "to": people.booker, "title": "Town", "message": message });
            ("notifications.send", fields)
        },
        mark: |fields| text(&fields["message"]),
        heard: |name, payload| {
            let is_sent = name == "notification" && payload["title"] == "Town";
            is_sent.then(|| text(&payload["message"]))?
        },
        counted: &[],
    },
];
