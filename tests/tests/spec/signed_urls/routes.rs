//! Which routes signed URLs open: what the policy says when they are used.

use faregate_domain::{
    cell::CellId,
    id::KeyId,
    policy::{Method, Policy, RequestPath},
    query::Query,
    scope::Scope,
    signed_url::{SignedUrl, Terms},
};
use faregate_edge::secrets::SecretName;
use faregate_gate::{Gate, Request};
use faregate_tests::{Bundle, Caller};
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
    let query = Query::parse(query);
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

/// Whoever signed it, with whatever rules.
#[tokio::test]
async fn no_url_is_good_for_longer_than_a_quarter_of_an_hour() {
    let bundle = Bundle::new().await;
    let (_, id, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let (services, now) = (&bundle.services, bundle.clock.now());
    let link = services.secrets.find(SecretName::Link, now).await.unwrap();
    let owner = bundle.cell(&key).await.owner;
    let cell = CellId::Key(KeyId::parse(&id).unwrap());
    // Clocks of our own may be five seconds apart.
    for (seconds, wanted) in [(900, "ok"), (905, "ok"), (906, "invalid_signed_url"), (86_400, "invalid_signed_url")] {
        let terms = Terms { cell: cell.clone(), owner: owner.clone(), expires_at: now.plus_s(seconds), origin: None };
        let signed = SignedUrl {
            method: Method::parse("GET").unwrap(),
            path: RequestPath::parse(MEDIA).unwrap(),
            query: Query::default(),
            scope: Scope::parse("demo:read").unwrap(),
            terms,
        };
        let knock = bundle.knock(&Caller::Anonymous, "GET", &signed.target(&link.current)).await;
        assert_eq!(knock.code, wanted, "{seconds}");
    }
}
