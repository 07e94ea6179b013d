//! A project's rate: in force for all of its credentials from the moment its change is answered, and never exceeded.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use faregate_domain::{
    cell::CellId,
    funding::{Debit, Grant, TokenBucket, TokenSlice},
    id::{KeyId, ProjectId},
    limit::{Opening, QuotaPolicy, Rate},
    money::MicroUsd,
    window::{Window, WindowLength},
};
use faregate_tests::{Bundle, Caller, Fault, Session};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::projects::{default_project, project};

/// A bundle, its owner, the owner's first project and as many keys of it.
async fn keys(count: usize) -> (Bundle, Session, String, Vec<Caller>) {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let id = default_project(&bundle, &session).await;
    let mut keys = Vec::new();
    for number in 0..count {
        let body = json!({"name": format!("key {number}"), "environment": "production"});
        keys.push(bundle.key(&session, body).await.1);
    }
    (bundle, session, id, keys)
}

async fn set(bundle: &Bundle, session: &Session, id: &str, limits: Value) {
    let body = json!({"limits": limits});
    let answer = bundle.patch(&format!("/v1/projects/{id}"), &session.caller(), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let is_set = |name: &String| answer.body["data"]["limits"][name] == limits[name];
    assert!(limits.as_object().is_none_or(|limits| limits.keys().all(is_set)), "{}", answer.text);
}

/// Knocks with every caller in turn until none of them is admitted any more; how often one was.
async fn exhaust(bundle: &Bundle, callers: &[Caller]) -> u32 {
    let mut admitted = 0;
    loop {
        let before = admitted;
        for caller in callers {
            let knock = bundle.knock(caller, "GET", "/demo/free").await;
            match (knock.status, knock.code.as_str()) {
                (200, _) => admitted += 1,
                (429, "rate_limited_project") => assert_eq!(knock.problem["limit_source"], "project"),
                other => panic!("{other:?}"),
            }
            // A flood is another matter.
            assert!(admitted < 700, "no limit is in force");
        }
        if admitted == before {
            return admitted;
        }
    }
}

#[tokio::test]
async fn a_limit_is_in_force_at_the_next_request_and_gone_when_it_is_removed() {
    let (bundle, session, id, keys) = keys(2).await;
    let everybody = [keys[0].clone(), keys[1].clone(), session.caller()];
    // Instances that have seen cells and wallet without a limit.
    let instances = [bundle.clone(), bundle.restarted()];
    for instance in &instances {
        for caller in &everybody {
            assert_eq!(instance.knock(caller, "POST", "/demo/paid").await.status, 200);
        }
    }
    for (name, seconds) in [("per_minute", 60), ("per_second", 1), ("per_10_seconds", 10)] {
        for instance in &instances {
            set(&bundle, &session, &id, json!({name: 3, "burst": 1})).await;
            assert_eq!(exhaust(instance, &everybody).await, 4, "{name}");
            set(&bundle, &session, &id, json!(null)).await;
            for caller in &everybody {
                assert_eq!(instance.knock(caller, "GET", "/demo/free").await.status, 200, "{name}");
            }
            bundle.clock.advance_ms(2 * seconds * 1_000);
        }
    }
}

#[tokio::test]
async fn a_changed_limit_counts_what_the_window_has_admitted() {
    for (old, used, new, left) in [
        (json!({"per_minute": 10}), 3, json!({"per_minute": 5}), 2),
        (json!({"per_minute": 10}), 3, json!({"per_minute": 3}), 0),
        (json!({"per_minute": 10}), 7, json!({"per_minute": 2}), 0),
        (json!({"per_minute": 10}), 3, json!({"per_minute": 20}), 17),
        (json!({"per_minute": 5, "burst": 5}), 4, json!({"per_minute": 5}), 1),
        (json!({"per_minute": 5}), 5, json!({"per_minute": 5, "burst": 5}), 0),
        (json!({"per_minute": 40, "burst": 7}), 9, json!({"per_minute": 40, "burst": 7}), 38),
        (json!({"per_10_seconds": 9}), 6, json!({"per_10_seconds": 8}), 2),
        // Keys of a high rate hold tokens ahead of their requests.
        (json!({"per_minute": 640}), 6, json!({"per_minute": 640}), 634),
        (json!({"per_minute": 640}), 6, json!({"per_minute": 70}), 64),
        (json!({"per_minute": 640}), 6, json!({"per_minute": 9}), 3),
        (json!({"per_minute": 640}), 6, json!({"per_minute": 6}), 0),
        (json!({"per_minute": 640}), 6, json!({"per_minute": 2}), 0),
    ] {
        let (bundle, session, id, keys) = keys(2).await;
        set(&bundle, &session, &id, old.clone()).await;
        for number in 0..used {
            assert_eq!(bundle.knock(&keys[number % 2], "GET", "/demo/free").await.status, 200, "{old} {number}");
        }
        set(&bundle, &session, &id, new.clone()).await;
        assert_eq!(exhaust(&bundle.restarted(), &keys).await, left, "{old} {used} {new}");
    }
}

#[tokio::test]
async fn another_length_and_back_again_leaves_no_surplus() {
    let others = [json!({"per_second": 2}), json!({"per_10_seconds": 10}), json!(null)];
    for (number, between) in others.iter().chain(&others).enumerate() {
        let (bundle, session, id, keys) = keys(2).await;
        // So many that each key holds tokens ahead of its requests.
        set(&bundle, &session, &id, json!({"per_minute": 640})).await;
        for key in &keys {
            assert_eq!(bundle.knock(key, "GET", "/demo/free").await.status, 200);
        }
        set(&bundle, &session, &id, between.clone()).await;
        // Whether the keys are used in between or not.
        for key in keys.iter().take(if number < others.len() { 2 } else { 0 }) {
            assert_eq!(bundle.knock(key, "GET", "/demo/free").await.status, 200, "{between}");
        }
        set(&bundle, &session, &id, json!({"per_minute": 40})).await;
        assert_eq!(exhaust(&bundle, &keys).await, 40, "{between}");
        bundle.clock.advance_ms(60_000);
        assert_eq!(exhaust(&bundle, &keys).await, 40, "{between}");
    }
}

#[tokio::test]
async fn tokens_on_their_way_do_not_arrive_under_a_lower_limit() {
    let (bundle, session, id, keys) = keys(1).await;
    set(&bundle, &session, &id, json!({"per_minute": 100})).await;
    // An instance has debited a grant for the key, and will credit it later than the change.
    let (project, key) = (ProjectId::parse(&id).unwrap(), bundle.cell(&keys[0]).await);
    let Caller::Key(text) = &keys[0] else { panic!("a key") };
    let cell = CellId::Key(KeyId::from_suffix(&text[8..24]).unwrap());
    let rate = Rate { quota: QuotaPolicy::new(100, 0).unwrap(), window: WindowLength::Minute };
    let window = Window::at(bundle.clock.now(), WindowLength::Minute);
    let tokens = Some(TokenSlice { index: window.index, count: 50 });
    let grant = Grant { amount: MicroUsd::ZERO, tokens, seq: key.purse.grant_seq + 1 };
    let bucket = Some(TokenBucket { window, rate, opening: Opening::Full });
    let debit = Debit { grant, bucket, stale: Vec::new(), sweeps: None };
    let outcome = bundle.services.store.debit_wallet(&project, &cell, &debit).await.unwrap();
    assert!(matches!(outcome, faregate_store::WalletOutcome::Applied(_)));
    set(&bundle, &session, &id, json!({"per_minute": 4})).await;
    assert!(exhaust(&bundle, &keys).await <= 4);
    bundle.clock.advance_ms(60_000);
    assert_eq!(exhaust(&bundle, &keys).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_share_the_rate_and_never_exceed_it() {
    let (bundle, session, id, keys) = keys(2).await;
    set(&bundle, &session, &id, json!({"per_minute": 30, "burst": 6})).await;
    let instances = [bundle.clone(), bundle.restarted()];
    let mut in_all = 0;
    for minutes in 1..=3 {
        let mut tasks = JoinSet::new();
        for number in 0..100_usize {
            let (bundle, key) = (instances[number % 2].clone(), keys[number / 2 % 2].clone());
            tasks.spawn(async move { bundle.knock(&key, "GET", "/demo/free").await.status });
        }
        let statuses = tasks.join_all().await;
        assert!(statuses.iter().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
        in_all += statuses.iter().filter(|status| **status == 200).count();
        assert!(in_all <= minutes * 30 + 6, "{in_all} in {minutes} minutes");
        bundle.clock.advance_ms(60_000);
    }
    assert!(in_all >= 60, "{in_all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_lowered_under_load_holds_for_whoever_comes_after() {
    let (bundle, session, id, keys) = keys(3).await;
    set(&bundle, &session, &id, json!({"per_minute": 900})).await;
    let is_answered = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for number in 0..6_usize {
        let instance = if number % 2 == 0 { bundle.clone() } else { bundle.restarted() };
        let (key, is_answered) = (keys[number % 3].clone(), Arc::clone(&is_answered));
        tasks.spawn(async move {
            let mut after = 0;
            for _ in 0..40 {
                let comes_after = is_answered.load(Ordering::SeqCst);
                let knock = instance.knock(&key, "GET", "/demo/free").await;
                assert!(matches!(knock.status, 200 | 429), "{} {}", knock.status, knock.code);
                after += u32::from(comes_after && knock.status == 200);
            }
            after
        });
    }
    set(&bundle, &session, &id, json!({"per_minute": 7})).await;
    is_answered.store(true, Ordering::SeqCst);
    let after: u32 = tasks.join_all().await.into_iter().sum();
    assert!(after <= 7, "{after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_made_during_a_change_follow_it() {
    let (bundle, session, id, _) = keys(1).await;
    let mut made = JoinSet::new();
    for number in 0..12 {
        let (bundle, session) = (bundle.clone(), session.clone());
        made.spawn(async move { bundle.key(&session, json!({"name": format!("{number}")})).await.1 });
    }
    for (limits, mode) in
        [(json!({"per_second": 5}), "shared"), (json!(null), "isolated"), (json!({"per_minute": 5}), "shared")]
    {
        let body = json!({"limits": limits, "gallery_mode": mode});
        let answer = bundle.patch(&format!("/v1/projects/{id}"), &session.caller(), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let made = made.join_all().await;
    for key in &made {
        let cell = bundle.cell(key).await;
        assert_eq!((cell.project_window, cell.owner.gallery), (Some(WindowLength::Minute), session.account_id.clone()));
    }
    assert_eq!(exhaust(&bundle, &made).await, 5);
}

#[tokio::test]
async fn a_change_that_broke_off_is_finished_by_its_repetition() {
    for fault in [Fault::LoseAnswer, Fault::Throttle] {
        for at in 0..18 {
            let (bundle, session, id, keys) = keys(2).await;
            bundle.link.play(std::iter::repeat_n(Fault::None, at).chain([fault]));
            set(&bundle, &session, &id, json!({"per_minute": 4})).await;
            assert_eq!(exhaust(&bundle, &keys).await, 4, "{fault:?} {at}");
        }
    }
    // The instance dies after any of its calls, and another one is asked again.
    for at in 0..14 {
        let (bundle, session, id, keys) = keys(2).await;
        bundle.link.play(std::iter::repeat_n(Fault::None, at));
        bundle.link.keep_playing(Some(Fault::LoseRequest));
        let body = json!({"limits": {"per_minute": 4}, "gallery_mode": "shared"});
        let answer = bundle.patch(&format!("/v1/projects/{id}"), &session.caller(), &body).await;
        bundle.link.keep_playing(None);
        bundle.link.deliver_late().await;
        assert!(matches!(answer.status, 200 | 503), "{at}: {}", answer.text);
        let again = bundle.restarted().patch(&format!("/v1/projects/{id}"), &session.caller(), &body).await;
        assert_eq!(again.status, 200, "{at}: {}", again.text);
        let knock = bundle.knock(&keys[0], "GET", "/demo/free").await;
        assert_eq!(knock.text("gallery"), session.account_id);
        assert_eq!(exhaust(&bundle, &keys).await, 3, "{at}");
    }
}

/// The change dies after any of its calls: the wallet may know of it then, and a key not.
#[tokio::test]
async fn a_key_that_a_change_did_not_reach_learns_of_it_from_the_wallet() {
    for (limits, length, admitted) in
        [(json!(null), None, 9), (json!({"per_second": 6}), Some(WindowLength::Second), 6)]
    {
        let mut was_left_behind = false;
        for at in 0..10 {
            let (bundle, session, id, keys) = keys(1).await;
            set(&bundle, &session, &id, json!({"per_minute": 4})).await;
            bundle.link.play(std::iter::repeat_n(Fault::None, at));
            bundle.link.keep_playing(Some(Fault::LoseRequest));
            bundle.patch(&format!("/v1/projects/{id}"), &session.caller(), &json!({"limits": limits})).await;
            bundle.link.keep_playing(None);
            bundle.link.deliver_late().await;
            let project = ProjectId::parse(&id).unwrap();
            let rate = bundle.services.store.find_wallet(&project).await.unwrap().unwrap().rate;
            let is_changed = rate.map(|rate| rate.window) == length;
            was_left_behind |= is_changed && bundle.cell(&keys[0]).await.project_window != length;
            let mut knocks = Vec::new();
            for _ in 0..9 {
                knocks.push(bundle.knock(&keys[0], "GET", "/demo/free").await.status);
            }
            let passed = knocks.iter().filter(|status| **status == 200).count();
            assert_eq!(passed, if is_changed { admitted } else { 4 }, "{limits} {at}: {knocks:?}");
            assert!(knocks.iter().all(|status| matches!(status, 200 | 429)), "{limits} {at}: {knocks:?}");
        }
        assert!(was_left_behind, "{limits}");
    }
}

#[tokio::test]
async fn a_new_project_has_its_rate_from_the_start_and_other_projects_have_not() {
    let (bundle, session, _, keys) = keys(1).await;
    let id = project(&bundle, &session, json!({"name": "b", "limits": {"per_second": 2, "burst": 1}})).await;
    let (_, limited) = bundle.key(&session, json!({"name": "a", "project_id": id})).await;
    assert_eq!(exhaust(&bundle, &[limited]).await, 3);
    for _ in 0..5 {
        assert_eq!(bundle.knock(&keys[0], "GET", "/demo/free").await.status, 200);
    }
}
