//! Where and how keys and accounts are managed, as far as that is the operator's to say.

use super::route::{InvalidRoute, Method, Pattern, Refusals, RequestPath, Route, SignedUrls, class_of};
use crate::{limit::Rate, money::MicroUsd, scope::Scope};

/// The management paths of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Management {
    keys: String,
    pub(super) cookie_without_origin: CookieWithoutOrigin,
    pub(super) limits: Vec<CountedPath>,
}

impl Default for Management {
    fn default() -> Self {
        Self { keys: DEFAULT_KEYS.to_owned(), cookie_without_origin: CookieWithoutOrigin::Refused, limits: Vec::new() }
    }
}

impl Management {
    /// The path of the key collection, `/v1/api-keys`; no trailing slash.
    #[must_use]
    pub fn keys(&self) -> &str {
        &self.keys
    }

    /// A path of key management, as the default policy has it, where this policy has it.
    #[must_use]
    pub fn placed(&self, path: &str) -> String {
        match path.strip_prefix(DEFAULT_KEYS) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{}{rest}", self.keys),
            _ => path.to_owned(),
        }
    }

    /// What becomes of a request that no browser sends.
    #[must_use]
    pub fn cookie_without_origin(&self) -> CookieWithoutOrigin {
        self.cookie_without_origin
    }

    /// The management calls that are counted.
    #[must_use]
    pub fn limits(&self) -> &[CountedPath] {
        &self.limits
    }

    /// How calls of this method and path are counted, where they are: the most specific limit that matches. A limit on
    /// single keys does not mean what stands beside them.
    #[must_use]
    pub fn find_limit(&self, method: &str, path: &str) -> Option<&CountedPath> {
        if self.leaves_uncounted(path) {
            return None;
        }
        let (method, path) = (Method::parse(method).ok()?, RequestPath::parse(path).ok()?);
        let matching = self.limits.iter().filter(|limit| limit.pattern.matches(&method, &path));
        matching.max_by(|one, other| one.pattern.specificity().cmp(&other.pattern.specificity()))
    }

    /// The same with the keys elsewhere; `None` where that is no path for them.
    pub(super) fn at(&self, keys: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte);
        let is_path = RequestPath::parse(keys).is_ok() && keys.len() <= MAX_KEYS_BYTES && keys.bytes().all(is_plain);
        let is_free = |taken: &&str| !is_at_or_below(keys, taken) && !is_at_or_below(taken, keys);
        let is_usable = is_path && keys.len() > 1 && !keys.ends_with('/') && OTHERS.iter().all(is_free);
        is_usable.then(|| Self { keys: keys.to_owned(), ..self.clone() })
    }

    /// Whether every request of a route would be a management call.
    pub(super) fn claims(&self, route: &Route) -> bool {
        let path = route.template.split_once(' ').map_or("", |(_, path)| path);
        OTHERS.iter().copied().chain([self.keys(), DEFAULT_VERIFY]).any(|own| is_at_or_below(path, own))
    }

    /// Whether calls of this path come from callers that can be counted.
    pub(super) fn counts(&self, path: &CountedPath) -> bool {
        if path.template.split_once(' ').is_some_and(|(_, path)| self.leaves_uncounted(path)) {
            return false;
        }
        let names = |own: &str| {
            CountedPath::new(&format!("ANY {own}")).is_ok_and(|own| own.pattern.covers_path_of(&path.pattern))
        };
        COUNTED.iter().any(|own| names(&self.placed(own)))
    }

    fn leaves_uncounted(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.keys());
        path == REDEEM || UNCOUNTED.iter().any(|own| below == Some(own))
    }
}

/// What becomes of a request that changes something, comes with the session cookie, and has neither `Origin` nor
/// `Sec-Fetch-Site`. No browser sends such a one, so nobody's browser was made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieWithoutOrigin {
    /// It is refused.
    Refused,
    /// It is taken.
    Allowed,
}

/// Management calls that are counted together, per caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedPath {
    /// As it stands in the policy, `POST /v1/api-keys`.
    pub template: String,
    /// Names the bucket in the caller's item.
    pub class: String,
    rate: Option<Rate>,
    pattern: Pattern,
}

impl CountedPath {
    pub(super) fn new(template: &str) -> Result<Self, InvalidRoute> {
        let pattern = Pattern::parse(template)?;
        Ok(Self { template: template.to_owned(), class: class_of(template), rate: None, pattern })
    }

    pub(super) fn at(self, rate: Rate) -> Self {
        Self { rate: Some(rate), ..self }
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.pattern.overlaps(&other.pattern)
    }

    /// Its calls as those of a free route that requires `scope`.
    #[must_use]
    pub fn route(&self, scope: &Scope) -> Route {
        Route {
            template: self.template.clone(),
            scope: scope.clone(),
            cost: MicroUsd::ZERO,
            rate: self.rate,
            lease_seconds: None,
            refusals: Refusals::Gateway,
            signed_urls: SignedUrls::Refused,
            environments: Vec::new(),
            class: self.class.clone(),
            pattern: self.pattern.clone(),
        }
    }
}

fn is_at_or_below(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where keys are managed unless the policy says otherwise.
pub const DEFAULT_KEYS: &str = "/v1/api-keys";
const DEFAULT_VERIFY: &str = "/v1/api-keys/verify";
const MAX_KEYS_BYTES: usize = 64;

/// Paths that are answered before the gate is asked.
const OTHERS: [&str; 19] = [
    "/.well-known",
    "/auth",
    "/docs",
    "/healthz",
    "/openapi.json",
    "/problems",
    "/v1/accounts",
    "/v1/analytics",
    "/v1/billing",
    "/v1/charges",
    "/v1/client-sessions",
    "/v1/leaks",
    "/v1/me",
    "/v1/payments",
    "/v1/projects",
    "/v1/requests",
    "/v1/requests.csv",
    "/v1/signed-urls",
    "/v1/webhooks",
];

/// What stands below the keys and is never counted: a key's own end, and the question of a service.
const UNCOUNTED: [&str; 2] = ["/self", "/verify"];

/// Where a frontend comes with a secret: nobody is there yet whose item could count it.
const REDEEM: &str = "/v1/client-sessions/redeem";

/// Management paths whose callers prove a scope, so that the gate's write can count them.
const COUNTED: [&str; 22] = [
    "/v1/analytics",
    "/v1/api-keys",
    "/v1/api-keys/{id}",
    "/v1/api-keys/{id}/events",
    "/v1/api-keys/{id}/explain",
    "/v1/api-keys/{id}/rotate",
    "/v1/billing",
    "/v1/billing/entries",
    "/v1/charges/{id}/settle",
    "/v1/client-sessions",
    "/v1/client-sessions/{id}",
    "/v1/projects",
    "/v1/projects/{id}",
    "/v1/projects/{id}/allocations",
    "/v1/requests",
    "/v1/requests.csv",
    "/v1/signed-urls",
    "/v1/webhooks",
    "/v1/webhooks/{id}",
    "/v1/webhooks/{id}/deliveries",
    "/v1/webhooks/{id}/deliveries/{delivery}/redeliver",
    "/v1/webhooks/{id}/test",
];
