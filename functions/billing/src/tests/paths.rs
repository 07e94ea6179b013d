//! What the function serves, and what it says to everything else.

use faregate_edge::api::Api;

use super::bench::Bench;

#[tokio::test]
async fn every_path_names_its_methods() {
    let bench = Bench::new().await;
    let api = Api::shipped().unwrap();
    let served: Vec<_> = api.operations().iter().filter(|operation| operation.function == "billing").collect();
    assert!(served.len() > 8, "{served:?}");
    for operation in &served {
        let path = operation.path.replace("{id}", "x");
        let methods: Vec<&str> =
            served.iter().filter(|other| other.path == operation.path).map(|other| other.method).collect();
        for method in ["GET", "POST", "PATCH", "PUT", "DELETE"] {
            let answer = bench.send(method, &path, "", "{}", None).await;
            if methods.contains(&method) {
                assert_eq!((answer.status, answer.allow), (401, None), "{method} {path}");
            } else {
                assert_eq!((answer.status, answer.allow), (405, Some(methods.join(", "))), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn other_paths_are_not_there() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    for path in [
        "/v1/me/",
        "/v1",
        "/v2/me",
        "/v1/projects/",
        "/v1/projects//allocations",
        "/v1/projects/x/allocations/y",
        "/v1/projects/x/keys",
        "/v1/billing/",
        "/v1/billing/entries/x",
        "/v1/accounts",
        "/v1/accounts/x/plan",
        "/v1/accounts//credits",
        "//v1/me",
    ] {
        let answer = bench.send("GET", path, &ann.token, "", None).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &"not_found".into()), "{path}");
    }
}
