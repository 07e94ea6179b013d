//! A key hands on at most what it has.

use super::*;
use crate::{
    cell::{Owner, Purse, Status, StoredProof},
    client_session::Tabs,
    counters::Counters,
    id::AccountId,
    key::KeyHash,
    lease::Leases,
    origin::AllowlistEntry,
};

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

fn grants(texts: &[&str]) -> GrantSet {
    GrantSet::new(texts.iter().map(|text| Grant::parse(text).unwrap())).unwrap()
}

fn list(texts: &[&str]) -> Option<Allowlist> {
    Allowlist::new(texts.iter().map(|text| AllowlistEntry::parse(text).unwrap())).unwrap()
}

fn cell() -> Cell {
    Cell {
        owner: Owner {
            account: AccountId::mint(&mut |pool| pool.fill(1)),
            project: ProjectId::mint(&mut |pool| pool.fill(2)),
            environment: "sandbox".to_owned(),
            gallery: "g".to_owned(),
        },
        status: Status::Active,
        proof: StoredProof::Key(KeyHash::from_bytes([0; 32]).into()),
        expires_at: Some(Timestamp::from_epoch_s(100)),
        grants: grants(&["demo:*", "keys:manage"]),
        allowlist: list(&["a.com", "b.com"]),
        limits: Limits::new(10, 5, 1_000, 5).unwrap(),
        purse: Purse::empty(Some(usd(50))),
        leases: Leases::default(),
        tabs: Tabs::default(),
        project_window: None,
        counters: Counters::default(),
    }
}

fn field(wish: &Wish, cell: &Cell) -> Option<String> {
    let policy = Policy::parse(Policy::DEFAULT_TEXT).unwrap();
    Authority::Key(cell).permit(wish, &policy).err().map(|overreach| overreach.field())
}

#[test]
fn a_key_gives_what_it_has() {
    let wish = Wish {
        grants: Some(grants(&["demo:read", "demo:*"])),
        allowlist: Some(list(&["b.com"]).into()),
        limits: Some(Limits::new(10, 5, 1_000, 5).unwrap()),
        expires_at: Some(Bound::At(Timestamp::from_epoch_s(100))),
        budget: None,
    };
    assert_eq!(field(&wish, &cell()), None);
    assert_eq!(field(&Wish::default(), &cell()), None);
    let mut unbudgeted = cell();
    unbudgeted.purse.budget = None;
    for budget in [Bound::At(usd(1_000)), Bound::Lifted] {
        assert_eq!(field(&Wish { budget: Some(budget), ..Wish::default() }, &unbudgeted), None);
    }
}

#[test]
fn a_key_gives_nothing_that_it_lacks() {
    let limits = |minute, burst, day, open| Some(Limits::new(minute, burst, day, open).unwrap());
    let wish = Wish::default;
    for (wish, wanted) in [
        (Wish { grants: Some(grants(&["demo:read", "billing:read"])), ..wish() }, "scopes"),
        (Wish { grants: Some(grants(&["*"])), ..wish() }, "scopes"),
        (Wish { allowlist: Some(list(&["a.com", "c.com"]).into()), ..wish() }, "allowlist"),
        (Wish { allowlist: Some(Bound::Lifted), ..wish() }, "allowlist"),
        (Wish { limits: limits(11, 0, 1, 1), ..wish() }, "limits.per_minute"),
        (Wish { limits: limits(10, 6, 1, 1), ..wish() }, "limits.burst"),
        (Wish { limits: limits(1, 0, 1_001, 1), ..wish() }, "limits.per_day"),
        (Wish { limits: limits(1, 0, 1, 6), ..wish() }, "limits.concurrent"),
        (Wish { expires_at: Some(Bound::At(Timestamp::from_epoch_s(101))), ..wish() }, "expires_at"),
        (Wish { expires_at: Some(Bound::Lifted), ..wish() }, "expires_at"),
        (Wish { budget: Some(Bound::At(usd(51))), ..wish() }, "budget_usd"),
        (Wish { budget: Some(Bound::At(usd(1))), ..wish() }, "budget_usd"),
        (Wish { budget: Some(Bound::Lifted), ..wish() }, "budget_usd"),
    ] {
        assert_eq!(field(&wish, &cell()).as_deref(), Some(wanted), "{wish:?}");
    }
}

#[test]
fn an_owner_gives_all_but_what_is_kept_for_operators() {
    let policy = Policy::parse(Policy::DEFAULT_TEXT).unwrap();
    let wish = |texts| Wish { grants: Some(grants(texts)), expires_at: Some(Bound::Lifted), ..Wish::default() };
    for texts in [&["gate:check"][..], &["gate:*"], &["*", "gate:check"]] {
        let refused = Authority::Owner.permit(&wish(texts), &policy);
        assert!(matches!(refused, Err(Overreach::Reserved(_))), "{texts:?}");
        assert_eq!(Authority::Operator.permit(&wish(texts), &policy), Ok(()));
        let mut holder = cell();
        holder.grants = grants(texts);
        let refused = Authority::Key(&holder).permit(&Wish { expires_at: None, ..wish(texts) }, &policy);
        assert!(matches!(refused, Err(Overreach::Reserved(_))), "{texts:?}");
    }
    assert_eq!(Authority::Owner.permit(&wish(&["*"]), &policy), Ok(()));
}

#[test]
fn a_key_reaches_its_own_project_and_environment() {
    let own = cell();
    let (project, other) = (&own.owner.project, ProjectId::mint(&mut |pool| pool.fill(3)));
    assert!(Authority::Key(&own).reaches(project, "sandbox"));
    for (project, environment) in [(&other, "sandbox"), (project, "production")] {
        assert!(!Authority::Key(&own).reaches(project, environment));
        assert!(Authority::Owner.reaches(project, environment));
    }
}
