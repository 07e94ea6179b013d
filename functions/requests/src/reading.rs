//! Rows of several sources as one list, the newest first, by a bounded number of Queries.

use std::collections::VecDeque;

use faregate_domain::time::Timestamp;
use faregate_gate::management::Failure;
use faregate_store::{RequestRow, RowFilter, RowPage, RowPosition, RowQuery, RowSource, Store, StoreError};
use tokio::task::JoinSet;

/// How rows are read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) store: Store,
    pub(crate) filter: RowFilter,
    /// None of before this instant.
    pub(crate) from: Timestamp,
    /// None that has expired by then.
    pub(crate) now: Timestamp,
}

/// One source as far as it was read.
struct Stream {
    source: RowSource,
    rows: VecDeque<RequestRow>,
    /// Where reading goes on; `None` where nothing is left to read.
    reached: Option<RowPosition>,
}

impl Stream {
    fn head(&self) -> Option<RowPosition> {
        self.rows.front().map(RowPosition::of)
    }

    /// The place above which all of its rows were handed out, where it has to be read before anything older is.
    fn barrier(&self) -> Option<&RowPosition> {
        self.reached.as_ref().filter(|_| self.rows.is_empty())
    }
}

impl Reading {
    /// Up to `wanted` rows before a place, and where to go on, unless nothing is left; `queries` is what may still be asked,
    /// and where that is used up, the page is shorter.
    pub(crate) async fn rows(
        &self,
        sources: Vec<RowSource>,
        before: &RowPosition,
        wanted: usize,
        queries: &mut usize,
    ) -> Result<(Vec<RequestRow>, Option<RowPosition>), Failure> {
        let mut limit = self.first_look(sources.len(), wanted);
        let stream = |source| Stream { source, rows: VecDeque::new(), reached: Some(before.clone()) };
        let mut streams: Vec<Stream> = sources.into_iter().map(stream).collect();
        let mut page = Vec::new();
        loop {
            let head = streams.iter().filter_map(Stream::head).max();
            let barrier = streams.iter().filter_map(Stream::barrier).max().cloned();
            match (head, barrier) {
                (None, None) => return Ok((page, None)),
                _ if page.len() >= wanted => {
                    let next = page.last().map_or_else(|| before.clone(), RowPosition::of);
                    return Ok((page, Some(next)));
                }
                (Some(head), barrier) if barrier.as_ref().is_none_or(|barrier| head > *barrier) => {
                    let newest = streams.iter_mut().find(|stream| stream.head().as_ref() == Some(&head));
                    page.extend(newest.and_then(|stream| stream.rows.pop_front()));
                }
                (head, Some(barrier)) => {
                    if !self.read_on(&mut streams, head.as_ref(), limit, queries).await? {
                        return Ok((page, Some(barrier)));
                    }
                    limit = limit.saturating_mul(2).min(MAX_LOOK);
                }
                (Some(_), None) => unreachable!("without a barrier the newest is handed out"),
            }
        }
    }

    /// Reads every stream that something older waits for; false where that is more than may be asked.
    async fn read_on(
        &self,
        streams: &mut [Stream],
        head: Option<&RowPosition>,
        limit: u16,
        queries: &mut usize,
    ) -> Result<bool, StoreError> {
        let mut looks = JoinSet::new();
        for (number, stream) in streams.iter().enumerate() {
            let Some(before) = stream.barrier().filter(|barrier| head.is_none_or(|head| head < barrier)) else {
                continue;
            };
            if looks.len() >= *queries {
                break;
            }
            let (reading, source, before) = (self.clone(), stream.source.clone(), before.clone());
            looks.spawn(async move { (number, reading.look(&source, &before, limit).await) });
        }
        *queries -= looks.len();
        let has_asked = !looks.is_empty();
        while let Some(looked) = looks.join_next().await {
            // A look that panicked is one that gave no answer.
            let (number, page) =
                looked.map_err(|_| StoreError::Unanswered { operation: "query", reason: "broken off" })?;
            let RowPage { rows, reached } = page?;
            if let Some(stream) = streams.get_mut(number) {
                (stream.rows, stream.reached) = (rows.into(), reached);
            }
        }
        Ok(has_asked)
    }

    async fn look(&self, source: &RowSource, before: &RowPosition, limit: u16) -> Result<RowPage, StoreError> {
        let Self { filter, from, now, .. } = self;
        self.store.find_newest_rows(&RowQuery { source, from: *from, before, filter, now: *now, limit }).await
    }

    /// How many rows the first Query of each source looks at. Where all rows are wanted, one more than that shows whether
    /// there is a next page; where few are, the Queries after it look at more.
    fn first_look(&self, sources: usize, wanted: usize) -> u16 {
        let share = 2 * wanted / sources.max(1);
        let look = match (self.filter.is_open(), sources) {
            (true, 0..=1) => wanted + 1,
            (true, _) => share.min(wanted + 1),
            (false, _) => 2 * share,
        };
        u16::try_from(look).unwrap_or(MAX_LOOK).clamp(MIN_LOOK, MAX_LOOK)
    }
}

/// About 400 KB of rows.
const MAX_LOOK: u16 = 1_000;
const MIN_LOOK: u16 = 10;
