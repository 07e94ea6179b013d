//! What the gate decided about one request, before any wiring renders it.

use faregate_domain::{
    attempt::Admission,
    cell::{Cell, CellId, Owner},
    denial::Denial,
    policy::Refusals,
    standing::Standing,
    time::Timestamp,
};

/// A decision and what it was based on.
#[derive(Clone, Debug)]
pub struct Decision {
    /// When it was taken.
    pub now: Timestamp,
    /// Who renders a refusal.
    pub refusals: Refusals,
    /// The verdict.
    pub verdict: Result<Admission, Denial>,
    /// Who asked, once that is known.
    pub principal: Option<Principal>,
    /// What is left of each limit, once that is known.
    pub standing: Option<Standing>,
}

impl Decision {
    /// A refusal before anything was read.
    pub(crate) fn refused_unread(now: Timestamp, refusals: Refusals, denial: Denial) -> Self {
        Self { now, refusals, verdict: Err(denial), principal: None, standing: None }
    }
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The cell that counts.
    pub cell: CellId,
    /// Whom it acts for.
    pub owner: Owner,
    /// What it may do, space-separated (RFC 6749, section 3.3).
    pub scopes: String,
}

impl Principal {
    pub(crate) fn of(id: &CellId, cell: &Cell) -> Self {
        let scopes: Vec<_> = cell.grants.iter().map(faregate_domain::scope::Grant::as_str).collect();
        Self { cell: id.clone(), owner: cell.owner.clone(), scopes: scopes.join(" ") }
    }

    /// The key's public id; empty for a session.
    #[must_use]
    pub fn key_id(&self) -> String {
        match &self.cell {
            CellId::Key(id) => id.to_string(),
            CellId::Session(_) => String::new(),
        }
    }
}
