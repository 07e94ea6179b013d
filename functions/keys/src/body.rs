//! The bodies of key management, as callers write them.

use faregate_domain::policy::LimitsPatch;
use faregate_edge::{
    input::{Nullable, Object, Usd, present},
    wish::ScopesBody,
};
use serde::Deserialize;

/// `POST /v1/api-keys`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateBody {
    pub(crate) name: String,
    #[serde(default, deserialize_with = "present")]
    pub(crate) project_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) environment: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) scopes: Option<ScopesBody>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) allowlist: Option<Nullable<Vec<String>>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) budget_usd: Option<Nullable<Usd>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) expires_at: Option<Nullable<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) limits: Option<Object<LimitsBody>>,
}

/// `PATCH /v1/api-keys/{id}`: what is absent stays, `null` removes where something can be removed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeBody {
    #[serde(default, deserialize_with = "present")]
    pub(crate) name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) scopes: Option<ScopesBody>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) allowlist: Option<Nullable<Vec<String>>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) limits: Option<Object<LimitsBody>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) budget_usd: Option<Nullable<Usd>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) expires_at: Option<Nullable<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) frozen: Option<bool>,
}

/// `POST /v1/api-keys/{id}/rotate`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateBody {
    #[serde(default, deserialize_with = "present")]
    pub(crate) grace_seconds: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) grace_from: Option<GraceFrom>,
}

/// `POST /v1/api-keys/{id}/explain`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainBody {
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default, deserialize_with = "present")]
    pub(crate) origin: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) ip: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) cost_usd: Option<Usd>,
}

/// `grace_from`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GraceFrom {
    /// The grace begins with the rotation.
    #[default]
    Rotation,
    /// It begins when the new secret is first used.
    FirstUse,
}

/// `limits`: each optional.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsBody {
    #[serde(default, deserialize_with = "present")]
    per_minute: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    burst: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    per_day: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    concurrent: Option<u32>,
}

impl From<LimitsBody> for LimitsPatch {
    fn from(body: LimitsBody) -> Self {
        let LimitsBody { per_minute, burst, per_day, concurrent } = body;
        Self { per_minute, burst, per_day, concurrent }
    }
}
