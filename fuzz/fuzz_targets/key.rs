#![no_main]
//! API keys: no text panics, a parsed key prints as it was read, and one changed character makes it no key.

use libfuzzer_sys::fuzz_target;

use faregate_domain::{
    key::ApiKey,
    secret::{MacSecret, Versions},
};

fuzz_target!(|input: &[u8]| {
    let Ok(secret) = MacSecret::new(vec![7; 32]) else { return };
    let secrets = Versions { current: secret, previous: None };
    if let Ok(text) = std::str::from_utf8(input) {
        if let Ok(key) = ApiKey::parse(text, PREFIXES, &secrets) {
            assert_eq!(key.reveal(), text);
        }
    }
    let Some((&[place, mask], entropy)) = input.split_first_chunk::<2>() else { return };
    let mut pool = entropy.iter().copied().chain(0..=u8::MAX).cycle();
    let minted = ApiKey::mint(PREFIXES[0], &secrets.current, &mut |bytes| bytes.fill_with(|| pool.next().unwrap_or(0)));
    let read = ApiKey::parse(minted.reveal(), PREFIXES, &secrets);
    assert!(read.is_ok_and(|key| key.reveal() == minted.reveal() && key.id() == minted.id()));

    let mut changed = minted.reveal().as_bytes().to_vec();
    let place = usize::from(place) % changed.len();
    changed[place] ^= mask;
    if let Ok(text) = std::str::from_utf8(&changed) {
        assert_eq!(ApiKey::parse(text, PREFIXES, &secrets).is_ok(), mask == 0);
    }
});

const PREFIXES: [&str; 2] = ["sk_test_", "sk_prod_"];
