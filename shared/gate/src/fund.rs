//! Fetching what a request lacks: money and tokens of the project's rate, from the project's wallet to the cell.

use std::ops::ControlFlow;

use faregate_domain::{
    attempt::{Attempt, Next, out_of_credit},
    cell::{Cell, CellId},
    denial::Denial,
    funding::{Funding, Grant, Need, Wallet},
    id::ProjectId,
};
use faregate_store::{Outcome, WalletOutcome};

use crate::{Gate, GateError, clawback::Found};

impl Gate {
    /// Fetches ahead what the cell, as it was last seen, will lack: the write that would be refused for want of it is
    /// saved. Where the guess is wrong, the wallet refuses and the attempt goes without.
    pub(crate) async fn foreseen(&self, attempt: Attempt, seen: &Cell) -> Result<Attempt, GateError> {
        let Some(need) = foresee(&attempt, seen) else { return Ok(attempt) };
        let project = &seen.owner.project;
        let wallet = self.memory.find_wallet(project);
        let Some(wallet) = wallet.filter(|wallet| wallet.latest(attempt.now) == attempt.now) else {
            return Ok(attempt);
        };
        let cell = match wallet.sweeps {
            None => seen.clone(),
            Some(_) if !matches!(wallet.fund(&attempt.cell, &seen.purse, &need), Funding::Debit(_)) => {
                return Ok(attempt);
            }
            Some(_) => match self.services().store.find_cell(&attempt.cell).await? {
                Some(cell) => cell,
                None => return Ok(attempt),
            },
        };
        let attempt = attempt.fitted(&cell);
        let Some(need) = foresee(&attempt, &cell) else { return Ok(attempt) };
        let Funding::Debit(debit) = wallet.fund(&attempt.cell, &cell.purse, &need) else { return Ok(attempt) };
        let outcome = self.services().store.debit_wallet(project, &attempt.cell, &debit).await?;
        let grant = matches!(outcome, WalletOutcome::Applied(_)).then_some(debit.grant);
        self.learn(project, outcome)?;
        Ok(Attempt { grant, ..attempt })
    }

    /// Fetches what the attempt lacks; a denial when the project has not enough, or when a limit refuses the call in
    /// any case.
    pub(crate) async fn fund(
        &self,
        attempt: &mut Attempt,
        cell: &Cell,
        exhausted: Option<Denial>,
    ) -> Result<Option<Denial>, GateError> {
        let project = &cell.owner.project;
        let mut own = cell.clone();
        let (mut wallet, mut is_fresh) = match self.memory.find_wallet(project) {
            Some(wallet) => (wallet, false),
            None => (self.read_wallet(project).await?, true),
        };
        // As it was known before the cell was read.
        let mut sweeps = None;
        for round in 0..MAX_ROUNDS {
            self.turns.pause(round).await;
            if wallet.sweeps != sweeps {
                sweeps = wallet.sweeps;
                let Some(now) = self.fit_again(attempt).await? else { return Ok(None) };
                own = now;
            }
            follow(attempt, &own, &wallet);
            // What was in time by this instance's clock may not be by that of whoever opened the window.
            if attempt.proof.is_over(attempt.now) {
                return Ok(Some(attempt.proof.denial()));
            }
            let Some(need) = need(attempt, &own) else { return Ok(None) };
            let funding = wallet.fund(&attempt.cell, &own.purse, &need);
            if let (Some(denial), true) = (&exhausted, funding != Funding::Dry) {
                return Ok(Some(denial.clone()));
            }
            match funding {
                Funding::Reread => return Ok(None),
                Funding::Outdated(window) if is_fresh => {
                    let store = &self.services().store;
                    store.set_project_window(&attempt.cell, wallet.version, window).await?;
                    return Ok(None);
                }
                Funding::Credit(grant) => {
                    attempt.grant = Some(grant);
                    if self::need(attempt, &own).is_none() {
                        return Ok(None);
                    }
                    // Too little for this call: it is credited by itself, and more is fetched.
                    attempt.grant = None;
                    match self.credit(&attempt.cell, &grant).await? {
                        Some(credited) => own = credited,
                        None => return Ok(None),
                    }
                }
                Funding::Debit(debit) => {
                    let outcome = self.services().store.debit_wallet(project, &attempt.cell, &debit).await?;
                    if let WalletOutcome::Applied(_) = outcome {
                        attempt.grant = Some(debit.grant);
                        self.learn(project, outcome)?;
                        return Ok(None);
                    }
                    (wallet, is_fresh) = (self.learn(project, outcome)?, true);
                }
                Funding::Exhausted(exhausted) if is_fresh => return Ok(Some(Denial::RateLimitedProject(exhausted))),
                Funding::Dry if is_fresh => match self.relieve(attempt, &own, &wallet, &need).await? {
                    ControlFlow::Continue(now) => wallet = now,
                    ControlFlow::Break(denial) => return Ok(denial),
                },
                // What was remembered is not enough to refuse anybody, or to tell a cell that it is wrong.
                Funding::Exhausted(_) | Funding::Dry | Funding::Outdated(_) => {
                    (wallet, is_fresh) = (self.read_wallet(project).await?, true);
                }
            }
        }
        Err(GateError::Contended)
    }

    /// Reads the cell and fits the attempt to it; `None` where the attempt is over by then, one way or the other.
    async fn fit_again(&self, attempt: &mut Attempt) -> Result<Option<Cell>, GateError> {
        let cell = self.services().store.find_cell(&attempt.cell).await?;
        let is_open = |cell: &Cell| matches!(attempt.judge(Some(cell)), Ok(Next::Again(_) | Next::Fund { .. }));
        let cell = cell.filter(is_open);
        if let Some(cell) = &cell {
            *attempt = attempt.fitted(cell);
        }
        Ok(cell)
    }

    /// What is left where the wallet has too little: money comes back to it, or the attempt ends, without a denial where the
    /// cell has money by then.
    async fn relieve(
        &self,
        attempt: &Attempt,
        own: &Cell,
        wallet: &Wallet,
        need: &Need,
    ) -> Result<ControlFlow<Option<Denial>, Wallet>, GateError> {
        if own.purse.room() < need.shortage {
            return Ok(ControlFlow::Break(Some(out_of_credit(own, need.shortage))));
        }
        let (balance, now) = (own.purse.balance, self.services().clock.now());
        if let Some(drought) = wallet.drought.filter(|it| it.holds_for(balance, need.shortage, now)) {
            return Ok(ControlFlow::Break(Some(drought.denial(wallet, need.shortage))));
        }
        Ok(match self.claw_back(&attempt.cell, own, wallet, need.shortage, attempt.now).await? {
            Found::Moved(now) => ControlFlow::Continue(now),
            Found::InCell => ControlFlow::Break(None),
            Found::Nothing(wallet, drought) => {
                self.note_drought(&own.owner.project, &wallet, &drought).await;
                ControlFlow::Break(Some(drought.denial(&wallet, need.shortage)))
            }
        })
    }

    /// Credits a grant by itself; `None` where the cell has received it from somebody else.
    async fn credit(&self, cell: &CellId, grant: &Grant) -> Result<Option<Cell>, GateError> {
        match self.services().store.credit(cell, grant).await? {
            Outcome::Applied(cell) => Ok(Some(*cell)),
            Outcome::Refused { .. } => Ok(None),
        }
    }

    pub(crate) async fn read_wallet(&self, project: &ProjectId) -> Result<Wallet, GateError> {
        let wallet = self.services().store.find_wallet(project).await?.ok_or(GateError::NoWallet)?;
        self.memory.saw_wallet(project, &wallet);
        Ok(wallet)
    }

    /// The wallet that a write left or was refused by.
    pub(crate) fn learn(&self, project: &ProjectId, outcome: WalletOutcome) -> Result<Wallet, GateError> {
        let (WalletOutcome::Applied(wallet) | WalletOutcome::Refused(Some(wallet))) = outcome else {
            return Err(GateError::NoWallet);
        };
        self.memory.saw_wallet(project, &wallet);
        Ok(wallet)
    }
}

/// Moves an attempt on to the window that another instance has opened at the wallet: no earlier one gives tokens.
fn follow(attempt: &mut Attempt, cell: &Cell, wallet: &Wallet) {
    let latest = wallet.latest(attempt.now);
    if attempt.project_window.is_some() && latest > attempt.now {
        attempt.now = latest;
        *attempt = attempt.fitted(cell);
    }
}

/// What the attempt will lack, as far as the cell shows, where it is not refused in any case.
fn foresee(attempt: &Attempt, cell: &Cell) -> Option<Need> {
    need(attempt, cell).filter(|_| attempt.judge(Some(cell)).is_ok())
}

/// What the attempt lacks.
fn need(attempt: &Attempt, cell: &Cell) -> Option<Need> {
    attempt.need(cell, attempt.cost.minus(cell.purse.balance))
}

const MAX_ROUNDS: u32 = 32;
