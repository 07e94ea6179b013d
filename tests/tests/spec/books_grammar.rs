//! Everything that the ledger writes is grammatical to each engine, changes what it should and nothing the second time, and
//! leaves the same items; everything that is read of the books is read alike.

mod reading;
mod writing;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    books::{SettledCharge, Slot},
    cell::{CellId, Owner},
    charge::ChargeNonce,
    id::{AccountId, ClientSessionId, KeyId, ProjectId},
    money::MicroUsd,
    time::Timestamp,
};

use crate::engines::{Engine, Item};
use writing::{STEPS, Step};

/// A key, and what the ledger enters of it.
struct Scene {
    cell: CellId,
    owner: Owner,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        Self {
            cell: CellId::Key(KeyId::mint(&mut |pool| pool.fill(1))),
            owner: Owner {
                account: AccountId::mint(&mut |pool| pool.fill(2)),
                project: ProjectId::mint(&mut |pool| pool.fill(3)),
                environment: "sandbox".to_owned(),
                gallery: "g".to_owned(),
            },
            now: Timestamp::from_epoch_ms(1_760_000_040_123),
        }
    }
}

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

fn charge(number: u8) -> ChargeNonce {
    ChargeNonce::mint(&mut |pool| pool.fill(number))
}

fn client_session() -> ClientSessionId {
    ClientSessionId::mint(&mut |pool| pool.fill(5))
}

/// A charge that reserved 100 and failed for a reason, or cost 37.
fn settled(number: u8, at: Timestamp, has_failed: bool) -> SettledCharge {
    let ending = if has_failed { "0 F model.timeout" } else { "37 S" };
    SettledCharge::parse(&format!("{} {} 100 {ending}", charge(number).as_str(), at.epoch_ms())).unwrap()
}

fn slot(code: &str) -> Slot {
    Slot { route: "GET /demo/free".to_owned(), code: code.to_owned() }
}

#[tokio::test]
async fn what_the_ledger_writes_is_written_once_and_alike_by_each_engine() {
    let (bundle, scene) = (crate::engines::bundle().await, Scene::new());
    let (mut left, mut read) = (Vec::new(), Vec::new());
    for engine in Engine::all(&bundle).await {
        let mut states: Vec<(Step, BTreeMap<String, Item>)> = Vec::new();
        let key = [("pk", client_session().to_string()), ("sk", "session".to_owned())];
        engine.lay(key.map(|(name, text)| (name.to_owned(), AttributeValue::S(text))).into()).await;
        for (step, has_effect) in STEPS {
            let before = engine.items().await;
            step.write(&engine.store, &scene, 1).await;
            let once = engine.items().await;
            assert_eq!(once != before, has_effect, "{step:?}: {before:#?} {once:#?}");
            step.write(&engine.store, &scene, 2).await;
            assert_eq!(engine.items().await, once, "{step:?} a second time");
            states.push((step, once));
        }
        left.push(states);
        read.push(reading::all(&engine.store, &scene).await);
    }
    for ((step, one), (_, other)) in left[0].iter().zip(&left[left.len() - 1]) {
        assert_eq!(one, other, "{step:?}");
    }
    for (one, other) in read[0].iter().zip(&read[read.len() - 1]) {
        assert_eq!(one, other);
    }
}
