//! What the two comparison designs share: their items, their buckets, and expressions put together clause by clause.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, Update},
};
use faregate_domain::{
    limit::QuotaPolicy,
    time::{Minute, Timestamp},
};
use faregate_store::Store;
use faregate_tests::Link;

use crate::design::{CONCURRENT, PER_DAY, PRICE_MICRO_USD, key_quota, project_quota, route_quota};

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) const TABLE: &str = "designs";
pub(crate) const ROUTE: &str = "demo_paid";
const DAY_S: u64 = 86_400;
const LEASE_S: u64 = 60;

/// A Wednesday, at the first second of a minute and of a day.
pub(crate) const START: u64 = 1_792_540_800;

/// A new table with these items in it, and a client with the SDK's retries.
pub(crate) async fn table(link: &Link, items: Vec<Item>) -> Client {
    let client = link.client();
    Store::new(client.clone(), TABLE.to_owned()).ensure_table().await.unwrap();
    for item in items {
        client.put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
    }
    client
}

/// An item of these attributes.
pub(crate) fn item(partition: &str, sort: &str, attributes: &[(&str, AttributeValue)]) -> Item {
    let key = [("pk", text(partition)), ("sk", text(sort))];
    key.iter().chain(attributes).map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// What a key may do, in the words that one would write first.
pub(crate) fn key_attributes() -> Vec<(&'static str, AttributeValue)> {
    vec![
        ("status", text("ACTIVE")),
        ("secret_hash", AttributeValue::B(vec![7; 32].into())),
        ("scopes", AttributeValue::Ss(vec!["demo:read".into(), "demo:write".into()])),
        ("project_id", text("prj_1")),
        ("account_id", text("acc_1")),
        ("capacity", number(key_quota().capacity().into())),
        ("per_day", number(PER_DAY)),
        ("max_concurrent", number(CONCURRENT)),
        ("leases", AttributeValue::M(HashMap::new())),
    ]
}

pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A number of an item, at a path of names.
pub(crate) fn find_number(item: &Item, path: &[&str]) -> Option<u64> {
    let (last, maps) = path.split_last()?;
    let map = maps.iter().try_fold(item, |item, name| item.get(*name)?.as_m().ok())?;
    map.get(*last)?.as_n().ok()?.parse().ok()
}

/// The leases that have not ended, and those that have.
pub(crate) fn leases(key: &Item, now: Timestamp) -> (u64, Vec<String>) {
    let held = key["leases"].as_m().unwrap();
    let is_over = |end: &AttributeValue| end.as_n().unwrap().parse::<u64>().unwrap() <= now.epoch_s();
    let over: Vec<_> = held.iter().filter(|(_, end)| is_over(end)).map(|(id, _)| id.clone()).collect();
    (u64::try_from(held.len() - over.len()).unwrap(), over)
}

/// Where a bucket stands in its item, and what was last seen of it.
#[derive(Clone, Copy)]
pub(crate) struct Bucket {
    path: &'static [&'static str],
    quota: fn() -> QuotaPolicy,
    /// The minute that it counts, and the tokens left in it; `None` where it was never used.
    seen: Option<(u64, u32)>,
}

impl Bucket {
    pub(crate) const KEY: Self = Self { path: &["minute_bucket"], quota: key_quota, seen: None };
    pub(crate) const ROUTE: Self = Self { path: &["routes", ROUTE], quota: route_quota, seen: None };
    pub(crate) const PROJECT: Self = Self { path: &["minute_bucket"], quota: project_quota, seen: None };

    /// The bucket as an item shows it.
    pub(crate) fn seen_in(mut self, item: &Item) -> Self {
        let at = |name| find_number(item, &[self.path, &[name]].concat());
        let left = at("left").map(|left| u32::try_from(left).unwrap());
        self.seen = at("minute").zip(left);
        self
    }

    /// The bucket as it most likely stands within a minute, to one who has not read it.
    pub(crate) fn supposed_open(mut self, minute: Minute) -> Self {
        self.seen = Some((minute.0, 1));
        self
    }

    /// Tokens to take from in `minute`.
    pub(crate) fn left(&self, minute: Minute) -> u32 {
        match self.seen {
            Some((seen, left)) if seen == minute.0 => left,
            Some((seen, left)) if seen + 1 == minute.0 => (self.quota)().refill(Some(left)),
            _ => (self.quota)().capacity(),
        }
    }
}

/// An update and its condition.
#[derive(Clone, Default)]
pub(crate) struct Expression {
    sets: Vec<String>,
    removes: Vec<String>,
    conditions: Vec<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Expression {
    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#{name}");
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    pub(crate) fn require(&mut self, name: &str, comparison: &str, value: AttributeValue) {
        let condition = format!("{} {comparison} {}", self.name(name), self.value(value));
        self.conditions.push(condition);
    }

    /// `name = name + amount`, or minus.
    pub(crate) fn change(&mut self, name: &str, sign: char, amount: u64) {
        let set = format!("{0} = {0} {sign} {1}", self.name(name), self.value(number(amount)));
        self.sets.push(set);
    }

    /// Takes a token from a bucket in `minute`; opens the minute where the bucket was last seen in another one, if it
    /// still stands there.
    pub(crate) fn take(&mut self, bucket: &Bucket, minute: Minute) {
        let path = bucket.path.iter().map(|name| self.name(name)).collect::<Vec<_>>().join(".");
        match bucket.seen {
            Some((seen, _)) if seen == minute.0 => {
                let (left_name, minute_name) = (self.name("left"), self.name("minute"));
                let (one, now) = (self.value(number(1)), self.value(number(minute.0)));
                self.sets.push(format!("{path}.{left_name} = {path}.{left_name} - {one}"));
                self.conditions.push(format!("{path}.{minute_name} = {now} AND {path}.{left_name} >= {one}"));
            }
            seen => {
                let opened = HashMap::from([
                    ("minute".to_owned(), number(minute.0)),
                    ("left".to_owned(), number(u64::from(bucket.left(minute)) - 1)),
                ]);
                let opened = self.value(AttributeValue::M(opened));
                self.sets.push(format!("{path} = {opened}"));
                // Whoever opened the minute first, or took from the one before since it was read, wins.
                let unchanged = match seen {
                    None => format!("attribute_not_exists({path})"),
                    Some((minute, left)) => {
                        let (left_name, minute_name) = (self.name("left"), self.name("minute"));
                        let (minute, left) = (self.value(number(minute)), self.value(number(left.into())));
                        format!("{path}.{minute_name} = {minute} AND {path}.{left_name} = {left}")
                    }
                };
                self.conditions.push(unchanged);
            }
        }
    }

    /// Gives back what `take` took, if the minute still runs.
    pub(crate) fn give_back(&mut self, bucket: &Bucket, minute: Minute) {
        let path = bucket.path.iter().map(|name| self.name(name)).collect::<Vec<_>>().join(".");
        let (left, at) = (self.name("left"), self.name("minute"));
        let (one, now) = (self.value(number(1)), self.value(number(minute.0)));
        self.sets.push(format!("{path}.{left} = {path}.{left} + {one}"));
        self.conditions.push(format!("{path}.{at} = {now}"));
    }

    /// Counts a call of the day; `seen` is the day that the item counts.
    pub(crate) fn count_day(&mut self, seen: Option<u64>, now: Timestamp) {
        let day = now.epoch_s() / DAY_S;
        if seen == Some(day) {
            self.change("day_count", '+', 1);
            self.require("day", "=", number(day));
            self.require("day_count", "<", number(PER_DAY));
        } else {
            let (today, one) = (self.value(number(day)), self.value(number(1)));
            let (name, count) = (self.name("day"), self.name("day_count"));
            self.sets.push(format!("{name} = {today}, {count} = {one}"));
            self.conditions.push(format!("(attribute_not_exists({name}) OR {name} < {today})"));
        }
    }

    pub(crate) fn pay(&mut self) {
        self.change("balance", '-', PRICE_MICRO_USD);
        self.require("balance", ">=", number(PRICE_MICRO_USD));
    }

    /// Holds a lease under `id`, and drops those that are over.
    pub(crate) fn hold(&mut self, id: &str, over: &[String], now: Timestamp) {
        let (leases, lease) = (self.name("leases"), self.name(id));
        let end = self.value(number(now.plus_s(LEASE_S).epoch_s()));
        self.sets.push(format!("{leases}.{lease} = {end}"));
        for id in over {
            let remove = format!("{leases}.{}", self.name(id));
            self.removes.push(remove);
        }
        let (max, over) = (self.name("max_concurrent"), u64::try_from(over.len()).unwrap());
        if over == 0 {
            self.conditions.push(format!("size({leases}) < {max}"));
        } else {
            // The ones that go with this write still count in the image that the condition sees.
            let most = self.value(number(CONCURRENT + over));
            self.conditions.push(format!("size({leases}) < {most}"));
        }
        self.require("status", "=", text("ACTIVE"));
    }

    pub(crate) fn release(&mut self, id: &str) {
        let remove = format!("{}.{}", self.name("leases"), self.name(id));
        self.removes.push(remove);
    }

    fn update_text(&self) -> String {
        let clause = |verb: &str, clauses: &[String]| match clauses {
            [] => String::new(),
            clauses => format!("{verb} {} ", clauses.join(", ")),
        };
        clause("SET", &self.sets) + &clause("REMOVE", &self.removes)
    }

    fn condition_text(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "))
    }

    /// Sends it as one `UpdateItem`: false where its condition does not hold.
    pub(crate) async fn send(self, client: &Client, partition: &str, sort: &str) -> Result<bool, ()> {
        let update = client
            .update_item()
            .table_name(TABLE)
            .key("pk", text(partition))
            .key("sk", text(sort))
            .update_expression(self.update_text())
            .set_condition_expression(self.condition_text())
            .set_expression_attribute_names(Some(self.names))
            .set_expression_attribute_values((!self.values.is_empty()).then_some(self.values));
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(refused) if refused.is_conditional_check_failed_exception() => Ok(false),
                Some(broken) if broken.meta().code() == Some("ValidationException") => panic!("{broken:?}"),
                _ => Err(()),
            },
        }
    }

    /// The same as a part of a transaction; the item that refuses it is returned.
    pub(crate) fn part(self, partition: &str, sort: &str) -> Update {
        Update::builder()
            .table_name(TABLE)
            .key("pk", text(partition))
            .key("sk", text(sort))
            .update_expression(self.update_text())
            .set_condition_expression(self.condition_text())
            .set_expression_attribute_names(Some(self.names))
            .set_expression_attribute_values(Some(self.values))
            .return_values_on_condition_check_failure(
                aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
            )
            .build()
            .unwrap()
    }
}
