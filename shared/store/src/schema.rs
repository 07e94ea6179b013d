//! The table's shape, for places where no template creates it.

use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
        ScalarAttributeType, StreamSpecification, StreamViewType, TimeToLiveSpecification,
    },
};

use crate::{Store, StoreError};

impl Store {
    /// Creates the table unless it exists: partition and sort key, an index of the rows by account, on demand, stream of
    /// both images, TTL on `ttl`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB refuses or gives no answer.
    pub async fn ensure_table(&self) -> Result<(), StoreError> {
        let attribute = |name: &str| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
        };
        let key = |name: &str, kind: KeyType| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        // The builders fail only on a missing field, and each sets both of its two.
        let parts = (attribute("pk"), attribute("sk"), key("pk", KeyType::Hash), key("sk", KeyType::Range));
        let (Ok(pk), Ok(sk), Ok(partition), Ok(sort)) = parts else {
            return Err(StoreError::malformed("table", "schema"));
        };
        let parts = (attribute("ia"), attribute("ir"), key("ia", KeyType::Hash), key("ir", KeyType::Range));
        let (Ok(account), Ok(time), Ok(by_account), Ok(by_time)) = parts else {
            return Err(StoreError::malformed("index", "schema"));
        };
        let requests = GlobalSecondaryIndex::builder()
            .index_name(REQUESTS_INDEX)
            .set_key_schema(Some(vec![by_account, by_time]))
            .projection(Projection::builder().projection_type(ProjectionType::All).build())
            .build()
            .map_err(|_| StoreError::malformed("index", "schema"))?;
        let stream =
            StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewAndOldImages);
        let created = self
            .client()
            .create_table()
            .table_name(self.table())
            .set_attribute_definitions(Some(vec![pk, sk, account, time]))
            .set_key_schema(Some(vec![partition, sort]))
            .global_secondary_indexes(requests)
            .billing_mode(BillingMode::PayPerRequest)
            .set_stream_specification(stream.build().ok())
            .send()
            .await;
        match created {
            Ok(_) => {}
            Err(error) if error.code() == Some("ResourceInUseException") => return Ok(()),
            Err(error) => return Err(StoreError::unanswered("create table", &error)),
        }
        let expiry = TimeToLiveSpecification::builder().attribute_name("ttl").enabled(true).build();
        self.client()
            .update_time_to_live()
            .table_name(self.table())
            .set_time_to_live_specification(expiry.ok())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| StoreError::unanswered("set ttl", &error))
    }
}

/// The index of the books' rows by account and time, and of what webhooks find by its time; nothing else has its attributes.
pub(crate) const REQUESTS_INDEX: &str = "requests";
