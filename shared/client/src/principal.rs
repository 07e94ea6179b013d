//! Who is calling, as the gate says it to a backend.

use faregate_domain::{
    id::{AccountId, ClientSessionId, KeyId, ProjectId},
    scope::{Grant, GrantSet},
};

use crate::bounded::bounded;

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The account that pays.
    pub account: AccountId,
    /// The project that the caller belongs to.
    pub project: ProjectId,
    /// The key that called; `None` for a signed-in person.
    pub key: Option<KeyId>,
    /// The client session in whose name the key is used, where a frontend calls.
    pub session: Option<ClientSessionId>,
    /// The environment's name, `[a-z0-9-]{1,32}`.
    pub environment: String,
    /// The gallery that requests of this caller search, at most 128 visible ASCII characters.
    pub gallery: String,
    /// What the caller may do.
    pub scopes: GrantSet,
}

impl Principal {
    /// Reads a principal from the texts of its parts; an empty key or session is none.
    ///
    /// # Errors
    /// [`InvalidPrincipal`] names the first part that is not what the gate would write.
    pub fn parse<'p>(
        text: impl Fn(Part) -> &'p str,
        scopes: impl IntoIterator<Item = &'p str>,
    ) -> Result<Self, InvalidPrincipal> {
        let plain = |part, lengths, is_allowed: fn(u8) -> bool| {
            bounded(text(part), lengths, is_allowed).ok_or(InvalidPrincipal(part))
        };
        let key = Some(text(Part::Key)).filter(|id| !id.is_empty()).map(KeyId::parse).transpose();
        let session = Some(text(Part::Session)).filter(|id| !id.is_empty()).map(ClientSessionId::parse).transpose();
        let scopes = scopes.into_iter().map(Grant::parse).collect::<Result<Vec<_>, _>>().and_then(GrantSet::new);
        Ok(Self {
            account: AccountId::parse(text(Part::Account)).map_err(|_| InvalidPrincipal(Part::Account))?,
            project: ProjectId::parse(text(Part::Project)).map_err(|_| InvalidPrincipal(Part::Project))?,
            key: key.map_err(|_| InvalidPrincipal(Part::Key))?,
            session: session.map_err(|_| InvalidPrincipal(Part::Session))?,
            environment: plain(Part::Environment, 1..=32, is_name_byte)?,
            gallery: plain(Part::Gallery, 0..=128, |byte| byte.is_ascii_graphic())?,
            scopes: scopes.map_err(|_| InvalidPrincipal(Part::Scopes))?,
        })
    }
}

/// One part of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// [`Principal::account`]
    Account,
    /// [`Principal::project`]
    Project,
    /// [`Principal::key`]
    Key,
    /// [`Principal::session`]
    Session,
    /// [`Principal::environment`]
    Environment,
    /// [`Principal::gallery`]
    Gallery,
    /// [`Principal::scopes`]
    Scopes,
}

/// The part of a principal that is not what the gate writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the caller's {0:?} is malformed")]
pub struct InvalidPrincipal(pub Part);

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}
