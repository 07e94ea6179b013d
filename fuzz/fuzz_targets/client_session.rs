#![no_main]
//! What a frontend holds of a client session: no secret and no token panics, what opens is what was made, and one changed
//! byte opens nothing.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use faregate_domain::{
    client_session::{ClientPass, ClientSecret},
    credential::{CLIENT_TOKEN_PREFIX, Credential},
    id::{ClientSessionId, KeyId},
    policy::CredentialHeader,
    scope::{Grant, GrantSet},
    secret::{MacSecret, Versions},
    time::Timestamp,
};
use faregate_edge::client_token::ClientToken;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        present(text);
        // A text under our own tag must still be a session.
        if let Some(pass) = verify(&tagged(text)) {
            assert!(pass.end > NOW, "{text}");
            // Times of a token are seconds, and one beyond the year 9999 is that year's last millisecond.
            let seconds = |time: Timestamp| Timestamp::from_epoch_s(time.epoch_s());
            let pass = ClientPass { issued_at: seconds(pass.issued_at), end: seconds(pass.end), ..pass };
            assert_eq!(verify(&signed(&pass)).as_ref(), Some(&pass), "{text}");
        }
    }
    let Some((&[place, mask], entropy)) = input.split_first_chunk::<2>() else { return };
    let mut pool = entropy.iter().copied().chain(0..=u8::MAX).cycle();
    let mut fill = |bytes: &mut [u8]| bytes.fill_with(|| pool.next().unwrap_or(0));
    let session = ClientSessionId::mint(&mut fill);
    let secret = ClientSecret::mint(&session, &SECRETS.current, &mut fill);
    let read = ClientSecret::parse(secret.reveal(), &SECRETS);
    assert!(read.is_ok_and(|(read, named)| read.hash() == secret.hash() && named == session));
    if let Some(text) = changed(secret.reveal(), place, mask) {
        assert_eq!(ClientSecret::parse(&text, &SECRETS).is_ok(), mask == 0, "{text}");
    }
    if let Some(text) = changed(&signed(&PASS), place, mask) {
        assert_eq!(verify(&text).is_some(), mask == 0, "{text}");
    }
});

/// As the redemption reads a text, and as the authorizer reads one in a header.
fn present(text: &str) {
    if let Ok((secret, session)) = ClientSecret::parse(text, &SECRETS) {
        assert!(secret.reveal() == text && text.contains(session.suffix()));
    }
    if let Ok(Credential::Client(token)) = Credential::parse([("x-api-key", text)], &[CredentialHeader::XApiKey]) {
        let credential = Credential::Client(token);
        assert!(verify(credential.expose()).is_none_or(|pass| pass.end > NOW));
    }
}

fn verify(text: &str) -> Option<ClientPass> {
    ClientToken::verify(text, &SECRETS, ORIGIN, NOW).ok()
}

fn signed(pass: &ClientPass) -> String {
    let token = ClientToken::sign(pass, &SECRETS.current, ORIGIN).unwrap_or_else(|error| panic!("{error}"));
    token.expose().to_owned()
}

/// A token with any payload.
fn tagged(payload: &str) -> String {
    let payload = URL_SAFE_NO_PAD.encode(payload);
    let tag = SECRETS.current.mac(&[LABEL, ORIGIN.as_bytes(), b"\0", payload.as_bytes()]);
    format!("{CLIENT_TOKEN_PREFIX}{payload}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn changed(text: &str, place: u8, mask: u8) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let place = usize::from(place) % bytes.len();
    bytes[place] ^= mask;
    String::from_utf8(bytes).ok()
}

static SECRETS: LazyLock<Versions<MacSecret>> = LazyLock::new(|| Versions {
    current: MacSecret::new(vec![7; 32]).unwrap_or_else(|error| panic!("{error}")),
    previous: None,
});

static PASS: LazyLock<ClientPass> = LazyLock::new(|| {
    let pass = ClientPass {
        session: ClientSessionId::mint(&mut |pool| pool.fill(1)),
        key: KeyId::mint(&mut |pool| pool.fill(2)),
        environment: "sandbox".into(),
        grants: Grant::parse("demo:*").ok().and_then(|grant| GrantSet::new([grant]).ok()).unwrap_or_else(|| panic!()),
        allowlist: None,
        ceiling: None,
        issued_at: NOW,
        end: NOW.plus_s(900),
    };
    // The label below is the gate's own.
    let payload = signed(&pass).split(['_', '.']).nth(1).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let payload = payload.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    assert_eq!(tagged(&payload), signed(&pass));
    pass
});

const ORIGIN: &str = "https://api.example.com";
const NOW: Timestamp = Timestamp::from_epoch_s(1_792_540_800);
const LABEL: &[u8] = b"faregate client session token 1\0";
