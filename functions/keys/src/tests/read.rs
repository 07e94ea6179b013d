//! Keys are listed and read by those whom they belong to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::bench::Bench;

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let bench = Bench::new().await;
    let (ann, bob) = (bench.person(1).await, bench.person(2).await);
    let mut made = BTreeSet::new();
    for number in 0..5 {
        made.insert(bench.key(&ann.token, &json!({"name": format!("key {number}")})).await.id);
        bench.key(&bob.token, &json!({"name": "another's"})).await;
    }
    for (limit, sizes) in [(2, vec![2, 2, 1]), (5, vec![5]), (100, vec![5]), (1, vec![1; 5])] {
        let (mut seen, mut found, mut path) = (BTreeSet::new(), Vec::new(), format!("/v1/api-keys?limit={limit}"));
        loop {
            let page = bench.send("GET", &path, &ann.token, None, &[]).await;
            let data = page.body["data"].as_array().unwrap();
            found.push(data.len());
            seen.extend(data.iter().map(|key| key["id"].as_str().unwrap().to_owned()));
            let Some(cursor) = page.body["next_cursor"].as_str() else { break };
            path = format!("/v1/api-keys?limit={limit}&cursor={cursor}");
        }
        assert_eq!((found, seen), (sizes, made.clone()), "{limit}");
    }
    let empty = bench.send("GET", "/v1/api-keys", &bench.person(3).await.token, None, &[]).await;
    assert_eq!(empty.body, json!({"data": [], "next_cursor": null}));
}

#[tokio::test]
async fn another_accounts_cursor_shows_nothing_of_it() {
    let bench = Bench::new().await;
    let (ann, bob) = (bench.person(1).await, bench.person(2).await);
    for _ in 0..3 {
        bench.key(&ann.token, &json!({"name": "Ann's"})).await;
        bench.key(&bob.token, &json!({"name": "Bob's"})).await;
    }
    let page = bench.send("GET", "/v1/api-keys?limit=1", &ann.token, None, &[]).await;
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let page = bench.send("GET", &format!("/v1/api-keys?cursor={cursor}"), &bob.token, None, &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.body["data"].as_array().unwrap().iter().all(|key| key["name"] == "Bob's"));
    for cursor in ["x", "", "%21", &"A".repeat(4_000), "a2V5X2FhYWFhYWFhYWFhYWFhYWE"] {
        let page = bench.send("GET", &format!("/v1/api-keys?cursor={cursor}"), &ann.token, None, &[]).await;
        assert_eq!(page.fault(), (400, "cursor"), "{cursor}");
    }
    for limit in ["0", "101", "-1", "1.5", "", "x", "9999999999999999999999", "2&limit=2"] {
        let page = bench.send("GET", &format!("/v1/api-keys?limit={limit}"), &ann.token, None, &[]).await;
        assert_eq!(page.fault(), (400, "limit"), "{limit}");
    }
}

#[tokio::test]
async fn a_key_shows_what_was_used_of_it() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n", "budget_usd": "0.05"})).await;
    let fresh = json!({
        "today": 0, "this_minute": 0, "remaining_budget_usd": 0.05, "spent_usd": 0, "reserved_usd": 0,
        "concurrent": 0, "last_used_at": null, "last_used_ip": null, "last_used_agent": null,
    });
    assert_eq!(bench.read(&ann.token, &key.id).await.body["data"]["usage"], fresh);
    for _ in 0..2 {
        assert_eq!(bench.knock(&key.text, "POST /demo/paid").await, "admitted");
    }
    assert_eq!(bench.knock(&key.text, "GET /demo/free").await, "admitted");
    let used = json!({
        "today": 3, "this_minute": 3, "remaining_budget_usd": 0.03, "spent_usd": 0.02, "reserved_usd": 0,
        "concurrent": 0,
        "last_used_at": "2025-10-09T08:54:00Z", "last_used_ip": null, "last_used_agent": null,
    });
    assert_eq!(bench.read(&ann.token, &key.id).await.body["data"]["usage"], used);
    bench.services.clock.advance_ms(60_000);
    let data = &bench.read(&ann.token, &key.id).await.body["data"]["usage"];
    assert_eq!((&data["today"], &data["this_minute"]), (&json!(3), &json!(0)));
    let unbounded = bench.key(&ann.token, &json!({"name": "n"})).await;
    assert_eq!(bench.read(&ann.token, &unbounded.id).await.body["data"]["usage"]["remaining_budget_usd"], Value::Null);
}

#[tokio::test]
async fn a_list_shows_usage_and_can_be_narrowed() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let wishes = [
        ("plain", json!({})),
        ("frozen", json!({})),
        ("brief", json!({"expires_at": "2025-10-09T08:55:00Z"})),
        ("ended", json!({})),
        ("far", json!({"environment": "production"})),
    ];
    let mut keys = std::collections::BTreeMap::new();
    for (name, mut wish) in wishes {
        wish["name"] = json!(name);
        keys.insert(name, bench.key(&ann.token, &wish).await);
    }
    let request = faregate_gate::Request {
        method: "POST".to_owned(),
        path: "/demo/paid".to_owned(),
        headers: vec![
            ("x-api-key".to_owned(), keys["plain"].text.clone()),
            ("User-Agent".to_owned(), "curl/8.5".to_owned()),
        ],
        source_ip: "203.0.113.77".parse().ok(),
        ..faregate_gate::Request::default()
    };
    assert!(bench.gate.decide(&request).await.unwrap().verdict.is_ok());
    bench.services.clock.advance_ms(60_000);
    bench.change(&ann.token, &keys["frozen"].id, &json!({"frozen": true})).await;
    bench.revoke(&ann.token, &keys["ended"].id).await;
    let list = async |query: &str| {
        let answer = bench.send("GET", &format!("/v1/api-keys?{query}"), &ann.token, None, &[]).await;
        let rows = answer.body["data"].as_array().unwrap().clone();
        let names: BTreeSet<String> = rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names.len(), rows.len());
        (names.into_iter().collect::<Vec<_>>().join(" "), rows)
    };
    let project = ann.project.to_string();
    for (query, names) in [
        ("", "brief ended far frozen plain"),
        ("status=active", "far plain"),
        ("status=frozen", "frozen"),
        ("status=expired", "brief"),
        ("status=revoked", "ended"),
        ("environment=production", "far"),
        ("environment=sandbox&status=active", "plain"),
        (&format!("project_id={project}&status=frozen"), "frozen"),
        (&format!("project_id=prj_{}", "7".repeat(22)), ""),
    ] {
        assert_eq!(list(query).await.0, names, "{query}");
    }
    let usage = &list("environment=sandbox&status=active").await.1[0]["usage"];
    assert_eq!((&usage["today"], &usage["spent_usd"]), (&json!(1), &json!(0.01)));
    assert_eq!(usage["last_used_at"], "2025-10-09T08:54:00Z");
    assert_eq!((&usage["last_used_ip"], &usage["last_used_agent"]), (&json!("203.0.113.0/24"), &json!("curl")));
    // A page of a narrowed list is full as long as there is more.
    let first = bench.send("GET", "/v1/api-keys?status=active&limit=1", &ann.token, None, &[]).await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let path = format!("/v1/api-keys?status=active&limit=1&cursor={cursor}");
    let second = bench.send("GET", &path, &ann.token, None, &[]).await;
    assert_eq!((second.body["data"].as_array().unwrap().len(), &second.body["next_cursor"]), (1, &Value::Null));
    for (query, field) in [
        ("status=dead", "status"),
        ("status=active&status=frozen", "status"),
        ("environment=moon", "environment"),
        ("project_id=key_1", "project_id"),
    ] {
        let answer = bench.send("GET", &format!("/v1/api-keys?{query}"), &ann.token, None, &[]).await;
        assert_eq!(answer.fault(), (400, field), "{query}");
    }
}

#[tokio::test]
async fn another_accounts_key_is_like_none() {
    let bench = Bench::new().await;
    let (ann, bob) = (bench.person(1).await, bench.person(2).await);
    let key = bench.key(&bob.token, &json!({"name": "Bob's"})).await;
    for (method, body) in [("GET", None), ("PATCH", Some(r#"{"name":"x"}"#)), ("PATCH", Some("junk")), ("DELETE", None)]
    {
        let mut answers = BTreeSet::new();
        for id in
            [&key.id, "key_0000000000000000", "key_", "key_000000000000000é", "acc_1", "%00", "..", &"k".repeat(9_000)]
        {
            let path = format!("/v1/api-keys/{}", id.replace('é', "%C3%A9"));
            let answer = bench.send(method, &path, &ann.token, body, &[]).await;
            answers.insert((answer.status, answer.text, format!("{:?}", answer.headers)));
        }
        let answers: Vec<_> = answers.into_iter().collect();
        assert!(matches!(&answers[..], [(404, _, _)]), "{method} {answers:#?}");
    }
    assert_eq!(bench.read(&bob.token, &key.id).await.body["data"]["status"], "active");
}

#[tokio::test]
async fn a_status_says_what_holds() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let key = bench.key(&ann.token, &json!({"name": "n", "expires_at": "2025-10-09T09:00:00Z"})).await;
    let status = async || bench.read(&ann.token, &key.id).await.body["data"]["status"].clone();
    assert_eq!(status().await, "active");
    bench.change(&ann.token, &key.id, &json!({"frozen": true})).await;
    assert_eq!(status().await, "frozen");
    bench.services.clock.advance_ms(360_000);
    assert_eq!(status().await, "expired");
    bench.revoke(&ann.token, &key.id).await;
    assert_eq!(status().await, "revoked");
}

#[tokio::test]
async fn paths_and_methods_that_are_not_served_are_named() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    for (method, path, allow) in [
        ("PUT", "/v1/api-keys", "GET, POST"),
        ("DELETE", "/v1/api-keys", "GET, POST"),
        ("GET", "/v1/api-keys/self", "DELETE"),
        ("PUT", "/v1/api-keys/key_1", "GET, PATCH, DELETE"),
    ] {
        let answer = bench.send(method, path, &ann.token, None, &[]).await;
        assert_eq!(answer.refusal(), (405, "method_not_allowed"));
        assert_eq!(answer.headers["allow"], allow);
    }
    for path in ["/v1/api-keys/", "/v1/api-keysx", "/v1/api-keys/a/b", "/v1", "/v1/api-keys/selfs"] {
        let answer = bench.send("GET", path, &ann.token, None, &[]).await;
        assert_eq!(answer.refusal(), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn a_caller_without_a_credential_learns_nothing() {
    let bench = Bench::new().await;
    for (method, path) in [
        ("GET", "/v1/api-keys"),
        ("POST", "/v1/api-keys"),
        ("GET", "/v1/api-keys/x"),
        ("PATCH", "/v1/api-keys/x"),
        ("DELETE", "/v1/api-keys/x"),
        ("DELETE", "/v1/api-keys/self"),
        ("POST", "/v1/api-keys/x/rotate"),
        ("POST", "/v1/api-keys/x/explain"),
    ] {
        let answer = bench.send(method, path, "", None, &[]).await;
        assert_eq!(answer.refusal(), (401, "missing_credentials"), "{method} {path}");
        assert!(answer.headers.contains_key("www-authenticate"));
    }
}
