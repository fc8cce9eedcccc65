//! What is said, and who types.

use super::*;

#[test]
fn a_message_is_told_in_this_order() {
    let mut world = World::new();
    let came = world.say(1, "1:2", "Hello!");
    assert_eq!(
        came.told(),
        [
            "messageRoom to private/1:2",
            "messagePage to person/2 except private/1:2",
            "messageResponseNotify to person/2",
        ]
    );
    let date = r#"{"day":25,"month":10,"year":2025,"time":"14:30"}"#;
    assert_eq!(
        came.payload("messageRoom"),
        format!(
            r#"{{"message":"Hello!","from":"1","roomID":"1:2","fromUsername":"john","date":{date}}}"#
        )
    );
    assert_eq!(came.payload("messagePage"), r#"{"roomID":"1:2","lastMessage":"Hello!"}"#);
    assert_eq!(
        came.payload("messageResponseNotify"),
        r#"{"roomID":"1:2","fromUsername":"john","fromUserID":"1","userID":"","lastMessage":"Hello!","unreadUpdateStatus":true,"createRoomNotification":null}"#
    );
    assert_eq!(
        came.reply.to_string(),
        format!(r#"{{"success":true,"messageID":1,"roomID":"1:2","date":{date}}}"#)
    );
    assert_eq!(signals(&came.aside), ["typing/private/1:2/1 ends typingMessageStop"]);
}

#[test]
fn messages_to_groups_and_first_contacts() {
    let mut world = World::new();
    let group = world.group(1, &[3, 2]);
    assert_eq!(
        world.say(2, &group, "Hi").told(),
        [
            "messageRoom to group/1",
            "messagePage to person/1 person/3 except group/1",
            "messageResponseNotify to person/1 person/3",
        ]
    );
    let first = json!({ "message": "Hi", "roomID": "1:3", "contact": true, "from": "1",
                        "createRoomNotification": { "anything": [] }, "unreadMessArray": 7 });
    let came = world.call(1, "message", first);
    assert_eq!(
        came.told(),
        [
            "messageRoom to private/1:3",
            "messagePage to person/3 except private/1:3",
            "firstMessageConversation to person/3",
            "messageResponseNotify to person/3",
            "notification to inbox/3",
        ]
    );
    assert_eq!(
        came.payload("firstMessageConversation"),
        r#"{"roomID":"1:3","from":"1","fromUsername":"john","lastMessage":"Hi"}"#
    );
    let told = came.json("messageResponseNotify");
    assert_eq!(told["userID"], "3");
    let notified = &told["createRoomNotification"];
    assert_eq!((&notified["to"], &notified["from"]), (&json!("3"), &json!("1")));
    assert_eq!(notified["message"], "You've got message from john");
    // Each recipient finds a notification of their own.
    let asked = json!({ "message": "Hi", "roomID": group, "createRoomNotification": 1 });
    let came = world.call(3, "message", asked);
    let told: Vec<(String, Json)> = came
        .payloads("messageResponseNotify")
        .into_iter()
        .map(|(topics, payload)| (topics, payload["createRoomNotification"]["to"].clone()))
        .collect();
    assert_eq!(told, [("person/1".into(), json!("1")), ("person/2".into(), json!("2"))]);
}

#[test]
fn refused_messages() {
    let mut world = World::new();
    let group = world.group(1, &[2, 3]);
    let longest = "\u{e4}".repeat(TEXT_LEN_MAX / 2);
    let rows = [
        (1, json!({ "message": "a", "roomID": "2:1" }), "INVALID_ROOM"),
        (1, json!({ "message": "a", "roomID": "01:2" }), "INVALID_ROOM"),
        (1, json!({ "message": "a", "roomID": "1:1" }), "INVALID_ROOM"),
        (1, json!({ "message": "a", "roomID": "1" }), "INVALID_ROOM"),
        (1, json!({ "message": "a", "roomID": 1 }), "INVALID"),
        (1, json!({ "message": "a" }), "INVALID"),
        (1, json!({ "roomID": "1:2" }), "INVALID"),
        (1, json!({ "message": " \u{200b}", "roomID": "1:2" }), "INVALID"),
        (1, json!({ "message": longest.clone() + "a", "roomID": "1:2" }), "INVALID"),
        (1, json!({ "message": "a", "roomID": "1:7" }), "NOT_FOUND"),
        (3, json!({ "message": "a", "roomID": "1:2" }), "NOT_FOUND"),
        (4, json!({ "message": "a", "roomID": group }), "NOT_FOUND"),
        (9, json!({ "message": "a", "roomID": group }), "NOT_FOUND"),
        (1, json!({ "message": "a", "roomID": "1:2:4" }), "NOT_FOUND"),
        (1, json!({ "message": "a", "roomID": "1:2", "from": "2" }), "FORBIDDEN"),
        (1, json!({ "message": "a", "roomID": "1:2", "from": 1 }), "INVALID"),
        (1, json!({ "message": "a", "roomID": "1:2", "clientMessageID": "" }), "INVALID"),
        (
            1,
            json!({ "message": "a", "roomID": "1:2", "clientMessageID": "a".repeat(65) }),
            "INVALID",
        ),
        (7, json!({ "message": "a", "roomID": "1:7" }), "UNAUTHENTICATED"),
    ];
    for (user, request, code) in rows {
        world.refused(user, "message", request, code);
    }
    world.say(1, "1:2", &longest);
    let message = json!({ "message": "a", "roomID": "1:2" });
    world.refused_as(&Principal::guest_from("::1"), "message", message.clone(), "UNAUTHENTICATED");
    let client =
        Principal { role: Role::Client, id: "client/client_1".into(), ..Principal::nobody() };
    let token = Principal { role: Role::Admin, id: "tok_1".into(), ..Principal::nobody() };
    for by in [client, token] {
        world.refused_as(&by, "message", message.clone(), "FORBIDDEN");
    }
}

#[test]
fn a_message_sent_again() {
    let mut world = World::new();
    let group = world.group(1, &[2, 3]);
    let message = |room: &str, text: &str| json!({ "message": text, "roomID": room, "clientMessageID": "c-1" });
    let first = world.call(1, "message", message(&group, "a"));
    world.now += 3_600 * SECOND;
    let again = world.call(1, "message", message(&group, "a"));
    assert_eq!((again.reply, again.rows.len()), (first.reply.clone(), 0));
    world.refused(1, "message", message(&group, "b"), "CONFLICT");
    world.refused(1, "message", message("1:2", "a"), "CONFLICT");
    // It is its sender's own.
    assert_eq!(world.call(2, "message", message(&group, "b")).rows.len(), 3);
    // The room has another label: the old one and the new one name it.
    world.call(
        1,
        "addUserToGroup",
        json!({ "newUserID": "4", "roomID": group, "newRoomID": "1:2:3:4" }),
    );
    for (room, later) in [("1:2:3:4", 0), (&*group, 0), (&*group, 61)] {
        world.now += later * SECOND;
        let again = world.call(1, "message", message(room, "a"));
        assert_eq!((&again.reply["messageID"], again.rows.len()), (&first.reply["messageID"], 0));
        assert_eq!(again.reply["roomID"], "1:2:3:4", "its label now");
        assert_eq!(again.reply["date"], first.reply["date"]);
    }
    // It is nothing to who is kicked, but was sent.
    let kick = json!({ "roomID": "1:2:3:4", "newRoomID": "2:3:4", "kickedUserID": "1" });
    world.call(1, "kickUserFromGroup", kick);
    assert_eq!(world.call(1, "message", message(&group, "a")).rows.len(), 0);
    world.refused(1, "message", json!({ "message": "a", "roomID": group }), "NOT_FOUND");
    let messages = world.call(2, "chat.messages", json!({ "roomID": "2:3:4" }));
    assert_eq!(messages.reply["items"].as_array().map(Vec::len), Some(2));
}

#[test]
fn who_types() {
    let mut world = World::new();
    let group = world.group(1, &[2, 3]);
    let typing = |room: &str| json!({ "roomID": room, "user": { "userID": "1", "username": "x" } });
    for (room, topic) in [("1:2", "private/1:2"), ("1:77", "private/1:77"), (&group, "group/1")] {
        let key = format!("typing/{topic}/1");
        let came = world.call(1, "startTypingRoom", typing(room));
        assert!(came.rows.is_empty());
        assert_eq!(
            signals(&came.aside),
            [format!("{key} begins typingMessageStart ends typingMessageStop after 10000000")]
        );
        let [Signal::Begins { begins, .. }] = &came.aside.signals[..] else { panic!("it begins") };
        assert_eq!(begins.except, ["principal/user/1"]);
        assert_eq!(begins.variants[0].topics, [topic]);
        let payload = begins.variants[0].payload.get();
        let expected = format!(r#"{{"senderID":"1","senderUsername":"john","roomID":"{room}"}}"#);
        assert_eq!(payload, expected);
        let came = world.call(1, "stopTypingRoom", typing(room));
        assert_eq!(signals(&came.aside), [format!("{key} ends typingMessageStop always")]);
        let came = world.call(1, "chatRoom.leave", json!(room));
        assert_eq!(signals(&came.aside), [format!("{key} ends")]);
    }
    for name in ["startTypingRoom", "stopTypingRoom"] {
        for (user, request, code) in [
            (2, typing("1:2"), "FORBIDDEN"),
            (4, json!({ "roomID": group }), "NOT_FOUND"),
            (3, json!({ "roomID": "1:2" }), "NOT_FOUND"),
            (1, json!({ "roomID": "2:1" }), "INVALID_ROOM"),
            (1, json!({}), "INVALID"),
            (1, json!({ "roomID": "1:2", "user": { "userID": 1 } }), "INVALID"),
        ] {
            world.refused(user, name, request, code);
        }
    }
    // The end is told with the label of then, whichever the beginning was told with.
    let add = json!({ "newUserID": "4", "roomID": group, "newRoomID": "1:2:3:4" });
    world.call(1, "addUserToGroup", add);
    // Who entered by the new label is still there when they left by the old one, and may type on.
    for (label, ends) in [(&*group, &[][..]), ("1:2:3:4", &["typing/group/1/1 ends"])] {
        let came = world.call(1, "chatRoom.leave", json!(label));
        assert_eq!(signals(&came.aside), ends, "{label}");
    }
    for came in [world.call(1, "stopTypingRoom", typing(&group)), world.say(1, &group, "a")] {
        let [Signal::Ends { ends: Some(ends), .. }] = &came.aside.signals[..] else {
            panic!("it ends")
        };
        let payload = ends.variants[0].payload.get();
        assert_eq!(payload, r#"{"senderID":"1","senderUsername":"john","roomID":"1:2:3:4"}"#);
    }
}

/// A message to many costs as many statements as one to few: its rows are those of the log and of itself.
#[test]
fn a_message_to_a_thousand() {
    let mut world = World::new();
    let others: Vec<i64> = (1_001..2_000).collect();
    for user in &others {
        world.user(*user, Box::leak(format!("u{user}").into_boxed_str()), UserRole::User);
    }
    let group = world.group(1, &others);
    assert_eq!(group.split(':').count(), MEMBERS_MAX);
    let by = principal(1);
    let cost = |world: &mut World, room: &str| {
        let run = call("message", json!({ "message": "a", "roomID": room }));
        let (now, by) = (world.now, by.clone());
        let mut run = Some(run);
        let run = move |tx: &mut Tx<'_>| {
            let (settings, ids) = (Settings::default(), Ids::new([7; 32]));
            let principal = &by;
            let ctx = Ctx { now, principal, ids, settings: &settings, origin: "", place: None };
            (run.as_mut().expect("it is there"))(tx, &ctx)
        };
        let write = Write { at: now, run: Box::new(run), to: () };
        let batch = world.writer.batch(vec![write]).expect("the disk is sound");
        assert!(batch.answers[0].result.is_ok());
        batch.stats.rows
    };
    cost(&mut world, "1:2");
    let (few, many) = (cost(&mut world, "1:2"), cost(&mut world, &group));
    // A row of the log may fill a block.
    assert!(many <= few + 1, "{many} rows, {few} for one recipient");
    // And no group is greater.
    world.user(2_000, "late", UserRole::User);
    for new in ["label", "too"] {
        let new = match new {
            "label" => format!("{group}:2000"),
            other => other.to_owned(),
        };
        let add = json!({ "newUserID": "2000", "roomID": group, "newRoomID": new });
        world.refused(1, "addUserToGroup", add, "CONFLICT");
    }
    let mut members: Vec<String> = others.iter().map(i64::to_string).collect();
    members.push("2".into());
    world.refused(1, "chat.open", json!({ "members": members }), "INVALID");
}

#[test]
fn a_message_counts_for_its_notifications() {
    let check = |payload: serde_json::Value, weight| {
        let payload = payload.as_object().cloned().expect("an object");
        assert_eq!(crate::chat::decide::weigh(&payload), weight, "{payload:?}");
    };
    check(json!({}), 1);
    check(json!({ "data": "x" }), 1);
    let message = |asks: serde_json::Value| json!({ "data": { "message": "x", "roomID": "1:2:3", "createRoomNotification": asks } });
    check(json!({ "data": { "message": "x", "roomID": "1:2:3" } }), 1);
    check(message(serde_json::Value::Null), 1);
    check(message(json!({})), 12);
    check(json!({ "data": { "message": "x", "roomID": 7, "createRoomNotification": {} } }), 1);
    // What is done with a group.
    check(json!({ "data": { "newUserID": "3", "roomID": "1:2" } }), 8);
    check(json!({ "kickedUserID": "3", "roomID": "1:2:3" }), 12);
    check(json!({ "members": ["2", "3", "4", "5"] }), 16);
    let long = "1:".repeat(5_000);
    check(json!({ "roomID": long }), 1);
}
