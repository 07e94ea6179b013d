//! Holds the cells and wallets against the books, while requests go on.
//!
//! An item that differs is read and added up again before it is reported, because some of its parts are read one after the
//! other.

use std::{collections::BTreeMap, time::Duration};

use faregate_domain::{
    books::{AuditedDay, AuditedRow, CellBooks, Difference, Period, Position, Sequence},
    cell::{Cell, CellId},
    charge::ChargeId,
    id::AccountId,
    time::Timestamp,
};
use faregate_store::{PeriodNumbers, RequestRow, Store, StoreError};

mod wallets;

/// What an audit has looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Accounts.
    pub accounts: u64,
    /// Cells of keys and sessions.
    pub cells: u64,
    /// Requests that the cells have admitted.
    pub requests: u64,
    /// What the cells have spent or reserved, in millionths of a dollar.
    pub charged_micro_usd: u64,
    /// What is not as the books say.
    pub differences: Vec<Difference>,
}

/// An audit of one table.
#[derive(Clone, Debug)]
pub struct Auditor {
    store: Store,
    now: Timestamp,
}

impl Auditor {
    /// An audit at `now`.
    #[must_use]
    pub fn new(store: Store, now: Timestamp) -> Self {
        Self { store, now }
    }

    /// Audits one account.
    ///
    /// # Errors
    /// [`AuditError`] where the table does not answer, or the books never come as far as a cell.
    pub async fn account(&self, id: &AccountId, report: &mut Report) -> Result<(), AuditError> {
        report.accounts += 1;
        let mut cells = self.cells_of(id).await?;
        cells.push(CellId::Session(id.clone()));
        let (mut books, mut days) = (BTreeMap::new(), self.days_of(id).await?);
        for cell in cells {
            let Some((kept, differences)) = self.cell(id, &cell, &mut days, report).await? else { continue };
            report.differences.extend(differences);
            books.insert(cell, kept);
        }
        let mut differences = Vec::new();
        for look in 0..LOOKS {
            differences = self.wallets(id, &mut books, look > 0).await?;
            if differences.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        report.differences.extend(differences);
        Ok(())
    }

    /// A cell, its books, and where they differ; `None` where there is no such cell.
    async fn cell(
        &self,
        account: &AccountId,
        id: &CellId,
        days: &mut Days,
        report: &mut Report,
    ) -> Result<Option<(CellBooks, Vec<Difference>)>, AuditError> {
        let mut last = None;
        for _ in 0..LOOKS {
            let Some((cell, settlements)) = self.store.find_counted_cell(id).await? else { return Ok(None) };
            let position = self.caught_up(id, &cell, settlements).await?;
            let books = self.books_of(id, &cell, days.get(id).map_or(&[], Vec::as_slice), &position).await?;
            let differences = books.compare(id, &cell, settlements);
            let is_sound = differences.is_empty();
            last = Some((cell, books, differences));
            if is_sound {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            *days = self.days_of(account).await?;
        }
        Ok(last.map(|(cell, books, differences)| {
            report.cells += 1;
            report.requests += cell.counters.requests;
            let charged = cell.purse.granted.minus(cell.purse.balance);
            report.charged_micro_usd += charged.micro_usd();
            (books, differences)
        }))
    }

    /// Waits until the books have come as far as a cell.
    async fn caught_up(&self, id: &CellId, cell: &Cell, settlements: u64) -> Result<Position, AuditError> {
        let wanted = [
            (Sequence::Requests, cell.counters.requests),
            (Sequence::Settlements, settlements),
            (Sequence::Grants, cell.purse.grant_seq),
            (Sequence::Returns, cell.purse.returns.seq),
        ];
        self.reached(id, &wanted).await
    }

    /// Waits until the books of a cell have come that far.
    async fn reached(&self, id: &CellId, wanted: &[(Sequence, u64)]) -> Result<Position, AuditError> {
        for _ in 0..WAITS {
            let position = self.store.find_position(id).await?.position;
            if wanted.iter().all(|(sequence, last)| position.last(*sequence) >= *last) {
                return Ok(position);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(AuditError::Behind(id.partition()))
    }

    async fn books_of(
        &self,
        id: &CellId,
        cell: &Cell,
        days: &[PeriodNumbers],
        position: &Position,
    ) -> Result<CellBooks, AuditError> {
        let mut books = CellBooks {
            grants: self.movements(id, Sequence::Grants).await?,
            returns: self.movements(id, Sequence::Returns).await?,
            holes: position.holes().map(ToString::to_string).collect(),
            ..CellBooks::default()
        };
        // Days of which rows may be gone count by their sums; of the others the sums are held against the rows.
        let (kept, older): (Vec<_>, Vec<_>) = days.iter().partition(|day| day.rows_kept_until > self.now);
        books.older = older.iter().fold(books.older, |sum, day| sum.plus(day.total()));
        books.days = kept.into_iter().map(audited_day).collect();
        let is_kept = |row: &&RequestRow| !older.iter().any(|day| day.period == Period::day_of(row.at));
        let mut after: Option<RequestRow> = None;
        loop {
            let rows = self.store.find_rows(id, after.as_ref(), ROWS).await?;
            let Some(last) = rows.last().cloned() else { break };
            books.rows.extend(rows.iter().filter(is_kept).map(audited));
            after = Some(last);
        }
        self.add_retired(id, cell, &mut books).await?;
        Ok(books)
    }

    /// Leases that are in the cell no more, of calls that nobody has settled.
    async fn add_retired(&self, id: &CellId, cell: &Cell, books: &mut CellBooks) -> Result<(), AuditError> {
        let is_in_cell = |row: &AuditedRow| {
            cell.leases.held.contains_key(&row.charge) || cell.leases.lapsed.contains_key(&row.charge)
        };
        let open = books.rows.iter().filter(|row| row.is_leased && row.settled.is_none() && !is_in_cell(row));
        for charge in open.map(|row| row.charge.clone()).collect::<Vec<_>>() {
            let charge = ChargeId { cell: id.clone(), nonce: charge };
            if let Some((lease, _)) = self.store.find_retired_lease(&charge).await? {
                books.retired.insert(charge.nonce, lease.amount);
            }
        }
        Ok(())
    }

    async fn movements(&self, id: &CellId, sequence: Sequence) -> Result<BTreeMap<u64, i64>, AuditError> {
        let mut all = BTreeMap::new();
        let mut after = 0;
        loop {
            let movements = self.store.find_movements(id, sequence, after, ROWS).await?;
            let Some(last) = movements.last() else { return Ok(all) };
            after = last.seq;
            all.extend(movements.iter().map(|movement| (movement.seq, movement.micro_usd)));
        }
    }

    async fn cells_of(&self, id: &AccountId) -> Result<Vec<CellId>, AuditError> {
        let (mut cells, mut after) = (Vec::new(), None);
        loop {
            let keys = self.store.find_keys(id, after.as_ref(), ROWS).await?;
            let Some(last) = keys.last() else { return Ok(cells) };
            after = Some(last.id.clone());
            cells.extend(keys.into_iter().map(|key| CellId::Key(key.id)));
        }
    }

    async fn days_of(&self, id: &AccountId) -> Result<Days, AuditError> {
        let mut days = Days::new();
        for day in self.store.find_all_days(id).await? {
            days.entry(day.cell.clone()).or_default().push(day);
        }
        Ok(days)
    }
}

fn audited_day(day: &PeriodNumbers) -> AuditedDay {
    AuditedDay {
        period: day.period,
        requests: day.requests,
        settlements: day.settlements,
        sum: day.total(),
        is_whole: day.gaps.is_empty(),
    }
}

fn audited(row: &RequestRow) -> AuditedRow {
    AuditedRow {
        charge: row.charge.clone(),
        at: row.at,
        seq: row.seq,
        amount: row.amount,
        is_leased: row.is_leased,
        settled: row.settled.as_ref().map(|settled| (settled.seq, settled.settlement.actual)),
    }
}

impl Report {
    /// Takes up what another report has.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.accounts += other.accounts;
        self.cells += other.cells;
        self.requests += other.requests;
        self.charged_micro_usd += other.charged_micro_usd;
        self.differences.extend(other.differences);
        self
    }
}

/// Each cell's numbers by day.
type Days = BTreeMap<CellId, Vec<PeriodNumbers>>;

/// Why an audit has no result.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger does not run, or not fast enough.
    #[error("the books of {0} are behind and do not catch up")]
    Behind(String),
    /// Money is moved all the time.
    #[error("the wallets of {0} never stood still")]
    Busy(String),
    /// There is no such account.
    #[error("there is no account {0}")]
    Missing(String),
}

/// How often an item that differs is looked at.
const LOOKS: u32 = 3;
/// How often is waited for the books, or for a wallet that stands still.
const WAITS: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);
const ROWS: u16 = 1_000;
