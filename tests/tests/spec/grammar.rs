//! Every form of the one write is grammatical to the engine, and the engine does with it what it should.
//!
//! `FAREGATE_TEST_DYNAMODB=127.0.0.1:8000` names a second engine, which must accept the same and do the same.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    attempt::{Attempt, Proof, RouteBucket},
    cell::CellId,
    charge::ChargeNonce,
    client_session::{ClientPass, Tab},
    counters::Stale,
    funding::{Grant, TokenSlice},
    id::{AccountId, ClientSessionId, KeyId, SessionId},
    key::KeyHash,
    lease::Lease,
    limit::{Opening, QuotaPolicy, Rate},
    money::MicroUsd,
    origin::Origin,
    refused::{Entry, Form, Place, Reason, RefusedDay, Whose},
    rotation::Secret,
    row::Row,
    scope::{Grant as ScopeGrant, GrantSet, Scope},
    time::{Day, Minute, Month, Timestamp},
    window::{Window, WindowLength},
};
use faregate_store::EntryOutcome;
use faregate_tests::Bundle;
use serde_json::json;

use crate::engines::{Engine, Item};

const OPENINGS: [Opening; 3] = [Opening::Full, Opening::Carried { limit: 100 }, Opening::Drained { limit: 100 }];

fn plain(cell: CellId, proof: Proof, now: Timestamp) -> Attempt {
    Attempt {
        cell,
        proof,
        secret: Secret::Current,
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
                        form.stale.extend(matches!(proof, Proof::Client(_)).then(|| Stale::Tab(client_session(9))));
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
    match (&form.proof, number % 7) {
        (Proof::Key(_), 1 | 2) => form.secret = Secret::Fresh { grace_seconds: 60 },
        (Proof::Key(_), 3 | 4) => form.secret = Secret::Old,
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

/// A stored cell, made to meet what every form demands of it.
async fn cell(bundle: &Bundle, id: &CellId) -> Item {
    let mut item = crate::engines::item(bundle, &id.partition(), "cell").await;
    for (name, value) in [("bal", 1_000), ("tl", 100), ("tb", 10), ("tc", 110), ("lc", 10)] {
        item.insert(name.into(), number(value));
    }
    if let Some(hash) = item.get_mut("h") {
        *hash = AttributeValue::B(vec![1; 32].into());
    }
    if let Some(sessions) = item.get_mut("se") {
        let end = bundle.clock.now().plus_s(60).epoch_s().try_into().unwrap();
        *sessions = AttributeValue::M([(session().suffix().to_owned(), number(end))].into());
    }
    item
}

/// The key with the tabs that the form supposes: its own, as full as may be, and one whose time is over.
fn run_up_for(form: &Attempt, cell: &mut Item) {
    let Proof::Client(pass) = &form.proof else { return };
    let packed = |tab: Tab| AttributeValue::N(tab.packed().to_string());
    let over = Tab { spent: MicroUsd::ZERO, end: form.now };
    let own = pass.ceiling.map(|ceiling| (pass.session.clone(), pass.tab(ceiling.minus(form.cost))));
    let tabs = own.into_iter().chain([(client_session(9), over)]);
    let tabs = tabs.map(|(session, tab)| (session.suffix().to_owned(), packed(tab)));
    cell.insert("c".into(), AttributeValue::M(tabs.collect()));
    cell.insert("u".into(), AttributeValue::M([].into()));
}

/// The cell with its windows as the form's openings suppose them, and with the leases and tokens that it supposes.
fn opened_for(form: &Attempt, mut cell: Item) -> Item {
    let left = |opening| match opening {
        Opening::Full => None,
        Opening::Carried { .. } => Some(1),
        Opening::Drained { .. } => Some(-2),
    };
    let route = form.route.as_ref().map(|route| {
        let letter = ["s", "t", ""][WindowLength::ALL.iter().position(|it| *it == route.rate.window).unwrap()];
        let previous = route.window(form.now).previous().index;
        (format!("eabcd{letter}{previous}"), left(route.opening))
    });
    let minute = (format!("m{}", form.minute().previous().0), left(form.opening));
    for (name, left) in route.into_iter().chain([minute]) {
        if let Some(left) = left {
            cell.insert(name, number(left));
        }
    }
    rotated_for(form, &mut cell);
    run_up_for(form, &mut cell);
    let packed = |lease: &Lease| AttributeValue::N(lease.packed().to_string());
    let held = form.over.iter().map(|(nonce, lease)| (nonce.as_str().to_owned(), packed(lease)));
    cell.insert("l".into(), AttributeValue::M(held.collect()));
    if let Some(length) = form.project_window {
        cell.insert("pw".into(), number(length.seconds().try_into().unwrap()));
        if form.granted_tokens().is_none() {
            cell.insert(format!("p{}", Window::at(form.now, length).index), number(2));
        }
    }
    cell
}

/// The key as it is after the rotation that the form supposes.
fn rotated_for(form: &Attempt, cell: &mut Item) {
    let seconds = |time: Timestamp| number(time.epoch_s().try_into().unwrap());
    let grace = match form.secret {
        Secret::Current => return,
        Secret::Fresh { grace_seconds } => ("gd", number(grace_seconds.try_into().unwrap())),
        Secret::Old => ("gx", seconds(form.now.plus_s(1))),
    };
    let (presented, other) = (cell["h"].clone(), AttributeValue::B(vec![9; 32].into()));
    let (current, old) = if form.secret == Secret::Old { (other, presented) } else { (presented, other) };
    let rotated_at = seconds(form.now.minus_s(60));
    for (name, value) in [("h", current), ("g", old), ("rn", number(1)), ("ro", rotated_at), grace] {
        cell.insert(name.into(), value);
    }
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn session() -> SessionId {
    SessionId::mint(&mut |pool| pool.fill(3))
}

fn client_session(digit: u8) -> ClientSessionId {
    ClientSessionId::mint(&mut |pool| pool.fill(digit))
}

/// A client session of a key, as its token states it.
fn pass(key: &KeyId, ceiling: Option<MicroUsd>, now: Timestamp) -> Proof {
    Proof::Client(Box::new(ClientPass {
        session: client_session(5),
        key: key.clone(),
        environment: "sandbox".into(),
        grants: GrantSet::new([ScopeGrant::parse("demo:*").unwrap()]).unwrap(),
        allowlist: None,
        ceiling,
        issued_at: now,
        end: now.plus_s(60),
    }))
}

#[tokio::test]
async fn every_form_of_the_write_is_applied_once_and_alike_by_each_engine() {
    let bundle = crate::engines::bundle().await;
    let (owner, id, _) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let (id, now) = (KeyId::parse(&id).unwrap(), bundle.clock.now());
    let account = CellId::Session(AccountId::parse(&owner.account_id).unwrap());
    let hashes = vec![KeyHash::from_bytes([1; 32]), KeyHash::from_bytes([2; 32])];
    let one_hash = Proof::Key(hashes[..1].to_vec());
    let with_tab = pass(&id, Some(usd(15)), now);
    let keys = [Proof::Key(hashes), one_hash, pass(&id, None, now), with_tab];
    let proofs = keys.map(|proof| (CellId::Key(id.clone()), proof)).into_iter();
    let proofs: Vec<_> = proofs.chain([(account, Proof::Session(session()))]).collect();
    let forms = forms(&proofs, now);
    assert_eq!(forms.len(), 300);

    let engines = Engine::all(&bundle).await;
    for (number, form) in forms.iter().enumerate() {
        let stored = opened_for(form, cell(&bundle, &form.cell).await);
        let mut left = Vec::new();
        for engine in &engines {
            if number % 60 == 0 {
                assert_eq!((engine.admit(form).await, engine.fence(form).await), (None, None), "there is no cell yet");
            }
            engine.lay(stored.clone()).await;
            left.push(engine.admit(form).await);
            assert!(left[0].is_some(), "{:#?}", faregate_store::admission(form));
            assert_eq!(left[0], left[left.len() - 1]);
            assert_eq!(engine.admit(form).await, None, "the same write again");
            if number % 60 == 59 {
                assert_eq!(engine.fence(form).await, None);
                engine.lay(stored.clone()).await;
                assert!(engine.fence(form).await.is_some());
                assert_eq!(engine.admit(form).await, None, "a fenced write");
            }
        }
    }
}

/// Sends an entry in each of these forms in turn, and what each left; the writers are swept in between.
async fn refused_forms(engine: &Engine, whose: &Whose, now: Timestamp) -> Vec<Option<RefusedDay>> {
    let reason = |number: usize| Reason { route: Some(format!("GET /{number}")), code: "rate_limited".into() };
    let mut left = Vec::new();
    for (step, (form, reasons)) in [
        (Form::Add, 0..16),
        (Form::Fold, 0..16),
        (Form::Open, 0..16),
        (Form::Open, 0..16),
        (Form::Add, 10..26),
        (Form::Add, 20..36),
        (Form::Add, 0..1),
        (Form::Fold, 0..16),
    ]
    .into_iter()
    .enumerate()
    {
        let seq = now.epoch_ms() + step as u64;
        let reasons = reasons.map(|number| (reason(number), 2)).collect();
        let entry = Entry { place: Place::at(now, whose.clone()), reasons, writer: format!("writer{step}"), seq };
        for _ in 0..2 {
            left.push(match engine.store.add_refused(&entry, form).await.unwrap() {
                EntryOutcome::Added(day) => Some(day),
                EntryOutcome::Refused(_) => None,
            });
        }
        let (writers, horizon) = ([entry.writer], seq + (step % 2) as u64);
        engine.store.sweep_refused(&entry.place.sheet, &writers, horizon).await.unwrap();
    }
    left
}

#[tokio::test]
async fn every_form_of_counting_a_refusal_is_applied_once_and_alike_by_each_engine() {
    let bundle = crate::engines::bundle().await;
    let (owner, id, _) = bundle.key_of_newcomer(json!({"name": "a"})).await;
    let key = CellId::Key(KeyId::parse(&id).unwrap());
    let holder = bundle.services.store.find_cell(&key).await.unwrap().unwrap().owner;
    let account = AccountId::parse(&owner.account_id).unwrap();
    let engines = Engine::all(&bundle).await;
    for whose in [Whose::Nobody, Whose::Account(account), Whose::of(&key, &holder)] {
        let mut left = Vec::new();
        for engine in &engines {
            left.push(refused_forms(engine, &whose, bundle.clock.now()).await);
        }
        assert_eq!(left[0], left[left.len() - 1]);
        let applied: Vec<_> = left[0].chunks(2).map(|pair| (pair[0].is_some(), pair[1].is_some())).collect();
        let (once, never) = ((true, false), (false, false));
        assert_eq!(applied, [never, never, once, never, once, once, never, once]);
        let day = left[0].iter().flatten().last().unwrap();
        let hour = &day.hours[&Place::at(bundle.clock.now(), whose.clone()).hour];
        assert_eq!((hour.len(), hour.values().sum::<u64>()), (36, 2 * 16 * 4));
    }
}
