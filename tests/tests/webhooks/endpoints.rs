//! Endpoints: made, read, changed and deleted, by whom and within which bounds.

use faregate_tests::{Bundle, Caller, signing_secret};
use serde_json::{Value, json};

use crate::Scene;

#[tokio::test]
async fn a_key_makes_reads_changes_and_deletes_an_endpoint() {
    let scene = Scene::new().await;
    let (bundle, key) = (&scene.bundle, &scene.key);
    let body = json!({"url": "https://Hooks.Example.com:443/a?b=c", "events": ["key.revoked", "key.created"], "description": "mine"});
    let made = bundle.post("/v1/webhooks", key, &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.data("id").to_owned();
    let cell = bundle.cell(key).await;
    let mut wanted = json!({
        "id": id, "url": "https://hooks.example.com/a?b=c", "events": ["key.created", "key.revoked"],
        "description": "mine", "key_id": scene.key_id, "project_id": cell.owner.project.to_string(),
        "environment": "sandbox", "status": "enabled", "disabled_reason": null, "disabled_at": null,
        "failing_since": null, "created_at": bundle.clock.now().to_string(),
    });
    let mut shown = made.body["data"].clone();
    assert_eq!(shown.as_object_mut().unwrap().remove("secret"), Some(json!(signing_secret(key))));
    assert_eq!(shown, wanted);
    let path = format!("/v1/webhooks/{id}");
    assert_eq!(bundle.get(&path, key).await.body["data"], wanted);
    assert_eq!(bundle.get("/v1/webhooks", key).await.body, json!({"data": [wanted], "next_cursor": null}));
    let change = json!({"events": ["*"], "description": null, "enabled": false});
    let changed = bundle.patch(&path, key, &change).await;
    wanted["events"] = json!(["*"]);
    wanted["description"] = Value::Null;
    wanted["status"] = json!("disabled");
    wanted["disabled_reason"] = json!("by_owner");
    wanted["disabled_at"] = wanted["created_at"].clone();
    assert_eq!((changed.status, &changed.body["data"]), (200, &wanted), "{}", changed.text);
    let enabled = bundle.patch(&path, key, &json!({"enabled": true})).await;
    assert_eq!(enabled.data("status"), "enabled");
    assert_eq!(bundle.delete(&path, key).await.status, 204);
    assert_eq!(bundle.get(&path, key).await.code(), "not_found");
    assert_eq!(bundle.get("/v1/webhooks", key).await.body["data"], json!([]));
}

#[tokio::test]
async fn whoever_signed_in_names_the_key_and_is_shown_no_secret() {
    let scene = Scene::new().await;
    let (bundle, owner) = (&scene.bundle, scene.session.caller());
    let ask = async |body: Value| bundle.post("/v1/webhooks", &owner, &body).await;
    let nobody = ask(json!({"url": "https://example.com/"})).await;
    assert_eq!((nobody.status, &nobody.body["field"]), (400, &json!("key_id")));
    let foreign = bundle.login(&bundle.wallet("other")).await;
    let (foreign_id, _) = bundle.key(&foreign, json!({"name": "theirs"})).await;
    for id in [foreign_id.as_str(), "key_0000000000000000", "nonsense"] {
        let answer = ask(json!({"url": "https://example.com/", "key_id": id})).await;
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!("key_id")), "{id}");
    }
    let made = ask(json!({"url": "https://example.com/", "key_id": scene.key_id})).await;
    assert_eq!((made.status, made.data("secret")), (201, ""), "{}", made.text);
    bundle.delete(&format!("/v1/api-keys/{}", scene.key_id), &owner).await;
    let late = ask(json!({"url": "https://example.com/", "key_id": scene.key_id})).await;
    assert_eq!((late.status, late.code()), (409, "key_revoked"));
}

#[tokio::test]
async fn nobody_else_knows_of_an_endpoint() {
    let scene = Scene::new().await;
    let (bundle, id) = (&scene.bundle, scene.endpoint(&["*"]).await);
    let message = scene.test_event(&id).await;
    let stranger = bundle.login(&bundle.wallet("stranger")).await.caller();
    let project = bundle.post("/v1/projects", &scene.session.caller(), &json!({"name": "other"})).await;
    let body = json!({"name": "b", "project_id": project.data("id"), "scopes": ["*"]});
    let (_, other_project) = bundle.key(&scene.session, body).await;
    let body = json!({"name": "c", "environment": "production", "scopes": ["*"]});
    let (_, other_environment) = bundle.key(&scene.session, body).await;
    for caller in [&stranger, &other_project, &other_environment] {
        for (method, path) in [
            ("GET", format!("/v1/webhooks/{id}")),
            ("PATCH", format!("/v1/webhooks/{id}")),
            ("DELETE", format!("/v1/webhooks/{id}")),
            ("POST", format!("/v1/webhooks/{id}/test")),
            ("GET", format!("/v1/webhooks/{id}/deliveries")),
            ("POST", format!("/v1/webhooks/{id}/deliveries/{message}/redeliver")),
        ] {
            let answer = bundle.send(method, &path, caller, Some("{}")).await;
            let none = bundle.send(method, &path.replace(&id, "whk_0000000000000000000000"), caller, Some("{}")).await;
            assert_eq!((answer.status, answer.code()), (404, "not_found"), "{method} {path}");
            assert_eq!(answer.text, none.text, "{method} {path}");
        }
        assert_eq!(bundle.get("/v1/webhooks", caller).await.body["data"], json!([]));
    }
    assert_eq!(scene.show(&id).await["id"], json!(id), "it is still there");
    let (_, plain) = bundle.key(&scene.session, json!({"name": "d", "scopes": ["demo:*"]})).await;
    assert_eq!(bundle.get("/v1/webhooks", &plain).await.code(), "insufficient_scope");
}

#[tokio::test]
async fn a_url_or_a_list_that_cannot_be_is_refused_by_its_field() {
    let scene = Scene::new().await;
    let id = scene.endpoint(&["*"]).await;
    let long = format!("https://example.com/{}", "a".repeat(2_048));
    for (field, value) in [
        ("url", json!("")),
        ("url", json!("example.com")),
        ("url", json!("http://example.com/")),
        ("url", json!("ftp://example.com/")),
        ("url", json!("https://me:pw@example.com/")),
        ("url", json!("https://example.com/#a")),
        ("url", json!("https://10.0.0.1/")),
        ("url", json!("https://169.254.169.254/latest/meta-data")),
        ("url", json!("https://[fd00:ec2::254]/")),
        ("url", json!(long)),
        ("events", json!([])),
        ("events", json!(["key.deleted"])),
        ("events", json!(["*", "all"])),
        ("description", json!("")),
        ("description", json!("a\u{7}")),
        ("description", json!("a".repeat(201))),
    ] {
        let mut body = json!({"url": "https://example.com/"});
        body[field] = value.clone();
        let made = scene.bundle.post("/v1/webhooks", &scene.key, &body).await;
        assert_eq!((made.status, made.code(), &made.body["field"]), (400, "invalid_request", &json!(field)), "{value}");
        let path = format!("/v1/webhooks/{id}");
        let changed = scene.bundle.patch(&path, &scene.key, &json!({field: value})).await;
        assert_eq!((changed.status, &changed.body["field"]), (400, &json!(field)), "{value}");
    }
    let foreign = json!({"url": "https://example.com/", "key_id": "key_0000000000000000"});
    assert_eq!(scene.bundle.post("/v1/webhooks", &scene.key, &foreign).await.body["field"], "key_id");
}

#[tokio::test]
async fn an_account_has_twenty_endpoints_at_most_whatever_races() {
    let scene = Scene::new().await;
    let mut making = tokio::task::JoinSet::new();
    for number in 0..25 {
        let (bundle, key) = (scene.bundle.clone(), scene.key.clone());
        let body = json!({"url": format!("https://example.com/{number}")});
        making.spawn(async move { bundle.post("/v1/webhooks", &key, &body).await });
    }
    let mut answers = Vec::new();
    while let Some(answer) = making.join_next().await {
        answers.push(answer.unwrap());
    }
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let full = answers.iter().filter(|answer| (answer.status, answer.code()) == (409, "too_many_webhooks")).count();
    assert_eq!((made, full), (20, 5));
    let listed = page_through(&scene.bundle, &scene.key).await;
    assert_eq!(listed.len(), 20);
    assert_eq!(scene.bundle.delete(&format!("/v1/webhooks/{}", listed[0]), &scene.key).await.status, 204);
    let again = scene.bundle.post("/v1/webhooks", &scene.key, &json!({"url": "https://example.com/"})).await;
    assert_eq!(again.status, 201, "a place that was given up is free");
}

async fn page_through(bundle: &Bundle, key: &Caller) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = bundle.get(&format!("/v1/webhooks?limit=7{cursor}"), key).await;
        let page = answer.body["data"].as_array().unwrap();
        ids.extend(page.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = answer.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    ids
}

#[tokio::test]
async fn a_repeated_request_makes_one_endpoint_and_gets_its_answer_again() {
    let scene = Scene::new().await;
    let Caller::Key(text) = &scene.key else { panic!("a key") };
    let headers = [("x-api-key", text.as_str()), ("content-type", "application/json"), ("idempotency-key", "once")];
    let body = json!({"url": "https://example.com/"}).to_string();
    let first = scene.bundle.send_with("POST", "/v1/webhooks", &headers, Some(&body)).await;
    let second = scene.bundle.send_with("POST", "/v1/webhooks", &headers, Some(&body)).await;
    assert_eq!((first.status, &first.text), (201, &second.text));
    assert_eq!(scene.bundle.get("/v1/webhooks", &scene.key).await.body["data"].as_array().unwrap().len(), 1);
    let other = json!({"url": "https://example.org/"}).to_string();
    let reused = scene.bundle.send_with("POST", "/v1/webhooks", &headers, Some(&other)).await;
    assert_eq!((reused.status, reused.code()), (422, "idempotency_key_reused"));
}

#[tokio::test]
async fn a_secret_that_was_rotated_out_changes_no_endpoint() {
    let scene = Scene::new().await;
    let id = scene.endpoint(&["*"]).await;
    let rotated =
        scene.bundle.post(&format!("/v1/api-keys/{}/rotate", scene.key_id), &scene.session.caller(), &json!({})).await;
    assert_eq!(rotated.status, 201);
    let path = format!("/v1/webhooks/{id}");
    for answer in [
        scene.bundle.post("/v1/webhooks", &scene.key, &json!({"url": "https://example.com/"})).await,
        scene.bundle.patch(&path, &scene.key, &json!({"url": "https://example.com/"})).await,
        scene.bundle.delete(&path, &scene.key).await,
    ] {
        assert_eq!((answer.status, answer.code()), (409, "key_rotated"));
    }
    assert_eq!(scene.bundle.get(&path, &scene.key).await.status, 200, "it may still look");
}
