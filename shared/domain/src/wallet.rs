//! Ethereum wallets: addresses, sign-in messages and signatures.

mod address;
mod cap;
mod grammar;
mod message;
mod nonce;
#[cfg(test)]
mod oracle;
mod session;
mod signature;

pub use address::{Address, AddressError};
pub use cap::{CallerNetwork, NonceCap, NonceCounts, SECONDS_PER_HOUR};
pub use message::{
    Expectation, MAX_MESSAGE_BYTES, Message, MessageError, Mismatch, RelyingParty, RelyingPartyError, SIGN_IN_STATEMENT,
};
pub use nonce::{NONCE_LIFETIME_SECONDS, Nonce, NonceError};
pub use session::{MAX_LIVE_SESSIONS, Sessions};
pub use signature::{MAX_SIGNATURE_BYTES, Signature, SignatureError};
