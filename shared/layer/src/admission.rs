//! An admitted request as the backend sees it: who calls, and the charge that the gate has made.

use std::fmt;

use faregate_domain::{
    id::{AccountId, KeyId, ProjectId},
    money::MicroUsd,
    scope::{Grant, GrantSet},
};

/// What the gate says of a request that it let through. The layer puts it into the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Who is calling.
    pub principal: Principal,
    /// The charge that this request has made.
    pub charge: Charge,
    /// The amount held until the charge is settled; `None` where the price is fixed and nothing is to settle.
    pub reserved: Option<MicroUsd>,
    /// The gateway's id of the request, at most 128 visible ASCII characters; empty where it names none.
    pub request_id: String,
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The account that pays.
    pub account: AccountId,
    /// The project that the caller belongs to.
    pub project: ProjectId,
    /// The key that called; `None` for a signed-in person.
    pub key: Option<KeyId>,
    /// The environment's name, `[a-z0-9-]{1,32}`.
    pub environment: String,
    /// The gallery that requests of this caller search, at most 128 visible ASCII characters.
    pub gallery: String,
    /// What the caller may do.
    pub scopes: GrantSet,
}

impl Admission {
    /// Reads the members of an admission.
    ///
    /// # Errors
    /// [`MalformedAdmission`] names the first member that is not what the gate would write.
    pub(crate) fn read<'m>(
        text: impl Fn(&'static str) -> &'m str,
        request_id: &str,
    ) -> Result<Self, MalformedAdmission> {
        let charge = Charge::parse(text("chargeId")).map_err(|_| MalformedAdmission("chargeId"))?;
        let reserved = match text("settle") {
            "" => None,
            "required" => Some(MicroUsd::parse(text("reservedUsd")).map_err(|_| MalformedAdmission("reservedUsd"))?),
            _ => return Err(MalformedAdmission("settle")),
        };
        Ok(Self { principal: Principal::read(text)?, charge, reserved, request_id: request_id.to_owned() })
    }
}

impl Principal {
    fn read<'m>(text: impl Fn(&'static str) -> &'m str) -> Result<Self, MalformedAdmission> {
        let key = Some(text("keyId")).filter(|id| !id.is_empty()).map(KeyId::parse).transpose();
        let scopes = text("scopes").split(' ').map(Grant::parse).collect::<Result<Vec<_>, _>>().and_then(GrantSet::new);
        Ok(Self {
            account: AccountId::parse(text("accountId")).map_err(|_| MalformedAdmission("accountId"))?,
            project: ProjectId::parse(text("projectId")).map_err(|_| MalformedAdmission("projectId"))?,
            key: key.map_err(|_| MalformedAdmission("keyId"))?,
            environment: bounded(text("environment"), 1..=32, is_name_byte).ok_or(MalformedAdmission("environment"))?,
            gallery: bounded(text("gallery"), 0..=128, |byte| byte.is_ascii_graphic())
                .ok_or(MalformedAdmission("gallery"))?,
            scopes: scopes.map_err(|_| MalformedAdmission("scopes"))?,
        })
    }
}

/// The id under which a charge is settled: opaque, and safe in a URL, `[A-Za-z0-9_]{1,64}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Charge(String);

impl Charge {
    /// Reads the id of a charge.
    ///
    /// # Errors
    /// [`InvalidCharge`] for any other text than `[A-Za-z0-9_]{1,64}`.
    pub fn parse(text: &str) -> Result<Self, InvalidCharge> {
        bounded(text, 1..=64, |byte| byte.is_ascii_alphanumeric() || byte == b'_').map(Self).ok_or(InvalidCharge)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Charge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A text that is no id of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a charge")]
pub struct InvalidCharge;

/// The member of an admission that is not what the gate writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the admission's {0} is malformed")]
pub(crate) struct MalformedAdmission(pub(crate) &'static str);

/// A text within a range of lengths, of allowed bytes only.
pub(crate) fn bounded(
    text: &str,
    lengths: std::ops::RangeInclusive<usize>,
    is_allowed: impl Fn(u8) -> bool,
) -> Option<String> {
    (lengths.contains(&text.len()) && text.bytes().all(is_allowed)).then(|| text.to_owned())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

#[cfg(test)]
pub(crate) mod tests {
    use faregate_domain::scope::Scope;

    use super::*;

    pub(crate) const ADMITTED: [(&str, &str); 10] = [
        ("status", "200"),
        ("accountId", "acc_aaaaaaaaaaaaaaaaaaaaaa"),
        ("projectId", "prj_bbbbbbbbbbbbbbbbbbbbbb"),
        ("keyId", "key_cccccccccccccccc"),
        ("environment", "sandbox"),
        ("gallery", "prj_bbbbbbbbbbbbbbbbbbbbbb"),
        ("scopes", "demo:* keys:manage"),
        ("chargeId", "chg_dddddddddddddddddddddd"),
        ("settle", "required"),
        ("reservedUsd", "0.10"),
    ];

    /// Reads an admission in which one member is another.
    fn with(member: &str, value: &str) -> Result<Admission, MalformedAdmission> {
        let text = |name: &'static str| match ADMITTED.iter().find(|(own, _)| *own == name) {
            Some((own, _)) if *own == member => value,
            Some((_, text)) => text,
            None => "",
        };
        Admission::read(text, "req-1")
    }

    #[test]
    fn an_admission_says_who_calls_and_what_is_held() {
        let admission = with("", "").unwrap();
        assert_eq!(admission.principal.account.to_string(), "acc_aaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(admission.principal.project.to_string(), "prj_bbbbbbbbbbbbbbbbbbbbbb");
        assert_eq!(admission.principal.key.unwrap().to_string(), "key_cccccccccccccccc");
        assert_eq!(admission.principal.environment, "sandbox");
        assert_eq!(admission.principal.gallery, "prj_bbbbbbbbbbbbbbbbbbbbbb");
        assert!(admission.principal.scopes.permits(&Scope::parse("demo:write").unwrap()));
        assert!(!admission.principal.scopes.permits(&Scope::parse("billing:read").unwrap()));
        assert_eq!(admission.charge.as_str(), "chg_dddddddddddddddddddddd");
        assert_eq!(admission.reserved, MicroUsd::new(100_000).ok());
        assert_eq!(admission.request_id, "req-1");
    }

    #[test]
    fn a_person_has_no_key_and_a_fixed_price_reserves_nothing() {
        assert_eq!(with("keyId", "").unwrap().principal.key, None);
        assert_eq!(with("settle", "").unwrap().reserved, None);
    }

    #[test]
    fn a_member_that_the_gate_would_not_write_is_named() {
        let long = "a".repeat(129);
        for (member, value) in [
            ("accountId", ""),
            ("accountId", "acc_1"),
            ("projectId", "acc_aaaaaaaaaaaaaaaaaaaaaa"),
            ("keyId", "key_"),
            ("environment", ""),
            ("environment", "Sandbox"),
            ("environment", &long[..33]),
            ("gallery", "a b"),
            ("gallery", &long),
            ("scopes", ""),
            ("scopes", "demo:*  keys:manage"),
            ("chargeId", ""),
            ("chargeId", "../keys"),
            ("settle", "Required"),
            ("settle", "no"),
            ("reservedUsd", ""),
            ("reservedUsd", "-1"),
            ("reservedUsd", "1e3"),
        ] {
            assert_eq!(with(member, value).unwrap_err(), MalformedAdmission(member), "{value}");
        }
    }

    #[test]
    fn an_id_of_a_charge_cannot_leave_its_place_in_a_url() {
        let longest = "c".repeat(64);
        for text in ["a", "chg_A9", &longest] {
            assert_eq!(Charge::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "a/b", "a?b", "a#b", "a%2f", "a.b", "a-b", "a b", "é", &"c".repeat(65)] {
            assert_eq!(Charge::parse(text), Err(InvalidCharge), "{text}");
        }
    }
}
