//! HTTP, from the services' tables: every route that a service declares, served in one way.
//!
//! - A route names a command or a query; the same code serves sockets. Segments of the path, declared
//!   query parameters and the members of a JSON body are the call's fields.
//! - The credential is asked for before anything else is looked at, then the rights, then the body.
//! - Errors are RFC 9457 problems with a stable `code`; what a client sends is never answered with 5xx.
//! - What a GET shows has an `ETag`. A change of a thing that a GET shows at the same place honours
//!   `If-Match`, inside the transaction.
//!
//! Not here: what anything means.

mod answer;
pub mod body;
mod pattern;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, RawPathParams, Request, State},
    http::{Method as HttpMethod, StatusCode, header, request::Parts, uri::Authority},
    response::{IntoResponse, Response},
    routing::any,
};
use bellwire_services::kit::{Access, Code, Fault, Method, Payload, Principal, Role, Route};

use self::pattern::Pattern;
use crate::{
    door::{Call, Guests, Precondition},
    etag::Tags,
    net::{
        caller::{
            BAD_TICKET, FOREIGN_PAGE, From, GUESTS_ARE_LOCAL, GUESTS_PAGES, NO_CREDENTIAL, Shown,
            is_own_origin, only,
        },
        http::Site,
        limits::household,
        listen::Peer,
        problem::{self, problem},
        tries::Try,
    },
    opening::Credential,
};

/// Everything that is served at one path.
struct Place {
    routes: Vec<(Route, Pattern)>,
    /// The field by which a thing is found below, if this is a list: `id` for `/api/things/{id}`.
    below: Option<&'static str>,
}

impl Place {
    fn find(&self, method: &HttpMethod) -> Option<&(Route, Pattern)> {
        let wanted = match *method {
            HttpMethod::GET | HttpMethod::HEAD => Method::Get,
            HttpMethod::POST => Method::Post,
            HttpMethod::PUT => Method::Put,
            HttpMethod::PATCH => Method::Patch,
            HttpMethod::DELETE => Method::Delete,
            _ => return None,
        };
        self.routes.iter().find(|(route, _)| route.method == wanted)
    }

    /// The methods that there are, for `Allow`.
    fn allowed(&self) -> String {
        let names = self.routes.iter().map(|(route, _)| match route.method {
            Method::Get => "GET, HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        });
        names.chain(["OPTIONS"]).collect::<Vec<_>>().join(", ")
    }

    /// The query that shows the thing at this place, if it is one thing.
    fn shows(&self) -> Option<&'static str> {
        let (route, pattern) = self.find(&HttpMethod::GET)?;
        (!pattern.is_list()).then_some(route.call)
    }
}

/// Adds the services' routes.
pub fn add_routes(mut router: Router<Arc<Site>>, routes: &[Route]) -> Router<Arc<Site>> {
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for route in routes {
        let pattern = Pattern::parse(route.pattern);
        let place =
            places.entry(pattern.path.clone()).or_insert(Place { routes: Vec::new(), below: None });
        place.routes.push((*route, pattern));
    }
    let below = |list: &str| {
        let things = places.range(format!("{list}/{{")..).next();
        let found =
            things.filter(|(path, _)| path.rsplit_once('/').is_some_and(|(up, _)| up == list));
        // Where nothing is shown nothing is found.
        let (_, pattern) = found.and_then(|(_, place)| place.find(&HttpMethod::GET))?;
        Some(pattern.segments.last()?.name)
    };
    let below: Vec<_> = places.keys().map(|path| below(path)).collect();
    for ((path, mut place), below) in places.into_iter().zip(below) {
        place.below = below;
        let place = Arc::new(place);
        for path in [path.clone(), format!("{path}/")] {
            let place = place.clone();
            let serve = move |State(site): State<Arc<Site>>,
                              ConnectInfo(peer): ConnectInfo<Peer>,
                              params: Result<RawPathParams, _>,
                              request: Request| {
                let params =
                    params.map_err(|_: axum::extract::rejection::RawPathParamsRejection| ());
                async move { serve(&site, peer, &place, params, request).await }
            };
            router = router.route(&path, any(serve));
        }
    }
    router
}

async fn serve(
    site: &Site,
    peer: Peer,
    place: &Place,
    params: Result<RawPathParams, ()>,
    request: Request,
) -> Response {
    if request.method() == HttpMethod::OPTIONS {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, place.allowed())]).into_response();
    }
    let Some((route, pattern)) = place.find(request.method()) else {
        let why = "this path does not take this method; Allow lists those it takes";
        let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", why);
        let allowed = place.allowed().parse().expect("methods are a header value");
        response.headers_mut().insert(header::ALLOW, allowed);
        return response;
    };
    let (parts, body) = request.into_parts();
    let access = site.door.tables.access(route.call).unwrap_or(Access::Operator);
    let service = site.door.tables.service_of(route.call).unwrap_or_default();
    let caller = match admit(site, peer, (service, access), &parts).await {
        Ok(caller) => caller,
        Err(response) => return *response,
    };
    if let Some(response) = paced(site, route, &caller) {
        return *response;
    }
    let unheld = |field: &str| site.door.tables.unheld(route.call, field);
    let mut payload = match body::read(&parts, body, route.listed, unheld).await {
        Ok(payload) => payload,
        Err(response) => return *response,
    };
    let segments = params.ok().and_then(|params| {
        let mut segments = Payload::new();
        pattern.add_segments(params.iter(), &mut segments).map(|()| segments)
    });
    let Some(segments) = segments else { return answer::refused(&nothing_here(), &caller) };
    let added = add_path(route, &segments, &mut payload);
    if let Err(fault) = added.and_then(|()| add_head(&parts, pattern, &mut payload)) {
        return answer::refused(&fault, &caller);
    }
    let tried = match throttle(site, route, &caller, &payload) {
        Ok(tried) => tried,
        Err(response) => return *response,
    };
    let if_match = Tags::of(&parts.headers, header::IF_MATCH);
    let precondition = if_match.filter(|_| route.method != Method::Get).and_then(|if_match| {
        let query = route.changes.or_else(|| place.shows())?;
        Some(Precondition { query, payload: segments.clone(), if_match })
    });
    let (name, principal) = (route.call, caller.principal.clone());
    let origin = origin(&parts, caller.from);
    let call = Call { name, payload, principal, precondition, origin };
    let result = site.door.call(call).await;
    if let (Some(tried), Ok(_)) = (tried, &result) {
        site.tries.give_back(tried);
    }
    match result {
        Ok(answer) => answer::accepted(route, place, &parts, &caller, &answer),
        Err(fault) => answer::refused(&of_path(fault, pattern), &caller),
    }
}

/// The origin at which a request found this server; empty if it names none.
fn origin(parts: &Parts, from: From) -> String {
    let scheme = if from.tls { "https" } else { "http" };
    let host = only(&parts.headers, header::HOST);
    let host = host.filter(|host| !host.contains('@') && host.parse::<Authority>().is_ok());
    host.map_or_else(String::new, |host| format!("{scheme}://{host}"))
}

/// The refusal of an address that makes this call too often. A demo's callers are all of this machine.
fn paced(site: &Site, route: &Route, caller: &Caller) -> Option<Box<Response>> {
    site.limits.as_ref()?;
    let now_ms = site.door.clock.elapsed_ms();
    let taken = site.paces.take(route.call, caller.from.address, now_ms);
    taken.err().map(|retry_s| problem::limited(retry_s, "too often; try again later").into())
}

/// Who calls, and how they showed it.
pub struct Caller {
    principal: Arc<Principal>,
    from: From,
    /// Whether the session cookie said so.
    by_cookie: bool,
}

impl Caller {
    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }
}

/// Finds out who calls, and whether what they ask for, of this service, is for them.
///
/// # Errors
/// The response that refuses them.
pub async fn admit(
    site: &Site,
    peer: Peer,
    (service, access): (&str, Access),
    parts: &Parts,
) -> Result<Caller, Box<Response>> {
    let from = site.rules.from(peer.address, peer.tls, &parts.headers);
    let nobody = |by_cookie| Caller { principal: Arc::new(Principal::guest()), from, by_cookie };
    let foreign_guest = site.loopback_only && !is_own_origin(&parts.headers);
    let forbidden = |why| Box::new(problem::of(&Fault::new(Code::Forbidden, why)));
    if access == Access::Anyone {
        // Everybody knows the demo's passwords: pages from elsewhere must not use them.
        return if foreign_guest { Err(forbidden(GUESTS_ARE_LOCAL)) } else { Ok(nobody(false)) };
    }
    let (door, head) = (&site.door, (&parts.method, &parts.uri, &parts.headers));
    let unauthenticated = |why: &'static str, by_cookie| {
        let fault = Fault::new(Code::Unauthenticated, why);
        Box::new(answer::refused(&fault, &nobody(by_cookie)))
    };
    let shown = site.rules.shown(&door.keyring, door.clock.now(), from, head);
    let everywhere = door.guests == Guests::Everywhere;
    let is_open = access == Access::Caller && door.is_open(service);
    let guest = Credential::Guest(household(from.address));
    let (credential, by_cookie) = match shown {
        Shown::Token { claims, by_cookie } => (Credential::Token { jti: claims.jti }, by_cookie),
        Shown::Bad { why, by_cookie } => return Err(unauthenticated(why, by_cookie)),
        Shown::Nothing | Shown::Foreign if everywhere && foreign_guest => {
            return Err(forbidden(GUESTS_ARE_LOCAL));
        }
        Shown::Nothing | Shown::Foreign if access == Access::Visitor => return Ok(nobody(false)),
        Shown::Nothing | Shown::Foreign if everywhere => (guest, false),
        Shown::Nothing | Shown::Foreign if is_open => {
            let may_be_guest = || site.rules.may_be_guest(from, &parts.method, &parts.headers);
            if !door.tables.is_public(service) && !may_be_guest() {
                return Err(forbidden(GUESTS_PAGES));
            }
            (guest, false)
        }
        Shown::Foreign => return Err(forbidden(FOREIGN_PAGE)),
        Shown::Ticket(ticket) => match door.redeem(ticket).await {
            Ok(Some(credential)) => (credential, false),
            Ok(None) => return Err(unauthenticated(BAD_TICKET, false)),
            Err(fault) => return Err(problem::of(&fault).into()),
        },
        Shown::Nothing => return Err(unauthenticated(NO_CREDENTIAL, false)),
    };
    let principal = door.identify(&credential).await;
    let principal = principal.and_then(|who| access.check(&who).map(|()| who));
    match principal {
        Ok(principal) => Ok(Caller { principal, from, by_cookie }),
        Err(fault) => Err(Box::new(answer::refused(&fault, &nobody(by_cookie)))),
    }
}

/// Adds what the path says, which counts before the body unless the route refuses that.
fn add_path(route: &Route, segments: &Payload, payload: &mut Payload) -> Result<(), Fault> {
    for (name, value) in segments {
        let said = payload.insert(name.clone(), value.clone());
        if let Some(mismatch) = route.mismatch.filter(|_| said.is_some_and(|said| said != *value)) {
            return Err(mismatch());
        }
    }
    Ok(())
}

/// Adds what the head says: the query, and the key of a request that is repeated.
fn add_head(parts: &Parts, pattern: &Pattern, payload: &mut Payload) -> Result<(), Fault> {
    pattern.add_parameters(parts.uri.query().unwrap_or(""), payload)?;
    let name = header::HeaderName::from_static("idempotency-key");
    if parts.headers.contains_key(&name) {
        let key = only(&parts.headers, name).ok_or_else(|| {
            Fault::new(Code::Invalid, "Idempotency-Key: one, of visible ASCII characters")
        })?;
        // The header's draft has it in quotes; most clients leave them out.
        let bare = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
        payload.insert("idempotency_key".into(), bare.into());
    }
    Ok(())
}

/// Takes a try of a password, if the route wants one: of the account that is named, or the caller's own.
fn throttle(
    site: &Site,
    route: &Route,
    caller: &Caller,
    payload: &Payload,
) -> Result<Option<Try>, Box<Response>> {
    let Some(field) = route.guarded else { return Ok(None) };
    let account = match caller.principal.role {
        Role::Guest => {
            let name = payload.get(field).and_then(|name| name.as_str()).unwrap_or("");
            format!("login {}", name.to_ascii_lowercase())
        }
        // Under another name, which strangers cannot use up.
        _ => format!("own {}", caller.principal.id),
    };
    let now_ms = site.door.clock.elapsed_ms();
    let why = "too many tries of a password; try again later";
    let taken = site.tries.take(&account, caller.from.address, now_ms);
    taken.map(Some).map_err(|retry_s| problem::limited(retry_s, why).into())
}

fn nothing_here() -> Fault {
    Fault::new(Code::NotFound, "there is nothing here")
}

/// A segment of the path that no thing can be called by leads nowhere: 404 instead of 422.
fn of_path(fault: Fault, pattern: &Pattern) -> Fault {
    let is_named =
        |name: &str| fault.message.strip_prefix(name).is_some_and(|rest| rest.starts_with(": "));
    let about_path = pattern.segments.iter().any(|segment| is_named(segment.name));
    if fault.code == Code::Invalid && about_path {
        Fault::new(Code::NotFound, fault.message)
    } else {
        fault
    }
}
