//! An entry is added once; sheets grow by what is added and by nothing else.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    cell::Owner,
    id::KeyId,
    refused::{Next, Place},
};

use super::*;
use crate::fresh;

const NOW: u64 = 1_792_540_800_000;

fn account(digit: u8) -> AccountId {
    AccountId::mint(&mut |pool| pool.fill(digit))
}

fn key_of(account: AccountId, digit: u8) -> Whose {
    let project = ProjectId::mint(&mut |pool| pool.fill(digit));
    let owner = Owner { account, project, environment: "sandbox".into(), gallery: "g".into() };
    Whose::of(&CellId::Key(KeyId::mint(&mut |pool| pool.fill(digit))), &owner)
}

fn reason(route: &str) -> Reason {
    Reason { route: Some(format!("GET /{route}")), code: "rate_limited".into() }
}

fn entry(whose: Whose, at_ms: u64, reasons: &[(&str, u64)]) -> Entry {
    Entry {
        place: Place::at(Timestamp::from_epoch_ms(at_ms), whose),
        reasons: reasons.iter().map(|(route, count)| (reason(route), *count)).collect(),
        writer: "writer01".into(),
        seq: at_ms,
    }
}

/// Sends an entry until it stands there, as its process does.
async fn add(store: &Store, mut entry: Entry) -> RefusedDay {
    let mut form = Form::Add;
    for _ in 0..4 {
        let found = match store.add_refused(&entry, form).await.unwrap() {
            EntryOutcome::Added(day) => return day,
            EntryOutcome::Refused(found) => found,
        };
        match entry.next(found.as_ref()) {
            Next::Done => return found.unwrap(),
            Next::Send(next) => form = next,
        }
    }
    panic!("{entry:?} is refused in every form");
}

async fn all(store: &Store, account: Option<&AccountId>) -> Vec<RefusedDay> {
    store.find_refused_days(account, (Day(0), Day(1_000_000)), None, 1_000).await.unwrap()
}

#[tokio::test]
async fn what_is_added_is_what_is_found() {
    let store = fresh::table().await;
    let whose = key_of(account(1), 1);
    add(&store, entry(whose.clone(), NOW, &[("a", 3), ("b", 1)])).await;
    add(&store, entry(whose.clone(), NOW + 1, &[("a", 4), ("c", 2)])).await;
    let left = add(&store, entry(whose.clone(), NOW + 3_600_000, &[("a", 1)])).await;

    let [found] = all(&store, Some(&account(1))).await.try_into().unwrap();
    assert_eq!(found, left);
    let counts = |routes: &[(&str, u64)]| routes.iter().map(|(route, count)| (reason(route), *count)).collect();
    assert_eq!(found.hours, [(0, counts(&[("a", 7), ("b", 1), ("c", 2)])), (1, counts(&[("a", 1)]))].into());
    assert_eq!(found.sheet, Place::at(Timestamp::from_epoch_ms(NOW), whose).sheet);
}

#[tokio::test]
async fn an_entry_that_is_sent_again_in_any_form_is_added_once() {
    let store = fresh::table().await;
    let one = entry(Whose::Nobody, NOW, &[("a", 3)]);
    let first = add(&store, one.clone()).await;
    for form in [Form::Open, Form::Add, Form::Fold] {
        let refused = store.add_refused(&one, form).await.unwrap();
        assert!(matches!(refused, EntryOutcome::Refused(Some(found)) if found == first), "{form:?}");
    }
    let two = Entry { seq: NOW + 1, ..one.clone() };
    let second = add(&store, two.clone()).await;
    for late in [one, two] {
        assert_eq!(add(&store, late).await, second);
    }
    assert_eq!(second.hours[&0][&reason("a")], 6);
}

#[tokio::test]
async fn a_copy_that_arrives_after_its_writer_was_forgotten_is_refused() {
    let store = fresh::table().await;
    let old = entry(Whose::Nobody, NOW, &[("a", 3)]);
    add(&store, old.clone()).await;
    let newer = Entry { writer: "writer02".into(), seq: NOW + 60_001, ..old.clone() };
    let day = add(&store, newer).await;
    let own = [old.writer.clone()];
    store.sweep_refused(&day.sheet, &own, NOW).await.unwrap();
    assert_eq!(all(&store, None).await[0].writers.len(), 2, "the writer is not below the horizon");
    store.sweep_refused(&day.sheet, &own, NOW + 1).await.unwrap();
    assert_eq!(all(&store, None).await[0].writers.len(), 1);
    for form in [Form::Open, Form::Add, Form::Fold] {
        assert!(matches!(store.add_refused(&old, form).await.unwrap(), EntryOutcome::Refused(_)), "{form:?}");
    }
}

#[tokio::test]
async fn an_instance_whose_clock_is_behind_is_counted_once() {
    let store = fresh::table().await;
    let ahead = Entry { writer: "writer02".into(), ..entry(Whose::Nobody, NOW + 3_000_000, &[("a", 1)]) };
    add(&store, ahead).await;
    let day = add(&store, entry(Whose::Nobody, NOW, &[("a", 2)])).await;
    assert_eq!(day.hours[&0][&reason("a")], 3);
    assert_eq!(day.writers["writer01"], NOW + 3_000_000);
}

#[tokio::test]
async fn an_hour_has_so_many_reasons_and_loses_no_count() {
    let store = fresh::table().await;
    let names: Vec<String> = (0..160).map(|number| format!("r{number}")).collect();
    for (number, names) in names.chunks(16).enumerate() {
        let reasons: Vec<_> = names.iter().map(|name| (name.as_str(), 2)).collect();
        add(&store, entry(Whose::Nobody, NOW + u64::try_from(number).unwrap(), &reasons)).await;
    }
    let day = &all(&store, None).await[0];
    let bare = Reason { route: None, code: "rate_limited".into() };
    assert_eq!(day.hours[&0].len(), 33);
    assert_eq!(day.hours[&0][&bare], 2 * (160 - 32));
    assert_eq!(day.hours[&0].values().sum::<u64>(), 320);
}

#[tokio::test]
async fn fifty_writers_of_one_hour_lose_nothing() {
    let store = fresh::table().await;
    let writers = (0..50).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            for seq in 0..4 {
                let one = entry(Whose::Nobody, NOW + seq, &[("a", 1), (&format!("r{}", number % 5), 1)]);
                add(&store, Entry { writer: format!("writer{number}"), ..one }).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let day = &all(&store, None).await[0];
    assert_eq!(day.hours[&0][&reason("a")], 200);
    assert_eq!(day.hours[&0].values().sum::<u64>(), 400);
}

#[tokio::test]
async fn sheets_are_found_by_account_and_day_and_page_by_page() {
    let store = fresh::table().await;
    let day_ms = 1_000 * Day::SECONDS;
    let (own, other) = (account(1), account(2));
    let holders = [key_of(own.clone(), 1), key_of(own.clone(), 2), Whose::Account(own.clone())];
    let session = Whose::of(
        &CellId::Session(own.clone()),
        &Owner {
            account: own.clone(),
            project: ProjectId::mint(&mut |pool| pool.fill(1)),
            environment: "sandbox".into(),
            gallery: "g".into(),
        },
    );
    for day in 0..3 {
        for whose in holders.iter().chain([&session, &key_of(other.clone(), 3), &Whose::Nobody]) {
            add(&store, entry(whose.clone(), NOW + day * day_ms, &[("a", 1)])).await;
        }
    }
    let first = Day(NOW / day_ms);
    let days = (first, Day(first.0 + 1));
    let whole = store.find_refused_days(Some(&own), days, None, 100).await.unwrap();
    assert_eq!(whole.len(), 8);
    assert!(whole.iter().all(|day| day.sheet.whose.account() == Some(&own) && day.sheet.day <= days.1));
    assert_eq!(whole.iter().filter(|day| day.sheet.whose == session).count(), 2);

    let mut paged = Vec::new();
    loop {
        let after = paged.last().map(|day: &RefusedDay| day.sheet.clone());
        let page = store.find_refused_days(Some(&own), days, after.as_ref(), 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, whole);
    assert_eq!(all(&store, Some(&account(9))).await, []);
    assert_eq!(all(&store, None).await.len(), 3);
}

#[tokio::test]
async fn a_sheet_is_kept_as_long_as_anybody_may_ask_for_it() {
    let store = fresh::table().await;
    let day = add(&store, entry(Whose::Nobody, NOW, &[("a", 1)])).await.sheet.day;
    let item = store.find("refused_-", &format!("day_{}_-", date(day))).await.unwrap().unwrap();
    let end: u64 = item["ttl"].as_n().unwrap().parse().unwrap();
    assert_eq!(end, NOW / 1_000 + 401 * Day::SECONDS);
}

#[test]
fn days_are_written_as_dates() {
    for (text, written) in [("2026-02-28T23:59:59Z", "20260228"), ("1970-01-01T00:00:00Z", "19700101")] {
        let day = Timestamp::parse_rfc3339(text).unwrap().minute().day();
        assert_eq!((date(day), parse_date(written)), (written.to_owned(), Some(day)));
    }
    for text in ["", "2026022", "202602281", "20261301", "é260228"] {
        assert_eq!(parse_date(text), None, "{text}");
    }
}

#[test]
fn odd_items_are_malformed_and_not_empty() {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let whole: Item = [
        ("pk", text("refused_-")),
        ("sk", text("day_20260228_-")),
        ("w", AttributeValue::N("1".into())),
        ("h07", AttributeValue::M([("GET /a|ok".to_owned(), AttributeValue::N("1".into()))].into())),
        ("qwriter01", AttributeValue::N("1".into())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    assert!(parse_day(&whole).is_ok());
    for (name, value) in [
        ("pk", text("refused_acc_1")),
        ("pk", text("key_1")),
        ("sk", text("day_20260228")),
        ("sk", text("day_20261328_-")),
        ("w", text("1")),
        ("h07", text("1")),
        ("h07", AttributeValue::M([("GET /a".to_owned(), AttributeValue::N("1".into()))].into())),
        ("h07", AttributeValue::M([("GET /a|ok".to_owned(), AttributeValue::N("-1".into()))].into())),
        ("qwriter01", text("1")),
    ] {
        let mut item = whole.clone();
        item.insert(name.to_owned(), value.clone());
        assert!(parse_day(&item).is_err(), "{name} {value:?}");
    }
}

#[test]
fn the_writes_keep_dynamodbs_rules() {
    let reasons: Vec<String> = (0..16).map(|number| format!("r{number}")).collect();
    let reasons: Vec<_> = reasons.iter().map(|name| (name.as_str(), 1)).collect();
    for whose in [Whose::Nobody, Whose::Account(account(1)), key_of(account(1), 1)] {
        let entry = entry(whose, NOW, &reasons);
        for form in [Form::Open, Form::Add, Form::Fold] {
            assert_eq!(addition(&entry, form).lint(), Ok(()));
        }
        let writers: Vec<_> = (0..64).map(|number| format!("writer{number}")).collect();
        assert_eq!(sweep(&entry.place.sheet, &writers, NOW).lint(), Ok(()));
    }
}
