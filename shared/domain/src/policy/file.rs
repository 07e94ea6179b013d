//! The policy file's own shape, and its translation into a checked [`Policy`].

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    CredentialHeader, Environment, Limits, Plan, Policy, Refusals, Route, SignUp, environment::InvalidLimits,
    route::InvalidRoute,
};
use crate::{
    limit::{InvalidQuota, QuotaPolicy, Rate},
    money::{InvalidAmount, MicroUsd},
    scope::{Grant, GrantSet, Scope},
    wallet::Address,
    window::WindowLength,
};

pub(super) fn parse(text: &str) -> Result<Policy, PolicyError> {
    if text.len() > MAX_FILE_BYTES {
        return Err(PolicyError::TooLarge);
    }
    let file: PolicyFile = serde_saphyr::from_str(text).map_err(|error| PolicyError::Syntax(error.to_string()))?;
    let environments = environments(&file.environments)?;
    let (catalogue, presets, operator_only) = scopes(&file.scopes)?;
    if !presets.contains_key(&file.scopes.default) {
        return Err(PolicyError::UnknownPreset(file.scopes.default));
    }
    let lease_seconds = file.lease_seconds.unwrap_or(DEFAULT_LEASE_SECONDS);
    let routes = routes(&file.routes, lease_seconds, &catalogue, &environments)?;
    let plans = plans(&file.plans)?;
    if !plans.contains_key(&file.sign_up.plan) {
        return Err(PolicyError::UnknownPlan(file.sign_up.plan));
    }
    let credit = amount("sign_up.credit_usd", &file.sign_up.credit_usd)?;
    if file.credentials.is_empty() {
        return Err(PolicyError::Empty("credentials"));
    }
    let operator = |text: &String| {
        text.parse::<Address>().map_err(|_| PolicyError::Field { field: "operators".into(), text: text.clone() })
    };
    Ok(Policy {
        environments,
        credential_headers: file.credentials.iter().map(|header| header.checked()).collect(),
        catalogue,
        presets,
        default_preset: file.scopes.default,
        operator_only,
        routes,
        plans,
        sign_up: SignUp { plan: file.sign_up.plan, credit },
        operators: file.operators.iter().map(operator).collect::<Result<_, _>>()?,
    })
}

fn environments(files: &[EnvironmentFile]) -> Result<Vec<Environment>, PolicyError> {
    if files.is_empty() {
        return Err(PolicyError::Empty("environments"));
    }
    let mut environments: Vec<Environment> = Vec::new();
    for file in files {
        let is_name =
            is_word(&file.name, 32, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let is_prefix = is_word(&file.prefix, 16, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        for (field, text, is_valid) in [("name", &file.name, is_name), ("prefix", &file.prefix, is_prefix)] {
            if !is_valid {
                return Err(PolicyError::Field { field: format!("environments.{field}"), text: text.clone() });
            }
        }
        if let Some(other) = environments.iter().find(|other| other.name == file.name) {
            return Err(PolicyError::Duplicate(other.name.clone()));
        }
        let begins = |one: &str, other: &str| one.starts_with(other) || other.starts_with(one);
        if let Some(other) = environments.iter().find(|other| begins(&other.prefix, &file.prefix)) {
            return Err(PolicyError::PrefixOverlap(other.prefix.clone(), file.prefix.clone()));
        }
        if !(1..=MAX_RETENTION_DAYS).contains(&file.retention_days) {
            return Err(PolicyError::Field {
                field: "environments.retention_days".into(),
                text: file.retention_days.to_string(),
            });
        }
        let limits = file.limits.checked(&file.name)?;
        environments.push(Environment {
            name: file.name.clone(),
            prefix: file.prefix.clone(),
            limits,
            retention_days: file.retention_days,
        });
    }
    Ok(environments)
}

type Scopes = (BTreeMap<Scope, String>, BTreeMap<String, GrantSet>, BTreeSet<Scope>);

fn scopes(file: &ScopesFile) -> Result<Scopes, PolicyError> {
    let mut catalogue = BTreeMap::new();
    for (name, purpose) in &file.catalogue {
        let scope = Scope::parse(name).map_err(|_| PolicyError::UnknownScope(name.clone()))?;
        catalogue.insert(scope, purpose.clone());
    }
    let is_known = |grant: &Grant| {
        catalogue.keys().any(|scope: &Scope| scope.covering_grants().iter().any(|covering| covering == grant.as_str()))
    };
    let mut presets = BTreeMap::new();
    for (name, grants) in &file.presets {
        let read = |text: &String| {
            let grant = Grant::parse(text).ok().filter(is_known);
            grant.ok_or_else(|| PolicyError::UnknownScope(text.clone()))
        };
        let grants = grants.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let set = GrantSet::new(grants).map_err(|_| PolicyError::Empty("scopes.presets"))?;
        presets.insert(name.clone(), set);
    }
    let mut operator_only = BTreeSet::new();
    for name in &file.operator_only {
        let scope = Scope::parse(name).ok().filter(|scope| catalogue.contains_key(scope));
        operator_only.insert(scope.ok_or_else(|| PolicyError::UnknownScope(name.clone()))?);
    }
    Ok((catalogue, presets, operator_only))
}

fn routes(
    files: &[RouteFile],
    lease_seconds: u64,
    catalogue: &BTreeMap<Scope, String>,
    environments: &[Environment],
) -> Result<Vec<Route>, PolicyError> {
    let mut routes: Vec<Route> = Vec::new();
    for file in files {
        let name = &file.route;
        let scope = Scope::parse(&file.scope).ok().filter(|scope| catalogue.contains_key(scope));
        let scope = scope.ok_or_else(|| PolicyError::UnknownScope(file.scope.clone()))?;
        let mut route = Route::new(name, scope).map_err(|error| PolicyError::Route(name.clone(), error))?;
        if let Some(other) = routes.iter().find(|other| other.overlaps(&route)) {
            return Err(PolicyError::RouteOverlap(other.template.clone(), name.clone()));
        }
        if let Some(other) = routes.iter().find(|other| other.class == route.class) {
            return Err(PolicyError::RouteOverlap(other.template.clone(), name.clone()));
        }
        route.cost = file.cost_usd.as_ref().map_or(Ok(MicroUsd::ZERO), |cost| amount(name, cost))?;
        route.rate = file.rate()?;
        route.lease_seconds = file.lease_seconds(lease_seconds)?;
        route.refusals = match file.refusals {
            RefusalsFile::Gateway => Refusals::Gateway,
            RefusalsFile::Backend => Refusals::Backend,
        };
        if let Some(unknown) =
            file.environments.iter().find(|name| !environments.iter().any(|environment| environment.name == **name))
        {
            return Err(PolicyError::UnknownEnvironment(unknown.clone()));
        }
        route.environments.clone_from(&file.environments);
        routes.push(route);
    }
    Ok(routes)
}

fn plans(files: &BTreeMap<String, PlanFile>) -> Result<BTreeMap<String, Plan>, PolicyError> {
    let checked = |(name, file): (&String, &PlanFile)| {
        let limits = |burst| {
            let PlanFile { per_minute, per_day, concurrent, .. } = *file;
            LimitsFile { per_minute, burst, per_day, concurrent }.checked(name)
        };
        let ceiling = limits(file.burst.unwrap_or(file.per_minute))?;
        let sessions = limits(file.burst.unwrap_or(0))?;
        Ok((name.clone(), Plan { max_keys: file.max_keys, ceiling, sessions }))
    };
    files.iter().map(checked).collect()
}

fn amount(field: &str, text: &str) -> Result<MicroUsd, PolicyError> {
    MicroUsd::parse(text).map_err(|error| PolicyError::Amount(field.to_owned(), error))
}

fn is_word(text: &str, max_bytes: usize, is_allowed: impl Fn(u8) -> bool) -> bool {
    (1..=max_bytes).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Why a policy cannot be used; the first rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not YAML of the policy's shape; the text has line, column and field.
    #[error("{0}")]
    Syntax(String),
    /// Longer than 256 KiB.
    #[error("a policy file may have at most 262144 bytes")]
    TooLarge,
    /// A section that must not be empty.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// A value outside its field's range.
    #[error("{field}: {text:?} is out of range or malformed")]
    Field {
        /// Where it stands.
        field: String,
        /// What stands there.
        text: String,
    },
    /// The same name twice.
    #[error("{0:?} is named twice")]
    Duplicate(String),
    /// One environment's prefix begins another's.
    #[error("prefix {0:?} and prefix {1:?}: one begins the other")]
    PrefixOverlap(String, String),
    /// A scope that is malformed or not in the catalogue.
    #[error("scope {0:?} is not in the catalogue")]
    UnknownScope(String),
    /// A preset that does not exist.
    #[error("preset {0:?} does not exist")]
    UnknownPreset(String),
    /// A plan that does not exist.
    #[error("plan {0:?} does not exist")]
    UnknownPlan(String),
    /// An environment that does not exist.
    #[error("environment {0:?} does not exist")]
    UnknownEnvironment(String),
    /// A malformed route.
    #[error("route {0:?}: {1}")]
    Route(String, InvalidRoute),
    /// Two routes that match the same requests equally well.
    #[error("routes {0:?} and {1:?} overlap")]
    RouteOverlap(String, String),
    /// A malformed amount.
    #[error("{0}: {1}")]
    Amount(String, InvalidAmount),
    /// A malformed quota of a route.
    #[error("route {0:?}: {1}")]
    Quota(String, InvalidQuota),
    /// A route's limit without a window, or with several.
    #[error("route {0:?}: name one of per_second, per_10_seconds and per_minute")]
    Windows(String),
    /// Malformed limits of an environment or plan.
    #[error("limits of {0:?}: {1}")]
    Limits(String, InvalidLimits),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    environments: Vec<EnvironmentFile>,
    credentials: Vec<CredentialFile>,
    scopes: ScopesFile,
    routes: Vec<RouteFile>,
    /// How long a call that is to be settled holds its place and its money, unless its route says otherwise.
    lease_seconds: Option<u64>,
    plans: BTreeMap<String, PlanFile>,
    sign_up: SignUpFile,
    #[serde(default)]
    operators: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvironmentFile {
    name: String,
    prefix: String,
    limits: LimitsFile,
    retention_days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsFile {
    per_minute: u32,
    #[serde(default)]
    burst: u32,
    per_day: u64,
    concurrent: u32,
}

impl LimitsFile {
    fn checked(&self, name: &str) -> Result<Limits, PolicyError> {
        Limits::new(self.per_minute, self.burst, self.per_day, self.concurrent)
            .map_err(|error| PolicyError::Limits(name.to_owned(), error))
    }
}

#[derive(Deserialize, Clone, Copy)]
enum CredentialFile {
    #[serde(rename = "authorization")]
    Authorization,
    #[serde(rename = "x-api-key")]
    XApiKey,
}

impl CredentialFile {
    fn checked(self) -> CredentialHeader {
        match self {
            Self::Authorization => CredentialHeader::Authorization,
            Self::XApiKey => CredentialHeader::XApiKey,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopesFile {
    catalogue: BTreeMap<String, String>,
    presets: BTreeMap<String, Vec<String>>,
    default: String,
    #[serde(default)]
    operator_only: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteFile {
    route: String,
    scope: String,
    cost_usd: Option<String>,
    per_second: Option<u32>,
    per_10_seconds: Option<u32>,
    per_minute: Option<u32>,
    burst: Option<u32>,
    settle: Option<SettleFile>,
    lease_seconds: Option<u64>,
    #[serde(default)]
    refusals: RefusalsFile,
    #[serde(default)]
    environments: Vec<String>,
}

impl RouteFile {
    /// The route's own limit, in exactly one kind of window.
    fn rate(&self) -> Result<Option<Rate>, PolicyError> {
        let limits = [
            (self.per_second, WindowLength::Second),
            (self.per_10_seconds, WindowLength::TenSeconds),
            (self.per_minute, WindowLength::Minute),
        ];
        let mut limits = limits.into_iter().filter_map(|(limit, window)| Some((limit?, window)));
        let (limit, window) = match (limits.next(), limits.next(), self.burst) {
            (None, _, None) => return Ok(None),
            (Some(limit), None, _) => limit,
            _ => return Err(PolicyError::Windows(self.route.clone())),
        };
        let quota = QuotaPolicy::new(limit, self.burst.unwrap_or(0));
        let quota = quota.map_err(|error| PolicyError::Quota(self.route.clone(), error))?;
        Ok(Some(Rate { quota, window }))
    }

    /// How long its calls are held until they are settled; `None` where they are not to be settled.
    fn lease_seconds(&self, default: u64) -> Result<Option<u64>, PolicyError> {
        let seconds = self.lease_seconds.unwrap_or(default);
        match (self.settle, self.lease_seconds) {
            (None, None) => Ok(None),
            (Some(SettleFile::Required), _) if LEASE_SECONDS.contains(&seconds) => Ok(Some(seconds)),
            _ => Err(PolicyError::Field { field: "routes.lease_seconds".into(), text: seconds.to_string() }),
        }
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum SettleFile {
    Required,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum RefusalsFile {
    #[default]
    Gateway,
    Backend,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    max_keys: u32,
    per_minute: u32,
    burst: Option<u32>,
    per_day: u64,
    concurrent: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignUpFile {
    plan: String,
    credit_usd: String,
}

const MAX_FILE_BYTES: usize = 262_144;
const MAX_RETENTION_DAYS: u32 = 3_650;
const DEFAULT_LEASE_SECONDS: u64 = 900;
/// A second to a day.
const LEASE_SECONDS: std::ops::RangeInclusive<u64> = 1..=86_400;
