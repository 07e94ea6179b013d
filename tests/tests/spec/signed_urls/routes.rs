//! Which routes signed URLs open: what the policy says when they are used.

use faregate_domain::policy::Policy;
use faregate_gate::{Gate, Request};
use faregate_tests::Bundle;
use serde_json::json;

use super::{MEDIA, policy, sign};

#[test]
fn only_a_route_that_counts_and_costs_nothing_takes_signed_urls() {
    for extra in ["cost_usd: \"0.01\"", "per_minute: 5", "settle: required", "cost_usd: \"0.01\", settle: required"] {
        let route = format!(
            "  - {{ route: \"GET /demo/media/{{name}}\", scope: \"demo:read\", signed_urls: accepted, {extra} }}"
        );
        let error = Policy::parse(&policy(&route)).unwrap_err();
        let told = error.lines("p.yaml").join("\n");
        assert!(told.contains("routes[4].signed_urls") && told.contains("without a price"), "{extra}: {told}");
    }
    assert!(Policy::parse(&Policy::DEFAULT_TEXT.replace("signed_urls: accepted", "signed_urls: perhaps")).is_err());
}

/// A route that was opened and is closed again takes none of the URLs that are out.
#[tokio::test]
async fn what_the_policy_says_now_counts() {
    let bundle = Bundle::new().await;
    let (.., key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let target = sign(&bundle, &key, json!({"path": MEDIA})).await;
    let (path, query) = target.split_once('?').unwrap();
    let query = faregate_domain::query::Query::parse(query);
    for (route, wanted) in [
        ("signed_urls: accepted, scope: \"demo:read\"", "ok"),
        ("scope: \"demo:read\"", "invalid_signed_url"),
        ("signed_urls: accepted, scope: \"demo:write\"", "invalid_signed_url"),
        ("signed_urls: accepted, scope: \"demo:read\", environments: [production]", "forbidden_environment"),
    ] {
        let mut services = bundle.services.clone();
        let text = policy(&format!("  - {{ route: \"GET /demo/media/{{name}}\", {route} }}"));
        let config =
            faregate_edge::config::Config { policy: Policy::parse(&text).unwrap(), ..(*services.config).clone() };
        services.config = std::sync::Arc::new(config);
        let request = Request { method: "GET".into(), path: path.into(), query: query.clone(), ..Request::default() };
        let decision = Gate::new(services).decide(&request).await.unwrap();
        let code = decision.verdict.as_ref().map_or_else(faregate_domain::denial::Denial::code, |_| "ok");
        assert_eq!(code, wanted, "{route}");
    }
}
