//! Gateway responses: what API Gateway answers itself, in the words of the template that is deployed.

use std::collections::BTreeMap;

use faregate_edge::problem::Problem;
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use serde::Deserialize;

use self::expression::{BodyTemplate, HeaderSource, Scene, UnknownExpression};
use crate::{
    answer::{self, Answer},
    outcome::Context,
};

mod expression;
mod kind;

pub(crate) use kind::Kind;

/// The gateway responses of a template, by type.
#[derive(Debug)]
pub(crate) struct GatewayResponses(BTreeMap<String, GatewayResponse>);

impl GatewayResponses {
    /// Those of `template.yaml`.
    ///
    /// # Errors
    /// [`InvalidGatewayResponse`] as for [`GatewayResponses::parse`]; a test sees that there is none.
    pub(crate) fn shipped() -> Result<Self, InvalidGatewayResponse> {
        Self::parse(include_str!("../../../template.yaml"))
    }

    /// Reads the section `x-amazon-apigateway-gateway-responses` of the resource `Api`, and of the rest nothing.
    ///
    /// # Errors
    /// [`InvalidGatewayResponse`] where it is not there, or holds anything that is not understood here.
    pub(crate) fn parse(template: &str) -> Result<Self, InvalidGatewayResponse> {
        let file: TemplateFile =
            serde_saphyr::from_str(template).map_err(|error| InvalidGatewayResponse::Syntax(error.to_string()))?;
        let responses = file.resources.api.properties.definition.responses;
        if responses.is_empty() {
            return Err(InvalidGatewayResponse::Empty);
        }
        let read = |(kind, response): (String, ResponseFile)| {
            let response = GatewayResponse::read(&kind, response)?;
            Ok((kind, response))
        };
        responses.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The answer of a type to the request of that id, with what the authorizer said of it.
    ///
    /// A type that the template does not set has headers and body of `DEFAULT_4XX` or `DEFAULT_5XX`, but a status of its
    /// own; where they are not set either, API Gateway's own words.
    pub(crate) fn answer(&self, kind: Kind, request_id: &str, context: &Context) -> Answer {
        let own = self.0.get(kind.name());
        let scene = Scene { kind, request_id, context };
        let response = own.or_else(|| self.0.get(kind.family()));
        let body = response.map_or_else(|| BodyTemplate::built_in().render(scene), |own| own.body.render(scene));
        let mut answer = Response::new(body);
        let default = || StatusCode::from_u16(kind.default_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *answer.status_mut() = own.and_then(|own| own.status).unwrap_or_else(default);
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, source) in response.map(|response| response.headers.as_slice()).unwrap_or_default() {
            // A header without a value is left out.
            match HeaderValue::try_from(source.render(scene)) {
                Ok(value) if value.is_empty() => {}
                Ok(value) => drop(answer.headers_mut().insert(name, value)),
                Err(_) => tracing::error!(%name, request_id, "what the authorizer said is no header value"),
            }
        }
        answer::text(answer)
    }
}

/// Why a request got no answer from what it was meant for.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// API Gateway answers with a gateway response; what the authorizer said goes into it.
    Response(Kind, Context),
    /// It is no request that reaches API Gateway, or asks for a page of this program.
    Problem(Problem),
}

impl From<Kind> for Stopped {
    fn from(kind: Kind) -> Self {
        Self::Response(kind, Context::default())
    }
}

impl From<Problem> for Stopped {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What is wrong with the gateway responses of a template.
#[derive(Debug, thiserror::Error)]
pub enum InvalidGatewayResponse {
    /// The template is not YAML, or not as it must be on the way to the section.
    #[error("template.yaml: {0}")]
    Syntax(String),
    /// There is none.
    #[error("template.yaml: the api has no gateway responses")]
    Empty,
    /// API Gateway has no such type.
    #[error("template.yaml: there is no gateway response {0}")]
    Kind(String),
    /// The status is none of an error.
    #[error("template.yaml: {kind}: {status} is no status from 400 to 599")]
    Status {
        /// Of which type.
        kind: String,
        /// The status.
        status: u16,
    },
    /// Something other than a response header is set.
    #[error("template.yaml: {kind}: «{name}» is not gatewayresponse.header.NAME")]
    Header {
        /// Of which type.
        kind: String,
        /// What is set.
        name: String,
    },
    /// A body of another media type, for which nobody can ask.
    #[error("template.yaml: {kind}: a body is for application/json and not for «{media_type}»")]
    MediaType {
        /// Of which type.
        kind: String,
        /// The media type.
        media_type: String,
    },
    /// A variable, or a form of it, that is not known here.
    #[error("template.yaml: {kind}: {reason}")]
    Expression {
        /// Of which type.
        kind: String,
        /// Which one.
        reason: String,
    },
}

/// One type's response.
#[derive(Debug)]
struct GatewayResponse {
    status: Option<StatusCode>,
    headers: Vec<(HeaderName, HeaderSource)>,
    body: BodyTemplate,
}

impl GatewayResponse {
    fn read(kind: &str, file: ResponseFile) -> Result<Self, InvalidGatewayResponse> {
        let own = || kind.to_owned();
        if !kind::NAMES.contains(&kind) {
            return Err(InvalidGatewayResponse::Kind(own()));
        }
        let unknown =
            |error: UnknownExpression| InvalidGatewayResponse::Expression { kind: own(), reason: error.to_string() };
        let status = |status: u16| {
            let of_an_error = Some(status).filter(|status| (400..=599).contains(status));
            let read = of_an_error.and_then(|status| StatusCode::from_u16(status).ok());
            read.ok_or_else(|| InvalidGatewayResponse::Status { kind: own(), status })
        };
        let header = |(name, source): (String, String)| {
            let parsed = name.strip_prefix("gatewayresponse.header.").and_then(|name| name.parse().ok());
            let parsed: HeaderName = parsed.ok_or_else(|| InvalidGatewayResponse::Header { kind: own(), name })?;
            Ok((parsed, HeaderSource::parse(&source).map_err(unknown)?))
        };
        let mut body = BodyTemplate::built_in();
        for (media_type, text) in file.response_templates {
            if media_type != "application/json" {
                return Err(InvalidGatewayResponse::MediaType { kind: own(), media_type });
            }
            body = BodyTemplate::parse(&text).map_err(unknown)?;
        }
        Ok(Self {
            status: file.status_code.map(status).transpose()?,
            headers: file.response_parameters.into_iter().map(header).collect::<Result<_, _>>()?,
            body,
        })
    }
}

/// The way through the template to the section.
#[derive(Deserialize)]
struct TemplateFile {
    #[serde(rename = "Resources")]
    resources: ResourcesFile,
}

#[derive(Deserialize)]
struct ResourcesFile {
    #[serde(rename = "Api")]
    api: ApiFile,
}

#[derive(Deserialize)]
struct ApiFile {
    #[serde(rename = "Properties")]
    properties: PropertiesFile,
}

#[derive(Deserialize)]
struct PropertiesFile {
    #[serde(rename = "DefinitionBody")]
    definition: DefinitionFile,
}

#[derive(Deserialize)]
struct DefinitionFile {
    #[serde(rename = "x-amazon-apigateway-gateway-responses")]
    responses: BTreeMap<String, ResponseFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ResponseFile {
    status_code: Option<u16>,
    #[serde(default)]
    response_parameters: BTreeMap<String, String>,
    #[serde(default)]
    response_templates: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests;
