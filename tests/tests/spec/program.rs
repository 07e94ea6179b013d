//! The running program, over HTTP: every status comes out as the gate meant it.

use faregate::{Options, start};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The status and the JSON of one answer of a running program.
pub(crate) async fn fetch(url: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let address = url.strip_prefix("http://").unwrap();
    let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{}content-length: {length}\r\n\r\n{body}",
        lines.concat()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_program_answers_with_the_documented_status() {
    let folder = tempfile::tempdir().unwrap();
    let policy = faregate_domain::policy::Policy::DEFAULT_TEXT
        .replace("credit_usd: \"5.00\"", "credit_usd: \"0.02\"")
        .replacen("scope: \"demo:read\", refusals", "scope: \"billing:read\", refusals", 1);
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, policy).unwrap();
    let running = start(Options { policy: Some(file), ..Options::throw_away() }).await.unwrap();
    let demo = running.make_demo().await.unwrap().unwrap();
    let bearer = format!("Bearer {}", demo.key());
    let key = [("authorization", bearer.as_str())];
    for (method, path, headers, status, code) in [
        ("GET", "/demo/limited", &key[..], 200, Value::Null),
        ("POST", "/demo/paid", &key, 200, Value::Null),
        ("POST", "/demo/paid", &key, 200, Value::Null),
        ("POST", "/demo/paid", &key, 402, "insufficient_credits".into()),
        ("GET", "/demo/free", &key, 403, "insufficient_scope".into()),
        ("GET", "/demo/limited", &[], 401, "missing_credentials".into()),
        ("GET", "/demo/limited", &[("x-api-key", "nonsense")], 401, "invalid_api_key".into()),
        (
            "GET",
            "/demo/limited",
            &[("x-api-key", "a"), ("authorization", "Bearer b")],
            400,
            "ambiguous_credentials".into(),
        ),
        ("GET", "/demo/nowhere", &key, 404, "unknown_route".into()),
        ("GET", "/healthz", &[], 200, Value::Null),
        ("DELETE", "/v1/api-keys/self", &key, 204, Value::Null),
        ("GET", "/demo/limited", &key, 401, "invalid_api_key".into()),
    ] {
        let (found, body) = fetch(&running.url, method, path, headers, "").await;
        assert_eq!((found, &body["code"]), (status, &code), "{method} {path} {body}");
    }
    running.stop().await;
}
