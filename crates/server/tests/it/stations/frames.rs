//! Events and resources as they are to be, with `T` for times and `E` for deadlines.

/// What stations are called, by number; there is no station 0.
pub const STATIONS: [&str; 3] = ["", "Downtown Station", "Airport Station"];
/// What the document calls each battery.
pub const BATTERY: &str = "Tesla Battery - Model 3";

/// `inventory_update`; counters are available and booked batteries.
pub fn inventory(station: usize, counters: (i64, i64), action: &str) -> String {
    inventory_of(station, STATIONS[station], counters, action)
}

/// The same of a station that is called otherwise.
pub fn inventory_of(station: usize, name: &str, (a, b): (i64, i64), action: &str) -> String {
    let total = a + b;
    format!(
        r#"inventory_update {{"station_id":{station},"station_name":"{name}","available_batteries":{a},"booked_batteries":{b},"total_batteries":{total},"timestamp":T,"action":"{action}"}}"#
    )
}

/// `battery_booked` by who is shown so.
pub fn booked(station: usize, battery: i64, (a, b): (i64, i64), user: &str) -> String {
    let name = STATIONS[station];
    format!(
        r#"battery_booked {{"station_id":{station},"station_name":"{name}","battery_id":{battery},"available_batteries":{a},"booked_batteries":{b},"user":"{user}","timestamp":T}}"#
    )
}

/// `battery_collected`.
pub fn collected(station: usize, battery: i64, (a, b): (i64, i64)) -> String {
    let name = STATIONS[station];
    format!(
        r#"battery_collected {{"station_id":{station},"station_name":"{name}","battery_id":{battery},"available_batteries":{a},"booked_batteries":{b},"timestamp":T}}"#
    )
}

/// `battery_added`.
pub fn added(station: usize, battery: i64, (a, b): (i64, i64)) -> String {
    let (name, total) = (STATIONS[station], a + b);
    format!(
        r#"battery_added {{"station_id":{station},"station_name":"{name}","battery_id":{battery},"available_batteries":{a},"total_batteries":{total},"timestamp":T}}"#
    )
}

/// What is said of a status.
pub fn words(status: &str) -> &'static str {
    match status {
        "online" => "Station is now operational",
        "offline" => "Station is now offline",
        "maintenance" => "Station is under maintenance",
        other => panic!("{other}"),
    }
}

/// `station_status`.
pub fn status(station: usize, status: &str) -> String {
    let (name, words) = (STATIONS[station], words(status));
    format!(
        r#"station_status {{"station_id":{station},"station_name":"{name}","status":"{status}","message":"{words}","timestamp":T}}"#
    )
}

/// `booking_confirmed` of one of the document's batteries.
pub fn confirmed(booking: i64, station: usize) -> String {
    let name = STATIONS[station];
    format!(
        r#"booking_confirmed {{"booking_id":{booking},"station_name":"{name}","battery_info":"{BATTERY}","message":"Battery booked successfully at {name}","timestamp":T}}"#
    )
}

/// `booking_ready`.
pub fn ready(booking: i64, station: usize) -> String {
    let name = STATIONS[station];
    format!(
        r#"booking_ready {{"booking_id":{booking},"station_name":"{name}","message":"Your battery is ready for collection at {name}","timestamp":T}}"#
    )
}

/// The `notification` of a booking that ended: what became of it, and why, if that is said.
pub fn ended(station: usize, became: &str, why: &str) -> String {
    let name = STATIONS[station];
    let (title, verb) = ending(became);
    format!(
        r#"notification {{"title":"{title}","message":"Your booking at {name} {verb}{why}","level":"warning","timestamp":T}}"#
    )
}

fn ending(became: &str) -> (&'static str, &'static str) {
    match became {
        "expired" => ("Booking expired", "has expired"),
        "cancelled" => ("Booking cancelled", "was cancelled"),
        other => panic!("{other}"),
    }
}

/// What an inbox keeps of a booking that became this, by the keys after `date`, which must be exactly these.
pub fn kept(became: &str, booking: i64, station: usize, why: &str) -> String {
    let name = STATIONS[station];
    let (title, message, level) = match became {
        "confirmed" => {
            ("Booking confirmed", format!("Battery booked successfully at {name}"), "success")
        }
        "ready" => {
            ("Booking ready", format!("Your battery is ready for collection at {name}"), "success")
        }
        other => {
            let (title, verb) = ending(other);
            (title, format!("Your booking at {name} {verb}{why}"), "warning")
        }
    };
    format!(
        r#"booking_{became}: "message":"{message}","read":false,"title":"{title}","level":"{level}","station_name":"{name}","booking_id":{booking},"battery_info":"{BATTERY}","timestamp":T}}"#
    )
}

/// What an inbox has, in the words of [`kept`]; what stands before is looked at.
#[track_caller]
pub fn kept_item(item: &serde_json::Value, user: usize) -> String {
    let (text, _) = super::line::timeless(&item.to_string());
    let (head, rest) = text.split_once(r#","message":"#).expect("it has a message");
    let kind = item["type"].as_str().expect("it has a type");
    let (id, date) = (&item["id"], &item["date"]);
    let expected =
        format!(r#"{{"id":{id},"from":"system","to":"{user}","type":"{kind}","date":{date}"#);
    assert_eq!(head, expected);
    let keys: Vec<&String> = date.as_object().expect("a date").keys().collect();
    assert_eq!(keys, ["day", "month", "year", "time"]);
    format!(r#"{kind}: "message":{rest}"#)
}

/// A booking whose battery is held for a while.
pub fn booking(id: i64, station: usize, battery: i64, user: usize, status: &str) -> String {
    format!(
        r#"{{"id":{id},"station_id":{station},"battery_id":{battery},"user_id":"{user}","status":"{status}","expires_at":E}}"#
    )
}

/// One of the document's batteries.
pub fn battery(id: i64, station: usize, status: &str) -> String {
    format!(
        r#"{{"id":{id},"station_id":{station},"name":"Tesla Battery","model":"Model 3","status":"{status}"}}"#
    )
}

/// A station.
pub fn station(station: usize, status: &str, (a, b): (i64, i64)) -> String {
    let (name, total) = (STATIONS[station], a + b);
    format!(
        r#"{{"id":{station},"name":"{name}","status":"{status}","available_batteries":{a},"booked_batteries":{b},"total_batteries":{total}}}"#
    )
}
