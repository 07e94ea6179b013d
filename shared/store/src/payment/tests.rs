//! What is kept of a payment: changed once from what it was, or not at all.

use faregate_domain::{id::EntryId, ledger::EntryKind};

use super::*;
use crate::account::tests::table_with_account;

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

fn payment(name: &str) -> Payment {
    Payment::new(PaymentName::parse(name).unwrap(), Timestamp::from_epoch_s(1_760_000_000))
}

fn change<'c>(before: &'c Payment, after: &'c Payment) -> PaymentChange<'c> {
    PaymentChange { before, after, refund: None, wallet: None, now: after.first_seen }
}

#[tokio::test]
async fn a_payment_reads_as_it_was_kept() {
    let (store, account) = table_with_account().await;
    let bare = payment("pi_bare");
    let claim = Claim { amount: Some(usd(7)), stated: "7 usd".into(), account: Some("acc_x".into()) };
    let whole = Payment {
        claim: Some(claim),
        refunds: Refunds { succeeded: usd(1), failed: usd(2), charge: usd(3) },
        debited: usd(4),
        complaint: Some(Complaint::NotCovered),
        assignment: Some(Assignment::Account(account.id)),
        ..payment("pi_whole")
    };
    let unread = Claim { amount: None, stated: "x".into(), account: None };
    let foreign = Payment { claim: Some(unread), assignment: Some(Assignment::Nobody), ..payment("pi_foreign") };
    for before in [bare, whole, foreign] {
        let after = Payment { version: 1, ..before.clone() };
        let fresh = Payment { complaint: None, ..before };
        assert!(store.change_payment(&change(&fresh, &after)).await.unwrap());
        assert_eq!(store.find_payment(&after.name).await.unwrap().as_ref(), Some(&after));
        assert_eq!(store.find_payments([&after.name].into_iter()).await.unwrap(), [after]);
    }
}

#[tokio::test]
async fn nothing_is_changed_that_has_changed_since_it_was_read() {
    let (store, account) = table_with_account().await;
    let (new, name) = (payment("pi_1"), RefundName::parse("re_1").unwrap());
    let [first, second] = [1, 2].map(|version| Payment { version, ..new.clone() });
    let known = |outcome| KnownRefund { outcome, amount: usd(5) };
    let (succeeded, failed) = (known(RefundOutcome::Succeeded), known(RefundOutcome::Failed));
    assert!(store.change_payment(&change(&new, &first)).await.unwrap());
    assert!(!store.change_payment(&change(&new, &first)).await.unwrap());
    let told = |known, now| PaymentChange { refund: Some((&name, known, now)), ..change(&first, &second) };
    assert!(!store.change_payment(&told(Some(failed), succeeded)).await.unwrap());
    assert_eq!(store.find_refund(&new.name, &name).await.unwrap(), None);
    let wallet = |available, entries| AccountWallet { available: usd(available), entries, owed: usd(0) };
    let stale = WalletChange { account: &account.id, before: wallet(9, 2), after: wallet(4, 3), entry: None };
    let with_wallet = PaymentChange { wallet: Some(stale), ..told(None, succeeded) };
    assert!(!store.change_payment(&with_wallet).await.unwrap());
    assert_eq!(store.find_payment(&new.name).await.unwrap().map(|found| found.version), Some(1));
    assert!(store.change_payment(&told(None, succeeded)).await.unwrap());
    assert_eq!(store.find_refund(&new.name, &name).await.unwrap(), Some(succeeded));
}

#[tokio::test]
async fn a_payment_is_listed_as_long_as_it_has_a_complaint() {
    let (store, _) = table_with_account().await;
    let mut kept = Vec::new();
    for number in 0..5_u64 {
        let first_seen = Timestamp::from_epoch_s(1_760_000_000 + number / 2);
        let before = Payment { first_seen, ..payment(&format!("pi_{number}")) };
        let after = Payment { version: 1, complaint: Some(Complaint::NoAccount), ..before.clone() };
        assert!(store.change_payment(&change(&before, &after)).await.unwrap());
        kept.push(after);
    }
    let settled = Payment { version: 2, complaint: None, ..kept[4].clone() };
    assert!(store.change_payment(&change(&kept[4], &settled)).await.unwrap());
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.find_unmatched(after.as_deref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.place.clone());
        let open = page.iter().filter(|unmatched| unmatched.is_open);
        seen.extend(open.map(|unmatched| unmatched.name.as_str().to_owned()));
    }
    let again = Payment { version: 3, complaint: Some(Complaint::NotCovered), ..settled.clone() };
    assert!(store.change_payment(&change(&settled, &again)).await.unwrap());
    assert!(store.find_unmatched(None, 1).await.unwrap()[0].is_open, "it has a complaint again");
    assert_eq!(seen.len(), 4);
    assert!(seen[..2].iter().all(|name| ["pi_2", "pi_3"].contains(&name.as_str())), "{seen:?}");
}

#[tokio::test]
async fn a_wallet_owes_until_it_has_paid() {
    let (store, account) = table_with_account().await;
    let wallet = |available, owed, entries| AccountWallet { available: usd(available), entries, owed: usd(owed) };
    let entry = |number| Entry {
        id: EntryId::numbered(number, &mut |pool| pool.fill(1)),
        kind: EntryKind::Refund,
        amount: usd(3),
        project: None,
        reference: None,
        at: Timestamp::from_epoch_s(1_760_000_100),
    };
    for (before, after, entered) in [
        (wallet(0, 0, 2), wallet(0, 7, 2), None),
        (wallet(0, 7, 2), wallet(0, 4, 3), Some(entry(3))),
        (wallet(0, 4, 3), wallet(0, 0, 3), None),
        (wallet(0, 0, 3), wallet(3, 0, 4), Some(entry(4))),
    ] {
        let change = WalletChange { account: &account.id, before, after, entry: entered.as_ref() };
        let stale = [(usd(1), before.owed, before.entries), (usd(0), usd(5), before.entries), (usd(0), before.owed, 9)];
        for (available, owed, entries) in stale {
            let before = AccountWallet { available, owed, entries };
            assert!(!store.change_wallet(&WalletChange { before, ..change }).await.unwrap(), "{before:?}");
        }
        assert!(store.change_wallet(&change).await.unwrap(), "{before:?}");
        assert_eq!(store.find_account_wallet(&account.id).await.unwrap(), Some(after));
    }
    let entries = store.find_entries(&account.id, None, 2).await.unwrap();
    assert!(entries.iter().all(|entry| entry.kind == EntryKind::Refund));
}
