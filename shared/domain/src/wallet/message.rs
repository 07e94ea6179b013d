//! The sign-in message that a wallet signs (EIP-4361): its parts and its one printed form.

mod check;
mod parse;

use std::fmt;

pub use check::{Expectation, Mismatch};
pub use parse::MessageError;

use super::address::Address;
use super::grammar;
use super::nonce::Nonce;
use crate::time::Timestamp;

/// A sign-in message of version 1.
///
/// `Display` prints the text that is signed; parsing that text gives the same message back, byte for byte.
///
/// ```text
/// [scheme://]domain wants you to sign in with your Ethereum account:
/// address
///
/// [statement]
///
/// URI: uri
/// Version: 1
/// Chain ID: chain_id
/// Nonce: nonce
/// Issued At: issued_at
/// [Expiration Time: expiration_time]
/// [Not Before: not_before]
/// [Request ID: request_id]
/// [Resources:
/// - resource …]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub(super) scheme: Option<String>,
    pub(super) domain: String,
    pub(super) address: Address,
    pub(super) statement: Option<String>,
    pub(super) uri: String,
    pub(super) chain_id: u64,
    pub(super) nonce: String,
    pub(super) issued_at: DateTime,
    pub(super) expiration_time: Option<DateTime>,
    pub(super) not_before: Option<DateTime>,
    pub(super) request_id: Option<String>,
    pub(super) resources: Option<Vec<String>>,
}

impl Message {
    /// The message by which `party` asks the holder of `address` to sign in.
    #[must_use]
    pub fn issue(
        party: &RelyingParty,
        address: Address,
        nonce: &Nonce,
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            scheme: None,
            domain: party.domain.clone(),
            address,
            statement: Some(party.statement.clone()),
            uri: party.uri.clone(),
            chain_id: party.chain_id,
            nonce: nonce.to_string(),
            issued_at: issued_at.into(),
            expiration_time: Some(expires_at.into()),
            not_before: None,
            request_id: None,
            resources: None,
        }
    }

    /// The account that the message speaks of.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }
}

impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = &self.scheme {
            write!(formatter, "{scheme}://")?;
        }
        write!(formatter, "{}{PREAMBLE}\n{}\n\n", self.domain, self.address)?;
        if let Some(statement) = &self.statement {
            writeln!(formatter, "{statement}")?;
        }
        write!(formatter, "\n{URI}{}\n{VERSION}1\n{CHAIN_ID}{}\n", self.uri, self.chain_id)?;
        write!(formatter, "{NONCE}{}\n{ISSUED_AT}{}", self.nonce, self.issued_at)?;
        if let Some(time) = &self.expiration_time {
            write!(formatter, "\n{EXPIRATION_TIME}{time}")?;
        }
        if let Some(time) = &self.not_before {
            write!(formatter, "\n{NOT_BEFORE}{time}")?;
        }
        if let Some(request_id) = &self.request_id {
            write!(formatter, "\n{REQUEST_ID}{request_id}")?;
        }
        if let Some(resources) = &self.resources {
            write!(formatter, "\n{RESOURCES}")?;
            for resource in resources {
                write!(formatter, "\n{RESOURCE}{resource}")?;
            }
        }
        Ok(())
    }
}

/// Who asks wallets to sign in: the four parts of a message that are the same for every user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    domain: String,
    uri: String,
    statement: String,
    chain_id: u64,
}

impl RelyingParty {
    /// The party at `uri`, whose authority is the message's domain, with an EIP-155 chain id.
    ///
    /// # Errors
    /// [`RelyingPartyError`] names the part that has no place in a message.
    pub fn new(uri: &str, statement: &str, chain_id: u64) -> Result<Self, RelyingPartyError> {
        let after_scheme = uri.split_once("://").map(|(_, after)| after);
        let domain = after_scheme.and_then(|after| after.split(['/', '?', '#']).next()).unwrap_or_default();
        if uri.len() > MAX_PART_BYTES || !grammar::is_uri(uri) || !grammar::is_authority(domain) {
            return Err(RelyingPartyError::Uri);
        }
        if statement.len() > MAX_PART_BYTES || !grammar::is_statement(statement) {
            return Err(RelyingPartyError::Statement);
        }
        Ok(Self { domain: domain.to_owned(), uri: uri.to_owned(), statement: statement.to_owned(), chain_id })
    }

    /// The EIP-155 id of the chain that accounts are named on.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The authority (host and optional port) that a message must name.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The URI that a message must name.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }
}

/// The part of a relying party that cannot be printed in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelyingPartyError {
    /// No absolute URI with an authority, or longer than 1,024 bytes.
    #[error("the sign-in URI is no absolute URI with a host")]
    Uri,
    /// Empty, longer than 1,024 bytes, or with characters outside RFC 3986's and the space.
    #[error("the sign-in statement has characters that EIP-4361 does not allow")]
    Statement,
}

/// An RFC 3339 `date-time` that remembers its spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DateTime {
    text: String,
    instant: Timestamp,
}

impl DateTime {
    fn parse(text: &str) -> Option<Self> {
        let instant = grammar::parse_date_time(text)?;
        Some(Self { text: text.to_owned(), instant })
    }

    const fn instant(&self) -> Timestamp {
        self.instant
    }
}

impl From<Timestamp> for DateTime {
    fn from(instant: Timestamp) -> Self {
        Self { text: instant.to_string(), instant }
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// What a wallet shows its holder above the technical lines.
pub const SIGN_IN_STATEMENT: &str = "Sign in with your wallet. This costs nothing and sends no transaction.";
/// The longest message that is read, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4096;

const MAX_PART_BYTES: usize = 1024;

const PREAMBLE: &str = " wants you to sign in with your Ethereum account:";
const URI: &str = "URI: ";
const VERSION: &str = "Version: ";
const CHAIN_ID: &str = "Chain ID: ";
const NONCE: &str = "Nonce: ";
const ISSUED_AT: &str = "Issued At: ";
const EXPIRATION_TIME: &str = "Expiration Time: ";
const NOT_BEFORE: &str = "Not Before: ";
const REQUEST_ID: &str = "Request ID: ";
const RESOURCES: &str = "Resources:";
const RESOURCE: &str = "- ";

#[cfg(test)]
mod tests;
