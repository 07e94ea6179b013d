//! The ledger of one bundle, told what its table's stream carries in whatever pieces a test likes.

use std::collections::BTreeMap;

use dynoxide::Database;
use faregate::{Stream, is_for_the_ledger};
use faregate_ledger::App;
use serde_json::{Value, json};

use crate::Bundle;

/// A ledger, and the stream of its bundle's table.
pub struct Books {
    app: App,
    database: Database,
    table: String,
    stream: Stream,
}

impl Books {
    /// The ledger of a bundle before an embedded engine.
    #[must_use]
    pub fn of(bundle: &Bundle) -> Self {
        let Some(database) = bundle.link.engine().cloned() else { panic!("only the embedded engine has a stream") };
        let table = bundle.services.config.table.clone();
        let stream = Stream::new(database.clone(), &table, None);
        Self { app: App::new(bundle.services.clone()), database, table, stream }
    }

    /// What the ledger has not been told yet.
    pub fn records(&mut self) -> Vec<Value> {
        let mut wanted = Vec::new();
        loop {
            let records = self.stream.peek(1_000).unwrap_or_else(|error| panic!("{error}"));
            let Some(last) = records.last() else { return wanted };
            self.stream.pass(last);
            wanted.extend(records.into_iter().filter(is_for_the_ledger));
        }
    }

    /// Hands a batch to the ledger; the place of the first record that it asks for again, or all where it fails.
    pub async fn tell(&self, records: &[Value]) -> Option<usize> {
        let answer = self.app.handle(json!({ "Records": records })).await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}"));
        let failed = answer.batch_item_failures.first()?;
        let is_it = |record: &Value| record["dynamodb"]["SequenceNumber"] == json!(failed.item_identifier);
        Some(records.iter().position(is_it).unwrap_or(0))
    }

    /// Hands over all that the ledger has not been told yet; it must take it.
    pub async fn catch_up(&mut self) {
        let records = self.records();
        assert_eq!(self.tell(&records).await, None);
    }

    /// Everything in the books by partition and sort key; how often an item was written is left out.
    #[must_use]
    pub fn dump(&self) -> BTreeMap<String, Value> {
        let request = json!({"TableName": self.table});
        let request = serde_json::from_value(request).unwrap_or_else(|error| panic!("{error}"));
        let answer = self.database.scan(request).unwrap_or_else(|error| panic!("{error}"));
        let answer = serde_json::to_value(answer).unwrap_or_else(|error| panic!("{error}"));
        let items = answer["Items"].as_array().cloned().unwrap_or_default();
        let of_books = items.into_iter().filter_map(|mut item| {
            let text = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
            let (partition, sort) = (text("pk"), text("sk"));
            item.as_object_mut()?.remove("ve");
            partition.starts_with("book_").then(|| (format!("{partition} {sort}"), item))
        });
        of_books.collect()
    }

    /// Takes everything out of the books.
    pub fn forget(&self) {
        for item in self.dump().into_values() {
            let key = json!({"pk": item["pk"], "sk": item["sk"]});
            let request = serde_json::from_value(json!({"TableName": self.table, "Key": key}));
            let request = request.unwrap_or_else(|error| panic!("{error}"));
            let deleted = self.database.delete_item(request);
            deleted.unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// How many items of the books have a sort key that begins so.
    #[must_use]
    pub fn count(&self, prefix: &str) -> usize {
        self.dump().keys().filter(|key| key.split_once(' ').is_some_and(|(_, sort)| sort.starts_with(prefix))).count()
    }
}
