//! Requests of all accounts: day by day, and within a day some accounts at a time, merged.
//!
//! ```text
//! today      accounts 1 – 25, the newest first     yesterday   accounts 1 – 25 …
//!            accounts 26 – 50 …
//! ```
//! A day with few active accounts is a list in the order of time. On a day with many, the order holds within each group,
//! because whoever wants the newest of all must ask every account.

use faregate_domain::{
    id::AccountId,
    time::{Day, Timestamp},
};
use faregate_gate::management::Failure;
use faregate_store::{RowPosition, RowSource};

use crate::{
    App,
    cursor::{Group, Here},
    list::{Form, Listed, Room},
    reading::Reading,
    refused::Refused,
    wanted::Wanted,
};

impl App {
    /// A page of everybody's requests.
    pub(crate) async fn everybodys(&self, wanted: &Wanted, here: Here, room: Room) -> Result<Listed, Failure> {
        let (mut here, mut listed, mut queries) = (here, Listed::default(), room.queries);
        let services = self.services();
        for _ in 0..MAX_GROUPS {
            let day = Stage::of(&here);
            if here.is_over() {
                return Ok(listed);
            }
            let accounts = self.accounts(&here).await?;
            if !day.is_begun(&here) && room.form == Form::Json {
                listed.refused.extend(self.refused_of(&accounts, &here, &day, wanted).await?);
            }
            let reading = Reading {
                store: services.store.clone(),
                filter: wanted.filter.clone(),
                from: here.span.from.max(day.0.start()),
                now: services.clock.now(),
            };
            let is_last = here.group.last.is_none() && (day.is_begun(&here) || accounts.len() < GROUP);
            let last = here.group.last.clone().or_else(|| accounts.last().cloned());
            // Whoever becomes active meanwhile may join the group, and pushes nobody out of it.
            here.group.last = last.clone().filter(|_| !is_last);
            queries += accounts.len();
            let sources = accounts.into_iter().map(RowSource::Account).collect();
            let (rows, next) = reading.rows(sources, &here.before, room.rows - listed.rows.len(), &mut queries).await?;
            listed.rows.extend(rows);
            if let Some(next) = next {
                listed.next = Some(here.at(next));
                return Ok(listed);
            }
            here = if is_last {
                Here { before: RowPosition::start_of(day.0.start()), group: Group::default(), ..here }
            } else {
                Here { before: day.top(&here), group: Group { after: last, last: None }, ..here }
            };
            if listed.rows.len() >= room.rows || listed.refused.len() > MAX_REFUSED {
                break;
            }
        }
        listed.next = Some(here).filter(|here| !here.is_over());
        Ok(listed)
    }

    /// The accounts of the group that have requests of the day.
    async fn accounts(&self, here: &Here) -> Result<Vec<AccountId>, Failure> {
        let Group { after, last } = &here.group;
        let limit = if last.is_some() || Stage::of(here).is_begun(here) { MAX_GROUP } else { GROUP };
        let limit = u16::try_from(limit).unwrap_or(u16::MAX);
        let at = here.before.last_instant();
        let mut accounts = self.services().store.find_active(at, after.as_ref(), limit).await?;
        accounts.retain(|account| last.as_ref().is_none_or(|last| account <= last));
        Ok(accounts)
    }

    async fn refused_of(
        &self,
        accounts: &[AccountId],
        here: &Here,
        day: &Stage,
        wanted: &Wanted,
    ) -> Result<Vec<Refused>, Failure> {
        let first = day.0.start().max(hour_of(here.span.from));
        let mut counts = Vec::new();
        // Of callers that nobody knows once a day, with the first group.
        let nobody = here.group.after.is_none().then_some(None);
        for account in nobody.into_iter().chain(accounts.iter().map(Some)) {
            let mut last = Some(here.before.last_instant());
            while let Some(until) = last {
                let found = self.refused_hours(account, (first, until), wanted).await?;
                counts.extend(found.counts);
                last = found.cut.map(|cut| Timestamp::from_epoch_ms(cut.epoch_ms().saturating_sub(1)));
            }
        }
        counts.sort_by_key(|one| std::cmp::Reverse(one.hour));
        Ok(counts)
    }
}

/// The UTC day that a list has come to.
struct Stage(Day);

impl Stage {
    fn of(here: &Here) -> Self {
        Self(here.before.last_instant().minute().day())
    }

    /// Where the list of this day begins.
    fn top(&self, here: &Here) -> RowPosition {
        RowPosition::start_of(self.0.end().min(here.span.to))
    }

    /// Whether some of its group's rows were listed already.
    fn is_begun(&self, here: &Here) -> bool {
        here.before != self.top(here)
    }
}

/// The beginning of an instant's hour.
pub(crate) fn hour_of(at: Timestamp) -> Timestamp {
    Timestamp::from_epoch_s(at.epoch_s() / 3_600 * 3_600)
}

/// How many accounts are merged.
const GROUP: usize = 25;
/// And with those that join them while they are listed.
const MAX_GROUP: usize = 500;
/// Days without a request count as well.
const MAX_GROUPS: usize = 40;
const MAX_REFUSED: usize = 2_000;
