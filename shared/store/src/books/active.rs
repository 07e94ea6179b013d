//! Which accounts have rows of a day: what an operator's list of everybody's requests begins with.
//!
//! ```text
//! pk book_day_<day>   sk <account>   ttl when it may go (epoch s)
//! ```

use faregate_domain::{
    books::Period,
    id::AccountId,
    time::{Day, Timestamp},
};

use crate::{
    Store, StoreError,
    batch::Order,
    cell::Reader,
    expression::{Builder, Write},
};

impl Store {
    /// Takes note that an account has rows of the day of `at`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; it may be noted.
    pub async fn note_active(&self, account: &AccountId, at: Timestamp) -> Result<(), StoreError> {
        self.update(&noting(account, at)).await.map(|_| ())
    }

    /// At most `limit` accounts that have rows of the day of `at`, in their order, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_active(
        &self,
        at: Timestamp,
        after: Option<&AccountId>,
        limit: u16,
    ) -> Result<Vec<AccountId>, StoreError> {
        let after = after.map(ToString::to_string);
        let items = self.find_range(partition(at), AccountId::PREFIX, after, limit, Order::Ascending).await?;
        let account = |text: &str| AccountId::parse(text).map_err(|_| StoreError::malformed("active account", "sk"));
        items.iter().map(|item| account(Reader { item }.string("sk")?)).collect()
    }
}

pub(crate) fn noting(account: &AccountId, at: Timestamp) -> Write {
    let mut builder = Builder::default();
    builder.name("#ttl", "ttl");
    builder.number(":ttl", Period::day_of(at).end().plus_s(KEPT_SECONDS).epoch_s());
    builder.set("#ttl = :ttl");
    builder.build(partition(at), &account.to_string())
}

fn partition(at: Timestamp) -> String {
    format!("book_day_{}", Period::day_of(at))
}

const KEPT_SECONDS: u64 = 401 * Day::SECONDS;
