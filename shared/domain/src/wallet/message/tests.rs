//! What a message must look like to be read, and what it must say to be accepted.

use proptest::prelude::*;

use super::*;

const NOW_EPOCH_S: u64 = 1_760_000_000;
const ADDRESS: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const FULL: &str = "https://gate.example wants you to sign in with your Ethereum account:
0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed

Sign in.

URI: https://gate.example
Version: 1
Chain ID: 1
Nonce: zzzzzzzzzzzzzzzzzzzzzz
Issued At: 2025-10-09T08:53:20.000Z
Expiration Time: 2025-10-09T10:58:20+02:00
Not Before: 2025-10-09T08:53:20Z
Request ID: a-1
Resources:
- https://gate.example/terms
- ipfs://Qme7ss3ARVgxv6rXqVPiikMJ8u2NLgmgszg13pYrDKEoiu";

fn party() -> RelyingParty {
    RelyingParty::new("https://gate.example", "Sign in.", 1).unwrap()
}

fn nonce() -> Nonce {
    Nonce::mint(&mut |pool| pool.fill(61))
}

fn issued() -> Message {
    let now = Timestamp::from_epoch_s(NOW_EPOCH_S);
    Message::issue(&party(), ADDRESS.parse().unwrap(), &nonce(), now, now.plus_s(300))
}

fn verdict(text: &str) -> Result<(), Mismatch> {
    verdict_at(text, NOW_EPOCH_S)
}

fn verdict_at(text: &str, now_epoch_s: u64) -> Result<(), Mismatch> {
    let message: Message = text.parse().unwrap();
    message.check(&Expectation {
        party: &party(),
        address: ADDRESS.parse().unwrap(),
        nonce: &nonce(),
        now: Timestamp::from_epoch_s(now_epoch_s),
    })
}

#[test]
fn an_issued_message_reads_as_the_standard_says() {
    let expected = "gate.example wants you to sign in with your Ethereum account:
0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed

Sign in.

URI: https://gate.example
Version: 1
Chain ID: 1
Nonce: zzzzzzzzzzzzzzzzzzzzzz
Issued At: 2025-10-09T08:53:20Z
Expiration Time: 2025-10-09T08:58:20Z";
    assert_eq!(issued().to_string(), expected);
    assert_eq!(expected.parse(), Ok(issued()));
    assert_eq!(verdict(expected), Ok(()));
}

#[test]
fn the_domain_of_a_party_is_its_uris_authority() {
    let local = RelyingParty::new("http://127.0.0.1:8080/", "Sign in.", 31337).unwrap();
    assert_eq!((local.domain(), local.uri(), local.chain_id()), ("127.0.0.1:8080", "http://127.0.0.1:8080/", 31337));
    for uri in ["", "gate.example", "https://", "https:///x", "urn:a:b", "https://a b"] {
        assert_eq!(RelyingParty::new(uri, "Sign in.", 1), Err(RelyingPartyError::Uri), "{uri}");
    }
    for statement in ["", "two\nlines", "sign in “here”", &"a".repeat(1025)] {
        assert_eq!(RelyingParty::new("https://a", statement, 1), Err(RelyingPartyError::Statement));
    }
}

#[test]
fn a_message_with_every_optional_part_is_read_and_accepted() {
    assert_eq!(FULL.parse::<Message>().unwrap().to_string(), FULL);
    assert_eq!(verdict(FULL), Ok(()));
}

#[test]
fn every_optional_part_may_be_absent() {
    for part in ["https://", "Sign in.\n", "Expiration", "Not Before", "Request ID", "Resources", "- https", "- ipfs"] {
        let shorter: String = match part {
            "https://" => FULL.replacen("https://", "", 1),
            "Sign in.\n" => FULL.replacen("Sign in.\n", "", 1),
            "Resources" => FULL.split("\nResources").next().unwrap().to_owned(),
            part => FULL.split('\n').filter(|line| !line.starts_with(part)).collect::<Vec<_>>().join("\n"),
        };
        assert_ne!(shorter, FULL);
        assert_eq!(shorter.parse::<Message>().unwrap().to_string(), shorter, "{part}");
        assert_eq!(verdict(&shorter), Ok(()), "{part}");
    }
}

#[test]
fn dropping_doubling_or_swapping_a_line_breaks_a_message() {
    let lines: Vec<&str> = FULL.split('\n').collect();
    let optional = 3..4;
    for place in 0..10 {
        if !optional.contains(&place) {
            let mut without = lines.clone();
            without.remove(place);
            assert!(without.join("\n").parse::<Message>().is_err(), "without line {place}");
        }
        let mut twice = lines.clone();
        twice.insert(place, lines[place]);
        assert!(twice.join("\n").parse::<Message>().is_err(), "line {place} twice");
    }
    for place in 0..13 {
        let mut swapped = lines.clone();
        swapped.swap(place, place + 1);
        assert!(swapped.join("\n").parse::<Message>().is_err(), "line {place} swapped");
    }
}

#[test]
fn anything_after_the_end_breaks_a_message() {
    for tail in ["\n", " ", "\r\n", "\nmore", "\n- ", "\n- not a uri", "\0", "\nURI: https://gate.example"] {
        assert!(format!("{FULL}{tail}").parse::<Message>().is_err(), "{tail:?}");
        assert!(format!("{}{tail}", issued()).parse::<Message>().is_err(), "{tail:?}");
    }
    assert!(format!("\n{FULL}").parse::<Message>().is_err());
}

#[test]
fn a_part_that_the_grammar_forbids_breaks_a_message() {
    for (part, other) in [
        ("https://gate.example wants", "1https://gate.example wants"),
        ("https://gate.example wants", "://gate.example wants"),
        ("https://gate.example wants", " wants"),
        ("https://gate.example wants", "gate example wants"),
        ("https://gate.example wants", "https://gate.example  wants"),
        ("Ethereum", "ethereum"),
        ("0x5aAe", "0x5AAe"),
        (ADDRESS, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"),
        ("0x5aAe", "5aAe"),
        ("Sign in.", "Sign \"in\"."),
        ("Sign in.", "Sign in\r"),
        ("Sign in.", "Sign ïn."),
        ("URI: https://gate.example", "URI: gate.example"),
        ("URI: ", "URI:"),
        ("Version: 1", "Version: 2"),
        ("Version: 1", "Version: 01"),
        ("Chain ID: 1", "Chain ID: 01"),
        ("Chain ID: 1", "Chain ID: +1"),
        ("Chain ID: 1", "Chain ID: -1"),
        ("Chain ID: 1", "Chain ID: 18446744073709551616"),
        ("Chain ID: 1", "Chain ID: "),
        ("Nonce: zzzzzzzzzzzzzzzzzzzzzz", "Nonce: zzzzzzz"),
        ("Nonce: zzzzzzzzzzzzzzzzzzzzzz", "Nonce: zzzzzzzz-"),
        ("2025-10-09T08:53:20.000Z", "2025-10-09 08:53:20Z"),
        ("2025-10-09T08:53:20.000Z", "2025-10-09"),
        ("2025-10-09T08:53:20.000Z", "1760000000"),
        ("2025-10-09T10:58:20+02:00", ""),
        ("Request ID: a-1", "Request ID: a 1"),
        ("Request ID: a-1", "Request ID: a/1"),
        ("Resources:", "Resources: "),
        ("- ipfs://", "-ipfs://"),
        ("- ipfs://", "* ipfs://"),
        ("- ipfs://", "- "),
    ] {
        let changed = FULL.replacen(part, other, 1);
        assert_ne!(changed, FULL, "{part}");
        assert!(changed.parse::<Message>().is_err(), "{part:?} as {other:?}");
    }
}

#[test]
fn a_message_over_its_bound_is_not_read() {
    let statement = "a".repeat(MAX_MESSAGE_BYTES);
    assert_eq!(FULL.replacen("Sign in.", &statement, 1).parse::<Message>(), Err(MessageError::TooLong));
}

#[test]
fn every_bound_part_of_a_message_is_compared() {
    for (part, other, mismatch) in [
        ("https://gate.example wants", "https://evil.example wants", Mismatch::Domain),
        ("https://gate.example wants", "https://gate.example:443 wants", Mismatch::Domain),
        ("https://gate.example wants", "http://gate.example wants", Mismatch::Domain),
        ("URI: https://gate.example", "URI: https://evil.example", Mismatch::Uri),
        ("URI: https://gate.example", "URI: https://gate.example/other", Mismatch::Uri),
        ("Chain ID: 1", "Chain ID: 10", Mismatch::ChainId),
        (ADDRESS, "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", Mismatch::Address),
        ("Nonce: zzzz", "Nonce: zzzy", Mismatch::Nonce),
        ("At: 2025-10-09T08:53:20.000Z", "At: 2025-10-09T08:54:21Z", Mismatch::IssuedAt),
        ("At: 2025-10-09T08:53:20.000Z", "At: 2025-10-09T08:47:19Z", Mismatch::IssuedAt),
        ("2025-10-09T10:58:20+02:00", "2025-10-09T10:53:20+02:00", Mismatch::Expired),
        ("Before: 2025-10-09T08:53:20Z", "Before: 2025-10-09T08:53:21Z", Mismatch::NotYetValid),
    ] {
        let changed = FULL.replacen(part, other, 1);
        assert_ne!(changed, FULL, "{part}");
        assert_eq!(verdict(&changed), Err(mismatch), "{part:?} as {other:?}");
    }
}

#[test]
fn a_slash_at_the_end_of_the_uri_is_the_same_uri() {
    assert_eq!(verdict(&FULL.replacen("URI: https://gate.example", "URI: https://gate.example/", 1)), Ok(()));
}

#[test]
fn a_message_expires_at_its_expiration_time() {
    let text = issued().to_string();
    assert_eq!(verdict_at(&text, NOW_EPOCH_S + 299), Ok(()));
    assert_eq!(verdict_at(&text, NOW_EPOCH_S + 300), Err(Mismatch::Expired));
}

/// Authority, URI and text pieces of the shapes that wallets send.
fn message_text() -> impl Strategy<Value = String> {
    let time = "20[0-9]{2}-0[1-9]-(1[0-9]|2[0-8])T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]0[0-9]:30)";
    let optional = |tag: &'static str, shape: &'static str| {
        proptest::option::of(shape.prop_map(move |value| format!("\n{tag}{value}"))).prop_map(Option::unwrap_or_default)
    };
    let head =
        ("([a-z]{2,5}://)?[a-z]{1,9}(\\.[a-z]{2,3})?(:[0-9]{1,4})?", any::<[u8; 20]>(), "([A-Za-z ,.:/]{1,30}\n)?");
    let body = ("[a-z]{2,5}://[a-z.]{1,12}", any::<u64>(), "[A-Za-z0-9]{8,40}", time);
    let tail = (
        optional("Expiration Time: ", time),
        optional("Not Before: ", time),
        optional("Request ID: ", "[a-z0-9:@.~-]{0,12}"),
        optional("Resources:", "(\n- [a-z]{2,5}://[a-z]{1,8}){0,3}"),
    );
    (head, body, tail).prop_map(|((origin, address, statement), (uri, chain, nonce, issued), tail)| {
        format!(
            "{origin}{PREAMBLE}\n{}\n\n{statement}\nURI: {uri}\nVersion: 1\nChain ID: {chain}\nNonce: {nonce}\nIssued At: {issued}{}{}{}{}",
            Address::from_bytes(address),
            tail.0,
            tail.1,
            tail.2,
            tail.3
        )
    })
}

proptest! {
    #[test]
    fn what_was_read_prints_as_it_was_written(text in message_text()) {
        let message: Message = text.parse().unwrap();
        prop_assert_eq!(message.to_string(), text);
    }

    #[test]
    fn one_changed_byte_is_refused_or_printed_back(text in message_text(), place: prop::sample::Index, byte: u8) {
        let mut bytes = text.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Ok(text) = String::from_utf8(bytes)
            && let Ok(message) = text.parse::<Message>()
        {
            prop_assert_eq!(message.to_string(), text);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
        let _ = text.parse::<Message>();
    }
}
