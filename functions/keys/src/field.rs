//! From what callers write to what the domain means; each mistake names its field and never repeats its value.

use faregate_domain::{
    policy::{Limits, LimitsPatch, environment::InvalidLimits},
    rotation::Grace,
    time::Timestamp,
};
use faregate_edge::problem::Problem;

use crate::body::{GraceFrom, RotateBody};

/// An end in the future, in whole seconds.
pub(crate) fn expiry(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let end = Timestamp::parse_rfc3339(text)
        .map_err(|_| Problem::invalid_field("expires_at", "must be an RFC 3339 time between 1970 and 9999"))?;
    let end = Timestamp::from_epoch_s(end.epoch_s());
    if end > now { Ok(Some(end)) } else { Err(Problem::invalid_field("expires_at", "must be in the future")) }
}

/// For how long the secret in force works on after a rotation at `now`.
pub(crate) fn grace(body: &RotateBody, now: Timestamp) -> Result<Grace, Problem> {
    let seconds = body.grace_seconds.unwrap_or(Grace::DEFAULT_SECONDS);
    if seconds > Grace::MAX_SECONDS {
        return Err(Problem::invalid_field("grace_seconds", "must be at most 604800, a week"));
    }
    Ok(match body.grace_from.unwrap_or_default() {
        GraceFrom::Rotation => Grace::Until(Timestamp::from_epoch_s(now.plus_s(seconds).epoch_s())),
        GraceFrom::FirstUse => Grace::FromFirstUse { seconds },
    })
}

/// Limits with some of them replaced, within the plan.
pub(crate) fn limits(old: Limits, patch: LimitsPatch, ceiling: &Limits) -> Result<Limits, Problem> {
    let field = |limit: InvalidLimits| format!("limits.{}", limit.field());
    let limits = old.patched(patch).map_err(|error| Problem::invalid_field(&field(error), &error.to_string()))?;
    match limits.exceeded(ceiling) {
        None => Ok(limits),
        Some(limit) => Err(Problem::invalid_field(&field(limit), "must not exceed the plan's limit")),
    }
}
