//! What is said of houseworkers.

use super::*;

/// `{"newComment":{..}}` on Sara, with other fields.
fn on_sara(fields: Value) -> Value {
    let mut comment = json!({ "comment": "Great service!", "houseworkerID": "3" });
    let all = comment.as_object_mut().expect("it is one");
    all.extend(fields.as_object().cloned().expect("fields are an object"));
    all.retain(|_, value| value != "absent");
    json!({ "newComment": comment })
}

#[test]
fn a_comment_as_the_document_has_it() {
    let mut world = World::new();
    world.settings.time_zone = jiff::tz::TimeZone::get("Europe/Berlin").expect("it is bundled");
    let sent = json!({
        "newComment": {
            "commentID": 240, "comment": "Great service!", "from": "somebody else", "houseworkerID": "3",
            "date": "25.10.2025", "read": true,
        },
        "notificationObj": {
            "id": 388, "from": "2", "to": "1", "type": "comment", "date": { "day": 1 }, "message": "Forged", "read": true,
        },
    });
    let comment = r#"{"commentID":1,"comment":"Great service!","from":"john_doe","houseworkerID":"3","date":"01.01.2024","read":false}"#;
    let notification = r#"{"id":1,"from":"1","to":"3","type":"comment","date":{"day":1,"month":1,"year":2024,"time":"00:30"},"message":"You've got comment from john_doe","read":false}"#;
    let events = [
        format!(
            r#"privateCommentNotify to person/3: {{"newComment":{comment},"notificationObj":{notification}}}"#
        ),
        format!("newCommentChange to person/3: {comment}"),
        r#"notification to inbox/3: {"title":"New comment","message":"You've got comment from john_doe","level":"info","timestamp":"2023-12-31T23:30:00"}"#.to_owned(),
    ];
    let done = world.call(user(JOHN), "commentNotification", sent.clone());
    assert_eq!(done, Ok((json!({ "success": true }), events.to_vec())));
    // Who is away finds it, as they were told it.
    let kept: Value = serde_json::from_str(notification).expect("it is JSON");
    assert_eq!(world.get(SARA, "notifications.list", json!({}))["items"], json!([kept]));
    assert_eq!(world.inbox(JOHN), [""; 0]);

    // Over HTTP it is the same, and answered.
    let sent = json!({ "houseworkerID": "3", "comment": "Great service!", "commentID": 1 });
    let (reply, events) =
        world.call(user(JANE), "houseworkers.comment", sent).expect("she is heard");
    let comment = json!({
        "commentID": 2, "comment": "Great service!", "from": "jane", "houseworkerID": "3", "date": "01.01.2024",
        "read": false,
    });
    assert_eq!((reply, events.len()), (comment.clone(), 3));
    let told = format!("newCommentChange to person/3: {comment}");
    assert!(events[0].starts_with("privateCommentNotify to person/3: ") && events[1] == told);
}

#[test]
fn a_comment_is_made_once() {
    let mut world = World::new();
    let made = |comment: &str| json!({ "houseworkerID": "3", "comment": comment });
    for (by, words) in [(JOHN, "one"), (JANE, "two"), (JOHN, "three")] {
        world.call(user(by), "houseworkers.comment", made(words)).expect("they are heard");
    }
    let mut check = |by: i64, fields: Value, is_new: bool| {
        let done = world.call(user(by), "commentNotification", on_sara(fields.clone()));
        let (reply, events) = done.expect("they are heard");
        let told = if is_new { 3 } else { 0 };
        assert_eq!((reply, events.len()), (json!({ "success": true }), told), "{by} {fields}");
    };
    check(JOHN, json!({ "commentID": 1, "comment": "one" }), false);
    check(JOHN, json!({ "commentID": 1, "comment": "one", "read": true }), false);
    check(JOHN, json!({ "commentID": 3, "comment": "three" }), false);
    check(JANE, json!({ "commentID": 2, "comment": "two" }), false);
    // What is named is not this: no words get lost.
    check(JOHN, json!({ "commentID": 1, "comment": "One" }), true);
    check(JOHN, json!({ "commentID": 1, "comment": "one", "houseworkerID": "4" }), true);
    // Another's, or nobody's, is none that the caller made.
    check(JOHN, json!({ "commentID": 2, "comment": "two" }), true);
    check(JANE, json!({ "commentID": 1, "comment": "one" }), true);
    for id in [0, -1, 240, i64::MAX, i64::MIN] {
        check(JOHN, json!({ "commentID": id, "comment": "one" }), true);
    }
    // The same words again are another comment.
    check(JOHN, json!({ "comment": "one" }), true);
    check(JOHN, json!({ "commentID": null, "comment": "one" }), true);
    let shown = world.get(NICK, "houseworkers.get", json!({ "houseworkerID": "3" }));
    assert_eq!(shown["comments"], 3 + 10);
}

#[test]
fn comments_that_are_refused() {
    let mut world = World::new();
    let longest = "\u{20ac}".repeat(TEXT_LEN_MAX / 3) + "x";
    assert_eq!(longest.len(), TEXT_LEN_MAX);
    let mut check = |by: Principal, fields: Value, expected: Result<(), (Code, &str)>| {
        let fields = if fields.get("newComment").is_some() { fields } else { on_sara(fields) };
        let socket = world.call(by.clone(), "commentNotification", fields.clone());
        let http = world.call(by, "houseworkers.comment", fields["newComment"].clone());
        for done in [socket.map(drop), http.map(drop)] {
            match (done, expected) {
                (Ok(()), Ok(())) => {}
                (Err(fault), Err((code, words))) => {
                    let said = fault.message.trim_start_matches("newComment");
                    let said = said.trim_start_matches(['.', ':', ' ']);
                    assert_eq!(fault.code, code, "{fields}: {said}");
                    assert!(said.starts_with(words), "{fields}: {said}");
                }
                (done, _) => panic!("{done:?}, not {expected:?}: {fields}"),
            }
        }
    };
    let text = Err((Code::Invalid, "comment: a text to 4096 bytes"));
    for (words, is_one) in [
        ("x", true),
        ("\u{1f9f9}", true),
        (&longest, true),
        ("\u{5d0}\u{5d1}\u{202e}abc", true),
        ("a\u{200b}b", true),
        ("  kept as it came \n\t", true),
        ("<script>alert(1)</script>", true),
        ("' OR 1=1; --", true),
        (&(longest.clone() + "y"), false),
        ("", false),
        (" \n\t\u{a0}\u{2003}", false),
        ("\u{200b}\u{200d}\u{feff}\u{2060}", false),
        ("\u{202e}\u{2066}", false),
        ("a\u{0}", false),
        ("a\rb", false),
        ("a\u{1b}[31m", false),
        ("a\u{85}", false),
    ] {
        check(user(JOHN), json!({ "comment": words }), if is_one { Ok(()) } else { text });
    }
    let none = Err((Code::Invalid, "missing field `comment`"));
    check(user(JOHN), json!({ "comment": "absent" }), none);
    for words in [json!(null), json!(1), json!(["x"]), json!({ "x": 1 }), json!(true)] {
        check(
            user(JOHN),
            json!({ "comment": words }),
            Err((Code::Invalid, "comment: invalid type")),
        );
    }
    let id = Err((Code::Invalid, "houseworkerID: "));
    for other in
        [json!(3), json!("03"), json!("x"), json!("0"), json!("-1"), json!(null), json!("3 ")]
    {
        check(user(JOHN), json!({ "houseworkerID": other }), id);
    }
    let missing = Err((Code::Invalid, "missing field `houseworkerID`"));
    check(user(JOHN), json!({ "houseworkerID": "absent" }), missing);
    who_is_refused(&mut check, |id| json!({ "houseworkerID": id }));
    let shown = world.get(JOHN, "houseworkers.get", json!({ "houseworkerID": "3" }));
    assert_eq!(shown["comments"], 2 * (8 + 3));
}

#[test]
fn a_socket_s_comments_that_are_refused() {
    let mut world = World::new();
    for wrong in [json!(1.0), json!("1"), json!(1.5), json!(1e300), json!([1]), json!(true)] {
        let refused =
            world.call(user(JOHN), "commentNotification", on_sara(json!({ "commentID": wrong })));
        let fault = refused.expect_err("it is no id");
        assert!(fault.message.starts_with("newComment.commentID: invalid type"), "{fault:?}");
    }
    for wrong in [json!({}), json!({ "newComment": "x" }), json!({ "newComment": [] })] {
        let fault = world.call(user(JOHN), "commentNotification", wrong).expect_err("it is none");
        assert_eq!(fault.code, Code::Invalid);
    }
}
