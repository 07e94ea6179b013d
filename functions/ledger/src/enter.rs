//! Enters what is told of one cell: rows first, then the numbers, then how far the books are. Any of it may be done again.

use faregate_domain::{
    books::{Chunk, Fact, Hole, Part, Period, Sequence, SettledCharge},
    cell::CellId,
    id::AccountId,
    row::Row,
    time::{Day, Timestamp},
};
use faregate_store::{Awaited, Booking, Movement, PeriodNumbers, Positioned, RequestRow, RowSettlement, StoreError};
use futures_util::future::try_join_all;

use crate::{
    App,
    plan::{Plan, admitted, correction, settled, signed},
    record::Told,
};

/// What a run of facts adds up to.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    /// In the order of the cell.
    pub(crate) parts: Vec<Part>,
    /// Missing until now.
    pub(crate) late: Vec<Part>,
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
                // Written down before anything beyond it, so that no crash can make a gap look like the past.
                if !store.save_position(&cell, &plan.noted, version).await? {
                    continue;
                }
                version += 1;
                self.raise(&cell, &told, &plan.holes).await?;
            }
            let additions = self.enter_facts(&cell, &told, &plan).await?;
            self.count(&cell, &told, &additions).await?;
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
            for (part, (_, _, is_late)) in try_join_all(entering).await?.into_iter().zip(facts) {
                if let Some(part) = part {
                    if *is_late { &mut additions.late } else { &mut additions.parts }.push(part);
                }
            }
        }
        Ok(additions)
    }

    async fn enter_fact(&self, cell: &CellId, told: &Told, fact: &Fact) -> Result<Option<Part>, EnterError> {
        let (sequence, seq, micro_usd) = match fact {
            Fact::Admitted { seq, row, is_leased } => {
                return self.enter_request(told, *seq, row, *is_leased).await.map(Some);
            }
            Fact::Settled { seq, charge } => return self.enter_settlement(cell, *seq, charge).await,
            Fact::Granted { seq, micro_usd, .. } => (Sequence::Grants, *seq, *micro_usd),
            Fact::Returned { seq, amount } => (Sequence::Returns, *seq, signed(*amount)),
        };
        let movement = Movement { sequence, seq, micro_usd, at: told.change.at };
        self.store.insert_movement(cell, &told.change.after.owner, &movement).await?;
        Ok(None)
    }

    /// The row of a request, with its settlement where that was told before.
    async fn enter_request(&self, told: &Told, seq: u64, row: &Row, is_leased: bool) -> Result<Part, EnterError> {
        let (cell, store) = (&told.change.cell, &self.store);
        let owner = &told.change.after.owner;
        let route = self.route_of(&row.class);
        let mut part = admitted(seq, row.at, &route, row.cost);
        let mut settled = None;
        if is_leased {
            let (charge, route) = (row.charge.clone(), route.clone());
            let awaited = Awaited { charge, at: row.at, reserved: row.cost, route };
            settled = store.await_settlement(cell, &awaited).await?;
        }
        if let Some(RowSettlement { settlement, at, .. }) = &settled {
            let (charge, settlement) = (row.charge.clone(), settlement.clone());
            let charge = SettledCharge { charge, at: *at, reserved: row.cost, settlement };
            part.adds.extend(correction(&route, row.cost, &charge));
        }
        self.note_active(&owner.account, row.at).await?;
        let row = RequestRow {
            cell: cell.clone(),
            charge: row.charge.clone(),
            seq,
            at: row.at,
            account: owner.account.clone(),
            project: owner.project.clone(),
            environment: owner.environment.clone(),
            route,
            network: row.known_network().map(ToOwned::to_owned),
            agent: row.known_agent().map(ToOwned::to_owned),
            amount: row.cost,
            is_leased,
            settled,
            expires_at: self.expiry(&owner.environment, row.at),
        };
        store.insert_row(&row).await?;
        Ok(part)
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
    async fn enter_settlement(
        &self,
        cell: &CellId,
        seq: u64,
        charge: &SettledCharge,
    ) -> Result<Option<Part>, EnterError> {
        let store = &self.store;
        let Some(awaited) = store.note_settlement(cell, charge, seq).await? else {
            tracing::warn!(cell = cell.partition(), seq, "a settlement waits for its request");
            return Ok(None);
        };
        store.amend_row(cell, awaited.at, charge, seq).await?;
        Ok(Some(settled(seq, awaited.at, &awaited.route, awaited.reserved, charge)))
    }

    async fn count(&self, cell: &CellId, told: &[Told], additions: &Additions) -> Result<(), EnterError> {
        let Some(owner) = told.last().map(|one| &one.change.after.owner) else { return Ok(()) };
        let store = &self.store;
        for period_of in [Period::hour_of, Period::day_of] {
            for chunk in Chunk::of(&additions.parts, period_of) {
                let mut left = Some(chunk);
                while let Some(chunk) = left {
                    let (numbers, is_counted) = match store.book(cell, owner, &chunk).await? {
                        Booking::Counted(numbers) => (numbers, true),
                        Booking::Outdated(numbers) => (numbers, false),
                    };
                    if let Period::Hour(_) = chunk.period {
                        self.look_for_spike(cell, owner, &numbers, &chunk).await?;
                    }
                    left = if is_counted { None } else { chunk.beyond(|sequence| counted(&numbers, sequence)) };
                }
            }
            for part in &additions.late {
                for chunk in Chunk::of(std::slice::from_ref(part), period_of) {
                    store.book_late(cell, owner, &chunk).await?;
                }
            }
        }
        Ok(())
    }

    /// Something is missing from the books, and everybody who watches them is to know.
    async fn raise(&self, cell: &CellId, told: &[Told], holes: &[Hole]) -> Result<(), EnterError> {
        let Some(one) = told.first() else { return Ok(()) };
        for hole in holes {
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

fn counted(numbers: &PeriodNumbers, sequence: Sequence) -> u64 {
    match sequence {
        Sequence::Settlements => numbers.settlements,
        _ => numbers.requests,
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
/// Rows of one cell that are written side by side.
const ROWS_AT_ONCE: usize = 8;
