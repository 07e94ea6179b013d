//! An independent implementation of EIP-4361 agrees with ours on text, grammar and signer.

use k256::ecdsa::SigningKey;
use signinwithethereum::Message as Oracle;

use super::{Address, Message, Nonce, RelyingParty, Signature};
use crate::time::Timestamp;

fn issued() -> (Message, SigningKey) {
    let key = SigningKey::from_slice(&[5; 32]).unwrap();
    let point = key.verifying_key().to_sec1_point(false);
    let address = Address::from_public_key(point.as_bytes()[1..].try_into().unwrap());
    let party = RelyingParty::new("http://127.0.0.1:8080", "Sign in to Faregate.", 31337).unwrap();
    let now = Timestamp::from_epoch_s(1_760_000_000);
    (Message::issue(&party, address, &Nonce::mint(&mut |pool| pool.fill(9)), now, now.plus_s(300)), key)
}

#[test]
fn the_oracle_reads_our_message_and_prints_it_back() {
    let text = issued().0.to_string();
    let theirs: Oracle = text.parse().unwrap();
    assert_eq!(theirs.to_string(), text);
    assert_eq!(theirs.chain_id, 31337);
    assert!(theirs.warnings.is_empty());
}

#[test]
fn the_oracle_and_we_recover_the_same_signer() {
    let (message, key) = issued();
    let theirs: Oracle = message.to_string().parse().unwrap();
    let (signature, parity) = key.sign_prehash_recoverable(&theirs.eip191_hash().unwrap());
    let mut bytes = [0; 65];
    bytes[..64].copy_from_slice(&signature.to_bytes());
    bytes[64] = 27 + parity.to_byte();
    assert!(theirs.verify_eip191(&bytes).is_ok());
    assert_eq!(Signature::from_bytes(&bytes).unwrap().recover(&message.to_string()), Ok(message.address()));
}

#[test]
fn whatever_we_read_the_oracle_reads_too() {
    let address = "0xe5A12547fe4E872D192E3eCecb76F2Ce1aeA4946";
    let head = format!("a.example wants you to sign in with your Ethereum account:\n{address}\n");
    let body =
        "URI: https://a.example/login\nVersion: 1\nChain ID: 1\nNonce: 12341234\nIssued At: 2022-03-17T12:45:13.610Z";
    let tail = "Expiration Time: 2023-03-17T12:45:13.610Z\nNot Before: 2022-03-17T12:45:13.610Z\nRequest ID: some_id\n\
                Resources:\n- https://a.example/x";
    for text in [
        format!("{head}\nA statement.\n\n{body}\n{tail}"),
        format!("{head}\n\n{body}\n{tail}"),
        format!("{head}\n\n{body}"),
        format!("https://{head}\n\n{body}"),
        format!("[::1]:8080{}\n\n{body}", head.strip_prefix("a.example").unwrap()),
    ] {
        assert_eq!(text.parse::<Message>().unwrap().to_string(), text);
        assert_eq!(text.parse::<Oracle>().unwrap().to_string(), text);
    }
}
