//! The running program without a layer: every refusal is what `template.yaml` has API Gateway say.

use std::collections::BTreeMap;

use faregate::{Options, Running, start};
use faregate_domain::policy::Policy;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer with its headers, their names in lower case.
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

async fn ask(running: &Running, method: &str, path: &str, headers: &str) -> Answer {
    let address = running.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.into(), value.into()));
    Answer { status, headers: headers.collect(), body: serde_json::from_str(body).unwrap_or(Value::Null) }
}

/// The program under the default policy without a layer, `more` added to it, and the demo key as a header.
async fn without_a_layer(more: &str, upstream: Option<&str>) -> (Running, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    let policy = Policy::DEFAULT_TEXT.replace(", refusals: backend }", " }").replace("\"5.00\"", "\"0.01\"");
    std::fs::write(&file, policy + more).unwrap();
    let upstream = upstream.map(|url| url.parse().unwrap());
    let running = start(Options { policy: Some(file), upstream, ..Options::throw_away() }).await.unwrap();
    let demo = running.make_demo().await.unwrap().unwrap();
    (running, format!("x-api-key: {}\r\n", demo.key()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_layer_refusals_are_those_of_the_template() {
    let (running, key) = without_a_layer("", None).await;
    assert_eq!(ask(&running, "POST", "/demo/paid", &key).await.status, 200);
    let two = format!("{key}authorization: Bearer sk_test_other\r\n");
    for (method, path, headers, status, meant, code) in [
        ("GET", "/demo/free", "", 401, 401, "invalid_api_key"),
        ("GET", "/demo/free", "x-api-key: nonsense\r\n", 401, 401, "invalid_api_key"),
        ("GET", "/demo/free", &two, 403, 400, "ambiguous_credentials"),
        ("POST", "/demo/paid", &key, 403, 402, "insufficient_credits"),
        ("GET", "/demo/nowhere", &key, 403, 404, "unknown_route"),
    ] {
        let answer = ask(&running, method, path, headers).await;
        let found = (answer.status, &answer.body["status"], &answer.body["code"]);
        assert_eq!(found, (status, &json!(meant), &json!(code)), "{method} {path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.body["request_id"].as_str().unwrap().len(), 36);
        let challenge = if status == 401 { "Bearer realm=\"faregate\"" } else { "" };
        assert_eq!(answer.header("www-authenticate"), challenge);
        assert!(!answer.headers.contains_key("retry-after"), "{method} {path}");
    }
    // The minute may turn once in between.
    let mut limited = ask(&running, "GET", "/demo/limited", &key).await;
    for _ in 0..16 {
        if limited.status != 200 {
            break;
        }
        limited = ask(&running, "GET", "/demo/limited", &key).await;
    }
    assert_eq!((limited.status, &limited.body["code"]), (429, &json!("rate_limited")));
    assert_eq!((limited.header("x-ratelimit-limit"), limited.header("x-ratelimit-remaining")), ("5", "0"));
    for name in ["retry-after", "x-ratelimit-reset", "ratelimit", "ratelimit-policy"] {
        assert!(!limited.header(name).is_empty(), "{name}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialect_reaches_what_the_authorizer_says_and_not_what_the_template_says() {
    let dialect = "dialect:\n  content_type: application/json\n  codes: { invalid_api_key: NO, insufficient_credits: PAY }\n  \
                   error: { word: \"{code}\" }\n  headers: { retry-after: X-Wait }\n";
    let (running, key) = without_a_layer(dialect, None).await;
    assert_eq!(ask(&running, "POST", "/demo/paid", &key).await.status, 200);
    let poor = ask(&running, "POST", "/demo/paid", &key).await;
    assert_eq!(
        (poor.status, poor.body, &*poor.headers["content-type"]),
        (403, json!({"word": "PAY"}), "application/json")
    );
    let nobody = ask(&running, "GET", "/demo/free", "").await;
    assert_eq!((nobody.status, &nobody.body["code"]), (401, &json!("invalid_api_key")));
    assert_eq!(nobody.header("content-type"), "application/problem+json");
    for _ in 0..8 {
        ask(&running, "GET", "/demo/limited", &key).await;
    }
    let limited = ask(&running, "GET", "/demo/limited", &key).await;
    assert_eq!((limited.status, &limited.body), (429, &json!({"word": "rate_limited"})));
    assert!(limited.headers.contains_key("retry-after") && !limited.headers.contains_key("x-wait"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_is_away_is_the_templates_502_with_the_callers_limits() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (running, key) = without_a_layer("", Some(&format!("http://{free}"))).await;
    let answer = ask(&running, "GET", "/demo/limited", &key).await;
    assert_eq!((answer.status, &answer.body["code"]), (502, &json!("bad_gateway")));
    assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), ("5", "5"));
    assert!(!answer.header("ratelimit").is_empty() && !answer.header("ratelimit-policy").is_empty());
    running.stop().await;
}
