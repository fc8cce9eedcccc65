//! Who goes on from where it was, and who begins anew: the door, its store and its threads, without
//! sockets.

mod leaving;
mod subscribing;

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{atomic::AtomicU32, atomic::Ordering, mpsc},
    time::Duration,
};

use bellwire_services::kit::{Outcome, Payload, Reply as _, Settings};
use bellwire_store::{
    batch::Write,
    log::{Keep, prune},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::{
    app::Core, audience::Audience, door::Guests, door::SubscribeCall, housekeeping,
    hub::recent::Recent, sequencer::ReplyTo,
};

/// How long an answer may take. Far above what it takes.
const DEADLINE: Duration = Duration::from_secs(20);
const NAMESPACE: &str = "/states";

struct House {
    core: Core,
    runtime: Runtime,
    folder: TempDir,
    /// Numbers what is to differ.
    made: AtomicU32,
    /// Somebody waits as long as this lives.
    waiting: Arc<()>,
}

/// What a connection is told first: the states of its events, in order.
fn told(opened: &Opened) -> Vec<String> {
    let state = |entry: &Arc<crate::hub::recent::Entry>| {
        let event = entry.logged.event.as_ref().expect("only events are told");
        let payload: Value =
            serde_json::from_str(event.variants[0].payload.get()).expect("payloads are JSON");
        payload["new_state"]["state"].as_str().expect("it has a state").to_owned()
    };
    opened.opening.rows.iter().map(state).collect()
}

/// These topics in the namespace of states, or on `/` if that is meant.
fn named(names: &[&str]) -> Hears {
    Hears::Named(1, names.iter().map(|name| (*name).to_owned()).collect())
}

/// The names of what it listens to.
fn names(opened: &Opened) -> Vec<&str> {
    opened.topics.iter().flatten().map(|topic| topic.name.as_str()).collect()
}

fn pid(recovered: &Recovered) -> String {
    recovered.pid.clone().expect("the disk is not full")
}

fn kept(first: &Recovered, sid: &str) -> Kept {
    Kept { pid: pid(first), sid: sid.into(), known: Streams::default() }
}

fn fields(value: Value) -> Payload {
    value.as_object().cloned().expect("requests are objects")
}

impl House {
    fn new() -> House {
        House::at(tempfile::tempdir().expect("a directory can be made"))
    }

    fn at(folder: TempDir) -> House {
        let runtime = Builder::new_current_thread().enable_all().build().expect("it can be made");
        let core = Core::open(folder.path(), Guests::Everywhere, Settings::default(), Vec::new());
        let core = core.expect("it opens");
        House { core, runtime, folder, made: AtomicU32::new(0), waiting: Arc::new(()) }
    }

    /// The process ends, and another begins.
    fn restarted(self) -> House {
        let House { core, folder, .. } = self;
        core.close().expect("it closes");
        let house = House::at(folder);
        house.runtime.block_on(housekeeping::begin(&house.core.door)).expect("it begins");
        house
    }

    /// As if but the newest row had left memory.
    fn forgetful(mut self) -> House {
        let head = self.head();
        let door = Arc::get_mut(&mut self.core.door).expect("nobody else has it");
        door.recent = Arc::new(Recent::new(head, 1, 1));
        self
    }

    fn number(&self) -> u32 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    fn ask(&self, name: &str, request: Value) -> Value {
        let operator = Arc::new(Principal::operator());
        let asked = self.core.door.ask(name, fields(request), operator);
        let answer = self.runtime.block_on(asked).expect("it is done");
        serde_json::from_str(answer.get()).expect("answers are JSON")
    }

    fn set(&self, entity: &str, state: &str) {
        self.ask("states:create", json!({ "entity_id": entity, "state": state }));
    }

    fn token(&self, request: Value) -> (Credential, String) {
        let made = self.ask("tokens.create", request);
        let token = made["token"].as_str().expect("a token is a text");
        let claims = self.core.door.keyring.verify(token, self.core.door.clock.now());
        let jti = claims.expect("it is good").jti;
        (Credential::Token { jti }, made["id"].as_str().expect("an id is a text").to_owned())
    }

    fn maintain<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Result<T, Fault> + Send + Sync + 'static,
    ) -> T {
        let done = self.core.door.maintain(move |tx, _| work(tx));
        self.runtime.block_on(done).expect("it is done")
    }

    fn head(&self) -> Offset {
        self.core.door.store.log_stats().head
    }

    fn cursor(&self, offset: Offset) -> Option<String> {
        Some(self.core.door.speller.cursor(offset))
    }

    /// All of the states, for a guest who was not here before.
    fn newcomer(&self) -> Recoverable {
        Recoverable {
            credential: Credential::Guest(Ipv4Addr::LOCALHOST.into()),
            namespace: NAMESPACE,
            within: Some("states"),
            sid: format!("sid{}", self.number()),
            hears: named(&["states"]),
            asks: false,
            pid: None,
            offset: None,
        }
    }

    /// The same one, back with its `pid`.
    fn back(&self, before: &Recovered) -> Recoverable {
        Recoverable { pid: before.pid.clone(), ..self.newcomer() }
    }

    fn start(&self, call: Recoverable) -> mpsc::Receiver<Result<Recovered, Fault>> {
        let (tell, told) = mpsc::channel();
        let wanted = Arc::downgrade(&self.waiting);
        let answer = move |result| tell.send(result).expect("the test listens");
        self.core.door.recoverable(call, wanted, answer).expect("it is queued");
        told
    }

    fn connect(&self, call: Recoverable) -> Result<Recovered, Fault> {
        self.start(call).recv_timeout(DEADLINE).expect("it is answered")
    }

    fn connected(&self, call: Recoverable) -> Recovered {
        self.connect(call).expect("it is let in")
    }

    fn row(&self, pid: &str) -> Option<LiveSession> {
        let pid = pid.to_owned();
        self.maintain(move |tx| live_sessions::find(tx, &pid))
    }

    /// Waits for the door's call, and gives what it answers.
    fn opened(
        &self,
        call: impl FnOnce(Weak<()>, Box<dyn FnOnce(Result<Opened, Fault>) + Send>) -> Result<(), Fault>,
    ) -> Result<Opened, Fault> {
        let (tell, told) = mpsc::channel();
        let answer = move |result| tell.send(result).expect("the test listens");
        call(Arc::downgrade(&self.waiting), Box::new(answer))?;
        told.recv_timeout(DEADLINE).expect("it is answered")
    }

    /// Keeps the writer busy until the sender is dropped.
    fn hold_writer(&self) -> mpsc::Sender<()> {
        let (release, released) = mpsc::channel::<()>();
        let (enter, entered) = mpsc::channel();
        let run = move |_: &mut Tx<'_>| {
            enter.send(()).expect("the test listens");
            let _ = released.recv();
            Ok(Outcome::reply(().answer()?))
        };
        let to = ReplyTo::Function(Box::new(drop));
        let queued = self.core.door.store.write(Write { at: 0, run: Box::new(run), to });
        assert!(queued.is_ok());
        entered.recv_timeout(DEADLINE).expect("the writer is held");
        release
    }

    /// Waits until the reads that were asked for before from disk are done.
    fn await_replays(&self) {
        let (tell, told) = mpsc::channel();
        let job = Box::new(move |_: Result<&ReadTx<'_>, Fault>| {
            tell.send(()).expect("the test listens");
        });
        assert!(self.core.door.store.replay(job).is_ok());
        told.recv_timeout(DEADLINE).expect("it comes last");
    }
}

/// How one comes back who was there when the log's head was `at`, and whom three events were told or
/// were not; and what it is told, or why it begins anew.
fn check_return(
    change: impl FnOnce(&House, Offset, &mut Recoverable),
    expected: Result<&[&str], Option<Reason>>,
) {
    let house = House::new();
    house.set("light.a", "before");
    let first = house.connected(house.newcomer());
    assert!(!first.recovered && first.replaced.is_none() && first.opened.reset.is_none());
    assert_eq!(pid(&first).len(), PID_LEN);
    let at = first.opened.opening.at;
    assert_eq!(at, house.head());
    for state in ["1", "2", "3"] {
        house.set("light.a", state);
    }
    let mut call = house.back(&first);
    // It is its row that counts.
    call.hears = named(&["entity/light.b"]);
    change(&house, at, &mut call);
    let sid = call.sid.clone();
    let second = house.connected(call);
    assert!(second.opened.opening.frames.is_empty());
    assert_eq!(second.opened.opening.at, house.head());
    let row = house.row(&pid(&second)).expect("it has a row");
    assert_eq!((row.sid, Some(row.topics), row.left_at), (sid, second.opened.topics.clone(), None));
    match expected {
        Ok(states) => {
            assert_eq!((second.recovered, second.opened.reset), (true, None));
            assert_eq!(told(&second.opened), states);
            assert_eq!((&second.pid, &second.opened.topics), (&first.pid, &first.opened.topics));
            assert_eq!(second.opened.streams, first.opened.streams);
            assert_eq!(second.opened.opening.filter, first.opened.opening.filter);
            assert_eq!(second.replaced.as_deref(), Some("sid0"));
        }
        Err(reason) => {
            assert_eq!((second.recovered, second.opened.reset), (false, reason));
            assert!(told(&second.opened).is_empty());
            assert_ne!(second.pid, first.pid);
            assert_eq!(names(&second.opened), ["entity/light.b"]);
            assert_eq!((second.replaced, row.at), (None, second.opened.opening.at));
        }
    }
}

#[test]
fn who_comes_back_goes_on_from_where_it_was() {
    check_return(|_, _, _| {}, Ok(&["1", "2", "3"]));
    check_return(|house, at, call| call.offset = house.cursor(at), Ok(&["1", "2", "3"]));
    check_return(|house, at, call| call.offset = house.cursor(at + 2), Ok(&["3"]));
    check_return(|house, at, call| call.offset = house.cursor(at + 3), Ok(&[]));
    // Nothing is told from before it began, whatever it says.
    check_return(|house, at, call| call.offset = house.cursor(at - 1), Ok(&["1", "2", "3"]));
    check_return(|house, _, call| call.offset = house.cursor(0), Ok(&["1", "2", "3"]));
}

#[test]
fn whoever_cannot_be_told_all_begins_anew() {
    let future = Err(Some(Reason::Future));
    check_return(|house, at, call| call.offset = house.cursor(at + 4), future);
    check_return(|house, _, call| call.offset = house.cursor(u64::MAX), future);
    for offset in ["", "x", "x.", "a message"] {
        check_return(|_, _, call| call.offset = Some(offset.into()), Err(Some(Reason::Invalid)));
    }
    let other = |_: &House, at, call: &mut Recoverable| call.offset = Some(format!("other.{at}"));
    check_return(other, Err(Some(Reason::Epoch)));
    check_return(|_, _, call| call.pid = None, Err(None));
}

#[test]
fn a_pid_is_of_its_principal_and_its_namespace() {
    let expired = Err(Some(Reason::Expired));
    check_return(|_, _, call| call.namespace = "/", expired);
    let token = |role: &str| json!({ "role": role, "scopes": ["states:read"] });
    check_return(|house, _, call| call.credential = house.token(token("user")).0, expired);
    for pid in ["", "AAAAAAAAAAAAAAAAAAAA", "sid0", "\0", "%", "\u{1f514}"] {
        check_return(|_, _, call| call.pid = Some(pid.into()), expired);
    }

    let house = House::new();
    let request = json!({ "role": "device", "subject": "7", "scopes": ["states:read"] });
    let [one, same] = [(); 2].map(|()| house.token(request.clone()).0);
    let other = house.token(json!({ "role": "device", "subject": "8" })).0;
    let first = house.connected(Recoverable { credential: one, ..house.newcomer() });
    let back = |credential| Recoverable { credential, ..house.back(&first) };
    assert!(!house.connected(back(other)).recovered);
    assert!(house.connected(back(same)).recovered, "by another token");
}

#[test]
fn rights_are_those_of_now() {
    let house = House::new();
    let scopes = ["states:read:light.*", "states:read:lock.*"];
    let (credential, id) = house.token(json!({ "role": "client", "scopes": scopes }));
    let call = Recoverable { credential: credential.clone(), ..house.newcomer() };
    let first = house.connected(call);
    house.set("light.a", "on");
    house.set("lock.a", "locked");
    house.ask("tokens.change", json!({ "id": id, "scopes": scopes[..1] }));
    let back = || Recoverable { credential: credential.clone(), ..house.back(&first) };
    let second = house.connected(back());
    assert_eq!((second.recovered, told(&second.opened)), (true, vec!["on".into()]));
    house.ask("tokens.revoke", json!({ "id": id }));
    let fault = house.connect(back()).expect_err("it is nobody any more");
    assert_eq!(fault.code, Code::Unauthenticated);
}

#[test]
fn what_the_log_let_go_of_is_not_recovered() {
    let house = House::new();
    house.set("light.a", "0");
    let first = house.connected(house.newcomer());
    for state in ["1", "2", "3"] {
        house.set("light.a", state);
    }
    let at = first.opened.opening.at;
    // Two rows are left.
    let keep = Keep { time: 0, events: 2, bytes_max: u64::MAX };
    house.maintain(move |tx| prune(tx, i64::MAX, &keep));
    let late = Recoverable { offset: house.cursor(at + 2), ..house.back(&first) };
    let second = house.connected(late);
    assert_eq!((second.recovered, told(&second.opened)), (true, vec!["3".into()]));
    for offset in [None, house.cursor(at)] {
        let third = house.connected(Recoverable { offset, ..house.back(&first) });
        assert_eq!((third.recovered, third.opened.reset), (false, Some(Reason::Expired)));
    }
}

#[test]
fn what_left_memory_comes_from_disk() {
    let house = House::new();
    let first = house.connected(house.newcomer());
    for state in ["1", "2", "3"] {
        house.set("light.a", state);
    }
    let house = house.forgetful();
    for offset in [None, house.cursor(first.opened.opening.at)] {
        let second = house.connected(Recoverable { offset, ..house.back(&first) });
        assert_eq!((second.recovered, told(&second.opened).len()), (true, 3));
    }
}

/// Each goes on with the `pid` and ends the one whose row it was, in the order of their writes, and one has it in the end.
/// Of many, some may have looked in vain too often, and begin anew.
#[test]
fn of_those_that_come_back_at_once_one_goes_on() {
    for count in [2, 2 * AGAIN_MAX as usize] {
        let house = House::new();
        house.set("light.a", "0");
        let first = house.connected(house.newcomer());
        house.set("light.a", "1");
        let house = house.forgetful();
        let offset = house.cursor(first.opened.opening.at);
        let release = house.hold_writer();
        let back = || Recoverable { offset: offset.clone(), ..house.back(&first) };
        let answers: Vec<_> = (0..count).map(|_| house.start(back())).collect();
        house.await_replays();
        drop(release);
        let mut has_it = "sid0".to_owned();
        let mut anew = 0;
        let mut ended = HashMap::new();
        for (number, answer) in answers.into_iter().enumerate() {
            let sid = format!("sid{}", number + 1);
            let one = answer.recv_timeout(DEADLINE).expect("it is answered").expect("it is let in");
            if one.recovered {
                assert_eq!((&one.pid, told(&one.opened)), (&first.pid, vec!["1".into()]), "{sid}");
                let ends = one.replaced.expect("another had it");
                assert_eq!(ended.insert(ends, sid), None, "two had it from one");
            } else {
                assert_eq!((one.opened.reset, &one.replaced), (Some(Reason::Expired), &None));
                assert!(told(&one.opened).is_empty() && one.pid != first.pid);
                assert_eq!(house.row(&pid(&one)).map(|row| row.sid), Some(sid));
                anew += 1;
            }
        }
        assert!(count > 2 || anew == 0, "the second looks again");
        while let Some(next) = ended.remove(&has_it) {
            has_it = next;
        }
        assert!(ended.is_empty(), "somebody has it still who was not ended: {ended:?}");
        assert_eq!(house.row(&pid(&first)).map(|row| row.sid), Some(has_it));
    }
}

#[test]
fn topics_are_remembered() {
    let house = House::new();
    let first = house.connected(Recoverable { hears: named(&[]), ..house.newcomer() });
    let kept = |sid: &str| Some(kept(&first, sid));
    house.set("light.a", "0");
    house.set("light.b", "1");
    let second = house.connected(house.back(&first));
    assert!(second.recovered && told(&second.opened).is_empty(), "it listens to nothing");

    let principal = second.opened.principal.clone();
    let door = &house.core.door;
    let listen = |names: &[&str], kept| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let names = Listen { within: None, names, before: Vec::new(), rooms: None };
        let after = second.opened.opening.at - 1;
        house.opened(|wanted, answer| {
            door.listen(principal.clone(), names, after, kept, wanted, answer)
        })
    };
    let states = ["states"];
    let opened = listen(&states, kept("sid1")).expect("it listens");
    // What it missed while it was suspended is told, and nothing is said about it.
    assert_eq!((told(&opened), opened.opening.frames.len()), (vec!["1".into()], 0));
    assert_eq!(names(&opened), states);
    assert_eq!(house.row(&pid(&first)).map(|row| row.topics), opened.topics);
    let lost = listen(&states, kept("sid0")).expect_err("another has it");
    assert_eq!(lost.code, Code::Conflict);
    assert!(listen(&[], None).expect("it need not be kept").opening.held.is_empty());

    let subscribe = |kept, streams| {
        let payload = fields(json!({ "entity_ids": ["light.b", "light.a", "light.b"] }));
        let topics = vec![Listened::from(("states".to_owned(), 0))];
        let call = SubscribeCall { name: "subscribe_entities", payload, topics, after: 0 };
        house.opened(|wanted, answer| {
            door.subscribe(call, principal.clone(), streams, kept, wanted, answer)
        })
    };
    let opened = subscribe(kept("sid1"), Audience::default()).expect("it subscribes");
    assert_eq!(opened.streams, Audience::of(0).streams, "it begins to listen to the states");
    assert_eq!(names(&opened), ["entity/light.a", "entity/light.b"]);
    assert_eq!(house.row(&pid(&first)).map(|row| row.topics), opened.topics);
    assert!(subscribe(kept("sid0"), Audience::of(0)).is_err());

    house.set("light.a", "2");
    house.set("light.c", "3");
    let offset = house.cursor(opened.opening.at);
    let house = house.restarted();
    let third = house.connected(Recoverable { offset, ..house.back(&second) });
    assert_eq!((third.recovered, told(&third.opened)), (true, vec!["2".into()]));
    assert_eq!(third.opened.opening.filter.as_ref().map(|filter| filter.keys().count()), Some(2));
    assert_eq!((&third.opened.topics, third.replaced), (&opened.topics, None));
}

/// A call to the states would begin to listen to them otherwise.
#[test]
fn that_a_service_was_left_is_remembered() {
    let house = House::new();
    let mut last = house.connected(house.newcomer());
    let states = Audience::of(0).streams;
    assert_eq!(last.left, Streams::default());
    for sid in ["sid0", "sid1"] {
        let listen = Listen { within: None, names: Vec::new(), before: Vec::new(), rooms: None };
        let kept = Kept { known: states, ..kept(&last, sid) };
        let opened = house.opened(|wanted, answer| {
            let (principal, at) = (last.opened.principal.clone(), last.opened.opening.at);
            house.core.door.listen(principal, listen, at, Some(kept), wanted, answer)
        });
        assert_eq!(names(&opened.expect("it listens to nothing")), [""; 0]);
        last = house.connected(house.back(&last));
        assert_eq!((last.recovered, last.left, names(&last.opened)), (true, states, vec![]));
        assert_eq!(last.opened.streams, Streams::default());
    }
}

/// What came before a topic was asked for was not missed: its snapshot had it.
#[test]
fn topics_count_from_where_they_were_asked_for() {
    let house = House::new();
    let first = house.connected(Recoverable { hears: named(&[]), ..house.newcomer() });
    ["1", "2"].iter().for_each(|state| house.set("light.a", state));
    let payload = fields(json!({ "entity_ids": ["light.a"] }));
    let topics = Vec::new();
    let call = SubscribeCall { name: "subscribe_entities", payload, topics, after: 0 };
    let principal = first.opened.principal.clone();
    let kept = Some(kept(&first, "sid0"));
    let opened = house.opened(|wanted, answer| {
        house.core.door.subscribe(call, principal, Audience::default(), kept, wanted, answer)
    });
    assert!(opened.expect("it subscribes").snapshot.is_some());
    house.set("light.a", "3");
    let second = house.connected(house.back(&first));
    assert_eq!((second.recovered, told(&second.opened)), (true, vec!["3".into()]));
}

/// Nobody can make rows without end: of those that ended, each has the newest.
#[test]
fn rows_that_are_left_are_bounded() {
    let house = House::new();
    let first = house.connected(house.newcomer());
    house.core.door.leave(pid(&first), "sid0".into());
    let row = house.row(&pid(&first)).expect("it is there");
    // In portions: a transaction has 250 ms.
    for first in (0..live_sessions::LEFT_MAX).step_by(100) {
        let row = row.clone();
        house.maintain(move |tx| {
            (first..first + 100).try_for_each(|number| {
                let (pid, sid) = (format!("{number:020}"), format!("left{number}"));
                let session = LiveSession { pid: pid.clone(), sid: sid.clone(), ..row.clone() };
                live_sessions::insert(tx, &session)?;
                live_sessions::leave(tx, &pid, &sid, i64::MAX - number)
            })
        });
    }
    assert!(house.row(&pid(&first)).is_some());
    let other = house.connected(house.newcomer());
    assert!(house.row(&pid(&other)).is_some());
    assert!(house.row(&pid(&first)).is_none(), "it was left first");
    assert!(house.row(&format!("{:020}", live_sessions::LEFT_MAX - 1)).is_some());
}

/// What was read may be too old when the hub gets it: nothing was told yet, and nothing is missed.
#[test]
fn a_read_that_is_done_again_goes_on_from_the_same_place() {
    let house = House::new();
    let call = house.newcomer();
    let first = house.connected(call.clone());
    house.set("light.a", "1");
    let again = Recoverable { pid: first.pid.clone(), ..call };
    for _ in 0..2 {
        let read = house.connected(again.clone());
        assert_eq!((&read.pid, &read.replaced), (&first.pid, &None), "it does not replace itself");
        assert_eq!(told(&read.opened), ["1"]);
    }
}

#[test]
fn names_that_mean_nothing_are_refused() {
    let house = House::new();
    for name in ["x", "areas", "entity/x"] {
        let call = Recoverable { hears: named(&[name]), ..house.newcomer() };
        let wanted = Arc::downgrade(&house.waiting);
        let (tell, told) = mpsc::channel();
        let answer = move |result: Result<Recovered, Fault>| drop(tell.send(result.map(|_| ())));
        house.core.door.recoverable(call, wanted, answer).expect("there is room");
        let refused = told.recv_timeout(DEADLINE).expect("it is answered");
        assert_eq!(refused.expect_err("it means nothing").code, Code::Invalid, "{name}");
    }
}
