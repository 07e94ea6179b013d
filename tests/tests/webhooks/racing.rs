//! Two at one delivery, or at one endpoint: both may send it, one result is written down, and nobody's change is lost.

use std::{pin::Pin, time::Duration};

use faregate::Message;
use faregate_tests::{Fault, receiver_status as status};
use serde_json::{Value, json};

use crate::Scene;

/// Hands a message over and holds up its `held`-th request to the table until `meanwhile` is over.
fn hand_over_slowly<'s>(
    scene: &'s Scene,
    message: &'s Message,
    held: usize,
    meanwhile: impl Future<Output = ()> + 's,
) -> Pin<Box<dyn Future<Output = ()> + 's>> {
    // More than each test's own future should hold, as below.
    Box::pin(async move {
        let link = scene.bundle.link.clone();
        let before = link.held();
        link.play(std::iter::repeat_n(Fault::None, held - 1).chain([Fault::Hold]));
        let ((), ()) = tokio::join!(scene.hooks.hand_over(message), async {
            let until_held = async {
                while link.held() == before {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), until_held).await.unwrap();
            meanwhile.await;
            link.let_through();
        });
    })
}

/// A scene with one test event on its way, and the message about it.
fn with_message() -> Pin<Box<dyn Future<Output = (Scene, String, Message)> + Send>> {
    Box::pin(async {
        let (mut scene, endpoint) = Scene::with_endpoint(&["credit.received"]).await;
        scene.test_event(&endpoint).await;
        while scene.hooks.tell_some().await {}
        let mut messages = scene.hooks.messages();
        assert_eq!(messages.len(), 1);
        (scene, endpoint, messages.remove(0))
    })
}

fn outcomes(delivery: &Value) -> Vec<&Value> {
    delivery["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["status_code"]).collect()
}

#[tokio::test]
async fn of_two_results_the_first_one_that_is_written_stays() {
    // The first one is no failure, or the second attempt would be made out of the line.
    for (second, wanted) in [(202, "delivered"), (503, "pending")] {
        let (scene, endpoint, message) = with_message().await;
        scene.receiver.answer_next([status(204), status(second)]);
        hand_over_slowly(&scene, &message, RESULT_OF_SUCCESS, scene.hooks.hand_over(&message)).await;
        assert_eq!(scene.receiver.take().len(), 2);
        let log = scene.deliveries(&endpoint).await;
        assert_eq!((&log[0]["status"], outcomes(&log[0])), (&json!(wanted), vec![&json!(second)]));
    }
}

#[tokio::test]
async fn a_late_result_revives_nothing_that_was_cancelled() {
    let (scene, endpoint, message) = with_message().await;
    scene.receiver.answer_next([status(500)]);
    hand_over_slowly(&scene, &message, RESULT, async {
        let off = json!({"enabled": false});
        assert_eq!(scene.bundle.patch(&format!("/v1/webhooks/{endpoint}"), &scene.key, &off).await.status, 200);
        scene.hooks.hand_over(&message).await;
    })
    .await;
    let log = scene.deliveries(&endpoint).await;
    assert_eq!((&log[0]["status"], &log[0]["reason"]), (&json!("cancelled"), &json!("by_owner")));
    assert_eq!(scene.receiver.take().len(), 1);
}

#[tokio::test]
async fn a_late_result_is_none_of_a_delivery_that_was_begun_anew() {
    let (mut scene, endpoint, message) = with_message().await;
    scene.receiver.answer_next([status(202)]);
    let name = scene.deliveries(&endpoint).await[0]["id"].as_str().unwrap().to_owned();
    hand_over_slowly(&scene, &message, RESULT_OF_SUCCESS, async {
        scene.hooks.hand_over(&message).await;
        let path = format!("/v1/webhooks/{endpoint}/deliveries/{name}/redeliver");
        assert_eq!(scene.bundle.post(&path, &scene.key, &json!({})).await.status, 202);
    })
    .await;
    scene.receiver.forget();
    scene.hooks.run().await;
    assert_eq!(scene.receiver.take().len(), 1, "as something new, whatever became of the attempt before");
    let log = scene.deliveries(&endpoint).await;
    assert_eq!((&log[0]["status"], outcomes(&log[0])), (&json!("delivered"), vec![&json!(204), &json!(204)]));
}

#[tokio::test]
async fn an_endpoint_that_its_owner_disables_during_an_attempt_stays_disabled() {
    let (scene, endpoint, message) = with_message().await;
    scene.receiver.answer_next([status(500)]);
    hand_over_slowly(&scene, &message, NOTE, async {
        let off = json!({"enabled": false, "description": "mine"});
        assert_eq!(scene.bundle.patch(&format!("/v1/webhooks/{endpoint}"), &scene.key, &off).await.status, 200);
    })
    .await;
    let shown = scene.show(&endpoint).await;
    assert_eq!((&shown["disabled_reason"], &shown["description"]), (&json!("by_owner"), &json!("mine")));
    assert!(shown["failing_since"].is_string(), "and the failure is noted all the same");
}

#[tokio::test]
async fn a_message_that_comes_before_its_time_makes_no_attempt() {
    let (mut scene, _, message) = with_message().await;
    scene.receiver.answer_next([status(500)]);
    scene.hooks.hand_over(&message).await;
    while scene.hooks.tell_some().await {}
    let messages = scene.hooks.messages();
    assert_eq!((messages.len(), scene.receiver.take().len()), (1, 1));
    scene.hooks.hand_over(&messages[0]).await;
    assert!(scene.receiver.take().is_empty(), "five seconds early");
    scene.bundle.clock.advance_ms(6_000);
    scene.hooks.hand_over(&messages[0]).await;
    assert_eq!(scene.receiver.take().len(), 1);
}

/// A sweep puts off what it has woken; what was tried meanwhile has another time by then.
#[tokio::test]
async fn a_sweep_puts_off_nothing_that_has_moved_on() {
    let (mut scene, endpoint, message) = with_message().await;
    scene.receiver.answer_next([status(500)]);
    scene.bundle.clock.advance_ms(31_000);
    let link = scene.bundle.link.clone();
    // One query for each shelf up to the delivery's, and then it is put off.
    let shelf = endpoint["whk_".len()..].bytes().fold(0_u8, u8::wrapping_add) % faregate_store::Store::DUE_SHELVES;
    link.play(std::iter::repeat_n(Fault::None, usize::from(shelf) + 1).chain([Fault::Hold]));
    let ((), ()) = tokio::join!(scene.hooks.sweep(), async {
        while link.held() == 0 {
            tokio::task::yield_now().await;
        }
        scene.hooks.hand_over(&message).await;
        link.let_through();
    });
    assert_eq!(scene.receiver.take().len(), 1);
    while scene.hooks.tell_some().await {}
    scene.hooks.lose_messages();
    scene.pass(60).await;
    assert_eq!(scene.receiver.take().len(), 1, "the next sweep finds it");
}

#[tokio::test]
async fn first_attempts_wait_for_those_of_their_endpoint_and_later_ones_for_nobody() {
    let (mut scene, endpoint, message) = with_message().await;
    assert_eq!((message.group.as_deref(), message.pause.as_secs()), (Some(endpoint.as_str()), 0));
    scene.receiver.answer_next([status(500)]);
    scene.hooks.hand_over(&message).await;
    scene.test_event(&endpoint).await;
    while scene.hooks.tell_some().await {}
    let waiting = scene.hooks.messages();
    let waiting: Vec<_> = waiting.iter().map(|one| (one.group.as_deref(), one.pause.as_secs() >= 5)).collect();
    assert_eq!(waiting, [(None, true), (Some(endpoint.as_str()), false)]);
}

#[tokio::test]
async fn what_follows_a_failure_in_a_batch_waits_for_it() {
    let (mut scene, endpoint, first) = with_message().await;
    scene.test_event(&endpoint).await;
    while scene.hooks.tell_some().await {}
    let (first, second) = (first.event(), scene.hooks.messages().remove(0).event());
    // As often as the first one's delivery is asked for.
    scene.bundle.link.play([Fault::Break; 4]);
    let failed = scene.hooks.tell(&[&first["Records"][0], &second["Records"][0]]).await;
    scene.bundle.link.clear_faults();
    assert_eq!(failed.as_deref(), first["Records"][0]["messageId"].as_str());
    assert!(scene.receiver.take().is_empty());
}

#[tokio::test]
async fn a_sweep_sends_one_message() {
    let (mut scene, _, _) = with_message().await;
    scene.bundle.clock.advance_ms(31_000);
    scene.hooks.sweep().await;
    // That it was put off is in the stream, and no news.
    while scene.hooks.tell_some().await {}
    scene.hooks.sweep().await;
    assert_eq!(scene.hooks.messages().len(), 1);
}

/// Which request to the table writes down that an attempt has failed: first at the endpoint, after four reads.
const NOTE: usize = 5;
/// And then at the delivery.
const RESULT: usize = 6;
/// The same, where there is nothing to note of the endpoint.
const RESULT_OF_SUCCESS: usize = 5;
