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
        ("GET /demo/free", "GET", "/demo/free/", false),
        ("GET /demo/free", "GET", "/demo", false),
        ("GET /jobs/{id}", "GET", "/jobs/7", true),
        ("GET /jobs/{id}", "GET", "/jobs/", false),
        ("GET /jobs/{id}", "GET", "/jobs/7/logs", false),
        ("ANY /{proxy+}", "DELETE", "/a/b/c", true),
        ("ANY /{proxy+}", "DELETE", "/", true),
        ("ANY /api/{proxy+}", "DELETE", "/other", false),
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
    ] {
        assert_eq!(route(one).overlaps(&route(other)), is_overlap, "{one} {other}");
    }
}

#[test]
fn malformed_templates_are_refused() {
    for template in ["", "GET", "get /a", "GET a", "GET /{a+}/b", "GET /a{b}", "GET /a?b"] {
        assert!(Route::new(template, Scope::parse("a").unwrap()).is_err(), "{template}");
    }
}

#[test]
fn a_class_is_four_letters_and_depends_on_the_template() {
    let (one, other) = (route("GET /a"), route("GET /b"));
    assert!(one.class.len() == 4 && one.class.bytes().all(|byte| byte.is_ascii_alphabetic()));
    assert_ne!(one.class, other.class);
}
