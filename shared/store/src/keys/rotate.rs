//! A key's new secret: one conditional write on its cell, which leaves everything else there as it is, and with it what
//! deliveries to the key's endpoints are signed under.

use faregate_domain::{
    cell::{CellId, Status},
    id::{AccountId, KeyId},
    key::KeyHash,
    rotation::{Grace, KeySecrets, Secret},
    time::Timestamp,
};

use crate::{
    Store, StoreError,
    cell::{
        CELL,
        secrets::{hash_value, is_current, require},
        status_letter,
    },
    expression::{Builder, Write},
    hooks::SealedSecret,
    idempotency::Record,
    transaction::Transacted,
};

/// A rotation to make.
#[derive(Clone, Copy, Debug)]
pub struct KeyRotation<'k> {
    /// The key's account.
    pub account: &'k AccountId,
    /// The key.
    pub id: &'k KeyId,
    /// Its secrets as they were read; no other rotation may have come between.
    pub before: &'k KeySecrets,
    /// The new secret's hash.
    pub new: KeyHash,
    /// For how long the one in force still works.
    pub grace: Grace,
    /// What deliveries to the key's endpoints are signed under from then on.
    pub secret: &'k SealedSecret,
    /// The record of the request, which must not exist at `now`.
    pub record: Option<&'k Record>,
    /// The instant of the request.
    pub now: Timestamp,
}

/// What a rotation met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationOutcome {
    /// The new secret is in force.
    Rotated,
    /// The request has a record already; nothing was written.
    Recorded,
    /// The key is revoked, or was rotated since it was read; nothing was written.
    Outdated,
}

impl Store {
    /// Puts a new secret in force, and the one before it into its grace.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the same rotation may be sent again, and is applied at most once.
    pub async fn rotate_key(&self, rotation: &KeyRotation<'_>) -> Result<RotationOutcome, StoreError> {
        let mut items = vec![self.part(&cell_write(rotation))?, self.rotate_secret(rotation.secret, rotation.now)?];
        if let Some(record) = rotation.record {
            items.push(self.put_record(record, rotation.now)?);
        }
        let Transacted::Refused(refused) = self.transact(items).await? else { return Ok(RotationOutcome::Rotated) };
        // An earlier send of this very rotation was applied and only its answer was lost.
        if refused.item(0).is_some_and(|item| is_current(item, &rotation.new)) {
            return Ok(RotationOutcome::Rotated);
        }
        Ok(if refused.is_refused(2) { RotationOutcome::Recorded } else { RotationOutcome::Outdated })
    }

    /// Notes, for a request that changes nothing else in the cell, that one of `hashes` was used; without effect where
    /// the key has been rotated or revoked meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be noted.
    pub async fn note_use(
        &self,
        id: &CellId,
        hashes: &[KeyHash],
        secret: Secret,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut builder = Builder::default();
        builder.number(":now", now.epoch_s());
        builder.string(":ended", status_letter(Status::Revoked));
        builder.require("st <> :ended");
        builder.require("NOT xp <= :now");
        require(&mut builder, hashes, secret, now);
        self.update(&builder.build(id.partition(), CELL)).await.map(|_| ())
    }
}

fn cell_write(rotation: &KeyRotation<'_>) -> Write {
    let mut builder = Builder::default();
    builder.string(":account", rotation.account.suffix());
    builder.string(":ended", status_letter(Status::Revoked));
    builder.require("acc = :account");
    builder.require("st <> :ended");
    match rotation.before.rotations() {
        0 => builder.require("attribute_not_exists(rn)"),
        number => {
            builder.number(":rn_old", number);
            builder.require("rn = :rn_old");
        }
    }
    builder.number(":rn", rotation.before.rotations() + 1);
    builder.number(":ro", rotation.now.epoch_s());
    builder.value(":new", hash_value(&rotation.new));
    // Both right sides are those before the write: whichever pepper the old hash is of by now, it is the one kept.
    builder.set("g = h");
    builder.set("h = :new");
    builder.set("rn = :rn");
    builder.set("ro = :ro");
    builder.remove("gu");
    match rotation.grace {
        Grace::Until(end) => {
            builder.number(":gx", end.epoch_s());
            builder.set("gx = :gx");
            builder.remove("gd");
        }
        Grace::FromFirstUse { seconds } => {
            builder.number(":gd", seconds);
            builder.set("gd = :gd");
            builder.remove("gx");
        }
    }
    builder.build(CellId::Key(rotation.id.clone()).partition(), CELL)
}
