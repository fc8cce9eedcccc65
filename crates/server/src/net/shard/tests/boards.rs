//! A stream with places of a made-up service: who comes there, what is shown first, where calls came from, and which
//! answers are given.

use bellwire_services::kit::{
    Access, Ctx, Dialect, Event, Heard, Micros, Outcome, Overflow, Place, ReadTx, Said, Service,
    Spelling, Topic, Tx, Variant, Wish,
};
use serde_json::{Value, value::to_raw_value};

use super::{super::serve::Inbound, *};
use crate::door::Tables;

/// Boards from 1 to 9 are there.
const PATH: &str = "/board/{board_id}/";

/// What is put on a board.
#[derive(serde::Deserialize)]
struct Put {
    value: i64,
}

fn put(_: &mut Tx<'_>, ctx: &Ctx<'_>, put: &Put) -> Result<Outcome<Value>, Fault> {
    let Some(Place { path: PATH, id: Some(id) }) = ctx.place else {
        return Err(Fault::new(Code::Invalid, "it came from nowhere"));
    };
    if put.value < 0 {
        return Err(Fault::new(Code::Invalid, "value: from 0 on").named("INVALID_VALUE"));
    }
    let payload = to_raw_value(&json!({ "board_id": id, "value": put.value }));
    let event = Event {
        name: "put".into(),
        key: id.to_string(),
        except: Vec::new(),
        variants: vec![Variant {
            topics: vec!["boards".into(), format!("board/{id}").into()],
            payload: payload.expect("it serialises"),
        }],
        overflow: Overflow::Latest,
    };
    Ok(Outcome::reply(json!({ "board_id": id })).event(event))
}

fn place(
    _: &ReadTx<'_>,
    ctx: &Ctx<'_>,
    _: &serde_json::Map<String, Value>,
) -> Result<Value, Fault> {
    Ok(json!({ "from": ctx.place.and_then(|place| place.id) }))
}

const DIALECT: Dialect = Dialect {
    reply: |name, answer, wanted| {
        let reply = answer.json.get();
        wanted.then(|| Said::response(name, format!(r#"{{"data":{reply}}}"#)))
    },
    refusal: |_, fault, now| error(fault, now),
    error,
};

fn error(fault: &Fault, _: Micros) -> Said {
    let payload = json!({ "message": fault.message, "code": fault.name() }).to_string();
    Said { event: "error".to_owned(), payload }
}

fn heard(wish: &Wish<'_>) -> Result<Heard, Fault> {
    Ok(Heard::of(wish.place.map(|id| Topic::Owned(format!("board/{id}"))).into_iter().collect()))
}

fn exists(_: &ReadTx<'_>, id: i64) -> Result<(), Fault> {
    let unknown = || Fault::new(Code::NotFound, "no such board").named("UNKNOWN_BOARD");
    (1..10).contains(&id).then_some(()).ok_or_else(unknown)
}

fn shown(_: &ReadTx<'_>, who: &Principal, id: Option<i64>) -> Result<Said, Fault> {
    let payload = json!({ "board_id": id, "to": who.id }).to_string();
    Ok(Said { event: "boards:snapshot".to_owned(), payload })
}

fn tables() -> Tables {
    let boards = Service::new("boards", &[], &[])
        .command("put", Access::Caller, put)
        .query("place", Access::Caller, place)
        .event::<serde_json::Value>("put", Spelling::Spread)
        .topics(&["boards", "board"])
        .stream(PATH, DIALECT, Access::Caller, |_, _| Ok(vec![Topic::Borrowed("boards")]))
        .hears(heard)
        .exists(exists)
        .snapshot(shown)
        .lossy()
        .stream("/none/{board_id}/", DIALECT, Access::Caller, |_, _| Ok(Vec::new()))
        .hears(heard)
        .exists(exists)
        .snapshot(shown);
    Tables::of(vec![boards])
}

/// A guest comes to a stream, and its first read comes back.
fn come(stream: usize, id: i64, query: &str, since: Since) -> House {
    let tuning = tables().tune(stream, Some(id), query, &since).expect("it is a good request");
    let mut house = House::with(|door| door.tables = Arc::new(tables()), tuning, since);
    let (number, result) = house.read();
    let id = house.id;
    house.shard.opened(id, number, result, 0);
    house
}

impl House {
    /// Takes in what a client says, and what comes of it.
    fn say(&mut self, text: &str) {
        let line = self.shard.hub.line_of(self.id).expect("it is in");
        self.shard.serve(line, vec![Inbound::Text(text.to_owned())], 0);
        self.shard.submit(0);
        while self.shard.talk(self.id).is_some_and(|talk| talk.is_asking()) {
            match self.shard.inlet.receiver.recv_timeout(DEADLINE) {
                Ok(Message::Batch(items)) => self.shard.batch(&items, 0),
                Ok(Message::Answered(call, result)) => self.shard.answered(call, &result, 0),
                other => panic!("an answer was expected, not {other:?}"),
            }
        }
        self.shard.hub.flush(0);
    }

    /// The texts that the client was told; a close frame as its code.
    fn frames(self) -> Vec<String> {
        use bellwire_wire::frame::{Flow, Incoming, Limits, Reader, Role};
        let epoch = self.core.door.store.epoch().to_owned();
        let mut told = self.told_bytes();
        let mut frames = Vec::new();
        let limits = Limits { message_len_max: 1 << 20, fragments_max: 1, pings_per_second_max: 1 };
        let read = Reader::new(Role::Client, 0).receive(&limits, &mut told, 0, &mut |frame| {
            match frame {
                Incoming::Text(text) => frames.push(text.replace(&epoch, "e")),
                Incoming::Close(close) => {
                    frames.push(close.map_or(0, |(code, _)| code).to_string());
                }
                _ => {}
            }
            Flow::Continue
        });
        read.expect("they are frames");
        frames
    }
}

const RESUMED: &str = r#"{"type":"resumed","cursor":"e.0","replayed":0}"#;

#[test]
fn a_place_is_there_or_the_connection_ends() {
    let error = r#"{"type":"error","message":"no such board","code":"UNKNOWN_BOARD"}"#;
    for id in [10, i64::MAX] {
        assert_eq!(come(0, id, "", Since::Unasked).frames(), [error, "4404"]);
        assert_eq!(come(0, id, "snapshot=1", Since::Now).frames(), [error, "4404"]);
    }
    assert_eq!(come(0, 9, "", Since::Unasked).frames(), [""; 0]);
    // Who may hear nothing does not learn of it.
    assert_eq!(come(1, 10, "snapshot=1", Since::Unasked).frames(), [""; 0]);
}

#[test]
fn a_snapshot_comes_first_unless_what_was_missed_does() {
    let shown = r#"{"type":"boards:snapshot","board_id":3,"to":"guest/127.0.0.1"}"#;
    let with_cursor =
        r#"{"type":"boards:snapshot","board_id":3,"to":"guest/127.0.0.1","cursor":"e.0"}"#;
    assert_eq!(come(0, 3, "snapshot=1", Since::Unasked).frames(), [shown]);
    assert_eq!(come(0, 3, "snapshot=1", Since::Now).frames(), [RESUMED, with_cursor]);
    assert_eq!(come(0, 3, "", Since::Now).frames(), [RESUMED]);
    let reset = r#"{"type":"reset","reason":"invalid","cursor":"e.0"}"#;
    let wrong = || Since::Cursor("wrong".to_owned());
    assert_eq!(come(0, 3, "snapshot=1", wrong()).frames(), [reset, with_cursor]);
    assert_eq!(come(0, 3, "", wrong()).frames(), [reset]);
}

#[test]
fn calls_come_from_a_place_and_are_answered_if_asked_to() {
    let check = |said: &[&str], told: &[&str]| {
        let mut house = come(0, 3, "", Since::Unasked);
        said.iter().for_each(|text| house.say(text));
        assert_eq!(house.frames(), told, "{said:?}");
    };
    let put = r#"{"type":"put","board_id":3,"value":1}"#;
    check(&[r#"{"type":"put","value":1}"#], &[put]);
    let answer = r#"{"type":"put:response","data":{"board_id":3},"id":7}"#;
    check(&[r#"{"type":"put","value":1,"id":7}"#], &[answer, put]);
    check(&[r#"{"type":"place"}"#], &[]);
    let from = r#"{"type":"place:response","data":{"from":3},"id":"q"}"#;
    check(&[r#"{"type":"place","id":"q"}"#], &[from]);
    // Refusals are always told, with the finer name if there is one.
    let refused = r#"{"type":"error","message":"value: from 0 on","code":"INVALID_VALUE"}"#;
    check(&[r#"{"type":"put","value":-1}"#], &[refused]);
    let invalid = r#"{"type":"error","message":"Invalid JSON","code":"INVALID_JSON"}"#;
    for text in ["", "{", "[]", "7", r#"{"type":"put","value":1,"value":1}"#] {
        check(&[text], &[invalid]);
    }
    let unknown = r#"{"type":"error","message":"Unknown message type","code":"UNKNOWN_TYPE"}"#;
    for text in ["{}", r#"{"type":7}"#, r#"{"type":"got"}"#] {
        check(&[text], &[unknown]);
    }
    let field = r#"{"type":"error","message":"missing field `value`","code":"INVALID"}"#;
    check(&[r#"{"type":"put"}"#], &[field]);
}

#[test]
fn only_those_without_a_cursor_may_lose_frames() {
    let check = |since: Since, closed: bool| {
        let house = come(0, 3, "", since);
        let line = house.shard.hub.line_of(house.id).expect("it is in");
        assert_eq!(house.shard.hub.is_lossy(line), !closed);
    };
    check(Since::Unasked, false);
    check(Since::Now, true);
}
