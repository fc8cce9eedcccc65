//! The console as it is served: what each file is, its version, what browsers must refuse in it, and
//! where it is found.

use crate::harness::{Dial, Response, Server};

/// Asks for a path with these headers, each with its line's end.
fn ask(server: &Server, method: &str, path: &str, headers: &str) -> Response {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
    );
    Dial::new(server.address(), path).exchange(request.as_bytes())
}

/// Every file, and how its text begins.
const FILES: [(&str, &str, &str); 22] = [
    ("/", "text/html; charset=utf-8", "<!doctype html>"),
    ("/websocket-test", "text/html; charset=utf-8", "<!doctype html>"),
    ("/websocket-test/", "text/html; charset=utf-8", "<!doctype html>"),
    ("/docs/WEBSOCKET_CLIENT_EXAMPLE.html", "text/html; charset=utf-8", "<!doctype html>"),
    ("/pair", "text/html; charset=utf-8", "<!doctype html>"),
    ("/pair/", "text/html; charset=utf-8", "<!doctype html>"),
    ("/screen", "text/html; charset=utf-8", "<!doctype html>"),
    ("/screen/", "text/html; charset=utf-8", "<!doctype html>"),
    ("/pairing", "text/html; charset=utf-8", "<!doctype html>"),
    ("/pairing/", "text/html; charset=utf-8", "<!doctype html>"),
    ("/console/vendor/lean-qr.js", "text/javascript; charset=utf-8", ""),
    ("/console/vendor/lean-qr.LICENSE.txt", "text/plain; charset=utf-8", ""),
    ("/console/index.html", "text/html; charset=utf-8", "<!doctype html>"),
    ("/console/main.js", "text/javascript; charset=utf-8", "// Begins"),
    ("/console/states/list.js", "text/javascript; charset=utf-8", "// The list"),
    ("/console/vendor/socket.io.js", "text/javascript; charset=utf-8", "/*!"),
    ("/console/style/base.css", "text/css; charset=utf-8", "/* Colours"),
    ("/console/vendor/uPlot.css", "text/css; charset=utf-8", ".uplot"),
    ("/console/icon.svg", "image/svg+xml", "<svg "),
    ("/console/vendor/htm.LICENSE.txt", "text/plain; charset=utf-8", ""),
    ("/clients/js/src/index.js", "text/javascript; charset=utf-8", "// What the package offers"),
    ("/clients/js/src/stream.js", "text/javascript; charset=utf-8", "// One live stream"),
];

#[test]
fn files_are_served_with_their_type_and_version() {
    let server = Server::with(&[]);
    for (path, media_type, begins) in FILES {
        let whole = ask(&server, "GET", path, "");
        assert_eq!((whole.status, whole.header("content-type")), (200, Some(media_type)), "{path}");
        assert!(whole.body.trim_start().starts_with(begins), "{path}: {:.40}", whole.body);
        assert_eq!(whole.header("content-length"), Some(&*whole.body.len().to_string()), "{path}");
        // A browser keeps it, and asks each time whether there is another.
        assert_eq!(whole.header("cache-control"), Some("no-cache"), "{path}");
        let tag = whole.header("etag").expect("it has a version").to_owned();

        let head = ask(&server, "HEAD", path, "");
        assert_eq!((head.status, &*head.body), (200, ""), "{path}");
        assert_eq!(head.header("etag"), Some(&*tag), "{path}");
        assert_eq!(head.header("content-length"), whole.header("content-length"), "{path}");
        for (seen, status) in [
            (tag.clone(), 304),
            (format!("\"other\", {tag}"), 304),
            (format!("W/{tag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            let again = ask(&server, "GET", path, &format!("If-None-Match: {seen}\r\n"));
            assert_eq!(again.status, status, "{path} with {seen}");
            assert_eq!(again.header("etag"), Some(&*tag), "{path} with {seen}");
            assert_eq!(again.body.is_empty(), status == 304, "{path} with {seen}");
        }
    }
}

#[test]
fn nothing_but_the_servers_own_runs_in_them() {
    let server = Server::with(&[]);
    for (path, ..) in FILES {
        let response = ask(&server, "GET", path, "");
        let policy = response.header("content-security-policy").expect("it has a policy");
        let rules: Vec<&str> = policy.split("; ").collect();
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(rules.contains(&rule), "{path}: {rule} is not in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        // The tester speaks with whatever server somebody names; all else speaks with its own.
        let elsewhere = path.starts_with("/websocket-test") || path.starts_with("/docs/");
        let http =
            rules.iter().any(|rule| rule.starts_with("connect-src") && rule.contains("http:"));
        assert_eq!(http, elsewhere, "{path}: {policy}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(response.header("referrer-policy"), Some("no-referrer"), "{path}");
    }
}

#[test]
fn nothing_else_is_served() {
    let server = Server::with(&[]);
    for path in [
        "/console",
        "/console/",
        "/console/missing.js",
        "/console/states",
        "/console/jsconfig.json",
        "/console/vendor/README.md",
        "/console/vendor/uPlot.d.ts",
        "/clients/js/src/",
        "/clients/js/src/events.d.ts",
        "/clients/js/src/missing.js",
        "/clients/js/src/../package.json",
        "/clients/js/src/%2e%2e/package.json",
        "/clients/js/src/..%2fpackage.json",
        "/clients/js/src/..%2ftest%2fscripted.mjs",
        "/clients/js/package.json",
        "/console/../tests/clients/document-000.js",
        "/console/%2e%2e/tests/clients/document-000.js",
        "/console/..%2ftests%2fclients%2fdocument-000.js",
        "/console/states%2f..%2f..%2ftests%2fclients%2fdocument-000.js",
        "/page.js",
        "/docs/",
    ] {
        assert_eq!(ask(&server, "GET", path, "").status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        for path in ["/", "/console/main.js", "/websocket-test/"] {
            let response = ask(&server, method, path, "Content-Length: 0\r\n");
            assert_eq!(response.status, 405, "{method} {path}: {}", response.body);
        }
    }
}
