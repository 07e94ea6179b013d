//! What a sweep removes, what keeps it from doing so, and what it keeps others from.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{error::ProvideErrorMetadata, types::AttributeValue};
use faregate_domain::{
    funding::{Child, Debit, Grant, Return, Wallet},
    id::KeyId,
    money::MicroUsd,
};

use super::*;
use crate::{account::tests::table_with_account, cell::cell_item};

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

fn key(number: usize) -> CellId {
    CellId::Key(KeyId::from_suffix(&format!("{number:0>16}")).unwrap())
}

fn grant(seq: u64) -> Grant {
    Grant { amount: usd(10), tokens: None, seq }
}

fn sent(seq: u64) -> Return {
    Return { amount: usd(3), seq }
}

struct Bench {
    store: Store,
    project: ProjectId,
}

impl Bench {
    async fn new() -> Self {
        let (store, account) = table_with_account().await;
        Self { store, project: account.default_project }
    }

    /// The same, with a wallet that is swept and has a grant debited for the first key.
    async fn swept() -> Self {
        let bench = Self::new().await;
        assert!(bench.is_debited(&key(1), 1, None).await);
        assert!(matches!(bench.store.begin_sweeps(&bench.project).await.unwrap(), WalletOutcome::Applied(_)));
        bench
    }

    async fn wallet(&self) -> Wallet {
        self.store.find_wallet(&self.project).await.unwrap().unwrap()
    }

    async fn is_debited(&self, id: &CellId, seq: u64, sweeps: Option<u64>) -> bool {
        let debit = Debit { grant: grant(seq), bucket: None, stale: Vec::new(), sweeps };
        let outcome = self.store.debit_wallet(&self.project, id, &debit).await.unwrap();
        matches!(outcome, WalletOutcome::Applied(_))
    }

    async fn is_received(&self, id: &CellId, seq: u64, sweeps: Option<u64>) -> bool {
        let outcome = self.store.receive_return(&self.project, id, &sent(seq), sweeps).await.unwrap();
        matches!(outcome, WalletOutcome::Applied(_))
    }

    async fn is_removed(&self, sweeps: u64, settled: &[(CellId, Child)]) -> bool {
        let sweep = Sweep { sweeps, settled: settled.iter().cloned().collect() };
        matches!(self.store.sweep_wallet(&self.project, &sweep).await.unwrap(), WalletOutcome::Applied(_))
    }
}

fn child(seq: u64, returned: u64) -> Child {
    Child { last: if seq == 0 { Grant::default() } else { grant(seq) }, returned }
}

#[tokio::test]
async fn a_wallet_that_begins_to_be_swept_keeps_all_that_it_had() {
    let bench = Bench::new().await;
    assert!(bench.is_debited(&key(1), 1, None).await);
    assert!(bench.is_received(&key(2), 1, None).await);
    let before = bench.wallet().await;
    let WalletOutcome::Applied(after) = bench.store.begin_sweeps(&bench.project).await.unwrap() else { panic!() };
    assert_eq!(after, Wallet { sweeps: Some(0), ..before });
    assert_eq!(after.children, BTreeMap::from([(key(1), child(1, 0)), (key(2), child(0, 1))]));
    let WalletOutcome::Refused(Some(again)) = bench.store.begin_sweeps(&bench.project).await.unwrap() else { panic!() };
    assert_eq!(again, after);
}

#[tokio::test]
async fn whoever_takes_a_swept_wallet_for_one_that_keeps_all_is_refused() {
    let bench = Bench::swept().await;
    let before = bench.wallet().await;
    assert!(!bench.is_debited(&key(1), 2, None).await);
    assert!(!bench.is_received(&key(1), 1, None).await);
    // As code wrote it that knew of no sweeps.
    let sent = bench.store.client().update_item().table_name(bench.store.table());
    let sent = sent.key("pk", AttributeValue::S(bench.project.to_string()));
    let sent = sent.key("sk", AttributeValue::S(WALLET.to_owned()));
    let sent = sent.update_expression("SET gs.#c = :n, ga.#c = :g, av = av - :a");
    let sent = sent.condition_expression("NOT gs.#c >= :n AND av >= :a").expression_attribute_names("#c", "key_1");
    let number = |number: u64| AttributeValue::N(number.to_string());
    let sent = sent.expression_attribute_values(":n", number(2)).expression_attribute_values(":a", number(10));
    let error = sent.expression_attribute_values(":g", AttributeValue::S("10".into())).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationException"));
    assert_eq!(bench.wallet().await, before);
}

#[tokio::test]
async fn an_entry_is_removed_once_and_no_copy_sent_before_is_applied_after() {
    let bench = Bench::swept().await;
    let with_grant = bench.wallet().await.available;
    assert!(bench.is_removed(0, &[(key(1), child(1, 0))]).await);
    assert!(!bench.is_removed(0, &[]).await);
    let swept = bench.wallet().await;
    assert_eq!((swept.sweeps, swept.children.len(), swept.available), (Some(1), 0, with_grant));
    // Copies of the grant that the entry told of, and of a return.
    assert!(!bench.is_debited(&key(1), 1, Some(0)).await);
    assert!(!bench.is_received(&key(1), 1, Some(0)).await);
    assert_eq!(bench.wallet().await, swept);
    assert!(bench.is_debited(&key(1), 2, Some(1)).await);
    assert!(bench.is_received(&key(1), 1, Some(1)).await);
    assert!(!bench.is_debited(&key(1), 2, Some(1)).await);
    assert!(!bench.is_received(&key(1), 1, Some(1)).await);
    assert_eq!(bench.wallet().await.children, BTreeMap::from([(key(1), child(2, 1))]));
}

#[tokio::test]
async fn an_entry_that_is_not_as_it_was_seen_stays_and_so_do_all_others() {
    let bench = Bench::swept().await;
    assert!(bench.is_debited(&key(2), 5, Some(0)).await);
    assert!(bench.is_received(&key(2), 4, Some(0)).await);
    assert!(bench.is_received(&key(3), 1, Some(0)).await);
    let before = bench.wallet().await;
    for seen in [child(4, 4), child(5, 3), child(0, 4), child(5, 0)] {
        assert!(!bench.is_removed(0, &[(key(1), child(1, 0)), (key(2), seen)]).await, "{seen:?}");
    }
    assert!(!bench.is_removed(0, &[(key(3), child(1, 1))]).await);
    assert!(!bench.is_removed(1, &[(key(1), child(1, 0))]).await);
    assert_eq!(bench.wallet().await, before);
    let all = [(key(1), child(1, 0)), (key(2), child(5, 4)), (key(3), child(0, 1))];
    assert!(bench.is_removed(0, &all).await);
    assert_eq!(bench.wallet().await.children, BTreeMap::new());
}

#[tokio::test]
async fn a_cell_is_told_of_its_last_return_only() {
    let (store, account) = table_with_account().await;
    let id = CellId::Session(account.id.clone());
    let acknowledge = async |seq| match store.acknowledge_return(&id, seq).await.unwrap() {
        Outcome::Applied(cell) => Some(cell.purse.acknowledged),
        Outcome::Refused { .. } => None,
    };
    assert_eq!(acknowledge(1).await, None);
    let mut cell = store.find_cell(&id).await.unwrap().unwrap();
    cell.purse.balance = usd(9);
    cell.purse.granted = usd(9);
    let put = store.client().put_item().table_name(store.table()).set_item(Some(cell_item(&id, &cell)));
    put.send().await.unwrap();
    assert!(matches!(store.begin_return(&id, &sent(1)).await.unwrap(), Outcome::Applied(_)));
    assert_eq!(acknowledge(1).await, Some(1));
    assert!(matches!(store.begin_return(&id, &sent(2)).await.unwrap(), Outcome::Applied(_)));
    assert_eq!(acknowledge(1).await, None);
    assert_eq!(acknowledge(3).await, None);
    assert_eq!(store.find_cell(&id).await.unwrap().unwrap().purse.acknowledged, 1);
}

#[tokio::test]
async fn a_look_is_noted_in_a_wallet_that_was_not_swept_since() {
    let bench = Bench::swept().await;
    let mut drought = Drought {
        at: Timestamp::from_epoch_ms(1_760_000_000_123),
        price: usd(7),
        holdings: Holdings { held: usd(1), reserved: usd(2), first_end: Some(Timestamp::from_epoch_ms(5_001)) },
    };
    for end in [drought.holdings.first_end, None] {
        drought.holdings.first_end = end;
        let noted = bench.store.note_drought(&bench.project, 0, &drought).await.unwrap();
        assert!(matches!(noted, WalletOutcome::Applied(wallet) if wallet.drought == Some(drought)));
    }
    let later = Drought { price: usd(8), ..drought };
    let earlier = Drought { at: Timestamp::from_epoch_ms(1_760_000_000_122), ..later };
    assert!(matches!(bench.store.note_drought(&bench.project, 0, &earlier).await.unwrap(), WalletOutcome::Refused(_)));
    assert!(matches!(bench.store.note_drought(&bench.project, 1, &later).await.unwrap(), WalletOutcome::Refused(_)));
    assert_eq!(bench.wallet().await.drought, Some(drought));
}

#[test]
fn the_largest_sweep_is_within_what_dynamodb_allows() {
    let settled = (0..24).map(|number| (key(number), child(u64::MAX / 2, u64::MAX / 2))).collect();
    let project = ProjectId::mint(&mut |pool| pool.fill(2));
    assert_eq!(sweeping(&project, &Sweep { sweeps: u64::MAX / 2, settled }).lint(), Ok(()));
}
