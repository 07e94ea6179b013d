//! Settling a charge: what it cost is written down first, once, and the lease is ended second, once.
//!
//! Whoever dies between the two leaves a settlement that the next report finds, and ends the lease by.

use std::collections::BTreeMap;

use faregate_domain::{
    cell::{Cell, Status},
    charge::{ChargeId, ChargeNonce},
    client_session::CallTab,
    lease::Lease,
    settlement::{InvalidReport, Report, Settlement},
};
use faregate_store::{LeasePlace, Outcome, Reservation};

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
            let Some(found) = self.find_lease(&cell, charge).await? else {
                let Some(settlement) = store.find_settlement(charge).await? else { return Ok(Settled::Unknown) };
                // Whoever ended the lease may have died before the money was home.
                self.take_home(charge, &cell).await?;
                return Ok(compare(settlement, report));
            };
            let now = self.services().clock.now();
            let settlement = match report.settle(&found.lease) {
                Ok(settlement) => store.insert_settlement(charge, &settlement, now).await?,
                // A report that cannot be settled may contradict one that was.
                Err(invalid) => match store.find_settlement(charge).await? {
                    Some(settlement) => settlement,
                    None => return Ok(Settled::Invalid(invalid)),
                },
            };
            if let Some(cell) = self.end_lease(charge, &found, &settlement).await? {
                self.take_home(charge, &cell).await?;
                return Ok(compare(settlement, report));
            }
        }
        Err(GateError::Contended)
    }

    /// A revoked key keeps nothing: what came back to it goes on to its project.
    async fn take_home(&self, charge: &ChargeId, cell: &Cell) -> Result<(), GateError> {
        if cell.status == Status::Revoked { self.recall(&charge.cell, &cell.owner.project).await } else { Ok(()) }
    }

    /// The lease of a charge, wherever it is kept by now.
    async fn find_lease(&self, cell: &Cell, charge: &ChargeId) -> Result<Option<FoundLease>, GateError> {
        let in_cell = |leases: &BTreeMap<ChargeNonce, Lease>, place| {
            let tab = cell.tabs.of_call(&charge.nonce);
            leases.get(&charge.nonce).map(|lease| FoundLease { lease: *lease, place: Place::Cell(place), tab })
        };
        let held = in_cell(&cell.leases.held, LeasePlace::Held);
        if let Some(found) = held.or_else(|| in_cell(&cell.leases.lapsed, LeasePlace::Lapsed)) {
            return Ok(Some(found));
        }
        let retired = self.services().store.find_retired_lease(charge).await?;
        Ok(retired.map(|(lease, session)| {
            let tab = session.map(|session| cell.tabs.of_session(&session));
            FoundLease { lease, place: Place::Retired, tab }
        }))
    }

    /// Ends a lease as it was settled; the cell afterwards, or none where the lease is not in that place any more.
    async fn end_lease(
        &self,
        charge: &ChargeId,
        found: &FoundLease,
        settlement: &Settlement,
    ) -> Result<Option<Cell>, GateError> {
        let (store, now) = (&self.services().store, self.services().clock.now());
        let (lease, tab) = (&found.lease, found.tab.as_ref());
        match found.place {
            Place::Cell(place) => {
                let reserved = Reservation { lease, place, tab };
                match store.end_lease(charge, &reserved, settlement, now).await? {
                    Outcome::Applied(cell) => Ok(Some(*cell)),
                    Outcome::Refused { .. } => Ok(None),
                }
            }
            Place::Retired if store.end_retired_lease(charge, lease, tab, settlement, now).await? => {
                Ok(store.find_cell(&charge.cell).await?)
            }
            Place::Retired => Ok(None),
        }
    }
}

/// A lease, where it is kept, and on whose tab its call is.
struct FoundLease {
    lease: Lease,
    place: Place,
    tab: Option<CallTab>,
}

/// Where a lease is kept.
#[derive(Clone, Copy)]
enum Place {
    /// In its cell.
    Cell(LeasePlace),
    /// In an item of its own.
    Retired,
}

fn compare(settlement: Settlement, report: &Report) -> Settled {
    if report.agrees_with(&settlement) { Settled::Done(settlement) } else { Settled::Otherwise(settlement) }
}

const MAX_ROUNDS: u32 = 32;
