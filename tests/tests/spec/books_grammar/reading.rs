//! What is read of the books, by every expression that reads them.

use std::fmt::Debug;

use faregate_domain::books::{Period, Sequence};
use faregate_store::{RowFilter, RowPosition, RowQuery, RowSource, Store};

use super::Scene;

/// Everything, as text.
pub(super) async fn all(store: &Store, scene: &Scene) -> Vec<String> {
    let Scene { cell, owner, now } = scene;
    let mut read = Vec::new();
    say(&mut read, "position", store.find_position(cell).await);
    let rows = store.find_rows(cell, None, 2).await.unwrap();
    say(&mut read, "rows", store.find_rows(cell, rows.last(), 2).await);
    read_newest(store, scene, &mut read).await;
    for sequence in [Sequence::Grants, Sequence::Returns] {
        say(&mut read, "movements", store.find_movements(cell, sequence, 0, 9).await);
        say(&mut read, "later movements", store.find_movements(cell, sequence, 1, 9).await);
        say(&mut read, "earlier movements", store.find_newest_movements(cell, sequence, Some(2), 9).await);
    }
    let events = store.find_events(cell, None, 1).await.unwrap();
    say(&mut read, "events", store.find_events(cell, events.last().map(|event| event.0.clone()), 9).await);
    say(&mut read, "callers", store.find_callers(cell).await);
    say(&mut read, "active accounts", store.find_active(*now, None, 9).await);
    say(&mut read, "active accounts behind", store.find_active(*now, Some(&owner.account), 9).await);
    say(&mut read, "hours", store.find_hours(&owner.account, cell, *now, now.plus_s(3_600)).await);
    say(&mut read, "days", store.find_all_days(&owner.account).await);
    for period_of in [Period::hour_of, Period::day_of] {
        let periods = (period_of(now.minus_s(86_400)), period_of(*now));
        say(&mut read, "periods", store.find_periods(&owner.account, periods, None).await);
    }
    let aside = store.find_set_aside(None, 9).await.unwrap();
    assert_eq!(aside.len(), 1);
    store.forget_set_aside(&aside[0].sequence_number).await.unwrap();
    say(&mut read, "set aside", store.find_set_aside(None, 9).await);
    read
}

/// The newest rows of a key and of an account, with each filter and with all of them.
async fn read_newest(store: &Store, scene: &Scene, read: &mut Vec<String>) {
    let Scene { cell, owner, now } = scene;
    let all = RowFilter {
        project: Some(owner.project.clone()),
        environment: Some(owner.environment.clone()),
        route: Some("GET /demo/free".to_owned()),
        code: Some("ok".to_owned()),
    };
    let nothing = RowFilter { code: Some("nothing".to_owned()), ..RowFilter::default() };
    for source in [RowSource::Cell(cell.clone()), RowSource::Account(owner.account.clone())] {
        for filter in [&RowFilter::default(), &all, &nothing] {
            for (before, limit) in [(now.plus_s(1), 2), (now.plus_s(1), 9), (*now, 9)] {
                let before = RowPosition::start_of(before);
                let query =
                    RowQuery { source: &source, from: now.minus_s(60), before: &before, filter, now: *now, limit };
                say(read, "newest rows", store.find_newest_rows(&query).await);
            }
        }
    }
}

fn say<T: Debug, E: Debug>(read: &mut Vec<String>, what: &str, found: Result<T, E>) {
    read.push(format!("{what}: {:#?}", found.unwrap()));
}
