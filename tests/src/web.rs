//! Requests to a running program, over HTTP.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Answer, Caller};

/// Sends one request to the program at `url`, with a JSON body where there is one.
pub async fn ask_over_http(url: &str, method: &str, path: &str, caller: &Caller, body: Option<&Value>) -> Answer {
    let mut headers = caller.headers();
    if body.is_some() {
        headers.push(("content-type".into(), "application/json".into()));
    }
    let text = body.map(Value::to_string).unwrap_or_default();
    send_over_http(url, method, path, &headers, &text).await
}

/// Sends one request to the program at `url` with exactly these headers and this body; `host` is as `url` says unless given.
pub async fn send_over_http(url: &str, method: &str, path: &str, headers: &[(String, String)], text: &str) -> Answer {
    let host = url.strip_prefix("http://").unwrap_or(url);
    let own_host = headers.iter().all(|(name, _)| name != "host").then(|| format!("host: {host}\r\n"));
    let lines = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).chain(own_host);
    let head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n{}", lines.collect::<String>());
    let request = format!("{head}content-length: {}\r\n\r\n{text}", text.len());
    let answered = async {
        let mut stream = TcpStream::connect(host).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = answered.await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    read(&answer).unwrap_or_else(|| panic!("{method} {path}: no answer in {answer:?}"))
}

pub(crate) fn read(answer: &str) -> Option<Answer> {
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let body = serde_json::from_str(text).unwrap_or(Value::Null);
    Some(Answer { status, headers, text: text.to_owned(), body })
}
