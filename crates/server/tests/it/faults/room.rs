//! A disk that is full, under the real binary with all services in use (promise 2): each writer is refused, in words
//! that say why, all else goes on, and when there is room so does writing, without a restart.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::{Value, json};

use super::machine::{Call, ENOSPC, Machine, On};
use crate::{
    harness::{Ask, Client, DEADLINE, Dial, Handshake, Over, Session, until},
    process::{ANY_PORT, Process, bellwire, in_small_room},
    town::{Progress, Town},
};

/// What a writer is told.
const FULL: &str = "The disk is full: nothing is written until there is room.";
/// The services, by what the town calls them.
const SERVICES: [&str; 6] = ["states", "areas", "sensors", "chat", "stations", "notifications"];
/// How often each of them is refused at the least.
const REFUSED_MIN: usize = 3;
/// The size of the file system, and of what lies there to be taken away.
const SIZES: (&str, &str) = ("40m", "32M");

/// A disk that gets full, and has room again.
enum Disk {
    /// A file system of the server's own; `root` is how it is reached from outside.
    Small { root: PathBuf },
    /// Where none can be mounted: a machine on which writing fails.
    Failing(Machine),
}

impl Disk {
    /// A server on such a disk, and the way to its data directory.
    fn serve(folder: &Path) -> (Disk, Process, PathBuf) {
        let (size, ballast) = SIZES;
        let Some(mut program) = in_small_room(folder, size, ballast) else {
            eprintln!("no file system may be mounted here: writes that fail stand for a full disk");
            let (machine, data) = (Machine::new(), folder.join("data"));
            let server = machine.serve(&data);
            return (Disk::Failing(machine), server, data);
        };
        program.args(["serve", "--listen", ANY_PORT, "--data"]).arg(folder.join("data"));
        let server = Process::run(program);
        let inside = folder.strip_prefix("/").expect("a temporary folder has a whole path");
        let root = PathBuf::from(format!("/proc/{}/root", server.id())).join(inside);
        let data = root.join("data");
        (Disk::Small { root }, server, data)
    }

    /// From now on there is no room: at once, or as soon as what is left is used.
    fn fills(&self, data: &Path) {
        if let Disk::Failing(machine) = self {
            let all = On::Like(data);
            machine.fail(Call::Write, all, 0, i64::MAX, ENOSPC);
        }
    }

    /// There is room.
    fn has_room(&self) {
        match self {
            Disk::Small { root } => {
                fs::remove_file(root.join("ballast")).expect("the ballast can be taken away");
            }
            Disk::Failing(machine) => machine.mend(),
        }
    }
}

#[test]
fn a_full_disk_refuses_writers_and_nobody_else_until_there_is_room() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let (disk, server, data) = Disk::serve(folder.path());
    let address = server.address();
    let mut town = Town::found(&data, address);
    let admin = town.admin().to_owned();
    let mut there = There::new(&server, &admin);
    town.works(address, |progress| {
        progress.acknowledged(2);
        assert!(writes(&mut there.plain).contains(r#""success":true"#));
        disk.fills(&data);
        stuff(&mut there.plain);
        let began = Instant::now();
        let before = SERVICES.map(|service| progress.refused(service));
        all_are_refused(progress, before);
        there.all_else_goes_on(&server, &admin);
        all_are_refused(progress, SERVICES.map(|service| progress.refused(service)));
        // Once in ten seconds for each of commands, housekeeping, presence, who is online, and what is due.
        let most = 5 * (2 + began.elapsed().as_secs() as usize / 10);
        let lines = server.log().lines().filter(|line| line.contains("disk is full")).count();
        assert!((1..=most).contains(&lines), "{lines} lines: {}", server.log());
        disk.has_room();
        progress.acknowledged(3);
    });
    town.settles(address);
    there.still_there();
    server.stop();
    // A start on what is left finds nothing wrong.
    if let Disk::Failing(_) = disk {
        Process::serve_by(bellwire(), &data, ANY_PORT, &[]).stop();
    }
}

/// Writes something long, and gives the answer.
fn writes(client: &mut Client) -> String {
    let pad = "x".repeat(15_000);
    client.ask(&format!(
        r#"{{"type":"states:create","entity_id":"a.pad","state":"on","attributes":{{"a":"{pad}"}}}}"#
    ))
}

/// Writes until there is no room.
fn stuff(client: &mut Client) {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < DEADLINE, "the disk is not full");
        let told = writes(client);
        if told.contains(r#""success":false"#) {
            let expected =
                json!({ "type": "states:create:response", "success": false, "error": FULL });
            assert_eq!(serde_json::from_str::<Value>(&told).ok(), Some(expected));
            return;
        }
    }
}

#[track_caller]
fn all_are_refused(progress: &Progress, before: [usize; 6]) {
    until("each writer is refused", || {
        let refused = SERVICES.iter().zip(before);
        refused
            .into_iter()
            .all(|(service, before)| progress.refused(service) >= before + REFUSED_MIN)
    });
}

/// Who is there before the disk is full, and stays.
struct There {
    plain: Client,
    socket: Session,
    /// Two who chat: one types, the other is told.
    chat: [Client; 2],
    room: String,
    place: String,
}

impl There {
    fn new(server: &Process, admin: &str) -> There {
        let address = server.address();
        let post = |path: &str, body: Value| {
            Ask::new(address, "POST", path).bearer(admin).json(&body).expect(201)
        };
        let people = ["types", "reads"].map(|name| {
            let user = post("/api/users", json!({ "username": name, "role": "user" }));
            let id = user["userId"].as_str().expect("a user has an id").to_owned();
            let token = post("/api/tokens", json!({ "role": "user", "subject": id, "ttl": 3_600 }));
            (id, token["token"].as_str().expect("it has a text").to_owned())
        });
        let room = format!("{}:{}", people[0].0, people[1].0);
        let mut chat =
            [0, 1].map(|at| Dial::new(address, "/ws/chat/").bearer(&people[at].1).open());
        for client in &mut chat {
            client.send(&format!(r#"{{"type":"chatRoom.join","data":"{room}","id":1}}"#));
            client.is_told(r#""type":"chatRoom.join:response","success":true"#);
        }
        let mut since = Dial::new(address, "/api/ws?since=now").bearer(admin).open();
        let resumed: Value = serde_json::from_str(&since.text()).expect("it is JSON");
        let place = resumed["cursor"].as_str().expect("it has a place").to_owned();
        let mut plain = Dial::new(address, "/api/ws").bearer(admin).open();
        plain.hears_of_nothing();
        let mut socket = Handshake::new(address, "/socket.io/").open(Over::Socket);
        socket.enter_as("/", admin);
        There { plain, socket, chat, room, place }
    }

    /// Reads, greetings, new connections, resumes, and what passes.
    #[track_caller]
    fn all_else_goes_on(&mut self, server: &Process, admin: &str) {
        let address = server.address();
        // Refused, in each dialect. What is short may fit into what is left, until that is used.
        let write = json!({ "state": "on" });
        let ask = Ask::new(address, "POST", "/api/states/light.full").bearer(admin).json(&write);
        until("a request over HTTP is refused", || {
            stuff(&mut self.plain);
            ask.send().status == 507 && ask.refused(507, "FULL").json()["detail"] == FULL
        });
        let refused = format!("4377{}", json!([{ "success": false, "error": FULL }]));
        until("a call over Socket.IO is refused", || {
            stuff(&mut self.plain);
            self.socket.send(r#"4277["states:create",{"entity_id":"light.full","state":"on"}]"#);
            loop {
                let packet = self.socket.packet();
                if packet.starts_with("4377") {
                    return packet == refused;
                }
            }
        });
        // Read.
        for path in
            ["/api/states?limit=1", "/api/areas", "/api/devices", "/api/stations", "/readyz"]
        {
            let shown = Ask::new(address, "GET", path).bearer(admin).send();
            assert_eq!(shown.status, 200, "{path}: {shown:?}");
        }
        // New connections, with a snapshot, a place, and over Socket.IO.
        let mut new = Dial::new(address, "/api/ws").bearer(admin).open();
        let shown = new.ask(r#"{"type":"subscribe_entities","entity_ids":["a.pad"]}"#);
        assert!(shown.starts_with(r#"{"type":"states:snapshot","data":[{"#), "{}", &shown[..100]);
        let path = format!("/api/ws?since={}", self.place);
        let mut resumed = Dial::new(address, &path).bearer(admin).open();
        assert!(resumed.text().starts_with(r#"{"type":"resumed","#));
        for over in Over::BOTH {
            let mut session = Handshake::new(address, "/socket.io/").open(over);
            session.enter_as("/", admin);
            // One that may be recovered is let in, too: without that, if it cannot be noted.
            let told = session.enter("/states", &json!({ "token": admin, "recover": true }));
            assert!(told["sid"].is_string() && told.get("pid").is_none(), "{told}");
        }
        for path in ["/ws/stations/", "/ws/sensor-data/", "/ws/chat/", "/"] {
            let mut stream = Dial::new(address, path).bearer(admin).open();
            stream.send(r#"{"type":"ping","id":"there?"}"#);
            stream.is_told(r#""id":"there?""#);
        }
        // What passes.
        let There { chat: [types, reads], room, .. } = self;
        types
            .send(&format!(r#"{{"type":"startTypingRoom","roomID":"{room}","user":{{}},"id":2}}"#));
        types.is_told(r#""success":true,"id":2"#);
        reads.is_told(r#""type":"typingMessageStart""#);
        self.plain.lives();
    }

    /// Nobody was cut off.
    #[track_caller]
    fn still_there(&mut self) {
        self.plain.lives();
        assert!(self.socket.told("/").iter().all(|packet| packet.starts_with("42")));
        for client in &mut self.chat {
            client.send(r#"{"type":"ping","id":"there?"}"#);
            client.is_told(r#""id":"there?""#);
        }
    }
}
