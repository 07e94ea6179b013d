//! What a caller may hand on to a key: never more than it has itself.

use crate::{
    cell::Cell,
    id::ProjectId,
    money::MicroUsd,
    origin::Allowlist,
    policy::{Limits, Policy, environment::InvalidLimits},
    scope::{Grant, GrantSet},
    time::Timestamp,
};

/// On whose authority a key is made or changed.
#[derive(Clone, Copy, Debug)]
pub enum Authority<'c> {
    /// The account's owner, signed in.
    Owner,
    /// An owner whose wallet the policy names as an operator's.
    Operator,
    /// A key that manages keys.
    Key(&'c Cell),
}

impl Authority<'_> {
    /// Whether a key of its account, in that project and environment, exists as far as this caller is concerned.
    #[must_use]
    pub fn reaches(&self, project: &ProjectId, environment: &str) -> bool {
        match self {
            Self::Owner | Self::Operator => true,
            Self::Key(cell) => cell.owner.project == *project && cell.owner.environment == environment,
        }
    }

    /// Checks everything that a wish names against what this caller has.
    ///
    /// # Errors
    /// [`Overreach`] names the first thing that is more.
    pub fn permit(&self, wish: &Wish, policy: &Policy) -> Result<(), Overreach> {
        if let Some(grants) = &wish.grants {
            self.permit_grants(grants, policy)?;
        }
        let Self::Key(cell) = self else { return Ok(()) };
        if let (Some(own), Some(list)) = (&cell.allowlist, &wish.allowlist)
            && !list.find().is_some_and(|list| list.iter().all(|entry| own.iter().any(|held| held == entry)))
        {
            return Err(Overreach::Allowlist);
        }
        if let Some(limit) = wish.limits.and_then(|limits| limits.exceeded(&cell.limits)) {
            return Err(Overreach::Limits(limit));
        }
        if is_beyond(wish.expires_at.as_ref(), cell.expires_at.as_ref()) {
            return Err(Overreach::Expiry);
        }
        // Each new key could spend a budget of its own, so any budget at all would be more than the caller has.
        if cell.purse.budget.is_some() && wish.budget.is_some() {
            return Err(Overreach::Budget);
        }
        Ok(())
    }

    fn permit_grants(&self, grants: &GrantSet, policy: &Policy) -> Result<(), Overreach> {
        if !matches!(self, Self::Operator) {
            reserved(grants, policy).map_or(Ok(()), |grant| Err(Overreach::Reserved(grant)))?;
        }
        let Self::Key(cell) = self else { return Ok(()) };
        let lacks = |grant: &&Grant| !cell.grants.iter().any(|held| held.covers(grant));
        grants.iter().find(lacks).map_or(Ok(()), |grant| Err(Overreach::Grant(grant.clone())))
    }
}

/// What a key shall have; `None` is not asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wish {
    /// What it may do.
    pub grants: Option<GrantSet>,
    /// From which origins.
    pub allowlist: Option<Bound<Allowlist>>,
    /// How fast.
    pub limits: Option<Limits>,
    /// When it stops working.
    pub expires_at: Option<Bound<Timestamp>>,
    /// The most it may spend in all.
    pub budget: Option<Bound<MicroUsd>>,
}

impl Wish {
    /// Everything that a key has.
    #[must_use]
    pub fn all_of(cell: &Cell) -> Self {
        Self {
            grants: Some(cell.grants.clone()),
            allowlist: Some(cell.allowlist.clone().into()),
            limits: Some(cell.limits),
            expires_at: Some(cell.expires_at.into()),
            budget: Some(cell.purse.budget.into()),
        }
    }
}

/// A bound that somebody sets or takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound<T> {
    /// It is set here.
    At(T),
    /// There is none.
    Lifted,
}

impl<T> Bound<T> {
    /// Where it is set.
    #[must_use]
    pub fn find(&self) -> Option<&T> {
        match self {
            Self::At(bound) => Some(bound),
            Self::Lifted => None,
        }
    }
}

impl<T> From<Option<T>> for Bound<T> {
    fn from(bound: Option<T>) -> Self {
        bound.map_or(Self::Lifted, Self::At)
    }
}

/// What a caller asked for and does not have itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overreach {
    /// A grant that the caller lacks.
    Grant(Grant),
    /// A grant that only operators give out.
    Reserved(Grant),
    /// Origins that the caller itself may not come from.
    Allowlist,
    /// A limit above the caller's.
    Limits(InvalidLimits),
    /// A later end than the caller's.
    Expiry,
    /// More money than the caller may spend.
    Budget,
    /// Another environment than the caller's.
    Environment,
}

impl Overreach {
    /// The stable word in answers.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Grant(_) | Self::Reserved(_) => "insufficient_scope",
            Self::Allowlist => "allowlist_exceeded",
            Self::Limits(_) => "limits_exceeded",
            Self::Expiry => "expiry_exceeded",
            Self::Budget => "budget_exceeded",
            Self::Environment => "forbidden_environment",
        }
    }

    /// What happened, for a person.
    #[must_use]
    pub fn detail(&self) -> &'static str {
        match self {
            Self::Grant(_) => "A key cannot give what it does not hold.",
            Self::Reserved(_) => "Only an operator can give this scope to a key.",
            Self::Allowlist => "A key with an allowlist can only give entries of its own.",
            Self::Limits(_) => "A key cannot give a higher limit than its own.",
            Self::Expiry => "A key cannot give a later end than its own.",
            Self::Budget => "A key with a budget of its own cannot make keys or set budgets.",
            Self::Environment => "A key manages keys of its own environment only.",
        }
    }

    /// The request's field that asks for too much.
    #[must_use]
    pub fn field(&self) -> String {
        match self {
            Self::Grant(_) | Self::Reserved(_) => "scopes".to_owned(),
            Self::Allowlist => "allowlist".to_owned(),
            Self::Limits(limit) => format!("limits.{}", limit.field()),
            Self::Expiry => "expires_at".to_owned(),
            Self::Budget => "budget_usd".to_owned(),
            Self::Environment => "environment".to_owned(),
        }
    }
}

/// Whether a wished bound lies beyond an own one; no bound lies beyond every bound.
fn is_beyond<T: PartialOrd>(wished: Option<&Bound<T>>, own: Option<&T>) -> bool {
    match (wished, own) {
        (Some(Bound::At(wished)), Some(own)) => wished > own,
        (Some(Bound::Lifted), Some(_)) => true,
        (_, None) | (None, _) => false,
    }
}

/// A grant that opens nothing but operators' scopes; a wildcard that also opens others does not open those.
fn reserved(grants: &GrantSet, policy: &Policy) -> Option<Grant> {
    let opens_only_reserved = |grant: &&Grant| {
        let opened =
            policy.catalogue().keys().filter(|scope| scope.covering_grants().iter().any(|one| one == grant.as_str()));
        let mut opened = opened.peekable();
        opened.peek().is_some() && opened.all(|scope| policy.is_operator_only(scope))
    };
    grants.iter().find(opens_only_reserved).cloned()
}

#[cfg(test)]
mod tests;
