//! What is left of a cell's limits, as callers are told it in headers.

use std::fmt::Write as _;

use crate::{
    attempt::RouteBucket,
    cell::Cell,
    limit::QuotaPolicy,
    time::{Day, Timestamp},
    window::{Window, WindowLength},
};

/// The state of every limit that counts a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The key's minute.
    pub minute: Level,
    /// The route's window, where it has a limit of its own.
    pub route: Option<Level>,
    /// The key's UTC day.
    pub day: Level,
}

/// One limit and how much of it is used in its current window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
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
    /// What a state leaves in the windows of `now`.
    #[must_use]
    pub fn of(cell: &Cell, now: Timestamp, route: Option<&RouteBucket>) -> Self {
        let counters = &cell.counters;
        let minute = Window::at(now, WindowLength::Minute);
        let left = |index| counters.minutes.get(&crate::time::Minute(index)).copied();
        let key = Level::of("minute", cell.limits.per_minute, left, minute);
        let route = route.map(|route| {
            let window = route.window(now);
            let left = |index| counters.routes.get(&(route.class.clone(), Window { index, ..window })).copied();
            Level::of("route", route.rate.quota, left, window)
        });
        let today = now.minute().day();
        let used = counters.days.get(&today).copied().unwrap_or(0);
        let day = Level {
            name: "day",
            limit: cell.limits.per_day,
            used,
            remaining: cell.limits.per_day.saturating_sub(used),
            seconds: Day::SECONDS,
            resets_at: today.end(),
        };
        Self { minute: key, route, day }
    }

    /// The windows, shortest and narrowest first.
    pub fn windows(&self) -> impl Iterator<Item = &Level> {
        self.route.iter().chain([&self.minute, &self.day])
    }

    /// The window that will refuse first.
    #[must_use]
    pub fn tightest(&self) -> &Level {
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

    fn field(&self, parameters: impl Fn(&Level) -> String) -> String {
        let mut field = String::new();
        for window in self.windows() {
            let separator = if field.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(field, "{separator}\"{}\";{}", window.name, parameters(window));
        }
        field
    }
}

impl Level {
    /// A bucket's state, from the tokens that windows have left.
    pub(crate) fn of(
        name: &'static str,
        quota: QuotaPolicy,
        left: impl Fn(u64) -> Option<i64>,
        window: Window,
    ) -> Self {
        let previous = left(window.previous().index).map(|left| u32::try_from(left.max(0)).unwrap_or(u32::MAX));
        let opened_with = i64::from(quota.refill(previous));
        let left = left(window.index).unwrap_or(opened_with);
        let limit = u64::from(quota.limit());
        Self {
            name,
            limit,
            used: u64::try_from(opened_with - left).unwrap_or(0),
            remaining: u64::try_from(left).unwrap_or(0).min(limit),
            seconds: window.length.seconds(),
            resets_at: window.end(),
        }
    }
}
