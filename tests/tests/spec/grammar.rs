//! Every form of the one write is grammatical to the engine, whether it then applies or not.
//!
//! `FAREGATE_TEST_DYNAMODB=127.0.0.1:8000` puts AWS's own DynamoDB Local in the place of the emulator.

use faregate_domain::{
    attempt::{Attempt, Proof, RouteBucket},
    cell::CellId,
    charge::{ChargeId, ChargeNonce},
    counters::Stale,
    funding::{Debit, Grant, Return, TokenBucket, TokenSlice},
    id::{AccountId, KeyId, SessionId},
    key::KeyHash,
    lease::Lease,
    limit::{Opening, QuotaPolicy, Rate},
    money::MicroUsd,
    origin::Origin,
    row::Row,
    scope::Scope,
    settlement::{ErrorCode, Outcome, Settlement},
    time::{Day, Minute, Month, Timestamp},
    window::{Window, WindowLength},
};
use faregate_store::LeasePlace;
use faregate_tests::Bundle;
use serde_json::json;

const OPENINGS: [Opening; 3] = [Opening::Full, Opening::Carried { limit: 100 }, Opening::Drained { limit: 100 }];

fn plain(cell: CellId, proof: Proof, now: Timestamp) -> Attempt {
    Attempt {
        cell,
        proof,
        now,
        lane: "lane0001".into(),
        seq: now.epoch_ms(),
        scope: Scope::parse("demo:write").unwrap(),
        origin: None,
        cost: MicroUsd::ZERO,
        opening: Opening::Full,
        route: None,
        project_window: None,
        lease: None,
        over: Vec::new(),
        cap: None,
        grant: None,
        row: Row {
            charge: ChargeNonce::mint(&mut |pool| pool.fill(2)),
            at: now,
            cost: MicroUsd::ZERO,
            class: "abcd".into(),
            network: "-".into(),
            agent: "-".into(),
        },
        stale: Vec::new(),
    }
}

/// Every combination of the parts that change the expression's text; the others take turns.
fn forms(cells: &[(CellId, Proof)], now: Timestamp) -> Vec<Attempt> {
    let mut forms = Vec::new();
    for (cell, proof) in cells {
        for opening in OPENINGS {
            for route_opening in [None, Some(OPENINGS[0]), Some(OPENINGS[1]), Some(OPENINGS[2])] {
                for (cost, grant) in [(0, None), (10, None), (10, Some(5)), (10, Some(10)), (10, Some(50))] {
                    let mut form = plain(cell.clone(), proof.clone(), now);
                    form.opening = opening;
                    let window = WindowLength::ALL[forms.len() % 3];
                    let rate = Rate { quota: QuotaPolicy::new(5, 2).unwrap(), window };
                    form.route = route_opening.map(|opening| RouteBucket { class: "abcd".into(), rate, opening });
                    form.cost = usd(cost);
                    form.grant = grant.map(|amount| Grant { amount: usd(amount), tokens: None, seq: 1 });
                    if forms.len() % 2 == 0 {
                        form.origin = Some(Origin::parse("https://a.b.example.com:8443").unwrap());
                        form.stale = stale(now);
                    }
                    vary(&mut form, forms.len());
                    forms.push(form);
                }
            }
        }
    }
    forms
}

/// Leases and the project's rate, each in every combination with each other.
fn vary(form: &mut Attempt, number: usize) {
    let lease = Lease::starting(form.now, 60, form.cost);
    let over = || (11..=13).map(|digit| (ChargeNonce::mint(&mut |pool| pool.fill(digit)), lease)).collect();
    match number % 4 {
        1 => form.lease = Some(lease),
        2 => (form.lease, form.over, form.cap) = (Some(lease), over(), Some(10)),
        3 => form.over = over(),
        _ => {}
    }
    let length = WindowLength::ALL[number % 3];
    let index = Window::at(form.now, length).index;
    match number % 5 {
        1 => form.project_window = Some(length),
        2 | 3 => {
            form.project_window = Some(length);
            let amount = form.grant.map_or(MicroUsd::ZERO, |grant| grant.amount);
            form.grant = Some(Grant { amount, tokens: Some(TokenSlice { index, count: 7 }), seq: 1 });
        }
        _ => {}
    }
}

fn stale(now: Timestamp) -> Vec<Stale> {
    let minute = Minute(now.minute().0 - 5);
    let windows = WindowLength::ALL.map(|length| Stale::Route("abcd".into(), Window::at(now.minus_s(400), length)));
    let others = [
        Stale::Minute(minute),
        Stale::Tokens(7),
        Stale::Day(Day(minute.day().0 - 1)),
        Stale::SpentDay(Day(minute.day().0 - 1)),
        Stale::SpentMonth(Month(3)),
        Stale::Slot("lane0002".into()),
    ];
    windows.into_iter().chain(others).collect()
}

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

#[tokio::test]
async fn every_form_of_the_write_is_accepted_by_the_engine() {
    let bundle = Bundle::new().await;
    let (session, id, _) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let hashes = vec![KeyHash::from_bytes([1; 32]), KeyHash::from_bytes([2; 32])];
    let account = CellId::Session(AccountId::parse(&session.account_id).unwrap());
    let cells = [
        (CellId::Key(KeyId::parse(&id).unwrap()), Proof::Key(hashes.clone())),
        (CellId::Key(KeyId::mint(&mut |pool| pool.fill(9))), Proof::Key(hashes[..1].to_vec())),
        (account, Proof::Session(SessionId::mint(&mut |pool| pool.fill(3)))),
    ];
    let forms = forms(&cells, bundle.clock.now());
    assert_eq!(forms.len(), 180);
    for form in forms {
        if let Err(error) = bundle.services.store.admit(&form).await {
            panic!("{error}: {:#?}", faregate_store::admission(&form));
        }
        if let Err(error) = bundle.services.store.fence(&form).await {
            panic!("fence: {error}");
        }
    }
}

#[tokio::test]
async fn every_movement_of_money_is_accepted_by_the_engine() {
    let bundle = Bundle::new().await;
    let (_, id, _) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let (store, now) = (&bundle.services.store, bundle.clock.now());
    let key = CellId::Key(KeyId::parse(&id).unwrap());
    let project = store.find_cell(&key).await.unwrap().unwrap().owner.project;
    for seq in [1, 2] {
        for length in WindowLength::ALL {
            for opening in OPENINGS {
                let rate = Rate { quota: QuotaPolicy::new(100, 5).unwrap(), window: length };
                let window = Window::at(now, length);
                let tokens = Some(TokenSlice { index: window.index, count: 3 });
                let bucket = Some(TokenBucket { window, rate, opening });
                for amount in [0, 10] {
                    let with = Debit { grant: Grant { amount: usd(amount), tokens, seq }, bucket, stale: vec![3, 4] };
                    let grant = Grant { tokens: None, ..with.grant };
                    for debit in [with, Debit { grant, bucket: None, stale: Vec::new() }] {
                        store.debit_wallet(&project, &key, &debit).await.unwrap();
                        store.credit(&key, &debit.grant).await.unwrap();
                    }
                }
            }
        }
        let sent = Return { amount: usd(5), seq };
        store.begin_return(&key, &sent).await.unwrap();
        store.receive_return(&project, &key, &sent).await.unwrap();
    }
    for (old, new) in [(None, Some(WindowLength::Second)), (Some(WindowLength::Second), None)] {
        store.set_project_window(&key, old, new).await.unwrap();
    }
    let charge = ChargeId { cell: key, nonce: ChargeNonce::mint(&mut |pool| pool.fill(2)) };
    for (outcome, actual, error_code) in
        [(Outcome::Succeeded, 10, None), (Outcome::Succeeded, 4, None), (Outcome::Failed, 0, ErrorCode::parse("x"))]
    {
        let settlement = Settlement { outcome, actual: usd(actual), error_code };
        store.insert_settlement(&charge, &settlement, now).await.unwrap();
        for place in [LeasePlace::Held, LeasePlace::Lapsed] {
            let lease = Lease::starting(now, 60, usd(10));
            store.end_lease(&charge, &lease, place, usd(actual), now).await.unwrap();
        }
    }
}
