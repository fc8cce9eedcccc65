//! Attacks, one by one: each is answered as it must be, and has no effect.

use serde_json::{Value, json};

use super::{
    ear::{Plain, Room},
    who::Who::{
        self, Anne, Attic, Bert, Board, Claimer, Dave, Eve, Hall, Kim, Lisa, Nobody, Page, Staff,
    },
    world::World,
};
use crate::harness::Over;

/// Where an attack is made.
#[derive(Debug, Clone, Copy)]
pub enum At {
    /// By a request of this method and target.
    Rest(&'static str),
    /// By a message on this stream.
    Plain(&'static str),
    /// By an event of this name in this namespace, over both transports.
    Room(&'static str, &'static str),
}

use At::{Plain as OnStream, Rest, Room as InRoom};

/// An attack.
pub struct Attack {
    /// What it is, by the words of `items`.
    pub item: &'static str,
    who: Who,
    at: At,
    /// What is sent: a body, a message, an argument.
    sent: &'static str,
    /// What stands in the answer; over HTTP it begins with the status.
    answer: &'static str,
}

const fn attack(
    item: &'static str,
    who: Who,
    at: At,
    sent: &'static str,
    answer: &'static str,
) -> Attack {
    Attack { item, who, at, sent, answer }
}

const CHAT: At = OnStream("/ws/chat/");
const SPOOFED: &str = "spoofed userID, from, typing.user";
const ROOMS: &str = "guessed rooms";
const RECIPIENTS: &str = "forged recipients and notifications";
const TAKEOVER: &str = "group takeover";
const POSTS: &str = "anonymous sensor posts, a device posting for another";
const PAIRING: &str = "pairing codes brute-forced";
const PAGES: &str = "cross-site WebSocket hijacking";
const SEQUENTIAL: &str = "sequential ids read by others";

/// What the words of `items` name that is done by [`claims`].
pub const DONE: &[&str] = &[RECIPIENTS, SPOOFED];

/// Those that are made before everything changes.
pub const ATTACKS: &[Attack] = &[
    attack(
        SPOOFED,
        Dave,
        CHAT,
        r#"{"type":"message","data":{"message":"x","from":"$anne","roomID":"$dave_and_anne"}}"#,
        "FORBIDDEN",
    ),
    attack(
        SPOOFED,
        Dave,
        CHAT,
        r#"{"type":"message","data":{"message":"x","from":7,"roomID":"$dave_and_anne"}}"#,
        "error",
    ),
    attack(
        SPOOFED,
        Dave,
        CHAT,
        r#"{"type":"startTypingRoom","roomID":"$dave_and_anne","user":{"userID":"$anne"}}"#,
        "FORBIDDEN",
    ),
    attack(
        SPOOFED,
        Dave,
        CHAT,
        r#"{"type":"addOnlineUser","userID":"$anne","userUsername":"the_anne"}"#,
        "FORBIDDEN",
    ),
    attack(
        SPOOFED,
        Dave,
        InRoom("/", "addOnlineUser"),
        r#"{"userID":"$chief","username":"the_chief"}"#,
        "FORBIDDEN",
    ),
    attack(
        SPOOFED,
        Bert,
        CHAT,
        r#"{"type":"createUserGroup","data":{"newUserID":"$dave","roomID":"$pair","newRoomID":"$taken_over","clientID":"$anne"}}"#,
        "FORBIDDEN",
    ),
    attack(
        SPOOFED,
        Bert,
        CHAT,
        r#"{"type":"deleteUserRoom","roomID":"$group","clientID":"$anne"}"#,
        "FORBIDDEN",
    ),
    attack(
        SPOOFED,
        Dave,
        Rest("POST /api/stations/$station/bookings"),
        r#"{"user_id":"$anne"}"#,
        "403 ",
    ),
    attack(
        SPOOFED,
        Dave,
        Rest("POST /api/auth/password"),
        r#"{"userId":"$anne","password":"kanbatteryhorsestaple","newPassword":"pwned pwned"}"#,
        "403 ",
    ),
    attack(
        SPOOFED,
        Claimer,
        CHAT,
        r#"{"type":"addOnlineUser","userID":"$chief","userUsername":"the_chief"}"#,
        "error",
    ),
    attack(
        SPOOFED,
        Hall,
        OnStream("/"),
        r#"{"type":"clients.own_events","clientId":"$attic","limit":0}"#,
        "error",
    ),
    attack(ROOMS, Dave, CHAT, r#"{"type":"joinRoom","data":"$anne"}"#, "FORBIDDEN"),
    attack(ROOMS, Anne, CHAT, r#"{"type":"chatRoom.join","data":"$reversed"}"#, "INVALID_ROOM"),
    attack(ROOMS, Anne, CHAT, r#"{"type":"chatRoom.join","data":"$padded"}"#, "INVALID_ROOM"),
    attack(ROOMS, Dave, CHAT, r#"{"type":"chatRoom.join","data":"$reversed"}"#, "INVALID_ROOM"),
    attack(ROOMS, Dave, CHAT, r#"{"type":"chatRoom.join","data":"$pair"}"#, "NOT_FOUND"),
    attack(ROOMS, Dave, CHAT, r#"{"type":"chatRoom.join","data":"$group"}"#, "NOT_FOUND"),
    attack(ROOMS, Dave, CHAT, r#"{"type":"chatRoom.join","data":"$conversation"}"#, "INVALID_ROOM"),
    attack(ROOMS, Eve, CHAT, r#"{"type":"chatRoom.join","data":"$group"}"#, "NOT_FOUND"),
    attack(ROOMS, Eve, CHAT, r#"{"type":"chatRoom.join","data":"$fivesome"}"#, "NOT_FOUND"),
    attack(ROOMS, Eve, InRoom("/", "chatRoom.join"), r#""$group""#, "NOT_FOUND"),
    attack(ROOMS, Dave, InRoom("/chat", "chatRoom.join"), r#""$group""#, "NOT_FOUND"),
    attack(
        ROOMS,
        Dave,
        InRoom("/chat", "message"),
        r#"{"data":{"message":"x","roomID":"$group"}}"#,
        "NOT_FOUND",
    ),
    attack(
        ROOMS,
        Eve,
        CHAT,
        r#"{"type":"startTypingRoom","roomID":"$group","user":{"userID":"$eve"}}"#,
        "NOT_FOUND",
    ),
    attack(ROOMS, Eve, Rest("GET /api/chat/rooms/$conversation/messages"), "", "404 "),
    attack(ROOMS, Eve, Rest("GET /api/chat/rooms/$group/messages"), "", "404 "),
    attack(ROOMS, Dave, Rest("POST /api/chat/rooms/$conversation/read"), "{}", "404 "),
    attack(
        ROOMS,
        Dave,
        InRoom("/", "subscribe"),
        r#"{"topics":["private/$pair"]}"#,
        "unknown topic",
    ),
    attack(
        RECIPIENTS,
        Dave,
        Rest("POST /api/notifications"),
        r#"{"to":"$anne","title":"x","message":"x"}"#,
        "403 ",
    ),
    attack(
        RECIPIENTS,
        Hall,
        Rest("POST /api/notifications"),
        r#"{"to":"all","title":"x","message":"x"}"#,
        "403 ",
    ),
    attack(
        RECIPIENTS,
        Dave,
        OnStream("/ws/notifications/"),
        r#"{"type":"notifications.send","to":"$anne","title":"x","message":"x"}"#,
        "error",
    ),
    attack(
        RECIPIENTS,
        Dave,
        OnStream("/ws/notifications/"),
        r#"{"type":"notification","to":"$anne","title":"x","message":"x"}"#,
        "error",
    ),
    attack(
        RECIPIENTS,
        Dave,
        CHAT,
        r#"{"type":"messageResponseNotify","roomID":"$pair","userID":"$anne","lastMessage":"x"}"#,
        "UNKNOWN_TYPE",
    ),
    attack(
        RECIPIENTS,
        Dave,
        CHAT,
        r#"{"type":"createUserToGroupNotify","data":{"to":"$anne","message":"x"}}"#,
        "UNKNOWN_TYPE",
    ),
    attack(
        RECIPIENTS,
        Dave,
        Rest("POST /api/notifications/read"),
        r#"{"ids":[$notification]}"#,
        r#"200 {"read":0}"#,
    ),
    attack(
        RECIPIENTS,
        Dave,
        InRoom("/chat", "privateRatingNotify-$cora"),
        r#"{"rating":1}"#,
        "UNKNOWN_TYPE",
    ),
    attack(
        TAKEOVER,
        Dave,
        CHAT,
        r#"{"type":"addUserToGroup","data":{"newUserID":"$dave","roomID":"$group","newRoomID":"$taken_over"}}"#,
        "NOT_FOUND",
    ),
    attack(
        TAKEOVER,
        Eve,
        CHAT,
        r#"{"type":"addUserToGroup","data":{"newUserID":"$eve","roomID":"$group","newRoomID":"$fivesome"}}"#,
        "NOT_FOUND",
    ),
    attack(
        TAKEOVER,
        Dave,
        CHAT,
        r#"{"type":"createUserGroup","data":{"newUserID":"$dave","roomID":"$pair","newRoomID":"$taken_over"}}"#,
        "NOT_FOUND",
    ),
    attack(
        TAKEOVER,
        Bert,
        CHAT,
        r#"{"type":"kickUserFromGroup","roomID":"$group","newRoomID":"$threesome","kickedUserID":"$kim"}"#,
        "FORBIDDEN",
    ),
    attack(
        TAKEOVER,
        Kim,
        CHAT,
        r#"{"type":"kickUserFromGroup","roomID":"$group","newRoomID":"$pair","kickedUserID":"$anne"}"#,
        "error",
    ),
    attack(
        TAKEOVER,
        Dave,
        CHAT,
        r#"{"type":"kickUserFromGroup","roomID":"$group","newRoomID":"$threesome","kickedUserID":"$kim"}"#,
        "NOT_FOUND",
    ),
    attack(TAKEOVER, Bert, CHAT, r#"{"type":"deleteUserRoom","roomID":"$group"}"#, "FORBIDDEN"),
    attack(TAKEOVER, Eve, CHAT, r#"{"type":"deleteUserRoom","roomID":"$group"}"#, "NOT_FOUND"),
    attack(TAKEOVER, Dave, InRoom("/", "deleteUserRoom"), r#"{"roomID":"$pair"}"#, "NOT_FOUND"),
    attack(
        TAKEOVER,
        Lisa,
        Rest("POST /api/chat/rooms"),
        r#"{"members":["$anne","$bert"]}"#,
        "403 ",
    ),
    attack(
        POSTS,
        Board,
        OnStream("/ws/sensor-data/"),
        r#"{"type":"sensor_data","sensor_id":$sensor,"value":1}"#,
        "FORBIDDEN",
    ),
    attack(
        POSTS,
        Board,
        OnStream("/ws/sensor/$sensor/"),
        r#"{"type":"sensor_data","sensor_id":$sensor,"value":1}"#,
        "FORBIDDEN",
    ),
    attack(
        POSTS,
        Board,
        OnStream("/ws/device/$own_device/"),
        r#"{"type":"sensor_data","sensor_id":$sensor,"value":1}"#,
        "error",
    ),
    attack(
        POSTS,
        Board,
        InRoom("/sensors", "sensor_data"),
        r#"{"sensor_id":$sensor,"value":1}"#,
        "FORBIDDEN",
    ),
    attack(POSTS, Board, Rest("POST /api/sensors/$sensor/readings"), r#"{"value":1}"#, "403 "),
    attack(
        POSTS,
        Board,
        Rest("POST /api/readings"),
        r#"[{"sensor_id":$sensor,"value":1}]"#,
        r#"200 {"stored":0"#,
    ),
    attack(POSTS, Staff, Rest("POST /api/sensors/$sensor/readings"), r#"{"value":1}"#, "403 "),
    attack(
        POSTS,
        Dave,
        InRoom("/sensors", "sensor_data"),
        r#"{"sensor_id":$sensor,"value":1}"#,
        "FORBIDDEN",
    ),
    attack(POSTS, Hall, Rest("POST /api/states/fan.hall"), r#"{"state":"on"}"#, "403 "),
    attack(
        PAIRING,
        Dave,
        Rest("POST /api/pairing/$user_code/approve"),
        r#"{"areaIds":["$area"]}"#,
        "403 ",
    ),
    attack(
        PAIRING,
        Hall,
        Rest("POST /api/pairing/$user_code/approve"),
        r#"{"areaIds":["$area"]}"#,
        "403 ",
    ),
    attack(PAIRING, Nobody, Rest("POST /api/pairing/$user_code/approve"), "{}", "401 "),
    attack(PAIRING, Nobody, Rest("POST /api/pairing/$user_code/deny"), "", "401 "),
    attack(
        PAIRING,
        Nobody,
        Rest("POST /api/pairing/token"),
        r#"{"deviceCode":"$user_code"}"#,
        "400 ",
    ),
    attack(PAIRING, Attic, OnStream("/"), r#"{"type":"pairing.list"}"#, "FORBIDDEN"),
    attack(
        PAIRING,
        Attic,
        InRoom("/areas", "clients.assign"),
        r#"{"clientId":"$attic","areaId":"$area"}"#,
        "FORBIDDEN",
    ),
    attack(PAGES, Page, Rest("POST /api/auth/ticket"), "", "403 "),
    attack(PAGES, Page, Rest("GET /api/auth/verify"), "", "403 "),
    attack(PAGES, Page, Rest("POST /api/auth/logout"), "", "403 "),
    attack(PAGES, Page, Rest("POST /api/states/vault.front"), r#"{"state":"open"}"#, "403 "),
    attack(SEQUENTIAL, Dave, Rest("GET /api/bookings/$booking"), "", "404 "),
    attack(SEQUENTIAL, Dave, Rest("DELETE /api/bookings/$booking"), "", "404 "),
    attack(SEQUENTIAL, Dave, Rest("POST /api/bookings/$booking/collect"), "", "404 "),
    attack(SEQUENTIAL, Dave, Rest("GET /api/bookings?user_id=$anne"), "", "403 "),
    attack(SEQUENTIAL, Lisa, Rest("GET /api/states/by-id/$row"), "", "404 "),
    attack(SEQUENTIAL, Lisa, Rest("GET /api/states/vault.front/history"), "", "404 "),
    attack(SEQUENTIAL, Hall, Rest("GET /api/states/fan.cellar"), "", "404 "),
    attack(SEQUENTIAL, Hall, Rest("GET /api/areas/$attic_area"), "", "404 "),
    attack(SEQUENTIAL, Hall, Rest("GET /api/clients/$attic/events"), "", "403 "),
    attack(SEQUENTIAL, Dave, Rest("GET /api/users/$anne"), "", "403 "),
    attack(SEQUENTIAL, Staff, Rest("GET /api/tokens/$token_id"), "", "403 "),
];

/// Those of a member that is none any more.
pub const OF_THE_KICKED: &[Attack] = &[
    attack(ROOMS, Kim, CHAT, r#"{"type":"chatRoom.join","data":"$group"}"#, "NOT_FOUND"),
    attack(ROOMS, Kim, CHAT, r#"{"type":"chatRoom.join","data":"$threesome"}"#, "NOT_FOUND"),
    attack(
        ROOMS,
        Kim,
        CHAT,
        r#"{"type":"message","data":{"message":"x","roomID":"$group"}}"#,
        "NOT_FOUND",
    ),
    attack(
        ROOMS,
        Kim,
        InRoom("/chat", "message"),
        r#"{"data":{"message":"x","roomID":"$threesome"}}"#,
        "NOT_FOUND",
    ),
    attack(ROOMS, Kim, Rest("GET /api/chat/rooms/$conversation/messages"), "", "404 "),
    attack(ROOMS, Kim, Rest("GET /api/chat/rooms/$group"), "", "404 "),
    attack(
        TAKEOVER,
        Kim,
        CHAT,
        r#"{"type":"addUserToGroup","data":{"newUserID":"$kim","roomID":"$threesome","newRoomID":"$foursome"}}"#,
        "NOT_FOUND",
    ),
    attack(TAKEOVER, Kim, CHAT, r#"{"type":"deleteUserRoom","roomID":"$threesome"}"#, "NOT_FOUND"),
];

/// Makes them, each answered as it must be; in a house nothing is written by it.
pub fn make(world: &World, attacks: &[Attack]) {
    for attack in attacks {
        let Attack { item, who, at, sent, answer } = attack;
        let sent = world.fill(sent);
        let before = world.head();
        for told in answers(world, *who, *at, &sent) {
            let is_met = if answer.ends_with(' ') {
                told.starts_with(answer)
            } else {
                told.contains(answer)
            };
            assert!(is_met, "{item}: {who:?} {at:?} {sent}: {told}");
        }
        assert!(
            world.is_demo || world.head() == before,
            "{item}: {who:?} {at:?} {sent}: it had an effect"
        );
    }
}

/// Who may say something says beside it what is not theirs to say: names, dates, counters, whom it is for. Nobody is told
/// any of that.
pub fn claims(world: &World) {
    let claim = || world.canary("what is claimed and not believed");
    let claimed = json!({ "from": claim(), "to": claim(), "message": claim(), "id": 7, "type": claim(), "date": claim() });
    let messages = [
        json!({ "type": "message", "data": {
            "message": "Good day", "roomID": "$dave_and_anne", "fromUsername": claim(), "roomKey": claim(),
            "lastMessage": claim(), "date": claim(), "createRoomNotification": claimed,
            "unreadMessArray": [{ "recipientID": "$bert", "roomID": claim(), "countNumber": 7, "updateStatus": true }],
        }}),
        json!({ "type": "commentNotification", "houseworkerUsername": claim(), "notificationObj": claimed,
            "newComment": { "comment": "Good work", "houseworkerID": "$cora", "from": claim(), "date": claim() } }),
        json!({ "type": "ratingNotification", "rating": 3, "houseworkerID": "$cora", "client": claim(),
            "houseworker": claim(), "notificationObj": claimed }),
        json!({ "type": "startTypingRoom", "roomID": "$dave_and_anne",
            "user": { "userID": "$dave", "username": claim() } }),
    ];
    for message in messages {
        world.says(Dave, &message.to_string());
    }
}

/// What an attack is answered: once, or over both transports.
fn answers(world: &World, who: Who, at: At, sent: &str) -> Vec<String> {
    let (address, person) = (world.server.address(), world.person(who));
    match at {
        Rest(request) => {
            let body: Value = serde_json::from_str(sent).unwrap_or_default();
            let reply = world.ask(who, request, &body, "");
            vec![format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body))]
        }
        OnStream(path) => {
            let line = Plain::open(address, person, &world.fill(path));
            let mut line = line.unwrap_or_else(|status| panic!("{who:?} {path}: {status}"));
            line.send(&[sent.to_owned()]);
            vec![line.told().join("\n")]
        }
        InRoom(namespace, name) => {
            let both = Over::BOTH.map(|over| {
                let mut room = Room::open(address, person, over, namespace, &json!({}));
                let packet = room.call(&world.fill(name), sent);
                room.send(&[packet]);
                room.told().join("\n")
            });
            both.into()
        }
    }
}
