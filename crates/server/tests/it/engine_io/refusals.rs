//! How sessions begin, and the words in which they do not.

use crate::harness::{BAD, Canary, Over, Response, Server, UNKNOWN};

const TRANSPORT: &str = r#"{"code":0,"message":"Transport unknown"}"#;
const METHOD: &str = r#"{"code":2,"message":"Bad handshake method"}"#;
const VERSION: &str = r#"{"code":5,"message":"Unsupported protocol version"}"#;

/// The response must refuse in exactly these words.
#[track_caller]
fn refuses(name: &str, response: &Response, words: &str) {
    assert_eq!((response.status, &*response.body), (400, words), "{name}");
    guarded(name, response, "application/json");
}

/// It is nobody's to keep, and nobody's to take for something else.
#[track_caller]
fn guarded(name: &str, response: &Response, content_type: &str) {
    let header = |header| response.header(header);
    assert_eq!(header("content-type"), Some(content_type), "{name}");
    assert_eq!(header("cache-control"), Some("no-store"), "{name}");
    assert_eq!(header("x-content-type-options"), Some("nosniff"), "{name}");
    assert_eq!(header("set-cookie"), None, "{name}");
}

/// A method, a query, and the words that refuse it.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("GET", "", TRANSPORT),
    ("GET", "EIO=4", TRANSPORT),
    ("GET", "EIO=4&transport=", TRANSPORT),
    ("GET", "EIO=4&transport=webtransport", TRANSPORT),
    ("GET", "EIO=4&transport=flashsocket", TRANSPORT),
    ("GET", "EIO=4&transport=POLLING", TRANSPORT),
    ("GET", "EIO=4&transport=polling%20", TRANSPORT),
    ("GET", "EIO=4&TRANSPORT=polling", TRANSPORT),
    ("POST", "EIO=4&transport=foo", TRANSPORT),
    ("GET", "transport=polling", VERSION),
    ("GET", "EIO=&transport=polling", VERSION),
    ("GET", "EIO=2&transport=polling", VERSION),
    ("GET", "EIO=3&transport=polling", VERSION),
    ("GET", "EIO=5&transport=polling", VERSION),
    ("GET", "EIO=04&transport=polling", VERSION),
    ("GET", "EIO=4.0&transport=polling", VERSION),
    ("GET", "eio=4&transport=polling", VERSION),
    ("GET", "EIO=3&EIO=4&transport=polling", VERSION),
    ("GET", "EIO=3&transport=websocket", VERSION),
    ("POST", "EIO=4&transport=polling", METHOD),
    ("PUT", "EIO=4&transport=polling", METHOD),
    ("PATCH", "EIO=4&transport=polling", METHOD),
    ("DELETE", "EIO=4&transport=polling", METHOD),
    ("OPTIONS", "EIO=4&transport=polling", METHOD),
    ("TRACE", "EIO=4&transport=polling", METHOD),
    ("POST", "EIO=4&transport=websocket", METHOD),
    // No upgrade is asked for.
    ("GET", "EIO=4&transport=websocket", BAD),
    ("GET", "EIO=4&transport=polling&sid=", UNKNOWN),
    ("GET", "EIO=4&transport=polling&sid=x", UNKNOWN),
    ("GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", UNKNOWN),
    ("POST", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", UNKNOWN),
    // Of a shard that no machine has, as of a larger one's node.
    ("GET", "EIO=4&transport=polling&sid=__8AAAAAAAAAAAAAAAAA", UNKNOWN),
    ("POST", "EIO=4&transport=polling&sid=__8AAAAAAAAAAAAAAAAA", UNKNOWN),
    ("GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAA", UNKNOWN),
    ("GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAA", UNKNOWN),
    ("GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAA%3D%3D", UNKNOWN),
    ("GET", "EIO=4&transport=polling&sid=%00", UNKNOWN),
    ("GET", "EIO=4&transport=polling&sid=../../../../../../..", UNKNOWN),
    (
        "GET",
        "EIO=4&transport=polling&sid=%F0%9F%92%A9%F0%9F%92%A9%F0%9F%92%A9%F0%9F%92%A9",
        UNKNOWN,
    ),
    ("GET", "EIO=3&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", UNKNOWN),
];

#[test]
fn requests_without_a_session() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    for (method, query, words) in REQUESTS {
        for path in ["/socket.io/", "/socket.io"] {
            let target = format!("{path}?{query}");
            let name = format!("{method} {target}");
            let response = server.ask(method, &target).send();
            refuses(&name, &response, words);
            // The same with an upgrade, which is refused before it is looked at.
            if *method == "GET" && *words != BAD {
                refuses(&name, &server.dial(&target).response(), words);
            }
        }
    }
    let head = server.ask("HEAD", "/socket.io/?EIO=4&transport=polling").send();
    assert_eq!((head.status, &*head.body), (400, ""));
    // An upgrade that is none is refused as on any other endpoint.
    let upgrade = server.dial("/socket.io/?EIO=4&transport=websocket").request();
    for (line, instead, status) in [
        ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 12", 426),
        ("Upgrade: websocket", "Upgrade: h2c", 426),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: x", 400),
    ] {
        let request = upgrade.replacen(line, instead, 1);
        assert_ne!(request, upgrade);
        assert_eq!(server.dial("").exchange(request.as_bytes()).status, status, "{instead}");
    }
    let long = server.get(&format!("/socket.io/?EIO=4&transport=polling&t={}", "t".repeat(8_192)));
    assert_eq!(long.status, 414, "{long:?}");
    let many = (0..101).map(|n| format!("X-{n}: y\r\n")).collect::<String>();
    let many = server.ask("GET", "/socket.io/?EIO=4&transport=polling").header(many.trim()).send();
    assert_eq!(many.status, 431, "{many:?}");
    for path in ["/socket.io/x", "/socket.ioo", "/engine.io/", "/socket.io.js"] {
        let elsewhere = server.get(&format!("{path}?EIO=4&transport=polling"));
        assert_eq!(elsewhere.status, 404, "{path}");
    }
    assert_eq!(server.metric("bellwire_connections"), 1.0, "only the canary's");
    canary.sings();
}

#[test]
fn the_first_packet_is_exact() {
    let server = Server::start();
    let sid = |packet: &str| packet.split('"').nth(3).unwrap_or_default().to_owned();
    let packet = |sid: &str, upgrades: &str| {
        format!(
            r#"0{{"sid":"{sid}","upgrades":[{upgrades}],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}"#
        )
    };
    let mut sids = Vec::new();
    // Unknown parameters are nobody's business, and of one that comes twice the first counts.
    for query in ["", "&t=Pxyz", "&b64=1", "&j=0", "&foo=%00", "&transport=websocket", "&EIO=3"] {
        let target = format!("/socket.io/?EIO=4&transport=polling{query}");
        let response = server.get(&target);
        assert_eq!(response.status, 200, "{target}");
        guarded(&target, &response, "text/plain; charset=UTF-8");
        sids.push(sid(&response.body));
        assert_eq!(response.body, packet(&sids[sids.len() - 1], r#""websocket""#), "{target}");
        let target = format!("/socket.io/?EIO=4&transport=websocket{query}");
        let opened = server.dial(&target).open().text();
        sids.push(sid(&opened));
        assert_eq!(opened, packet(&sids[sids.len() - 1], ""), "{target}");
    }
    let is_sid = |sid: &String| {
        sid.len() == 20 && sid.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    assert!(sids.iter().all(is_sid), "{sids:?}");
    sids.sort();
    assert!(sids.is_sorted_by(|a, b| a < b), "two of one id: {sids:?}");
}

/// A session keeps to its transport, and to two methods.
#[test]
fn requests_that_a_session_does_not_take() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token("admin", &[]);
    for over in Over::BOTH {
        let mut session = server.socket_io().open(over);
        session.enter_as("/", &token.text);
        for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            refuses(method, &session.asks(method).send(), BAD);
        }
        let head = session.asks("HEAD").send();
        assert_eq!((head.status, &*head.body), (400, ""));
        // A socket is asked for, without an upgrade.
        let target = format!("/socket.io/?EIO=4&transport=websocket&sid={}", session.sid);
        refuses("no upgrade", &server.get(&target), BAD);
        if over == Over::Socket {
            refuses("a poll", &session.poll(), BAD);
            refuses("packets", &session.post(b"41"), BAD);
        }
        assert_eq!(session.told("/"), [""; 0], "{over:?}");
    }
    canary.sings();
}
