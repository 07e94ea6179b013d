//! Holds the wallets of an account and of its projects against the entries, and against what cells received.

use std::collections::BTreeMap;

use faregate_domain::{
    books::{CellBooks, Difference, Sequence, compare_account, compare_project},
    cell::{Cell, CellId},
    funding::{Child, Wallet},
    id::{AccountId, ProjectId},
    ledger::{AccountWallet, Entry},
    money::MicroUsd,
};

use super::{AuditError, Auditor, PAUSE, ROWS, WAITS};

impl Auditor {
    /// Holds the wallets of an account and of its projects against the entries and against what their cells received.
    pub(super) async fn wallets(
        &self,
        id: &AccountId,
        books: &mut BTreeMap<CellId, CellBooks>,
        has_differed: bool,
    ) -> Result<Vec<Difference>, AuditError> {
        for _ in 0..WAITS {
            let (wallet, wallets) = self.wallets_at_once(id).await?;
            let Some(states) = self.states(id, wallets).await? else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let (entries, written) = self.first_entries(id, wallet.entries).await?;
            let mut differences = compare_account(&id.to_string(), &wallet, &entries);
            // Read after the entries, the wallet has come to all of them.
            let later = self.store.find_account_wallet(id).await?.map_or(0, |wallet| wallet.entries);
            if written > later {
                differences.push(Difference::surplus(id.to_string(), written, later));
            }
            for (project, WalletState { wallet, children }) in states {
                for (cell, child) in &children {
                    self.add_movements(cell, child, books.entry(cell.clone()).or_default(), has_differed).await?;
                }
                differences.extend(compare_project(&project, &wallet, &children, &entries, books));
            }
            return Ok(differences);
        }
        Err(AuditError::Busy(id.to_string()))
    }

    /// The cells have received more since their books were read. Movements are written down side by side, so that where a
    /// look has found a difference, all of them are read again.
    async fn add_movements(
        &self,
        id: &CellId,
        child: &Child,
        books: &mut CellBooks,
        has_differed: bool,
    ) -> Result<(), AuditError> {
        let has = |amounts: &BTreeMap<u64, i64>, last: u64| !has_differed && (last == 0 || amounts.contains_key(&last));
        if !has(&books.grants, child.last.seq) {
            books.grants = self.movements(id, Sequence::Grants).await?;
        }
        if !has(&books.returns, child.returned) {
            books.returns = self.movements(id, Sequence::Returns).await?;
        }
        Ok(())
    }

    /// How far each project's cells had come when its wallet was as it is said to be; `None` where one of the wallets moved
    /// on in a way that does not tell.
    async fn states(
        &self,
        account: &AccountId,
        wallets: Vec<(ProjectId, Wallet)>,
    ) -> Result<Option<Vec<(ProjectId, WalletState)>>, AuditError> {
        let mut states = Vec::new();
        for (project, wallet) in wallets {
            let state = match wallet.sweeps {
                None => Some(WalletState { children: wallet.children.clone(), wallet }),
                Some(_) => self.state_of_swept(account, &project, wallet.allocated).await?,
            };
            let Some(state) = state else { return Ok(None) };
            states.push((project, state));
        }
        Ok(Some(states))
    }

    /// A wallet does not name a cell from which an entry was removed. While none is removed, a cell that it does not name
    /// has come to where the cell itself says; those that it names have come to what it says of them.
    async fn state_of_swept(
        &self,
        account: &AccountId,
        project: &ProjectId,
        allocated: MicroUsd,
    ) -> Result<Option<WalletState>, AuditError> {
        let mut ids = self.cells_of(account).await?;
        ids.push(CellId::Session(account.clone()));
        let Some(before) = self.store.find_wallet(project).await? else { return Ok(None) };
        let mut cells = self.store.find_each_cell(&ids).await?;
        let after = self.store.find_wallet(project).await?;
        let after = after.filter(|wallet| wallet.sweeps == before.sweeps && wallet.allocated == allocated);
        let Some(wallet) = after else { return Ok(None) };
        cells.retain(|_, cell| cell.owner.project == *project);
        let mut children = wallet.children.clone();
        for (id, Cell { purse, .. }) in cells {
            let child = children.entry(id.clone()).or_default();
            child.returned = wallet.received(&id, &purse);
            if child.last.seq == 0 {
                child.last.seq = purse.grant_seq;
                let wanted = [(Sequence::Grants, purse.grant_seq), (Sequence::Returns, child.returned)];
                self.reached(&id, &wanted).await?;
            }
        }
        Ok(Some(WalletState { wallet, children }))
    }

    /// The wallets of an account and of its projects, between which nothing was moved while they were read.
    async fn wallets_at_once(&self, id: &AccountId) -> Result<(AccountWallet, Vec<(ProjectId, Wallet)>), AuditError> {
        for _ in 0..WAITS {
            let Some(before) = self.store.find_account_wallet(id).await? else {
                return Err(AuditError::Missing(id.to_string()));
            };
            let mut wallets = Vec::new();
            let mut after: Option<ProjectId> = None;
            loop {
                let projects = self.store.find_projects(id, after.as_ref(), PROJECTS).await?;
                let Some(last) = projects.last() else { break };
                after = Some(last.id.clone());
                let ids: Vec<_> = projects.into_iter().map(|project| project.id).collect();
                wallets.extend(self.store.find_wallets(&ids).await?);
            }
            if self.store.find_account_wallet(id).await? == Some(before) {
                return Ok((before, wallets));
            }
        }
        Err(AuditError::Busy(id.to_string()))
    }

    /// The first `count` entries of an account, and how many there are.
    async fn first_entries(&self, id: &AccountId, count: u64) -> Result<(Vec<Entry>, u64), AuditError> {
        let (mut entries, mut after) = (Vec::new(), None);
        loop {
            let found = self.store.find_entries(id, after.as_ref(), ROWS).await?;
            let Some(last) = found.last() else { break };
            after = Some(last.id.clone());
            entries.extend(found);
        }
        // They come the newest first, and those that were made since the wallet was read are not its.
        let written = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let newer = entries.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
        Ok((entries.split_off(newer), written))
    }
}

/// A project's wallet, and how far each of its cells had come by then.
struct WalletState {
    wallet: Wallet,
    children: BTreeMap<CellId, Child>,
}

const PROJECTS: u16 = 100;
