//! A socket whose other end reads when it likes: it takes what it has room for, sometimes in
//! pieces, and remembers what the hub knew when each byte was taken.

use std::{
    cell::{Cell, RefCell},
    io::{self, ErrorKind, IoSlice, Write},
    rc::Rc,
};

use bellwire_store::change::Offset;
use bellwire_wire::frame::{Flow, Incoming, Limits, Reader, Role};

const LIMITS: Limits =
    Limits { message_len_max: 64 << 20, fragments_max: 1, pings_per_second_max: 1 };

/// What a client was told, and when.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its content.
    pub body: Body,
    /// The last row that the hub had been told when the socket took the first byte.
    pub told: Offset,
    /// The last row that anything the session was given then had been read with.
    pub known: Offset,
}

/// What a frame says.
#[derive(Debug, Clone)]
pub enum Body {
    Text(String),
    Close(u16),
}

/// Both ends of a connection.
#[derive(Debug)]
pub struct Pipe {
    /// How many bytes it takes before it blocks.
    pub room: usize,
    /// The client has gone.
    pub gone: bool,
    /// The place of the newest opening.
    pub opened: Offset,
    /// The last row the hub was told.
    told: Rc<Cell<Offset>>,
    taken: Vec<u8>,
    marks: Vec<Mark>,
    writes: usize,
    /// The client has read up to here.
    read: usize,
    /// Where the next frame begins.
    next: usize,
    reader: Reader,
}

#[derive(Debug)]
struct Mark {
    from: usize,
    told: Offset,
    known: Offset,
}

impl Pipe {
    /// A new connection to a hub that counts in `told` what it was told.
    pub fn new(told: Rc<Cell<Offset>>, room: usize) -> Rc<RefCell<Pipe>> {
        Rc::new(RefCell::new(Pipe {
            room,
            gone: false,
            opened: 0,
            told,
            taken: Vec::new(),
            marks: Vec::new(),
            writes: 0,
            read: 0,
            next: 0,
            reader: Reader::new(Role::Client, 0),
        }))
    }

    /// How many bytes the client has not read yet.
    pub fn unread(&self) -> usize {
        self.taken.len() - self.read
    }

    /// The client reads so many bytes: the frames that are complete with them.
    pub fn receive(&mut self, len: usize) -> Result<Vec<Frame>, String> {
        let mut bytes = self.taken[self.read..self.read + len].to_vec();
        self.read += len;
        let mut frames = Vec::new();
        let (marks, next) = (&self.marks, &mut self.next);
        let read = self.reader.receive(&LIMITS, &mut bytes, 0, &mut |incoming| {
            let (body, len) = match incoming {
                Incoming::Text(text) => (Some(Body::Text(text.to_owned())), text.len()),
                Incoming::Close(Some((code, reason))) => {
                    (Some(Body::Close(code)), 2 + reason.len())
                }
                Incoming::Close(None) => (Some(Body::Close(1005)), 0),
                Incoming::Binary(payload) | Incoming::Ping(payload) | Incoming::Pong(payload) => {
                    (None, payload.len())
                }
            };
            let mark = &marks[marks.partition_point(|mark| mark.from <= *next) - 1];
            if let Some(body) = body {
                frames.push(Frame { body, told: mark.told, known: mark.known });
            }
            *next += len
                + match len {
                    0..126 => 2,
                    126..0x1_0000 => 4,
                    _ => 10,
                };
            Flow::Continue
        });
        read.map_err(|violation| format!("a torn frame: {violation}"))?;
        Ok(frames)
    }

    /// Whether what was read ends with a whole frame.
    pub fn is_whole(&self) -> bool {
        self.next == self.read
    }
}

/// The hub's end.
#[derive(Debug)]
pub struct SimSocket(pub Rc<RefCell<Pipe>>);

impl Write for SimSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut pipe = self.0.borrow_mut();
        pipe.writes += 1;
        if pipe.gone {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if pipe.writes % 11 == 7 {
            return Err(ErrorKind::Interrupted.into());
        }
        if pipe.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let (from, told) = (pipe.taken.len(), pipe.told.get());
        let known = told.max(pipe.opened);
        pipe.marks.push(Mark { from, told, known });
        let mut taken = 0;
        for slice in slices {
            let len = slice.len().min(pipe.room);
            pipe.taken.extend_from_slice(&slice[..len]);
            pipe.room -= len;
            taken += len;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
