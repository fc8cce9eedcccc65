//! Who calls, as a request's head tells: address, origin, credential.
//!
//! - A credential that is there but no good is refused, never overlooked.
//! - A browser sends the cookie by itself, whatever page asks: so it counts only for pages of this
//!   server's own origin and of those that the operator lists. A token that a program sends by itself
//!   (header, query, ticket) needs no origin.
//! - The address is the peer's, unless the peer is a proxy that the operator trusts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, Method, Uri, header};
use bellwire_services::kit::{Claims, Micros};
use ipnet::IpNet;

use crate::credentials::Keyring;

/// The session cookie's name.
pub const COOKIE: &str = "bellwire_session";

/// What a caller without a credential is told where one is needed.
pub const NO_CREDENTIAL: &str = "authentication required";
/// What is said of a token that is no good.
pub const BAD_TOKEN: &str = "token invalid, expired or revoked";
/// What is said of a ticket that is no good.
pub const BAD_TICKET: &str = "ticket invalid, expired or used";
/// What is said of a cookie that a foreign page made the browser send.
pub const FOREIGN_PAGE: &str = "the session cookie is for pages of this server's own origin";
/// What a guest's page from elsewhere is told.
pub const GUESTS_ARE_LOCAL: &str = "guests come from this machine: the Origin must be loopback";
/// The same where a service is open to guests from anywhere.
pub const GUESTS_PAGES: &str = "guests' pages are this server's own, under an address or a name in `hosts`, or of a listed origin";

/// What the operator set about who may call, and from where.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Origins whose pages may use the session cookie, beside the server's own.
    pub origins: Vec<String>,
    /// The names that this server answers to, without port; none: any.
    pub hosts: Vec<String>,
    /// Proxies, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub proxies: Vec<IpNet>,
    /// Whether `/metrics` needs an admin's credential.
    pub metrics_closed: bool,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct From {
    /// The caller's address.
    pub address: IpAddr,
    /// Whether the caller's connection is encrypted.
    pub tls: bool,
}

/// Whose page sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    /// This server's: the origin is the scheme and the name by which it was asked.
    Own,
    /// One that the operator lists.
    Listed,
    /// Another's.
    Foreign,
}

/// The credential that a request shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown<'a> {
    /// None.
    Nothing,
    /// A token with a good signature.
    Token {
        /// What it says.
        claims: Claims,
        /// Whether it came as a cookie.
        by_cookie: bool,
    },
    /// A ticket, yet to be looked at.
    Ticket(&'a str),
    /// One that is no good.
    Bad {
        /// Why.
        why: &'static str,
        /// Whether it is the session cookie.
        by_cookie: bool,
    },
    /// A cookie that a page of a foreign origin made the browser send.
    Foreign,
}

impl Rules {
    /// Where a request came from: the peer, or, as far as trusted proxies tell, who is behind them.
    pub fn from(&self, peer: SocketAddr, tls: bool, headers: &HeaderMap) -> From {
        let is_proxy = |address: IpAddr| {
            let address = address.to_canonical();
            self.proxies.iter().any(|network| network.contains(&address))
        };
        let mut from = From { address: peer.ip().to_canonical(), tls };
        if !is_proxy(from.address) {
            return from;
        }
        // Each proxy adds whom it heard from at the end: what stands before an address that is no
        // proxy's, anybody can have written.
        let lists = headers.get_all("x-forwarded-for").iter().rev();
        let hops = lists.flat_map(|list| list.to_str().unwrap_or("").rsplit(','));
        for hop in hops {
            let Some(address) = hop_address(hop.trim()) else { break };
            from.address = address.to_canonical();
            if !is_proxy(from.address) {
                break;
            }
        }
        let proto = headers.get_all("x-forwarded-proto").iter().next_back();
        if let Some(proto) = proto.and_then(|proto| proto.to_str().ok()) {
            from.tls = proto.trim().eq_ignore_ascii_case("https");
        }
        from
    }

    /// Whether this server answers to that `Host`.
    pub fn is_host(&self, host: &str) -> bool {
        let name = without_port(host);
        self.hosts.is_empty() || self.hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether the origin is one of those that the operator lists.
    pub fn is_listed(&self, origin: &str) -> bool {
        self.origins.iter().any(|listed| listed == origin)
    }

    /// Whose page is behind a request, by its `Origin`; `None` if it has none.
    fn page(&self, from: From, headers: &HeaderMap) -> Option<Page> {
        if !headers.contains_key(header::ORIGIN) {
            return None;
        }
        let Some(origin) = only(headers, header::ORIGIN) else { return Some(Page::Foreign) };
        let scheme = if from.tls { "https" } else { "http" };
        let own = only(headers, header::HOST).map(|host| format!("{scheme}://{host}"));
        Some(match own {
            _ if self.is_listed(origin) => Page::Listed,
            Some(own) if own.eq_ignore_ascii_case(origin) => Page::Own,
            _ => Page::Foreign,
        })
    }

    /// Whether somebody without a credential may be a guest of a service that is open: a program, or a page of this
    /// server or of a listed origin. A page of elsewhere must not reach a house by the browser of somebody in it; nor
    /// may it have itself taken for the server's own, by a name of its own that leads here (DNS rebinding). So the
    /// server's own pages are those under a name that it is known by, or that nobody elsewhere can have.
    pub fn may_be_guest(&self, from: From, method: &Method, headers: &HeaderMap) -> bool {
        let is_known = |host: &str| !self.hosts.is_empty() || is_local_host(host);
        match self.page(from, headers) {
            Some(Page::Listed) => true,
            Some(Page::Own) => only(headers, header::HOST).is_some_and(is_known),
            Some(Page::Foreign) => false,
            // Browsers leave the origin out where a page reads from what it takes for its own server, and old ones
            // where it sends a form; those that say where from are believed.
            None => {
                let is_read = matches!(*method, Method::GET | Method::HEAD);
                let site = headers.get("sec-fetch-site");
                only(headers, header::HOST).is_some_and(is_known)
                    && (is_read || site.is_none_or(|site| site == "same-origin" || site == "none"))
            }
        }
    }

    /// Whether the page behind a request may use the cookie: its origin is this server's own or a listed
    /// one. Browsers leave the origin out where a page reads from its own server, and say so
    /// (`Sec-Fetch-Site`), or where a person typed the address.
    fn is_own_page(&self, from: From, method: &Method, headers: &HeaderMap) -> bool {
        if let Some(page) = self.page(from, headers) {
            return page != Page::Foreign;
        }
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or("")) {
            _ if headers.contains_key(header::UPGRADE) => false,
            Some("same-origin") => true,
            // Over plain HTTP browsers say neither. A page of another origin cannot read the answer, and
            // reading changes nothing.
            Some("none") | None => reads,
            Some(_) => false,
        }
    }

    /// The credential of a request.
    pub fn shown<'a>(
        &self,
        keyring: &Keyring,
        now: Micros,
        from: From,
        (method, uri, headers): (&Method, &'a Uri, &HeaderMap),
    ) -> Shown<'a> {
        let verified = |token: &str, by_cookie| match keyring.verify(token, now) {
            Some(claims) => Shown::Token { claims, by_cookie },
            None => Shown::Bad { why: BAD_TOKEN, by_cookie },
        };
        if headers.contains_key(header::AUTHORIZATION) {
            // One of another scheme is a credential too, and no good one; so are two.
            let bearer = only(headers, header::AUTHORIZATION)
                .and_then(|value| value.split_once(' '))
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            return match bearer {
                Some((_, token)) => verified(token.trim_start(), false),
                None => {
                    let why = "the Authorization header must be Bearer with a token";
                    Shown::Bad { why, by_cookie: false }
                }
            };
        }
        if let Some(token) = parameter(uri, "token") {
            return verified(token, false);
        }
        if let Some(ticket) = parameter(uri, "ticket") {
            return Shown::Ticket(ticket);
        }
        if parameter(uri, "auth") == Some("message") {
            // It is yet to come: a cookie that the browser adds to every request is not meant.
            return Shown::Nothing;
        }
        match cookie(headers) {
            Cookies::None => Shown::Nothing,
            _ if !self.is_own_page(from, method, headers) => Shown::Foreign,
            Cookies::One(token) => verified(token, true),
            Cookies::Many => {
                let why = "two session cookies came; sign in again";
                Shown::Bad { why, by_cookie: true }
            }
        }
    }
}

/// An address as proxies write it: plain, with a port, an IPv6 address in brackets.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.unwrap_or(hop).parse().ok().or_else(with_port)
}

enum Cookies<'a> {
    None,
    One(&'a str),
    Many,
}

/// The session cookie among all cookies (RFC 6265 section 4.2).
fn cookie(headers: &HeaderMap) -> Cookies<'_> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim());
    match (values.next(), values.next()) {
        (None, _) => Cookies::None,
        (Some(value), None) => Cookies::One(value),
        (Some(_), Some(_)) => Cookies::Many,
    }
}

/// A query parameter. Tokens, tickets and cursors consist of characters that need no escape.
pub fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The value of a header that occurs exactly once.
pub fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether a guest's page is one of this machine: a page from elsewhere in the same browser must
/// not reach the demo. No Origin is no browser. `null` is refused: any site can have it, in a
/// sandboxed frame.
pub fn is_own_origin(headers: &HeaderMap) -> bool {
    if !headers.contains_key(header::ORIGIN) {
        return true;
    }
    let Some(origin) = only(headers, header::ORIGIN) else { return false };
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(is_loopback_host)
}

/// Whether a Host (or an Origin's) names this machine, with or without a port.
pub fn is_loopback_host(host: &str) -> bool {
    matches!(without_port(host), "localhost" | "127.0.0.1" | "[::1]")
}

/// What names of house networks end with: nobody can register them (RFC 6761, 6762, 8375; ICANN's `.internal`).
const LOCAL_ENDS: [&str; 5] = ["localhost", "local", "home.arpa", "internal", "lan"];

/// Whether a Host is an address, or a name that means something in the own network alone, with or without a port.
fn is_local_host(host: &str) -> bool {
    let name = without_port(host).to_ascii_lowercase();
    let bracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_address = match bracketed {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<Ipv4Addr>().is_ok(),
    };
    let ends = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
    let is_word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    // Browsers take a number for an address.
    let is_word = is_word && !name.starts_with(|c: char| c.is_ascii_digit());
    is_address || is_word || LOCAL_ENDS.iter().any(|end| ends(end))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn whom_a_proxy_speaks_for() {
        let proxies: Vec<IpNet> =
            ["10.0.0.0/8", "127.0.0.1/32"].map(|net| net.parse().expect("a network")).into();
        let rules = Rules { proxies, ..Rules::default() };
        let check = |peer: &str, lists: &[&str], expected: &str| {
            let lines: Vec<_> = lists.iter().map(|list| ("x-forwarded-for", *list)).collect();
            let peer = SocketAddr::new(peer.parse().expect("an address"), 1);
            let from = rules.from(peer, false, &headers(&lines));
            assert_eq!(from.address.to_string(), expected, "{peer} {lists:?}");
        };
        check("192.0.2.1", &[], "192.0.2.1");
        check("192.0.2.1", &["203.0.113.9"], "192.0.2.1");
        check("10.1.1.1", &[], "10.1.1.1");
        check("10.1.1.1", &["203.0.113.9"], "203.0.113.9");
        check("10.1.1.1", &["1.1.1.1, 203.0.113.9"], "203.0.113.9");
        check("10.1.1.1", &["1.1.1.1", "203.0.113.9"], "203.0.113.9");
        check("10.1.1.1", &["203.0.113.9, 10.2.2.2"], "203.0.113.9");
        check("10.1.1.1", &["10.3.3.3, 10.2.2.2"], "10.3.3.3");
        check("10.1.1.1", &["203.0.113.9, what"], "10.1.1.1");
        check("10.1.1.1", &["203.0.113.9:4711"], "203.0.113.9");
        check("10.1.1.1", &["[2001:db8::1]:4711"], "2001:db8::1");
        check("10.1.1.1", &["[2001:db8::1]"], "2001:db8::1");
        check("::ffff:127.0.0.1", &["203.0.113.9"], "203.0.113.9");
        check("10.1.1.1", &[""], "10.1.1.1");
    }

    #[test]
    fn whether_the_caller_is_encrypted() {
        let rules =
            Rules { proxies: vec!["10.0.0.0/8".parse().expect("a network")], ..Rules::default() };
        let check = |peer: &str, tls, proto: &str, expected| {
            let peer = SocketAddr::new(peer.parse().expect("an address"), 1);
            let lines: &[_] = if proto.is_empty() { &[] } else { &[("x-forwarded-proto", proto)] };
            assert_eq!(rules.from(peer, tls, &headers(lines)).tls, expected, "{peer} {proto}");
        };
        check("192.0.2.1", false, "https", false);
        check("192.0.2.1", true, "http", true);
        check("10.0.0.1", false, "https", true);
        check("10.0.0.1", true, "http", false);
        check("10.0.0.1", true, "", true);
    }

    #[test]
    fn whose_page_may_use_the_cookie() {
        let rules = Rules { origins: vec!["https://app.example".into()], ..Rules::default() };
        let check = |lines: &[(&'static str, &str)], tls, reads: bool, writes: bool| {
            let from = From { address: [127, 0, 0, 1].into(), tls };
            let headers = headers(lines);
            let own = |method| rules.is_own_page(from, &method, &headers);
            assert_eq!((own(Method::GET), own(Method::POST)), (reads, writes), "{lines:?}");
        };
        let host = ("host", "home.example:8080");
        check(&[host], false, true, false);
        check(&[host, ("upgrade", "websocket")], false, false, false);
        check(&[host, ("origin", "http://home.example:8080")], false, true, true);
        check(&[host, ("origin", "http://HOME.example:8080")], false, true, true);
        check(&[host, ("origin", "http://home.example:8080")], true, false, false);
        check(&[host, ("origin", "https://home.example:8080")], true, true, true);
        check(&[host, ("origin", "http://home.example")], false, false, false);
        check(&[host, ("origin", "http://home.example:8080.evil.example")], false, false, false);
        check(&[host, ("origin", "https://app.example")], false, true, true);
        check(&[host, ("origin", "https://app.example/")], false, false, false);
        check(&[host, ("origin", "https://evil.app.example")], false, false, false);
        check(&[host, ("origin", "null")], false, false, false);
        check(&[host, ("origin", "")], false, false, false);
        let two = [host, ("origin", "https://app.example"), ("origin", "https://evil.example")];
        check(&two, false, false, false);
        check(&[host, ("sec-fetch-site", "same-origin")], false, true, true);
        check(&[host, ("sec-fetch-site", "none")], false, true, false);
        check(&[host, ("sec-fetch-site", "same-site")], false, false, false);
        check(&[host, ("sec-fetch-site", "cross-site")], false, false, false);
        check(
            &[host, ("sec-fetch-site", "same-origin"), ("upgrade", "websocket")],
            false,
            false,
            false,
        );
        let evil = [host, ("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")];
        check(&evil, false, false, false);
    }

    #[test]
    fn whose_page_may_be_a_guests() {
        let rules = |hosts: &[&str]| Rules {
            origins: vec!["https://app.example".into()],
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            ..Rules::default()
        };
        let from = From { address: [192, 0, 2, 1].into(), tls: false };
        let check = |hosts: &[&str], lines: &[(&'static str, &str)], reads: bool, writes: bool| {
            let headers = headers(lines);
            let may = |method| rules(hosts).may_be_guest(from, &method, &headers);
            assert_eq!(
                (may(Method::GET), may(Method::POST)),
                (reads, writes),
                "{hosts:?} {lines:?}"
            );
        };
        let lan = ("host", "192.168.1.10:8080");
        // A board sends none of it, and a person types the address.
        check(&[], &[lan], true, true);
        check(&[], &[lan, ("sec-fetch-site", "none")], true, true);
        check(&[], &[lan, ("sec-fetch-site", "same-origin")], true, true);
        check(&[], &[lan, ("sec-fetch-site", "cross-site")], true, false);
        check(&[], &[lan, ("sec-fetch-site", "same-site")], true, false);
        check(&[], &[lan, ("origin", "http://192.168.1.10:8080")], true, true);
        check(&[], &[lan, ("origin", "https://app.example")], true, true);
        for foreign in
            ["http://192.168.1.10", "https://192.168.1.10:8080", "http://evil.example", "null", ""]
        {
            check(&[], &[lan, ("origin", foreign)], false, false);
        }
        check(&[], &[lan, ("origin", "https://app.example"), ("origin", "null")], false, false);
        // By a name of its own a page of elsewhere has what looks like the server's origin.
        let rebound = [("host", "evil.example"), ("origin", "http://evil.example")];
        check(&[], &rebound, false, false);
        let named = [("host", "home.example"), ("origin", "http://home.example")];
        check(&[], &named, false, false);
        check(&["home.example"], &named, true, true);
        check(&[], &[("host", "bellwire.local"), ("origin", "http://bellwire.local")], true, true);
    }

    #[test]
    fn hosts_of_a_house() {
        let house =
            ["192.168.1.10", "10.0.0.1:8080", "[fe80::1]:8080", "[::1]", "localhost", "bellwire"];
        let names =
            ["nas:80", "BELLWIRE.local", "a.lan", "a.b.home.arpa", "a.internal", "a.localhost"];
        for host in house.into_iter().chain(names) {
            assert!(is_local_host(host), "{host}");
        }
        for host in [
            "",
            ".",
            ":80",
            "home.example",
            "evil.example:8080",
            "192.168.1.10.evil.example",
            "local.example",
            "xlocal.",
            "a.local.",
            "2130706433",
            "127.1",
            "0x7f000001",
            "[::1",
            "a b",
            "a_b@c",
            "[evil.example]",
        ] {
            assert!(!is_local_host(host), "{host}");
        }
    }

    #[test]
    fn the_session_cookie_among_others() {
        let check = |lines: &[&str], expected: Option<&str>| {
            let lines: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
            let headers = headers(&lines);
            let found = match cookie(&headers) {
                Cookies::None => None,
                Cookies::One(value) => Some(value),
                Cookies::Many => Some("many"),
            };
            assert_eq!(found, expected, "{lines:?}");
        };
        check(&[], None);
        check(&["a=b; bellwire_session=x.y.z; c=d"], Some("x.y.z"));
        check(&["bellwire_session=x"], Some("x"));
        check(&["a=b", "bellwire_session=x"], Some("x"));
        check(&["xbellwire_session=x; bellwire_sessions=y"], None);
        check(&["bellwire_session=x; bellwire_session=y"], Some("many"));
        check(&["bellwire_session=x", "bellwire_session=x"], Some("many"));
        check(&["bellwire_session="], Some(""));
    }

    #[test]
    fn names_that_the_server_answers_to() {
        let rules =
            Rules { hosts: vec!["home.example".into(), "[::1]".into()], ..Rules::default() };
        for host in ["home.example", "HOME.example:80", "[::1]:8080", "[::1]"] {
            assert!(rules.is_host(host), "{host}");
        }
        for host in ["", "evil.example", "home.example.evil", "home.example:x", "[::2]"] {
            assert!(!rules.is_host(host), "{host}");
        }
        assert!(Rules::default().is_host("anything"));
    }

    #[test]
    fn query_parameters() {
        let uri: Uri = "/api/ws?a=1&since=e.7&token=x.y-z_&since=later".parse().unwrap();
        assert_eq!(parameter(&uri, "since"), Some("e.7"));
        assert_eq!(parameter(&uri, "token"), Some("x.y-z_"));
        assert_eq!(parameter(&uri, "tok"), None);
        assert_eq!(parameter(&"/api/ws".parse().unwrap(), "since"), None);
    }

    #[test]
    fn hosts_of_this_machine() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "[::1]"] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com:80",
            "evil:8080@localhost",
            "::1",
            "localhost:x",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
