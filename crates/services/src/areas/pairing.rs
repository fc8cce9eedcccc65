//! How a screen without a keyboard gets a token: it shows a code, an admin approves it elsewhere. The shape is
//! RFC 8628's.
//!
//! - The screen's secret, its device code, is kept as a digest. So nobody who reads the database can fetch
//!   the token.
//! - A token is signed at the moment when it is told: over a waiting connection, or to who asks with the
//!   device code, for a minute or until it is first used. Its text is never kept.
//! - Who guesses codes of screens is refused after five that no screen has shown.

use bellwire_store::tx::{Row, Value};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    clients,
    contract::{
        Approve, Client, ClientId, Deny, List, Paired, Pairing, PollPairing, StartPairing, Started,
        TokenUsed, UserCode,
    },
    dialect,
    news::News,
    read, rights, sql,
};
use crate::{
    identity,
    kit::{
        Claims, Code, Ctx, Effect, Fault, Micros, Outcome, Page, Principal, ReadTx, Signed, Tx,
        Verdict, Words, timestamp_ms,
    },
};

/// How long a screen waits, in seconds.
pub const EXPIRES_S: i64 = 600;
/// The pause between two questions, in seconds.
pub const INTERVAL_S: i64 = 5;
/// How much sooner than that a question may come: networks are not even.
const EARLY_MICROS: Micros = 500_000;
/// How long a token can be fetched, in microseconds after the approval.
const FETCHED_MICROS: Micros = 60 * 1_000_000;
/// How many screens wait at once.
pub const WAITING_MAX: i64 = 10_000;
/// Wrong codes of one caller, and the time in which they are counted, in microseconds.
pub const MISSES_MAX: i64 = 5;
/// See [`MISSES_MAX`].
const MISSES_MICROS: Micros = EXPIRES_S * 1_000_000;

/// A screen that asked to be paired.
struct Asked {
    id: i64,
    user_code: UserCode,
    name: String,
    client_id: Option<ClientId>,
    status: Status,
    created_at: Micros,
    expires_at: Micros,
    asked_at: Option<Micros>,
    decided_at: Option<Micros>,
    token_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Status {
    Pending,
    Approved,
    Denied,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Approved => "approved",
            Status::Denied => "denied",
        }
    }
}

/// A screen waits to be paired, or was approved or denied.
#[derive(Serialize, JsonSchema)]
pub(super) struct PairingChanged {
    #[serde(flatten)]
    pairing: Pairing,
    /// What became of it.
    status: Status,
}

impl Asked {
    fn of(row: &Row<'_>) -> Asked {
        Asked {
            id: row.integer(0),
            user_code: UserCode(row.text(1)),
            name: row.text(2),
            client_id: row.optional_integer(3).map(ClientId),
            status: match row.text_ref(4) {
                "approved" => Status::Approved,
                "denied" => Status::Denied,
                _ => Status::Pending,
            },
            created_at: row.integer(5),
            expires_at: row.integer(6),
            asked_at: row.optional_integer(7),
            decided_at: row.optional_integer(8),
            token_id: row.optional_text(9),
        }
    }

    fn shown(&self) -> Pairing {
        Pairing {
            user_code: self.user_code.shown(),
            name: self.name.clone(),
            client_id: self.client_id,
            created_at: timestamp_ms(self.created_at),
            expires_at: timestamp_ms(self.expires_at),
        }
    }

    fn waits(&self, now: Micros) -> bool {
        self.status == Status::Pending && self.decided_at.is_none() && self.expires_at > now
    }

    fn principal(&self) -> Principal {
        Principal::pairing(self.id, self.expires_at)
    }

    /// Tells admins what became of it.
    fn tell(&self, status: Status, news: &mut News) {
        let payload = PairingChanged { pairing: self.shown(), status };
        news.for_admins("pairing_changed", self.user_code.shown(), &payload);
    }
}

/// What is kept of a device code, and compared.
pub fn digest(device_code: &str) -> String {
    Sha256::digest(device_code).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `pairing.start`. A paired client that asks stays the same client.
pub fn start(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &StartPairing,
) -> Result<Outcome<Started>, Fault> {
    let now = Value::Integer(ctx.now);
    if tx.one(sql::WAITING_LEN, &[now], |row| row.integer(0))?.unwrap_or(0) >= WAITING_MAX {
        let why = "too many screens wait to be paired; try again later";
        return Err(Fault::new(Code::Overloaded, why));
    }
    let client_id = rights::caller(ctx.principal);
    let device_code = ctx.ids.text();
    let asked = Asked {
        id: tx.next_id("pairings")?,
        user_code: free_code(tx, ctx)?,
        name: cmd.name.as_str().to_owned(),
        client_id,
        status: Status::Pending,
        created_at: ctx.now,
        expires_at: ctx.now + EXPIRES_S * 1_000_000,
        asked_at: None,
        decided_at: None,
        token_id: None,
    };
    let row = [
        Value::Integer(asked.id),
        Value::Text(&digest(&device_code)),
        Value::Text(&asked.user_code.0),
        Value::Text(&asked.name),
        client_id.map_or(Value::Null, ClientId::value),
        Value::Integer(asked.created_at),
        Value::Integer(asked.expires_at),
    ];
    tx.execute(sql::INSERT_PAIRING, &row)?;
    let mut news = News::default();
    asked.tell(Status::Pending, &mut news);
    Ok(news.with(Started {
        device_code,
        user_code: asked.user_code.shown(),
        verification_uri: format!("{}/pair", ctx.origin),
        expires_in: EXPIRES_S,
        interval: INTERVAL_S,
    }))
}

/// A code that no screen shows.
fn free_code(tx: &Tx<'_>, ctx: &Ctx<'_>) -> Result<UserCode, Fault> {
    loop {
        let mut chance = u128::from_be_bytes(ctx.ids.bytes());
        let letters = (0..UserCode::LEN).map(|_| {
            let letters = UserCode::LETTERS.len() as u128;
            let letter = UserCode::LETTERS[(chance % letters) as usize];
            chance /= letters;
            char::from(letter)
        });
        let code = UserCode(letters.collect());
        if tx.one(sql::BY_USER_CODE, &[Value::Text(&code.0)], |_| ())?.is_none() {
            return Ok(code);
        }
    }
}

fn unknown() -> Fault {
    Fault::new(Code::ExpiredToken, "the code is not known, or its time is over: begin anew")
}

fn denied() -> Fault {
    Fault::new(Code::AccessDenied, "an admin denied the pairing")
}

/// `pairing.token`: the token, or why there is none.
pub fn poll(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &PollPairing,
) -> Result<Outcome<Verdict<Signed<Paired>>>, Fault> {
    let code = digest(&cmd.device_code);
    let asked = tx.one(sql::BY_DEVICE_CODE, &[Value::Text(&code)], Asked::of)?;
    let asked = asked.ok_or_else(unknown)?;
    match asked.status {
        Status::Denied => Err(denied()),
        Status::Approved => {
            let paired = handed(tx, ctx.now, &asked)?.ok_or_else(unknown)?;
            Ok(Outcome::reply(Verdict::Granted(paired)))
        }
        Status::Pending if !asked.waits(ctx.now) => Err(unknown()),
        Status::Pending => {
            let soonest = INTERVAL_S * 1_000_000 - EARLY_MICROS;
            if asked.asked_at.is_some_and(|at| (0..soonest).contains(&(ctx.now - at))) {
                let why = format!("ask every {INTERVAL_S} seconds");
                return Err(Fault::new(Code::SlowDown, why));
            }
            tx.execute(sql::ASKED, &[Value::Integer(asked.id), Value::Integer(ctx.now)])?;
            let pending = Fault::new(Code::AuthorizationPending, "no admin has decided yet");
            Ok(Outcome::reply(Verdict::Refused(pending)))
        }
    }
}

/// The token of an approved pairing, as long as it can be fetched.
fn handed(tx: &ReadTx<'_>, now: Micros, asked: &Asked) -> Result<Option<Signed<Paired>>, Fault> {
    let (Some(token), Some(client_id)) = (&asked.token_id, asked.client_id) else {
        return Ok(None);
    };
    if asked.decided_at.is_none_or(|at| now - at >= FETCHED_MICROS) {
        return Ok(None);
    }
    let Some(claims) = identity::unused_claims(tx, token, now)? else { return Ok(None) };
    Ok(Some(Signed { reply: paired(tx, client_id)?, claims }))
}

fn paired(tx: &ReadTx<'_>, client_id: ClientId) -> Result<Paired, Fault> {
    Ok(Paired { client_id, assigned_areas: rights::assigned(tx, client_id)? })
}

/// A screen that comes with its device code.
#[derive(Debug)]
pub enum Waiting {
    /// It waits, as this principal.
    For(Principal),
    /// It was approved meanwhile: it is told this, with a token signed into it.
    Handed(Principal, Words, Claims),
}

/// Who comes with the device code of this [`digest`].
///
/// # Errors
/// [`Code::AccessDenied`], [`Code::ExpiredToken`]; the store's.
pub fn waiting(tx: &ReadTx<'_>, code: &str, now: Micros) -> Result<Waiting, Fault> {
    let asked = tx.one(sql::BY_DEVICE_CODE, &[Value::Text(code)], Asked::of)?;
    let asked = asked.ok_or_else(unknown)?;
    match asked.status {
        Status::Denied => Err(denied()),
        Status::Pending if asked.waits(now) => Ok(Waiting::For(asked.principal())),
        Status::Pending => Err(unknown()),
        Status::Approved => {
            let Signed { reply, claims } = handed(tx, now, &asked)?.ok_or_else(unknown)?;
            Ok(Waiting::Handed(asked.principal(), completed(&reply), claims))
        }
    }
}

/// What a waiting screen is told when its time is over.
pub fn expired(now: Micros) -> crate::kit::Said {
    dialect::refusal("", &unknown(), now)
}

fn completed(paired: &Paired) -> Words {
    let payload = serde_json::to_string(paired).expect("texts serialise");
    Words { event: "pairing_completed".to_owned(), payload }
}

/// `pairing.list`: those that wait.
pub fn list(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &List) -> Result<Page<Pairing>, Fault> {
    let len = query.paging.page_len()?;
    let after = query.paging.after()?.unwrap_or(0);
    let place = [Value::Integer(ctx.now), Value::Integer(after), Value::Integer(len as i64 + 1)];
    let rows = tx.all(sql::WAITING, &place, Asked::of)?;
    let page = Page::of(rows, len, |asked| asked.id.to_string());
    Ok(Page { items: page.items.iter().map(Asked::shown).collect(), next: page.next })
}

/// The screen that waits and shows a code, or why there is none. A code that no screen has shown counts as a guess;
/// one that was decided or is over does not.
fn find(tx: &mut Tx<'_>, ctx: &Ctx<'_>, code: &UserCode) -> Result<Verdict<Asked>, Fault> {
    let caller = Value::Text(&ctx.principal.id);
    let counted = tx.one(sql::MISSES, &[caller], |row| (row.integer(0), row.integer(1)))?;
    let (misses, since) = counted
        .filter(|(_, since)| (0..MISSES_MICROS).contains(&(ctx.now - since)))
        .unwrap_or((0, ctx.now));
    if misses >= MISSES_MAX {
        let why = "too many wrong codes; try again in ten minutes";
        return Err(Fault::new(Code::RateLimited, why));
    }
    match tx.one(sql::BY_USER_CODE, &[Value::Text(&code.0)], Asked::of)? {
        Some(asked) if asked.waits(ctx.now) => return Ok(Verdict::Granted(asked)),
        Some(_) => {}
        None => {
            let row = [caller, Value::Integer(misses + 1), Value::Integer(since)];
            tx.execute(sql::MISSED, &row)?;
        }
    }
    Ok(Verdict::Refused(Fault::new(Code::NotFound, "no screen that waits shows this code")))
}

/// `pairing.approve`: the screen is a client from now on, and is given its token.
pub fn approve(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &Approve,
) -> Result<Outcome<Verdict<Client>>, Fault> {
    let asked = match find(tx, ctx, &cmd.user_code)? {
        Verdict::Granted(asked) => asked,
        Verdict::Refused(refusal) => return Ok(Outcome::reply(Verdict::Refused(refusal))),
    };
    let id = client_of(tx, ctx, &asked, cmd.name.as_ref().map(|name| name.as_str()))?;
    let mut news = News::default();
    if let Some(area_ids) = &cmd.area_ids {
        clients::set_areas(tx, ctx, id, area_ids, &mut news)?;
    }
    let (token, claims) = identity::issue_to_client(tx, ctx, &id.to_string())?;
    decide(tx, ctx, &asked, Status::Approved, Some((id, &token)))?;
    let words = completed(&paired(tx, id)?);
    let claims = serde_json::to_string(&claims).expect("texts and numbers serialise");
    let mut told = vec![asked.principal().id];
    if asked.client_id.is_some() {
        told.push(Principal::client(&id.to_string()));
    }
    for principal in told {
        news.effect(Effect::Hand { principal, words: words.clone(), claims: claims.clone() });
    }
    let client = read::client(tx, id)?;
    news.of_client(&client);
    Asked { client_id: Some(id), ..asked }.tell(Status::Approved, &mut news);
    Ok(news.with(Verdict::Granted(client)))
}

/// The client that a screen is, by this name if there is one: a new client, or the one as which it asked.
fn client_of(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    asked: &Asked,
    name: Option<&str>,
) -> Result<ClientId, Fault> {
    let Some(id) = asked.client_id else {
        return clients::insert(tx, ctx.now, name.unwrap_or(&asked.name));
    };
    let conflict = |why| Fault::new(Code::Conflict, why);
    let client = read::client(tx, id).map_err(|fault| match fault.code {
        Code::NotFound => conflict("conflict: the client was deleted meanwhile"),
        _ => fault,
    })?;
    if client.revoked {
        return Err(conflict("conflict: the client was revoked meanwhile"));
    }
    name.map(|name| clients::rename(tx, id, name)).transpose()?;
    Ok(id)
}

fn decide(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    asked: &Asked,
    status: Status,
    made: Option<(ClientId, &str)>,
) -> Result<(), Fault> {
    let client_id = made.map(|(id, _)| id).or(asked.client_id);
    let row = [
        Value::Integer(asked.id),
        Value::Text(status.name()),
        Value::Integer(ctx.now),
        client_id.map_or(Value::Null, ClientId::value),
        made.map_or(Value::Null, |(_, token)| Value::Text(token)),
    ];
    tx.execute(sql::DECIDED, &row).map(drop)
}

/// `pairing.deny`.
pub fn deny(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &Deny) -> Result<Outcome<Verdict<()>>, Fault> {
    let asked = match find(tx, ctx, &cmd.user_code)? {
        Verdict::Granted(asked) => asked,
        Verdict::Refused(refusal) => return Ok(Outcome::reply(Verdict::Refused(refusal))),
    };
    decide(tx, ctx, &asked, Status::Denied, None)?;
    let mut news = News::default();
    let said = dialect::refusal("", &denied(), ctx.now);
    let last = Some(Words { event: said.event, payload: said.payload });
    news.effect(Effect::Revoke { principal: asked.principal().id, last });
    asked.tell(Status::Denied, &mut news);
    Ok(news.with(Verdict::Granted(())))
}

/// `pairing.token_used`: a token that came by pairing was shown for the first time. It cannot be fetched any
/// more, and those that its client had before end.
pub fn token_used(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &TokenUsed) -> Result<Outcome<()>, Fault> {
    match identity::first_use(tx, &cmd.token)? {
        Some(client_id) => identity::end_older_tokens(tx, ctx, &client_id, &cmd.token),
        None => Ok(Outcome::reply(())),
    }
}
