//! GitHub as it reports leaked keys: a page with the public halves of its keys, and reports signed with the other half.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use faregate_domain::outbound::{Reach, Target};
use faregate_gate::Services;
use faregate_leaks::App;
use faregate_outbound::Outbound;
use p256::{
    ecdsa::{DerSignature, SigningKey, signature::Signer as _},
    pkcs8::{EncodePublicKey as _, LineEnding},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    Answer,
    call::{call, proxy_event},
};

/// The page and the keys.
#[derive(Clone)]
pub struct GitHub {
    /// Where the page is.
    pub url: String,
    page: Arc<Mutex<(u16, String)>>,
    asked: Arc<AtomicUsize>,
}

/// One of GitHub's keys.
pub struct ReportKey {
    /// Its name.
    pub id: String,
    key: SigningKey,
}

impl ReportKey {
    /// A key that follows from `digit`.
    #[must_use]
    pub fn new(digit: u8) -> Self {
        let key = SigningKey::from_slice(&[digit; 32]).unwrap_or_else(|error| panic!("{error}"));
        Self { id: hex::encode([digit; 32]), key }
    }

    /// The same key under another name.
    #[must_use]
    pub fn named(self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self }
    }

    /// The headers of a report with this body.
    #[must_use]
    pub fn headers(&self, body: &[u8]) -> [(String, String); 2] {
        let signature: DerSignature = self.key.sign(body);
        let signature = BASE64_STANDARD.encode(signature.as_bytes());
        [("Github-Public-Key-Identifier".into(), self.id.clone()), ("Github-Public-Key-Signature".into(), signature)]
    }

    fn published(&self) -> Value {
        let text = self.key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap_or_else(|error| panic!("{error}"));
        json!({"key_identifier": self.id, "key": text, "is_current": true})
    }
}

impl GitHub {
    /// Publishes these keys on this machine.
    pub async fn publishing(keys: &[&ReportKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap_or_else(|error| panic!("{error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
        let github = Self {
            url: format!("http://{address}/meta/public_keys/secret_scanning"),
            page: Arc::default(),
            asked: Arc::default(),
        };
        github.publish(keys);
        let (page, asked) = (Arc::clone(&github.page), Arc::clone(&github.asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut read = [0; 2_048];
                let _ = stream.read(&mut read).await;
                asked.fetch_add(1, Ordering::SeqCst);
                let (status, body) = page.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let head =
                    format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        github
    }

    /// Publishes these keys from now on.
    pub fn publish(&self, keys: &[&ReportKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.published()).collect();
        self.answer(200, &json!({"public_keys": keys}).to_string());
    }

    /// Answers with something else from now on.
    pub fn answer(&self, status: u16, body: &str) {
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = (status, body.to_owned());
    }

    /// Answers with the same page under another status from now on.
    pub fn answer_as(&self, status: u16) {
        self.page.lock().unwrap_or_else(PoisonError::into_inner).0 = status;
    }

    /// How often the page was asked for.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// The function that takes reports, on these services, which finds the keys here.
    #[must_use]
    pub fn function(&self, services: &Services) -> App {
        let keys = Target::parse(&self.url, Reach::Loopback).unwrap_or_else(|error| panic!("{error}"));
        let outbound = Outbound::new().unwrap_or_else(|error| panic!("roots: {error}"));
        App::new(services.clone(), outbound, keys)
    }
}

/// Sends a report with exactly these headers, in the form that API Gateway has for binary bodies.
pub async fn send_report(function: &App, headers: &[(String, String)], body: &[u8]) -> Answer {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut event = proxy_event("POST", "/v1/leaks/github", &headers, None);
    event["body"] = BASE64_STANDARD.encode(body).into();
    event["isBase64Encoded"] = true.into();
    call(event, |request| function.handle(request)).await
}
