//! A cell's item as the table's stream shows it.

use faregate_domain::{
    books::{Change, Image, SettledCharge},
    cell::CellId,
    lease::Leases,
    row::Row,
    time::Timestamp,
};

use crate::{
    StoreError,
    cell::{CELL, Reader, tabs},
};

/// One item, attribute by attribute.
pub type Item = crate::client::Item;

/// Whether a record of the stream is about a cell.
#[must_use]
pub fn is_cell(keys: &Item) -> bool {
    keys.get("sk").and_then(|sort| sort.as_s().ok()).is_some_and(|sort| sort == CELL)
}

/// Reads one write of a cell from the images before and after.
///
/// # Errors
/// [`StoreError::Malformed`] names what cannot be read.
pub fn parse_change(before: Option<&Item>, after: &Item, at: Timestamp) -> Result<Change, StoreError> {
    let malformed = |attribute: &str| StoreError::malformed("cell", attribute);
    let partition = Reader { item: after }.string("pk")?;
    Ok(Change {
        cell: CellId::parse(partition).map_err(|_| malformed("pk"))?,
        before: before.map(parse_image).transpose()?,
        after: parse_image(after)?,
        at,
    })
}

fn parse_image(item: &Item) -> Result<Image, StoreError> {
    let read = Reader { item };
    let malformed = |attribute: &str| StoreError::malformed("cell", attribute);
    let text = |name: &str| item.contains_key(name).then(|| read.string(name)).transpose();
    let last_row = text("lr")?.map(Row::parse).transpose().map_err(|_| malformed("lr"))?;
    let last_settled = text("sr")?.map(SettledCharge::parse).transpose().map_err(|_| malformed("sr"))?;
    let leases = Leases { held: read.leases("l")?, lapsed: read.leases("x")? };
    let (returns, granted) = (read.returns()?, read.money("gt")?);
    Ok(Image {
        owner: read.owner()?,
        budget: read.budget()?,
        requests: read.number("n")?,
        is_leased: last_row.as_ref().is_some_and(|row| leases.held.contains_key(&row.charge)),
        last_row,
        last_of_session: tabs::last(item)?,
        settlements: read.find_number("sn")?.unwrap_or(0),
        last_settled,
        grant_seq: read.number("gs")?,
        granted,
        return_seq: returns.seq,
        returned: returns.amount,
        spent: granted.minus(read.money("bal")?).minus(leases.reserved()),
    })
}
