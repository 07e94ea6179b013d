//! Endpoints, deliveries and secrets before a table of their own: stale writes change nothing, and repeated ones nothing more.

use std::{collections::BTreeSet, slice};

use faregate_domain::{
    id::{AccountId, KeyId, MessageId, ProjectId, WebhookId},
    time::Timestamp,
    webhook::{Attempt, Delivery, DeliveryState, Disabled, Endpoint, EventKind, Outcome, Reason, Wish},
};

use super::*;
use crate::fresh;

fn at(second: u64) -> Timestamp {
    Timestamp::from_epoch_s(second)
}

fn account() -> AccountId {
    AccountId::mint(&mut |pool| pool.fill(1))
}

fn key() -> KeyId {
    KeyId::mint(&mut |pool| pool.fill(2))
}

fn endpoint(number: u8) -> Endpoint {
    Endpoint {
        id: WebhookId::mint(&mut |pool| pool.fill(number)),
        account: account(),
        key: key(),
        project: ProjectId::mint(&mut |pool| pool.fill(3)),
        environment: "sandbox".into(),
        url: "https://example.com/".into(),
        wish: Wish::parse(["key.created", "key.revoked"]).unwrap(),
        description: Some("mine".into()),
        created_at: at(1_000),
        disabled: None,
        failing_since: None,
        version: 1,
    }
}

fn delivery(number: u8, next: Timestamp) -> Delivery {
    Delivery {
        endpoint: endpoint(7).id,
        account: account(),
        id: MessageId::of(at(u64::from(number)), &["a"]),
        kind: EventKind::KeyCreated,
        body: "{}".into(),
        created_at: at(1_000),
        state: DeliveryState::Pending(next),
        round: 0,
        tried: 0,
        attempts: Vec::new(),
    }
}

async fn insert(store: &Store, endpoint: &Endpoint) -> EndpointInsertion {
    store.insert_endpoint(&NewEndpoint { endpoint, record: None, now: at(1_000) }).await.unwrap()
}

#[tokio::test]
async fn an_endpoint_reads_back_and_is_changed_as_it_was_read_only() {
    let (store, first) = (fresh::table().await, endpoint(7));
    for _ in 0..2 {
        assert_eq!(insert(&store, &first).await, EndpointInsertion::Inserted);
    }
    assert_eq!(store.find_endpoints(&account()).await.unwrap(), slice::from_ref(&first));
    let disabled = Some(Disabled { reason: Reason::Gone, at: at(1_500) });
    let ended = Endpoint { disabled, failing_since: Some(at(1_400)), description: None, ..first.clone() };
    for _ in 0..2 {
        assert!(store.change_endpoint(&first, &ended).await.unwrap(), "sent again, it is the same change");
    }
    let found = store.find_endpoint(&account(), &first.id).await.unwrap().unwrap();
    assert_eq!(found, Endpoint { version: 2, ..ended.clone() });
    let stale = Endpoint { url: "https://example.org/".into(), ..first.clone() };
    assert!(!store.change_endpoint(&first, &stale).await.unwrap());
    assert!(
        store
            .change_endpoint(&found, &Endpoint { disabled: None, failing_since: None, ..found.clone() })
            .await
            .unwrap()
    );
    let mended = store.find_endpoint(&account(), &first.id).await.unwrap().unwrap();
    assert_eq!((mended.disabled, mended.failing_since, mended.description), (None, None, None));
}

#[tokio::test]
async fn a_deleted_endpoint_is_changed_by_nobody_and_gives_its_place_up() {
    let store = fresh::table().await;
    for number in 0..20 {
        assert_eq!(insert(&store, &endpoint(number)).await, EndpointInsertion::Inserted);
    }
    assert_eq!(insert(&store, &endpoint(20)).await, EndpointInsertion::Full);
    let gone = endpoint(7);
    for _ in 0..2 {
        store.delete_endpoint(&account(), &gone.id).await.unwrap();
    }
    assert!(!store.change_endpoint(&gone, &gone).await.unwrap());
    assert_eq!(store.find_endpoint(&account(), &gone.id).await.unwrap(), None);
    assert_eq!(insert(&store, &endpoint(20)).await, EndpointInsertion::Inserted);
}

#[tokio::test]
async fn all_endpoints_are_found_page_by_page() {
    let store = fresh::table().await;
    for number in 0..7 {
        insert(&store, &endpoint(number)).await;
    }
    let (mut after, mut found) = (None, BTreeSet::new());
    loop {
        let page = store.find_all_endpoints(after.as_ref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.account.clone(), last.id.clone()));
        found.extend(page.into_iter().map(|endpoint| endpoint.id));
    }
    assert_eq!(found.len(), 7);
}

#[tokio::test]
async fn a_delivery_is_inserted_once_and_moves_on_from_where_it_is_only() {
    let (store, first) = (fresh::table().await, delivery(1, at(1_000)));
    assert!(store.insert_delivery(&first).await.unwrap());
    assert!(!store.insert_delivery(&delivery(1, at(9_000))).await.unwrap());
    let attempt = |outcome| Attempt { at: at(1_001), outcome };
    let failed = first.after(attempt(Outcome::Unanswered("timed_out".into())), None, 0);
    for _ in 0..2 {
        assert!(store.change_delivery(&first, &failed).await.unwrap());
    }
    assert_eq!(store.find_delivery(&first.endpoint, &first.id).await.unwrap().unwrap(), failed);
    let stale = first.after(attempt(Outcome::Answered(200)), None, 0);
    assert!(!store.change_delivery(&first, &stale).await.unwrap());
    let done = failed.after(attempt(Outcome::Answered(204)), None, 0);
    assert!(store.change_delivery(&failed, &done).await.unwrap());
    assert_eq!(store.find_delivery(&first.endpoint, &first.id).await.unwrap().unwrap(), done);
    let again = done.again(at(2_000));
    assert!(store.change_delivery(&done, &again).await.unwrap());
    assert!(!store.change_delivery(&done, &again.again(at(3_000))).await.unwrap());
}

async fn due(store: &Store, until: u64) -> Vec<DueItem> {
    let mut found = Vec::new();
    for shelf in 0..Store::DUE_SHELVES {
        found.extend(store.find_due(shelf, at(until), 100).await.unwrap());
    }
    found
}

#[tokio::test]
async fn what_waits_is_found_when_its_time_has_come_and_while_it_waits() {
    let store = fresh::table().await;
    let (soon, late) = (delivery(1, at(1_000)), delivery(2, at(5_000)));
    for delivery in [&soon, &late] {
        store.insert_delivery(delivery).await.unwrap();
    }
    let reminder = Reminder { account: account(), key: key(), end: at(604_800 + 2_000) };
    store.set_reminder(&reminder).await.unwrap();
    assert!(due(&store, 1_000).await.is_empty());
    let found = due(&store, 1_001).await;
    assert_eq!(found.iter().map(|item| &item.due).collect::<Vec<_>>(), [&Due::Delivery(Box::new(soon.clone()))]);
    assert!(store.put_off(&found[0], at(1_600)).await.unwrap());
    assert!(due(&store, 1_600).await.is_empty(), "it is on its way");
    assert!(!store.put_off(&found[0], at(1_700)).await.unwrap(), "somebody else has put it off");
    assert_eq!(due(&store, 1_601).await.len(), 1);
    let done = soon.after(Attempt { at: at(1_601), outcome: Outcome::Answered(200) }, None, 0);
    assert!(store.change_delivery(&soon, &done).await.unwrap());
    let found = due(&store, 4_000).await;
    assert_eq!(found.iter().map(|item| &item.due).collect::<Vec<_>>(), [&Due::Reminder(reminder.clone())]);
    store.forget_reminder(&reminder.account, &reminder.key).await.unwrap();
    assert!(due(&store, 4_000).await.is_empty());
    assert_eq!(due(&store, 5_001).await.len(), 1);
}

#[tokio::test]
async fn a_secret_gives_way_to_a_later_one_only() {
    let store = fresh::table().await;
    let secret = |number, byte| SealedSecret { account: account(), key: key(), number, sealed: vec![byte; 9] };
    assert!(store.keep_secret(&secret(1, 1)).await.unwrap());
    assert!(!store.keep_secret(&secret(0, 9)).await.unwrap());
    assert!(store.keep_secret(&secret(1, 2)).await.unwrap());
    assert!(store.reseal_secret(&secret(1, 2), vec![3; 9]).await.unwrap());
    assert!(!store.reseal_secret(&secret(1, 2), vec![4; 9]).await.unwrap());
    let kept = store.find_key_secrets(&account(), &key()).await.unwrap().unwrap();
    assert_eq!((kept.newest, kept.rotated_at, kept.find(1)), (1, None, Some(secret(1, 3))));
    assert_eq!(kept.find(0), None);
}
