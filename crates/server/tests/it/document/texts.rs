//! What an example leaves open.
//!
//! `$NAME` is a text that the server makes; `tok_7`, a cursor (`1f0c...`, 16 digits, a dot, a number)
//! and a version (24 digits in quotes) are written as they would look. Where one comes first, it is
//! remembered what it stood for, and from then on it must be the same. Times may be any times.

use std::collections::HashMap;

/// What the open texts of a chapter stand for.
#[derive(Debug, Default)]
pub struct Texts {
    known: HashMap<String, String>,
}

/// How much of a text, from its beginning on, has some shape.
type Measure = fn(&str) -> usize;

/// A piece of a text.
#[derive(Clone, Copy)]
enum Piece {
    /// Any time of this shape.
    Time(Measure),
    /// What is remembered, and what it may consist of.
    Named(Measure),
}

impl Texts {
    /// Says what a text stands for.
    pub fn set(&mut self, name: &str, text: &str) {
        self.known.insert(name.to_owned(), text.to_owned());
    }

    /// A text of an example, as it is to be sent.
    pub fn fill(&self, example: &str) -> String {
        let (mut filled, mut rest) = (String::new(), example);
        while let Some(next) = rest.chars().next() {
            let open = open(rest).map(|(len, _)| &rest[..len]);
            let name = open.filter(|name| self.known.contains_key(*name));
            // A place of a known log that nobody was told of.
            let epoch = open.and_then(|name| name.split_once('.')).map(|(epoch, _)| epoch);
            let name = name.or(epoch.filter(|name| self.known.contains_key(*name)));
            match name {
                Some(name) => filled += &self.known[name],
                None => filled.push(next),
            }
            rest = &rest[name.map_or(next.len_utf8(), str::len)..];
        }
        filled
    }

    /// Whether `text` is what the example says; remembers what it was open about.
    pub fn is(&mut self, example: &str, text: &str) -> bool {
        let (mut example, mut text) = (example, text);
        while let Some(next) = example.chars().next() {
            let Some((len, piece)) = open(example) else {
                let Some(rest) = text.strip_prefix(next) else { return false };
                (example, text) = (&example[next.len_utf8()..], rest);
                continue;
            };
            let (name, found_len) = match piece {
                Piece::Time(measure) => (None, measure(text)),
                Piece::Named(measure) => (Some(&example[..len]), measure(text)),
            };
            let found = &text[..found_len];
            if found.is_empty() || name.is_some_and(|name| !self.stands_for(name, found)) {
                return false;
            }
            (example, text) = (&example[len..], &text[found_len..]);
        }
        text.is_empty()
    }

    fn stands_for(&mut self, name: &str, found: &str) -> bool {
        if let (Some((epoch, _)), Some((own, _))) = (name.split_once('.'), found.split_once('.'))
            && cursor_len(name) > 0
        {
            self.known.insert(epoch.to_owned(), own.to_owned());
        }
        self.known.entry(name.to_owned()).or_insert_with(|| found.to_owned()) == found
    }
}

/// Whether an example is open at its beginning: how much of it, and what about.
fn open(example: &str) -> Option<(usize, Piece)> {
    if let Some(name) = example.strip_prefix('$') {
        let len = run(name, |b| b.is_ascii_uppercase() || b == b'_');
        return (len > 0).then_some((len + 1, Piece::Named(made_len)));
    }
    let shapes: [(Measure, Option<Measure>); 8] = [
        (time_len, None),
        (time_ms_len, None),
        (time_bare_len, None),
        (date_len, None),
        (day_len, None),
        (token_id_len, Some(token_id_len)),
        (cursor_len, Some(cursor_len)),
        (version_len, Some(version_len)),
    ];
    shapes.into_iter().find_map(|(measure, named)| {
        let len = measure(example);
        (len > 0).then_some((len, named.map_or(Piece::Time(measure), Piece::Named)))
    })
}

fn run(text: &str, fits: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| fits(*byte)).count()
}

/// A token, a ticket, a code, a password, a number, the cursor of a page, an origin.
fn made_len(text: &str) -> usize {
    run(text, |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':' | b'/'))
}

/// RFC 3339 in UTC, whole seconds.
fn time_len(text: &str) -> usize {
    shape_len(text, b"0000-00-00T00:00:00Z")
}

/// The same with milliseconds.
fn time_ms_len(text: &str) -> usize {
    shape_len(text, b"0000-00-00T00:00:00.000Z")
}

/// The same without a zone, in quotes: what has one does not end there.
fn time_bare_len(text: &str) -> usize {
    shape_len(text, b"\"0000-00-00T00:00:00\"")
}

/// `{"day":20,"month":11,"year":2026,"time":"14:23"}`
fn date_len(text: &str) -> usize {
    let fields = |text: &str| -> Option<usize> {
        let mut rest = text;
        for key in ["{\"day\":", ",\"month\":", ",\"year\":"] {
            rest = rest.strip_prefix(key)?;
            rest = &rest[run(rest, |b| b.is_ascii_digit())..];
        }
        rest = rest.strip_prefix(",\"time\":")?;
        let time = shape_len(rest, b"\"00:00\"}");
        (time > 0).then(|| text.len() - rest.len() + time)
    };
    fields(text).unwrap_or(0)
}

/// `20.11.2026`, in quotes.
fn day_len(text: &str) -> usize {
    shape_len(text, b"\"00.00.0000\"")
}

fn shape_len(text: &str, shape: &[u8]) -> usize {
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        other => byte == *other,
    };
    let len = text.bytes().zip(shape).take_while(|pair| fits(*pair)).count();
    if len == shape.len() { len } else { 0 }
}

fn token_id_len(text: &str) -> usize {
    let digits = text.strip_prefix("tok_").map_or(0, |rest| run(rest, |b| b.is_ascii_digit()));
    if digits > 0 { "tok_".len() + digits } else { 0 }
}

fn hex(text: &str) -> usize {
    run(text, |b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

fn cursor_len(text: &str) -> usize {
    let digits = match text.get(16..).and_then(|rest| rest.strip_prefix('.')) {
        Some(rest) if hex(text) == 16 => run(rest, |b| b.is_ascii_digit()),
        _ => 0,
    };
    if digits > 0 { 17 + digits } else { 0 }
}

fn version_len(text: &str) -> usize {
    let is_one = |text: &str| hex(text) == 24 && text[24..].starts_with('"');
    if text.strip_prefix('"').is_some_and(is_one) { 26 } else { 0 }
}

#[test]
fn open_texts_are_remembered() {
    let mut texts = Texts::default();
    texts.set("$ADMIN", "x.y.z");
    assert_eq!(texts.fill("Bearer $ADMIN, $OTHER"), "Bearer x.y.z, $OTHER");
    let mut check = |example: &str, text: &str, expected| {
        assert_eq!(texts.is(example, text), expected, "{example} {text}");
    };
    check("plain", "plain", true);
    check("plain", "plain ", false);
    check("\"2026-11-20T14:23:19Z\"", "\"1999-01-01T00:00:00Z\"", true);
    check("2026-11-20T14:23:19Z", "1999-01-01T00:00:00.5Z", false);
    check("2026-11-20T14:23:19.123Z", "1999-01-01T00:00:00.500Z", true);
    check("2026-11-20T14:23:19.123Z", "1999-01-01T00:00:00Z", false);
    check("\"2026-11-20T14:23:19\"", "\"1999-01-01T00:00:00\"", true);
    check("\"2026-11-20T14:23:19\"", "\"1999-01-01T00:00:00Z\"", false);
    let date = r#"{"day":20,"month":11,"year":2026,"time":"14:23"}"#;
    check(date, r#"{"day":1,"month":1,"year":1999,"time":"00:00"}"#, true);
    check(date, r#"{"day":1,"month":1,"year":1999,"time":"0:00"}"#, false);
    check("\"20.11.2026\"", "\"01.01.1999\"", true);
    check("\"20.11.2026\"", "\"1.1.1999\"", false);
    check("tok_7 tok_8", "tok_1 tok_2", true);
    check("tok_7", "tok_2", false);
    check("a=$ONE; b", "a=1-a.b; b", true);
    check("$ONE", "1-a.b", true);
    check("$ONE", "2", false);
    check("$TWO", "", false);
    check("1f0c1f0c1f0c1f0c.7", "badd326dc75aa1bd.11", true);
    check("1f0c1f0c1f0c1f0c.7", "badd326dc75aa1bd.12", false);
    check("\"0123456789abcdef01234567\"", "\"aaaaaaaaaaaaaaaaaaaaaaaa\"", true);
    let filled = texts.fill("tok_8 tok_9 1f0c1f0c1f0c1f0c.7 1f0c1f0c1f0c1f0c.99");
    assert_eq!(filled, "tok_2 tok_9 badd326dc75aa1bd.11 badd326dc75aa1bd.99");
}
