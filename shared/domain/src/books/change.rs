//! One write of a cell, as the table's stream tells it: the cell before and after.

use crate::{
    cell::{CellId, Owner},
    charge::ChargeNonce,
    id::ClientSessionId,
    money::MicroUsd,
    recall::CLOSED,
    row::Row,
    time::Timestamp,
};

use super::settled::SettledCharge;

/// What the books need of one state of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Whom it acts for.
    pub owner: Owner,
    /// The most that it may spend in all.
    pub budget: Option<MicroUsd>,
    /// Requests admitted so far.
    pub requests: u64,
    /// The last of them, and whether it held a lease then.
    pub last_row: Option<Row>,
    /// Whether the last request's charge is among the leases held.
    pub is_leased: bool,
    /// The last request that was made under a client session, and which.
    pub last_of_session: Option<(ChargeNonce, ClientSessionId)>,
    /// Settlements so far.
    pub settlements: u64,
    /// The last of them.
    pub last_settled: Option<SettledCharge>,
    /// Number of the last grant received.
    pub grant_seq: u64,
    /// Received so far, less what was returned.
    pub granted: MicroUsd,
    /// Number of the last return, and its amount.
    pub return_seq: u64,
    /// What the last return took.
    pub returned: MicroUsd,
    /// Charged so far.
    pub spent: MicroUsd,
}

/// One write of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The cell.
    pub cell: CellId,
    /// The cell before; `None` where this write made it.
    pub before: Option<Image>,
    /// The cell after.
    pub after: Image,
    /// About when it was written.
    pub at: Timestamp,
}

/// What one write did that belongs into the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A request was admitted.
    Admitted {
        /// Its number among the cell's requests.
        seq: u64,
        /// The request.
        row: Row,
        /// Whether its cost is reserved only, until it is settled.
        is_leased: bool,
        /// The client session under which it was made.
        session: Option<ClientSessionId>,
    },
    /// A charge was settled.
    Settled {
        /// Its number among the cell's settlements.
        seq: u64,
        /// The charge.
        charge: SettledCharge,
    },
    /// The project's money came into the cell, or was taken back from it under a grant's number.
    Granted {
        /// The number before: one less, but for the number that closes a cell to any further grant.
        previous: u64,
        /// The grant's number.
        seq: u64,
        /// How much, in millionths of a dollar; below zero where money was taken back, and nothing where only tokens of the
        /// project's rate were granted.
        micro_usd: i64,
    },
    /// Money went back from the cell to its project.
    Returned {
        /// The return's number.
        seq: u64,
        /// How much.
        amount: MicroUsd,
    },
}

impl Change {
    /// What this write did, in the order in which it counts.
    ///
    /// # Errors
    /// [`Unreadable`] where one write cannot have made the difference.
    pub fn facts(&self) -> Result<Vec<Fact>, Unreadable> {
        let (before, after) = (self.before.as_ref(), &self.after);
        let mut facts = Vec::new();
        if let Some(seq) = stepped(before.map(|image| image.return_seq), after.return_seq, "rs")? {
            facts.push(Fact::Returned { seq, amount: after.returned });
        }
        let previous = before.map_or(0, |image| image.grant_seq);
        if previous != after.grant_seq {
            let is_closing = previous < CLOSED && after.grant_seq == CLOSED;
            if after.grant_seq != previous + 1 && !is_closing {
                return Err(Unreadable { sequence: "gs" });
            }
            let returned = if facts.is_empty() { MicroUsd::ZERO } else { after.returned };
            let before = before.map_or(MicroUsd::ZERO, |image| image.granted);
            let micro_usd = after.granted.signed() + returned.signed() - before.signed();
            facts.push(Fact::Granted { previous, seq: after.grant_seq, micro_usd });
        }
        if let Some(seq) = stepped(before.map(|image| image.requests), after.requests, "n")? {
            let row = after.last_row.clone().ok_or(Unreadable { sequence: "lr" })?;
            let last = after.last_of_session.as_ref().filter(|(charge, _)| *charge == row.charge);
            let session = last.map(|(_, session)| session.clone());
            facts.push(Fact::Admitted { seq, row, is_leased: after.is_leased, session });
        }
        if let Some(seq) = stepped(before.map(|image| image.settlements), after.settlements, "sn")? {
            let charge = after.last_settled.clone().ok_or(Unreadable { sequence: "sr" })?;
            facts.push(Fact::Settled { seq, charge });
        }
        Ok(facts)
    }
}

/// The number that a sequence has come to, where this write moved it.
fn stepped(before: Option<u64>, after: u64, sequence: &'static str) -> Result<Option<u64>, Unreadable> {
    match after.checked_sub(before.unwrap_or(0)) {
        Some(0) => Ok(None),
        Some(1) => Ok(Some(after)),
        _ => Err(Unreadable { sequence }),
    }
}

/// A difference that no single write makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("one write cannot have changed {sequence} so")]
pub struct Unreadable {
    /// The attribute that shows it.
    pub sequence: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{AccountId, KeyId, ProjectId},
        settlement::{Outcome, Settlement},
    };

    fn usd(micro_usd: u64) -> MicroUsd {
        MicroUsd::new(micro_usd).unwrap()
    }

    fn row() -> Row {
        Row {
            charge: ChargeNonce::mint(&mut |pool| pool.fill(3)),
            at: Timestamp::from_epoch_ms(7),
            cost: usd(10),
            class: "kRtz".into(),
            network: "-".into(),
            agent: "-".into(),
        }
    }

    fn settled() -> SettledCharge {
        let settlement = Settlement { outcome: Outcome::Succeeded, actual: usd(4), error_code: None };
        SettledCharge { charge: row().charge, at: Timestamp::from_epoch_ms(9), reserved: usd(10), settlement }
    }

    fn image() -> Image {
        Image {
            owner: Owner {
                account: AccountId::mint(&mut |pool| pool.fill(1)),
                project: ProjectId::mint(&mut |pool| pool.fill(2)),
                environment: "sandbox".into(),
                gallery: "g".into(),
            },
            budget: None,
            requests: 0,
            last_row: None,
            is_leased: false,
            last_of_session: None,
            settlements: 0,
            last_settled: None,
            grant_seq: 0,
            granted: MicroUsd::ZERO,
            return_seq: 0,
            returned: MicroUsd::ZERO,
            spent: MicroUsd::ZERO,
        }
    }

    fn facts(before: Option<Image>, after: Image) -> Result<Vec<Fact>, Unreadable> {
        let cell = CellId::Key(KeyId::mint(&mut |pool| pool.fill(1)));
        Change { cell, before, after, at: Timestamp::from_epoch_ms(8) }.facts()
    }

    #[test]
    fn one_write_may_bring_money_and_admit() {
        let after =
            Image { requests: 1, last_row: Some(row()), grant_seq: 1, granted: usd(50), is_leased: true, ..image() };
        let wanted = [
            Fact::Granted { previous: 0, seq: 1, micro_usd: 50 },
            Fact::Admitted { seq: 1, row: row(), is_leased: true, session: None },
        ];
        assert_eq!(facts(Some(image()), after).unwrap(), wanted);
    }

    #[test]
    fn a_session_is_that_of_its_own_request_alone() {
        let session = ClientSessionId::mint(&mut |pool| pool.fill(4));
        let after = |charge| Image { requests: 1, last_row: Some(row()), last_of_session: Some(charge), ..image() };
        for (charge, wanted) in
            [(row().charge, Some(session.clone())), (ChargeNonce::mint(&mut |pool| pool.fill(5)), None)]
        {
            let facts = facts(Some(image()), after((charge, session.clone()))).unwrap();
            assert_eq!(facts, [Fact::Admitted { seq: 1, row: row(), is_leased: false, session: wanted }]);
        }
    }

    #[test]
    fn settlements_and_returns_are_facts_and_settings_are_none() {
        let before = Image { requests: 1, last_row: Some(row()), granted: usd(50), ..image() };
        let after = Image { settlements: 1, last_settled: Some(settled()), ..before.clone() };
        assert_eq!(facts(Some(before.clone()), after).unwrap(), [Fact::Settled { seq: 1, charge: settled() }]);
        let after = Image { return_seq: 1, returned: usd(50), granted: usd(0), ..before.clone() };
        assert_eq!(facts(Some(before.clone()), after).unwrap(), [Fact::Returned { seq: 1, amount: usd(50) }]);
        assert_eq!(facts(Some(before.clone()), Image { budget: Some(usd(9)), ..before }).unwrap(), []);
        assert_eq!(facts(None, image()).unwrap(), []);
    }

    #[test]
    fn money_that_is_taken_back_has_a_grants_number() {
        let before = Image { grant_seq: 4, granted: usd(50), ..image() };
        let under_a_budget = Image { grant_seq: 5, granted: usd(20), ..before.clone() };
        let wanted = Fact::Granted { previous: 4, seq: 5, micro_usd: -30 };
        assert_eq!(facts(Some(before.clone()), under_a_budget).unwrap(), [wanted]);
        let closed = Image { grant_seq: CLOSED, granted: usd(0), ..before.clone() };
        let wanted = Fact::Granted { previous: 4, seq: CLOSED, micro_usd: -50 };
        assert_eq!(facts(Some(before), closed.clone()).unwrap(), [wanted]);
        let again = Image { grant_seq: CLOSED + 1, ..closed.clone() };
        let wanted = Fact::Granted { previous: CLOSED, seq: CLOSED + 1, micro_usd: 0 };
        assert_eq!(facts(Some(closed), again).unwrap(), [wanted]);
    }

    #[test]
    fn what_no_single_write_does_is_not_believed() {
        let one = Image { requests: 1, last_row: Some(row()), granted: usd(5), ..image() };
        for after in [
            Image { requests: 3, ..one.clone() },
            Image { requests: 0, ..one.clone() },
            Image { requests: 2, last_row: None, ..one.clone() },
            Image { settlements: 1, ..one.clone() },
            Image { settlements: 2, last_settled: Some(settled()), ..one.clone() },
            Image { grant_seq: 2, ..one.clone() },
            Image { grant_seq: CLOSED + 1, ..one.clone() },
            Image { return_seq: 2, ..one.clone() },
        ] {
            assert!(facts(Some(one.clone()), after.clone()).is_err(), "{after:?}");
        }
    }
}
