//! Which connection hears what, and what is found later.

use super::*;

#[test]
fn personal_rooms() {
    let mut world = World::new();
    assert_eq!(world.call(1, "joinRoom", json!("1")).aside.enters, ["person/1"]);
    for other in ["2", "01", "", "user:1", "7"] {
        world.refused(1, "joinRoom", json!(other), "FORBIDDEN");
    }
    world.refused(1, "joinRoom", json!(1), "INVALID");
    for (data, leaves) in [
        (json!("1"), &["person/1"][..]),
        (json!("2"), &["person/2"]),
        (json!("x"), &[]),
        (json!(1), &[]),
        (json!(null), &[]),
    ] {
        assert_eq!(world.call(1, "leaveRoom", data).aside.leaves, leaves);
    }
}

#[test]
fn rooms_of_conversations() {
    let mut world = World::new();
    let group = world.group(1, &[2, 3]);
    for (user, room, entered) in [
        (1, "1:2", "private/1:2"),
        (2, "1:2", "private/1:2"),
        (1, "1:77", "private/1:77"),
        (1, &*group, "seat/1"),
        (2, &*group, "seat/2"),
    ] {
        assert_eq!(world.call(user, "chatRoom.join", json!(room)).aside.enters, [entered]);
    }
    for (user, room, code) in [
        (3, "1:2", "NOT_FOUND"),
        (9, "1:2", "NOT_FOUND"),
        (4, &*group, "NOT_FOUND"),
        (9, &*group, "NOT_FOUND"),
        (1, "1:2:4", "NOT_FOUND"),
        (1, "2:1", "INVALID_ROOM"),
        (1, "1", "INVALID_ROOM"),
        (1, "conversation-1", "INVALID_ROOM"),
        (1, "", "INVALID_ROOM"),
    ] {
        world.refused(user, "chatRoom.join", json!(room), code);
    }
    world.refused(1, "chatRoom.join", json!({}), "INVALID");
}

/// Leaving is never an error.
#[test]
fn what_cannot_be_left() {
    let mut world = World::new();
    world.group(1, &[2, 3]);
    let nothings =
        [json!(null), json!(7), json!("x"), json!("2:1"), json!("2:3"), json!("1:2:9"), json!({})];
    for data in nothings {
        assert_eq!(world.call(1, "chatRoom.leave", data).aside.leaves, [""; 0]);
    }
    assert_eq!(world.call(4, "chatRoom.leave", json!("1:2:3")).aside.leaves, [""; 0]);
    let guest = Principal::guest_from("::1");
    let left = world.call_as(&guest, "chatRoom.leave", json!("1:2")).expect("it is no error");
    assert_eq!(left.aside.leaves, [""; 0]);
}

/// Plays a script of what becomes of rooms, and compares in how many rooms a connection of user 1 is then. `>1:2:3` is
/// that it enters what has this label, `<1:2:3` that it leaves it; `1:2:3+4` that user 4 is added to that group,
/// `1:2:3-4` that they leave it, `*1:2:3` that the group is made, `!1:2:3` that it is deleted. A second passes with each
/// step, and housekeeping is done; `@70` is that so many pass.
fn check_left(script: &str, left: usize) {
    let (mut world, mut rooms) = (World::new(), Vec::new());
    for step in script.split(' ') {
        world.now += SECOND;
        world.tidy();
        let (does, label) = step.split_at(1);
        match does {
            ">" => world.moves(&mut rooms, 1, "chatRoom.join", label),
            "<" => world.moves(&mut rooms, 1, "chatRoom.leave", label),
            "!" => drop(world.call(1, "deleteUserRoom", json!({ "roomID": label }))),
            "@" => world.now += label.parse::<Micros>().expect("a time") * SECOND,
            "*" => {
                let members: Vec<i64> =
                    label.split(':').map(|id| id.parse().expect("an id")).collect();
                world.group(1, &members[1..]);
            }
            _ => {
                let (is_added, parts) = match step.split_once('+') {
                    Some(parts) => (true, parts),
                    None => (false, step.split_once('-').expect("a label, and who")),
                };
                let (label, who) = (parts.0, parts.1.parse::<i64>().expect("an id"));
                let mut ids: Vec<i64> =
                    label.split(':').map(|id| id.parse().expect("an id")).collect();
                ids.retain(|id| *id != who);
                ids.extend(is_added.then_some(who));
                ids.sort_unstable();
                let new = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(":");
                let (call, field, by) = match is_added {
                    true => ("addUserToGroup", "newUserID", 1),
                    false => ("kickUserFromGroup", "kickedUserID", who),
                };
                let change = json!({ "roomID": label, "newRoomID": new, field: who.to_string() });
                world.call(by, call, change);
            }
        }
    }
    rooms.retain(|room| !world.topics(1, room).is_empty());
    assert_eq!(rooms.len(), left, "{script}: {rooms:?}");
}

#[test]
fn a_room_is_left_by_its_label() {
    check_left(">1:2", 1);
    check_left(">1:2 <1:2", 0);
    check_left("*1:2:3 >1:2:3", 1);
    check_left("*1:2:3 >1:2:3 >1:2:3 <1:2:3", 0);
    check_left("*1:2:3 >1:2:3 <1:2 <1:2:4", 1);
}

/// By the present one, and by those under which a connection may know it: that by which it entered, and each since.
#[test]
fn a_room_is_left_by_labels_of_before() {
    let renamed = "*1:2:3 >1:2:3 1:2:3+4 1:2:3:4+5";
    for label in ["1:2:3", "1:2:3:4", "1:2:3:4:5"] {
        check_left(&format!("{renamed} <{label}"), 0);
        check_left(&format!("{renamed} @70 <{label}"), 0);
    }
    check_left("*1:2:3 1:2:3+4 >1:2:3 1:2:3:4+5 <1:2:3", 0);
    // It has entered anew by the label that it has now: what it was called before is not what it is in.
    check_left("*1:2:3 >1:2:3 1:2:3+4 >1:2:3:4 <1:2:3", 1);
    check_left("*1:2:3 >1:2:3 1:2:3+4 <1:2:3 >1:2:3:4", 1);
    check_left("*1:2:3 >1:2:3 1:2:3+4 >1:2:3:4 <1:2:3:4", 0);
    check_left("*1:2:3 >1:2:3 1:2:3+4 >1:2:3:4 1:2:3:4+5 <1:2:3", 1);
    check_left("*1:2:3 >1:2:3 1:2:3+4 >1:2:3:4 1:2:3:4+5 <1:2:3:4", 0);
    check_left("*1:2:3 1:2:3+4 >1:2:3:4 >1:2:3 <1:2:3", 1);
    check_left("*1:2:3 1:2:3+4 >1:2:3:4 >1:2:3 <1:2:3:4", 0);
    // It bears it again.
    check_left("*1:2:3 >1:2:3 1:2:3+4 1:2:3:4-4 <1:2:3", 0);
    check_left("*1:2:3 >1:2:3 1:2:3+4 1:2:3:4-4 <1:2:3:4", 0);
    check_left("*1:2:3 >1:2:3 1:2:3+4 1:2:3:4-4 >1:2:3 <1:2:3:4", 1);
    // Another group has the label by now, and is meant.
    check_left("*1:2:3 >1:2:3 1:2:3+4 *1:2:3 >1:2:3 <1:2:3", 1);
    check_left("*1:2:3 >1:2:3 1:2:3+4 *1:2:3 >1:2:3 <1:2:3 <1:2:3:4", 0);
    check_left("*1:2:3 >1:2:3 1:2:3+4 *1:2:3 !1:2:3 <1:2:3", 0);
}

/// A group goes on in another one, and so on: it is left by the label of where it goes on.
#[test]
fn a_room_is_left_where_it_goes_on() {
    let once = "*1:2:3 >1:2:3 1:2:3-3";
    let twice = "*1:2:3 *1:2:3:4 >1:2:3:4 1:2:3:4-4 1:2:3-3";
    for (script, labels) in [(once, &["1:2:3", "1:2"][..]), (twice, &["1:2:3:4", "1:2:3", "1:2"])] {
        check_left(script, 1);
        for label in labels {
            check_left(&format!("{script} <{label}"), 0);
        }
        check_left(&format!("{script} >1:2 <{}", labels[0]), 1);
        check_left(&format!("{script} >1:2"), 2);
        check_left(&format!("{script} >1:2 <1:2"), 0);
    }
    // What it was called before the other went on there, it never was.
    let later = "*1:2:3 1:2:3+4 *1:2:3:4:5 >1:2:3:4:5 1:2:3:4:5-5";
    check_left(later, 1);
    check_left(&format!("{later} <1:2:3"), 1);
    check_left(&format!("{later} <1:2:3:4"), 0);
}

#[test]
fn topics_of_rooms() {
    let mut world = World::new();
    world.group(1, &[2, 3]);
    for (user, room, topics) in [
        (1, "person/1", &["person/1"][..]),
        (1, "here/1", &["here/1"]),
        (1, "person/2", &[]),
        (1, "person/01", &[]),
        (1, "here/2", &[]),
        (1, "private/1:2", &["private/1:2"]),
        (2, "private/1:2", &["private/1:2"]),
        (3, "private/1:2", &[]),
        (1, "private/2:1", &[]),
        (1, "private/1:2:3", &[]),
        (1, "seat/1", &["group/1", "seat/1"]),
        (2, "seat/1", &[]),
        (9, "seat/1", &[]),
        (1, "seat/99", &[]),
        (1, "seat/x", &[]),
        (1, "group/1", &[]),
        (1, "chat", &[]),
        (1, "", &[]),
    ] {
        let heard: Vec<String> =
            world.topics(user, room).into_iter().map(|(topic, _)| topic).collect();
        assert_eq!(heard, topics, "{room} for {user}");
    }
    for (by, hears) in [
        (principal(1), true),
        (principal(9), true),
        (Principal::guest(), true),
        (Principal::system(), true),
        (Principal { role: Role::Client, ..Principal::nobody() }, false),
        (Principal { role: Role::Device, ..Principal::nobody() }, false),
        (Principal { role: Role::Pairing, ..Principal::nobody() }, false),
    ] {
        assert_eq!(!rights::topics(&by).is_empty(), hears, "{:?}", by.role);
    }
    // A token from before there were users may have a number for a subject.
    let old = Principal { id: "tok_1".into(), ..principal(1) };
    assert_eq!(rights::caller_id(&old), None);
}

/// A label leads to its room for a minute after it was borne.
#[test]
fn old_labels() {
    let mut world = World::new();
    world.group(1, &[2, 3]);
    let add = json!({ "newUserID": "4", "roomID": "1:2:3", "newRoomID": "1:2:3:4" });
    world.call(1, "addUserToGroup", add);
    for (later, is_known) in [(0, true), (60 * SECOND, true), (1, false)] {
        world.now += later;
        world.tidy();
        for user in [1, 4] {
            let join = world.call_as(&principal(user), "chatRoom.join", json!("1:2:3"));
            assert_eq!(join.is_ok(), is_known, "{user} after {later} more");
        }
        world.refused(5, "chatRoom.join", json!("1:2:3"), "NOT_FOUND");
    }
    // Another group has the label by now: it is meant by those who are in it.
    let kick = json!({ "kickedUserID": "4", "roomID": "1:2:3:4", "newRoomID": "1:2:3" });
    world.call(1, "kickUserFromGroup", kick);
    world.group(4, &[1, 2, 3]);
    assert_eq!(world.say(1, "1:2:3:4", "a").told()[0], "messageRoom to group/2");
    assert_eq!(world.say(1, "1:2:3", "a").told()[0], "messageRoom to group/1");
}

/// A label that a deleted group bore leads nowhere, whoever bore it before, and however much later somebody looks.
#[test]
fn labels_of_deleted_groups() {
    let add = json!({ "newUserID": "4", "roomID": "1:2:3", "newRoomID": "1:2:3:4" });
    let kick = |who: &str, room: &str, new: &str| json!({ "roomID": room, "newRoomID": new, "kickedUserID": who });
    let made = json!({ "members": ["2", "3"] });
    // What bore 1:2:3 before, and how the group came to it that is deleted.
    let scripts = [
        [("addUserToGroup", add.clone()), ("chat.open", made.clone())],
        [("kickUserFromGroup", kick("3", "1:2:3", "1:2")), ("chat.open", made)],
    ];
    for script in scripts {
        let mut world = World::new();
        world.group(1, &[2, 3]);
        for (call, request) in script {
            world.now += SECOND;
            world.call(1, call, request);
        }
        leads_nowhere_once_deleted(&mut world);
    }
    // It was made before the other lost the label.
    let mut world = World::new();
    world.group(1, &[2, 3]);
    world.group(1, &[2, 3, 5]);
    world.now += SECOND;
    world.call(1, "addUserToGroup", add);
    world.now += SECOND;
    world.call(1, "kickUserFromGroup", kick("5", "1:2:3:5", "1:2:3"));
    leads_nowhere_once_deleted(&mut world);
}

/// A label means the room that bore it last of those in which one is or was: it leads to no other that bore it before,
/// also when one is in the last no more, or it was deleted when it was called something else.
#[test]
fn labels_of_rooms_that_are_left() {
    let add = |who: &str, new: &str| {
        ("addUserToGroup", json!({ "newUserID": who, "roomID": "1:2:3", "newRoomID": new }))
    };
    let kick = |who: &str, new: &str| {
        ("kickUserFromGroup", json!({ "kickedUserID": who, "roomID": "1:2:3", "newRoomID": new }))
    };
    let made = || ("chat.open", json!({ "members": ["2", "3"] }));
    let deleted = || ("deleteUserRoom", json!({ "roomID": "1:2:3" }));
    // What becomes of the second group of this label, and where that leads users 1 to 4 then: 4 was in the first alone.
    for (then, leads) in [
        (vec![deleted()], ["", "", "", ""]),
        (vec![add("5", "1:2:3:5"), deleted()], ["", "", "", ""]),
        (vec![kick("1", "2:3")], ["", "private/2:3", "private/2:3", "seat/4"]),
        (vec![kick("3", "1:2")], ["private/1:2", "private/1:2", "", "seat/4"]),
        (vec![add("5", "1:2:3:5"), kick("3", "1:2:5")], ["seat/5", "seat/6", "", "seat/4"]),
        (vec![add("5", "1:2:3:5"), kick("1", "2:3:5")], ["", "seat/6", "seat/7", "seat/4"]),
    ] {
        let mut world = World::new();
        for (call, request) in [made(), add("4", "1:2:3:4"), made()].into_iter().chain(then.clone())
        {
            world.now += SECOND;
            world.call(1, call, request);
        }
        for later in [0, 1, 50] {
            world.now += later * SECOND;
            world.tidy();
            for (user, room) in (1..).zip(leads) {
                let join = world.call_as(&principal(user), "chatRoom.join", json!("1:2:3"));
                let entered =
                    join.map_or_else(|_| String::new(), |came| came.aside.enters.concat());
                assert_eq!(entered, room, "{user} after {then:?}, {later} s later");
            }
        }
    }
}

#[track_caller]
fn leads_nowhere_once_deleted(world: &mut World) {
    let label = json!("1:2:3");
    assert!(world.call(1, "chatRoom.join", label.clone()).aside.enters[0].starts_with("seat/"));
    world.call(1, "deleteUserRoom", json!({ "roomID": label }));
    for later in [0, 1, 5, 50, 10] {
        world.now += later * SECOND;
        world.tidy();
        world.refused(1, "chatRoom.join", label.clone(), "NOT_FOUND");
        world.refused(1, "message", json!({ "message": "a", "roomID": label }), "NOT_FOUND");
        world.refused(1, "deleteUserRoom", json!({ "roomID": label }), "NOT_FOUND");
    }
    // A group that has it after that leads there, also for a time when it has it no more.
    world.group(1, &[2, 3]);
    world.now += SECOND;
    let kick = json!({ "roomID": "1:2:3", "newRoomID": "1:2", "kickedUserID": "3" });
    world.call(1, "kickUserFromGroup", kick);
    world.tidy();
    assert_eq!(world.call(1, "chatRoom.join", label).aside.enters, ["private/1:2"]);
}

#[test]
fn what_is_unread_and_what_was_said() {
    let mut world = World::new();
    let group = world.group(1, &[2, 3]);
    for text in ["a", "b", "c"] {
        world.now += SECOND;
        world.say(1, &group, text);
    }
    let room = |world: &mut World, user: i64, label: &str| {
        let room = world.call(user, "chat.room", json!(label)).reply;
        (room["unread"].as_i64().expect("a number"), room["lastMessage"].clone())
    };
    assert_eq!(room(&mut world, 1, &group), (0, json!("c")));
    assert_eq!(room(&mut world, 2, &group), (3, json!("c")));
    assert_eq!(world.call(2, "chat.read", json!(group)).reply, json!({ "unread": 0 }));
    assert_eq!(room(&mut world, 2, &group), (0, json!("c")));
    world.say(3, &group, "d");
    assert_eq!((room(&mut world, 3, &group).0, room(&mut world, 2, &group).0), (0, 1));
    // Who comes later sees nothing of before, and nor does who comes again.
    world.call(
        1,
        "addUserToGroup",
        json!({ "newUserID": "4", "roomID": group, "newRoomID": "1:2:3:4" }),
    );
    assert_eq!(room(&mut world, 4, "1:2:3:4"), (0, json!(null)));
    world.say(2, "1:2:3:4", "e");
    assert_eq!(room(&mut world, 4, "1:2:3:4"), (1, json!("e")));
    let texts = |world: &mut World, user: i64, request: Json| {
        let page = world.call(user, "chat.messages", request).reply;
        let items = page["items"].as_array().expect("items").iter();
        (
            items
                .map(|item| item["message"].as_str().expect("a text").to_owned())
                .collect::<String>(),
            page["next"].clone(),
        )
    };
    assert_eq!(texts(&mut world, 4, json!({ "roomID": "1:2:3:4" })), ("e".into(), json!(null)));
    assert_eq!(texts(&mut world, 1, json!({ "roomID": "1:2:3:4" })), ("edcba".into(), json!(null)));
    let (page, next) = texts(&mut world, 1, json!({ "roomID": "1:2:3:4", "limit": 2 }));
    assert_eq!((page.as_str(), &next), ("ed", &json!("4")));
    let rest = json!({ "roomID": "1:2:3:4", "limit": 2, "before": next });
    assert_eq!(texts(&mut world, 1, rest), ("cb".into(), json!("2")));
    let message = world.call(3, "chat.messages", json!({ "roomID": "1:2:3:4", "limit": 1 }));
    assert_eq!(
        message.reply["items"][0].to_string(),
        r#"{"messageID":5,"roomID":"1:2:3:4","from":"2","fromUsername":"jane","message":"e","date":{"day":25,"month":10,"year":2025,"time":"14:30"},"timestamp":"2025-10-25T14:30:03.000Z"}"#
    );
    let at = |room: &str, more: Json| {
        let mut request = json!({ "roomID": room });
        request.as_object_mut().expect("an object").extend(fields(&more));
        request
    };
    for (user, request, code) in [
        (1, at("1:2:3:4", json!({ "limit": 0 })), "INVALID"),
        (1, at("1:2:3:4", json!({ "limit": 1001 })), "INVALID"),
        (1, at("1:2:3:4", json!({ "before": "x" })), "INVALID"),
        (1, at("1:2:3:4", json!({ "before": "99" })), "INVALID"),
        (4, at("1:2:3:4", json!({ "before": "4" })), "INVALID"),
        (5, at("1:2:3:4", json!({})), "NOT_FOUND"),
        (9, at("1:2:3:4", json!({})), "NOT_FOUND"),
        (1, at("1:2", json!({})), "NOT_FOUND"),
        (1, at("conversation-2", json!({})), "NOT_FOUND"),
        (5, at("conversation-1", json!({})), "NOT_FOUND"),
        (1, at("conversation-01", json!({})), "NOT_FOUND"),
        (1, at("conversation-", json!({})), "NOT_FOUND"),
        (1, at("x", json!({})), "INVALID_ROOM"),
    ] {
        world.refused(user, "chat.messages", request, code);
    }
}

#[test]
fn lists_of_rooms() {
    let mut world = World::new();
    world.say(1, "1:2", "a");
    world.group(1, &[2, 3]);
    world.say(1, "1:4", "b");
    world.say(2, "1:2", "c");
    world.say(2, "2:3", "not for 1");
    let list = |world: &mut World, request: Json| {
        let page = world.call(1, "chat.rooms", request).reply;
        let items = page["items"].as_array().expect("items").iter();
        let labels: Vec<String> =
            items.map(|item| item["roomID"].as_str().expect("a text").to_owned()).collect();
        (labels.join(" "), page["next"].clone())
    };
    assert_eq!(list(&mut world, json!({})), ("1:2 1:4 1:2:3".into(), json!(null)));
    let (page, next) = list(&mut world, json!({ "limit": 2 }));
    assert_eq!(page, "1:2 1:4");
    assert_eq!(
        list(&mut world, json!({ "limit": 2, "cursor": next })),
        ("1:2:3".into(), json!(null))
    );
    assert_eq!(list(&mut world, json!({ "closed": "true" })), (String::new(), json!(null)));
    assert_eq!(list(&mut world, json!({ "closed": "false" })).0, "1:2 1:4 1:2:3");
    for request in [json!({ "limit": 0 }), json!({ "cursor": "x" }), json!({ "closed": "yes" })] {
        world.refused(1, "chat.rooms", request, "INVALID");
    }
    world.refused_as(&Principal::guest_from("::1"), "chat.rooms", json!({}), "UNAUTHENTICATED");
}
