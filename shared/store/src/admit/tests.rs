//! The write as text, in each of its forms, and within DynamoDB's bounds.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    attempt::{Proof, RouteBucket},
    cell::{CellId, Owner, Purse, Status, StoredProof},
    charge::ChargeNonce,
    client_session::{ClientPass, Tabs},
    counters::Counters,
    funding::{Grant, TokenSlice},
    id::{AccountId, ClientSessionId, KeyId, ProjectId, SessionId},
    key::KeyHash,
    lease::{Lease, Leases},
    limit::{Opening, QuotaPolicy, Rate},
    money::MicroUsd,
    origin::Origin,
    policy::Limits,
    rotation::{Grace, KeySecrets, Secret},
    row::Row,
    scope::{Grant as ScopeGrant, GrantSet, Scope},
    time::{Day, Minute, Timestamp},
    window::Window,
};

use super::*;
use crate::cell::counters::{minute_attribute, route_attribute};

fn attempt() -> Attempt {
    let now = Timestamp::from_epoch_s(1_792_540_810);
    Attempt {
        cell: CellId::Key(KeyId::mint(&mut |pool| pool.fill(1))),
        proof: Proof::Key(vec![KeyHash::from_bytes([1; 32]), KeyHash::from_bytes([2; 32])]),
        secret: Secret::Current,
        now,
        lane: "lane0001".into(),
        seq: now.epoch_ms(),
        scope: Scope::parse("demo:write").unwrap(),
        origin: None,
        cost: MicroUsd::new(10_000).unwrap(),
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
            cost: MicroUsd::new(10_000).unwrap(),
            class: "abcd".into(),
            network: "203.0.113.0/24".into(),
            agent: "curl".into(),
        },
        stale: Vec::new(),
    }
}

fn window(minute: Minute) -> Window {
    Window { length: WindowLength::Minute, index: minute.0 }
}

fn rate(limit: u32, burst: u32) -> Rate {
    Rate { quota: QuotaPolicy::new(limit, burst).unwrap(), window: WindowLength::Minute }
}

#[test]
fn the_plain_form() {
    let write = admission(&attempt());
    assert_eq!(write.partition, "key_1111111111111111");
    assert_eq!(
        write.update,
        "SET h = :h0, w = :k, #t = if_not_exists(#t, tc) - :one, #d = if_not_exists(#d, :zero) + :one, bal = bal - :pay, \
         #y = if_not_exists(#y, :zero) + :booked, #z = if_not_exists(#z, :zero) + :booked, q.#i = :seq, lr = :row, \
         n = n + :one"
    );
    assert_eq!(
        write.condition.unwrap(),
        "h IN (:h0, :h1) AND attribute_not_exists(gd) AND st = :active AND NOT xp <= :now AND (contains(sc, :s0) OR contains(sc, :s1) OR \
         contains(sc, :s2)) AND (attribute_not_exists(al)) AND NOT w > :k AND (#t >= :one OR \
         (attribute_not_exists(#t) AND NOT #tp < tb)) AND NOT #d >= dl AND bal >= :pay AND \
         attribute_not_exists(pw) AND NOT q.#i >= :seq AND v = :v"
    );
}

#[test]
fn the_carried_and_the_funded_form() {
    let mut attempt = attempt();
    attempt.opening = Opening::Carried { limit: 10 };
    attempt.grant = Some(Grant { amount: MicroUsd::new(50_000).unwrap(), tokens: None, seq: 4 });
    attempt.proof = Proof::Session(SessionId::mint(&mut |pool| pool.fill(3)));
    let write = admission(&attempt);
    for clause in ["#t = #tp + :tr", "gt = gt + :grant", "gs = :gs", "bal = bal + :gain"] {
        assert!(write.update.contains(clause), "{clause}: {}", write.update);
    }
    let condition = write.condition.unwrap();
    for clause in
        ["attribute_not_exists(#t) AND #tp < tb AND #tp >= :zero AND tl = :tl", "gs = :gs_before", "se.#j > :now"]
    {
        assert!(condition.contains(clause), "{clause}: {condition}");
    }
    assert!(!condition.contains("bal >="), "{condition}");
}

#[test]
fn the_forms_of_a_rotated_key() {
    let with = |secret| admission(&Attempt { secret, ..attempt() });
    let first = with(Secret::Fresh { grace_seconds: 60 });
    assert!(first.update.starts_with("SET h = :h0, gx = :gx, w"), "{}", first.update);
    assert!(first.update.ends_with("REMOVE gd"), "{}", first.update);
    assert!(first.condition.unwrap().starts_with("h IN (:h0, :h1) AND gd = :gd AND st"));
    let old = with(Secret::Old);
    assert!(old.update.starts_with("SET g = :h0, gu = :now, w"), "{}", old.update);
    assert!(old.condition.unwrap().starts_with("g IN (:h0, :h1) AND NOT gx <= :now AND st"));
}

#[test]
fn the_reserving_form_takes_a_place_and_a_token_of_the_project() {
    let lease = Lease::starting(attempt().now, 60, attempt().cost);
    let over = vec![(ChargeNonce::mint(&mut |pool| pool.fill(9)), lease)];
    let mut attempt = Attempt { lease: Some(lease), project_window: Some(WindowLength::Second), ..attempt() };
    let write = admission(&attempt);
    let condition = write.condition.unwrap();
    for clause in ["size(l) < lc", "pw = :pw", "#p >= :one"] {
        assert!(condition.contains(clause), "{clause}: {condition}");
    }
    assert!(write.update.contains("l.#r = :lease, #p = #p - :one"), "{}", write.update);
    assert!(!write.update.contains(":booked"), "{}", write.update);

    (attempt.over, attempt.cap) = (over, Some(5));
    let index = attempt.now.epoch_s();
    let tokens = Some(TokenSlice { index, count: 7 });
    attempt.grant = Some(Grant { amount: MicroUsd::ZERO, tokens, seq: 4 });
    let write = admission(&attempt);
    for clause in ["x.#v0 = :v0", "#p = if_not_exists(#p, :zero) + :tokens", ":booked", "REMOVE l.#v0"] {
        assert!(write.update.contains(clause), "{clause}: {}", write.update);
    }
    let condition = write.condition.unwrap();
    for clause in ["l.#v0 = :v0", "lc = :cap AND size(l) < :room"] {
        assert!(condition.contains(clause), "{clause}: {condition}");
    }
}

#[test]
fn the_largest_form_is_within_dynamodbs_bounds() {
    let mut attempt = attempt();
    let deep = format!("https://{}example.com:8443", "very-long-label.".repeat(12));
    attempt.origin = Some(Origin::parse(&deep).unwrap());
    attempt.scope = Scope::parse("aaaaaaaaaaaaaaa:bbbbbbbbbbbbbbb:ccccccccccccccc:ddddddddddddddd").unwrap();
    attempt.route =
        Some(RouteBucket { class: "abcd".into(), rate: rate(5, 2), opening: Opening::Carried { limit: 5 } });
    attempt.opening = Opening::Drained { limit: 10 };
    attempt.stale = (0..8_u64)
        .flat_map(|number| {
            let minute = Minute(29_000_000 + number);
            [Stale::Minute(minute), Stale::Route("abcd".into(), window(minute)), Stale::Slot(format!("lane{number}"))]
        })
        .chain([Stale::Day(Day(20_000))])
        .collect();
    let lease = Lease::starting(attempt.now, 60, attempt.cost);
    attempt.over = (10..18).map(|digit| (ChargeNonce::mint(&mut |pool| pool.fill(digit)), lease)).collect();
    (attempt.lease, attempt.cap) = (Some(lease), Some(10));
    attempt.project_window = Some(WindowLength::TenSeconds);
    attempt.secret = Secret::Fresh { grace_seconds: 604_800 };
    let write = admission(&attempt);
    assert_eq!(write.lint(), Ok(()));
    assert!(write.update.contains(", #x0, #x1"), "{}", write.update);
}

/// A cell of 10 requests a minute and a burst of 4, whose minutes have these tokens left.
async fn table_with(minutes: &[(Minute, i64)]) -> Store {
    let store = crate::fresh::table().await;
    lay(&store, minutes, KeyHash::from_bytes([1; 32]).into()).await;
    store
}

/// Puts that cell, with these secrets, in the place of the one before.
async fn lay(store: &Store, minutes: &[(Minute, i64)], secrets: KeySecrets) {
    let attempt = attempt();
    let cell = Cell {
        owner: Owner {
            account: AccountId::mint(&mut |pool| pool.fill(5)),
            project: ProjectId::mint(&mut |pool| pool.fill(6)),
            environment: "sandbox".into(),
            gallery: "g".into(),
        },
        status: Status::Active,
        proof: StoredProof::Key(secrets),
        expires_at: None,
        grants: GrantSet::new([ScopeGrant::parse("*").unwrap()]).unwrap(),
        allowlist: None,
        limits: Limits::new(10, 4, 100, 5).unwrap(),
        purse: Purse {
            balance: MicroUsd::new(1_000_000).unwrap(),
            granted: MicroUsd::new(1_000_000).unwrap(),
            grant_seq: 1,
            ..Purse::empty(None)
        },
        leases: Leases::default(),
        tabs: Tabs::default(),
        project_window: None,
        counters: Counters::default(),
    };
    let mut item = crate::cell::cell_item(&attempt.cell, &cell);
    for (minute, left) in minutes {
        for name in [minute_attribute(*minute), route_attribute("abcd", window(*minute))] {
            item.insert(name, AttributeValue::N(left.to_string()));
        }
    }
    store.client().put_item().table_name(store.table()).set_item(Some(item)).send().await.unwrap();
}

#[tokio::test]
async fn a_minute_opens_only_with_what_the_minute_before_allows() {
    let openings = [Opening::Full, Opening::Carried { limit: 10 }, Opening::Drained { limit: 10 }];
    let (minute, previous) = (attempt().minute(), attempt().minute().previous());
    for (minutes, fitting) in [
        (vec![], openings[0]),
        (vec![(previous, 4)], openings[0]),
        (vec![(previous, 3)], openings[1]),
        (vec![(previous, 0)], openings[1]),
        (vec![(previous, -1)], openings[2]),
        (vec![(previous, 0), (minute, 5)], openings[0]),
        (vec![(previous, -1), (minute, 5)], openings[0]),
    ] {
        for opening in openings {
            let store = table_with(&minutes).await;
            let key = Attempt { opening, ..attempt() };
            let is_applied = matches!(store.admit(&key).await.unwrap(), Outcome::Applied(_));
            assert_eq!(is_applied, opening == fitting, "key bucket {minutes:?} {opening:?}");

            let store = table_with(&minutes).await;
            let route = Some(RouteBucket { class: "abcd".into(), rate: rate(10, 4), opening });
            let both = Attempt { opening: fitting, route, ..attempt() };
            let is_applied = matches!(store.admit(&both).await.unwrap(), Outcome::Applied(_));
            assert_eq!(is_applied, opening == fitting, "route bucket {minutes:?} {opening:?}");
        }
    }
}

#[tokio::test]
async fn a_minute_opens_only_with_the_limit_that_the_item_has_now() {
    let previous = attempt().minute().previous();
    for (left, opening) in [(3, Opening::Carried { limit: 11 }), (-1, Opening::Drained { limit: 11 })] {
        let store = table_with(&[(previous, left)]).await;
        let outcome = store.admit(&Attempt { opening, ..attempt() }).await.unwrap();
        assert!(matches!(outcome, Outcome::Refused { .. }), "{opening:?}");
    }
}

#[tokio::test]
async fn a_secret_is_taken_only_in_the_form_that_the_rotation_demands_and_moves_to_the_new_pepper() {
    let store = crate::fresh::table().await;
    let (now, hash) = (attempt().now, |digit| KeyHash::from_bytes([digit; 32]));
    let graces = [Grace::Until(now), Grace::Until(now.plus_s(1)), Grace::FromFirstUse { seconds: 60 }];
    let rotated = graces.map(|grace| KeySecrets::from(hash(1)).rotated(hash(2), grace, now.minus_s(60)));
    let first = |grace_seconds| Secret::Fresh { grace_seconds };
    for secrets in rotated.into_iter().chain([KeySecrets::from(hash(2))]) {
        for (digit, secret) in [1, 2, 3]
            .into_iter()
            .flat_map(|digit| [Secret::Current, first(60), first(61), Secret::Old].map(|secret| (digit, secret)))
        {
            lay(&store, &[], secrets).await;
            let attempt = Attempt { proof: Proof::Key(vec![hash(9), hash(digit)]), secret, ..attempt() };
            let known = secrets.find(&[hash(9), hash(digit)], now);
            let told = format!("{secrets:?} shown {digit} as {secret:?}, known as {known:?}");
            let Outcome::Applied(cell) = store.admit(&attempt).await.unwrap() else {
                assert_ne!(known, Some(secret), "{told}");
                continue;
            };
            assert_eq!(known, Some(secret), "{told}");
            let mut wanted = secrets;
            match (secret, &mut wanted.rotation) {
                (Secret::Current, _) => wanted.current = hash(9),
                (Secret::Fresh { .. }, Some(rotation)) => {
                    wanted.current = hash(9);
                    rotation.grace = Grace::Until(now.plus_s(60));
                }
                (Secret::Old, Some(rotation)) => (rotation.old, rotation.old_used_at) = (hash(9), Some(now)),
                other => panic!("{other:?}"),
            }
            assert_eq!(cell.secrets(), Some(&wanted), "{told}");
        }
    }
}

#[test]
fn the_form_of_a_client_session_adds_to_its_tab_and_the_plain_one_pays_nothing_for_it() {
    let pass = |ceiling: Option<u64>| ClientPass {
        session: ClientSessionId::mint(&mut |pool| pool.fill(7)),
        key: KeyId::mint(&mut |pool| pool.fill(1)),
        environment: "sandbox".into(),
        grants: GrantSet::new([ScopeGrant::parse("demo:*").unwrap()]).unwrap(),
        allowlist: None,
        ceiling: ceiling.map(|ceiling| MicroUsd::new(ceiling).unwrap()),
        issued_at: attempt().now,
        end: attempt().now.plus_s(60),
    };
    let with = |ceiling| admission(&Attempt { proof: Proof::Client(Box::new(pass(ceiling))), ..attempt() });
    let open = with(None);
    assert!(open.condition.as_ref().unwrap().starts_with("attribute_not_exists(c.#c) AND st = :active"), "{open:?}");
    assert!(open.update.starts_with("SET ls = :ls, w = :k"), "{}", open.update);
    let capped = with(Some(50_000));
    assert!(capped.condition.as_ref().unwrap().starts_with("c.#c <= :ceiling AND st = :active"), "{capped:?}");
    assert!(capped.update.starts_with("SET ls = :ls, c.#c = c.#c + :tab, w = :k"), "{}", capped.update);
    let room = &capped.values().unwrap()[":ceiling"];
    assert_eq!(
        *room,
        AttributeValue::N("17925408700000000000040000".into()),
        "the end, then the ceiling less the price"
    );
    let below = &with(Some(9_999)).values().unwrap()[":ceiling"];
    assert_eq!(*below, AttributeValue::N("17925408699999999999999999".into()), "no tab with that end is so small");
    let plain = admission(&attempt());
    assert!(!format!("{plain:?}").contains("#c"), "{plain:?}");
}
