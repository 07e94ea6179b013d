//! Secrets never reach a log, a list, an error or the table.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use faregate_tests::{
    Bundle, Caller, Fault, Hooks, Receiver, Session,
    github::{GitHub, ReportKey, send_report},
    receiver_status, signing_secret, stripe,
};
use serde_json::{Value, json};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_in_any_log_answer_error_or_item() {
    let log = Log::default();
    let writer = log.clone();
    let lines =
        tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    lines.try_init().unwrap();
    let (bundle, service) = Bundle::with_service().await;
    let session = bundle.newcomer().await;
    let (id, key) = bundle.key(&session, json!({"name": "a", "budget_usd": 0.01})).await;
    let (Caller::Key(text), Caller::Key(service_text)) = (&key, &service) else { panic!("keys") };
    let page = format!("/v1/api-keys/{id}");
    let mut shown = String::new();
    for caller in [&key, &session.caller(), &Caller::Bearer(text.clone())] {
        misplace(&bundle, caller, &page, text, &mut shown).await;
    }
    question_all(&bundle, &service, text, &mut shown).await;
    let paid = stripe::checkout("pi_1", &session.account_id, 500);
    let event_signature = pay(&bundle, &paid, &mut shown).await;
    let (client_secret, client_token) = visit(&bundle, &session, &service, &mut shown).await;
    let url = hand_out(&bundle, &key, &mut shown).await;
    listen(&bundle, &session, &key, &id, &mut shown).await;
    bundle.link.keep_playing(Some(Fault::Break));
    shown += &redeem(&bundle, &client_secret).await;
    shown += &bundle.knock(&Caller::Bearer(client_token.clone()), "GET", "/demo/free").await.answer.to_string();
    shown += &bundle.stripe(&paid).await.text;
    shown += &verify(&bundle, &service, "outage", &json!({"key": text, "method": "GET", "path": "/demo/free"})).await;
    shown += &bundle.knock(&key, "GET", "/demo/free").await.answer.to_string();
    shown += &bundle.get(&page, &key).await.text;
    bundle.link.keep_playing(None);
    shown += &leak(&bundle, text).await;
    shown += &bundle
        .ask(json!({"type": "REQUEST", "methodArn": 1, "headers": {"x-api-key": text}}))
        .await
        .answer
        .to_string();
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    let stored = everything_stored(&bundle).await;
    assert!(logged.contains("decided"), "the log was captured");
    assert!(stored.contains(&id), "the table was read");
    let signature = session.token.rsplit('.').next().unwrap();
    for (name, secret) in [
        ("the key's secret part", &text[24..46]),
        ("the service's secret part", &service_text[24..46]),
        ("what webhooks are signed under", &signing_secret(&key)[6..]),
        ("the token", signature),
        ("a client secret's secret part", &client_secret[25..47]),
        ("a client session's tag", client_token.rsplit('.').next().unwrap()),
        ("the link secret", &"e".repeat(64)),
        ("the pepper", &"a".repeat(64)),
        ("the tag secret", &"b".repeat(64)),
        ("the signing seed", &"c".repeat(64)),
        ("stripe's secret", stripe::SECRET),
        ("a signed url's signature", url.rsplit('=').next().unwrap()),
        ("an event's signature", event_signature.rsplit('=').next().unwrap()),
        ("the payer's address", "payer@example.com"),
    ] {
        for (place, content) in [("a log", &logged), ("an answer", &shown), ("the table", &stored)] {
            assert!(!content.contains(secret), "{name} is in {place}");
        }
    }
}

/// Calls and manages, with the key's text in every place where it should not be.
async fn misplace(bundle: &Bundle, caller: &Caller, page: &str, text: &str, shown: &mut String) {
    let (rotate, explain) = (format!("{page}/rotate"), format!("{page}/explain"));
    for (method, path) in [("GET", "/demo/free"), ("POST", "/demo/paid"), ("GET", "/nowhere"), ("GET", "/demo/limited")]
    {
        *shown += &bundle.knock(caller, method, path).await.answer.to_string();
    }
    for (method, path, body) in [
        ("GET", "/v1/api-keys", None),
        ("GET", page, None),
        ("PATCH", page, Some(format!(r#"{{"name":7,"{text}":"{text}"}}"#))),
        ("POST", "/v1/api-keys", Some(format!(r#"{{"name":"b","budget_usd":"{text}"}}"#))),
        ("POST", rotate.as_str(), Some(format!(r#"{{"grace_from":"{text}"}}"#))),
        ("POST", explain.as_str(), Some(format!(r#"{{"method":"{text}","path":"/{text}","origin":"{text}"}}"#))),
        ("POST", "/auth/verify", Some(format!(r#"{{"address":"{text}","signature":"{text}","nonce":"{text}"}}"#))),
    ] {
        *shown += &bundle.send(method, path, caller, body.as_deref()).await.text;
    }
}

/// Makes a client session and uses it, with its secret and its token also in places where they should not be; returns both.
async fn visit(bundle: &Bundle, session: &Session, service: &Caller, shown: &mut String) -> (String, String) {
    let (_, key) = bundle.key(session, json!({"name": "backend", "scopes": "admin"})).await;
    let body = json!({"client_reference_id": "u", "max_cost_usd": "0.01"});
    let made = bundle.post("/v1/client-sessions", &key, &body).await;
    let text = |pointer: &str| made.body.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    let (id, secret) = (text("/data/session/id"), text("/data/client_secret/secret"));
    let redeemed = bundle
        .send_with(
            "POST",
            "/v1/client-sessions/redeem",
            &[("content-type", "application/json")],
            Some(&json!({"client_secret": secret}).to_string()),
        )
        .await;
    let token = redeemed.data("access_token").to_owned();
    assert!(!token.is_empty(), "{}", redeemed.text);
    for text in [&secret, &token] {
        *shown += &redeem(bundle, text).await;
        for caller in [Caller::Bearer(text.clone()), Caller::Key(text.clone())] {
            for (method, path) in
                [("GET", "/demo/free"), ("POST", "/demo/paid"), ("POST", "/demo/paid"), ("GET", "/nowhere")]
            {
                *shown += &bundle.knock(&caller, method, path).await.answer.to_string();
            }
            *shown += &bundle.get("/v1/client-sessions", &caller).await.text;
            let odd = format!(r#"{{"client_reference_id":7,"metadata":{{"{text}":"{text}"}},"{text}":1}}"#);
            *shown += &bundle.send("POST", "/v1/client-sessions", &caller, Some(&odd)).await.text;
        }
        *shown +=
            &bundle.send("POST", "/v1/client-sessions", &key, Some(&format!(r#"{{"{text}":"{text}"}}"#))).await.text;
        *shown += &bundle.get(&format!("/v1/client-sessions/{text}"), &key).await.text;
        question_all(bundle, service, text, shown).await;
    }
    for page in [format!("/v1/client-sessions/{id}"), "/v1/client-sessions".to_owned()] {
        *shown += &bundle.get(&page, &key).await.text;
    }
    (secret, token)
}

/// Redeems something that may be none; what is answered to a secret that works is the one place for its token.
async fn redeem(bundle: &Bundle, text: &str) -> String {
    let body = json!({"client_secret": text}).to_string();
    let headers = [("content-type", "application/json")];
    bundle.send_with("POST", "/v1/client-sessions/redeem", &headers, Some(&body)).await.text
}

/// Has a receiver told of what happens, which hears as little as any caller; it fails at first.
async fn listen(bundle: &Bundle, session: &Session, key: &Caller, id: &str, shown: &mut String) {
    let (receiver, mut hooks) = (Receiver::start().await, Hooks::of(bundle).await);
    let Caller::Key(text) = key else { panic!("a key") };
    let endpoint = json!({"url": receiver.url(), "key_id": id});
    let made = bundle.post("/v1/webhooks", &session.caller(), &endpoint).await;
    let path = format!("/v1/webhooks/{}", made.data("id"));
    *shown += &made.text;
    for body in [json!({"url": text}), json!({"url": "https://example.com", "key_id": text}), json!({text: text})] {
        *shown += &bundle.post("/v1/webhooks", &session.caller(), &body).await.text;
    }
    receiver.answer_next([receiver_status(500), format!("HTTP/1.1 200 {text}\r\nx-echo: {text}\r\n\r\n{text}")]);
    hooks.run().await;
    bundle.clock.advance_ms(6_000);
    hooks.run().await;
    *shown += &bundle.get(&path, &session.caller()).await.text;
    *shown += &bundle.get(&format!("{path}/deliveries"), &session.caller()).await.text;
    let heard = receiver.take();
    assert!(heard.len() > 1, "somebody was told");
    let heard = format!("{heard:?}");
    *shown += &heard;
}

/// Sends an event, and Stripe's secret in places where it should not be; returns the event's signature.
async fn pay(bundle: &Bundle, paid: &Value, shown: &mut String) -> String {
    let signature = stripe::signature(stripe::SECRET, bundle.clock.now(), paid.to_string().as_bytes());
    for (signature, body) in [
        (signature.as_str(), paid.to_string()),
        (&signature, stripe::SECRET.to_owned()),
        (stripe::SECRET, paid.to_string()),
    ] {
        *shown += &bundle.stripe_with(signature, body.as_bytes()).await.text;
    }
    signature
}

/// Opens a signed URL, rightly and wrongly; returns it. The answer that hands it out is the one that shows it.
async fn hand_out(bundle: &Bundle, key: &Caller, shown: &mut String) -> String {
    let made = bundle.post("/v1/signed-urls", key, &json!({"path": "/demo/media/cat.png"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let url = made.data("url").to_owned();
    let target = url.strip_prefix("https://api.example.com").unwrap();
    for (caller, target) in [
        (&Caller::Anonymous, target.to_owned()),
        (&Caller::Anonymous, target.replace("cat", "dog")),
        (&Caller::Anonymous, target.replace("/demo/media", "/nowhere")),
        (key, target.to_owned()),
    ] {
        *shown += &bundle.knock(caller, "GET", &target).await.answer.to_string();
    }
    *shown += &bundle.post("/v1/signed-urls", key, &json!({"path": target})).await.text;
    url
}

/// Has GitHub report the key, in every place of a report.
async fn leak(bundle: &Bundle, text: &str) -> String {
    let key = ReportKey::new(7);
    let function = GitHub::publishing(&[&key]).await.function(&bundle.services);
    let place = format!("https://example.com/{text}");
    let mut shown = String::new();
    for body in [
        json!([{"token": text, "type": "faregate_api_key", "url": place, "source": text}]).to_string(),
        json!([{"token": [text], "type": text}]).to_string(),
        format!("[{text}"),
    ] {
        shown += &send_report(&function, &key.headers(body.as_bytes()), body.as_bytes()).await.text;
        shown += &send_report(&function, &[], body.as_bytes()).await.text;
    }
    assert!(shown.contains("true_positive"), "{shown}");
    shown
}

/// Asks for decisions about a key, with its text in every place where it should not be.
async fn question_all(bundle: &Bundle, service: &Caller, text: &str, shown: &mut String) {
    for (path, field) in
        [("/demo/free", "origin"), ("/demo/paid", "method"), ("/nowhere", "path"), ("/demo/free", "ip")]
    {
        let mut question = json!({"key": text, "method": "POST", "path": path});
        *shown += &verify(bundle, service, "whole", &question).await;
        question[field] = json!(text);
        *shown += &verify(bundle, service, "misplaced", &question).await;
        *shown += &verify(bundle, service, text, &question).await;
    }
    for body in [format!(r#"{{"key":"{text}""#), format!(r#"{{"{text}":1}}"#), format!(r#""{text}""#)] {
        *shown += &bundle.send("POST", "/v1/api-keys/verify", service, Some(&body)).await.text;
    }
}

/// Asks for a decision about a caller, under an idempotency key.
async fn verify(bundle: &Bundle, service: &Caller, idempotency_key: &str, question: &Value) -> String {
    let Caller::Key(service) = service else { panic!("a key") };
    let headers =
        [("x-api-key", service.as_str()), ("content-type", "application/json"), ("idempotency-key", idempotency_key)];
    bundle.send_with("POST", "/v1/api-keys/verify", &headers, Some(&question.to_string())).await.text
}

async fn everything_stored(bundle: &Bundle) -> String {
    let items = bundle.link.client().scan().table_name(&bundle.services.config.table).send().await.unwrap();
    format!("{:?}", items.items())
}
