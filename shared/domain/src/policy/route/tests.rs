//! Which request belongs to which route.

use super::*;

fn route(template: &str) -> Route {
    Route::new(template, Scope::parse("demo:read").unwrap()).unwrap()
}

fn matches(template: &str, method: &str, path: &str) -> bool {
    RequestPath::parse(path).is_ok_and(|path| route(template).matches(&Method::parse(method).unwrap(), &path))
}

#[test]
fn patterns_match_whole_paths() {
    for (template, method, path, is_match) in [
        ("GET /demo/free", "GET", "/demo/free", true),
        ("GET /demo/free", "POST", "/demo/free", false),
        ("GET /demo/free", "GET", "/demo/free/", true),
        ("GET /demo/free/", "GET", "/demo/free", true),
        ("GET /demo/free", "GET", "/demo", false),
        ("GET /jobs/{id}", "GET", "/jobs/7", true),
        ("GET /jobs/{id}", "GET", "/jobs/", false),
        ("GET /jobs/{id}", "GET", "/jobs/7/logs", false),
        ("ANY /{proxy+}", "DELETE", "/a/b/c", true),
        ("ANY /{proxy+}", "DELETE", "/", true),
        ("ANY /api/{proxy+}", "DELETE", "/other", false),
        ("ANY /api/{proxy+}", "DELETE", "/api/", false),
        ("ANY /api/{proxy+}", "DELETE", "/api/a/", true),
    ] {
        assert_eq!(matches(template, method, path), is_match, "{template} {method} {path}");
    }
}

#[test]
fn paths_that_servers_read_differently_belong_to_no_route() {
    for path in [
        "/demo/../free",
        "/demo//free",
        "/demo/./free",
        "/demo%2ffree",
        "/demo/%2e%2e/free",
        "/a\\b",
        "/é",
        "/a b",
        "",
        "demo",
        "/%2500",
        "/%76ideos",
        "/%7euser",
        "/a%",
        "/a%2",
        "/a%zz",
        "//",
        "/a//",
        "/videos;v=1",
    ] {
        assert_eq!(RequestPath::parse(path), Err(InvalidRoute::Path), "{path}");
    }
}

#[test]
fn only_equally_specific_patterns_overlap() {
    for (one, other, is_overlap) in [
        ("GET /a/{x}", "GET /a/{y}", true),
        ("GET /a/b", "GET /a/{y}", false),
        ("GET /a/{x}", "POST /a/{x}", false),
        ("ANY /a/{x}", "GET /a/{x}", false),
        ("GET /{x}/b", "GET /a/{y}", false),
        ("GET /{x+}", "GET /{y+}", true),
        ("GET /a", "GET /a/", true),
    ] {
        assert_eq!(route(one).overlaps(&route(other)), is_overlap, "{one} {other}");
    }
}

#[test]
fn malformed_templates_are_refused() {
    for template in
        ["", "GET", "get /a", "GET a", "GET /{a+}/b", "GET /a{b}", "GET /a?b", "GET /{a}:{b}", "GET /{}", "GET /{+}"]
    {
        assert!(Route::new(template, Scope::parse("a").unwrap()).is_err(), "{template}");
    }
}

#[test]
fn a_class_is_four_letters_and_depends_on_the_template() {
    let (one, other) = (route("GET /a"), route("GET /b"));
    assert!(one.class.len() == 4 && one.class.bytes().all(|byte| byte.is_ascii_alphabetic()));
    assert_ne!(one.class, other.class);
}

/// Every pattern of up to three segments out of two words, parameter and rest, and every path of up to four segments.
fn all_patterns_and_paths() -> (Vec<Route>, Vec<RequestPath>) {
    let mut shapes = vec![String::new()];
    let mut paths = vec![String::new()];
    let (mut patterns, mut requests) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let longer = |pieces: &[&str], all: &[String]| -> Vec<String> {
            all.iter().flat_map(|it| pieces.iter().map(move |piece| format!("{it}/{piece}"))).collect()
        };
        patterns.extend(longer(&["a", "b", "{x}", "{x+}"], &shapes));
        shapes = longer(&["a", "b", "{x}"], &shapes);
        paths = longer(&["a", "b", "c"], &paths);
        requests.extend(paths.clone());
    }
    requests.extend(longer_paths(&paths));
    let patterns = patterns.iter().flat_map(|path| ["GET", "ANY"].map(|method| route(&format!("{method} {path}"))));
    (patterns.collect(), requests.iter().map(|path| RequestPath::parse(path).unwrap()).collect())
}

fn longer_paths(paths: &[String]) -> Vec<String> {
    paths.iter().flat_map(|path| ["/a", "/c"].map(|piece| format!("{path}{piece}"))).collect()
}

#[test]
fn two_routes_overlap_exactly_if_a_request_matches_both_equally_well() {
    let (patterns, paths) = all_patterns_and_paths();
    let method = Method::parse("GET").unwrap();
    let matched: Vec<Vec<bool>> =
        patterns.iter().map(|route| paths.iter().map(|path| route.matches(&method, path)).collect()).collect();
    for (one, its) in patterns.iter().zip(&matched) {
        for (other, theirs) in patterns.iter().zip(&matched) {
            let meet = its.iter().zip(theirs).any(|(one, other)| *one && *other);
            let is_tie = meet && one.specificity() == other.specificity();
            assert_eq!(one.overlaps(other), is_tie, "{} {}", one.template, other.template);
        }
    }
}

#[test]
fn a_longer_pattern_with_a_rest_goes_before_a_shorter_one() {
    for (better, worse) in [
        ("GET /a/{x+}", "GET /{x+}"),
        ("GET /a/{x}/{y+}", "GET /a/{x+}"),
        ("GET /{x}/{y+}", "GET /{x+}"),
        ("GET /a/{x}", "GET /a/{x+}"),
        ("GET /a/{x+}", "GET /{x}/b"),
        ("ANY /a/{x}", "GET /a/{x+}"),
        ("GET /a/{x+}", "ANY /a/{x+}"),
    ] {
        assert!(route(better).specificity() > route(worse).specificity(), "{better} {worse}");
        assert!(!route(better).overlaps(&route(worse)), "{better} {worse}");
    }
}

#[test]
fn a_path_has_at_most_as_many_bytes_as_the_gate_takes() {
    let path = |bytes: usize| format!("/{}", "a".repeat(bytes - 1));
    assert!(RequestPath::parse(&path(RequestPath::MAX_BYTES)).is_ok());
    assert!(RequestPath::parse(&path(RequestPath::MAX_BYTES + 1)).is_err());
}

#[test]
fn only_a_free_route_without_lease_and_limit_is_uncounted() {
    let free = route("GET /demo/free");
    assert!(free.is_uncounted());
    let rate =
        Rate { quota: crate::limit::QuotaPolicy::new(5, 2).unwrap(), window: crate::window::WindowLength::Minute };
    for counted in [
        Route { cost: MicroUsd::new(1).unwrap(), ..free.clone() },
        Route { lease_seconds: Some(60), ..free.clone() },
        Route { rate: Some(rate), ..free },
    ] {
        assert!(!counted.is_uncounted(), "{counted:?}");
    }
}

#[test]
fn an_api_may_name_a_price_where_none_was_promised() {
    let usd = |amount| MicroUsd::new(amount).unwrap();
    let fixed = Route { cost: usd(10), ..route("GET /demo/paid") };
    let leased = Route { lease_seconds: Some(60), ..fixed.clone() };
    let above = MAX_CALL_COST.plus(usd(1));
    for (route, cost, wanted) in [
        (route("GET /demo/free"), MAX_CALL_COST, Ok(MAX_CALL_COST)),
        (route("GET /demo/free"), above, Err(InvalidCost::TooMuch)),
        (fixed.clone(), usd(10), Ok(usd(10))),
        (fixed, usd(9), Err(InvalidCost::Fixed)),
        (leased.clone(), usd(9), Ok(usd(9))),
        (leased, above, Err(InvalidCost::TooMuch)),
    ] {
        assert_eq!(route.priced(cost).map(|route| route.cost), wanted);
    }
}

#[test]
fn a_route_is_open_to_the_environments_it_names() {
    let open = route("GET /demo/free");
    let sandbox = Route { environments: vec!["sandbox".into()], ..open.clone() };
    for (route, environment, is_open) in
        [(&open, "production", true), (&sandbox, "production", false), (&sandbox, "sandbox", true)]
    {
        assert_eq!(route.is_open_to(environment), is_open, "{environment}");
    }
}
