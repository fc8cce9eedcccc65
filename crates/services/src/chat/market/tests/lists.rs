//! What lists show, and what is left of who is deleted.

use super::*;

#[test]
fn who_offers_help() {
    let mut world = World::new();
    let houseworker = |id: &str, name: &str| json!({ "userID": id, "username": name, "rating": null, "ratings": 0, "comments": 0, "online": false });
    let (sara, mike) = (houseworker("3", "sara_cleaner"), houseworker("4", "mike_butler"));
    let mut check = |by: i64, fields: Value, items: &[&Value], next: Option<&str>| {
        let page = world.get(by, "houseworkers.list", fields.clone());
        assert_eq!(page, json!({ "items": items, "next": next }), "{fields}");
    };
    check(JOHN, json!({}), &[&sara, &mike], None);
    check(SARA, json!({ "limit": 1 }), &[&sara], Some("3"));
    check(SARA, json!({ "limit": 1, "cursor": "3" }), &[&mike], None);
    check(SARA, json!({ "cursor": "4" }), &[], None);
    for wrong in [json!({ "limit": 0 }), json!({ "limit": 1_001 }), json!({ "cursor": "x" })] {
        for call in ["houseworkers.list", "houseworkers.comments", "houseworkers.ratings"] {
            let mut asked = wrong.clone();
            asked["houseworkerID"] = "3".into();
            let fault = world.call(user(JOHN), call, asked).expect_err("it is no page");
            assert_eq!(fault.code, Code::Invalid, "{call} {wrong}");
        }
    }
    let is_online = |world: &mut World| {
        world.get(JOHN, "houseworkers.get", json!({ "houseworkerID": "3" }))["online"].clone()
    };
    assert_eq!(is_online(&mut world), false);
    world.get(SARA, "addOnlineUser", json!({ "userID": "3", "userUsername": "sara_cleaner" }));
    assert_eq!(is_online(&mut world), true);
    world.operator("chat.present", json!({ "went": ["3"] }));
    assert_eq!(is_online(&mut world), false);
    let mut one = |by: Principal, call: &'static str, id: i64| {
        let said = world.call(by, call, json!({ "houseworkerID": id.to_string() }));
        said.map(|(reply, _)| reply).map_err(|fault| fault.code)
    };
    assert_eq!(one(user(JANE), "houseworkers.get", SARA), Ok(sara));
    assert_eq!(one(user(SARA), "houseworkers.get", NICK), Ok(houseworker("6", "nick")));
    for call in ["houseworkers.get", "houseworkers.comments", "houseworkers.ratings"] {
        for id in [JOHN, OLGA, NOBODY] {
            assert_eq!(one(user(SARA), call, id), Err(Code::NotFound), "{call} {id}");
        }
        assert_eq!(one(Principal::guest(), call, SARA), Err(Code::Unauthenticated), "{call}");
        let screen = Principal { role: Role::Client, ..Principal::nobody() };
        assert_eq!(one(screen, call, SARA), Err(Code::Forbidden), "{call}");
    }
    assert_eq!(one(Principal::guest(), "houseworkers.list", SARA), Err(Code::Unauthenticated));
}

#[test]
fn comments_are_listed_and_seen() {
    let mut world = World::new();
    let say = |world: &mut World, by: i64, about: &str, words: &str| {
        let sent = json!({ "houseworkerID": about, "comment": words });
        world.call(user(by), "houseworkers.comment", sent).expect("they are heard");
    };
    let list = |world: &mut World, fields: Value| {
        let mut asked = json!({ "houseworkerID": "3" });
        asked.as_object_mut().expect("it is one").extend(fields.as_object().cloned().expect("one"));
        let page = world.get(JANE, "houseworkers.comments", asked);
        let shown = |item: &Value| format!("{} {} {}", item["comment"], item["from"], item["read"]);
        let items = page["items"].as_array().expect("a list").iter().map(shown);
        (items.collect::<Vec<_>>().join(", ").replace('"', ""), page["next"].clone())
    };
    let seen = |world: &mut World, by: i64, whose: &str| {
        let said =
            world.call(user(by), "houseworkers.read_comments", json!({ "houseworkerID": whose }));
        said.map_err(|fault| fault.code)
    };
    assert_eq!(list(&mut world, json!({})), (String::new(), Value::Null));
    assert_eq!(seen(&mut world, SARA, "3"), Ok((json!({ "unread": 0 }), Vec::new())));
    say(&mut world, JOHN, "3", "one");
    say(&mut world, JANE, "4", "another's");
    say(&mut world, JANE, "3", "two");
    for (by, whose) in [(JOHN, "3"), (JANE, "3"), (MIKE, "3"), (SARA, "4"), (SARA, "77")] {
        assert_eq!(seen(&mut world, by, whose), Err(Code::Forbidden), "{by} {whose}");
    }
    assert_eq!(list(&mut world, json!({})).0, "two jane false, one john_doe false");
    for _ in 0..2 {
        assert_eq!(seen(&mut world, SARA, "3"), Ok((json!({ "unread": 0 }), Vec::new())));
    }
    say(&mut world, MIKE, "3", "three");
    let all = "three mike_butler false, two jane true, one john_doe true";
    assert_eq!(list(&mut world, json!({})), (all.to_owned(), Value::Null));
    let page = list(&mut world, json!({ "limit": 2 }));
    assert_eq!(page, ("three mike_butler false, two jane true".to_owned(), json!("3")));
    let page = list(&mut world, json!({ "limit": 2, "cursor": "3" }));
    assert_eq!(page, ("one john_doe true".to_owned(), Value::Null));
    // Names are those of now; who is shut out stays an author.
    world.operator("users.change", json!({ "userId": "2", "username": "Jane D" }));
    world.operator("users.change", json!({ "userId": "1", "disabled": true }));
    let all = "three mike_butler false, two Jane D true, one john_doe true";
    assert_eq!(list(&mut world, json!({})).0, all);
}

/// How many comments and ratings a user has, by the count and by the list; and the mean.
fn counted(world: &mut World, id: i64) -> (i64, i64, Value) {
    let about = json!({ "houseworkerID": id.to_string() });
    let shown = world.get(NICK, "houseworkers.get", about.clone());
    let mut listed = |call: &'static str| {
        let mut asked = about.clone();
        let mut count = 0;
        loop {
            let page = world.get(NICK, call, asked.clone());
            count += page["items"].as_array().expect("a list").len() as i64;
            if page["next"].is_null() {
                return count;
            }
            asked["cursor"] = page["next"].clone();
        }
    };
    let (comments, ratings) = (listed("houseworkers.comments"), listed("houseworkers.ratings"));
    assert_eq!((&shown["comments"], &shown["ratings"]), (&json!(comments), &json!(ratings)));
    (comments, ratings, shown["rating"].clone())
}

#[test]
fn who_is_deleted_takes_it_along() {
    let mut world = World::new();
    for (by, about, rating) in
        [(JOHN, 3, 1), (JANE, 3, 4), (JOHN, 4, 2), (SARA, 4, 5), (MIKE, 3, 5)]
    {
        let about = about.to_string();
        let sent = json!({ "houseworkerID": about, "comment": "x", "rating": rating });
        world.call(user(by), "houseworkers.comment", sent.clone()).expect("they are heard");
        world.call(user(by), "houseworkers.rate", sent).expect("they are heard");
    }
    let forget = |world: &mut World, id: i64| {
        world.now += SECOND;
        world.operator("users.delete", json!({ "userId": id.to_string() }));
    };
    assert_eq!(counted(&mut world, SARA), (3, 3, json!(3.33)));
    assert_eq!(counted(&mut world, MIKE), (2, 2, json!(3.5)));
    forget(&mut world, JOHN);
    assert_eq!(counted(&mut world, SARA), (2, 2, json!(4.5)));
    assert_eq!(counted(&mut world, MIKE), (1, 1, json!(5.0)));
    forget(&mut world, SARA);
    assert_eq!(counted(&mut world, MIKE), (0, 0, Value::Null));
    // Who gets the id has nothing of it.
    let made = world.write(Principal::operator(), |tx, ctx| {
        identity::make_on_the_spot(tx, ctx.now, UserId(SARA), "sara").map(Outcome::reply)
    });
    assert_eq!(made.expect("the id is free").0.login, "user-3");
    assert_eq!(counted(&mut world, SARA), (0, 0, Value::Null));
}

#[test]
fn much_is_forgotten_in_slices() {
    let mut world = World::new();
    let many = 2 * SLICE_ROWS + 1;
    let fill = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
        for number in 0..many {
            let about = UserId(if number % 2 == 0 { SARA } else { MIKE });
            let comment = serde_json::from_value(json!({ "comment": "x", "houseworkerID": about }));
            decide::comment(tx, ctx, &comment.expect("it is one"))?;
        }
        Ok(Outcome::reply(()))
    };
    world.write(user(JOHN), fill).expect("he is heard");
    world.now += SECOND;
    world.operator("users.delete", json!({ "userId": "1" }));
    let made = world.write(Principal::operator(), |tx, ctx| {
        identity::make_on_the_spot(tx, ctx.now + 1, UserId(JOHN), "john").map(Outcome::reply)
    });
    made.expect("the id is free");
    world.now += 1;
    let sent = json!({ "comment": "mine", "houseworkerID": "3" });
    world.call(user(JOHN), "houseworkers.comment", sent).expect("he is heard");
    let left = |world: &mut World| counted(world, SARA).0 + counted(world, MIKE).0;
    let mut seen = vec![left(&mut world)];
    for _ in 0..3 {
        let run = |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
            let rows = due::next(tx, [FORGET], ctx.now, 10)?;
            for row in &rows {
                due::disarm(tx, FORGET, &row.key)?;
                go_on(tx, ctx, &row.key)?;
            }
            Ok(Outcome::reply(rows.len()))
        };
        let (rows, _) = world.write(Principal::system(), run).expect("it is done");
        seen.extend((rows > 0).then(|| left(&mut world)));
    }
    assert_eq!(seen, [SLICE_ROWS + 2, 2, 1]);
    // What nobody wrote does nothing.
    for key in ["", "1", "1@", "x@1", "1@x", "0@1"] {
        let run = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| go_on(tx, ctx, key);
        world.write(Principal::system(), run).expect("it is passed over");
    }
    assert_eq!(left(&mut world), 1);
}
