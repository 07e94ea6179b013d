//! An audit agrees while calls go on, and finds whatever is changed by hand.

use faregate_domain::id::AccountId;
use faregate_gate::audit::{Auditor, Report};
use faregate_tests::{Books, Bundle, Session};
use serde_json::json;

use crate::books::{bundle_with_key, live};

/// What an audit of the session's account finds.
pub(crate) async fn audited(bundle: &Bundle, session: &Session) -> Report {
    let services = &bundle.services;
    let auditor = Auditor::new(services.store.clone(), bundle.clock.now());
    let (id, mut report) = (AccountId::parse(&session.account_id).unwrap(), Report::default());
    auditor.account(&id, &mut report).await.unwrap();
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_agrees_while_calls_go_on() {
    let (bundle, service, session, _, key) = bundle_with_key().await;
    let (_, other) = bundle.key(&session, json!({"name": "b", "budget_usd": "1"})).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let feeding = tokio::spawn({
        let (mut books, stopped) = (Books::of(&bundle), stopped.clone());
        async move {
            while !*stopped.borrow() {
                books.catch_up().await;
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    });
    let calling = tokio::spawn({
        let (bundle, service, stopped) = (bundle.clone(), service.clone(), stopped.clone());
        async move {
            let mut rounds = 0_u64;
            while !*stopped.borrow() {
                live(&bundle, &service, &key).await;
                live(&bundle, &service, &other).await;
                rounds += 1;
            }
            rounds
        }
    });
    for _ in 0..4 {
        let report = audited(&bundle, &session).await;
        assert_eq!(report.differences, []);
    }
    stop.send(true).unwrap();
    assert!(calling.await.unwrap() > 1);
    feeding.await.unwrap();
}

#[tokio::test]
async fn an_audit_finds_whatever_is_changed_by_hand() {
    let (bundle, service, session, id, key) = bundle_with_key().await;
    let mut books = Books::of(&bundle);
    live(&bundle, &service, &key).await;
    books.catch_up().await;
    let report = audited(&bundle, &session).await;
    assert_eq!((report.differences.as_slice(), report.cells, report.requests), ([].as_slice(), 2, 6));
    let project = bundle.cell(&key).await.owner.project.to_string();
    let lease = bundle.cell(&key).await.leases.held.keys().next().unwrap().as_str().to_owned();
    let book = format!("book_{id}");
    let dump = books.dump();
    // Of a settled call the reserved amount says nothing any more.
    let paid = dump.iter().find(|(_, item)| item["ro"]["S"] == "POST /demo/paid" && item["n"].is_object()).unwrap().0;
    let row = paid.strip_prefix(&format!("{book} ")).unwrap();
    let own_book = format!("book_{}", session.account_id);
    let day = books
        .dump()
        .keys()
        .find_map(|key| key.strip_prefix(&format!("{own_book} day_")))
        .map(|rest| format!("day_{rest}"))
        .unwrap();
    for (partition, sort, update, named) in [
        (id.as_str(), "cell", "SET bal = bal + :one", id.as_str()),
        (&id, "cell", "SET n = n + :one", &id),
        (&id, "cell", "SET gt = gt + :one", &id),
        (&id, "cell", "REMOVE l.#name", &id),
        (&project, "wallet", "SET av = av + :one", &project),
        (&project, "wallet", "SET al = al + :one", &project),
        (&session.account_id, "wallet", "SET av = av + :one", &session.account_id),
        (&book, row, "SET am = am + :one", &id),
        (&own_book, &day, "SET #name = #name + :one", &id),
        (&book, "gnt_0000000000000000001", "SET am = am + :one", &id),
    ] {
        let before = bundle.link.item(&bundle.services.config.table, partition, sort);
        let name = if sort.starts_with("day_") { "c|GET /demo/free|ok" } else { &lease };
        bundle.link.change(&bundle.services.config.table, partition, sort, update, name);
        if update.contains(" n ") {
            // The books never come as far as a cell that says more than happened.
            let id = AccountId::parse(&session.account_id).unwrap();
            let services = &bundle.services;
            let auditor = Auditor::new(services.store.clone(), bundle.clock.now());
            let mut report = Report::default();
            let asking = auditor.account(&id, &mut report);
            let behind = tokio::time::timeout(std::time::Duration::from_secs(1), asking);
            assert!(behind.await.is_err(), "{update}");
        } else {
            let found = audited(&bundle, &session).await.differences;
            assert!(found.iter().any(|difference| difference.item == named), "{update}: {found:?}");
        }
        bundle.link.put(&bundle.services.config.table, &before);
        assert_eq!(audited(&bundle, &session).await.differences, [], "{update}");
    }
}
