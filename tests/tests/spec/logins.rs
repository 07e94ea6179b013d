//! Where an owner is signed in, and that ending it holds at the very next request.

use faregate_tests::{Answer, Bundle, Session};
use serde_json::Value;

/// The sessions that `session` is told of: their ids, and whether each is the one that asks.
async fn told(bundle: &Bundle, session: &Session) -> Vec<(String, bool)> {
    let answer = bundle.get("/v1/sessions", &session.caller()).await;
    assert_eq!((answer.status, &answer.body["next_cursor"]), (200, &Value::Null), "{}", answer.text);
    let of = |one: &Value| (one["id"].as_str().unwrap().to_owned(), one["is_current"].as_bool().unwrap());
    answer.body["data"].as_array().unwrap().iter().map(of).collect()
}

async fn id_of(bundle: &Bundle, session: &Session) -> String {
    told(bundle, session).await.into_iter().find(|(_, is_current)| *is_current).unwrap().0
}

/// What the session is answered by a managing function, and by the gate.
async fn standing(bundle: &Bundle, session: &Session) -> (u16, u16) {
    let managing = bundle.get("/v1/me", &session.caller()).await.status;
    (managing, bundle.knock(&session.caller(), "GET", "/demo/free").await.status)
}

async fn end(bundle: &Bundle, by: &Session, id: &str) -> Answer {
    bundle.delete(&format!("/v1/sessions/{id}"), &by.caller()).await
}

#[tokio::test]
async fn an_owner_is_told_of_each_sign_in_and_of_no_token() {
    let bundle = Bundle::new().await;
    let wallet = bundle.wallet("ann");
    let first = bundle.login(&wallet).await;
    bundle.clock.advance_ms(60_000);
    let second = bundle.login(&wallet).await;
    let now = bundle.clock.now();
    let answer = bundle.get("/v1/sessions", &first.caller()).await;
    let sessions = answer.body["data"].as_array().unwrap();
    let times = |one: &Value| [one["created_at"].clone(), one["expires_at"].clone(), one["is_current"].clone()];
    let wanted = [(now, false), (now.minus_s(60), true)].map(|(began, is_current)| {
        [began.to_string().into(), began.plus_s(900).to_string().into(), Value::from(is_current)]
    });
    assert_eq!(sessions.iter().map(times).collect::<Vec<_>>(), wanted);
    for session in [&first, &second] {
        for part in session.token.split('.') {
            assert!(!answer.text.contains(part), "{part} is told");
        }
    }
    let narrow = bundle.get("/v1/sessions?limit=1", &first.caller()).await;
    assert_eq!(narrow.body["data"].as_array().unwrap(), &sessions[..1]);
    let next = format!("/v1/sessions?limit=1&cursor={}", narrow.body["next_cursor"].as_str().unwrap());
    let rest = bundle.get(&next, &first.caller()).await;
    assert_eq!(
        (rest.body["data"].as_array().unwrap().as_slice(), &rest.body["next_cursor"]),
        (&sessions[1..], &Value::Null)
    );
}

#[tokio::test]
async fn a_session_that_is_ended_elsewhere_is_refused_at_its_very_next_request() {
    let bundle = Bundle::new().await;
    let wallet = bundle.wallet("ann");
    let (here, lost) = (bundle.login(&wallet).await, bundle.login(&wallet).await);
    let other_instance = bundle.restarted();
    assert_eq!(standing(&other_instance, &lost).await, (200, 200));
    let id = id_of(&bundle, &lost).await;
    assert_eq!(end(&bundle, &here, &id).await.status, 204);
    for instance in [&bundle, &other_instance] {
        assert_eq!(standing(instance, &lost).await, (401, 401));
        assert_eq!(standing(instance, &here).await, (200, 200));
    }
    assert_eq!(told(&bundle, &here).await.len(), 1);
    assert_eq!(end(&bundle, &here, &id).await.code(), "not_found");
    // Whoever asks may end its own as well.
    assert_eq!(end(&bundle, &here, &id_of(&bundle, &here).await).await.status, 204);
    assert_eq!(standing(&bundle, &here).await, (401, 401));
}

#[tokio::test]
async fn another_accounts_session_is_as_one_that_never_was_and_lives_on() {
    let bundle = Bundle::new().await;
    let [ann, bob] = ["ann", "bob"].map(|name| bundle.wallet(name));
    let (ann, bob) = (bundle.login(&ann).await, bundle.login(&bob).await);
    let (foreign, never) = (id_of(&bundle, &bob).await, format!("jti_{}", "0".repeat(22)));
    let text = |answer: &Answer| {
        let name = answer.body["request_id"].as_str().unwrap();
        (answer.status, answer.text.replace(name, ""))
    };
    let answers = [end(&bundle, &ann, &foreign).await, end(&bundle, &ann, &never).await];
    assert_eq!(answers[0].status, 404);
    assert_eq!(text(&answers[0]), text(&answers[1]));
    assert_eq!(bundle.delete("/v1/sessions", &ann.caller()).await.status, 204);
    assert_eq!(standing(&bundle, &bob).await, (200, 200));
}

#[tokio::test]
async fn all_others_end_at_once_and_the_one_that_asks_goes_on() {
    let bundle = Bundle::new().await;
    let wallet = bundle.wallet("ann");
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(bundle.login(&wallet).await);
    }
    let here = others.remove(1);
    assert_eq!(bundle.delete("/v1/sessions", &here.caller()).await.status, 204);
    for other in &others {
        assert_eq!(standing(&bundle, other).await, (401, 401));
        // An ended one cannot end the others in turn.
        assert_eq!(bundle.delete("/v1/sessions", &other.caller()).await.code(), "invalid_token");
    }
    assert_eq!(standing(&bundle, &here).await, (200, 200));
    let id = id_of(&bundle, &here).await;
    assert_eq!(told(&bundle, &here).await, [(id, true)]);
}

#[tokio::test]
async fn a_session_that_is_over_is_not_told_of_and_cannot_be_ended() {
    let bundle = Bundle::new().await;
    let wallet = bundle.wallet("ann");
    let old = bundle.login(&wallet).await;
    let id = id_of(&bundle, &old).await;
    bundle.clock.advance_ms(600_000);
    let here = bundle.login(&wallet).await;
    assert_eq!(told(&bundle, &here).await.len(), 2);
    bundle.clock.advance_ms(300_000);
    assert_eq!(told(&bundle, &here).await.len(), 1);
    assert_eq!(end(&bundle, &here, &id).await.code(), "not_found");
}
