//! The demo's people: what they have talked about, and what they think of each other. Whoever signs in as one of them
//! finds something to read, and somebody to answer.

use std::sync::Arc;

use bellwire_services::{
    identity::{self, UserId},
    kit::{Code, Fault, Payload, Principal, ReadTx},
};
use serde_json::{Value, json};

use super::words;
use crate::{accounts::SAMPLES, door::Door};

const JOHN: i64 = 1;
const JANE: i64 = 2;
const SARA: i64 = 3;
const MIKE: i64 = 4;

/// What was said: by whom, in which room.
const SAID: [(i64, &str, &str); 9] = [
    (JOHN, "1:2", "Hi Jane, the new tenants come on Friday."),
    (JANE, "1:2", "Then the kitchen has to be done by Thursday evening."),
    (JOHN, "1:2", "I'll ask Sara."),
    (
        JOHN,
        "1:3",
        "Hello Sara, do you have time on Thursday? A flat with two rooms, about three hours.",
    ),
    (SARA, "1:3", "From two o'clock on. Is there a lift?"),
    (JOHN, "1:3", "There is, and the key is with the neighbour on the left."),
    (SARA, "1:3", "Good. See you on Thursday \u{1f9fd}"),
    (MIKE, "1:4", "The dinner for eight is set for Saturday. Red or white?"),
    (JOHN, "1:4", "Both, please."),
];

/// What is said in a group that one of them made of their talk. It is none of those that the document's examples make.
const SAID_IN_GROUP: [(i64, &str, &str); 2] = [
    (JOHN, "1:3:4", "Sara, Mike: the flat has to shine before the dinner on Saturday."),
    (SARA, "1:3:4", "It will, if the oven stays as it is until then."),
];

/// What clients think of houseworkers: who, of whom, how many points of five, and in their words.
const OPINIONS: [(i64, i64, i64, &str); 3] = [
    (JOHN, SARA, 5, "On time, thorough, and the windows shine."),
    (JANE, SARA, 4, "Very good. The key was hard to find, which was our fault."),
    (JOHN, MIKE, 5, "Eight guests, eight of them happy."),
];

/// Lets the sample users talk, if none of them has yet, and if they are who they are to be: somebody else may have an id
/// of theirs. Where there is no room they say nothing.
///
/// # Errors
/// When they cannot.
pub async fn add_talk(door: &Door) -> anyhow::Result<()> {
    match talk(door).await {
        Err(fault) if fault.code != Code::Full => Err(words(fault)),
        _ => Ok(()),
    }
}

async fn talk(door: &Door) -> Result<(), Fault> {
    let are_samples = |tx: &ReadTx<'_>| {
        for sample in SAMPLES.iter().filter(|sample| (JOHN..=MIKE).contains(&sample.user_id)) {
            let user = identity::user(tx, UserId(sample.user_id))?;
            if user.is_none_or(|user| user.login != sample.login || user.disabled) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    if !door.look(are_samples).await? {
        return Ok(());
    }
    let asked = payload(json!({ "limit": 1 }));
    let rooms = door.ask("chat.rooms", asked, person(door, JOHN).await?).await?;
    if !rooms.get().starts_with(r#"{"items":[],"#) {
        return Ok(());
    }
    for (who, room, message) in SAID {
        say(door, who, room, message).await?;
    }
    let group =
        json!({ "data": { "newUserID": MIKE.to_string(), "roomID": "1:3", "newRoomID": "1:3:4" } });
    ask(door, JOHN, "createUserGroup", group).await?;
    for (who, room, message) in SAID_IN_GROUP {
        say(door, who, room, message).await?;
    }
    for (who, of, points, comment) in OPINIONS {
        let of = of.to_string();
        let rating = json!({ "rating": points, "houseworkerID": of });
        ask(door, who, "ratingNotification", rating).await?;
        let comment = json!({ "newComment": { "comment": comment, "houseworkerID": of } });
        ask(door, who, "commentNotification", comment).await?;
    }
    Ok(())
}

async fn say(door: &Door, who: i64, room: &str, message: &str) -> Result<(), Fault> {
    ask(door, who, "message", json!({ "data": { "roomID": room, "message": message } })).await
}

async fn ask(door: &Door, who: i64, call: &str, fields: Value) -> Result<(), Fault> {
    door.ask(call, payload(fields), person(door, who).await?).await.map(drop)
}

fn payload(fields: Value) -> Payload {
    match fields {
        Value::Object(payload) => payload,
        _ => Payload::new(),
    }
}

/// A sample user, as a guest who says that they are that.
async fn person(door: &Door, id: i64) -> Result<Arc<Principal>, Fault> {
    let user = door.look(move |tx| identity::user(tx, UserId(id))).await?;
    let user = user.ok_or_else(|| Fault::new(Code::NotFound, "a sample user is gone"))?;
    Ok(Arc::new(identity::guest_as(&user)))
}
