//! What an owner may change about a project, and what each of its cells repeats of it.

use crate::{
    funding::Wallet,
    id::{AccountId, ProjectId},
    limit::Rate,
    time::Timestamp,
    window::{Window, WindowLength},
};

/// Which gallery the requests of a project search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GalleryMode {
    /// One of the project's own.
    Isolated,
    /// The one that all such projects of the account share.
    Shared,
}

impl GalleryMode {
    /// The word in requests, answers and the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Isolated => "isolated",
            Self::Shared => "shared",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Isolated, Self::Shared].into_iter().find(|mode| mode.as_str() == word)
    }

    /// The gallery itself.
    #[must_use]
    pub fn gallery(self, account: &AccountId, project: &ProjectId) -> String {
        match self {
            Self::Isolated => project.to_string(),
            Self::Shared => account.to_string(),
        }
    }
}

/// What the cells of a project repeat of it, so that a decision reads nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The gallery that requests search.
    pub gallery: String,
    /// The window of the project's rate, where it has one.
    pub window: Option<WindowLength>,
    /// Which change of the project they come from: a cell never goes back to an earlier one. 0 before the first.
    pub version: u64,
    /// Which change began the count of the rate: only cells that have followed it hold tokens of that count.
    pub counting_since: u64,
}

/// What becomes of the window that is running when a project's rate is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateShift {
    /// The running window of the old rate's length: that of the clock, or a later one that some writer has opened. No
    /// later one may be open, and no earlier one is used from then on.
    pub window: Window,
    /// What becomes of its tokens.
    pub tokens: Carry,
}

/// What becomes of a window's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carry {
    /// It goes on with as many more, or fewer where it is below zero.
    Shifted(i64),
    /// It has not been opened, and must still not be.
    Unopened,
    /// Its length is not the new rate's: what these windows counted is forgotten, so that nothing of it is there should
    /// the length ever come back.
    Forgotten(Vec<u64>),
}

impl Carry {
    /// Whether the window's count goes on.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !matches!(self, Self::Forgotten(_))
    }
}

impl RateShift {
    /// The shift from `old` to `new`.
    ///
    /// A raised burst is not handed out in a running window, because that may have opened without one.
    #[must_use]
    pub fn of(wallet: &Wallet, old: Rate, new: Option<Rate>, now: Timestamp) -> Self {
        let window = Window::at(wallet.latest(now), old.window);
        let tokens = match new.filter(|new| new.window == old.window) {
            None => {
                let mut windows: Vec<u64> =
                    wallet.tokens.keys().copied().filter(|index| *index != window.index).collect();
                windows.push(window.index);
                Carry::Forgotten(windows)
            }
            Some(_) if !wallet.tokens.contains_key(&window.index) => Carry::Unopened,
            Some(new) => {
                let difference = |of: fn(&Rate) -> u32| i64::from(of(&new)) - i64::from(of(&old));
                let burst = difference(|rate| rate.quota.burst()).min(0);
                Carry::Shifted(difference(|rate| rate.quota.limit()) + burst)
            }
        };
        Self { window, tokens }
    }
}

/// The name of a project's limit in requests and answers.
#[must_use]
pub fn limit_field(window: WindowLength) -> &'static str {
    match window {
        WindowLength::Second => "per_second",
        WindowLength::TenSeconds => "per_10_seconds",
        WindowLength::Minute => "per_minute",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::QuotaPolicy;

    fn rate(limit: u32, burst: u32, window: WindowLength) -> Rate {
        Rate { quota: QuotaPolicy::new(limit, burst).unwrap(), window }
    }

    fn wallet(highest: u64, tokens: &[(u64, i64)]) -> Wallet {
        Wallet {
            highest: [(WindowLength::Minute, highest)].into(),
            tokens: tokens.iter().copied().collect(),
            ..Wallet::default()
        }
    }

    fn shift(old: (u32, u32), new: (u32, u32)) -> Carry {
        let [old, new] = [old, new].map(|(limit, burst)| rate(limit, burst, WindowLength::Minute));
        RateShift::of(&wallet(7, &[(7, 3)]), old, Some(new), Timestamp::from_epoch_s(420)).tokens
    }

    #[test]
    fn tokens_follow_the_limit_at_once_and_the_burst_only_downwards() {
        for (from, to, tokens) in
            [((5, 0), (2, 0), -3), ((5, 0), (9, 0), 4), ((5, 2), (5, 0), -2), ((5, 0), (5, 5), 0), ((5, 5), (10, 0), 0)]
        {
            assert_eq!(shift(from, to), Carry::Shifted(tokens), "{from:?} {to:?}");
        }
    }

    #[test]
    fn the_running_window_is_the_latest_that_anybody_opened() {
        let of = |wallet| {
            let [old, new] = [5, 4].map(|limit| rate(limit, 0, WindowLength::Minute));
            RateShift::of(&wallet, old, Some(new), Timestamp::from_epoch_s(420))
        };
        let minute = |index| Window { length: WindowLength::Minute, index };
        let ahead = of(wallet(8, &[(8, 1)]));
        assert_eq!((ahead.window, ahead.tokens), (minute(8), Carry::Shifted(-1)));
        let behind = of(wallet(6, &[(6, 1)]));
        assert_eq!((behind.window, behind.tokens), (minute(7), Carry::Unopened));
    }

    #[test]
    fn another_length_leaves_nothing_of_the_old_one() {
        let old = rate(5, 0, WindowLength::Minute);
        for new in [None, Some(rate(5, 0, WindowLength::Second))] {
            let shift = RateShift::of(&wallet(7, &[(6, 2), (7, 3)]), old, new, Timestamp::from_epoch_s(420));
            assert_eq!(shift.tokens, Carry::Forgotten(vec![6, 7]));
            let shift = RateShift::of(&wallet(6, &[(6, 2)]), old, new, Timestamp::from_epoch_s(420));
            assert_eq!(shift.tokens, Carry::Forgotten(vec![6, 7]));
        }
    }

    #[test]
    fn a_gallery_is_the_projects_or_the_accounts() {
        let account = AccountId::mint(&mut |pool| pool.fill(1));
        let project = ProjectId::mint(&mut |pool| pool.fill(2));
        for mode in [GalleryMode::Isolated, GalleryMode::Shared] {
            assert_eq!(GalleryMode::parse(mode.as_str()), Some(mode));
        }
        assert_eq!(GalleryMode::parse("open"), None);
        assert_eq!(GalleryMode::Isolated.gallery(&account, &project), project.to_string());
        assert_eq!(GalleryMode::Shared.gallery(&account, &project), account.to_string());
    }
}
