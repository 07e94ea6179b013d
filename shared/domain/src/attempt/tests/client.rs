//! What a client session's token adds to what the key may.

use super::*;
use crate::id::ClientSessionId;

fn list(entry: &str) -> Option<Allowlist> {
    Allowlist::new([AllowlistEntry::parse(entry).unwrap()]).unwrap()
}

fn pass() -> ClientPass {
    ClientPass {
        session: ClientSessionId::mint(&mut |pool| pool.fill(6)),
        key: KeyId::mint(&mut |pool| pool.fill(3)),
        environment: "sandbox".into(),
        grants: GrantSet::new([ScopeGrant::parse("demo:read").unwrap()]).unwrap(),
        allowlist: None,
        ceiling: None,
        issued_at: MINUTE.start(),
        end: attempt().now.plus_s(1),
    }
}

fn with(pass: ClientPass) -> Attempt {
    Attempt { proof: Proof::Client(Box::new(pass)), ..attempt() }
}

fn from(origin: &str) -> Option<Origin> {
    Origin::parse(origin).ok()
}

#[test]
fn a_token_is_good_until_its_end_and_for_keys_only() {
    assert!(matches!(with(pass()).judge(Some(&cell())), Ok(Next::Again(_))));
    let over = ClientPass { end: attempt().now, ..pass() };
    assert_eq!(with(over).judge(Some(&cell())), Err(Denial::InvalidToken));
    let sessions = Cell { proof: StoredProof::Sessions(BTreeMap::new()), ..cell() };
    assert_eq!(with(pass()).judge(Some(&sessions)), Err(Denial::InvalidToken));
}

#[test]
fn a_token_ends_by_the_clock_that_is_ahead() {
    let mut ahead = cell();
    ahead.counters.highest.insert(WindowLength::Second, attempt().now.plus_s(1).epoch_s());
    assert_eq!(with(pass()).judge(Some(&ahead)), Err(Denial::InvalidToken));
    assert!(with(ClientPass { end: attempt().now.plus_s(2), ..pass() }).judge(Some(&ahead)).is_ok());
}

#[test]
fn a_token_that_does_not_allow_the_call_is_not_sent() {
    let narrow = ClientPass { allowlist: list("a.com"), ..pass() };
    let elsewhere = Scope::parse("other:read").unwrap();
    for (pass, scope, origin, is_within) in [
        (pass(), attempt().scope, None, true),
        (pass(), elsewhere, None, false),
        (narrow.clone(), attempt().scope, from("https://a.com"), true),
        (narrow.clone(), attempt().scope, from("https://b.com"), false),
        (narrow, attempt().scope, None, false),
    ] {
        assert_eq!(Attempt { scope, origin, ..with(pass) }.is_within_pass(), is_within);
    }
    assert!(attempt().is_within_pass());
}

#[test]
fn each_list_must_name_where_the_request_comes_from() {
    let limited = |entry| Cell { allowlist: list(entry), ..cell() };
    let narrow = ClientPass { allowlist: list("a.com"), ..pass() };
    for (pass, cell, wanted) in [
        (pass(), cell(), Admitted::Anywhere),
        (pass(), limited("a.com"), Admitted::There),
        (pass(), limited("b.com"), Admitted::Elsewhere),
        (narrow.clone(), cell(), Admitted::There),
        (narrow.clone(), limited("*.a.com"), Admitted::Elsewhere),
        (narrow, limited("https://a.com"), Admitted::There),
    ] {
        assert_eq!(Attempt { origin: from("https://a.com"), ..with(pass) }.listed(&cell), wanted);
    }
}

#[test]
fn a_proof_tells_what_it_is() {
    let login = SessionId::mint(&mut |pool| pool.fill(5));
    for (proof, is_login, is_client) in [
        (attempt().proof, false, false),
        (Proof::Session(login.clone()), true, false),
        (with(pass()).proof, false, true),
    ] {
        assert_eq!(proof.login(), Some(&login).filter(|_| is_login));
        assert_eq!(proof.client().is_some(), is_client);
    }
}
