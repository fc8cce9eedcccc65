//! What needs a database but no server: time that is at will, and databases from before.

use bellwire_store::{
    change::Outcome,
    migrate::Migrations,
    sqlite::{Options, Write, Writer},
    tx::Statement,
};

use super::{
    contract::{CreateUser, Login, Nothing, UseTicket},
    *,
};
use crate::{
    acknowledgements::Reader,
    kit::{Code, Ctx, Effect, Ids, Principal, Role, Settings, Tx},
};

/// A database, and the time in it.
struct World {
    options: Options,
    _directory: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options::new(directory.path().join("test.db"), "e", 0);
        World { options, _directory: directory }
    }

    /// Opens it with so many of this service's steps.
    fn open(&self, steps: usize) -> Writer {
        let migrations = Migrations { service: "identity", steps: &MIGRATIONS[..steps] };
        let others = [crate::acknowledgements::service(), crate::notifications::service()];
        let others = others.map(|service| service.migrations);
        Writer::open(&self.options, &[&[migrations][..], &others].concat()).expect("it opens")
    }
}

/// Runs something in a transaction of its own.
fn run<T: Send + 'static>(
    writer: &mut Writer,
    mut run: impl FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let run = move |tx: &mut Tx<'_>| run(tx).map(Outcome::reply);
    let write = Write { at: 0, run: Box::new(run), to: () };
    let batch = writer.batch(vec![write]).expect("the disk is sound");
    let answer = batch.answers.into_iter().next().expect("one answer");
    answer.result.map(|committed| committed.into_parts().0)
}

fn ctx<'a>(now: Micros, principal: &'a Principal, settings: &'a Settings) -> Ctx<'a> {
    Ctx { now, principal, ids: Ids::new([7; 32]), settings, origin: "", place: None }
}

const SECOND: Micros = 1_000_000;

#[test]
fn a_ticket_is_good_for_thirty_seconds_and_once() {
    let world = World::new();
    let mut writer = world.open(MIGRATIONS.len());
    let now = 1_000 * SECOND + 500_000;
    let claims = run(&mut writer, move |tx| {
        let settings = Settings::default();
        let operator = Principal::operator();
        let request =
            CreateToken { role: Role::Client, subject: None, scopes: vec![], ttl_s: 3_600 };
        let token = tokens::create(tx, &ctx(now, &operator, &settings), &request)?.reply;
        let holder = principal(tx, &token.claims.jti, now)?;
        let signed = session::ticket(tx, &ctx(now, &holder, &settings), &Nothing {})?;
        assert_eq!(signed.reply.claims.sub, token.claims.jti);
        Ok(signed.reply.claims)
    })
    .expect("a ticket is made");
    assert!(claims.is_ticket());
    let end = claims.expires_at();
    assert!((now + 30 * SECOND..=now + 31 * SECOND).contains(&end), "{end}");
    let mut use_at = |at: Micros, jti: &str| {
        let used = UseTicket { jti: jti.to_owned(), exp: claims.exp };
        run(&mut writer, move |tx| {
            let (settings, system) = (Settings::default(), Principal::system());
            session::use_ticket(tx, &ctx(at, &system, &settings), &used).map(|_| ())
        })
        .map_err(|fault| fault.code)
    };
    assert_eq!(use_at(end, "late"), Err(Code::Unauthenticated));
    assert_eq!(use_at(end - 1, "in time"), Ok(()));
    for at in [now, end - 1, end, end + 3_600 * SECOND] {
        assert_eq!(use_at(at, "in time"), Err(Code::Unauthenticated), "a second time, at {at}");
    }
    // What was used is remembered for as long as it could be used again.
    let mut forgotten = |at: Micros| run(&mut writer, move |tx| forget(tx, at, 100));
    assert_eq!((forgotten(end), forgotten(end + 1), forgotten(end + 1)), (Ok(0), Ok(1), Ok(0)));
}

/// A token of the version without users: role, subject, when it was revoked, and who shows it now.
type Before = (&'static str, Option<&'static str>, Option<i64>, Option<&'static str>);

const BEFORE: &[Before] = &[
    ("admin", None, None, Some("tok_1")),
    ("user", None, None, Some("tok_2")),
    // Somebody's number, but nobody's token: there were no users.
    ("user", Some("1"), None, Some("tok_3")),
    ("client", Some("client_7"), None, Some("client/client_7")),
    ("device", Some("3"), None, Some("device/3")),
    ("user", Some("1"), Some(50), None),
];

#[test]
fn tokens_from_before_there_were_users_work_as_they_did() {
    let world = World::new();
    let mut writer = world.open(1);
    let insert = Statement(
        "INSERT INTO tokens (token_id, jti, role, subject, scopes, generation, created_at, expires_at, revoked_at)
         VALUES ($1, $2, $3, $4, $5, 3, 10, $6, $7)",
    );
    let end = 100 * SECOND;
    run(&mut writer, move |tx| {
        for (number, (role, subject, revoked_at, _)) in (1..).zip(BEFORE) {
            let (id, jti) = (format!("tok_{number}"), format!("jti {number}"));
            let row = [
                Value::Text(&id),
                Value::Text(&jti),
                Value::Text(role),
                subject.map_or(Value::Null, Value::Text),
                Value::Text(r#"["states:read:light.*"]"#),
                Value::Integer(end),
                revoked_at.map_or(Value::Null, Value::Integer),
            ];
            tx.execute(insert, &row)?;
        }
        Ok(())
    })
    .expect("they are there");
    drop(writer);
    let mut writer = world.open(MIGRATIONS.len());
    run(&mut writer, move |tx| {
        let login = Login::parse("jane").expect("a login");
        let jane: CreateUser = serde_json::from_str(r#"{"username":"jane"}"#).expect("a user");
        users::insert(tx, 10, UserId(1), &login, &jane, None)?;
        for (number, (role, subject, revoked_at, id)) in (1..).zip(BEFORE) {
            let jti = format!("jti {number}");
            let found = principal(tx, &jti, end - 1);
            let Some(id) = id else {
                assert!(revoked_at.is_some() && found.is_err(), "{found:?}");
                continue;
            };
            let found = found.expect("it is valid");
            assert_eq!((&*found.id, found.role.name(), found.follows), (*id, *role, false));
            assert_eq!(
                (found.token, found.subject.as_deref()),
                (format!("tok_{number}"), *subject)
            );
            assert_eq!((found.scopes.len(), found.generation), (1, 3));
            assert!(principal(tx, &jti, end).is_err(), "past its end");
            session_is_refused(tx, &jti)?;
        }
        // Their user is not, so nothing that becomes of a user is theirs.
        let (settings, operator) = (Settings::default(), Principal::operator());
        let all = users::delete(
            tx,
            &ctx(20, &operator, &settings),
            &contract::OneUser { user_id: UserId(1) },
        );
        all?;
        assert!(principal(tx, "jti 3", 20).is_ok());
        let listed = read::tokens(tx, &ctx(20, &operator, &settings), &ListTokens::default())?;
        assert!(listed.items.len() == BEFORE.len() && listed.items.iter().all(|t| !t.session));
        Ok(())
    })
    .expect("it is upgraded");
}

/// What is for sessions is not for them.
fn session_is_refused(tx: &mut Tx<'_>, jti: &str) -> Result<(), Fault> {
    let (settings, holder) = (Settings::default(), principal(tx, jti, 20)?);
    let ctx = ctx(20, &holder, &settings);
    let refused = session::refresh(tx, &ctx, &Nothing {}).expect_err("it is no session");
    assert_eq!(refused.code, Code::Forbidden);
    let change = contract::ChangePassword {
        password: "correct horse".to_owned(),
        new_password: NewPassword("another one".to_owned()),
    };
    let Err(refused) = session::look_at_own(tx, &ctx, &change) else { panic!("it is nobody's") };
    assert_eq!(refused.message, "this token speaks for no user");
    Ok(())
}

/// Nobody can have so many sessions that they cannot be ended at a stroke.
/// Who is a principal no more has acknowledged nothing.
#[test]
fn acknowledgements_go_with_who_made_them() {
    let world = World::new();
    let mut writer = world.open(MIGRATIONS.len());
    let readers = ["user/1", "tok_1", "user/2"].map(|id| Reader::new(id, "areas"));
    let all = readers.clone();
    run(&mut writer, move |tx| {
        let (settings, guest) = (Settings::default(), Principal::guest());
        let login = Login::parse("jane").expect("a login");
        let jane: CreateUser = serde_json::from_str(r#"{"username":"jane"}"#).expect("a user");
        users::insert(tx, 10, UserId(1), &login, &jane, None)?;
        let new = tokens::NewToken {
            role: Role::Admin,
            subject: None,
            scopes: &[],
            ttl_s: 1,
            user: None,
            follows: false,
            session: false,
        };
        tokens::insert(tx, &ctx(0, &guest, &settings), &new)?;
        all.iter().try_for_each(|reader| {
            acknowledgements::begin(tx, reader, 5)?;
            acknowledgements::acknowledge(tx, reader, &[7], 5)
        })
    })
    .expect("all is written");
    let known = |writer: &mut Writer| {
        let all = readers.clone();
        run(writer, move |tx| {
            let known = all.iter().map(|reader| Ok(acknowledgements::of(tx, reader)?.is_some()));
            known.collect::<Result<Vec<bool>, Fault>>()
        })
        .expect("it is read")
    };
    let end = SECOND + ENDED_KEPT_MICROS;
    assert_eq!(run(&mut writer, move |tx| forget(tx, end, 100)).ok(), Some(0));
    assert_eq!(known(&mut writer), [true; 3]);
    assert_eq!(run(&mut writer, move |tx| forget(tx, end + 1, 100)).ok(), Some(1));
    assert_eq!(known(&mut writer), [true, false, true]);
    run(&mut writer, |tx| {
        let (settings, guest) = (Settings::default(), Principal::guest());
        let jane = contract::OneUser { user_id: UserId(1) };
        users::delete(tx, &ctx(0, &guest, &settings), &jane).map(drop)
    })
    .expect("she is taken away");
    assert_eq!(known(&mut writer), [false, false, true]);
}

#[test]
fn the_oldest_of_a_thousand_sessions_makes_way() {
    let world = World::new();
    let mut writer = world.open(MIGRATIONS.len());
    run(&mut writer, |tx| {
        let login = Login::parse("jane").expect("a login");
        let jane: CreateUser = serde_json::from_str(r#"{"username":"jane"}"#).expect("a user");
        users::insert(tx, 10, UserId(1), &login, &jane, Some("no hash"))
    })
    .expect("she is there");
    let mut sign_in = |number: i64| {
        run(&mut writer, move |tx| {
            let (settings, guest) = (Settings::default(), Principal::guest());
            let seed = [number.to_be_bytes(); 4].concat().try_into().expect("32 bytes");
            let ctx = Ctx { ids: Ids::new(seed), ..ctx(number * SECOND, &guest, &settings) };
            let asked = contract::SignIn { username: String::new(), password: String::new() };
            let begun = session::login(tx, &ctx, &asked, &(UserId(1), 1))?;
            Ok((begun.reply.claims.jti, begun.effects))
        })
        .expect("she signs in")
    };
    let max = contract::SESSIONS_MAX;
    let begun: Vec<_> = (1..=max).map(&mut sign_in).collect();
    assert!(begun.iter().all(|(_, effects)| effects.is_empty()), "so many there may be");
    for number in 1..=3 {
        let (_, effects) = sign_in(max + number);
        let oldest = Effect::Revoke { principal: format!("tok_{number}"), last: None };
        assert_eq!(effects, [oldest]);
    }
    let mut is_live = |jti: String| {
        run(&mut writer, move |tx| principal(tx, &jti, max * SECOND).map(drop)).is_ok()
    };
    let live: Vec<bool> = begun[..5].iter().map(|(jti, _)| is_live(jti.clone())).collect();
    assert_eq!(live, [false, false, false, true, true]);
}
