//! Where a session stands, and what its key's cell says of it.

use super::*;
use crate::{
    attempt::over_ceiling,
    cell::{Cell, Owner, Purse, Status, StoredProof},
    charge::ChargeNonce,
    counters::Counters,
    denial::{Denial, LimitSource},
    key::KeyHash,
    lease::{Lease, Leases},
    origin::AllowlistEntry,
    policy::Limits,
    scope::Grant,
};

fn now() -> Timestamp {
    Timestamp::from_epoch_s(1_792_540_800)
}

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

fn list(entry: &str) -> Option<Allowlist> {
    Allowlist::new([AllowlistEntry::parse(entry).unwrap()]).unwrap()
}

fn session() -> ClientSession {
    ClientSession {
        id: ClientSessionId::mint(&mut |pool| pool.fill(1)),
        account: AccountId::mint(&mut |pool| pool.fill(2)),
        project: ProjectId::mint(&mut |pool| pool.fill(3)),
        key: KeyId::mint(&mut |pool| pool.fill(4)),
        environment: "sandbox".into(),
        reference: ClientReference::parse("u").unwrap(),
        metadata: Metadata::default(),
        grants: GrantSet::new([Grant::parse("demo:*").unwrap()]).unwrap(),
        allowlist: None,
        ceiling: None,
        created_at: now(),
        end: now().plus_s(60),
        redeemed_at: None,
        ended_at: None,
        booked: Booked::default(),
        kept_until: now().plus_s(86_400),
    }
}

fn cell() -> Cell {
    Cell {
        owner: Owner {
            account: session().account,
            project: session().project,
            environment: "sandbox".into(),
            gallery: "g".into(),
        },
        status: Status::Active,
        proof: StoredProof::Key(KeyHash::from_bytes([1; 32]).into()),
        expires_at: None,
        grants: session().grants,
        allowlist: None,
        limits: Limits::new(10, 4, 100, 5).unwrap(),
        purse: Purse::empty(None),
        leases: Leases::default(),
        tabs: Tabs::default(),
        project_window: None,
        counters: Counters::default(),
    }
}

fn with_tab(spent: u64) -> Cell {
    let tab = Tab { spent: usd(spent), end: session().end };
    Cell { tabs: Tabs { open: [(session().id, tab)].into(), is_kept: true, ..Tabs::default() }, ..cell() }
}

#[test]
fn a_session_stands_where_its_item_and_its_key_say() {
    let redeemed = ClientSession { redeemed_at: Some(now()), ..session() };
    let ended = ClientSession { ended_at: Some(now()), ..redeemed.clone() };
    let revoked = Cell { status: Status::Revoked, ..cell() };
    let (key_over, frozen) = (Cell { expires_at: Some(now()), ..cell() }, Cell { status: Status::Frozen, ..cell() });
    let late = now().plus_s(60);
    for (session, cell, now, wanted) in [
        (session(), Some(cell()), now(), SessionStatus::Created),
        (session(), Some(frozen), now(), SessionStatus::Created),
        (redeemed.clone(), Some(cell()), now().plus_s(59), SessionStatus::Redeemed),
        (redeemed.clone(), Some(cell()), late, SessionStatus::Expired),
        (session(), Some(revoked.clone()), now(), SessionStatus::Ended),
        (redeemed, Some(key_over), now(), SessionStatus::Ended),
        (session(), Some(revoked), late, SessionStatus::Expired),
        (ended.clone(), Some(cell()), late, SessionStatus::Ended),
        (session(), None, now(), SessionStatus::Ended),
    ] {
        assert_eq!(session.status(cell.as_ref(), now), wanted, "{session:?}");
    }
}

#[test]
fn a_secret_is_exchanged_only_where_all_of_it_fits() {
    let from = Origin::parse("https://x.a.com").unwrap();
    let check = |session: &ClientSession, cell: &Cell, origin| session.check_redeemable(Some(cell), origin, now());
    assert_eq!(check(&session(), &cell(), None), Ok(()));
    let used = ClientSession { redeemed_at: Some(now()), allowlist: list("b.com"), ..session() };
    assert_eq!(check(&used, &cell(), Some(&from)), Err(Unredeemable::Secret), "whatever else is wrong");
    for (own, keys, wanted) in [
        (list("*.a.com"), None, Ok(())),
        (None, list("*.a.com"), Ok(())),
        (list("*.a.com"), list("b.com"), Err(Unredeemable::Origin)),
        (list("a.com"), None, Err(Unredeemable::Origin)),
    ] {
        let session = ClientSession { allowlist: own, ..session() };
        let cell = Cell { allowlist: keys, ..cell() };
        assert_eq!(check(&session, &cell, Some(&from)), wanted);
        assert_eq!(check(&session, &cell, None), Err(Unredeemable::Origin));
    }
    let tab = |number: usize| {
        let id = ClientSessionId::from_suffix(&format!("{number:022}")).unwrap();
        (id, Tab { spent: MicroUsd::ZERO, end: now().plus_s(30) })
    };
    let full = Cell { tabs: Tabs { open: (0..Tabs::MAX_OPEN).map(tab).collect(), ..Tabs::default() }, ..cell() };
    let capped = ClientSession { ceiling: Some(usd(1)), ..session() };
    assert_eq!(check(&capped, &full, None), Err(Unredeemable::Full { retry_at: now().plus_s(30) }));
    assert_eq!(check(&session(), &full, None), Ok(()), "without a ceiling it needs no room");
}

#[test]
fn a_session_with_a_ceiling_lives_as_long_as_its_tab_and_one_without_until_it_gets_one() {
    let (open, capped) = (session().pass(now()), ClientSession { ceiling: Some(usd(5)), ..session() }.pass(now()));
    assert!(open.is_live(&cell(), now()) && !capped.is_live(&cell(), now()));
    assert!(!open.is_live(&with_tab(0), now()) && capped.is_live(&with_tab(0), now()));
    for pass in [open, capped.clone()] {
        assert!(![cell(), with_tab(0)].iter().any(|cell| pass.is_live(cell, now().plus_s(60))));
    }
    let mut another = with_tab(0);
    another.tabs.open.values_mut().for_each(|tab| tab.end = now().plus_s(61));
    assert!(!capped.is_live(&another, now()));
}

#[test]
fn what_a_session_may_is_what_both_it_and_its_key_may() {
    let pass = session().pass(now());
    let scope = |text| crate::scope::Scope::parse(text).unwrap();
    assert_eq!(pass.permit_scope(&scope("demo:read")), Ok(()));
    let denial = pass.permit_scope(&scope("keys:manage"));
    assert_eq!(denial, Err(Denial::InsufficientScope { required: "keys:manage".into() }));
    let held = GrantSet::new([Grant::parse("demo:read").unwrap(), Grant::parse("keys:*").unwrap()]).unwrap();
    assert_eq!(pass.scopes_under(&held), [Grant::parse("demo:read").unwrap()]);
}

#[test]
fn a_ceiling_is_reached_with_what_is_reserved_and_says_so() {
    let pass = ClientSession { ceiling: Some(usd(100)), ..session() }.pass(now());
    let mut cell = with_tab(70);
    assert_eq!(over_ceiling(&cell, &pass, usd(30)), None);
    let refused = |cell: &Cell, cost| match over_ceiling(cell, &pass, usd(cost)) {
        Some(Denial::InsufficientCredits { source: LimitSource::Session, spent, reserved, limit, retry_at }) => {
            (spent.micro_usd(), reserved.micro_usd(), limit, retry_at)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&cell, 31), (70, 0, Some(usd(100)), None));
    let charge = |digit: u8| ChargeNonce::mint(&mut |pool| pool.fill(digit));
    for (digit, end) in [(1, 40), (2, 20), (3, 10)] {
        cell.leases.held.insert(charge(digit), Lease { amount: usd(20), end: now().plus_s(end) });
    }
    // The third is a call of the key's own.
    cell.tabs.calls = [(charge(1), session().id), (charge(2), session().id)].into();
    assert_eq!(refused(&cell, 31), (30, 40, Some(usd(100)), Some(now().plus_s(20))));
    assert_eq!(refused(&cell, 71), (30, 40, Some(usd(100)), None), "more than could come back");
    assert_eq!(over_ceiling(&cell, &session().pass(now()), usd(1_000)), None, "without a ceiling");
}
