//! What an operator sees: everybody's requests, or one account's.

use std::collections::BTreeSet;

use faregate_domain::{
    id::AccountId,
    time::{Day, Timestamp},
};
use faregate_edge::entropy;
use faregate_store::{RequestRow, RowPosition};
use faregate_tests::{Bundle, Session};

use super::shelf::{Shelf, id, joined, pages};

/// An operator, and rows of so many accounts on each of the last days.
async fn crowd(accounts: usize, days: u64, rows: usize) -> (Shelf, Session) {
    let (bundle, operator) = Bundle::with_operator().await;
    let owner = bundle.newcomer().await;
    let mut shelf = Shelf::of(bundle, owner).await;
    let mut random = fastrand::Rng::with_seed(13);
    let own = shelf.account.clone();
    let others: Vec<_> = (1..accounts).map(|_| AccountId::mint(&mut entropy::fill)).chain([own]).collect();
    for _ in 0..rows {
        let at = shelf.bundle.clock.now().epoch_ms() - random.u64(1..days * Day::SECONDS * 1_000);
        let account = others[random.usize(..others.len())].clone();
        add(&mut shelf, &account, Timestamp::from_epoch_ms(at), &mut random).await;
    }
    (shelf, operator)
}

async fn add(shelf: &mut Shelf, account: &AccountId, at: Timestamp, random: &mut fastrand::Rng) {
    let place = shelf.places[2].clone();
    let row = RequestRow { account: account.clone(), ..shelf.row(&place, at, random) };
    shelf.bundle.services.store.note_active(account, at).await.unwrap();
    shelf.put(row).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_accounts_are_one_list_in_the_order_of_time() {
    let (mut shelf, operator) = crowd(9, 4, 500).await;
    let mut random = fastrand::Rng::with_seed(14);
    for words in ["", "&route=GET /demo/free", "&code=model.timeout"] {
        let expected = shelf.expected(|row| {
            (words != "&route=GET /demo/free" || row.route == "GET /demo/free")
                && (words != "&code=model.timeout" || row.code() == "model.timeout")
        });
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let limit = random.usize(1..=100);
            let before = shelf.bundle.link.queries();
            let target = format!("/v1/requests?limit={limit}{words}{cursor}");
            let answer = shelf.bundle.get(&target, &operator.caller()).await;
            assert!(shelf.bundle.link.queries() - before < 200);
            found.extend(super::ids(&answer));
            let Some(next) = answer.body["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            let (account, now) = (AccountId::mint(&mut entropy::fill), shelf.bundle.clock.now());
            add(&mut shelf, &account, now, &mut random).await;
        }
        assert_eq!(found, expected, "{words}");
    }
    let account = shelf.account.clone();
    let pages = pages(&shelf.bundle, &operator.caller(), &format!("/v1/requests?account_id={account}"), || 100).await;
    let found: Vec<_> = joined(&pages, "data").iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found, shelf.expected(|row| row.account == account));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_accounts_are_listed_day_by_day_and_each_row_once() {
    let (mut shelf, operator) = crowd(70, 3, 700).await;
    let mut random = fastrand::Rng::with_seed(15);
    let expected: BTreeSet<String> = shelf.expected(|_| true).into_iter().collect();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let limit = random.usize(1..=100);
        let target = format!("/v1/requests?limit={limit}{cursor}");
        let answer = shelf.bundle.get(&target, &operator.caller()).await;
        found.extend(super::ids(&answer));
        let Some(next) = answer.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        // Whoever joins while the list goes on pushes nobody out of a group.
        let (account, now) = (AccountId::mint(&mut entropy::fill), shelf.bundle.clock.now());
        add(&mut shelf, &account, now.minus_s(1), &mut random).await;
    }
    assert_eq!(found.len(), found.iter().collect::<BTreeSet<_>>().len(), "no row twice");
    let listed: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(expected.difference(&listed).count(), 0, "no row left out");
    let day = |id_: &String| shelf.rows.iter().find(|row| id(row) == *id_).unwrap().at.minute().day();
    let days: Vec<_> = found.iter().map(day).collect();
    assert!(days.is_sorted_by(|a, b| a >= b), "the newest day first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_whose_calls_are_refused_and_those_of_nobody() {
    let (shelf, operator) = crowd(3, 2, 30).await;
    let hour = shelf.bundle.clock.now().minus_s(3 * 3_600);
    shelf.refuse(None, None, hour, &[("-|missing_credentials", 5)]).await;
    shelf.refuse(Some(&shelf.account), Some(&shelf.places[1]), hour, &[("GET /demo/free|rate_limited", 6)]).await;
    for limit in [3, 100] {
        let pages = pages(&shelf.bundle, &operator.caller(), "/v1/requests?", || limit).await;
        let counts: Vec<_> = joined(&pages, "refused").iter().map(|one| one["calls"].as_u64().unwrap()).collect();
        assert_eq!(counts.iter().sum::<u64>(), 11, "{counts:?}");
        assert!(joined(&pages, "refused").iter().any(|one| one["account_id"].is_null()));
    }
    let newest = shelf.rows.iter().map(RowPosition::of).max().unwrap();
    let first = pages(&shelf.bundle, &operator.caller(), "/v1/requests?", || 1).await.remove(0);
    let row = shelf.rows.iter().find(|row| RowPosition::of(row) == newest).unwrap();
    assert_eq!(first["data"][0]["id"], id(row));
    assert_eq!(first["data"][0]["account_id"], row.account.to_string());
}
