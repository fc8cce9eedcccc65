//! HTTP as a strict client reads it, on a connection that is kept.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use super::Dial;

/// How long an answer may take. A second is what is promised; machines under test are busy.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A response that is as HTTP wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers in their order, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// How a request is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Whether its response has no body, whatever its headers say (HEAD).
    pub bodiless: bool,
    /// Whether nothing more is sent on this connection (FIN).
    pub last: bool,
    /// Whether it is not clear where it ends, so that the connection is of no use behind it.
    pub broken: bool,
}

/// A connection of its own, made anew when it is gone.
pub struct Talk {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Talk {
    /// With this server.
    pub fn new(address: SocketAddr) -> Talk {
        Talk { address, stream: None }
    }

    /// On this connection first, which may be from another address of this machine: limits count by address.
    pub fn over(stream: TcpStream) -> Talk {
        let address = stream.peer_addr().expect("it is connected");
        Talk { address, stream: Some(stream) }
    }

    /// Sends a request and reads its response; `None` if the connection ended instead.
    ///
    /// # Errors
    /// What is not as HTTP wants it, or takes too long.
    pub fn ask(&mut self, request: &[u8], manner: Manner) -> Result<Option<Reply>, String> {
        // One that was kept may have ended meanwhile.
        if let Some(stream) = self.stream.take()
            && let Some(reply) = self.on(stream, request, manner)?
        {
            return Ok(Some(reply));
        }
        let stream = Dial::new(self.address, "").tcp();
        self.on(stream, request, manner)
    }

    fn on(
        &mut self,
        mut stream: TcpStream,
        request: &[u8],
        manner: Manner,
    ) -> Result<Option<Reply>, String> {
        let until = Instant::now() + ANSWER_MAX;
        // A server that answers early may not take all of it.
        let _ = stream.write_all(request);
        if manner.last {
            let _ = stream.shutdown(Shutdown::Write);
        }
        let mut bytes = Vec::new();
        let (mut reply, head_len) = loop {
            let Some(head) = read_head(&mut stream, &mut bytes, until)? else { return Ok(None) };
            let head_len = head.len();
            let reply = parse(&head)?;
            if reply.status >= 200 {
                break (reply, head_len);
            }
            bytes.drain(..head_len);
        };
        let mut rest = bytes.split_off(head_len);
        let len = body_len(&reply, manner.bodiless)?;
        while rest.len() < len {
            if !more(&mut stream, &mut rest, until)? {
                return Err(format!("{} of {len} bytes of a body: {reply:?}", rest.len()));
            }
        }
        let behind = rest.split_off(len);
        reply.body = rest;
        let ends = manner.last || manner.broken || reply.header("connection") == Some("close");
        if !behind.is_empty() && !ends {
            return Err(format!("{:?} behind {reply:?}", String::from_utf8_lossy(&behind)));
        }
        self.stream = (!ends).then_some(stream);
        Ok(Some(reply))
    }
}

/// Reads to the end of a head; `None` if the stream ends before it begins.
fn read_head(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
    until: Instant,
) -> Result<Option<String>, String> {
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..at + 4].to_vec());
            return head.map(Some).map_err(|_| "a head is not text".to_owned());
        }
        if !more(stream, bytes, until)? {
            return match bytes.is_empty() {
                true => Ok(None),
                false => Err(format!("half a head: {:?}", String::from_utf8_lossy(bytes))),
            };
        }
    }
}

/// Reads what is there, or waits for it; says whether there was anything.
fn more(stream: &mut TcpStream, into: &mut Vec<u8>, until: Instant) -> Result<bool, String> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(format!("no answer within {ANSWER_MAX:?}"));
    }
    stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
    let mut buffer = [0; 16 << 10];
    match stream.read(&mut buffer) {
        Ok(len) => {
            into.extend_from_slice(&buffer[..len]);
            Ok(len > 0)
        }
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                Err(format!("no answer within {ANSWER_MAX:?}"))
            }
            ErrorKind::Interrupted => more(stream, into, until),
            _ => Ok(false),
        },
    }
}

/// A head, by the grammar of RFC 9112.
fn parse(head: &str) -> Result<Reply, String> {
    let wrong = |why: &str| format!("{why}: {head:?}");
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| wrong("no status line"))?;
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("a line without a colon"))?;
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(is_name) || value.contains(['\r', '\n', '\0']) {
            return Err(wrong("no header"));
        }
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Reply { status, headers, body: Vec::new() })
}

/// How long the body is.
fn body_len(reply: &Reply, bodiless: bool) -> Result<usize, String> {
    let wrong = |why: &str| Err(format!("{why}: {reply:?}"));
    let lens: Vec<&str> = reply
        .headers
        .iter()
        .filter(|(name, _)| name == "content-length")
        .map(|(_, value)| value.as_str())
        .collect();
    if reply.header("transfer-encoding").is_some() {
        return wrong("a body in chunks");
    }
    match (reply.status, &lens[..]) {
        (204 | 304, []) => Ok(0),
        (204 | 304, _) => wrong("a length of no body"),
        (_, [len]) => match len.parse() {
            Ok(_) if bodiless => Ok(0),
            Ok(len) => Ok(len),
            Err(_) => wrong("a length that is no number"),
        },
        _ => wrong("no length, or two"),
    }
}
