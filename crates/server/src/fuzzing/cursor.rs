//! Where a client says that it stopped: cursors of streams, of connections that come back, and of lists.

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
};

use bellwire_services::kit::{Code, Event, Payload, Principal, ReadTx, Role, Tx};
use bellwire_store::log::{self, Cursor, Reason, Resume};
use serde_json::Value;

use super::house::{House, PID};
use crate::{
    audience::Audience,
    opening::{
        self, Opened, Since, Sources,
        recovery::{Found, Wish, recover},
    },
};

/// How far back of the newest row one may be named.
const BACK_MAX: u64 = 16;
/// The most pages of a list that are read.
const PAGES_MAX: usize = 6;

pub(super) static HOUSE: LazyLock<House> = LazyLock::new(|| House::new("cursor"));

/// A line says who shows what: `since admin EPOCH.5` comes to the states with a cursor, `back user PID EPOCH.5` was
/// there before under a `pid`, `page admin states:list 2 CURSOR` reads a list on, two items at a time. `EPOCH`, `HEAD`
/// (or `HEAD-3`) and `PID` stand for those of the log and of a connection of `user`.
///
/// - Any text is a cursor or none, and what is one is written the same again.
/// - A client with one hears exactly the rows that follow it, or is told why not.
/// - A connection is recovered by whose it is alone.
/// - No list panics, and no item of a list comes twice.
pub fn cursor(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // It stands in URLs and JSON, which have no such character.
    if text.contains('\0') {
        return;
    }
    for line in text.lines().take(8) {
        let mut words = line.split(' ');
        let [kind, who] = [(); 2].map(|()| words.next().unwrap_or_default().to_owned());
        match &*kind {
            "since" => since(who, named(&words.collect::<Vec<_>>().join(" "))),
            "back" => {
                let pid = named(words.next().unwrap_or_default());
                back(who, pid, words.next().map(named));
            }
            "page" => {
                let (name, len) =
                    (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                let cursor: Vec<_> = words.collect();
                page(&who, name, len.parse().unwrap_or(1), &cursor.join(" "));
            }
            _ => {}
        }
    }
}

/// A word with what stands for something replaced by that.
fn named(word: &str) -> String {
    let mut word = word.replace("EPOCH", HOUSE.door.store.epoch()).replace("PID", PID);
    if word.contains("HEAD") {
        for back in (1..=BACK_MAX).rev() {
            word = word.replace(&format!("HEAD-{back}"), &(HOUSE.head - back).to_string());
        }
        word = word.replace("HEAD", &HOUSE.head.to_string());
    }
    word
}

/// What a cursor of this log leads to, by its text: independent of how it is read.
fn expected(text: &str) -> Resume {
    let is_digits = |digits: &str| {
        digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.is_empty() && !digits.starts_with('0'))
    };
    let is_epoch = |epoch: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=64).contains(&epoch.len()) && epoch.bytes().all(fits)
    };
    let parts = text.split_once('.').filter(|(epoch, digits)| is_epoch(epoch) && is_digits(digits));
    let offset = parts.and_then(|(epoch, digits)| Some((epoch, digits.parse::<u64>().ok()?)));
    match offset {
        None => Resume::Reset(Reason::Invalid),
        Some((epoch, _)) if epoch != HOUSE.door.store.epoch() => Resume::Reset(Reason::Epoch),
        Some((_, offset)) if offset > HOUSE.head => Resume::Reset(Reason::Future),
        Some((_, offset)) if offset + 1 < HOUSE.first => Resume::Reset(Reason::Expired),
        Some((_, offset)) => Resume::From(offset),
    }
}

fn sources<T>(f: impl FnOnce(&Sources<'_>) -> T) -> T {
    let door = &HOUSE.door;
    f(&Sources {
        streams: &door.tables.streams,
        roots: &door.tables.roots,
        rooms: &door.tables.rooms,
        recent: &door.recent,
        speller: &door.speller,
        now: door.clock.now(),
        out_of_time: &|| false,
    })
}

/// Which of these rows follow a place and are for the principal of an opening.
fn follow(opened: &Opened, after: u64) {
    let rows: Vec<u64> = opened.opening.rows.iter().map(|row| row.offset()).collect();
    assert!(rows.is_sorted_by(|one, other| one < other), "{rows:?}");
    assert!(
        rows.iter().all(|row| (after + 1..=HOUSE.head).contains(row)),
        "{rows:?} after {after}"
    );
}

fn since(who: String, text: String) {
    let parsed: Result<Cursor, Reason> = text.parse();
    let expected = expected(&text);
    assert_eq!(parsed.is_ok(), expected != Resume::Reset(Reason::Invalid), "{text:?}");
    if let Ok(cursor) = &parsed {
        assert_eq!(cursor.to_string(), text);
    }
    let principal = HOUSE.bearer(&who);
    HOUSE.inside(move |tx| {
        let tx: &ReadTx<'_> = tx;
        assert_eq!(log::resume(tx, &text).expect("the log can be read"), expected, "{text:?}");
        let streams = HOUSE.door.tables.streams.len();
        for stream in 0..streams {
            let opened = sources(|sources| {
                let since = Since::Cursor(text.clone());
                opening::connect(tx, principal.clone(), &Audience::of(stream), &since, sources)
            });
            let opened = opened.expect("anybody may come");
            assert_eq!(opened.opening.at, HOUSE.head);
            assert_eq!(opened.opening.frames.len(), 1, "{text:?}");
            match expected {
                Resume::From(after) => {
                    assert_eq!(opened.reset, None, "{text:?}");
                    follow(&opened, after);
                    if matches!(principal.role, Role::Admin | Role::System) {
                        all_of_states(stream, &opened, after);
                    }
                }
                Resume::Reset(reason) => {
                    assert_eq!(opened.reset, Some(reason), "{text:?}");
                    assert!(opened.opening.rows.is_empty(), "{text:?}");
                }
            }
        }
    });
}

/// Who may read everything misses no row of the states.
fn all_of_states(stream: usize, opened: &Opened, after: u64) {
    if HOUSE.door.tables.streams[stream].service != "states" {
        return;
    }
    let kept =
        HOUSE.door.recent.range(after, HOUSE.head, usize::MAX).expect("the log is in memory");
    let is_state = |event: &Event| event.name == "state_changed";
    let all = kept.iter().filter(|row| row.logged.event.as_ref().is_some_and(is_state)).count();
    assert_eq!(opened.opening.rows.len(), all, "after {after}");
}

fn back(who: String, pid: String, offset: Option<String>) {
    let principal = HOUSE.bearer(&who);
    let is_own = pid == PID && principal.id == "user/1";
    HOUSE.inside(move |tx| {
        let states = HOUSE.door.tables.streams.iter().position(|it| it.service == "states");
        let audience = Audience::of(states.expect("states have a stream"));
        let wish = Wish {
            principal,
            namespace: "/states",
            audience: &audience,
            pid: Some(&pid),
            offset: offset.as_deref(),
            from_disk: true,
        };
        let meant = |_: &[_]| Ok(audience.clone());
        let found = sources(|sources| recover(tx, &wish, meant, sources));
        let Found { fresh, before } = found.expect("anybody may come").expect("from disk too");
        let place = offset.as_deref().map_or(Resume::From(0), expected);
        let is_good = !matches!(place, Resume::Reset(reason) if reason != Reason::Expired);
        assert_eq!(before.is_some(), is_own && is_good, "{pid:?} {offset:?}");
        assert_eq!(fresh.reset.is_some(), before.is_none(), "{pid:?} {offset:?}");
        if let Some(before) = before {
            let told = if let Resume::From(after) = place { after } else { 0 };
            follow(&before.opened, told.max(before.session.at));
        }
    });
}

/// The fields of a list, beside its page; they name something that is there.
const FIELDS: &str = r#"{"roomID":"1:2","entity_id":"light.kitchen","sensor_id":1,"station_id":1,
    "houseworkerID":"3","clientId":"client_7"}"#;

/// Reads a list from this cursor on.
fn page(who: &str, name: &str, len: i64, cursor: &str) {
    let names = HOUSE.door.calls();
    let Some(name) = names.into_iter().find(|known| *known == name) else { return };
    if HOUSE.door.tables.kind(HOUSE.door.tables.service_of(name).unwrap_or_default(), name)
        != Some(crate::door::Kind::Query)
    {
        return;
    }
    let principal = HOUSE.bearer(who);
    let mut cursor = Value::from(cursor);
    HOUSE.inside(move |tx| {
        let mut seen = HashSet::new();
        for _ in 0..PAGES_MAX {
            let mut fields: Payload = serde_json::from_str(FIELDS).expect("it is an object");
            fields.insert("limit".to_owned(), len.into());
            for field in ["cursor", "before", "since"] {
                fields.insert(field.to_owned(), cursor.clone());
            }
            let Some(reply) = ask(tx, name, fields, &principal) else { return };
            let [items, next] = ["items", "next"].map(|field| reply[field].clone());
            for item in items.as_array().into_iter().flatten() {
                assert!(seen.insert(item.to_string()), "{name} has twice: {item}");
            }
            if !next.is_string() {
                return;
            }
            cursor = next;
        }
    });
}

fn ask(tx: &mut Tx<'_>, name: &str, fields: Payload, principal: &Arc<Principal>) -> Option<Value> {
    let shown = Value::Object(fields.clone()).to_string();
    let result =
        HOUSE.door.rehearse(name, fields, principal.clone(), None).and_then(|mut run| run(tx));
    match result {
        Ok(outcome) => Some(serde_json::from_str(outcome.reply.json.get()).expect("it is JSON")),
        Err(fault) => {
            assert!(
                !matches!(fault.code, Code::Internal | Code::Timeout),
                "{name} {shown}: {fault}"
            );
            None
        }
    }
}
