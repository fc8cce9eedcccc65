//! Reads for a session, by the order in which they come back: the last one that was asked for counts.

use std::{
    io::Read as _,
    net::{Ipv4Addr, TcpListener},
};

use bellwire_services::kit::{Code, Fault, Payload, Settings};
use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;

mod boards;

use super::*;
use crate::{
    app::Core,
    door::{Guests, Tuning},
    hub::outbox,
    net::{
        conn::{Admission, Style},
        talk::Stage,
    },
    opening::{Credential, Opened, Since},
};

/// How long a read may take. Far above what it takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// A shard whose loop does not run, with one session whose first read is under way.
struct House {
    shard: Shard,
    core: Core,
    id: SessionId,
    peer: std::net::TcpStream,
    _folder: TempDir,
}

impl House {
    fn new() -> House {
        House::with(|_| {}, Tuning::all(0), Since::Now)
    }

    /// The same at a door that was changed before, for this stream.
    fn with(change: impl FnOnce(&mut Door), tuning: Tuning, since: Since) -> House {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let inlet = Inlet::new().expect("there are descriptors");
        let mut core = Core::open(
            folder.path(),
            Guests::Everywhere,
            Settings::default(),
            vec![inlet.feed.clone()],
        )
        .expect("it opens");
        change(Arc::get_mut(&mut core.door).expect("nobody else has it"));
        let setup = Setup {
            number: 0,
            door: Some(core.door.clone()),
            clock: core.door.clock.clone(),
            metrics: core.metrics.clone(),
            connections: None,
            engine: Timings::default(),
            tick_ms: 1_000,
            peers: Arc::new([inlet.feed.clone()]),
            recent: core.door.recent.clone(),
            speller: core.door.speller.clone(),
            roots: core.door.tables.roots.clone(),
            limits: Limits::DEFAULT,
            outbox_len_max: outbox::LEN_MAX,
            own_len_max: outbox::OWN_LEN_MAX,
        };
        let mut shard = Shard::new(setup, inlet);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let peer = std::net::TcpStream::connect(address).expect("it listens");
        let (socket, _) = listener.accept().expect("somebody came");
        socket.set_nonblocking(true).expect("a socket takes options");
        let admission = Admission::Credential(Credential::Guest(Ipv4Addr::LOCALHOST.into()));
        let style = Style { bare: false, batch: false };
        let endpoint = Endpoint::Stream { tuning, since, style, admission };
        let socket = Socket::plain(socket);
        shard.arrive(Arrival { socket, unread: Bytes::new(), endpoint }, 0);
        let id = shard.talks[0].as_ref().expect("it was let in").id;
        House { shard, core, id, peer, _folder: folder }
    }

    /// The number and the result of the next read, when it is there.
    fn read(&mut self) -> (u32, Result<Opened, Fault>) {
        match self.shard.inlet.receiver.recv_timeout(DEADLINE) {
            Ok(Message::Opened(_, number, result)) => (number, *result),
            other => panic!("a read was expected, not {other:?}"),
        }
    }

    /// Commits a row, of which the shard hears, so that the next read is of another place.
    fn write(&mut self) {
        let row = json!({ "entity_id": "light.a", "state": "on" });
        let row: Payload = row.as_object().cloned().expect("a payload is an object");
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let asked = self.core.door.ask("states:create", row, Arc::new(Principal::system()));
        runtime.expect("a runtime can be made").block_on(asked).expect("it is committed");
        match self.shard.inlet.receiver.recv_timeout(DEADLINE) {
            Ok(Message::Batch(items)) => self.shard.batch(&items, 0),
            other => panic!("the row was expected, not {other:?}"),
        }
    }

    /// Reads for the session once more, though it is read for.
    fn read_again(&mut self) {
        let reading = self.shard.talk(self.id).and_then(|conn| conn.reading.clone());
        self.shard.read_for(self.id, *reading.expect("it is read for"), 0);
    }

    /// What the session was told, to the end of its connection.
    fn told(self) -> String {
        String::from_utf8_lossy(&self.told_bytes()).into_owned()
    }

    fn told_bytes(mut self) -> Vec<u8> {
        self.shard.hub.flush(0);
        let line = self.shard.hub.line_of(self.id).expect("it is in");
        self.shard.drop_conn(line);
        let mut bytes = Vec::new();
        self.peer.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
        self.peer.read_to_end(&mut bytes).expect("the connection was ended");
        bytes
    }
}

/// Reads twice, with a row in between, and lets the reads come back in this order: `1`, `2`, or `x`,
/// the first one as a failure.
fn check(order: &str, expected: bool) {
    let mut house = House::new();
    let before = house.core.door.speller.cursor(house.core.door.recent.head());
    let mut reads = vec![house.read()];
    house.write();
    house.read_again();
    reads.push(house.read());
    let after = house.core.door.speller.cursor(house.core.door.recent.head());
    assert_ne!(before, after);
    let mut reads: Vec<_> = reads.into_iter().map(Some).collect();
    for turn in order.chars() {
        let index = if turn == '2' { 1 } else { 0 };
        let (number, result) = reads[index].take().expect("each comes back once");
        let failure = Fault::new(Code::Unauthenticated, "token invalid, expired or revoked");
        let result = if turn == 'x' { Err(failure) } else { result };
        house.shard.opened(house.id, number, result, 0);
    }
    let stage = house.shard.talk(house.id).map(|conn| conn.stage);
    assert_eq!(stage, Some(if expected { Stage::Open } else { Stage::Opening }), "{order}");
    let resumed = format!(r#"{{"type":"resumed","cursor":"{after}","replayed":0}}"#);
    let told = house.told();
    match expected {
        // Behind the two bytes before a short text, nothing else.
        true => assert_eq!(told.char_indices().nth(2).map(|(at, _)| &told[at..]), Some(&*resumed)),
        false => assert_eq!(told, "", "{order}"),
    }
}

#[test]
fn a_read_that_another_has_replaced_is_of_no_use() {
    check("", false);
    check("1", false);
    check("x", false);
    check("2", true);
    check("12", true);
    check("x2", true);
    check("21", true);
    check("2x", true);
}
