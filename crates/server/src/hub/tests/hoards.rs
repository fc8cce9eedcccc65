//! What waits for all lines together, and is in memory for each alone.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use bellwire_store::change::Logged;

use super::{script::event, *};
use crate::simulation::socket::{Pipe, SimSocket};

const LEN_MAX: usize = 1 << 20;
/// What a frame takes beside its bytes.
const OVERHEAD: usize = 128;

/// A hub with lines whose sockets take nothing.
struct Crowd {
    hub: Hub<SimSocket>,
    lines: Vec<(LineId, Rc<RefCell<Pipe>>)>,
}

impl Crowd {
    fn new(lines: usize) -> Crowd {
        let recent = Arc::new(Recent::new(0, 100, 1 << 20));
        let speller = Arc::new(Speller::new("epoch", [script::told_as("e", false)]));
        let mut hub = Hub::new(recent, speller, Arc::default(), LEN_MAX);
        let lines = (0..lines).map(|_| {
            let pipe = Pipe::new(Rc::new(Cell::new(0)), 0);
            (hub.line(SimSocket(pipe.clone())), pipe)
        });
        let lines = lines.collect();
        Crowd { hub, lines }
    }

    /// So many bytes are said to a line.
    fn says(&mut self, line: usize, len: usize, now_ms: u64) {
        self.hub.say(self.lines[line].0, Bytes::from(vec![b'x'; len]));
        self.hub.flush(now_ms);
    }

    /// A row is told to a line.
    fn tells(&mut self, line: usize, len: usize, now_ms: u64) {
        let event = Some(event("room", serde_json::json!(1)));
        let logged = Logged { offset: 1, at: 0, event, effects: Vec::new() };
        let entry = Arc::new(Entry::new(Arc::new(logged)));
        let frame = Frame::of_row(Bytes::from(vec![b'x'; len]), &entry, 0, Shape::PlainCursor);
        let slot = self.hub.line_at(self.lines[line].0).expect("it is there");
        self.hub.push_on(slot, frame, outbox::LINE);
        self.hub.flush(now_ms);
    }

    /// The lines that are cut off when no more than this may wait.
    fn cut(&mut self, own_len_max: usize, now_ms: u64) -> Vec<usize> {
        self.hub.cut_hoarders(own_len_max, now_ms);
        let slow = self.hub.take_needs().into_iter().map(|need| match need {
            Need::Slow(line) => line,
            other => panic!("{other:?}"),
        });
        let place = |line| self.lines.iter().position(|(id, _)| *id == line).expect("it is there");
        slow.map(place).collect()
    }
}

#[test]
fn those_for_whom_most_waits_are_cut_off_until_the_rest_fits() {
    let mut crowd = Crowd::new(4);
    for (line, len) in [300, 100, 400, 200].into_iter().enumerate() {
        crowd.says(line, len, 0);
    }
    let all = 1_000 + 4 * OVERHEAD;
    assert_eq!(crowd.cut(all, 0), [0; 0]);
    assert_eq!(crowd.cut(all - 1, 0), [2]);
    // What was cut off waits no longer, and is not cut off again.
    assert_eq!(crowd.cut(600 + 3 * OVERHEAD, 0), [0; 0]);
    assert_eq!(crowd.cut(299, 0), [0, 3]);
    assert_eq!(crowd.cut(0, 0), [1]);
    assert_eq!(crowd.cut(0, 0), [0; 0]);
    assert_eq!(crowd.hub.queued_bytes(), 0);
}

/// Who is answered much and reads it is not cut off in the place of many who keep less and do not read.
#[test]
fn what_has_waited_for_long_goes_before_what_has_just_come() {
    let mut crowd = Crowd::new(3);
    crowd.says(0, 1_000, 0);
    crowd.says(1, 900, 0);
    crowd.says(2, 5_000, 4_900);
    assert_eq!(crowd.cut(6_500, 5_000), [0]);
    assert_eq!(crowd.cut(6_000, 5_000), [1]);
    // It does not help to take a byte now and then: all must have gone out.
    crowd.says(0, 1, 5_000);
    crowd.lines[2].1.borrow_mut().room = 1;
    crowd.hub.writable(crowd.lines[2].0, 9_000);
    assert_eq!(crowd.cut(0, 9_000), [2]);
}

#[test]
fn rows_are_in_memory_once_and_last_words_are_said() {
    let mut crowd = Crowd::new(3);
    crowd.tells(0, 100_000, 0);
    crowd.says(0, 10, 0);
    crowd.says(1, 20, 0);
    crowd.hub.end(crowd.lines[2].0, [Bytes::from(vec![b'x'; 500])], 0);
    assert_eq!(crowd.cut(30 + 2 * OVERHEAD, 0), [0; 0]);
    assert_eq!(crowd.cut(29 + 2 * OVERHEAD, 0), [1]);
    assert_eq!(crowd.cut(9 + OVERHEAD, 0), [0]);
    assert_eq!(crowd.hub.queued_bytes(), 500);
    // One that loses frames rather than its connection is cut off all the same: answers are not lost.
    let mut crowd = Crowd::new(1);
    crowd.hub.lossy(crowd.lines[0].0);
    crowd.says(0, 10, 0);
    assert_eq!(crowd.cut(9, 0), [0]);
}
