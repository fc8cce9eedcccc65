//! Frames gathered into messages.
//!
//! A message that lies whole in one read is unmasked where it lies and handed out from there.
//! Everything else (a header or a payload cut by the end of a read, fragments, what follows a
//! pause) goes through [`Partial`], a box that exists only as long as there is something in it.

use super::head::{self, HEAD_LEN_MAX, Head};
use super::{Flow, Incoming, Limits, Opcode, Role, Violation, is_valid_close_code, mask};

/// How long pings are counted together.
const PING_WINDOW_MS: u64 = 1000;

/// Takes a stream of bytes apart into messages and control frames (RFC 6455 sections 5 and 6.2).
///
/// It is a few words while nothing is under way, and owns no buffer then.
#[derive(Debug)]
pub struct Reader {
    partial: Option<Box<Partial>>,
    last_frame_ms: u64,
    ping_window_ms: u64,
    pings: u32,
    role: Role,
    ended: bool,
}

/// What is known of a frame or message that is not complete, and what waits behind a pause.
#[derive(Debug, Default)]
struct Partial {
    /// The beginning of a header.
    head: [u8; HEAD_LEN_MAX],
    head_len: usize,
    /// A frame whose payload is incomplete: at least one byte is still to come.
    frame: Option<Frame>,
    /// What has come of a control frame's payload.
    control: Vec<u8>,
    /// A data message that has begun.
    message: Option<Message>,
    /// What arrived but was not looked at, because of a pause: from `unread_from` on.
    unread: Vec<u8>,
    unread_from: usize,
}

/// A frame whose payload is coming in.
#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    /// Rotated so that it fits the next byte.
    key: [u8; 4],
    /// Bytes of payload still to come.
    left: usize,
}

/// A data message gathered so far.
#[derive(Debug)]
struct Message {
    is_text: bool,
    fragments: u32,
    payload: Vec<u8>,
    /// How many bytes of a text, from its beginning, are known to be whole, valid characters.
    valid_len: usize,
}

impl Reader {
    /// A reader at the beginning of a stream that opened at `now_ms`.
    pub fn new(role: Role, now_ms: u64) -> Reader {
        Reader {
            partial: None,
            last_frame_ms: now_ms,
            ping_window_ms: now_ms,
            pings: 0,
            role,
            ended: false,
        }
    }

    /// Reads on in the stream: unmasks in place inside `bytes` (whose content is spent afterwards)
    /// and hands each complete message and control frame to `on`, in order.
    ///
    /// A message that lies in `bytes` as a whole is handed out without a copy. What is incomplete
    /// is kept, as far as it came. After [`Flow::Pause`] the rest is kept unread, and the next call
    /// (with the bytes that follow, or with none) goes on there; meanwhile a driver stops reading
    /// its socket, since nothing else bounds what is kept. After a close frame or a violation
    /// nothing more is handed out, whatever is given.
    ///
    /// # Errors
    ///
    /// The first [`Violation`] in the stream, once; what came before it was handed out.
    pub fn receive(
        &mut self,
        limits: &Limits,
        bytes: &mut [u8],
        now_ms: u64,
        on: &mut impl FnMut(Incoming<'_>) -> Flow,
    ) -> Result<(), Violation> {
        if self.ended {
            return Ok(());
        }
        let result = if self.has_unread() {
            self.read_unread(limits, bytes, now_ms, on)
        } else {
            self.read(limits, bytes, now_ms, on).map(|read| {
                if !self.ended && read < bytes.len() {
                    self.partial.get_or_insert_default().unread = bytes[read..].to_vec();
                }
            })
        };
        self.ended |= result.is_err();
        if self.ended || self.partial.as_ref().is_some_and(|partial| partial.is_empty()) {
            self.partial = None;
        }
        result
    }

    /// Whether it owns a buffer: something is incomplete, or unread.
    pub fn has_buffered(&self) -> bool {
        self.partial.is_some()
    }

    /// Whether a pause left something unread, so that `receive` without bytes may yield more.
    pub fn has_unread(&self) -> bool {
        self.partial.as_ref().is_some_and(|partial| !partial.unread.is_empty())
    }

    /// When the last frame was complete, fragments included; at first, when the stream opened.
    /// Bytes of a frame that never ends do not count.
    pub fn last_frame_ms(&self) -> u64 {
        self.last_frame_ms
    }

    /// Goes on behind a pause: first what was kept, then `bytes`.
    fn read_unread(
        &mut self,
        limits: &Limits,
        bytes: &[u8],
        now_ms: u64,
        on: &mut impl FnMut(Incoming<'_>) -> Flow,
    ) -> Result<(), Violation> {
        let partial = self.partial.get_or_insert_default();
        let mut unread = std::mem::take(&mut partial.unread);
        let mut from = std::mem::take(&mut partial.unread_from);
        if !bytes.is_empty() {
            unread.drain(..from);
            from = 0;
            unread.extend_from_slice(bytes);
        }
        from += self.read(limits, &mut unread[from..], now_ms, on)?;
        if !self.ended && from < unread.len() {
            let partial = self.partial.get_or_insert_default();
            partial.unread = unread;
            partial.unread_from = from;
        }
        Ok(())
    }

    /// Reads `bytes` until they or the stream end, or the receiver pauses; says how far it came.
    fn read(
        &mut self,
        limits: &Limits,
        bytes: &mut [u8],
        now_ms: u64,
        on: &mut impl FnMut(Incoming<'_>) -> Flow,
    ) -> Result<usize, Violation> {
        let mut at = 0;
        while let Some(frame) = self.next_frame(limits, bytes, &mut at)? {
            let len = frame.left.min(bytes.len() - at);
            let payload = &mut bytes[at..at + len];
            at += len;
            mask::apply(payload, frame.key);

            let flow = if len == frame.left && frame.fin && !self.has_begun(frame.opcode) {
                self.hand_out(limits, frame.opcode, payload, now_ms, on)?
            } else {
                self.gather(limits, frame, payload, now_ms, on)?
            };
            if flow == Flow::Pause || self.ended {
                break;
            }
        }
        Ok(at)
    }

    /// The frame whose payload is at `bytes[*at..]`, its header already passed: the one under way
    /// or the next one. `None` when `bytes` end before a header does, or there are none.
    fn next_frame(
        &mut self,
        limits: &Limits,
        bytes: &[u8],
        at: &mut usize,
    ) -> Result<Option<Frame>, Violation> {
        if *at == bytes.len() {
            return Ok(None);
        }
        if let Some(frame) = self.partial.as_mut().and_then(|partial| partial.frame.take()) {
            return Ok(Some(frame));
        }
        let head = match &mut self.partial {
            Some(partial) if partial.head_len > 0 => partial.complete_head(bytes, at, self.role)?,
            _ => match head::parse(&bytes[*at..], self.role)? {
                Some((head, len)) => {
                    *at += len;
                    Some(head)
                }
                None => {
                    let partial = self.partial.get_or_insert_default();
                    partial.keep_head(&bytes[*at..]);
                    *at = bytes.len();
                    None
                }
            },
        };
        head.map(|head| self.admit(limits, head)).transpose()
    }

    /// Judges a frame by what came before it: the order of fragments (RFC 6455 section 5.4) and
    /// the limits, before a byte of its payload is read.
    fn admit(&mut self, limits: &Limits, head: Head) -> Result<Frame, Violation> {
        let message = self.partial.as_mut().and_then(|partial| partial.message.as_mut());
        let gathered_len = match (head.opcode, message) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => 0,
            (Opcode::Continuation, None) => {
                return Err(Violation::protocol("continuation of nothing"));
            }
            (Opcode::Continuation, Some(message)) => {
                message.fragments += 1;
                if message.fragments > limits.fragments_max {
                    return Err(Violation::TOO_MANY_FRAGMENTS);
                }
                message.payload.len()
            }
            (Opcode::Text | Opcode::Binary, None) => 0,
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Violation::protocol("message inside a fragmented message"));
            }
        };
        let left = usize::try_from(head.len).map_err(|_| Violation::TOO_BIG)?;
        // A control frame has a smaller limit of its own, already checked with its header.
        if !head.opcode.is_control() && left > limits.message_len_max.saturating_sub(gathered_len) {
            return Err(Violation::TOO_BIG);
        }
        Ok(Frame { opcode: head.opcode, fin: head.fin, key: head.key, left })
    }

    /// Whether an earlier part of this frame, or of the message it belongs to, is in the box.
    fn has_begun(&self, opcode: Opcode) -> bool {
        self.partial.as_ref().is_some_and(|partial| {
            if opcode.is_control() {
                !partial.control.is_empty()
            } else {
                partial.message.is_some()
            }
        })
    }

    /// Adds a piece of payload to its control frame or message, and hands that out if it is
    /// complete now.
    fn gather(
        &mut self,
        limits: &Limits,
        mut frame: Frame,
        payload: &[u8],
        now_ms: u64,
        on: &mut impl FnMut(Incoming<'_>) -> Flow,
    ) -> Result<Flow, Violation> {
        let partial = self.partial.get_or_insert_default();
        if frame.opcode.is_control() {
            partial.control.extend_from_slice(payload);
        } else {
            let message = partial.message.get_or_insert_with(|| Message::new(frame.opcode));
            message.append(payload, limits)?;
        }

        frame.left -= payload.len();
        if frame.left > 0 {
            frame.key.rotate_left(payload.len() % 4);
            partial.frame = Some(frame);
            return Ok(Flow::Continue);
        }
        if !frame.fin {
            self.last_frame_ms = now_ms;
            return Ok(Flow::Continue);
        }
        if frame.opcode.is_control() {
            let control = std::mem::take(&mut partial.control);
            return self.hand_out(limits, frame.opcode, &control, now_ms, on);
        }
        let message = partial.message.take().expect("the payload was appended to it above");
        let opcode = if message.is_text { Opcode::Text } else { Opcode::Binary };
        self.hand_out(limits, opcode, &message.payload, now_ms, on)
    }

    /// Hands out what is complete.
    fn hand_out(
        &mut self,
        limits: &Limits,
        opcode: Opcode,
        payload: &[u8],
        now_ms: u64,
        on: &mut impl FnMut(Incoming<'_>) -> Flow,
    ) -> Result<Flow, Violation> {
        let incoming = match opcode {
            Opcode::Text => {
                Incoming::Text(str::from_utf8(payload).map_err(|_| Violation::NOT_UTF8)?)
            }
            Opcode::Binary => Incoming::Binary(payload),
            Opcode::Ping => {
                self.count_ping(limits, now_ms)?;
                Incoming::Ping(payload)
            }
            Opcode::Pong => Incoming::Pong(payload),
            Opcode::Close => {
                let close = parse_close(payload)?;
                self.ended = true;
                Incoming::Close(close)
            }
            Opcode::Continuation => unreachable!("a message has the opcode of its first frame"),
        };
        self.last_frame_ms = now_ms;
        Ok(on(incoming))
    }

    fn count_ping(&mut self, limits: &Limits, now_ms: u64) -> Result<(), Violation> {
        if now_ms.saturating_sub(self.ping_window_ms) >= PING_WINDOW_MS || self.pings == 0 {
            self.ping_window_ms = now_ms;
            self.pings = 0;
        }
        self.pings += 1;
        if self.pings > limits.pings_per_second_max {
            return Err(Violation::TOO_MANY_PINGS);
        }
        Ok(())
    }
}

impl Partial {
    fn is_empty(&self) -> bool {
        self.head_len == 0
            && self.frame.is_none()
            && self.control.is_empty()
            && self.message.is_none()
            && self.unread.is_empty()
    }

    /// Keeps the beginning of a header; `bytes` are fewer than a header has.
    fn keep_head(&mut self, bytes: &[u8]) {
        self.head[..bytes.len()].copy_from_slice(bytes);
        self.head_len = bytes.len();
    }

    /// Adds bytes to the header that is kept, until it is complete or they end.
    fn complete_head(
        &mut self,
        bytes: &[u8],
        at: &mut usize,
        role: Role,
    ) -> Result<Option<Head>, Violation> {
        while *at < bytes.len() {
            self.head[self.head_len] = bytes[*at];
            self.head_len += 1;
            *at += 1;
            if let Some((head, _)) = head::parse(&self.head[..self.head_len], role)? {
                self.head_len = 0;
                return Ok(Some(head));
            }
        }
        Ok(None)
    }
}

impl Message {
    fn new(opcode: Opcode) -> Message {
        Message { is_text: opcode == Opcode::Text, fragments: 1, payload: Vec::new(), valid_len: 0 }
    }

    /// Appends a piece. A text fails at the first byte that no later one could make valid: RFC 6455
    /// section 8.1 asks for it by the end of the message, this tells the sender sooner.
    fn append(&mut self, piece: &[u8], limits: &Limits) -> Result<(), Violation> {
        self.reserve(piece.len(), limits.message_len_max);
        self.payload.extend_from_slice(piece);
        if self.is_text {
            match str::from_utf8(&self.payload[self.valid_len..]) {
                Ok(valid) => self.valid_len += valid.len(),
                Err(error) if error.error_len().is_none() => self.valid_len += error.valid_up_to(),
                Err(_) => return Err(Violation::NOT_UTF8),
            }
        }
        Ok(())
    }

    /// Makes room for `additional` bytes: at least doubles, so that many small pieces cost no more
    /// than few large ones, but never past the limit that the length was admitted under.
    fn reserve(&mut self, additional: usize, len_max: usize) {
        let needed = self.payload.len() + additional;
        if needed > self.payload.capacity() {
            let target = (self.payload.capacity() * 2).clamp(needed, needed.max(len_max));
            self.payload.reserve_exact(target - self.payload.len());
        }
    }
}

/// A close frame's payload (RFC 6455 sections 5.5.1 and 7.4).
fn parse_close(payload: &[u8]) -> Result<Option<(u16, &str)>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => Ok(None),
            _ => Err(Violation::protocol("close frame of length 1")),
        };
    };
    let code = u16::from_be_bytes(*code);
    if !is_valid_close_code(code) {
        return Err(Violation::protocol("close code not allowed"));
    }
    match str::from_utf8(reason) {
        Ok(reason) => Ok(Some((code, reason))),
        Err(_) => Err(Violation { code: 1007, reason: "close reason is not valid UTF-8" }),
    }
}
