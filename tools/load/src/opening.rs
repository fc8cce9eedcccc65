//! How a connection of a fleet comes to be open: the handshakes, one blocking step after another.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use crate::bare::POLL;
use crate::socketio::{self, POLLING_PATH, PONG, WEBSOCKET_PATH};
use crate::speech::{Polling, Speech};
use crate::{frame, handshake, http, os};

/// How long one step may take.
const PATIENCE: Duration = Duration::from_secs(5);
const READ_LEN_MAX: usize = 256 * 1024;

/// What a connection shall be.
#[derive(Clone, Copy, Debug)]
pub enum Opening<'a> {
    /// A WebSocket at a path, with a bearer token if one is given.
    Plain {
        /// The path.
        path: &'a str,
        /// Who asks.
        token: Option<&'a str>,
    },
    /// The same without a credential: a server may allow one address few of these a minute.
    Guest {
        /// The path.
        path: &'a str,
    },
    /// Socket.IO over WebSocket on a namespace, with `auth.token` if one is given.
    SocketIo {
        /// The namespace.
        namespace: &'a str,
        /// Who asks.
        token: Option<&'a str>,
        /// What is to be heard in place of what is heard unasked.
        topic: Option<&'a str>,
    },
    /// The same over long-polling.
    Polling {
        /// The namespace.
        namespace: &'a str,
        /// Who asks.
        token: Option<&'a str>,
    },
    /// A receiver that polls the bare loop.
    BarePoll,
}

impl std::fmt::Display for Opening<'_> {
    /// Where it leads, without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain { path, .. } | Self::Guest { path } => write!(f, "{path}"),
            Self::SocketIo { namespace, .. } => write!(f, "Socket.IO on {namespace}"),
            Self::Polling { namespace, .. } => write!(f, "Socket.IO polling on {namespace}"),
            Self::BarePoll => write!(f, "{POLL}"),
        }
    }
}

/// A connection that is open.
pub struct Opened {
    /// Its socket, which does not block.
    pub stream: TcpStream,
    /// What came behind the handshake.
    pub rest: Vec<u8>,
    /// How it speaks from now on.
    pub speech: Speech,
}

impl Opening<'_> {
    /// Opens such a connection from the address `source`.
    pub fn open(self, address: SocketAddr, source: Ipv4Addr) -> Result<Opened> {
        let mut line = Line::dial(address, source)?;
        let speech = match self {
            Self::Plain { path, token } => {
                line.upgrade(path, token)?;
                Speech::WebSocket
            }
            Self::Guest { path } => {
                line.upgrade(path, None)?;
                Speech::WebSocket
            }
            Self::SocketIo { namespace, token, topic } => {
                line.upgrade(WEBSOCKET_PATH, None)?;
                socketio::session_id(&line.frame()?)?;
                let connect = socketio::connect(namespace, token, topic);
                line.send(&frame::encode_client(frame::TEXT, connect.as_bytes()))?;
                while !socketio::is_connected(&line.frame()?, namespace)? {}
                Speech::Engine
            }
            Self::Polling { namespace, token } => {
                Speech::Polling(Box::new(line.poll(namespace, token)?))
            }
            Self::BarePoll => {
                let poll = http::get(address, POLL);
                line.send(&poll)?;
                Speech::Polling(Box::new(Polling::new(poll, None)))
            }
        };
        line.stream.set_nonblocking(true)?;
        Ok(Opened { stream: line.stream, rest: line.input, speech })
    }
}

/// A connection that is being opened, or on which one request follows another.
pub struct Line {
    address: SocketAddr,
    stream: TcpStream,
    /// What came and was not used yet.
    input: Vec<u8>,
}

impl Line {
    /// Connects from the address `source`.
    pub fn dial(address: SocketAddr, source: Ipv4Addr) -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        os::choose_port_late(&socket)?;
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        socket.connect_timeout(&address.into(), PATIENCE)?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { address, stream, input: Vec::with_capacity(1024) })
    }

    /// Where it leads.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    fn upgrade(&mut self, path: &str, token: Option<&str>) -> Result<()> {
        let request = handshake::request(self.address, path, token);
        self.send(request.as_bytes())?;
        let head = self.take(|input| Ok(handshake::head_len(input).map(|len| (len, 0..len))))?;
        handshake::check_response(&head)
    }

    /// Waits for a whole frame and returns its content.
    fn frame(&mut self) -> Result<Vec<u8>> {
        self.take(|input| {
            let Some(frame) = frame::read_server(input)? else {
                return Ok(None);
            };
            ensure!(frame.opcode != frame::CLOSE, "the server closed during the handshake");
            Ok(Some((frame.len, frame.len - frame.payload.len()..frame.len)))
        })
    }

    /// Sends a request and returns the body of its response.
    pub fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        self.send(request)?;
        self.take(|input| {
            let response = http::read_response(input)?;
            Ok(response
                .map(|response| (response.len, response.len - response.body.len()..response.len)))
        })
    }

    /// Opens a polling session, connects it to `namespace` and sends its first poll.
    fn poll(&mut self, namespace: &str, token: Option<&str>) -> Result<Polling> {
        let open = self.ask(&http::get(self.address, POLLING_PATH))?;
        let path = format!("{POLLING_PATH}&sid={}", socketio::session_id(&open)?);
        let poll = http::get(self.address, &path);
        let connect = socketio::connect(namespace, token, None);
        let taken = self.ask(&http::post(self.address, &path, &connect))?;
        ensure!(taken == b"ok", "a connect packet was not taken");
        let mut is_connected = false;
        while !is_connected {
            for packet in socketio::packets(&self.ask(&poll)?) {
                is_connected |= socketio::is_connected(packet, namespace)?;
            }
        }
        self.send(&poll)?;
        let pong = String::from_utf8_lossy(PONG);
        Ok(Polling::new(poll, Some(http::post(self.address, &path, &pong))))
    }

    /// Reads until `whole` finds a message at the start of the input, says how long it is and
    /// which part of it is wanted; returns that part.
    fn take(
        &mut self,
        whole: impl Fn(&[u8]) -> Result<Option<(usize, std::ops::Range<usize>)>>,
    ) -> Result<Vec<u8>> {
        loop {
            if let Some((len, wanted)) = whole(&self.input)? {
                let wanted = self.input[wanted].to_vec();
                self.input.drain(..len);
                return Ok(wanted);
            }
            ensure!(self.input.len() <= READ_LEN_MAX, "a response without an end");
            let mut chunk = [0; 1024];
            match self.stream.read(&mut chunk).context("no answer to the handshake")? {
                0 => {
                    let said = String::from_utf8_lossy(&self.input);
                    bail!("hung up during the handshake:\n{said}")
                }
                len => self.input.extend_from_slice(&chunk[..len]),
            }
        }
    }
}
