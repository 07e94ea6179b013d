//! Removes from a wallet the entries of cells that nothing is on its way to or from; see [`faregate_domain::sweep`].

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    cell::CellId,
    drought::{Drought, Holdings},
    id::ProjectId,
    money::MicroUsd,
    sweep::Sweep,
    time::Timestamp,
};

use super::{Maps, WALLET, WalletOutcome, require_sweeps};
use crate::{
    Outcome, Store, StoreError,
    cell::{CELL, parse_number},
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

    /// Notes in a swept wallet that all cells were looked at and had too little, unless somebody has looked since.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be noted.
    pub async fn note_drought(
        &self,
        project: &ProjectId,
        sweeps: u64,
        drought: &Drought,
    ) -> Result<WalletOutcome, StoreError> {
        let mut builder = Builder::default();
        require_sweeps(&mut builder, Some(sweeps));
        builder.value(":dr", AttributeValue::M(drought_map(drought)));
        builder.set("dr = :dr");
        builder.number(":at", drought.at.epoch_ms());
        builder.require("NOT dr.a > :at");
        self.send_to_wallet(&builder.build(project.to_string(), WALLET)).await
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

fn drought_map(drought: &Drought) -> HashMap<String, AttributeValue> {
    let Drought { at, price, holdings: Holdings { held, reserved, first_end } } = drought;
    let amounts = [("c", price), ("h", held), ("r", reserved)].map(|(name, amount)| (name, amount.micro_usd()));
    let numbers = amounts.into_iter().chain([("a", at.epoch_ms())]);
    let numbers = numbers.chain(first_end.map(|end| ("e", end.epoch_ms())));
    numbers.map(|(name, number)| (name.to_owned(), AttributeValue::N(number.to_string()))).collect()
}

/// Reads what was noted of a look at all cells.
pub(super) fn parse_drought(value: &AttributeValue) -> Option<Drought> {
    let map = value.as_m().ok()?;
    let number = |name| map.get(name).and_then(parse_number::<u64>);
    let amount = |name| MicroUsd::new(number(name)?).ok();
    let first_end = match map.get("e") {
        Some(end) => Some(Timestamp::from_epoch_ms(parse_number(end)?)),
        None => None,
    };
    Some(Drought {
        at: Timestamp::from_epoch_ms(number("a")?),
        price: amount("c")?,
        holdings: Holdings { held: amount("h")?, reserved: amount("r")?, first_end },
    })
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
