//! What is left of a cell's limits, as callers are told it in headers.

use std::fmt::Write as _;

use crate::{
    attempt::RouteBucket,
    cell::Cell,
    limit::QuotaPolicy,
    time::{Day, Minute, Timestamp},
};

/// The state of every limit that counts a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The key's minute.
    pub minute: Window,
    /// The route's minute, where it has a limit of its own.
    pub route: Option<Window>,
    /// The key's UTC day.
    pub day: Window,
}

/// One limit in its current window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The policy's name in `RateLimit` fields.
    pub name: &'static str,
    /// Requests per window.
    pub limit: u64,
    /// Requests counted in it.
    pub used: u64,
    /// Requests it still admits, at most `limit`: a burst beyond that is not promised.
    pub remaining: u64,
    /// The window's length in seconds.
    pub seconds: u64,
    /// When the next window begins.
    pub resets_at: Timestamp,
}

impl Standing {
    /// What a state leaves in `minute` and its day.
    #[must_use]
    pub fn of(cell: &Cell, minute: Minute, route: Option<&RouteBucket>) -> Self {
        let counters = &cell.counters;
        let key_left = tokens(|window| counters.minutes.get(&window).copied(), minute, cell.limits.per_minute);
        let route = route.map(|route| {
            let find = |window| counters.routes.get(&(route.class.clone(), window)).copied();
            bucket("route", route.quota, tokens(find, minute, route.quota), minute)
        });
        let used = counters.days.get(&minute.day()).copied().unwrap_or(0);
        let day = Window {
            name: "day",
            limit: cell.limits.per_day,
            used,
            remaining: cell.limits.per_day.saturating_sub(used),
            seconds: Day::SECONDS,
            resets_at: minute.day().end(),
        };
        Self { minute: bucket("minute", cell.limits.per_minute, key_left, minute), route, day }
    }

    /// The windows, shortest and narrowest first.
    pub fn windows(&self) -> impl Iterator<Item = &Window> {
        self.route.iter().chain([&self.minute, &self.day])
    }

    /// The window that will refuse first.
    #[must_use]
    pub fn tightest(&self) -> &Window {
        self.windows().min_by_key(|window| window.remaining).unwrap_or(&self.minute)
    }

    /// The `RateLimit-Policy` field (draft-ietf-httpapi-ratelimit-headers-10, section 3).
    #[must_use]
    pub fn policy_field(&self) -> String {
        self.field(|window| format!("q={};w={}", window.limit, window.seconds))
    }

    /// The `RateLimit` field (draft-ietf-httpapi-ratelimit-headers-10, section 4).
    #[must_use]
    pub fn state_field(&self, now: Timestamp) -> String {
        self.field(|window| format!("r={};t={}", window.remaining, now.seconds_until(window.resets_at)))
    }

    fn field(&self, parameters: impl Fn(&Window) -> String) -> String {
        let mut field = String::new();
        for window in self.windows() {
            let separator = if field.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(field, "{separator}\"{}\";{}", window.name, parameters(window));
        }
        field
    }
}

/// Tokens that the minute opened with, and those it has left.
fn tokens(find: impl Fn(Minute) -> Option<i64>, minute: Minute, quota: QuotaPolicy) -> (i64, i64) {
    let previous = find(minute.previous()).map(|left| u32::try_from(left.max(0)).unwrap_or(u32::MAX));
    let opened_with = i64::from(quota.refill(previous));
    (opened_with, find(minute).unwrap_or(opened_with))
}

fn bucket(name: &'static str, quota: QuotaPolicy, (opened_with, left): (i64, i64), minute: Minute) -> Window {
    let limit = u64::from(quota.limit());
    let used = u64::try_from(opened_with - left).unwrap_or(0);
    let left = u64::try_from(left).unwrap_or(0);
    Window { name, limit, used, remaining: left.min(limit), seconds: Minute::SECONDS, resets_at: minute.end() }
}
