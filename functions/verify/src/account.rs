//! Finds the account of a wallet, or opens one at its first sign-in.

use std::collections::BTreeMap;

use faregate_domain::cell::{Cell, Owner, Purse, Status, StoredProof};
use faregate_domain::counters::Counters;
use faregate_domain::id::{AccountId, ProjectId};
use faregate_domain::lease::Leases;
use faregate_domain::scope::{Grant, GrantSet};
use faregate_domain::time::Timestamp;
use faregate_domain::wallet::Address;
use faregate_edge::entropy;
use faregate_store::Account;

use crate::{App, Failure};

impl App {
    /// The one account of this wallet, whoever of several simultaneous sign-ins opens it.
    pub(crate) async fn account_of(&self, address: Address, now: Timestamp) -> Result<AccountId, Failure> {
        let store = &self.services.store;
        for _ in 0..MAX_ATTEMPTS {
            if let Some(account) = store.find_account_of(address).await? {
                return Ok(account);
            }
            let sign_up = self.services.config.policy.sign_up();
            let account = Account {
                id: AccountId::mint(&mut entropy::fill),
                address,
                plan: sign_up.plan.clone(),
                default_project: ProjectId::mint(&mut entropy::fill),
                created_at: now,
            };
            let cell = self.session_cell(&account)?;
            if store.insert_account(&account, sign_up.credit, &cell).await? {
                tracing::info!(account = %account.id, "account opened");
                return Ok(account.id);
            }
        }
        Err(Failure::Contended { item: "account" })
    }

    /// The cell that counts and pays for the account's logins: they act for the default project, may do everything,
    /// and are held to the limits that the plan gives to sessions.
    fn session_cell(&self, account: &Account) -> Result<Cell, Failure> {
        let policy = &self.services.config.policy;
        let no_such_plan = || Failure::NoSuchPlan { plan: account.plan.clone() };
        let plan = policy.find_plan(&account.plan).ok_or_else(no_such_plan)?;
        let everything = Grant::parse("*").and_then(|grant| GrantSet::new([grant]));
        Ok(Cell {
            owner: Owner {
                account: account.id.clone(),
                project: account.default_project.clone(),
                environment: policy.default_environment().name.clone(),
                gallery: account.default_project.to_string(),
            },
            status: Status::Active,
            proof: StoredProof::Sessions(BTreeMap::new()),
            expires_at: None,
            grants: everything.map_err(|_| no_such_plan())?,
            allowlist: None,
            limits: plan.sessions,
            purse: Purse::empty(None),
            leases: Leases::default(),
            tabs: faregate_domain::client_session::Tabs::default(),
            project_window: None,
            counters: Counters::default(),
        })
    }
}

const MAX_ATTEMPTS: u32 = 8;
