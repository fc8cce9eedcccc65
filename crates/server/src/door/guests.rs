//! Who is let in without a credential, and where.

use bellwire_services::kit::{Access, Code, Fault, Principal, Role};

use super::{Door, Hears};
use crate::{audience::Audience, config::OpenTo, net::caller::NO_CREDENTIAL};

/// Where callers without a credential are admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guests {
    /// Nowhere.
    Nowhere,
    /// To these services, from anywhere, and to nothing else.
    To(Vec<&'static str>),
    /// Everywhere, from this machine: the demo.
    Everywhere,
}

impl Guests {
    /// To those of these services that are open.
    pub fn of_open(services: &[(&'static str, OpenTo)]) -> Guests {
        let open = services.iter().filter(|(_, to)| *to == OpenTo::Anyone);
        let open: Vec<&'static str> = open.map(|(service, _)| *service).collect();
        if open.is_empty() { Guests::Nowhere } else { Guests::To(open) }
    }
}

impl Door {
    /// Whether callers without a credential are admitted to this service.
    pub fn admits_guests(&self, service: &str) -> bool {
        match &self.guests {
            Guests::Nowhere => false,
            Guests::To(services) => services.contains(&service),
            Guests::Everywhere => true,
        }
    }

    /// Whether that is so as the service is open, from anywhere.
    pub fn is_open(&self, service: &str) -> bool {
        self.guests != Guests::Everywhere && self.admits_guests(service)
    }

    /// What a principal that comes with this wish listens to, and the names of that in a namespace.
    ///
    /// # Errors
    /// When it is not let in, or a name means nothing.
    pub(super) fn heard_by(
        &self,
        hears: &Hears,
        principal: &Principal,
    ) -> Result<(Audience, Option<Vec<String>>), Fault> {
        let service = match hears {
            Hears::Stream(tuning) => Some(self.tables.streams[tuning.stream].service),
            Hears::Named(space, _) | Hears::Unasked(space) => {
                self.tables.spaces[usize::from(*space)].service()
            }
        };
        let is_let_in = match service {
            Some(service) => self.admits_guests(service),
            None => self.guests == Guests::Everywhere,
        };
        if principal.role == Role::Guest && !is_let_in {
            return Err(Fault::new(Code::Unauthenticated, NO_CREDENTIAL));
        }
        self.tables.heard_by(hears, principal)
    }

    /// Whether this caller may make a call of this service that is for these. A guest of one service is nobody to
    /// the others, by whichever way the call comes.
    ///
    /// # Errors
    /// As [`Access::check`].
    pub(super) fn check_access(
        &self,
        service: &str,
        access: Access,
        principal: &Principal,
    ) -> Result<(), Fault> {
        access.check(principal)?;
        let is_guests = principal.role != Role::Guest
            || access != Access::Caller
            || self.admits_guests(service);
        match is_guests {
            true => Ok(()),
            false => Err(Fault::new(Code::Unauthenticated, NO_CREDENTIAL)),
        }
    }
}
