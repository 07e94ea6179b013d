//! Which layout the table's items have: one item says it, and a function that cannot read that layout does not start.
//!
//! ```text
//! pk layout   sk layout   v version
//! ```

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    Store, StoreError,
    cell::{LAYOUT_VERSION, parse_number},
    expression::Builder,
};

/// What the table says of its layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Nothing was ever written to it.
    Unwritten,
    /// The one that this code reads and writes.
    Known,
    /// Another one, older or newer.
    Foreign(u64),
}

impl Store {
    /// The layout that this code reads and writes.
    pub const LAYOUT_VERSION: u64 = LAYOUT_VERSION;

    /// Reads the table's layout; the first call of a process also opens its connection, TLS included.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer, or there is no such table.
    pub async fn find_layout(&self) -> Result<Layout, StoreError> {
        let Some(item) = self.find(LAYOUT, LAYOUT).await? else { return Ok(Layout::Unwritten) };
        let version = item.get("v").and_then(parse_number::<u64>);
        match version.ok_or_else(|| StoreError::malformed("layout", "v"))? {
            Self::LAYOUT_VERSION => Ok(Layout::Known),
            other => Ok(Layout::Foreign(other)),
        }
    }

    /// Writes down this code's layout in a table that says none; before anything else is written to it.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; the layout may have been written.
    pub async fn claim_layout(&self) -> Result<(), StoreError> {
        let mut builder = Builder::default();
        builder.value(":version", AttributeValue::N(Self::LAYOUT_VERSION.to_string()));
        builder.set("v = :version");
        builder.require("attribute_not_exists(pk)");
        self.update(&builder.build(LAYOUT.to_owned(), LAYOUT)).await.map(|_| ())
    }
}

const LAYOUT: &str = "layout";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fresh;

    #[tokio::test]
    async fn a_table_says_its_layout_once_it_is_written_to() {
        let store = fresh::table().await;
        assert_eq!(store.find_layout().await.unwrap(), Layout::Unwritten);
        store.claim_layout().await.unwrap();
        assert_eq!(store.find_layout().await.unwrap(), Layout::Known);
    }

    #[tokio::test]
    async fn another_layout_is_neither_overwritten_nor_taken_for_ours() {
        let store = fresh::table().await;
        let put = store.client().put_item().table_name(store.table());
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = put.item("pk", text(LAYOUT)).item("sk", text(LAYOUT)).item("v", AttributeValue::N("1".into()));
        put.send().await.unwrap();
        store.claim_layout().await.unwrap();
        assert_eq!(store.find_layout().await.unwrap(), Layout::Foreign(1));
    }
}
