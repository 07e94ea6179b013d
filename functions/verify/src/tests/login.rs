//! Who may sign in.

use std::sync::Arc;

use serde_json::{Value, json};

use super::bench::{Bench, Wallet};

const REFUSED: (u16, &str) = (401, "invalid_signature");

#[tokio::test]
async fn a_signed_message_becomes_a_token_and_a_cookie() {
    let bench = Bench::new().await;
    let answer = bench.login(&Wallet::new(1)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let data = &answer.body["data"];
    assert_eq!(data["token_type"], "bearer");
    assert_eq!(data["expires_in"], 900);
    assert!(data["account_id"].as_str().unwrap().starts_with("acc_"));
    let token = data["access_token"].as_str().unwrap();
    let cookie = format!("faregate_session={token}; HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age=900");
    assert_eq!(answer.header("set-cookie"), cookie);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_token_names_the_wallet_and_its_account() {
    let bench = Bench::new().await;
    let wallet = Wallet::new(1);
    let answer = bench.login(&wallet).await;
    let token = answer.body["data"]["access_token"].as_str().unwrap();
    let claims = bench.app.sessions.verify_live(token, bench.services.clock.now()).await.unwrap();
    assert_eq!((claims.address, claims.chain_id), (wallet.address(), 1));
    assert_eq!(claims.account.to_string(), answer.body["data"]["account_id"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_parallel_verifies_exactly_one_succeeds() {
    let bench = Arc::new(Bench::new().await);
    let wallet = Wallet::new(1);
    let issued = bench.issue(wallet.address()).await;
    let proof = Arc::new(wallet.proof(&issued));
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (bench, proof) = (Arc::clone(&bench), Arc::clone(&proof));
            tokio::spawn(async move { bench.post("/auth/verify", &proof, &[]).await })
        })
        .collect();
    let mut admitted = 0;
    for task in tasks {
        let answer = task.await.unwrap();
        if answer.status == 200 {
            admitted += 1;
        } else {
            assert_eq!(answer.refusal(), REFUSED);
        }
    }
    assert_eq!(admitted, 1);
}

#[tokio::test]
async fn a_wrong_signature_uses_the_nonce_up() {
    let bench = Bench::new().await;
    let (wallet, thief) = (Wallet::new(1), Wallet::new(2));
    let issued = bench.issue(wallet.address()).await;
    let mut proof = wallet.proof(&issued);
    proof["signature"] = thief.proof(&issued)["signature"].clone();
    assert_eq!(bench.post("/auth/verify", &proof, &[]).await.refusal(), REFUSED);
    assert_eq!(bench.post("/auth/verify", &wallet.proof(&issued), &[]).await.refusal(), REFUSED);
}

#[tokio::test]
async fn every_wallet_failure_is_the_same_answer() {
    let bench = Bench::new().await;
    let (wallet, other) = (Wallet::new(1), Wallet::new(2));
    let mut bodies = Vec::new();
    for signature in ["", "0x", "hello", &format!("0x{}", "00".repeat(65)), &format!("0x{}", "ff".repeat(64))] {
        let mut proof = wallet.proof(&bench.issue(wallet.address()).await);
        proof["signature"] = json!(signature);
        bodies.push(bench.post("/auth/verify", &proof, &[]).await);
    }
    for nonce in ["", "short", "0000000000000000000000", "é", &"0".repeat(5_000)] {
        let mut proof = wallet.proof(&bench.issue(wallet.address()).await);
        proof["nonce"] = json!(nonce);
        bodies.push(bench.post("/auth/verify", &proof, &[]).await);
    }
    let mut proof = other.proof(&bench.issue(wallet.address()).await);
    bodies.push(bench.post("/auth/verify", &proof, &[]).await);
    proof["message"] = json!("no message");
    bodies.push(bench.post("/auth/verify", &proof, &[]).await);
    for answer in &bodies {
        assert_eq!(answer.body, bodies[0].body);
        assert_eq!(answer.refusal(), REFUSED);
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"faregate\"");
    }
}

#[tokio::test]
async fn a_nonce_is_good_for_five_minutes() {
    let bench = Bench::new().await;
    let wallet = Wallet::new(1);
    let (early, late) = (bench.issue(wallet.address()).await, bench.issue(wallet.address()).await);
    bench.services.clock.advance_ms(299_000);
    assert_eq!(bench.post("/auth/verify", &wallet.proof(&early), &[]).await.status, 200);
    bench.services.clock.advance_ms(1_000);
    assert_eq!(bench.post("/auth/verify", &wallet.proof(&late), &[]).await.refusal(), REFUSED);
}

#[tokio::test]
async fn a_contract_wallets_signature_is_named_as_such() {
    let bench = Bench::new().await;
    let wallet = Wallet::new(1);
    let mut proof = wallet.proof(&bench.issue(wallet.address()).await);
    proof["signature"] = json!(format!("0x{}{}", "11".repeat(96), "6492".repeat(16)));
    assert_eq!(bench.post("/auth/verify", &proof, &[]).await.refusal(), (401, "unsupported_wallet"));
}

#[tokio::test]
async fn the_wallets_own_message_is_accepted_if_it_says_the_same() {
    let bench = Bench::new().await;
    let wallet = Wallet::new(1);
    let own = |issued: &super::bench::Issued, part: &str, other: &str| {
        let message = issued.message.replacen("Sign in with your wallet.", "My words.", 1).replacen(part, other, 1);
        let mut proof = wallet.proof(issued);
        proof["message"] = json!(message);
        proof["signature"] = json!(format!("0x{}", hex::encode(wallet.sign(&message))));
        proof
    };
    let proof = own(&bench.issue(wallet.address()).await, "", "");
    assert_eq!(bench.post("/auth/verify", &proof, &[]).await.status, 200);
    let proof = own(&bench.issue(wallet.address()).await, "gate.example", "https://gate.example");
    assert_eq!(bench.post("/auth/verify", &proof, &[]).await.status, 200);
    for (part, other) in [
        ("gate.example wants", "evil.example wants"),
        ("URI: https://gate.example", "URI: https://evil.example"),
        ("Chain ID: 1", "Chain ID: 5"),
        ("Nonce: ", "Nonce: 0"),
        ("Version: 1", "Version: 2"),
        ("Issued At: 2025", "Issued At: 2024"),
        ("Expiration Time: 2025", "Expiration Time: 2024"),
        ("My words.", "My\nwords."),
    ] {
        let proof = own(&bench.issue(wallet.address()).await, part, other);
        assert_eq!(bench.post("/auth/verify", &proof, &[]).await.refusal(), REFUSED, "{part}");
    }
}

#[tokio::test]
async fn one_wallet_has_one_account_whatever_its_spelling() {
    let bench = Bench::new().await;
    let wallet = Wallet::new(1);
    let mut accounts = Vec::new();
    let printed = wallet.address().to_string();
    for spelling in [printed.clone(), printed.to_lowercase(), format!("0x{}", printed[2..].to_uppercase())] {
        let mut proof = wallet.proof(&bench.issue(wallet.address()).await);
        proof["address"] = json!(spelling);
        accounts.push(bench.post("/auth/verify", &proof, &[]).await.body["data"]["account_id"].clone());
    }
    assert!(accounts[0].is_string());
    assert!(accounts.iter().all(|account| *account == accounts[0]), "{accounts:?}");
    assert_ne!(bench.login(&Wallet::new(2)).await.body["data"]["account_id"], accounts[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_first_logins_open_one_account() {
    let bench = Arc::new(Bench::new().await);
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { bench.login(&Wallet::new(1)).await })
        })
        .collect();
    let mut accounts = Vec::new();
    for task in tasks {
        accounts.push(task.await.unwrap().body["data"]["account_id"].clone());
    }
    assert!(accounts[0].is_string());
    assert!(accounts.iter().all(|account| *account == accounts[0]), "{accounts:?}");
}

#[tokio::test]
async fn the_seventeenth_login_ends_the_first() {
    let bench = Bench::new().await;
    let wallet = Wallet::new(1);
    let mut tokens = Vec::new();
    for _ in 0..17 {
        tokens.push(bench.token(&wallet).await);
        bench.services.clock.advance_ms(1_000);
    }
    let now = bench.services.clock.now();
    assert!(bench.app.sessions.verify_live(&tokens[0], now).await.is_err());
    for token in &tokens[1..] {
        assert!(bench.app.sessions.verify_live(token, now).await.is_ok());
    }
}

#[tokio::test]
async fn every_malformed_body_gets_its_own_4xx() {
    let bench = Bench::new().await;
    let good = json!({"address": Wallet::new(1).address().to_string(), "signature": "0x", "nonce": "n"});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, field) in [
        (with("extra", json!(1)), "extra"),
        (with("address", json!(1)), "address"),
        (with("nonce", Value::Null), "nonce"),
        (with("signature", json!(["0x"])), "signature"),
        (with("message", Value::Null), "message"),
        (json!({"address": "0x", "signature": "0x"}), "nonce"),
    ] {
        let answer = bench.post("/auth/verify", &body, &[]).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{body}");
        assert_eq!(answer.body["field"], field, "{body}");
    }
    for address in ["", "0x", "vitalik.eth", "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"] {
        let answer = bench.post("/auth/verify", &with("address", json!(address)), &[]).await;
        assert_eq!(answer.refusal(), (400, "invalid_address"), "{address}");
    }
}

#[tokio::test]
async fn an_outage_is_a_503_and_costs_no_nonce() {
    let dead = Bench::without_table();
    let wallet = Wallet::new(1);
    let proof = json!({"address": wallet.address().to_string(), "signature": "0x", "nonce": "0".repeat(22)});
    assert_eq!(dead.post("/auth/verify", &proof, &[]).await.refusal(), (503, "unavailable"));

    let bench = Bench::new().await;
    let issued = bench.issue(wallet.address()).await;
    let secrets = std::fs::read_to_string(&bench.secrets_file).unwrap();
    std::fs::remove_file(&bench.secrets_file).unwrap();
    assert_eq!(bench.post("/auth/verify", &wallet.proof(&issued), &[]).await.refusal(), (503, "unavailable"));
    std::fs::write(&bench.secrets_file, secrets).unwrap();
    assert_eq!(bench.post("/auth/verify", &wallet.proof(&issued), &[]).await.status, 200);
}
