//! `GET /v1/analytics`: calls, refusals and cost over time, from the numbers that the books keep by hour and day.

use std::collections::BTreeSet;

use faregate_domain::{
    books::{Bucket, Line, Period, Report, Series, Span, Sums},
    id::AccountId,
    time::Timestamp,
};
use faregate_edge::{now::Clock, page, problem::Problem};
use faregate_gate::management::{Data, Refusal, answer};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use crate::{
    App, BILLING_READ,
    refused::{belonging, counts},
    view::{SumsView, key_id},
    wanted::{Belonging, View, Wanted, parsed, span},
};

/// By what calls are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grouping {
    Key,
    Project,
    Route,
    Code,
    Environment,
}

impl Grouping {
    fn parse(text: &str) -> Option<Self> {
        let all = [Self::Key, Self::Project, Self::Route, Self::Code, Self::Environment];
        all.into_iter().find(|grouping| grouping.as_str() == text)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Project => "project",
            Self::Route => "route",
            Self::Code => "code",
            Self::Environment => "environment",
        }
    }

    /// The group of a call.
    fn of(self, whose: &Belonging<'_>, route: Option<&str>, code: &str) -> String {
        let name = match self {
            Self::Key => whose.cell.map(|cell| key_id(cell).unwrap_or_else(|| SESSIONS.to_owned())),
            Self::Project => whose.project.map(ToString::to_string),
            Self::Route => route.map(str::to_owned),
            Self::Code => Some(code.to_owned()),
            Self::Environment => whose.environment.map(str::to_owned),
        };
        name.unwrap_or_else(|| UNKNOWN.to_owned())
    }
}

/// What is being added up.
struct Adding {
    wanted: Wanted,
    bucket: Bucket,
    grouping: Option<Grouping>,
    series: Series,
    /// How often the table may still be asked.
    queries: usize,
    clock: Clock,
    until: Timestamp,
}

impl Adding {
    fn add(&mut self, at: Timestamp, whose: &Belonging<'_>, (route, code): (Option<&str>, &str), sums: Sums) {
        if self.wanted.has(whose, route, code) {
            let group = self.grouping.map(|grouping| grouping.of(whose, route, code));
            self.series.add(at, group.as_deref(), sums);
        }
    }

    fn ask(&mut self) -> Result<(), Problem> {
        let rule = "covers more than can be added up at once: ask for less time, or of one account or key";
        let left = self.queries.checked_sub(1).filter(|_| self.clock.now() < self.until);
        self.queries = left.ok_or_else(|| Problem::invalid_field("from", rule))?;
        Ok(())
    }
}

impl App {
    pub(crate) async fn analytics(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(request, BILLING_READ).await?;
        page::only(request, &PARAMETERS)?;
        let bucket = parsed(request, "bucket", "hour or day", Bucket::parse)?.unwrap_or(Bucket::Day);
        let grouping = parsed(request, "group_by", "key, project, route, code or environment", Grouping::parse)?;
        let days = match bucket {
            Bucket::Hour => HOURLY_DAYS,
            Bucket::Day => DAILY_DAYS,
        };
        let span = span(request, days, self.services().clock.now())?;
        let mut wanted = Wanted::of(request, &self.services().config.policy)?;
        let view = self.view(&caller, &mut wanted).await?;
        let clock = self.services().clock.clone();
        let until = clock.now().plus_s(PATIENCE_SECONDS);
        let series = Series::new(bucket, span);
        let mut adding = Adding { wanted, bucket, grouping, series, queries: MAX_QUERIES, clock, until };
        match view {
            View::Nothing => {}
            View::One { account, .. } => self.add_account(&mut adding, &account).await?,
            View::Everybody => {
                self.add_refused(&mut adding, None).await?;
                for account in self.active(&mut adding).await? {
                    self.add_account(&mut adding, &account).await?;
                }
            }
        }
        let span = adding.series.span();
        let report = adding.series.finish(MAX_GROUPS);
        answer(200, serde_json::to_string(&Data { data: AnalyticsView::of(&report, span, bucket, grouping) })?)
    }

    async fn add_account(&self, adding: &mut Adding, account: &AccountId) -> Result<(), Refusal> {
        let span = adding.series.span();
        let (first, last) = (span.from, Timestamp::from_epoch_ms(span.to.epoch_ms() - 1));
        let periods = match adding.bucket {
            Bucket::Hour => (Period::hour_of(first), Period::hour_of(last)),
            Bucket::Day => (Period::day_of(first), Period::day_of(last)),
        };
        let mut after = None;
        loop {
            adding.ask()?;
            let (found, next) = self.services().store.find_periods(account, periods, after).await?;
            for numbers in found {
                let whose = Belonging {
                    cell: Some(&numbers.cell),
                    project: Some(&numbers.project),
                    environment: Some(&numbers.environment),
                };
                for (slot, admitted) in &numbers.slots {
                    let sums = Sums { admitted: *admitted, refused: 0 };
                    adding.add(numbers.period.start(), &whose, (Some(&slot.route), &slot.code), sums);
                }
            }
            if next.is_none() {
                return self.add_refused(adding, Some(account)).await;
            }
            after = next;
        }
    }

    async fn add_refused(&self, adding: &mut Adding, account: Option<&AccountId>) -> Result<(), Refusal> {
        let (services, span) = (self.services(), adding.series.span());
        let last = Timestamp::from_epoch_ms(span.to.epoch_ms() - 1);
        let days = (span.from.minute().day(), last.minute().day());
        let (now, mut after) = (services.clock.now(), None);
        loop {
            adding.ask()?;
            let (sheets, next) = services.store.find_newest_refused(account, days, after, now).await?;
            for one in sheets.iter().flat_map(counts) {
                let sums = Sums { refused: i64::try_from(one.calls).unwrap_or(i64::MAX), ..Sums::default() };
                adding.add(one.hour, &belonging(&one.whose), (one.reason.route.as_deref(), &one.reason.code), sums);
            }
            if next.is_none() {
                return Ok(());
            }
            after = next;
        }
    }

    /// The accounts that had requests on any of the days.
    async fn active(&self, adding: &mut Adding) -> Result<BTreeSet<AccountId>, Refusal> {
        let (span, mut accounts) = (adding.series.span(), BTreeSet::new());
        let mut day = span.from;
        while day < span.to {
            let mut after = None;
            loop {
                adding.ask()?;
                let found = self.services().store.find_active(day, after.as_ref(), ACCOUNTS_AT_ONCE).await?;
                let is_last = found.len() < usize::from(ACCOUNTS_AT_ONCE);
                after = found.last().cloned();
                accounts.extend(found);
                if is_last {
                    break;
                }
            }
            day = day.minute().day().end();
        }
        Ok(accounts)
    }
}

#[derive(Serialize)]
struct AnalyticsView<'r> {
    from: String,
    to: String,
    bucket: &'static str,
    group_by: Option<&'static str>,
    totals: SumsView,
    buckets: Vec<BucketView>,
    groups: Vec<GroupView<'r>>,
    /// The groups that have no line of their own, together.
    other: Option<LineView>,
}

#[derive(Serialize)]
struct GroupView<'r> {
    group: &'r str,
    #[serde(flatten)]
    line: LineView,
}

#[derive(Serialize)]
struct LineView {
    totals: SumsView,
    buckets: Vec<BucketView>,
}

#[derive(Serialize)]
struct BucketView {
    start: String,
    #[serde(flatten)]
    sums: SumsView,
}

impl<'r> AnalyticsView<'r> {
    fn of(report: &'r Report, span: Span, bucket: Bucket, grouping: Option<Grouping>) -> Self {
        let line = |line: &Line| {
            let values = report.starts.iter().zip(&line.values);
            let buckets = values.map(|(start, sums)| BucketView { start: start.to_string(), sums: (*sums).into() });
            LineView { totals: line.total.into(), buckets: buckets.collect() }
        };
        let LineView { totals, buckets } = line(&report.all);
        Self {
            from: span.from.to_string(),
            to: span.to.to_string(),
            bucket: bucket.as_str(),
            group_by: grouping.map(Grouping::as_str),
            totals,
            buckets,
            groups: report.groups.iter().map(|(group, one)| GroupView { group, line: line(one) }).collect(),
            other: report.other.as_ref().map(line),
        }
    }
}

const PARAMETERS: [&str; 10] =
    ["from", "to", "bucket", "group_by", "account_id", "key_id", "project_id", "environment", "route", "code"];
/// Days where nothing is said, and the most.
const HOURLY_DAYS: (u64, u64) = (1, 31);
const DAILY_DAYS: (u64, u64) = (30, Span::MAX_DAYS);
/// Groups with a line of their own.
const MAX_GROUPS: usize = 20;
/// Well within the time that the function is given, so that its caller is told what to do.
const PATIENCE_SECONDS: u64 = 15;
/// 1 MB each.
const MAX_QUERIES: usize = 1_000;
const ACCOUNTS_AT_ONCE: u16 = 1_000;
/// The group of calls by those who signed in, among keys.
const SESSIONS: &str = "sessions";
/// The group of refused calls of which that is not known.
const UNKNOWN: &str = "unknown";
