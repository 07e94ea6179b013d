//! Signatures are checked against k256's own signer and an independent implementation's vectors.

use k256::ecdsa::SigningKey;
use proptest::prelude::*;

use super::*;

/// A key and the address it controls.
fn wallet(secret: [u8; 32]) -> (SigningKey, Address) {
    let key = SigningKey::from_slice(&secret).unwrap();
    let point = key.verifying_key().to_sec1_point(false);
    let address = Address::from_public_key(point.as_bytes()[1..].try_into().unwrap());
    (key, address)
}

fn signed(key: &SigningKey, message: &str) -> [u8; 65] {
    let (signature, parity) = key.sign_prehash_recoverable(&personal_hash(message));
    let mut bytes = [0; 65];
    bytes[..64].copy_from_slice(&signature.to_bytes());
    bytes[64] = 27 + parity.to_byte();
    bytes
}

/// The order of the group minus `s`, by schoolbook subtraction.
fn negated(s: &[u8]) -> Vec<u8> {
    let order = hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").unwrap();
    let mut result = vec![0; 32];
    let mut borrow = 0_i16;
    for place in (0..32).rev() {
        let difference = i16::from(order[place]) - i16::from(s[place]) - borrow;
        borrow = i16::from(difference < 0);
        result[place] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    result
}

#[test]
fn the_first_well_known_test_key_has_its_well_known_address() {
    let mut secret = [0; 32];
    hex::decode_to_slice("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", &mut secret).unwrap();
    assert_eq!(wallet(secret).1.to_string(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
}

#[test]
fn a_signature_recovers_its_signer_under_every_spelling() {
    let (key, address) = wallet([7; 32]);
    let bytes = signed(&key, "hello");
    for v in [bytes[64], bytes[64] - 27] {
        let mut spelled = bytes;
        spelled[64] = v;
        let text = hex::encode(spelled);
        for text in [format!("0x{text}"), text.to_uppercase(), text] {
            assert_eq!(text.parse::<Signature>().unwrap().recover("hello"), Ok(address));
        }
    }
}

#[test]
fn a_compact_signature_recovers_the_same_signer() {
    let (key, address) = wallet([9; 32]);
    for message in ["a", "b", "c", "d", "e", "f"] {
        let bytes = signed(&key, message);
        let mut compact: [u8; 64] = bytes[..64].try_into().unwrap();
        compact[32] |= (bytes[64] - 27) << 7;
        assert_eq!(Signature::from_bytes(&compact).unwrap().recover(message), Ok(address), "{message}");
    }
}

#[test]
fn the_vectors_of_eip_2098_recover_their_signer() {
    let vectors = [
        (
            "0x68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b90\
             7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064",
            "Hello World",
        ),
        (
            "0x9328da16089fcba9bececa81663203989f2df5fe1faa6291a45381c81bd17f76\
             939c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793",
            "It's a small(er) world",
        ),
    ];
    let mut secret = [0; 32];
    hex::decode_to_slice("1234567890123456789012345678901234567890123456789012345678901234", &mut secret).unwrap();
    let (_, address) = wallet(secret);
    for (text, message) in vectors {
        assert_eq!(text.parse::<Signature>().unwrap().recover(message), Ok(address), "{message}");
    }
}

#[test]
fn the_high_twin_of_a_good_signature_is_refused() {
    let (key, _) = wallet([7; 32]);
    let mut bytes = signed(&key, "hello");
    let high = negated(&bytes[32..64]);
    bytes[32..64].copy_from_slice(&high);
    bytes[64] = 27 + (1 - (bytes[64] - 27));
    assert_eq!(Signature::from_bytes(&bytes), Err(SignatureError::Invalid));
}

#[test]
fn another_recovery_byte_is_refused() {
    let (key, _) = wallet([7; 32]);
    let bytes = signed(&key, "hello");
    for v in (0..=255).filter(|v| ![0, 1, 27, 28].contains(v)) {
        let mut spelled = bytes;
        spelled[64] = v;
        assert_eq!(Signature::from_bytes(&spelled), Err(SignatureError::Invalid), "{v}");
    }
}

#[test]
fn scalars_that_are_zero_or_not_below_the_order_are_refused() {
    let (key, _) = wallet([7; 32]);
    let good = signed(&key, "hello");
    for fill in [0x00, 0xff] {
        for scalar in [0..32, 32..64] {
            let mut bytes = good;
            bytes[scalar].fill(fill);
            assert_eq!(Signature::from_bytes(&bytes), Err(SignatureError::Invalid));
        }
    }
}

#[test]
fn a_longer_signature_is_a_contract_wallets() {
    for length in [66, 96, 4096, MAX_SIGNATURE_BYTES] {
        let text = format!("0x{}", "64".repeat(length));
        assert_eq!(text.parse::<Signature>(), Err(SignatureError::UnsupportedWallet), "{length}");
    }
    let too_long = format!("0x{}", "64".repeat(MAX_SIGNATURE_BYTES + 1));
    assert_eq!(too_long.parse::<Signature>(), Err(SignatureError::Invalid));
}

#[test]
fn what_is_no_signature_is_invalid() {
    for text in ["", "0x", "0x0", "0xzz", "hello", "0x é", &"0".repeat(129), &"11".repeat(63)] {
        assert_eq!(text.parse::<Signature>(), Err(SignatureError::Invalid), "{text}");
    }
}

proptest! {
    #[test]
    fn another_message_recovers_another_address(message in "\\PC{0,40}", other in "\\PC{0,40}") {
        prop_assume!(message != other);
        let (key, address) = wallet([3; 32]);
        let signature = Signature::from_bytes(&signed(&key, &message)).unwrap();
        prop_assert_eq!(signature.recover(&message), Ok(address));
        prop_assert_ne!(signature.recover(&other), Ok(address));
    }

    #[test]
    fn no_bytes_make_recovery_panic(bytes in proptest::collection::vec(any::<u8>(), 64..=65)) {
        if let Ok(signature) = Signature::from_bytes(&bytes) {
            let _ = signature.recover("hello");
        }
    }
}
