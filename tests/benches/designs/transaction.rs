//! The second design that comes to mind: one transaction over key, project's money and project's rate, and no read.
//!
//! Written as carefully as that allows: each part's condition compares with the limits in its own item, a refusal
//! returns the items that refused it, and the SDK's token makes a re-sent transaction harmless for ten minutes. It does
//! not guarantee:
//!
//! - progress: transactions that meet on an item cancel each other (`TransactionConflict`), and every call of a project
//!   meets on that project's items; the SDK does not repeat them, so this code does, with a pause;
//! - exactly once for longer than ten minutes, or for a call that is decided anew after a conflict that was none;
//! - strictly consistent global tables: those know no transactions.

use std::{sync::Arc, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, TransactWriteItem},
};
use faregate_domain::{
    base62,
    time::{Minute, Timestamp},
};
use faregate_edge::{entropy, now::Clock};
use faregate_tests::Link;

use crate::{
    design::{Books, CONCURRENT, Design, PER_DAY, PRICE_MICRO_USD, Verdict, project_quota},
    table::{Bucket, Expression, Item, START, TABLE, find_number, item, key_attributes, leases, number, table, text},
};

const KEY: (&str, &str) = ("key_1", "key");
const MONEY: (&str, &str) = ("prj_1", "money");
const RATE: (&str, &str) = ("prj_1", "rate");
const MAX_TRIES: u32 = 16;
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Clone)]
pub(crate) struct Transaction {
    link: Link,
    client: Client,
    clock: Clock,
    credit_micro_usd: u64,
}

impl Design for Transaction {
    async fn open(link: Link, credit_micro_usd: u64) -> Self {
        let mut key = key_attributes();
        key.push(("routes", AttributeValue::M(Item::new())));
        let rate = [("status", text("ACTIVE")), ("capacity", number(project_quota().capacity().into()))];
        let items = vec![
            item(KEY.0, KEY.1, &key),
            item(MONEY.0, MONEY.1, &[("balance", number(credit_micro_usd))]),
            item(RATE.0, RATE.1, &rate),
        ];
        let client = table(&link, items).await;
        Self { link, client, clock: Clock::standing_at(Timestamp::from_epoch_s(START)), credit_micro_usd }
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn restarted(&self) -> Self {
        Self { client: self.link.client(), ..self.clone() }
    }

    async fn admit(&self) -> Verdict {
        let now = self.clock.now();
        let mut supposed = Supposed::within(now.minute());
        for round in 0..MAX_TRIES {
            let lease = base62::random(22, &mut entropy::fill);
            match self.transact(&supposed.parts(&lease, now)).await {
                Answer::Applied => return Verdict::Admitted(Some(lease)),
                Answer::Conflict => tokio::time::sleep(PAUSE * round).await,
                Answer::Refused(items) => {
                    supposed.learn(items);
                    if !supposed.permits(now) {
                        return Verdict::Refused;
                    }
                }
                Answer::None => return Verdict::Failed,
            }
        }
        Verdict::Failed
    }

    async fn settle(&self, lease: String) {
        let mut release = Expression::default();
        release.release(&lease);
        release.send(&self.client, KEY.0, KEY.1).await.unwrap();
    }

    async fn books(&self) -> Books {
        let read = async |(partition, sort): (&str, &str), name: &str| {
            let read = self.client.get_item().table_name(TABLE).key("pk", text(partition)).key("sk", text(sort));
            let item = read.consistent_read(true).send().await.unwrap().item.unwrap();
            find_number(&item, &[name])
        };
        let (calls, balance) = (read(KEY, "day_count").await, read(MONEY, "balance").await.unwrap());
        Books { calls: calls.unwrap_or(0), spent_micro_usd: self.credit_micro_usd - balance }
    }
}

impl Transaction {
    async fn transact(&self, parts: &[TransactWriteItem]) -> Answer {
        let sent = self.client.transact_write_items().set_transact_items(Some(parts.to_vec())).send().await;
        let Err(error) = sent else { return Answer::Applied };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
            return Answer::None;
        };
        let reasons = cancelled.cancellation_reasons();
        let has = |code: &str| reasons.iter().any(|reason| reason.code() == Some(code));
        assert!(!has("ValidationError"), "{cancelled:?}");
        if !has("ConditionalCheckFailed") {
            return Answer::Conflict;
        }
        Answer::Refused(reasons.iter().map(|reason| reason.item().cloned()).collect())
    }
}

enum Answer {
    Applied,
    /// The items that refused it, in the order of the parts.
    Refused(Vec<Option<Item>>),
    Conflict,
    None,
}

/// What this call takes the items for: at first that the minute is open, then what a refusal showed.
struct Supposed {
    key: Bucket,
    route: Bucket,
    project: Bucket,
    day: Option<u64>,
    items: [Option<Arc<Item>>; 3],
}

impl Supposed {
    fn within(minute: Minute) -> Self {
        Self {
            key: Bucket::KEY.supposed_open(minute),
            route: Bucket::ROUTE.supposed_open(minute),
            project: Bucket::PROJECT.supposed_open(minute),
            day: Some(minute.day().0),
            items: [None, None, None],
        }
    }

    fn parts(&self, lease: &str, now: Timestamp) -> [TransactWriteItem; 3] {
        let mut key = Expression::default();
        key.take(&self.key, now.minute());
        key.take(&self.route, now.minute());
        key.count_day(self.day, now);
        let over = self.items[0].as_ref().map(|key| leases(key, now).1).unwrap_or_default();
        key.hold(lease, &over, now);
        let mut money = Expression::default();
        money.pay();
        let mut rate = Expression::default();
        rate.take(&self.project, now.minute());
        rate.require("status", "=", text("ACTIVE"));
        [(key, KEY), (money, MONEY), (rate, RATE)].map(|(expression, (partition, sort))| {
            TransactWriteItem::builder().update(expression.part(partition, sort)).build()
        })
    }

    fn learn(&mut self, items: Vec<Option<Item>>) {
        for (known, item) in self.items.iter_mut().zip(items) {
            if let Some(item) = item {
                *known = Some(Arc::new(item));
            }
        }
        if let Some(key) = &self.items[0] {
            self.key = Bucket::KEY.seen_in(key);
            self.route = Bucket::ROUTE.seen_in(key);
            self.day = find_number(key, &["day"]);
        }
        if let Some(rate) = &self.items[2] {
            self.project = Bucket::PROJECT.seen_in(rate);
        }
    }

    /// Whether the items, as far as they were shown, let the call pass.
    fn permits(&self, now: Timestamp) -> bool {
        let is_active = |item: &Item| item["status"].as_s().is_ok_and(|status| status == "ACTIVE");
        let [key, money, rate] = &self.items;
        let counted = key.as_ref().filter(|_| self.day == Some(now.minute().day().0));
        let counted = counted.and_then(|key| find_number(key, &["day_count"])).unwrap_or(0);
        let has_tokens = [self.key, self.route, self.project].iter().all(|bucket| bucket.left(now.minute()) > 0);
        has_tokens
            && counted < PER_DAY
            && key.as_ref().is_none_or(|key| is_active(key) && leases(key, now).0 < CONCURRENT)
            && rate.as_ref().is_none_or(|rate| is_active(rate))
            && money.as_ref().is_none_or(|money| find_number(money, &["balance"]) >= Some(PRICE_MICRO_USD))
    }
}
