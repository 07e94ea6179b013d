//! The engines that must agree on every write: the embedded one, and a second one where one is named.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::{
    Client,
    error::ProvideErrorMetadata,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, ScalarAttributeType, TableStatus,
    },
};
use faregate_domain::{attempt::Attempt, cell::Cell};
use faregate_store::{Outcome, Store};
use faregate_tests::{Bundle, Link};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// A bundle before the embedded engine, whatever other engine is named.
pub(crate) async fn bundle() -> Bundle {
    let link = Link::before_embedded_engine().await.unwrap();
    Bundle::behind(link, faregate_domain::policy::Policy::DEFAULT_TEXT, None).await
}

/// An item of a bundle's table.
pub(crate) async fn item(bundle: &Bundle, partition: &str, sort: &str) -> Item {
    let client = bundle.link.client();
    let read = client.get_item().table_name(&bundle.services.config.table);
    let read = read.key("pk", AttributeValue::S(partition.into())).key("sk", AttributeValue::S(sort.into()));
    read.send().await.unwrap().item.unwrap()
}

/// Every item of a bundle's table, by its key.
pub(crate) async fn items(bundle: &Bundle) -> BTreeMap<String, Item> {
    scanned(&bundle.link.client(), &bundle.services.config.table).await
}

async fn scanned(client: &Client, table: &str) -> BTreeMap<String, Item> {
    let mut pages = client.scan().table_name(table).into_paginator().items().send();
    let mut items = BTreeMap::new();
    while let Some(item) = pages.next().await {
        let mut item = item.unwrap();
        // Sets have no order, and engines no common one.
        for value in item.values_mut() {
            if let AttributeValue::Ss(texts) = value {
                texts.sort_unstable();
            }
        }
        let key = ["pk", "sk"].map(|name| item[name].as_s().unwrap().clone()).join(" ");
        items.insert(key, item);
    }
    items
}

/// One table of one engine, with the cells that the forms are meant for.
pub(crate) struct Engine {
    client: Client,
    table: String,
    pub(crate) store: Store,
}

impl Engine {
    /// The embedded engine, and the one that `FAREGATE_TEST_DYNAMODB` names, if it names one.
    pub(crate) async fn all(bundle: &Bundle) -> Vec<Self> {
        let mut engines = vec![Self::behind(&bundle.link, &bundle.services.config.table).await];
        if let Some(link) = Link::before_named_engine().await.unwrap() {
            engines.push(Self::behind(&link, &bundle.services.config.table).await);
        }
        engines
    }

    /// A new table at the end of `link`.
    async fn behind(link: &Link, table: &str) -> Self {
        let (client, table) = (link.client(), format!("{table}-forms"));
        let part = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
        let text = |name| {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            attribute.attribute_type(ScalarAttributeType::S).build().unwrap()
        };
        let create = client.create_table().table_name(&table).billing_mode(BillingMode::PayPerRequest);
        let create = create.key_schema(part("pk", KeyType::Hash)).key_schema(part("sk", KeyType::Range));
        let create = create.attribute_definitions(text("pk")).attribute_definitions(text("sk"));
        let index = GlobalSecondaryIndex::builder().index_name("requests");
        let index = index.key_schema(part("ia", KeyType::Hash)).key_schema(part("ir", KeyType::Range));
        let whole = Projection::builder().projection_type(ProjectionType::All).build();
        let create = create.global_secondary_indexes(index.projection(whole).build().unwrap());
        create.attribute_definitions(text("ia")).attribute_definitions(text("ir")).send().await.unwrap();
        for _ in 0..1_000 {
            let made = client.describe_table().table_name(&table).send().await.unwrap().table.unwrap();
            if made.table_status == Some(TableStatus::Active) {
                return Self { store: Store::new(client.clone(), table.clone()), client, table };
            }
        }
        panic!("the table does not become active");
    }

    /// Whether the engine knows transactions; not every one does.
    pub(crate) async fn has_transactions(&self) -> bool {
        let sent = self.client.transact_write_items().set_transact_items(Some(Vec::new())).send().await;
        sent.err().and_then(|error| error.code().map(ToOwned::to_owned)).is_none_or(|code| !code.contains("Unknown"))
    }

    /// Every item of its table, by its key.
    pub(crate) async fn items(&self) -> BTreeMap<String, Item> {
        scanned(&self.client, &self.table).await
    }

    /// Puts this item in the place of the one before.
    pub(crate) async fn lay(&self, cell: Item) {
        self.client.put_item().table_name(&self.table).set_item(Some(cell)).send().await.unwrap();
    }

    /// Sends a form; returns what it left where it was applied.
    pub(crate) async fn admit(&self, form: &Attempt) -> Option<Cell> {
        match self.store.admit(form).await {
            Ok(Outcome::Applied(cell)) => Some(*cell),
            Ok(Outcome::Refused { .. }) => None,
            Err(error) => panic!("{error}: {:#?}", faregate_store::admission(form)),
        }
    }

    pub(crate) async fn fence(&self, form: &Attempt) -> Option<Cell> {
        match self.store.fence(form).await.unwrap() {
            Outcome::Applied(cell) => Some(*cell),
            Outcome::Refused { .. } => None,
        }
    }
}
