//! Codes that nobody shows, and screens that ask too often.

use std::time::Instant;

use serde_json::json;

use super::House;
use crate::harness::Response;

/// Wrong codes that an admin may give in ten minutes.
const MISSES_MAX: usize = 5;

#[test]
fn five_wrong_codes_and_no_more() {
    for verb in ["approve", "deny"] {
        let house = House::new();
        let screen = house.screen("Hall tablet");
        let wrong = ["BBBB-BBBB", "x", "12345678", "WDJBMJHTX", "%F0%9F%94%94"];
        assert_eq!(wrong.len(), MISSES_MAX);
        let ask =
            |code: &str, verb: &str| house.ask("POST", &format!("/api/pairing/{code}/{verb}"));
        for code in wrong {
            let refused = ask(code, verb).refused(404, "NOT_FOUND").json();
            assert_eq!(refused["detail"], "no screen that waits shows this code", "{code}");
        }
        for (code, verb) in [
            ("BBBB-BBBB", verb),
            // The right one is refused, too: who guesses learns nothing.
            (&*screen.user_code, verb),
            (&screen.user_code, "approve"),
            (&screen.user_code, "deny"),
        ] {
            let refused = ask(code, verb).refused(429, "RATE_LIMITED");
            assert_eq!(refused.header("retry-after"), Some("60"), "{refused:?}");
        }
        // It holds for a restart, and for that admin alone.
        let server = house.server.kill_and_restart();
        let house = House { server, admin: house.admin };
        let path = format!("/api/pairing/{}/{verb}", screen.user_code);
        house.ask("POST", &path).refused(429, "RATE_LIMITED");
        house.ask("GET", "/api/pairing").expect(200);
        let other = house.server.token("admin", &[]).text;
        let status = house.server.ask("POST", &path).bearer(&other).send().status;
        assert_eq!(status, if verb == "approve" { 200 } else { 204 });
    }
}

/// What is refused before the code is looked at, or is right, is no guess.
#[test]
fn what_is_no_guess() {
    let house = House::new();
    let right = house.screen("Hall tablet");
    let path = format!("/api/pairing/{}/approve", right.user_code);
    for _ in 0..=MISSES_MAX {
        house
            .ask("POST", "/api/pairing/BBBB-BBBB/approve")
            .json(&json!({ "name": "" }))
            .refused(422, "INVALID");
        house.ask("POST", &path).json(&json!({ "areaIds": ["area_77"] })).refused(422, "INVALID");
        house.server.ask("POST", "/api/pairing/BBBB-BBBB/approve").refused(401, "UNAUTHENTICATED");
    }
    house.ask("POST", "/api/pairing/BBBB-BBBB/approve").refused(404, "NOT_FOUND");
    house.ask("POST", &path).expect(200);
}

/// Signed in twice, a person is one who guesses: another browser is no way around it.
#[test]
fn a_person_who_guesses_in_two_browsers() {
    let house = House::new();
    let password = house.server.admin_password();
    let sessions = [1, 2].map(|_| house.server.sign_in("admin", &password));
    let ask =
        |session: &str| house.server.ask("POST", "/api/pairing/BBBB-BBBB/deny").bearer(session);
    for n in 0..MISSES_MAX {
        ask(&sessions[n % 2]).refused(404, "NOT_FOUND");
    }
    for session in &sessions {
        ask(session).refused(429, "RATE_LIMITED");
    }
    house.ask("POST", "/api/pairing/BBBB-BBBB/deny").refused(404, "NOT_FOUND");
}

/// Asks until it is too often, which must be after so many times, and no more than come to that in the time it
/// took; gives the refusal.
#[track_caller]
fn until_refused(per_minute: u32, ask: impl Fn(u32) -> Response) -> Response {
    let began = Instant::now();
    for count in 0.. {
        let response = ask(count);
        if response.status == 429 {
            let more = began.elapsed().as_secs_f64() * f64::from(per_minute) / 60.0;
            let range = per_minute..=per_minute + more.ceil() as u32;
            assert!(range.contains(&count), "{count} in {range:?}");
            return response;
        }
    }
    unreachable!("it asks for ever")
}

#[test]
fn an_address_begins_thirty_times_a_minute() {
    let house = House::new();
    let ask = |from: u8| house.server.ask("POST", "/api/pairing").from(from);
    let start = |from: u8| ask(from).json(&json!({ "name": "x" }));
    // A refused one counts, too.
    let refused = until_refused(30, |count| match count % 2 {
        0 => start(2).send(),
        _ => ask(2).json(&json!({ "name": "" })).send(),
    });
    let retry_s: u64 = refused.header("retry-after").expect("when").parse().expect("seconds");
    assert!((1..=60).contains(&retry_s), "{refused:?}");
    assert_eq!(refused.json()["code"], "RATE_LIMITED");
    start(3).expect(201);
    house.server.ask("GET", "/api/areas").from(2).bearer(&house.admin).expect(200);
    // What waits already goes on.
    house.poll("nobody's").from(2).refused(400, "EXPIRED_TOKEN");
}

#[test]
fn an_address_asks_twenty_times_a_second() {
    let house = House::new();
    let ask = |from: u8| house.server.ask("POST", "/api/pairing/token").from(from);
    let refused = until_refused(1_200, |_| ask(2).send());
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    let problem = refused.json();
    assert_eq!((&problem["code"], problem.get("error")), (&json!("RATE_LIMITED"), None));
    ask(3).refused(422, "INVALID");
    // The one is not the other.
    house.server.ask("POST", "/api/pairing").from(2).json(&json!({ "name": "x" })).expect(201);
}
