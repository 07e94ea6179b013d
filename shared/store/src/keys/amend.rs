//! Changes of a key: one conditional update where that is enough, one transaction where money or the name moves too.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    amendment::WindowShift,
    cell::{CellId, Status},
    delegation::Bound,
    id::{AccountId, KeyId, ProjectId},
    money::MicroUsd,
    origin::Allowlist,
    policy::Limits,
    recall::Recall,
    scope::GrantSet,
    time::Timestamp,
};

use crate::{
    Store, StoreError,
    cell::{CELL, allowlist_set, counters::minute_attribute, limit_attributes, scope_set, status_letter},
    client::Written,
    expression::{Builder, Write},
    funding::{Maps, WALLET},
    transaction::Transacted,
};

/// What to change about a key; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyAmendment {
    /// Its name.
    pub name: Option<String>,
    /// Whether it is frozen: active or frozen, never revoked.
    pub status: Option<Status>,
    /// What it may do.
    pub grants: Option<GrantSet>,
    /// From which origins.
    pub allowlist: Option<Bound<Allowlist>>,
    /// How fast.
    pub limits: Option<LimitsChange>,
    /// When it stops working.
    pub expires_at: Option<Bound<Timestamp>>,
    /// The most it may spend in all.
    pub budget: Option<BudgetChange>,
}

/// Limits before and after, and what that means for the running minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitsChange {
    /// What they must still be.
    pub old: Limits,
    /// What they become.
    pub new: Limits,
    /// The running minute's part.
    pub shift: WindowShift,
}

/// A budget before and after, and the money that goes back to the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetChange {
    /// What it must still be.
    pub old: Option<MicroUsd>,
    /// What it becomes.
    pub new: Option<MicroUsd>,
    /// Where the budget shrinks: the project, and what goes back to it.
    pub recall: Option<(ProjectId, Recall)>,
}

impl Store {
    /// Applies a change; false when the key is revoked or no longer in the state that the change was computed from,
    /// and nothing was written.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the change may have been applied.
    pub async fn amend_key(
        &self,
        account: &AccountId,
        id: &KeyId,
        amendment: &KeyAmendment,
    ) -> Result<bool, StoreError> {
        let cell = cell_write(account, id, amendment);
        let recall = amendment.budget.as_ref().and_then(|budget| budget.recall.as_ref());
        let is_described = amendment.name.is_some() || amendment.expires_at.is_some();
        if !is_described && recall.is_none() {
            if cell.update.is_empty() {
                return Ok(true);
            }
            return Ok(matches!(self.update(&cell).await?, Written::Applied(_)));
        }
        let mut items = vec![self.part(&cell)?];
        if is_described {
            items.push(self.part(&description_write(account, id, amendment))?);
        }
        if let Some((project, recall)) = recall {
            items.push(self.part(&wallet_write(project, &CellId::Key(id.clone()), recall))?);
        }
        Ok(matches!(self.transact(items).await?, Transacted::Applied))
    }
}

/// The description's part of a change: the name, and a copy of the end.
fn description_write(account: &AccountId, id: &KeyId, amendment: &KeyAmendment) -> Write {
    let mut builder = Builder::default();
    builder.require("attribute_exists(pk)");
    if let Some(name) = &amendment.name {
        builder.string(":name", name);
        builder.set("nm = :name");
    }
    if let Some(end) = amendment.expires_at {
        set_or_remove(&mut builder, "xp", end.find().map(|end| AttributeValue::N(end.epoch_s().to_string())));
    }
    builder.build(account.to_string(), &id.to_string())
}

/// The cell's part of a change.
fn cell_write(account: &AccountId, id: &KeyId, amendment: &KeyAmendment) -> Write {
    let mut builder = Builder::default();
    builder.string(":account", account.suffix());
    builder.string(":ended", status_letter(Status::Revoked));
    builder.require("acc = :account");
    builder.require("st <> :ended");
    if let Some(status) = amendment.status {
        builder.string(":status", status_letter(status));
        builder.set("st = :status");
    }
    if let Some(grants) = &amendment.grants {
        builder.value(":grants", scope_set(grants));
        builder.set("sc = :grants");
    }
    let number = |value: u64| AttributeValue::N(value.to_string());
    if let Some(list) = &amendment.allowlist {
        set_or_remove(&mut builder, "al", list.find().map(allowlist_set));
    }
    if let Some(end) = amendment.expires_at {
        set_or_remove(&mut builder, "xp", end.find().map(|end| number(end.epoch_s())));
    }
    if let Some(limits) = &amendment.limits {
        change_limits(&mut builder, limits);
    }
    if let Some(budget) = &amendment.budget {
        require_budget(&mut builder, budget.old);
        set_or_remove(&mut builder, "bc", budget.new.map(|budget| number(budget.micro_usd())));
        if let Some((_, recall)) = &budget.recall {
            recall_from_cell(&mut builder, recall);
        }
    }
    builder.build(CellId::Key(id.clone()).partition(), CELL)
}

fn set_or_remove(builder: &mut Builder, attribute: &str, value: Option<AttributeValue>) {
    match value {
        Some(value) => {
            let placeholder = format!(":{attribute}_new");
            builder.value(&placeholder, value);
            builder.set(format!("{attribute} = {placeholder}"));
        }
        None => builder.remove(attribute),
    }
}

/// Changes the limits of a cell, the tokens of its running minute among them.
pub(crate) fn change_limits(builder: &mut Builder, limits: &LimitsChange) {
    for ((attribute, old), (_, new)) in limit_attributes(&limits.old).into_iter().zip(limit_attributes(&limits.new)) {
        let (was, becomes) = (format!(":{attribute}_old"), format!(":{attribute}_new"));
        builder.number(&was, old);
        builder.number(&becomes, new);
        builder.require(format!("{attribute} = {was}"));
        builder.set(format!("{attribute} = {becomes}"));
    }
    builder.number(":minute", limits.shift.minute.0);
    builder.require("NOT w > :minute");
    // Whoever is behind must not go on in a minute that these tokens were not taken from.
    builder.set("w = :minute");
    builder.name("#m", minute_attribute(limits.shift.minute));
    match limits.shift.tokens {
        // Relative, so that it is right however many requests are admitted meanwhile.
        Some(tokens) => {
            builder.number(":tokens", tokens);
            builder.set("#m = #m + :tokens");
            builder.require("attribute_exists(#m)");
        }
        None => builder.require("attribute_not_exists(#m)"),
    }
}

fn require_budget(builder: &mut Builder, old: Option<MicroUsd>) {
    match old {
        Some(old) => {
            builder.number(":bc_old", old.micro_usd());
            builder.require("bc = :bc_old");
        }
        None => builder.require("attribute_not_exists(bc)"),
    }
}

/// Takes the money out of the cell and uses up the next grant's number.
pub(super) fn recall_from_cell(builder: &mut Builder, recall: &Recall) {
    builder.number(":gs_old", recall.grant_seq);
    builder.number(":gs_new", recall.next_seq);
    builder.require("gs = :gs_old");
    builder.set("gs = :gs_new");
    if recall.lost() > MicroUsd::ZERO {
        builder.number(":lost", recall.lost().micro_usd());
        builder.require("bal >= :lost");
        builder.set("bal = bal - :lost");
        builder.set("gt = gt - :lost");
    } else if recall.gained() > MicroUsd::ZERO {
        builder.number(":gained", recall.gained().micro_usd());
        builder.set("bal = bal + :gained");
        builder.set("gt = gt + :gained");
    }
}

/// Puts the money into the wallet and uses up the next grant's number there too.
pub(super) fn wallet_write(project: &ProjectId, child: &CellId, recall: &Recall) -> Write {
    let Maps { numbers, grants, .. } = Maps::of(recall.is_swept);
    let mut builder = Builder::default();
    builder.name("#c", child.partition());
    builder.number(":next", recall.next_seq);
    builder.string(":nothing", "0");
    builder.set(format!("{numbers}.#c = :next"));
    builder.set(format!("{grants}.#c = :nothing"));
    match recall.debited_seq {
        Some(seq) => {
            builder.number(":last", seq);
            builder.require(format!("{numbers}.#c = :last"));
        }
        None => {
            builder.require(format!("attribute_exists({numbers})"));
            builder.require(format!("attribute_not_exists({numbers}.#c)"));
        }
    }
    if recall.returned > MicroUsd::ZERO {
        builder.number(":returned", recall.returned.micro_usd());
        builder.set("av = av + :returned");
    }
    builder.build(project.to_string(), WALLET)
}
