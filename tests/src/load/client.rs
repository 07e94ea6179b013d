//! A caller's connection, which is kept open.

use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{Answer, Caller, link::read_message, web};

/// A connection to the program.
pub(crate) struct Client {
    host: String,
    stream: Option<TcpStream>,
}

impl Client {
    /// One that is opened by its first request.
    pub(crate) fn to(url: &str) -> Self {
        Self { host: url.strip_prefix("http://").unwrap_or(url).to_owned(), stream: None }
    }

    /// Sends a request; `None` where the connection broke before its answer came.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        caller: &Caller,
        body: Option<&Value>,
    ) -> Option<Answer> {
        let mut headers = caller.headers();
        if body.is_some() {
            headers.push(("Content-Type".into(), "application/json".into()));
        }
        let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let lines = lines.concat();
        let text = body.map(Value::to_string).unwrap_or_default();
        let host = &self.host;
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{lines}Content-Length: {}\r\n\r\n{text}", text.len());
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(host).await.ok()?,
        };
        stream.write_all(request.as_bytes()).await.ok()?;
        let answer = read_message(&mut stream).await.ok()??;
        self.stream = Some(stream);
        web::read(&String::from_utf8_lossy(&answer))
    }
}
