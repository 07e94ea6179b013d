//! What every design must do, and the terms under which all are measured.

use faregate_domain::limit::QuotaPolicy;
use faregate_edge::now::Clock;
use faregate_tests::Link;

/// A design under test: one key of one project calls one route.
pub(crate) trait Design: Clone + Send + Sync + 'static {
    /// A new table at the end of the link, and in it a key whose project has so much money.
    fn open(link: Link, credit_micro_usd: u64) -> impl Future<Output = Self> + Send;

    /// The clock that the design reads.
    fn clock(&self) -> &Clock;

    /// Decides one call and, if it is admitted, counts and charges it.
    fn admit(&self) -> impl Future<Output = Verdict> + Send;

    /// Ends an admitted call, whose price is what was reserved.
    fn settle(&self, lease: String) -> impl Future<Output = ()> + Send;

    /// The same table, seen by a process that has only just started.
    fn restarted(&self) -> Self;

    /// What the table says it has counted and charged.
    fn books(&self) -> impl Future<Output = Books> + Send;
}

/// What a design said to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on; the lease, where the design keeps one.
    Admitted(Option<String>),
    /// It does not, for a reason that the caller is told.
    Refused,
    /// There is no decision: a 5xx.
    Failed,
}

/// Calls counted and money spent, since the table was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) calls: u64,
    pub(crate) spent_micro_usd: u64,
}

pub(crate) const PRICE_MICRO_USD: u64 = 10_000;
pub(crate) const PER_DAY: u64 = 10_000;
pub(crate) const CONCURRENT: u64 = 100;

/// The key's limit per minute.
pub(crate) fn key_quota() -> QuotaPolicy {
    QuotaPolicy::new(40, 10).unwrap()
}

/// The route's limit per minute and key.
pub(crate) fn route_quota() -> QuotaPolicy {
    QuotaPolicy::new(100, 20).unwrap()
}

/// The project's rate.
pub(crate) fn project_quota() -> QuotaPolicy {
    QuotaPolicy::new(500, 100).unwrap()
}
