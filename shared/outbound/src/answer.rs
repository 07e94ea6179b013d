//! One request over a connection of its own, and as much of its answer as is wanted.

use std::time::Duration;

use faregate_domain::outbound::Target;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
};

use crate::{MAX_POST_ANSWER_BYTES, OutboundError, USER_AGENT};

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whatever it is: a redirect is not followed.
    pub status: StatusCode,
    /// At most 64 of them, and 16 KB together.
    pub headers: HeaderMap,
    /// The document that was asked for; nothing of the answer to a `POST`.
    pub body: Vec<u8>,
}

/// What of an answer is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    Status,
    Whole { max_bytes: usize },
}

/// The request to a target, with what every request carries.
pub(crate) fn request(
    target: &Target,
    method: Method,
    headers: HeaderMap,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, OutboundError> {
    let request = Request::builder().method(method).uri(target.path_and_query());
    let mut request = request.body(Full::new(Bytes::from(body))).map_err(|_| OutboundError::Malformed)?;
    let own = request.headers_mut();
    own.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    own.extend(headers);
    let host = HeaderValue::try_from(target.authority()).map_err(|_| OutboundError::Malformed)?;
    own.insert(header::HOST, host);
    own.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

/// Sends the request and reads what is wanted.
pub(crate) async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    wanted: Wanted,
) -> Result<Answer, OutboundError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD_BYTES);
    let (mut sender, connection) = http.handshake(TokioIo::new(stream)).await.map_err(|_| OutboundError::Broken)?;
    // It ends with this call, whether that comes to its end or is given up.
    let mut driving = JoinSet::new();
    driving.spawn(connection);
    let answer = sender.send_request(request).await.map_err(|_| OutboundError::Broken)?;
    let (parts, body) = answer.into_parts();
    let body = match wanted {
        Wanted::Status => {
            let drained = Limited::new(body, MAX_POST_ANSWER_BYTES).collect();
            // For those who stop their work when nobody listens to its end. The status is known either way.
            let _ = tokio::time::timeout(COURTESY, drained).await;
            Vec::new()
        }
        Wanted::Whole { max_bytes } => whole(body, max_bytes).await?,
    };
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

async fn whole(body: Incoming, max_bytes: usize) -> Result<Vec<u8>, OutboundError> {
    match Limited::new(body, max_bytes).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(OutboundError::TooLong),
        Err(_) => Err(OutboundError::Broken),
    }
}

const MAX_HEADERS: usize = 64;
const MAX_HEAD_BYTES: usize = 16 * 1024;
const COURTESY: Duration = Duration::from_secs(1);
