//! Manages projects and money: `/v1/me`, `/v1/sessions`, `/v1/catalogue`, `/v1/projects`, `/v1/billing`, and for operators
//! accounts and their credits.

mod account;
mod allocate;
mod body;
mod catalogue;
mod change;
mod create;
mod credit;
mod entries;
mod find;
mod follow;
mod grants;
mod logins;
mod me;
mod spending;
mod view;
mod whose;

use faregate_domain::{ledger::Declined, scope::Scope};
use faregate_edge::{input, problem::Problem};
use faregate_gate::{
    Caller, Gate, Services, Tally,
    management::{Refusal, respond},
    refusal::dollars,
};
use lambda_http::{Body, Request, Response, http::Method};

/// The billing function; cheap to clone.
#[derive(Clone)]
pub struct App {
    gate: Gate,
}

impl App {
    /// The function over ready services.
    #[must_use]
    pub fn new(services: Services) -> Self {
        Self { gate: Gate::new(services) }
    }

    /// Answers one request; every failure is a problem document.
    pub async fn handle(&self, mut request: Request) -> Response<Body> {
        Tally::attach(&mut request);
        respond(&request, self.route(&request).await, self.services().config.policy.dialect())
    }

    async fn route(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let place = Place::of(input::path(request)).ok_or_else(Problem::not_found)?;
        match (place, request.method()) {
            (Place::Me, &Method::GET) => self.me(request).await,
            (Place::Logins, &Method::GET) => self.logins(request).await,
            (Place::Logins, &Method::DELETE) => self.end_other_logins(request).await,
            (Place::Login(id), &Method::DELETE) => self.end_login(request, id).await,
            (Place::Catalogue, &Method::GET) => self.catalogue(request).await,
            (Place::Projects, &Method::GET) => self.list(request).await,
            (Place::Projects, &Method::POST) => self.create(request).await,
            (Place::Project(id), &Method::GET) => self.read(request, id).await,
            (Place::Project(id), &Method::PATCH) => self.change(request, id).await,
            (Place::Allocations(id), &Method::POST) => self.allocate(request, id).await,
            (Place::Billing, &Method::GET) => self.spending(request).await,
            (Place::Entries, &Method::GET) => self.entries(request).await,
            (Place::Account(id), &Method::GET) => self.account(request, id).await,
            (Place::Account(id), &Method::PATCH) => self.change_account(request, id).await,
            (Place::Credits(id), &Method::POST) => self.credit(request, id).await,
            (place, _) => Err(Problem::method_not_allowed(place.methods()).into()),
        }
    }

    fn services(&self) -> &Services {
        self.gate.services()
    }

    async fn authenticate(&self, request: &Request, scope: &str) -> Result<Caller, Refusal> {
        let Ok(scope) = Scope::parse(scope) else { unreachable!("two words and a colon are a scope") };
        Ok(self.gate.authenticate(request, &scope).await?)
    }
}

/// One of this function's places, with the id in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'p> {
    Me,
    Logins,
    Login(&'p str),
    Catalogue,
    Projects,
    Project(&'p str),
    Allocations(&'p str),
    Billing,
    Entries,
    Account(&'p str),
    Credits(&'p str),
}

impl<'p> Place<'p> {
    fn of(path: &'p str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
        Some(match *segments.as_slice() {
            ["me"] => Self::Me,
            ["sessions"] => Self::Logins,
            ["sessions", id] if !id.is_empty() => Self::Login(id),
            ["catalogue"] => Self::Catalogue,
            ["projects"] => Self::Projects,
            ["projects", id] if !id.is_empty() => Self::Project(id),
            ["projects", id, "allocations"] if !id.is_empty() => Self::Allocations(id),
            ["billing"] => Self::Billing,
            ["billing", "entries"] => Self::Entries,
            ["accounts", id] if !id.is_empty() => Self::Account(id),
            ["accounts", id, "credits"] if !id.is_empty() => Self::Credits(id),
            _ => return None,
        })
    }

    fn methods(self) -> &'static str {
        match self {
            Self::Me | Self::Catalogue | Self::Billing | Self::Entries => "GET",
            Self::Logins => "GET, DELETE",
            Self::Login(_) => "DELETE",
            Self::Projects => "GET, POST",
            Self::Project(_) | Self::Account(_) => "GET, PATCH",
            Self::Allocations(_) | Self::Credits(_) => "POST",
        }
    }
}

/// Refuses keys what only the account's owner may do, whatever scopes they hold.
fn require_session(caller: &Caller) -> Result<(), Problem> {
    match caller.key() {
        None => Ok(()),
        Some(_) => Err(Problem::new(403, "session_required", "Only the signed-in owner can do this; a key cannot.")),
    }
}

/// Money that stays where it is, as a problem.
fn declined(declined: Declined) -> Problem {
    match declined {
        Declined::Insufficient { available } => {
            let detail = "The account's wallet has not so much that is allocated to no project.";
            Problem::new(402, "insufficient_credits", detail)
                .with_member("limit_source", "account")
                .with_member("available_usd", dollars(available))
        }
        Declined::Granted { available } => {
            let detail = "The project has not so much that is neither spent nor granted to its keys.";
            Problem::new(409, "allocation_exceeded", detail).with_member("available_usd", dollars(available))
        }
        Declined::TooMuch => Problem::new(409, "balance_exceeded", "A wallet holds at most one billion dollars."),
    }
}

const PROJECTS_READ: &str = "projects:read";
const PROJECTS_WRITE: &str = "projects:write";
const BILLING_READ: &str = "billing:read";

#[cfg(test)]
mod tests;
