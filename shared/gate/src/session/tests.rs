//! Tokens are believed as far as the published keys and the live logins go.

use faregate_domain::{
    id::{AccountId, SessionId},
    secret::MacSecret,
};
use faregate_edge::{config::Config, now::Clock, token::SigningKey};
use faregate_store::{Meter, PublishedKey};

use super::*;
use crate::Services;

const NOW_EPOCH_S: u64 = 1_760_000_000;
const ORIGIN: &str = "https://gate.example";

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_epoch_s(NOW_EPOCH_S + seconds)
}

async fn empty_table() -> (Store, Arc<Meter>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
    let find = |name| match name {
        "FAREGATE_ORIGIN" => Some(ORIGIN.to_owned()),
        "FAREGATE_SECRETS" => Some("file:unused.json".to_owned()),
        _ => None,
    };
    let services = Services::connect_local(Config::from_lookup(find).unwrap(), &endpoint, Clock::system());
    services.store.ensure_table().await.unwrap();
    let meter = Arc::new(Meter::default());
    (services.store.metered(Arc::clone(&meter)), meter)
}

fn key(seed: u8) -> SigningKey {
    SigningKey::derive(&MacSecret::new(vec![seed; 32]).unwrap()).unwrap()
}

async fn publish(store: &Store, key: &SigningKey, until: Timestamp) {
    let public = key.public();
    let (kid, x, y) = (public.id().to_string(), public.x().to_owned(), public.y().to_owned());
    store.publish_keys(&[PublishedKey { kid, x, y, until }], &[]).await.unwrap();
}

fn token(key: &SigningKey) -> String {
    let claims = SessionClaims {
        account: AccountId::mint(&mut |pool| pool.fill(1)),
        address: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".parse().unwrap(),
        chain_id: 1,
        session: SessionId::mint(&mut |pool| pool.fill(2)),
        issued_at: at(0),
        expires_at: at(900),
    };
    key.sign(&claims, &Issuance::of(ORIGIN)).unwrap().expose().to_owned()
}

fn is_unknown<T>(result: &Result<T, SessionError>) -> bool {
    matches!(result, Err(SessionError::InvalidToken(TokenError::UnknownKey)))
}

#[tokio::test]
async fn a_token_is_believed_when_its_key_is_published() {
    let (store, _) = empty_table().await;
    let sessions = SessionVerifier::new(store.clone(), Issuance::of(ORIGIN));
    assert!(is_unknown(&sessions.verify(&token(&key(1)), at(0)).await));
    publish(&store, &key(1), at(3_600)).await;
    let claims = sessions.verify(&token(&key(1)), at(0)).await.unwrap();
    assert_eq!(claims.expires_at, at(900));
    assert!(is_unknown(&sessions.verify(&token(&key(2)), at(0)).await));
}

#[tokio::test]
async fn a_key_is_not_used_after_its_time() {
    let (store, _) = empty_table().await;
    publish(&store, &key(1), at(30)).await;
    let sessions = SessionVerifier::new(store, Issuance::of(ORIGIN));
    assert!(sessions.verify(&token(&key(1)), at(29)).await.is_ok());
    assert!(is_unknown(&sessions.verify(&token(&key(1)), at(30)).await));
    assert_eq!(sessions.keys(at(30)).await.unwrap().len(), 0);
}

#[tokio::test]
async fn keys_are_read_once_a_minute() {
    let (store, meter) = empty_table().await;
    publish(&store, &key(1), at(3_600)).await;
    let sessions = SessionVerifier::new(store, Issuance::of(ORIGIN));
    let before = meter.calls();
    for seconds in 0..60 {
        sessions.verify(&token(&key(1)), at(seconds)).await.unwrap();
    }
    assert_eq!(meter.calls() - before, 1);
    sessions.verify(&token(&key(1)), at(60)).await.unwrap();
    assert_eq!(meter.calls() - before, 2);
}

#[tokio::test]
async fn made_up_key_names_cause_few_reads() {
    let (store, meter) = empty_table().await;
    let sessions = SessionVerifier::new(store, Issuance::of(ORIGIN));
    for _ in 0..200 {
        assert!(is_unknown(&sessions.verify(&token(&key(9)), at(0)).await));
    }
    assert_eq!(meter.calls(), 1 + u64::from(MAX_SECOND_LOOKS));
}

#[tokio::test]
async fn junk_is_refused_without_a_read() {
    let (store, meter) = empty_table().await;
    let sessions = SessionVerifier::new(store, Issuance::of(ORIGIN));
    for text in ["", "a.b.c", "Bearer x", &"x".repeat(5_000)] {
        assert!(matches!(sessions.verify(text, at(0)).await, Err(SessionError::InvalidToken(TokenError::Malformed))));
    }
    assert_eq!(meter.calls(), 0);
}

#[tokio::test]
async fn a_token_without_a_live_login_has_ended() {
    let (store, _) = empty_table().await;
    publish(&store, &key(1), at(3_600)).await;
    let sessions = SessionVerifier::new(store, Issuance::of(ORIGIN));
    assert!(matches!(sessions.verify_live(&token(&key(1)), at(0)).await, Err(SessionError::Ended)));
}

#[tokio::test]
async fn an_outage_is_not_a_refusal() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let find = |name| match name {
        "FAREGATE_ORIGIN" => Some(ORIGIN.to_owned()),
        "FAREGATE_SECRETS" => Some("file:unused.json".to_owned()),
        _ => None,
    };
    let services = Services::connect_local(Config::from_lookup(find).unwrap(), &endpoint, Clock::system());
    let sessions = SessionVerifier::new(services.store, Issuance::of(ORIGIN));
    assert!(matches!(sessions.verify(&token(&key(1)), at(0)).await, Err(SessionError::Store(_))));
}
