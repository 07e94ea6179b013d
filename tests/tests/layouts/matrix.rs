//! Every table that was ever recorded is read by this code, and answers as it did; this code's own still looks as recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use faregate_domain::time::Timestamp;
use faregate_edge::entropy;

use crate::{
    door::{Door, readdressed},
    fixture::{Fixture, Recorded},
    questions::QUESTIONS,
    script::{Asker, member},
    shape::{kind, shape},
    story,
};

/// Signs the owner and the operator in anew and asks what the story's names allow: everything, or what was asked before.
async fn question(asker: &mut Asker<'_>, before: Option<&[Recorded]>) -> Vec<Recorded> {
    let mut answers = Vec::new();
    for who in ["owner", "operator"] {
        asker.sign_in(who).await;
    }
    let is_asked = |words: &str| before.is_none_or(|before| before.iter().any(|recorded| recorded.question == words));
    for question in QUESTIONS {
        if !question.ask.is_told(&asker.names) || !is_asked(&question.ask.words()) {
            continue;
        }
        let answer = asker.send(&question.ask).await;
        let said = question.said.iter().filter_map(|pointer| Some(((*pointer).to_owned(), member(&answer, pointer)?)));
        answers.push(Recorded { question: question.ask.words(), status: answer.status, said: said.collect() });
    }
    answers
}

/// Leads a program through the story and asks it everything.
async fn record(door: Door, written_by: &str, is_whole: bool) -> Fixture {
    let mut asker = Asker { door: &door, names: BTreeMap::new() };
    story::tell(&mut asker, is_whole).await;
    if is_whole {
        door.wait_for_books().await;
    }
    let (items, now, names) = (door.items().await, door.now(), asker.names.clone());
    let mut answers = question(&mut asker, None).await;
    // What another version does not serve says nothing of its table, and was not done.
    answers.retain(|answer| is_whole || !matches!(answer.status, 404 | 405));
    let url = door.url.clone();
    door.stop().await;
    Fixture { written_by: written_by.to_owned(), at_epoch_ms: now.epoch_ms(), url, names, items, answers }
}

async fn record_this() -> Fixture {
    entropy::seed_thread(5);
    let version = std::env::var("FAREGATE_VERSION").unwrap_or_default();
    record(Door::here(Timestamp::from_epoch_s(START_EPOCH_S)).await, &version, true).await
}

/// Puts a recorded table before this code and asks what was asked then.
pub(crate) async fn ask_again(
    fixture: &Fixture,
    items: &[serde_json::Value],
) -> (Vec<Recorded>, Vec<serde_json::Value>) {
    let door = Door::here(fixture.now()).await;
    door.fill(items).await;
    let mut asker = Asker { door: &door, names: fixture.names.clone() };
    for name in ["visit", "left"] {
        if let Some(token) = asker.names.get_mut(name) {
            *token = readdressed(token, &fixture.url, &door.url, fixture.now());
        }
    }
    let answers = question(&mut asker, Some(&fixture.answers)).await;
    let left = door.items().await;
    door.stop().await;
    (answers, left)
}

/// What differs: a member that is said today and was not then is no difference.
pub(crate) fn differences(then: &[Recorded], now: &[Recorded]) -> Vec<String> {
    let mut found = Vec::new();
    let mut today = now.iter();
    for then in then {
        let Some(now) = today.find(|now| now.question == then.question) else {
            found.push(format!("{}: is asked no more", then.question));
            continue;
        };
        let changed = then.said.iter().filter(|(pointer, value)| now.said.get(*pointer) != Some(value));
        let changed: Vec<_> = changed.map(|(at, was)| format!("{at} was {was}, is {:?}", now.said.get(at))).collect();
        if then.status != now.status || !changed.is_empty() {
            found.push(format!("{}: {} was {}; {}", then.question, now.status, then.status, changed.join(", ")));
        }
    }
    found
}

#[tokio::test]
async fn tables_of_every_version_are_read_and_decided_on_as_they_were() {
    for (name, fixture) in Fixture::all().into_iter().filter(|(_, fixture)| fixture.layout() == Some(LAYOUT)) {
        let (answers, _) = ask_again(&fixture, &fixture.items).await;
        assert_eq!(differences(&fixture.answers, &answers), [""; 0], "{name}, by {}", fixture.written_by);
    }
}

#[tokio::test]
async fn this_code_writes_every_kind_of_item_as_it_is_recorded() {
    let now = record_this().await;
    if let Some(name) = std::env::var_os("FAREGATE_RECORD").filter(|_| std::env::var_os("FAREGATE_PROGRAM").is_none()) {
        now.save(name.to_str().unwrap());
        return;
    }
    let shapes = |fixture: &Fixture| {
        let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for item in &fixture.items {
            kinds.entry(kind(item)).or_default().insert(shape(item, &fixture.url));
        }
        kinds
    };
    let own = shapes(&now);
    assert_eq!(own.keys().map(String::as_str).collect::<Vec<_>>(), KINDS, "kinds of items");
    let then = Fixture::newest();
    assert_eq!(then.layout(), Some(LAYOUT), "this layout has no table yet: record one (tests/tests/layouts/main.rs)");
    for (kind, then) in shapes(&then) {
        let now = &own[&kind];
        let (gone, come): (Vec<_>, Vec<_>) = (then.difference(now).collect(), now.difference(&then).collect());
        assert!(
            gone.is_empty() && come.is_empty(),
            "{kind} is written differently than recorded. Can code that knows only that read it? Then record another \
             table beside it (tests/tests/layouts/main.rs); else it is a new layout.\nwas {gone:#?}\nis {come:#?}"
        );
    }
}

/// Not of this code: run by whoever adds a table of another version.
#[tokio::test]
async fn another_program_is_recorded_where_one_is_named() {
    let (Ok(name), Some(program)) = (std::env::var("FAREGATE_RECORD"), std::env::var_os("FAREGATE_PROGRAM")) else {
        return;
    };
    let version = std::env::var("FAREGATE_VERSION").unwrap();
    record(Door::elsewhere(&PathBuf::from(program)).await, &version, false).await.save(&name);
}

/// A Wednesday, at the first second of a minute and of a day.
const START_EPOCH_S: u64 = 1_792_540_800;
pub(crate) const LAYOUT: u64 = faregate_store::Store::LAYOUT_VERSION;

/// Every kind of item there is, as in ARCHITECTURE.md's table, but deliveries: what becomes of one depends on a network.
const KINDS: [&str; 35] = [
    "acc_ · account",
    "acc_ · ent_",
    "acc_ · key_",
    "acc_ · prj_",
    "acc_ · wallet",
    "adr_ · account",
    "book_ · acc_",
    "book_ · chg_",
    "book_ · day_",
    "book_ · evt_",
    "book_ · gnt_",
    "book_ · hour_",
    "book_ · known",
    "book_ · position",
    "book_ · ret_",
    "book_ · row_",
    "chg_ · lease",
    "chg_ · settlement",
    "hook_ · expiring_",
    "hook_ · places",
    "hook_ · secret_",
    "hook_ · whk_",
    "idm_ · answer",
    "idm_ · passage",
    "ipc_ · nonces",
    "jwks · jwks",
    "key_ · cell",
    "key_ · ses_",
    "layout · layout",
    "non_ · nonce",
    "prj_ · wallet",
    "ref_ · reference",
    "refused_ · day_",
    "ses_ · session",
    "ssn_ · cell",
];
