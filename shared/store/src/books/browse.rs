//! Rows read back, the newest first: of one cell from its own partition, of one account from the index `requests`.

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::AttributeValue};
use faregate_domain::{
    cell::CellId,
    charge::ChargeNonce,
    id::{AccountId, ProjectId},
    time::Timestamp,
};

use super::{
    RequestRow, book_of,
    row::{ROW, index_key, parse_row},
};
use crate::{Store, StoreError, client::Item, schema::REQUESTS_INDEX};

/// Whose rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowSource {
    /// One cell's.
    Cell(CellId),
    /// Those of all cells of an account.
    Account(AccountId),
}

/// A place among rows: that of one of them, or just before all of an instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowPosition(String);

impl RowPosition {
    /// Before every row of that instant, and after every row of earlier ones.
    #[must_use]
    pub fn start_of(at: Timestamp) -> Self {
        Self(format!("{:013}_", at.epoch_ms()))
    }

    /// The place of a row.
    #[must_use]
    pub fn of(row: &RequestRow) -> Self {
        Self(index_key(row.at, &row.charge))
    }

    /// Reads the printed form; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (at, charge) = text.split_once('_')?;
        let is_time = at.len() == MS_DIGITS && at.bytes().all(|byte| byte.is_ascii_digit());
        (is_time && (charge.is_empty() || ChargeNonce::parse(charge).is_ok())).then(|| Self(text.to_owned()))
    }

    /// The instant that it names.
    #[must_use]
    pub fn instant(&self) -> Timestamp {
        let at = self.0.split_once('_').and_then(|(at, _)| at.parse().ok());
        Timestamp::from_epoch_ms(at.unwrap_or_default())
    }

    /// The last instant of which rows can stand before it.
    #[must_use]
    pub fn last_instant(&self) -> Timestamp {
        let (at, charge) = self.0.split_once('_').unwrap_or_default();
        let at: u64 = at.parse().unwrap_or_default();
        Timestamp::from_epoch_ms(if charge.is_empty() { at.saturating_sub(1) } else { at })
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A text above every row's before this place, and below this place's own: `BETWEEN` includes both its ends. The texts of
    /// rows are equally long, and the last byte of a place is a digit, a letter or `_`.
    fn below(&self) -> String {
        let mut bytes = self.0.clone().into_bytes();
        if let Some(last) = bytes.last_mut() {
            *last = last.saturating_sub(1);
        }
        String::from_utf8(bytes).unwrap_or_default()
    }
}

/// What rows must be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowFilter {
    /// Of this project.
    pub project: Option<ProjectId>,
    /// Of this environment.
    pub environment: Option<String>,
    /// On this route.
    pub route: Option<String>,
    /// Under this code.
    pub code: Option<String>,
}

impl RowFilter {
    /// Whether every row is like that.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// One look at rows.
#[derive(Clone, Copy, Debug)]
pub struct RowQuery<'q> {
    /// Whose.
    pub source: &'q RowSource,
    /// None of before this instant.
    pub from: Timestamp,
    /// Only those before this place.
    pub before: &'q RowPosition,
    /// Only those.
    pub filter: &'q RowFilter,
    /// None that has expired by then.
    pub now: Timestamp,
    /// How many are looked at, at most; 1 MB are too.
    pub limit: u16,
}

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPage {
    /// The rows, the newest first.
    pub rows: Vec<RequestRow>,
    /// The place of the last one that was looked at, unless nothing is left behind it.
    pub reached: Option<RowPosition>,
}

impl Store {
    /// Rows, the newest first, by one Query. Those of an account may lack the very last ones.
    ///
    /// # Errors
    /// [`StoreError`] when DynamoDB gave no answer.
    pub async fn find_newest_rows(&self, query: &RowQuery<'_>) -> Result<RowPage, StoreError> {
        let (low, high) = (RowPosition::start_of(query.from).0, query.before.below());
        if low > high {
            return Ok(RowPage { rows: Vec::new(), reached: None });
        }
        let base = self.client().query().table_name(self.table());
        let string = AttributeValue::S;
        let base = match query.source {
            RowSource::Cell(cell) => base
                .key_condition_expression("pk = :whose AND sk BETWEEN :low AND :high")
                .expression_attribute_values(":whose", string(book_of(cell)))
                .expression_attribute_values(":low", string(format!("{ROW}{low}")))
                .expression_attribute_values(":high", string(format!("{ROW}{high}")))
                .consistent_read(true),
            RowSource::Account(account) => base
                .index_name(REQUESTS_INDEX)
                .key_condition_expression("ia = :whose AND ir BETWEEN :low AND :high")
                .expression_attribute_values(":whose", string(account.to_string()))
                .expression_attribute_values(":low", string(low))
                .expression_attribute_values(":high", string(high)),
        };
        let send = filtered(base, query).scan_index_forward(false).limit(query.limit.into()).send();
        let answer = send.await.map_err(|error| StoreError::unanswered("query", &error))?;
        let rows = answer.items.unwrap_or_default().iter().map(parse_row).collect::<Result<_, _>>()?;
        Ok(RowPage { rows, reached: answer.last_evaluated_key.as_ref().map(position_of).transpose()? })
    }
}

fn filtered(mut builder: QueryFluentBuilder, query: &RowQuery<'_>) -> QueryFluentBuilder {
    // TTL collects when it likes.
    let mut clauses = vec!["#ttl > :now".to_owned()];
    let now = AttributeValue::N(query.now.epoch_s().to_string());
    builder = builder.expression_attribute_names("#ttl", "ttl").expression_attribute_values(":now", now);
    let RowFilter { project, environment, route, code } = query.filter;
    let project = project.as_ref().map(|project| project.suffix().to_owned());
    for (name, value) in [("prj", &project), ("env", environment), ("ro", route), ("co", code)]
        .map(|(name, value)| (name, value.clone()))
    {
        let Some(value) = value else { continue };
        clauses.push(format!("{name} = :{name}"));
        builder = builder.expression_attribute_values(format!(":{name}"), AttributeValue::S(value));
    }
    builder.filter_expression(clauses.join(" AND "))
}

fn position_of(key: &Item) -> Result<RowPosition, StoreError> {
    let sort = key.get("sk").and_then(|sort| sort.as_s().ok()).and_then(|sort| sort.strip_prefix(ROW));
    sort.and_then(RowPosition::parse).ok_or_else(|| StoreError::malformed("row", "sk"))
}

const MS_DIGITS: usize = 13;

#[cfg(test)]
mod tests;
