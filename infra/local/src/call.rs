//! One request as the gateway read it: whole, bounded and safe to put into an event.

use std::{net::IpAddr, time::Duration};

use faregate_domain::time::Timestamp;
use faregate_edge::{entropy, problem::Problem};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    Method, Request,
    body::{Body, Bytes},
    header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue},
};

use crate::gateway_response::{Kind, Stopped};

/// A request with its whole body.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Begins with `/`; exactly as received, percent escapes included.
    pub(crate) path: String,
    /// Without the question mark, exactly as received.
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) source_ip: IpAddr,
    pub(crate) request_id: String,
    pub(crate) received_at: Timestamp,
}

impl Call {
    /// Reads a request to its end.
    ///
    /// # Errors
    /// [`Stopped`], with a 4xx, for a request that is too large, too slow or not HTTP as a server must understand it.
    pub(crate) async fn read<B>(request: Request<B>, origin: CallOrigin) -> Result<Self, Stopped>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        if !path.starts_with('/') {
            return Err(Problem::new(400, "invalid_request", "The request target must be a path.").into());
        }
        let query = parts.uri.query().map(ToOwned::to_owned);
        if path.len() + query.as_ref().map_or(0, String::len) > MAX_TARGET_BYTES {
            return Err(Problem::new(414, "uri_too_long", "Path and query may have at most 8192 bytes.").into());
        }
        if !has_plain_host(&parts.headers) {
            return Err(Problem::new(400, "invalid_request", "The Host header is not a host name.").into());
        }
        let body = read_body(&parts.headers, body).await?;
        Ok(Self {
            method: parts.method,
            path,
            query,
            headers: parts.headers,
            body,
            source_ip: origin.source_ip,
            request_id: origin.request_id,
            received_at: origin.received_at,
        })
    }

    /// All values of a header, one after the other, bytes that are no UTF-8 replaced.
    pub(crate) fn header_texts(&self) -> impl Iterator<Item = (&str, String)> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        self.headers.iter().map(move |(name, value)| (name.as_str(), text(value)))
    }

    /// The query's parameters, decoded, in their order.
    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        let query = self.query.as_deref().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

/// Who sent a request, when, and the name it goes by.
#[derive(Clone, Debug)]
pub(crate) struct CallOrigin {
    pub(crate) source_ip: IpAddr,
    pub(crate) request_id: String,
    pub(crate) received_at: Timestamp,
}

impl CallOrigin {
    /// A request that arrived now; its id is a random UUID (RFC 9562, version 4).
    pub(crate) fn new(source_ip: IpAddr, received_at: Timestamp) -> Self {
        let mut bytes = [0; 16];
        entropy::fill(&mut bytes);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let digits = hex::encode(bytes);
        let groups = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        Self { source_ip, request_id: groups.join("-"), received_at }
    }
}

/// At most one Host, and nothing in it but a name and a port (RFC 9112 §3.2): events carry it into URLs.
fn has_plain_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else { return true };
    let is_plain = |text: &str| {
        let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        text.len() <= MAX_HOST_BYTES
            && text.bytes().all(is_host_byte)
            && url::Url::parse(&format!("http://{text}/")).is_ok()
    };
    hosts.next().is_none() && host.to_str().is_ok_and(is_plain)
}

async fn read_body<B>(headers: &HeaderMap, body: B) -> Result<Bytes, Stopped>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > MAX_BODY_BYTES) {
        return Err(Kind::RequestTooLarge.into());
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Kind::RequestTooLarge.into()),
        Ok(Err(_)) => Err(Problem::new(400, "invalid_request", "The body broke off.").into()),
        Err(_) => Err(Problem::new(408, "request_timeout", "The body did not arrive in time.").into()),
    }
}

/// The largest body, as API Gateway has it.
pub(crate) const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
const MAX_TARGET_BYTES: usize = 8_192;
const MAX_HOST_BYTES: usize = 255;
const BODY_TIMEOUT: Duration = Duration::from_secs(29);

#[cfg(test)]
pub(crate) mod tests {
    use std::net::Ipv4Addr;

    use http_body_util::Full;

    use super::*;

    pub(crate) fn origin() -> CallOrigin {
        CallOrigin::new(Ipv4Addr::LOCALHOST.into(), Timestamp::from_epoch_s(1_789_000_000))
    }

    pub(crate) async fn call(request: Request<&'static str>) -> Result<Call, Stopped> {
        Call::read(request.map(|body| Full::new(Bytes::from(body))), origin()).await
    }

    #[tokio::test]
    async fn a_request_is_kept_as_it_was_sent() {
        let request = Request::post("/a%20b/?q=%2F&q=x+y").header("host", "[::1]:8080").body("text").unwrap();
        let call = call(request).await.unwrap();
        assert_eq!((call.path.as_str(), call.query.as_deref()), ("/a%20b/", Some("q=%2F&q=x+y")));
        assert_eq!(call.query_pairs(), [("q".into(), "/".into()), ("q".into(), "x y".to_owned())]);
        assert_eq!(call.body, "text");
        assert_eq!(call.request_id.len(), 36);
    }

    #[tokio::test]
    async fn what_no_server_should_take_is_a_4xx() {
        let long = format!("/{}", "a".repeat(9_000));
        for (request, status) in [
            (Request::get("*").body(""), 400),
            (Request::get(long).body(""), 414),
            (Request::get("/").header("host", "a b").body(""), 400),
            (Request::get("/").header("host", "a/b?c").body(""), 400),
            (Request::get("/").header("host", "[").body(""), 400),
            (Request::get("/").header("host", "a:99999").body(""), 400),
            (Request::get("/").header("host", "a").header("host", "b").body(""), 400),
        ] {
            let Stopped::Problem(problem) = call(request.unwrap()).await.unwrap_err() else { panic!("a problem") };
            assert_eq!(problem.status, status);
        }
    }

    #[tokio::test]
    async fn a_body_is_bounded_whether_it_tells_its_length_or_not() {
        let huge = (MAX_BODY_BYTES + 1).to_string();
        let told = call(Request::post("/").header("content-length", huge).body("").unwrap()).await;
        assert!(matches!(told, Err(Stopped::Response(Kind::RequestTooLarge, _))));
        let body = Full::new(Bytes::from(vec![0; MAX_BODY_BYTES + 1]));
        let request = Request::post("/").body(body).unwrap();
        let untold = Call::read(request, origin()).await;
        assert!(matches!(untold, Err(Stopped::Response(Kind::RequestTooLarge, _))));
    }
}
