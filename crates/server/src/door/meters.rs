//! What metered commands cost their callers. It is looked at before a command is queued, so that a flood from one costs
//! the writer nothing, and the others are served as ever.

use std::collections::HashMap;

use bellwire_services::kit::{Code, Command, Fault, Meter, Payload, Principal, Role, Settings};

use crate::buckets::Buckets;

/// What every caller has left to spend, by service.
pub struct Meters(HashMap<&'static str, Purse>);

/// The purses of a service's callers, by [`Principal::id`]: all tokens of a device have one, and all guests behind one
/// address.
struct Purse {
    per_second: u32,
    at_once: u32,
    left: Buckets<String>,
}

impl Purse {
    fn of(meter: &Meter, settings: &Settings) -> Purse {
        let per_second = (meter.per_second)(settings).max(1);
        let at_once = per_second.saturating_mul(2);
        Purse { per_second, at_once, left: Buckets::new(at_once, per_second.into()) }
    }
}

impl Meters {
    /// Nobody has spent anything yet.
    pub fn of<'a>(commands: impl Iterator<Item = &'a Command>, settings: &Settings) -> Meters {
        let mut purses = HashMap::new();
        for command in commands {
            if let Some(meter) = &command.meter {
                purses.entry(command.service).or_insert_with(|| Purse::of(meter, settings));
            }
        }
        Meters(purses)
    }

    /// Lets the caller pay for a request. The server itself pays nothing.
    ///
    /// # Errors
    /// [`Code::RateLimited`] when there is not enough left, with the time after which there is; [`Code::Invalid`] for
    /// what is more than anybody ever has.
    pub fn pay(
        &self,
        command: &Command,
        payload: &Payload,
        principal: &Principal,
        now_ms: u64,
    ) -> Result<(), Fault> {
        let Some(Meter { what, weigh, .. }) = &command.meter else { return Ok(()) };
        let Some(purse) = self.0.get(command.service) else { return Ok(()) };
        if principal.role == Role::System {
            return Ok(());
        }
        let amount = weigh(payload).max(1);
        if amount > purse.at_once {
            let why = format!("too many {what} at once; at most {}", purse.at_once);
            return Err(Fault::new(Code::Invalid, why));
        }
        purse.left.take(&principal.id, amount, now_ms).map_err(|after_s| {
            let why = format!("too many {what}; at most {} a second", purse.per_second);
            Fault::new(Code::RateLimited, why).after(after_s)
        })
    }
}

#[cfg(test)]
mod tests {
    use bellwire_services::kit::{Access, Ctx, Outcome, Service, Tx};
    use serde_json::json;

    use super::*;

    fn nothing(_: &mut Tx<'_>, _: &Ctx<'_>, _: &Payload) -> Result<Outcome<()>, Fault> {
        Ok(Outcome::reply(()))
    }

    fn count(payload: &Payload) -> u32 {
        payload.get("readings").and_then(|many| many.as_array()).map_or(0, |many| many.len() as u32)
    }

    /// A service with `one` and `many`, which are metered, and `free`, which is not; at most 10 a second.
    fn service(name: &'static str) -> Service {
        let meter = Meter { what: "readings", weigh: count, per_second: |s| s.readings_per_second };
        Service::new(name, &[], &[])
            .command("one", Access::Caller, nothing)
            .command("many", Access::Caller, nothing)
            .command("free", Access::Caller, nothing)
            .metered("one", meter)
            .metered("many", meter)
    }

    fn device(id: &str) -> Principal {
        Principal { id: id.into(), role: Role::Device, ..Principal::nobody() }
    }

    #[test]
    fn what_a_caller_may_send() {
        let services = [service("boards"), service("others")];
        let commands = || services.iter().flat_map(|service| &service.commands);
        let settings = Settings { readings_per_second: 10, ..Settings::default() };
        let meters = Meters::of(commands(), &settings);
        let pay = |(service, name): (&str, &str), readings: usize, who: &Principal, at_ms| {
            let is_meant = |c: &&Command| (c.service, c.name) == (service, name);
            let command = commands().find(is_meant).expect("it is one");
            let payload = json!({ "readings": vec![0; readings] });
            let payload = payload.as_object().expect("it is an object");
            meters.pay(command, payload, who, at_ms)
        };
        let (one, two) = (device("device/1"), device("device/2"));
        let (many, free) = (("boards", "many"), ("boards", "free"));
        let limited = |after_s| {
            Err(Fault::new(Code::RateLimited, "too many readings; at most 10 a second")
                .after(after_s))
        };
        let never = Err(Fault::new(Code::Invalid, "too many readings at once; at most 20"));
        let rows: &[(_, _, &Principal, u64, Result<(), Fault>)] = &[
            // At the limit, and above it.
            (many, 20, &one, 0, Ok(())),
            (many, 1, &one, 0, limited(1)),
            (many, 20, &one, 0, limited(2)),
            // What has nothing counts for one; other commands of the service are paid from the same.
            (("boards", "one"), 0, &one, 0, limited(1)),
            // More than anybody ever has is not refused for a while, but for good.
            (many, 21, &one, 0, never.clone()),
            (many, 21, &two, 0, never.clone()),
            (many, 500, &two, 1_000_000, never),
            // Others, other services, and what is not metered are not concerned.
            (many, 20, &two, 0, Ok(())),
            (("others", "many"), 20, &one, 0, Ok(())),
            (free, 500, &one, 0, Ok(())),
            // It comes back with time, and never more than that.
            (many, 5, &one, 500, Ok(())),
            (many, 1, &one, 500, limited(1)),
            (many, 20, &one, 60_000, Ok(())),
            (many, 1, &one, 60_000, limited(1)),
        ];
        for (number, (command, readings, who, at_ms, expected)) in rows.iter().enumerate() {
            assert_eq!(&pay(*command, *readings, who, *at_ms), expected, "row {number}");
        }
        for _ in 0..1_000 {
            assert_eq!(pay(many, 500, &Principal::system(), 0), Ok(()));
            assert_eq!(pay(many, 500, &Principal::operator(), 0), Ok(()));
        }
        let guests = ["192.0.2.1", "192.0.2.2"].map(Principal::guest_from);
        assert_eq!(pay(many, 20, &guests[0], 0), Ok(()));
        assert_eq!(pay(many, 1, &guests[0], 0), limited(1));
        assert_eq!(pay(many, 20, &guests[1], 0), Ok(()));
    }
}
