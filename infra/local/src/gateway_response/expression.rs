//! What a gateway response may be made of: text, and variables that are put into it as they are.
//!
//! ```text
//! header   'text'  |  context.VARIABLE
//! body     text with $context.VARIABLE in it; no other language, and no escaping
//! VARIABLE requestId | authorizer.MEMBER | error.message | error.messageString | error.responseType
//! ```
//! API Gateway knows more variables than these. Whatever is not known here is an error, so that a word mistyped in the
//! template does not come out as nothing on the day it is needed.

use faregate_layer::member::MEMBERS;

use super::Kind;
use crate::outcome::Context;

/// What the variables stand for in one answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'s> {
    pub(super) kind: Kind,
    pub(super) request_id: &'s str,
    pub(super) context: &'s Context,
}

/// The source of a header's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeaderSource {
    Text(String),
    Variable(Variable),
}

impl HeaderSource {
    pub(super) fn parse(text: &str) -> Result<Self, UnknownExpression> {
        let literal = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        if let Some(literal) = literal {
            return Ok(Self::Text(literal.to_owned()));
        }
        let variable = text.strip_prefix("context.").and_then(Variable::find);
        variable.map(Self::Variable).ok_or_else(|| UnknownExpression(text.to_owned()))
    }

    pub(super) fn render(&self, scene: Scene<'_>) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Variable(variable) => variable.value(scene),
        }
    }
}

/// A body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BodyTemplate(Vec<Part>);

impl BodyTemplate {
    pub(super) fn parse(text: &str) -> Result<Self, UnknownExpression> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            parts.push(Part::Text(before.to_owned()));
            // An amount is no variable, whatever stands after the sign.
            if !after.starts_with(|next: char| next.is_alphabetic() || "{!\\".contains(next)) {
                parts.push(Part::Text("$".to_owned()));
                rest = after;
                continue;
            }
            let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
            let end = after.find(|letter| !is_name(letter)).unwrap_or(after.len());
            // A full stop at the end belongs to the sentence.
            let name = after[..end].trim_end_matches('.');
            let variable = name.strip_prefix("context.").and_then(Variable::find);
            parts.push(Part::Variable(variable.ok_or_else(|| UnknownExpression(format!("${}", &after[..end])))?));
            rest = &after[name.len()..];
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// What API Gateway says where the template says nothing: `{"message":$context.error.messageString}`.
    pub(super) fn built_in() -> Self {
        let [open, close] = ["{\"message\":", "}"].map(|text| Part::Text(text.to_owned()));
        Self(vec![open, Part::Variable(Variable::MessageString), close])
    }

    pub(super) fn render(&self, scene: Scene<'_>) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Variable(variable) => variable.value(scene),
        };
        self.0.iter().map(text).collect()
    }
}

/// Something in a template that is not understood here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("«{0}» is nothing that is known here")]
pub(super) struct UnknownExpression(String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable),
}

/// A variable of API Gateway's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    RequestId,
    Authorizer(&'static str),
    Message,
    MessageString,
    ResponseType,
}

impl Variable {
    fn find(name: &str) -> Option<Self> {
        match name {
            "requestId" => Some(Self::RequestId),
            "error.message" => Some(Self::Message),
            "error.messageString" => Some(Self::MessageString),
            "error.responseType" => Some(Self::ResponseType),
            _ => {
                let member = name.strip_prefix("authorizer.")?;
                MEMBERS.iter().find(|(_, known)| *known == member).map(|(_, known)| Self::Authorizer(known))
            }
        }
    }

    /// Empty where the context lacks it.
    fn value(self, scene: Scene<'_>) -> String {
        let message = scene.kind.message();
        match self {
            Self::RequestId => scene.request_id.to_owned(),
            Self::Authorizer(member) => scene.context.text(member).to_owned(),
            Self::Message => message.unwrap_or_default().to_owned(),
            Self::MessageString => serde_json::Value::from(message).to_string(),
            Self::ResponseType => scene.kind.name().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, kind: Kind, pairs: &[(&str, &str)]) -> String {
        let context = Context::from_pairs(pairs);
        BodyTemplate::parse(text).unwrap().render(Scene { kind, request_id: "req-1", context: &context })
    }

    #[test]
    fn variables_are_put_in_as_they_are() {
        let quoted = [("problem", r#"{"a":"\"$context.requestId\""}"#)];
        assert_eq!(said("$context.authorizer.problem", Kind::AccessDenied, &quoted), quoted[0].1);
        let text =
            "<$context.requestId>, $context.requestId. $5 and $ and $context.authorizer.status$context.requestId";
        assert_eq!(said(text, Kind::InvalidApiKey, &[("status", "402")]), "<req-1>, req-1. $5 and $ and 402req-1");
        assert_eq!(said("[$context.authorizer.retryAfter]", Kind::AccessDenied, &[]), "[]");
    }

    #[test]
    fn what_api_gateway_says_itself_is_known() {
        let text = "$context.error.message|$context.error.messageString|$context.error.responseType";
        assert_eq!(said(text, Kind::InvalidApiKey, &[]), "Forbidden|\"Forbidden\"|INVALID_API_KEY");
        assert_eq!(said(text, Kind::AuthorizerFailure, &[]), "|null|AUTHORIZER_FAILURE");
        let built_in = BodyTemplate::parse("{\"message\":$context.error.messageString}").unwrap();
        assert_eq!(built_in, BodyTemplate::built_in());
    }

    #[test]
    fn a_word_that_is_mistyped_is_an_error() {
        for text in [
            "$context.requestID",
            "$context.authorizer.problm",
            "$context.authorizer",
            "$context.authorizer.",
            "$context.authorizer.status.code",
            "$context.identity.sourceIp",
            "${context.requestId}",
            "$input.json('$')",
            "$!context.requestId",
            "$stageVariables.x",
            "{\"a\":$contextrequestId}",
        ] {
            assert!(BodyTemplate::parse(text).is_err(), "{text}");
        }
        for text in
            ["literal", "'", "$context.requestId", "context.authorizer.retryafter", "method.request.header.x", "", "'a"]
        {
            assert!(HeaderSource::parse(text).is_err(), "{text}");
        }
        assert_eq!(HeaderSource::parse("'it''s'"), Ok(HeaderSource::Text("it''s".into())));
        let variable = HeaderSource::Variable(Variable::Authorizer("retryAfter"));
        assert_eq!(HeaderSource::parse("context.authorizer.retryAfter"), Ok(variable));
    }
}
