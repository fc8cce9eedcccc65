//! The sink of a line: a socket, or the answers to a client's polls.

use std::io::{self, ErrorKind, IoSlice, Write};

use bellwire_wire::engine::{Body, Refusal};
use tokio::sync::oneshot;

use super::socket::Socket;

/// Where a line's frames go.
#[derive(Debug)]
pub enum Sink {
    /// To a socket.
    Socket(Socket),
    /// Into the answer to a poll.
    Poll(Poll),
}

/// What a request of an Engine.IO session over HTTP is answered with.
#[derive(Debug)]
pub enum Reply {
    /// These packets.
    Packets(String),
    /// What it brought was taken.
    Taken,
    /// There is such a session.
    Found {
        /// Whether it polls.
        polls: bool,
        /// Whether its client is in a namespace; where there are none, it always is.
        is_in: bool,
    },
    /// It is refused.
    Refused(Refusal),
}

/// Whoever waits for such an answer.
pub type Replies = oneshot::Sender<Reply>;

/// The client's polls: one at a time waits for something to say.
///
/// It takes whole frames, as they are for a WebSocket, and makes packets of them, while a poll waits and
/// its answer has room; then it would block, until the next poll comes.
#[derive(Debug, Default)]
pub struct Poll {
    waiting: Option<Replies>,
    body: Body,
}

impl Poll {
    /// Whether a poll waits.
    pub fn is_polled(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether a poll waits whose client is gone.
    pub fn is_abandoned(&self) -> bool {
        self.waiting.as_ref().is_some_and(Replies::is_closed)
    }

    /// A poll waits from now on.
    pub fn wait(&mut self, poll: Replies) {
        self.waiting = Some(poll);
    }

    /// The poll that waits is answered with this, if one does. Says whether that went well.
    pub fn answer(&mut self, reply: Reply) -> bool {
        self.waiting.take().is_none_or(|poll| poll.send(reply).is_ok())
    }

    fn take(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.waiting {
            None => return Err(ErrorKind::WouldBlock.into()),
            Some(poll) if poll.is_closed() => return Err(ErrorKind::BrokenPipe.into()),
            Some(_) => {}
        }
        let mut taken = 0;
        for slice in slices {
            let len = self.body.take(slice);
            taken += len;
            if len < slice.len() {
                // Its answer is full, and does not wait for more.
                self.flush()?;
                break;
            }
        }
        Ok(taken)
    }
}

impl Write for Poll {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.take(slices)
    }

    /// Answers the poll with what was taken.
    fn flush(&mut self) -> io::Result<()> {
        if !self.body.is_empty() {
            let body = self.body.finish();
            if !self.answer(Reply::Packets(body)) {
                // What it took is lost: the session cannot go on without that.
                return Err(ErrorKind::BrokenPipe.into());
            }
        }
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Socket(socket) => socket.write(bytes),
            Sink::Poll(poll) => poll.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Sink::Socket(socket) => socket.write_vectored(slices),
            Sink::Poll(poll) => poll.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Socket(socket) => socket.flush(),
            Sink::Poll(poll) => poll.flush(),
        }
    }
}

impl Sink {
    /// The socket, if it is one.
    pub fn socket(&mut self) -> Option<&mut Socket> {
        match self {
            Sink::Socket(socket) => Some(socket),
            Sink::Poll(_) => None,
        }
    }

    /// The polls, if it is that.
    pub fn poll(&mut self) -> Option<&mut Poll> {
        match self {
            Sink::Socket(_) => None,
            Sink::Poll(poll) => Some(poll),
        }
    }
}

#[cfg(test)]
mod tests {
    use bellwire_wire::{engine::PAYLOAD_LEN_MAX, frame};

    use super::*;

    #[test]
    fn frames_become_the_answer_of_a_poll() {
        let mut poll = Poll::default();
        let frames = [frame::text("2"), frame::text("42[\"x\"]")];
        let blocked = |result: io::Result<usize>| result.expect_err("nobody polls").kind();
        assert_eq!(blocked(poll.write(&frames[0])), ErrorKind::WouldBlock);
        let (sender, mut answer) = oneshot::channel();
        poll.wait(sender);
        let slices = [IoSlice::new(&frames[0]), IoSlice::new(&frames[1])];
        let len = frames[0].len() + frames[1].len();
        assert_eq!(poll.write_vectored(&slices).expect("somebody polls"), len);
        poll.flush().expect("it is answered");
        let body = answer.try_recv().expect("it was answered");
        assert!(matches!(body, Reply::Packets(body) if body == "2\x1e42[\"x\"]"));
        assert!(!poll.is_polled());
        assert_eq!(blocked(poll.write(&frames[0])), ErrorKind::WouldBlock);
    }

    #[test]
    fn an_answer_that_is_full_goes_out_and_the_rest_waits() {
        let mut poll = Poll::default();
        let (sender, mut answer) = oneshot::channel();
        poll.wait(sender);
        let frame = frame::text(&"x".repeat(PAYLOAD_LEN_MAX / 2));
        let two = [&frame[..], &frame[..]].concat();
        assert_eq!(poll.write(&two).expect("somebody polls"), frame.len());
        assert!(answer.try_recv().is_ok());
        assert!(poll.write(&frame).is_err());
    }

    #[test]
    fn a_poll_that_nobody_waits_for_any_more_is_the_end() {
        let mut poll = Poll::default();
        let (sender, answer) = oneshot::channel();
        poll.wait(sender);
        drop(answer);
        let gone = poll.write(&frame::text("2")).expect_err("nobody would hear it");
        assert_eq!(gone.kind(), ErrorKind::BrokenPipe);
    }
}
