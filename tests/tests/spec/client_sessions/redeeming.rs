//! A client secret works once, for whoever comes first, and whatever is wrong with one is answered alike.

use faregate_domain::{client_session::ClientSecret, id::ClientSessionId};
use faregate_edge::secrets::SecretName;
use faregate_tests::{Answer, Fault};
use serde_json::json;
use tokio::task::JoinSet;

use super::{PATH, REDEEM, Scene, redeem, redeem_from};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_parallel_redemptions_give_one_token() {
    let scene = Scene::new().await;
    for settings in [json!({}), json!({"max_cost_usd": "0.05"})] {
        let (id, secret) = scene.made(settings).await;
        let mut redeeming = JoinSet::new();
        for _ in 0..50 {
            let (bundle, secret) = (scene.bundle.clone(), secret.clone());
            redeeming.spawn(async move { redeem(&bundle, &secret).await });
        }
        let answers = redeeming.join_all().await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(won.len(), 1);
        assert!(lost.iter().all(|answer| answer.code() == "invalid_client_secret"), "{lost:?}");
        assert_eq!(scene.read(&id).await["status"], "redeemed");
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_secret_is_answered_alike() {
    let scene = Scene::new().await;
    let (_, used) = scene.made(json!({})).await;
    assert_eq!(redeem(&scene.bundle, &used).await.status, 200);
    let (ended_id, ended) = scene.made(json!({})).await;
    assert_eq!(scene.end(&ended_id).await.status, 204);
    let (_, expired) = scene.made(json!({"ttl_seconds": 60})).await;
    scene.bundle.clock.advance_ms(60_000);
    let (_, of_revoked) = scene.made(json!({})).await;
    let (_, whole) = scene.made(json!({})).await;
    let changed = format!("{}{}", &whole[..57], if whole.ends_with('0') { '1' } else { '0' });
    let mut answers: Vec<Answer> = Vec::new();
    for secret in [&used, &ended, &expired, &changed, "", "cs_", "sk_test_x", &"x".repeat(5_000)] {
        answers.push(redeem(&scene.bundle, secret).await);
    }
    // A key that is over makes all of its secrets wrong.
    scene.revoke_key().await;
    for secret in [&of_revoked, &whole] {
        answers.push(redeem(&scene.bundle, secret).await);
    }
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (401, &answers[0].text));
        assert_eq!(answer.headers, answers[0].headers);
    }
    assert_eq!(answers[0].code(), "invalid_client_secret");
    assert!(answers[0].headers["www-authenticate"].starts_with("Bearer realm="));
}

#[tokio::test]
async fn no_other_secret_of_a_session_redeems_it() {
    let scene = Scene::new().await;
    let (id, secret) = scene.made(json!({})).await;
    let services = &scene.bundle.services;
    let link = services.secrets.find(SecretName::Link, services.clock.now()).await.unwrap();
    // Its form and its tag are right: whoever knew our secret could make it, and so could another deployment that shares it.
    let made = ClientSecret::mint(&ClientSessionId::parse(&id).unwrap(), &link.current, &mut |pool| pool.fill(9));
    assert!(ClientSecret::parse(made.reveal(), &link).is_ok());
    assert_eq!(redeem(&scene.bundle, made.reveal()).await.code(), "invalid_client_secret");
    let nobodys =
        ClientSecret::mint(&ClientSessionId::mint(&mut |pool| pool.fill(9)), &link.current, &mut |pool| pool.fill(9));
    assert_eq!(redeem(&scene.bundle, nobodys.reveal()).await.code(), "invalid_client_secret");
    assert_eq!(redeem(&scene.bundle, &secret).await.status, 200);
}

#[tokio::test]
async fn junk_is_refused_without_a_read() {
    let scene = Scene::new().await;
    let (_, secret) = scene.made(json!({})).await;
    let before = scene.bundle.link.requests();
    for place in [3, 30, 57] {
        let mut junk = secret.clone().into_bytes();
        junk[place] = if junk[place] == b'A' { b'B' } else { b'A' };
        assert_eq!(redeem(&scene.bundle, std::str::from_utf8(&junk).unwrap()).await.status, 401);
    }
    assert_eq!(scene.bundle.link.requests(), before);
}

#[tokio::test]
async fn an_expired_keys_sessions_are_over() {
    let scene = Scene::with(json!({"name": "a", "expires_at": "2026-10-21T00:05:00Z"})).await;
    let (id, secret) = scene.made(json!({})).await;
    let (_, token) = scene.redeemed(json!({})).await;
    scene.bundle.clock.advance_ms(300_000);
    assert_eq!(redeem(&scene.bundle, &secret).await.code(), "invalid_client_secret");
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await.1, "invalid_token");
    let read = scene.bundle.get(&format!("{PATH}/{id}"), &scene.owner.caller()).await;
    assert_eq!(read.data("status"), "ended");
}

#[tokio::test]
async fn a_frozen_keys_secret_is_good_for_a_token_that_waits() {
    let scene = Scene::new().await;
    let (_, secret) = scene.made(json!({})).await;
    scene.change_key(json!({"frozen": true})).await;
    let answer = redeem(&scene.bundle, &secret).await;
    let token = faregate_tests::Caller::Bearer(answer.data("access_token").to_owned());
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await.1, "insufficient_credits");
    scene.change_key(json!({"frozen": false})).await;
    assert_eq!(scene.knock(&token, "GET", "/demo/free").await.0, 200);
}

#[tokio::test]
async fn a_redemption_whose_answer_the_table_lost_is_still_one() {
    let scene = Scene::new().await;
    for settings in [json!({}), json!({"max_cost_usd": 1})] {
        let (id, secret) = scene.made(settings).await;
        // Two reads, then the transaction.
        scene.bundle.link.play([Fault::None, Fault::None, Fault::LoseAnswer]);
        let answer = redeem(&scene.bundle, &secret).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        scene.bundle.link.clear_faults();
        assert_eq!(scene.read(&id).await["status"], "redeemed");
        assert_eq!(redeem(&scene.bundle, &secret).await.status, 401);
    }
}

#[tokio::test]
async fn an_outage_uses_no_secret_up_and_is_no_refusal() {
    let scene = Scene::new().await;
    let (_, secret) = scene.made(json!({})).await;
    scene.bundle.link.keep_playing(Some(Fault::Break));
    let answer = redeem(&scene.bundle, &secret).await;
    assert_eq!((answer.status, answer.code()), (503, "unavailable"));
    scene.bundle.link.keep_playing(None);
    assert_eq!(redeem(&scene.bundle, &secret).await.status, 200);
}

#[tokio::test]
async fn a_page_of_another_origin_redeems_nothing_and_uses_nothing_up() {
    let scene = Scene::new().await;
    let (_, secret) = scene.made(json!({"allowlist": ["*.a.com"]})).await;
    for origin in
        [None, Some("https://a.com"), Some("https://evil.com"), Some("null"), Some("https://x.a.com.evil.com")]
    {
        let answer = redeem_from(&scene.bundle, &secret, origin).await;
        assert_eq!((answer.status, answer.code()), (403, "origin_not_allowed"), "{origin:?}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    let answer = redeem_from(&scene.bundle, &secret, Some("https://x.a.com")).await;
    assert_eq!((answer.status, answer.headers["access-control-allow-origin"].as_str()), (200, "https://x.a.com"));
}

#[tokio::test]
async fn a_request_that_is_none_is_a_problem() {
    let scene = Scene::new().await;
    let json_type = [("content-type", "application/json")];
    for (body, status) in
        [(r"{}", 400), (r#"{"client_secret":7}"#, 400), (r#"{"client_secret":"a","x":1}"#, 400), ("", 400), ("[", 400)]
    {
        let answer = scene.bundle.send_with("POST", REDEEM, &json_type, Some(body)).await;
        assert_eq!(answer.status, status, "{body}");
    }
    let answer = scene.bundle.send_with("POST", REDEEM, &[("content-type", "text/plain")], Some("{}")).await;
    assert_eq!(answer.status, 415);
    let answer = scene.bundle.send_with("GET", REDEEM, &[], None).await;
    assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "POST"));
}
