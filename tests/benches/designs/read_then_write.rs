//! The first design that comes to mind: read key, project, account and counters, decide in code, then write each.
//!
//! Written as carefully as that allows: one consistent batch read, relative and conditional writes, a re-read when a
//! condition fails, and compensation when a later write is refused. It does not guarantee:
//!
//! - atomicity: a process that dies between the writes, or whose compensation is not answered, leaves a call counted
//!   and paid that nobody admitted, and for a moment every compensated call takes what another could have had;
//! - exactly once: the SDK sends a write again whose answer was lost, and the condition may well hold a second time;
//! - revocation of an account at the next request: only what stands in an item that is written is checked again.

use std::sync::Arc;

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, KeysAndAttributes},
};
use faregate_domain::{base62, time::Timestamp};
use faregate_edge::{entropy, now::Clock};
use faregate_tests::Link;

use crate::{
    design::{Books, CONCURRENT, Design, PER_DAY, PRICE_MICRO_USD, Verdict, project_quota},
    table::{Bucket, Expression, Item, START, TABLE, find_number, item, key_attributes, leases, number, table, text},
};

const KEY: (&str, &str) = ("key_1", "key");
const COUNTERS: (&str, &str) = ("key_1", "counters");
const PROJECT: (&str, &str) = ("prj_1", "project");
const ACCOUNT: (&str, &str) = ("acc_1", "account");
const MAX_TRIES: usize = 16;

#[derive(Clone)]
pub(crate) struct ReadThenWrite {
    link: Link,
    client: Client,
    clock: Clock,
    credit_micro_usd: u64,
}

impl Design for ReadThenWrite {
    async fn open(link: Link, credit_micro_usd: u64) -> Self {
        let items = vec![
            item(KEY.0, KEY.1, &key_attributes()),
            item(COUNTERS.0, COUNTERS.1, &[("routes", AttributeValue::M(Item::new()))]),
            item(
                PROJECT.0,
                PROJECT.1,
                &[("balance", number(credit_micro_usd)), ("capacity", number(project_quota().capacity().into()))],
            ),
            item(ACCOUNT.0, ACCOUNT.1, &[("status", text("ACTIVE")), ("plan", text("studio"))]),
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
        for _ in 0..MAX_TRIES {
            let Ok(seen) = self.read().await else { return Verdict::Failed };
            let now = self.clock.now();
            if !seen.permits(now) {
                return Verdict::Refused;
            }
            match self.write(&seen, now).await {
                Ok(Some(lease)) => return Verdict::Admitted(Some(lease)),
                Ok(None) => {}
                Err(()) => return Verdict::Failed,
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
        let seen = self.read().await.unwrap();
        let balance = find_number(&seen.project, &["balance"]).unwrap();
        Books {
            calls: find_number(&seen.counters, &["day_count"]).unwrap_or(0),
            spent_micro_usd: self.credit_micro_usd - balance,
        }
    }
}

impl ReadThenWrite {
    /// Reads the four items as they are now, in one call.
    async fn read(&self) -> Result<Seen, ()> {
        let mut wanted = KeysAndAttributes::builder().consistent_read(true);
        for (partition, sort) in [KEY, COUNTERS, PROJECT, ACCOUNT] {
            wanted = wanted.keys(Item::from([("pk".into(), text(partition)), ("sk".into(), text(sort))]));
        }
        let read = self.client.batch_get_item().request_items(TABLE, wanted.build().unwrap()).send().await;
        let mut items = read.map_err(|_| ())?.responses.unwrap_or_default().remove(TABLE).unwrap_or_default();
        let mut find = |(_, sort): (&str, &str)| {
            let at = items.iter().position(|item| item["sk"].as_s().is_ok_and(|found| found == sort));
            at.map(|at| Arc::new(items.swap_remove(at))).ok_or(())
        };
        Ok(Seen { key: find(KEY)?, counters: find(COUNTERS)?, project: find(PROJECT)?, account: find(ACCOUNT)? })
    }

    /// Counts, pays and takes a lease, in this order; `None` where something was not any more as it was read.
    async fn write(&self, seen: &Seen, now: Timestamp) -> Result<Option<String>, ()> {
        let mut count = Expression::default();
        count.take(&Bucket::KEY.seen_in(&seen.counters), now.minute());
        count.take(&Bucket::ROUTE.seen_in(&seen.counters), now.minute());
        count.count_day(find_number(&seen.counters, &["day"]), now);
        if !count.send(&self.client, COUNTERS.0, COUNTERS.1).await? {
            return Ok(None);
        }
        let mut pay = Expression::default();
        pay.take(&Bucket::PROJECT.seen_in(&seen.project), now.minute());
        pay.pay();
        if !pay.send(&self.client, PROJECT.0, PROJECT.1).await? {
            self.uncount(now).await?;
            return Ok(None);
        }
        let lease = base62::random(22, &mut entropy::fill);
        let mut hold = Expression::default();
        hold.hold(&lease, &leases(&seen.key, now).1, now);
        if !hold.send(&self.client, KEY.0, KEY.1).await? {
            self.unpay(now).await?;
            self.uncount(now).await?;
            return Ok(None);
        }
        Ok(Some(lease))
    }

    async fn uncount(&self, now: Timestamp) -> Result<(), ()> {
        let mut uncount = Expression::default();
        uncount.give_back(&Bucket::KEY, now.minute());
        uncount.give_back(&Bucket::ROUTE, now.minute());
        uncount.change("day_count", '-', 1);
        uncount.send(&self.client, COUNTERS.0, COUNTERS.1).await.map(|_| ())
    }

    async fn unpay(&self, now: Timestamp) -> Result<(), ()> {
        let mut unpay = Expression::default();
        unpay.give_back(&Bucket::PROJECT, now.minute());
        unpay.change("balance", '+', PRICE_MICRO_USD);
        unpay.send(&self.client, PROJECT.0, PROJECT.1).await.map(|_| ())
    }
}

/// The items as they were read.
struct Seen {
    key: Arc<Item>,
    counters: Arc<Item>,
    project: Arc<Item>,
    account: Arc<Item>,
}

impl Seen {
    fn permits(&self, now: Timestamp) -> bool {
        let is_active = |item: &Item| item["status"].as_s().is_ok_and(|status| status == "ACTIVE");
        let may_write = self.key["scopes"].as_ss().is_ok_and(|scopes| scopes.iter().any(|scope| scope == "demo:write"));
        let today = now.minute().day().0;
        let counted = match find_number(&self.counters, &["day"]) {
            Some(day) if day == today => find_number(&self.counters, &["day_count"]).unwrap_or(0),
            _ => 0,
        };
        let has_token = |bucket: Bucket, item: &Item| bucket.seen_in(item).left(now.minute()) > 0;
        is_active(&self.key)
            && is_active(&self.account)
            && may_write
            && counted < PER_DAY
            && has_token(Bucket::KEY, &self.counters)
            && has_token(Bucket::ROUTE, &self.counters)
            && has_token(Bucket::PROJECT, &self.project)
            && find_number(&self.project, &["balance"]).is_some_and(|balance| balance >= PRICE_MICRO_USD)
            && leases(&self.key, now).0 < CONCURRENT
    }
}
