//! Who writes: one request after another, each until it is answered.

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Counts, Progress, TOWN_DEADLINE,
    link::{Came, Dialect, Link, PATIENCE, Way},
    trades::{Memory, People, Trade},
};

/// Between an answer and the next request: people do not write as fast as they can.
const PAUSE: Duration = Duration::from_millis(20);
/// Between tries to connect, and after a refusal that says so.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// The longest wait for a word before it is looked whether all is over.
const LOOK: Duration = Duration::from_millis(100);

/// What a server says that cannot do it now.
const LATER: &[&str] = &[
    "overloaded",
    "It took too long",
    "The disk is full",
    "Something went wrong here",
    "shut down",
    "shutting down",
];

/// A request that is to be done.
#[derive(Debug, Clone)]
pub struct Request {
    pub call: &'static str,
    pub fields: Value,
    pub key: String,
    /// By what its event is known, once it was answered.
    pub mark: Option<String>,
}

/// Who writes for one trade.
pub struct Writer {
    pub trade: &'static Trade,
    dialect: Dialect,
    memory: Memory,
    /// What was answered, in order.
    pub done: Vec<Request>,
    /// What was sent and not answered.
    pending: Option<Request>,
    sent: u64,
}

impl Writer {
    /// One who has written nothing yet. The dialect at first depends on the place in the table.
    pub fn new(trade: &'static Trade, at: usize) -> Writer {
        let dialect =
            if trade.calls_over_socket_io { Dialect::BOTH[at % 2] } else { Dialect::Plain };
        let memory = Memory::default();
        Writer { trade, dialect, memory, done: Vec::new(), pending: None, sent: 0 }
    }

    /// By what the events of all that was answered are known.
    pub fn marks(&self) -> impl Iterator<Item = &str> {
        self.done.iter().filter_map(|request| request.mark.as_deref())
    }

    /// Writes until all is over.
    pub fn works(
        &mut self,
        way: Way<'_>,
        people: &People,
        progress: &Progress,
        is_over: impl Fn() -> bool,
    ) {
        let counts = progress.of(self.trade);
        while !is_over() {
            match self.connects(way, people) {
                Some(mut link) => while !is_over() && self.asks(&mut link, people, counts) {},
                None => thread::park_timeout(RETRY_PAUSE),
            }
            // The next connection speaks otherwise: a key means the same everywhere.
            self.dialect = match self.trade.calls_over_socket_io {
                true => self.dialect.other(),
                false => Dialect::Plain,
            };
        }
    }

    /// Sends what was never answered until it is, and so many further requests.
    pub fn ends(&mut self, way: Way<'_>, people: &People, progress: &Progress, more: usize) {
        let (began, counts) = (Instant::now(), progress.of(self.trade));
        let wanted = self.done.len() + more;
        while self.pending.is_some() || self.done.len() < wanted {
            let Writer { trade, pending, .. } = self;
            assert!(began.elapsed() < TOWN_DEADLINE, "{}: no answer to {pending:?}", trade.name);
            match self.connects(way, people) {
                Some(mut link) => drop(self.asks(&mut link, people, counts)),
                None => thread::park_timeout(RETRY_PAUSE),
            }
        }
    }

    fn connects(&self, way: Way<'_>, people: &People) -> Option<Link> {
        let token = (self.trade.writer)(people);
        match self.dialect {
            Dialect::Plain => Link::plain(way, &(self.trade.path)(people), token),
            Dialect::SocketIo => {
                let Trade { namespace, .. } = self.trade;
                let auth = json!({ "token": token });
                let connect = match *namespace {
                    "/" => auth.to_string(),
                    _ => format!("{namespace},{auth}"),
                };
                let (link, answer) = Link::socket_io(way, &connect)?;
                answer.starts_with("40").then_some(link)
            }
        }
    }

    /// Sends the request that is next, and takes its answer. Says whether the connection can be used on.
    fn asks(&mut self, link: &mut Link, people: &People, counts: &Counts) -> bool {
        self.sent += 1;
        let (id, trade) = (self.sent, self.trade);
        let request = self.pending.get_or_insert_with(|| {
            let (call, fields) = (trade.request)(people, &self.memory);
            let key = format!("{} {}", trade.name, id);
            Request { call, fields, key, mark: None }
        });
        let mut fields = request.fields.clone();
        fields["idempotency_key"] = request.key.as_str().into();
        let prefix = match (self.dialect, trade.namespace) {
            (Dialect::Plain, _) => {
                fields["type"] = request.call.into();
                fields["id"] = id.into();
                link.send(&fields.to_string());
                String::new()
            }
            (Dialect::SocketIo, namespace) => {
                let place = if namespace == "/" { String::new() } else { format!("{namespace},") };
                link.send(&format!("2{place}{id}{}", json!([request.call, fields])));
                format!("3{place}{id}")
            }
        };
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let text = match link.next(LOOK) {
                Came::Text(text) => text,
                Came::Nothing => continue,
                Came::End => return false,
            };
            if let Some(answer) = answer(&text, &prefix, id) {
                return self.takes(&answer, counts);
            }
        }
        false
    }

    fn mark_of(&self, request: &Request) -> Option<String> {
        let event = self.trade.counted.iter().find(|(call, _)| *call == request.call);
        let Some((_, event)) = event else { return (self.trade.mark)(&request.fields) };
        let before = self.done.iter().filter(|done| done.call == request.call).count();
        Some(format!("{event} {}", before + 1))
    }

    /// Takes an answer in.
    fn takes(&mut self, answer: &Value, counts: &Counts) -> bool {
        let mut request = self.pending.take().expect("an answer has a request");
        if answer["success"] == true {
            request.mark = self.mark_of(&request);
            self.memory.answered += 1;
            self.memory.step = (self.memory.step + 1) % 4;
            if request.call == "stations.book" {
                self.memory.booking = answer["data"]["id"].as_i64().expect("a booking has an id");
            }
            self.done.push(request);
            counts.acknowledged.fetch_add(1, Ordering::SeqCst);
            thread::park_timeout(PAUSE);
            return true;
        }
        let words = answer["error"].as_str().or(answer["message"].as_str()).unwrap_or_default();
        if words.ends_with(" is expired") {
            // Time went by while the battery was held: it is there again, and is booked once more.
            self.memory.step = 0;
            return true;
        }
        assert!(LATER.iter().any(|later| words.contains(later)), "{request:?}: {answer}");
        counts.refused.fetch_add(1, Ordering::SeqCst);
        self.pending = Some(request);
        thread::park_timeout(RETRY_PAUSE);
        true
    }
}

/// The answer in this text, if it is that to the request with this id.
fn answer(text: &str, prefix: &str, id: u64) -> Option<Value> {
    if prefix.is_empty() {
        let message: Value = serde_json::from_str(text).expect("messages are JSON");
        return (message["id"] == id && message.get("cursor").is_none()).then_some(message);
    }
    let arguments = text.strip_prefix(prefix)?;
    let arguments: Value =
        arguments.starts_with('[').then(|| serde_json::from_str(arguments))?.ok()?;
    Some(arguments[0].clone())
}
