//! REST, asked whatever can be asked: for every route of the services' tables requests are drawn by
//! chance, valid ones and hostile ones, and what holds for every answer is checked.
//!
//! A run draws `BELLWIRE_TEST_REST_CASES` requests (1,200 if it is not set), or as many as 20 seconds allow
//! then, from `BELLWIRE_TEST_REST_SEED`. One that fails prints its seed.
//!
//! | module | what is in it |
//! |---|---|
//! | `plan` | what can be asked |
//! | `request` | a plan as bytes, for a server with something in it |
//! | `rules` | what holds for every answer |

mod plan;
mod request;
mod rules;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Value, json};

use self::{
    plan::{Plan, Who, plan},
    request::{CANARY, Request, World},
    rules::Rules,
};
use crate::harness::{Canary, Reply, Talk, number};

/// The seed, how many requests a run draws, and how long it may take, if nothing is said.
const SEED: u64 = 20_261_129;
const CASES: u32 = 1_200;
const TIME_MAX: Duration = Duration::from_secs(20);
/// After so many requests it is looked after the canary, and what has gone is put back.
const ROUND: u32 = 100;

/// A run.
struct Run {
    world: World,
    rules: Rules,
    talk: Talk,
    canary: Canary,
    asked: u32,
    planted: u32,
    /// How often each status was answered.
    statuses: BTreeMap<u16, u32>,
}

impl Run {
    fn new() -> Run {
        let mut world = World::new();
        let rules = Rules::of(&world.document);
        let canary = Canary::new(&world.server);
        let talk = Talk::new(world.server.address());
        for n in 0..3 {
            let token = json!({ "role": "device", "subject": format!("{n}"), "ttl": 3_600 });
            let made = world.server.operate("tokens.create", token).expect("a token is made");
            world.note(&made);
        }
        Run { world, rules, talk, canary, asked: 0, planted: 0, statuses: BTreeMap::new() }
    }

    /// Puts things there that others may not see, and some to be asked for.
    fn plant(&mut self) {
        self.world.renew();
        self.planted += 1;
        let World { server, admin, .. } = &self.world;
        let ask = |method: &str, path: &str| server.ask(method, path).bearer(&admin.text);
        let mut answers = Vec::new();
        for entity in ["vault.door", "light.a", "light.b"] {
            let secret = if entity == "vault.door" { CANARY } else { "on" };
            let body = json!({ "state": secret, "attributes": { "note": secret } });
            let made = ask("POST", &format!("/api/states/{entity}")).json(&body).send();
            assert!(matches!(made.status, 200 | 201), "{made:?}");
            answers.push(made.json());
        }
        let login = format!("kanarie{}", self.planted);
        let user =
            json!({ "username": CANARY, "login": login, "email": format!("{CANARY}@example.com") });
        answers.push(ask("POST", "/api/users").json(&user).expect(201));
        let token = json!({ "role": "device", "subject": CANARY, "ttl": 3_600 });
        answers.push(ask("POST", "/api/tokens").json(&token).expect(201));
        answers.iter().for_each(|answer| self.world.note(answer));
    }

    fn log_head(&mut self) -> Result<String, String> {
        let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let metrics = self.talk.ask(request, Default::default())?.ok_or("no measures")?;
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        let head = metrics.lines().find(|line| line.starts_with("bellwire_log_head_offset "));
        head.map(str::to_owned).ok_or_else(|| "no such measure".to_owned())
    }

    /// Sends a request; it must be answered, unless it never came to its end.
    fn ask(&mut self, request: &Request) -> Result<Option<Reply>, String> {
        let reply = self.talk.ask(&request.bytes, request.manner)?;
        match reply {
            None if !request.manner.last => Err("the connection ended without an answer".into()),
            reply => Ok(reply),
        }
    }

    /// One case.
    fn case(&mut self, plan: &Plan) -> Result<(), String> {
        if self.asked.is_multiple_of(ROUND) {
            self.plant();
            self.canary.sings();
        }
        self.asked += 1;
        let is_nobody = matches!(plan.who, Who::Nobody | Who::Bad(_));
        let before = if is_nobody { self.log_head()? } else { String::new() };
        let mut request = self.world.request(plan);
        let mut reply = self.ask(&request).map_err(|error| told(&request, &error))?;
        if !is_nobody && reply.as_ref().is_some_and(|reply| reply.status == 401) {
            // The request before may have ended the session.
            self.world.renew();
            request = self.world.request(plan);
            reply = self.ask(&request).map_err(|error| told(&request, &error))?;
        }
        let Some(reply) = reply else { return Ok(()) };
        *self.statuses.entry(reply.status).or_default() += 1;
        let wrong = |error: String| told(&request, &format!("{error}: {}", shown(&reply)));
        self.rules.check(&self.world, &request, &reply).map_err(wrong)?;
        if !rules::may_come(&request) && self.log_head()? != before {
            return Err(wrong("nobody changed something".into()));
        }
        if request.method == "HEAD" && !request.manner.broken {
            self.is_like_get(&request, &reply).map_err(wrong)?;
        }
        if reply.status < 300
            && let Ok(answer) = serde_json::from_slice::<Value>(&reply.body)
        {
            self.world.note(&answer);
        }
        Ok(())
    }

    /// HEAD is GET without the body.
    fn is_like_get(&mut self, request: &Request, reply: &Reply) -> Result<(), String> {
        let get = self.ask(&request.with_method("GET"))?.ok_or("GET is not answered")?;
        let timeless = |reply: &Reply| {
            let headers = reply.headers.iter().filter(|(name, _)| name != "date");
            (reply.status, headers.cloned().collect::<Vec<_>>())
        };
        match timeless(&get) == timeless(reply) {
            true => Ok(()),
            false => Err(format!("GET is answered {}", shown(&get))),
        }
    }
}

fn shown(reply: &Reply) -> String {
    let body = String::from_utf8_lossy(&reply.body);
    format!("{} {:?} {body:.600}", reply.status, reply.headers)
}

fn told(request: &Request, error: &str) -> String {
    let bytes = String::from_utf8_lossy(&request.bytes);
    format!("{error}\nto {:?}:\n{bytes:.1500}", request.who)
}

#[test]
fn whatever_is_asked_is_answered_by_the_rules() {
    let seed = number("BELLWIRE_TEST_REST_SEED").unwrap_or(SEED);
    let wanted = number("BELLWIRE_TEST_REST_CASES");
    let cases = wanted.map_or(CASES, |cases| u32::try_from(cases).expect("32 bits"));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        // What failed once may not do so again: the server has another state then.
        max_shrink_iters: 200,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let run = RefCell::new(Run::new());
    let began = Instant::now();
    let result = TestRunner::new_with_rng(config, rng).run(&plan(), |plan| {
        if wanted.is_none() && began.elapsed() > TIME_MAX {
            return Ok(());
        }
        run.borrow_mut().case(&plan).map_err(TestCaseError::fail)
    });
    let Run { mut canary, statuses, asked, world, .. } = run.into_inner();
    if let Err(error) = result {
        panic!("BELLWIRE_TEST_REST_SEED={seed} BELLWIRE_TEST_REST_CASES={cases}: {error}");
    }
    eprintln!("{asked} requests in {:?}: {statuses:?}", began.elapsed());
    canary.sings();
    assert_eq!(world.server.get("/readyz").status, 200);
    assert!(!world.server.log().contains("panicked"), "{}", world.server.log());
    // Chance that never gets through tests nothing.
    for status in [200, 201, 204, 400, 401, 403, 404, 405, 415, 422] {
        assert!(asked < 1_000 || statuses.contains_key(&status), "no {status} in {statuses:?}");
    }
}
