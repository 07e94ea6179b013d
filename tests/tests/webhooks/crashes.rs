//! A wire that breaks between any two steps, and a function that dies there: nothing is lost, and nobody hears of something
//! that did not happen.

use faregate_tests::{Fault, receiver_status as status};
use serde_json::json;
use tokio::task::JoinSet;

use crate::Scene;

/// One key is made, one receiver fails once; wherever the wire breaks, both messages arrive and the log says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_at_any_step_loses_nothing() {
    let faults = [Fault::LoseRequest, Fault::LoseAnswer, Fault::Break, Fault::Throttle, Fault::Duplicate];
    let mut playing: JoinSet<()> = faults.into_iter().map(lose_nothing).collect();
    while let Some(played) = playing.join_next().await {
        played.unwrap();
    }
}

async fn lose_nothing(fault: Fault) {
    let mut steps = 0;
    loop {
        let (mut scene, endpoint) = Scene::with_endpoint(&["key.created"]).await;
        scene.receiver.answer_next([status(500)]);
        let (made, _) = scene.bundle.key(&scene.session, json!({"name": "a"})).await;
        let begun = scene.bundle.link.requests();
        // Each request is sent up to four times by whoever sends it, so that many are lost.
        let faults = std::iter::repeat_n(Fault::None, steps).chain(std::iter::repeat_n(fault, LOST));
        scene.bundle.link.play(faults);
        scene.hooks.run().await;
        scene.pass(60).await;
        scene.bundle.link.deliver_late().await;
        let is_past_the_end = scene.bundle.link.requests() - begun <= steps.try_into().unwrap();
        scene.bundle.link.clear_faults();
        scene.pass(700).await;
        let received = scene.receiver.take();
        assert!(received.len() >= 2, "{fault:?} after {steps}: {received:?}");
        assert!(received.iter().all(|one| one.body()["data"]["key_id"] == json!(made)), "{fault:?} after {steps}");
        let names: std::collections::BTreeSet<_> = received.iter().map(|one| one.id().to_owned()).collect();
        assert_eq!(names.len(), 1, "{fault:?} after {steps}: one message");
        let log = scene.deliveries(&endpoint).await;
        assert_eq!((log.len(), &log[0]["status"]), (1, &json!("delivered")), "{fault:?} after {steps}");
        if is_past_the_end {
            break;
        }
        steps += 1;
    }
    assert!(steps > 5, "{steps} steps of {fault:?}");
}

const LOST: usize = 5;
