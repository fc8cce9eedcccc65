//! What is asked: requests as plans, drawn by chance, which become bytes in `request`.

use proptest::{collection::vec, prelude::*, sample::Index};

/// Whose credential is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// An admin's.
    Admin,
    /// The same, as the session cookie.
    Cookie,
    /// That of a user who may read and write lights alone.
    Limited,
    /// None.
    Nobody,
    /// This header, which is none.
    Bad(&'static str),
}

/// A request, before it is known what there is to ask for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whose credential is shown.
    pub who: Who,
    /// Which route.
    pub route: Index,
    /// Another method than the route's.
    pub method: Option<&'static str>,
    /// What stands in the braces of its path, in order.
    pub segments: Vec<Segment>,
    /// What stands behind the path.
    pub tail: &'static str,
    /// Its query.
    pub query: Vec<Parameter>,
    /// Further headers.
    pub headers: Vec<String>,
    /// Its media type.
    pub media_type: Option<&'static str>,
    /// Its body.
    pub body: Body,
    /// How the end of the body is told.
    pub framing: Framing,
}

/// A segment of a path.
#[derive(Debug, Clone)]
pub enum Segment {
    /// One that was seen in an answer.
    Seen(Index),
    /// Anything, as it stands in the path.
    Text(String),
}

/// A query parameter.
#[derive(Debug, Clone)]
pub enum Parameter {
    /// One that the route names, with this value as it stands in the query.
    Declared(Index, String),
    /// Any text.
    Text(String),
}

/// A body.
#[derive(Debug, Clone)]
pub enum Body {
    /// That of one of the document's examples, changed.
    Example(Index, Vec<Change>),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// A change of a JSON object, or of its text.
#[derive(Debug, Clone)]
pub enum Change {
    /// A member is left out.
    Drop(Index),
    /// A member has another value.
    Set(Index, String),
    /// There is one more.
    Add(&'static str, String),
    /// A member is there twice.
    Double(Index),
    /// The text ends here.
    Cut(Index),
    /// These bytes are in it.
    Insert(Index, &'static [u8]),
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By its length, or not at all if it is empty.
    Length,
    /// In chunks.
    Chunks,
    /// By its length, after `Expect: 100-continue`.
    Expect,
    /// By its length, twice.
    Twice,
    /// By two lengths.
    TwoLengths,
    /// By its length and in chunks.
    Both,
    /// By no number.
    NoNumber,
    /// By a greater length; then the client sends no more.
    TooShort,
    /// By a smaller length.
    TooLong,
}

impl Framing {
    /// Whether it is not clear where the request ends.
    pub fn is_broken(self) -> bool {
        use Framing::{Both, NoNumber, TooLong, TooShort, Twice, TwoLengths};
        matches!(self, Both | NoNumber | TooLong | TooShort | Twice | TwoLengths)
    }
}

/// Values as JSON text: some that fit somewhere, and those that fit nowhere.
const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "1",
    "-1",
    "1.5",
    "3600",
    "-0.0",
    "1e400",
    "-1e999",
    "1e-400",
    "9007199254740993",
    "9223372036854775808",
    "123456789012345678901234567890",
    "01",
    "NaN",
    "\"\"",
    "\" \"",
    "\"on\"",
    "\"1\"",
    "\"admin\"",
    "\"user\"",
    "\"client\"",
    "\"houseworker\"",
    "\"light.a\"",
    "\"light.b\"",
    "\"a@b\"",
    "\"2026-01-01T00:00:00Z\"",
    "\"2026-02-30T00:00:00Z\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u202e\\u200b\"",
    "\"\u{1f514}\u{202e}\"",
    "\"\n\"",
    "\"\\q\"",
    "\"'; DROP TABLE states; --\"",
    "\"<script>alert(1)</script>\"",
    "[]",
    "{}",
    "[null]",
    "[[]]",
    "[\"states:read:light.*\"]",
    "[\"states:read\",\"states:write\"]",
    "[\"states\"]",
    "[\"states:read:\u{1f514}\"]",
    "{\"state\":\"on\"}",
    "{\"state\":null}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":{\"b\":[1,2.5,\"c\",null,true]}}",
    "\"off",
    "{\"a\":",
    "'on'",
];

/// Keys that calls know, and some that nobody does.
const KEYS: &[&str] = &[
    "state",
    "attributes",
    "expected",
    "scopes",
    "role",
    "login",
    "password",
    "disabled",
    "kind",
    "ttl",
    "subject",
    "id",
    "userId",
    "entity_id",
    "state_id",
    "limit",
    "cursor",
    "idempotency_key",
    "type",
    "__proto__",
    "",
];

/// Segments of paths and values of parameters, as they stand in a URL.
const TEXTS: &[&str] = &[
    "",
    "0",
    "-1",
    "01",
    "1.0",
    "1e3",
    "+1",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "light.none",
    "Light.A",
    "light",
    ".",
    "..",
    "%2e%2e",
    "light.%2e",
    "a%2fb",
    "a%5cb",
    "%00",
    "a%00.b",
    "%ff",
    "%c0%af",
    "%ed%a0%80",
    "%f0%9f%94%94.x",
    "%",
    "%zz",
    "%1",
    "by-id",
    "history",
    "me",
    "null",
    "*",
    "tok_",
    "tok_99999999999999999999",
    "%27%3B--",
    "%0d%0aX:%20y",
    "2026-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-06-30T23:59:60Z",
    "-009999-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "yesterday",
    "%E2%80%AE",
    "1;2",
    "a,b",
];

/// Headers that change what is asked for, or should not.
const HEADERS: &[&str] = &[
    "If-Match: *",
    "If-Match: \"0123456789abcdef01234567\"",
    "If-Match: W/\"x\", \"y\"",
    "If-Match:",
    "If-Match: \u{e4}",
    "If-None-Match: *",
    "If-None-Match: \"x\"",
    "If-None-Match: W/\"0123456789abcdef01234567\", *",
    "If-Modified-Since: yesterday",
    "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
    "Idempotency-Key: k1",
    "Idempotency-Key: \"k2\"",
    "Idempotency-Key: \"\"",
    "Idempotency-Key:",
    "Idempotency-Key: \u{1f514}",
    "Idempotency-Key: a\r\nIdempotency-Key: b",
    "Range: bytes=0-1",
    "Range: bytes=-1,5-2",
    "Accept: text/html",
    "Accept: */*;q=0",
    "Accept-Encoding: gzip, br;q=0",
    "Accept-Charset: latin1",
    "Content-Encoding: gzip",
    "Content-Encoding: identity",
    "Content-Language: x",
    "Origin: https://elsewhere.example",
    "Origin: null",
    "Origin:",
    "Access-Control-Request-Method: DELETE",
    "Sec-Fetch-Site: cross-site",
    "X-Forwarded-For: 127.0.0.1",
    "X-HTTP-Method-Override: DELETE",
    "Forwarded: for=\"[::1]\"",
    "Upgrade: websocket\r\nConnection: Upgrade",
    "Upgrade: h2c",
    "TE: trailers",
    "Trailer: X",
    "Cookie: bellwire_session=x.y.z",
    "Cookie: a=b; ;;=; bellwire_session",
    "Last-Event-ID: 1",
    "Host: elsewhere.example",
    "Max-Forwards: 0",
    "Pragma: no-cache",
];

const MEDIA_TYPES: &[&str] = &[
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/merge-patch+json",
    "application/json; charset=latin1",
    "application/json\r\nContent-Type: application/json",
    "application/jsonx",
    "text/plain",
    "text/json",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "*/*",
    "",
    ";;;",
];

const BYTES: &[&[u8]] = &[
    b"\xff",
    b"\xed\xa0\x80",
    b"\0",
    b"\xef\xbb\xbf",
    b"\\",
    b"\"",
    b"{",
    b"}",
    b",",
    b" ",
    b"\\u0000",
];

fn one_of(list: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(list)
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => one_of(VALUES).prop_map(str::to_owned),
        2 => any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        1 => (1..70_usize).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth)),
        1 => (200..400_usize).prop_map(|len| format!("\"{}\"", "x".repeat(len))),
        1 => (1..17_usize).prop_map(|kib| format!("{{\"a\":\"{}\"}}", "x".repeat(kib << 10))),
        1 => (60_000..66_000_usize).prop_map(|len| format!("\"{}\"", "x".repeat(len))),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => any::<Index>().prop_map(Change::Drop),
        8 => (any::<Index>(), value()).prop_map(|(at, value)| Change::Set(at, value)),
        4 => (one_of(KEYS), value()).prop_map(|(key, value)| Change::Add(key, value)),
        1 => any::<Index>().prop_map(Change::Double),
        1 => any::<Index>().prop_map(Change::Cut),
        1 => (any::<Index>(), prop::sample::select(BYTES))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        10 => (any::<Index>(), vec(change(), 0..=0)).prop_map(|(at, none)| Body::Example(at, none)),
        14 => (any::<Index>(), vec(change(), 1..4)).prop_map(|(at, all)| Body::Example(at, all)),
        1 => vec(any::<u8>(), 0..40).prop_map(Body::Bytes),
        1 => value().prop_map(|text| Body::Bytes(text.into_bytes())),
    ]
}

fn segment() -> impl Strategy<Value = Segment> {
    prop_oneof![
        30 => any::<Index>().prop_map(Segment::Seen),
        8 => one_of(TEXTS).prop_map(|text| Segment::Text(text.to_owned())),
        1 => any::<String>().prop_map(|text| Segment::Text(percent(&text))),
        1 => (200..9_000_usize).prop_map(|len| Segment::Text("a".repeat(len))),
    ]
}

fn parameter() -> impl Strategy<Value = Parameter> {
    let text = prop_oneof![
        8 => one_of(TEXTS).prop_map(str::to_owned),
        2 => (0..1_100_i32).prop_map(|number| number.to_string()),
        1 => any::<String>().prop_map(|text| percent(&text)),
        1 => (100..9_000_usize).prop_map(|len| "a".repeat(len)),
    ];
    prop_oneof![
        5 => (any::<Index>(), text).prop_map(|(at, text)| Parameter::Declared(at, text)),
        1 => one_of(&["", "=", "&&", "x=1", "limit", "limit=1", "token=x", "%6cimit=2", "a[]=1"])
            .prop_map(|text| Parameter::Text(text.to_owned())),
        1 => (1..500_usize).prop_map(|count| Parameter::Text("a=b&".repeat(count))),
    ]
}

/// A text in which every byte is escaped.
fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn header() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => one_of(HEADERS).prop_map(str::to_owned),
        1 => (1..20_usize).prop_map(|kib| format!("X-Long: {}", "x".repeat(kib << 10))),
        1 => (1..120_usize).prop_map(|count| vec!["X-Many: x"; count].join("\r\n")),
    ]
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![
        60 => Just(Framing::Length),
        6 => Just(Framing::Chunks),
        4 => Just(Framing::Expect),
        1 => Just(Framing::Twice),
        1 => Just(Framing::TwoLengths),
        1 => Just(Framing::Both),
        1 => Just(Framing::NoNumber),
        1 => Just(Framing::TooShort),
        1 => Just(Framing::TooLong),
    ]
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        8 => Just(Who::Admin),
        1 => Just(Who::Cookie),
        6 => Just(Who::Limited),
        2 => Just(Who::Nobody),
        1 => one_of(&[
            "Authorization: Bearer x.y.z",
            "Authorization: Bearer",
            "Authorization: Basic YWRtaW46YWRtaW4=",
            "Authorization:",
            "Authorization: Bearer x\r\nAuthorization: Bearer y",
            "Cookie: bellwire_session=x",
            "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        ])
        .prop_map(Who::Bad),
    ]
}

/// Any request.
pub fn plan() -> impl Strategy<Value = Plan> {
    const METHODS: &[&str] =
        &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"];
    let method = prop_oneof![4 => Just(None), 1 => one_of(METHODS).prop_map(Some)];
    let media_type = prop_oneof![
        9 => Just(Some("application/json")),
        1 => one_of(MEDIA_TYPES).prop_map(Some),
        1 => Just(None)
    ];
    let tail = prop_oneof![12 => Just(""), 2 => Just("/"), 1 => Just("//"), 1 => Just("/x")];
    let query = prop_oneof![3 => vec(parameter(), 0..=0), 1 => vec(parameter(), 1..3)];
    let headers = prop_oneof![2 => vec(header(), 0..=0), 1 => vec(header(), 1..3)];
    let path = (any::<Index>(), method, vec(segment(), 2), tail, query);
    let rest = (headers, media_type, body(), framing());
    (who(), path, rest).prop_map(|(who, path, rest)| {
        let (route, method, segments, tail, query) = path;
        let (headers, media_type, body, framing) = rest;
        Plan { who, route, method, segments, tail, query, headers, media_type, body, framing }
    })
}
