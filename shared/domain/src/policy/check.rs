//! From a policy file to a checked [`Policy`]: every rule that needs more than one field, and everything that breaks one.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CredentialHeader, Environment, Limits, Plan, Policy, Sessions, SignUp,
    fault::{Fault, Finding, Findings, PolicyError},
    field::Field,
    shape::{CredentialFile, EnvironmentFile, LimitsFile, PlanFile, PolicyFile, ScopesFile, SessionsFile, SignUpFile},
    tree::Tree,
};
use crate::{
    money::MicroUsd,
    scope::{Grant, GrantSet, Scope},
    wallet::Address,
};

mod dialect;
mod frontends;
mod management;
mod routes;

pub(super) fn parse(text: &str) -> Result<Policy, PolicyError> {
    if text.len() > MAX_FILE_BYTES {
        return Err(PolicyError::new(Finding { line: 1, field: Field::default(), fault: Fault::TooLarge }));
    }
    let tree = Tree::parse(text).map_err(PolicyError::new)?;
    let file: PolicyFile = tree.read().map_err(PolicyError::new)?;
    let mut found = Findings::default();
    let environments = environments(&file.environments, &mut found);
    let scopes = Scopes::checked(&file.scopes, &mut found);
    let management = management::checked(&file.management, &mut found);
    let routes = routes::checked(&file, &scopes.catalogue, &management, &mut found);
    let plans = plans(&file.plans, &mut found);
    let sign_up = sign_up(file.sign_up, &file.plans, &mut found);
    if file.credentials.is_empty() {
        found.note(Field::of("credentials"), Fault::Empty);
    }
    let operators = operators(&file.operators, &mut found);
    let cors = frontends::cors(file.cors.as_ref(), &mut found);
    let session_page = frontends::session_page(file.client_sessions.url, &mut found);
    let dialect = dialect::checked(file.dialect, &mut found);
    found.conclude(&tree)?;
    Ok(Policy {
        environments,
        credential_headers: file.credentials.into_iter().map(CredentialHeader::from).collect(),
        sessions: file.sessions.into(),
        catalogue: scopes.catalogue,
        presets: scopes.presets,
        default_preset: file.scopes.default,
        operator_only: scopes.operator_only,
        routes,
        plans,
        sign_up,
        operators,
        management,
        cors,
        session_page,
        dialect,
    })
}

fn environments(files: &[EnvironmentFile], found: &mut Findings) -> Vec<Environment> {
    let section = Field::of("environments");
    if files.is_empty() {
        found.note(section.clone(), Fault::Empty);
    }
    let mut environments: Vec<Environment> = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let here = section.item(at);
        let is_name =
            is_word(&file.name, 32, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !is_name {
            found.note(here.key("name"), Fault::Malformed(file.name.clone(), "is not 1 to 32 of a-z, 0-9 and -"));
        }
        let is_prefix = is_word(&file.prefix, 16, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_prefix {
            let rule = "is not 1 to 16 letters, digits and _";
            found.note(here.key("prefix"), Fault::Malformed(file.prefix.clone(), rule));
        }
        if let Some(other) = files[..at].iter().find(|other| other.name == file.name) {
            found.note(here.key("name"), Fault::Duplicate(other.name.clone()));
        }
        let begins = |one: &str, other: &str| one.starts_with(other) || other.starts_with(one);
        if let Some(other) = files[..at].iter().find(|other| begins(&other.prefix, &file.prefix) && is_prefix) {
            found.note(here.key("prefix"), Fault::PrefixOverlap(other.prefix.clone(), file.prefix.clone()));
        }
        if !(1..=MAX_RETENTION_DAYS).contains(&file.retention_days) {
            let text = file.retention_days.to_string();
            found.note(here.key("retention_days"), Fault::Malformed(text, "is not between 1 and 3650"));
        }
        if let Some(limits) = limits(&file.limits, &here.key("limits"), found) {
            environments.push(Environment {
                name: file.name.clone(),
                prefix: file.prefix.clone(),
                limits,
                retention_days: file.retention_days,
            });
        }
    }
    environments
}

fn limits(file: &LimitsFile, here: &Field, found: &mut Findings) -> Option<Limits> {
    let checked = Limits::new(file.per_minute, file.burst, file.per_day, file.concurrent);
    let field = checked.as_ref().err().map_or_else(|| here.clone(), |error| here.key(error.field()));
    found.keep(&field, checked)
}

struct Scopes {
    catalogue: BTreeMap<Scope, String>,
    presets: BTreeMap<String, GrantSet>,
    operator_only: BTreeSet<Scope>,
}

impl Scopes {
    fn checked(file: &ScopesFile, found: &mut Findings) -> Self {
        let section = Field::of("scopes");
        let mut catalogue = BTreeMap::new();
        for (name, purpose) in &file.catalogue {
            let scope = Scope::parse(name).map_err(|_| Fault::InvalidScope(name.clone()));
            if let Some(scope) = found.keep(&section.key("catalogue").key(name), scope) {
                catalogue.insert(scope, purpose.clone());
            }
        }
        let is_known = |grant: &Grant| {
            let covers = |scope: &Scope| scope.covering_grants().iter().any(|covering| covering == grant.as_str());
            catalogue.keys().any(covers)
        };
        let mut presets = BTreeMap::new();
        for (name, texts) in &file.presets {
            let here = section.key("presets").key(name);
            let mut grants = Vec::new();
            for (at, text) in texts.iter().enumerate() {
                let grant = Grant::parse(text).ok().filter(is_known);
                grants.extend(found.keep(&here.item(at), grant.ok_or_else(|| Fault::UnknownScope(text.clone()))));
            }
            // What is wrong with one of them has been said.
            if grants.len() == texts.len()
                && let Some(set) = found.keep(&here, GrantSet::new(grants).map_err(|_| Fault::Preset))
            {
                presets.insert(name.clone(), set);
            }
        }
        if !file.presets.contains_key(&file.default) {
            found.note(section.key("default"), Fault::UnknownPreset(file.default.clone()));
        }
        let mut operator_only = BTreeSet::new();
        for (at, name) in file.operator_only.iter().enumerate() {
            let scope = Scope::parse(name).ok().filter(|scope| catalogue.contains_key(scope));
            let scope = scope.ok_or_else(|| Fault::UnknownScope(name.clone()));
            operator_only.extend(found.keep(&section.key("operator_only").item(at), scope));
        }
        Self { catalogue, presets, operator_only }
    }
}

fn plans(files: &BTreeMap<String, PlanFile>, found: &mut Findings) -> BTreeMap<String, Plan> {
    let mut plans = BTreeMap::new();
    for (name, file) in files {
        let here = Field::of("plans").key(name);
        let PlanFile { max_keys, per_minute, per_day, concurrent, .. } = *file;
        if max_keys > MAX_KEYS {
            found.note(here.key("max_keys"), Fault::Malformed(max_keys.to_string(), "is more than 10000"));
        }
        let of = |burst| LimitsFile { per_minute, burst, per_day, concurrent };
        let Some(ceiling) = limits(&of(file.burst.unwrap_or(per_minute)), &here, found) else { continue };
        let Some(sessions) = limits(&of(file.burst.unwrap_or(0)), &here, found) else { continue };
        plans.insert(name.clone(), Plan { max_keys, ceiling, sessions });
    }
    plans
}

fn sign_up(file: SignUpFile, plans: &BTreeMap<String, PlanFile>, found: &mut Findings) -> SignUp {
    let section = Field::of("sign_up");
    if !plans.contains_key(&file.plan) {
        found.note(section.key("plan"), Fault::UnknownPlan(file.plan.clone()));
    }
    let credit = found.keep(&section.key("credit_usd"), MicroUsd::parse(&file.credit_usd));
    SignUp { plan: file.plan, credit: credit.unwrap_or(MicroUsd::ZERO) }
}

fn operators(texts: &[String], found: &mut Findings) -> BTreeSet<Address> {
    let mut operators = BTreeSet::new();
    for (at, text) in texts.iter().enumerate() {
        let address = text.parse::<Address>().map_err(|_| Fault::Malformed(text.clone(), "is no wallet address"));
        operators.extend(found.keep(&Field::of("operators").item(at), address));
    }
    operators
}

impl From<SessionsFile> for Sessions {
    fn from(file: SessionsFile) -> Self {
        match file {
            SessionsFile::Accepted => Self::Accepted,
            SessionsFile::Refused => Self::Refused,
        }
    }
}

impl From<CredentialFile> for CredentialHeader {
    fn from(file: CredentialFile) -> Self {
        match file {
            CredentialFile::Authorization => Self::Authorization,
            CredentialFile::XApiKey => Self::XApiKey,
        }
    }
}

/// 1 to `max_bytes` bytes, all of them allowed.
fn is_word(text: &str, max_bytes: usize, is_allowed: impl Fn(u8) -> bool) -> bool {
    (1..=max_bytes).contains(&text.len()) && text.bytes().all(is_allowed)
}

const MAX_FILE_BYTES: usize = 262_144;
const MAX_RETENTION_DAYS: u32 = 3_650;
/// An account names the keys that count in one item, of at most 400 KB.
const MAX_KEYS: u32 = 10_000;

#[cfg(test)]
mod tests;
