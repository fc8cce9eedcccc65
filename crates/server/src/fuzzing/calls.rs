//! Every call of every service, made by all kinds of callers.

use std::sync::{
    Arc, LazyLock, OnceLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use bellwire_services::kit::{Answer, Code, Fault, Outcome, Payload, Place, Principal, Role, Tx};
use bellwire_store::batch::Run;
use bellwire_wire::{
    json::{self, Malformed},
    plain,
};

use super::house::{CANARY, House};

/// The most calls of an input.
const CALLS_MAX: usize = 8;
/// The most bytes of a refusal's words.
const WORDS_LEN_MAX: usize = 600;
/// The longest piece of what was sent that may stand in them: the longest name of an entity, and its field.
const REPEATED_LEN_MAX: usize = 280;

pub(super) static HOUSE: LazyLock<House> = LazyLock::new(|| House::new("calls"));

/// The calls that were granted so far.
#[cfg(test)]
pub(super) static GRANTED: std::sync::Mutex<std::collections::BTreeSet<String>> =
    std::sync::Mutex::new(std::collections::BTreeSet::new());

/// Calls, one a line: who makes it, its name, and its fields as JSON. `device@device board.call {}` says that it came
/// from the stream of a device. `$user_code` and `$device_code` stand for those of a screen that waits to be paired.
///
/// - No call panics, fails by a fault of ours, or changes anything when it is refused.
/// - A refusal is short, and does not repeat what was sent.
/// - A reply is JSON; a retry with the same key has the same.
/// - What is somebody's alone is in no reply to others.
pub fn calls(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let text = text.replace("$user_code", &HOUSE.user_code);
    let text = text.replace("$device_code", &HOUSE.device_code);
    let script: Vec<Line> = text.lines().take(CALLS_MAX).filter_map(Line::read).collect();
    if script.is_empty() {
        return;
    }
    let is_secret = Arc::new(AtomicBool::new(true));
    let mut runs: Vec<Run<Answer>> = Vec::new();
    for line in script {
        let line = Arc::new(line);
        let first = Arc::new(OnceLock::new());
        let retries = line.retries();
        runs.push(line.clone().first(is_secret.clone(), first.clone()));
        if retries {
            runs.push(line.retry(first));
        }
    }
    HOUSE.rehearse(runs);
}

/// One call.
struct Line {
    who: String,
    principal: Arc<Principal>,
    place: Option<Place>,
    name: String,
    /// The fields, as they came.
    json: String,
}

impl Line {
    fn read(line: &str) -> Option<Line> {
        let (caller, call) = line.split_once(' ')?;
        let (name, json) = call.split_once(' ').unwrap_or((call, ""));
        if name.len() > plain::NAME_LEN_MAX {
            return None;
        }
        let (who, stream) = caller.split_once('@').unwrap_or((caller, ""));
        let place =
            HOUSE.door.tables.streams.iter().find(|it| it.path.split('/').nth(2) == Some(stream));
        let place = place
            .map(|stream| Place { path: stream.path, id: stream.path.contains('{').then_some(1) });
        Some(Line {
            who: who.to_owned(),
            principal: HOUSE.bearer(who),
            place,
            name: name.to_owned(),
            json: json.to_owned(),
        })
    }

    /// The fields, or the refusal of what is none, as over HTTP: there an `id` is a field like others.
    fn payload(&self) -> Result<Payload, Fault> {
        json::object(&self.json).map_err(|malformed| match malformed {
            Malformed::Syntax(words) => Fault::new(Code::Invalid, words),
            Malformed::Number { field, .. } => HOUSE.door.tables.unheld(&self.name, &field),
        })
    }

    /// Reads the request, and makes the decision.
    fn run(&self, tx: &mut Tx<'_>) -> Result<Outcome<Answer>, Fault> {
        let payload = self.payload()?;
        HOUSE.door.rehearse(&self.name, payload, self.principal.clone(), self.place)?(tx)
    }

    /// The call, which keeps its reply; `is_secret` tells that nobody has given rights yet.
    fn first(
        self: Arc<Self>,
        is_secret: Arc<AtomicBool>,
        reply: Arc<OnceLock<String>>,
    ) -> Run<Answer> {
        Box::new(move |tx: &mut Tx<'_>| {
            let result = self.run(tx);
            match &result {
                Ok(Outcome { reply: Answer { refusal: Some(fault), .. }, .. }) | Err(fault) => {
                    self.refused(fault);
                }
                Ok(outcome) => {
                    self.check(outcome, is_secret.load(Relaxed));
                    // Who may give rights may have given some.
                    if matches!(self.principal.role, Role::Admin | Role::System) {
                        is_secret.store(false, Relaxed);
                    }
                    #[cfg(test)]
                    GRANTED.lock().expect("no run has failed").insert(self.name.clone());
                    let _ = reply.set(outcome.reply.json.get().to_owned());
                }
            }
            result
        })
    }

    /// Whether a repeat is answered as the first was.
    fn retries(&self) -> bool {
        let has_key = self.payload().is_ok_and(|payload| payload.contains_key("idempotency_key"));
        has_key && HOUSE.door.keeps_answers(&self.name)
    }

    /// A repeat with the same key is answered as the first was, unless that was the last that its caller could do.
    fn retry(self: Arc<Self>, first: Arc<OnceLock<String>>) -> Run<Answer> {
        Box::new(move |tx: &mut Tx<'_>| {
            let result = self.run(tx);
            match (first.get(), &result) {
                (Some(first), Ok(again)) => assert_eq!(again.reply.json.get(), first, "{self}"),
                (Some(_), Err(fault)) => assert_eq!(fault.code, Code::Unauthenticated, "{self}"),
                (None, _) => {}
            }
            result
        })
    }

    fn refused(&self, fault: &Fault) {
        assert!(
            !matches!(fault.code, Code::Internal | Code::Timeout | Code::Full),
            "{self}: {fault}"
        );
        let words = fault.message.as_bytes();
        assert!(words.len() <= WORDS_LEN_MAX, "{self}: {fault}");
        let is_repeated = words
            .windows(REPEATED_LEN_MAX)
            .any(|piece| self.json.as_bytes().windows(REPEATED_LEN_MAX).any(|sent| sent == piece));
        assert!(!is_repeated, "{self}: {fault}");
        self.check_secrets(&fault.message);
    }

    fn check(&self, outcome: &Outcome<Answer>, is_secret: bool) {
        let reply = outcome.reply.json.get();
        assert!(!reply.contains("$argon2"), "{self}: a password's hash is told: {reply}");
        if is_secret {
            self.check_secrets(reply);
        }
        if let Some(claims) = &outcome.reply.sign {
            assert!(reply.starts_with('{'), "{self}: nothing to put a token into: {reply}");
            assert!(claims.exp > claims.iat, "{self}: {claims:?}");
        }
    }

    /// What is told to somebody has no secret of others, unless they sent it.
    fn check_secrets(&self, told: &str) {
        if matches!(self.principal.role, Role::Admin | Role::System) {
            return;
        }
        for (place, _) in told.match_indices(CANARY) {
            let word = &told[place..];
            let len = word.bytes().skip(CANARY.len()).take_while(u8::is_ascii_lowercase).count();
            let word = &word[..CANARY.len() + len];
            // Users read all home states.
            let is_known = word == "canary-state" && matches!(&*self.who, "user" | "staff");
            assert!(is_known || self.json.contains(CANARY), "{self}: {word} is told in {told}");
        }
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.who, self.name, self.json)
    }
}
