//! Items as the table holds them, read without the store's own code.

use std::collections::BTreeMap;

use serde_json::Value;

/// A cell after one write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CellImage {
    pub(crate) status: String,
    pub(crate) balance: i64,
    pub(crate) granted: i64,
    pub(crate) grant_seq: i64,
    pub(crate) budget: Option<i64>,
    /// Number and amount of the last return.
    pub(crate) returns: (i64, i64),
    /// The number of the last return that is known to have arrived.
    pub(crate) acknowledged: i64,
    /// Leases that are not settled, by the charge's name in the cell.
    pub(crate) held: BTreeMap<String, Lease>,
    /// Leases whose time is over.
    pub(crate) lapsed: BTreeMap<String, Lease>,
    /// What each client session with a ceiling has run up, and when it ends.
    pub(crate) tabs: BTreeMap<String, Lease>,
    /// The client sessions that leases stand on the tabs of.
    pub(crate) on_tabs: BTreeMap<String, String>,
    pub(crate) limit: i64,
    pub(crate) burst: i64,
    pub(crate) per_day: i64,
    pub(crate) concurrent: i64,
    pub(crate) project_window: Option<i64>,
    pub(crate) requests: i64,
    /// The last number of each lane.
    pub(crate) lanes: BTreeMap<String, i64>,
    /// Every counter of a window, by its attribute: tokens left, requests, money booked; and the highest windows.
    pub(crate) counters: BTreeMap<String, i64>,
}

/// A lease in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) amount: i64,
    pub(crate) end_s: i64,
}

/// A project's wallet after one write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WalletImage {
    pub(crate) available: i64,
    /// The number of the last grant debited, by cell.
    pub(crate) grant_seqs: BTreeMap<String, i64>,
    /// Its amount, by cell.
    pub(crate) grants: BTreeMap<String, i64>,
    /// The number of the last return received, by cell.
    pub(crate) return_seqs: BTreeMap<String, i64>,
    /// How often entries were removed; `None` where that never happens.
    pub(crate) sweeps: Option<i64>,
    /// Limit and burst of the project's rate.
    pub(crate) rate: Option<(i64, i64)>,
    /// Tokens of the rate left, by window.
    pub(crate) tokens: BTreeMap<i64, i64>,
}

impl CellImage {
    pub(crate) fn read(item: &Value) -> Self {
        let optional = |name: &str| item.get(name).map(number);
        let mut image = Self {
            status: item["st"]["S"].as_str().unwrap().to_owned(),
            balance: number(&item["bal"]),
            granted: number(&item["gt"]),
            grant_seq: number(&item["gs"]),
            budget: optional("bc"),
            returns: (optional("rs").unwrap_or_default(), optional("ra").unwrap_or_default()),
            acknowledged: optional("rk").unwrap_or_default(),
            held: leases(&item["l"]),
            lapsed: leases(&item["x"]),
            tabs: item.get("c").map(leases).unwrap_or_default(),
            on_tabs: item.get("u").map(texts).unwrap_or_default(),
            limit: number(&item["tl"]),
            burst: number(&item["tb"]),
            per_day: number(&item["dl"]),
            concurrent: number(&item["lc"]),
            project_window: optional("pw"),
            requests: number(&item["n"]),
            lanes: numbers(&item["q"]),
            counters: BTreeMap::new(),
        };
        for (name, value) in item.as_object().unwrap() {
            let is_window = name.ends_with(|letter: char| letter.is_ascii_digit());
            if is_window || HIGHEST.contains(&name.as_str()) {
                image.counters.insert(name.clone(), number(value));
            }
        }
        image
    }

    /// Charged for good; what is reserved is not.
    pub(crate) fn spent(&self) -> i64 {
        self.granted - self.balance - self.held.values().map(|lease| lease.amount).sum::<i64>()
    }

    /// A counter, where it is there.
    pub(crate) fn counter(&self, letters: &str, window: i64) -> Option<i64> {
        self.counters.get(&format!("{letters}{window}")).copied()
    }

    /// The highest minute ever written.
    pub(crate) fn minute(&self) -> i64 {
        self.counters.get("w").copied().unwrap_or_default()
    }

    /// What a reader of a trace wants to see.
    pub(crate) fn summary(&self) -> String {
        let Self { status, balance, granted, grant_seq, budget, returns, limit, burst, requests, .. } = self;
        let minute = self.minute();
        format!(
            "{status} n {requests}, balance {balance} of {granted} by grant {grant_seq}, return {returns:?}, \
             budget {budget:?}, {} held, {} lapsed, {limit} + {burst} per minute, minute {minute}: {:?} left",
            self.held.len(),
            self.lapsed.len(),
            self.counter("m", minute)
        )
    }
}

impl WalletImage {
    pub(crate) fn read(item: &Value) -> Self {
        let amount = |text: &Value| text["S"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap();
        let sweeps = item.get("sw").map(number);
        let [numbers_of, grants_of, returns_of] = if sweeps.is_some() { SWEPT } else { WHOLE };
        let grants = item[grants_of]["M"].as_object().unwrap().iter();
        let tokens = item.as_object().unwrap().iter();
        let tokens = tokens.filter_map(|(name, value)| Some((name.strip_prefix('m')?.parse().ok()?, number(value))));
        Self {
            available: number(&item["av"]),
            grant_seqs: numbers(&item[numbers_of]),
            grants: grants.map(|(cell, text)| (cell.clone(), amount(text))).collect(),
            return_seqs: numbers(&item[returns_of]),
            sweeps,
            rate: item.get("tw").map(|_| (number(&item["tl"]), number(&item["tb"]))),
            tokens: tokens.collect(),
        }
    }

    /// What has been debited for a cell and not reached it.
    pub(crate) fn granted_to(&self, partition: &str, cell: &CellImage) -> i64 {
        match self.grant_seqs.get(partition) {
            Some(seq) if *seq > cell.grant_seq => self.grants[partition],
            _ => 0,
        }
    }

    /// What has left a cell and not arrived here.
    pub(crate) fn returned_by(&self, partition: &str, cell: &CellImage) -> i64 {
        let (seq, amount) = cell.returns;
        let received = self.return_seqs.get(partition).copied().unwrap_or_default();
        if seq > received.max(cell.acknowledged) { amount } else { 0 }
    }
}

/// An item's states, each with the moment from which it held.
#[derive(Debug)]
pub(crate) struct History<I>(Vec<(u64, I)>);

impl<I> History<I> {
    pub(crate) fn starting_with(image: I) -> Self {
        Self(vec![(0, image)])
    }

    pub(crate) fn add(&mut self, moment: u64, image: I) {
        self.0.push((moment, image));
    }

    pub(crate) fn last(&self) -> &I {
        &self.0.last().unwrap().1
    }

    /// What held in a moment.
    pub(crate) fn at(&self, moment: u64) -> &I {
        &self.0[self.0.partition_point(|(since, _)| *since <= moment).max(1) - 1].1
    }

    /// Everything that held at some moment from `first` to `last`, with the moment from which it did.
    pub(crate) fn during(&self, first: u64, last: u64) -> impl Iterator<Item = (u64, &I)> {
        let from = self.0.partition_point(|(since, _)| *since <= first).max(1) - 1;
        let until = self.0.partition_point(|(since, _)| *since <= last);
        self.0[from..until].iter().map(|(since, image)| (*since, image))
    }
}

/// The end and the amount of a lease, packed into one number of DynamoDB's.
pub(crate) fn lease(value: &Value) -> Lease {
    let packed: u128 = value["N"].as_str().unwrap().parse().unwrap();
    let part = |number: u128| i64::try_from(number).unwrap();
    Lease { amount: part(packed % AMOUNTS), end_s: part(packed / AMOUNTS) }
}

/// A number of DynamoDB's.
pub(crate) fn number(value: &Value) -> i64 {
    value["N"].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no whole number"))
}

fn numbers(map: &Value) -> BTreeMap<String, i64> {
    map["M"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), number(value))).collect()
}

fn leases(map: &Value) -> BTreeMap<String, Lease> {
    map["M"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), lease(value))).collect()
}

fn texts(map: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value["S"].as_str().unwrap().to_owned();
    map["M"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

const WHOLE: [&str; 3] = ["gs", "ga", "rr"];
const SWEPT: [&str; 3] = ["hs", "ha", "hr"];
const HIGHEST: [&str; 3] = ["w", "wt", "ws"];
const AMOUNTS: u128 = 10_000_000_000_000_000;
