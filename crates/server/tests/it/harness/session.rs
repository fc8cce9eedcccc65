//! Sessions of Engine.IO and what is said in them, by hand, over either transport.

use std::{
    collections::VecDeque,
    io::Write,
    net::{SocketAddr, TcpStream},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bellwire_wire::frame::Opcode;
use serde_json::{Value, json};

use super::{Ask, Client, Dial, Got, Response, Server, frame, text};

/// A row that cannot be, so that a command about it is refused by the writer.
const NO_ROW: u64 = 1 << 53;
/// Where fences' acknowledgements begin, above those of tests.
const FENCES: u64 = 1_000_000;

/// What every session that is over answers to a request.
pub const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;
/// What is answered to a request that makes no sense.
pub const BAD: &str = r#"{"code":3,"message":"Bad request"}"#;

/// A transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// WebSocket from the start.
    Socket,
    /// Polling, to the end.
    Polling,
}

impl Over {
    /// Both.
    pub const BOTH: [Over; 2] = [Over::Socket, Over::Polling];
}

/// Where a session begins, and what its requests say.
#[derive(Debug, Clone)]
pub struct Handshake {
    address: SocketAddr,
    path: String,
    query: String,
    from: u8,
    host: String,
    headers: Vec<String>,
    receive_buffer: Option<usize>,
}

impl Handshake {
    /// At this path of this server, without credential and origin.
    pub fn new(address: SocketAddr, path: &str) -> Handshake {
        Handshake {
            address,
            path: path.to_owned(),
            query: String::new(),
            from: 1,
            host: "localhost".to_owned(),
            headers: Vec::new(),
            receive_buffer: None,
        }
    }

    /// With a further parameter, such as `token=T`.
    pub fn query(mut self, parameter: &str) -> Handshake {
        self.query += &format!("&{parameter}");
        self
    }

    /// From 127.0.0.`host`: limits count by address.
    pub fn from(self, host: u8) -> Handshake {
        Handshake { from: host, ..self }
    }

    /// To this name of the server, instead of `localhost`.
    pub fn host(self, host: &str) -> Handshake {
        Handshake { host: host.to_owned(), ..self }
    }

    /// With this header.
    pub fn header(mut self, line: &str) -> Handshake {
        self.headers.push(line.to_owned());
        self
    }

    /// With this token in the Authorization header.
    pub fn bearer(self, token: &str) -> Handshake {
        self.header(&format!("Authorization: Bearer {token}"))
    }

    /// A socket with a receive buffer of about so many bytes.
    pub fn receive_buffer(self, len: usize) -> Handshake {
        Handshake { receive_buffer: Some(len), ..self }
    }

    /// A request of polling, of the session with this id if there is one yet.
    pub fn ask(&self, method: &str, sid: Option<&str>) -> Ask {
        let ask = Ask::new(self.address, method, &self.target("polling", sid));
        let ask = ask.from(self.from).host(&self.host);
        self.headers.iter().fold(ask, |ask, line| ask.header(line))
    }

    /// An upgrade, to the transport of the session with this id if there is one.
    pub fn dial(&self, sid: Option<&str>) -> Dial {
        let dial = Dial::new(self.address, &self.target("websocket", sid));
        let dial = dial.from(self.from).host(&self.host);
        let dial = self.receive_buffer.iter().fold(dial, |dial, len| dial.receive_buffer(*len));
        self.headers.iter().fold(dial, |dial, line| dial.header(line))
    }

    fn target(&self, transport: &str, sid: Option<&str>) -> String {
        let Handshake { path, query, .. } = self;
        let sid = sid.map_or_else(String::new, |sid| format!("&sid={sid}"));
        format!("{path}?EIO=4&transport={transport}{query}{sid}")
    }

    /// Begins a session, which must be let in.
    #[track_caller]
    pub fn open(&self, over: Over) -> Session {
        let (way, packet) = match over {
            Over::Socket => {
                let mut client = self.dial(None).open();
                let packet = client.text();
                (Way::Socket(Box::new(client)), packet)
            }
            Over::Polling => {
                let response = self.ask("GET", None).send();
                assert_eq!(response.status, 200, "{response:?}");
                (Way::Polling, response.body)
            }
        };
        let open: Value = serde_json::from_str(packet.strip_prefix('0').expect("an open packet"))
            .expect("an open packet has JSON");
        let sid = open["sid"].as_str().expect("a session has an id").to_owned();
        Session { handshake: self.clone(), sid, way, heard: VecDeque::new(), fences: 0 }
    }
}

impl Server {
    /// A session of Socket.IO that is to begin here.
    pub fn socket_io(&self) -> Handshake {
        Handshake::new(self.address(), "/socket.io/")
    }
}

enum Way {
    Socket(Box<Client>),
    Polling,
}

/// What came from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A packet.
    Packet(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// The end, with the code of a close frame; none over polling.
    End(Option<u16>),
}

/// A session that began.
pub struct Session {
    handshake: Handshake,
    /// Its id.
    pub sid: String,
    way: Way,
    heard: VecDeque<Heard>,
    fences: u64,
}

impl Session {
    /// Sends a packet.
    #[track_caller]
    pub fn send(&mut self, packet: &str) {
        self.send_all(&[packet]);
    }

    /// Sends packets, over polling in one request.
    #[track_caller]
    pub fn send_all<S: AsRef<str>>(&mut self, packets: &[S]) {
        let packets: Vec<&str> = packets.iter().map(AsRef::as_ref).collect();
        match &mut self.way {
            Way::Socket(client) => {
                client.send_bytes(&packets.iter().flat_map(|p| text(p)).collect::<Vec<u8>>());
            }
            Way::Polling => {
                let response = self.post(packets.join("\u{1e}").as_bytes());
                // One that ends the session may not be answered any more.
                let is_over = (response.status, &*response.body) == (400, UNKNOWN);
                assert!(response.body == "ok" || is_over, "{response:?}");
            }
        }
    }

    /// Sends a binary message.
    pub fn send_binary(&mut self, bytes: &[u8]) {
        match &mut self.way {
            Way::Socket(client) => client.send_bytes(&frame(Opcode::Binary, bytes)),
            Way::Polling => drop(self.post(format!("b{}", STANDARD.encode(bytes)).as_bytes())),
        }
    }

    /// Polls once.
    pub fn poll(&self) -> Response {
        self.asks("GET").send()
    }

    /// A poll that waits, on a connection of its own. When the server comes to it nothing tells: so others
    /// are answered meanwhile.
    pub fn waiting(&self) -> TcpStream {
        let Handshake { address, host, .. } = &self.handshake;
        let target = self.handshake.target("polling", Some(&self.sid));
        let mut stream = Dial::new(*address, "").tcp();
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the server takes the request");
        for _ in 0..20 {
            assert_eq!(Ask::new(*address, "GET", "/readyz").send().status, 200);
        }
        stream
    }

    /// Brings this body.
    pub fn post(&self, body: &[u8]) -> Response {
        self.asks("POST").header("Content-Type: text/plain;charset=UTF-8").body(body).send()
    }

    /// A request of this session.
    pub fn asks(&self, method: &str) -> Ask {
        self.handshake.ask(method, Some(&self.sid))
    }

    /// An upgrade to this session's transport.
    pub fn probes(&self) -> Dial {
        self.handshake.dial(Some(&self.sid))
    }

    /// Goes on over this socket, on which the session was upgraded.
    pub fn goes_on(&mut self, client: Client) {
        self.way = Way::Socket(Box::new(client));
    }

    /// The client of the socket that is the transport.
    #[track_caller]
    pub fn client(&mut self) -> &mut Client {
        match &mut self.way {
            Way::Socket(client) => client,
            Way::Polling => panic!("it polls"),
        }
    }

    /// What comes next; it must come. Pings are answered, and packets that mean nothing passed over.
    #[track_caller]
    pub fn next(&mut self) -> Heard {
        loop {
            match self.hear() {
                Heard::Packet(packet) if packet == "2" => self.send("3"),
                Heard::Packet(packet) if packet == "6" => {}
                heard => return heard,
            }
        }
    }

    #[track_caller]
    fn hear(&mut self) -> Heard {
        if let Some(heard) = self.heard.pop_front() {
            return heard;
        }
        match &mut self.way {
            Way::Socket(client) => match client.next() {
                Got::Text(text) => Heard::Packet(text),
                Got::Binary(bytes) => Heard::Binary(bytes),
                Got::Pong(_) => self.hear(),
                Got::Close(close) => Heard::End(close.map(|(code, _)| code)),
                Got::End => Heard::End(None),
            },
            Way::Polling => {
                let response = self.poll();
                if (response.status, &*response.body) == (400, UNKNOWN) {
                    return Heard::End(None);
                }
                assert_eq!(response.status, 200, "{response:?}");
                self.heard.extend(response.body.split('\u{1e}').map(|packet| {
                    match packet.strip_prefix('b') {
                        Some(text) => Heard::Binary(STANDARD.decode(text).expect("it is base64")),
                        None if packet == "1" => Heard::End(None),
                        None => Heard::Packet(packet.to_owned()),
                    }
                }));
                self.hear()
            }
        }
    }

    /// The next packet, which must be a text.
    #[track_caller]
    pub fn packet(&mut self) -> String {
        match self.next() {
            Heard::Packet(packet) => packet,
            other => panic!("a packet was expected, not {other:?}"),
        }
    }

    /// The next packet must be this one, byte for byte.
    #[track_caller]
    pub fn hears(&mut self, expected: &str) {
        assert_eq!(self.packet(), expected);
    }

    /// Sends a packet and gives what is said next.
    #[track_caller]
    pub fn says(&mut self, packet: &str) -> String {
        self.send(packet);
        self.packet()
    }

    /// Comes into a namespace, and gives what it is told: the JSON of CONNECT.
    #[track_caller]
    pub fn enter(&mut self, namespace: &str, auth: &Value) -> Value {
        let connect = format!("40{}", at(namespace));
        let told = self.says(&format!("{connect}{auth}"));
        let told = told.strip_prefix(&connect).unwrap_or_else(|| panic!("{told}"));
        let told: Value = serde_json::from_str(told).expect("CONNECT has JSON");
        assert_eq!(told["sid"].as_str().map(str::len), Some(20), "{told}");
        assert_ne!(told["sid"], self.sid, "{told}");
        told
    }

    /// Comes into a namespace with a token.
    #[track_caller]
    pub fn enter_as(&mut self, namespace: &str, token: &str) {
        let told = self.enter(namespace, &json!({ "token": token }));
        assert_eq!(told.as_object().map(serde_json::Map::len), Some(1), "{told}");
    }

    /// Is not let into a namespace, in these words.
    #[track_caller]
    pub fn is_refused(&mut self, namespace: &str, auth: &Value, words: &str) {
        let told = self.says(&format!("40{}{auth}", at(namespace)));
        let message = json!({ "message": words });
        assert_eq!(told, format!("44{}{message}", at(namespace)), "{auth}");
    }

    /// Everything that is told up to here: a command is refused by the writer, so its answer comes behind
    /// the events of all commands that were answered before, on whatever connection.
    #[track_caller]
    pub fn told(&mut self, namespace: &str) -> Vec<String> {
        self.fences += 1;
        let (at, ack) = (at(namespace), FENCES + self.fences);
        self.send(&format!(r#"42{at}{ack}["states:update",{{"state_id":{NO_ROW},"state":""}}]"#));
        let fence =
            format!(r#"43{at}{ack}[{{"success":false,"error":"State not found: {NO_ROW}"}}]"#);
        let mut told = Vec::new();
        loop {
            match self.packet() {
                packet if packet == fence => return told,
                packet => told.push(packet),
            }
        }
    }

    /// Reads to the end: gives the packets before it. A socket must be closed with this code; of a session
    /// that polled nothing must be left.
    #[track_caller]
    pub fn closed(&mut self, code: u16) -> Vec<String> {
        let mut packets = Vec::new();
        loop {
            match self.next() {
                Heard::Packet(packet) => packets.push(packet),
                Heard::Binary(_) => panic!("binary, after {packets:?}"),
                Heard::End(closed) => {
                    match &mut self.way {
                        Way::Socket(client) => {
                            assert_eq!(closed, Some(code), "after {packets:?}");
                            client.send_bytes(&frame(Opcode::Close, &code.to_be_bytes()));
                            assert_eq!(client.next(), Got::End);
                        }
                        Way::Polling => {
                            self.is_over();
                        }
                    }
                    return packets;
                }
            }
        }
    }

    /// Requests of this session must be answered as those of one that never was.
    #[track_caller]
    pub fn is_over(&self) {
        for response in [self.poll(), self.post(b"3"), self.probes().response()] {
            assert_eq!((response.status, &*response.body), (400, UNKNOWN));
        }
    }
}

/// How a namespace stands in a packet.
pub fn at(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}
