//! Enters what is told of one cell: rows first, then the numbers, then how far the books are. Any of it may be done again.

use std::collections::BTreeMap;

use faregate_domain::{
    books::{Chunk, Fact, Part, Period, Sequence, SettledCharge},
    cell::CellId,
    id::{AccountId, ClientSessionId},
    row::Row,
    time::{Day, Timestamp},
};
use faregate_store::{
    Awaited, Booked, Booking, Movement, Positioned, RequestRow, RowSettlement, SessionFact, SessionSequence, StoreError,
};
use futures_util::future::try_join_all;

use crate::{
    App,
    plan::{Plan, admitted, correction, settled},
    record::Told,
};

/// What a run of facts adds up to.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    /// In the order of the cell.
    pub(crate) parts: Vec<Part>,
    /// Missing until now.
    pub(crate) late: Vec<Part>,
    /// Of client sessions, each in the order of the cell.
    pub(crate) sessions: BTreeMap<ClientSessionId, Vec<SessionFact>>,
}

/// What one fact adds.
#[derive(Debug, Default)]
struct Entered {
    part: Option<Part>,
    sessions: Vec<(ClientSessionId, SessionFact)>,
}

impl App {
    /// Enters the writes of one cell, in their order.
    ///
    /// # Errors
    /// [`EnterError`] when it must be tried again; what is entered already stays and is not entered twice.
    pub(crate) async fn enter(&self, told: Vec<Told>) -> Result<(), EnterError> {
        let Some(cell) = told.first().map(|one| one.change.cell.clone()) else { return Ok(()) };
        let store = &self.store;
        for _ in 0..MAX_ROUNDS {
            let Positioned { position, mut version } = store.find_position(&cell).await?;
            let facts = told
                .iter()
                .enumerate()
                .flat_map(|(place, one)| one.facts.iter().map(move |fact| (place, fact.clone())));
            let plan = Plan::of(&position, facts);
            if plan.fresh.is_empty() {
                return Ok(());
            }
            if !plan.holes.is_empty() {
                // Raised and written down before anything beyond it, so that no crash can make a gap look like the past.
                self.raise(&cell, &told, &plan).await?;
                if !store.save_position(&cell, &plan.noted, version).await? {
                    continue;
                }
                version += 1;
            }
            let additions = self.enter_facts(&cell, &told, &plan).await?;
            self.count(&cell, &told, &plan, &additions).await?;
            for (session, facts) in &additions.sessions {
                self.store.book_session(session, facts).await?;
            }
            self.look_for_oddities(&cell, &told, &plan).await?;
            if store.save_position(&cell, &plan.after, version).await? && !plan.has_more {
                return Ok(());
            }
        }
        Err(EnterError::Contended)
    }

    /// Rows and movements first, then what amends them.
    async fn enter_facts(&self, cell: &CellId, told: &[Told], plan: &Plan) -> Result<Additions, EnterError> {
        let mut additions = Additions::default();
        let (amending, first): (Vec<_>, Vec<_>) =
            plan.fresh.iter().partition(|(_, fact, _)| matches!(fact, Fact::Settled { .. }));
        for facts in first.chunks(ROWS_AT_ONCE).chain(amending.chunks(ROWS_AT_ONCE)) {
            let mut entering = Vec::with_capacity(facts.len());
            for (place, fact, _) in facts {
                let Some(one) = told.get(*place) else { continue };
                entering.push(self.enter_fact(cell, one, fact));
            }
            for (entered, (_, _, is_late)) in try_join_all(entering).await?.into_iter().zip(facts) {
                if let Some(part) = entered.part {
                    if *is_late { &mut additions.late } else { &mut additions.parts }.push(part);
                }
                for (session, fact) in entered.sessions {
                    additions.sessions.entry(session).or_default().push(fact);
                }
            }
        }
        Ok(additions)
    }

    async fn enter_fact(&self, cell: &CellId, told: &Told, fact: &Fact) -> Result<Entered, EnterError> {
        let (sequence, seq, micro_usd) = match fact {
            Fact::Admitted { seq, row, is_leased, session } => {
                return self.enter_request(told, *seq, row, *is_leased, session.as_ref()).await;
            }
            Fact::Settled { seq, charge } => return self.enter_settlement(cell, *seq, charge).await,
            Fact::Granted { seq, micro_usd, .. } => (Sequence::Grants, *seq, *micro_usd),
            Fact::Returned { seq, amount } => (Sequence::Returns, *seq, amount.signed()),
        };
        let movement = Movement { sequence, seq, micro_usd, at: told.change.at };
        self.store.insert_movement(cell, &told.change.after.owner, &movement).await?;
        Ok(Entered::default())
    }

    /// The row of a request, with its settlement where that was told before.
    async fn enter_request(
        &self,
        told: &Told,
        seq: u64,
        row: &Row,
        is_leased: bool,
        session: Option<&ClientSessionId>,
    ) -> Result<Entered, EnterError> {
        let (cell, store) = (&told.change.cell, &self.store);
        let owner = &told.change.after.owner;
        let route = self.route_of(&row.class);
        let mut part = admitted(seq, row.at, &route, row.cost);
        let expires_at = self.expiry(&owner.environment, row.at);
        self.note_active(&owner.account, row.at).await?;
        let entered = RequestRow {
            cell: cell.clone(),
            charge: row.charge.clone(),
            seq,
            at: row.at,
            account: owner.account.clone(),
            project: owner.project.clone(),
            environment: owner.environment.clone(),
            route: route.clone(),
            network: row.known_network().map(ToOwned::to_owned),
            agent: row.known_agent().map(ToOwned::to_owned),
            amount: row.cost,
            is_leased,
            session: session.cloned(),
            settled: None,
            expires_at,
        };
        // First the row: whoever finds the charge below amends it.
        store.insert_row(&entered).await?;
        let mut sessions = Vec::new();
        let mut add = |sequence, seq, micro_usd| {
            sessions.extend(session.map(|session| (session.clone(), SessionFact { sequence, seq, micro_usd })));
        };
        add(SessionSequence::Requests, seq, row.cost.signed());
        if is_leased {
            let awaited = Awaited {
                charge: row.charge.clone(),
                at: row.at,
                reserved: row.cost,
                route: route.clone(),
                session: session.cloned(),
            };
            if let Some(RowSettlement { settlement, at, seq }) = store.await_settlement(cell, &awaited).await? {
                add(SessionSequence::Settlements, seq, settlement.actual.signed() - row.cost.signed());
                let charge = SettledCharge { charge: row.charge.clone(), at, reserved: row.cost, settlement };
                store.amend_row(cell, row.at, &charge, seq).await?;
                part.adds.extend(correction(row.at, &route, row.cost, &charge));
            }
        }
        Ok(Entered { part: Some(part), sessions })
    }

    /// Noted once per process, account and day.
    pub(crate) async fn note_active(&self, account: &AccountId, at: Timestamp) -> Result<(), EnterError> {
        let day = Period::day_of(at).to_string();
        if !self.seen.contains(account.suffix(), &day) {
            self.store.note_active(account, at).await?;
            self.seen.add(account.suffix(), [day]);
        }
        Ok(())
    }

    /// What a settlement changes; nothing while the request that it is about is missing.
    async fn enter_settlement(&self, cell: &CellId, seq: u64, charge: &SettledCharge) -> Result<Entered, EnterError> {
        let store = &self.store;
        let Some(awaited) = store.note_settlement(cell, charge, seq).await? else {
            tracing::warn!(cell = cell.partition(), seq, "a settlement waits for its request");
            return Ok(Entered::default());
        };
        store.amend_row(cell, awaited.at, charge, seq).await?;
        let micro_usd = charge.settlement.actual.signed() - awaited.reserved.signed();
        let fact = SessionFact { sequence: SessionSequence::Settlements, seq, micro_usd };
        let part = settled(seq, awaited.at, &awaited.route, awaited.reserved, charge);
        let sessions = awaited.session.map(|session| (session, fact)).into_iter().collect();
        Ok(Entered { part: Some(part), sessions })
    }

    async fn count(&self, cell: &CellId, told: &[Told], plan: &Plan, additions: &Additions) -> Result<(), EnterError> {
        let Some(owner) = told.last().map(|one| &one.change.after.owner) else { return Ok(()) };
        for period_of in [Period::hour_of, Period::day_of] {
            for chunk in Chunk::of(&additions.parts, period_of) {
                let rows_kept_until = self.expiry(&owner.environment, chunk.period.start());
                self.count_chunk(&Booked { cell, owner, rows_kept_until }, plan, chunk).await?;
            }
            for part in &additions.late {
                for chunk in Chunk::of(std::slice::from_ref(part), period_of) {
                    let rows_kept_until = self.expiry(&owner.environment, chunk.period.start());
                    self.store.book_late(&Booked { cell, owner, rows_kept_until }, &chunk).await?;
                }
            }
        }
        Ok(())
    }

    async fn count_chunk(&self, booked: &Booked<'_>, plan: &Plan, chunk: Chunk) -> Result<(), EnterError> {
        let place = format!("{} {}", booked.cell.partition(), chunk.period);
        let mut left = Some(chunk);
        while let Some(mut chunk) = left {
            if self.seen.contains(&place, MANY_WORDS) {
                chunk = chunk.without_words();
            }
            // Once a period has counted beyond a gap, what it leaves out stands in it.
            let open = plan.noted.holes().filter(|hole| !self.seen.contains(&place, &hole.to_string()));
            let missing: Vec<Sequence> = open.map(|hole| hole.sequence).collect();
            let (numbers, is_counted) = match self.store.book(booked, &chunk, &missing).await? {
                Booking::Counted(numbers) => (numbers, true),
                Booking::Outdated(numbers) => (numbers, false),
            };
            let passed = plan.noted.holes().filter(|hole| numbers.counted(hole.sequence) > hole.last);
            self.seen.add(&place, passed.map(ToString::to_string));
            if numbers.slots.len() >= MAX_SLOTS {
                self.seen.add(&place, [MANY_WORDS.to_owned()]);
            }
            if let Period::Hour(_) = chunk.period {
                self.look_for_spike(booked.cell, booked.owner, &numbers, &chunk).await?;
            }
            left = if is_counted { None } else { chunk.beyond(|sequence| numbers.counted(sequence)) };
        }
        Ok(())
    }

    /// Something is missing from the books, and everybody who watches them is to know.
    async fn raise(&self, cell: &CellId, told: &[Told], plan: &Plan) -> Result<(), EnterError> {
        // The record that shows the gap, in whatever batch it comes.
        let shown = plan.fresh.first().and_then(|(place, _, _)| told.get(*place));
        let Some(one) = shown else { return Ok(()) };
        for hole in &plan.holes {
            tracing::error!(cell = cell.partition(), %hole, "a gap in the books");
            let details = serde_json::json!({"missing": hole.to_string()});
            self.tell(cell, one, "gap", &hole.to_string().replace(':', "-"), &details).await?;
        }
        Ok(())
    }

    /// The route of a class, or the class where the policy does not have it any more.
    fn route_of(&self, class: &str) -> String {
        self.policy.template_of(class).unwrap_or(class).to_owned()
    }

    fn expiry(&self, environment: &str, at: Timestamp) -> Timestamp {
        let policy = &self.policy;
        let environment = policy.find_environment(environment).unwrap_or_else(|| policy.default_environment());
        at.plus_s(u64::from(environment.retention_days) * Day::SECONDS)
    }
}

/// Why a cell's books are not written.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else writes the same books all the time.
    #[error("the position changed under every attempt")]
    Contended,
}

const MAX_ROUNDS: u32 = 64;
/// Routes and words for failures that a period tells apart; further failures stand there without their word. A row keeps it.
const MAX_SLOTS: usize = 200;
const MANY_WORDS: &str = "many words";
/// Rows of one cell that are written side by side.
const ROWS_AT_ONCE: usize = 8;
