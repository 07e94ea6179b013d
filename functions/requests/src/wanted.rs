//! What is asked for: whose requests, narrowed to what, and when; and what of that the caller may be shown.

use faregate_domain::{
    books::{InvalidSpan, Span},
    cell::CellId,
    id::{AccountId, KeyId, ProjectId},
    policy::Policy,
    time::Timestamp,
};
use faregate_edge::{page, problem::Problem};
use faregate_gate::{Caller, management::Refusal};
use faregate_store::{RowFilter, RowSource};
use lambda_http::Request;

use crate::App;

/// What requests are narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    account: Option<AccountId>,
    key: Option<KeyId>,
    /// Beside the account, all that a row says of itself.
    pub(crate) filter: RowFilter,
}

impl Wanted {
    pub(crate) fn of(request: &Request, policy: &Policy) -> Result<Self, Problem> {
        let account = parsed(request, "account_id", "the id of an account", |text| AccountId::parse(text).ok())?;
        let key = parsed(request, "key_id", "the id of a key", |text| KeyId::parse(text).ok())?;
        let project = parsed(request, "project_id", "the id of a project", |text| ProjectId::parse(text).ok())?;
        let environment = page::parameter(request, "environment")?;
        if environment.as_ref().is_some_and(|name| policy.find_environment(name).is_none()) {
            return Err(Problem::invalid_field("environment", "is no environment of this API"));
        }
        let route = parsed(request, "route", "a method and a path, GET /demo/free", |text| {
            let is_route = text.split(' ').count() <= 2 && text.split(' ').all(is_word);
            (is_route && text.len() <= MAX_ROUTE_BYTES).then(|| text.to_owned())
        })?;
        let code = parsed(request, "code", "a code, such as ok", |text| {
            (is_word(text) && text.len() <= MAX_CODE_BYTES).then(|| text.to_owned())
        })?;
        Ok(Self { account, key, filter: RowFilter { project, environment, route, code } })
    }

    /// Whether calls of that cell, on that route and under that code, are wanted.
    pub(crate) fn has(&self, whose: &Belonging<'_>, route: Option<&str>, code: &str) -> bool {
        let RowFilter { project, environment, route: wanted_route, code: wanted_code } = &self.filter;
        let key = match whose.cell {
            Some(CellId::Key(id)) => Some(id),
            _ => None,
        };
        self.key.as_ref().is_none_or(|wanted| key == Some(wanted))
            && project.as_ref().is_none_or(|wanted| whose.project == Some(wanted))
            && environment.as_ref().is_none_or(|wanted| whose.environment == Some(wanted.as_str()))
            && wanted_route.as_ref().is_none_or(|wanted| route == Some(wanted.as_str()))
            && wanted_code.as_ref().is_none_or(|wanted| wanted == code)
    }
}

/// Whose calls some numbers are of, as far as that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Belonging<'w> {
    pub(crate) cell: Option<&'w CellId>,
    pub(crate) project: Option<&'w ProjectId>,
    pub(crate) environment: Option<&'w str>,
}

/// What the caller is shown.
#[derive(Clone, Debug)]
pub(crate) enum View {
    /// Nothing: what is asked for does not exist, or belongs to somebody else.
    Nothing,
    /// What is of one account.
    One {
        /// The account.
        account: AccountId,
        /// Its rows, or those of one of its cells.
        source: RowSource,
    },
    /// What is of anybody.
    Everybody,
}

impl App {
    /// What of all that is wanted the caller may be shown; a key is held to its own project.
    pub(crate) async fn view(&self, caller: &Caller, wanted: &mut Wanted) -> Result<View, Refusal> {
        if let Some(cell) = caller.key() {
            let own = cell.owner.project.clone();
            if wanted.filter.project.as_ref().is_some_and(|project| *project != own) {
                return Ok(View::Nothing);
            }
            wanted.filter.project = Some(own);
        }
        let account = match (caller.is_operator, &wanted.account) {
            (true, account) => account.clone(),
            (false, Some(account)) if *account != caller.account => return Ok(View::Nothing),
            (false, _) => Some(caller.account.clone()),
        };
        let store = &self.services().store;
        if let Some(key) = &wanted.key {
            let owner = match account {
                Some(account) => {
                    store.find_key(&account, key).await?.map(|found| (account, found.project, found.environment))
                }
                None => store.find_cell(&CellId::Key(key.clone())).await?.map(|cell| {
                    let owner = cell.owner;
                    (owner.account, owner.project, owner.environment)
                }),
            };
            return Ok(match owner {
                Some((account, project, environment)) if wanted.reaches(&project, &environment) => {
                    View::One { account, source: RowSource::Cell(CellId::Key(key.clone())) }
                }
                _ => View::Nothing,
            });
        }
        let Some(account) = account else { return Ok(View::Everybody) };
        if let (Some(project), None) = (&wanted.filter.project, caller.key())
            && store.find_project(&account, project).await?.is_none()
        {
            return Ok(View::Nothing);
        }
        Ok(View::One { source: RowSource::Account(account.clone()), account })
    }
}

impl Wanted {
    fn reaches(&self, project: &ProjectId, environment: &str) -> bool {
        self.filter.project.as_ref().is_none_or(|wanted| wanted == project)
            && self.filter.environment.as_ref().is_none_or(|wanted| wanted == environment)
    }
}

/// When: `from` and `to`.
pub(crate) fn span(request: &Request, days: (u64, u64), now: Timestamp) -> Result<Span, Problem> {
    let time = |name| parsed(request, name, "a time as in RFC 3339, 2026-01-31T00:00:00Z", parse_time);
    let (from, to) = (time("from")?, time("to")?);
    Span::of(from, to, days, now)
        .map_err(|error: InvalidSpan| Problem::invalid_field(error.field(), &error.to_string()))
}

/// The same question in the same words: what a cursor is good for.
pub(crate) fn question(list: &str, caller: &Caller, request: &Request) -> Result<String, Problem> {
    let mut text = format!("{list}\0{}\0{}", caller.account, caller.is_operator);
    if let Some(cell) = caller.key() {
        text = format!("{text}\0{}", cell.owner.project);
    }
    for name in FILTERS.into_iter().chain(["from", "to"]) {
        if let Some(value) = page::parameter(request, name)? {
            text = format!("{text}\0{name}={value}");
        }
    }
    Ok(text)
}

pub(crate) fn parsed<T>(
    request: &Request,
    name: &str,
    what: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(text) = page::parameter(request, name)? else { return Ok(None) };
    parse(&text).map(Some).ok_or_else(|| Problem::invalid_field(name, &format!("must be {what}")))
}

/// A `+` that was not escaped has become a space on the way here.
fn parse_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(&text.replace(' ', "+")).ok()
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(crate) const FILTERS: [&str; 6] = ["account_id", "key_id", "project_id", "environment", "route", "code"];
const MAX_ROUTE_BYTES: usize = 512;
const MAX_CODE_BYTES: usize = 64;
