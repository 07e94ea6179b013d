//! Refused calls beside a page of rows: each hour on the first page that comes to it.

use std::{cmp::Reverse, collections::BTreeMap};

use faregate_domain::{
    id::AccountId,
    refused::{Reason, RefusedDay, Whose},
    time::Timestamp,
};
use faregate_gate::management::Failure;

use crate::{
    App,
    wanted::{Belonging, Wanted},
};

/// Calls that were refused in an hour for one reason, and whose they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// When the hour began.
    pub(crate) hour: Timestamp,
    pub(crate) whose: Whose,
    pub(crate) reason: Reason,
    pub(crate) calls: u64,
}

/// The refused calls of some hours.
#[derive(Debug, Default)]
pub(crate) struct RefusedHours {
    /// They, the newest hour first.
    pub(crate) counts: Vec<Refused>,
    /// The first hour that is in it, where earlier ones had no room.
    pub(crate) cut: Option<Timestamp>,
}

impl App {
    /// What is wanted of the refused calls of an account, or of those that nobody knows, in hours that begin within
    /// `first..=last`; the newest of them where there are many.
    pub(crate) async fn refused_hours(
        &self,
        account: Option<&AccountId>,
        (first, last): (Timestamp, Timestamp),
        wanted: &Wanted,
    ) -> Result<RefusedHours, Failure> {
        let (store, now) = (&self.services().store, self.services().clock.now());
        let mut hours: BTreeMap<Reverse<Timestamp>, Vec<Refused>> = BTreeMap::new();
        let mut after = None;
        if first > last || wanted.filter.code.as_deref() == Some(ADMITTED) {
            return Ok(RefusedHours::default());
        }
        let days = (first.minute().day(), last.minute().day());
        for asked in 1.. {
            let (sheets, next) = store.find_newest_refused(account, days, after, now).await?;
            for one in sheets.iter().flat_map(counts).filter(|one| (first..=last).contains(&one.hour)) {
                if wanted.has(&belonging(&one.whose), one.reason.route.as_deref(), &one.reason.code) {
                    hours.entry(Reverse(one.hour)).or_default().push(one);
                }
            }
            let is_enough = asked >= MAX_QUERIES || hours.values().map(Vec::len).sum::<usize>() > MAX_COUNTS;
            // The last sheet's day may go on in the next answer; what is newer is complete.
            let complete = sheets.last().map(|last| last.sheet.day.end()).filter(|_| next.is_some());
            if next.is_none() || (is_enough && complete.is_some_and(|day| day <= last)) {
                return Ok(RefusedHours::newest(hours, complete));
            }
            after = next;
        }
        unreachable!("the table's answers come to an end")
    }
}

impl RefusedHours {
    /// The newest whole hours that there is room for, none of before `complete`.
    fn newest(hours: BTreeMap<Reverse<Timestamp>, Vec<Refused>>, complete: Option<Timestamp>) -> Self {
        let (mut page, mut last) = (Self::default(), None);
        for (Reverse(hour), mut counts) in hours {
            if complete.is_some_and(|day| hour < day) {
                break;
            }
            if last.is_some() && page.counts.len() + counts.len() > MAX_COUNTS {
                return Self { cut: last, ..page };
            }
            sort(&mut counts);
            page.counts.extend(counts);
            last = Some(hour);
        }
        Self { cut: complete, ..page }
    }
}

/// What stands on a sheet.
pub(crate) fn counts(day: &RefusedDay) -> impl Iterator<Item = Refused> + '_ {
    let hour_of = |hour: u8| day.sheet.day.start().plus_s(u64::from(hour) * 3_600);
    day.hours.iter().flat_map(move |(hour, reasons)| {
        reasons.iter().map(move |(reason, calls)| Refused {
            hour: hour_of(*hour),
            whose: day.sheet.whose.clone(),
            reason: reason.clone(),
            calls: *calls,
        })
    })
}

/// What refused calls belong to, as far as that is known.
pub(crate) fn belonging(whose: &Whose) -> Belonging<'_> {
    let known = whose.cell();
    Belonging {
        cell: known.map(|known| &known.cell),
        project: known.map(|known| &known.project),
        environment: known.map(|known| known.environment.as_str()),
    }
}

/// The most frequent first.
fn sort(counts: &mut [Refused]) {
    counts.sort_by(|a, b| {
        b.calls
            .cmp(&a.calls)
            .then_with(|| a.reason.code.cmp(&b.reason.code))
            .then_with(|| (&a.reason.route, &a.whose).cmp(&(&b.reason.route, &b.whose)))
    });
}

/// About 200 bytes each in an answer. One hour of one account may be more, and is never divided.
const MAX_COUNTS: usize = 1_000;
/// 1 MB each.
const MAX_QUERIES: usize = 10;
/// What no refused call stands under.
const ADMITTED: &str = "ok";
