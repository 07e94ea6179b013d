//! The one write against a plain model of what it should do: the same requests, equal verdicts, an equal item.

use std::collections::BTreeMap;

use faregate_domain::{
    cell::CellId,
    id::KeyId,
    limit::QuotaPolicy,
    time::{Minute, Timestamp},
};
use faregate_tests::{Bundle, Caller, Fault};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::json;

/// What happens to a key.
#[derive(Clone, Debug)]
enum Event {
    /// Somebody calls a route through one of the instances; the wire may play a fault.
    Call { route: Route, instance: usize, fault: Fault },
    /// Time passes.
    Wait { milliseconds: u64 },
    /// The owner freezes or thaws the key.
    Freeze(bool),
    /// Copies that the wire kept arrive now.
    DeliverLate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Free,
    Paid,
    Limited,
}

impl Route {
    fn call(self) -> (&'static str, &'static str, u64) {
        match self {
            Self::Free => ("GET", "/demo/free", 0),
            Self::Paid => ("POST", "/demo/paid", 10_000),
            Self::Limited => ("GET", "/demo/limited", 0),
        }
    }
}

/// A key as its owner understands it: a history of admitted calls, and rules about histories.
struct Model {
    quota: QuotaPolicy,
    per_day: u64,
    budget_micro_usd: u64,
    is_frozen: bool,
    admitted: Vec<(Minute, Route)>,
}

impl Model {
    /// Tokens left in `minute`, by counting from the first admitted call on.
    fn left(&self, quota: QuotaPolicy, minute: Minute, counts: impl Fn(Route) -> bool) -> u32 {
        let mut per_minute: BTreeMap<u64, u32> = BTreeMap::new();
        for (at, _) in self.admitted.iter().filter(|(_, route)| counts(*route)) {
            *per_minute.entry(at.0).or_default() += 1;
        }
        let first = per_minute.keys().next().copied().unwrap_or(minute.0);
        let mut left = None;
        let mut tokens = quota.capacity();
        for at in first..=minute.0 {
            tokens = quota.refill(left);
            let used = per_minute.get(&at).copied().unwrap_or(0);
            tokens -= used;
            left = (used > 0).then_some(tokens);
        }
        tokens
    }

    fn today(&self, minute: Minute) -> u64 {
        self.admitted.iter().filter(|(at, _)| at.day() == minute.day()).count() as u64
    }

    fn spent(&self) -> u64 {
        self.admitted.iter().map(|(_, route)| route.call().2).sum()
    }

    fn call(&mut self, route: Route, now: Timestamp) -> &'static str {
        let minute = now.minute();
        if self.is_frozen || self.spent() + route.call().2 > self.budget_micro_usd {
            return "insufficient_credits";
        }
        if self.today(minute) >= self.per_day {
            return "rate_limited_daily";
        }
        let is_limited = |route: Route| route == Route::Limited;
        if self.left(self.quota, minute, |_| true) == 0
            || (is_limited(route) && self.left(limited_quota(), minute, is_limited) == 0)
        {
            return "rate_limited";
        }
        self.admitted.push((minute, route));
        "ok"
    }
}

fn limited_quota() -> QuotaPolicy {
    QuotaPolicy::new(5, 2).unwrap()
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let route = prop_oneof![3 => Just(Route::Free), 2 => Just(Route::Paid), 3 => Just(Route::Limited)];
    let fault = prop_oneof![
        12 => Just(Fault::None), 1 => Just(Fault::LoseAnswer), 1 => Just(Fault::LoseRequest), 1 => Just(Fault::Delay),
    ];
    let call = (route, 0..3_usize, fault).prop_map(|(route, instance, fault)| Event::Call { route, instance, fault });
    let wait = prop_oneof![
        6 => 0..20_000_u64, 4 => 20_000..70_000_u64, 2 => 70_000..200_000_u64, 1 => Just(86_400_000),
    ];
    let event = prop_oneof![
        16 => call,
        4 => wait.prop_map(|milliseconds| Event::Wait { milliseconds }),
        1 => any::<bool>().prop_map(Event::Freeze),
        1 => Just(Event::DeliverLate),
    ];
    prop::collection::vec(event, 1..60)
}

#[test]
fn the_write_does_what_a_plain_history_demands() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() });
    let quotas = (1_u32..12, 0_u32..12, 5_u64..60, 0_u64..12);
    let property = |((limit, burst, per_day, calls), events): ((u32, u32, u64, u64), Vec<Event>)| {
        runtime.block_on(compare(QuotaPolicy::new(limit, burst.min(limit)).unwrap(), per_day, calls * 10_000, events))
    };
    runner.run(&(quotas, events()), property).unwrap();
}

async fn compare(
    quota: QuotaPolicy,
    per_day: u64,
    budget_micro_usd: u64,
    events: Vec<Event>,
) -> Result<(), TestCaseError> {
    let bundle = Bundle::new().await;
    let limits = json!({"per_minute": quota.limit(), "burst": quota.burst(), "per_day": per_day});
    let budget = format!("{}.{:06}", budget_micro_usd / 1_000_000, budget_micro_usd % 1_000_000);
    let (session, id, key) = bundle.key_of_newcomer(json!({"name": "a", "limits": limits, "budget_usd": budget})).await;
    let instances = [bundle.clone(), bundle.restarted(), bundle.restarted()];
    let mut model = Model { quota, per_day, budget_micro_usd, is_frozen: false, admitted: Vec::new() };
    for event in events {
        match event {
            Event::Call { route, instance, fault } => {
                let (method, path, _) = route.call();
                bundle.link.play([fault]);
                let knock = instances[instance].knock(&key, method, path).await;
                prop_assert_eq!(knock.code.as_str(), model.call(route, bundle.clock.now()), "{:?}", route);
            }
            Event::Wait { milliseconds } => bundle.clock.advance_ms(milliseconds),
            Event::Freeze(is_frozen) => {
                // Logins last minutes and this history may last days: sign in again.
                let session = bundle.login(&session.wallet).await;
                let body = json!({"frozen": is_frozen});
                let patched = bundle.patch(&format!("/v1/api-keys/{id}"), &session.caller(), &body).await;
                prop_assert_eq!(patched.status, 200, "{}", patched.text);
                model.is_frozen = is_frozen;
                // In the middle of a flood a change is seen within a second.
                bundle.clock.advance_ms(1_000);
            }
            Event::DeliverLate => {
                // What was given up for lost and sent again changes nothing when it arrives after all.
                bundle.link.deliver_late().await;
            }
        }
        equal(&bundle, &key, &model).await?;
    }
    Ok(())
}

/// Compares the item with the history.
async fn equal(bundle: &Bundle, key: &Caller, model: &Model) -> Result<(), TestCaseError> {
    let Caller::Key(text) = key else { return Ok(()) };
    let id = CellId::Key(KeyId::from_suffix(&text[8..24]).unwrap());
    let cell = bundle.services.store.find_cell(&id).await.unwrap().unwrap();
    let minute = bundle.clock.now().minute();
    prop_assert_eq!(cell.counters.requests, model.admitted.len() as u64);
    prop_assert_eq!(cell.purse.spent().micro_usd(), model.spent());
    if let Some(left) = cell.counters.minutes.get(&minute) {
        prop_assert_eq!(*left, i64::from(model.left(model.quota, minute, |_| true)));
    }
    if let Some(used) = cell.counters.days.get(&minute.day()) {
        prop_assert_eq!(*used, model.today(minute));
    }
    let left = cell.counters.routes.iter().find(|((_, window), _)| window.index == minute.0).map(|(_, left)| *left);
    if let Some(left) = left {
        let is_limited = |route: Route| route == Route::Limited;
        prop_assert_eq!(left, i64::from(model.left(limited_quota(), minute, is_limited)));
    }
    Ok(())
}
