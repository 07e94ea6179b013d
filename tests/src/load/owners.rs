//! Owners and the operator, who change something all the while: money comes in and is moved to projects and back, keys are made,
//! rotated and revoked.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use crate::{
    Answer, Caller,
    load::{
        Span,
        client::Client,
        scene::{Account, Scene, new_key},
        tally::Tally,
    },
};

/// Changes one thing after the other until it is over.
pub(crate) async fn change(scene: Arc<Scene>, tally: Arc<Tally>, pause: Duration, span: Arc<Span>) {
    let mut changes =
        Changes { client: Client::to(&scene.running.url), scene: &scene, tally: &tally, keys: Vec::new() };
    let mut number = 0;
    while span.goes_on() {
        let account = &scene.accounts[number / KINDS % scene.accounts.len()];
        match number % KINDS {
            0 => changes.credit(account, number).await,
            1 => changes.allocate(account, &account.poor, "0.75", &[201]).await,
            2 => changes.make_key(account).await,
            3 => changes.allocate(account, &account.rich, "12.5", &[201]).await,
            4 => changes.rotate_key().await,
            // What keys hold or calls have spent cannot be taken back.
            5 => changes.allocate(account, &account.poor, "-0.25", &[201, 402, 409]).await,
            _ => changes.revoke_key().await,
        }
        number += 1;
        tokio::time::sleep(pause).await;
    }
}

struct Changes<'s> {
    client: Client,
    scene: &'s Scene,
    tally: &'s Tally,
    /// Keys that were made here and are not revoked: whose, which.
    keys: Vec<(Caller, String)>,
}

impl Changes<'_> {
    async fn credit(&mut self, account: &Account, number: usize) {
        let (path, caller) =
            (format!("/v1/accounts/{}/credits", account.session.account_id), self.scene.operator.caller());
        let credit = json!({"amount_usd": "20.000001", "reference": format!("credit {number}")});
        self.post("a credit", &path, &caller, &credit, &[201]).await;
    }

    async fn allocate(&mut self, account: &Account, project: &str, amount: &str, wanted: &[u16]) {
        let path = format!("/v1/projects/{project}/allocations");
        self.post("an allocation", &path, &account.session.caller(), &json!({"amount_usd": amount}), wanted).await;
    }

    async fn make_key(&mut self, account: &Account) {
        let project = if fastrand::bool() { &account.rich } else { &account.poor };
        let caller = account.session.caller();
        if let Some(answer) = self.post("a key", "/v1/api-keys", &caller, &new_key(project), &[201]).await {
            self.keys.push((caller, answer.data("id").to_owned()));
            self.scene.join(Caller::Key(answer.data("key").to_owned()));
        }
    }

    /// Whoever has the old secret calls on with it.
    async fn rotate_key(&mut self) {
        let Some((caller, id)) = self.keys.last().cloned() else { return };
        let grace = json!({"grace_seconds": fastrand::u8(..4)});
        let answer = self.post("a rotation", &format!("/v1/api-keys/{id}/rotate"), &caller, &grace, &[201]).await;
        if let Some(answer) = answer {
            self.scene.join(Caller::Key(answer.data("key").to_owned()));
        }
    }

    /// Whoever has it calls on, in vain.
    async fn revoke_key(&mut self) {
        if self.keys.len() <= KEPT_KEYS {
            return;
        }
        let (caller, id) = self.keys.remove(0);
        let answer = self.client.send("DELETE", &format!("/v1/api-keys/{id}"), &caller, None).await;
        self.tally.managed("a revocation", &[204], answer.as_ref());
    }

    async fn post(
        &mut self,
        what: &str,
        path: &str,
        caller: &Caller,
        body: &serde_json::Value,
        wanted: &[u16],
    ) -> Option<Answer> {
        let answer = self.client.send("POST", path, caller, Some(body)).await;
        self.tally.managed(what, wanted, answer.as_ref());
        answer.filter(|answer| answer.status == 201)
    }
}

const KINDS: usize = 7;
/// Keys that are not revoked yet.
const KEPT_KEYS: usize = 2;
