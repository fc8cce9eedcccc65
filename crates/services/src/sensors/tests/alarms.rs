//! When an alarm is raised, when it ends, and what is not told.

use super::*;
use crate::kit::timestamp_exact;

/// What happens at which second: `1:20` a value, `1:20~` one that is late, `1:20!` the newest corrected, `1:20=` the
/// newest once more; `1:{..}` another alarm. What is told is `SECOND:STATE(THRESHOLD)`.
#[track_caller]
fn check(alarm: &Value, script: &str, expected: &str) {
    let mut world = World::new();
    let sensor = world.device(&[json!({ "alarm": alarm })])[1];
    let mut newest: Micros = 0;
    let mut told = Vec::new();
    for (step, written) in script.split_whitespace().enumerate() {
        let (second, what) = written.split_once(':').expect("a second, and what happens");
        let at = START + (second.parse::<f64>().expect("a second") * 1e6).round() as Micros;
        world.pass_to(at);
        let heard = if what.starts_with(['{', 'n']) {
            let alarm: Value = serde_json::from_str(what).expect("an alarm");
            world.change_sensor(json!({ "sensor_id": sensor, "alarm": alarm }))
        } else {
            let value = what.trim_end_matches(['~', '!', '=']);
            let time = match &what[value.len()..] {
                "" => at,
                "~" => newest - 1 - step as Micros,
                _ => newest,
            };
            newest = newest.max(time);
            let value: Value = serde_json::from_str(value).expect("a number");
            let timestamp = timestamp_exact(time);
            world.post(json!({ "sensor_id": sensor, "value": value, "timestamp": timestamp })).1
        };
        told.extend(heard.iter().filter_map(|text| {
            let (state, value) = text.strip_prefix("alarm 1 ")?.split_once(": ")?;
            let (_, threshold) = value.split_once(", ")?;
            Some(format!("{second}:{state}({threshold})"))
        }));
    }
    assert_eq!(told.join(" "), expected, "{alarm} {script}");
}

#[test]
fn a_value_that_trembles_raises_one() {
    let alarm = json!({ "above": 30, "below": 10, "hysteresis": 0.5, "hold_off_s": 0 });
    check(&alarm, "0:20 1:30 2:10", "");
    check(&alarm, "0:30.1 1:31 2:29.6", "0:above(30)");
    check(&alarm, "0:30.1 1:29.5 2:29.9 3:30.1", "0:above(30) 1:normal(30) 3:above(30)");
    check(&alarm, "0:9.9 1:10.4 2:10.5", "0:below(10) 2:normal(10)");
    check(&alarm, "0:31 1:9", "0:above(30) 1:below(10)");
    let above = json!({ "above": 30, "hold_off_s": 0 });
    check(&above, "0:-1e300 1:30.1 2:30", "1:above(30) 2:normal(30)");
    check(&json!({ "below": 0, "hold_off_s": 0 }), "0:0 1:-0.1 2:5", "1:below(0) 2:normal(0)");
}

#[test]
fn once_raised_it_is_not_raised_again_for_its_time() {
    let alarm = json!({ "above": 30, "below": 10, "hold_off_s": 60 });
    check(&alarm, "0:31 100:31 200:32", "0:above(30)");
    check(&alarm, "0:31 1:20 2:31 59.999999:31", "0:above(30) 1:normal(30)");
    check(&alarm, "0:31 1:20 2:31 60:31 61:31", "0:above(30) 1:normal(30) 60:above(30)");
    check(
        &alarm,
        "0:31 1:20 61:31 62:20 120.9:31",
        "0:above(30) 1:normal(30) 61:above(30) 62:normal(30)",
    );
    check(&alarm, "0:31 1:5 2:5 60:5", "0:above(30) 1:normal(30) 60:below(10)");
}

#[test]
fn only_the_newest_is_judged() {
    let alarm = json!({ "above": 30, "hold_off_s": 0 });
    check(&alarm, "0:20 1:31~ 2:32~", "");
    check(&alarm, "0:31 1:20~", "0:above(30)");
    check(&alarm, "0:20 1:31! 2:20!", "1:above(30) 2:normal(30)");
    check(
        &json!({ "above": 30, "hold_off_s": 5 }),
        "0:31 1:20 2:31 9:31=",
        "0:above(30) 1:normal(30)",
    );
}

/// A threshold is always a number that there was.
#[test]
fn another_alarm() {
    let alarm = json!({ "above": 30, "hold_off_s": 0 });
    check(&alarm, "0:31 1:null 2:31 3:20", "0:above(30) 1:normal(30)");
    check(
        &alarm,
        r#"0:31 1:{"below":10,"hold_off_s":0} 2:31 3:9"#,
        "0:above(30) 1:normal(30) 3:below(10)",
    );
    check(
        &alarm,
        r#"0:31 1:{"above":32,"hold_off_s":0} 2:31.5 3:33"#,
        "0:above(30) 2:normal(32) 3:above(32)",
    );
    check(&alarm, r#"0:31 1:{"above":25,"hold_off_s":0} 2:26 3:20"#, "0:above(30) 3:normal(25)");
    check(&Value::Null, r#"0:31 1:{"above":30,"hold_off_s":0} 2:31"#, "2:above(30)");
    check(&Value::Null, "0:31 1:null", "");
}
