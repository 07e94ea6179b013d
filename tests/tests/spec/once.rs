//! The verify call under an `Idempotency-Key`: one decision, whatever is lost, whoever dies and however many ask.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_edge::config::Config;
use faregate_gate::Services;
use faregate_tests::{Answer, Bundle, Caller, Fault, Functions, Link, item_bytes, write_units};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A backend that asks about one caller.
#[derive(Clone)]
struct Backend {
    bundle: Bundle,
    service: Caller,
    key: Caller,
}

impl Backend {
    /// A backend whose caller has made a paid call, so that its slice of money is there.
    async fn new() -> Self {
        let (bundle, service) = Bundle::with_service().await;
        let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
        assert_eq!(bundle.knock(&key, "POST", "/demo/paid").await.status, 200);
        Self { bundle, service, key }
    }

    /// The same backend before functions that have only just started.
    fn restarted(&self) -> Self {
        Self { bundle: self.bundle.restarted(), ..self.clone() }
    }

    fn question(&self, path: &str) -> Value {
        let Caller::Key(text) = &self.key else { panic!("a key") };
        json!({"key": text, "method": "POST", "path": path})
    }

    async fn ask(&self, idempotency_key: &str, question: &Value) -> Answer {
        self.ask_as(&self.service, idempotency_key, question).await
    }

    async fn ask_as(&self, service: &Caller, idempotency_key: &str, question: &Value) -> Answer {
        let headers = Self::headers(service, idempotency_key);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.bundle.send_with("POST", "/v1/api-keys/verify", &headers, Some(&question.to_string())).await
    }

    fn headers(service: &Caller, idempotency_key: &str) -> Vec<(String, String)> {
        let mut headers = service.headers();
        headers.push(("content-type".into(), "application/json".into()));
        headers.push(("idempotency-key".into(), idempotency_key.into()));
        headers
    }

    /// Asks again until there is an answer: a first attempt may be waited for.
    async fn insist(&self, idempotency_key: &str, question: &Value) -> Answer {
        for _ in 0..3 {
            let answer = self.ask(idempotency_key, question).await;
            if answer.status != 409 {
                return answer;
            }
            assert_eq!(answer.code(), "request_in_flight");
            let seconds: u64 = answer.headers["retry-after"].parse().unwrap();
            assert!((1..=4).contains(&seconds), "{seconds}");
            self.bundle.clock.advance_ms(seconds * 1_000);
        }
        panic!("nobody finds out what became of it")
    }

    /// Requests counted, spent and reserved, in millionths.
    async fn books(&self) -> (u64, u64, u64) {
        let cell = self.bundle.cell(&self.key).await;
        (cell.counters.requests, cell.purse.spent().micro_usd(), cell.purse.reserved.micro_usd())
    }
}

const PAID: &str = "/demo/paid";
const METERED: &str = "/demo/metered";

#[tokio::test]
async fn the_same_question_gets_the_first_answer_and_is_charged_once() {
    let backend = Backend::new().await;
    let question = backend.question(PAID);
    let first = backend.ask("one", &question).await;
    assert_eq!((first.status, &first.body["data"]["allowed"]), (200, &json!(true)), "{}", first.text);
    let after = backend.books().await;
    assert_eq!(after, (2, 20_000, 0));
    for backend in [&backend, &backend.restarted()] {
        let again = backend.ask("one", &question).await;
        assert_eq!((again.status, &again.text), (200, &first.text));
    }
    assert_eq!(backend.books().await, after);
    let other = backend.ask("two", &question).await;
    assert_ne!(other.body["data"]["charge_id"], first.body["data"]["charge_id"]);
    assert_eq!(backend.books().await, (3, 30_000, 0));
}

#[tokio::test]
async fn another_question_under_the_key_is_refused_and_counts_nothing() {
    let backend = Backend::new().await;
    backend.ask("one", &backend.question(PAID)).await;
    let after = backend.books().await;
    let free = json!({"key": backend.question(PAID)["key"], "method": "GET", "path": "/demo/free"});
    for question in [backend.question(METERED), free, backend.question("/nowhere")] {
        let answer = backend.ask("one", &question).await;
        assert_eq!((answer.status, answer.code()), (422, "idempotency_key_reused"), "{question}");
    }
    // Refused in the same words, and still another question.
    assert_eq!(backend.ask("two", &backend.question("/nowhere")).await.status, 200);
    let answer = backend.ask("two", &backend.question("/elsewhere")).await;
    assert_eq!((answer.status, answer.code()), (422, "idempotency_key_reused"), "{}", answer.text);
    for key in ["", "a b", &"a".repeat(256)] {
        let answer = backend.ask(key, &backend.question(PAID)).await;
        assert_eq!((answer.status, answer.body["field"].as_str()), (400, Some("Idempotency-Key")));
    }
    assert_eq!(backend.books().await, after);
}

#[tokio::test]
async fn a_key_is_the_services_own_and_forgotten_after_ten_minutes() {
    let (bundle, operator) = Bundle::with_operator().await;
    let (_, one) = bundle.key(&operator, json!({"name": "one", "scopes": ["gate:check"]})).await;
    let (_, two) = bundle.key(&operator, json!({"name": "two", "scopes": ["gate:check"]})).await;
    let (_, _, key) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let backend = Backend { bundle, service: one, key };
    let question = backend.question(PAID);
    let first = backend.ask("k", &question).await;
    let second = backend.ask_as(&two, "k", &question).await;
    assert_ne!(second.body["data"]["charge_id"], first.body["data"]["charge_id"]);
    backend.bundle.clock.advance_ms(599_000);
    assert_eq!(backend.ask("k", &question).await.text, first.text);
    backend.bundle.clock.advance_ms(1_000);
    let later = backend.ask("k", &question).await;
    assert_ne!(later.body["data"]["charge_id"], first.body["data"]["charge_id"], "{}", later.text);
    assert_eq!(backend.books().await.0, 3);
}

#[tokio::test]
async fn a_refusal_is_an_answer_too() {
    let (bundle, service) = Bundle::with_service().await;
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "budget_usd": 0})).await;
    let backend = Backend { bundle, service, key };
    for (question, code) in
        [(backend.question(PAID), "insufficient_credits"), (backend.question("/nowhere"), "unknown_route")]
    {
        let first = backend.ask(code, &question).await;
        assert_eq!((first.status, &first.body["data"]["code"]), (200, &json!(code)), "{}", first.text);
        let again = backend.restarted().ask(code, &question).await;
        assert_eq!((again.status, &again.text), (200, &first.text));
    }
    backend.bundle.patch(&format!("/v1/api-keys/{id}"), &session.caller(), &json!({"budget_usd": 1})).await;
    let again = backend.ask("insufficient_credits", &backend.question(PAID)).await;
    assert_eq!(again.body["data"]["allowed"], false);
    let anew = backend.ask("anew", &backend.question(PAID)).await;
    assert_eq!(anew.body["data"]["allowed"], true, "{}", anew.text);
    assert_eq!(backend.books().await, (1, 10_000, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_at_once_are_charged_once() {
    let backend = Backend::new().await;
    let processes = [backend.clone(), backend.restarted(), backend.restarted()];
    for (path, books) in [(PAID, (2, 20_000, 0)), (METERED, (3, 20_000, 100_000))] {
        let mut tasks = JoinSet::new();
        for number in 0..50 {
            let backend = processes[number % 3].clone();
            tasks.spawn(async move { backend.ask(path, &backend.question(path)).await });
        }
        let answers = tasks.join_all().await;
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409)), "{answers:?}");
        let mut texts: BTreeSet<_> =
            answers.iter().filter(|answer| answer.status == 200).map(|answer| answer.text.clone()).collect();
        texts.insert(backend.ask(path, &backend.question(path)).await.text);
        assert_eq!(texts.len(), 1, "one answer for all: {texts:?}");
        assert_eq!(backend.books().await, books);
    }
}

#[tokio::test]
async fn whatever_is_lost_the_call_is_counted_once_and_told_in_the_end() {
    // The service's key, the pledge, the attempt, the answer: each fails once, before or after it was applied.
    for at in 0..5 {
        for fault in
            [Fault::LoseAnswer, Fault::LoseRequest, Fault::Delay, Fault::Duplicate, Fault::Throttle, Fault::Break]
        {
            let backend = Backend::new().await;
            let question = backend.question(METERED);
            backend.bundle.link.play(std::iter::repeat_n(Fault::None, at).chain([fault]));
            let first = backend.ask("one", &question).await;
            assert!(matches!(first.status, 200 | 503), "{at} {fault:?}: {}", first.text);
            let again = backend.restarted().insist("one", &question).await;
            backend.bundle.link.deliver_late().await;
            assert_eq!(
                (again.status, &again.body["data"]["allowed"]),
                (200, &json!(true)),
                "{at} {fault:?}: {}",
                again.text
            );
            assert!(first.status == 503 || first.text == again.text, "{at} {fault:?}");
            assert_eq!(backend.books().await, (2, 10_000, 100_000), "{at} {fault:?}");
            let settled =
                backend.bundle.settle(&backend.service, again.data("charge_id"), &json!({"outcome": "failed"})).await;
            assert_eq!(settled.status, 200, "{at} {fault:?}: {}", settled.text);
        }
    }
}

#[tokio::test]
async fn a_process_that_dies_anywhere_leaves_one_call_or_none() {
    for at in 0..5 {
        for last in [Fault::LoseRequest, Fault::LoseAnswer, Fault::Delay] {
            let backend = Backend::new().await;
            let question = backend.question(METERED);
            // From some moment on nothing of the process arrives any more; of its last word only the answer is lost.
            backend.bundle.link.play(std::iter::repeat_n(Fault::None, at).chain([last]));
            backend.bundle.link.keep_playing(Some(Fault::LoseRequest));
            let first = backend.ask("one", &question).await;
            backend.bundle.link.clear_faults();
            assert!(first.status == 503 || at == 4, "{at} {last:?}: {}", first.text);
            let heir = backend.restarted();
            let again = heir.insist("one", &question).await;
            assert_eq!(
                (again.status, &again.body["data"]["allowed"]),
                (200, &json!(true)),
                "{at} {last:?}: {}",
                again.text
            );
            backend.bundle.link.deliver_late().await;
            let third = backend.restarted().ask("one", &question).await;
            assert_eq!((third.status, &third.text), (200, &again.text), "{at} {last:?}");
            assert_eq!(backend.books().await, (2, 10_000, 100_000), "{at} {last:?}");
            let lease = again.data("charge_id")[20..].to_owned();
            let cell = backend.bundle.cell(&backend.key).await;
            assert!(cell.leases.held.keys().all(|nonce| lease.ends_with(nonce.as_str())), "{at} {last:?}");
            assert_eq!(again.body["data"]["principal"]["reserved_usd"], 0.1);
        }
    }
}

#[tokio::test]
async fn a_process_that_lives_on_does_not_wipe_out_what_became_of_an_attempt() {
    let backend = Backend::new().await;
    let question = backend.question(PAID);
    // The service's key, the pledge, the attempt; then the answer cannot be written down.
    backend.bundle.link.play([Fault::None, Fault::None, Fault::None]);
    backend.bundle.link.keep_playing(Some(Fault::LoseRequest));
    assert_eq!(backend.ask("one", &question).await.status, 503);
    backend.bundle.link.clear_faults();
    for _ in 0..3 {
        let other = backend.bundle.post("/v1/api-keys/verify", &backend.service, &question).await;
        assert_eq!(other.body["data"]["allowed"], true, "{}", other.text);
    }
    assert_eq!(backend.books().await, (5, 50_000, 0));
    let again = backend.insist("one", &question).await;
    assert_eq!((again.status, &again.body["data"]["allowed"]), (200, &json!(true)), "{}", again.text);
    assert_eq!(backend.books().await, (5, 50_000, 0));
}

#[tokio::test]
async fn a_process_that_was_given_up_too_early_comes_too_late() {
    let backend = Backend::new().await;
    let question = backend.question(METERED);
    let behind = backend.bundle.link.url().replace("http://", "");
    let slow = Link::before(behind).await.unwrap();
    let config = Config::clone(&backend.bundle.services.config);
    let services = Services::connect_local(config, &slow.url(), backend.bundle.clock.clone());
    let functions = Functions::start(&services);
    slow.play([Fault::None, Fault::None, Fault::Hold]);
    let (headers, body) = (Backend::headers(&backend.service, "one"), question.to_string());
    let asked = tokio::spawn(async move {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        functions.send_with("POST", "/v1/api-keys/verify", &headers, Some(&body)).await
    });
    while slow.held() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(backend.ask("one", &question).await.status, 409);
    let heir = backend.insist("one", &question).await;
    assert_eq!(heir.body["data"]["allowed"], true, "{}", heir.text);
    slow.let_through();
    let late = asked.await.unwrap();
    assert!(late.status == 503 || late.text == heir.text, "{}", late.text);
    assert_eq!(backend.ask("one", &question).await.text, heir.text);
    assert_eq!(backend.books().await, (2, 10_000, 100_000));
}

#[tokio::test]
async fn a_failure_that_is_over_is_mended_by_the_next_request_at_once() {
    let backend = Backend::new().await;
    let question = backend.question(PAID);
    // All copies of the attempt are lost; the word that nobody is at it any more arrives.
    backend.bundle.link.play([Fault::None, Fault::None]);
    backend.bundle.link.play([Fault::Break; 4]);
    assert_eq!(backend.ask("one", &question).await.status, 503);
    let again = backend.restarted().ask("one", &question).await;
    assert_eq!((again.status, &again.body["data"]["allowed"]), (200, &json!(true)), "{}", again.text);
    assert_eq!(backend.books().await, (2, 20_000, 0));
}

#[tokio::test]
async fn an_attempt_that_nothing_tells_of_any_more_is_left_to_lapse() {
    let backend = Backend::new().await;
    let question = backend.question(PAID);
    backend.bundle.link.play([Fault::None, Fault::None, Fault::None]);
    backend.bundle.link.keep_playing(Some(Fault::LoseRequest));
    assert_eq!(backend.ask("one", &question).await.status, 503);
    backend.bundle.link.clear_faults();
    for (seconds, retry_after) in [(300, "300"), (299, "1")] {
        backend.bundle.clock.advance_ms(seconds * 1_000);
        let answer = backend.restarted().ask("one", &question).await;
        assert_eq!((answer.status, answer.code()), (409, "request_in_flight"), "{}", answer.text);
        assert_eq!(answer.headers["retry-after"], retry_after);
    }
    assert_eq!(backend.books().await, (2, 20_000, 0));
    backend.bundle.clock.advance_ms(1_000);
    assert_eq!(backend.ask("one", &question).await.body["data"]["allowed"], true);
    assert_eq!(backend.books().await, (3, 30_000, 0));
}

#[tokio::test]
async fn an_idempotent_decision_is_a_read_and_three_writes_and_a_replay_a_read_and_one() {
    let backend = Backend::new().await;
    let question = backend.question(PAID);
    let before = backend.bundle.link.requests();
    backend.ask("one", &question).await;
    let asked = backend.bundle.link.requests();
    backend.ask("one", &question).await;
    assert_eq!((asked - before, backend.bundle.link.requests() - asked), (4, 2));
    let longest = backend.bundle.login(&backend.bundle.wallet("person")).await.token;
    backend.ask("two", &json!({"key": longest, "method": "POST", "path": METERED})).await;
    let table = &backend.bundle.services.config.table;
    let items = backend.bundle.link.client().scan().table_name(table).send().await.unwrap();
    let is_passage = |item: &&HashMap<String, AttributeValue>| item["sk"].as_s().unwrap() == "passage";
    let sizes: Vec<_> = items.items().iter().filter(is_passage).map(item_bytes).collect();
    println!("records of {sizes:?} bytes");
    assert_eq!(sizes.len(), 2);
    assert!(sizes.iter().all(|bytes| write_units(*bytes) == 1), "{sizes:?}");
}
