//! Coming back to areas: what a screen missed it is told once and in order, whoever went away, it or the server.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Value, json};

use super::{
    Paired,
    ear::{Ear, FENCE, Form, Scene, area, connected, timeless},
};
use crate::harness::{Over, at};

/// How a screen comes and comes back.
#[derive(Debug, Clone, Copy)]
enum Way {
    Since(Form),
    Recover(&'static str, Over),
}

const WAYS: [Way; 6] = [
    Way::Since(Form::BareCursor),
    Way::Since(Form::TypedCursor),
    Way::Recover("/", Over::Socket),
    Way::Recover("/", Over::Polling),
    Way::Recover("/areas", Over::Socket),
    Way::Recover("/areas", Over::Polling),
];

/// What a connection knew when it ended.
#[derive(Debug, Clone, Default)]
struct Place {
    pid: Value,
    cursor: Option<String>,
}

/// A connection that has cursors, and where it is.
struct Reader {
    ear: Ear,
    place: Place,
}

impl Way {
    /// Comes for the first time, or back. Gives what it is told behind its greeting.
    #[track_caller]
    fn come(self, scene: &Scene, screen: &Paired, place: &Place) -> (Reader, Vec<String>) {
        let server = &scene.house.server;
        let since = place.cursor.as_deref();
        let ear = match self {
            Way::Since(form) => {
                let typed = if form == Form::TypedCursor { "typed=1&" } else { "" };
                let path = format!("/?{typed}since={}", since.unwrap_or("now"));
                Ear::plain(server, form, &path, &screen.token)
            }
            Way::Recover(namespace, over) => {
                let mut auth = json!({ "token": screen.token, "recover": true });
                if place.pid.is_string() {
                    auth["pid"] = place.pid.clone();
                    since.into_iter().for_each(|since| auth["offset"] = since.into());
                }
                let mut session = server.socket_io().open(over);
                let told = session.enter(namespace, &auth);
                if since.is_some() {
                    assert_eq!(told["pid"], place.pid, "it goes on");
                }
                let ear = Ear::of(session, namespace, over);
                let place = Place { pid: told["pid"].clone(), cursor: place.cursor.clone() };
                return self.greeted(Reader { ear, place }, screen);
            }
        };
        self.greeted(Reader { ear, place: place.clone() }, screen)
    }

    #[track_caller]
    fn greeted(self, mut reader: Reader, screen: &Paired) -> (Reader, Vec<String>) {
        let mut first = std::mem::take(&mut reader.ear.first).into_iter();
        let greeting = reader.ear.form.said(&connected(&screen.id));
        let mut next = || first.next().expect("it is told something first");
        match self {
            Way::Since(_) => {
                let resumed = next();
                assert!(resumed.starts_with(r#"{"type":"resumed","cursor":""#), "{resumed}");
                reader.place.cursor = resumed.split('"').nth(7).map(str::to_owned);
                assert_eq!(timeless(&next()), greeting);
            }
            Way::Recover(..) => assert_eq!(reader.split(&next()), greeting),
        }
        let told = first.map(|text| reader.split(&text)).collect();
        (reader, told)
    }
}

impl Reader {
    /// Takes the cursor off what it is told, and remembers it.
    #[track_caller]
    fn split(&mut self, text: &str) -> String {
        let text = timeless(text);
        let split = match self.ear.form {
            Form::SocketIo(..) => {
                let (event, offset) = text.rsplit_once(r#",""#).expect("it has an offset");
                let offset = offset.strip_suffix(r#""]"#).expect("the offset stands last");
                (format!("{event}]"), offset.to_owned())
            }
            _ => {
                let (event, cursor) = text.split_once(r#","cursor":""#).expect("it has a cursor");
                let cursor = cursor.strip_suffix(r#""}"#).expect("the cursor stands last");
                (format!("{event}}}"), cursor.to_owned())
            }
        };
        self.place.cursor = Some(split.1);
        split.0
    }

    #[track_caller]
    fn hears(&mut self, texts: &[String]) {
        for text in texts {
            let told = self.ear.raw();
            assert_eq!(self.split(&told), *text);
        }
    }

    /// How an event is spelled, its cursor taken off.
    fn spelled(&self, event: &super::ear::Told) -> String {
        self.ear.form.said(event)
    }
}

fn named(scene: &Scene, area_id: &str, name: &str) {
    scene.change(area_id, &json!({ "name": name }));
}

#[test]
fn what_was_missed_is_told_once_and_in_order() {
    for (way, kills) in WAYS.into_iter().zip([true, false, true, false, false, true]) {
        let mut scene = Scene::new();
        let [lost, won] = ["Lost", "Won"].map(|name| scene.house.area(name, &[]));
        let screen = scene.pair("Tablet", &[&lost]);
        let (mut reader, told) = way.come(&scene, &screen, &Place::default());
        assert_eq!(told, [""; 0], "{way:?}");
        let updated = |id: &str, name: &str| area("updated", id, name, &[], true);
        for n in ["1", "2"] {
            named(&scene, &lost, n);
            reader.hears(&[reader.spelled(&updated(&lost, n))]);
        }
        let place = reader.place.clone();
        drop(reader);
        named(&scene, &lost, "not any more");
        named(&scene, FENCE, "3");
        named(&scene, &won, "not yet");
        scene.house.assign(&screen.id, &[FENCE, &won]);
        named(&scene, &won, "4");
        named(&scene, &lost, "canary");
        scene.change(FENCE, &json!({ "name": "5", "isEnabled": false }));
        if kills {
            scene = scene.killed();
        }
        let missed = [
            updated(FENCE, "3"),
            area("removed", &lost, "not any more", &[], true),
            area("added", &won, "not yet", &[], true),
            updated(&won, "4"),
            area("updated", FENCE, "5", &[], false),
            area("disabled", FENCE, "5", &[], false),
        ];
        // However often it comes back to the same place.
        for _ in 0..2 {
            let (reader, told) = way.come(&scene, &screen, &place);
            let expected: Vec<String> = missed.iter().map(|told| reader.spelled(told)).collect();
            assert_eq!(told, expected, "{way:?}, killed: {kills}");
        }
        let (mut reader, _) = way.come(&scene, &screen, &place);
        named(&scene, &won, "live");
        reader.hears(&[reader.spelled(&updated(&won, "live"))]);
        let here = reader.place.clone();
        drop(reader);
        assert_eq!(way.come(&scene, &screen, &here).1, [""; 0], "{way:?}");
    }
}

/// From any place the rest is told, and no more.
#[test]
fn from_every_place_the_rest_is_told() {
    for way in [WAYS[0], WAYS[2], WAYS[5]] {
        let scene = Scene::new();
        let screen = scene.pair("Tablet", &[]);
        let other = scene.house.area("Other", &[]);
        let (mut reader, _) = way.come(&scene, &screen, &Place::default());
        let mut places = vec![reader.place.clone()];
        let names: Vec<String> = (0..12).map(|n| format!("n{n}")).collect();
        for name in &names {
            named(&scene, FENCE, name);
            named(&scene, &other, "canary");
            let told = reader.spelled(&area("updated", FENCE, name, &[], true));
            reader.hears(&[told]);
            places.push(reader.place.clone());
        }
        for (n, place) in places.iter().enumerate() {
            let (reader, told) = way.come(&scene, &screen, place);
            let rest = names[n..].iter();
            let rest = rest.map(|name| reader.spelled(&area("updated", FENCE, name, &[], true)));
            assert_eq!(told, rest.collect::<Vec<_>>(), "{way:?}, from {n}");
        }
    }
}

/// The same beside an admin who waits for nobody, who changes other areas too: each once, whenever it comes back.
#[test]
fn places_hold_beside_others_who_write() {
    const TIMES: usize = 25;
    for way in WAYS {
        let scene = Scene::new();
        let screen = scene.pair("Tablet", &[]);
        let other = scene.house.area("canary", &[]);
        let (mut reader, _) = way.come(&scene, &screen, &Place::default());
        let stops = AtomicBool::new(false);
        thread::scope(|threads| {
            let writing = threads.spawn(|| {
                for n in (0..).step_by(5) {
                    let items = (n..n + 5).flat_map(|n| {
                        let name = |id: &str, word: &str| json!({ "id": id, "name": format!("{word} {n}") });
                        [name(FENCE, "n"), name(&other, "canary")]
                    });
                    let items: Vec<Value> = items.collect();
                    scene.house.ask("PATCH", "/api/areas").json(&json!(items)).expect(200);
                    if stops.load(Ordering::SeqCst) {
                        return n + 5;
                    }
                }
                unreachable!("it stops when it is told to")
            });
            let mut heard: Vec<String> = Vec::new();
            for time in 0..TIMES {
                for _ in 0..time % 4 {
                    let told = reader.ear.raw();
                    heard.push(reader.split(&told));
                }
                let place = reader.place.clone();
                let (again, told) = way.come(&scene, &screen, &place);
                heard.extend(told);
                reader = again;
            }
            stops.store(true, Ordering::SeqCst);
            let all: usize = writing.join().expect("it writes");
            let last = format!(r#""name":"n {}""#, all - 1);
            while heard.last().is_none_or(|text| !text.contains(&last)) {
                let told = reader.ear.raw();
                heard.push(reader.split(&told));
            }
            let names = (0..all).map(|n| area("updated", FENCE, &format!("n {n}"), &[], true));
            let expected: Vec<String> = names.map(|told| reader.spelled(&told)).collect();
            assert_eq!(heard, expected, "{way:?}");
        });
    }
}

/// Who comes while an area is given and taken hears as it stands in the end, whatever it saw on its way in.
#[test]
fn who_comes_meanwhile_hears_as_it_stands() {
    const AT_ONCE: usize = 6;
    for ends_with_it in [true, false, true, false] {
        let scene = Scene::new();
        let kitchen = scene.house.area("Kitchen", &["light.a"]);
        let screen = scene.pair("Tablet", &[&kitchen]);
        let server = &scene.house.server;
        let auth = json!({ "token": screen.token, "topics": ["areas", "states"] });
        let stops = AtomicBool::new(false);
        let mut ears: Vec<Ear> = thread::scope(|threads| {
            let coming: Vec<_> = (0..AT_ONCE)
                .map(|_| {
                    threads.spawn(|| {
                        let mut ears = Vec::new();
                        while !stops.load(Ordering::SeqCst) && ears.len() < 12 {
                            ears.push(Ear::open(server, &screen.token, Form::Typed));
                            ears.push(Ear::come(server, "/", Over::Socket, &auth));
                        }
                        ears
                    })
                })
                .collect();
            for turn in 0..20 {
                let has_it = (turn % 2 == 0) != ends_with_it;
                let areas = if has_it { vec![FENCE, &kitchen] } else { vec![FENCE] };
                scene.house.assign(&screen.id, &areas);
            }
            stops.store(true, Ordering::SeqCst);
            coming.into_iter().flat_map(|ears| ears.join().expect("all come in")).collect()
        });
        assert!(ears.len() >= 2 * AT_ONCE, "{}", ears.len());
        let fence = scene.fence();
        ears.iter_mut().for_each(|ear| drop(ear.before(&fence)));
        scene.change(&kitchen, &json!({ "name": "in the end" }));
        scene.state("light.a", "in the end");
        let fence = scene.fence();
        for ear in &mut ears {
            let told = ear.before(&fence);
            let states = usize::from(ear.form != Form::Typed);
            let expected = if ends_with_it { 1 + states } else { 0 };
            assert_eq!(told.len(), expected, "{:?}: {told:?}", ear.form);
        }
    }
}

/// A place of somebody else's says nothing of what is not for the one who brings it.
#[test]
fn a_place_of_others_is_no_way_in() {
    let scene = Scene::new();
    let secret = scene.house.area("canary", &[]);
    let (screen, thief) = (scene.pair("Tablet", &[&secret]), scene.pair("Thief", &[]));
    for way in WAYS {
        let (mut reader, _) = way.come(&scene, &screen, &Place::default());
        named(&scene, &secret, "canary 1");
        reader.hears(&[reader.spelled(&area("updated", &secret, "canary 1", &[], true))]);
        named(&scene, &secret, "canary 2");
        let place = Place { pid: Value::Null, ..reader.place.clone() };
        match way {
            Way::Since(_) => assert_eq!(way.come(&scene, &thief, &place).1, [""; 0]),
            Way::Recover(namespace, over) => {
                let mut session = scene.house.server.socket_io().open(over);
                let Place { pid, cursor } = &reader.place;
                let auth =
                    json!({ "token": thief.token, "recover": true, "pid": pid, "offset": cursor });
                assert_ne!(session.enter(namespace, &auth)["pid"], *pid);
                let mut ear = Ear::of(session, namespace, over);
                assert_eq!(ear.first.len(), 1, "its greeting: {:?}", ear.first);
                let fence = scene.fence();
                assert!(ear.before(&fence).is_empty(), "{}", at(namespace));
            }
        }
    }
}
