//! Everybody asks for everything that there is, by the services' tables, with the names of what belongs to others.

use std::collections::BTreeSet;

use bellwire_services::kit::{Method, Route};
use serde_json::{Value, json};

use super::{
    ear::{Plain, Room},
    who::{
        self, GUESTS, Person,
        Who::{self, Claimer, Page},
    },
    world::World,
};
use crate::harness::Over;

/// What the calls of a service take, filled with what belongs to others. What a call does not know it passes over; a
/// new service adds its fields.
const FIELDS: &[(&str, &str)] = &[
    (
        "identity",
        r#"{"id": "$token_id", "userId": "$anne", "username": "pwned", "login": "pwned", "role": "admin",
        "scopes": ["states:read"], "ttl": 3600, "subject": "$anne", "password": "guessed guess",
        "newPassword": "guessed guess", "disabled": true}"#,
    ),
    (
        "states",
        r#"{"entity_id": "$vault", "state_id": $row, "state": "pwned", "attributes": {"pwned": true},
        "entity_ids": ["$vault", "$hall_fan", "$attic_fan"], "limit": 100}"#,
    ),
    (
        "areas",
        r#"{"areaId": "$attic_area", "clientId": "$attic", "userCode": "$user_code",
        "deviceCode": "guessed-guessed-guess", "name": "pwned", "entityIds": ["$vault"], "isEnabled": false,
        "areaIds": ["$attic_area"], "items": [{"id": "$attic_area", "name": "pwned"}], "since": "$since"}"#,
    ),
    (
        "notifications",
        r#"{"to": "$anne", "title": "pwned", "message": "pwned", "level": "info", "ids": [$notification],
        "from": "$anne", "userID": "$anne"}"#,
    ),
    (
        "sensors",
        r#"{"device_id": $device, "sensor_id": $sensor, "name": "pwned", "sensor_type": "pwned", "unit": "pwned",
        "value": 1, "readings": [{"sensor_id": $sensor, "value": 1}]}"#,
    ),
    (
        "chat",
        r#"{"roomID": "$group", "newRoomID": "$taken_over", "kickedUserID": "$bert", "firstRoomID": "$pair",
        "userID": "$chief", "userUsername": "pwned", "user": {"userID": "$anne", "username": "pwned"},
        "clientID": "$anne", "newUserID": "$dave", "data": {"message": "pwned", "roomID": "$pair", "from": "$anne",
        "fromUsername": "pwned", "newUserID": "$dave", "newRoomID": "$taken_over", "clientID": "$anne"},
        "houseworkerID": "$cora", "comment": "pwned", "rating": 1,
        "newComment": {"comment": "pwned", "houseworkerID": "$cora", "from": "pwned"}}"#,
    ),
    (
        "stations",
        r#"{"station_id": $station, "battery_id": $spare_battery, "name": "pwned", "model": "pwned",
        "user_id": "$anne", "booking_id": $booking}"#,
    ),
];

/// Topics that may be asked for, each row on a connection of its own.
const TOPICS: &[&[&str]] = &[
    &["states", "areas", "sensors", "alarms", "chat", "stations", "notifications"],
    &["entity/$vault", "entity/$attic_fan"],
    &["device/$device", "sensor/$sensor"],
    &["station/$station"],
];

/// Topics of the server's own, which have no names.
const NAMELESS: &[&str] = &[
    "inbox/$anne",
    "inbox/admins",
    "inbox/all",
    "person/$anne",
    "private/$pair",
    "group/1",
    "seat/1",
    "stations/staff",
    "principal/user/$anne",
    "*",
];

/// What anybody may do who is let in at all, and what harms nobody: a ticket of one's own, a screen that asks.
const HARMLESS: &[&str] = &[
    "auth.ticket",
    "auth.refresh",
    "pairing.start",
    "notifications.read",
    "houseworkers.comment",
    "houseworkers.rate",
    "commentNotification",
    "ratingNotification",
];

/// What guests of a demo may do: it is not done here, as it would be.
const GUESTS_MAY: &[&str] = &[
    "states:create",
    "states:update",
    "states:delete",
    "states:remove",
    "sensor_data",
    "sensor_data_batch",
    "readings.create",
];

/// How an answer begins that says of each of several readings why it was refused.
const NONE_STORED: &str = r#""stored":0,"corrected":0,"replayed":0,"#;

/// What the words of `items` name that everybody's coming, asking and listening plays, before the bytes are scanned.
pub const DONE: &[&str] = &[
    "sequential ids read by others",
    "e-mail on public streams",
    "cross-site WebSocket hijacking",
    "tokens in logs",
    "pairing_completed overheard",
    "JWT tricks",
    "Engine.IO: refused",
];

/// A call of a service, with what belongs to others.
pub struct Call {
    /// Its name.
    pub name: &'static str,
    /// The service.
    pub service: &'static str,
    /// Whether it changes something.
    pub is_command: bool,
    /// Its argument over Socket.IO.
    argument: String,
    /// The same as a plain message.
    message: String,
}

impl Call {
    /// Its argument.
    pub fn argument(&self) -> &str {
        &self.argument
    }

    /// The same with this in place of each field.
    pub fn with(&self, value: &str) -> String {
        let argument: Value = serde_json::from_str(&self.argument).expect("an argument is JSON");
        let keys = argument.as_object().into_iter().flat_map(|fields| fields.keys());
        let fields: Vec<String> =
            keys.map(|key| format!("{}:{value}", Value::from(&**key))).collect();
        format!("{{{}}}", fields.join(","))
    }
}

/// All calls of all services.
pub fn calls(world: &World) -> Vec<Call> {
    let mut calls = Vec::new();
    for service in bellwire_services::all() {
        let commands = service.commands.iter().map(|command| (command.name, true));
        let queries = service.queries.iter().map(|query| (query.name, false));
        let subscriptions =
            service.subscriptions.iter().map(|subscription| (subscription.name, false));
        for (name, is_command) in commands.chain(queries).chain(subscriptions) {
            let argument = match name {
                "joinRoom" | "leaveRoom" => world.fill("$anne").into(),
                _ if service.bare.contains(&name) => world.fill("$group").into(),
                _ => fields(world, service.name, name),
            };
            let mut message = match &argument {
                Value::Object(fields) => Value::Object(fields.clone()),
                bare => json!({ "data": bare }),
            };
            message["type"] = name.into();
            let (argument, message) = (argument.to_string(), message.to_string());
            calls.push(Call { name, service: service.name, is_command, argument, message });
        }
    }
    calls
}

/// All routes of all services.
pub fn routes() -> Vec<Route> {
    bellwire_services::all().iter().flat_map(|service| service.routes.clone()).collect()
}

/// The paths of all streams.
pub fn streams() -> Vec<&'static str> {
    served().into_iter().map(|(path, _)| path).collect()
}

/// The same, each with its service.
fn served() -> Vec<(&'static str, &'static str)> {
    let services = bellwire_services::all();
    let streams = services.iter().flat_map(|service| service.streams.iter());
    streams.map(|stream| (stream.path, stream.service)).collect()
}

/// All namespaces.
pub fn namespaces() -> Vec<&'static str> {
    let services = bellwire_services::all();
    let own = services.iter().filter_map(|service| service.namespace.map(|own| own.path));
    ["/"].into_iter().chain(own).collect()
}

/// What somebody does not do in this way: it would be done, as they may.
fn is_spared(world: &World, who: Who, call: &str, is_command: bool) -> bool {
    let is_guest = world.is_demo && (GUESTS.contains(&who) || who == Page);
    call == "auth.logout"
        || (is_command && !who.is_adversary())
        || (is_command && is_guest && GUESTS_MAY.contains(&call))
}

/// The fields of a call of a service.
#[track_caller]
fn fields(world: &World, service: &str, call: &str) -> Value {
    let Some((_, template)) = FIELDS.iter().find(|(name, _)| *name == service) else {
        return json!({});
    };
    let mut fields: Value =
        serde_json::from_str(&world.fill(template)).expect("the template is JSON");
    if call == "bookings.list" {
        // A filter, for those who may not.
        fields.as_object_mut().expect("an object").shift_remove("user_id");
    }
    fields
}

/// The fields of all services.
pub fn all_fields(world: &World) -> Value {
    let mut all = json!({});
    for (service, _) in FIELDS {
        for (key, value) in fields(world, service, "").as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
    }
    all
}

/// A path or pattern with what stands in braces filled from the fields.
#[track_caller]
pub fn filled(fields: &Value, pattern: &str) -> String {
    let mut pieces = pattern.split('{');
    let mut path = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').expect("a brace is closed");
        let name = name.split(':').next().unwrap_or_default();
        match &fields[name] {
            Value::String(text) => path += text,
            Value::Null => panic!("FIELDS has no {name}, which stands in {pattern}"),
            other => path += &other.to_string(),
        }
        path += rest;
    }
    path
}

/// Somebody's connections that stay, and what was asked over them.
pub struct Lines {
    /// Plain ones.
    pub plain: Vec<Plain>,
    /// Those of Socket.IO.
    pub rooms: Vec<Room>,
    /// What answered them at all: streams, namespaces with their transport, routes.
    pub asked: BTreeSet<String>,
}

/// Somebody comes to every endpoint and asks for everything: no command is done that may not be.
#[track_caller]
pub fn sweep(world: &World, calls: &[Call], person: &Person) -> Lines {
    let mut lines = come(world, person, false);
    let sent: Vec<&Call> = calls
        .iter()
        .filter(|call| !is_spared(world, person.who, call.name, call.is_command))
        .collect();
    // Of two lines at each stream one listens, and the other asks.
    for line in lines.plain.iter_mut().skip(1).step_by(2) {
        asks_plainly(world, person, line, &sent);
    }
    for room in &mut lines.rooms {
        // On `/` all can be called.
        let is_here = |call: &&&Call| room.namespace == "/" || room.namespace[1..] == *call.service;
        let sent: Vec<&Call> = sent.iter().filter(is_here).copied().collect();
        asks_in_room(world, person, room, &sent);
    }
    for topics in TOPICS {
        let topics: Vec<String> = topics.iter().map(|topic| world.fill(topic)).collect();
        let room = Room::open(
            world.server.address(),
            person,
            Over::Socket,
            "/",
            &json!({ "topics": topics }),
        );
        lines.rooms.push(room);
    }
    asks_for_topics(world, person, &mut lines);
    let all = all_fields(world);
    for route in routes() {
        requests(world, person, route, (&all, calls), &mut lines.asked);
    }
    for path in
        ["/", "/metrics", "/readyz", "/livez", "/pair", "/screen", "/nowhere", "/api/nowhere"]
    {
        world.ask(person.who, &format!("GET {path}"), &Value::Null, "");
        lines.asked.insert(path.to_owned());
    }
    lines
}

/// Somebody comes to every stream and namespace, and hears what is told there unasked, what was missed, and what is
/// shown first; again: to every stream for what was missed, and to `/` of Socket.IO.
#[track_caller]
fn come(world: &World, person: &Person, is_again: bool) -> Lines {
    let mut lines = Lines { plain: Vec::new(), rooms: Vec::new(), asked: BTreeSet::new() };
    let (address, all) = (world.server.address(), all_fields(world));
    let queries =
        ["since=$since&alarms=1&rooms=me,$pair,$group", "snapshot=1&rooms=me,$pair,$group"];
    for (path, service) in served() {
        let path = filled(&all, path);
        for query in queries.into_iter().take(if is_again { 1 } else { 2 }) {
            let target = world.fill(&format!("{path}?{query}"));
            if let Ok(mut line) = Plain::open(address, person, &target) {
                line.told();
                line.service = service;
                lines.plain.push(line);
            }
            lines.asked.insert(path.clone());
        }
    }
    for namespace in namespaces().into_iter().take(if is_again { 1 } else { usize::MAX }) {
        for over in Over::BOTH {
            lines.rooms.push(Room::open(address, person, over, namespace, &Value::Null));
            lines.asked.insert(format!("{namespace} {over:?}"));
        }
    }
    lines
}

/// Somebody comes back after all has changed, and asks what may be asked without harm.
#[track_caller]
pub fn come_back(world: &World, calls: &[Call], person: &Person) {
    let mut lines = come(world, person, true);
    let sent: Vec<&Call> = calls.iter().filter(|call| !call.is_command).collect();
    for room in &mut lines.rooms {
        asks_in_room(world, person, room, &sent);
    }
    for route in routes().into_iter().filter(|route| route.method == Method::Get) {
        requests(world, person, route, (&all_fields(world), calls), &mut lines.asked);
    }
    lines.listen();
}

impl Lines {
    /// Hears what there is to be heard.
    pub fn listen(&mut self) {
        self.plain.iter_mut().for_each(|line| drop(line.told()));
        self.rooms.iter_mut().for_each(|room| drop(room.told()));
    }
}

#[track_caller]
fn check_done(who: Who, call: &str, is_command: bool, at: &str) {
    let is_theirs = !is_command || HARMLESS.contains(&call) || !who.is_adversary();
    assert!(is_theirs, "{who:?} did {call} {at}");
}

/// Whether a call that many others do as well is left to HTTP here.
fn is_enough(call: &Call) -> bool {
    call.is_command && HARMLESS.contains(&call.name)
}

#[track_caller]
fn asks_plainly(world: &World, person: &Person, line: &mut Plain, sent: &[&Call]) {
    if line.is_over() {
        return;
    }
    if person.who == Claimer {
        let dave = r#"{"type":"addOnlineUser","userID":"$dave","userUsername":"the_dave"}"#;
        line.send(&[world.fill(dave)]);
    }
    let sent: Vec<&&Call> = sent.iter().filter(|call| !is_enough(call)).collect();
    for some in sent.chunks(30) {
        // What another service offers is not called here, whatever its fields are.
        let message = |call: &&&&Call| match call.service == line.service {
            true => call.message.clone(),
            false => json!({ "type": call.name }).to_string(),
        };
        let messages: Vec<String> = some.iter().map(|call| message(&call)).collect();
        line.send(&messages);
        for told in line.told() {
            let Some(told_of) = told.strip_prefix(r#"{"type":""#) else { continue };
            let Some((call, rest)) = told_of.split_once(":response\",\"success\":true") else {
                continue;
            };
            if let Some(call) = some.iter().find(|known| known.name == call)
                && !rest.contains(NONE_STORED)
            {
                check_done(person.who, call.name, call.is_command, "on a plain stream");
            }
        }
    }
}

#[track_caller]
fn asks_in_room(world: &World, person: &Person, room: &mut Room, sent: &[&Call]) {
    if room.is_over() {
        return;
    }
    let mut packets = Vec::new();
    if person.who == Claimer {
        let dave = world.fill(r#"{"userID":"$dave","userUsername":"the_dave"}"#);
        packets.push(room.call("addOnlineUser", &dave));
    }
    let sent = sent.iter().filter(|call| !is_enough(call));
    let acks: Vec<(String, &Call)> = sent
        .map(|call| {
            let packet = room.call(call.name, &call.argument);
            let begin = packet.split('[').next().unwrap_or_default().replacen("42", "43", 1);
            packets.push(packet);
            (format!("{begin}[{{\"success\":true"), *call)
        })
        .collect();
    for some in packets.chunks(50) {
        room.send(some);
        for told in room.told() {
            let done = acks.iter().find(|(done, _)| told.starts_with(done));
            if let Some((_, call)) = done.filter(|_| !told.contains(NONE_STORED)) {
                check_done(person.who, call.name, call.is_command, "over Socket.IO");
            }
        }
    }
}

/// Every topic is asked for in the course of a connection.
fn asks_for_topics(world: &World, person: &Person, lines: &mut Lines) {
    let mut room = Room::open(world.server.address(), person, Over::Socket, "/", &Value::Null);
    if room.is_over() {
        return;
    }
    for topic in TOPICS.concat().iter().chain(NAMELESS) {
        let packet = room.call("subscribe", &json!({ "topics": [world.fill(topic)] }).to_string());
        room.send(&[packet]);
    }
    room.told();
    lines.rooms.push(room);
}

/// The parameters of a route's query that are filled.
const PARAMETERS: &[&str] = &["limit", "since", "station_id", "user_id", "device_id"];

#[track_caller]
fn requests(
    world: &World,
    person: &Person,
    route: Route,
    (all, calls): (&Value, &[Call]),
    asked: &mut BTreeSet<String>,
) {
    let is_command = route.method != Method::Get;
    let name = format!("{:?} {}", route.method, route.pattern);
    if is_spared(world, person.who, route.call, is_command) {
        asked.insert(name);
        return;
    }
    let (pattern, parameters) = route.pattern.split_once('?').unwrap_or((route.pattern, ""));
    let method = format!("{:?}", route.method).to_uppercase();
    let path = filled(all, pattern);
    let mut targets = vec![path.clone()];
    let known =
        parameters.split('&').map(|parameter| parameter.split(':').next().unwrap_or_default());
    let known: Vec<String> = known
        .filter(|parameter| PARAMETERS.contains(parameter))
        .map(|parameter| filled(all, &format!("{parameter}={{{parameter}}}")))
        .collect();
    if !known.is_empty() {
        targets.push(format!("{path}?{}", known.join("&")));
    }
    let call = calls.iter().find(|call| is_command && call.name == route.call);
    let body = call.map_or(Value::Null, |call| call.argument.parse().expect("an argument is JSON"));
    for target in targets {
        let reply = world.ask(person.who, &format!("{method} {target}"), &body, "");
        let told = String::from_utf8_lossy(&reply.body);
        assert!(reply.status < 500, "{:?} {name}: {} {told}", person.who, reply.status);
        if reply.status < 300 && is_command && !told.contains(NONE_STORED) {
            check_done(person.who, route.call, is_command, &name);
        }
        assert!(!person.who.is_bad() || reply.status >= 400, "{:?} {name}: {told}", person.who);
    }
    asked.insert(name);
}

/// Everybody must have been everywhere.
#[track_caller]
pub fn everybody_was_everywhere(world: &World, lines: &[(Who, Lines)]) {
    assert_eq!(lines.len(), who::ALL.len());
    for (who, lines) in lines {
        if who.is_bad() {
            let open = lines.plain.iter().filter(|line| !line.is_over()).count();
            assert_eq!(open, 0, "{who:?} is connected");
        }
        if who.is_bad() || *who == Page {
            // A page of any origin may see stations, as everybody may.
            let is_open =
                |room: &&Room| !room.is_over() && (room.namespace != "/stations" || who.is_bad());
            let open: Vec<&str> =
                lines.rooms.iter().filter(is_open).map(|room| room.namespace).collect();
            assert_eq!(open, [""; 0], "{who:?} is let in");
        }
        for path in streams() {
            let path = filled(&all_fields(world), path);
            assert!(lines.asked.contains(&path), "{who:?} was not at {path}");
        }
        for namespace in namespaces() {
            for over in Over::BOTH {
                let name = format!("{namespace} {over:?}");
                assert!(lines.asked.contains(&name), "{who:?} was not at {name}");
            }
        }
        for route in routes() {
            let name = format!("{:?} {}", route.method, route.pattern);
            assert!(lines.asked.contains(&name), "{who:?} did not ask {name}");
        }
    }
}
