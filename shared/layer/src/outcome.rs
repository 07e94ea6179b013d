//! How a request ended, and what it cost: what a backend may say of it, and what follows when it says nothing.

use faregate_client::Settlement;
use faregate_domain::{money::MicroUsd, settlement::ErrorCode};
use http::{HeaderMap, HeaderName, Response, StatusCode};

/// What the work of a request has really cost. Put it into the response's extensions.
///
/// Without it the whole reserved amount is charged. A request that failed costs nothing, whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActualCost(pub MicroUsd);

/// How a request ended, where its status does not tell. Put it into the response's extensions.
///
/// Without it a status of 500 and above is a failure and every other one a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The work was done: [`ActualCost`] is charged, or the whole reserved amount.
    Succeeded,
    /// The work was not done: nothing is charged.
    Failed(ErrorCode),
    /// The work goes on after the response. The layer settles nothing; the backend calls
    /// [`Settler::settle`](crate::Settler::settle) when it is done.
    Deferred,
}

/// A failure of the kind that the layer itself finds.
pub(crate) fn failed(code: &str) -> Settlement {
    Settlement::Failed { code: ErrorCode::parse(code) }
}

/// What a response says about its request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    outcome: Option<Outcome>,
    actual: Option<MicroUsd>,
}

impl Said {
    /// The settlement of a charge of `reserved` by what a response of this status says; `None` when it says that it is
    /// for later.
    pub(crate) fn settlement(&self, status: StatusCode, reserved: MicroUsd) -> Option<Settlement> {
        match self.outcome.clone() {
            Some(Outcome::Deferred) => None,
            Some(Outcome::Failed(code)) => Some(Settlement::Failed { code: Some(code) }),
            None if status.is_server_error() => Some(failed(&format!("http_{}", status.as_str()))),
            None | Some(Outcome::Succeeded) => {
                if let Some(actual) = self.actual.filter(|actual| *actual > reserved) {
                    tracing::error!(%actual, %reserved, "the backend's cost is above what was reserved for it");
                }
                Some(Settlement::Succeeded { actual: self.actual.filter(|actual| *actual <= reserved) })
            }
        }
    }

    /// Takes what a response says out of it: both extensions, and [`COST_HEADER`] where the backend uses it.
    pub(crate) fn take<B>(response: &mut Response<B>, reads_cost_header: bool) -> Self {
        let in_header = if reads_cost_header { take_cost(response.headers_mut()) } else { None };
        let extensions = response.extensions_mut();
        let actual = extensions.remove::<ActualCost>().map(|ActualCost(actual)| actual).or(in_header);
        Self { outcome: extensions.remove(), actual }
    }
}

/// The response header in which a backend may say its cost in decimal dollars, if the layer is told to read it.
pub const COST_HEADER: HeaderName = HeaderName::from_static("x-actual-cost-usd");

fn take_cost(headers: &mut HeaderMap) -> Option<MicroUsd> {
    let mut values = headers.get_all(COST_HEADER).iter();
    let (first, second) = (values.next()?, values.next());
    let cost = first.to_str().ok().and_then(|text| MicroUsd::parse(text).ok()).filter(|_| second.is_none());
    if cost.is_none() {
        tracing::error!(header = %COST_HEADER, "the backend's cost is not one amount of dollars");
    }
    headers.remove(COST_HEADER);
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(micro_usd: u64) -> MicroUsd {
        MicroUsd::new(micro_usd).unwrap()
    }

    fn settlement(status: u16, outcome: Option<Outcome>, actual: Option<u64>) -> Option<Settlement> {
        let said = Said { outcome, actual: actual.map(usd) };
        said.settlement(StatusCode::from_u16(status).unwrap(), usd(100))
    }

    fn succeeded(actual: Option<u64>) -> Settlement {
        Settlement::Succeeded { actual: actual.map(usd) }
    }

    #[test]
    fn the_status_tells_where_nothing_is_said() {
        for status in [200, 201, 302, 400, 404, 499] {
            assert_eq!(settlement(status, None, None), Some(succeeded(None)), "{status}");
            assert_eq!(settlement(status, None, Some(37)), Some(succeeded(Some(37))), "{status}");
        }
        for (status, code) in [(500, "http_500"), (503, "http_503"), (599, "http_599")] {
            let code = ErrorCode::parse(code);
            assert!(code.is_some());
            assert_eq!(settlement(status, None, Some(37)), Some(Settlement::Failed { code }));
        }
    }

    #[test]
    fn what_is_said_goes_before_the_status() {
        let code = ErrorCode::parse("model.timeout").unwrap();
        assert_eq!(settlement(500, Some(Outcome::Succeeded), Some(1)), Some(succeeded(Some(1))));
        assert_eq!(settlement(200, Some(Outcome::Failed(code)), Some(1)), Some(failed("model.timeout")));
        for status in [202, 500] {
            assert_eq!(settlement(status, Some(Outcome::Deferred), Some(1)), None);
        }
    }

    #[test]
    fn a_cost_above_the_reserved_amount_becomes_the_reserved_amount() {
        assert_eq!(settlement(200, None, Some(100)), Some(succeeded(Some(100))));
        assert_eq!(settlement(200, None, Some(101)), Some(succeeded(None)));
        assert_eq!(settlement(200, None, Some(0)), Some(succeeded(Some(0))));
    }

    #[test]
    fn a_cost_is_taken_out_of_the_response() {
        let answered = |values: &[&str], extension: Option<u64>, reads: bool| {
            let mut response = Response::new(());
            for value in values {
                response.headers_mut().append(COST_HEADER, value.parse().unwrap());
            }
            if let Some(cost) = extension {
                response.extensions_mut().insert(ActualCost(usd(cost)));
            }
            response.extensions_mut().insert(Outcome::Succeeded);
            let said = Said::take(&mut response, reads);
            assert!(response.extensions().is_empty());
            assert_eq!(said.outcome, Some(Outcome::Succeeded));
            (said.actual.map(MicroUsd::micro_usd), response.headers().len())
        };
        assert_eq!(answered(&["0.037"], None, true), (Some(37_000), 0));
        assert_eq!(answered(&["0.037"], Some(5), true), (Some(5), 0));
        assert_eq!(answered(&["0.037"], None, false), (None, 1));
        assert_eq!(answered(&[], None, true), (None, 0));
        for bad in [&["free"][..], &["-1"], &["0.1", "0.1"], &[""], &["0.0000001"]] {
            assert_eq!(answered(bad, None, true), (None, 0), "{bad:?}");
        }
    }
}
