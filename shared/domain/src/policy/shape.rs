//! The policy file as it is written: its sections and fields, before anything is checked that needs more than one field.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::dialect::Json;

/// What an operator may change without a compiler.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(title = "Faregate policy"))]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyFile {
    /// The first one is used where a key names none.
    pub(super) environments: Vec<EnvironmentFile>,
    /// The headers that carry a credential at the gate; a header that is not listed is not read there. Management always
    /// reads `Authorization: Bearer` and the session cookie as well.
    pub(super) credentials: Vec<CredentialFile>,
    /// Whether the access token of a sign-in is a credential at the gate as well. Default `accepted`.
    #[serde(default)]
    pub(super) sessions: SessionsFile,
    /// What credentials may be allowed to do.
    pub(super) scopes: ScopesFile,
    /// Which requests exist, what they require and what they cost. A request that no route names is refused.
    pub(super) routes: Vec<RouteFile>,
    /// Seconds for which a call that is to be settled holds its place and its money, unless its route says otherwise.
    /// Default 900.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 86_400)))]
    pub(super) lease_seconds: Option<u64>,
    /// What accounts can buy, by name.
    pub(super) plans: BTreeMap<String, PlanFile>,
    /// What a new account starts with.
    pub(super) sign_up: SignUpFile,
    /// Wallet addresses of operators.
    #[serde(default)]
    pub(super) operators: Vec<String>,
    /// How keys and accounts are managed.
    #[serde(default)]
    pub(super) management: ManagementFile,
    /// Which pages of other origins may use the gate. Absent, browsers show its answers to no page.
    pub(super) cors: Option<CorsFile>,
    /// Client sessions: what a backend hands to a frontend.
    #[serde(default)]
    pub(super) client_sessions: ClientSessionsFile,
    /// How this product words its answers; absent, errors are problem details (RFC 9457).
    #[serde(default)]
    pub(super) dialect: DialectFile,
}

/// What a key's prefix decides.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct EnvironmentFile {
    /// The name in answers.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[a-z0-9-]{1,32}$")))]
    pub(super) name: String,
    /// What keys of the environment begin with; no other environment's prefix may begin with it.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Za-z0-9_]{1,16}$")))]
    pub(super) prefix: String,
    /// The limits of a key that sets none.
    pub(super) limits: LimitsFile,
    /// Days for which request rows are kept.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 3_650)))]
    pub(super) retention_days: u32,
}

/// How fast one key may go.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsFile {
    /// Requests per UTC minute.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub(super) per_minute: u32,
    /// Requests above that after a quiet minute, at most `per_minute`. Default 0.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub(super) burst: u32,
    /// Requests per UTC day.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000_000)))]
    pub(super) per_day: u64,
    /// Requests that may be waiting for their settlement at once.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000)))]
    pub(super) concurrent: u32,
}

/// A header that may carry a credential.
#[derive(Deserialize, Clone, Copy)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) enum CredentialFile {
    /// `Authorization: Bearer …`: a key or an access token.
    #[serde(rename = "authorization")]
    Authorization,
    /// `X-Api-Key: …`: a key.
    #[serde(rename = "x-api-key")]
    XApiKey,
}

/// Whether an access token opens the API behind the gate.
#[derive(Deserialize, Default, Clone, Copy)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum SessionsFile {
    /// It acts for its account's default project, under the plan's limits.
    #[default]
    Accepted,
    /// It only manages; every call of the API needs a key.
    Refused,
}

/// What credentials may be allowed to do.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ScopesFile {
    /// Every scope that exists, and what it is for.
    pub(super) catalogue: BTreeMap<String, String>,
    /// Lists of scopes and wildcards (`videos:*`, `*`) that a key may ask for by one name.
    pub(super) presets: BTreeMap<String, Vec<String>>,
    /// The preset of a key that names no scopes.
    pub(super) default: String,
    /// Scopes that only an operator's account may give to a key.
    #[serde(default)]
    pub(super) operator_only: Vec<String>,
}

/// One route of the API behind the gate.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RouteFile {
    /// `METHOD /path/{parameter}` or `ANY /path/{rest+}`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Z]{1,16} /")))]
    pub(super) route: String,
    /// The scope that a credential must hold.
    pub(super) scope: String,
    /// The price of one call, or what is reserved for it where it is to be settled, in dollars: `"0.01"`. Default free.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^\d+(\.\d{1,6})?$")))]
    pub(super) cost_usd: Option<String>,
    /// Requests per key and UTC second.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub(super) per_second: Option<u32>,
    /// Requests per key and ten seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub(super) per_10_seconds: Option<u32>,
    /// Requests per key and UTC minute.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub(super) per_minute: Option<u32>,
    /// Requests above the limit after a quiet window, at most the limit.
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub(super) burst: Option<u32>,
    /// `required`: the price is reserved, and whoever does the work says what the call has cost.
    pub(super) settle: Option<SettleFile>,
    /// Seconds for which a call holds its place and its money; only where `settle` stands.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 86_400)))]
    pub(super) lease_seconds: Option<u64>,
    /// Who turns a refusal into an answer. Default `gateway`.
    #[serde(default)]
    pub(super) refusals: RefusalsFile,
    /// Whether a signed URL (`POST /v1/signed-urls`) may stand for a credential: only where a call has no price, no settlement
    /// and no limit of its own. Default `refused`.
    #[serde(default)]
    pub(super) signed_urls: SignedUrlsFile,
    /// The environments whose keys may call it. Default all.
    #[serde(default)]
    pub(super) environments: Vec<String>,
}

/// Whether a call's price is settled afterwards.
#[derive(Deserialize, Clone, Copy)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum SettleFile {
    /// It is.
    Required,
}

/// Who turns a refusal into an answer.
#[derive(Deserialize, Default, Clone, Copy)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum RefusalsFile {
    /// API Gateway; the API behind it is not called.
    #[default]
    Gateway,
    /// A layer in front of the API.
    Backend,
}

/// Whether signed URLs open a route.
#[derive(Deserialize, Default, Clone, Copy)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum SignedUrlsFile {
    /// They do, uncounted.
    Accepted,
    /// Every call needs a credential.
    #[default]
    Refused,
}

/// What an account has bought.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct PlanFile {
    /// Live keys that the account may have; 0 means none at all.
    #[cfg_attr(feature = "schema", schemars(range(max = 10_000)))]
    pub(super) max_keys: u32,
    /// The most requests per UTC minute that a key may be allowed.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub(super) per_minute: u32,
    /// The largest burst; also the burst of sessions. Absent, a key's may be as large as its limit, and sessions have none.
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub(super) burst: Option<u32>,
    /// The most requests per UTC day that a key may be allowed.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000_000)))]
    pub(super) per_day: u64,
    /// The most calls waiting for their settlement at once that a key may be allowed.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000)))]
    pub(super) concurrent: u32,
}

/// What a new account starts with.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SignUpFile {
    /// The plan's name.
    pub(super) plan: String,
    /// Credit in dollars: `"5.00"`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^\d+(\.\d{1,6})?$")))]
    pub(super) credit_usd: String,
}

/// How keys and accounts are managed.
#[derive(Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ManagementFile {
    /// The path of the key collection; what belongs to one key hangs below it. Default `/v1/api-keys`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^(/[A-Za-z0-9._~-]+)+$"), length(max = 64)))]
    pub(super) keys: Option<String>,
    /// What becomes of a request that changes something, comes with the session cookie, and has neither `Origin` nor
    /// `Sec-Fetch-Site`, as no browser sends it. One with a foreign `Origin` is always refused. Default `refused`.
    #[serde(default)]
    pub(super) cookie_without_origin: CookieFile,
    /// Management calls that are counted per caller, each like a call of a route of the gate.
    #[serde(default)]
    pub(super) limits: Vec<ManagementLimitFile>,
}

/// What becomes of a request that no browser sends.
#[derive(Deserialize, Default, Clone, Copy)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum CookieFile {
    /// It is refused.
    #[default]
    Refused,
    /// It is taken.
    Allowed,
}

/// A limit on management calls of one caller.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ManagementLimitFile {
    /// `METHOD /path/{parameter}` or `ANY /path` of a management path.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Z]{1,16} /")))]
    pub(super) route: String,
    /// Requests per UTC second.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub(super) per_second: Option<u32>,
    /// Requests per ten seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub(super) per_10_seconds: Option<u32>,
    /// Requests per UTC minute.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub(super) per_minute: Option<u32>,
    /// Requests above the limit after a quiet window, at most the limit.
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub(super) burst: Option<u32>,
}

/// Which pages of other origins may use the gate.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct CorsFile {
    /// `[scheme://]host[:port]`, where the host may be `*.parent`; or `"*"` alone, which means any origin.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub(super) origins: Vec<String>,
}

/// What a backend hands to a frontend.
#[derive(Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ClientSessionsFile {
    /// The frontend's page that takes a client secret, which is put behind a `#` at its end. Default `/client-session` of the
    /// bundle's own origin.
    #[cfg_attr(feature = "schema", schemars(length(max = 512)))]
    pub(super) url: Option<String>,
}

/// How a product words its answers.
#[derive(Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct DialectFile {
    /// The content type of errors. Default `application/problem+json`.
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub(super) content_type: Option<String>,
    /// This project's code to the product's word.
    #[serde(default)]
    pub(super) codes: BTreeMap<String, String>,
    /// The body of every error. Placeholders: `{type}` `{title}` `{status}` `{detail}` `{code}` `{request_id}`; the member
    /// `"...": "{...}"` stands for all others.
    pub(super) error: Option<Json>,
    /// This project's header name, in lower case, to the name as it is sent, or to null where it is not sent.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Option<String>>,
    /// The bodies of successful key management.
    #[serde(default)]
    pub(super) answers: AnswersFile,
}

/// The bodies of successful key management. Default `{"data": …}`.
#[derive(Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct AnswersFile {
    /// A new key.
    pub(super) key_created: Option<Json>,
    /// A key that was read or changed.
    pub(super) key: Option<Json>,
    /// A key with a new secret. Default that of `key_created`.
    pub(super) key_rotated: Option<Json>,
    /// A page of keys: `{items}` and `{next_cursor}`.
    pub(super) keys: Option<Json>,
    /// One key of a page.
    pub(super) keys_item: Option<Json>,
}
