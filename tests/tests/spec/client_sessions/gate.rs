//! The gate under a session's token: all that holds for the key holds, and the session's own bounds besides.

use faregate_domain::policy::Policy;
use faregate_edge::client_token::ClientToken;
use faregate_tests::{Books, Bundle, Caller, Knock};
use serde_json::{Value, json};

use super::{PATH, Scene, redeem, refused};

async fn from(scene: &Scene, caller: &Caller, origin: &str, path: &str) -> Knock {
    let mut headers = caller.headers();
    headers.push(("Origin".into(), origin.into()));
    scene.bundle.knock_with("GET", path, &headers).await
}

#[tokio::test]
async fn a_call_counts_for_and_charges_its_key_by_one_write() {
    let scene = Scene::with(json!({"name": "a", "limits": {"per_minute": 4}})).await;
    let (id, token) = scene.redeemed(json!({"scopes": ["demo:*"], "max_cost_usd": 1})).await;
    assert_eq!(scene.knock(&token, "POST", "/demo/paid").await.0, 200);
    let before = scene.bundle.link.requests();
    let knock = scene.bundle.knock(&token, "POST", "/demo/paid").await;
    assert_eq!(scene.bundle.link.requests() - before, 1, "one write and no read");
    assert_eq!(
        (knock.status, knock.text("keyId"), knock.text("clientSessionId")),
        (200, scene.id.as_str(), id.as_str())
    );
    assert_eq!((knock.text("scopes"), knock.number("rlRemaining")), ("demo:*", Some(2)));
    let cell = scene.bundle.cell(&scene.key).await;
    assert_eq!((cell.counters.requests, cell.purse.spent().micro_usd()), (2, 20_000));
    assert_eq!(scene.knock(&scene.key, "GET", "/demo/free").await.0, 200);
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200);
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await, refused(429, "rate_limited"));
    assert_eq!(scene.knock(&scene.key, "GET", "/demo/free").await, refused(429, "rate_limited"));
    let plain = scene.bundle.cell(&scene.key).await;
    assert_eq!(plain.counters.requests, 4, "a refusal takes nothing");
}

#[tokio::test]
async fn a_token_may_stand_in_either_header() {
    let scene = Scene::new().await;
    let (_, token) = scene.redeemed(json!({})).await;
    let Caller::Bearer(text) = &token else { panic!("a token") };
    for headers in [
        vec![("X-Api-Key".to_owned(), text.clone())],
        vec![("X-Api-Key".to_owned(), text.clone()), ("Authorization".to_owned(), format!("Bearer {text}"))],
    ] {
        assert_eq!(scene.bundle.knock_with("GET", "/demo/free", &headers).await.status, 200);
    }
    let two = [token.headers(), scene.key.headers()].concat();
    assert_eq!(scene.bundle.knock_with("GET", "/demo/free", &two).await.code, "ambiguous_credentials");
}

#[tokio::test]
async fn what_happens_to_the_key_holds_at_the_sessions_very_next_call() {
    let scene = Scene::new().await;
    let (_, token) = scene.redeemed(json!({})).await;
    let (_, capped) = scene.redeemed(json!({"max_cost_usd": 1})).await;
    let both =
        || async { (scene.knock(&token, "GET", "/demo/free").await, scene.knock(&capped, "GET", "/demo/free").await) };
    let twice = |one: (u16, String)| (one.clone(), one);
    assert_eq!(both().await, twice(refused(200, "ok")));
    scene.change_key(json!({"frozen": true})).await;
    assert_eq!(both().await, twice(refused(402, "insufficient_credits")));
    scene.change_key(json!({"frozen": false})).await;
    let _new = crate::rotation::rotated(&scene.bundle, &scene.owner, &scene.id, &json!({"grace_seconds": 0})).await;
    assert_eq!(both().await, twice(refused(200, "ok")), "a session presents no secret of the key's");
    scene.revoke_key().await;
    assert_eq!(both().await, twice(refused(401, "invalid_token")));
}

#[tokio::test]
async fn both_the_session_and_the_key_must_have_the_scope() {
    let scene = Scene::new().await;
    let (_, narrow) = scene.redeemed(json!({"scopes": ["demo:read"]})).await;
    let (_, wide) = scene.redeemed(json!({"scopes": ["demo:*"]})).await;
    let before = scene.bundle.cell(&scene.key).await;
    let knock = scene.bundle.knock(&narrow, "POST", "/demo/paid").await;
    assert_eq!((knock.status, &knock.problem["required_scope"]), (403, &json!("demo:write")));
    assert_eq!(scene.bundle.cell(&scene.key).await.counters.requests, before.counters.requests);
    assert_eq!(scene.knock(&wide, "POST", "/demo/paid").await.0, 200);
    scene.change_key(json!({"scopes": ["demo:read", "sessions:write"]})).await;
    assert_eq!(scene.knock(&wide, "POST", "/demo/paid").await, refused(403, "insufficient_scope"));
    let knock = scene.bundle.knock(&wide, "GET", "/demo/free").await;
    assert_eq!(knock.text("scopes"), "demo:read", "what both grant");
    // A key that may more again gives a narrow session nothing.
    scene.change_key(json!({"scopes": ["*"]})).await;
    assert_eq!(scene.knock(&narrow, "POST", "/demo/paid").await, refused(403, "insufficient_scope"));
    assert_eq!(scene.knock(&wide, "POST", "/demo/paid").await.0, 200);
}

#[tokio::test]
async fn both_lists_of_origins_must_hold() {
    let scene = Scene::new().await;
    let (_, secret) = scene.made(json!({"allowlist": ["*.a.com"]})).await;
    let answer = super::redeem_from(&scene.bundle, &secret, Some("https://x.a.com")).await;
    let token = Caller::Bearer(answer.data("access_token").to_owned());
    let codes = || async {
        let mut codes = Vec::new();
        for origin in ["https://x.a.com", "https://y.a.com", "https://a.com", "https://evil.com", "null"] {
            codes.push(from(&scene, &token, origin, "/demo/free").await.status);
        }
        codes.push(scene.knock(&token, "GET", "/demo/free").await.0);
        codes
    };
    assert_eq!(codes().await, [200, 200, 403, 403, 403, 403]);
    scene.change_key(json!({"allowlist": ["x.a.com", "evil.com"]})).await;
    assert_eq!(codes().await, [200, 403, 403, 403, 403, 403]);
}

#[tokio::test]
async fn a_session_that_is_over_learns_of_nothing_else() {
    let scene = Scene::new().await;
    let (_, secret) = scene.made(json!({"scopes": ["demo:read"], "allowlist": ["a.com"], "max_cost_usd": 0})).await;
    let answer = super::redeem_from(&scene.bundle, &secret, Some("https://a.com")).await;
    let (id, token) =
        (answer.data("client_session_id").to_owned(), Caller::Bearer(answer.data("access_token").to_owned()));
    let knock = |origin: &'static str, path: &'static str| {
        let mut headers = token.headers();
        headers.push(("Origin".into(), origin.into()));
        let bundle = scene.bundle.clone();
        async move { bundle.knock_with("POST", path, &headers).await.code }
    };
    // In the order in which they refuse, where everything is wrong at once.
    assert_eq!(knock("https://b.com", "/demo/paid").await, "origin_not_allowed");
    assert_eq!(knock("https://a.com", "/demo/paid").await, "insufficient_scope");
    assert_eq!(scene.end(&id).await.status, 204);
    assert_eq!(knock("https://b.com", "/demo/paid").await, "invalid_token");
    assert_eq!(knock("https://a.com", "/demo/paid").await, "invalid_token");
}

#[tokio::test]
async fn a_token_ends_with_its_session_to_the_second() {
    let scene = Scene::new().await;
    let (_, token) = scene.redeemed(json!({"ttl_seconds": 60})).await;
    let (_, capped) = scene.redeemed(json!({"ttl_seconds": 60, "max_cost_usd": 1})).await;
    scene.bundle.clock.advance_ms(59_999);
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200);
    assert_eq!(scene.knock(&capped, "GET", "/demo/free").await.0, 200);
    scene.bundle.clock.advance_ms(1);
    for token in [&token, &capped] {
        assert_eq!(scene.knock(token, "GET", "/demo/free").await, refused(401, "invalid_token"));
    }
}

#[tokio::test]
async fn an_instance_whose_clock_is_behind_admits_no_session_that_is_over() {
    let scene = Scene::new().await;
    let (_, token) = scene.redeemed(json!({"ttl_seconds": 60})).await;
    // Another instance has opened the minute in which the session is over.
    scene.bundle.clock.advance_ms(60_000);
    assert_eq!(scene.knock(&scene.key, "GET", "/demo/free").await.0, 200);
    let behind = scene.bundle.restarted();
    behind.clock.set(faregate_domain::time::Timestamp::from_epoch_s(1_792_540_859));
    for _ in 0..2 {
        assert_eq!(behind.knock(&token, "GET", "/demo/free").await.code, "invalid_token");
    }
}

#[tokio::test]
async fn a_session_is_of_its_keys_environment() {
    let open = r#"{ route: GET /demo/free, scope: "demo:read", refusals: backend }"#;
    let closed = open.replace(" }", ", environments: [production] }");
    let (bundle, service) = Bundle::with_service_under(&Policy::DEFAULT_TEXT.replace(open, &closed)).await;
    let (owner, id, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "admin"})).await;
    let scene = Scene { bundle, service, owner, id, key };
    let (_, token) = scene.redeemed(json!({})).await;
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await, refused(403, "forbidden_environment"));
    assert_eq!(scene.knock(&token, "POST", "/demo/paid").await.0, 200);
    let production = json!({"name": "b", "environment": "production", "scopes": "admin"});
    let (id, key) = scene.bundle.key(&scene.owner, production).await;
    let scene = Scene { id, key, ..scene };
    let (_, token) = scene.redeemed(json!({})).await;
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200);
}

#[tokio::test]
async fn a_token_opens_nothing_but_the_gate() {
    let scene = Scene::with(json!({"name": "a", "scopes": "admin"})).await;
    let (id, token) = scene.redeemed(json!({"scopes": "admin"})).await;
    let key_page = format!("/v1/api-keys/{}", scene.id);
    let session_page = format!("{PATH}/{id}");
    for (method, path, body) in [
        ("GET", "/v1/api-keys", None),
        ("POST", "/v1/api-keys", Some(r#"{"name":"b"}"#)),
        ("GET", key_page.as_str(), None),
        ("DELETE", key_page.as_str(), None),
        ("DELETE", "/v1/api-keys/self", None),
        ("GET", "/v1/me", None),
        ("GET", "/v1/projects", None),
        ("GET", "/v1/billing", None),
        ("GET", "/v1/requests", None),
        ("GET", PATH, None),
        ("POST", PATH, Some(r#"{"client_reference_id":"u"}"#)),
        ("GET", session_page.as_str(), None),
        ("DELETE", session_page.as_str(), None),
        ("POST", "/v1/api-keys/verify", Some(r#"{"key":"","method":"GET","path":"/"}"#)),
    ] {
        let answer = scene.bundle.send(method, path, &token, body).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_token"), "{method} {path}");
    }
    let logout = scene.bundle.send("POST", "/auth/logout", &token, None).await;
    assert_eq!(logout.status, 401);
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200);
}

#[tokio::test]
async fn no_other_text_is_taken_for_a_token() {
    let scene = Scene::new().await;
    let (_, token) = scene.redeemed(json!({})).await;
    let (_, other) = scene.redeemed(json!({"scopes": ["demo:read"]})).await;
    let (Caller::Bearer(text), Caller::Bearer(other)) = (&token, &other) else { panic!("tokens") };
    let (payload, tag) = text.split_once('.').unwrap();
    let (other_payload, other_tag) = other.split_once('.').unwrap();
    let jwt: Vec<&str> = scene.owner.token.split('.').collect();
    for text in [
        format!("{other_payload}.{tag}"),
        format!("{payload}.{other_tag}"),
        format!("{payload}."),
        payload.to_owned(),
        format!("{payload}.{}", "A".repeat(43)),
        format!("cst_{}.{}", jwt[1], jwt[2]),
        format!("{}.{}.{tag}", jwt[0], &payload[4..]),
        format!("eyJhbGciOiJub25lIn0.{}.", &payload[4..]),
        format!("CST_{}", &text[4..]),
        format!("{text}.{tag}"),
    ] {
        let knock = scene.bundle.knock(&Caller::Bearer(text.clone()), "GET", "/demo/free").await;
        assert_eq!(knock.status, 401, "{text}");
    }
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200);
}

#[tokio::test]
async fn another_deployments_token_is_none_here() {
    let (scene, elsewhere) = (Scene::new().await, Scene::new().await);
    // The same secrets, and another key: the token leads to a cell that this table has not.
    let (_, token) = elsewhere.redeemed(json!({})).await;
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await, refused(401, "invalid_token"));
    let services = &scene.bundle.services;
    let link = services.secrets.find(faregate_edge::secrets::SecretName::Link, services.clock.now()).await.unwrap();
    let Caller::Bearer(text) = &token else { panic!("a token") };
    let read = |origin| ClientToken::verify(text, &link, origin, services.clock.now());
    assert!(read("https://api.example.com").is_ok() && read("https://api.example.org").is_err());
}

#[tokio::test]
async fn a_rotated_secret_is_survived_once() {
    let scene = Scene::new().await;
    let (_, secret) = scene.made(json!({})).await;
    let (_, token) = scene.redeemed(json!({})).await;
    let rotate = |current: &str, previous: &str| {
        let file = scene.bundle.secrets_file();
        let mut secrets: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        secrets["link"] = json!({"current": current.repeat(64), "previous": previous.repeat(64)});
        std::fs::write(&file, secrets.to_string()).unwrap();
        scene.bundle.restarted()
    };
    let rotated = rotate("f", "e");
    assert_eq!(rotated.knock(&token, "GET", "/demo/free").await.status, 200);
    assert_eq!(redeem(&rotated, &secret).await.status, 200);
    // An instance that has not read the new secret yet looks for it.
    let (_, newer) = Scene { bundle: rotated.clone(), ..scene_of(&scene) }.redeemed(json!({})).await;
    scene.bundle.clock.advance_ms(1_000);
    assert_eq!(scene.knock(&newer, "GET", "/demo/free").await.0, 200);
    let again = rotate("0", "f");
    assert_eq!(again.knock(&token, "GET", "/demo/free").await.code, "invalid_token");
    assert_eq!(again.knock(&newer, "GET", "/demo/free").await.status, 200);
}

fn scene_of(scene: &Scene) -> Scene {
    Scene {
        bundle: scene.bundle.clone(),
        service: scene.service.clone(),
        owner: scene.owner.clone(),
        id: scene.id.clone(),
        key: scene.key.clone(),
    }
}

#[tokio::test]
async fn a_policy_without_logins_at_the_gate_has_client_sessions() {
    let text = Policy::DEFAULT_TEXT.replace("credentials:", "sessions: refused\ncredentials:");
    let (bundle, service) = Bundle::with_service_under(&text).await;
    let (owner, id, key) = bundle.key_of_newcomer(json!({"name": "a", "scopes": "admin"})).await;
    let scene = Scene { bundle, service, owner, id, key };
    let (_, token) = scene.redeemed(json!({})).await;
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200);
    assert_eq!(scene.knock(&scene.owner.caller(), "GET", "/demo/free").await.0, 401);
}

#[tokio::test]
async fn a_backend_that_asks_is_told_of_the_session() {
    let scene = Scene::new().await;
    let (id, token) = scene.redeemed(json!({"max_cost_usd": "0.015", "scopes": ["demo:write"]})).await;
    let Caller::Bearer(text) = &token else { panic!("a token") };
    let Caller::Key(service) = &scene.service else { panic!("a key") };
    let headers = [("x-api-key", service.as_str()), ("content-type", "application/json"), ("idempotency-key", "one")];
    let question = json!({"key": text, "method": "POST", "path": "/demo/paid"}).to_string();
    let ask = || scene.bundle.send_with("POST", "/v1/api-keys/verify", &headers, Some(&question));
    let (first, again) = (ask().await, ask().await);
    assert_eq!(first.text, again.text);
    let principal = &first.body["data"]["principal"];
    assert_eq!((&principal["client_session_id"], &principal["key_id"]), (&json!(id), &json!(scene.id)));
    assert_eq!(principal["scopes"], json!(["demo:write"]));
    let second =
        scene.bundle.post("/v1/api-keys/verify", &scene.service, &serde_json::from_str(&question).unwrap()).await;
    let body = &second.body["data"]["body"];
    assert_eq!((&body["code"], &body["limit_source"]), (&json!("insufficient_credits"), &json!("session")));
    let of_key = json!({"key": text_of(&scene.key), "method": "GET", "path": "/demo/free"});
    let answer = scene.bundle.post("/v1/api-keys/verify", &scene.service, &of_key).await;
    assert_eq!(answer.body["data"]["principal"]["client_session_id"], Value::Null);
}

fn text_of(caller: &Caller) -> &str {
    let Caller::Key(text) = caller else { panic!("a key") };
    text
}

#[tokio::test]
async fn the_books_know_under_which_session_a_call_was_made() {
    let scene = Scene::with(json!({"name": "a", "scopes": "admin"})).await;
    let mut books = Books::of(&scene.bundle);
    let (open, token) = scene.redeemed(json!({})).await;
    let (capped, other) = scene.redeemed(json!({"max_cost_usd": 1})).await;
    assert_eq!(scene.knock(&token, "POST", "/demo/paid").await.0, 200);
    assert_eq!(scene.knock(&scene.key, "GET", "/demo/free").await.0, 200);
    let charge = scene.bundle.knock(&token, "POST", "/demo/metered").await.text("chargeId").to_owned();
    let other_charge = scene.bundle.knock(&other, "POST", "/demo/metered").await.text("chargeId").to_owned();
    books.catch_up().await;
    let read = scene.read(&open).await;
    assert_eq!((&read["spent_usd"], &read["calls"]), (&json!(0.11), &json!(2)));
    for charge in [&charge, &other_charge] {
        let report = json!({"outcome": "succeeded", "actual_usd": "0.04"});
        assert_eq!(scene.bundle.settle(&scene.service, charge, &report).await.status, 200);
    }
    let records = books.records();
    // Whatever is told twice is counted once.
    for _ in 0..2 {
        assert_eq!(books.tell(&records).await, None);
    }
    let read = scene.read(&open).await;
    assert_eq!((&read["spent_usd"], &read["calls"]), (&json!(0.05), &json!(2)));
    assert_eq!(scene.read(&capped).await["spent_usd"], json!(0.04));
    assert_eq!(scene.end(&capped).await.status, 204);
    assert_eq!(scene.read(&capped).await["spent_usd"], json!(0.04), "the tab is gone, and the books know");
    scene.bundle.clock.advance_ms(1);
    let list = scene.bundle.get("/v1/requests", &scene.key).await;
    let mut sessions: Vec<_> =
        list.body["data"].as_array().unwrap().iter().map(|row| row["client_session_id"].clone()).collect();
    sessions.sort_by_key(Value::to_string);
    let mut wanted = vec![json!(open), json!(open), json!(capped), Value::Null];
    wanted.sort_by_key(Value::to_string);
    assert_eq!(sessions, wanted);
    let csv = scene.bundle.get("/v1/requests.csv", &scene.key).await;
    assert!(csv.text.lines().next().unwrap().contains(",client_session_id,") && csv.text.contains(&open));
}

#[tokio::test]
async fn a_session_that_is_over_by_the_clock_that_opened_the_projects_window_is_refused() {
    let scene = Scene::new().await;
    let project = scene.bundle.cell(&scene.key).await.owner.project;
    let limits = json!({"limits": {"per_minute": 100}});
    let amended = scene.bundle.patch(&format!("/v1/projects/{project}"), &scene.owner.caller(), &limits).await;
    assert_eq!(amended.status, 200, "{}", amended.text);
    let (_, other) = scene.bundle.key(&scene.owner, json!({"name": "other"})).await;
    let (_, token) = scene.redeemed(json!({"ttl_seconds": 60, "max_cost_usd": 1})).await;
    let began = scene.bundle.clock.now();
    // An instance whose clock is two minutes ahead.
    scene.bundle.clock.advance_ms(120_000);
    assert_eq!(scene.knock(&other, "POST", "/demo/paid").await.0, 200);
    scene.bundle.clock.set(began);
    assert_eq!(scene.knock(&token, "POST", "/demo/paid").await, refused(401, "invalid_token"));
    assert_eq!(scene.knock(&scene.key, "POST", "/demo/paid").await.0, 200);
}
