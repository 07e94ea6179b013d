//! How a request fetches money: finish what is pending, debit the wallet, claw back from the sibling, or look twice and say 402.

use crate::{
    admission::Admit,
    audit::Refusal,
    bucket::{Opening, small},
    caller::{Caller, Phase},
    guard::Guard,
    message::Message,
    table::{Cell, Grant, Money, Return, Wallet},
    world::World,
};

/// A look over the project, item by item: own cell, wallet, sibling; then all of them again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Look {
    own: Cell,
    wallet: Wallet,
    /// `None` until it has been read.
    sibling: Option<Cell>,
    /// How many items were read a second time and found unchanged.
    confirmed: u8,
}

impl Caller {
    /// Reads the wallet and decides.
    pub(crate) fn fund(&mut self, admit: Admit, own: Cell, world: &mut World<'_>) {
        let wallet = world.table.wallet.clone();
        let (cell, next_number) = (self.plan.cell, own.grant_number + 1);
        let last = wallet.debited[cell];
        if last.number == next_number {
            self.phase = if own.balance + last.amount < self.plan.cost {
                Phase::Moving(admit, own, Message::Credit { cell, grant: last })
            } else {
                Phase::Admitting(Admit { grant: Some(last), ..admit })
            };
            return;
        }
        let was_swept = wallet.sweeps != self.sweeps;
        self.sweeps = wallet.sweeps;
        if last.number > own.grant_number || was_swept && world.guards().keep(Guard::DebitReadsAgain) {
            // Being refused again shows the cell as it is now.
            self.phase = Phase::Admitting(admit);
            return;
        }
        let shortage = (self.plan.cost - own.balance).max(0);
        if own.room() < shortage && world.guards().keep(Guard::DebitInBudget) {
            return self.refuse(Refusal::Budget, world);
        }
        let (tokens, opening) = match Tokens::wanted(&admit, &own, &wallet, world) {
            Tokens::Unlimited => (0, Opening::Full),
            Tokens::Take(tokens, opening) => (tokens, opening),
            Tokens::UsedUp => return self.refuse(Refusal::RateLimited, world),
            Tokens::Later(window) => {
                self.phase = Phase::Funding(Admit { window, ..admit }, own);
                return;
            }
        };
        if wallet.available >= shortage {
            let amount = if shortage == 0 { 0 } else { self.slice(shortage, &own, &wallet, world) };
            let grant = Grant { number: next_number, amount, tokens, window: admit.window };
            self.phase = Phase::Debiting(admit, own, grant, opening);
        } else if world.protocol.claws_back {
            self.phase = Phase::Looking(admit, Look { own, wallet, sibling: None, confirmed: 0 });
        } else {
            self.refuse(Refusal::NoMoney { was_so: self.was_short }, world);
        }
    }

    fn slice(&self, shortage: Money, own: &Cell, wallet: &Wallet, world: &World<'_>) -> Money {
        let room = if world.guards().keep(Guard::DebitInBudget) { own.room() } else { Money::MAX };
        self.plan.slice.max(shortage).min(wallet.available).min(room)
    }

    /// Reads the next item of the look.
    pub(crate) fn look(&mut self, admit: Admit, look: Look, world: &mut World<'_>) {
        let guards = world.guards();
        let other = 1 - self.plan.cell;
        if look.sibling.is_none() {
            let sibling = world.table.cells[other].clone();
            self.consider(admit, Look { sibling: Some(sibling), ..look }, world);
            return;
        }
        let is_unchanged = match look.confirmed {
            0 => guards.pass(Guard::LookUnchanged, world.table.wallet == look.wallet),
            1 => world.table.cells[self.plan.cell] == look.own,
            _ => Some(&world.table.cells[other]) == look.sibling.as_ref(),
        };
        let last = if guards.keep(Guard::LookCellsUnchanged) { 2 } else { 0 };
        if !is_unchanged {
            self.phase = Phase::Admitting(admit);
        } else if look.confirmed < last {
            self.phase = Phase::Looking(admit, Look { confirmed: look.confirmed + 1, ..look });
        } else {
            self.refuse(Refusal::NoMoney { was_so: self.was_short }, world);
        }
    }

    /// Decides from wallet and sibling; money on its way is moved on first.
    fn consider(&mut self, admit: Admit, look: Look, world: &World<'_>) {
        let guards = world.guards();
        let (own, wallet) = (look.own.clone(), &look.wallet);
        let Some(sibling) = &look.sibling else { return };
        let (here, other) = (self.plan.cell, 1 - self.plan.cell);
        let on_its_way = [(here, &own), (other, sibling)].into_iter().find_map(|(cell, seen)| {
            let (grant, back) = (wallet.debited[cell], seen.returned);
            let is_coming = grant.number == seen.grant_number + 1;
            let is_leaving = back.number == seen.arrived(wallet.received[cell]) + 1;
            let must_arrive = guards.keep(Guard::ReturnAfterArrival) || sibling.balance == 0;
            if is_coming {
                Some(Message::Credit { cell, grant })
            } else {
                (is_leaving && must_arrive).then_some(Message::HandIn { cell, back, sweeps: wallet.sweeps })
            }
        });
        if let Some(message) = on_its_way {
            self.phase = if guards.keep(Guard::LookNothingPending) {
                Phase::Moving(admit, own, message)
            } else {
                Phase::Looking(admit, look)
            };
            return;
        }
        let missing = self.plan.cost - own.balance - wallet.available;
        let is_settled = sibling.returned.number == sibling.arrived(wallet.received[other]);
        if !guards.pass(Guard::ReturnAfterArrival, is_settled) {
            // The wallet was read before the cell's last return arrived.
            self.phase = Phase::Funding(admit, own);
        } else if sibling.balance >= missing {
            let back = Return { number: sibling.returned.number + 1, amount: missing };
            self.phase = Phase::Moving(admit, own, Message::TakeBack { cell: other, back });
        } else {
            self.phase = Phase::Looking(admit, look);
        }
    }
}

/// What a request does about the project's rate.
enum Tokens {
    /// There is none.
    Unlimited,
    /// Takes some; none if the cell has some left.
    Take(i8, Opening),
    /// The project's window is used up.
    UsedUp,
    /// The clock is behind: the project is in this window.
    Later(u8),
}

impl Tokens {
    fn wanted(admit: &Admit, own: &Cell, wallet: &Wallet, world: &World<'_>) -> Self {
        let Some(quota) = world.protocol.project_quota else { return Self::Unlimited };
        if own.tokens.get(&admit.window).is_some_and(|tokens| *tokens > 0) {
            return Self::Take(0, Opening::Full);
        }
        if wallet.bucket.window > admit.window && world.guards().keep(Guard::DebitWindowOpen) {
            return Self::Later(wallet.bucket.window);
        }
        let left = wallet.bucket.tokens(quota, admit.window);
        if left < 1 && world.guards().keep(Guard::DebitTokensHeld) {
            return Self::UsedUp;
        }
        let wanted = small(quota.limit()).min(left.max(1));
        Self::Take(wanted, wallet.bucket.opening(quota, admit.window))
    }
}
