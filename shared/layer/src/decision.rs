//! The gate's decision about one request, read as a whole or not at all.

use http::{Request, Response};

use crate::{
    admission::{Admission, MalformedAdmission},
    rendering::{self, NoVerdict, Verdict},
    source::{Members, Source, Unreadable},
};

/// What to do with a request.
#[derive(Debug)]
pub(crate) enum Decision {
    /// Let it through, and add the limits of these members to its response.
    Admitted { admission: Admission, members: Members },
    /// Answer it like this.
    Refused(Response<String>),
}

impl Decision {
    /// Reads a request's decision.
    ///
    /// # Errors
    /// [`NoDecision`] when there is none to act on; the request must not go on.
    pub(crate) fn read<B>(source: Source, request: &Request<B>, request_id: &str) -> Result<Self, NoDecision> {
        let members = source.read(request)?;
        match rendering::verdict(|name| members.text(name))? {
            Verdict::Refused(status) => Ok(Self::Refused(rendering::refusal(status, |name| members.text(name)))),
            Verdict::Admitted => {
                let admission = Admission::read(|name| members.text(name), request_id)?;
                Ok(Self::Admitted { admission, members })
            }
        }
    }
}

/// Why a request carries no decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoDecision {
    /// A member cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Neither an admission nor a refusal.
    #[error(transparent)]
    NoVerdict(#[from] NoVerdict),
    /// An admission that does not say whose.
    #[error(transparent)]
    Malformed(#[from] MalformedAdmission),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{admission::tests::ADMITTED, member::MEMBERS};

    /// A request whose headers say what `pairs` say of a decision.
    fn request(pairs: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::new(());
        for (header, name) in MEMBERS {
            if let Some((_, value)) = pairs.iter().rev().find(|(own, _)| *own == name) {
                request.headers_mut().insert(header, value.parse().unwrap());
            }
        }
        request
    }

    fn read(more: &[(&str, &str)]) -> Result<Decision, NoDecision> {
        Decision::read(Source::Headers, &request(&[&ADMITTED, more].concat()), "req-1")
    }

    #[test]
    fn an_admission_is_read_whole() {
        let Ok(Decision::Admitted { admission, members }) = read(&[("rlLimit", "7")]) else { panic!("admitted") };
        assert_eq!(admission.principal.environment, "sandbox");
        assert_eq!(members.text("rlLimit"), "7");
    }

    #[test]
    fn a_refusal_needs_nobody() {
        let Ok(Decision::Refused(answer)) = read(&[("status", "402"), ("problem", "{}"), ("accountId", "")]) else {
            panic!("refused")
        };
        assert_eq!(answer.status(), 402);
    }

    #[test]
    fn whatever_is_neither_is_no_decision() {
        assert_eq!(read(&[("status", "")]).unwrap_err(), NoVerdict::Absent.into());
        assert_eq!(read(&[("status", "204")]).unwrap_err(), NoVerdict::Status.into());
        assert_eq!(read(&[("status", "402")]).unwrap_err(), NoVerdict::Problem.into());
        assert_eq!(read(&[("accountId", "")]).unwrap_err(), MalformedAdmission("accountId").into());
        let mut twice = request(&ADMITTED);
        twice.headers_mut().append("x-faregate-status", "200".parse().unwrap());
        let decision = Decision::read(Source::Headers, &twice, "");
        assert_eq!(decision.unwrap_err(), Unreadable::Repeated("status").into());
    }
}
