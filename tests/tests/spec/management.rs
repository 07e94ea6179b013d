//! Every change of a project and every movement of its money is grammatical to the engine, whether it then applies or not.

use faregate_domain::{
    cell::CellId,
    funding::TokenSlice,
    id::{AccountId, EntryId, ProjectId},
    ledger::{AccountWallet, Balances, Entry, EntryKind, Movement, Reference},
    limit::{QuotaPolicy, Rate},
    money::MicroUsd,
    project::{Carry, GalleryMode, RateShift, Settings},
    time::Timestamp,
    window::{Window, WindowLength},
};
use faregate_store::{
    Deposit, NewProject, Project, ProjectAmendment, RateChange, SettingsChange, Store, Transfer, Transferred,
};

use crate::{
    engines::{Engine, item},
    projects::default_project,
};

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

#[tokio::test]
async fn every_change_of_a_project_is_accepted_by_each_engine() {
    let bundle = crate::engines::bundle().await;
    let session = bundle.newcomer().await;
    let account = AccountId::parse(&session.account_id).unwrap();
    let project = ProjectId::parse(&default_project(&bundle, &session).await).unwrap();
    let cell = CellId::Session(account.clone());
    for engine in Engine::all(&bundle).await {
        for (partition, sort) in [
            (cell.partition(), "cell"),
            (project.to_string(), "wallet"),
            (account.to_string(), "wallet"),
            (account.to_string(), "account"),
        ] {
            engine.lay(item(&bundle, &partition, sort).await).await;
        }
        engine.lay(item(&bundle, &account.to_string(), &project.to_string()).await).await;
        for window in WindowLength::ALL {
            amend(&engine, &account, &project, window, bundle.clock.now()).await;
        }
        follow(&engine, &cell, &project).await;
        if engine.has_transactions().await {
            make(&engine.store, &account, bundle.clock.now()).await;
            pay(&engine.store, &account, &project, bundle.clock.now()).await;
        }
    }
}

async fn amend(engine: &Engine, account: &AccountId, project: &ProjectId, length: WindowLength, now: Timestamp) {
    let window = Window::at(now, length);
    let rate = Some(Rate { quota: QuotaPolicy::new(5, 2).unwrap(), window: length });
    let carries = [Carry::Shifted(-3), Carry::Unopened, Carry::Forgotten(vec![1, window.index])];
    let shifts = carries.map(|tokens| Some(RateShift { window, tokens }));
    let mut version = 0;
    for name in [None, Some("n".to_owned())] {
        for gallery_mode in [None, Some(GalleryMode::Shared)] {
            for shift in shifts.iter().cloned().chain([None]) {
                for new in [rate, None] {
                    let rate = Some(RateChange { new, shift: shift.clone() });
                    let settings = Some(SettingsChange { version, gallery_mode, rate });
                    let amendment = ProjectAmendment { name: name.clone(), settings };
                    let is_one_write = name.is_none() && gallery_mode.is_none();
                    if is_one_write || engine.has_transactions().await {
                        let store = &engine.store;
                        version += u64::from(store.amend_project(account, project, &amendment).await.unwrap());
                    }
                }
            }
        }
        let amendment = ProjectAmendment { name: name.clone(), settings: None };
        assert!(engine.store.amend_project(account, project, &amendment).await.unwrap());
    }
}

async fn follow(engine: &Engine, cell: &CellId, project: &ProjectId) {
    for (version, window) in [(1, None), (2, Some(WindowLength::Second))] {
        for counting_since in [0, 1] {
            let settings = Settings { gallery: "g".to_owned(), window, version, counting_since };
            let mut returns = vec![None];
            if engine.has_transactions().await {
                returns.push(Some((project, TokenSlice { index: 7, count: 3 })));
            }
            for returned in returns {
                for forgotten in [&[][..], &[1, 2]] {
                    engine.store.follow_project(cell, &settings, returned, forgotten).await.unwrap();
                }
            }
        }
    }
}

async fn make(store: &Store, account: &AccountId, now: Timestamp) {
    for (digit, rate) in
        [(3, None), (4, Some(Rate { quota: QuotaPolicy::new(5, 2).unwrap(), window: WindowLength::Second }))]
    {
        let project = Project {
            id: ProjectId::mint(&mut |pool| pool.fill(digit)),
            name: "n".to_owned(),
            gallery_mode: GalleryMode::Isolated,
            created_at: now,
        };
        let new = NewProject { account, project: &project, rate, max_projects: 3, record: None };
        store.insert_project(&new).await.unwrap();
    }
}

async fn pay(store: &Store, account: &AccountId, project: &ProjectId, now: Timestamp) {
    let entry = |digit, kind| Entry {
        id: EntryId::numbered(9, &mut |pool| pool.fill(digit)),
        kind,
        amount: usd(3),
        project: None,
        reference: None,
        at: now,
    };
    for (digit, movement) in [(1, Movement::Return(usd(3))), (2, Movement::Allocate(usd(3)))] {
        let wallet = store.find_wallet(project).await.unwrap().unwrap();
        let own = store.find_account_wallet(account).await.unwrap().unwrap();
        let before = Balances { account: own.available, allocated: wallet.allocated, available: wallet.available };
        let (after, entry) = (before.after(movement).unwrap(), entry(digit, movement.kind()));
        let transfer =
            Transfer { account, project, movement, entries: own.entries, before, after, entry: &entry, record: None };
        assert_eq!(store.transfer(&transfer).await.unwrap(), Transferred::Moved);
    }
    let (reference, entry) = (Reference::parse("r").unwrap(), entry(3, EntryKind::Credit));
    let deposit = Deposit {
        account,
        reference: &reference,
        before: AccountWallet::default(),
        after: usd(3),
        entry: &entry,
        record: None,
    };
    store.deposit(&deposit).await.unwrap();
}
