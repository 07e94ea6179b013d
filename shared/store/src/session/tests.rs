//! Logins are added, displaced and ended one by one.

use super::*;
use crate::{Account, account};

const NOW_EPOCH_S: u64 = 1_760_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_epoch_s(NOW_EPOCH_S + seconds)
}

fn session(number: usize) -> SessionId {
    SessionId::from_suffix(&format!("{number:022}")).unwrap()
}

async fn table_with_account() -> (Store, Account) {
    account::tests::table_with_account().await
}

async fn known(store: &Store, account: &Account) -> Sessions {
    store.find_sessions(&account.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_login_is_live_until_it_is_revoked() {
    let (store, account) = table_with_account().await;
    assert!(store.insert_session(&account.id, &session(1), at(900), &[]).await.unwrap());
    assert!(store.insert_session(&account.id, &session(2), at(900), &[]).await.unwrap());
    store.revoke_session(&account.id, &session(1)).await.unwrap();
    store.revoke_session(&account.id, &session(1)).await.unwrap();
    assert!(!known(&store, &account).await.is_live(&session(1), at(0)));
    assert!(known(&store, &account).await.is_live(&session(2), at(0)));
}

#[tokio::test]
async fn all_logins_but_one_are_ended_by_one_write_and_never_by_an_ended_one() {
    let (store, account) = table_with_account().await;
    for number in 0..MAX_LIVE_SESSIONS {
        assert!(store.insert_session(&account.id, &session(number), at(900), &[]).await.unwrap());
    }
    for _ in 0..2 {
        assert!(store.keep_only_session(&account.id, &session(5), at(900)).await.unwrap());
        assert_eq!(known(&store, &account).await, [(session(5), at(900))].into_iter().collect());
    }
    assert!(!store.keep_only_session(&account.id, &session(4), at(900)).await.unwrap());
    assert!(known(&store, &account).await.is_live(&session(5), at(0)));
}

#[tokio::test]
async fn there_is_room_for_sixteen_logins_and_no_more() {
    let (store, account) = table_with_account().await;
    for number in 0..MAX_LIVE_SESSIONS {
        assert!(store.insert_session(&account.id, &session(number), at(900), &[]).await.unwrap());
    }
    assert!(!store.insert_session(&account.id, &session(16), at(900), &[]).await.unwrap());
    assert!(store.insert_session(&account.id, &session(16), at(900), &[session(3)]).await.unwrap());
    let sessions = known(&store, &account).await;
    assert_eq!(sessions.len(), MAX_LIVE_SESSIONS);
    assert!(!sessions.is_live(&session(3), at(0)) && sessions.is_live(&session(16), at(0)));
}

#[tokio::test]
async fn two_logins_cannot_take_the_same_place() {
    let (store, account) = table_with_account().await;
    for number in 0..MAX_LIVE_SESSIONS {
        assert!(store.insert_session(&account.id, &session(number), at(900), &[]).await.unwrap());
    }
    assert!(store.insert_session(&account.id, &session(20), at(900), &[session(0)]).await.unwrap());
    assert!(!store.insert_session(&account.id, &session(21), at(900), &[session(0)]).await.unwrap());
}

#[tokio::test]
async fn a_re_sent_login_is_the_same_one() {
    let (store, account) = table_with_account().await;
    assert!(store.insert_session(&account.id, &session(1), at(900), &[]).await.unwrap());
    for _ in 0..2 {
        assert!(store.insert_session(&account.id, &session(2), at(900), &[session(1)]).await.unwrap());
    }
    assert_eq!(known(&store, &account).await.len(), 1);
}

#[tokio::test]
async fn an_account_that_does_not_exist_has_no_logins() {
    let (store, _) = table_with_account().await;
    let nobody = AccountId::mint(&mut |pool| pool.fill(9));
    assert_eq!(store.find_sessions(&nobody).await.unwrap(), None);
    assert!(!store.insert_session(&nobody, &session(1), at(900), &[]).await.unwrap());
    store.revoke_session(&nobody, &session(1)).await.unwrap();
    assert_eq!(store.find_sessions(&nobody).await.unwrap(), None);
}

#[test]
fn the_fullest_write_keeps_dynamodbs_rules() {
    let displaced: Vec<_> = (0..2 * MAX_LIVE_SESSIONS).map(session).collect();
    let account = AccountId::mint(&mut |pool| pool.fill(1));
    assert_eq!(insertion(&account, &session(99), at(900), &displaced).lint(), Ok(()));
    assert_eq!(only(&account, &session(99), at(900)).lint(), Ok(()));
}
