//! The policy: what an operator may change without a compiler, checked whole before anything starts.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    money::MicroUsd,
    scope::{Grant, GrantSet, Scope},
    wallet::Address,
};

mod check;
pub mod cors;
pub mod dialect;
pub mod environment;
pub mod fault;
mod field;
pub mod management;
pub mod plan;
pub mod route;
mod shape;
mod tree;

pub use cors::Cors;
pub use dialect::Dialect;
pub use environment::{Environment, Limits, LimitsPatch};
pub use fault::PolicyError;
pub use field::Field;
pub use management::{CookieWithoutOrigin, Management};
pub use plan::{Plan, SignUp};
pub use route::{InvalidCost, MAX_CALL_COST, Method, Refusals, RequestPath, Route, SignedUrls};

/// A checked policy; every cross-reference in it holds.
#[derive(Clone, Debug)]
pub struct Policy {
    environments: Vec<Environment>,
    credential_headers: Vec<CredentialHeader>,
    sessions: Sessions,
    catalogue: BTreeMap<Scope, String>,
    presets: BTreeMap<String, GrantSet>,
    default_preset: String,
    operator_only: BTreeSet<Scope>,
    routes: Vec<Route>,
    plans: BTreeMap<String, Plan>,
    sign_up: SignUp,
    operators: BTreeSet<Address>,
    management: Management,
    cors: Cors,
    session_page: Option<String>,
    dialect: Dialect,
}

impl Policy {
    /// The policy that ships with the bundle.
    pub const DEFAULT_TEXT: &'static str = include_str!("../../../infra/policies/default.yaml");

    /// Reads and checks a policy file (YAML 1.2).
    ///
    /// # Errors
    /// [`PolicyError`] names the line, the field and the rule of everything that is wrong; nothing of a policy with an
    /// error is used.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        check::parse(text)
    }

    /// The JSON Schema (draft 2020-12) of a policy file, for editors.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(shape::PolicyFile).to_value()
    }

    /// The environments; there is at least one.
    #[must_use]
    pub fn environments(&self) -> &[Environment] {
        &self.environments
    }

    /// The environment of a key whose creator names none.
    #[must_use]
    pub fn default_environment(&self) -> &Environment {
        // The parser refuses a policy without environments.
        &self.environments[0]
    }

    /// The environment of that name.
    #[must_use]
    pub fn find_environment(&self, name: &str) -> Option<&Environment> {
        self.environments.iter().find(|environment| environment.name == name)
    }

    /// The environment whose keys begin with `prefix`.
    #[must_use]
    pub fn find_environment_by_prefix(&self, prefix: &str) -> Option<&Environment> {
        self.environments.iter().find(|environment| environment.prefix == prefix)
    }

    /// The headers in which a credential may stand at the gate.
    #[must_use]
    pub fn credential_headers(&self) -> &[CredentialHeader] {
        &self.credential_headers
    }

    /// The headers in which a credential may stand where keys and accounts are managed: the access token is handed out as
    /// a bearer token, so it is always taken as one.
    #[must_use]
    pub fn management_headers(&self) -> Vec<CredentialHeader> {
        let is_listed = self.credential_headers.contains(&CredentialHeader::Authorization);
        let bearer = (!is_listed).then_some(CredentialHeader::Authorization);
        self.credential_headers.iter().copied().chain(bearer).collect()
    }

    /// Whether access tokens are credentials at the gate.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        self.sessions
    }

    /// Every scope that exists, with what it is for.
    #[must_use]
    pub fn catalogue(&self) -> &BTreeMap<Scope, String> {
        &self.catalogue
    }

    /// The grants of a preset.
    #[must_use]
    pub fn find_preset(&self, name: &str) -> Option<&GrantSet> {
        self.presets.get(name)
    }

    /// The presets by name, with their grants.
    pub fn presets(&self) -> impl Iterator<Item = (&str, &GrantSet)> {
        self.presets.iter().map(|(name, grants)| (name.as_str(), grants))
    }

    /// The preset of a key whose creator names no scopes.
    #[must_use]
    pub fn default_preset(&self) -> &str {
        &self.default_preset
    }

    /// The grants of a key whose creator names none.
    #[must_use]
    pub fn default_grants(&self) -> &GrantSet {
        // The parser refuses a default preset that does not exist.
        &self.presets[&self.default_preset]
    }

    /// Whether a grant can be given out at all: a wildcard, or something that covers a catalogued scope.
    #[must_use]
    pub fn is_known_grant(&self, grant: &Grant) -> bool {
        self.catalogue.keys().any(|scope| scope.covering_grants().iter().any(|covering| covering == grant.as_str()))
    }

    /// Whether only an operator's account may hold this grant by its own name.
    #[must_use]
    pub fn is_operator_only(&self, scope: &Scope) -> bool {
        self.operator_only.contains(scope)
    }

    /// The scopes that only an operator's account may use.
    pub fn operator_only(&self) -> impl Iterator<Item = &Scope> {
        self.operator_only.iter()
    }

    /// The routes in the order of the file.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The route a request belongs to: the most specific pattern that matches.
    #[must_use]
    pub fn find_route(&self, method: &Method, path: &RequestPath) -> Option<&Route> {
        let matching = self.routes.iter().filter(|route| route.matches(method, path));
        matching.max_by(|one, other| one.specificity().cmp(&other.specificity()))
    }

    /// The route, or the counted management path, whose bucket has that name.
    #[must_use]
    pub fn template_of(&self, class: &str) -> Option<&str> {
        let routes = self.routes().iter().map(|route| (&route.class, &route.template));
        let counted = self.management().limits().iter().map(|path| (&path.class, &path.template));
        routes.chain(counted).find(|(name, _)| *name == class).map(|(_, template)| template.as_str())
    }

    /// Who answers a path that no route names: the layer where every route is left to it. Otherwise API Gateway, since nothing
    /// says that a layer stands in front of whatever would serve that path.
    #[must_use]
    pub fn refusals_of_unnamed(&self) -> Refusals {
        let are_all = !self.routes.is_empty() && self.routes.iter().all(|route| route.refusals == Refusals::Backend);
        if are_all { Refusals::Backend } else { Refusals::Gateway }
    }

    /// The plans by name.
    #[must_use]
    pub fn plans(&self) -> &BTreeMap<String, Plan> {
        &self.plans
    }

    /// The plan of that name.
    #[must_use]
    pub fn find_plan(&self, name: &str) -> Option<&Plan> {
        self.plans.get(name)
    }

    /// What a new account starts with.
    #[must_use]
    pub fn sign_up(&self) -> &SignUp {
        &self.sign_up
    }

    /// Whether the wallet belongs to an operator.
    #[must_use]
    pub fn is_operator(&self, address: &Address) -> bool {
        self.operators.contains(address)
    }

    /// Where and how keys and accounts are managed.
    #[must_use]
    pub fn management(&self) -> &Management {
        &self.management
    }

    /// Which pages of other origins may read answers.
    #[must_use]
    pub fn cors(&self) -> &Cors {
        &self.cors
    }

    /// The frontend's page that client sessions begin at, an absolute URL without a fragment.
    #[must_use]
    pub fn session_page(&self) -> Option<&str> {
        self.session_page.as_deref()
    }

    /// How the product words its answers.
    #[must_use]
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The same policy with one operator more.
    #[must_use]
    pub fn with_operator(mut self, address: Address) -> Self {
        self.operators.insert(address);
        self
    }

    /// The same policy for a place where no layer stands in front of the backend: API Gateway answers every refusal.
    #[must_use]
    pub fn without_layer(mut self) -> Self {
        for route in &mut self.routes {
            route.refusals = Refusals::Gateway;
        }
        self
    }

    /// The dearest route's price, the least that a grant of credit should cover.
    #[must_use]
    pub fn dearest_route(&self) -> MicroUsd {
        self.routes.iter().map(|route| route.cost).max().unwrap_or(MicroUsd::ZERO)
    }
}

/// A header that may carry a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialHeader {
    /// `Authorization: Bearer …` (RFC 6750): a key or an access token.
    Authorization,
    /// `X-Api-Key: …`: a key.
    XApiKey,
}

impl CredentialHeader {
    /// The header's name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::XApiKey => "x-api-key",
        }
    }
}

/// Whether an access token opens the API behind the gate. In management it is a credential whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// It acts for its account's default project, under the plan's limits.
    Accepted,
    /// Every call of the API needs a key.
    Refused,
}

#[cfg(test)]
mod tests;
