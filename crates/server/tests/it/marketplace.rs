//! The marketplace as its clients meet it: who hears of comments and ratings, over which protocol they come, and what of
//! what a client says is not believed.

use serde_json::{Value, json};

use crate::harness::{Ask, Client, Over, Server};

/// A server with jane, a client, and the houseworkers sara and mike; users 2, 3 and 4.
struct Market {
    server: Server,
    jane: String,
    sara: String,
    mike: String,
}

impl Market {
    fn new() -> Market {
        let server = Server::start();
        let admin = server.token("admin", &[]).text;
        let [jane, sara, mike] =
            [("jane", "client"), ("sara", "houseworker"), ("mike", "houseworker")].map(
                |(name, kind)| {
                    let new = json!({ "username": name, "kind": kind });
                    let made =
                        server.ask("POST", "/api/users").bearer(&admin).json(&new).expect(201);
                    server.token_of("user", made["userId"].as_str().expect("an id"), &[]).text
                },
            );
        Market { server, jane, sara, mike }
    }

    fn open(&self, token: &str) -> Client {
        self.server.dial("/ws/chat/").bearer(token).open()
    }

    /// The same in the user's own room.
    fn home(&self, token: &str, id: &str) -> Client {
        let mut client = self.open(token);
        let join = format!(r#"{{"type":"joinRoom","data":"{id}","id":1}}"#);
        assert_eq!(client.ask(&join), r#"{"type":"joinRoom:response","success":true,"id":1}"#);
        client
    }

    fn ask(&self, method: &str, path: &str, token: &str) -> Ask {
        self.server.ask(method, &format!("/api/houseworkers{path}")).bearer(token)
    }
}

/// What is heard next: of which comment or rating, and whose notification it is.
fn heard(client: &mut Client) -> String {
    let frame: Value = serde_json::from_str(&client.text()).expect("a frame is JSON");
    let name = frame["type"].as_str().expect("it has a name").to_owned();
    match &*name {
        "privateCommentNotify" => {
            let (comment, note) = (&frame["newComment"], &frame["notificationObj"]);
            assert_eq!(note["to"], comment["houseworkerID"]);
            format!("{name} {} {} {}", comment["comment"], comment["from"], note["from"])
        }
        "newCommentChange" => format!("{name} {} {}", frame["comment"], frame["from"]),
        _ => format!(
            "{name} {} {} {}",
            frame["rating"], frame["client"], frame["notification"]["from"]
        ),
    }
}

fn comment(about: &str, words: &str) -> String {
    let new = json!({
        "comment": words, "houseworkerID": about, "from": "mike", "commentID": 1, "read": true, "date": "01.01.1970",
    });
    let forged = json!({ "id": 1, "from": "4", "to": "2", "message": "Forged", "read": true });
    json!({ "type": "commentNotification", "newComment": new, "notificationObj": forged, "id": 7 })
        .to_string()
}

fn rating(about: &str, stars: i64) -> String {
    json!({ "type": "ratingNotification", "rating": stars, "houseworkerID": about, "client": "mike", "id": 7 })
        .to_string()
}

#[test]
fn whom_it_is_about_hears_it_and_nobody_else() {
    let market = Market::new();
    let mut jane = market.home(&market.jane, "2");
    let (mut sara, mut mike) = (market.home(&market.sara, "3"), market.home(&market.mike, "4"));
    let mut elsewhere = market.open(&market.sara);
    let done =
        |said: String| assert!(said.ends_with(r#":response","success":true,"id":7}"#), "{said}");
    done(jane.ask(&comment("3", "one")));
    done(jane.ask(&rating("3", 5)));
    done(jane.ask(&rating("3", 5)));
    // What is told later is told behind it: had they heard of Sara, it would be first.
    let later = json!({ "comment": "later" });
    market.ask("POST", "/4/comments", &market.jane).json(&later).expect(201);
    let of_comment = |words: &str| {
        [
            format!(r#"privateCommentNotify "{words}" "jane" "2""#),
            format!(r#"newCommentChange "{words}" "jane""#),
        ]
    };
    assert_eq!([heard(&mut mike), heard(&mut mike)], of_comment("later"));
    assert_eq!([heard(&mut sara), heard(&mut sara)], of_comment("one"));
    assert_eq!(heard(&mut sara), r#"privateRatingNotify-3 5 "jane" "2""#);
    let join = elsewhere.ask(r#"{"type":"joinRoom","data":"3","id":1}"#);
    assert_eq!(join, r#"{"type":"joinRoom:response","success":true,"id":1}"#);
    done(jane.ask(&comment("3", "two")));
    // Every connection that is there, once.
    for client in [&mut sara, &mut elsewhere] {
        assert_eq!([heard(client), heard(client)], of_comment("two"));
    }
    let left = r#"{"type":"leaveRoom:response","success":true,"id":1}"#;
    assert_eq!(elsewhere.ask(r#"{"type":"leaveRoom","data":"3","id":1}"#), left);
    market.ask("POST", "/3/ratings", &market.mike).json(&json!({ "rating": 1 })).expect(201);
    assert_eq!(heard(&mut sara), r#"privateRatingNotify-3 1 "mike" "4""#);
    assert_eq!(elsewhere.ask(r#"{"type":"leaveRoom","data":"3","id":1}"#), left);
    assert_eq!(jane.ask(r#"{"type":"leaveRoom","data":"2","id":1}"#), left);
    let shown = market.ask("GET", "/3", &market.jane).expect(200);
    assert_eq!(
        shown.to_string(),
        r#"{"userID":"3","username":"sara","rating":3.0,"ratings":2,"comments":2,"online":false}"#
    );
}

/// Fields of a rating as JSON, how a socket refuses it, and the status over HTTP.
const REFUSED: &[(&str, &str, u16)] = &[
    (r#""rating":1e400,"houseworkerID":"3""#, "rating: a number that cannot be held", 422),
    (
        r#""rating":4.5,"houseworkerID":"3""#,
        "rating: invalid type: floating point `4.5`, expected i64",
        422,
    ),
    (r#""rating":0,"houseworkerID":"3""#, "rating: a whole number from 1 to 5", 422),
    (
        r#""rating":"5","houseworkerID":"3""#,
        r#"rating: invalid type: string "5", expected i64"#,
        422,
    ),
    (r#""rating":5,"houseworkerID":"2""#, "nobody comments on or rates themselves", 422),
    (r#""rating":5,"houseworkerID":"1""#, "", 201),
    (r#""rating":5,"houseworkerID":"99""#, "there is no such houseworker", 404),
    (r#""rating":5,"houseworkerID":"03""#, "houseworkerID: a user's id", 404),
    (r#""rating":5,"houseworkerID":"9007199254740993""#, "houseworkerID: a user's id", 404),
];

#[test]
fn what_is_wrong_is_refused_alike_everywhere() {
    let market = Market::new();
    let mut sara = market.home(&market.sara, "3");
    let mut jane = market.open(&market.jane);
    let mut packets = market.server.socket_io().open(Over::Socket);
    packets.enter_as("/", &market.jane);
    let json = |text: &str| -> Value { serde_json::from_str(text).expect("it is JSON") };
    for (fields, words, status) in REFUSED {
        let request = format!(r#"{{"type":"ratingNotification",{fields},"id":7}}"#);
        let plain = json(&jane.ask(&request));
        let acked = packets.says(&format!(r#"423["ratingNotification",{{{fields}}}]"#));
        let acked = acked.strip_prefix("433").expect("it is acknowledged");
        let acked = json(acked)[0].clone();
        if words.is_empty() {
            assert_eq!((&plain["success"], acked), (&json!(true), json!({ "success": true })));
        } else {
            let keys: Vec<_> = acked.as_object().expect("an object").keys().collect();
            assert_eq!(keys, ["error", "code", "timestamp"]);
            assert_eq!(
                (&plain["error"], &acked["error"]),
                (&json!(words), &json!(words)),
                "{fields}"
            );
            assert_eq!(plain["code"], acked["code"]);
        }
        let (rating, id) = fields.split_once(r#","houseworkerID":"#).expect("it has both");
        let path = format!("/{}/ratings", id.trim_matches('"'));
        let body = format!("{{{rating}}}");
        let ask = market.ask("POST", &path, &market.jane).header("Content-Type: application/json");
        let response = ask.body(body.as_bytes()).send();
        assert_eq!(response.status, *status, "{fields}: {response:?}");
    }
    // Nobody was told anything.
    market.ask("POST", "/3/ratings", &market.jane).json(&json!({ "rating": 2 })).expect(201);
    assert_eq!(heard(&mut sara), r#"privateRatingNotify-3 2 "jane" "2""#);
    let inbox = market.server.ask("GET", "/api/notifications").bearer(&market.sara).expect(200);
    assert_eq!(inbox["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn who_is_no_user_has_no_marketplace() {
    let market = Market::new();
    let [screen, device, admin] =
        ["client", "device", "admin"].map(|role| market.server.token(role, &[]).text);
    for (method, path) in [
        ("GET", ""),
        ("GET", "/3"),
        ("GET", "/3/comments"),
        ("GET", "/3/ratings"),
        ("POST", "/3/comments"),
        ("POST", "/3/comments/read"),
        ("POST", "/3/ratings"),
    ] {
        let ask = |token: &str| {
            market.ask(method, path, token).json(&json!({ "comment": "x", "rating": 5 }))
        };
        let route = format!("/api/houseworkers{path}");
        market.server.ask(method, &route).refused(401, "UNAUTHENTICATED");
        for token in [&screen, &device, &admin] {
            ask(token).refused(403, "FORBIDDEN");
        }
        let status = ask(&market.jane).send().status;
        let expected = match (method, path) {
            ("GET", _) => 200,
            // She is not the houseworker.
            (_, "/3/comments/read") => 403,
            _ => 201,
        };
        assert_eq!(status, expected, "{method} {path}");
    }
    market.ask("POST", "/3/comments/read", &market.sara).expect(200);
    let comments = market.ask("GET", "/3/comments", &market.jane).expect(200);
    assert_eq!(comments["items"][0]["read"], true);
}
