//! Books that were filled through the store's own writes, beside a plain list of what is in them.

use faregate_domain::{
    base62,
    cell::CellId,
    charge::{ChargeId, ChargeNonce},
    id::{AccountId, KeyId, ProjectId},
    money::MicroUsd,
    refused::{self, Entry, KnownCell, Reason, Whose},
    settlement::{ErrorCode, Outcome, Settlement},
    time::{Day, Timestamp},
};
use faregate_edge::entropy;
use faregate_store::{EntryOutcome, RequestRow, RowPosition, RowSettlement};
use faregate_tests::{Answer, Bundle, Caller, Session};
use serde_json::{Value, json};

use crate::projects::{default_project, project};

/// An account with rows of several cells.
pub(crate) struct Shelf {
    pub(crate) bundle: Bundle,
    pub(crate) session: Session,
    pub(crate) account: AccountId,
    /// The sessions' cell, and the keys' with their callers.
    pub(crate) places: Vec<Place>,
    pub(crate) rows: Vec<RequestRow>,
}

/// A cell and what it belongs to.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) cell: CellId,
    pub(crate) project: ProjectId,
    pub(crate) environment: &'static str,
    pub(crate) caller: Caller,
}

impl Shelf {
    /// An account of two projects, three keys and a session, without a row.
    pub(crate) async fn empty() -> Self {
        let bundle = Bundle::new().await;
        let session = bundle.newcomer().await;
        Self::of(bundle, session).await
    }

    pub(crate) async fn of(bundle: Bundle, session: Session) -> Self {
        let account = AccountId::parse(&session.account_id).unwrap();
        let first = default_project(&bundle, &session).await;
        let second = project(&bundle, &session, json!({"name": "second"})).await;
        let mut places = vec![Place {
            cell: CellId::Session(account.clone()),
            project: ProjectId::parse(&first).unwrap(),
            environment: "production",
            caller: session.caller(),
        }];
        for (project, environment) in [(&first, "sandbox"), (&first, "production"), (&second, "production")] {
            let body = json!({"name": "a", "scopes": "admin", "project_id": project, "environment": environment});
            let (id, caller) = bundle.key(&session, body).await;
            let cell = CellId::Key(KeyId::parse(&id).unwrap());
            places.push(Place { cell, project: ProjectId::parse(project).unwrap(), environment, caller });
        }
        Self { bundle, session, account, places, rows: Vec::new() }
    }

    /// Puts rows of the last `days` days there, made up by `random`.
    pub(crate) async fn fill(&mut self, count: usize, days: u64, random: &mut fastrand::Rng) {
        for _ in 0..count {
            let place = self.places[random.usize(..self.places.len())].clone();
            let at = self.bundle.clock.now().epoch_ms() - random.u64(1..days * Day::SECONDS * 1_000);
            let row = self.row(&place, Timestamp::from_epoch_ms(at), random);
            self.put(row).await;
        }
    }

    pub(crate) async fn put(&mut self, row: RequestRow) {
        self.bundle.services.store.insert_row(&row).await.unwrap();
        self.rows.push(row);
    }

    /// A row of that cell and time, made up otherwise.
    pub(crate) fn row(&self, place: &Place, at: Timestamp, random: &mut fastrand::Rng) -> RequestRow {
        let retention = if place.environment == "sandbox" { 7 } else { 90 };
        let is_leased = random.u8(..4) == 0;
        let failed = ["model.timeout", "-2"][random.usize(..2)];
        let settlement = Settlement {
            outcome: if random.bool() { Outcome::Succeeded } else { Outcome::Failed },
            actual: MicroUsd::ZERO,
            error_code: ErrorCode::parse(failed).filter(|_| random.bool()),
        };
        let settled_at = Timestamp::from_epoch_ms(at.epoch_ms() + random.u64(..5_000));
        RequestRow {
            cell: place.cell.clone(),
            charge: ChargeNonce::mint(&mut entropy::fill),
            seq: self.rows.len() as u64 + 1,
            at,
            account: self.account.clone(),
            project: place.project.clone(),
            environment: place.environment.to_owned(),
            route: ROUTES[random.usize(..ROUTES.len())].to_owned(),
            network: Some("203.0.113.0/24".to_owned()),
            agent: random.bool().then(|| "curl".to_owned()),
            amount: MicroUsd::new(random.u64(..50_000)).unwrap(),
            is_leased,
            session: None,
            settled: (is_leased && random.bool()).then_some(RowSettlement { settlement, at: settled_at, seq: 1 }),
            expires_at: at.plus_s(retention * Day::SECONDS),
        }
    }

    /// The ids of the rows that a list should have, by looking at each.
    pub(crate) fn expected(&self, is_wanted: impl Fn(&RequestRow) -> bool) -> Vec<String> {
        let now = self.bundle.clock.now();
        let mut rows: Vec<_> = self.rows.iter().filter(|row| row.expires_at > now && is_wanted(row)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(RowPosition::of(row)));
        rows.into_iter().map(id).collect()
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.bundle.get(target, &self.session.caller()).await
    }

    /// Counts refused calls as the gates do, as the first of their hour.
    pub(crate) async fn refuse(
        &self,
        account: Option<&AccountId>,
        place: Option<&Place>,
        hour: Timestamp,
        reasons: &[(&str, u64)],
    ) {
        // As the ledger does where it knows whose they are.
        if let Some(account) = account {
            self.bundle.services.store.note_active(account, hour).await.unwrap();
        }
        let whose = match (account, place) {
            (None, _) => Whose::Nobody,
            (Some(account), None) => Whose::Account(account.clone()),
            (Some(account), Some(place)) => Whose::Cell(Box::new(KnownCell {
                account: account.clone(),
                cell: place.cell.clone(),
                project: place.project.clone(),
                environment: place.environment.to_owned(),
            })),
        };
        let reasons = reasons.iter().map(|(reason, calls)| (Reason::parse(reason).unwrap(), *calls)).collect();
        // Each of them is a writer of its own.
        let writer = base62::random(8, &mut entropy::fill);
        let seq = self.bundle.clock.now().epoch_ms();
        let entry = Entry { place: refused::Place::at(hour, whose), reasons, writer, seq };
        let outcome = self.bundle.services.store.add_refused(&entry, refused::Form::Open).await.unwrap();
        assert!(matches!(outcome, EntryOutcome::Added(_)), "{outcome:?}");
    }
}

/// A row's public id.
pub(crate) fn id(row: &RequestRow) -> String {
    ChargeId { cell: row.cell.clone(), nonce: row.charge.clone() }.to_string()
}

/// Ids in an answer.
pub(crate) fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = answer.body["data"].as_array().unwrap();
    data.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// All pages of a list, one after the other.
pub(crate) async fn pages(
    bundle: &Bundle,
    caller: &Caller,
    target: &str,
    mut limit: impl FnMut() -> usize,
) -> Vec<Value> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let limit = limit();
        let answer = bundle.get(&format!("{target}&limit={limit}{cursor}"), caller).await;
        assert!(ids(&answer).len() <= limit);
        pages.push(answer.body.clone());
        match answer.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
        assert!(pages.len() < 2_000, "a list without an end");
    }
}

/// What stands under a member of all pages.
pub(crate) fn joined(pages: &[Value], member: &str) -> Vec<Value> {
    pages.iter().flat_map(|page| page[member].as_array().unwrap().clone()).collect()
}

pub(crate) const ROUTES: [&str; 3] = ["GET /demo/free", "POST /demo/paid", "POST /demo/metered"];
