//! Rows read back in pages, from either place.

use faregate_domain::money::MicroUsd;

use super::*;
use crate::fresh;

fn row(number: u8, at_ms: u64, route: &str) -> RequestRow {
    let account = AccountId::mint(&mut |pool| pool.fill(1));
    RequestRow {
        cell: CellId::Session(account.clone()),
        charge: ChargeNonce::mint(&mut |pool| pool.fill(number)),
        seq: number.into(),
        at: Timestamp::from_epoch_ms(at_ms),
        account,
        project: ProjectId::mint(&mut |pool| pool.fill(2)),
        environment: "sandbox".to_owned(),
        route: route.to_owned(),
        network: None,
        agent: None,
        amount: MicroUsd::ZERO,
        is_leased: false,
        session: None,
        settled: None,
        expires_at: Timestamp::from_epoch_s(9_000),
    }
}

#[test]
fn a_place_is_a_row_or_stands_before_an_instant() {
    let row = row(3, 1_760_000_000_123, "GET /a");
    let (of, start) = (RowPosition::of(&row), RowPosition::start_of(row.at));
    assert!(start < of);
    assert_eq!(RowPosition::parse(of.as_str()), Some(of.clone()));
    assert_eq!(RowPosition::parse(start.as_str()), Some(start.clone()));
    assert_eq!((of.last_instant(), start.last_instant().epoch_ms()), (row.at, row.at.epoch_ms() - 1));
    for text in ["", "_", "1_", "1760000000123", "176000000012x_", "1760000000123_short", "1760000000123_ "] {
        assert_eq!(RowPosition::parse(text), None, "{text}");
    }
}

#[tokio::test]
async fn each_row_is_found_once_whichever_way_it_is_asked_for() {
    let store = fresh::table().await;
    let mut rows: Vec<_> = (1..=9).map(|number| row(number, 100 + u64::from(number) / 3, "GET /a")).collect();
    rows[4].route = "GET /b".to_owned();
    rows[6].expires_at = Timestamp::from_epoch_s(7_000);
    for row in &rows {
        store.insert_row(row).await.unwrap();
        store.insert_row(row).await.unwrap();
    }
    rows.retain(|row| row.route == "GET /a" && row.expires_at.epoch_s() > 7_000);
    rows.sort_by_key(|row| std::cmp::Reverse(RowPosition::of(row)));
    let filter = RowFilter { route: Some("GET /a".to_owned()), ..RowFilter::default() };
    for source in [RowSource::Cell(rows[0].cell.clone()), RowSource::Account(rows[0].account.clone())] {
        for limit in 1..=10 {
            let (mut found, mut before) = (Vec::new(), Some(RowPosition::start_of(Timestamp::from_epoch_s(5))));
            while let Some(place) = before {
                let query = RowQuery {
                    source: &source,
                    from: Timestamp::from_epoch_ms(101),
                    before: &place,
                    filter: &filter,
                    now: Timestamp::from_epoch_s(7_000),
                    limit,
                };
                let page = store.find_newest_rows(&query).await.unwrap();
                assert!(page.rows.len() <= usize::from(limit));
                found.extend(page.rows);
                before = page.reached;
            }
            let wanted: Vec<_> = rows.iter().filter(|row| row.at.epoch_ms() >= 101).cloned().collect();
            assert_eq!(found, wanted, "{source:?} {limit}");
        }
    }
    let nobody = RowSource::Account(AccountId::mint(&mut |pool| pool.fill(9)));
    let place = RowPosition::start_of(Timestamp::from_epoch_s(5));
    let now = Timestamp::from_epoch_s(7_000);
    let query =
        RowQuery { source: &nobody, from: place.last_instant(), before: &place, filter: &filter, now, limit: 5 };
    assert_eq!(store.find_newest_rows(&query).await.unwrap(), RowPage { rows: Vec::new(), reached: None });
    let early = RowPosition::start_of(Timestamp::from_epoch_ms(1));
    let backwards = RowQuery { before: &early, ..query };
    assert_eq!(store.find_newest_rows(&backwards).await.unwrap().rows, []);
}
