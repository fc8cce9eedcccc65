//! All five services in use at once, by people outside of the server, and what they know of it: for tests in which
//! something fails beneath them.
//!
//! A *trade* is what one service is used for: a writer asks, one request after another, and two listeners hear, one by
//! a plain WebSocket, the other by Socket.IO. Whatever happens to a connection, a writer sends what was not answered
//! again, with the same key and perhaps in the other dialect, and a listener comes back with its place. In the end
//! everything fits together, or the test fails.
//!
//! | module | what is in it |
//! |---|---|
//! | `trades` | what is asked of each service, and by what it is known when it is heard |
//! | `link` | a connection that may end at any time, in either dialect |
//! | `writer` | who writes, until it is answered |
//! | `listener` | who hears, over all of its connections |
//! | `audit` | what was acknowledged, heard and is there, compared |

mod audit;
mod link;
mod listener;
mod trades;
mod writer;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustls::ClientConfig;
use serde_json::json;

use self::{
    link::{Dialect, Way},
    listener::Listener,
    trades::{People, TRADES, Trade},
    writer::Writer,
};
use crate::{
    harness::{Bell, until},
    process::operate,
};

/// How long anything in a town may take that is bound to come: what fails beneath it may last for a while.
const TOWN_DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at what others have achieved.
const LOOK: Duration = Duration::from_millis(5);

/// All five services at work: for each trade a writer and two listeners.
pub struct Town {
    people: People,
    tls: Option<Arc<ClientConfig>>,
    writers: Vec<Writer>,
    listeners: Vec<Listener>,
    progress: Progress,
}

/// What was achieved so far, read while everybody works.
#[derive(Clone)]
pub struct Progress {
    counts: Arc<Vec<Counts>>,
    /// Somebody found something wrong.
    is_broken: Arc<AtomicBool>,
}

/// The counts of one trade.
#[derive(Default)]
struct Counts {
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    heard: AtomicUsize,
}

impl Progress {
    fn of(&self, trade: &Trade) -> &Counts {
        let at = TRADES.iter().position(|known| known.name == trade.name);
        &self.counts[at.expect("it is one of the table")]
    }

    /// Waits until every writer got so many further acknowledgements.
    #[track_caller]
    pub fn acknowledged(&self, more: usize) {
        let read = || self.counts.iter().map(|counts| counts.acknowledged.load(Ordering::SeqCst));
        let wanted: Vec<usize> = read().map(|count| count + more).collect();
        let began = Instant::now();
        while read().zip(&wanted).any(|(count, wanted)| count < *wanted) {
            let names = TRADES.iter().map(|trade| trade.name);
            assert!(
                began.elapsed() < TOWN_DEADLINE && !self.is_broken.load(Ordering::SeqCst),
                "not acknowledged in {:?}: {:?}",
                began.elapsed(),
                names.zip(read().zip(&wanted)).collect::<Vec<_>>()
            );
            thread::park_timeout(LOOK);
        }
    }

    /// Refusals so far, with which a writer of this service was told to come back later.
    pub fn refused(&self, service: &str) -> usize {
        let trade = TRADES.iter().find(|trade| trade.name == service).expect("such a service");
        self.of(trade).refused.load(Ordering::SeqCst)
    }

    /// Events that all listeners have heard so far.
    pub fn heard(&self) -> usize {
        self.counts.iter().map(|counts| counts.heard.load(Ordering::SeqCst)).sum()
    }
}

/// Tells what went on in a thread that ends because something is wrong.
struct Alarm<'a>(&'a Progress);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.is_broken.store(true, Ordering::SeqCst);
        }
    }
}

impl Town {
    /// Makes what is needed at a server that runs on this data directory, and gives each listener its first place.
    pub fn found(data: &Path, address: SocketAddr) -> Town {
        Town::found_over(data, address, None)
    }

    /// The same over TLS, of which the address is.
    pub fn found_over(data: &Path, address: SocketAddr, tls: Option<Arc<ClientConfig>>) -> Town {
        let people = settle_in(data);
        let way = Way { address, tls: tls.as_ref() };
        for (path, body) in TRADES.iter().flat_map(|trade| (trade.makes)()) {
            way.ask("POST", path).bearer(&people.admin).json(&body).expect(201);
        }
        let counts = TRADES.iter().map(|_| Counts::default()).collect();
        let progress = Progress { counts: Arc::new(counts), is_broken: Arc::default() };
        let writers = TRADES.iter().enumerate().map(|(at, trade)| Writer::new(trade, at)).collect();
        let listener = |trade: &'static Trade, dialect| Listener::new(trade, dialect);
        let listeners = TRADES
            .iter()
            .flat_map(|trade| Dialect::BOTH.map(|dialect| listener(trade, dialect)))
            .collect();
        let mut town = Town { people, tls, writers, listeners, progress };
        let Town { people, tls, listeners, .. } = &mut town;
        let way = Way { address, tls: tls.as_ref() };
        for listener in listeners {
            until(&format!("{listener} gets a place"), || listener.takes_a_place(way, people));
        }
        town
    }

    /// The token of an admin, of whoever needs one.
    pub fn admin(&self) -> &str {
        &self.people.admin
    }

    /// Everybody works at this address, the server's or that of what stands before it, until `during` returns.
    pub fn works<R>(&mut self, address: SocketAddr, during: impl FnOnce(&Progress) -> R) -> R {
        let Town { people, tls, writers, listeners, progress } = self;
        let way = Way { address, tls: tls.as_ref() };
        let (people, progress) = (&*people, &*progress);
        let is_over = AtomicBool::new(false);
        let is_over = &is_over;
        thread::scope(|scope| {
            for writer in writers {
                scope.spawn(move || {
                    let _alarm = Alarm(progress);
                    writer.works(way, people, progress, || is_over.load(Ordering::SeqCst));
                });
            }
            for listener in listeners {
                scope.spawn(move || {
                    let _alarm = Alarm(progress);
                    let is_over = |_: &Listener| is_over.load(Ordering::SeqCst);
                    listener.listens(way, people, progress, is_over);
                });
            }
            let _bell = Bell(is_over);
            during(progress)
        })
    }

    /// Sends again what was never answered until it is, lets every listener hear the rest, and compares. At this address
    /// nothing fails any more.
    pub fn settles(&mut self, address: SocketAddr) {
        let Town { people, tls, writers, listeners, progress } = self;
        let way = Way { address, tls: tls.as_ref() };
        let (people, progress) = (&*people, &*progress);
        // Then once more, but for those who cause what others are told: who has heard of that last request has heard
        // what followed from all before.
        for more in [0, 1] {
            let is_last = |writer: &&mut Writer| more == 0 || writer.trade.counted.is_empty();
            thread::scope(|scope| {
                for writer in writers.iter_mut().filter(is_last) {
                    scope.spawn(move || writer.ends(way, people, progress, more));
                }
            });
        }
        let hears = |listener: &mut Listener, is_all: &(dyn Fn(&Listener) -> bool + Sync)| {
            let began = Instant::now();
            listener.listens(way, people, progress, |listener| {
                assert!(began.elapsed() < TOWN_DEADLINE, "{listener} is not told of all");
                is_all(listener)
            });
        };
        let writers = &*writers;
        thread::scope(|scope| {
            for listener in listeners.iter_mut() {
                let writer = writers.iter().find(|writer| writer.trade.name == listener.trade.name);
                let marks: BTreeSet<&str> = writer.expect("a trade has a writer").marks().collect();
                scope.spawn(move || hears(listener, &|listener| listener.has_heard(&marks)));
            }
        });
        // One of two may have stopped between the events of the last request.
        for pair in listeners.chunks_mut(Dialect::BOTH.len()) {
            let last = pair.iter().filter_map(Listener::last_offset).max();
            for listener in pair.iter_mut().filter(|listener| listener.last_offset() < last) {
                hears(listener, &|listener| listener.last_offset() >= last);
            }
        }
        audit::compare(way, people, writers, listeners);
    }
}

/// Makes the users, their tokens, and what they use.
fn settle_in(data: &Path) -> People {
    let text = |value: &serde_json::Value, key: &str| {
        value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}")).to_owned()
    };
    let user = |name: &str| {
        let user = json!({ "username": name, "email": format!("{name}@example.com") });
        text(&operate("users.create", user, data), "userId")
    };
    let token = |role: &str, subject: Option<&str>, scopes: &[&str]| {
        let request = json!({ "role": role, "subject": subject, "scopes": scopes, "ttl": 86_400 });
        text(&operate("tokens.create", request, data), "token")
    };
    let (booker, writer, reader) = (user("booker"), user("writer"), user("reader"));
    People {
        admin: token("admin", None, &[]),
        booker_token: token("user", Some(&booker), &["stations:staff"]),
        writer_token: token("user", Some(&writer), &[]),
        reader_token: token("user", Some(&reader), &[]),
        room: format!("{writer}:{reader}"),
        booker,
        reader,
    }
}
