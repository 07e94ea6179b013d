//! What a project would do for a request that its key cannot pay for by itself, without anything being moved.

use crate::{
    attempt::{Attempt, out_of_credit},
    cell::{Cell, CellId},
    clawback::reclaimable,
    denial::Denial,
    drought::{Drought, Holdings},
    funding::{Funding, Grant, Wallet},
    money::MicroUsd,
    time::Timestamp,
};

/// What a request would get of its project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Support {
    /// It needs nothing.
    NotNeeded,
    /// What it lacks.
    Granted,
    /// No money: the project has not enough, and none of its cells holds enough unused.
    Dry(Denial),
    /// Money if it needs some, but no token of the project's rate.
    Exhausted(Denial),
    /// The wallet has moved on since the cell was read.
    Outdated,
}

/// A project as it was read: its wallet first, then its cells.
#[derive(Clone, Debug)]
pub struct Household {
    /// The wallet.
    pub wallet: Wallet,
    /// The cells that ever received something, other than the one that asks.
    pub siblings: Vec<(CellId, Cell)>,
}

impl Household {
    /// What the attempt, fitted to `cell`, would get: what the gate does one write at a time, done on a copy.
    #[must_use]
    pub fn support(mut self, attempt: &Attempt, cell: &Cell) -> Support {
        let (mut attempt, mut cell, mut is_gathered) = (attempt.clone(), cell.clone(), false);
        for _ in 0..MAX_ROUNDS {
            let latest = self.wallet.latest(attempt.now);
            if attempt.project_window.is_some() && latest > attempt.now {
                attempt.now = latest;
                attempt = attempt.fitted(&cell);
            }
            let Some(need) = attempt.need(&cell, attempt.cost.minus(cell.purse.balance)) else {
                return Support::NotNeeded;
            };
            match self.wallet.fund(&attempt.cell, &cell.purse, &need) {
                Funding::Debit(_) => return Support::Granted,
                Funding::Reread => return Support::Outdated,
                Funding::Exhausted(exhausted) => return Support::Exhausted(Denial::RateLimitedProject(exhausted)),
                Funding::Credit(grant) => {
                    receive(&mut cell, &grant);
                    if attempt.need(&cell, attempt.cost.minus(cell.purse.balance)).is_none() {
                        return Support::Granted;
                    }
                }
                Funding::Outdated(window) => {
                    cell.project_window = window;
                    attempt = attempt.fitted(&cell);
                }
                Funding::Dry if cell.purse.room() < need.shortage => {
                    return Support::Dry(out_of_credit(&cell, need.shortage));
                }
                Funding::Dry if is_gathered => {
                    let cells = self.siblings.iter().map(|(_, cell)| cell).chain([&cell]);
                    let holdings = Holdings::of(cells);
                    let drought = Drought { at: attempt.now, price: attempt.cost, holdings };
                    return Support::Dry(drought.denial(&self.wallet, need.shortage));
                }
                Funding::Dry => {
                    self.gather(&attempt.cell, &cell, need.shortage, attempt.now);
                    is_gathered = true;
                }
            }
        }
        Support::Outdated
    }

    /// What the wallet has, and what would come home of it from the other cells.
    #[must_use]
    pub fn grantable(mut self, own: &CellId, cell: &Cell, now: Timestamp) -> MicroUsd {
        self.gather(own, cell, MicroUsd::MAX, now);
        self.wallet.available.min(cell.purse.room())
    }

    /// Brings home what is on its way, and what other cells hold and do not use.
    fn gather(&mut self, own: &CellId, cell: &Cell, shortage: MicroUsd, now: Timestamp) {
        let wallet = &mut self.wallet;
        if let Some(sent) = wallet.pending_return(own, &cell.purse) {
            wallet.available = wallet.available.plus(sent.amount);
        }
        for (id, sibling) in &mut self.siblings {
            if let Some(sent) = wallet.pending_return(id, &sibling.purse) {
                wallet.available = wallet.available.plus(sent.amount);
            }
            if let Some(grant) = wallet.pending(id, &sibling.purse) {
                receive(sibling, &grant);
            }
            let amount = reclaimable(sibling, shortage.minus(wallet.available), now);
            sibling.purse.balance = sibling.purse.balance.minus(amount);
            sibling.purse.granted = sibling.purse.granted.minus(amount);
            wallet.available = wallet.available.plus(amount);
        }
    }
}

fn receive(cell: &mut Cell, grant: &Grant) {
    let purse = &mut cell.purse;
    (purse.balance, purse.granted) = (purse.balance.plus(grant.amount), purse.granted.plus(grant.amount));
    purse.grant_seq = grant.seq;
    if let Some(tokens) = grant.tokens {
        *cell.counters.tokens.entry(tokens.index).or_default() += tokens.count;
    }
}

const MAX_ROUNDS: u32 = 8;
