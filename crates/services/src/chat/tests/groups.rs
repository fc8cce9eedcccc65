//! Who comes and goes, and what is told of that.

use super::*;

fn add(new: &str, room: &str, new_room: &str) -> Json {
    json!({ "newUserID": new, "roomID": room, "newRoomID": new_room })
}

fn kick(user: &str, room: &str, new_room: &str) -> Json {
    json!({ "kickedUserID": user, "roomID": room, "newRoomID": new_room, "firstRoomID": "8:9" })
}

const DATE: &str = r#"{"day":25,"month":10,"year":2025,"time":"14:30"}"#;

#[test]
fn a_group_from_a_private_room() {
    let mut world = World::new();
    world.call(3, "addOnlineUser", json!({ "userID": "3" }));
    let mut request = add("3", "1:2", "1:2:3");
    request["newUserPicturePath"] = json!("https://example.com/p.png");
    request["notifications"] = json!(7);
    let came = world.call(1, "createUserGroup", request);
    assert_eq!(
        came.told(),
        [
            "createUserToGroupNotify to person/3 | person/2",
            "notification to inbox/3",
            "notification to inbox/2",
            "createUserGroupChange to person/1 person/2 person/3",
        ]
    );
    let words: Vec<String> = came
        .payloads("createUserToGroupNotify")
        .into_iter()
        .map(|(_, payload)| payload.to_string())
        .collect();
    let notified = |id: u8, to: u8, message: &str| {
        format!(
            r#"{{"id":{id},"from":"1","to":"{to}","type":"chatGroup","date":{DATE},"message":"{message}","read":false}}"#
        )
    };
    assert_eq!(
        words,
        [
            notified(1, 3, "The client john has added you to the chat"),
            notified(2, 2, "The client john has added sara to the chat"),
        ]
    );
    assert_eq!(
        came.payload("createUserGroupChange"),
        r#"{"newUserID":"3","newUsername":"sara","roomID":"1:2","newRoomID":"1:2:3","currentMember":[{"userID":"2","username":"jane"}],"clientUsername":"john","newUserPicturePath":"https://example.com/p.png","online":true}"#
    );
    assert_eq!(came.reply, json!({ "success": true }));
    // The private room is there too.
    let rooms = world.call(2, "chat.rooms", json!({}));
    let labels: Vec<&str> = rooms.reply["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|room| room["roomID"].as_str())
        .collect();
    assert_eq!(labels, ["1:2:3", "1:2"]);
}

#[test]
fn pictures_that_are_none() {
    let mut world = World::new();
    for (number, picture) in
        [json!("http://a/b"), json!("javascript:1"), json!(null), json!("https://a b")]
            .into_iter()
            .enumerate()
    {
        let mut request = add("4", "1:2", "1:2:4");
        request["newUserPicturePath"] = picture;
        let came = world.call(1, "createUserGroup", request);
        assert_eq!(came.json("createUserGroupChange")["newUserPicturePath"], "");
        assert_eq!(came.json("createUserGroupChange")["online"], false);
        world.call(1, "deleteUserRoom", json!({ "roomID": "1:2:4" }));
        assert!(number < 4);
    }
}

#[test]
fn refused_groups() {
    let mut world = World::new();
    let group = world.group(1, &[2, 3]);
    let mut claimed = add("4", "1:2", "1:2:4");
    claimed["clientID"] = json!("2");
    for (user, request, code) in [
        (1, add("3", "1:2", "1:2:3"), "CONFLICT"),
        (1, add("2", "1:2", "1:2"), "CONFLICT"),
        (1, add("1", "1:2", "1:2"), "CONFLICT"),
        (1, add("4", "1:2", "1:2:3"), "INVALID_ROOM"),
        (1, add("4", "1:2", "1:2:4 "), "INVALID_ROOM"),
        (1, add("4", "1:2", ""), "INVALID_ROOM"),
        (1, add("4", &group, "1:2:3:4"), "INVALID_ROOM"),
        (1, add("4", "2:1", "1:2:4"), "INVALID_ROOM"),
        (3, add("4", "1:2", "1:2:4"), "NOT_FOUND"),
        (1, add("7", "1:2", "1:2:7"), "NOT_FOUND"),
        (1, add("4", "1:7", "1:4:7"), "NOT_FOUND"),
        (1, add("04", "1:2", "1:2:4"), "INVALID"),
        (1, claimed, "FORBIDDEN"),
    ] {
        world.refused(user, "createUserGroup", request, code);
    }
    for (user, request, code) in [
        (1, add("4", "1:2", "1:2:4"), "INVALID_ROOM"),
        (1, add("3", &group, "1:2:3"), "CONFLICT"),
        (1, add("1", &group, "1:2:3"), "CONFLICT"),
        (1, add("4", &group, "1:2:4"), "INVALID_ROOM"),
        (4, add("4", &group, "1:2:3:4"), "NOT_FOUND"),
        (9, add("4", &group, "1:2:3:4"), "NOT_FOUND"),
        (1, add("7", &group, "1:2:3:7"), "NOT_FOUND"),
        (1, add("4", "1:2:4", "1:2:3:4"), "NOT_FOUND"),
        (1, json!({ "newUserID": 4, "roomID": group, "newRoomID": "1:2:3:4" }), "INVALID"),
    ] {
        world.refused(user, "addUserToGroup", request, code);
    }
    world.call(1, "createUserGroup", add("4", "1:2", "1:2:4"));
    for (user, request, code) in [
        (2, kick("3", &group, "1:2"), "FORBIDDEN"),
        (2, kick("1", &group, "2:3"), "FORBIDDEN"),
        (1, kick("4", &group, "1:2:3"), "NOT_FOUND"),
        (1, kick("3", &group, "1:3"), "INVALID_ROOM"),
        (1, kick("2", "1:2", "1"), "INVALID_ROOM"),
        (4, kick("3", &group, "1:2"), "NOT_FOUND"),
        (4, kick("4", &group, "1:2:3"), "NOT_FOUND"),
        (9, kick("9", &group, "1:2:3"), "NOT_FOUND"),
        (9, kick("2", "1:2", "1"), "NOT_FOUND"),
        (9, kick("3", "1:2:9", "1:2"), "NOT_FOUND"),
    ] {
        world.refused(user, "kickUserFromGroup", request, code);
    }
    for (user, room, code) in [
        (1, "1:2", "FORBIDDEN"),
        (2, "1:2", "FORBIDDEN"),
        (3, "1:2", "NOT_FOUND"),
        (9, "1:2", "NOT_FOUND"),
        (2, &*group, "FORBIDDEN"),
        (4, &*group, "NOT_FOUND"),
        (1, "1:2:5", "NOT_FOUND"),
        (1, "3:2:1", "INVALID_ROOM"),
    ] {
        world.refused(user, "deleteUserRoom", json!({ "roomID": room }), code);
    }
}

#[test]
fn somebody_is_added() {
    let mut world = World::new();
    let group = world.group(1, &[2, 3]);
    let came = world.call(2, "addUserToGroup", add("4", &group, "1:2:3:4"));
    assert_eq!(
        came.told(),
        [
            "addUserToGroupNotify to person/4 | person/1 | person/3",
            "notification to inbox/4",
            "notification to inbox/1 inbox/3",
            "addUserToGroupChange to person/1 person/2 person/3 person/4",
            "addUserToGroupChangeInRoom to group/1",
        ]
    );
    let words: Vec<Json> = came
        .payloads("addUserToGroupNotify")
        .into_iter()
        .map(|(_, payload)| payload["message"].clone())
        .collect();
    let other = "mike has been added to the group by jane";
    assert_eq!(words, ["You've been added to the group by jane", other, other]);
    let change = came.json("addUserToGroupChange");
    let members =
        json!([{ "userID": "1", "username": "john" }, { "userID": "3", "username": "sara" }]);
    assert_eq!(change["currentMember"], members);
    assert_eq!(came.payload("addUserToGroupChangeInRoom"), r#""1:2:3:4""#);
}

/// Of two who add at once one wins: the other names a label that is old, and expects another than there is.
#[test]
fn two_are_added_at_once() {
    let mut world = World::new();
    let group = world.group(1, &[2, 3]);
    world.call(1, "addUserToGroup", add("4", &group, "1:2:3:4"));
    world.refused(2, "addUserToGroup", add("4", &group, "1:2:3:4"), "CONFLICT");
    world.refused(2, "addUserToGroup", add("5", &group, "1:2:3:5"), "INVALID_ROOM");
    world.call(2, "addUserToGroup", add("5", &group, "1:2:3:4:5"));
    // Nor do two groups become one by that.
    world.call(1, "createUserGroup", add("3", "1:2", "1:2:3"));
    world.refused(1, "kickUserFromGroup", kick("5", "1:2:3:4:5", "1:2:3"), "INVALID_ROOM");
    world.call(1, "kickUserFromGroup", kick("5", "1:2:3:4:5", "1:2:3:4"));
    world.refused(1, "kickUserFromGroup", kick("4", "1:2:3:4", "1:2:3"), "CONFLICT");
    world.refused(1, "addUserToGroup", add("4", "1:2:3", "1:2:3:4"), "CONFLICT");
}

#[test]
fn somebody_is_kicked() {
    let mut world = World::new();
    world.call(1, "createUserGroup", add("3", "1:2", "1:2:3"));
    world.call(1, "addUserToGroup", add("4", "1:2:3", "1:2:3:4"));
    let came = world.call(1, "kickUserFromGroup", kick("3", "1:2:3:4", "1:2:4"));
    assert_eq!(
        came.told(),
        [
            "kickUserFromGroupNotify to person/3",
            "notification to inbox/3",
            "kickUserFromGroupChange to person/1 person/2 person/4",
            "kickUserFromGroupChangeInRoom to group/2 seat/5",
            "evict user/3 group/2",
        ]
    );
    let notify = came.payload("kickUserFromGroupNotify");
    assert_eq!(
        notify,
        format!(
            r#"{{"roomID":"1:2:3:4","newRoomID":"1:2:4","kickedUserID":"3","notification":{{"id":6,"from":"1","to":"3","type":"chatGroup","date":{DATE},"message":"You've been removed from the group","read":false}}}}"#
        )
    );
    assert_eq!(
        came.payload("kickUserFromGroupChange"),
        r#"{"roomID":"1:2:3:4","newRoomID":"1:2:4","kickedUsername":"sara","kickedUserID":"3"}"#
    );
    assert_eq!(
        came.payload("kickUserFromGroupChangeInRoom"),
        r#"{"firstRoomID":"1:2","kickedUserID":"3","newRoomID":"1:2:4"}"#
    );
    world.refused(1, "kickUserFromGroup", kick("3", "1:2:3:4", "1:2:4"), "NOT_FOUND");
    // By an admin, who is no member.
    let came = world.call(9, "kickUserFromGroup", kick("2", "1:2:4", "1:4"));
    assert_eq!(came.told()[0], "kickUserFromGroupNotify to person/2");
}

#[test]
fn a_kick_that_leaves_two() {
    let mut world = World::new();
    world.say(1, "1:2", "before");
    let group = world.group(1, &[2, 3]);
    world.say(1, &group, "in the group");
    let seat = |world: &mut World, user: i64| {
        world.call(user, "chatRoom.join", json!("1:2:3")).aside.enters.remove(0)
    };
    let seats = [1, 2, 3].map(|user| seat(&mut world, user));
    let came = world.call(1, "kickUserFromGroup", kick("3", &group, "1:2"));
    assert_eq!(
        came.told(),
        [
            "kickUserFromGroupNotify to person/3",
            "notification to inbox/3",
            "kickUserFromGroupChange to person/1 person/2",
            &format!("kickUserFromGroupChangeInRoom to group/2 {}", seats[2]),
            "evict user/3 group/2",
            "move user/1 group/2 private/1:2",
            "move user/2 group/2 private/1:2",
        ]
    );
    // Rooms that were entered as the group's lead on, from that place of the log.
    let closed_at = came.rows.last().expect("it is told").offset;
    for user in [1, 2] {
        let seat = &seats[user as usize - 1];
        let expected = [("group/2", 0), (&**seat, 0), ("private/1:2", closed_at)];
        let topics = world.topics(user, seat);
        assert!(topics.iter().map(|(topic, since)| (&**topic, *since)).eq(expected), "{topics:?}");
    }
    assert_eq!(world.topics(3, &seats[2]), []);
    // So do messages that were on their way.
    let came = world.say(2, &group, "late");
    assert_eq!(
        (came.told()[0].as_str(), &came.reply["roomID"]),
        ("messageRoom to private/1:2", &json!("1:2"))
    );
    world.refused(3, "message", json!({ "message": "a", "roomID": group }), "NOT_FOUND");
    world.now += 61 * SECOND;
    world.refused(2, "message", json!({ "message": "a", "roomID": group }), "NOT_FOUND");
    // Its history stays readable, and is its own.
    for room in [&*group, "conversation-2"] {
        let read = world.call(2, "chat.messages", json!({ "roomID": room }));
        assert_eq!(read.reply["items"][0]["message"], "in the group");
        assert_eq!(read.reply["items"].as_array().map(Vec::len), Some(1));
    }
    world.refused(3, "chat.messages", json!({ "roomID": group }), "NOT_FOUND");
    let closed = world.call(2, "chat.rooms", json!({ "closed": "true" }));
    let room = &closed.reply["items"][0];
    assert_eq!((&room["roomID"], &room["closed"]), (&json!("1:2:3"), &json!(true)));
    assert_eq!(room["members"].as_array().map(Vec::len), Some(2));
    // The same members may be a group again, and it is another.
    let again = world.group(2, &[1, 3]);
    assert_eq!(again, group);
    let read = world.call(2, "chat.messages", json!({ "roomID": group }));
    assert_eq!(read.reply["items"], json!([]));
    let read = world.call(2, "chat.messages", json!({ "roomID": "conversation-2" }));
    assert_eq!(read.reply["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn somebody_leaves() {
    let mut world = World::new();
    world.group(1, &[4, 2, 3]);
    let came = world.call(1, "kickUserFromGroup", kick("1", "1:2:3:4", "2:3:4"));
    assert_eq!(
        came.told(),
        [
            "kickUserFromGroupChange to person/2 person/3 person/4",
            "kickUserFromGroupChangeInRoom to group/1 seat/1",
            "evict user/1 group/1",
        ]
    );
    assert_eq!(signals(&came.aside), ["typing/group/1/1 ends"]);
    // Who has been there longest is in charge now: they came in this order.
    let room = world.call(2, "chat.room", json!("2:3:4"));
    assert_eq!(room.reply["creator"], "4");
    world.refused(2, "kickUserFromGroup", kick("3", "2:3:4", "2:4"), "FORBIDDEN");
    world.refused(1, "addUserToGroup", add("1", "2:3:4", "1:2:3:4"), "NOT_FOUND");
    // Who was there comes again, and is the last.
    world.call(3, "addUserToGroup", add("1", "2:3:4", "1:2:3:4"));
    world.call(4, "kickUserFromGroup", kick("4", "1:2:3:4", "1:2:3"));
    assert_eq!(world.call(1, "chat.room", json!("1:2:3")).reply["creator"], "2");
    // The last but two.
    let came = world.call(2, "kickUserFromGroup", kick("2", "1:2:3", "1:3"));
    assert_eq!(
        came.told(),
        [
            "kickUserFromGroupChange to person/1 person/3",
            "kickUserFromGroupChangeInRoom to group/1 seat/3",
            "evict user/2 group/1",
            "move user/1 group/1 private/1:3",
            "move user/3 group/1 private/1:3",
        ]
    );
}

/// Nobody has to stay because the others have a group of their own: this one goes on there.
#[test]
fn a_group_goes_on_in_another() {
    let mut world = World::new();
    world.group(1, &[2, 3]);
    world.group(4, &[1, 2, 3]);
    let seat = world.call(3, "chatRoom.join", json!("1:2:3:4")).aside.enters.remove(0);
    world.refused(9, "kickUserFromGroup", kick("4", "1:2:3:4", "1:2:3"), "CONFLICT");
    let came = world.call(4, "kickUserFromGroup", kick("4", "1:2:3:4", "1:2:3"));
    assert_eq!(
        came.told()[2..],
        [
            "evict user/4 group/2",
            "move user/1 group/2 group/1",
            "move user/2 group/2 group/1",
            "move user/3 group/2 group/1",
        ]
    );
    let closed_at = came.rows.last().expect("it is told").offset;
    let topics = world.topics(3, &seat);
    assert_eq!(topics.last(), Some(&("group/1".to_owned(), closed_at)));
    assert_eq!(world.say(3, "1:2:3:4", "late").reply["roomID"], "1:2:3");
    // Who loses the other seat hears nothing by the first, even if they get another.
    world.call(1, "kickUserFromGroup", kick("3", "1:2:3", "1:2"));
    assert_eq!(world.topics(3, &seat), []);
    let mut world = World::new();
    world.group(1, &[2, 3, 5]);
    world.group(4, &[1, 2, 3, 5]);
    let seat = world.call(3, "chatRoom.join", json!("1:2:3:4:5")).aside.enters.remove(0);
    world.call(4, "kickUserFromGroup", kick("4", "1:2:3:4:5", "1:2:3:5"));
    world.call(1, "kickUserFromGroup", kick("3", "1:2:3:5", "1:2:5"));
    world.call(1, "addUserToGroup", add("3", "1:2:5", "1:2:3:5"));
    assert_eq!(world.topics(3, &seat), []);
}

#[test]
fn a_room_is_deleted() {
    let mut world = World::new();
    let group = world.group(1, &[2, 3]);
    world.say(2, &group, "secret");
    let seat = world.call(2, "chatRoom.join", json!(group)).aside.enters.remove(0);
    let came = world.call(1, "deleteUserRoom", json!({ "roomID": group, "clientID": "1" }));
    assert_eq!(
        came.told(),
        [
            "deleteUserRoomNotify to person/1 | person/2 | person/3",
            "notification to inbox/1 inbox/2 inbox/3",
            "deleteUserRoomChange to person/1 person/2 person/3",
        ]
    );
    let notified = came.payloads("deleteUserRoomNotify").remove(1).1.to_string();
    let expected = format!(
        r#"{{"id":4,"from":"1","to":"room","type":"chatGroup","date":{DATE},"message":"The room has been deleted by john","read":false,"roomID":"1:2:3"}}"#
    );
    assert_eq!(notified, expected);
    assert_eq!(came.payload("deleteUserRoomChange"), r#"{"roomID":"1:2:3"}"#);
    assert_eq!(world.topics(2, &seat), []);
    for (name, request) in [
        ("message", json!({ "message": "a", "roomID": group })),
        ("chat.messages", json!({ "roomID": group })),
        ("chat.messages", json!({ "roomID": "conversation-1" })),
        ("chatRoom.join", json!(group)),
        ("deleteUserRoom", json!({ "roomID": group })),
    ] {
        world.refused(1, name, request, "NOT_FOUND");
    }
    assert_eq!(world.call(1, "chat.rooms", json!({ "closed": "true" })).reply["items"], json!([]));
    world.group(1, &[2, 3]);
    // Nothing of it is left in time, a slice after another; not as long as its label leads nowhere by it.
    world.now += 60 * SECOND;
    let forget = |world: &mut World| {
        let some =
            |tx: &mut Tx<'_>, ctx: &Ctx<'_>| forget::forget(tx, ctx.now, 2).map(Outcome::reply);
        world.write(&Principal::system(), some).expect("it is forgotten").0
    };
    assert_eq!(forget(&mut world), 0);
    world.now += 1;
    let mut slices = 0;
    while forget(&mut world) > 0 {
        slices += 1;
    }
    assert_eq!(slices, 5, "a message, two slices of seats, a label and the conversation");
    world.call(1, "chat.room", json!("1:2:3"));
}

#[test]
fn a_user_is_deleted() {
    let mut world = World::new();
    world.say(2, "2:3", "to sara");
    world.group(2, &[1, 3, 4]);
    world.group(2, &[1, 5]);
    world.group(1, &[3, 4]);
    let deleted = world.delete_user(2);
    assert_eq!(deleted.iter().flat_map(told).count(), 1, "their sessions end: {deleted:?}");
    world.refused(3, "message", json!({ "message": "a", "roomID": "2:3" }), "NOT_FOUND");
    let rows = world.run_due();
    assert_eq!(
        rows.iter().flat_map(told).collect::<Vec<_>>(),
        [
            // The others have a group of their own.
            "kickUserFromGroupChange to person/1 person/3 person/4",
            "kickUserFromGroupChangeInRoom to group/2 seat/3",
            "evict user/2 group/2",
            "move user/1 group/2 group/4",
            "move user/3 group/2 group/4",
            "move user/4 group/2 group/4",
            "kickUserFromGroupChange to person/1 person/5",
            "kickUserFromGroupChangeInRoom to group/3 seat/7",
            "evict user/2 group/3",
            "move user/1 group/3 private/1:5",
            "move user/5 group/3 private/1:5",
        ]
    );
    let named = rows.iter().filter_map(|row| row.event.as_ref());
    assert!(
        named
            .clone()
            .any(|event| event.variants[0].payload.get().contains(r#""kickedUsername":"jane""#))
    );
    // What they said stays for the other, and is nothing to who gets the id later.
    let read = world.call(3, "chat.messages", json!({ "roomID": "2:3" }));
    assert_eq!(read.reply["items"][0]["fromUsername"], "jane");
    world.user(2, "other", UserRole::User);
    assert_eq!(world.run_due().len(), 0);
    world.refused(2, "chat.messages", json!({ "roomID": "2:3" }), "NOT_FOUND");
    assert_eq!(world.call(2, "chat.rooms", json!({})).reply["items"], json!([]));
    world.say(2, "2:3", "I am new");
    let read = world.call(3, "chat.messages", json!({ "roomID": "2:3" }));
    assert_eq!(read.reply["items"].as_array().map(Vec::len), Some(1));
}

/// Somebody who was deleted has not left yet when the others go on: nothing of it stays open, and nobody is told in
/// their name.
#[test]
fn a_user_is_deleted_and_has_not_left() {
    let mut world = World::new();
    world.group(1, &[2, 3]);
    world.group(1, &[2, 4]);
    world.delete_user(2);
    let came = world.call(1, "kickUserFromGroup", kick("3", "1:2:3", "1:2"));
    assert_eq!(came.told()[0], "kickUserFromGroupNotify to person/3");
    let came = world.call(1, "kickUserFromGroup", kick("2", "1:2:4", "1:4"));
    assert_eq!(came.told()[0], "kickUserFromGroupChange to person/1 person/4");
    assert!(world.run_due().is_empty());
    let rooms = world.call(1, "chat.rooms", json!({})).reply;
    let labels: Vec<&Json> =
        rooms["items"].as_array().expect("items").iter().map(|room| &room["roomID"]).collect();
    assert_eq!(labels, ["1:4"]);
    world.user(2, "other", UserRole::User);
    assert_eq!(world.call(2, "chat.rooms", json!({})).reply["items"], json!([]));
    assert_eq!(world.call(2, "chat.rooms", json!({ "closed": "true" })).reply["items"], json!([]));
    // Who gets the id before that keeps what is theirs.
    world.group(1, &[2, 3]);
    world.delete_user(2);
    world.user(2, "third", UserRole::User);
    world.say(2, "2:4", "I am here");
    world.run_due();
    let rooms = world.call(2, "chat.rooms", json!({})).reply;
    assert_eq!(rooms["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn rooms_over_http() {
    let mut world = World::new();
    let open = |members: &[&str]| json!({ "members": members });
    let by = principal(1);
    let mut is_new = |request: Json| {
        let run = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
            let outcome = super::super::groups::open(tx, ctx, &parse(fields(&request))?)?;
            let answer = outcome.reply.answer()?;
            Ok(Outcome { reply: answer.is_new, events: outcome.events, effects: outcome.effects })
        };
        world.write(&by, run).expect("it is opened").0
    };
    assert_eq!(is_new(open(&["2"])), Some(true));
    assert_eq!(is_new(open(&["2", "1", "2"])), Some(false));
    let came = world.call(1, "chat.open", open(&["4", "3", "2", "3"]));
    assert_eq!(
        came.told(),
        [
            "createUserToGroupNotify to person/4 | person/3 | person/2",
            "notification to inbox/4 inbox/3 inbox/2",
            "createUserGroupChange to person/1 person/2 person/3 person/4",
        ]
    );
    let change = came.json("createUserGroupChange");
    assert_eq!((&change["newUserID"], &change["roomID"]), (&json!("2"), &json!("1:3:4")));
    let room = r#"{"roomID":"1:2:3:4","conversationID":"conversation-2","group":true,"members":[{"userID":"1","username":"john"},{"userID":"2","username":"jane"},{"userID":"3","username":"sara"},{"userID":"4","username":"mike"}],"lastMessage":null,"unread":0,"creator":"1","lastAt":null,"closed":false}"#;
    assert_eq!(came.reply.to_string(), room);
    for (request, code) in [
        (open(&["2", "3", "4"]), "CONFLICT"),
        (open(&[]), "INVALID"),
        (open(&["1"]), "INVALID"),
        (open(&["2", "7"]), "INVALID"),
        (json!({ "members": [2] }), "INVALID"),
        (json!({}), "INVALID"),
    ] {
        world.refused(1, "chat.open", request, code);
    }
}
