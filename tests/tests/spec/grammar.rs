//! Every form of the one write is grammatical to the engine, whether it then applies or not.
//!
//! `FAREGATE_TEST_DYNAMODB=127.0.0.1:8000` puts AWS's own DynamoDB Local in the place of the emulator.

use faregate_domain::{
    attempt::{Attempt, Opening, Proof, RouteBucket},
    cell::{CellId, Stale},
    funding::Grant,
    id::{AccountId, ChargeId, KeyId, SessionId},
    key::KeyHash,
    limit::QuotaPolicy,
    money::MicroUsd,
    origin::Origin,
    row::Row,
    scope::Scope,
    time::{Day, Minute, Timestamp},
};
use faregate_tests::Bundle;
use serde_json::json;

const OPENINGS: [Opening; 3] = [Opening::Full, Opening::Carried { limit: 100 }, Opening::Drained { limit: 100 }];

fn plain(cell: CellId, proof: Proof, now: Timestamp) -> Attempt {
    Attempt {
        cell,
        proof,
        now,
        minute: now.minute(),
        lane: "lane0001".into(),
        seq: now.epoch_ms(),
        scope: Scope::parse("demo:write").unwrap(),
        origin: None,
        cost: MicroUsd::ZERO,
        opening: Opening::Full,
        route: None,
        grant: None,
        row: Row {
            charge: ChargeId::mint(&mut |pool| pool.fill(2)),
            at: now,
            cost: MicroUsd::ZERO,
            class: "abcd".into(),
            network: "-".into(),
            agent: "-".into(),
        },
        stale: Vec::new(),
    }
}

/// Every combination of the parts that change the expression's text.
fn forms(cells: &[(CellId, Proof)], now: Timestamp) -> Vec<Attempt> {
    let mut forms = Vec::new();
    for (cell, proof) in cells {
        for opening in OPENINGS {
            for route_opening in [None, Some(OPENINGS[0]), Some(OPENINGS[1]), Some(OPENINGS[2])] {
                for (cost, grant) in [(0, None), (10, None), (10, Some(5)), (10, Some(10)), (10, Some(50))] {
                    let usd = |micro_usd| MicroUsd::new(micro_usd).unwrap();
                    let mut form = plain(cell.clone(), proof.clone(), now);
                    form.opening = opening;
                    let quota = QuotaPolicy::new(5, 2).unwrap();
                    form.route = route_opening.map(|opening| RouteBucket { class: "abcd".into(), quota, opening });
                    form.cost = usd(cost);
                    form.grant = grant.map(|amount| Grant { amount: usd(amount), seq: 1 });
                    if forms.len() % 2 == 0 {
                        form.origin = Some(Origin::parse("https://a.b.example.com:8443").unwrap());
                        let minute = Minute(now.minute().0 - 5);
                        form.stale = vec![
                            Stale::Minute(minute),
                            Stale::Route("abcd".into(), minute),
                            Stale::Day(Day(minute.day().0 - 1)),
                            Stale::Slot("lane0002".into()),
                        ];
                    }
                    forms.push(form);
                }
            }
        }
    }
    forms
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
