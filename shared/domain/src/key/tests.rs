//! What a key promises: it reads as it was minted, and nothing else does.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static TAG: LazyLock<Versions<MacSecret>> =
    LazyLock::new(|| Versions { current: MacSecret::new(vec![1; 32]).unwrap(), previous: None });

fn minted(seed: u64) -> ApiKey {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    ApiKey::mint("sk_test_", &TAG.current, &mut |pool| {
        for byte in pool {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state.to_be_bytes()[3];
        }
    })
}

fn parse(text: &str) -> Result<ApiKey, InvalidKey> {
    ApiKey::parse(text, ["sk_prod_", "sk_test_"], &TAG)
}

#[test]
fn a_minted_key_has_the_published_shape() {
    let key = minted(1);
    assert_eq!(key.reveal().len(), "sk_test_".len() + 55);
    assert_eq!(key.environment_prefix(), "sk_test_");
    assert_eq!(key.display_prefix(), &key.reveal()[..16]);
    assert_eq!(key.id().suffix(), &key.reveal()[8..24]);
    assert_eq!(format!("{key:?}"), "ApiKey");
}

#[test]
fn a_key_of_the_previous_tag_secret_is_still_read() {
    let key = minted(2);
    let rotated = Versions {
        current: MacSecret::new(vec![2; 32]).unwrap(),
        previous: Some(MacSecret::new(vec![1; 32]).unwrap()),
    };
    assert!(ApiKey::parse(key.reveal(), ["sk_test_"], &rotated).is_ok());
    let gone = Versions { current: MacSecret::new(vec![2; 32]).unwrap(), previous: None };
    assert_eq!(ApiKey::parse(key.reveal(), ["sk_test_"], &gone).err(), Some(InvalidKey::Tag));
}

#[test]
fn what_is_told_twice_counts_once() {
    let same = || MacSecret::new(vec![1; 32]).unwrap();
    let twice = Versions { current: same(), previous: Some(same()) };
    assert!(ApiKey::parse(minted(2).reveal(), ["sk_test_"], &twice).is_ok());
    let hash = KeyHash::from_bytes([1; 32]);
    assert!(hash.is_among(&[hash, hash]));
    assert!(!KeyHash::from_bytes([2; 32]).is_among(&[hash, hash]));
}

#[test]
fn a_body_of_other_letters_or_length_is_no_key() {
    let key = minted(3);
    let text = key.reveal();
    for other in [format!("{text}0"), text[..text.len() - 1].to_owned(), format!("{}-", &text[..text.len() - 1])] {
        assert_eq!(parse(&other).err(), Some(InvalidKey::Shape), "{other}");
    }
}

#[test]
fn a_key_moved_to_another_environment_is_refused_by_its_tag() {
    let moved = minted(3).reveal().replace("sk_test_", "sk_prod_");
    assert_eq!(parse(&moved).err(), Some(InvalidKey::Tag));
}

#[test]
fn a_forger_who_knows_the_format_still_lacks_the_tag() {
    let key = minted(4);
    let body = &key.reveal()[8..46];
    let forged = format!("{body}{}", "0".repeat(11));
    let forged = format!("sk_test_{forged}{}", checksum_of(&forged));
    assert_eq!(parse(&forged).err(), Some(InvalidKey::Tag));
}

#[test]
fn a_hash_is_found_among_the_hashes_of_both_peppers() {
    let key = minted(5);
    let (old, new) = (MacSecret::new(vec![8; 32]).unwrap(), MacSecret::new(vec![9; 32]).unwrap());
    let stored = key.hash(&old);
    assert!(stored.is_among(&[key.hash(&new), key.hash(&old)]));
    assert!(!stored.is_among(&[key.hash(&new)]));
    assert!(!stored.is_among(&[]));
}

proptest! {
    #[test]
    fn what_was_minted_reads_as_itself(seed: u64) {
        let key = minted(seed);
        let read = parse(key.reveal()).unwrap();
        prop_assert_eq!(read.reveal(), key.reveal());
        prop_assert_eq!(read.id(), key.id());
    }

    #[test]
    fn a_single_changed_character_is_refused(seed: u64, place in 0_usize..63, other in "[0-9A-Za-z_]") {
        let key = minted(seed);
        let mut text: Vec<char> = key.reveal().chars().collect();
        let other = other.chars().next().unwrap();
        prop_assume!(text[place] != other);
        text[place] = other;
        prop_assert!(parse(&text.into_iter().collect::<String>()).is_err());
    }

    #[test]
    fn no_text_panics(text in "(sk_test_)?.{0,70}") {
        prop_assert!(parse(&text).is_err());
    }
}
