//! The items of the table, reduced to what the protocol reads and writes.

use std::collections::BTreeMap;

use crate::bucket::Bucket;

/// A cell and its sibling.
pub(crate) const CELLS: usize = 2;
/// A grant number above all others: the cell is closed.
pub(crate) const CLOSED: u8 = 100;

/// Money in whole units; signed, so that a missing guard shows as a debt.
pub(crate) type Money = i8;
/// A request, and the charge and the lane that begin with it.
pub(crate) type Request = u8;

/// All items.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    /// What the account has not allocated.
    pub(crate) account: Money,
    pub(crate) wallet: Wallet,
    pub(crate) cells: [Cell; CELLS],
    /// Settlement records: what each charge was settled for.
    pub(crate) records: BTreeMap<Request, Money>,
    /// Idempotency records of allocations and references of operator credits.
    pub(crate) papers: BTreeMap<u8, Money>,
}

/// A project's wallet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Wallet {
    /// `av`.
    pub(crate) available: Money,
    /// How often an entry was removed.
    pub(crate) sweeps: u8,
    /// `gs`, `ga`: the last grant debited for each cell; number 0 is none.
    pub(crate) debited: [Grant; CELLS],
    /// `rr`: the last return received from each cell; 0 is none.
    pub(crate) received: [u8; CELLS],
    /// `m<k>`, `w`: the project's rate.
    pub(crate) bucket: Bucket,
}

/// What a wallet shows of one cell, and how often it was swept by then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) sweeps: u8,
    pub(crate) debited: Grant,
    pub(crate) received: u8,
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Cell {
    /// `st`.
    pub(crate) status: Status,
    /// `bal`.
    pub(crate) balance: Money,
    /// `gt`.
    pub(crate) granted: Money,
    /// `gs`.
    pub(crate) grant_number: u8,
    /// `bc`.
    pub(crate) budget: Option<Money>,
    /// `rs`, `ra`: the last return begun.
    pub(crate) returned: Return,
    /// `rk`: the last return of which somebody wrote here that it has arrived.
    pub(crate) acknowledged: u8,
    /// `l`: what counts for concurrency and holds money back.
    pub(crate) held: BTreeMap<Request, Lease>,
    /// `x`: expired and captured, kept for a late settlement.
    pub(crate) captured: BTreeMap<Request, Lease>,
    /// `q`: lane → last number.
    pub(crate) lanes: BTreeMap<Request, u8>,
    /// `m<k>`, `w`: the key's rate.
    pub(crate) bucket: Bucket,
    /// `d<day>`: all windows of the model are in one day.
    pub(crate) day: u8,
    /// `p<k>`: tokens of the project's rate.
    pub(crate) tokens: BTreeMap<u8, i8>,
}

/// Whether a cell may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Status {
    #[default]
    Active,
    Frozen,
    Revoked,
}

/// Money, and tokens of one window, on their way from wallet to cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Grant {
    pub(crate) number: u8,
    pub(crate) amount: Money,
    pub(crate) tokens: i8,
    pub(crate) window: u8,
}

/// Money on its way from cell to wallet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Return {
    pub(crate) number: u8,
    pub(crate) amount: Money,
}

/// Money held for a request that is still at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Lease {
    pub(crate) amount: Money,
    /// The tick from which it counts as expired.
    pub(crate) end: u8,
}

impl Table {
    /// A grant that was debited and has not reached its cell.
    pub(crate) fn pending_grant(&self, cell: usize) -> Option<Grant> {
        let last = self.wallet.debited[cell];
        (last.number > self.cells[cell].grant_number).then_some(last)
    }

    /// A return that has left its cell and not reached the wallet.
    pub(crate) fn pending_return(&self, cell: usize) -> Option<Return> {
        let from = &self.cells[cell];
        (from.returned.number > from.arrived(self.wallet.received[cell])).then_some(from.returned)
    }

    /// Money between two items.
    pub(crate) fn in_flight(&self) -> Money {
        let grants = (0..CELLS).filter_map(|cell| self.pending_grant(cell)).map(|grant| grant.amount);
        let returns = (0..CELLS).filter_map(|cell| self.pending_return(cell)).map(|back| back.amount);
        grants.chain(returns).sum()
    }

    /// Money that a request of the project could still be paid with.
    pub(crate) fn spendable(&self) -> Money {
        self.wallet.available + self.in_flight() + self.cells.iter().map(|cell| cell.balance).sum::<Money>()
    }
}

impl Wallet {
    /// What it shows of one cell.
    pub(crate) fn entry(&self, cell: usize) -> Entry {
        Entry { sweeps: self.sweeps, debited: self.debited[cell], received: self.received[cell] }
    }
}

impl Cell {
    /// The last of its returns that has arrived: by what the wallet shows, or by what was written here.
    pub(crate) fn arrived(&self, received: u8) -> u8 {
        self.acknowledged.max(received)
    }

    /// What may still be granted.
    pub(crate) fn room(&self) -> Money {
        self.budget.map_or(Money::MAX, |budget| budget - self.granted)
    }

    /// The part that matters to funding: a smaller thing to remember.
    pub(crate) fn purse(&self) -> Self {
        let Self { balance, granted, grant_number, budget, .. } = *self;
        Self { balance, granted, grant_number, budget, tokens: self.tokens.clone(), ..Self::default() }
    }

    /// The first lease that has run out.
    pub(crate) fn expired(&self, now: u8) -> Option<Request> {
        self.held.iter().find(|(_, lease)| lease.end <= now).map(|(charge, _)| *charge)
    }

    /// Receives a grant.
    pub(crate) fn credit(&mut self, grant: Grant) {
        self.balance += grant.amount;
        self.granted += grant.amount;
        self.grant_number = grant.number;
        if grant.tokens > 0 {
            *self.tokens.entry(grant.window).or_default() += grant.tokens;
        }
    }
}
