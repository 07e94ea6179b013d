//! A signed URL opens what it was made for, and nothing else.

use proptest::prelude::*;

use super::*;
use crate::id::KeyId;

fn secret(digit: u8) -> MacSecret {
    MacSecret::new(vec![digit; 32]).unwrap()
}

fn secrets(current: u8, previous: Option<u8>) -> Versions<MacSecret> {
    Versions { current: secret(current), previous: previous.map(secret) }
}

fn owner() -> Owner {
    let (account, project) = (AccountId::mint(&mut |it| it.fill(1)), ProjectId::mint(&mut |it| it.fill(2)));
    let gallery = project.to_string();
    Owner { account, project, environment: "sandbox".to_owned(), gallery }
}

fn terms() -> Terms {
    let cell = CellId::Key(KeyId::mint(&mut |it| it.fill(3)));
    Terms { cell, owner: owner(), expires_at: Timestamp::from_epoch_s(1_792_541_700), origin: None }
}

fn url(query: &str) -> SignedUrl {
    SignedUrl {
        method: Method::parse("GET").unwrap(),
        path: RequestPath::parse("/media/caf%C3%A9.png").unwrap(),
        query: Query::parse(query),
        scope: Scope::parse("media:read").unwrap(),
        terms: terms(),
    }
}

/// What a request to a target is worth on the route of that scope.
fn open_as(method: &str, target: &str, scope: &str, secrets: &Versions<MacSecret>) -> Result<Terms, InvalidSignature> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (Ok(method), Ok(path)) = (Method::parse(method), RequestPath::parse(path)) else {
        return Err(InvalidSignature);
    };
    let (query, scope) = (Query::parse(query), Scope::parse(scope).unwrap());
    Presented { method: &method, path: &path, query: &query, scope: &scope }.open(secrets)
}

fn open(target: &str) -> Result<Terms, InvalidSignature> {
    open_as("GET", target, "media:read", &secrets(7, None))
}

#[test]
fn a_signed_url_says_whom_it_acts_for() {
    let sessions = CellId::Session(owner().account);
    let origin = Origin::parse("https://App.example.com").ok();
    for (query, terms) in [
        ("", terms()),
        ("size=2&name=%C5%81&tag[]=1&tag[]=2", terms()),
        ("", Terms { cell: sessions, ..terms() }),
        ("", Terms { origin, ..terms() }),
    ] {
        let url = SignedUrl { terms: terms.clone(), ..url(query) };
        let target = url.target(&secret(7));
        assert_eq!(open(&target), Ok(terms), "{target}");
        assert!(target.starts_with(&url.bare_target()) || query.contains("tag"), "{target}");
        assert_eq!(open_as("HEAD", &target, "media:read", &secrets(7, None)), open(&target), "HEAD goes with GET");
    }
}

#[test]
fn another_request_is_not_the_one_that_was_signed() {
    let target = url("size=2&tag=1&tag=2").target(&secret(7));
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "G"] {
        assert!(open_as(method, &target, "media:read", &secrets(7, None)).is_err(), "{method}");
    }
    assert!(open_as("GET", &target, "media:write", &secrets(7, None)).is_err(), "another scope");
    for (from, to) in [
        ("caf%C3%A9", "cafe"),
        ("caf%C3%A9", "caf%c3%a9"),
        (".png", ".png/"),
        ("/media/", "/Media/"),
        ("size=2", "size=3"),
        ("size=2&", ""),
        ("size=2", "size=2&size=3"),
        ("size=2", "size=2&other="),
        ("tag=1&tag=2", "tag=2&tag=1"),
        ("faregate-expires=1792541700", "faregate-expires=1792541701"),
        ("faregate-expires=1792541700", "faregate-expires=01792541700"),
        ("faregate-expires=1792541700", "faregate-expires=1792541700&faregate-expires=1792541800"),
        ("faregate-expires=1792541700&", ""),
        ("sandbox", "production"),
        (".key_", ".ssn_"),
        ("&faregate-signature=", "&faregate-signature="),
    ] {
        assert!(target.contains(from), "{from}");
        let changed = target.replacen(from, to, 1);
        assert_eq!(open(&changed).is_ok(), changed == target, "{changed}");
    }
    let (rest, signature) = target.rsplit_once('=').unwrap();
    for signature in ["", "0", &signature[1..], &format!("{signature}0"), &signature.to_uppercase(), &"0".repeat(64)] {
        assert!(open(&format!("{rest}={signature}")).is_err(), "{signature}");
    }
    assert!(open(&format!("{target}&faregate-signature={signature}")).is_err(), "twice");
    assert!(open(rest.rsplit_once('&').unwrap().0).is_err(), "not at all");
}

#[test]
fn a_url_outlives_one_rotation_of_the_secret() {
    let target = url("").target(&secret(7));
    let opened = |secrets| open_as("GET", &target, "media:read", &secrets).is_ok();
    assert!(opened(secrets(7, Some(6))) && opened(secrets(8, Some(7))));
    assert!(!opened(secrets(9, Some(8))) && !opened(secrets(8, None)));
}

/// The tokens of client sessions stand on the same secret.
#[test]
fn the_secret_signs_nothing_else_this_way() {
    let text = signed_text(&url("").method, &url("").path, "a=1", &url("").scope);
    assert!(text.starts_with(b"faregate signed url v1\nGET\n/media/caf%C3%A9.png\na=1\n"));
}

#[test]
fn a_gateway_that_hides_values_hides_what_is_signed() {
    let told = |query: &str| {
        let query = Query::parse(query);
        Query::of_one_each(query.names().map(|name| (name.to_owned(), query.values(name)[0].clone())))
    };
    for (own, is_enough) in [("", true), ("size=2", false)] {
        let (url, target) = (url(own), url(own).target(&secret(7)));
        let query = told(target.split_once('?').unwrap().1);
        let presented = Presented { method: &url.method, path: &url.path, query: &query, scope: &url.scope };
        assert_eq!(presented.open(&secrets(7, None)).is_ok(), is_enough, "{own}");
    }
}

#[test]
fn terms_end_and_bind_to_an_origin() {
    let terms = terms();
    assert!(!terms.is_over(Timestamp::from_epoch_ms(1_792_541_699_999)));
    assert!(terms.is_over(terms.expires_at));
    let origin = |text| Origin::parse(text).ok();
    assert!(terms.admits(None) && terms.admits(origin("https://a.com").as_ref()));
    let bound = Terms { origin: origin("https://a.com"), ..terms };
    assert!(bound.admits(origin("https://a.com:443").as_ref()));
    for other in ["http://a.com", "https://b.a.com", "https://a.com:8443"] {
        assert!(!bound.admits(origin(other).as_ref()), "{other}");
    }
    assert!(!bound.admits(None));
}

proptest! {
    /// Whatever a byte is changed to, the request is refused, or it means the very same.
    #[test]
    fn no_byte_can_be_changed(
        at in any::<prop::sample::Index>(),
        byte in 0x21_u8..0x7f,
        query in "(([a-c]|%C3%A9)=[0-3&=/%41]{0,3}&){0,3}",
    ) {
        let url = url(&query);
        prop_assume!(url.query.is_plain());
        let target = url.target(&secret(7));
        let mut bytes = target.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        let (path, asked) = changed.split_once('?').unwrap_or((&changed, ""));
        let means_the_same = path == url.path.as_str() && Query::parse(asked) == Query::parse(target.split_once('?').unwrap().1);
        prop_assert_eq!(open(&changed).is_ok(), means_the_same, "{}", changed);
    }

    #[test]
    fn every_plain_query_is_opened_however_it_is_spelled(
        pairs in prop::collection::vec(("[a-z\\[\\]é]{1,6}", "[^ +;%\u{fffd}\\p{Cc}]{0,8}"), 0..6),
    ) {
        let query = pairs.iter().fold(Query::default(), |query, (name, value)| query.with(name, value));
        prop_assume!(query.is_plain());
        let url = SignedUrl { query, ..url("") };
        let target = url.target(&secret(7));
        // Every byte of the query escaped, as some clients do.
        let (path, spelled) = target.split_once('?').unwrap();
        let escaped: Vec<_> = spelled.split('&').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            let all = |text: &str| Query::parse(&format!("{text}=")).names().flat_map(|it| it.bytes().map(|byte| format!("%{byte:02x}"))).collect::<String>();
            format!("{}={}", all(name), all(value))
        }).collect();
        prop_assert_eq!(open(&target), Ok(terms()));
        prop_assert_eq!(open(&format!("{path}?{}", escaped.join("&"))), Ok(terms()));
    }
}

#[test]
fn a_signature_is_compared_under_each_secret_once() {
    let target = url("").target(&secret(7));
    assert_eq!(open_as("GET", &target, "media:read", &secrets(7, Some(7))), Ok(terms()));
}

#[test]
fn what_was_signed_is_found_again_without_its_signature() {
    assert_eq!(url("").bare_target(), "/media/caf%C3%A9.png");
    assert_eq!(url("b=2&a=1").bare_target(), format!("/media/caf%C3%A9.png?{}", Query::parse("b=2&a=1").canonical()));
}

#[test]
fn a_query_is_signed_up_to_8_kib() {
    let open_long = |bytes: usize| {
        let bare = url("a=").target(&secret(7));
        let text = bare.split_once('?').unwrap().1;
        let signed = text.len() - text.rsplit_once('&').unwrap().1.len() - 1;
        open(&url(&format!("a={}", "x".repeat(bytes - signed))).target(&secret(7)))
    };
    assert_eq!(open_long(8_192), Ok(terms()));
    assert_eq!(open_long(8_193), Err(InvalidSignature));
}

#[test]
fn terms_longer_than_any_that_are_made_are_told() {
    let now = Timestamp::from_epoch_s(1_792_541_700);
    let longest = SignedUrl::MAX_SECONDS + LEEWAY_SECONDS;
    for (seconds, is_overlong) in [(longest, false), (longest + 1, true)] {
        assert_eq!(Terms { expires_at: now.plus_s(seconds), ..terms() }.is_overlong(now), is_overlong, "{seconds}");
    }
}
