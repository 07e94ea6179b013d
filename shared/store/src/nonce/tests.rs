//! A nonce works once, for its time, and a network gets so many.

use super::*;
use crate::fresh;

const NOW_EPOCH_S: u64 = 1_760_000_040;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_epoch_s(NOW_EPOCH_S + seconds)
}

fn nonce(digit: u8) -> Nonce {
    Nonce::mint(&mut |pool| pool.fill(digit))
}

fn attempt(digit: u8) -> SessionId {
    SessionId::mint(&mut |pool| pool.fill(digit))
}

fn issued() -> IssuedNonce {
    let address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".parse().unwrap();
    IssuedNonce { address, message: "please\nsign".to_owned() }
}

#[tokio::test]
async fn a_nonce_is_consumed_once_and_shows_what_was_handed_out() {
    let store = fresh::table().await;
    store.insert_nonce(&nonce(1), &issued(), at(0)).await.unwrap();
    assert_eq!(store.consume_nonce(&nonce(1), &attempt(1), at(1)).await.unwrap(), Some(issued()));
    assert_eq!(store.consume_nonce(&nonce(1), &attempt(2), at(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_re_sent_consumption_is_the_same_one() {
    let store = fresh::table().await;
    store.insert_nonce(&nonce(1), &issued(), at(0)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(store.consume_nonce(&nonce(1), &attempt(1), at(1)).await.unwrap(), Some(issued()));
    }
}

#[tokio::test]
async fn an_unknown_or_old_nonce_is_none() {
    let store = fresh::table().await;
    assert_eq!(store.consume_nonce(&nonce(1), &attempt(1), at(0)).await.unwrap(), None);
    store.insert_nonce(&nonce(1), &issued(), at(0)).await.unwrap();
    store.insert_nonce(&nonce(2), &issued(), at(0)).await.unwrap();
    assert_eq!(store.consume_nonce(&nonce(1), &attempt(1), at(300)).await.unwrap(), None);
    assert_eq!(store.consume_nonce(&nonce(2), &attempt(1), at(299)).await.unwrap(), Some(issued()));
}

#[tokio::test]
async fn another_nonce_of_the_same_address_ends_none() {
    let store = fresh::table().await;
    store.insert_nonce(&nonce(1), &issued(), at(0)).await.unwrap();
    store.insert_nonce(&nonce(2), &issued(), at(1)).await.unwrap();
    assert!(store.consume_nonce(&nonce(1), &attempt(1), at(2)).await.unwrap().is_some());
    assert!(store.consume_nonce(&nonce(2), &attempt(2), at(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_network_gets_so_many_nonces_per_minute_and_hour() {
    let store = fresh::table().await;
    let cap = NonceCap { per_minute: 2, per_hour: 3 };
    let one = CallerNetwork::V4([192, 0, 2, 1]);
    let count = |network, seconds| store.count_nonce(network, cap, at(seconds));
    assert_eq!(count(one, 0).await.unwrap(), None);
    assert_eq!(count(one, 0).await.unwrap(), None);
    assert_eq!(count(one, 0).await.unwrap(), Some(NonceCounts { this_minute: 2, this_hour: 2 }));
    assert_eq!(count(CallerNetwork::V4([192, 0, 2, 2]), 0).await.unwrap(), None);
    assert_eq!(count(one, 60).await.unwrap(), None);
    assert_eq!(count(one, 60).await.unwrap(), Some(NonceCounts { this_minute: 1, this_hour: 3 }));
    assert_eq!(count(one, 3_600).await.unwrap(), None);
}

#[test]
fn the_writes_keep_dynamodbs_rules() {
    assert_eq!(consumption(&nonce(1), &attempt(1), at(0)).lint(), Ok(()));
    assert_eq!(counting(CallerNetwork::Unknown, NonceCap::default(), at(0)).lint(), Ok(()));
}
