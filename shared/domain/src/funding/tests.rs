//! Slices, pending grants and the project's rate.

use super::*;
use crate::{id::KeyId, limit::QuotaPolicy};

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

fn child(digit: u8) -> CellId {
    CellId::Key(KeyId::mint(&mut |pool| pool.fill(digit)))
}

fn purse(granted: u64, grant_seq: u64, budget: Option<u64>) -> Purse {
    Purse { granted: usd(granted), grant_seq, ..Purse::empty(budget.map(usd)) }
}

fn granted(amount: u64, seq: u64) -> Child {
    Child { last: Grant { amount: usd(amount), tokens: None, seq }, returned: 0 }
}

fn wallet(available: u64, last: Option<(u64, u64)>) -> Wallet {
    let children = last.map(|(amount, seq)| (child(1), granted(amount, seq)));
    Wallet { available: usd(available), children: children.into_iter().collect(), ..Wallet::default() }
}

fn need(shortage: u64) -> Need {
    Need { cost: usd(10), shortage: usd(shortage), token: None }
}

fn debit(amount: u64, seq: u64) -> Funding {
    Funding::Debit(Debit {
        grant: Grant { amount: usd(amount), tokens: None, seq },
        bucket: None,
        stale: vec![],
        sweeps: None,
    })
}

#[test]
fn a_slice_shrinks_as_the_wallet_empties() {
    let fund = |available| wallet(available, None).fund(&child(1), &purse(0, 0, None), &need(10));
    assert_eq!(fund(1_000_000), debit(1_000, 1));
    assert_eq!(fund(100), debit(50, 1));
    assert_eq!(fund(12), debit(10, 1));
    assert_eq!(fund(9), Funding::Dry);
}

#[test]
fn a_slice_never_exceeds_the_budget() {
    let fund = |granted| wallet(1_000_000, None).fund(&child(1), &purse(granted, 0, Some(100)), &need(10));
    assert_eq!(fund(0), debit(100, 1));
    assert_eq!(fund(85), debit(15, 1));
    assert_eq!(fund(95), Funding::Dry);
}

#[test]
fn a_grant_that_was_debited_is_credited_before_another_is_debited() {
    let pending = wallet(0, Some((70, 4)));
    let fund = |seq| pending.fund(&child(1), &purse(0, seq, None), &need(10));
    assert_eq!(fund(3), Funding::Credit(Grant { amount: usd(70), tokens: None, seq: 4 }));
    assert_eq!(fund(2), Funding::Reread);
    assert_eq!(fund(4), Funding::Dry);
}

#[test]
fn a_return_is_pending_until_the_wallet_has_its_number() {
    let mut wallet = wallet(0, Some((70, 4)));
    let sent = Return { amount: usd(5), seq: 1 };
    let purse = Purse { returns: sent, ..purse(0, 4, None) };
    assert_eq!(wallet.pending_return(&child(1), &purse), Some(sent));
    assert_eq!(wallet.pending_return(&child(2), &purse), Some(sent));
    let third = Purse { returns: Return { seq: 3, ..sent }, ..purse };
    assert_eq!(wallet.pending_return(&child(1), &third), Some(third.returns));
    wallet.children.insert(child(1), Child { returned: 1, ..granted(70, 4) });
    assert_eq!(wallet.pending_return(&child(1), &purse), None);
    assert_eq!(wallet.pending_return(&child(2), &Purse { acknowledged: 1, ..purse }), None);
}

fn rated(limit: u32, burst: u32, tokens: &[(u64, i64)]) -> Wallet {
    let rate = Rate { quota: QuotaPolicy::new(limit, burst).unwrap(), window: WindowLength::Second };
    Wallet { rate: Some(rate), tokens: tokens.iter().copied().collect(), ..wallet(1_000, None) }
}

fn token(index: u64) -> Need {
    Need { token: Some(Window { length: WindowLength::Second, index }), ..need(0) }
}

fn slice(funding: Funding) -> Option<(u64, Opening)> {
    match funding {
        Funding::Debit(debit) => debit.grant.tokens.zip(debit.bucket).map(|(slice, it)| (slice.count, it.opening)),
        _ => None,
    }
}

/// The wallet after this cell took so many tokens in that window.
fn taken(mut wallet: Wallet, digit: u8, index: u64, count: u64) -> Wallet {
    let last = Grant { tokens: Some(TokenSlice { index, count }), ..granted(0, 1).last };
    wallet.children.insert(child(digit), Child { last, returned: 0 });
    wallet
}

#[test]
fn tokens_grow_with_demand_and_never_exceed_half_of_what_is_left() {
    let fund = |wallet: Wallet| slice(wallet.fund(&child(1), &purse(0, 1, None), &token(7))).map(|(count, _)| count);
    assert_eq!(fund(rated(640, 0, &[])), Some(10));
    assert_eq!(fund(taken(rated(640, 0, &[(7, 600)]), 1, 7, 10)), Some(20));
    assert_eq!(fund(taken(rated(640, 0, &[(7, 30)]), 1, 7, 20)), Some(15));
    assert_eq!(fund(taken(rated(640, 0, &[]), 1, 6, 40)), Some(40));
    assert_eq!(fund(taken(rated(640, 0, &[]), 1, 5, 40)), Some(10));
    assert_eq!(fund(taken(rated(640, 0, &[(7, 600)]), 1, 7, 80)), Some(100));
    assert_eq!(fund(rated(10, 4, &[])), Some(1));
}

#[test]
fn a_rate_that_is_used_up_says_until_when() {
    let fund = |tokens: &[(u64, i64)]| rated(10, 4, tokens).fund(&child(1), &purse(0, 0, None), &token(7));
    assert_eq!(slice(fund(&[(7, 6)])), Some((1, Opening::Full)));
    assert_eq!(slice(fund(&[(6, 2)])), Some((1, Opening::Carried { limit: 10 })));
    let Funding::Debit(debit) = fund(&[(4, 0), (5, 9), (6, 2)]) else { panic!("debit") };
    assert_eq!(debit.stale, [4, 5]);
    let Funding::Exhausted(exhausted) = fund(&[(6, 2), (7, 0)]) else { panic!("exhausted") };
    assert_eq!((exhausted.limit, exhausted.used, exhausted.source), (10, 12, LimitSource::Project));
    assert_eq!(exhausted.resets_at, Timestamp::from_epoch_s(8));
    // A limit that was lowered meanwhile.
    let Funding::Exhausted(exhausted) = fund(&[(7, -3)]) else { panic!("exhausted") };
    assert_eq!(exhausted.used, 17);
}

#[test]
fn cells_that_take_part_in_a_window_share_its_tokens() {
    let wallet = (2..5).fold(rated(1_000, 0, &[(7, 60)]), |wallet, digit| taken(wallet, digit, 7, 1));
    assert_eq!(slice(wallet.fund(&child(1), &purse(0, 0, None), &token(7))), Some((10, Opening::Full)));
}

#[test]
fn a_cell_learns_that_the_rate_has_changed() {
    let minute = Need { token: Some(Window { length: WindowLength::Minute, index: 1 }), ..need(0) };
    let fund = |wallet: Wallet| wallet.fund(&child(1), &purse(0, 0, None), &minute);
    assert_eq!(fund(rated(1, 0, &[])), Funding::Outdated(Some(WindowLength::Second)));
    assert_eq!(fund(wallet(0, None)), Funding::Outdated(None));
}

#[test]
fn money_that_will_soon_be_lacking_comes_with_the_tokens() {
    let amount = |balance| {
        let purse = Purse { balance: usd(balance), ..purse(0, 0, None) };
        match rated(100, 0, &[]).fund(&child(1), &purse, &token(7)) {
            Funding::Debit(debit) => debit.grant.amount,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((amount(499), amount(500)), (usd(500), usd(0)));
}

#[test]
fn a_budget_that_is_just_enough_is_granted() {
    let fund = |granted| wallet(1_000_000, None).fund(&child(1), &purse(granted, 0, Some(100)), &need(10));
    assert_eq!(fund(90), debit(10, 1));
    assert_eq!(fund(91), Funding::Dry);
}

#[test]
fn cells_that_were_closed_have_no_share() {
    let fund = |seqs: &[u64]| {
        let children = (2..).zip(seqs).map(|(digit, seq)| (child(digit), granted(0, *seq))).collect();
        let wallet = Wallet { available: usd(1_200), children, ..Wallet::default() };
        wallet.fund(&child(1), &purse(0, 0, None), &need(10))
    };
    assert_eq!(fund(&[]), debit(600, 1));
    assert_eq!(fund(&[3, 4, 5]), debit(200, 1));
    assert_eq!(fund(&[3, 4, CLOSED]), debit(300, 1));
    assert_eq!(fund(&[CLOSED, CLOSED + 1]), debit(600, 1));
}
