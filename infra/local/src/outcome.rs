//! What API Gateway makes of an authorizer's answer.

use serde_json::{Map, Value};

use crate::{event::API_ID, invoke::InvokeError};

/// The gateway's reading of an authorizer's answer; only [`Outcome::Admitted`] lets the request go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The policy allows the method, and the usage key is the known one.
    Admitted(Context),
    /// `UNAUTHORIZED`: the authorizer failed with the one word that means 401.
    Unauthorized,
    /// `ACCESS_DENIED`: the policy denies the method, or says nothing of it.
    AccessDenied(Context),
    /// `INVALID_API_KEY`: allowed, but without the usage key that the method requires.
    InvalidApiKey(Context),
    /// `AUTHORIZER_FAILURE`: the authorizer failed, timed out or answered something else.
    Failure,
}

impl Outcome {
    /// Reads the answer to the question whether the method `arn` may be called.
    pub(crate) fn of(answer: Result<Value, InvokeError>, arn: &str) -> Self {
        match answer {
            Ok(answer) => Self::of_answer(&answer, arn).unwrap_or_else(|reason| {
                tracing::error!(reason, "the authorizer's answer is malformed");
                Self::Failure
            }),
            Err(InvokeError::Function { message }) if message == "Unauthorized" => Self::Unauthorized,
            Err(error) => {
                tracing::error!(%error, "the authorizer failed");
                Self::Failure
            }
        }
    }

    fn of_answer(answer: &Value, arn: &str) -> Result<Self, &'static str> {
        if !answer.get("principalId").is_some_and(Value::is_string) {
            return Err("no principalId");
        }
        let context = Context::read(answer.get("context"))?;
        if !is_allowed(answer, arn)? {
            return Ok(Self::AccessDenied(context));
        }
        match answer.get("usageIdentifierKey") {
            Some(Value::String(key)) if is_known(key) => Ok(Self::Admitted(context)),
            None | Some(Value::Null | Value::String(_)) => Ok(Self::InvalidApiKey(context)),
            Some(_) => Err("usageIdentifierKey is no string"),
        }
    }
}

/// The authorizer's context: flat, every value a string, as the backend and the templates see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Context(Map<String, Value>);

impl Context {
    fn read(context: Option<&Value>) -> Result<Self, &'static str> {
        let members = match context {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(members)) => members,
            Some(_) => return Err("context is no object"),
        };
        let text = |value: &Value| match value {
            Value::String(text) => Ok(Value::String(text.clone())),
            Value::Number(_) | Value::Bool(_) => Ok(Value::String(value.to_string())),
            _ => Err("a context value is nested"),
        };
        let members = members.iter().map(|(name, value)| Ok((name.clone(), text(value)?)));
        members.collect::<Result<_, _>>().map(Self)
    }

    /// A value; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// All values as JSON.
    pub(crate) fn members(&self) -> &Map<String, Value> {
        &self.0
    }
}

#[cfg(test)]
impl Context {
    pub(crate) fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect())
    }
}

/// The one key of the usage plan that the template makes for this API.
fn is_known(usage_key: &str) -> bool {
    usage_key.strip_prefix("faregate-admitted-") == Some(API_ID)
}

/// IAM's evaluation: an explicit deny wins, then an allow, and silence denies.
fn is_allowed(answer: &Value, arn: &str) -> Result<bool, &'static str> {
    let statements = answer.pointer("/policyDocument/Statement").ok_or("no policy statement")?;
    let (mut is_allowed, mut is_denied) = (false, false);
    for statement in one_or_more(statements) {
        let applies = |member: &str, subject: &str| {
            let patterns = statement.get(member).map(one_or_more).unwrap_or_default();
            patterns.iter().filter_map(|pattern| pattern.as_str()).any(|pattern| matches(pattern, subject))
        };
        let applies = applies("Action", "execute-api:Invoke") && applies("Resource", arn);
        match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => is_allowed |= applies,
            Some("Deny") => is_denied |= applies,
            _ => return Err("a statement's effect is neither Allow nor Deny"),
        }
    }
    Ok(is_allowed && !is_denied)
}

fn one_or_more(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

/// IAM's wildcards: `*` for any run of characters, `?` for one. Linear in the pattern times the text.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, seen));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[seen] => (at, seen) = (at + 1, seen + 1),
            _ => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    (at, seen) = (after_star, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:faregate00/local/GET/demo/free";
    const STAGE_ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:faregate00/local/*";

    fn answer(effect: &str, resource: &str) -> Value {
        let statement = json!({"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        let context = json!({"status": "200", "n": 7});
        let key = "faregate-admitted-faregate00";
        json!({"principalId": "acc_1", "policyDocument": policy, "context": context, "usageIdentifierKey": key})
    }

    fn with(mut answer: Value, member: &str, value: Value) -> Value {
        answer[member] = value;
        answer
    }

    fn outcome(answer: Value) -> Outcome {
        Outcome::of(Ok(answer), ARN)
    }

    #[test]
    fn an_allowed_method_is_admitted_with_its_context() {
        let Outcome::Admitted(context) = outcome(answer("Allow", STAGE_ARN)) else { panic!("admitted") };
        assert_eq!((context.text("status"), context.text("n"), context.text("absent")), ("200", "7", ""));
    }

    #[test]
    fn without_the_known_usage_key_nothing_is_admitted() {
        let keys =
            [json!("faregate-refused"), json!("faregate-admitted-other"), json!("faregate-admitted"), json!(null)];
        for key in keys {
            let answer = with(answer("Allow", STAGE_ARN), "usageIdentifierKey", key);
            assert!(matches!(outcome(answer.clone()), Outcome::InvalidApiKey(_)), "{answer}");
        }
    }

    #[test]
    fn a_deny_and_silence_deny() {
        assert!(matches!(outcome(answer("Deny", STAGE_ARN)), Outcome::AccessDenied(_)));
        assert!(matches!(outcome(answer("Allow", "arn:aws:execute-api:*/other/*")), Outcome::AccessDenied(_)));
        let mut both = answer("Allow", STAGE_ARN);
        let deny = json!({"Action": "*", "Effect": "Deny", "Resource": ["x", "*"]});
        both["policyDocument"]["Statement"].as_array_mut().unwrap().push(deny);
        assert!(matches!(outcome(both), Outcome::AccessDenied(_)));
        let other_action = json!([{"Action": "s3:GetObject", "Effect": "Allow", "Resource": "*"}]);
        let answer = with(answer("Allow", STAGE_ARN), "policyDocument", json!({"Statement": other_action}));
        assert!(matches!(outcome(answer), Outcome::AccessDenied(_)));
    }

    #[test]
    fn only_the_exact_word_means_unauthorized() {
        let failed = |message: &str| Outcome::of(Err(InvokeError::Function { message: message.into() }), ARN);
        assert_eq!(failed("Unauthorized"), Outcome::Unauthorized);
        for message in ["unauthorized", "Unauthorized ", "Unauthorized: no", ""] {
            assert_eq!(failed(message), Outcome::Failure, "{message}");
        }
        assert_eq!(Outcome::of(Err(InvokeError::TimedOut), ARN), Outcome::Failure);
    }

    #[test]
    fn a_malformed_answer_is_a_failure_and_never_an_admission() {
        let whole = || answer("Allow", STAGE_ARN);
        for answer in [
            json!(null),
            json!({}),
            json!({"principalId": "a"}),
            with(whole(), "principalId", json!(7)),
            with(whole(), "policyDocument", json!("Allow")),
            answer("allow", STAGE_ARN),
            with(whole(), "context", json!({"nested": {"a": 1}})),
            with(whole(), "context", json!({"null": null})),
            with(whole(), "context", json!("text")),
            with(whole(), "usageIdentifierKey", json!(7)),
        ] {
            assert_eq!(outcome(answer.clone()), Outcome::Failure, "{answer}");
        }
    }

    #[test]
    fn wildcards_are_those_of_iam() {
        for (pattern, text, is_match) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*ab", "aab", true),
        ] {
            assert_eq!(matches(pattern, text), is_match, "{pattern} {text}");
        }
    }
}
