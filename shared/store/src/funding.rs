//! A project's wallet: what is available, its rate, and the grants debited from it for each cell.
//!
//! ```text
//! av al            available, allocated in all        gs ga rr     cell → last grant, what it was, last return received
//! hs ha hr sw      the same three once entries are removed, and how often they were; `gs ga rr` are then absent
//! tl tb tc tw      the project's rate: sustained, burst, capacity, window (s)
//! m<k> w wt ws     tokens left in a window, highest window
//! dr               the last look at all cells that found too little: a when, c for what price, h r e what they held
//! sv sc            how often what the cells repeat of the project was changed, and which change began to count the
//!                  rate anew; absent = never
//! ```
//! What a grant was is `amount`, or `amount window tokens`. Code that knows of no removal finds no map that it could write to.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    cell::CellId,
    funding::{Child, Debit, Grant, Return, TokenBucket, TokenSlice, Wallet},
    id::{AccountId, ProjectId},
    limit::{QuotaPolicy, Rate},
    money::MicroUsd,
    window::WindowLength,
};

use crate::{
    Store, StoreError,
    admit::advance,
    bucket::Bucket,
    cell::{CELL, counters::highest, parse_number},
    client::{Item, Written},
    expression::{Builder, Write},
};

mod sweep;

use sweep::parse_drought;

impl Store {
    /// Reads a project's wallet.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_wallet(&self, project: &ProjectId) -> Result<Option<Wallet>, StoreError> {
        let item = self.find(&project.to_string(), WALLET).await?;
        item.map(|item| parse_wallet(&item)).transpose()
    }

    /// Debits a grant for `child`; refused when the wallet has less than that, or has debited that grant already.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; sending the same grant again never debits it twice.
    pub async fn debit_wallet(
        &self,
        project: &ProjectId,
        child: &CellId,
        debit: &Debit,
    ) -> Result<WalletOutcome, StoreError> {
        self.send_to_wallet(&debiting(project, child, debit)).await
    }

    /// The first step of a return: takes money out of a cell, to be received by its wallet in the second.
    ///
    /// The caller has seen the return before this one arrive.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; sending the same return again takes it once.
    pub async fn begin_return(&self, child: &CellId, sent: &Return) -> Result<crate::Outcome, StoreError> {
        let mut builder = Builder::default();
        builder.number(":a", sent.amount.micro_usd());
        builder.number(":n", sent.seq);
        for clause in ["bal = bal - :a", "gt = gt - :a", "rs = :n", "ra = :a"] {
            builder.set(clause);
        }
        builder.require("bal >= :a");
        if sent.seq == 1 {
            builder.require("attribute_not_exists(rs)");
        } else {
            builder.number(":before", sent.seq - 1);
            builder.require("rs = :before");
        }
        self.send(&builder.build(child.partition(), CELL)).await
    }

    /// The second step of a return: the wallet receives it, once.
    ///
    /// `sweeps` is the wallet's count as it was known before the cell was read that shows the return.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer; sending the same return again receives it once.
    pub async fn receive_return(
        &self,
        project: &ProjectId,
        child: &CellId,
        sent: &Return,
        sweeps: Option<u64>,
    ) -> Result<WalletOutcome, StoreError> {
        let Maps { returns, .. } = Maps::of(sweeps.is_some());
        let mut builder = Builder::default();
        builder.name("#c", child.partition());
        builder.number(":a", sent.amount.micro_usd());
        builder.number(":n", sent.seq);
        builder.set("av = av + :a");
        builder.set(format!("{returns}.#c = :n"));
        builder.require(format!("attribute_exists({returns})"));
        builder.require(format!("NOT {returns}.#c >= :n"));
        require_sweeps(&mut builder, sweeps);
        self.send_to_wallet(&builder.build(project.to_string(), WALLET)).await
    }

    async fn send_to_wallet(&self, write: &Write) -> Result<WalletOutcome, StoreError> {
        Ok(match self.update(write).await? {
            Written::Applied(item) => WalletOutcome::Applied(parse_wallet(&item)?),
            Written::Refused(item) => WalletOutcome::Refused(item.map(|item| parse_wallet(&item)).transpose()?),
        })
    }
}

/// What a write to a wallet met.
#[derive(Clone, Debug, PartialEq)]
pub enum WalletOutcome {
    /// It was applied and left this state.
    Applied(Wallet),
    /// It was refused by this state; `None` where there is no such wallet.
    Refused(Option<Wallet>),
}

/// The names of the maps that a wallet keeps its cells in: other ones once entries are removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maps {
    pub(crate) numbers: &'static str,
    pub(crate) grants: &'static str,
    pub(crate) returns: &'static str,
}

impl Maps {
    pub(crate) const WHOLE: Self = Self { numbers: "gs", grants: "ga", returns: "rr" };
    pub(crate) const SWEPT: Self = Self { numbers: "hs", grants: "ha", returns: "hr" };

    pub(crate) fn names(self) -> [&'static str; 3] {
        [self.numbers, self.grants, self.returns]
    }

    pub(crate) fn of(is_swept: bool) -> Self {
        if is_swept { Self::SWEPT } else { Self::WHOLE }
    }
}

/// No entry has been removed since.
pub(crate) fn require_sweeps(builder: &mut Builder, sweeps: Option<u64>) {
    if let Some(sweeps) = sweeps {
        builder.number(":sw", sweeps);
        builder.require("sw = :sw");
    }
}

fn debiting(project: &ProjectId, child: &CellId, debit: &Debit) -> Write {
    let Debit { grant, bucket, sweeps, .. } = debit;
    let Maps { numbers, grants, .. } = Maps::of(sweeps.is_some());
    let mut builder = Builder::default();
    builder.name("#c", child.partition());
    builder.number(":n", grant.seq);
    builder.string(":g", grant_text(grant));
    builder.set(format!("{numbers}.#c = :n"));
    builder.set(format!("{grants}.#c = :g"));
    builder.require(format!("attribute_exists({numbers})"));
    builder.require(format!("NOT {numbers}.#c >= :n"));
    require_sweeps(&mut builder, *sweeps);
    if grant.amount > MicroUsd::ZERO {
        builder.number(":a", grant.amount.micro_usd());
        builder.set("av = av - :a");
        builder.require("av >= :a");
    }
    if let (Some(bucket), Some(tokens)) = (bucket, grant.tokens) {
        take_tokens(&mut builder, bucket, tokens);
    }
    for (number, index) in debit.stale.iter().enumerate() {
        let placeholder = format!("#x{number}");
        builder.name(&placeholder, format!("m{index}"));
        builder.remove(placeholder);
    }
    builder.build(project.to_string(), WALLET)
}

/// Takes tokens under the very rate that the number was computed from.
fn take_tokens(builder: &mut Builder, bucket: &TokenBucket, tokens: TokenSlice) {
    let quota = bucket.rate.quota;
    advance(builder, bucket.window);
    builder.number(":tw", bucket.window.length.seconds());
    builder.number(":tl", quota.limit());
    builder.number(":tb", quota.burst());
    for clause in ["tw = :tw", "tl = :tl", "tb = :tb"] {
        builder.require(clause);
    }
    builder.name("#t", format!("m{}", bucket.window.index));
    builder.name("#tp", format!("m{}", bucket.window.previous().index));
    let paths =
        Bucket { now: "#t", previous: "#tp", capacity: "tc", burst: "tb", sustained: None, opens_with: ":opening" };
    paths.take(builder, bucket.opening, ":s", tokens.count);
}

/// The item of a new project's wallet.
pub(crate) fn wallet_item(project: &ProjectId, account: &AccountId, allocated: MicroUsd) -> Item {
    let number = |amount: MicroUsd| AttributeValue::N(amount.micro_usd().to_string());
    let map = || AttributeValue::M(HashMap::new());
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(project.to_string())),
        ("sk".to_owned(), AttributeValue::S(WALLET.to_owned())),
        ("acc".to_owned(), AttributeValue::S(account.suffix().to_owned())),
        ("av".to_owned(), number(allocated)),
        ("al".to_owned(), number(allocated)),
        ("gs".to_owned(), map()),
        ("ga".to_owned(), map()),
        ("rr".to_owned(), map()),
    ])
}

/// The attributes of a project's rate.
pub(crate) fn rate_attributes(rate: &Rate) -> [(String, AttributeValue); 4] {
    let quota = rate.quota;
    let number = |name: &str, value: u64| (name.to_owned(), AttributeValue::N(value.to_string()));
    [
        number("tl", quota.limit().into()),
        number("tb", quota.burst().into()),
        number("tc", quota.capacity().into()),
        number("tw", rate.window.seconds()),
    ]
}

/// Reads a wallet's item.
pub(crate) fn parse_wallet(item: &Item) -> Result<Wallet, StoreError> {
    let money = |name: &str| {
        let amount = item.get(name).and_then(parse_number).ok_or_else(|| malformed(name))?;
        MicroUsd::new(amount).map_err(|_| malformed(name))
    };
    let rate = parse_rate(item)?;
    let change = |name: &str| item.get(name).map_or(Some(0), parse_number).ok_or_else(|| malformed(name));
    let mut tokens = BTreeMap::new();
    for (name, value) in item {
        if let Some(Ok(index)) = name.strip_prefix('m').map(str::parse::<u64>) {
            tokens.insert(index, parse_number(value).ok_or_else(|| malformed(name))?);
        }
    }
    Ok(Wallet {
        available: money("av")?,
        allocated: money("al")?,
        rate,
        tokens,
        highest: highest(item)?,
        version: change("sv")?,
        counting_since: change("sc")?,
        children: children(item)?,
        sweeps: item.get("sw").map(|value| parse_number(value).ok_or_else(|| malformed("sw"))).transpose()?,
        drought: item.get("dr").map(|value| parse_drought(value).ok_or_else(|| malformed("dr"))).transpose()?,
    })
}

fn parse_rate(item: &Item) -> Result<Option<Rate>, StoreError> {
    let Some(seconds) = item.get("tw") else { return Ok(None) };
    let number = |name: &str| item.get(name).and_then(parse_number::<u32>).ok_or_else(|| malformed(name));
    let window = parse_number(seconds).and_then(WindowLength::of_seconds).ok_or_else(|| malformed("tw"))?;
    let quota = QuotaPolicy::new(number("tl")?, number("tb")?).map_err(|_| malformed("tl"))?;
    Ok(Some(Rate { quota, window }))
}

fn children(item: &Item) -> Result<BTreeMap<CellId, Child>, StoreError> {
    let Maps { numbers, grants, returns } = Maps::of(item.contains_key("sw"));
    let map = |name: &'static str| item.get(name).and_then(|value| value.as_m().ok()).ok_or_else(|| malformed(name));
    let (debited, amounts, received) = (map(numbers)?, map(grants)?, map(returns)?);
    let id = |name: &String| CellId::parse(name).map_err(|_| malformed(numbers));
    let mut children = BTreeMap::new();
    for (name, seq) in debited {
        let seq = parse_number(seq).ok_or_else(|| malformed(numbers))?;
        let grant = amounts.get(name).and_then(|text| parse_grant(text.as_s().ok()?, seq));
        children.insert(id(name)?, Child { last: grant.ok_or_else(|| malformed(grants))?, returned: 0 });
    }
    for (name, seq) in received {
        let returned = parse_number(seq).ok_or_else(|| malformed(returns))?;
        children.entry(id(name)?).or_insert_with(Child::default).returned = returned;
    }
    Ok(children)
}

fn grant_text(grant: &Grant) -> String {
    let amount = grant.amount.micro_usd();
    match grant.tokens {
        Some(tokens) => format!("{amount} {} {}", tokens.index, tokens.count),
        None => amount.to_string(),
    }
}

fn parse_grant(text: &str, seq: u64) -> Option<Grant> {
    let mut numbers = text.split(' ').map(str::parse::<u64>);
    let amount = MicroUsd::new(numbers.next()?.ok()?).ok()?;
    let tokens = match (numbers.next(), numbers.next()) {
        (None, None) => None,
        (Some(Ok(index)), Some(Ok(count))) => Some(TokenSlice { index, count }),
        _ => return None,
    };
    Some(Grant { amount, tokens, seq })
}

fn malformed(attribute: &str) -> StoreError {
    StoreError::malformed("wallet", attribute)
}

/// The sort key of every wallet.
pub(crate) const WALLET: &str = "wallet";
