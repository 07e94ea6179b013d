#![no_main]
//! Signed URLs: no query panics, its one spelling means the same, and no change of a signed one is taken.

use std::sync::LazyLock;

use faregate_domain::{
    cell::{CellId, Owner},
    id::{AccountId, KeyId, ProjectId},
    policy::{Method, RequestPath},
    query::Query,
    scope::Scope,
    secret::{MacSecret, Versions},
    signed_url::{Presented, SignedUrl, Terms},
    time::Timestamp,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (text, changed) = input;
    let query = Query::parse(text);
    assert_eq!(Query::parse(&query.canonical()), query);
    let is_open = |query: &Query| {
        let (method, path, scope) = (&SIGNED.method, &SIGNED.path, &SIGNED.scope);
        Presented { method, path, query, scope }.open(&SECRETS).is_ok()
    };
    assert!(!is_open(&query), "{text}");
    if !query.is_plain() || query.names().any(SignedUrl::is_reserved) {
        return;
    }
    let signed = SignedUrl { query, ..SIGNED.clone() };
    let target = signed.target(&SECRETS.current);
    let signed = Query::parse(target.split_once('?').map_or("", |(_, query)| query));
    assert!(is_open(&signed) || target.len() > 8_192, "{target}");
    let changed = Query::parse(changed);
    let merged = changed.names().fold(signed.clone(), |merged, name| {
        changed.values(name).iter().fold(merged, |merged, value| merged.with(name, value))
    });
    assert!(merged == signed || !is_open(&merged), "{target}");
});

static SECRETS: LazyLock<Versions<MacSecret>> = LazyLock::new(|| Versions {
    current: MacSecret::new(vec![7; 32]).unwrap_or_else(|error| panic!("{error}")),
    previous: None,
});

static SIGNED: LazyLock<SignedUrl> = LazyLock::new(|| {
    let (account, project) = (AccountId::mint(&mut |pool| pool.fill(1)), ProjectId::mint(&mut |pool| pool.fill(2)));
    let gallery = project.to_string();
    let owner = Owner { account, project, environment: "sandbox".into(), gallery };
    let cell = CellId::Key(KeyId::mint(&mut |pool| pool.fill(3)));
    SignedUrl {
        method: Method::parse("GET").unwrap_or_else(|error| panic!("{error}")),
        path: RequestPath::parse("/media/a").unwrap_or_else(|error| panic!("{error}")),
        query: Query::default(),
        scope: Scope::parse("media:read").unwrap_or_else(|error| panic!("{error}")),
        terms: Terms { cell, owner, expires_at: Timestamp::from_epoch_s(1_792_541_700), origin: None },
    }
});
