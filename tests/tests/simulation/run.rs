//! One run from its seed to its verdict.

use std::{collections::BTreeMap, time::Duration};

use faregate_edge::entropy;
use faregate_tests::{Answer, Knock, wire::on_behalf_of};
use tokio::task::JoinHandle;

use crate::{
    calls::{self, Call, Told},
    dice::Dice,
    ledger::{Ledger, Violation},
    post::{Office, Post, Weather},
    reports::{self, End, Report},
    sabotage::Sabotage,
    script::{Change, Event, ROUTES, Script},
    trace::Trace,
    wishes::{self, Wish},
    world::{Template, World, dump},
};

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) hash: u64,
    pub(crate) trace: Trace,
    pub(crate) tally: Tally,
    pub(crate) violation: Option<Violation>,
    /// How often the guard that was taken out would have been there.
    pub(crate) strikes: u64,
}

/// What happened in a run, in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) admitted: usize,
    pub(crate) refused: usize,
    pub(crate) failed: usize,
    pub(crate) crashed: usize,
    pub(crate) changed: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.admitted += other.admitted;
        self.refused += other.refused;
        self.failed += other.failed;
        self.crashed += other.crashed;
        self.changed += other.changed;
    }
}

/// Plays one seed.
pub(crate) fn play(seed: u64, sabotage: Option<Sabotage>) -> Played {
    let template = Template::find();
    // Pauses between tries are drawn from this thread's generator, by the SDK as by the store.
    fastrand::seed(seed);
    entropy::seed_thread(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut run = Run::begin(seed, template, sabotage);
        let violation = run.play().await.err();
        let strikes = run.post.sabotage.as_ref().map_or(0, |sabotage| sabotage.strikes);
        Played { hash: run.trace.hash(), tally: run.tally(), violation, strikes, trace: run.trace }
    })
}

struct Run {
    world: World,
    post: Post,
    ledger: Ledger,
    trace: Trace,
    script: Script,
    dice: Dice,
    running: Vec<Running>,
    calls: BTreeMap<u64, Call>,
    wishes: BTreeMap<u64, Wish>,
    reports: BTreeMap<u64, Report>,
    /// Numbers for calls, wishes and reports; 0 is nobody.
    last_number: u64,
    /// Nothing new happens before this moment of the runtime's clock.
    quiet_until: tokio::time::Instant,
}

struct Running {
    number: u64,
    instance: usize,
    task: JoinHandle<Outcome>,
}

enum Outcome {
    Call(Knock),
    Wish(Answer),
    Report(Answer),
}

impl Run {
    fn begin(seed: u64, template: &'static Template, sabotage: Option<Sabotage>) -> Self {
        let mut dice = Dice::for_subject(seed, 1);
        let instances = dice.between(2, 6);
        let world = World::new(template, instances, &mut dice);
        let ledger = Ledger::open(world.engine.clone(), &dump(&world.engine), &template.project, template.policy());
        Self {
            post: Post::new(world.engine.clone(), sabotage),
            script: Script::roll(seed, template.keys.len(), template.callers(), world.instances.len()),
            ledger,
            trace: Trace::new(template.names()),
            dice,
            running: Vec::new(),
            calls: BTreeMap::new(),
            wishes: BTreeMap::new(),
            reports: BTreeMap::new(),
            last_number: 0,
            quiet_until: world.began,
            world,
        }
    }

    async fn play(&mut self) -> Result<(), Violation> {
        self.post.weather = Weather::roll(&mut self.dice);
        self.trace.note(|| format!("{} instances, {:?}", self.world.instances.len(), self.post.weather));
        while !self.script.is_over() {
            let is_idle = self.running.is_empty() && self.post.len() == 0;
            let is_time = tokio::time::Instant::now() >= self.quiet_until && self.running.len() < MOST_RUNNING;
            if is_time && (is_idle || self.dice.chance(EVENTS_PER_MILLE)) {
                let event = self.script.next();
                if let Event::Jump(jump) = event
                    && jump.is_long()
                {
                    // No call lasts for minutes: its instance gives up long before. What it sent may.
                    self.end_calls().await?;
                }
                self.happen(event);
            }
            self.step().await?;
        }
        self.post.weather = Weather::default();
        self.rest().await?;
        self.check()?;
        let mut office =
            Office { ledger: &mut self.ledger, trace: &mut self.trace, now_ms: self.world.now().epoch_ms() };
        self.post.deliver_copies(&mut self.dice, &mut office)?;
        self.check()?;
        self.finish_all().await?;
        self.knock_everywhere().await?;
        self.check()
    }

    /// Whoever asks again finishes what somebody began: settlements that were only written down, keys that were only
    /// ended. Then nothing is left between places, and no money in keys that have ended.
    async fn finish_all(&mut self) -> Result<(), Violation> {
        let open = self.ledger.settlements.iter().filter(|(charge, _)| self.ledger.is_open(charge));
        let open: Vec<_> = open.map(|(charge, settlement)| (charge.clone(), settlement.clone())).collect();
        for (charge, (outcome, cost)) in open {
            let cents = u64::try_from(cost / 10_000).unwrap();
            let end = if outcome == "failed" { End::Failed } else { End::Succeeded(Some(cents)) };
            self.report(charge.clone(), end, 0);
            self.rest().await?;
            if self.ledger.is_open(&charge) {
                return Err(format!("{charge} stays open although its settlement was reported again"));
            }
        }
        for (number, key) in self.world.template.keys.iter().enumerate() {
            if self.ledger.cells[&key.id].last().status == "R" {
                self.wish(number, Change::Revoke, 0);
                self.rest().await?;
                let cell = self.ledger.cells[&key.id].last();
                if cell.balance > 0 || self.wishes[&self.last_number].told.is_none_or(|(_, status)| status != 204) {
                    return Err(format!("money stays in a key that has ended: {cell:?}"));
                }
            }
        }
        Ok(())
    }

    /// Every instance answers and every key is answered for, now that nothing stands in the way.
    async fn knock_everywhere(&mut self) -> Result<(), Violation> {
        let (instances, keys) = (self.world.instances.len(), self.world.template.keys.len());
        let anything = (0..keys).map(|key| (key, 1, key % instances));
        let healthy = (0..instances).map(|instance| (keys - 1, 0, instance));
        for (key, route, instance) in anything.chain(healthy) {
            self.call(key, route, instance);
            self.rest().await?;
            let call = &self.calls[&self.last_number];
            // A refusal needs its reason like any other.
            let is_answered = call.told.as_ref().is_some_and(|(_, told)| *told != Told::Failed);
            if !is_answered {
                return Err(format!("nothing is wrong any more, and still: {call:?}"));
            }
        }
        Ok(())
    }

    /// One event of the script.
    fn happen(&mut self, event: Event) {
        self.trace.note(|| format!("event: {event:?}"));
        match event {
            Event::Calls(calls) => calls.into_iter().for_each(|(who, route, instance)| self.call(who, route, instance)),
            Event::Report { end, instance } => self.report_something(end, instance),
            Event::Change { key, change, instance } => self.wish(key, change, instance),
            Event::Abandon => {
                if !self.running.is_empty() {
                    let at = self.dice.place(self.running.len());
                    self.running.swap_remove(at).task.abort();
                }
            }
            Event::Crash { instance } => {
                let (dead, alive) =
                    std::mem::take(&mut self.running).into_iter().partition(|task| task.instance == instance);
                self.running = alive;
                let dead: Vec<Running> = dead;
                for running in &dead {
                    running.task.abort();
                }
                self.world.restart(instance, &mut self.dice);
            }
            Event::Jump(jump) => self.world.jump(jump, &mut self.dice),
            Event::Wait { milliseconds } => {
                self.quiet_until = tokio::time::Instant::now() + Duration::from_millis(milliseconds);
            }
        }
    }

    fn call(&mut self, who: usize, route: usize, instance: usize) {
        self.last_number += 1;
        let (number, route) = (self.last_number, &ROUTES[route]);
        let functions = self.world.instances[instance].functions.clone();
        let (caller, partition, session) = self.world.template.caller(who);
        let (partition, session) = (partition.to_owned(), session.map(str::to_owned));
        let call = Call { partition, session, route, began: self.ledger.moment(), told: None };
        self.calls.insert(number, call);
        let work = async move { Outcome::Call(functions.knock(caller, route.method, route.path).await) };
        self.running.push(Running { number, instance, task: tokio::spawn(on_behalf_of(number, work)) });
    }

    fn wish(&mut self, key: usize, change: Change, instance: usize) {
        self.last_number += 1;
        let number = self.last_number;
        let template = self.world.template;
        let (functions, key) = (self.world.instances[instance].functions.clone(), &template.keys[key]);
        let path = format!("/v1/api-keys/{}", key.id);
        let body = change.body().map(|body| body.to_string());
        let wish = Wish { partition: key.id.clone(), change, began: self.ledger.moment(), told: None };
        self.wishes.insert(number, wish);
        let work = async move {
            let method = if body.is_some() { "PATCH" } else { "DELETE" };
            Outcome::Wish(functions.send(method, &path, &template.manager, body.as_deref()).await)
        };
        self.running.push(Running { number, instance, task: tokio::spawn(on_behalf_of(number, work)) });
    }

    /// A report of some call that was admitted and is to be settled, whether or not it was settled before.
    fn report_something(&mut self, end: End, instance: usize) {
        let leased = |call: &&Call| call.route.is_leased;
        let charge = |call: &Call| match &call.told {
            Some((_, Told::Admitted { charge })) => Some(charge.clone()),
            _ => None,
        };
        let charges: Vec<_> = self.calls.values().filter(leased).filter_map(charge).collect();
        if !charges.is_empty() {
            // Most reports are of late calls.
            let last = self.dice.place(charges.len().min(RECENT_CHARGES));
            self.report(charges[charges.len() - 1 - last].clone(), end, instance);
        }
    }

    fn report(&mut self, charge: String, end: End, instance: usize) {
        self.last_number += 1;
        let (number, template) = (self.last_number, self.world.template);
        let functions = self.world.instances[instance].functions.clone();
        let (path, body) = (format!("/v1/charges/{charge}/settle"), end.body().to_string());
        let reserved = self.ledger.charges.get(&charge).map(|charge| charge.cost).unwrap_or_default();
        self.reports.insert(number, Report { charge, reserved, end, told: None });
        let work = async move { Outcome::Report(functions.send("POST", &path, &template.service, Some(&body)).await) };
        self.running.push(Running { number, instance, task: tokio::spawn(on_behalf_of(number, work)) });
    }

    /// Lets everybody do what they can, then one thing happen on the wire.
    async fn step(&mut self) -> Result<(), Violation> {
        match self.post.weather.pause_ms(&mut self.dice) {
            _ if self.running.is_empty() && self.post.len() == 0 => tokio::time::sleep_until(self.quiet_until).await,
            0 if self.post.len() > 0 => tokio::task::yield_now().await,
            milliseconds => tokio::time::sleep(Duration::from_millis(milliseconds.max(1))).await,
        }
        self.ledger.advance(self.world.now().epoch_ms());
        self.world.wind_clocks();
        self.trace.begin(self.ledger.moment(), self.world.began.elapsed());
        self.post.collect(&self.world.wire);
        let mut office =
            Office { ledger: &mut self.ledger, trace: &mut self.trace, now_ms: self.world.now().epoch_ms() };
        self.post.step(&mut self.dice, &mut office)?;
        self.hear().await
    }

    /// Lets everything come to its end.
    async fn rest(&mut self) -> Result<(), Violation> {
        self.end_calls().await?;
        while self.post.len() > 0 {
            self.step().await?;
        }
        Ok(())
    }

    /// Lets every call come to its end; what was sent for them may still be on its way.
    async fn end_calls(&mut self) -> Result<(), Violation> {
        for _ in 0..MOST_STEPS {
            if self.running.is_empty() {
                return Ok(());
            }
            self.step().await?;
        }
        Err(format!("{} calls never end", self.running.len()))
    }

    /// Takes down what callers were told meanwhile.
    async fn hear(&mut self) -> Result<(), Violation> {
        let is_over = |running: &mut Running| running.task.is_finished();
        let over: Vec<Running> = self.running.extract_if(.., is_over).collect();
        for Running { number, task, .. } in over {
            let moment = self.ledger.moment();
            match task.await.map_err(|error| format!("call {number}: {error}"))? {
                Outcome::Call(knock) => {
                    let told = Told::by(&knock);
                    self.trace.note(|| format!("call {number}: {}", told.word()));
                    // Memory may refuse, and then nobody is asked; nor where a visitor's token says that it is over.
                    let is_asked = told.word() == "ok" || self.post.senders.contains(&number);
                    let is_asked = is_asked && told.word() != "invalid_token";
                    if told != Told::Failed && is_asked && !self.post.answered.contains(&number) {
                        return Err(format!("call {number} was decided on nothing: {told:?}"));
                    }
                    self.calls.get_mut(&number).unwrap().told = Some((moment, told));
                }
                Outcome::Report(answer) => {
                    self.trace.note(|| format!("report {number}: {}", answer.status));
                    self.reports.get_mut(&number).unwrap().told = Some((moment, answer.status));
                }
                Outcome::Wish(answer) => {
                    self.trace.note(|| format!("wish {number}: {}", answer.status));
                    self.wishes.get_mut(&number).unwrap().told = Some((moment, answer.status));
                }
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Violation> {
        self.ledger.check_windows()?;
        calls::check(&self.calls, &self.ledger)?;
        reports::check(&self.reports, &self.ledger)?;
        wishes::check(&self.wishes, &self.post.strays, &self.ledger)
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally { changed: self.wishes.len(), ..Tally::default() };
        for call in self.calls.values() {
            match call.told.as_ref().map(|(_, told)| told) {
                Some(Told::Admitted { .. }) => tally.admitted += 1,
                Some(Told::Refused { .. }) => tally.refused += 1,
                Some(Told::Failed) => tally.failed += 1,
                None => tally.crashed += 1,
            }
        }
        tally
    }
}

const RECENT_CHARGES: usize = 6;
const MOST_RUNNING: usize = 24;
const MOST_STEPS: usize = 20_000;
const EVENTS_PER_MILLE: u64 = 150;
