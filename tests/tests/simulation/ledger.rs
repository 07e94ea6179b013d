//! The ledger of a run: every write that the table carried out, in the order in which it did, and what it moved.

use std::collections::BTreeMap;

use faregate_domain::{policy::Policy, row::Row};
use faregate_tests::engine::{Engine, Reply};
use serde_json::{Value, json};

use crate::{
    image::{CellImage, History, WalletImage, lease, number},
    rules,
    windows::Windows,
    world::TABLE,
};

pub(crate) struct Ledger {
    engine: Engine,
    project: String,
    deposited: i64,
    /// Limit and burst of each route's class that has them.
    quotas: BTreeMap<String, (i64, i64)>,
    windows: Windows,
    /// Milliseconds of the world's clock at each moment: moments are counted, one for each thing that happens.
    times_ms: Vec<u64>,
    pub(crate) cells: BTreeMap<String, History<CellImage>>,
    pub(crate) wallet: History<WalletImage>,
    /// What was counted, by the charge's id.
    pub(crate) charges: BTreeMap<String, Charge>,
    /// How charges were settled: outcome and cost.
    pub(crate) settlements: BTreeMap<String, (String, i64)>,
    /// Amounts of leases that were moved out of their cells.
    pub(crate) retired: BTreeMap<String, i64>,
}

/// One request that was counted, and charged or held.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    /// The call whose write it was.
    pub(crate) call: u64,
    /// Its name in the cell.
    pub(crate) nonce: String,
    pub(crate) cost: i64,
    pub(crate) is_leased: bool,
    /// The client session that it was made under.
    pub(crate) session: Option<String>,
    pub(crate) moment: u64,
}

/// What one write or transaction touched.
#[derive(Default)]
pub(crate) struct Touched {
    pub(crate) cells: Vec<(String, CellImage)>,
    pub(crate) wallet: Option<WalletImage>,
    /// Leases outside of their cells: charge and amount, which is gone where the lease was ended.
    pub(crate) retired: Vec<(String, Option<i64>)>,
}

/// What went wrong, in a sentence.
pub(crate) type Violation = String;

impl Ledger {
    /// Opens the books on what the table holds.
    pub(crate) fn open(engine: Engine, items: &[Value], project: &str, policy: &Policy) -> Self {
        let part = |item: &Value, name: &str| item[name]["S"].as_str().unwrap().to_owned();
        let find = |sort: &'static str| items.iter().filter(move |item| item["sk"]["S"] == sort);
        let cells = find("cell").map(|item| (part(item, "pk"), History::starting_with(CellImage::read(item))));
        // Nobody signs in here.
        let cells = cells.filter(|(partition, _)| partition.starts_with("key_"));
        let wallet = find("wallet").find(|item| part(item, "pk") == project).unwrap();
        let quotas = policy.routes().iter().filter_map(|route| {
            let quota = route.rate?.quota;
            Some((route.class.clone(), (i64::from(quota.limit()), i64::from(quota.burst()))))
        });
        let mut ledger = Self {
            engine,
            project: project.to_owned(),
            deposited: 0,
            quotas: quotas.collect(),
            windows: Windows::default(),
            times_ms: vec![0],
            cells: cells.collect(),
            wallet: History::starting_with(WalletImage::read(wallet)),
            charges: BTreeMap::new(),
            settlements: BTreeMap::new(),
            retired: BTreeMap::new(),
        };
        ledger.deposited = ledger.sum();
        ledger
    }

    /// The next moment begins.
    pub(crate) fn advance(&mut self, now_ms: u64) {
        self.times_ms.push(now_ms);
    }

    /// The moment that it is.
    pub(crate) fn moment(&self) -> u64 {
        u64::try_from(self.times_ms.len()).unwrap() - 1
    }

    /// What the world's clock showed in a moment.
    pub(crate) fn time_ms(&self, moment: u64) -> u64 {
        self.times_ms[usize::try_from(moment).unwrap()]
    }

    /// The first moment less than so many milliseconds before another.
    pub(crate) fn moment_before(&self, moment: u64, milliseconds: u64) -> u64 {
        let then = self.times_ms[usize::try_from(moment).unwrap()].saturating_sub(milliseconds);
        u64::try_from(self.times_ms.partition_point(|time| *time <= then)).unwrap().min(moment)
    }

    /// Takes note of a request that was carried out.
    ///
    /// # Errors
    /// The first promise that the write broke.
    pub(crate) fn witness(
        &mut self,
        call: u64,
        operation: &str,
        request: &Value,
        reply: &Reply,
    ) -> Result<(), Violation> {
        if !reply.is_success() {
            return Ok(());
        }
        let mut touched = Touched::default();
        match operation {
            "UpdateItem" => {
                let mut answer: Value = serde_json::from_str(&reply.body).unwrap();
                let image = answer.get_mut("Attributes").map(Value::take);
                let image = image.unwrap_or_else(|| self.find(&request["Key"]));
                self.touch(&request["Key"], &image, &mut touched)?;
                let charge = self.read_charge(call, request);
                self.book(touched, charge, request)
            }
            "TransactWriteItems" => {
                for part in request["TransactItems"].as_array().unwrap() {
                    let key = &part.get("Update").unwrap_or(&Value::Null)["Key"];
                    if key.is_object() {
                        let image = self.find(key);
                        self.touch(key, &image, &mut touched)?;
                    }
                }
                self.book(touched, None, request)
            }
            _ => Ok(()),
        }
    }

    fn touch(&mut self, key: &Value, image: &Value, touched: &mut Touched) -> Result<(), Violation> {
        let partition = key["pk"]["S"].as_str().unwrap().to_owned();
        match key["sk"]["S"].as_str().unwrap() {
            "cell" => touched.cells.push((partition, CellImage::read(image))),
            "wallet" if partition == self.project => touched.wallet = Some(WalletImage::read(image)),
            "lease" => touched.retired.push((partition, image.get("le").map(|packed| lease(packed).amount))),
            "settlement" => {
                let settlement = (image["oc"]["S"].as_str().unwrap().to_owned(), number(&image["ac"]));
                let first = self.settlements.entry(partition).or_insert_with(|| settlement.clone());
                if *first != settlement {
                    return Err(format!("a charge was settled as {first:?} and then as {settlement:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The request that an update of a cell counts, if it counts one; with its id.
    fn read_charge(&self, call: u64, request: &Value) -> Option<(String, Charge)> {
        let row = Row::parse(request["ExpressionAttributeValues"][":row"]["S"].as_str()?).unwrap();
        let nonce = row.charge.as_str().to_owned();
        let id = charge_id(request["Key"]["pk"]["S"].as_str().unwrap(), &nonce);
        let session = request["ExpressionAttributeValues"][":ls"]["S"].as_str().and_then(|text| text.split_once('_'));
        let charge = Charge {
            call,
            nonce,
            cost: i64::try_from(row.cost.micro_usd()).unwrap(),
            is_leased: request["ExpressionAttributeValues"].get(":lease").is_some(),
            session: session.map(|(_, session)| session.to_owned()),
            moment: self.moment(),
        };
        Some((id, charge))
    }

    /// Books what a write or transaction touched, if it was right.
    fn book(&mut self, touched: Touched, charge: Option<(String, Charge)>, request: &Value) -> Result<(), Violation> {
        rules::check(self, &touched, charge.as_ref().map(|(_, charge)| charge))?;
        let moment = self.moment();
        if let Some((id, charge)) = charge {
            let (partition, cell) = &touched.cells[0];
            self.count(partition, cell, request)?;
            self.charges.insert(id, charge);
        }
        for (partition, image) in touched.cells {
            self.cells.get_mut(&partition).unwrap().add(moment, image);
        }
        if let Some(image) = touched.wallet {
            self.wallet.add(moment, image);
        }
        for (charge, amount) in touched.retired {
            match amount {
                Some(amount) => _ = self.retired.insert(charge, amount),
                None => _ = self.retired.remove(&charge),
            }
        }
        let sum = self.sum();
        if sum == self.deposited {
            return Ok(());
        }
        Err(format!("the books do not balance: {} was deposited, {sum} is there or spent", self.deposited))
    }

    /// Counts a request in every window that it was counted in; `cell` is what its write left.
    fn count(&mut self, partition: &str, cell: &CellImage, request: &Value) -> Result<(), Violation> {
        let (names, values) = (&request["ExpressionAttributeNames"], &request["ExpressionAttributeValues"]);
        let (name, minute) = (|name: &str| names[name].as_str(), number(&values[":k"]));
        self.windows.count(partition, minute, (cell.limit, cell.burst))?;
        self.windows.count(&format!("{partition} in a day"), minute / MINUTES_PER_DAY, (cell.per_day, 0))?;
        if let Some(counter) = name("#e") {
            let (letters, window) = split(counter);
            let quota = self.quotas[&letters[1..=CLASS_LETTERS]];
            self.windows.count(&format!("{partition} {letters}"), window, quota)?;
        }
        match (name("#p"), cell.project_window, self.wallet.last().rate) {
            (Some(counter), Some(_), Some(rate)) => self.windows.count("the project", split(counter).1, rate),
            (None, None, _) => Ok(()),
            other => Err(format!("a request took no token of the project's rate: {other:?}")),
        }
    }

    /// Project, grants and returns on their way, and what the cells were granted: their balances, reservations and
    /// expenses.
    fn sum(&self) -> i64 {
        let wallet = self.wallet.last();
        let of_cell = |(partition, cell): (&String, &History<CellImage>)| {
            let cell = cell.last();
            wallet.granted_to(partition, cell) + wallet.returned_by(partition, cell) + cell.granted
        };
        wallet.available + self.cells.iter().map(of_cell).sum::<i64>()
    }

    /// What calls of the project could be paid with in a moment, wherever it was.
    pub(crate) fn money(&self, moment: u64) -> i64 {
        let wallet = self.wallet.at(moment);
        let of_cell = |(partition, cell): (&String, &History<CellImage>)| {
            let cell = cell.at(moment);
            wallet.granted_to(partition, cell) + wallet.returned_by(partition, cell) + cell.balance
        };
        wallet.available + self.cells.iter().map(of_cell).sum::<i64>()
    }

    /// Whether a charge's lease is still there, in its cell or outside of it.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        let Some(charge) = self.charges.get(id) else { return false };
        let cells = self.cells.iter().filter(|(partition, _)| id.starts_with(&charge_id(partition, "")));
        let mut cells = cells.map(|(_, cell)| cell.last());
        let is_there =
            |cell: &CellImage| cell.held.contains_key(&charge.nonce) || cell.lapsed.contains_key(&charge.nonce);
        self.retired.contains_key(id) || cells.any(is_there)
    }

    /// What no run of windows may exceed.
    ///
    /// # Errors
    /// Where one does.
    pub(crate) fn check_windows(&self) -> Result<(), Violation> {
        self.windows.check()
    }

    fn find(&self, key: &Value) -> Value {
        let request = json!({"TableName": TABLE, "Key": key, "ConsistentRead": true});
        let reply = self.engine.apply("GetItem", &request.to_string());
        let mut answer: Value = serde_json::from_str(&reply.body).unwrap();
        answer["Item"].take()
    }
}

/// A charge's public id, from its cell's partition and its name there.
pub(crate) fn charge_id(partition: &str, nonce: &str) -> String {
    format!("chg_k{}{nonce}", partition.strip_prefix("key_").unwrap())
}

/// A counter's letters and its window.
fn split(counter: &str) -> (&str, i64) {
    let letters = counter.trim_end_matches(|letter: char| letter.is_ascii_digit());
    (letters, counter[letters.len()..].parse().unwrap())
}

const MINUTES_PER_DAY: i64 = 1_440;
const CLASS_LETTERS: usize = 4;
