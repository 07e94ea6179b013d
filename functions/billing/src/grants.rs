//! `GET /v1/billing/entries?key_id=…`: what a key received of its project, and what went back.

use faregate_domain::{books::Sequence, cell::CellId, id::KeyId};
use faregate_edge::{page, problem::Problem};
use faregate_gate::{
    Caller,
    management::{Page, Refusal, answer},
};
use faregate_store::{KeyDescription, Movement};
use lambda_http::{Body, Request, Response};

use crate::{App, view::GrantView, whose::Whose};

/// How far a list of both sequences has come: the last number of each that was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    grant: Option<u64>,
    returned: Option<u64>,
}

impl App {
    /// The grants and returns of a key, as far as the books are, the newest first.
    pub(crate) async fn grants(
        &self,
        request: &Request,
        caller: &Caller,
        whose: &Whose,
        key: &str,
    ) -> Result<Response<Body>, Refusal> {
        let limit = page::limit(request)?;
        let key = self.key_of(whose, key).await?.ok_or_else(Problem::not_found)?;
        let question = format!("{}\0{}", whose.question("grants", caller), key.id);
        let place = match self.gate.open_cursor(request, &question).await? {
            Some(text) => Place::parse(&text).ok_or_else(page::foreign_cursor)?,
            None => Place::default(),
        };
        let (cell, store) = (CellId::Key(key.id.clone()), &self.services().store);
        // One more than wanted shows whether there is a next page.
        let grants = store.find_newest_movements(&cell, Sequence::Grants, place.grant, limit + 1).await?;
        let returns = store.find_newest_movements(&cell, Sequence::Returns, place.returned, limit + 1).await?;
        let (page, next) = merged(grants, returns, limit.into(), place);
        let data = page.iter().map(|movement| GrantView::of(&key, movement)).collect();
        let next_cursor = match next {
            Some(place) => Some(self.gate.seal_cursor(&question, &place.to_string()).await?),
            None => None,
        };
        answer(200, serde_json::to_string(&Page { data, next_cursor })?)
    }

    /// A key of the account; a key as caller knows those of its own project.
    async fn key_of(&self, whose: &Whose, text: &str) -> Result<Option<KeyDescription>, Refusal> {
        let Ok(id) = KeyId::parse(text) else { return Ok(None) };
        let found = self.services().store.find_key(&whose.account, &id).await?;
        Ok(found.filter(|key| whose.project.as_ref().is_none_or(|own| *own == key.project)))
    }
}

/// The newest `limit` of both lists, and where the next page begins, unless that is all.
fn merged(
    grants: Vec<Movement>,
    returns: Vec<Movement>,
    limit: usize,
    mut place: Place,
) -> (Vec<Movement>, Option<Place>) {
    let mut all: Vec<Movement> = grants.into_iter().chain(returns).collect();
    // A return frees what the next grant brings, so of two at one time the grant is the later one.
    all.sort_by_key(|movement| std::cmp::Reverse((movement.at, movement.sequence == Sequence::Grants, movement.seq)));
    let has_more = all.len() > limit;
    all.truncate(limit);
    for movement in &all {
        match movement.sequence {
            Sequence::Returns => place.returned = Some(movement.seq),
            _ => place.grant = Some(movement.seq),
        }
    }
    (all, has_more.then_some(place))
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let (grant, returned) = text.split_once('.')?;
        let number = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
        Some(Self { grant: number(grant)?, returned: number(returned)? })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
        write!(out, "{}.{}", text(self.grant), text(self.returned))
    }
}

#[cfg(test)]
mod tests {
    use faregate_domain::time::Timestamp;

    use super::*;

    fn movement(sequence: Sequence, seq: u64, at: u64) -> Movement {
        Movement { sequence, seq, micro_usd: 1, at: Timestamp::from_epoch_s(at) }
    }

    #[test]
    fn both_sequences_are_told_once_and_in_order_whatever_the_pages() {
        let grants: Vec<_> = (1..=9).rev().map(|seq| movement(Sequence::Grants, seq, seq * 2)).collect();
        let returns: Vec<_> = (1..=4).rev().map(|seq| movement(Sequence::Returns, seq, seq * 4)).collect();
        let whole = merged(grants.clone(), returns.clone(), 100, Place::default());
        assert_eq!((whole.0.len(), whole.1), (13, None));
        for limit in 1..14 {
            let (mut told, mut place) = (Vec::new(), Place::default());
            loop {
                let rest = |all: &[Movement], after: Option<u64>| {
                    let rest = all.iter().filter(|one| after.is_none_or(|after| one.seq < after));
                    rest.take(limit + 1).copied().collect::<Vec<_>>()
                };
                let (page, next) = merged(rest(&grants, place.grant), rest(&returns, place.returned), limit, place);
                told.extend(page);
                let Some(next) = next else { break };
                assert_eq!(Place::parse(&next.to_string()), Some(next));
                place = next;
            }
            assert_eq!(told, whole.0, "{limit} a page");
        }
    }

    #[test]
    fn other_texts_are_no_places() {
        for text in ["", "1", "x.", ".x", "1.2.3", "-1."] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }
}
