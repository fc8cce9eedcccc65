//! Resources over HTTP: their exact form, lists page by page, and whose bookings are shown to whom.

use serde_json::json;

use super::{
    House, JANE, JOHN, OLGA, UENAL, Via,
    frames::{battery, booking, station},
    items,
    line::timeless,
    number,
};

#[test]
fn resources_have_exactly_these_keys() {
    let house = House::new([2, 1]);
    house.books(JOHN, 1, Some(2));
    for via in Via::ALL {
        let mut john = house.caller(JOHN, via);
        let one = json!({ "station_id": 1 });
        assert_eq!(john.says("stations.get", one.clone()), station(1, "online", (1, 1)));
        let both = [station(1, "online", (1, 1)), station(2, "online", (1, 0))].join(",");
        let list = |items: &str| format!(r#"{{"items":[{items}],"next":null}}"#);
        assert_eq!(john.says("stations.list", json!({})), list(&both));
        let there = [battery(1, 1, "available"), battery(2, 1, "booked")];
        assert_eq!(john.says("batteries.list", one), list(&there.join(",")));
        for (status, shown) in [("available", &*there[0]), ("booked", &there[1]), ("collected", "")]
        {
            let fields = json!({ "station_id": 1, "status": status });
            assert_eq!(john.says("batteries.list", fields), list(shown));
        }
        let own = booking(1, 1, 2, JOHN, "confirmed");
        assert_eq!(john.says("bookings.get", json!({ "booking_id": 1 })), own);
        assert_eq!(john.says("bookings.list", json!({})), list(&own));
    }
    // A HEAD, a wrong method, and a version that is known.
    let shown = house.server.ask("GET", "/api/stations/1").send();
    let tag = shown.header("etag").expect("it has a version").to_owned();
    let known = house.server.ask("GET", "/api/stations/1").header(&format!("If-None-Match: {tag}"));
    assert_eq!(known.send().status, 304);
    let change = house.admins("PATCH", "/api/stations/1").json(&json!({ "name": "Uptown" }));
    change.clone().header("If-Match: \"other\"").refused(412, "PRECONDITION_FAILED");
    change.header(&format!("If-Match: {tag}")).expect(200);
    house.server.ask("PUT", "/api/stations/1").refused(405, "METHOD_NOT_ALLOWED");
    house.admins("GET", "/api/stations/1/bookings").refused(405, "METHOD_NOT_ALLOWED");
}

/// A hold's deadline is the time of the booking and what is set; and it stays after the end.
#[test]
fn a_deadline_is_shown_as_it_was() {
    let house = House::with(&[("STATIONS__HOLD", "90m")], [1, 0]);
    let (before, made, after) = {
        let now = || jiff::Timestamp::now().as_second();
        (now(), house.books(JOHN, 1, None), now())
    };
    let shown = made["expires_at"].as_str().expect("it has one").to_owned();
    let deadline = super::line::seconds(&shown);
    assert!((before + 5_400..=after + 5_400).contains(&deadline), "{shown}");
    for (method, path) in [
        ("GET", "/api/bookings/1"),
        ("POST", "/api/bookings/1/ready"),
        ("POST", "/api/bookings/1/collect"),
        ("GET", "/api/bookings/1"),
    ] {
        assert_eq!(house.admins(method, path).expect(200)["expires_at"], *shown);
    }
}

#[test]
fn lists_come_page_by_page() {
    let house = House::new([7, 0]);
    for n in 3..=7 {
        house.admins("POST", "/api/stations").json(&json!({ "name": format!("S{n}") })).expect(201);
    }
    for _ in 0..7 {
        house.books(JOHN, 1, None);
    }
    let pages = |path: &str, limit: usize| -> Vec<Vec<i64>> {
        let (mut pages, mut cursor) = (Vec::new(), String::new());
        loop {
            let glue = if path.contains('?') { '&' } else { '?' };
            let page =
                house.admins("GET", &format!("{path}{glue}limit={limit}{cursor}")).expect(200);
            pages.push(items(&page).iter().map(number).collect());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return pages,
            }
        }
    };
    let up: Vec<i64> = (1..=7).collect();
    let down: Vec<i64> = (1..=7).rev().collect();
    for (path, expected) in [
        ("/api/stations", &up),
        ("/api/stations/1/batteries", &up),
        ("/api/stations/1/batteries?status=booked", &up),
        ("/api/bookings", &down),
        ("/api/bookings?status=confirmed", &down),
        ("/api/bookings?station_id=1", &down),
        ("/api/bookings?user_id=2", &down),
        ("/api/bookings?user_id=2&station_id=1&status=confirmed", &down),
    ] {
        for limit in [1, 3, 6, 7, 8, 100] {
            let pages = pages(path, limit);
            assert_eq!(pages.concat(), *expected, "{path} {limit}");
            assert!(pages.iter().all(|page| page.len() <= limit), "{path} {limit}: {pages:?}");
            assert!(pages.len() <= 7_usize.div_ceil(limit) + 1, "{path} {limit}: {pages:?}");
        }
        for wrong in ["limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=1.5"] {
            let glue = if path.contains('?') { '&' } else { '?' };
            house.admins("GET", &format!("{path}{glue}{wrong}")).refused(422, "INVALID");
        }
    }
    for path in [
        "/api/stations/1/batteries?status=x",
        "/api/bookings?status=live",
        "/api/bookings?station_id=x",
        "/api/bookings?station_id=0",
        "/api/bookings?user_id=02",
    ] {
        house.admins("GET", path).refused(422, "INVALID");
    }
    // What comes meanwhile does not move the pages.
    let first = house.admins("GET", "/api/bookings?limit=3").expect(200);
    house.stock(1, 1);
    house.books(JANE, 1, None);
    let next = first["next"].as_str().expect("there are more");
    let rest = house.admins("GET", &format!("/api/bookings?limit=3&cursor={next}")).expect(200);
    assert_eq!(items(&rest).iter().map(number).collect::<Vec<_>>(), [4, 3, 2]);
}

/// Somebody's bookings are theirs and staff's.
#[test]
fn whose_bookings_are_shown_to_whom() {
    let house = House::new([6, 2]);
    for (user, station) in [(JOHN, 1), (JANE, 1), (JOHN, 2), (JANE, 1), (JOHN, 1)] {
        house.books(user, station, None);
    }
    house.admins("POST", "/api/bookings/1/collect").expect(200);
    house.admins("POST", "/api/bookings/5/ready").expect(200);
    house.admins("DELETE", "/api/bookings/4").expect(204);
    let admin = house.admin.as_str();
    let rows: [(&str, &str, &[i64]); 14] = [
        (house.token(JOHN), "", &[5, 3, 1]),
        (house.token(JOHN), "?user_id=2", &[5, 3, 1]),
        (house.token(JOHN), "?station_id=1", &[5, 1]),
        (house.token(JOHN), "?status=ready", &[5]),
        (house.token(JOHN), "?status=cancelled", &[]),
        (house.token(JANE), "", &[4, 2]),
        (house.token(JANE), "?status=cancelled", &[4]),
        (house.token(UENAL), "", &[]),
        (house.token(OLGA), "", &[5, 4, 3, 2, 1]),
        (house.token(OLGA), "?user_id=2", &[5, 3, 1]),
        (house.token(OLGA), "?user_id=77", &[]),
        (admin, "", &[5, 4, 3, 2, 1]),
        (admin, "?user_id=3&station_id=1", &[4, 2]),
        (admin, "?station_id=2&status=confirmed", &[3]),
    ];
    for (token, query, expected) in rows {
        let path = format!("/api/bookings{query}");
        let shown = house.server.ask("GET", &path).bearer(token).expect(200);
        let ids: Vec<i64> = items(&shown).iter().map(number).collect();
        assert_eq!(ids, expected, "{query}");
    }
    let own = house.ask(JOHN, "GET", "/api/bookings?status=collected").expect(200);
    let expected = format!(r#"{{"items":[{}],"next":null}}"#, booking(1, 1, 1, JOHN, "collected"));
    assert_eq!(timeless(&own.to_string()).0, expected);
    for query in ["?user_id=3", "?user_id=77", "?user_id=3&status=confirmed"] {
        house.ask(JOHN, "GET", &format!("/api/bookings{query}")).refused(403, "FORBIDDEN");
    }
    house.server.ask("GET", "/api/bookings").refused(401, "UNAUTHENTICATED");
    // Nothing that is shown has an address.
    for path in ["/api/bookings", "/api/stations", "/api/stations/1/batteries"] {
        let body = house.admins("GET", path).send().body;
        assert!(!body.contains(super::CANARY), "{body}");
    }
}
