//! Removes from a wallet the entries of cells that nothing is on its way to or from; see [`faregate_domain::sweep`].

use faregate_domain::{cell::CellId, id::ProjectId, sweep::Sweep};

use super::{Maps, WALLET, WalletOutcome, require_sweeps};
use crate::{
    Outcome, Store, StoreError,
    cell::CELL,
    expression::{Builder, Write},
};

impl Store {
    /// Makes a wallet one that is swept: its maps go on under names that code which knows of no sweeps does not write to.
    /// Nothing in them changes. Refused where it is one already.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; doing so again changes nothing.
    pub async fn begin_sweeps(&self, project: &ProjectId) -> Result<WalletOutcome, StoreError> {
        let mut builder = Builder::default();
        builder.number(":none", 0);
        let (before, after) = (Maps::WHOLE.names(), Maps::SWEPT.names());
        for (before, after) in before.into_iter().zip(after) {
            builder.set(format!("{after} = {before}"));
            builder.remove(before);
            builder.require(format!("attribute_exists({before})"));
        }
        builder.set("sw = :none");
        self.send_to_wallet(&builder.build(project.to_string(), WALLET)).await
    }

    /// Removes the entries of a sweep, if the wallet still has them as they were seen; see [`Sweep`].
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; sending the same sweep again removes them once.
    pub async fn sweep_wallet(&self, project: &ProjectId, sweep: &Sweep) -> Result<WalletOutcome, StoreError> {
        self.send_to_wallet(&sweeping(project, sweep)).await
    }

    /// Tells a cell that its last return has arrived, if that is its last.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; doing so again changes nothing.
    pub async fn acknowledge_return(&self, child: &CellId, seq: u64) -> Result<Outcome, StoreError> {
        let mut builder = Builder::default();
        builder.number(":n", seq);
        builder.set("rk = :n");
        builder.require("rs = :n");
        self.send(&builder.build(child.partition(), CELL)).await
    }
}

fn sweeping(project: &ProjectId, sweep: &Sweep) -> Write {
    let Maps { numbers, grants, returns } = Maps::SWEPT;
    let mut builder = Builder::default();
    require_sweeps(&mut builder, Some(sweep.sweeps));
    builder.number(":one", 1);
    builder.set("sw = sw + :one");
    for (place, (id, child)) in sweep.settled.iter().enumerate() {
        let cell = format!("#c{place}");
        builder.name(&cell, id.partition());
        for (map, seen, value) in [(numbers, child.last.seq, "g"), (returns, child.returned, "r")] {
            if seen == 0 {
                builder.require(format!("attribute_not_exists({map}.{cell})"));
            } else {
                let value = format!(":{value}{place}");
                builder.number(&value, seen);
                builder.require(format!("{map}.{cell} = {value}"));
                builder.remove(format!("{map}.{cell}"));
            }
        }
        if child.last.seq > 0 {
            builder.remove(format!("{grants}.{cell}"));
        }
    }
    builder.build(project.to_string(), WALLET)
}

#[cfg(test)]
mod tests;
