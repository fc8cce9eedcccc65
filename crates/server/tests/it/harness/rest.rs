//! Requests of REST.

use std::{net::SocketAddr, sync::Arc};

use rustls::ClientConfig;
use serde_json::Value;

use super::{Dial, Response};

/// A request to be sent.
#[derive(Debug, Clone)]
pub struct Ask {
    dial: Dial,
    method: String,
    path: String,
    host: String,
    headers: String,
    body: Vec<u8>,
}

impl Ask {
    /// A request without credential, origin and body.
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Ask {
        Ask {
            dial: Dial::new(address, path),
            method: method.to_owned(),
            path: path.to_owned(),
            host: "localhost".to_owned(),
            headers: String::new(),
            body: Vec::new(),
        }
    }

    /// From 127.0.0.`host`: limits count by address.
    pub fn from(self, host: u8) -> Ask {
        Ask { dial: self.dial.from(host), ..self }
    }

    /// Over TLS.
    pub fn tls(self, config: &Arc<ClientConfig>) -> Ask {
        Ask { dial: self.dial.tls(config), ..self }
    }

    /// To this name of the server, instead of `localhost`.
    pub fn host(self, host: &str) -> Ask {
        Ask { host: host.to_owned(), ..self }
    }

    /// With this header.
    pub fn header(mut self, line: &str) -> Ask {
        self.headers += &format!("{line}\r\n");
        self
    }

    /// With this token in the Authorization header.
    pub fn bearer(self, token: &str) -> Ask {
        self.header(&format!("Authorization: Bearer {token}"))
    }

    /// With this token as the session cookie, from a page of the server's own origin.
    pub fn cookie(self, token: &str) -> Ask {
        let origin = format!("Origin: http://{}", self.host);
        self.header(&format!("Cookie: bellwire_session={token}")).header(&origin)
    }

    /// With this JSON as the body.
    pub fn json(self, body: &Value) -> Ask {
        self.header("Content-Type: application/json").body(body.to_string().as_bytes())
    }

    /// With these bytes as the body.
    pub fn body(mut self, body: &[u8]) -> Ask {
        self.body = body.to_vec();
        self
    }

    /// Sends it, and gives what is answered.
    pub fn send(&self) -> Response {
        let Ask { method, path, host, headers, body, .. } = self;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.dial.exchange(&[head.as_bytes(), body].concat())
    }

    /// Sends it; the answer must have this status, and is JSON, or nothing (`null`).
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        let response = self.send();
        assert_eq!(response.status, status, "{} {}: {response:?}", self.method, self.path);
        response.json()
    }

    /// Sends it; it must be refused with this status, as a problem with this code (RFC 9457).
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Response {
        let response = self.send();
        let told = format!("{} {}: {response:?}", self.method, self.path);
        assert_eq!(response.status, status, "{told}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"), "{told}");
        let problem = response.json();
        assert_eq!(
            (&problem["status"], &problem["code"]),
            (&status.into(), &code.into()),
            "{told}"
        );
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{told}");
        response
    }
}
