//! The console: the pages that this server shows to people. What is in the repository's folder `console`
//! is served as it lies there, under `/console/`, and the client in JavaScript that it is built on under
//! `/clients/js/src/`: so its modules find each other here as they do in the repository. A release binary
//! has the files inside, a debug build reads them from the folders.

use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::{etag::Tags, net::problem};

#[derive(RustEmbed)]
#[folder = "../../console"]
struct Files;

#[derive(RustEmbed)]
#[folder = "../../clients/js/src"]
struct Client;

/// Where the console is, beside `/`: where an admin approves what a screen shows, and what screens show, at the
/// place that document 001 names too.
const CONSOLE: [&str; 6] = ["/pair", "/pair/", "/screen", "/screen/", "/pairing", "/pairing/"];
/// Where the protocol tester is: the places that documents 001 and 002 name.
const TESTER: [&str; 3] =
    ["/websocket-test", "/websocket-test/", "/docs/WEBSOCKET_CLIENT_EXAMPLE.html"];

/// The console talks to its own server; `'self'` alone leaves WebSockets out in older browsers.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
/// The tester also talks to any other server that somebody names.
const TESTER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                             connect-src 'self' ws: wss: http: https:; base-uri 'none'; \
                             form-action 'none'; frame-ancestors 'none'";

/// Adds the console's pages and its files.
pub fn add_routes<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    let router = router.route(
        "/console/{*path}",
        get(async |Path(path): Path<String>, headers: HeaderMap| {
            file::<Files>(&path, POLICY, &headers)
        }),
    );
    let router = router.route(
        "/clients/js/src/{*path}",
        get(async |Path(path): Path<String>, headers: HeaderMap| {
            file::<Client>(&path, POLICY, &headers)
        }),
    );
    let router = CONSOLE.iter().fold(router, |router, place| {
        router.route(place, get(async |headers: HeaderMap| index(&headers)))
    });
    TESTER.iter().fold(router, |router, place| {
        router.route(
            place,
            get(async |headers: HeaderMap| file::<Files>("index.html", TESTER_POLICY, &headers)),
        )
    })
}

/// The document of all pages.
pub fn index(headers: &HeaderMap) -> Response {
    file::<Files>("index.html", POLICY, headers)
}

/// What a file is, by its ending; `None`: it is not for browsers.
fn media_type(path: &str) -> Option<&'static str> {
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

/// A file with its version. Browsers keep it, and ask each time whether there is another: all files of a
/// page are of the same version of the server.
fn file<Folder: RustEmbed>(path: &str, policy: &'static str, headers: &HeaderMap) -> Response {
    let found = media_type(path).and_then(|media_type| Some((media_type, Folder::get(path)?)));
    let Some((media_type, found)) = found else {
        return problem::problem(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here");
    };
    let tag = version(&found);
    let common: [(HeaderName, &str); 5] = [
        (header::ETAG, &tag),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    if Tags::of(headers, header::IF_NONE_MATCH).is_some_and(|tags| tags.is_named(&tag)) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let bytes = match found.data {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
    };
    (common, [(header::CONTENT_TYPE, media_type)], bytes).into_response()
}

/// A strong tag, from the digest of the file.
fn version(file: &EmbeddedFile) -> String {
    let digits: String =
        file.metadata.sha256_hash()[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_type_or_is_for_developers() {
        for (files, served_min) in
            [(Files::iter().collect::<Vec<_>>(), 20), (Client::iter().collect(), 10)]
        {
            let mut served = 0;
            for path in files {
                let for_developers =
                    path.ends_with(".md") || path.ends_with(".d.ts") || path == "jsconfig.json";
                assert!(media_type(&path).is_some() != for_developers, "{path}");
                served += usize::from(!for_developers);
            }
            assert!(served > served_min, "{served}");
        }
    }
}
