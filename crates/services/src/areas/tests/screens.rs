//! Pairing, in its time.

use bellwire_store::tx::Statement;

use super::*;
use crate::{
    areas::pairing::{EXPIRES_S, INTERVAL_S, MISSES_MAX, WAITING_MAX, Waiting},
    identity,
    kit::{Claims, Signed, Verdict},
};

/// A screen asks to be paired; gives its secret and what it shows.
#[track_caller]
fn screen(world: &mut World, by: &Principal) -> (String, String) {
    let started = world.run_as(by, pairing::start, json!({ "name": "Hall tablet" }));
    let started = started.expect("a screen may ask").0;
    (started.device_code, started.user_code)
}

/// What it is told when it asks: the id of its client with the claims of its token, or why not.
fn poll(world: &mut World, device_code: &str) -> Result<(ClientId, Claims), Code> {
    let request = json!({ "deviceCode": device_code });
    let polled = world.run_as(&Principal::guest(), pairing::poll, request);
    match polled.map_err(|fault| fault.code)?.0 {
        Verdict::Granted(Signed { reply, claims }) => Ok((reply.client_id, claims)),
        Verdict::Refused(fault) => Err(fault.code),
    }
}

/// An admin approves it, or is refused; and what that told.
fn approve(
    world: &mut World,
    by: &Principal,
    user_code: &str,
    mut request: Value,
) -> Result<(Client, Vec<String>), Code> {
    request["userCode"] = user_code.into();
    let (verdict, told) =
        world.run_as(by, pairing::approve, request).map_err(|fault| fault.code)?;
    match verdict {
        Verdict::Granted(client) => Ok((client, told)),
        Verdict::Refused(fault) => Err(fault.code),
    }
}

fn deny(world: &mut World, user_code: &str) -> Result<Vec<String>, Code> {
    let request = json!({ "userCode": user_code });
    let denied = world.run_as(&admin(), pairing::deny, request).map_err(|fault| fault.code)?;
    match denied {
        (Verdict::Granted(()), told) => Ok(told),
        (Verdict::Refused(fault), _) => Err(fault.code),
    }
}

/// What a connection with the device code comes to.
fn connect(world: &mut World, device_code: &str) -> Result<String, Code> {
    let digest = pairing::digest(device_code);
    let waiting = world.write(&Principal::nobody(), move |tx, ctx| {
        pairing::waiting(tx, &digest, ctx.now).map(Outcome::reply)
    });
    match waiting.map_err(|fault| fault.code)?.0 {
        Waiting::For(principal) => {
            assert_eq!(principal.role, Role::Pairing);
            Ok(principal.id)
        }
        Waiting::Handed(principal, words, claims) => {
            assert!(claims.sub.starts_with("client_") && principal.role == Role::Pairing);
            Ok(format!("{} {}", words.event, words.payload))
        }
    }
}

/// The token's first use.
fn is_used(world: &mut World, claims: &Claims) -> Vec<String> {
    let (jti, now) = (claims.jti.clone(), world.now);
    let bearer = world.write(&Principal::system(), move |tx, _| {
        identity::principal(tx, &jti, now).map(Outcome::reply)
    });
    let bearer = bearer.expect("it is valid").0;
    let request = json!({ "token": bearer.token });
    world.run_as(&Principal::system(), pairing::token_used, request).expect("it is noted").1
}

/// Whether a token is good.
fn is_good(world: &mut World, claims: &Claims) -> bool {
    let (jti, now) = (claims.jti.clone(), world.now);
    let bearer = world.write(&Principal::system(), move |tx, _| {
        identity::principal(tx, &jti, now).map(Outcome::reply)
    });
    bearer.is_ok()
}

const PENDING: Code = Code::AuthorizationPending;
const OVER: Code = Code::ExpiredToken;

#[test]
fn a_screen_waits_for_ten_minutes() {
    let mut world = World::new();
    let (device, code) = screen(&mut world, &Principal::guest());
    let end = START + EXPIRES_S * SECOND;
    let listed = |world: &mut World| {
        world.look(&admin(), pairing::list, json!({})).expect("an admin may").items.len()
    };
    world.now = end - 1;
    assert_eq!((poll(&mut world, &device), listed(&mut world)), (Err(PENDING), 1));
    assert_eq!(connect(&mut world, &device), Ok("pairing/1".into()));
    world.now = end;
    assert_eq!((poll(&mut world, &device), listed(&mut world)), (Err(OVER), 0));
    assert_eq!(connect(&mut world, &device), Err(OVER));
    assert_eq!(approve(&mut world, &admin(), &code, json!({})).err(), Some(Code::NotFound));
    assert_eq!(deny(&mut world, &code), Err(Code::NotFound));
    // The last moment is one.
    let (device, code) = screen(&mut world, &Principal::guest());
    world.now += EXPIRES_S * SECOND - 1;
    assert!(approve(&mut world, &admin(), &code, json!({})).is_ok());
    world.now += 1;
    assert!(poll(&mut world, &device).is_ok(), "it was approved in time");
    // Long after, nobody knows it any more; it is refused in the same words.
    let forget = |world: &mut World| {
        let forgotten =
            world.write(&admin(), |tx, ctx| forget(tx, ctx.now, 0, 1_000).map(Outcome::reply));
        forgotten.expect("it is forgotten").0
    };
    world.now = end + 3_600 * SECOND;
    assert_eq!(forget(&mut world), 0);
    world.now += 1;
    // The pairing alone: a code that is over is no guess.
    assert_eq!(forget(&mut world), 1);
    assert_eq!(poll(&mut world, "nobody's"), Err(OVER));
}

#[test]
fn how_often_a_screen_may_ask() {
    let mut world = World::new();
    let (device, _) = screen(&mut world, &Principal::guest());
    let (other, _) = screen(&mut world, &Principal::guest());
    assert_eq!(poll(&mut world, &device), Err(PENDING));
    // Networks are not even: half a second too early is no fault.
    let soonest = INTERVAL_S * SECOND - SECOND / 2;
    for (step, expected) in [
        (0, Code::SlowDown),
        (soonest - 1, Code::SlowDown),
        (1, PENDING),
        (soonest, PENDING),
        (1, Code::SlowDown),
        // Who asked too early has not asked.
        (soonest - 1, PENDING),
        (60 * SECOND, PENDING),
        // The clock was set back: it waits no longer for that.
        (-30 * SECOND, PENDING),
        (1, Code::SlowDown),
    ] {
        world.now += step;
        assert_eq!(poll(&mut world, &device), Err(expected), "{step}");
    }
    assert_eq!(poll(&mut world, &other), Err(PENDING), "another screen is another");
}

#[test]
fn a_token_is_told_for_a_minute_or_until_it_is_used() {
    let mut world = World::new();
    let hall = world.area("Hall");
    let minute = 60 * SECOND;
    let (device, code) = screen(&mut world, &Principal::guest());
    poll(&mut world, &device).expect_err("it waits");
    approve(&mut world, &admin(), &code, json!({ "areaIds": [hall] })).expect("an admin may");
    let first = poll(&mut world, &device).expect("at once, however soon it asked");
    let handed = r#"pairing_completed {"clientId":"client_1","assignedAreas":["area_1"]}"#;
    assert_eq!(connect(&mut world, &device), Ok(handed.into()));
    world.now += minute - 1;
    assert_eq!(poll(&mut world, &device), Ok(first.clone()), "the same is meant");
    assert_eq!(connect(&mut world, &device), Ok(handed.into()));
    world.now += 1;
    assert_eq!(poll(&mut world, &device), Err(OVER));
    assert_eq!(connect(&mut world, &device), Err(OVER));
    assert!(is_good(&mut world, &first.1), "who has it goes on");

    let (device, code) = screen(&mut world, &Principal::guest());
    approve(&mut world, &admin(), &code, json!({})).expect("an admin may");
    let (id, claims) = poll(&mut world, &device).expect("it was approved");
    assert_ne!((id, &claims.jti), (first.0, &first.1.jti));
    assert_eq!(is_used(&mut world, &claims), [""; 0], "it had no other");
    assert_eq!(poll(&mut world, &device), Err(OVER));
    assert_eq!(connect(&mut world, &device), Err(OVER));
    assert_eq!(is_used(&mut world, &claims), [""; 0], "the first use is once");
    // A token of a client lives for ten years, and a revoked one is not told.
    assert!(claims.exp - claims.iat >= 10 * 365 * 86_400);
    let (device, code) = screen(&mut world, &Principal::guest());
    let (client, _) = approve(&mut world, &admin(), &code, json!({})).expect("an admin may");
    world.run(clients::revoke, json!({ "clientId": client.id }));
    assert_eq!((poll(&mut world, &device), connect(&mut world, &device)), (Err(OVER), Err(OVER)));
}

#[test]
fn what_a_decision_about_a_screen_tells() {
    let mut world = World::new();
    world.area("Hall");
    let start = world.run_as(&Principal::guest(), pairing::start, json!({ "name": "Hall tablet" }));
    let (started, told) = start.expect("a screen may ask");
    let changed = |code: &str| format!("pairing_changed {code} to areas");
    assert_eq!(told, [changed(&started.user_code)]);
    assert_eq!(started.verification_uri, "http://home.example/pair");
    let body = json!({ "areaIds": ["area_1"] });
    let approved = approve(&mut world, &admin(), &started.user_code, body);
    let (client, told) = approved.expect("an admin may");
    let expected = [
        "area_added area_1 to client/client_1",
        "client_changed client_1 to areas",
        &changed(&started.user_code),
        "grant client/client_1 holders/area_1",
        "grant client/client_1 area/area_1",
        "hand pairing/1 pairing_completed",
    ];
    assert_eq!(told, expected);
    // Anew: its live connections are handed the token, too.
    let (device, code) = screen(&mut world, &caller(client.id));
    let approved = approve(&mut world, &admin(), &code, json!({ "areaIds": ["area_1"] }));
    let (again, told) = approved.expect("an admin may");
    let expected = [
        "client_changed client_1 to areas",
        &changed(&code),
        "hand pairing/2 pairing_completed",
        "hand client/client_1 pairing_completed",
    ];
    assert_eq!((again.id, &told[..]), (client.id, &expected.map(String::from)[..]));
    // The old token ends at the new one's first use.
    let (_, new) = poll(&mut world, &device).expect("it was approved");
    let (_, old) = poll(&mut world, &started.device_code).expect("that is not used either");
    assert!(is_good(&mut world, &old));
    assert_eq!(is_used(&mut world, &new), ["revoke tok_1 saying nothing"]);
    assert_eq!((is_good(&mut world, &old), is_good(&mut world, &new)), (false, true));
    assert_eq!(poll(&mut world, &started.device_code), Err(OVER));

    let (device, code) = screen(&mut world, &Principal::guest());
    let expected = [changed(&code), "revoke pairing/3 saying error".into()];
    assert_eq!(deny(&mut world, &code).expect("an admin may"), expected);
    assert_eq!(poll(&mut world, &device), Err(Code::AccessDenied));
    assert_eq!(connect(&mut world, &device), Err(Code::AccessDenied));
}

#[test]
fn a_client_that_is_revoked_meanwhile() {
    let mut world = World::new();
    let one = world.client("one", &[]);
    let (_, code) = screen(&mut world, &caller(one));
    world.run(clients::revoke, json!({ "clientId": one }));
    assert_eq!(approve(&mut world, &admin(), &code, json!({})).err(), Some(Code::Conflict));
    world.run(clients::delete, json!({ "clientId": one }));
    assert_eq!(approve(&mut world, &admin(), &code, json!({})).err(), Some(Code::Conflict));
    assert!(deny(&mut world, &code).is_ok());
}

/// Only a code that no screen has shown is a guess.
#[test]
fn what_is_no_wrong_code() {
    let mut world = World::new();
    let [denied, approved, over] = [(); 3].map(|()| screen(&mut world, &Principal::guest()).1);
    deny(&mut world, &denied).expect("an admin may");
    approve(&mut world, &admin(), &approved, json!({})).expect("an admin may");
    world.now += EXPIRES_S * SECOND;
    for code in [&denied, &approved, &over] {
        for _ in 0..=MISSES_MAX {
            assert_eq!(deny(&mut world, code), Err(Code::NotFound));
            let refused = approve(&mut world, &admin(), code, json!({}));
            assert_eq!(refused.err(), Some(Code::NotFound));
        }
    }
    let (_, code) = screen(&mut world, &Principal::guest());
    assert!(deny(&mut world, &code).is_ok());
}

#[test]
fn wrong_codes_are_counted_for_ten_minutes() {
    let mut world = World::new();
    let other = Principal { id: "user/7".into(), ..admin() };
    let wrong = |world: &mut World, by: &Principal| {
        approve(world, by, "BBBB-BBBB", json!({})).expect_err("it is nobody's")
    };
    for _ in 0..2 {
        let began = world.now;
        for n in 0..MISSES_MAX {
            assert_eq!(wrong(&mut world, &admin()), Code::NotFound, "{n}");
            world.now += 100 * SECOND;
        }
        let (_, code) = screen(&mut world, &Principal::guest());
        assert_eq!(wrong(&mut world, &admin()), Code::RateLimited);
        assert_eq!(deny(&mut world, &code), Err(Code::RateLimited), "the right one, too");
        assert_eq!(wrong(&mut world, &other), Code::NotFound, "another admin is another");
        world.now = began + 600 * SECOND - 1;
        assert_eq!(deny(&mut world, &code), Err(Code::RateLimited));
        // Ten minutes after the first of them. Trying meanwhile made it no longer.
        world.now += 1;
        assert!(deny(&mut world, &code).is_ok());
    }
    // A right one does not make wrong ones undone.
    let began = world.now;
    for _ in 1..MISSES_MAX {
        wrong(&mut world, &admin());
    }
    let (_, code) = screen(&mut world, &Principal::guest());
    assert!(deny(&mut world, &code).is_ok());
    assert_eq!(wrong(&mut world, &admin()), Code::NotFound);
    assert_eq!(wrong(&mut world, &admin()), Code::RateLimited);
    assert_eq!(world.now, began);
    // The clock was set back: nobody waits until it is there again.
    world.now -= 24 * 3_600 * SECOND;
    assert_eq!(wrong(&mut world, &admin()), Code::NotFound);
}

#[test]
fn so_many_screens_wait_at_once() {
    let mut world = World::new();
    let slice = 100;
    let mut screens = Vec::new();
    for _ in 0..10 {
        let started = world.write(&Principal::guest(), move |tx, ctx| {
            let name = json!({ "name": "Hall tablet" });
            let request = serde_json::from_value(name).expect("a request is as it should be");
            let started = (0..slice).map(|_| Ok(pairing::start(tx, ctx, &request)?.reply));
            started.collect::<Result<Vec<_>, Fault>>().map(Outcome::reply)
        });
        let started = started.expect("screens may ask").0;
        screens.extend(started.into_iter().map(|one| (one.device_code, one.user_code)));
    }
    let others = Statement(
        "WITH RECURSIVE n(i) AS (SELECT 1001 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
         INSERT INTO pairings (pairing_id, device_code_digest, user_code, name, status, created_at, expires_at)
         SELECT 1000000 + i, 'other ' || i, 'other ' || i, 'x', 'pending', 0, $1 FROM n",
    );
    let end = world.now + EXPIRES_S * SECOND;
    let others = world.write(&admin(), move |tx, _| {
        tx.execute(others, &[bellwire_store::tx::Value::Integer(end)]).map(Outcome::reply)
    });
    assert_eq!(others.expect("they are written").0 as i64, WAITING_MAX - screens.len() as i64);
    let one_more = |world: &mut World| {
        let started = world.run_as(&Principal::guest(), pairing::start, json!({ "name": "x" }));
        started.map(drop).map_err(|fault| fault.code)
    };
    assert_eq!(one_more(&mut world), Err(Code::Overloaded));
    // Codes differ, and each is a screen's.
    let codes: std::collections::HashSet<_> = screens.iter().flat_map(|(a, b)| [a, b]).collect();
    assert_eq!(codes.len(), 2 * screens.len());
    deny(&mut world, &screens[0].1).expect("an admin may");
    assert_eq!((one_more(&mut world), one_more(&mut world)), (Ok(()), Err(Code::Overloaded)));
    approve(&mut world, &admin(), &screens[1].1, json!({})).expect("an admin may");
    assert_eq!((one_more(&mut world), one_more(&mut world)), (Ok(()), Err(Code::Overloaded)));
    // Those that are over wait no more, though they are still known.
    world.now += EXPIRES_S * SECOND;
    assert_eq!(one_more(&mut world), Ok(()));
    assert_eq!(poll(&mut world, &screens[2].0), Err(OVER));
}

/// Who reads the database finds nothing to fetch a token with.
#[test]
fn secrets_are_kept_as_digests() {
    let mut world = World::new();
    let (device, code) = screen(&mut world, &Principal::guest());
    assert_eq!((device.len(), code.len()), (32, 9));
    let kept = world.write(&admin(), |tx, _| {
        let all = Statement("SELECT device_code_digest FROM pairings");
        tx.all(all, &[], |row| row.text(0)).map(Outcome::reply)
    });
    let kept = kept.expect("it is kept").0;
    assert_eq!(kept, [pairing::digest(&device)]);
    assert_eq!(poll(&mut world, &kept[0]), Err(OVER));
    assert_eq!(poll(&mut world, &device), Err(PENDING));
}
