//! Fills the books of one account with calls that nobody made, by the store's own writes, so that a large account can be
//! looked at: `fill ENDPOINT ACCOUNT PROJECT CALLS NOW_MS`, where the endpoint is a DynamoDB on this machine.
//!
//! The calls cost nothing, are those of a few keys that nobody holds, and end at `NOW_MS`. Rows, sums by hour and day, positions
//! and the keys' own counts agree, as `faregate audit` finds.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
};

use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region};
use faregate_domain::{
    books::{Chunk, Numbers, Part, Period, Position, Sequence, Slot},
    cell::{Cell, CellId, Owner, Purse, Status, StoredProof},
    charge::ChargeNonce,
    client_session::Tabs,
    counters::Counters,
    id::{AccountId, KeyId, ProjectId},
    key::KeyHash,
    lease::Leases,
    money::MicroUsd,
    policy::Limits,
    rotation::KeySecrets,
    row::Row,
    scope::{Grant, GrantSet},
    time::{Day, Timestamp},
};
use faregate_store::{Booked, KeyDescription, NewKey, Patience, RequestRow, SealedSecret, Store};
use tokio::task::JoinSet;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(fill(&std::env::args().skip(1).collect::<Vec<_>>()))
}

async fn fill(words: &[String]) -> Result<(), Failure> {
    let [endpoint, account, project, calls, now] = words else {
        return Err("fill ENDPOINT ACCOUNT PROJECT CALLS NOW_MS".into());
    };
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "fill"))
        .endpoint_url(endpoint);
    let store = Store::new(Store::client_from(config, Patience::LOCAL), "faregate".to_owned());
    let (account, project) = (AccountId::parse(account)?, ProjectId::parse(project)?);
    let (calls, now) = (calls.parse::<u64>()?, Timestamp::from_epoch_ms(now.parse()?));
    let gallery = project.to_string();
    let owner = Owner { account, project, environment: ENVIRONMENT.to_owned(), gallery };
    for number in 0..KEYS {
        let (first, last) = (calls * number / KEYS, calls * (number + 1) / KEYS);
        let caller = Caller {
            cell: CellId::Key(KeyId::mint(&mut fastrand::fill)),
            owner: owner.clone(),
            calls: last - first,
            now,
        };
        caller.fill(&store, number).await?;
    }
    Ok(())
}

/// One key, and how often it was used.
struct Caller {
    cell: CellId,
    owner: Owner,
    calls: u64,
    now: Timestamp,
}

impl Caller {
    async fn fill(&self, store: &Store, number: u64) -> Result<(), Failure> {
        let mut last = None;
        let mut next = 1;
        while next <= self.calls {
            let end = (next + STEP).min(self.calls + 1);
            let rows: Vec<_> = (next..end).map(|seq| self.row(seq)).collect();
            next = end;
            let parts: Vec<_> = rows.iter().map(part).collect();
            last = rows.last().cloned();
            insert(store, rows).await?;
            for period_of in [Period::hour_of, Period::day_of] {
                for chunk in Chunk::of(&parts, period_of) {
                    let rows_kept_until = kept_until(chunk.period.start());
                    let booked = Booked { cell: &self.cell, owner: &self.owner, rows_kept_until };
                    store.book(&booked, &chunk, &[]).await?;
                }
            }
            for day in parts.iter().map(|part| Period::day_of(part.at)).collect::<BTreeSet<_>>() {
                store.note_active(&self.owner.account, day.start()).await?;
            }
        }
        // How far the books are stands there before the cell does: what the stream then tells of it is in them.
        let others = [Sequence::Settlements, Sequence::Grants, Sequence::Returns].map(|sequence| (sequence, 0));
        let position = Position::new(others.into_iter().chain([(Sequence::Requests, self.calls)]), []);
        store.save_position(&self.cell, &position, 0).await?;
        self.insert_key(store, number, last.as_ref()).await
    }

    /// A call, somewhere in the last weeks.
    fn row(&self, seq: u64) -> RequestRow {
        let at = self.now.minus_s(SPAN_SECONDS * (self.calls - seq) / self.calls + 1);
        RequestRow {
            cell: self.cell.clone(),
            charge: ChargeNonce::mint(&mut fastrand::fill),
            seq,
            at,
            account: self.owner.account.clone(),
            project: self.owner.project.clone(),
            environment: self.owner.environment.clone(),
            route: ROUTES[usize::from(seq.is_multiple_of(5))].to_owned(),
            network: Some("203.0.113.0/24".to_owned()),
            agent: Some("curl".to_owned()),
            amount: MicroUsd::ZERO,
            is_leased: false,
            session: None,
            settled: None,
            expires_at: kept_until(at),
        }
    }

    async fn insert_key(&self, store: &Store, number: u64, last: Option<&RequestRow>) -> Result<(), Failure> {
        let CellId::Key(id) = &self.cell else { return Err("no key".into()) };
        let (mut hash, account) = ([0; 32], &self.owner.account);
        fastrand::fill(&mut hash);
        let last_row = last.map(|row| Row {
            charge: row.charge.clone(),
            at: row.at,
            cost: row.amount,
            class: "filled".to_owned(),
            network: "203.0.113.0/24".to_owned(),
            agent: "curl".to_owned(),
        });
        let last_row = last_row.map(|row| row.to_string());
        let cell = Cell {
            owner: self.owner.clone(),
            status: Status::Active,
            proof: StoredProof::Key(KeySecrets { current: KeyHash::from_bytes(hash), rotation: None }),
            expires_at: None,
            grants: GrantSet::new([Grant::parse("demo:*")?])?,
            allowlist: None,
            limits: Limits::new(1_000, 0, 1_000_000, 100)?,
            purse: Purse::empty(None),
            leases: Leases::default(),
            tabs: Tabs::default(),
            project_window: None,
            counters: Counters { requests: self.calls, last_row, ..Counters::default() },
        };
        let description = KeyDescription {
            id: id.clone(),
            account: account.clone(),
            name: format!("caller {number}"),
            prefix: format!("sk_prod_{}", &id.suffix()[..8]),
            project: self.owner.project.clone(),
            environment: self.owner.environment.clone(),
            created_at: self.now.minus_s(SPAN_SECONDS),
            creator: CellId::Session(account.clone()),
        };
        // Nobody holds the key, so nothing is signed under it.
        let secret = SealedSecret { account: account.clone(), key: id.clone(), number: 0, sealed: vec![0] };
        let new = NewKey {
            description: &description,
            cell: &cell,
            settings_version: 0,
            max_keys: u32::MAX,
            secret: &secret,
            record: None,
            now: self.now,
        };
        let met = store.insert_key(&new).await?;
        println!("{id} with {} calls: {met:?}", self.calls);
        Ok(())
    }
}

/// Enters rows side by side.
async fn insert(store: &Store, rows: Vec<RequestRow>) -> Result<(), Failure> {
    let mut lanes: BTreeMap<usize, Vec<RequestRow>> = BTreeMap::new();
    for (place, row) in rows.into_iter().enumerate() {
        lanes.entry(place % LANES).or_default().push(row);
    }
    let mut running = JoinSet::new();
    for lane in lanes.into_values() {
        let store = store.clone();
        running.spawn(async move {
            for row in &lane {
                store.insert_row(row).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}

fn part(row: &RequestRow) -> Part {
    let adds = vec![(Slot::admitted(&row.route), Numbers::unsettled(1, row.amount.signed()))];
    Part { sequence: Sequence::Requests, seq: row.seq, at: row.at, adds }
}

fn kept_until(at: Timestamp) -> Timestamp {
    at.plus_s(RETENTION_DAYS * Day::SECONDS)
}

/// As the default policy has it.
const ENVIRONMENT: &str = "production";
const RETENTION_DAYS: u64 = 90;
const ROUTES: [&str; 2] = ["GET /demo/free", "GET /demo/limited"];
const KEYS: u64 = 4;
const SPAN_SECONDS: u64 = 29 * Day::SECONDS;
const STEP: u64 = 20_000;
const LANES: usize = 16;
