//! What waits for a socket, frame by frame.

use std::io;

use bellwire_store::change::{Event, Logged, Variant};

use super::*;

/// Takes so many bytes, then would block.
struct Stingy {
    room: usize,
    taken: Vec<u8>,
}

impl Write for Stingy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.room);
        self.room -= len;
        self.taken.extend_from_slice(&bytes[..len]);
        if len == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(len) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes whatever comes while it holds nothing back, and passes on as much as it has room for.
#[derive(Default)]
struct Holding {
    room: usize,
    held: usize,
    passed: usize,
}

impl Write for Holding {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        self.held = bytes.len();
        let _ = self.flush();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let len = self.held.min(self.room);
        (self.room, self.held, self.passed) = (self.room - len, self.held - len, self.passed + len);
        if self.held > 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }
}

#[test]
fn what_a_sink_holds_back_is_not_written() {
    let reply = || Frame::of(Bytes::from_static(b"<reply>"));
    let mut sink = Holding { room: 2, ..Holding::default() };
    let mut outbox = Outbox::new(0);
    outbox.push(reply(), 0, 0);
    assert_eq!(outbox.write(&mut sink, 1_000), Written::Blocked);
    assert_eq!((outbox.queued_len(), sink.held), (0, 5), "it was taken, not passed on");
    outbox.push(reply(), 0, 0);
    assert_eq!(outbox.write(&mut sink, 2_000), Written::Blocked);
    assert_eq!(outbox.queued_len(), 7, "nothing more is taken before that is out");
    outbox.clear();
    assert!(!outbox.is_too_slow(1_000 + STALLED_MAX_MS - 1, LEN_MAX));
    assert!(outbox.is_too_slow(1_000 + STALLED_MAX_MS, LEN_MAX), "it counts as waiting");
    sink.room = 5;
    assert_eq!(outbox.write(&mut sink, 12_000), Written::All);
    assert!(!outbox.is_too_slow(90_000, LEN_MAX));
    assert_eq!(sink.passed, 7);
    assert!(Outbox::holding_back(0).is_too_slow(STALLED_MAX_MS, LEN_MAX));
}

fn state(offset: u64, key: &str, bytes: &str) -> Frame {
    let payload = serde_json::value::RawValue::from_string("1".into()).expect("it is JSON");
    let event = Event {
        name: "state_changed".into(),
        key: key.into(),
        except: Vec::new(),
        variants: vec![Variant { topics: vec!["states".into()], payload }],
        overflow: Overflow::Latest,
    };
    let logged = Logged { offset, at: 0, event: Some(event), effects: Vec::new() };
    let entry = Arc::new(Entry::new(Arc::new(logged)));
    let bytes = Bytes::copy_from_slice(bytes.as_bytes());
    Frame { bytes, row: Some((entry, 0)), coalesces: true, is_judged: false }
}

#[test]
fn a_reader_that_drips_costs_no_more_than_its_newest_values() {
    let mut outbox = Outbox::new(0);
    let mut sink = Stingy { room: 0, taken: Vec::new() };
    outbox.push(Frame::of(Bytes::from_static(b"<reply>")), 7, 3);
    assert!(!outbox.holds_answers(7), "it began to go out");
    for offset in 1..=100_000 {
        let key = ["a", "b", "c"][offset as usize % 3];
        outbox.push(state(offset, key, &format!("[{key}{offset}]")), 7, 0);
        if offset == 50_000 {
            sink.room = 2;
            assert_eq!(outbox.write(&mut sink, offset), Written::Blocked);
        }
        assert!(outbox.frames.len() <= 4 + 2 * GAPS_MAX, "{}", outbox.frames.len());
        assert!(!outbox.is_too_slow(offset / 100, LEN_MAX));
    }
    sink.room = usize::MAX;
    assert_eq!(outbox.write(&mut sink, 1), Written::All);
    let taken = String::from_utf8(sink.taken).expect("text");
    assert_eq!(taken, "ply>[c99998][a99999][b100000]");
    assert_eq!((outbox.queued_len(), outbox.frames.len(), outbox.gaps, outbox.own), (0, 0, 0, 0));
}

/// What a reader gets that takes nothing until `frames` came, each `(key, text)`; `-` is no row.
fn lossy(len_max: usize, first_room: usize, frames: &[(&str, &str)]) -> (String, u64) {
    let mut outbox = Outbox::new(0);
    let mut sink = Stingy { room: first_room, taken: Vec::new() };
    let mut shed = 0;
    for (offset, (key, text)) in (1..).zip(frames) {
        let frame = match *key {
            "-" => Frame::of(Bytes::copy_from_slice(text.as_bytes())),
            key => state(offset, key, text),
        };
        outbox.push(frame, 0, 0);
        assert_ne!(outbox.write(&mut sink, 0), Written::Gone);
        shed += outbox.shed(len_max);
        assert!(!outbox.is_too_full(len_max));
    }
    sink.room = usize::MAX;
    assert_eq!(outbox.write(&mut sink, 0), Written::All);
    assert_eq!((outbox.queued_len(), outbox.frames.len(), outbox.gaps, outbox.own), (0, 0, 0, 0));
    assert_eq!(outbox.latest.len(), 0);
    (String::from_utf8_lossy(&sink.taken).into_owned(), shed)
}

#[test]
fn who_may_lose_frames_loses_the_oldest() {
    let check = |len_max, room, frames: &[(&str, &str)], taken: &str, shed| {
        assert_eq!(lossy(len_max, room, frames), (taken.to_owned(), shed), "{frames:?}");
    };
    let four = [("a", "a-1;"), ("b", "b-2;"), ("c", "c-3;"), ("d", "d-4;")];
    check(16, 0, &four, "a-1;b-2;c-3;d-4;", 0);
    // An eighth is made free.
    check(15, 0, &four, "b-2;c-3;d-4;", 1);
    check(11, 0, &four, "c-3;d-4;", 2);
    // What is partly out is finished.
    check(13, 1, &four, "a-1;c-3;d-4;", 1);
    check(3, 1, &four, "a-1;", 3);
    // The newest of a key takes the place of an older one before anything is lost.
    let again = [("a", "a-1;"), ("b", "b-2;"), ("a", "a-3;"), ("b", "b-4;"), ("c", "c-5;")];
    check(12, 0, &again, "a-3;b-4;c-5;", 0);
    check(9, 0, &again, "b-4;c-5;", 1);
    // Answers and control frames are kept, and keep their order.
    let pongs = [("-", "\t1"), ("-", "re-;"), ("a", "a-1;"), ("-", "\t2"), ("b", "b-2;")];
    check(16, 0, &pongs, "\t1re-;a-1;\t2b-2;", 0);
    check(12, 0, &pongs, "\t1re-;\t2", 2);
}

#[test]
fn who_takes_nothing_for_long_costs_no_more() {
    let mut outbox = Outbox::new(0);
    let len_max = 100_000;
    let mut shed = 0;
    for offset in 1..=20_000 {
        outbox.push(
            state(offset, &offset.to_string(), "a state of about forty bytes, and no more"),
            0,
            0,
        );
        shed += outbox.shed(len_max);
        assert!(outbox.queued_len() <= len_max && outbox.latest.len() <= outbox.frames.len());
    }
    let left = outbox.frames.len() - outbox.gaps;
    assert!(left >= (len_max - len_max / 8) / FRAME_OVERHEAD && left as u64 + shed == 20_000);
    assert!(outbox.frames.len() < 2 * len_max / FRAME_OVERHEAD, "{}", outbox.frames.len());
}

#[test]
fn small_frames_are_bounded_too() {
    let mut outbox = Outbox::new(0);
    let pong = Frame::of(Bytes::from_static(&[0x8a, 0]));
    let count = (0..).find(|_| {
        outbox.push(pong.clone(), LINE, 0);
        outbox.is_too_slow(0, LEN_MAX)
    });
    assert_eq!(count, Some(LEN_MAX / FRAME_OVERHEAD + FRAMES_FREE));
}
