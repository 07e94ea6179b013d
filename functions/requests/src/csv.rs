//! `GET /v1/requests.csv` (RFC 4180): a bounded part of the list, and a link to the next one.

use faregate_edge::{page, problem::Problem};
use faregate_gate::management::Refusal;
use faregate_store::RequestRow;
use lambda_http::{Body, Request, Response};
use url::form_urlencoded;

use crate::{
    App, CSV_PATH,
    list::{Form, PARAMETERS, Room},
    view::RequestView,
    wanted::parsed,
};

impl App {
    pub(crate) async fn csv(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let (listed, next) = self
            .listed(request, |request| Ok(Room { form: Form::Csv, rows: limit(request)?, queries: MAX_QUERIES }))
            .await?;
        let mut response = Response::builder()
            .status(200)
            .header("content-type", "text/csv; charset=utf-8; header=present")
            .header("content-disposition", "attachment; filename=\"requests.csv\"")
            .header("cache-control", "no-store");
        if let Some(cursor) = next {
            response = response.header("link", self.link(request, &cursor)?);
        }
        Ok(response.body(Body::Text(text(&listed.rows)))?)
    }

    /// The same question with a cursor (RFC 8288).
    fn link(&self, request: &Request, cursor: &str) -> Result<String, Problem> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for name in PARAMETERS.into_iter().filter(|name| *name != "cursor") {
            if let Some(value) = page::parameter(request, name)? {
                query.append_pair(name, &value);
            }
        }
        query.append_pair("cursor", cursor);
        // A plus stands for a space only in forms.
        let query = query.finish().replace('+', "%20");
        Ok(format!("<{}{CSV_PATH}?{query}>; rel=\"next\"", self.services().config.public_origin))
    }
}

fn limit(request: &Request) -> Result<usize, Problem> {
    let number = |text: &str| {
        let is_number = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|limit| is_number && (1..=MAX_ROWS).contains(limit))
    };
    Ok(parsed(request, "limit", "a whole number from 1 to 10000", number)?.unwrap_or(MAX_ROWS))
}

fn text(rows: &[RequestRow]) -> String {
    let mut text = format!("{}\r\n", COLUMNS.join(","));
    for row in rows {
        let fields = fields(&RequestView::from(row)).map(|field| quoted(&field));
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
    text
}

fn fields(row: &RequestView<'_>) -> [String; 17] {
    let word = |text: Option<&str>| defused(text.unwrap_or_default());
    [
        row.at.clone(),
        row.id.clone(),
        row.account_id.clone(),
        row.key_id.clone().unwrap_or_default(),
        row.project_id.clone(),
        defused(row.environment),
        defused(row.route),
        defused(row.code),
        row.cost_usd.0.to_string(),
        row.reserved_usd.map(|amount| amount.0.to_string()).unwrap_or_default(),
        word(row.outcome),
        word(row.error_code),
        row.settled_at.clone().unwrap_or_default(),
        word(row.network),
        word(row.agent),
        row.client_session_id.clone().unwrap_or_default(),
        row.latency_ms.map(|ms| ms.to_string()).unwrap_or_default(),
    ]
}

/// A text that no spreadsheet takes for a formula.
fn defused(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text.to_owned() }
}

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

const COLUMNS: [&str; 17] = [
    "at",
    "id",
    "account_id",
    "key_id",
    "project_id",
    "environment",
    "route",
    "code",
    "cost_usd",
    "reserved_usd",
    "outcome",
    "error_code",
    "settled_at",
    "network",
    "agent",
    "client_session_id",
    "latency_ms",
];
/// A row has some 300 bytes, and Lambda hands on 6 MB.
const MAX_ROWS: usize = 10_000;
const MAX_QUERIES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_is_a_formula_or_breaks_out() {
        for (text, field) in [
            ("GET /demo/free", "GET /demo/free"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2,3", "\"'-2,3\""),
            ("+a\"b", "\"'+a\"\"b\""),
            ("\tx", "'\tx"),
            ("a\r\nb", "\"a\r\nb\""),
            ("", ""),
        ] {
            assert_eq!(quoted(&defused(text)), field, "{text}");
        }
    }
}
