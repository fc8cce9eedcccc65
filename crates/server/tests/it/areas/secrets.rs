//! What stands in no log, answer or file, and what does stand in the log.

use serde_json::json;

use super::{House, Paired};
use crate::{
    harness::{Over, Server, until},
    users::is_kept,
};

/// The spellings of what a screen shows.
fn spellings(user_code: &str) -> [String; 4] {
    let bare = user_code.replace('-', "");
    [user_code.to_owned(), user_code.to_ascii_lowercase(), bare.clone(), bare.to_ascii_lowercase()]
}

/// All that is done with secrets, by requests and connections; gives the secrets, but the codes that screens
/// show, and these.
fn deal(house: &House) -> (Vec<String>, Vec<String>) {
    let (mut secrets, mut codes) = (Vec::new(), Vec::new());
    let hall = house.area("Hall", &["light.a"]);
    for round in 0..4 {
        let screen = house.screen("Hall tablet");
        let [as_shown, small, bare, bare_small] = spellings(&screen.user_code);
        secrets.push(screen.device_code.clone());
        codes.extend([as_shown.clone(), small.clone(), bare.clone(), bare_small.clone()]);
        house.poll(&screen.device_code).refused(400, "AUTHORIZATION_PENDING");
        house.poll(&screen.device_code).refused(400, "SLOW_DOWN");
        for page in ["/pair", "/pairing", "/screen"] {
            house.server.get(&format!("{page}?code={as_shown}"));
            house.server.get(&format!("{page}?Code={bare_small}&deviceCode={bare}"));
        }
        // Where they do not belong.
        let wrong = [
            format!("/api/pairing/{as_shown}"),
            format!("/api/pairing/{bare}/approved"),
            format!("/api/pairing/{small}/approve/now"),
            format!("/api/pairing//{bare_small}"),
        ];
        for path in wrong {
            assert_eq!(house.ask("POST", &path).send().status, 404, "{path}");
        }
        let typed = [as_shown, small, bare, bare_small][round].clone();
        if round == 3 {
            house.ask("POST", &format!("/api/pairing/{typed}/deny")).expect(204);
            house.poll(&screen.device_code).refused(400, "ACCESS_DENIED");
            continue;
        }
        let mut waits = house.server.socket_io().open(Over::Socket);
        waits.enter("/", &json!({ "deviceCode": screen.device_code }));
        let approve = house.ask("POST", &format!("/api/pairing/{typed}/approve"));
        let key = format!("Idempotency-Key: {round}");
        approve.header(&key).json(&json!({ "areaIds": [hall] })).expect(200);
        let told = waits.packet();
        let token = told.split('"').find(|text| text.starts_with("eyJ"));
        secrets.push(token.unwrap_or_else(|| panic!("{told}")).to_owned());
        let paired = Paired::read(&house.poll(&screen.device_code).expect(200));
        secrets.push(paired.token.clone());
        listen(house, &paired, &hall);
    }
    (secrets, codes)
}

/// The token is shown in every way that there is.
fn listen(house: &House, paired: &Paired, hall: &str) {
    let mut listener = house.server.dial("/").bearer(&paired.token).open();
    let mut other = house.server.dial(&format!("/?token={}", paired.token)).open();
    let mut session = house.server.socket_io().open(Over::Polling);
    session.enter_as("/areas", &paired.token);
    house.server.ask("GET", "/api/areas").bearer(&paired.token).expect(200);
    let again = house.server.ask("POST", "/api/pairing").bearer(&paired.token);
    again.json(&json!({ "name": "x" })).expect(201);
    house.ask("PATCH", &format!("/api/areas/{hall}")).json(&json!({ "name": "Hall" })).expect(200);
    for client in [&mut listener, &mut other] {
        while !client.text().contains("Area has been updated by admin") {}
    }
    house.ask("POST", &format!("/api/clients/{}/revoke", paired.id)).expect(200);
    listener.closed();
}

#[test]
fn secrets_stand_nowhere() {
    let house = House::of(Server::with(&[("LOGGING__LEVEL", "trace")]));
    let (secrets, codes) = deal(&house);
    assert!(secrets.len() == 10 && codes.len() == 16);
    // What only who holds a token can know, too.
    let signatures = secrets.iter().filter_map(|secret| secret.rsplit_once('.'));
    let signatures: Vec<String> = signatures.map(|(_, signature)| signature.to_owned()).collect();
    assert_eq!(signatures.len(), 6);
    until("it logs the last request", || house.server.log().contains("/revoke"));
    let told: Vec<String> = ["client_1", "client_2", "client_3"]
        .iter()
        .map(|id| house.ask("GET", &format!("/api/clients/{id}/events?limit=1000")).send().body)
        .chain(
            ["/api/areas", "/api/clients", "/api/tokens"]
                .map(|path| house.ask("GET", path).send().body),
        )
        .collect();
    let log = house.server.log();
    assert!(log.contains("/api/pairing/***/approve") && log.contains("/pair?code=***"), "{log}");
    for secret in secrets.iter().chain(&signatures) {
        assert!(!log.contains(secret), "{secret} in {log}");
        assert!(!is_kept(house.server.data(), secret), "{secret} is kept");
        assert!(told.iter().all(|body| !body.contains(secret)), "{secret} in {told:?}");
    }
    for code in &codes {
        assert!(!log.contains(code), "{code} in {log}");
        assert!(told.iter().all(|body| !body.contains(code)), "{code} in {told:?}");
    }
    // It would be seen if it were kept: what screens show is.
    assert!(codes.iter().any(|code| is_kept(house.server.data(), code)));
}

#[test]
fn the_lines_that_the_document_names() {
    let emits = |event: &str| format!("[WebSocket] Emitting '{event}' to client client_1");
    let registers = "[WebSocket] Client client_1 registered for notifications";
    for (level, is_told) in [("info", false), ("debug", true)] {
        let house = House::of(Server::with(&[("LOGGING__LEVEL", level)]));
        let hall = house.area("Hall", &[]);
        let screen = house.pair("Hall tablet", &[&hall]);
        let path = format!("/api/areas/{hall}");
        let client = format!("/api/clients/{}", screen.id);
        assert!(!house.server.log().contains(registers), "nobody is there");
        let mut listener = house.server.dial("/").bearer(&screen.token).open();
        until("it says who came", || house.server.log().contains(registers));
        listener.send(r#"{"type":"ping"}"#);
        while !listener.text().contains("pong") {}
        house.ask("PATCH", &path).json(&json!({ "isEnabled": false })).expect(200);
        house.ask("PATCH", &format!("{path}/toggle")).expect(200);
        house.assign(&screen.id, &[]);
        house.assign(&screen.id, &[&hall]);
        house.ask("POST", &format!("{client}/revoke")).expect(200);
        listener.closed();
        let log = house.server.log();
        for event in ["area_updated", "area_disabled", "area_enabled", "area_removed", "area_added"]
        {
            assert_eq!(log.matches(&emits(event)).count(), usize::from(is_told), "{event}: {log}");
        }
        assert_eq!(log.contains(&emits("token_revoked")), is_told, "{log}");
        assert_eq!(log.matches(registers).count(), 1, "{log}");
    }
}
