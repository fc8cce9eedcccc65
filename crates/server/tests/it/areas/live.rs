//! Who hears what of a change, in which order, and how it is spelled in each form.

use serde_json::{Value, json};

use super::{
    ear::{Ear, Form, Scene, Told, area, timeless, token_revoked},
    text,
};
use crate::harness::{Over, Token, until};

/// A request of the admin's: method, path, body (`null`: none), and the status of its answer.
type Request<'a> = (&'a str, &'a str, Value, u16);
/// And what is heard of it: by the client that has areas 1 and 2 at first, the one that has 1 and 3, and admins.
type Row<'a> = (Request<'a>, Vec<Told>, Vec<Told>, Vec<Told>);

/// Everybody who could hear something.
struct Audience {
    scene: Scene,
    holder: Vec<Ear>,
    other: Vec<Ear>,
    admins: Vec<Ear>,
    users: Vec<Ear>,
    user: Token,
}

impl Audience {
    /// `area_1` is the fence, `area_2` the Kitchen of `client_1`, `area_3` the Hall of `client_2`. The first has
    /// two connections of each form.
    fn new() -> Audience {
        let scene = Scene::new();
        let kitchen = scene.house.area("Kitchen", &["light.kitchen"]);
        let hall = scene.house.area("Hall", &["light.hall"]);
        let clients = [scene.pair("Tablet", &[&kitchen]), scene.pair("Panel", &[&hall])];
        assert_eq!((&*clients[0].id, &*clients[1].id), ("client_1", "client_2"));
        let (server, admin) = (&scene.house.server, &scene.house.admin);
        let forms = |token: &str, forms: &[Form]| -> Vec<Ear> {
            forms.iter().map(|form| Ear::open(server, token, *form)).collect()
        };
        let twice = [Form::ALL, Form::ALL].concat();
        let [holder, other] = [(&twice[..], &clients[0]), (&Form::ALL[..], &clients[1])]
            .map(|(all, client)| forms(&client.token, all));
        let named = |token: &str, over| {
            let auth = json!({ "token": token, "topics": ["areas"] });
            Ear::come(server, "/", over, &auth)
        };
        let user = server.token("user", &[]);
        let plain_or_own = Form::ALL.into_iter().filter(|form| !is_root(*form));
        let plain_or_own: Vec<Form> = plain_or_own.collect();
        let mut admins = forms(admin, &plain_or_own);
        let mut users = forms(&user.text, &Form::ALL);
        for over in Over::BOTH {
            admins.push(named(admin, over));
            users.push(named(&user.text, over));
        }
        for client in &clients {
            until("it is here", || scene.house.client(&client.id)["online"] == true);
        }
        Audience { scene, holder, other, admins, users, user }
    }

    /// Plays a row: everybody hears what is theirs, in this order, and nothing else.
    #[track_caller]
    fn check(&mut self, ((method, path, body, status), holder, other, admins): &Row<'_>) {
        let ask = self.scene.house.ask(method, path);
        let ask = if body.is_null() { ask } else { ask.json(body) };
        ask.expect(*status);
        let fence = self.scene.fence();
        for (ears, told) in
            [(&mut self.holder, holder), (&mut self.other, other), (&mut self.admins, admins)]
        {
            for ear in ears {
                let heard: Vec<String> =
                    ear.before(&fence).iter().map(|text| codeless(text)).collect();
                let told = ear.form.all_spelled(told);
                assert_eq!(heard, told, "{:?}, of {method} {path} {body}", ear.form);
            }
        }
    }
}

fn is_root(form: Form) -> bool {
    matches!(form, Form::SocketIo("/", _))
}

/// The text with `U` for what screens show.
fn codeless(text: &str) -> String {
    let Some((before, rest)) = text.split_once(r#""userCode":""#) else { return text.to_owned() };
    let (code, behind) = rest.split_once('"').expect("a text ends");
    let shape = code
        .char_indices()
        .all(|(n, c)| (n == 4) == (c == '-') && (n == 4 || c.is_ascii_uppercase()));
    assert!(shape && code.len() == 9, "{code}");
    format!(r#"{before}"userCode":"U"{behind}"#)
}

fn client(client_id: &str, name: &str, area_ids: &[&str], online: bool, revoked: bool) -> Told {
    let (area_ids, seen) = (json!(area_ids), if online { r#""T""# } else { "null" });
    let payload = format!(
        r#"{{"id":"{client_id}","name":"{name}","areaIds":{area_ids},"online":{online},"lastSeen":{seen},"revoked":{revoked}}}"#
    );
    ("client_changed", payload)
}

fn tablet(area_ids: &[&str]) -> Told {
    client("client_1", "Tablet", area_ids, true, false)
}

fn pairing(name: &str, client_id: Value, status: &str) -> Told {
    let payload = format!(
        r#"{{"userCode":"U","name":"{name}","clientId":{client_id},"createdAt":"T","expiresAt":"T","status":"{status}"}}"#
    );
    ("pairing_changed", payload)
}

/// Changes of areas.
fn changes() -> Vec<Row<'static>> {
    const ONE: &[&str] = &["light.kitchen"];
    const TWO: &[&str] = &["light.kitchen", "light.hob"];
    const KITCHEN: &str = "/api/areas/area_2";
    const TOGGLE: &str = "/api/areas/area_2/toggle";
    let kitchen = |what: &str, name: &str, ids: &[&str], on| area(what, "area_2", name, ids, on);
    let on = || kitchen("enabled", "Kitchen", TWO, true);
    let off = || kitchen("disabled", "Kitchen", TWO, false);
    let updated = || kitchen("updated", "Kitchen (Updated)", ONE, true);
    let more = || kitchen("updated", "Kitchen (Updated)", TWO, true);
    let both = |what: &str, is_on| {
        let name = if is_on { "Kitchen" } else { "Kitchen (Updated)" };
        vec![kitchen("updated", name, TWO, is_on), kitchen(what, name, TWO, is_on)]
    };
    let attic = area("added", "area_4", "Attic", &["light.attic"], true);
    let create = json!({ "name": "Attic", "entityIds": ["light.attic"] });
    let to = |is_enabled: bool| json!({ "isEnabled": is_enabled });
    let of_kitchen = |method, path, body, told: Vec<Told>| -> Row<'static> {
        ((method, path, body, 200), told.clone(), vec![], told)
    };
    vec![
        (("POST", "/api/areas", create, 201), vec![], vec![], vec![attic]),
        of_kitchen("PUT", KITCHEN, json!({ "name": "Kitchen (Updated)" }), vec![updated()]),
        // Every change is told, what changes nothing too.
        of_kitchen("PUT", KITCHEN, json!({ "name": "Kitchen (Updated)" }), vec![updated()]),
        of_kitchen("PATCH", KITCHEN, json!({}), vec![updated()]),
        of_kitchen("PATCH", KITCHEN, json!({ "entityIds": TWO }), vec![more()]),
        of_kitchen("PATCH", KITCHEN, to(false), both("disabled", false)),
        of_kitchen(
            "PUT",
            KITCHEN,
            json!({ "name": "Kitchen", "isEnabled": true }),
            both("enabled", true),
        ),
        of_kitchen("PATCH", TOGGLE, Value::Null, vec![off()]),
        of_kitchen("PATCH", TOGGLE, Value::Null, vec![on()]),
        // But for a toggle to what it is.
        of_kitchen("PATCH", TOGGLE, to(true), vec![]),
        of_kitchen("PATCH", TOGGLE, to(false), vec![off()]),
        of_kitchen("PATCH", TOGGLE, to(false), vec![]),
        of_kitchen("PATCH", TOGGLE, to(true), vec![on()]),
        // What is refused is not told.
        (("PATCH", "/api/areas/area_99", json!({ "name": "x" }), 404), vec![], vec![], vec![]),
        (("PATCH", KITCHEN, json!({ "name": "" }), 422), vec![], vec![], vec![]),
        (
            (
                "PATCH",
                KITCHEN,
                json!({ "name": "x", "expectedUpdatedAt": "2001-01-01T00:00:00Z" }),
                409,
            ),
            vec![],
            vec![],
            vec![],
        ),
    ]
}

/// Many changes at once.
fn bulk() -> Vec<Row<'static>> {
    const TWO: &[&str] = &["light.kitchen", "light.hob"];
    let items = json!([
        { "id": "area_2", "name": "A" },
        { "id": "area_3", "isEnabled": false },
        { "id": "area_2", "name": "Kitchen", "isEnabled": false },
        { "id": "area_4" },
    ]);
    let kitchen = [
        area("updated", "area_2", "A", TWO, true),
        area("updated", "area_2", "Kitchen", TWO, false),
        area("disabled", "area_2", "Kitchen", TWO, false),
    ];
    let hall =
        ["updated", "disabled"].map(|what| area(what, "area_3", "Hall", &["light.hall"], false));
    let attic = area("updated", "area_4", "Attic", &["light.attic"], true);
    let [first, second, third] = kitchen.clone();
    let all = [vec![first], hall.to_vec(), vec![second, third], vec![attic]].concat();
    let wrong = json!([{ "id": "area_2", "name": "B" }, { "id": "area_99" }]);
    vec![
        (("PATCH", "/api/areas", items, 200), kitchen.to_vec(), hall.to_vec(), all),
        // All, or none.
        (("PATCH", "/api/areas", wrong, 404), vec![], vec![], vec![]),
        (("PATCH", "/api/areas", json!([]), 200), vec![], vec![], vec![]),
    ]
}

/// Areas that clients get and lose.
fn assignments() -> Vec<Row<'static>> {
    const TWO: &[&str] = &["light.kitchen", "light.hob"];
    const HALL: &[&str] = &["light.hall"];
    const ALL_OF: &str = "/api/clients/client_1/areas";
    const ONE_OF: &str = "/api/clients/client_1/areas/area_3";
    const OTHER_OF: &str = "/api/clients/client_1/areas/area_2";
    let hall = |what: &str, on| area(what, "area_3", "Hall", HALL, on);
    let kitchen = |what: &str| area(what, "area_2", "Kitchen", TWO, false);
    let attic = |what: &str| area(what, "area_4", "Attic", &["light.attic"], true);
    let enabled = vec![hall("updated", true), hall("enabled", true)];
    let all = json!({ "areaIds": ["area_4", "area_1", "area_2", "area_4"] });
    let set = vec![hall("removed", true), kitchen("added"), attic("added")];
    let name = json!({ "name": "Slate" });
    let slate = client("client_1", "Slate", &["area_1", "area_2", "area_4"], true, false);
    vec![
        (
            ("PUT", ONE_OF, Value::Null, 200),
            vec![hall("added", false)],
            vec![],
            vec![tablet(&["area_1", "area_2", "area_3"])],
        ),
        (("PUT", ONE_OF, Value::Null, 200), vec![], vec![], vec![]),
        (
            ("PATCH", "/api/areas/area_3", json!({ "isEnabled": true }), 200),
            enabled.clone(),
            enabled.clone(),
            enabled,
        ),
        (
            ("DELETE", OTHER_OF, Value::Null, 204),
            vec![kitchen("removed")],
            vec![],
            vec![tablet(&["area_1", "area_3"])],
        ),
        (("DELETE", OTHER_OF, Value::Null, 204), vec![], vec![], vec![]),
        (("PATCH", "/api/areas/area_2", json!({}), 200), vec![], vec![], vec![kitchen("updated")]),
        // First what it loses, then what it gets, each by id.
        (
            ("PUT", ALL_OF, all.clone(), 200),
            set,
            vec![],
            vec![tablet(&["area_1", "area_2", "area_4"])],
        ),
        (("PUT", ALL_OF, all, 200), vec![], vec![], vec![]),
        (("PUT", ALL_OF, json!({ "areaIds": ["area_1", "area_99"] }), 422), vec![], vec![], vec![]),
        (("PATCH", "/api/clients/client_1", name.clone(), 200), vec![], vec![], vec![slate]),
        (("PATCH", "/api/clients/client_1", name, 200), vec![], vec![], vec![]),
        // Who had it is told that it is gone.
        (
            ("DELETE", "/api/areas/area_3", Value::Null, 204),
            vec![],
            vec![hall("removed", true)],
            vec![hall("removed", true)],
        ),
        (
            ("DELETE", "/api/areas/area_4", Value::Null, 204),
            vec![attic("removed")],
            vec![],
            vec![attic("removed")],
        ),
        (("DELETE", "/api/areas/area_4", Value::Null, 404), vec![], vec![], vec![]),
    ]
}

#[test]
fn who_hears_what_of_a_change() {
    let mut audience = Audience::new();
    for row in [changes(), bulk(), assignments()].concat() {
        audience.check(&row);
    }
    pairings(&mut audience);
    ends(audience);
}

/// Screens ask, are approved and denied: only admins hear of that.
fn pairings(audience: &mut Audience) {
    let waiting = |name| vec![pairing(name, Value::Null, "pending")];
    let ask = |name| ("POST", "/api/pairing", json!({ "name": name }), 201);
    let shown = |audience: &Audience| {
        let waiting = audience.scene.house.ask("GET", "/api/pairing").expect(200);
        text(&waiting["items"][0], "userCode")
    };
    audience.check(&(ask("Door"), vec![], vec![], waiting("Door")));
    let path = format!("/api/pairing/{}/approve", shown(audience));
    let approval = json!({ "name": "Front door", "areaIds": ["area_1", "area_2"] });
    let approved = vec![
        client("client_3", "Front door", &["area_1", "area_2"], false, false),
        pairing("Door", "client_3".into(), "approved"),
    ];
    audience.check(&(("POST", &path, approval, 200), vec![], vec![], approved));
    audience.check(&(ask("Shed"), vec![], vec![], waiting("Shed")));
    let path = format!("/api/pairing/{}/deny", shown(audience));
    let denied = vec![pairing("Shed", Value::Null, "denied")];
    audience.check(&(("POST", &path, Value::Null, 204), vec![], vec![], denied));
}

/// Clients are revoked and deleted: they hear that last, and admins of it.
fn ends(mut audience: Audience) {
    let slate = client("client_1", "Slate", &["area_1", "area_2"], true, true);
    for (method, path, status, heard) in [
        ("POST", "/api/clients/client_1/revoke", 200, slate),
        ("DELETE", "/api/clients/client_2", 204, ("client_removed", r#"{"id":"client_2"}"#.into())),
    ] {
        let ended = std::mem::replace(&mut audience.holder, std::mem::take(&mut audience.other));
        audience.check(&((method, path, Value::Null, status), vec![], vec![], vec![heard]));
        for ear in ended {
            let form = ear.form;
            assert_eq!(ear.put_out(), [form.said(&token_revoked())], "{form:?}");
        }
    }
    // All the time users heard nothing: they are told so much as that their token is.
    let Audience { scene, users, user, .. } = audience;
    let path = format!("/api/tokens/{}", user.id);
    scene.house.ask("DELETE", &path).expect(204);
    for ear in users {
        let form = ear.form;
        let told: Vec<String> = ear.put_out().iter().map(|text| timeless(text)).collect();
        assert_eq!(told, [refused(form)], "{form:?}");
    }
}

/// How a connection that is no screen's is told that its token was revoked.
fn refused(form: Form) -> String {
    let of_areas = r#"{"error":"token revoked","code":"UNAUTHENTICATED","timestamp":"T"}"#;
    match form {
        Form::SocketIo(..) => form.spelled(&("error", of_areas.to_owned())),
        _ => Form::Typed.spelled(&("error", of_areas.to_owned())),
    }
}
