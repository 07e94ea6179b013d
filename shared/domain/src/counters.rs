//! What a cell counts, window by window, and which of it nothing reads any more.

use std::collections::BTreeMap;

use crate::{
    id::ClientSessionId,
    time::{Day, Minute, Month, Timestamp},
    window::{Window, WindowLength},
};

/// What a cell has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The highest window ever written, by length: nothing is written into an earlier one.
    pub highest: BTreeMap<WindowLength, u64>,
    /// Tokens left per minute; below zero after a limit was lowered.
    pub minutes: BTreeMap<Minute, i64>,
    /// Tokens left per route class and window.
    pub routes: BTreeMap<(String, Window), i64>,
    /// Tokens of the project's rate that this cell holds, by window of the project's length.
    pub tokens: BTreeMap<u64, u64>,
    /// Requests per UTC day.
    pub days: BTreeMap<Day, u64>,
    /// Micro-dollars charged per UTC day; below zero where more was given back than charged.
    pub spent_by_day: BTreeMap<Day, i64>,
    /// Micro-dollars charged per month.
    pub spent_by_month: BTreeMap<Month, i64>,
    /// The last sequence number of each lane that wrote lately.
    pub slots: BTreeMap<String, u64>,
    /// Requests ever admitted: consecutive, so a missing one shows.
    pub requests: u64,
    /// The row of the last admitted request.
    pub last_row: Option<String>,
}

impl Counters {
    /// The time to write at: the clock's, or the beginning of a later window that some writer has opened.
    #[must_use]
    pub fn latest(&self, now: Timestamp) -> Timestamp {
        let starts = self.highest.iter().map(|(length, index)| Window { length: *length, index: *index }.start());
        starts.fold(now, Timestamp::max)
    }

    /// Whether nothing can be written into a window any more, once a write has been made in `minute`: an instance whose
    /// clock is behind would open it anew where its counter is gone.
    fn is_closed(&self, window: Window, minute: Minute) -> bool {
        let is_left_behind = self.highest.get(&window.length).is_some_and(|highest| *highest > window.index);
        is_left_behind || window.start().minute() < minute
    }

    /// What can be removed at `now`: windows that no later request reads, and slots idle for ten minutes.
    ///
    /// An idle slot may go because its window has passed: a late duplicate is then refused by the window itself. The
    /// write that removes it must find it idle still.
    #[must_use]
    pub fn stale(&self, now: Timestamp, project_window: Option<WindowLength>) -> Vec<Stale> {
        let minute = now.minute();
        let idle_before = idle_before(minute);
        let minutes =
            self.minutes.keys().filter(|window| window.0 + 2 <= minute.0).map(|window| Stale::Minute(*window));
        let routes = self.routes.keys().filter(|(_, window)| window.has_passed(now) && self.is_closed(*window, minute));
        let routes = routes.map(|(class, window)| Stale::Route(class.clone(), *window));
        let running = project_window.map(|length| Window::at(now, length).index);
        let tokens = self.tokens.keys().filter(|index| running.is_none_or(|running| **index + 2 <= running));
        let tokens = tokens.map(|index| Stale::Tokens(*index));
        let days = self.days.keys().filter(|day| **day < minute.day()).map(|day| Stale::Day(*day));
        let spent = self.spent_by_day.keys().filter(|day| **day < minute.day()).map(|day| Stale::SpentDay(*day));
        let months = self.spent_by_month.keys().filter(|month| **month < now.month());
        let months = months.map(|month| Stale::SpentMonth(*month));
        let slots = self.slots.iter().filter(|(_, seq)| **seq < idle_before).map(|(lane, _)| Stale::Slot(lane.clone()));
        minutes
            .chain(routes)
            .chain(tokens)
            .chain(days)
            .chain(spent)
            .chain(months)
            .chain(slots)
            .take(MAX_STALE)
            .collect()
    }
}

/// One counter that nothing reads any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The key bucket of a minute.
    Minute(Minute),
    /// A route's bucket of a window.
    Route(String, Window),
    /// Tokens of the project's rate.
    Tokens(u64),
    /// The count of a day.
    Day(Day),
    /// What a day cost.
    SpentDay(Day),
    /// What a month cost.
    SpentMonth(Month),
    /// A lane's slot.
    Slot(String),
    /// The tab of a client session whose time is over.
    Tab(ClientSessionId),
}

/// The sequence number below which a slot counts as idle at `minute`; it is a time in milliseconds.
#[must_use]
pub fn idle_before(minute: Minute) -> u64 {
    minute.start().minus_s(IDLE_SLOT_S).epoch_ms()
}

const IDLE_SLOT_S: u64 = 600;
/// One write removes at most this many: the rest goes with the next.
const MAX_STALE: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nothing_reads_is_stale() {
        let minute = Minute(29_000_000);
        let now = minute.start();
        let window = |back| Window::at(now.minus_s(back), WindowLength::Second);
        let mut counters = Counters::default();
        for back in 0..4 {
            counters.minutes.insert(Minute(minute.0 - back), 1);
            counters.routes.insert(("abcd".into(), window(back)), 1);
            counters.tokens.insert(window(back).index, 1);
        }
        let yesterday = Day(minute.day().0 - 1);
        counters.days = [(minute.day(), 1), (yesterday, 1)].into();
        counters.spent_by_day = [(minute.day(), 1), (yesterday, 1)].into();
        counters.spent_by_month = [(now.month(), 1), (Month(now.month().0 - 1), 1)].into();
        counters.slots.insert("busy".into(), minute.start().epoch_ms());
        counters.slots.insert("idle".into(), minute.start().minus_s(601).epoch_ms());
        let wanted = [
            Stale::Minute(Minute(minute.0 - 3)),
            Stale::Minute(Minute(minute.0 - 2)),
            Stale::Route("abcd".into(), window(3)),
            Stale::Route("abcd".into(), window(2)),
            Stale::Tokens(window(3).index),
            Stale::Tokens(window(2).index),
            Stale::Day(yesterday),
            Stale::SpentDay(yesterday),
            Stale::SpentMonth(Month(now.month().0 - 1)),
            Stale::Slot("idle".into()),
        ];
        assert_eq!(counters.stale(now, Some(WindowLength::Second)), wanted);
        assert_eq!(counters.stale(now, None).iter().filter(|stale| matches!(stale, Stale::Tokens(_))).count(), 4);
    }

    #[test]
    fn the_latest_window_of_any_length_moves_the_time_on() {
        let now = Timestamp::from_epoch_ms(120_500);
        let mut counters = Counters::default();
        assert_eq!(counters.latest(now), now);
        counters.highest = [(WindowLength::Minute, 2), (WindowLength::Second, 121)].into();
        assert_eq!(counters.latest(now), Timestamp::from_epoch_s(121));
        counters.highest.insert(WindowLength::Minute, 3);
        assert_eq!(counters.latest(now), Timestamp::from_epoch_s(180));
    }

    #[test]
    fn a_window_of_this_minute_stays_until_a_later_one_was_written() {
        let minute = Minute(29_000_000);
        let now = minute.start().plus_s(30);
        let window = |back| Window::at(now.minus_s(back), WindowLength::Second);
        let stale = |highest: Option<u64>| {
            let routes = [(("abcd".to_owned(), window(5)), 1), (("abcd".to_owned(), window(30)), 1)];
            let highest = highest.map(|back| (WindowLength::Second, window(back).index)).into_iter().collect();
            let counters = Counters { routes: routes.into(), highest, ..Counters::default() };
            counters.stale(now, None).len()
        };
        for (highest, expected) in [(None, 0), (Some(30), 0), (Some(5), 1), (Some(4), 2)] {
            assert_eq!(stale(highest), expected, "{highest:?}");
        }
    }

    #[test]
    fn a_lane_is_idle_after_ten_minutes() {
        let minute = Minute(29_000_000);
        let slots = [("busy".to_owned(), idle_before(minute)), ("idle".to_owned(), idle_before(minute) - 1)];
        let counters = Counters { slots: slots.into(), ..Counters::default() };
        assert_eq!(counters.stale(minute.start(), None), [Stale::Slot("idle".into())]);
        assert_eq!(idle_before(minute), minute.start().epoch_ms() - 600_000);
    }
}
