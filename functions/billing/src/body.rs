//! The bodies of project management and of moving money, as callers write them.

use faregate_domain::{
    delegation::Bound,
    ledger::{MAX_CREDIT, Reference},
    limit::{InvalidQuota, QuotaPolicy, Rate},
    money::MicroUsd,
    project::{GalleryMode, limit_field},
    window::WindowLength,
};
use faregate_edge::{
    input::{self, Nullable, Object, Usd, UsdMovement, present},
    problem::Problem,
};
use serde::Deserialize;

/// `POST /v1/projects`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateBody {
    name: String,
    #[serde(default, deserialize_with = "present")]
    gallery_mode: Option<String>,
    #[serde(default, deserialize_with = "present")]
    limits: Option<Nullable<Object<LimitsBody>>>,
}

/// `PATCH /v1/projects/{id}`: what is absent stays, `null` removes the limits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeBody {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    gallery_mode: Option<String>,
    #[serde(default, deserialize_with = "present")]
    limits: Option<Nullable<Object<LimitsBody>>>,
}

/// `POST /v1/projects/{id}/allocations`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllocationBody {
    pub(crate) amount_usd: UsdMovement,
}

/// `POST /v1/accounts/{id}/credits`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreditBody {
    amount_usd: Usd,
    reference: String,
}

/// What a project is to be; `None` is not asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) name: Option<String>,
    pub(crate) gallery_mode: Option<GalleryMode>,
    /// The rate that it is to have, or that it is to have none.
    pub(crate) rate: Option<Bound<Rate>>,
}

impl CreateBody {
    pub(crate) fn wish(self) -> Result<Wish, Problem> {
        let Self { name, gallery_mode, limits } = self;
        ChangeBody { name: Some(name), gallery_mode, limits }.wish()
    }
}

impl ChangeBody {
    pub(crate) fn wish(self) -> Result<Wish, Problem> {
        let mode = |word: &str| {
            let mode = GalleryMode::parse(word);
            mode.ok_or_else(|| Problem::invalid_field("gallery_mode", "must be isolated or shared"))
        };
        Ok(Wish {
            name: self.name.map(input::name).transpose()?,
            gallery_mode: self.gallery_mode.as_deref().map(mode).transpose()?,
            rate: self
                .limits
                .map(|limits| limits.0.map(|limits| limits.0.rate()).transpose())
                .transpose()?
                .map(Bound::from),
        })
    }
}

impl CreditBody {
    pub(crate) fn credit(&self) -> Result<(MicroUsd, Reference), Problem> {
        let amount = self.amount_usd.0;
        if amount == MicroUsd::ZERO || amount > MAX_CREDIT {
            return Err(Problem::invalid_field("amount_usd", "must be above zero and at most 1000000"));
        }
        let rule = "must have 1 to 128 characters and no control characters";
        let reference = Reference::parse(&self.reference);
        Ok((amount, reference.ok_or_else(|| Problem::invalid_field("reference", rule))?))
    }
}

/// `limits`: exactly one rate, and how much above it a quiet window may admit.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsBody {
    #[serde(default, deserialize_with = "present")]
    per_second: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    per_10_seconds: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    per_minute: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    burst: Option<u32>,
}

impl LimitsBody {
    fn rate(self) -> Result<Rate, Problem> {
        let named = [
            (self.per_second, WindowLength::Second),
            (self.per_10_seconds, WindowLength::TenSeconds),
            (self.per_minute, WindowLength::Minute),
        ];
        let mut named = named.into_iter().filter_map(|(limit, window)| Some((limit?, window)));
        let (Some((limit, window)), None) = (named.next(), named.next()) else {
            return Err(Problem::invalid_field("limits", "must name one of per_second, per_10_seconds and per_minute"));
        };
        let quota = QuotaPolicy::new(limit, self.burst.unwrap_or(0)).map_err(|error| {
            let field = match error {
                InvalidQuota::BurstOverLimit => "burst",
                InvalidQuota::Zero | InvalidQuota::TooLarge => limit_field(window),
            };
            Problem::invalid_field(&format!("limits.{field}"), &error.to_string())
        })?;
        Ok(Rate { quota, window })
    }
}
