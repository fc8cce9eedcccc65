//! Where a call is found over HTTP.

use bellwire_store::change::Fault;

/// The methods that change or read a resource (RFC 9110 section 9.3, RFC 5789).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes, or does.
    Post,
    /// Replaces.
    Put,
    /// Changes a part.
    Patch,
    /// Takes away.
    Delete,
}

/// What a call does with the session cookie of a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cookie {
    /// Nothing.
    #[default]
    Keep,
    /// It is set to the token in the reply.
    Set,
    /// It is set to the token in the reply where the caller's own came by cookie.
    Renew,
    /// It is taken away.
    Clear,
}

/// One way to call something over HTTP.
///
/// The pattern is a path, then the names of query parameters: `/api/things/{thing_id:int}?limit:int&from`.
/// What stands in braces, and the parameters, become fields of the request beside those of a JSON body;
/// `:int` are whole numbers, the others texts. A segment in the path that is no such number leads
/// nowhere (404).
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The pattern.
    pub pattern: &'static str,
    /// The status when all is well, unless the answer knows better: 200, 201 for POST, 204 for DELETE.
    pub status: u16,
    /// What becomes of the cookie.
    pub cookie: Cookie,
    /// Set if who calls it may be guessing a password: tries are counted, and soon refused. The field names
    /// the account where the caller is nobody yet.
    pub guarded: Option<&'static str>,
    /// How often an address may call it in a minute, if that is limited.
    pub per_minute: Option<u32>,
    /// Whether the reply holds a secret, and is not to be kept on its way.
    pub is_secret: bool,
    /// The query that shows what is changed, for `If-Match`, where that is not found at the same path. It takes
    /// the fields of the path.
    pub changes: Option<&'static str>,
    /// If set, the body may also be a JSON array; it is then taken as the value of this field.
    pub listed: Option<&'static str>,
    /// What refuses a body that gives a field of the path another value; `None`: the path counts.
    pub mismatch: Option<fn() -> Fault>,
    /// The list below which what it makes is found by its `id`, where that is not the path's own.
    pub found_in: Option<&'static str>,
    /// The call's name.
    pub call: &'static str,
}

impl Route {
    const fn new(method: Method, pattern: &'static str, status: u16) -> Route {
        Route {
            method,
            pattern,
            status,
            cookie: Cookie::Keep,
            guarded: None,
            per_minute: None,
            is_secret: false,
            changes: None,
            listed: None,
            mismatch: None,
            found_in: None,
            call: "",
        }
    }

    /// Reads what the pattern names.
    pub const fn get(pattern: &'static str) -> Route {
        Route::new(Method::Get, pattern, 200)
    }

    /// Makes something: 201.
    pub const fn post(pattern: &'static str) -> Route {
        Route::new(Method::Post, pattern, 201)
    }

    /// Replaces something.
    pub const fn put(pattern: &'static str) -> Route {
        Route::new(Method::Put, pattern, 200)
    }

    /// Changes something.
    pub const fn patch(pattern: &'static str) -> Route {
        Route::new(Method::Patch, pattern, 200)
    }

    /// Takes something away: 204.
    pub const fn delete(pattern: &'static str) -> Route {
        Route::new(Method::Delete, pattern, 204)
    }

    /// The same with another status.
    pub const fn status(self, status: u16) -> Route {
        Route { status, ..self }
    }

    /// The same for a call that tells whether a password is right: the caller's own, or that of the account
    /// in this field.
    pub const fn guarded(self, account: &'static str) -> Route {
        Route { guarded: Some(account), ..self }
    }

    /// The same for a call that strangers may make, so often in a minute from one address.
    pub const fn per_minute(self, limit: u32) -> Route {
        Route { per_minute: Some(limit), ..self }
    }

    /// The same for a call that changes what another query shows than that of its path.
    pub const fn changes(self, query: &'static str) -> Route {
        Route { changes: Some(query), ..self }
    }

    /// The same for a call that replies with a secret.
    pub const fn secret(self) -> Route {
        Route { is_secret: true, ..self }
    }

    /// The same for a call whose body may also be a list, which is this field then.
    pub const fn listed(self, field: &'static str) -> Route {
        Route { listed: Some(field), ..self }
    }

    /// The same for a call that is refused so if its body says otherwise than its path.
    pub const fn mismatch(self, fault: fn() -> Fault) -> Route {
        Route { mismatch: Some(fault), ..self }
    }

    /// The same for a call that makes what is found by its `id` below another path than this.
    pub const fn found_in(self, list: &'static str) -> Route {
        Route { found_in: Some(list), ..self }
    }

    /// The same with an effect on the cookie.
    pub const fn cookie(self, cookie: Cookie) -> Route {
        Route { cookie, ..self }
    }
}
