//! The routes of the gate: each known, each with one bucket, no two that a request could match equally well.

use std::collections::BTreeMap;

use super::super::{
    Management, Refusals, Route, SignedUrls,
    fault::{Fault, Findings},
    field::Field,
    shape::{PolicyFile, RefusalsFile, RouteFile, SettleFile, SignedUrlsFile},
};
use crate::{
    limit::{QuotaPolicy, Rate},
    money::MicroUsd,
    scope::Scope,
    window::WindowLength,
};

pub(super) fn checked(
    file: &PolicyFile,
    catalogue: &BTreeMap<Scope, String>,
    management: &Management,
    found: &mut Findings,
) -> Vec<Route> {
    let default_seconds = file.lease_seconds.unwrap_or(DEFAULT_LEASE_SECONDS);
    if !LEASE_SECONDS.contains(&default_seconds) {
        found.note(Field::of("lease_seconds"), Fault::Malformed(default_seconds.to_string(), LEASE_RULE));
    }
    let mut routes: Vec<Route> = Vec::new();
    for (at, one) in file.routes.iter().enumerate() {
        let here = Field::of("routes").item(at);
        let scope = Scope::parse(&one.scope).ok().filter(|scope| catalogue.contains_key(scope));
        let scope = found.keep(&here.key("scope"), scope.ok_or_else(|| Fault::UnknownScope(one.scope.clone())));
        // A route is checked to its end also where its scope is unknown.
        let Some(stand_in) = scope.or_else(|| catalogue.keys().next().cloned()) else { continue };
        let route = Route::new(&one.route, stand_in).map_err(|error| Fault::Route(one.route.clone(), error));
        let Some(mut route) = found.keep(&here.key("route"), route) else { continue };
        if let Some(fault) = clash(&route, &routes, management) {
            found.note(here.key("route"), fault);
        }
        route.cost = match &one.cost_usd {
            Some(text) => found.keep(&here.key("cost_usd"), MicroUsd::parse(text)).unwrap_or(MicroUsd::ZERO),
            None => MicroUsd::ZERO,
        };
        route.rate = Windows::of(one).rate(&here, found);
        route.lease_seconds = found.keep(&here.key("lease_seconds"), lease_seconds(one, default_seconds)).flatten();
        route.refusals = match one.refusals {
            RefusalsFile::Gateway => Refusals::Gateway,
            RefusalsFile::Backend => Refusals::Backend,
        };
        if let SignedUrlsFile::Accepted = one.signed_urls {
            route.signed_urls = SignedUrls::Accepted;
            if !route.is_uncounted() {
                found.note(here.key("signed_urls"), Fault::Malformed("accepted".to_owned(), SIGNED_URLS_RULE));
            }
        }
        for (at, name) in one.environments.iter().enumerate() {
            if !file.environments.iter().any(|environment| environment.name == *name) {
                found.note(here.key("environments").item(at), Fault::UnknownEnvironment(name.clone()));
            }
        }
        route.environments.clone_from(&one.environments);
        routes.push(route);
    }
    routes
}

/// What of the others is in a route's way.
fn clash(route: &Route, others: &[Route], management: &Management) -> Option<Fault> {
    let name = || route.template.clone();
    if management.claims(route) {
        return Some(Fault::Managed(name()));
    }
    if let Some(other) = others.iter().find(|other| other.overlaps(route)) {
        return Some(Fault::RouteOverlap(other.template.clone(), name()));
    }
    let has_class = |class: &str| class == route.class;
    let counted = management.limits().iter().map(|limit| (&limit.template, &limit.class));
    let mut classes = others.iter().map(|other| (&other.template, &other.class)).chain(counted);
    let (other, _) = classes.find(|(_, class)| has_class(class))?;
    Some(Fault::ClassOverlap(other.clone(), name()))
}

/// How long a route's calls are held until they are settled; `None` where they are not to be settled.
fn lease_seconds(route: &RouteFile, default: u64) -> Result<Option<u64>, Fault> {
    let seconds = route.lease_seconds.unwrap_or(default);
    match (route.settle, route.lease_seconds) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Fault::Malformed(seconds.to_string(), "has no meaning without settle: required")),
        (Some(SettleFile::Required), Some(_)) if !LEASE_SECONDS.contains(&seconds) => {
            Err(Fault::Malformed(seconds.to_string(), LEASE_RULE))
        }
        (Some(SettleFile::Required), _) => Ok(Some(seconds)),
    }
}

/// A limit as it is written: in exactly one kind of window.
pub(super) struct Windows {
    pub(super) limits: [(&'static str, Option<u32>, WindowLength); 3],
    pub(super) burst: Option<u32>,
}

impl Windows {
    /// The windows that may be named.
    pub(super) fn new(second: Option<u32>, ten: Option<u32>, minute: Option<u32>, burst: Option<u32>) -> Self {
        let limits = [
            ("per_second", second, WindowLength::Second),
            ("per_10_seconds", ten, WindowLength::TenSeconds),
            ("per_minute", minute, WindowLength::Minute),
        ];
        Self { limits, burst }
    }

    fn of(route: &RouteFile) -> Self {
        Self::new(route.per_second, route.per_10_seconds, route.per_minute, route.burst)
    }

    /// The limit; `None` where there is none, or one with a fault.
    pub(super) fn rate(&self, here: &Field, found: &mut Findings) -> Option<Rate> {
        let mut named = self.limits.into_iter().filter_map(|(name, limit, window)| Some((name, limit?, window)));
        match (named.next(), named.next(), self.burst) {
            (None, _, None) => None,
            (Some((name, limit, window)), None, _) => {
                let burst = self.burst.unwrap_or(0);
                let field = if burst > limit { here.key("burst") } else { here.key(name) };
                Some(Rate { quota: found.keep(&field, QuotaPolicy::new(limit, burst))?, window })
            }
            (_, Some((name, _, _)), _) => {
                found.note(here.key(name), Fault::Windows);
                None
            }
            (None, None, Some(_)) => {
                found.note(here.key("burst"), Fault::Windows);
                None
            }
        }
    }
}

const DEFAULT_LEASE_SECONDS: u64 = 900;
/// A second to a day.
const LEASE_SECONDS: std::ops::RangeInclusive<u64> = 1..=86_400;
const SIGNED_URLS_RULE: &str = "is for routes without a price, a settlement and a limit of their own";
const LEASE_RULE: &str = "is not between 1 and 86400";
