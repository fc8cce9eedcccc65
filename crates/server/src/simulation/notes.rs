//! A service of the simulation's own, for what the product's events do not do yet: several
//! payloads under one offset, exceptions, events of which each counts, many rows at once.

use bellwire_services::kit::{
    Access, Ctx, Event, Fault, Outcome, Overflow, Service, Spelling, Tx, Variant,
};
use serde::Deserialize;
use serde_json::{Value as Json, json, value::to_raw_value};

/// Says something to audiences that may overlap.
#[derive(Debug, Deserialize)]
pub struct Note {
    /// Tells it from all others.
    number: u64,
    /// The key.
    about: String,
    /// The audience of each payload.
    audiences: Vec<Vec<String>>,
    /// Who does not hear it.
    except: Vec<String>,
    /// How many rows.
    times: u64,
    /// How long each is, besides.
    padding: usize,
}

/// The service.
pub fn service() -> Service {
    Service::new("notes", &[], &[])
        .command("sim:note", Access::Operator, note)
        .event::<serde_json::Value>("note", Spelling::Spread)
}

fn note(_: &mut Tx<'_>, _: &Ctx<'_>, note: &Note) -> Result<Outcome<Json>, Fault> {
    let event = |time: u64| {
        let variants = note.audiences.iter().enumerate().map(|(variant, topics)| {
            let number = note.number + time;
            let padding = "~".repeat(note.padding);
            let payload = json!({"note": number, "variant": variant, "padding": padding});
            Variant {
                topics: topics.iter().cloned().map(Into::into).collect(),
                payload: to_raw_value(&payload).expect("it serialises"),
            }
        });
        Event {
            name: "note".into(),
            key: note.about.clone(),
            except: note.except.iter().cloned().map(Into::into).collect(),
            variants: variants.collect(),
            overflow: Overflow::Close,
        }
    };
    let reply = json!({"note": note.number});
    Ok((0..note.times).map(event).fold(Outcome::reply(reply), Outcome::event))
}
