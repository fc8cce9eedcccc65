//! What needs a database but no server: time that is at will, and databases from before.

use bellwire_store::{
    change::Outcome,
    migrate::Migrations,
    sqlite::{Options, Write, Writer},
    tx::Statement,
};

use super::{
    contract::{CreateUser, Login, NAME_CHARS_MAX, Nothing, UseTicket},
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
        // What a user has there goes with them.
        let others = [
            crate::acknowledgements::service(),
            crate::notifications::service(),
            crate::chat::service(),
            crate::stations::service(),
            crate::kit::due::service(),
        ];
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

/// Adds a person, and gives what others know of them.
fn add(tx: &mut Tx<'_>, id: i64, fields: &str) -> Result<User, Fault> {
    let login = Login::parse(&format!("login-{id}")).expect("a login");
    let user: CreateUser = serde_json::from_str(fields).expect("a user");
    users::insert(tx, 10, UserId(id), &login, &user, None)?;
    read::user(tx, UserId(id))?.ok_or_else(read::no_user)
}

#[test]
fn a_guest_ends_with_the_user_they_speak_for() {
    let world = World::new();
    let mut writer = world.open(MIGRATIONS.len());
    run(&mut writer, |tx| {
        let (settings, operator) = (Settings::default(), Principal::operator());
        let ctx = ctx(20, &operator, &settings);
        let ended = |tx: &Tx<'_>, guest: &Principal| {
            check(tx, guest, 20).map_err(|fault| fault.code) == Err(Code::Unauthenticated)
        };
        let change = |tx: &mut Tx<'_>, fields: &str| {
            let cmd: ChangeUser = serde_json::from_str(fields).expect("a change");
            users::change(tx, &ctx, &cmd, &None).map(drop)
        };
        add(tx, 9, r#"{"username":"root","role":"admin"}"#)?;
        tx.execute(
            sql::SET_PASSWORD,
            &[Value::Integer(9), Value::Text("hash"), Value::Integer(1)],
        )?;
        let jane = add(tx, 7, r#"{"username":"jane","scopes":["states:read"]}"#)?;
        let guest = guest_as(&jane);
        let shown = (&*guest.id, guest.role, guest.subject.as_deref(), guest.scopes.len());
        assert_eq!(shown, ("user/7", Role::Guest, Some("7"), 0));
        assert_eq!((&*guest.token, guest.follows, guest.expires_at), ("", false, None));
        for (fields, is_over) in [
            (r#"{"userId":"7","username":"Jane"}"#, false),
            (r#"{"userId":"7","disabled":true}"#, true),
            (r#"{"userId":"7","disabled":false}"#, false),
            (r#"{"userId":"7","role":"admin"}"#, true),
            (r#"{"userId":"7","role":"user"}"#, false),
        ] {
            change(tx, fields)?;
            assert_eq!(ended(tx, &guest), is_over, "{fields}");
            assert!(is_over || check(tx, &guest, 20) == Ok(None), "{fields}");
        }
        users::delete(tx, &ctx, &contract::OneUser { user_id: UserId(7) })?;
        assert!(ended(tx, &guest));
        // Other guests are nobody, and stay it.
        for nobody in [Principal::guest(), Principal::guest_from("192.0.2.1")] {
            assert_eq!(check(tx, &nobody, 20), Ok(None));
        }
        Ok(())
    })
    .expect("all is allowed");
}

#[test]
fn users_made_on_the_spot() {
    let world = World::new();
    let mut writer = world.open(MIGRATIONS.len());
    run(&mut writer, |tx| {
        let made = |tx: &mut Tx<'_>, id: i64, name: &str| {
            let made = make_on_the_spot(tx, 30, UserId(id), name);
            made.map(|user| (user.login, user.username)).map_err(|fault| fault.code)
        };
        let as_is = |login: &str, name: &str| Ok((login.to_owned(), name.to_owned()));
        assert_eq!(made(tx, 123_456, "john_doe"), as_is("user-123456", "john_doe"));
        assert_eq!(
            made(tx, UserId::MAX, "<b>\u{5d0}"),
            as_is("user-9007199254740992", "<b>\u{5d0}")
        );
        assert_eq!(made(tx, 123_456, "jane"), Err(Code::Conflict), "somebody is that already");
        for name in ["", " a", "a\n", "\u{0}", &"a".repeat(NAME_CHARS_MAX + 1)] {
            assert_eq!(made(tx, 8, name), Err(Code::Invalid), "{name:?}");
        }
        assert_eq!(
            made(tx, 8, &"\u{e4}".repeat(NAME_CHARS_MAX)).map(|made| made.0),
            Ok("user-8".into())
        );
        // Somebody signs in by these names.
        for (id, login) in [(20, "user-9"), (21, "user-9-2")] {
            add(tx, id, r#"{"username":"x"}"#)?;
            let row = [Value::Integer(id), Value::Text(login)];
            tx.execute(Statement("UPDATE users SET login = $2 WHERE user_id = $1"), &row)?;
        }
        assert_eq!(made(tx, 9, "x"), as_is("user-9-3", "x"));
        let user = read::user(tx, UserId(9))?.expect("it is there");
        assert_eq!((user.role, user.kind, user.scopes.len()), (UserRole::User, None, 0));
        assert!(!has_admin(tx)?);
        Ok(())
    })
    .expect("all is allowed");
    // Up to a number of users on the whole, however they were made.
    for slice in 0..USERS_MAX / 500 {
        run(&mut writer, move |tx| {
            let slice = 1_000_000 + slice * 500..1_000_000 + (slice + 1) * 500;
            for id in slice.take((USERS_MAX - count_users(tx)?).min(500) as usize) {
                add(tx, id, r#"{"username":"x"}"#)?;
            }
            Ok(())
        })
        .expect("they are made");
    }
    run(&mut writer, move |tx| {
        assert_eq!(count_users(tx)?, USERS_MAX);
        let refused = make_on_the_spot(tx, 30, UserId(2_000_000), "x");
        assert_eq!(refused.map(drop).map_err(|fault| fault.code), Err(Code::Conflict));
        tx.execute(sql::DELETE_USER, &[Value::Integer(9)])?;
        make_on_the_spot(tx, 30, UserId(2_000_000), "x").map(drop)
    })
    .expect("there is room for one");
}

fn count_users(tx: &Tx<'_>) -> Result<i64, Fault> {
    Ok(tx.one(sql::COUNT_USERS, &[], |row| row.integer(0))?.unwrap_or(0))
}

#[test]
fn houseworkers_and_names_of_users() {
    let world = World::new();
    let mut writer = world.open(MIGRATIONS.len());
    run(&mut writer, |tx| {
        for (id, kind) in
            [(2, "client"), (4, "houseworker"), (3, "houseworker"), (7, "houseworker")]
        {
            add(tx, id, &format!(r#"{{"username":"name {id}","kind":"{kind}"}}"#))?;
        }
        add(tx, 5, r#"{"username":"name 5"}"#)?;
        tx.execute(
            Statement("UPDATE users SET disabled = 1 WHERE user_id = $1"),
            &[Value::Integer(7)],
        )?;
        let check = |after: Option<i64>, len: usize, ids: &[i64]| {
            let found = houseworkers(tx, after.map(UserId), len).expect("they are read");
            let found: Vec<i64> = found.iter().map(|user| user.user_id.0).collect();
            assert_eq!(found, ids, "{after:?} {len}");
        };
        check(None, 10, &[3, 4]);
        check(None, 1, &[3]);
        check(Some(3), 10, &[4]);
        check(Some(4), 10, &[]);
        check(None, 0, &[]);
        let names = usernames(tx, &[7, 9, 2, 2].map(UserId))?;
        let names: Vec<_> = names.iter().map(|(id, name)| (id.0, name.as_str())).collect();
        assert_eq!(names, [(7, "name 7"), (2, "name 2"), (2, "name 2")]);
        assert_eq!(usernames(tx, &[])?, []);
        Ok(())
    })
    .expect("all is read");
}

#[test]
fn pictures_are_https_urls() {
    let longest = format!("https://a/{}", "x".repeat(Picture::LEN_MAX - "https://a/".len()));
    for (text, is_one) in [
        ("https://a", true),
        ("https://images.example/a%20b.png?size=1#x", true),
        ("https://b\u{fc}cher.example/\u{5d0}.png", true),
        (&*longest, true),
        (&(longest.clone() + "x"), false),
        ("", false),
        ("https://", false),
        ("https:///a", false),
        ("https://?a", false),
        ("https://:443/", false),
        ("https://@a", false),
        ("http://a/b.png", false),
        ("HTTPS://a", false),
        ("//a/b.png", false),
        ("javascript:alert(1)", false),
        ("data:image/png;base64,AAAA", false),
        ("https://a/b c", false),
        ("https://a/\n", false),
        ("https://a/\u{0}", false),
        (" https://a", false),
    ] {
        assert_eq!(Picture::parse(text).is_some(), is_one, "{text:?}");
        let read = serde_json::from_value::<Picture>(text.into());
        assert_eq!(read.is_ok(), is_one, "{text:?}");
    }
    let world = World::new();
    let mut writer = world.open(MIGRATIONS.len());
    run(&mut writer, |tx| {
        let (settings, operator) = (Settings::default(), Principal::operator());
        let shown = add(tx, 7, r#"{"username":"jane","picture":"https://a/1.png"}"#)?.picture;
        assert_eq!(shown.as_deref(), Some("https://a/1.png"));
        for (fields, picture) in [
            (r#"{"userId":"7","username":"Jane"}"#, Some("https://a/1.png")),
            (r#"{"userId":"7","picture":"https://a/2.png"}"#, Some("https://a/2.png")),
            (r#"{"userId":"7","picture":null}"#, None),
        ] {
            let cmd: ChangeUser = serde_json::from_str(fields).expect("a change");
            let user = users::change(tx, &ctx(20, &operator, &settings), &cmd, &None)?.reply;
            assert_eq!(user.picture.as_deref(), picture, "{fields}");
        }
        Ok(())
    })
    .expect("all is allowed");
}
