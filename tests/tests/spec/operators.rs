//! What operators are told of other people's money, and that nobody else is.

use faregate_tests::{Books, Bundle, Caller, Session};
use serde_json::{Value, json};

use crate::{
    books::live,
    projects::{default_project, project},
};

const MONEY: [&str; 2] = ["/v1/billing", "/v1/billing/entries"];

/// An operator, and an owner with two projects, a key that received money and gave it back, and a key that sees it.
struct Scene {
    bundle: Bundle,
    operator: Session,
    owner: Session,
    key: String,
    sees: Caller,
}

impl Scene {
    async fn new() -> Self {
        let (bundle, operator) = Bundle::with_operator().await;
        let (_, service) = bundle.key(&operator, json!({"name": "s", "scopes": ["gate:check"]})).await;
        let (owner, key, caller) = bundle.key_of_newcomer(json!({"name": "a"})).await;
        let own = default_project(&bundle, &owner).await;
        let other = project(&bundle, &owner, json!({"name": "b"})).await;
        for (id, amount) in [(&own, "-3"), (&other, "1"), (&other, "0.5"), (&other, "-0.25")] {
            let body = json!({"amount_usd": amount});
            let answer = bundle.post(&format!("/v1/projects/{id}/allocations"), &owner.caller(), &body).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
        let mut books = Books::of(&bundle);
        for _ in 0..5 {
            live(&bundle, &service, &caller).await;
        }
        // What it received goes back to the project, but for what it spent.
        assert_eq!(bundle.delete(&format!("/v1/api-keys/{key}"), &owner.caller()).await.status, 204);
        books.catch_up().await;
        let (_, sees) = bundle.key(&owner, json!({"name": "sees", "scopes": ["billing:read"]})).await;
        Self { bundle, operator, owner, key, sees }
    }
}

/// A whole list, one at a time.
async fn listed(bundle: &Bundle, caller: &Caller, path: &str) -> Vec<Value> {
    let (mut told, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bundle.get(&format!("{path}limit=1{cursor}"), caller).await;
        assert_eq!(page.status, 200, "{}", page.text);
        told.extend(page.body["data"].as_array().unwrap().clone());
        let Some(next) = page.body["next_cursor"].as_str() else { return told };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn an_operator_is_told_of_an_account_what_its_owner_is() {
    let scene = Scene::new().await;
    let Scene { bundle, operator, owner, key, .. } = &scene;
    let own = bundle.get("/v1/billing", &owner.caller()).await;
    let path = format!("/v1/billing?account_id={}", owner.account_id);
    let overseen = bundle.get(&path, &operator.caller()).await;
    assert_eq!((overseen.status, &overseen.body), (200, &own.body));
    assert_eq!(
        (&own.body["data"]["wallet_usd"], own.body["data"]["spent_usd"].as_f64() > Some(0.1)),
        (&json!(1.75), true)
    );
    let theirs = format!("account_id={}&", owner.account_id);
    for (words, least) in [(String::new(), 6), (format!("key_id={key}&"), 2)] {
        let own = listed(bundle, &owner.caller(), &format!("/v1/billing/entries?{words}")).await;
        assert!(own.len() >= least, "{own:?}");
        let overseen = listed(bundle, &operator.caller(), &format!("/v1/billing/entries?{theirs}{words}")).await;
        assert_eq!(overseen, own, "{words}");
    }
    // Who names nobody asks for the own account.
    let own = bundle.get("/v1/billing", &operator.caller()).await;
    let named = bundle.get(&format!("/v1/billing?account_id={}", operator.account_id), &operator.caller()).await;
    assert_eq!((own.body["data"]["wallet_usd"].clone(), own.status), (json!(0), 200), "{}", own.text);
    assert_eq!(own.body, named.body);
    let foreign = bundle.get(&format!("/v1/billing/entries?key_id={key}"), &operator.caller()).await;
    assert_eq!((foreign.status, foreign.code()), (404, "not_found"));
    // And an account that never was is none to an operator either.
    for path in MONEY {
        let answer = bundle.get(&format!("{path}?account_id=acc_{}", "0".repeat(22)), &operator.caller()).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn to_anybody_else_another_account_is_one_that_never_was() {
    let scene = Scene::new().await;
    let Scene { bundle, operator, owner, key, sees } = &scene;
    let stranger = bundle.login(&bundle.wallet("stranger")).await;
    let (_, strange) = bundle.key(&stranger, json!({"name": "a", "scopes": ["billing:read"]})).await;
    let (_, service) = bundle.key(operator, json!({"name": "o", "scopes": ["billing:read", "gate:check"]})).await;
    for (caller, foreign) in [
        (stranger.caller(), &owner.account_id),
        (strange, &owner.account_id),
        (service, &owner.account_id),
        (owner.caller(), &stranger.account_id),
        (sees.clone(), &stranger.account_id),
    ] {
        for path in ["/v1/billing?", "/v1/billing/entries?", &format!("/v1/billing/entries?key_id={key}&")] {
            let before = bundle.link.requests();
            let known = bundle.get(&format!("{path}account_id={foreign}"), &caller).await;
            let asked = bundle.link.requests() - before;
            let unknown = bundle.get(&format!("{path}account_id=acc_{}", "0".repeat(22)), &caller).await;
            assert_eq!((known.status, known.code()), (404, "not_found"), "{path}");
            assert_eq!((known.text, known.headers), (unknown.text, unknown.headers), "{path}");
            assert_eq!(bundle.link.requests() - before, 2 * asked, "{path}: as much work");
        }
    }
    // The own account may be named; a key is told of its project all the same.
    for caller in [owner.caller(), sees.clone()] {
        for path in MONEY {
            let plain = bundle.get(path, &caller).await;
            let named = bundle.get(&format!("{path}?account_id={}", owner.account_id), &caller).await;
            assert_eq!((plain.status, plain.body), (200, named.body), "{path}");
        }
    }
    assert!(bundle.get("/v1/billing", sees).await.body["data"]["wallet_usd"].is_null());
}

#[tokio::test]
async fn a_cursor_of_entries_is_good_for_one_caller_and_one_list() {
    let scene = Scene::new().await;
    let Scene { bundle, operator, owner, key, sees } = &scene;
    let stranger = bundle.login(&bundle.wallet("stranger")).await;
    let (entries, theirs) = ("/v1/billing/entries", format!("account_id={}", owner.account_id));
    let grants = format!("key_id={key}");
    let lists = [
        (owner.caller(), String::new()),
        (owner.caller(), grants.clone()),
        (operator.caller(), theirs.clone()),
        (operator.caller(), format!("{theirs}&{grants}")),
        (operator.caller(), String::new()),
        (stranger.caller(), String::new()),
        (sees.clone(), String::new()),
        (sees.clone(), grants),
    ];
    let mut cursors = Vec::new();
    for (caller, words) in &lists {
        let page = bundle.get(&format!("{entries}?limit=1&{words}"), caller).await;
        cursors.push(page.body["next_cursor"].as_str().unwrap_or_else(|| panic!("{words}: {}", page.text)).to_owned());
    }
    for (own, (caller, words)) in lists.iter().enumerate() {
        for (whose, cursor) in cursors.iter().enumerate() {
            let answer = bundle.get(&format!("{entries}?{words}&cursor={cursor}"), caller).await;
            let wanted = if own == whose { (200, "") } else { (400, "invalid_request") };
            assert_eq!((answer.status, answer.code()), wanted, "{own} {whose}: {}", answer.text);
        }
        for forged in ["", "x", "MDAwMDAwMDAwMDAwMDAwMDAwMDAw", "My4", &cursors[own][1..], &"A".repeat(600)] {
            let answer = bundle.get(&format!("{entries}?{words}&cursor={forged}"), caller).await;
            assert_eq!(
                (answer.status, answer.body["field"].as_str()),
                (400, Some("cursor")),
                "{forged}: {}",
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn what_is_no_question_about_money_is_named() {
    let scene = Scene::new().await;
    for (words, field) in [
        ("account_id=", "account_id"),
        ("account_id=acc_1", "account_id"),
        ("account_id=key_0000000000000000", "account_id"),
        ("account=acc_0000000000000000000000", "account"),
        ("colour=red", "colour"),
    ] {
        for (path, caller) in
            MONEY.iter().flat_map(|path| [(path, scene.operator.caller()), (path, scene.sees.clone())])
        {
            let answer = scene.bundle.get(&format!("{path}?{words}"), &caller).await;
            assert_eq!((answer.status, answer.code()), (400, "invalid_request"), "{path} {words}: {}", answer.text);
            assert_eq!(answer.body["field"], field, "{path} {words}");
        }
    }
}
