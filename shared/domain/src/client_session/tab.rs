//! Tabs: what sessions have run up, kept in the cell of their key so that it is checked in the one write.

use std::collections::BTreeMap;

use crate::{charge::ChargeNonce, id::ClientSessionId, lease::Lease, money::MicroUsd, time::Timestamp};

/// What one session has run up: charged, and reserved for calls that are not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tab {
    /// The amount.
    pub spent: MicroUsd,
    /// When the session is over, and the tab of no use to anybody; whole seconds.
    pub end: Timestamp,
}

impl Tab {
    /// Both parts as one whole number, as of a lease: adding to it adds to the amount, and of two with one end the larger
    /// amount is the larger number.
    #[must_use]
    pub fn packed(&self) -> u128 {
        Lease { amount: self.spent, end: self.end }.packed()
    }

    /// Reads the packed form; `None` where the amount is none.
    #[must_use]
    pub fn unpacked(packed: u128) -> Option<Self> {
        Lease::unpacked(packed).map(|lease| Self { spent: lease.amount, end: lease.end })
    }
}

/// The tabs in one key's cell.
///
/// A session with a ceiling has one from its redemption to its end. Of a session without, none is kept, unless its backend
/// ended it: then one stands there, with nothing on it, until the session's time would have been over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tabs {
    /// By session.
    pub open: BTreeMap<ClientSessionId, Tab>,
    /// Whose tab a call is on that is not settled yet.
    pub calls: BTreeMap<ChargeNonce, ClientSessionId>,
    /// Whether the cell has a place for tabs: one whose key never had such a session has none.
    pub is_kept: bool,
}

impl Tabs {
    /// Live sessions with a ceiling that a key may have; each takes about 36 bytes of the item that every call writes.
    pub const MAX_OPEN: usize = 100;
    /// The most tabs in all, those of sessions without a ceiling that were ended among them.
    pub const MAX: usize = 200;

    /// When there will be room again, where there are `most` tabs of sessions whose time is not over.
    #[must_use]
    pub fn full_until(&self, most: usize, now: Timestamp) -> Option<Timestamp> {
        let live = || self.open.values().filter(|tab| tab.end > now);
        (live().count() >= most).then(|| live().map(|tab| tab.end).min()).flatten()
    }

    /// Tabs whose session's time is over, as many as one write removes.
    #[must_use]
    pub fn over(&self, now: Timestamp) -> Vec<ClientSessionId> {
        let over = self.open.iter().filter(|(_, tab)| tab.end <= now);
        over.take(MAX_REMOVED).map(|(session, _)| session.clone()).collect()
    }

    /// The tab that a call which is not settled is on.
    #[must_use]
    pub fn of_call(&self, charge: &ChargeNonce) -> Option<CallTab> {
        self.calls.get(charge).map(|session| self.of_session(session))
    }

    /// The tab of a session under which a call was made.
    #[must_use]
    pub fn of_session(&self, session: &ClientSessionId) -> CallTab {
        CallTab { session: session.clone(), is_open: self.open.contains_key(session) }
    }
}

/// On whose tab a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTab {
    /// The session that it was made under.
    pub session: ClientSessionId,
    /// Whether that still has a tab, which what the call did not cost comes off.
    pub is_open: bool,
}

/// Each takes a few words of the write's expression.
const MAX_REMOVED: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: u8) -> ClientSessionId {
        ClientSessionId::mint(&mut |pool| pool.fill(digit))
    }

    fn tab(spent: u64, end: u64) -> Tab {
        Tab { spent: MicroUsd::new(spent).unwrap(), end: Timestamp::from_epoch_s(end) }
    }

    #[test]
    fn a_packed_tab_grows_by_what_is_put_on_it() {
        let empty = tab(0, 1_792_540_800);
        assert_eq!(Tab::unpacked(empty.packed()), Some(empty));
        let dear = Tab::unpacked(empty.packed() + 1_000_000).unwrap();
        assert_eq!(dear, tab(1_000_000, 1_792_540_800));
        let largest = tab(MicroUsd::MAX.micro_usd(), 1_792_540_800);
        assert!(empty.packed() < dear.packed() && dear.packed() < largest.packed());
        assert!(largest.packed() < tab(0, 1_792_540_801).packed());
    }

    #[test]
    fn only_sessions_that_live_take_room() {
        let now = Timestamp::from_epoch_s(100);
        let tabs =
            Tabs { open: [(id(1), tab(0, 100)), (id(2), tab(0, 130)), (id(3), tab(0, 120))].into(), ..Tabs::default() };
        assert_eq!(tabs.over(now), [id(1)]);
        assert_eq!(tabs.full_until(2, now), Some(Timestamp::from_epoch_s(120)));
        assert_eq!(tabs.full_until(3, now), None);
        assert_eq!(tabs.full_until(0, Timestamp::from_epoch_s(130)), None);
    }
}
