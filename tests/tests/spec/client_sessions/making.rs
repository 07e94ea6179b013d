//! Making, reading, listing and ending sessions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{PATH, Scene, redeem, refused};

#[tokio::test]
async fn a_session_says_what_it_may_and_shows_its_secret_once() {
    let scene = Scene::new().await;
    let settings = json!({
        "metadata": {"order": "1001"}, "ttl_seconds": 600, "scopes": ["demo:read"], "allowlist": ["https://a.com"],
        "max_cost_usd": "0.05"
    });
    let answer = scene.create(settings).await;
    assert_eq!((answer.status, answer.headers["cache-control"].as_str()), (201, "no-store"));
    let (session, secret) = (&answer.body["data"]["session"], &answer.body["data"]["client_secret"]);
    let text = secret["secret"].as_str().unwrap();
    assert!(text.starts_with("cs_") && text.len() == 58, "{text}");
    assert_eq!(secret["url"], format!("https://api.example.com/client-session#client_secret={text}"));
    assert_eq!(
        (&secret["expires_at"], &session["expires_at"]),
        (&session["expires_at"], &json!("2026-10-21T00:10:00Z"))
    );
    assert_eq!((&session["status"], &session["key_id"]), (&json!("created"), &json!(scene.id)));
    assert_eq!((&session["client_reference_id"], &session["metadata"]), (&json!("user-42"), &json!({"order": "1001"})));
    assert_eq!((&session["scopes"], &session["allowlist"]), (&json!(["demo:read"]), &json!(["https://a.com"])));
    assert_eq!((&session["max_cost_usd"], &session["spent_usd"]), (&json!(0.05), &json!(0)));
    let id = session["id"].as_str().unwrap();
    let read = scene.bundle.get(&format!("{PATH}/{id}"), &scene.key).await;
    assert_eq!(&read.body["data"], session);
    let list = scene.bundle.get(PATH, &scene.key).await;
    assert_eq!(list.body["data"][0], *session);
    assert!(!read.text.contains(text) && !list.text.contains(text));
}

#[tokio::test]
async fn a_session_without_settings_has_its_keys_and_lives_a_quarter_of_an_hour() {
    let scene = Scene::with(json!({"name": "a", "allowlist": ["a.com"]})).await;
    let from_a = [
        ("x-api-key", key_text(&scene)),
        ("origin", "https://a.com".into()),
        ("content-type", "application/json".into()),
    ];
    let headers: Vec<_> = from_a.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = scene.bundle.send_with("POST", PATH, &headers, Some(r#"{"client_reference_id":"u"}"#)).await;
    let session = &answer.body["data"]["session"];
    assert_eq!((&session["scopes"], &session["allowlist"]), (&json!(["demo:*", "sessions:write"]), &json!(["a.com"])));
    assert_eq!((&session["expires_at"], &session["max_cost_usd"]), (&json!("2026-10-21T00:15:00Z"), &Value::Null));
}

fn key_text(scene: &Scene) -> String {
    let faregate_tests::Caller::Key(text) = &scene.key else { panic!("a key") };
    text.clone()
}

#[tokio::test]
async fn everything_is_bounded_and_each_mistake_names_its_field() {
    let scene = Scene::new().await;
    let many =
        |count: usize| (0..count).map(|number| (format!("n{number}"), json!("x"))).collect::<serde_json::Map<_, _>>();
    for (settings, field) in [
        (json!({"client_reference_id": ""}), "client_reference_id"),
        (json!({"client_reference_id": "x".repeat(201)}), "client_reference_id"),
        (json!({"client_reference_id": null}), "client_reference_id"),
        (json!({"metadata": many(51)}), "metadata"),
        (json!({"metadata": {"a": "x".repeat(4_096)}}), "metadata"),
        (json!({"metadata": {"a": 7}}), "metadata.a"),
        (json!({"metadata": []}), "metadata"),
        (json!({"ttl_seconds": 59}), "ttl_seconds"),
        (json!({"ttl_seconds": 86_401}), "ttl_seconds"),
        (json!({"ttl_seconds": "600"}), "ttl_seconds"),
        (json!({"scopes": []}), "scopes"),
        (json!({"scopes": ["demo:nothing"]}), "scopes"),
        (json!({"allowlist": ["null/"]}), "allowlist"),
        (json!({"max_cost_usd": -1}), "max_cost_usd"),
        (json!({"max_cost_usd": 0.000_000_1}), "max_cost_usd"),
        (json!({"colour": "red"}), "colour"),
    ] {
        let answer = scene.create(settings.clone()).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_request"), "{settings}: {}", answer.text);
        assert_eq!(answer.body["field"], field, "{settings}");
    }
    let twice = r#"{"client_reference_id":"u","metadata":{"a":"1","a":"2"}}"#;
    let answer = scene.bundle.send("POST", PATH, &scene.key, Some(twice)).await;
    assert_eq!((answer.status, &answer.body["field"]), (400, &json!("metadata.a")), "{}", answer.text);
    let long = |number: usize| format!("{number:02}{}.com", ".a".repeat(115));
    let too_long = json!({"allowlist": (0..16).map(long).collect::<Vec<_>>()});
    let answer = scene.create(too_long).await;
    assert_eq!((answer.status, &answer.body["field"]), (400, &json!("allowlist")), "{}", answer.text);
}

#[tokio::test]
async fn a_session_may_no_more_than_its_key() {
    let scene = Scene::with(json!({"name": "a", "scopes": ["demo:read", "sessions:write"]})).await;
    for (settings, wanted) in [
        (json!({"scopes": ["demo:write"]}), (403, "insufficient_scope")),
        (json!({"scopes": ["demo:*"]}), (403, "insufficient_scope")),
        (json!({"scopes": ["gate:check"]}), (403, "insufficient_scope")),
        (json!({"scopes": "read-only"}), (201, "")),
        (json!({"scopes": "demo:read"}), (201, "")),
        (json!({"allowlist": ["b.com"]}), (201, "")),
    ] {
        let answer = scene.create(settings.clone()).await;
        assert_eq!((answer.status, answer.code()), wanted, "{settings}");
    }
    let bound = Scene::with(json!({"name": "b", "allowlist": ["*.a.com"]})).await;
    for (list, wanted) in [
        (json!(["x.a.com", "https://*.y.a.com"]), (201, "")),
        (json!(["a.com"]), (403, "allowlist_exceeded")),
        (json!(["x.a.com", "b.com"]), (403, "allowlist_exceeded")),
        (json!([]), (403, "allowlist_exceeded")),
        (json!(null), (403, "allowlist_exceeded")),
    ] {
        let body = json!({"client_reference_id": "u", "allowlist": list}).to_string();
        let key = key_text(&bound);
        let headers =
            [("x-api-key", key.as_str()), ("origin", "https://z.a.com"), ("content-type", "application/json")];
        let answer = bound.bundle.send_with("POST", PATH, &headers, Some(&body)).await;
        assert_eq!((answer.status, answer.code()), wanted, "{body}");
    }
}

#[tokio::test]
async fn only_a_key_with_the_scope_and_its_secret_in_force_makes_sessions() {
    let scene = Scene::new().await;
    let body = json!({"client_reference_id": "u"});
    let answer = scene.bundle.post(PATH, &scene.owner.caller(), &body).await;
    assert_eq!((answer.status, answer.code()), (403, "key_required"));
    let (_, narrow) = scene.bundle.key(&scene.owner, json!({"name": "b"})).await;
    let answer = scene.bundle.post(PATH, &narrow, &body).await;
    assert_eq!((answer.status, answer.code()), (403, "insufficient_scope"));
    let new = crate::rotation::rotated(&scene.bundle, &scene.owner, &scene.id, &json!({})).await;
    let answer = scene.create(json!({})).await;
    assert_eq!((answer.status, answer.code()), (409, "key_rotated"));
    assert_eq!(scene.bundle.post(PATH, &new, &body).await.status, 201);
}

#[tokio::test]
async fn a_repeated_request_makes_one_session() {
    let scene = Scene::new().await;
    let key = key_text(&scene);
    let headers = [("x-api-key", key.as_str()), ("content-type", "application/json"), ("idempotency-key", "order-1")];
    let send = |body: &'static str| scene.bundle.send_with("POST", PATH, &headers, Some(body));
    let first = send(r#"{"client_reference_id":"u"}"#).await;
    let again = send(r#"{"client_reference_id":"u"}"#).await;
    assert_eq!((first.status, again.status, &first.text), (201, 201, &again.text));
    assert_eq!(send(r#"{"client_reference_id":"v"}"#).await.code(), "idempotency_key_reused");
    let list = scene.bundle.get(PATH, &scene.key).await;
    assert_eq!(list.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn another_keys_session_is_one_that_never_existed() {
    let scene = Scene::new().await;
    let (id, _) = scene.made(json!({})).await;
    let page = format!("{PATH}/{id}");
    let (_, sibling) = scene.bundle.key(&scene.owner, json!({"name": "b", "scopes": "admin"})).await;
    let neighbour = scene.bundle.login(&scene.bundle.wallet("neighbour")).await;
    let (_, stranger) = scene.bundle.key(&neighbour, json!({"name": "c", "scopes": "admin"})).await;
    for caller in [&sibling, &stranger, &neighbour.caller()] {
        for method in ["GET", "DELETE"] {
            let answer = scene.bundle.send(method, &page, caller, None).await;
            let never = scene.bundle.send(method, &format!("{PATH}/ses_{}", "0".repeat(22)), caller, None).await;
            let odd = scene.bundle.send(method, &format!("{PATH}/x"), caller, None).await;
            assert_eq!((answer.status, &answer.text), (404, &never.text), "{method} {caller:?}");
            assert_eq!((odd.status, &odd.text), (404, &never.text));
        }
    }
    assert_eq!(scene.bundle.get(&page, &scene.owner.caller()).await.status, 200);
    assert_eq!(scene.read(&id).await["status"], "created");
}

#[tokio::test]
async fn a_list_has_the_newest_first_page_by_page() {
    let scene = Scene::new().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        scene.bundle.clock.advance_ms(1);
        made.push(scene.made(json!({})).await.0);
    }
    made.reverse();
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    for page in 0..4 {
        let answer = scene.bundle.get(&format!("{PATH}?limit=2{cursor}"), &scene.key).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let data = answer.body["data"].as_array().unwrap();
        listed.extend(data.iter().map(|session| session["id"].as_str().unwrap().to_owned()));
        match answer.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        assert!(page < 3, "{listed:?}");
    }
    assert_eq!(listed, made);
    let owner = scene.owner.caller();
    let named = scene.bundle.get(&format!("{PATH}?key_id={}", scene.id), &owner).await;
    assert_eq!(named.body["data"].as_array().unwrap().len(), 5);
    assert_eq!(scene.bundle.get(PATH, &owner).await.body["field"], "key_id");
    let (other, sibling) = scene.bundle.key(&scene.owner, json!({"name": "b", "scopes": "admin"})).await;
    assert_eq!(scene.bundle.get(PATH, &sibling).await.body["data"], json!([]));
    for (caller, id) in [(&scene.key, other.as_str()), (&owner, "key_0000000000000000"), (&owner, "x")] {
        assert_eq!(scene.bundle.get(&format!("{PATH}?key_id={id}"), caller).await.status, 404, "{id}");
    }
    let odd = scene.bundle.get(&format!("{PATH}?cursor=bm90aGluZw"), &scene.key).await;
    assert_eq!((odd.status, &odd.body["field"]), (400, &json!("cursor")));
}

#[tokio::test]
async fn a_session_is_shown_as_long_as_its_environment_keeps_it() {
    let scene = Scene::new().await;
    let (id, secret) = scene.made(json!({"ttl_seconds": 60})).await;
    let day_ms = 86_400_000;
    scene.bundle.clock.advance_ms(60_000);
    assert_eq!(scene.read(&id).await["status"], "expired");
    scene.bundle.clock.advance_ms(7 * day_ms - 60_001);
    assert_eq!(scene.read(&id).await["status"], "expired");
    scene.bundle.clock.advance_ms(1);
    let page = scene.bundle.get(&format!("{PATH}/{id}"), &scene.key).await;
    assert_eq!((page.status, page.code()), (404, "not_found"));
    assert_eq!(scene.bundle.get(PATH, &scene.key).await.body["data"], json!([]));
    assert_eq!(redeem(&scene.bundle, &secret).await.status, 401);
    let table = &scene.bundle.services.config.table;
    let ttl = scene.bundle.link.item(table, &id, "session")["ttl"]["N"].as_str().unwrap().to_owned();
    assert_eq!(ttl, (1_792_540_800 + 7 * 86_400).to_string());
}

#[tokio::test]
async fn a_session_can_be_ended_at_any_time_and_again() {
    let scene = Scene::new().await;
    let (unused, secret) = scene.made(json!({})).await;
    assert_eq!(scene.end(&unused).await.status, 204);
    assert_eq!(redeem(&scene.bundle, &secret).await.code(), "invalid_client_secret");
    for settings in [json!({}), json!({"max_cost_usd": 1})] {
        let (id, token) = scene.redeemed(settings).await;
        assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200);
        assert_eq!(scene.read(&id).await["status"], "redeemed");
        for _ in 0..2 {
            assert_eq!(scene.end(&id).await.status, 204);
            assert_eq!(scene.knock(&token, "GET", "/demo/free").await, refused(401, "invalid_token"));
        }
        let read = scene.read(&id).await;
        assert_eq!((&read["status"], &read["ended_at"]), (&json!("ended"), &json!("2026-10-21T00:00:00Z")));
        assert_eq!(scene.bundle.knock(&scene.key, "GET", "/demo/free").await.status, 200);
    }
}

#[tokio::test]
async fn ids_and_secrets_do_not_repeat() {
    let scene = Scene::new().await;
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let (id, secret) = scene.made(json!({})).await;
        assert!(secret.contains(&id[4..]), "a secret leads to its session");
        assert!(seen.insert(secret[25..47].to_owned()) && seen.insert(id));
    }
}
