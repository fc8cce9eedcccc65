//! How houseworkers are rated.

use super::*;

#[test]
fn a_rating_as_the_document_has_it() {
    let mut world = World::new();
    let sent = json!({
        "client": "somebody else", "houseworker": "nobody", "rating": 5, "houseworkerID": "3",
        "notification": { "id": 387, "from": "2", "to": "1", "message": "Forged" },
    });
    let notification = r#"{"id":1,"from":"1","to":"3","type":"comment","date":{"day":31,"month":12,"year":2023,"time":"23:30"},"message":"The user john_doe has rated you with 5","read":false}"#;
    let events = [
        format!(
            r#"privateRatingNotify-3 to person/3: {{"client":"john_doe","houseworker":"sara_cleaner","rating":5,"houseworkerID":"3","notification":{notification}}}"#
        ),
        r#"notification to inbox/3: {"title":"New rating","message":"The user john_doe has rated you with 5","level":"info","timestamp":"2023-12-31T23:30:00"}"#.to_owned(),
    ];
    let done = world.call(user(JOHN), "ratingNotification", sent.clone());
    assert_eq!(done, Ok((json!({ "success": true }), events.to_vec())));
    let kept: Value = serde_json::from_str(notification).expect("it is JSON");
    assert_eq!(world.get(SARA, "notifications.list", json!({}))["items"], json!([kept]));
    let (reply, events) = world.call(user(JANE), "houseworkers.rate", sent).expect("she is heard");
    let rating =
        json!({ "client": "jane", "rating": 5, "houseworkerID": "3", "date": "31.12.2023" });
    assert_eq!((reply, events.len()), (rating, 2));
}

#[test]
fn ratings_that_are_refused() {
    let mut world = World::new();
    let mut check = |by: Principal, fields: Value, expected: Result<(), (Code, &str)>| {
        let mut sent = json!({ "rating": 4, "houseworkerID": "3" });
        let all = sent.as_object_mut().expect("it is one");
        all.extend(fields.as_object().cloned().expect("fields are an object"));
        all.retain(|_, value| value != "absent");
        for call in ["ratingNotification", "houseworkers.rate"] {
            match (world.call(by.clone(), call, sent.clone()).map(drop), expected) {
                (Ok(()), Ok(())) => {}
                (Err(fault), Err((code, words))) => {
                    assert_eq!(fault.code, code, "{sent}: {fault}");
                    assert!(fault.message.starts_with(words), "{sent}: {fault}");
                }
                (done, _) => panic!("{done:?}, not {expected:?}: {sent}"),
            }
        }
    };
    let bounds = Err((Code::Invalid, "rating: a whole number from 1 to 5"));
    for (rating, is_one) in
        [(1, true), (5, true), (0, false), (6, false), (-1, false), (i64::MAX, false)]
    {
        check(user(JOHN), json!({ "rating": rating }), if is_one { Ok(()) } else { bounds });
    }
    let wrong = Err((Code::Invalid, "rating: invalid "));
    for rating in [
        json!(4.5),
        json!(4.0),
        json!(1e300),
        json!(u64::MAX),
        json!("5"),
        json!(""),
        json!(null),
        json!(true),
        json!([5]),
        json!({ "value": 5 }),
    ] {
        check(user(JOHN), json!({ "rating": rating }), wrong);
    }
    check(
        user(JOHN),
        json!({ "rating": "absent" }),
        Err((Code::Invalid, "missing field `rating`")),
    );
    let id = Err((Code::Invalid, "houseworkerID: "));
    for other in [json!(3), json!("03"), json!("sara_cleaner"), json!(null)] {
        check(user(JOHN), json!({ "houseworkerID": other }), id);
    }
    who_is_refused(&mut check, |id| json!({ "houseworkerID": id }));
    let shown = world.get(JOHN, "houseworkers.get", json!({ "houseworkerID": "3" }));
    assert_eq!((&shown["ratings"], &shown["rating"]), (&json!(3), &json!(4.0)));
}

#[test]
fn the_newest_rating_of_a_pair_counts() {
    let mut world = World::new();
    let mut check =
        |by: i64, second: i64, call: &'static str, rating: i64, is_told: bool, mean: f64| {
            world.now = START + second * SECOND;
            let sent = json!({ "rating": rating, "houseworkerID": "3" });
            let (_, events) = world.call(user(by), call, sent).expect("they are heard");
            assert_eq!(!events.is_empty(), is_told, "{by} at {second}");
            let shown = world.get(NICK, "houseworkers.get", json!({ "houseworkerID": "3" }));
            assert_eq!(shown["rating"], json!(mean), "{by} at {second}");
            shown["ratings"].as_i64().expect("a number")
        };
    let (socket, http) = ("ratingNotification", "houseworkers.rate");
    assert_eq!(check(JOHN, 0, http, 5, true, 5.0), 1);
    assert_eq!(check(JOHN, 1, socket, 5, false, 5.0), 1);
    assert_eq!(check(JOHN, 59, socket, 5, false, 5.0), 1);
    // A repeat is no new one: the minute is that of the first.
    assert_eq!(check(JOHN, 60, socket, 5, true, 5.0), 1);
    assert_eq!(check(JOHN, 61, socket, 4, true, 4.0), 1);
    assert_eq!(check(JOHN, 62, socket, 5, true, 5.0), 1);
    assert_eq!(check(JOHN, 63, http, 5, true, 5.0), 1);
    // Another pair is another rating.
    assert_eq!(check(JANE, 63, socket, 5, true, 5.0), 2);
    assert_eq!(check(MIKE, 64, socket, 4, true, 4.67), 3);
    assert_eq!(check(NICK, 65, socket, 1, true, 3.75), 4);
    // The clock was set back.
    assert_eq!(check(JOHN, -3_600, socket, 5, false, 3.75), 4);
    let listed = world.get(JOHN, "houseworkers.ratings", json!({ "houseworkerID": "3" }));
    let listed: Vec<_> = listed["items"].as_array().expect("a list").iter().collect();
    let names: Vec<_> = listed.iter().map(|one| one["client"].as_str().expect("a name")).collect();
    assert_eq!(names, ["nick", "mike_butler", "jane", "john_doe"]);
    let own = world.get(JOHN, "houseworkers.get", json!({ "houseworkerID": "4" }));
    assert_eq!((&own["rating"], &own["ratings"]), (&Value::Null, &json!(0)));
}

#[test]
fn means_have_two_decimals() {
    let check = |sum, count, expected: Option<f64>| assert_eq!(read::mean(sum, count), expected);
    check(0, 0, None);
    check(5, 1, Some(5.0));
    check(7, 3, Some(2.33));
    check(8, 3, Some(2.67));
    check(1_001, 200, Some(5.01));
    check(5 * 10_000_000_000, 10_000_000_000, Some(5.0));
}
