//! A rate: tokens per window, with the window in the name, as key and project have it.

use std::collections::BTreeMap;

use faregate_domain::limit::QuotaPolicy;

/// Tokens left per window, and the highest window written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bucket {
    /// `m<k>`.
    pub(crate) left: BTreeMap<u8, i8>,
    /// `w`.
    pub(crate) window: u8,
}

/// The form of a write, chosen from what was read: with how many tokens it opens the window if it is the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Opening {
    /// With a full bucket.
    #[default]
    Full,
    /// With what the window before left, and the limit.
    Carried,
}

/// The conditions of taking tokens, each by itself.
#[expect(clippy::struct_excessive_bools, reason = "each is one clause of the write, and one guard")]
pub(crate) struct Taking {
    /// Enough tokens are left, or the window opens with enough.
    pub(crate) holds: bool,
    /// A full bucket follows a quiet window.
    pub(crate) is_quiet_before: bool,
    /// What was left is carried into a window that nobody has opened.
    pub(crate) opens_once: bool,
    /// The window is not over.
    pub(crate) is_open: bool,
    /// What is left afterwards.
    left: i8,
}

impl Bucket {
    /// What taking `count` tokens in `window` asks and leaves.
    pub(crate) fn taking(&self, quota: QuotaPolicy, window: u8, opening: Opening, count: i8) -> Taking {
        let now = self.left.get(&window).copied();
        let before = window.checked_sub(1).and_then(|before| self.left.get(&before)).copied();
        let is_busy_before = before.is_some_and(|left| left < small(quota.burst()));
        let opens_with = match opening {
            Opening::Full => now.unwrap_or(small(quota.capacity())),
            Opening::Carried => before.unwrap_or(0) + small(quota.limit()),
        };
        Taking {
            holds: opens_with >= count,
            is_quiet_before: opening == Opening::Carried || now.is_some() || !is_busy_before,
            opens_once: opening == Opening::Full || now.is_none(),
            is_open: self.window <= window,
            left: opens_with - count,
        }
    }

    /// Takes the tokens.
    pub(crate) fn take(&mut self, window: u8, taking: &Taking) {
        self.left.insert(window, taking.left);
        self.window = window;
    }

    /// The form that fits what was read.
    pub(crate) fn opening(&self, quota: QuotaPolicy, window: u8) -> Opening {
        let is_carried = self.taking(quota, window, Opening::Full, 1);
        if is_carried.is_quiet_before { Opening::Full } else { Opening::Carried }
    }

    /// Tokens left in `window`, opened or not.
    pub(crate) fn tokens(&self, quota: QuotaPolicy, window: u8) -> i8 {
        let before = window.checked_sub(1).and_then(|before| self.left.get(&before));
        let refill = || small(quota.refill(before.and_then(|left| u32::try_from(*left).ok())));
        self.left.get(&window).copied().unwrap_or_else(refill)
    }
}

/// The numbers of a model are small.
pub(crate) fn small(number: u32) -> i8 {
    i8::try_from(number).unwrap_or(i8::MAX)
}
