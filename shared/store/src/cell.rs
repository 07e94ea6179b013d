//! The cell's item: attribute names as short as they can be, because every byte is written with every request.
//!
//! ```text
//! pk sk v             whose, which, layout version     acc prj env gal   account, project, environment, gallery
//! st xp               status, expiry (epoch s)         h | se            key hash | live logins: jti → end (epoch s)
//! rn ro g gu gx gd    the last rotation of a key, see `secrets`
//! sc al               scopes, allowlist                tl tb tc dl lc    per minute, burst, capacity, per day, concurrent
//! bal gt gs bc        balance, granted, grant, budget  rs ra rk          last return, its amount, last one known to have arrived
//! l x                 leases held, leases lapsed: charge → end and amount, see `Lease::packed`
//! w wt ws             highest minute, 10 s, second     m<k> e<c><k> d<d>  tokens left, day count; e<c>t<k> 10 s, e<c>s<k> 1 s
//! pw p<k> pv          the project's window, its tokens, version of the project that gal and pw come from    y<d> z<m>         spent in the day, in the month
//! q n lr              slots: lane → seq, requests, row of the last request
//! sn sr               settlements, the last one, see `SettledCharge`
//! c u ls              of client sessions: session → end and what it has run up, call → session, call and session of the last
//!                     request that was made under one; see `tabs`
//! ```

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    cell::{Cell, CellId, Owner, Purse, Status, StoredProof},
    charge::ChargeNonce,
    funding::Return,
    id::{AccountId, ProjectId, SessionId},
    lease::{Lease, Leases},
    money::MicroUsd,
    origin::{Allowlist, AllowlistEntry},
    policy::Limits,
    scope::{Grant, GrantSet},
    time::Timestamp,
    window::WindowLength,
};

use crate::{StoreError, client::Item};

pub(crate) mod counters;
pub(crate) mod secrets;
pub(crate) mod tabs;

/// The sort key of every cell.
pub(crate) const CELL: &str = "cell";

/// The item of a new cell.
pub(crate) fn cell_item(id: &CellId, cell: &Cell) -> Item {
    let string = |text: &str| AttributeValue::S(text.to_owned());
    let number = |value: u64| AttributeValue::N(value.to_string());
    let mut item: Item = HashMap::from([
        ("pk".to_owned(), string(&id.partition())),
        ("sk".to_owned(), string(CELL)),
        ("v".to_owned(), number(LAYOUT_VERSION)),
        ("acc".to_owned(), string(cell.owner.account.suffix())),
        ("prj".to_owned(), string(cell.owner.project.suffix())),
        ("env".to_owned(), string(&cell.owner.environment)),
        ("gal".to_owned(), string(&cell.owner.gallery)),
        ("st".to_owned(), string(status_letter(cell.status))),
        ("bal".to_owned(), number(cell.purse.balance.micro_usd())),
        ("gt".to_owned(), number(cell.purse.granted.micro_usd())),
        ("gs".to_owned(), number(cell.purse.grant_seq)),
        ("n".to_owned(), number(cell.counters.requests)),
        ("q".to_owned(), AttributeValue::M(HashMap::new())),
        ("l".to_owned(), AttributeValue::M(HashMap::new())),
        ("x".to_owned(), AttributeValue::M(HashMap::new())),
        ("sc".to_owned(), scope_set(&cell.grants)),
    ]);
    for (name, value) in limit_attributes(&cell.limits) {
        item.insert(name.to_owned(), number(value));
    }
    item.extend(tabs::attributes(&cell.tabs));
    match &cell.proof {
        StoredProof::Key(secrets) => {
            item.extend(secrets::attributes(secrets).into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
        StoredProof::Sessions(live) => {
            let live = live.iter().map(|(id, end)| (id.suffix().to_owned(), number(end.epoch_s())));
            item.insert("se".to_owned(), AttributeValue::M(live.collect()));
        }
    }
    let optional = [
        ("xp", cell.expires_at.map(|end| number(end.epoch_s()))),
        ("bc", cell.purse.budget.map(|budget| number(budget.micro_usd()))),
        ("pw", cell.project_window.map(|length| number(length.seconds()))),
        ("al", cell.allowlist.as_ref().map(allowlist_set)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    }
    item
}

/// The attributes of a cell's limits.
pub(crate) fn limit_attributes(limits: &Limits) -> [(&'static str, u64); 5] {
    [
        ("tl", limits.per_minute.limit().into()),
        ("tb", limits.per_minute.burst().into()),
        ("tc", limits.per_minute.capacity().into()),
        ("dl", limits.per_day),
        ("lc", limits.concurrent.into()),
    ]
}

/// The attribute of a set of scopes.
pub(crate) fn scope_set(grants: &GrantSet) -> AttributeValue {
    AttributeValue::Ss(grants.iter().map(|grant| grant.as_str().to_owned()).collect())
}

/// The attribute of an allowlist.
pub(crate) fn allowlist_set(list: &Allowlist) -> AttributeValue {
    AttributeValue::Ss(list.iter().map(|entry| entry.as_str().to_owned()).collect())
}

/// The letter of a status.
pub(crate) fn status_letter(status: Status) -> &'static str {
    match status {
        Status::Active => "A",
        Status::Frozen => "F",
        Status::Revoked => "R",
    }
}

/// Refuses a cell of another layout, whatever else is in it; other items have none of their own.
pub(crate) fn require_known(item: &Item) -> Result<(), StoreError> {
    let is_cell = item.get("sk").and_then(|value| value.as_s().ok()).is_some_and(|sort| sort == CELL);
    if is_cell && item.get("v").and_then(parse_number::<u64>) != Some(LAYOUT_VERSION) {
        return Err(malformed("v"));
    }
    Ok(())
}

/// Reads a cell's item.
pub(crate) fn parse_cell(item: &Item) -> Result<Cell, StoreError> {
    let read = Reader { item };
    require_known(item)?;
    let status = match read.string("st")? {
        "A" => Status::Active,
        "F" => Status::Frozen,
        "R" => Status::Revoked,
        _ => return Err(malformed("st")),
    };
    let leases = Leases { held: read.leases("l")?, lapsed: read.leases("x")? };
    let limits = Limits::new(read.number("tl")?, read.number("tb")?, read.number("dl")?, read.number("lc")?);
    Ok(Cell {
        owner: read.owner()?,
        status,
        proof: read.proof()?,
        expires_at: read.find_number("xp")?.map(Timestamp::from_epoch_s),
        grants: read.grants()?,
        allowlist: read.allowlist()?,
        limits: limits.map_err(|error| malformed(error.field()))?,
        purse: Purse {
            balance: read.money("bal")?,
            reserved: leases.reserved(),
            granted: read.money("gt")?,
            grant_seq: read.number("gs")?,
            returns: read.returns()?,
            acknowledged: read.find_number("rk")?.unwrap_or(0),
            budget: read.budget()?,
        },
        leases,
        tabs: tabs::parse(item)?,
        project_window: read.project_window()?,
        counters: counters::parse(item)?,
    })
}

/// Reads a cell's attributes.
pub(crate) struct Reader<'i> {
    pub(crate) item: &'i Item,
}

impl<'i> Reader<'i> {
    pub(crate) fn string(&self, name: &str) -> Result<&'i str, StoreError> {
        self.item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).ok_or_else(|| malformed(name))
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<T, StoreError> {
        self.item.get(name).and_then(parse_number).ok_or_else(|| malformed(name))
    }

    pub(crate) fn find_number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.item.get(name).map(|value| parse_number(value).ok_or_else(|| malformed(name))).transpose()
    }

    pub(crate) fn money(&self, name: &str) -> Result<MicroUsd, StoreError> {
        MicroUsd::new(self.number(name)?).map_err(|_| malformed(name))
    }

    fn strings(&self, name: &str) -> Result<Option<&'i [String]>, StoreError> {
        let set = |value: &'i AttributeValue| value.as_ss().map(Vec::as_slice).map_err(|_| malformed(name));
        self.item.get(name).map(set).transpose()
    }

    pub(crate) fn owner(&self) -> Result<Owner, StoreError> {
        Ok(Owner {
            account: AccountId::from_suffix(self.string("acc")?).map_err(|_| malformed("acc"))?,
            project: ProjectId::from_suffix(self.string("prj")?).map_err(|_| malformed("prj"))?,
            environment: self.string("env")?.to_owned(),
            gallery: self.string("gal")?.to_owned(),
        })
    }

    fn proof(&self) -> Result<StoredProof, StoreError> {
        if let Some(live) = self.item.get("se") {
            let live = live.as_m().map_err(|_| malformed("se"))?;
            let read = |(id, end): (&String, &AttributeValue)| {
                let id = SessionId::from_suffix(id).map_err(|_| malformed("se"))?;
                Ok((id, Timestamp::from_epoch_s(parse_number(end).ok_or_else(|| malformed("se"))?)))
            };
            return live.iter().map(read).collect::<Result<_, _>>().map(StoredProof::Sessions);
        }
        secrets::parse(self.item).map(StoredProof::Key)
    }

    pub(crate) fn grants(&self) -> Result<GrantSet, StoreError> {
        let texts = self.strings("sc")?.ok_or_else(|| malformed("sc"))?;
        let grants = texts.iter().map(|text| Grant::parse(text)).collect::<Result<Vec<_>, _>>();
        grants.and_then(GrantSet::new).map_err(|_| malformed("sc"))
    }

    pub(crate) fn allowlist(&self) -> Result<Option<Allowlist>, StoreError> {
        let texts = self.strings("al")?.unwrap_or_default();
        let entries = texts.iter().map(|text| AllowlistEntry::parse(text)).collect::<Result<Vec<_>, _>>();
        entries.and_then(Allowlist::new).map_err(|_| malformed("al"))
    }

    pub(crate) fn budget(&self) -> Result<Option<MicroUsd>, StoreError> {
        self.item.contains_key("bc").then(|| self.money("bc")).transpose()
    }

    pub(crate) fn returns(&self) -> Result<Return, StoreError> {
        if !self.item.contains_key("rs") {
            return Ok(Return::default());
        }
        Ok(Return { seq: self.number("rs")?, amount: self.money("ra")? })
    }

    pub(crate) fn leases(&self, name: &str) -> Result<BTreeMap<ChargeNonce, Lease>, StoreError> {
        let leases = self.item.get(name).and_then(|value| value.as_m().ok()).ok_or_else(|| malformed(name))?;
        let read = |(nonce, packed): (&String, &AttributeValue)| {
            let lease = parse_number(packed).and_then(Lease::unpacked);
            Some((ChargeNonce::parse(nonce).ok()?, lease?))
        };
        leases.iter().map(|entry| read(entry).ok_or_else(|| malformed(name))).collect()
    }

    fn project_window(&self) -> Result<Option<WindowLength>, StoreError> {
        let length = |seconds| WindowLength::of_seconds(seconds).ok_or_else(|| malformed("pw"));
        self.find_number("pw")?.map(length).transpose()
    }
}

/// A number of DynamoDB, if it is one of the wanted type.
pub(crate) fn parse_number<T: std::str::FromStr>(value: &AttributeValue) -> Option<T> {
    value.as_n().ok()?.parse().ok()
}

fn malformed(attribute: &str) -> StoreError {
    StoreError::malformed("cell", attribute)
}

/// Raised when a later layout cannot be read by this code.
pub(crate) const LAYOUT_VERSION: u64 = 2;
