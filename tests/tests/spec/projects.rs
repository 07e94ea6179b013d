//! Projects: made and changed by their owner, seen by their keys, followed by every credential that acts for them.

use faregate_tests::{Answer, Bundle, Caller, Fault, Session};
use serde_json::{Value, json};

/// Makes a project; returns its id.
pub(crate) async fn project(bundle: &Bundle, session: &Session, body: Value) -> String {
    let answer = bundle.post("/v1/projects", &session.caller(), &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.data("id").to_owned()
}

/// The account's first project.
pub(crate) async fn default_project(bundle: &Bundle, session: &Session) -> String {
    bundle.get("/v1/me", &session.caller()).await.data("default_project_id").to_owned()
}

fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn a_project_is_made_read_changed_and_listed() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let own = session.caller();
    let body = json!({"name": "images", "gallery_mode": "shared", "limits": {"per_10_seconds": 20, "burst": 5}});
    let made = bundle.post("/v1/projects", &own, &body).await;
    assert_eq!((made.status, made.headers["cache-control"].as_str()), (201, "no-store"));
    let id = made.data("id").to_owned();
    let mut wanted = json!({"data": {
        "id": id, "name": "images", "gallery_mode": "shared", "limits": {"per_10_seconds": 20, "burst": 5},
        "budget_usd": 0, "available_usd": 0, "created_at": bundle.clock.now().to_string(),
    }});
    assert_eq!(made.body, wanted);
    let page = format!("/v1/projects/{id}");
    assert_eq!(bundle.get(&page, &own).await.body, wanted);
    for (change, field, value) in [
        (json!({"name": "pictures"}), "name", json!("pictures")),
        (json!({"gallery_mode": "isolated"}), "gallery_mode", json!("isolated")),
        (json!({"limits": {"per_second": 3}}), "limits", json!({"per_second": 3, "burst": 0})),
        (json!({"limits": {"per_minute": 60, "burst": 60}}), "limits", json!({"per_minute": 60, "burst": 60})),
        (json!({"limits": null}), "limits", json!(null)),
        (json!({}), "name", json!("pictures")),
    ] {
        wanted["data"][field] = value;
        assert_eq!(bundle.patch(&page, &own, &change).await.body, wanted, "{change}");
        assert_eq!(bundle.get(&page, &own).await.body, wanted, "{change}");
    }
    let plain = project(&bundle, &session, json!({"name": "plain"})).await;
    let mut listed = Vec::new();
    let mut next = "/v1/projects?limit=2".to_owned();
    loop {
        let answer = bundle.get(&next, &own).await;
        listed.extend(answer.body["data"].as_array().unwrap().clone());
        let Some(cursor) = answer.body["next_cursor"].as_str() else { break };
        next = format!("/v1/projects?limit=2&cursor={cursor}");
    }
    let mut names: Vec<_> =
        listed.iter().map(|one| (one["name"].as_str().unwrap(), one["budget_usd"].clone())).collect();
    names.sort_by_key(|(name, _)| *name);
    assert_eq!(names, [("default", json!(5)), ("pictures", json!(0)), ("plain", json!(0))]);
    let plain = bundle.get(&format!("/v1/projects/{plain}"), &own).await;
    assert_eq!((plain.data("gallery_mode"), &plain.body["data"]["limits"]), ("isolated", &json!(null)));
}

#[tokio::test]
async fn a_key_sees_and_changes_its_own_project_only() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let (own, other) =
        (default_project(&bundle, &session).await, project(&bundle, &session, json!({"name": "b"})).await);
    let (_, key) = bundle.key(&session, json!({"name": "a", "scopes": ["projects:*"]})).await;
    let list = bundle.get("/v1/projects", &key).await;
    assert_eq!((&list.body["data"][0]["id"], list.body["data"].as_array().unwrap().len()), (&json!(own), 1));
    let page = |id: &str| format!("/v1/projects/{id}");
    assert_eq!(bundle.get(&page(&own), &key).await.status, 200);
    assert_eq!(bundle.patch(&page(&own), &key, &json!({"name": "renamed"})).await.data("name"), "renamed");
    assert_problem(&bundle.get(&page(&other), &key).await, 404, "not_found");
    assert_problem(&bundle.patch(&page(&other), &key, &json!({"name": "x"})).await, 404, "not_found");
    assert_problem(&bundle.post("/v1/projects", &key, &json!({"name": "x"})).await, 403, "session_required");
    let (_, reader) = bundle.key(&session, json!({"name": "r", "scopes": ["projects:read"]})).await;
    assert_eq!(bundle.get(&page(&own), &reader).await.status, 200);
    assert_problem(&bundle.patch(&page(&own), &reader, &json!({"name": "x"})).await, 403, "insufficient_scope");
    let (_, caller) = bundle.key(&session, json!({"name": "c"})).await;
    assert_problem(&bundle.get(&page(&own), &caller).await, 403, "insufficient_scope");
    assert_problem(&bundle.get("/v1/projects", &Caller::Anonymous).await, 401, "missing_credentials");
}

#[tokio::test]
async fn another_tenants_project_is_no_project() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let stranger = bundle.login(&bundle.wallet("stranger")).await;
    let foreign = project(&bundle, &stranger, json!({"name": "theirs"})).await;
    let limits = json!({"limits": {"per_minute": 1}});
    for (method, suffix, body) in [
        ("GET", "", None),
        ("PATCH", "", Some(limits.to_string())),
        ("POST", "/allocations", Some(json!({"amount_usd": "-1"}).to_string())),
        ("POST", "/allocations", Some("junk".to_owned())),
    ] {
        let ask = async |id: &str| {
            bundle.send(method, &format!("/v1/projects/{id}{suffix}"), &session.caller(), body.as_deref()).await
        };
        let nobodys = ask("prj_0000000000000000000000").await;
        assert_problem(&nobodys, 404, "not_found");
        for id in [foreign.as_str(), "prj_short", "key_0000000000000000", "%2e%2e", "é"] {
            let answer = ask(id).await;
            assert_eq!(
                (answer.status, answer.text, answer.headers),
                (404, nobodys.text.clone(), nobodys.headers.clone())
            );
        }
    }
    let page = bundle.get("/v1/projects", &stranger.caller()).await;
    let cursor = page.body["data"].as_array().unwrap().len();
    assert_eq!(cursor, 2);
    let theirs = bundle.get(&format!("/v1/projects/{foreign}"), &stranger.caller()).await;
    assert_eq!((theirs.data("name"), &theirs.body["data"]["limits"]), ("theirs", &json!(null)));
}

#[tokio::test]
async fn every_mistake_names_its_field() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let id = default_project(&bundle, &session).await;
    let long = format!(r#""name":"{}""#, "n".repeat(101));
    let both = [
        (r#""name":7"#, "name"),
        (r#""name":null"#, "name"),
        (r#""name":"""#, "name"),
        (r#""name":"a\u0007""#, "name"),
        (long.as_str(), "name"),
        (r#""gallery_mode":"open""#, "gallery_mode"),
        (r#""gallery_mode":null"#, "gallery_mode"),
        (r#""gallery_mode":true"#, "gallery_mode"),
        (r#""limits":7"#, "limits"),
        (r#""limits":[]"#, "limits"),
        (r#""limits":{}"#, "limits"),
        (r#""limits":{"burst":1}"#, "limits"),
        (r#""limits":{"per_second":1,"per_minute":1}"#, "limits"),
        (r#""limits":{"per_second":0}"#, "limits.per_second"),
        (r#""limits":{"per_10_seconds":-1}"#, "limits.per_10_seconds"),
        (r#""limits":{"per_minute":1.5}"#, "limits.per_minute"),
        (r#""limits":{"per_minute":"5"}"#, "limits.per_minute"),
        (r#""limits":{"per_minute":null}"#, "limits.per_minute"),
        (r#""limits":{"per_minute":1000001}"#, "limits.per_minute"),
        (r#""limits":{"per_minute":4294967296}"#, "limits.per_minute"),
        (r#""limits":{"per_minute":5,"burst":6}"#, "limits.burst"),
        (r#""limits":{"per_minute":5,"burst":-1}"#, "limits.burst"),
        (r#""limits":{"per_hour":5}"#, "limits.per_hour"),
        (r#""limits":{"per_minute":5,"per_minute":6}"#, "limits.per_minute"),
        (r#""budget_usd":5"#, "budget_usd"),
        (r#""id":"prj_1""#, "id"),
    ];
    for (part, field) in both {
        let name = if part.contains("\"name\"") { "" } else { r#""name":"n","# };
        let create = bundle.send("POST", "/v1/projects", &session.caller(), Some(&format!("{{{name}{part}}}"))).await;
        let page = format!("/v1/projects/{id}");
        let change = bundle.send("PATCH", &page, &session.caller(), Some(&format!("{{{part}}}"))).await;
        for answer in [create, change] {
            assert_problem(&answer, 400, "invalid_request");
            assert_eq!(answer.body["field"], field, "{part}: {}", answer.text);
        }
    }
    assert_eq!(bundle.post("/v1/projects", &session.caller(), &json!({})).await.body["field"], "name");
    let list = bundle.get("/v1/projects", &session.caller()).await;
    assert_eq!(list.body["data"].as_array().unwrap().len(), 1);
    assert_eq!((&list.body["data"][0]["name"], &list.body["data"][0]["limits"]), (&json!("default"), &json!(null)));
    for (method, path, status) in [
        ("DELETE", format!("/v1/projects/{id}"), 405),
        ("PUT", "/v1/projects".to_owned(), 405),
        ("POST", "/v1/me".to_owned(), 405),
        ("GET", format!("/v1/projects/{id}/allocations"), 405),
        ("GET", "/v1/projects/".to_owned(), 404),
        ("GET", format!("/v1/projects/{id}/keys"), 404),
        ("GET", "/v1/projects?limit=0".to_owned(), 400),
        ("GET", "/v1/projects?limit=101".to_owned(), 400),
        ("GET", "/v1/projects?cursor=nonsense".to_owned(), 400),
    ] {
        let answer = bundle.send(method, &path, &session.caller(), None).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(status == 405, answer.headers.contains_key("allow"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_changed_gallery_is_seen_by_the_very_next_request_of_every_credential() {
    let bundle = Bundle::new().await;
    let (session, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let (own, other) =
        (default_project(&bundle, &session).await, project(&bundle, &session, json!({"name": "b"})).await);
    let (_, apart) = bundle.key(&session, json!({"name": "apart", "project_id": other})).await;
    let account = session.account_id.clone();
    for (mode, gallery) in [("shared", &account), ("isolated", &own), ("shared", &account)] {
        let answer =
            bundle.patch(&format!("/v1/projects/{own}"), &session.caller(), &json!({"gallery_mode": mode})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let (_, later) = bundle.key(&session, json!({"name": mode})).await;
        for caller in [&key, &later, &session.caller()] {
            assert_eq!(bundle.knock(caller, "GET", "/demo/free").await.text("gallery"), gallery, "{mode}");
        }
        assert_eq!(bundle.knock(&apart, "GET", "/demo/free").await.text("gallery"), other);
    }
}

#[tokio::test]
async fn an_account_has_at_most_a_hundred_projects() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    for _ in 1..100 {
        project(&bundle, &session, json!({"name": "n"})).await;
    }
    let answer = bundle.post("/v1/projects", &session.caller(), &json!({"name": "one too many"})).await;
    assert_problem(&answer, 409, "too_many_projects");
    let list = bundle.get("/v1/projects?limit=100", &session.caller()).await;
    assert_eq!((list.body["data"].as_array().unwrap().len(), &list.body["next_cursor"]), (100, &json!(null)));
    assert_eq!(bundle.get("/v1/billing", &session.caller()).await.body["data"]["allocated_usd"], json!(5));
}

#[tokio::test]
async fn a_project_that_is_asked_for_twice_is_made_once() {
    for fault in [Fault::None, Fault::LoseAnswer, Fault::LoseRequest, Fault::Break] {
        for at in 0..6 {
            let bundle = Bundle::new().await;
            let session = bundle.newcomer().await;
            let bearer = format!("Bearer {}", session.token);
            let ask = async |body: &str| {
                let headers = [
                    ("Authorization", bearer.as_str()),
                    ("Content-Type", "application/json"),
                    ("Idempotency-Key", "k"),
                ];
                bundle.send_with("POST", "/v1/projects", &headers, Some(body)).await
            };
            bundle.link.play(std::iter::repeat_n(Fault::None, at).chain([fault]));
            let first = ask(r#"{"name":"n"}"#).await;
            let again = ask(r#"{"name":"n"}"#).await;
            assert_eq!(again.status, 201, "{fault:?} {at}: {}", again.text);
            assert!(first.status == 503 || first.text == again.text, "{fault:?} {at}: {}", first.text);
            assert_problem(&ask(r#"{"name":"m"}"#).await, 422, "idempotency_key_reused");
            let list = bundle.get("/v1/projects", &session.caller()).await;
            assert_eq!(list.body["data"].as_array().unwrap().len(), 2, "{fault:?} {at}");
        }
    }
}

#[tokio::test]
async fn an_outage_changes_nothing_and_says_so() {
    let bundle = Bundle::new().await;
    let session = bundle.newcomer().await;
    let id = default_project(&bundle, &session).await;
    let before = bundle.get(&format!("/v1/projects/{id}"), &session.caller()).await.text;
    bundle.link.keep_playing(Some(Fault::LoseRequest));
    let body = json!({"name": "x", "limits": {"per_minute": 1}}).to_string();
    for (method, path) in [("POST", "/v1/projects"), ("PATCH", &format!("/v1/projects/{id}")), ("GET", "/v1/projects")]
    {
        let answer = bundle.send(method, path, &session.caller(), (method != "GET").then_some(body.as_str())).await;
        assert_problem(&answer, 503, "unavailable");
    }
    bundle.link.keep_playing(None);
    assert_eq!(bundle.get(&format!("/v1/projects/{id}"), &session.caller()).await.text, before);
    assert_eq!(bundle.get("/v1/projects", &session.caller()).await.body["data"].as_array().unwrap().len(), 1);
}
