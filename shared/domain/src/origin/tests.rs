//! Who is admitted by which entry, and what is no entry.

use proptest::prelude::*;

use super::*;

fn admits(entry: &str, origin: &str) -> bool {
    AllowlistEntry::parse(entry).unwrap().admits(&Origin::parse(origin).unwrap())
}

#[test]
fn entries_are_compared_whole() {
    for (entry, origin, is_admitted) in [
        ("myapp.com", "https://myapp.com", true),
        ("myapp.com", "http://myapp.com:8080", true),
        ("myapp.com", "https://evil-myapp.com", false),
        ("myapp.com", "https://myapp.com.evil.com", false),
        ("myapp.com", "https://staging.myapp.com", false),
        ("*.myapp.com", "https://staging.myapp.com", true),
        ("*.myapp.com", "https://a.b.myapp.com:444", true),
        ("*.myapp.com", "https://myapp.com", false),
        ("https://myapp.com", "http://myapp.com", false),
        ("myapp.com:443", "https://myapp.com", true),
        ("https://myapp.com:443", "https://myapp.com", true),
        ("myapp.com:443", "https://myapp.com:444", false),
        ("localhost", "http://localhost:3000", true),
        ("localhost:3000", "http://localhost:3001", false),
        ("127.0.0.1", "http://127.0.0.1:3000", true),
        ("[::1]:3000", "http://[::1]:3000", true),
        ("MyApp.com", "https://MYAPP.COM", true),
        ("bücher.example", "https://xn--bcher-kva.example", true),
    ] {
        assert_eq!(admits(entry, origin), is_admitted, "{entry} {origin}");
    }
}

#[test]
fn an_entry_covers_narrower_ones() {
    for (own, other, is_covered) in [
        ("a.com", "a.com", true),
        ("a.com", "https://a.com:444", true),
        ("https://a.com", "a.com", false),
        ("a.com:443", "a.com", false),
        ("a.com:443", "https://a.com:443", true),
        ("a.com", "b.a.com", false),
        ("*.a.com", "b.a.com", true),
        ("*.a.com", "*.a.com", true),
        ("*.a.com", "*.b.a.com", true),
        ("*.a.com", "a.com", false),
        ("*.a.com", "evil-a.com", false),
        ("*.a.com", "*.com.evil", false),
        ("b.a.com", "*.a.com", false),
        ("[::1]", "[::1]:3000", true),
        ("[::1]:3000", "[::1]", false),
        ("127.0.0.1", "https://127.0.0.1:1", true),
    ] {
        let (own, other) = (AllowlistEntry::parse(own).unwrap(), AllowlistEntry::parse(other).ok());
        assert_eq!(other.is_some_and(|other| own.covers(&other)), is_covered, "{own}");
    }
}

#[test]
fn an_origin_is_written_as_browsers_write_it() {
    for (text, wanted) in [
        ("https://A.com", "https://a.com"),
        ("https://a.com:443", "https://a.com"),
        ("http://a.com:443", "http://a.com:443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:80", "http://[::1]"),
    ] {
        assert_eq!(Origin::parse(text).unwrap().serialized(), wanted);
    }
}

#[test]
fn null_paths_and_other_schemes_are_no_origins() {
    for text in
        ["null", "", "myapp.com", "file:///etc", "https://a.com/b", "https://u@a.com", "https://a.com?x", "\u{0}"]
    {
        assert_eq!(Origin::parse(text), Err(InvalidOrigin), "{text}");
    }
    assert!(Origin::parse_referer("https://a.com/b?c").is_ok());
}

#[test]
fn odd_entries_are_refused() {
    for text in [
        "",
        "*",
        "*.com",
        "*.",
        "a.*.com",
        "https://",
        "ftp://a.com",
        "a.com/b",
        "a b",
        "*.127.0.0.1",
        "a.com:99999",
        "null/",
    ] {
        assert_eq!(AllowlistEntry::parse(text), Err(InvalidOrigin), "{text}");
    }
}

#[test]
fn an_entry_that_grows_too_long_in_its_canonical_form_is_refused() {
    let text = format!("{}com", "é.".repeat(80));
    assert!(text.len() <= MAX_ENTRY_BYTES);
    assert_eq!(AllowlistEntry::parse(&text), Err(InvalidOrigin));
    assert_eq!(AllowlistEntry::parse("a.com.."), Err(InvalidOrigin));
    assert_eq!(AllowlistEntry::parse("a..com"), Err(InvalidOrigin));
}

proptest! {
    #[test]
    fn what_a_covered_entry_admits_the_covering_one_admits(
        own in "(https?://)?(\\*\\.)?[ab](\\.[ab]){1,3}(:(80|443))?",
        other in "(https?://)?(\\*\\.)?[ab](\\.[ab]){1,3}(:(80|443))?",
        origin in "https?://[ab](\\.[ab]){1,3}(:(80|443|444))?",
    ) {
        let entry = |text: &str| AllowlistEntry::parse(text).unwrap();
        let (own, other, origin) = (entry(&own), entry(&other), Origin::parse(&origin).unwrap());
        prop_assert!(!own.covers(&other) || !other.admits(&origin) || own.admits(&origin));
    }

    #[test]
    fn a_canonical_entry_reads_as_itself(text in "(https?://)?(\\*\\.)?[a-zé0-9.-]{1,40}(:[0-9]{1,5})?") {
        if let Ok(entry) = AllowlistEntry::parse(&text) {
            prop_assert_eq!(AllowlistEntry::parse(entry.as_str()), Ok(entry.clone()));
        }
    }

    #[test]
    fn no_entry_or_origin_panics(text in ".{0,60}") {
        let _ = (AllowlistEntry::parse(&text), Origin::parse(&text), Origin::parse_referer(&text));
    }
}

#[test]
fn a_list_admits_no_request_without_an_origin() {
    let list = Allowlist::new([AllowlistEntry::parse("a.com").unwrap()]).unwrap().unwrap();
    assert!(!list.admits(None));
    assert!(list.admits(Some(&Origin::parse("https://a.com").unwrap())));
    assert_eq!(Allowlist::new([]), Ok(None));
}

#[test]
fn names_and_headers_have_an_end() {
    let name = |last: &str| "a.".repeat(124) + last;
    let (longest, longer) = (name("a.com"), name("aa.com"));
    assert_eq!((longest.len(), longer.len()), (253, 254));
    assert!(AllowlistEntry::parse(&longest).is_ok());
    assert_eq!(AllowlistEntry::parse(&longer), Err(InvalidOrigin));
    assert!(Origin::parse_referer(&format!("https://{longest}/")).is_ok());
    assert_eq!(Origin::parse_referer(&format!("https://{longer}/")), Err(InvalidOrigin));
    let referer = |bytes: usize| format!("https://a.com/{}", "x".repeat(bytes - "https://a.com/".len()));
    assert!(Origin::parse_referer(&referer(2_048)).is_ok());
    assert_eq!(Origin::parse_referer(&referer(2_049)), Err(InvalidOrigin));
}

#[test]
fn nobody_is_admitted_by_a_whole_top_level_domain() {
    let entries = Origin::parse("https://a.b.com").unwrap().admitting_entries();
    assert!(entries.contains(&"*.b.com".to_owned()));
    assert!(entries.iter().all(|entry| !entry.contains("*.com")), "{entries:?}");
}
