//! A denial as a problem: the same words in every wiring.

use faregate_domain::{
    denial::{Denial, Exhausted},
    money::MicroUsd,
    time::Timestamp,
};
use faregate_edge::problem::Problem;
use serde_json::{Value, json};

/// Renders a denial at the instant it was decided.
#[must_use]
pub fn problem(denial: &Denial, now: Timestamp) -> Problem {
    let mut problem = Problem::new(denial.status(), denial.code(), denial.detail());
    if let Some(challenge) = denial.challenge() {
        problem = problem.with_header("www-authenticate", challenge);
    }
    if let Some(retry_at) = denial.retry_at() {
        problem = problem.with_header("retry-after", now.seconds_until(retry_at).max(1).to_string());
    }
    match denial {
        Denial::InsufficientScope { required } => problem.with_member("required_scope", required.as_str()),
        Denial::InsufficientCredits { source, spent, reserved, limit, .. } => problem
            .with_member("limit_source", source.as_str())
            .with_member("spent_usd", dollars(*spent))
            .with_member("reserved_usd", dollars(*reserved))
            .with_member("limit_usd", limit.map_or(Value::Null, dollars)),
        _ => match denial.exhausted() {
            Some(exhausted) => with_limit(problem, exhausted),
            None => problem,
        },
    }
}

/// 503: there is no decision, because a part failed that it rests on.
#[must_use]
pub fn gate_unavailable() -> Problem {
    Problem::new(503, "gate_unavailable", "The gate cannot decide right now; try again.")
        .with_header("retry-after", "1")
}

fn with_limit(problem: Problem, exhausted: &Exhausted) -> Problem {
    problem
        .with_member("limit_source", exhausted.source.as_str())
        .with_member("limit", exhausted.limit)
        .with_member("used", exhausted.used)
        .with_member("resets_at", exhausted.resets_at.to_string())
}

/// Dollars as a JSON number: below a billion, a double holds all six decimals.
#[must_use]
pub fn dollars(amount: MicroUsd) -> Value {
    let text = amount.to_string();
    text.parse::<u64>().map_or_else(|_| json!(text.parse::<f64>().unwrap_or_default()), |whole| json!(whole))
}

#[cfg(test)]
mod tests {
    use faregate_domain::{denial::LimitSource, policy::Dialect};

    use super::*;

    fn body(problem: &Problem) -> Value {
        serde_json::from_str(&problem.body("r", &Dialect::default())).unwrap()
    }

    #[test]
    fn a_rate_limit_says_when_to_come_back() {
        let exhausted =
            Exhausted { source: LimitSource::Route, limit: 5, used: 7, resets_at: Timestamp::from_epoch_s(120) };
        let problem = problem(&Denial::RateLimited(exhausted), Timestamp::from_epoch_ms(60_500));
        assert_eq!(problem.status, 429);
        assert_eq!(problem.headers, [("retry-after", "60".to_owned())]);
        let body = body(&problem);
        assert_eq!((&body["limit"], &body["used"], &body["limit_source"]), (&json!(5), &json!(7), &json!("route")));
        assert_eq!(body["resets_at"], "1970-01-01T00:02:00Z");
    }

    #[test]
    fn a_402_shows_the_books_and_no_time() {
        let usd = |micro_usd| MicroUsd::new(micro_usd).unwrap();
        let denial = Denial::InsufficientCredits {
            source: LimitSource::Key,
            spent: usd(290_000),
            reserved: usd(0),
            limit: Some(usd(300_000)),
            retry_at: None,
        };
        let problem = problem(&denial, Timestamp::from_epoch_s(1));
        assert_eq!(problem.detail, "Insufficient credits");
        assert!(problem.headers.is_empty());
        let body = body(&problem);
        assert_eq!(body["spent_usd"].to_string(), "0.29");
        assert_eq!((&body["reserved_usd"], &body["limit_usd"]), (&json!(0), &json!(0.3)));
    }
}
