//! The bundle started, asked over HTTP, stopped and started again.

use faregate_domain::{
    id::AccountId,
    time::{Day, Timestamp},
};
use faregate_edge::secrets::SecretName;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, body::Bytes};

use super::*;

async fn ask(request: hyper::http::request::Builder) -> (StatusCode, String) {
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let answer = client::connect().unwrap().request(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, String::from_utf8(body.to_vec()).unwrap())
}

fn kept_in(folder: &tempfile::TempDir) -> Options {
    Options { memory: false, data: folder.path().join("data"), ..Options::throw_away() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throw_away_bundle_answers_and_leaves_nothing() {
    let running = start(Options::throw_away()).await.unwrap();
    let folder = running.folder.file("");
    assert_eq!(ask(Request::get(format!("{}/healthz", running.url))).await.0, 200);
    let (status, page) = ask(Request::get(format!("{}/problems/insufficient_credits", running.url))).await;
    assert_eq!(status, 200);
    assert!(page.starts_with('#'), "{page}");
    let (status, problem) = ask(Request::get(format!("{}/demo/free", running.url))).await;
    assert_eq!(status, 401, "{problem}");
    let address = running.url.trim_start_matches("http://").to_owned();
    running.stop().await;
    TcpListener::bind(address).await.unwrap();
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_key_works_and_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(kept_in(&folder)).await.unwrap();
    assert!(matches!(start(kept_in(&folder)).await, Err(StartError::Data(DataError::InUse(_)))));
    let demo = running.make_demo().await.unwrap().unwrap();
    let free = |running: &Running| Request::get(format!("{}/demo/free", running.url)).header("x-api-key", demo.key());
    let (status, echo) = ask(free(&running)).await;
    assert_eq!(status, 200, "{echo}");
    assert!(echo.contains(&demo.account_id) && !echo.contains(demo.key()), "{echo}");
    running.stop().await;

    let running = start(kept_in(&folder)).await.unwrap();
    assert!(running.make_demo().await.unwrap().is_none());
    assert_eq!(ask(free(&running)).await.0, 200);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gate_works_on_the_table_of_another() {
    let first = start(Options::throw_away()).await.unwrap();
    let store = Some(first.dynamodb_url().parse().unwrap());
    let second = start(Options { store, ..Options::throw_away() }).await.unwrap();
    let demo = second.make_demo().await.unwrap().unwrap();
    let account = AccountId::parse(&demo.account_id).unwrap();
    assert!(first.services.store.find_account(&account).await.unwrap().is_some());
    assert!(second.stream().peek(1).is_err(), "its own table was made");
    second.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_program_takes_up_rotated_secrets_and_refuses_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::standing_at(Timestamp::from_epoch_s(1_792_540_800));
    let running = start_at(kept_in(&folder), clock.clone()).await.unwrap();
    let demo = running.make_demo().await.unwrap().unwrap();
    let file = running.folder.file("secrets.json");
    let stored = || serde_json::from_str::<Value>(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let status = async |running: &Running| {
        ask(Request::get(format!("{}/demo/free", running.url)).header("x-api-key", demo.key())).await.0.as_u16()
    };
    assert_eq!(status(&running).await, 200);
    for name in [SecretName::Pepper, SecretName::Tag] {
        secrets::rotate(&file, name, clock.now()).unwrap();
        assert_eq!(status(&running).await, 200, "before it is taken up");
        clock.advance_ms(301_000);
        assert_eq!(status(&running).await, 200, "by the version before, which moves the key on");
    }
    running.stop().await;
    // The key has moved: it needs the pepper's version before no more, but its tag is of the version before for ever.
    let mut stored = stored();
    stored["pepper"]["previous"] = Value::Null;
    std::fs::write(&file, stored.to_string()).unwrap();
    let running = start_at(kept_in(&folder), clock.clone()).await.unwrap();
    assert_eq!(status(&running).await, 200);
    running.stop().await;
    stored["tag"]["previous"] = Value::Null;
    std::fs::write(&file, stored.to_string()).unwrap();
    let running = start_at(kept_in(&folder), clock).await.unwrap();
    assert_eq!(status(&running).await, 401);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wallets_account_is_the_demo_account() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(kept_in(&folder)).await.unwrap();
    let demo = running.make_demo().await.unwrap().unwrap();
    let wallet = Wallet::open(&running.folder.file("wallet.hex")).unwrap();
    let host = running.url.trim_start_matches("http://");
    let again = Demo::make(&running.gateway, host, &wallet, &running.config.policy).await.unwrap();
    assert_eq!(again.account_id, demo.account_id);
    assert_ne!(again.key(), demo.key());
    let page = format!("{}/v1/api-keys/{}", running.url, again.key_id);
    let (status, page) = ask(Request::get(page).header("authorization", format!("Bearer {}", again.key()))).await;
    assert_eq!(status, 200, "{page}");
    running.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = start(Options { listen: address.clone(), ..Options::throw_away() }).await;
    let Err(error) = refused else { panic!("the port is taken") };
    assert!(matches!(&error, StartError::Listen { address: named, .. } if *named == address), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_calls_that_wait_are_written_down_when_the_bundle_stops() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(kept_in(&folder)).await.unwrap();
    for _ in 0..20 {
        assert_eq!(ask(Request::get(format!("{}/demo/free", running.url))).await.0, 401);
    }
    assert!(running.services.refused.waiting() > 0, "the first few are written down at once");
    running.stop().await;

    let running = start(kept_in(&folder)).await.unwrap();
    let days = (Day(0), Day(1_000_000));
    let found = running.services.store.find_refused_days(None, days, None, 10).await.unwrap();
    let counted: u64 = found.iter().flat_map(|day| day.hours.values()).flat_map(|hour| hour.values()).sum();
    assert_eq!(counted, 20);
    running.stop().await;
}
