//! Comments and ratings: over sockets word for word as the document has them, over REST, and that both are one.

use serde_json::{Value, json};

use super::{
    DONE, Form, House, JANE, JOHN, Line, MIKE, SARA, STRANGER,
    line::ROOT,
    table::{A1, A2, J1, J3, S1, Scene, X1},
};

/// The document's comment.
pub const COMMENT: &str = r#"{"newComment":{"commentID":240,"comment":"Great service!","from":"john_doe","houseworkerID":"2","date":"25.10.2025","read":false},"notificationObj":{"id":388,"from":"1","to":"2","type":"comment","date":{},"message":"You've got comment from john_doe","read":false}}"#;
/// The document's rating.
pub const RATING: &str = r#"{"client":"john_doe","houseworker":"sara_cleaner","rating":5,"houseworkerID":"2","notification":{}}"#;

const KEYS: [&str; 6] = ["commentID", "comment", "from", "houseworkerID", "date", "read"];

/// A comment as it is told.
fn comment(text: &str, from: &str, to: usize) -> String {
    format!(
        r#"{{"commentID":N,"comment":{},"from":"{from}","houseworkerID":"{to}","date":DAY,"read":false}}"#,
        Value::from(text)
    )
}

/// What is told with it.
fn notified(text: &str, from: (usize, &str), to: usize) -> String {
    format!(
        r#"privateCommentNotify {{"newComment":{},"notificationObj":{{"id":N,"from":"{}","to":"{to}","type":"comment","date":DATE,"message":"You've got comment from {}","read":false}}}}"#,
        comment(text, from.1, to),
        from.0,
        from.1
    )
}

/// What is told of a rating by john_doe.
fn rated(to: usize, name: &str, rating: u8) -> String {
    format!(
        r#"privateRatingNotify-{to} {{"client":"john_doe","houseworker":"{name}","rating":{rating},"houseworkerID":"{to}","notification":{{"id":N,"from":"1","to":"{to}","type":"comment","date":DATE,"message":"The user john_doe has rated you with {rating}","read":false}}}}"#
    )
}

#[test]
fn who_hears_of_comments_and_ratings() {
    for is_swapped in [false, true] {
        let mut scene = Scene::at_home(is_swapped);
        let jane = [A1, A2];
        let told = notified("Great service!", (JOHN, "john_doe"), JANE);
        let change = format!("newCommentChange {}", comment("Great service!", "john_doe", JANE));
        let rows: [(&[usize], &str); 2] = [(&jane, &told), (&jane, &change)];
        // Its id is none of john_doe's: it is a new one, whenever it is said.
        scene.row(J1, "commentNotification", COMMENT, DONE, &rows);
        scene.row(J3, "commentNotification", COMMENT, DONE, &rows);
        scene.row(J1, "ratingNotification", RATING, DONE, &[(&jane, &rated(JANE, "jane", 5))]);
        // The same rating is none; another is.
        scene.row(J3, "ratingNotification", RATING, DONE, &[]);
        let other = RATING.replace(r#""rating":5"#, r#""rating":4"#);
        scene.row(J3, "ratingNotification", &other, DONE, &[(&jane, &rated(JANE, "jane", 4))]);
        scene.row(J3, "ratingNotification", RATING, DONE, &[(&jane, &rated(JANE, "jane", 5))]);
        // Whom it is about, and no other tab of theirs, as sara_cleaner has one that is nowhere.
        let to_sara = RATING.replace(r#""houseworkerID":"2""#, r#""houseworkerID":"3""#);
        scene.row(
            J1,
            "ratingNotification",
            &to_sara,
            DONE,
            &[(&[S1], &rated(SARA, "sara_cleaner", 5))],
        );
        // A comment that was made over REST, and is told again over a socket.
        let body = json!({ "comment": "By REST" });
        let made =
            scene.house.ask(JOHN, "POST", "/api/houseworkers/3/comments").json(&body).expect(201);
        let keys: Vec<&String> = made.as_object().expect("an object").keys().collect();
        assert_eq!(keys, KEYS);
        let told = notified("By REST", (JOHN, "john_doe"), SARA);
        let change = format!("newCommentChange {}", comment("By REST", "john_doe", SARA));
        scene.hear("a comment over REST", &[(&[S1], &told), (&[S1], &change)]);
        let again = json!({ "newComment": made });
        scene.row(J1, "commentNotification", &again.to_string(), DONE, &[]);
        // Another's id means nothing.
        let told = notified("By REST", (STRANGER, "stranger"), SARA);
        let change = format!("newCommentChange {}", comment("By REST", "stranger", SARA));
        scene.row(
            X1,
            "commentNotification",
            &again.to_string(),
            DONE,
            &[(&[S1], &told), (&[S1], &change)],
        );
        let body = json!({ "rating": 2 });
        scene.house.ask(JOHN, "POST", "/api/houseworkers/3/ratings").json(&body).expect(201);
        scene.hear("a rating over REST", &[(&[S1], &rated(SARA, "sara_cleaner", 2))]);
        let same = to_sara.replace(r#""rating":5"#, r#""rating":2"#);
        scene.row(J1, "ratingNotification", &same, DONE, &[]);
    }
}

/// A comment as a client tells of it.
fn said(text: &Value, to: &Value) -> String {
    json!({ "newComment": { "comment": text, "houseworkerID": to } }).to_string()
}

/// A rating as a client tells of it.
fn rating(rating: &Value, to: &Value) -> String {
    json!({ "rating": rating, "houseworkerID": to }).to_string()
}

/// Whom nobody may comment on or rate.
#[track_caller]
fn wrong_targets(house: &House, line: &mut Line) {
    // A client, somebody who is shut out, nobody, oneself.
    for (to, code) in
        [("2", "NOT_FOUND"), ("4", "NOT_FOUND"), ("99", "NOT_FOUND"), ("1", "INVALID")]
    {
        line.refused("commentNotification", &said(&json!("canary"), &json!(to)), code);
        line.refused("ratingNotification", &rating(&json!(5), &json!(to)), code);
        let status = if code == "INVALID" { 422 } else { 404 };
        let (comment, five) = (json!({ "comment": "canary" }), json!({ "rating": 5 }));
        for (path, body) in [("comments", comment), ("ratings", five)] {
            let path = format!("/api/houseworkers/{to}/{path}");
            house.ask(JOHN, "POST", &path).json(&body).refused(status, code);
        }
    }
}

/// Whom nobody may comment on or rate, and what neither may be.
#[test]
fn what_is_refused() {
    let house = House::new();
    let kind = json!({ "kind": "client" });
    house.rules("PATCH", "/api/users/2").json(&kind).expect(200);
    let shut = json!({ "disabled": true });
    house.rules("PATCH", "/api/users/4").json(&shut).expect(200);
    let mut sara = house.line_in(SARA, ROOT, &[]);
    let mut jane = house.line_in(JANE, Form::Plain, &[]);
    for form in [ROOT, Form::Plain] {
        let mut line = house.line(JOHN, form);
        wrong_targets(&house, &mut line);
        for wrong in
            [json!(0), json!(6), json!(4.5), json!(-1), json!("5"), json!(null), json!([5])]
        {
            line.refused("ratingNotification", &rating(&wrong, &json!("3")), "INVALID");
            let body = json!({ "rating": wrong });
            house
                .ask(JOHN, "POST", "/api/houseworkers/3/ratings")
                .json(&body)
                .refused(422, "INVALID");
        }
        for wrong in [
            json!(""),
            json!(" \n"),
            json!("\u{200b}"),
            json!("a\u{7f}"),
            json!("x".repeat(4_097)),
            json!(7),
            json!(null),
        ] {
            line.refused("commentNotification", &said(&wrong, &json!("3")), "INVALID");
            let body = json!({ "comment": wrong });
            house
                .ask(JOHN, "POST", "/api/houseworkers/3/comments")
                .json(&body)
                .refused(422, "INVALID");
        }
        for payload in [
            json!({}),
            json!({ "newComment": null }),
            json!({ "newComment": "a" }),
            json!({ "comment": "a", "houseworkerID": "3" }),
        ] {
            line.refused("commentNotification", &payload.to_string(), "INVALID");
        }
        for to in [json!(3), json!("03"), json!(""), json!("x"), json!(null)] {
            line.refused("ratingNotification", &rating(&json!(5), &to), "INVALID");
            line.refused("commentNotification", &said(&json!("a"), &to), "INVALID");
        }
        assert_eq!(line.told(), [""; 0]);
    }
    assert_eq!((sara.told(), jane.told()), (vec![], vec![]));
    let sara = house.ask(JOHN, "GET", "/api/houseworkers/3").expect(200);
    assert_eq!(
        (&sara["comments"], &sara["ratings"], &sara["rating"]),
        (&json!(0), &json!(0), &Value::Null)
    );
}

#[test]
fn lists_of_houseworkers() {
    let house = House::new();
    for (user, to, rating) in
        [(JOHN, 3, 5), (JANE, 3, 4), (JOHN, 4, 1), (JOHN, 3, 2), (STRANGER, 3, 5)]
    {
        let path = format!("/api/houseworkers/{to}/ratings");
        let made = house.ask(user, "POST", &path).json(&json!({ "rating": rating })).expect(201);
        let keys: Vec<&String> = made.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["client", "rating", "houseworkerID", "date"]);
    }
    for n in 1..=5 {
        let body = json!({ "comment": format!("comment {n}") });
        house.ask(JANE, "POST", "/api/houseworkers/3/comments").json(&body).expect(201);
    }
    let mut online = house.line(SARA, Form::Plain);
    online.does("addOnlineUser", "{}");
    let all = house.ask(JOHN, "GET", "/api/houseworkers").expect(200);
    let sara = json!({
        "userID": "3", "username": "sara_cleaner", "rating": 3.67, "ratings": 3, "comments": 5, "online": true,
    });
    let mike = json!({
        "userID": "4", "username": "mike_butler", "rating": 1.0, "ratings": 1, "comments": 0, "online": false,
    });
    assert_eq!(all, json!({ "items": [sara, mike], "next": null }));
    assert_eq!(house.ask(JANE, "GET", "/api/houseworkers/3").expect(200), sara);
    // One who is of no kind can be asked for, and is in no list; a client is none.
    house.ask(JANE, "GET", "/api/houseworkers/5").expect(200);
    house.rules("PATCH", "/api/users/5").json(&json!({ "kind": "client" })).expect(200);
    for id in ["5", "99", "0", "x", "03"] {
        let refused = house.ask(JANE, "GET", &format!("/api/houseworkers/{id}")).send();
        assert!(matches!(refused.status, 404 | 422), "{refused:?}");
    }
    // The newest first, page by page; of each user one rating.
    let list = |path: &str, key: &str| -> Vec<Value> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = house
                .ask(SARA, "GET", &format!("/api/houseworkers/3/{path}?limit=2{cursor}"))
                .expect(200);
            found.extend(
                page["items"].as_array().expect("items").iter().map(|item| item[key].clone()),
            );
            let Some(next) = page["next"].as_str() else { return found };
            cursor = format!("&cursor={next}");
        }
    };
    let comments: Vec<Value> = (1..=5).rev().map(|n| json!(format!("comment {n}"))).collect();
    assert_eq!(list("comments", "comment"), comments);
    assert_eq!(list("ratings", "rating"), [5, 2, 4].map(Value::from));
    assert_eq!(list("ratings", "client"), ["stranger", "john_doe", "jane"].map(Value::from));
    // What was seen is noted by whom it is about alone.
    let read = |user: usize| house.ask(user, "POST", "/api/houseworkers/3/comments/read");
    read(JANE).refused(403, "FORBIDDEN");
    assert!(list("comments", "read").iter().all(|read| *read == false));
    read(SARA).expect(200);
    assert!(list("comments", "read").iter().all(|read| *read == true));
    // Who is deleted takes along what they said.
    house.rules("DELETE", "/api/users/2").expect(204);
    crate::harness::until("what jane said is gone", || {
        let sara = house.ask(JOHN, "GET", "/api/houseworkers/3").expect(200);
        (&sara["comments"], &sara["ratings"], &sara["rating"])
            == (&json!(0), &json!(2), &json!(3.5))
    });
    assert_eq!(list("comments", "comment"), [Value::Null; 0]);
}

/// Each is a notification of the houseworker's, whether they were there or not; a request with its key is done once.
#[test]
fn notifications_of_comments_and_ratings() {
    let house = House::new();
    let with_key = |rating: u8| {
        let ask = house.ask(JOHN, "POST", "/api/houseworkers/4/ratings");
        ask.header("Idempotency-Key: rating").json(&json!({ "rating": rating }))
    };
    assert_eq!(with_key(3).expect(201), with_key(3).expect(201));
    with_key(4).refused(409, "CONFLICT");
    let body = json!({ "comment": "Good" });
    house.ask(JANE, "POST", "/api/houseworkers/4/comments").json(&body).expect(201);
    house.line(STRANGER, ROOT).does("ratingNotification", &rating(&json!(5), &json!("4")));
    let inbox = house.ask(MIKE, "GET", "/api/notifications").expect(200);
    let items = inbox["items"].as_array().expect("items");
    assert!(items.iter().all(|item| item["type"] == "comment" && item["to"] == "4"), "{inbox}");
    let texts: Vec<&Value> = items.iter().map(|item| &item["message"]).collect();
    let expected = [
        "The user stranger has rated you with 5",
        "You've got comment from jane",
        "The user john_doe has rated you with 3",
    ];
    assert_eq!(texts, expected);
    let from: Vec<&Value> = items.iter().map(|item| &item["from"]).collect();
    assert_eq!(from, ["5", "2", "1"]);
}
