//! A token says what it was made to say, to nobody but its own deployment, until its end.

use proptest::prelude::*;

use super::*;

const ORIGIN: &str = "https://api.example.com";
const NOW: Timestamp = Timestamp::from_epoch_s(1_792_540_800);

fn versions(current: u8, previous: Option<u8>) -> Versions<MacSecret> {
    let secret = |byte| MacSecret::new(vec![byte; 32]).unwrap();
    Versions { current: secret(current), previous: previous.map(secret) }
}

fn pass() -> ClientPass {
    let entry = |text| AllowlistEntry::parse(text).unwrap();
    ClientPass {
        session: ClientSessionId::mint(&mut |pool| pool.fill(1)),
        key: KeyId::mint(&mut |pool| pool.fill(2)),
        environment: "sandbox".into(),
        grants: GrantSet::new([Grant::parse("demo:*").unwrap()]).unwrap(),
        allowlist: Allowlist::new([entry("*.a.com"), entry("https://b.com:444")]).unwrap(),
        ceiling: MicroUsd::new(50_000).ok(),
        issued_at: NOW,
        end: NOW.plus_s(900),
    }
}

fn signed(pass: &ClientPass) -> String {
    ClientToken::sign(pass, &versions(1, None).current, ORIGIN).unwrap().expose().to_owned()
}

fn verify(text: &str, now: Timestamp) -> Result<ClientPass, ClientTokenError> {
    ClientToken::verify(text, &versions(1, None), ORIGIN, now)
}

#[test]
fn a_token_says_what_its_session_may() {
    let open = ClientPass { allowlist: None, ceiling: None, ..pass() };
    for pass in [pass(), open] {
        assert_eq!(verify(&signed(&pass), NOW), Ok(pass));
    }
    let token = ClientToken::sign(&pass(), &versions(1, None).current, ORIGIN).unwrap();
    assert_eq!(format!("{token:?}"), "ClientToken");
}

#[test]
fn a_token_holds_until_its_end_and_not_before_its_time() {
    let text = signed(&pass());
    assert!(verify(&text, NOW.plus_s(899)).is_ok());
    assert_eq!(verify(&text, NOW.plus_s(900)), Err(ClientTokenError::Expired));
    assert!(verify(&text, NOW.minus_s(5)).is_ok());
    assert_eq!(verify(&text, NOW.minus_s(6)), Err(ClientTokenError::NotYetValid));
}

#[test]
fn another_deployment_or_a_forgotten_secret_accepts_nothing() {
    let text = signed(&pass());
    let elsewhere = ClientToken::verify(&text, &versions(1, None), "https://api.example.org", NOW);
    assert_eq!(elsewhere, Err(ClientTokenError::Tag));
    assert!(ClientToken::verify(&text, &versions(2, Some(1)), ORIGIN, NOW).is_ok());
    let forgotten = ClientToken::verify(&text, &versions(3, Some(2)), ORIGIN, NOW);
    assert_eq!(forgotten, Err(ClientTokenError::Tag));
}

#[test]
fn every_byte_counts() {
    let text = signed(&pass());
    for place in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        assert!(verify(std::str::from_utf8(&changed).unwrap(), NOW).is_err(), "{place}");
    }
    for length in 0..text.len() {
        assert!(verify(&text[..length], NOW).is_err(), "{length}");
    }
    for longer in [format!("{text}A"), format!("{text}."), format!("{text}.a"), format!(" {text}"), format!("{text}=")]
    {
        assert!(verify(&longer, NOW).is_err());
    }
}

#[test]
fn a_text_under_our_own_tag_must_still_be_a_session() {
    let secret = &versions(1, None).current;
    let tagged = |payload: &str| {
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let tag = secret.mac(&[LABEL, ORIGIN.as_bytes(), b"\0", payload.as_bytes()]);
        format!("{CLIENT_TOKEN_PREFIX}{payload}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let whole = serde_json::to_string(&Payload::from(&pass())).unwrap();
    assert!(verify(&tagged(&whole), NOW).is_ok());
    for (from, to) in [
        ("\"g\":[\"demo:*\"]", "\"g\":[]"),
        ("\"m\":50000", "\"m\":-1"),
        ("\"m\":50000", "\"m\":1000000000000001"),
        ("\"m\":50000,", ""),
        ("\"e\":\"sandbox\"", "\"e\":7"),
        ("\"x\":", "\"alg\":\"none\",\"x\":"),
        ("\"s\":\"", "\"s\":\"1"),
        ("\"o\":[\"*.a.com\",\"https://b.com:444\"]", "\"o\":[]"),
    ] {
        assert!(whole.contains(from), "{whole}");
        assert_eq!(verify(&tagged(&whole.replacen(from, to, 1)), NOW), Err(ClientTokenError::Malformed), "{to}");
    }
}

#[test]
fn a_token_is_no_longer_than_a_credential_may_be() {
    let long = |number: usize| Grant::parse(&format!("{}{number:02}", "a".repeat(62))).unwrap();
    let entry = |number: usize| AllowlistEntry::parse(&format!("{number:02}{}.com", ".a".repeat(100))).unwrap();
    let grants = GrantSet::new((0..24).map(long)).unwrap();
    let many = ClientPass { grants, allowlist: Allowlist::new((0..16).map(entry)).unwrap(), ..pass() };
    assert_eq!(ClientToken::sign(&many, &versions(1, None).current, ORIGIN).err(), Some(TokenTooLong));
    let fitting = ClientPass { allowlist: None, ..many };
    assert!(verify(&signed(&fitting), NOW).is_ok());
}

proptest! {
    #[test]
    fn no_text_panics_or_passes(text in "(cst_)?[A-Za-z0-9_.=-]{0,120}") {
        prop_assert!(verify(&text, NOW).is_err());
    }
}
