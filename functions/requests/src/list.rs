//! `GET /v1/requests`

use faregate_domain::{books::Span, id::AccountId, time::Timestamp};
use faregate_edge::{page, problem::Problem};
use faregate_gate::management::{Failure, Refusal, answer};
use faregate_store::{RequestRow, RowPosition, RowSource};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use crate::{
    App, BILLING_READ,
    cursor::Here,
    everybody::hour_of,
    reading::Reading,
    refused::Refused,
    view::{RefusedView, RequestView},
    wanted::{FILTERS, View, Wanted, question, span},
};

/// A page of requests.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// The newest first.
    pub(crate) rows: Vec<RequestRow>,
    /// What was refused in the hours that the page is the first to come to.
    pub(crate) refused: Vec<Refused>,
    /// Where the list goes on.
    pub(crate) next: Option<Here>,
}

/// How much there is room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) form: Form,
    /// Rows.
    pub(crate) rows: usize,
    /// Queries for rows, and one more for each account that is listed beside the first.
    pub(crate) queries: usize,
}

/// What a page becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Rows, and what was refused.
    Json,
    /// Rows alone.
    Csv,
}

impl App {
    pub(crate) async fn list(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let (listed, next_cursor) = self
            .listed(request, |request| {
                Ok(Room { form: Form::Json, rows: page::limit(request)?.into(), queries: MAX_QUERIES })
            })
            .await?;
        let page = RequestsPage {
            data: listed.rows.iter().map(RequestView::from).collect(),
            refused: listed.refused.iter().map(RefusedView::from).collect(),
            next_cursor,
        };
        answer(200, serde_json::to_string(&page)?)
    }

    /// What a request asks for, and the cursor of the next page.
    pub(crate) async fn listed(
        &self,
        request: &Request,
        room: impl FnOnce(&Request) -> Result<Room, Problem>,
    ) -> Result<(Listed, Option<String>), Refusal> {
        let caller = self.authenticate(request, BILLING_READ).await?;
        page::only(request, &PARAMETERS)?;
        let (room, now) = (room(request)?, self.services().clock.now());
        let mut wanted = Wanted::of(request, &self.services().config.policy)?;
        let span = span(request, DAYS, now)?;
        let question = question("requests", &caller, request)?;
        let here = self.find_here(request, &question).await?.unwrap_or_else(|| Here::first(span));
        let listed = match self.view(&caller, &mut wanted).await? {
            View::Nothing => Listed::default(),
            View::Everybody => self.everybodys(&wanted, here, room).await?,
            View::One { account, source } => {
                let mut listed = self.rows_of_one(source, &wanted, &here, room).await?;
                if room.form == Form::Json {
                    self.add_refused_hours(&mut listed, &account, &wanted, &here).await?;
                }
                listed
            }
        };
        let next = self.cursor_of(listed.next.as_ref(), &question).await?;
        Ok((listed, next))
    }

    async fn rows_of_one(
        &self,
        source: RowSource,
        wanted: &Wanted,
        here: &Here,
        room: Room,
    ) -> Result<Listed, Failure> {
        let services = self.services();
        let (store, now) = (services.store.clone(), services.clock.now());
        let mut filter = wanted.filter.clone();
        if let RowSource::Cell(_) = source {
            // All rows of a cell are alike in these, and the cell is one that has what is wanted.
            (filter.project, filter.environment) = (None, None);
        }
        let reading = Reading { store, filter, from: here.span.from, now };
        let mut queries = room.queries;
        let (rows, next) = reading.rows(vec![source], &here.before, room.rows, &mut queries).await?;
        Ok(Listed { rows, refused: Vec::new(), next: next.map(|next| here.at(next)) })
    }

    /// Adds what was refused in the hours that no page before came to. Where that is too much, the page ends there.
    async fn add_refused_hours(
        &self,
        listed: &mut Listed,
        account: &AccountId,
        wanted: &Wanted,
        here: &Here,
    ) -> Result<(), Failure> {
        let first = match &listed.next {
            Some(next) => hour_of(next.before.instant()),
            None => hour_of(here.span.from),
        };
        let is_first = here.before == Here::first(here.span).before;
        let end = if is_first { here.span.to } else { hour_of(here.before.instant()) };
        let last = Timestamp::from_epoch_ms(end.epoch_ms().saturating_sub(1));
        let found = self.refused_hours(Some(account), (first, last), wanted).await?;
        listed.refused = found.counts;
        if let Some(cut) = found.cut {
            let end = RowPosition::start_of(cut);
            listed.rows.retain(|row| RowPosition::of(row) > end);
            listed.next = Some(here.at(end));
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct RequestsPage<'r> {
    data: Vec<RequestView<'r>>,
    refused: Vec<RefusedView<'r>>,
    next_cursor: Option<String>,
}

pub(crate) const PARAMETERS: [&str; 10] =
    ["from", "to", "account_id", "key_id", "project_id", "environment", "route", "code", "limit", "cursor"];
/// Days that are listed where nothing is said, and the most.
const DAYS: (u64, u64) = (30, Span::MAX_DAYS);
/// Whoever looks for few of many rows gets a short page rather than a long wait.
const MAX_QUERIES: usize = 10;
const _: () = assert!(PARAMETERS.len() == FILTERS.len() + 4);
