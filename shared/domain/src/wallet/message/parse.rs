//! Reads a sign-in message by the letter of EIP-4361's grammar.

use std::iter::Peekable;
use std::str::{FromStr, Split};

use super::{
    CHAIN_ID, DateTime, EXPIRATION_TIME, ISSUED_AT, MAX_MESSAGE_BYTES, Message, NONCE, NOT_BEFORE, PREAMBLE,
    REQUEST_ID, RESOURCE, RESOURCES, URI, VERSION,
};
use crate::wallet::address::Address;
use crate::wallet::grammar;

impl FromStr for Message {
    type Err = MessageError;

    /// Reads a whole message: every part in its place, nothing after the last, at most [`MAX_MESSAGE_BYTES`].
    fn from_str(text: &str) -> Result<Self, MessageError> {
        if text.len() > MAX_MESSAGE_BYTES {
            return Err(MessageError::TooLong);
        }
        let mut lines = Lines(text.split('\n').peekable());
        let (scheme, domain) = lines.next_origin()?;
        let address = lines.next_where("address", |line| Address::parse_checksummed(line).ok())?;
        lines.next_blank()?;
        let statement = lines.next_statement()?;
        lines.next_blank()?;
        let uri = lines.next_tagged("uri", URI, owned_if(grammar::is_uri))?;
        lines.next_tagged("version", VERSION, |value| (value == "1").then_some(()))?;
        let message = Self {
            scheme,
            domain,
            address,
            statement,
            uri,
            chain_id: lines.next_tagged("chain id", CHAIN_ID, parse_chain_id)?,
            nonce: lines.next_tagged("nonce", NONCE, owned_if(is_nonce))?,
            issued_at: lines.next_tagged("issued at", ISSUED_AT, DateTime::parse)?,
            expiration_time: lines.next_optional("expiration time", EXPIRATION_TIME, DateTime::parse)?,
            not_before: lines.next_optional("not before", NOT_BEFORE, DateTime::parse)?,
            request_id: lines.next_optional("request id", REQUEST_ID, owned_if(grammar::is_request_id))?,
            resources: lines.next_resources()?,
        };
        match lines.0.next() {
            None => Ok(message),
            Some(_) => Err(MessageError::Trailing),
        }
    }
}

/// Why a text is no sign-in message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// More than [`MAX_MESSAGE_BYTES`].
    #[error("the message is too long")]
    TooLong,
    /// A part is absent, out of its place, or not what the grammar allows there.
    #[error("the message has no valid {part} in its place")]
    Part {
        /// The part's name.
        part: &'static str,
    },
    /// The message goes on after its last part.
    #[error("the message goes on after its end")]
    Trailing,
}

/// The lines that are still to be read.
struct Lines<'text>(Peekable<Split<'text, char>>);

impl<'text> Lines<'text> {
    fn next_where<T>(
        &mut self,
        part: &'static str,
        parse: impl FnOnce(&'text str) -> Option<T>,
    ) -> Result<T, MessageError> {
        self.0.next().and_then(parse).ok_or(MessageError::Part { part })
    }

    fn next_tagged<T>(
        &mut self,
        part: &'static str,
        tag: &str,
        parse: impl FnOnce(&'text str) -> Option<T>,
    ) -> Result<T, MessageError> {
        self.next_where(part, |line| line.strip_prefix(tag).and_then(parse))
    }

    fn next_optional<T>(
        &mut self,
        part: &'static str,
        tag: &str,
        parse: impl FnOnce(&'text str) -> Option<T>,
    ) -> Result<Option<T>, MessageError> {
        match self.0.peek() {
            Some(line) if line.starts_with(tag) => self.next_tagged(part, tag, parse).map(Some),
            _ => Ok(None),
        }
    }

    fn next_origin(&mut self) -> Result<(Option<String>, String), MessageError> {
        self.next_where("domain", |line| {
            let origin = line.strip_suffix(PREAMBLE)?;
            let (scheme, domain) = match origin.split_once("://") {
                Some((scheme, domain)) => (Some(scheme), domain),
                None => (None, origin),
            };
            let is_valid = scheme.is_none_or(grammar::is_scheme) && grammar::is_authority(domain);
            is_valid.then(|| (scheme.map(str::to_owned), domain.to_owned()))
        })
    }

    fn next_blank(&mut self) -> Result<(), MessageError> {
        self.next_where("blank line", |line| line.is_empty().then_some(()))
    }

    fn next_statement(&mut self) -> Result<Option<String>, MessageError> {
        match self.0.peek() {
            Some(line) if !line.is_empty() => self.next_where("statement", owned_if(grammar::is_statement)).map(Some),
            _ => Ok(None),
        }
    }

    fn next_resources(&mut self) -> Result<Option<Vec<String>>, MessageError> {
        if self.0.next_if_eq(&RESOURCES).is_none() {
            return Ok(None);
        }
        let mut resources = Vec::new();
        while let Some(resource) = self.next_optional("resource", RESOURCE, owned_if(grammar::is_uri))? {
            resources.push(resource);
        }
        Ok(Some(resources))
    }
}

fn owned_if(is_valid: fn(&str) -> bool) -> impl FnOnce(&str) -> Option<String> {
    move |text| is_valid(text).then(|| text.to_owned())
}

/// Digits without leading zeros: another spelling would not print as it was read.
fn parse_chain_id(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn is_nonce(text: &str) -> bool {
    text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
