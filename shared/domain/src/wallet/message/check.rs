//! Compares a message that a client built with what we would have it say.

use super::{DateTime, Message, RelyingParty};
use crate::time::Timestamp;
use crate::wallet::address::Address;
use crate::wallet::nonce::{NONCE_LIFETIME_SECONDS, Nonce};

/// What a message must say to be accepted at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// Who asked.
    pub party: &'a RelyingParty,
    /// The account that claims to sign.
    pub address: Address,
    /// The nonce that was consumed for this attempt.
    pub nonce: &'a Nonce,
    /// The present.
    pub now: Timestamp,
}

impl Message {
    /// Checks every part that binds the message to one party, account, nonce and moment.
    ///
    /// # Errors
    /// The first [`Mismatch`].
    pub fn check(&self, expected: &Expectation<'_>) -> Result<(), Mismatch> {
        let party = expected.party;
        let scheme_of_uri = party.uri.split_once("://").map(|(scheme, _)| scheme);
        if self.domain != party.domain || (self.scheme.is_some() && self.scheme.as_deref() != scheme_of_uri) {
            return Err(Mismatch::Domain);
        }
        // A browser's `location.origin` has no slash at its end where another client's base URI has one.
        if self.uri.strip_suffix('/').unwrap_or(&self.uri) != party.uri.strip_suffix('/').unwrap_or(&party.uri) {
            return Err(Mismatch::Uri);
        }
        if self.chain_id != party.chain_id {
            return Err(Mismatch::ChainId);
        }
        if self.address != expected.address {
            return Err(Mismatch::Address);
        }
        if self.nonce != expected.nonce.as_str() {
            return Err(Mismatch::Nonce);
        }
        self.check_times(expected.now)
    }

    fn check_times(&self, now: Timestamp) -> Result<(), Mismatch> {
        let issued_at = self.issued_at.instant;
        let oldest = now.minus_s(NONCE_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS);
        if issued_at > now.plus_s(CLOCK_SKEW_SECONDS) || issued_at < oldest {
            return Err(Mismatch::IssuedAt);
        }
        let expiration = self.expiration_time.as_ref().map(DateTime::instant);
        if expiration.is_some_and(|expiration| expiration <= now || expiration <= issued_at) {
            return Err(Mismatch::Expired);
        }
        let not_before = self.not_before.as_ref().map(DateTime::instant);
        if not_before.is_some_and(|not_before| not_before.epoch_s() > now.epoch_s()) {
            return Err(Mismatch::NotYetValid);
        }
        Ok(())
    }
}

/// The part of a message that is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another domain, or a scheme that is not our URI's.
    #[error("the message names another domain")]
    Domain,
    /// Another URI.
    #[error("the message names another URI")]
    Uri,
    /// Another chain.
    #[error("the message names another chain")]
    ChainId,
    /// Another account.
    #[error("the message names another address")]
    Address,
    /// Another nonce.
    #[error("the message carries another nonce")]
    Nonce,
    /// Issued in the future, or before the nonce can have been.
    #[error("the message was not issued just now")]
    IssuedAt,
    /// Its expiration time has come, or lies before it was issued.
    #[error("the message has expired")]
    Expired,
    /// Its not-before time has not come.
    #[error("the message is not valid yet")]
    NotYetValid,
}

/// How far a client's clock may be off when it writes `Issued At`, in seconds.
const CLOCK_SKEW_SECONDS: u64 = 60;
