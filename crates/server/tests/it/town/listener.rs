//! Who hears what happens in one trade, over all of its connections.

use std::{collections::BTreeSet, fmt, sync::atomic::Ordering, thread, time::Duration};

use serde_json::{Value, json};

use super::{
    Progress,
    link::{self, Came, Dialect, Link, PATIENCE, Way},
    trades::{People, Trade},
};

/// Between tries to connect.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// The longest wait for a word before it is looked whether all is over.
const LOOK: Duration = Duration::from_millis(50);

/// An event that was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Its place in the log.
    pub offset: u64,
    pub name: String,
    pub payload: Value,
}

/// A listener.
pub struct Listener {
    pub trade: &'static Trade,
    pub dialect: Dialect,
    /// The place to come back to: a cursor.
    cursor: Option<String>,
    /// By what Socket.IO knows it.
    pid: Option<String>,
    /// Everything that counts and was heard, in order.
    pub heard: Vec<Heard>,
    /// Its marks.
    marks: BTreeSet<String>,
    /// How often it came back.
    pub returns: usize,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listener { trade, dialect, heard, returns, .. } = self;
        let heard = heard.len();
        write!(f, "{} ({dialect:?}, {heard} heard, {returns} times back)", trade.name)
    }
}

impl Listener {
    /// One that has no place yet.
    pub fn new(trade: &'static Trade, dialect: Dialect) -> Listener {
        Listener {
            trade,
            dialect,
            cursor: None,
            pid: None,
            heard: Vec::new(),
            marks: BTreeSet::new(),
            returns: 0,
        }
    }

    /// Connects, so that it has a place to come back to from now on, and goes. Says whether that worked.
    pub fn takes_a_place(&mut self, way: Way<'_>, people: &People) -> bool {
        self.connects(way, people).is_some()
    }

    /// Whether it has heard all of these marks.
    pub fn has_heard(&self, marks: &BTreeSet<&str>) -> bool {
        marks.iter().all(|mark| self.marks.contains(*mark))
    }

    /// The place of the last event that it has heard.
    pub fn last_offset(&self) -> Option<u64> {
        self.heard.last().map(|heard| heard.offset)
    }

    /// Listens until all is over.
    pub fn listens(
        &mut self,
        way: Way<'_>,
        people: &People,
        progress: &Progress,
        is_over: impl Fn(&Listener) -> bool,
    ) {
        let heard = &progress.of(self.trade).heard;
        loop {
            let mut link = self.connects(way, people);
            self.returns += usize::from(link.is_some());
            while let Some(connected) = &mut link {
                match connected.next(LOOK) {
                    Came::Text(text) => drop(heard.fetch_add(self.takes(&text), Ordering::SeqCst)),
                    Came::Nothing => {}
                    Came::End => link = None,
                }
                if is_over(self) {
                    return;
                }
            }
            if is_over(self) {
                return;
            }
            thread::park_timeout(RETRY_PAUSE);
        }
    }

    fn connects(&mut self, way: Way<'_>, people: &People) -> Option<Link> {
        let token = (self.trade.listener)(people);
        match self.dialect {
            Dialect::Plain => {
                let path = (self.trade.path)(people);
                let sign = if path.contains('?') { '&' } else { '?' };
                let since = self.cursor.as_deref().unwrap_or("now");
                let path = format!("{path}{sign}since={since}");
                let mut link = Link::plain(way, &path, token)?;
                self.is_greeted(&mut link).then_some(link)
            }
            Dialect::SocketIo => self.recovers(way, people, token),
        }
    }

    /// Reads the first message: where it goes on.
    fn is_greeted(&mut self, link: &mut Link) -> bool {
        let Came::Text(text) = link.next(PATIENCE) else { return false };
        let greeting: Value = serde_json::from_str(&text).expect("messages are JSON");
        if greeting["type"] == "error"
            && greeting["error"].as_str().is_some_and(|e| e.contains("again"))
        {
            return false;
        }
        assert_eq!(greeting["type"], "resumed", "{self}: {greeting}");
        if self.cursor.is_none() {
            self.cursor = greeting["cursor"].as_str().map(str::to_owned);
        }
        true
    }

    fn recovers(&mut self, way: Way<'_>, people: &People, token: &str) -> Option<Link> {
        let Trade { namespace, topics, entries, .. } = self.trade;
        let mut auth = json!({ "token": token, "recover": true });
        if !topics.is_empty() {
            auth["topics"] = json!(topics);
        }
        if let Some(pid) = &self.pid {
            auth["pid"] = pid.as_str().into();
            if let Some(cursor) = &self.cursor {
                auth["offset"] = cursor.as_str().into();
            }
        }
        let place = if *namespace == "/" { String::new() } else { format!("{namespace},") };
        let (mut link, answer) = Link::socket_io(way, &format!("{place}{auth}"))?;
        let Some(answer) = answer.strip_prefix(&format!("40{place}")) else {
            assert!(answer.starts_with("44") || answer.starts_with("41"), "{self}: {answer}");
            return None;
        };
        let answer: Value = serde_json::from_str(answer).expect("packets have JSON");
        let pid = answer["pid"].as_str().map(str::to_owned);
        if self.pid.is_some() {
            assert_eq!(pid, self.pid, "{self}: not recovered");
            return Some(link);
        }
        // The first time it enters what has to be entered; that is remembered for it.
        for (id, (call, argument)) in (0..).zip(entries(people)) {
            link.send(&format!("2{place}{id}{}", json!([call, argument])));
            let acknowledgement = format!("3{place}{id}[");
            loop {
                match link.next(PATIENCE) {
                    Came::Text(text) if text.starts_with(&acknowledgement) => {
                        assert!(text.contains(r#""success":true"#), "{self}: {text}");
                        break;
                    }
                    Came::Text(_) => {}
                    Came::Nothing | Came::End => return None,
                }
            }
        }
        self.pid = pid;
        Some(link)
    }

    /// Takes in what was told; says how many events that count it is.
    fn takes(&mut self, text: &str) -> usize {
        let Some((place, name, payload)) = link::event(self.dialect, self.trade.namespace, text)
        else {
            return 0;
        };
        let offset = place.rsplit('.').next().and_then(|offset| offset.parse().ok());
        let offset: u64 = offset.unwrap_or_else(|| panic!("{self}: no place in {text}"));
        self.cursor = Some(place);
        if !self.trade.events.contains(&&*name) {
            return 0;
        }
        if let Some(last) = self.heard.last() {
            assert!(offset > last.offset, "{self}: {text} after {last:?}");
        }
        let counted = self.trade.counted.iter().any(|(_, event)| *event == name);
        let mark = match counted {
            true => {
                let before = self.heard.iter().filter(|heard| heard.name == name).count();
                Some(format!("{name} {}", before + 1))
            }
            false => (self.trade.heard)(&name, &payload),
        };
        if let Some(mark) = mark {
            assert!(self.marks.insert(mark), "{self}: told twice: {text}");
        }
        self.heard.push(Heard { offset, name, payload });
        1
    }
}
