//! What there is to choose from, as callers may know it.

use faregate_domain::policy::Policy;
use faregate_tests::{Bundle, Caller};
use serde_json::{Value, json};

#[tokio::test]
async fn the_catalogue_says_what_the_policy_has_and_not_who_operates_it() {
    let (bundle, _) = Bundle::with_service().await;
    let session = bundle.newcomer().await;
    let answer = bundle.get("/v1/catalogue", &session.caller()).await;
    assert_eq!((answer.status, answer.headers["cache-control"].as_str()), (200, "no-store"));
    let said = &answer.body["data"];
    let policy = Policy::parse(Policy::DEFAULT_TEXT).unwrap();
    let names = |list: &str, member: &str| -> Vec<String> {
        said[list].as_array().unwrap().iter().map(|one| one[member].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(said["keys_path"], "/v1/api-keys");
    assert_eq!(said["credential_headers"], json!(["authorization", "x-api-key"]));
    assert_eq!(names("environments", "prefix"), ["sk_test_", "sk_prod_"]);
    assert_eq!(names("presets", "name"), ["admin", "full-access", "read-only"]);
    assert_eq!(said["default_preset"], "full-access");
    let routes: Vec<_> = policy.routes().iter().map(|route| route.template.clone()).collect();
    assert_eq!(names("routes", "route"), routes);
    let costs: Vec<&Value> = said["routes"].as_array().unwrap().iter().map(|route| &route["cost_usd"]).collect();
    assert_eq!(costs, [&json!(0), &json!(0.01), &json!(0.1), &json!(0), &json!(0)]);
    assert_eq!(said["routes"][2]["settle"], true);
    assert_eq!(said["plans"][0]["max_keys"], 100);
    let reserved: Vec<_> =
        said["scopes"].as_array().unwrap().iter().filter(|one| one["operator_only"] == true).collect();
    assert!(reserved.len() == 1 && reserved[0]["scope"] == "gate:check", "{reserved:?}");
    assert!(!answer.text.contains("0x"), "an operator's address is told");
}

#[tokio::test]
async fn a_key_made_by_the_catalogue_has_what_the_catalogue_says() {
    let (bundle, _) = Bundle::with_service().await;
    let session = bundle.newcomer().await;
    let said = bundle.get("/v1/catalogue", &session.caller()).await.body["data"].take();
    for preset in said["presets"].as_array().unwrap() {
        for environment in said["environments"].as_array().unwrap() {
            let wanted = json!({"name": "a", "scopes": preset["name"], "environment": environment["name"]});
            let (id, key) = bundle.key(&session, wanted).await;
            let made = bundle.get(&format!("/v1/api-keys/{id}"), &session.caller()).await.body["data"].take();
            assert_eq!((&made["scopes"], &made["limits"]), (&preset["scopes"], &environment["limits"]));
            let Caller::Key(text) = &key else { panic!("a key") };
            assert!(text.starts_with(environment["prefix"].as_str().unwrap()));
            assert_eq!(bundle.get("/v1/catalogue", &key).await.status, 200, "any credential may ask");
        }
    }
    assert_eq!(bundle.get("/v1/catalogue", &Caller::Anonymous).await.status, 401);
}
