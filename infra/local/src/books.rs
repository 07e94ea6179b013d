//! `faregate audit` and `faregate replay`: the books of a table, wherever it is.

use std::time::Duration;

use faregate_domain::id::AccountId;
use faregate_edge::{config, now::Clock};
use faregate_gate::{
    Services,
    audit::{AuditError, Auditor, Report},
};
use faregate_ledger::EnterError;
use faregate_store::{Store, StoreError};

use crate::{
    options::{BooksOptions, Options},
    start::{Running, StartError, start},
};

/// What was found.
pub(crate) struct Findings {
    /// One line about what was looked at.
    pub(crate) summary: String,
    /// A line for each thing that is wrong.
    pub(crate) faults: Vec<String>,
}

/// Audits the accounts of a table.
///
/// # Errors
/// [`BooksError`] when there is no result.
pub(crate) async fn audit(options: &Options, whose: &BooksOptions) -> Result<Findings, BooksError> {
    let opened = Opened::find(options, whose).await?;
    let report = audit_table(&opened.store, whose).await;
    opened.close().await;
    let report = report?;
    let summary = format!(
        "{} accounts, {} cells, {} requests, {} µUSD spent and reserved: {} differences",
        report.accounts,
        report.cells,
        report.requests,
        report.charged_micro_usd,
        report.differences.len(),
    );
    Ok(Findings { summary, faults: report.differences.iter().map(ToString::to_string).collect() })
}

async fn audit_table(store: &Store, whose: &BooksOptions) -> Result<Report, BooksError> {
    let auditor = Auditor::new(store.clone(), Clock::system().now());
    let mut report = Report::default();
    if let Some(text) = &whose.account {
        let account = AccountId::parse(text).map_err(|_| BooksError::NoAccount(text.clone()))?;
        auditor.account(&account, &mut report).await?;
        return Ok(report);
    }
    let mut after = None;
    loop {
        let (accounts, next) = store.scan_accounts(after).await?;
        for account in accounts {
            auditor.account(&account, &mut report).await?;
        }
        let Some(next) = next else { return Ok(report) };
        after = Some(next);
    }
}

/// Enters what the ledger has set aside.
///
/// # Errors
/// [`BooksError`] when there is no result; what was entered stays.
pub(crate) async fn replay(options: &Options, whose: &BooksOptions) -> Result<Findings, BooksError> {
    if whose.table.is_some() && options.policy.is_none() {
        return Err(BooksError::NoPolicy);
    }
    let opened = Opened::find(options, whose).await?;
    let found = replay_table(&opened, options).await;
    opened.close().await;
    found
}

async fn replay_table(opened: &Opened, options: &Options) -> Result<Findings, BooksError> {
    let policy = config::policy(options.policy.clone(), None).map_err(StartError::Config)?;
    let ledger = faregate_ledger::App::over(opened.store.clone(), policy, Clock::system());
    let (mut entered, mut faults, mut after) = (0_u64, Vec::new(), None);
    loop {
        let some = opened.store.find_set_aside(after, PAGE).await?;
        let Some(last) = some.last() else { break };
        after = Some(last.sequence_number.clone());
        for aside in some {
            let record = serde_json::from_str(&aside.record)?;
            if ledger.replay(&record).await? {
                opened.store.forget_set_aside(&aside.sequence_number).await?;
                entered += 1;
            } else {
                faults.push(format!("{}: {}", aside.sequence_number, aside.why));
            }
        }
    }
    Ok(Findings { summary: format!("{entered} records entered, {} left", faults.len()), faults })
}

/// A table, and the bundle that was started for it.
struct Opened {
    store: Store,
    running: Option<Running>,
}

impl Opened {
    async fn find(options: &Options, whose: &BooksOptions) -> Result<Self, BooksError> {
        let table = whose.table.as_deref().unwrap_or("faregate");
        if let Some(endpoint) = &whose.endpoint {
            return Ok(Self { store: Services::table_at(&endpoint.to_string(), table), running: None });
        }
        if whose.table.is_some() {
            return Ok(Self { store: Services::table_of_env(table), running: None });
        }
        let listen = Options { listen: "127.0.0.1:0".into(), command: None, ..options.clone() };
        let running = start(listen).await?;
        let store = Services::table_at(&running.dynamodb_url(), &running.config.table);
        // The ledger of the program that was here may not have come to the end of the stream.
        tokio::time::sleep(CATCH_UP).await;
        Ok(Self { store, running: Some(running) })
    }

    async fn close(self) {
        if let Some(running) = self.running {
            running.stop().await;
        }
    }
}

/// Why the books cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BooksError {
    /// The data folder's bundle does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The audit has no result.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A record cannot be entered now.
    #[error(transparent)]
    Enter(#[from] EnterError),
    /// A record that was set aside is no JSON.
    #[error("a record that was set aside is no json: {0}")]
    Json(#[from] serde_json::Error),
    /// Rows name routes and end with their environment's retention: both are the policy's.
    #[error("say which policy the table is under: faregate --policy FILE replay --table NAME")]
    NoPolicy,
    /// No account id.
    #[error("{0} is no account's id")]
    NoAccount(String),
}

const PAGE: u16 = 50;
const CATCH_UP: Duration = Duration::from_millis(300);
