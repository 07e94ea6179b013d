//! How money and the project's rate move from a project to its cells: debited first, credited second, each step once.

use std::collections::BTreeMap;

use crate::{
    cell::{CellId, Purse},
    denial::{Exhausted, LimitSource},
    drought::Drought,
    limit::{Opening, Rate},
    money::MicroUsd,
    recall::CLOSED,
    time::Timestamp,
    window::{Window, WindowLength},
};

/// A grant: what one cell is given, and its number in the sequence of that cell's grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Money.
    pub amount: MicroUsd,
    /// Tokens of the project's rate.
    pub tokens: Option<TokenSlice>,
    /// Its number: one more than the last the cell received; 0 before the first.
    pub seq: u64,
}

/// Tokens of a project's rate, good for one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenSlice {
    /// The window's number.
    pub index: u64,
    /// How many.
    pub count: u64,
}

/// A return: what one cell gives back to its project, and its number in the sequence of that cell's returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Return {
    /// The amount.
    pub amount: MicroUsd,
    /// Its number; 0 before the first.
    pub seq: u64,
}

/// A project's money and rate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wallet {
    /// What is not granted to any cell.
    pub available: MicroUsd,
    /// What was allocated to the project, less what was given back to the account.
    pub allocated: MicroUsd,
    /// How fast all of its cells together may go.
    pub rate: Option<Rate>,
    /// Tokens of the rate left, by window of the rate's length.
    pub tokens: BTreeMap<u64, i64>,
    /// The highest window that tokens were taken from, by length.
    pub highest: BTreeMap<WindowLength, u64>,
    /// How often what the project's cells repeat of it was changed; see [`crate::project::Settings`].
    pub version: u64,
    /// Which of those changes began to count the rate anew: tokens that were granted before are none of this count.
    pub counting_since: u64,
    /// The cells that ever received a grant; once the wallet is swept, those that something may be on its way to or from.
    pub children: BTreeMap<CellId, Child>,
    /// How often entries of cells were removed; `None` for a wallet that keeps them all. See [`crate::sweep`].
    pub sweeps: Option<u64>,
    /// The last look at all cells that found too little; only where entries are removed, which is where cells are many.
    pub drought: Option<Drought>,
}

/// What a wallet knows of one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Child {
    /// The last grant debited for it.
    pub last: Grant,
    /// The number of the last return received from it.
    pub returned: u64,
}

/// What one request lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// What the request costs.
    pub cost: MicroUsd,
    /// How much of that the cell lacks.
    pub shortage: MicroUsd,
    /// The window of which the cell has no token.
    pub token: Option<Window>,
}

/// What a cell that lacks something should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Funding {
    /// Credit this grant: it has been debited already, by this request or by one that did not live to credit it.
    Credit(Grant),
    /// Debit this one.
    Debit(Debit),
    /// Look at the cell again: it has received more than the wallet had debited when it was read.
    Reread,
    /// The project has not enough money.
    Dry,
    /// The project's rate is used up.
    Exhausted(Exhausted),
    /// The cell believes in another rate than the project has.
    Outdated(Option<WindowLength>),
}

/// One debit of a wallet: the grant, and the tokens' bucket it is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debit {
    /// The grant.
    pub grant: Grant,
    /// Where its tokens come from.
    pub bucket: Option<TokenBucket>,
    /// Windows of the rate that nothing reads any more.
    pub stale: Vec<u64>,
    /// The wallet's sweeps, as they were known before the cell was read that this is for: they must still be those.
    pub sweeps: Option<u64>,
}

/// The bucket of a project's rate in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    /// The window.
    pub window: Window,
    /// The rate, which must still be the project's.
    pub rate: Rate,
    /// How the bucket opens if these are the window's first tokens.
    pub opening: Opening,
}

impl Wallet {
    /// What the wallet knows of a cell that it has granted something.
    #[must_use]
    pub fn find(&self, child: &CellId) -> Option<&Child> {
        self.children.get(child)
    }

    /// A grant that was debited for the cell and has not reached it.
    #[must_use]
    pub fn pending(&self, child: &CellId, purse: &Purse) -> Option<Grant> {
        self.find(child).map(|child| child.last).filter(|grant| grant.seq == purse.grant_seq + 1)
    }

    /// A return that left the cell and has not reached the wallet. Others may lie between the last that the wallet shows and
    /// this one, if the cell was read later: each began after the one before had arrived.
    #[must_use]
    pub fn pending_return(&self, child: &CellId, purse: &Purse) -> Option<Return> {
        Some(purse.returns).filter(|returned| returned.seq > self.received(child, purse))
    }

    /// Whether it is as it was, whatever was noted of a look at the cells.
    #[must_use]
    pub fn is_unmoved_since(&self, before: &Self) -> bool {
        *self == Self { drought: self.drought, ..before.clone() }
    }

    /// The number of the last return that has arrived from the cell.
    #[must_use]
    pub fn received(&self, child: &CellId, purse: &Purse) -> u64 {
        self.find(child).map_or(0, |child| child.returned).max(purse.acknowledged)
    }

    /// The instant to take tokens at: a window that some writer has left behind is closed.
    #[must_use]
    pub fn latest(&self, now: Timestamp) -> Timestamp {
        let starts = self.highest.iter().map(|(length, index)| Window { length: *length, index: *index }.start());
        starts.fold(now, Timestamp::max)
    }

    /// How the cell gets what the request needs.
    ///
    /// A slice is large while there is plenty and shrinks to the bare need near exhaustion, so that no cell sits on what
    /// another needs.
    #[must_use]
    pub fn fund(&self, child: &CellId, purse: &Purse, need: &Need) -> Funding {
        let seq = purse.grant_seq + 1;
        match self.find(child).map(|child| child.last) {
            Some(last) if last.seq == seq => return Funding::Credit(last),
            Some(last) if last.seq > seq => return Funding::Reread,
            _ => {}
        }
        if self.available < need.shortage || purse.room() < need.shortage {
            return Funding::Dry;
        }
        let bucket = match need.token.map(|window| self.bucket(window)) {
            Some(Err(funding)) => return funding,
            Some(Ok(bucket)) => Some(bucket),
            None => None,
        };
        let tokens = bucket
            .map(|(bucket, left)| TokenSlice { index: bucket.window.index, count: self.share(child, &bucket, left) });
        let grant = Grant { amount: self.slice(purse, need), tokens, seq };
        let bucket = bucket.map(|(bucket, _)| bucket);
        let stale = bucket.map(|bucket| self.stale(bucket.window)).unwrap_or_default();
        Funding::Debit(Debit { grant, bucket, stale, sweeps: self.sweeps })
    }

    fn stale(&self, window: Window) -> Vec<u64> {
        self.tokens.keys().copied().filter(|index| *index < window.previous().index).take(MAX_STALE).collect()
    }

    /// The money to grant: where only tokens are lacking, what would soon be lacking as well.
    fn slice(&self, purse: &Purse, need: &Need) -> MicroUsd {
        let few = need.cost.micro_usd().saturating_mul(MAX_SLICE_REQUESTS / 2);
        if need.shortage == MicroUsd::ZERO && purse.balance.micro_usd() >= few {
            return MicroUsd::ZERO;
        }
        let live = self.children.values().filter(|child| child.last.seq < CLOSED).count().max(1);
        let share = self.available.micro_usd() / (2 * u64::try_from(live).unwrap_or(u64::MAX / 2));
        let most = need.cost.micro_usd().saturating_mul(MAX_SLICE_REQUESTS).min(purse.room().micro_usd());
        MicroUsd::new(share.min(most)).map_or(need.shortage, |amount| amount.max(need.shortage))
    }

    /// The bucket of a window and what is left in it, at least one token.
    fn bucket(&self, window: Window) -> Result<(TokenBucket, u64), Funding> {
        let Some(rate) = self.rate.filter(|rate| rate.window == window.length) else {
            return Err(Funding::Outdated(self.rate.map(|rate| rate.window)));
        };
        let left_in = |window: Window| self.tokens.get(&window.index).copied();
        let (current, previous) = (left_in(window), left_in(window.previous()));
        let opened_with = rate.quota.refill(previous.map(|left| u32::try_from(left.max(0)).unwrap_or(u32::MAX)));
        let left = current.unwrap_or(i64::from(opened_with));
        match u64::try_from(left) {
            Ok(left) if left > 0 => {
                Ok((TokenBucket { window, rate, opening: Opening::of(current, previous, rate.quota) }, left))
            }
            _ => Err(Funding::Exhausted(Exhausted {
                source: LimitSource::Project,
                limit: rate.quota.limit().into(),
                used: u64::try_from(i64::from(opened_with) - left).unwrap_or(0),
                resets_at: window.end(),
            })),
        }
    }

    /// The tokens to grant: few to a cell that has taken none lately, then twice as many each time it comes back within
    /// the window, so that one which stops leaves no more unused than it used; never more than half of an equal share
    /// of what is left among the cells that took some in this window, as far as the wallet still knows them.
    fn share(&self, child: &CellId, bucket: &TokenBucket, left: u64) -> u64 {
        let index = bucket.window.index;
        let first = u64::from(bucket.rate.quota.capacity()) / FIRST_SLICE_PART;
        let wanted = match self.find(child).and_then(|child| child.last.tokens) {
            Some(last) if last.index == index => last.count.saturating_mul(2),
            Some(last) if last.index + 1 == index => last.count,
            _ => first,
        };
        let takes_part = |child: &&Child| child.last.tokens.is_some_and(|tokens| tokens.index == index);
        let taking = u64::try_from(self.children.values().filter(takes_part).count()).unwrap_or(u64::MAX / 2).max(1);
        wanted.max(first).min(left / (2 * taking)).clamp(1, MAX_SLICE_REQUESTS)
    }
}

/// A slice is good for at most this many requests.
const MAX_SLICE_REQUESTS: u64 = 100;
/// A cell that has taken no tokens lately gets this part of a full bucket.
const FIRST_SLICE_PART: u64 = 64;
/// One write removes at most this many: the rest goes with the next.
const MAX_STALE: usize = 24;

#[cfg(test)]
mod tests;
