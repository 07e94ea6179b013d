//! An admitted request as the backend sees it: who calls, and the charge that the gate has made.

use faregate_client::{Charge, InvalidPrincipal, Part, Principal};
use faregate_domain::money::MicroUsd;

/// What the gate says of a request that it let through. The layer puts it into the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Who is calling.
    pub principal: Principal,
    /// The charge that this request has made; `None` where it came by a signed URL, which counts and costs nothing.
    pub charge: Option<Charge>,
    /// The amount held until the charge is settled; `None` where the price is fixed and nothing is to settle.
    pub reserved: Option<MicroUsd>,
    /// The gateway's id of the request, at most 128 visible ASCII characters; empty where it names none.
    pub request_id: String,
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
        let charge = match text("chargeId") {
            "" => None,
            id => Some(Charge::parse(id).map_err(|_| MalformedAdmission("chargeId"))?),
        };
        let reserved = match text("settle") {
            "" => None,
            "required" if charge.is_none() => return Err(MalformedAdmission("chargeId")),
            "required" => Some(MicroUsd::parse(text("reservedUsd")).map_err(|_| MalformedAdmission("reservedUsd"))?),
            _ => return Err(MalformedAdmission("settle")),
        };
        let principal = Principal::parse(|part| text(member_of(part)), text("scopes").split(' '));
        let principal = principal.map_err(|InvalidPrincipal(part)| MalformedAdmission(member_of(part)))?;
        Ok(Self { principal, charge, reserved, request_id: request_id.to_owned() })
    }
}

/// The member of an admission that is not what the gate writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the admission's {0} is malformed")]
pub(crate) struct MalformedAdmission(pub(crate) &'static str);

/// The member that carries a part of the caller.
fn member_of(part: Part) -> &'static str {
    match part {
        Part::Account => "accountId",
        Part::Project => "projectId",
        Part::Key => "keyId",
        Part::Session => "clientSessionId",
        Part::Environment => "environment",
        Part::Gallery => "gallery",
        Part::Scopes => "scopes",
    }
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
        assert_eq!(admission.charge.unwrap().as_str(), "chg_dddddddddddddddddddddd");
        assert_eq!(admission.reserved, MicroUsd::new(100_000).ok());
        assert_eq!(admission.request_id, "req-1");
    }

    #[test]
    fn a_person_has_no_key_and_a_fixed_price_reserves_nothing() {
        assert_eq!(with("keyId", "").unwrap().principal.key, None);
        assert_eq!(with("settle", "").unwrap().reserved, None);
    }

    #[test]
    fn a_signed_url_makes_no_charge() {
        let text = |name| match name {
            "chargeId" | "settle" | "reservedUsd" => "",
            _ => ADMITTED.iter().find(|(own, _)| *own == name).map_or("", |(_, text)| text),
        };
        assert_eq!(Admission::read(text, "").unwrap().charge, None);
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
}
