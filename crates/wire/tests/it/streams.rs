//! Frames as random streams: what holds for any of them.

use bellwire_wire::frame::{Flow, Incoming, Limits, Opcode, Reader, Role, encode, encode_masked};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::cases;
use crate::frames::{Out, read};

/// A message, how it is cut into frames, and the control frames between those.
#[derive(Clone, Debug)]
struct Sent {
    message: Out,
    cuts: Vec<Index>,
    between: Vec<Out>,
}

fn control() -> impl Strategy<Value = Out> {
    // Few pings: their rate has a limit of its own.
    prop_oneof![
        1 => vec(any::<u8>(), 0..=125).prop_map(Out::Ping),
        9 => vec(any::<u8>(), 0..=125).prop_map(Out::Pong),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let message = prop_oneof![
        any::<String>().prop_map(Out::Text),
        vec(any::<u8>(), 0..300).prop_map(Out::Binary),
        control(),
    ];
    (message, vec(any::<Index>(), 0..4), vec(control(), 0..3))
        .prop_map(|(message, cuts, between)| Sent { message, cuts, between })
}

/// Appends the frames of `sent` to `stream`, and what they mean to `model`.
fn put(sent: &Sent, key: [u8; 4], stream: &mut Vec<u8>, model: &mut Vec<Out>) {
    let (opcode, payload) = match &sent.message {
        Out::Text(text) => (Opcode::Text, text.as_bytes()),
        Out::Binary(bytes) => (Opcode::Binary, &bytes[..]),
        control => return put_control(control, key, stream, model),
    };
    let mut cuts: Vec<usize> = sent.cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(payload.len());

    let mut from = 0;
    for (n, &to) in cuts.iter().enumerate() {
        let opcode = if n == 0 { opcode } else { Opcode::Continuation };
        let start = stream.len();
        encode_masked(opcode, &payload[from..to], key, stream);
        from = to;
        if n + 1 < cuts.len() {
            stream[start] &= 0x7F; // not the last fragment
            if let Some(control) = sent.between.get(n) {
                put_control(control, key, stream, model);
            }
        }
    }
    model.push(sent.message.clone());
}

fn put_control(control: &Out, key: [u8; 4], stream: &mut Vec<u8>, model: &mut Vec<Out>) {
    match control {
        Out::Ping(payload) => encode_masked(Opcode::Ping, payload, key, stream),
        Out::Pong(payload) => encode_masked(Opcode::Pong, payload, key, stream),
        other => unreachable!("no control frame: {other:?}"),
    }
    model.push(control.clone());
}

/// A valid stream, and what comes out of it.
fn valid_stream() -> impl Strategy<Value = (Vec<u8>, Vec<Out>)> {
    (vec(sent(), 0..8), any::<[u8; 4]>()).prop_map(|(all, key)| {
        let (mut stream, mut model) = (Vec::new(), Vec::new());
        for sent in &all {
            put(sent, key, &mut stream, &mut model);
        }
        (stream, model)
    })
}

/// A stream that may be valid, damaged in a few places, or garbage.
fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let damaged = (valid_stream(), vec((any::<Index>(), any::<u8>()), 0..3)).prop_map(
        |((mut stream, _), damages)| {
            for (at, byte) in damages.iter().filter(|_| !stream.is_empty()).collect::<Vec<_>>() {
                let at = at.index(stream.len());
                stream[at] = *byte;
            }
            stream
        },
    );
    prop_oneof![3 => damaged, 1 => vec(any::<u8>(), 0..200)]
}

/// `stream` in pieces, some of them empty.
fn split<'a>(stream: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    cuts.push(stream.len());
    cuts.into_iter().map(|to| &stream[std::mem::replace(&mut from, to)..to]).collect()
}

proptest! {
    #![proptest_config(cases(512))]

    /// Whatever a client may send comes out as it meant it, however the stream is cut.
    #[test]
    fn valid_streams_decode_to_their_model(
        (stream, model) in valid_stream(),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        prop_assert_eq!(&read(Role::Server, &Limits::DEFAULT, [&stream[..]]), &model);
        prop_assert_eq!(&read(Role::Server, &Limits::DEFAULT, split(&stream, &cuts)), &model);
        prop_assert_eq!(&read(Role::Server, &Limits::DEFAULT, stream.chunks(1)), &model);
    }

    /// The cuts of any stream change nothing, violations included; a violation or a close frame is
    /// the last thing that comes out; nothing panics.
    #[test]
    fn cuts_change_nothing(stream in any_stream(), cuts in vec(any::<Index>(), 0..12)) {
        // Small limits, so that they are met.
        let limits = Limits { message_len_max: 400, fragments_max: 3, pings_per_second_max: 2 };
        let out = read(Role::Server, &limits, [&stream[..]]);
        prop_assert_eq!(&read(Role::Server, &limits, split(&stream, &cuts)), &out);
        prop_assert_eq!(&read(Role::Server, &limits, stream.chunks(1)), &out);
        for earlier in &out[..out.len().saturating_sub(1)] {
            prop_assert!(!matches!(earlier, Out::Close(_) | Out::Violation(_)));
        }
    }

    /// Pauses change nothing either: the same things come out, later.
    #[test]
    fn pauses_change_nothing(
        stream in any_stream(),
        cuts in vec(any::<Index>(), 0..6),
        pauses in vec(any::<bool>(), 1..10),
    ) {
        let expected = read(Role::Server, &Limits::DEFAULT, [&stream[..]]);
        let mut pauses = pauses.into_iter().cycle();
        let mut reader = Reader::new(Role::Server, 0);
        let mut out = Vec::<Out>::new();
        let mut step = |bytes: &[u8]| {
            let on = &mut |incoming: Incoming<'_>| {
                out.push(incoming.into());
                if pauses.next().expect("it cycles") { Flow::Pause } else { Flow::Continue }
            };
            let result = reader.receive(&Limits::DEFAULT, &mut bytes.to_vec(), 0, on);
            out.extend(result.err().map(Out::from));
            reader.has_unread()
        };
        for chunk in split(&stream, &cuts) {
            step(chunk);
        }
        while step(&[]) {}
        prop_assert_eq!(out, expected);
    }

    /// What a server encodes, a client decodes.
    #[test]
    fn server_frames_round_trip(
        len in prop_oneof![0_usize..200, 65_000_usize..70_000],
        cut in any::<Index>(),
    ) {
        let payload: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        let limits = Limits { message_len_max: 70_000, ..Limits::DEFAULT };
        let frame = encode(Opcode::Binary, &payload);
        let out = read(Role::Client, &limits, split(&frame, &[cut]));
        prop_assert_eq!(out, [Out::Binary(payload)]);
    }

    /// A reader owns a buffer only while something is incomplete.
    #[test]
    fn nothing_stays_behind((stream, _) in valid_stream(), cuts in vec(any::<Index>(), 0..6)) {
        let mut reader = Reader::new(Role::Server, 0);
        for chunk in split(&stream, &cuts) {
            let on = &mut |_: Incoming<'_>| Flow::Continue;
            reader.receive(&Limits::DEFAULT, &mut chunk.to_vec(), 0, on).unwrap();
        }
        prop_assert!(!reader.has_buffered());
    }
}
