//! Requests, down to their bytes.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use bellwire_wire::frame::accept_key;
use rustls::ClientConfig;
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};

use super::{Client, DEADLINE, Transport, secure, transport::begin_tls};

/// What a server answered.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The head as it came, the status line and the empty line included.
    pub head: String,
    /// What followed, as far as it was read.
    pub body: String,
}

impl Response {
    /// The body as JSON; `null` if there is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        let json = |body| serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        if self.body.is_empty() { Value::Null } else { json(&self.body) }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A connection to be made, and the upgrade to be asked for.
#[derive(Debug, Clone)]
pub struct Dial {
    address: SocketAddr,
    path: String,
    from: Ipv4Addr,
    host: String,
    receive_buffer: Option<usize>,
    headers: String,
    body: Vec<u8>,
    tls: Option<Arc<ClientConfig>>,
}

/// The sample key of RFC 6455 section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

impl Dial {
    /// To this address and path.
    pub fn new(address: SocketAddr, path: &str) -> Dial {
        Dial {
            address,
            path: path.to_owned(),
            from: Ipv4Addr::LOCALHOST,
            host: "localhost".to_owned(),
            receive_buffer: None,
            headers: String::new(),
            body: Vec::new(),
            tls: None,
        }
    }

    /// From 127.0.0.`host`: limits count by address.
    pub fn from(mut self, host: u8) -> Self {
        self.from = Ipv4Addr::new(127, 0, 0, host);
        self
    }

    /// To this name of the server, instead of `localhost`.
    pub fn host(self, host: &str) -> Self {
        Dial { host: host.to_owned(), ..self }
    }

    /// With a receive buffer of about so many bytes.
    pub fn receive_buffer(mut self, len: usize) -> Self {
        self.receive_buffer = Some(len);
        self
    }

    /// With this token.
    pub fn bearer(self, token: &str) -> Self {
        self.header(&format!("Authorization: Bearer {token}"))
    }

    /// With this token as the session cookie, from a page of the server's own origin.
    pub fn cookie(self, token: &str) -> Self {
        let origin = format!("Origin: http://{}", self.host);
        self.header(&format!("Cookie: bellwire_session={token}")).header(&origin)
    }

    /// With this header.
    pub fn header(mut self, line: &str) -> Self {
        self.headers += &format!("{line}\r\n");
        self
    }

    /// Over TLS.
    pub fn tls(mut self, config: &Arc<ClientConfig>) -> Self {
        self.tls = Some(config.clone());
        self
    }

    /// With these bytes right behind the request, in the same write.
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.body.extend_from_slice(bytes);
        self
    }

    /// Connects and says nothing yet.
    pub fn tcp(&self) -> TcpStream {
        self.tcp_within(DEADLINE).expect("the server listens")
    }

    fn tcp_within(&self, patience: Duration) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        if let Some(len) = self.receive_buffer {
            socket.set_recv_buffer_size(len)?;
        }
        // All of 127/8 is ours.
        socket.bind(&SocketAddrV4::new(self.from, 0).into())?;
        socket.connect_timeout(&self.address.into(), patience)?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(patience))?;
        Ok(stream)
    }

    /// Connects, over TLS if that was said, and says nothing yet.
    pub fn connect(&self) -> Box<dyn Transport> {
        match &self.tls {
            Some(config) => Box::new(secure(self.tcp(), config)),
            None => Box::new(self.tcp()),
        }
    }

    /// The upgrade as text.
    pub fn request(&self) -> String {
        let Dial { path, host, headers, .. } = self;
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{headers}\r\n"
        )
    }

    /// Asks for the upgrade and gives what is answered, whatever it is.
    pub fn response(&self) -> Response {
        self.exchange(self.request().as_bytes())
    }

    /// Sends these bytes and reads one response.
    pub fn exchange(&self, request: &[u8]) -> Response {
        let mut stream = self.connect();
        // A server that answers early may not take all of it.
        let _ = stream.write_all(request);
        read_response(&mut stream).0
    }

    /// Asks for the upgrade, which must be granted.
    pub fn open(&self) -> Client {
        let mut stream = self.connect();
        let request = [self.request().as_bytes(), &self.body].concat();
        stream.write_all(&request).expect("the server takes the request");
        let (response, rest) = read_response(&mut stream);
        assert_eq!(response.status, 101, "{}{}", response.head, response.body);
        assert_eq!(response.header("sec-websocket-accept"), accept_key(KEY).as_deref());
        Client::new(stream, &self.path, rest)
    }

    /// Asks for the upgrade; `None` if the server is not there, does not grant it, goes meanwhile, or says nothing for so
    /// long.
    pub fn open_within(&self, patience: Duration) -> Option<Client> {
        let tcp = self.tcp_within(patience).ok()?;
        tcp.set_read_timeout(Some(patience)).ok()?;
        let mut stream: Box<dyn Transport> = match &self.tls {
            None => Box::new(tcp),
            // The handshake is done by the first write.
            Some(config) => Box::new(begin_tls(tcp, config)),
        };
        stream.write_all(&[self.request().as_bytes(), &self.body].concat()).ok()?;
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4 << 10]);
        loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = bytes.split_off(at + 4);
                let is_granted = bytes.starts_with(b"HTTP/1.1 101 ");
                return is_granted.then(|| Client::new(stream, &self.path, rest));
            }
            match stream.read(&mut buffer).ok()? {
                0 => return None,
                len => bytes.extend_from_slice(&buffer[..len]),
            }
        }
    }
}

/// Reads a response; gives what came behind it, too.
pub fn read_response(stream: &mut impl Transport) -> (Response, Vec<u8>) {
    let mut bytes = Vec::new();
    let head_len = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        assert!(read_more(stream, &mut bytes), "no response but {bytes:?}");
    };
    let mut rest = bytes.split_off(head_len);
    let head = String::from_utf8(bytes).expect("a head is ASCII");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut response =
        Response { status: status.expect("a status line"), head, body: String::new() };
    if matches!(response.status, 100 | 101) {
        return (response, rest);
    }
    let body_len: Option<usize> =
        response.header("content-length").map(|len| len.parse().expect("a length"));
    while body_len.is_none_or(|len| rest.len() < len) && read_more(stream, &mut rest) {}
    let behind = rest.split_off(body_len.unwrap_or(rest.len()).min(rest.len()));
    response.body = String::from_utf8(rest).expect("bodies are UTF-8");
    (response, behind)
}

/// Reads what is there, or waits for it; says whether there was anything.
fn read_more(stream: &mut impl Transport, into: &mut Vec<u8>) -> bool {
    let started = Instant::now();
    stream.tcp().set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
    let mut buffer = [0; 16 << 10];
    match stream.read(&mut buffer) {
        Ok(len) => {
            into.extend_from_slice(&buffer[..len]);
            len > 0
        }
        Err(error) => {
            assert!(started.elapsed() < DEADLINE, "the server says nothing");
            assert!(error.kind() == io::ErrorKind::ConnectionReset, "{error}");
            false
        }
    }
}
