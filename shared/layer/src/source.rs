//! Where a request's decision stands: in the event of AWS Lambda, or in headers that a gateway sets.

use std::collections::BTreeMap;

use http::{HeaderMap, Request};

use crate::member::{MEMBERS, REQUEST_ID};

/// The one place that is believed; whatever stands in another is a caller's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `requestContext.authorizer` of a REST API's proxy event.
    #[cfg(feature = "lambda")]
    Lambda,
    /// The headers of [`MEMBERS`].
    Headers,
}

impl Source {
    /// Reads the members of a request's decision.
    ///
    /// # Errors
    /// [`Unreadable`] names a member that is there but is not one text.
    pub(crate) fn read<B>(self, request: &Request<B>) -> Result<Members, Unreadable> {
        match self {
            #[cfg(feature = "lambda")]
            Self::Lambda => event::read(request.extensions()),
            Self::Headers => of_headers(request.headers()),
        }
    }

    /// The gateway's id of a request; empty where there is none.
    pub(crate) fn request_id<B>(self, request: &Request<B>) -> String {
        let id = match self {
            #[cfg(feature = "lambda")]
            Self::Lambda => event::request_id(request.extensions()),
            Self::Headers => request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()),
        };
        let is_plain = |id: &&str| id.len() <= MAX_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic());
        id.filter(is_plain).unwrap_or_default().to_owned()
    }

    /// Whether the process may stand still as soon as a response is returned.
    pub(crate) fn freezes(self) -> bool {
        self != Self::Headers
    }

    /// Whether requests come with the caller's credential; a gateway in front of a server removes it.
    pub(crate) fn shows_credential(self) -> bool {
        self != Self::Headers
    }
}

/// The members of one decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members(BTreeMap<&'static str, String>);

impl Members {
    /// A member; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// A member that is there but cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// A second value may be a caller's.
    #[error("the decision's {0} is there more than once")]
    Repeated(&'static str),
    /// A value that is no text.
    #[error("the decision's {0} is no text")]
    NotText(&'static str),
}

fn of_headers(headers: &HeaderMap) -> Result<Members, Unreadable> {
    let mut members = BTreeMap::new();
    for (header, name) in MEMBERS {
        let mut values = headers.get_all(header).iter();
        let Some(value) = values.next() else { continue };
        if values.next().is_some() {
            return Err(Unreadable::Repeated(name));
        }
        let text = str::from_utf8(value.as_bytes()).map_err(|_| Unreadable::NotText(name))?;
        members.insert(name, text.to_owned());
    }
    Ok(Members(members))
}

#[cfg(feature = "lambda")]
mod event {
    //! The decision in an event of AWS Lambda.

    use std::collections::BTreeMap;

    use http::Extensions;
    use lambda_http::{aws_lambda_events::apigw::ApiGatewayProxyRequestContext, request::RequestContext};
    use serde_json::Value;

    use super::{MEMBERS, Members, Unreadable};

    pub(super) fn read(extensions: &Extensions) -> Result<Members, Unreadable> {
        let mut members = BTreeMap::new();
        let Some(context) = context(extensions) else { return Ok(Members(members)) };
        for (_, name) in MEMBERS {
            let text = match context.authorizer.fields.get(name) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text.clone(),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
                Some(_) => return Err(Unreadable::NotText(name)),
            };
            members.insert(name, text);
        }
        Ok(Members(members))
    }

    pub(super) fn request_id(extensions: &Extensions) -> Option<&str> {
        context(extensions)?.request_id.as_deref()
    }

    /// Only a REST API hands its authorizer's context on like this.
    fn context(extensions: &Extensions) -> Option<&ApiGatewayProxyRequestContext> {
        match extensions.get()? {
            RequestContext::ApiGatewayV1(context) => Some(context),
            _ => None,
        }
    }
}

const MAX_ID_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &[u8])]) -> Result<Members, Unreadable> {
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().append(*name, http::HeaderValue::from_bytes(value).unwrap());
        }
        Source::Headers.read(&request)
    }

    #[test]
    fn members_are_read_from_their_headers() {
        let members = read(&[
            ("x-faregate-status", b"200"),
            ("x-faregate-account-id", b"acc_1"),
            ("x-faregate-problem", "{\"detail\":\"\u{e9}\"}".as_bytes()),
            ("x-faregate-key-id", b""),
            ("x_faregate_scopes", b"*"),
            ("accountid", b"acc_2"),
        ]);
        let members = members.unwrap();
        assert_eq!((members.text("status"), members.text("accountId")), ("200", "acc_1"));
        assert_eq!(members.text("problem"), "{\"detail\":\"\u{e9}\"}");
        assert_eq!((members.text("keyId"), members.text("scopes"), members.text("nothing")), ("", "", ""));
    }

    #[test]
    fn a_member_that_is_there_twice_is_not_believed() {
        let twice: [(_, &[u8]); 2] = [("x-faregate-status", b"403"), ("x-faregate-status", b"200")];
        assert_eq!(read(&twice), Err(Unreadable::Repeated("status")));
    }

    #[test]
    fn a_member_that_is_no_text_is_not_believed() {
        assert_eq!(read(&[("x-faregate-scopes", b"\xff")]), Err(Unreadable::NotText("scopes")));
    }

    #[test]
    fn an_id_of_a_request_is_bounded() {
        let id_of = |id: &str| {
            let request = Request::get("/").header(REQUEST_ID, id).body(()).unwrap();
            Source::Headers.request_id(&request)
        };
        assert_eq!(id_of("8f7c1e0a-5b1d"), "8f7c1e0a-5b1d");
        assert_eq!(id_of("a b"), "");
        assert_eq!(id_of(&"a".repeat(129)), "");
        assert_eq!(Source::Headers.request_id(&Request::new(())), "");
    }
}
