//! What becomes of each text in a report: those that are keys end, and GitHub is told which were.

use faregate_domain::{cell::Cell, cell::CellId, id::KeyId, time::Timestamp};
use faregate_gate::management::Failure;
use faregate_store::Event;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{
    App,
    report::{Match, Report},
};

/// What GitHub is told of one text.
#[derive(Serialize)]
pub(crate) struct Label {
    /// SHA-256 of the text, in hexadecimal: the text itself is not repeated.
    token_hash: String,
    token_type: String,
    #[serde(rename = "label")]
    verdict: &'static str,
}

impl App {
    /// Ends every key in the report, and says which texts were keys. One that cannot be ended now does not keep others from
    /// their end; the report is then not taken, and comes again.
    pub(crate) async fn judge(&self, report: &Report, now: Timestamp) -> Result<Vec<Label>, Failure> {
        let (mut labels, mut failed) = (Vec::with_capacity(report.0.len()), None);
        for found in &report.0 {
            match Box::pin(self.judge_one(found, now)).await {
                Ok(is_key) => labels.push(Label::of(found, is_key)),
                Err(failure) => failed = Some(failure),
            }
        }
        failed.map_or(Ok(labels), Err)
    }

    async fn judge_one(&self, found: &Match, now: Timestamp) -> Result<bool, Failure> {
        let Some((id, cell)) = self.gate.find_leaked(found.token.expose_secret(), now).await? else { return Ok(false) };
        let account = cell.owner.account.clone();
        // First of all it is refused. Whatever fails after that is made good when the report comes again.
        let ended = self.gate.end_key(&account, &id).await?.ok_or(Failure::Missing { item: "key's cell" })?;
        self.tell_owner(&id, &cell, found, now).await?;
        self.gate.clear_key(&id, &ended.owner).await?;
        Ok(true)
    }

    /// Notes in the key's history where it was found, once for each place.
    async fn tell_owner(&self, id: &KeyId, cell: &Cell, found: &Match, now: Timestamp) -> Result<(), Failure> {
        let store = &self.gate.services().store;
        let (url, source) = (found.shown_url(), found.shown_source());
        let what =
            hex::encode(&Sha256::digest(format!("{}\n{}", url.unwrap_or_default(), source.unwrap_or_default()))[..8]);
        let cell_id = CellId::Key(id.clone());
        let known = store.find_events(&cell_id, None, MAX_EVENTS).await?;
        if known.iter().any(|(_, event)| event.kind == KIND && event.what == what) {
            return Ok(());
        }
        tracing::warn!(account = %cell.owner.account, key = %id, source, "a key leaked, and was revoked");
        let event = Event {
            kind: KIND.to_owned(),
            what,
            at: now,
            account: cell.owner.account.clone(),
            details: json!({"url": url, "source": source, "reporter": "github"}).to_string(),
        };
        Ok(store.insert_event(&cell_id, &event).await?)
    }
}

impl Label {
    fn of(found: &Match, is_key: bool) -> Self {
        Self {
            token_hash: hex::encode(Sha256::digest(found.token.expose_secret())),
            token_type: found.kind.clone(),
            verdict: if is_key { "true_positive" } else { "false_positive" },
        }
    }
}

impl Match {
    /// Where the key stands, for its owner; not where the place itself holds the key.
    fn shown_url(&self) -> Option<&str> {
        self.shown(self.url.as_deref(), MAX_URL_BYTES)
            .filter(|url| url.starts_with("https://") || url.starts_with("http://"))
    }

    fn shown_source(&self) -> Option<&str> {
        self.shown(self.source.as_deref(), MAX_SOURCE_BYTES)
    }

    fn shown<'t>(&self, text: Option<&'t str>, max_bytes: usize) -> Option<&'t str> {
        let token = self.token.expose_secret();
        let is_fit = |text: &&str| {
            !text.is_empty() && text.len() <= max_bytes && !text.chars().any(char::is_control) && !text.contains(token)
        };
        text.filter(is_fit)
    }
}

/// What the event is called.
const KIND: &str = "leaked";
/// The newest of a key's events, among which one of the same place is looked for.
const MAX_EVENTS: u16 = 100;
const MAX_URL_BYTES: usize = 2_048;
const MAX_SOURCE_BYTES: usize = 64;
