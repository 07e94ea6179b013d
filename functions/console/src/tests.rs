//! Which files are served as what, and what they may reach.

use lambda_http::{Body, Response, http::Request};

use super::*;

fn ask(method: &str, path: &str) -> Response<Body> {
    let request = Request::builder().method(method).uri(path).body(Body::Empty).unwrap();
    App::new(Dialect::default()).handle(&request)
}

fn text(response: &Response<Body>) -> &str {
    let Body::Text(text) = response.body() else { panic!("{response:?}") };
    text
}

fn files() -> Vec<&'static str> {
    FILES.files().map(|file| file.path().to_str().unwrap()).collect()
}

#[test]
fn every_file_is_served_whole_and_as_what_it_is() {
    assert!(files().len() > 3, "{:?}", files());
    for name in files() {
        let response = ask("GET", &format!("/console/{name}"));
        assert_eq!(response.status(), 200, "{name}");
        assert_eq!(text(&response).as_bytes(), FILES.get_file(name).unwrap().contents(), "{name}");
        let (_, kind) = KINDS.iter().find(|(ending, _)| name.ends_with(ending)).unwrap();
        assert_eq!(response.headers()["content-type"], *kind);
    }
    assert_eq!(FILES.dirs().count(), 0, "a file below a folder has no path");
}

#[test]
fn a_page_is_the_console_wherever_somebody_enters() {
    let index = FILES.get_file(INDEX).unwrap().contents();
    for page in PAGES.iter().map(|page| format!("/console/{page}")).chain(["/console".into()]) {
        let response = ask("GET", &page);
        assert_eq!((response.status().as_u16(), text(&response).as_bytes()), (200, index), "{page}");
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
}

#[test]
fn what_has_its_hash_in_its_name_may_be_kept_for_ever_and_nothing_else() {
    let kept =
        |name: &str| ask("GET", &format!("/console/{name}")).headers()["cache-control"].to_str().unwrap().to_owned();
    let (hashed, plain): (Vec<_>, Vec<_>) = files().into_iter().partition(|name| is_named_by_content(name));
    let kinds: Vec<_> = hashed.iter().filter_map(|name| name.rsplit_once('.')).map(|(_, kind)| kind).collect();
    assert!(kinds.contains(&"js") && kinds.contains(&"css"), "{hashed:?}");
    assert!(hashed.iter().all(|name| kept(name).ends_with("immutable")));
    assert!(plain.contains(&INDEX) && plain.iter().all(|name| !kept(name).contains("immutable")));
    for (name, wanted) in
        [("app-Dk3x9_aQ.js", true), ("app.js", false), ("icon.svg", false), ("appDk3x9_aQ.js", false), ("-.js", false)]
    {
        assert_eq!(is_named_by_content(name), wanted, "{name}");
    }
}

#[test]
fn a_head_is_answered_as_a_get_without_the_page() {
    for path in ["/console", "/console/keys", "/console/icon.svg"] {
        let (get, head) = (ask("GET", path), ask("HEAD", path));
        assert_eq!((head.status(), text(&head)), (get.status(), ""), "{path}");
        assert_eq!(head.headers(), get.headers());
    }
}

#[test]
fn what_is_not_there_is_a_problem() {
    for path in
        ["/console/", "/console/nothing", "/console/app.js", "/console/../Cargo.toml", "/consoles", "/console/keys/x"]
    {
        let response = ask("GET", path);
        assert_eq!(response.status(), 404, "{path}");
        assert!(text(&response).contains("\"not_found\""), "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let response = ask(method, "/console");
        assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &"GET, HEAD".parse().unwrap()));
    }
}

#[test]
fn the_pages_reach_nothing_but_their_own_origin() {
    let response = ask("GET", "/console");
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    for (directive, sources) in [
        ("default-src", "'none'"),
        ("script-src", "'self'"),
        ("style-src", "'self'"),
        ("connect-src", "'self'"),
        ("img-src", "'self' data:"),
        ("frame-ancestors", "'none'"),
        ("base-uri", "'none'"),
        ("form-action", "'none'"),
    ] {
        assert!(policy.split("; ").any(|one| one == format!("{directive} {sources}")), "{directive} in {policy}");
    }
    assert_eq!(policy.split("; ").count(), 8);
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    let page = text(&response);
    for word in ["<style", " style=", "javascript:", "http:", "https:", " onload", "<script>"] {
        assert!(!page.contains(word), "{word} in {page}");
    }
}
