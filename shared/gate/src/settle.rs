//! Settling a charge: what it cost is written down first, once, and the lease is ended second, once.
//!
//! Whoever dies between the two leaves a settlement that the next report finds, and ends the lease by.

use faregate_domain::{
    cell::{Cell, Status},
    charge::ChargeId,
    lease::Lease,
    settlement::{InvalidReport, Report, Settlement},
};
use faregate_store::{LeasePlace, Outcome};

use crate::{Gate, GateError};

/// What a report came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The charge is settled so, by this report or by an equal one before it.
    Done(Settlement),
    /// The charge is settled otherwise.
    Otherwise(Settlement),
    /// The report cannot be settled; nothing was moved.
    Invalid(InvalidReport),
    /// There is no such charge, or it is not one to settle.
    Unknown,
}

impl Gate {
    /// Settles a charge as its backend reports; late reports give back what they can as well.
    ///
    /// # Errors
    /// [`GateError`] when a part failed: the same report may be sent again, and counts once.
    pub async fn settle(&self, charge: &ChargeId, report: &Report) -> Result<Settled, GateError> {
        let store = &self.services().store;
        for round in 0..MAX_ROUNDS {
            self.turns.pause(round).await;
            let Some(cell) = store.find_cell(&charge.cell).await? else { return Ok(Settled::Unknown) };
            let Some((lease, place)) = find_lease(&cell, charge) else {
                return Ok(match store.find_settlement(charge).await? {
                    Some(settlement) => compare(settlement, report),
                    None => Settled::Unknown,
                });
            };
            let now = self.services().clock.now();
            let settlement = match report.settle(&lease) {
                Ok(settlement) => store.insert_settlement(charge, &settlement, now).await?,
                // A report that cannot be settled may contradict one that was.
                Err(invalid) => match store.find_settlement(charge).await? {
                    Some(settlement) => settlement,
                    None => return Ok(Settled::Invalid(invalid)),
                },
            };
            if let Outcome::Applied(cell) = store.end_lease(charge, &lease, place, settlement.actual, now).await? {
                if cell.status == Status::Revoked {
                    self.recall(&charge.cell, *cell).await?;
                }
                return Ok(compare(settlement, report));
            }
        }
        Err(GateError::Contended)
    }
}

fn find_lease(cell: &Cell, charge: &ChargeId) -> Option<(Lease, LeasePlace)> {
    let held = cell.leases.held.get(&charge.nonce).map(|lease| (*lease, LeasePlace::Held));
    held.or_else(|| cell.leases.lapsed.get(&charge.nonce).map(|lease| (*lease, LeasePlace::Lapsed)))
}

fn compare(settlement: Settlement, report: &Report) -> Settled {
    if report.agrees_with(&settlement) { Settled::Done(settlement) } else { Settled::Otherwise(settlement) }
}

const MAX_ROUNDS: u32 = 32;
