//! Money is never spent twice and never beyond a budget.

use faregate_domain::{
    cell::CellId,
    id::{KeyId, ProjectId},
    money::MicroUsd,
};
use faregate_tests::{Bundle, Caller, Fault};
use serde_json::json;
use tokio::task::JoinSet;

async fn race(bundles: Vec<Bundle>, keys: Vec<Caller>, times: usize) -> Vec<u16> {
    let mut tasks = JoinSet::new();
    for number in 0..times {
        let (bundle, key) = (bundles[number % bundles.len()].clone(), keys[number % keys.len()].clone());
        tasks.spawn(async move { bundle.knock(&key, "POST", "/demo/paid").await.status });
    }
    tasks.join_all().await
}

fn admitted(statuses: &[u16]) -> usize {
    assert!(statuses.iter().all(|status| matches!(status, 200 | 402)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 200).count()
}

/// Everything that a project and these keys hold and have spent, in millionths.
async fn books(bundle: &Bundle, keys: &[Caller]) -> (u64, u64) {
    let (mut held, mut spent) = (0, 0);
    let mut project: Option<ProjectId> = None;
    for key in keys {
        let Caller::Key(text) = key else { continue };
        let id = CellId::Key(KeyId::from_suffix(&text[8..24]).unwrap());
        let cell = bundle.services.store.find_cell(&id).await.unwrap().unwrap();
        held += cell.purse.balance.micro_usd();
        spent += cell.purse.spent().micro_usd();
        held += cell.purse.reserved.micro_usd();
        let wallet = bundle.services.store.find_wallet(&cell.owner.project).await.unwrap().unwrap();
        held += wallet.pending(&id, &cell.purse).map_or(0, |grant| grant.amount.micro_usd());
        held += wallet.pending_return(&id, &cell.purse).map_or(0, |sent| sent.amount.micro_usd());
        if project.replace(cell.owner.project).is_none() {
            held += wallet.available.micro_usd();
        }
    }
    (held, spent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_requests_are_admitted_exactly_up_to_the_budget() {
    let bundle = Bundle::new().await;
    let (_, _, key) =
        bundle.key_of_newcomer(json!({"name": "a", "budget_usd": "0.50", "environment": "production"})).await;
    let statuses = race(vec![bundle.clone(), bundle.restarted()], vec![key.clone()], 200).await;
    assert_eq!(admitted(&statuses), 50);
    assert_eq!(books(&bundle, &[key]).await, (4_500_000, 500_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_one_project_share_its_money_and_never_exceed_it() {
    let policy = faregate_domain::policy::Policy::DEFAULT_TEXT.replace("credit_usd: \"5.00\"", "credit_usd: \"0.30\"");
    let bundle = Bundle::with_policy(&policy).await;
    let session = bundle.newcomer().await;
    let mut keys = Vec::new();
    for name in ["a", "b", "c"] {
        keys.push(bundle.key(&session, json!({"name": name, "environment": "production"})).await.1);
    }
    let statuses = race(vec![bundle.clone(), bundle.restarted()], keys.clone(), 90).await;
    assert!(admitted(&statuses) <= 30);
    let (held, spent) = books(&bundle, &keys).await;
    assert_eq!(held + spent, 300_000);
    assert_eq!(spent, admitted(&statuses) as u64 * 10_000);
}

#[tokio::test]
async fn a_pending_grant_that_is_too_small_is_credited_and_another_fetched() {
    let dear = "- { route: POST /demo/dear, scope: \"demo:write\", cost_usd: \"0.10\", refusals: backend }\n  - { route: POST /demo/paid";
    let policy = faregate_domain::policy::Policy::DEFAULT_TEXT
        .replacen("- { route: POST /demo/paid", dear, 1)
        .replace("credit_usd: \"5.00\"", "credit_usd: \"0.12\"");
    let bundle = Bundle::with_policy(&policy).await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    // The cheap call's grant is debited; then the instance dies.
    bundle.link.play([Fault::None, Fault::None, Fault::None]);
    bundle.link.keep_playing(Some(Fault::LoseRequest));
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 503);
    bundle.link.keep_playing(None);
    let other = bundle.restarted();
    assert_eq!(other.knock(&key, "POST", "/demo/dear").await.status, 200);
    assert_eq!(other.knock(&key, "POST", "/demo/dear").await.status, 402);
    assert_eq!(books(&bundle, std::slice::from_ref(&key)).await, (20_000, 100_000));
}

#[tokio::test]
async fn an_empty_project_is_told_before_a_full_window() {
    let policy = faregate_domain::policy::Policy::DEFAULT_TEXT.replace("credit_usd: \"5.00\"", "credit_usd: \"0.01\"");
    let bundle = Bundle::with_policy(&policy).await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "limits": {"per_minute": 1}})).await;
    for status in [200, 402] {
        assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, status);
    }
    assert_eq!(bundle.knock(&key, "GET", "/demo/free").await.status, 429);
}

#[tokio::test]
async fn a_refused_call_costs_nothing() {
    let bundle = Bundle::new().await;
    let limits = json!({"per_minute": 2});
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a", "budget_usd": 1, "limits": limits})).await;
    for status in [200, 200, 429, 429, 429] {
        assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, status);
    }
    assert_eq!(books(&bundle, std::slice::from_ref(&key)).await, (4_980_000, 20_000));
}

#[tokio::test]
async fn a_raised_budget_is_in_force_at_once() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "budget_usd": 0.01})).await;
    for status in [200, 402] {
        assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, status);
    }
    let patched = bundle.patch(&format!("/v1/api-keys/{id}"), &session.caller(), &json!({"budget_usd": 0.02})).await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    for status in [200, 402] {
        assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, status);
    }
}

#[tokio::test]
async fn what_a_revoked_key_had_not_spent_goes_back_to_the_project() {
    let bundle = Bundle::new().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
    assert_eq!(bundle.delete(&format!("/v1/api-keys/{id}"), &session.caller()).await.status, 204);
    let cell_id = CellId::Key(KeyId::parse(&id).unwrap());
    let cell = bundle.services.store.find_cell(&cell_id).await.unwrap().unwrap();
    assert_eq!(cell.purse.balance, MicroUsd::ZERO);
    let wallet = bundle.services.store.find_wallet(&cell.owner.project).await.unwrap().unwrap();
    assert_eq!(wallet.available.micro_usd(), 4_990_000);
}
