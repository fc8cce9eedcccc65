//! A server without sockets, with something of every service in it, and people of all kinds.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use bellwire_services::{
    areas::{self, AreaId, ClientId, SampleArea, SampleClient},
    identity::{self, Kind, Sample, UserId, UserRole},
    kit::{Answer, Claims, Code, Fault, Micros, Payload, Principal, Settings, Tx},
    live_sessions::{self, Listened, LiveSession},
    sensors::{self, SampleDevice, SampleSensor},
    stations,
};
use bellwire_store::{
    batch::{Run, Write},
    change::Offset,
    log::{Keep, prune},
    sqlite::{LogStats, Options, Writer},
};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::{
    app::Core,
    backup::DATABASE,
    door::{Door, Guests},
    opening::Credential,
};

/// Nobody but themselves may know what is theirs: no bearer here is one of these two.
const KEEPER: i64 = 5;
const FRIEND: i64 = 6;
/// What is secret begins with this.
pub(super) const CANARY: &str = "canary-";
/// A connection that may be recovered.
pub(super) const PID: &str = "pidpidpidpidpidpidpi";
/// The key that signs.
const KEY: [u8; 32] = *b"a key of thirty-two bytes, known";
/// The password of all.
const PASSWORD: &str = "correct horse";
/// So many rows of the log are left.
const ROWS_KEPT: u64 = 12;
/// A year in seconds.
const YEAR_S: i64 = 365 * 86_400;
/// The folders of data begin with this; the number of the process follows.
const FOLDER: &str = "bellwire-fuzz-";

const USERS: [Sample; 7] = [
    user(900, "admin", UserRole::Admin, None),
    user(1, "john", UserRole::User, Some(Kind::Client)),
    user(2, "jane", UserRole::User, None),
    user(3, "sara", UserRole::User, Some(Kind::Houseworker)),
    user(4, "mike", UserRole::User, Some(Kind::Houseworker)),
    Sample { login: "canary-login", ..user(KEEPER, "keeper", UserRole::User, Some(Kind::Client)) },
    user(FRIEND, "friend", UserRole::User, Some(Kind::Houseworker)),
];

const fn user(user_id: i64, login: &'static str, role: UserRole, kind: Option<Kind>) -> Sample {
    Sample { user_id, login, username: login, role, kind }
}

const SCREEN: SampleClient = SampleClient {
    client: ClientId(7),
    name: "Tablet",
    areas: &[SampleArea { area: AreaId(1), name: "Kitchen", entities: &["light.kitchen"] }],
};

const BOARD: SampleDevice = SampleDevice {
    device: 1,
    name: "Board",
    sensors: &[
        SampleSensor {
            sensor: 1,
            sensor_type: "temperature",
            unit: "C",
            raw_days: None,
            alarm: None,
        },
        SampleSensor {
            sensor: 2,
            sensor_type: "humidity",
            unit: "%",
            raw_days: Some(1),
            alarm: None,
        },
    ],
};

/// A server without sockets.
pub(super) struct House {
    pub door: Arc<Door>,
    /// Who may be named in an input, with the text of the token.
    pub bearers: Vec<(&'static str, Arc<Principal>, String)>,
    /// A ticket that was not used.
    pub ticket: String,
    /// The codes of a screen that waits.
    pub device_code: String,
    pub user_code: String,
    /// The newest and the oldest row of the log.
    pub head: Offset,
    pub first: Offset,
    made_at: Micros,
    /// A copy of the database, in which nothing is ever committed. A `Mutex`: one run at a time.
    writer: Mutex<Writer>,
    /// A fuzzer ends without a word; what it leaves, the next one takes away.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests take the data away"))]
    folder: PathBuf,
}

/// Takes the data of a house away when it is dropped.
#[cfg(test)]
pub(super) struct Cleared(pub PathBuf);

#[cfg(test)]
impl Drop for Cleared {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A folder for data of this process, in memory if that is possible. Those of processes that are gone are removed.
pub(super) fn folder(target: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    for entry in fs::read_dir(&parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(FOLDER).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let folder = parent.join(format!("{FOLDER}{}-{target}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for data can be made");
    folder
}

impl House {
    /// Makes it, with a folder of this name.
    pub(super) fn new(target: &str) -> House {
        let folder = folder(target);
        let (data, copy) = (folder.join("data"), folder.join("copy.db"));
        fs::create_dir_all(data.join("keys")).expect("a folder can be made");
        fs::write(data.join("keys/k1.key"), KEY).expect("a key can be written");
        let runtime = Builder::new_current_thread().enable_all().build().expect("it can be made");
        let core = open(&data);
        let Made { bearers, ticket, device_code, user_code } =
            runtime.block_on(async { furnish(&core.door).await.expect("it can be furnished") });
        core.close().expect("it closes");
        fs::copy(data.join(DATABASE), &copy).expect("a file can be copied");
        let door = open(&data).door;
        let mut options = Options::new(copy, "unused", door.clock.now());
        options.command_time_max = Duration::from_secs(600);
        let migrations: Vec<_> = bellwire_services::all().iter().map(|it| it.migrations).collect();
        let writer = Mutex::new(Writer::open(&options, &migrations).expect("the copy opens"));
        let LogStats { head, first, .. } = door.store.log_stats();
        let made_at = door.clock.now();
        // The ticket ends soon; a fuzzer goes on.
        let claims = door.keyring.verify_ticket(&ticket, made_at).expect("it was just made");
        let ticket = door.keyring.sign(&Claims { exp: claims.exp + YEAR_S, ..claims });
        House {
            door,
            bearers,
            ticket,
            device_code,
            user_code,
            head,
            first,
            made_at,
            writer,
            folder,
        }
    }

    /// Takes the data away when what it gives is dropped.
    #[cfg(test)]
    pub(super) fn cleared(&self) -> Cleared {
        Cleared(self.folder.clone())
    }

    /// Whether the screen still waits to be paired: for ten minutes.
    pub(super) fn is_screen_waiting(&self) -> bool {
        self.door.clock.now() < self.made_at + 9 * 60 * 1_000_000
    }

    /// The bearer of this name; who has none is nobody.
    pub(super) fn bearer(&self, name: &str) -> Arc<Principal> {
        let bearer = self.bearers.iter().find(|(known, ..)| *known == name);
        bearer.map_or_else(nobody, |(_, principal, _)| principal.clone())
    }

    /// Does something in a transaction, which is undone.
    ///
    /// # Panics
    /// If that panics, or a statement fails.
    pub(super) fn inside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> T + Send + 'static,
    ) -> T {
        let (done, result) = mpsc::channel();
        let mut work = Some(work);
        self.rehearse(vec![Box::new(move |tx: &mut Tx<'_>| {
            let work = work.take().expect("it runs once");
            let _ = done.send(work(tx));
            Err(Fault::new(Code::Conflict, "nothing stays"))
        })]);
        result.recv().expect("it ran")
    }

    /// Makes these decisions one after another in a transaction, with their events in the log; then all is undone.
    ///
    /// # Panics
    /// If one does, or a statement fails.
    pub(super) fn rehearse(&self, runs: Vec<Run<Answer>>) {
        let at = self.door.clock.now();
        let writes = runs.into_iter().map(|run| Write { at, run, to: () }).collect();
        // A poisoned lock: another run has failed, and was undone as well.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.rehearse(writes).unwrap_or_else(|cause| panic!("{cause}"));
        assert_eq!(writer.log_stats().head, self.head, "something was committed");
    }
}

/// Somebody without a credential.
pub(super) fn nobody() -> Arc<Principal> {
    Arc::new(Principal::guest_from("192.0.2.1"))
}

fn open(data: &Path) -> Core {
    let guests = Guests::To(vec![sensors::NAME, stations::NAME]);
    Core::open(data, guests, Settings::default(), Vec::new()).expect("it opens")
}

/// What was made that cannot be read again.
struct Made {
    bearers: Vec<(&'static str, Arc<Principal>, String)>,
    ticket: String,
    device_code: String,
    user_code: String,
}

/// Makes something of everything.
async fn furnish(door: &Arc<Door>) -> Result<Made, Fault> {
    let hash = identity::hash_sample(PASSWORD, &[7; 16])?;
    door.maintain(move |tx, now| {
        USERS.iter().try_for_each(|user| identity::add_sample(tx, now, user, &hash))?;
        areas::add_sample(tx, now, &SCREEN)?;
        sensors::add_sample(tx, now, &BOARD)?;
        stations::add_samples(tx, now, &[1, KEEPER].map(UserId))
    })
    .await?;
    let mut made = admit(door).await?;
    let operator = Arc::new(Principal::operator());
    for (call, fields) in [
        ("states:create", json!({ "entity_id": "light.kitchen", "state": "on" })),
        ("states:create", json!({ "entity_id": "lock.safe", "state": "canary-state" })),
        ("areas.create", json!({ "name": "canary-area", "entityIds": ["lock.safe"] })),
        ("sensor_data", json!({ "sensor_id": 1, "value": 20.5 })),
        ("sensor_data", json!({ "sensor_id": 2, "value": 40 })),
        (
            "notifications.send",
            json!({ "to": "5", "title": "canary-title", "message": "canary-note", "level": "info" }),
        ),
        (
            "notifications.send",
            json!({ "to": "1", "title": "A title", "message": "A note", "level": "info" }),
        ),
    ] {
        ask(door, call, fields, operator.clone()).await?;
    }
    for (who, room, message) in [
        (KEEPER, "5:6", "canary-chat"),
        (FRIEND, "5:6", "canary-answer"),
        (1, "1:2", "Hello"),
        (2, "1:2", "Hello yourself"),
        (1, "1:3", "Are you free?"),
    ] {
        let fields = json!({ "data": { "roomID": room, "message": message } });
        ask(door, "message", fields, speaker(door, who).await?).await?;
    }
    let fields = json!({ "data": { "newUserID": "4", "roomID": "1:3", "newRoomID": "1:3:4" } });
    ask(door, "createUserGroup", fields, speaker(door, 1).await?).await?;
    let fields = json!({ "rating": 5, "houseworkerID": "3" });
    ask(door, "ratingNotification", fields, speaker(door, 1).await?).await?;
    let fields = json!({ "newComment": { "comment": "Good", "houseworkerID": "3" } });
    ask(door, "commentNotification", fields, speaker(door, 1).await?).await?;

    let started = ask(door, "pairing.start", json!({ "name": "canary-screen" }), nobody()).await?;
    made.device_code = text(&started, "deviceCode");
    made.user_code = text(&started, "userCode");
    door.maintain(|tx, now| {
        let topics = vec![Listened { name: "states".to_owned(), since: 0 }];
        let session = LiveSession {
            pid: PID.to_owned(),
            sid: "sid".to_owned(),
            principal: "user/1".to_owned(),
            namespace: "/states".to_owned(),
            topics,
            rooms: Vec::new(),
            at: tx.head()?.saturating_sub(ROWS_KEPT / 2),
            left_at: Some(now),
        };
        live_sessions::insert(tx, &session)?;
        let keep = Keep { time: 0, events: ROWS_KEPT, bytes_max: u64::MAX };
        prune(tx, now, &keep).map(drop)
    })
    .await?;
    Ok(made)
}

/// Makes those who have credentials.
async fn admit(door: &Arc<Door>) -> Result<Made, Fault> {
    let operator = Arc::new(Principal::operator());
    let mut bearers = vec![
        ("operator", operator.clone(), String::new()),
        ("screen", Arc::new(Principal::pairing(1, i64::MAX)), String::new()),
    ];
    let fields = json!({ "username": "john", "password": PASSWORD });
    let signed_in = ask(door, "auth.login", fields, nobody()).await?;
    let mut tokens = vec![("user", text(&signed_in, "token"))];
    let limited = ["states:read:light.*", "states:write:light.*"];
    for (name, fields) in [
        ("limited", json!({ "role": "user", "subject": "2", "scopes": limited })),
        ("staff", json!({ "role": "user", "subject": "3", "scopes": ["stations:staff"] })),
        ("device", json!({ "role": "device", "subject": "1" })),
        ("client", json!({ "role": "client", "subject": "client_7" })),
        ("admin", json!({ "role": "admin", "subject": "900" })),
    ] {
        let made = ask(door, "tokens.create", fields, operator.clone()).await?;
        tokens.push((name, text(&made, "token")));
    }
    for (name, token) in tokens {
        bearers.push((name, bearer_of(door, &token).await?, token));
    }
    let bearer = |name| bearers.iter().find(|(known, ..)| *known == name).expect("it was made");
    let made = ask(door, "auth.ticket", json!({}), bearer("user").1.clone()).await?;
    let (device_code, user_code) = (String::new(), String::new());
    Ok(Made { ticket: text(&made, "ticket"), bearers, device_code, user_code })
}

/// A user, by a token of theirs.
async fn speaker(door: &Door, id: i64) -> Result<Arc<Principal>, Fault> {
    let fields = json!({ "role": "user", "subject": id.to_string() });
    let made = ask(door, "tokens.create", fields, Arc::new(Principal::operator())).await?;
    bearer_of(door, &text(&made, "token")).await
}

/// Whose token this is.
async fn bearer_of(door: &Door, token: &str) -> Result<Arc<Principal>, Fault> {
    let claims = door.keyring.verify(token, door.clock.now()).expect("it was signed here");
    door.identify(&Credential::Token { jti: claims.jti }).await
}

async fn ask(door: &Door, call: &str, fields: Value, who: Arc<Principal>) -> Result<Value, Fault> {
    let payload: Payload = fields.as_object().cloned().unwrap_or_default();
    let reply = door.ask(call, payload, who).await?;
    Ok(serde_json::from_str(reply.get()).expect("replies are JSON"))
}

fn text(reply: &Value, field: &str) -> String {
    reply[field].as_str().unwrap_or_else(|| panic!("no {field} in {reply}")).to_owned()
}
