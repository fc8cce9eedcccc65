//! Who is here.

use super::{super::presence, *};

#[test]
fn users_say_that_they_are_here() {
    let mut world = World::new();
    let came = world.call(1, "addOnlineUser", json!({ "userID": "1", "userUsername": "x" }));
    assert_eq!(came.told(), ["newOnlineUser to chat"]);
    assert_eq!(came.payload("newOnlineUser"), r#"{"type":"Add","userID":"1"}"#);
    assert_eq!(came.aside.enters, ["here/1"]);
    assert!(came.aside.becomes.is_none());
    assert_eq!(came.reply, json!({ "success": true }));
    // Once a second is enough, and each connection is counted.
    for (later, is_told) in
        [(0, false), (SECOND - 1, false), (1, true), (SECOND, true), (-5 * SECOND, true)]
    {
        world.now += later;
        let came = world.call(1, "addOnlineUser", json!({}));
        assert_eq!(came.rows.len(), usize::from(is_told), "{later}");
        assert_eq!(came.aside.enters, ["here/1"]);
    }
    world.refused(1, "addOnlineUser", json!({ "userID": "2" }), "FORBIDDEN");
    world.refused(1, "addOnlineUser", json!({ "userID": 1 }), "INVALID");
    world.refused(7, "addOnlineUser", json!({ "userID": "7" }), "UNAUTHENTICATED");
    let device = Principal { role: Role::Device, id: "device/1".into(), ..Principal::nobody() };
    world.refused_as(&device, "addOnlineUser", json!({ "userID": "1" }), "FORBIDDEN");
}

#[test]
fn guests_say_who_they_are() {
    let mut world = World::new();
    let guest = Principal::guest_from("127.0.0.1");
    let say = |id: &str| json!({ "userID": id, "username": "visitor" });
    let came = world.call_as(&guest, "addOnlineUser", say("2")).expect("it is heard");
    let becomes = came.aside.becomes.clone().expect("it becomes somebody");
    assert_eq!((becomes.id.as_str(), becomes.role), ("user/2", Role::Guest));
    assert_eq!(came.aside.enters, ["here/2"]);
    assert_eq!(came.told(), ["newOnlineUser to chat"]);
    // By this it may speak, as nobody else.
    let hello = json!({ "message": "a", "roomID": "1:2" });
    assert_eq!(world.call_as(&becomes, "message", hello).expect("it is heard").rows.len(), 3);
    world.refused_as(&becomes, "addOnlineUser", say("3"), "FORBIDDEN");
    world.call_as(&becomes, "addOnlineUser", say("2")).expect("it may say so again");
    // One who is not there is made.
    let came =
        world.call_as(&guest, "addOnlineUser", json!({ "userID": "77", "userUsername": "New" }));
    assert_eq!(came.expect("it is heard").aside.becomes.map(|by| by.id), Some("user/77".into()));
    assert_eq!(world.say(1, "1:77", "hello").reply["success"], true);
    for (request, code) in [
        (say("9"), "FORBIDDEN"),
        (json!({ "userID": "88" }), "INVALID"),
        (json!({ "userID": "88", "username": " " }), "INVALID"),
        (json!({ "userID": "x", "username": "a" }), "INVALID"),
        (json!({ "userID": "0", "username": "a" }), "INVALID"),
        (json!({ "username": "a" }), "INVALID"),
    ] {
        world.refused_as(&guest, "addOnlineUser", request, code);
    }
}

#[test]
fn the_server_says_who_came_and_went() {
    let mut world = World::new();
    for user in [1, 2] {
        world.call(user, "addOnlineUser", json!({}));
    }
    let online = |world: &mut World| {
        let page = world.call(1, "chat.online", json!({})).reply;
        let items = page["items"].as_array().expect("items").iter();
        items.map(|item| format!("{} {}", item["userID"], item["username"])).collect::<Vec<_>>()
    };
    assert_eq!(online(&mut world), [r#""1" "john""#, r#""2" "jane""#]);
    let mut change = |went: &[&str], came: &[&str]| {
        let request = json!({ "went": went, "came": came });
        let told = world.call(1, "chat.present", request).payloads("newOnlineUser");
        told.into_iter()
            .map(|(topics, payload)| format!("{topics} {} {}", payload["type"], payload["userID"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(change(&["2", "3"], &["1", "4"]), [r#"chat "Remove" "2""#, r#"chat "Add" "4""#]);
    assert_eq!(change(&["2"], &["4"]), [""; 0], "it is known already");
    assert_eq!(change(&["4"], &["4"]), [r#"chat "Remove" "4""#, r#"chat "Add" "4""#]);
    let all = world.write(&principal(1), |tx, _| presence::everyone_online(tx).map(Outcome::reply));
    assert_eq!(all.expect("it is read").0, [UserId(1), UserId(4)]);
    // Who went and comes again within the second is told.
    world.call(1, "chat.present", json!({ "went": ["1"] }));
    assert_eq!(world.call(1, "addOnlineUser", json!({})).rows.len(), 1);
    let many: Vec<String> =
        (1..=presence::PRESENT_MAX as i64 + 1).map(|id| id.to_string()).collect();
    world.refused(1, "chat.present", json!({ "came": many }), "INVALID");
    world.call(1, "chat.present", json!({ "came": many[1..] }));
}

/// Where telling everybody is too much, those are told who have talked with a user.
#[test]
fn a_crowd() {
    let mut world = World::new();
    world.say(1, "1:2", "a");
    world.group(4, &[1, 3]);
    world.say(2, "2:5", "not with 1");
    let set = |world: &mut World, users: i64, units: i64| {
        let now = world.now;
        let run = move |tx: &mut Tx<'_>, _: &Ctx<'_>| {
            use bellwire_store::tx::Value;
            let before = tx.one(super::super::sql::PURSE, &[], |row| row.integer(0))?;
            let more = users - before.unwrap_or(0);
            tx.execute(super::super::sql::COUNT_ONLINE, &[Value::Integer(more)])?;
            tx.execute(
                super::super::sql::SET_PURSE,
                &[Value::Integer(units), Value::Integer(now)],
            )?;
            Ok(Outcome::reply(()))
        };
        world.write(&Principal::system(), run).expect("it is set");
    };
    let near = "newOnlineUser to here/1 person/3 person/4 person/2";
    let all = "newOnlineUser to chat";
    for (users, units, later, expected) in [
        (19_999, 20_000, 0, all),
        (19_999, 19_999, 0, near),
        (19_999, 0, SECOND - 50, near),
        (19_999, 0, SECOND, all),
        (199_999, 0, 10 * SECOND, all),
        (200_000, 200_000, 3_600 * SECOND, near),
    ] {
        world.call(1, "chat.present", json!({ "went": ["1"] }));
        set(&mut world, users, units);
        world.now += later;
        assert_eq!(
            world.call(1, "addOnlineUser", json!({})).told(),
            [expected],
            "{users} {units} {later}"
        );
    }
    // What was spent is gone: of the last second there is enough for one.
    world.call(1, "chat.present", json!({ "went": ["1"] }));
    set(&mut world, 12_000, 0);
    world.now += SECOND;
    let told: Vec<String> =
        (1..=3).flat_map(|user| world.call(user, "addOnlineUser", json!({})).told()).collect();
    assert_eq!(told[0], all);
    assert!(told[1].starts_with("newOnlineUser to here/2"), "{told:?}");
    // Connections count that never said that somebody is here: they hear it, too.
    for (listeners, expected) in [(19_999, all), (20_001, near)] {
        world.call(1, "chat.present", json!({ "went": ["1"], "listeners": listeners }));
        set(&mut world, 1, 20_000);
        assert_eq!(world.call(1, "addOnlineUser", json!({})).told(), [expected], "{listeners}");
    }
}
