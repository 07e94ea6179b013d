//! The table of scopes and the presets.

use std::collections::BTreeSet;

use serde_json::json;

use super::{ask, create, key, open};

/// What each scope is required for.
const REQUIRED_FOR: [(&str, &[(&str, &str)]); 10] = [
    ("videos:create", &[("POST", "/api/render")]),
    ("videos:create:batch", &[("POST", "/api/render/batch")]),
    ("videos:read", &[("GET", "/api/render/job_1")]),
    ("videos:delete", &[("DELETE", "/api/render/job_1")]),
    ("templates:read", &[("GET", "/api/templates"), ("GET", "/api/templates/tpl_1")]),
    (
        "templates:write",
        &[
            ("POST", "/api/templates"),
            ("PATCH", "/api/templates/tpl_1"),
            ("POST", "/api/templates/tpl_1/fork"),
            ("DELETE", "/api/templates/tpl_1"),
        ],
    ),
    ("projects:read", &[("GET", "/api/projects"), ("GET", "/api/projects/prj_1")]),
    (
        "projects:write",
        &[
            ("POST", "/api/projects"),
            ("PATCH", "/api/projects"),
            ("DELETE", "/api/projects"),
            ("PATCH", "/api/projects/prj_1"),
            ("DELETE", "/api/projects/prj_1"),
        ],
    ),
    ("billing:read", &[("GET", "/api/billing")]),
    (
        "webhooks:manage",
        &[
            ("GET", "/api/webhooks"),
            ("POST", "/api/webhooks"),
            ("DELETE", "/api/webhooks"),
            ("DELETE", "/api/webhooks/w"),
        ],
    ),
];

/// The scopes whose routes are open to a key that was given `scopes`.
async fn opened_by(scopes: &str) -> BTreeSet<&'static str> {
    let (product, session) = open().await;
    let key = key(&product, &session, scopes).await;
    let mut opened = BTreeSet::new();
    for (scope, routes) in REQUIRED_FOR {
        let mut statuses = BTreeSet::new();
        for (method, path) in routes {
            let answer = ask(&product, &key, method, path).await;
            statuses.insert(answer.status);
            assert!(answer.status == 200 || answer.verdict() == (403, "insufficient_scope"), "{answer:?}");
        }
        assert_eq!(statuses.len(), 1, "the routes of {scope} are not all alike");
        if statuses.contains(&200) {
            opened.insert(scope);
        }
    }
    // Whoever may manage keys may list, create and revoke them; whoever may not, none of it.
    let child = json!({"name": "child", "scopes": scopes});
    let listed = ask(&product, &key, "GET", "/api/keys").await;
    let created = product.send("POST", "/api/keys", &[("X-API-Key", &key.text)], &child).await;
    let path = format!("/api/keys/{}", super::key(&product, &session, scopes).await.id);
    let revoked = ask(&product, &key, "DELETE", &path).await;
    match (listed.status, created.status, revoked.status) {
        (200, 201, 204) => drop(opened.insert("keys:manage")),
        (403, 403, 403) => {}
        other => panic!("{scopes}: {other:?}"),
    }
    product.stop().await;
    opened
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_scope_opens_what_it_is_required_for_and_nothing_else() {
    for scope in REQUIRED_FOR.map(|(scope, _)| scope).into_iter().chain(["keys:manage"]) {
        assert_eq!(opened_by(scope).await, BTreeSet::from([scope]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_preset_is_its_documented_scopes() {
    let (product, session) = open().await;
    for (preset, scopes) in [
        ("render-only", "videos:create, videos:read"),
        ("render-batch", "videos:create, videos:create:batch, videos:read"),
        ("full-access", "videos:*, projects:*, templates:read"),
        ("read-only", "videos:read, projects:read, billing:read"),
        ("admin", "*"),
    ] {
        let body = json!({"name": preset, "scopes": preset});
        let created = product.send("POST", "/api/keys", &[("Cookie", &session.cookie)], &body).await;
        assert_eq!(created.status, 201, "{created:?}");
        let granted: BTreeSet<_> = created.text("/apiKey/scopes").split(',').collect();
        assert_eq!(granted, scopes.split(", ").collect(), "{preset}");
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn render_only_is_single_renders_and_status_polling() {
    assert_eq!(opened_by("render-only").await, BTreeSet::from(["videos:create", "videos:read"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn render_batch_renders_from_csv_besides() {
    let wanted = BTreeSet::from(["videos:create", "videos:create:batch", "videos:read"]);
    assert_eq!(opened_by("render-batch").await, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_access_is_all_of_videos_and_projects_without_billing_and_keys() {
    let videos = ["videos:create", "videos:create:batch", "videos:read", "videos:delete"];
    let others = ["projects:read", "projects:write", "templates:read"];
    assert_eq!(opened_by("full-access").await, videos.into_iter().chain(others).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_looks_and_changes_nothing() {
    assert_eq!(opened_by("read-only").await, BTreeSet::from(["videos:read", "projects:read", "billing:read"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admin_is_everything_including_keys_and_webhooks() {
    let everything = REQUIRED_FOR.map(|(scope, _)| scope).into_iter().chain(["keys:manage"]);
    assert_eq!(opened_by("admin").await, everything.collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_are_selected_one_by_one_too() {
    let (product, session) = open().await;
    let answer = create(&product, &session.cookie).await;
    let listed = answer.text("/apiKey/scopes");
    for scopes in [json!(listed), json!(listed.split(',').collect::<Vec<_>>())] {
        let body = json!({"name": "CI/CD", "scopes": scopes});
        let created = product.send("POST", "/api/keys", &[("Cookie", &session.cookie)], &body).await;
        assert_eq!((created.status, created.text("/apiKey/scopes")), (201, listed));
    }
    let unknown = json!({"name": "CI/CD", "scopes": "videos:everything"});
    assert_eq!(product.send("POST", "/api/keys", &[("Cookie", &session.cookie)], &unknown).await.status, 400);
    product.stop().await;
}
