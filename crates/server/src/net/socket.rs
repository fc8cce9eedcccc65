//! The socket of an upgraded connection, in the clear or with its TLS state.
//!
//! What holds of the TLS half, so that the hub needs not know of it:
//! - **Writing** takes plaintext only when no ciphertext is left from before, a record at a time. So at
//!   most one record (16 KiB) is held back, and the outbox above still counts what a slow reader
//!   costs. [`flush`](Write::flush) says [`WouldBlock`](ErrorKind::WouldBlock) while something is.
//! - **Would block** always means that the TCP socket said so: then epoll will tell when to go on.
//! - **Reading** goes on until the buffer is full or the TCP socket would block. What rustls answers by
//!   itself (alerts, tickets, key updates) is written at once, or held back like a record.
//! - **The end**: `close_notify` from the peer is the end of its stream; TCP's end without it is an error,
//!   as a reset is. What is no TLS gets an alert and the end.

#[cfg(test)]
mod tests;

use std::{
    fmt::{self, Debug, Formatter},
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::Shutdown,
};

use mio::{Interest, Registry, Token, event::Source, net::TcpStream};
use rustls::ServerConnection;

/// The most plaintext that rustls takes while its ciphertext is not out: one record (RFC 8446 section
/// 5.1).
const RECORD_LEN_MAX: usize = 16 << 10;
/// How many reads of what follows garbage are thrown away at most: closing a socket with something
/// unread would be a reset, and the alert would be lost with that.
const GARBAGE_READS_MAX: usize = 16;
/// How often one read receives ciphertext: records may be empty, without end.
const RECEIVES_MAX: usize = 32;

/// A socket in non-blocking mode.
#[derive(Debug)]
pub enum Socket {
    /// In the clear.
    Plain(TcpStream),
    /// Over TLS, after the handshake. In a box: sockets in the clear are to stay small.
    Tls(Box<TlsSocket>),
}

/// A TCP socket and the TLS session on it.
pub struct TlsSocket {
    tcp: TcpStream,
    tls: ServerConnection,
    /// Whether the TCP socket would have blocked when it was last read.
    drained: bool,
    /// What came was no TLS.
    failed: bool,
}

impl Socket {
    /// A socket in the clear; it must be in non-blocking mode.
    pub fn plain(socket: std::net::TcpStream) -> Socket {
        Socket::Plain(TcpStream::from_std(socket))
    }

    /// A socket with a TLS session whose handshake is over; it must be in non-blocking mode.
    pub fn tls(socket: std::net::TcpStream, mut tls: ServerConnection) -> Socket {
        tls.set_buffer_limit(Some(RECORD_LEN_MAX));
        let tcp = TcpStream::from_std(socket);
        Socket::Tls(Box::new(TlsSocket { tcp, tls, drained: false, failed: false }))
    }

    /// Whether there may be more to read after a read gave `len` bytes, where `asked` were asked for;
    /// if not, epoll tells when there is.
    pub fn may_have_more(&self, len: usize, asked: usize) -> bool {
        match self {
            Socket::Plain(_) => len == asked,
            Socket::Tls(socket) => !socket.drained,
        }
    }

    /// Whether it holds back something that it took, or that it has to say by itself.
    pub fn holds_back(&self) -> bool {
        match self {
            Socket::Plain(_) => false,
            Socket::Tls(socket) => socket.tls.wants_write(),
        }
    }

    /// Ends the stream in order, once everything was flushed; says whether that is done. If not, it is
    /// to be called again when the socket takes bytes.
    pub fn finish(&mut self) -> bool {
        let tcp = match self {
            Socket::Plain(tcp) => tcp,
            Socket::Tls(socket) => {
                socket.tls.send_close_notify();
                if matches!(socket.push(), Ok(false)) {
                    return false;
                }
                &socket.tcp
            }
        };
        // An error means that the peer is gone, which epoll tells.
        let _ = tcp.shutdown(Shutdown::Write);
        true
    }

    /// Says that this is the end, as far as that goes at once: the socket is about to be dropped.
    pub fn part(&mut self) {
        if let Socket::Tls(socket) = self {
            socket.tls.send_close_notify();
            let _ = socket.push();
        }
    }

    fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Socket::Plain(tcp) => tcp,
            Socket::Tls(socket) => &mut socket.tcp,
        }
    }
}

impl TlsSocket {
    /// Writes ciphertext while the TCP socket takes it; says whether all of it is out.
    fn push(&mut self) -> io::Result<bool> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.tcp) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Takes a record's worth of plaintext, if nothing is left from before, and writes what the TCP
    /// socket takes of it. Says how much was taken, and whether there is room for more.
    fn take(&mut self, slices: &[IoSlice<'_>]) -> io::Result<(usize, bool)> {
        if !self.push()? {
            return Ok((0, false));
        }
        let taken = self.tls.writer().write_vectored(slices)?;
        if taken == 0 {
            // It has room for a record, so it takes nothing any more.
            return Err(ErrorKind::WriteZero.into());
        }
        Ok((taken, self.push()?))
    }

    /// Receives and decrypts; says whether anything came, be it the end.
    fn receive(&mut self) -> io::Result<bool> {
        match self.tls.read_tls(&mut self.tcp) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.drained = true;
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        self.failed = self.tls.process_new_packets().is_err();
        // Its answers, an alert among them; what does not get out now is held back.
        let pushed = self.push();
        if self.failed {
            self.throw_away();
            return Ok(true); // What came before the garbage is to be read.
        }
        pushed.map(|_| true)
    }

    /// After an alert: says that nothing follows, and throws away what came behind the garbage.
    fn throw_away(&mut self) {
        let _ = self.tcp.shutdown(Shutdown::Write);
        let mut garbage = [0; 4 << 10];
        for _ in 0..GARBAGE_READS_MAX {
            if !matches!(self.tcp.read(&mut garbage), Ok(1..)) {
                break;
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.drained = false;
        let (mut len, mut receives) = (0, 0);
        loop {
            let outcome = match self.tls.reader().read(&mut buffer[len..]) {
                Ok(0) => return Ok(len),
                Ok(more) => {
                    len += more;
                    if len == buffer.len() {
                        return Ok(len);
                    }
                    continue;
                }
                Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
                Err(_) if self.failed => Err(ErrorKind::InvalidData.into()),
                Err(_) if receives == RECEIVES_MAX => Err(ErrorKind::Interrupted.into()),
                Err(_) => self.receive(),
            };
            receives += 1;
            match outcome {
                Ok(true) => {}
                Ok(false) if len > 0 => return Ok(len),
                Ok(false) => return Err(ErrorKind::WouldBlock.into()),
                // What came before counts; an error shows again.
                Err(_) if len > 0 => return Ok(len),
                Err(error) => return Err(error),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut len = 0;
        while len < bytes.len() {
            match self.take(&[IoSlice::new(&bytes[len..])])? {
                (taken, true) => len += taken,
                (0, false) if len == 0 => return Err(ErrorKind::WouldBlock.into()),
                (taken, false) => return Ok(len + taken),
            }
        }
        Ok(len)
    }
}

impl Debug for TlsSocket {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSocket").field("tcp", &self.tcp).finish_non_exhaustive()
    }
}

impl Read for Socket {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(tcp) => tcp.read(buffer),
            Socket::Tls(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    /// A short write means that the socket would block.
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(tcp) => tcp.write(bytes),
            Socket::Tls(socket) => socket.write(bytes),
        }
    }

    /// Over TLS, a record at most.
    #[inline]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Socket::Plain(tcp) => tcp.write_vectored(slices),
            Socket::Tls(socket) => match socket.take(slices)? {
                (0, _) => Err(ErrorKind::WouldBlock.into()),
                (taken, _) => Ok(taken),
            },
        }
    }

    /// Whether everything that was taken is with the system: would block, if not.
    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Plain(_) => Ok(()),
            Socket::Tls(socket) => match socket.push()? {
                true => Ok(()),
                false => Err(ErrorKind::WouldBlock.into()),
            },
        }
    }
}

impl Source for Socket {
    fn register(&mut self, registry: &Registry, token: Token, on: Interest) -> io::Result<()> {
        self.tcp().register(registry, token, on)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, on: Interest) -> io::Result<()> {
        self.tcp().reregister(registry, token, on)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.tcp().deregister(registry)
    }
}
