//! What belongs to somebody changes while everybody listens.

use serde_json::{Value, json};

use super::{
    who::Who::{Anne, Bert, Boss, Kim},
    world::{World, number, text},
};

/// Every resource is changed by those who may, each with new texts that nobody can guess.
pub fn changes(world: &World) {
    states_and_areas(world);
    people(world);
    sensors_and_stations(world);
    chat(world);
    pairing(world);
}

fn states_and_areas(world: &World) {
    let body = json!({ "state": world.canary("a state"), "attributes": { "note": world.canary("an attribute") } });
    world.does(Boss, "PATCH /api/states/by-id/$row", &body);
    for (entity, resource) in [
        ("$light", "a light"),
        ("$hall_fan", "a state in the hall's area"),
        ("$attic_fan", "a state in the attic's area"),
        ("$cellar_fan", "a state in an area of the hall that is disabled"),
    ] {
        let body = json!({ "state": world.canary(resource) });
        world.does(Boss, &format!("POST /api/states/{entity}"), &body);
    }
    let entity = format!("vault.{}", world.canary("the name of an entity"));
    let body = json!({ "state": world.canary("the state of an entity that was removed") });
    world.does(Boss, &format!("POST /api/states/{entity}"), &body);
    world.does(Boss, &format!("DELETE /api/states/{entity}"), &Value::Null);
    for (area, resource) in [
        ("$hall_area", "the name of the hall's area"),
        ("$attic_area", "the name of the attic's area"),
        ("$area", "the name of an area that nobody has"),
    ] {
        let body = json!({ "name": world.canary(resource) });
        world.does(Boss, &format!("PATCH /api/areas/{area}"), &body);
    }
    let hidden = format!("lock.{}", world.canary("an entity of the attic's area"));
    let body = json!({ "entityIds": [world.fill("$attic_fan"), hidden] });
    world.does(Boss, "PATCH /api/areas/$attic_area", &body);
    for client in ["$hall", "$attic"] {
        let body = json!({ "name": world.canary("the name of a client") });
        world.does(Boss, &format!("PATCH /api/clients/{client}"), &body);
    }
}

fn people(world: &World) {
    let email = format!("{}@example.com", world.canary("an e-mail address"));
    world.does(Boss, "PATCH /api/users/$anne", &json!({ "email": email }));
    let body =
        json!({ "username": world.canary("a user's name"), "login": world.canary("a login") });
    world.does(Boss, "PATCH /api/users/$unseen", &body);
    let body = json!({ "role": "device", "subject": world.canary("the subject of a token"), "ttl": 3_600 });
    world.does(Boss, "POST /api/tokens", &body);
    world.notify();
}

fn sensors_and_stations(world: &World) {
    world.does(
        Boss,
        "POST /api/sensors/$sensor/readings",
        &json!({ "value": world.number("a reading") }),
    );
    let body = json!({ "name": world.canary("the name of a device") });
    world.does(Boss, "PATCH /api/devices/$device", &body);
    // Who has no e-mail address is called by name.
    let hidden = world.server.token_of("user", &world.fill("$hidden"), &[]);
    let path = world.fill("/api/stations/$station/bookings");
    world.server.ask("POST", &path).bearer(&hidden.text).expect(201);
    let booked = world.does(Anne, "POST /api/stations/$station/bookings", &Value::Null);
    world.does(Boss, &format!("POST /api/bookings/{}/ready", booked["id"]), &Value::Null);
    world.does(Anne, &format!("DELETE /api/bookings/{}", booked["id"]), &Value::Null);
}

fn chat(world: &World) {
    // Those whose rooms these are have connections in them.
    let targets = [Anne, Bert, Kim].map(|who| (who, "/ws/chat/?rooms=me,$pair,$group"));
    let mut lines = targets.map(|(who, target)| world.line(who, target));
    let [anne, others @ ..] = &mut lines;
    let mut says = |message: Value| {
        anne.send(&[world.fill(&message.to_string())]);
        let told = anne.told();
        assert!(!told.iter().any(|text| text.contains(r#""type":"error""#)), "{message}: {told:?}");
    };
    let message = |resource: &str, room: &str| {
        let data = json!({ "message": world.canary(resource), "roomID": room, "createRoomNotification": {} });
        json!({ "type": "message", "data": data })
    };
    says(json!({ "type": "startTypingRoom", "roomID": "$group" }));
    says(message("a message between two", "$pair"));
    says(message("a message to a group, after somebody left", "$group"));
    says(json!({
        "type": "kickUserFromGroup", "roomID": "$group", "newRoomID": "$threesome", "kickedUserID": "$kim",
    }));
    says(message("a message to a group, after somebody was kicked", "$threesome"));
    says(json!({
        "type": "createUserGroup",
        "data": { "newUserID": "$ivan", "roomID": "$pair", "newRoomID": "$invited" },
    }));
    others.iter_mut().for_each(|line| drop(line.told()));
    let body = json!({ "comment": world.canary("a comment") });
    world.does(Anne, "POST /api/houseworkers/$cora/comments", &body);
    world.does(Anne, "POST /api/houseworkers/$cora/ratings", &json!({ "rating": 4 }));
}

/// The screen that waits is paired: all of its connections are told its token.
fn pairing(world: &World) {
    let made = world.does(Boss, "POST /api/pairing/$user_code/approve", &Value::Null);
    let client = text(&made, "id");
    assert!(number(client.trim_start_matches("client_")) > 0);
    world.name("paired", client);
}
