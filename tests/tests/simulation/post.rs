//! The post between instances and table: what arrives, when, how often, and which answers come back.

use std::collections::BTreeSet;

use faregate_tests::{
    engine::{Engine, Reply},
    wire::{Broken, Parcel, Wire},
};
use serde_json::{Value, json};

use crate::{
    dice::Dice,
    ledger::{Ledger, Violation},
    sabotage::Sabotage,
    trace::Trace,
};

/// Requests and answers on their way.
pub(crate) struct Post {
    engine: Engine,
    pub(crate) weather: Weather,
    pub(crate) sabotage: Option<Sabotage>,
    letters: Vec<Letter>,
    /// Copies that arrive later, and again.
    copies: Vec<Copy>,
    /// Senders to whom an answer of the table was delivered that settles something.
    pub(crate) answered: BTreeSet<u64>,
    /// Senders of whom anything was sent at all.
    pub(crate) senders: BTreeSet<u64>,
    /// Senders of whom something was carried out that nobody waited for any more.
    pub(crate) strays: BTreeSet<u64>,
}

/// How often in a thousand each misfortune strikes a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    /// It never arrives.
    lost: u64,
    /// It arrives after everybody has given up.
    delayed: u64,
    /// It is carried out and its answer is lost.
    mute: u64,
    /// It arrives twice.
    doubled: u64,
    /// It is refused as too much.
    throttled: u64,
    /// It is answered with an internal error, whether it was carried out or not.
    broken: u64,
    /// It meets a transaction.
    conflict: u64,
    /// Everything stands still for so long that callers give up.
    stalled: u64,
}

impl Weather {
    /// Each kind of misfortune may be absent from a run, so that the others are not hidden behind it.
    pub(crate) fn roll(dice: &mut Dice) -> Self {
        let most = *dice.pick(&[0, 40, 100, 200]);
        let mut of = |most: u64| if dice.chance(500) { dice.between(0, most) } else { 0 };
        Self {
            lost: of(most),
            delayed: of(most),
            mute: of(most),
            doubled: of(3 * most),
            throttled: of(most),
            broken: of(most / 2),
            conflict: of(most),
            stalled: of(most / 5),
        }
    }

    /// Milliseconds until the next thing happens.
    pub(crate) fn pause_ms(&self, dice: &mut Dice) -> u64 {
        let (low, high) = dice.weigh(&[(600, (0, 0)), (300, (1, 1)), (90, (1, 6)), (self.stalled, (100, 900))]);
        dice.between(low, high)
    }
}

struct Letter {
    parcel: Parcel,
    request: Value,
    /// The table's answer, once it was asked.
    reply: Option<Reply>,
}

struct Copy {
    sender: u64,
    operation: String,
    request: Value,
    sent_at_ms: u64,
    due: u64,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrive,
    Lose,
    Delay,
    Mute,
    Double,
    Refuse(u16, &'static str),
    BreakBefore,
    BreakAfter,
    Conflict,
}

impl Post {
    /// A post in fair weather: everything arrives, once, and is answered.
    pub(crate) fn new(engine: Engine, sabotage: Option<Sabotage>) -> Self {
        Self {
            engine,
            weather: Weather::default(),
            sabotage,
            letters: Vec::new(),
            copies: Vec::new(),
            answered: BTreeSet::new(),
            senders: BTreeSet::new(),
            strays: BTreeSet::new(),
        }
    }

    /// Takes in what was sent.
    pub(crate) fn collect(&mut self, wire: &Wire) {
        for mut parcel in wire.collect() {
            if let Some(sabotage) = &mut self.sabotage {
                sabotage.strike(&mut parcel.body);
            }
            self.senders.insert(parcel.sender);
            let request = serde_json::from_str(&parcel.body).unwrap();
            self.letters.push(Letter { parcel, request, reply: None });
        }
    }

    /// Requests and answers on their way; copies do not count.
    pub(crate) fn len(&self) -> usize {
        self.letters.len()
    }

    /// Moves one letter on, whichever; or lets a copy arrive that is due.
    ///
    /// # Errors
    /// What the ledger finds.
    pub(crate) fn step(&mut self, dice: &mut Dice, office: &mut Office<'_>) -> Result<(), Violation> {
        let due = self.copies.iter().position(|copy| copy.due <= office.ledger.moment());
        if let Some(at) = due.filter(|_| self.letters.is_empty() || dice.chance(300)) {
            let copy = self.copies.swap_remove(at);
            return self.deliver_copy(copy, office);
        }
        if self.letters.is_empty() {
            return Ok(());
        }
        let at = dice.place(self.letters.len());
        if self.letters[at].reply.is_some() {
            let letter = self.letters.swap_remove(at);
            self.answer(letter, office);
            return Ok(());
        }
        let fate = self.fate(&self.letters[at], dice);
        self.meet(at, fate, dice, office)
    }

    /// Lets every copy arrive that still lies somewhere.
    ///
    /// # Errors
    /// What the ledger finds.
    pub(crate) fn deliver_copies(&mut self, dice: &mut Dice, office: &mut Office<'_>) -> Result<(), Violation> {
        while !self.copies.is_empty() {
            let at = dice.place(self.copies.len());
            let copy = self.copies.swap_remove(at);
            office.ledger.advance(office.now_ms);
            self.deliver_copy(copy, office)?;
        }
        Ok(())
    }

    fn fate(&self, letter: &Letter, dice: &mut Dice) -> Fate {
        let Weather { lost, delayed, mute, doubled, throttled, broken, conflict, .. } = self.weather;
        let is_write = !READS.contains(&letter.parcel.operation.as_str());
        let of_write = |weight| if is_write { weight } else { 0 };
        let unsure = broken + of_write(2 * broken);
        let bad = lost + of_write(delayed) + mute + of_write(doubled) + throttled + unsure + of_write(conflict);
        dice.weigh(&[
            (1_000_u64.saturating_sub(bad).max(100), Fate::Arrive),
            (lost, Fate::Lose),
            (of_write(delayed), Fate::Delay),
            (mute, Fate::Mute),
            (of_write(doubled), Fate::Double),
            (throttled, Fate::Refuse(400, "ProvisionedThroughputExceededException")),
            (broken, Fate::Refuse(500, "InternalServerError")),
            (of_write(broken), Fate::BreakBefore),
            (of_write(broken), Fate::BreakAfter),
            (of_write(conflict), Fate::Conflict),
        ])
    }

    fn meet(&mut self, at: usize, fate: Fate, dice: &mut Dice, office: &mut Office<'_>) -> Result<(), Violation> {
        let line = format!("{} {fate:?}", self.letters[at].describe(office.trace));
        office.trace.note(|| line);
        match fate {
            Fate::Arrive => self.carry_out(at, office),
            Fate::Lose => {
                self.hang_up(at, dice);
                Ok(())
            }
            Fate::Delay => {
                self.copy(at, dice, office);
                self.hang_up(at, dice);
                Ok(())
            }
            Fate::Mute => {
                self.carry_out(at, office)?;
                self.hang_up(at, dice);
                Ok(())
            }
            Fate::Double => {
                self.carry_out(at, office)?;
                // What DynamoDB refused it does not carry out later, by its own promise.
                if self.letters[at].reply.as_ref().is_some_and(Reply::is_success) {
                    self.copy(at, dice, office);
                }
                Ok(())
            }
            Fate::BreakBefore => {
                self.copy(at, dice, office);
                self.letters[at].reply = Some(Reply::exception(500, "InternalServerError"));
                Ok(())
            }
            Fate::Refuse(status, name) => {
                self.letters[at].reply = Some(Reply::exception(status, name));
                Ok(())
            }
            Fate::BreakAfter => {
                self.carry_out(at, office)?;
                self.letters[at].reply = Some(Reply::exception(500, "InternalServerError"));
                Ok(())
            }
            Fate::Conflict => {
                self.letters[at].reply = Some(conflict(&self.letters[at]));
                Ok(())
            }
        }
    }

    fn carry_out(&mut self, at: usize, office: &mut Office<'_>) -> Result<(), Violation> {
        let letter = &mut self.letters[at];
        let reply = self.engine.apply(&letter.parcel.operation, &letter.parcel.body);
        assert!(!reply.body.contains("ValidationException"), "{}: {}", letter.parcel.body, reply.body);
        office.trace.note(|| format!("  = {}", summary(&reply)));
        let (sender, operation) = (letter.parcel.sender, &letter.parcel.operation);
        if letter.parcel.answer.is_closed() {
            self.strays.insert(sender);
        }
        let witnessed = office.ledger.witness(sender, operation, &letter.request, &reply);
        let partition = letter.request["Key"]["pk"]["S"].as_str().unwrap_or_default();
        if let Some(cell) = office.ledger.cells.get(partition).filter(|_| operation != READS[0] && reply.is_success()) {
            office.trace.note(|| format!("  {}", cell.last().summary()));
        }
        letter.reply = Some(reply);
        witnessed
    }

    fn answer(&mut self, letter: Letter, office: &mut Office<'_>) {
        let Some(reply) = letter.reply else { unreachable!("only what was carried out is answered") };
        office.trace.note(|| format!("answer to {}: {}", letter.parcel.sender, summary(&reply)));
        if is_settled(&reply) {
            self.answered.insert(letter.parcel.sender);
        }
        // Whoever has given up or died does not hear it.
        let _ = letter.parcel.answer.send(Ok(reply));
    }

    /// The caller hears nothing more, or that the connection broke.
    fn hang_up(&mut self, at: usize, dice: &mut Dice) {
        let letter = self.letters.swap_remove(at);
        if dice.chance(500) {
            let _ = letter.parcel.answer.send(Err(Broken));
        }
    }

    fn copy(&mut self, at: usize, dice: &mut Dice, office: &Office<'_>) {
        let letter = &self.letters[at];
        let wait = dice.weigh(&[(3, 20), (3, 200), (2, 2_000), (2, u64::MAX / 2)]);
        self.copies.push(Copy {
            sender: letter.parcel.sender,
            operation: letter.parcel.operation.clone(),
            request: letter.request.clone(),
            sent_at_ms: office.now_ms,
            due: office.ledger.moment() + dice.between(1, wait),
        });
    }

    fn deliver_copy(&mut self, mut copy: Copy, office: &mut Office<'_>) -> Result<(), Violation> {
        // DynamoDB knows a transaction again for ten minutes.
        if office.now_ms > copy.sent_at_ms + TOKEN_MS
            && let Some(request) = copy.request.as_object_mut()
        {
            request.remove("ClientRequestToken");
        }
        self.strays.insert(copy.sender);
        let reply = self.engine.apply(&copy.operation, &copy.request.to_string());
        let subject = subject(&copy.request, office.trace);
        office.trace.note(|| format!("copy of {} {subject} of {}: {}", copy.operation, copy.sender, summary(&reply)));
        office.ledger.witness(copy.sender, &copy.operation, &copy.request, &reply)
    }
}

/// Where what happens is written down.
pub(crate) struct Office<'o> {
    pub(crate) ledger: &'o mut Ledger,
    pub(crate) trace: &'o mut Trace,
    pub(crate) now_ms: u64,
}

impl Letter {
    fn describe(&self, trace: &Trace) -> String {
        format!("{} {} of {}", self.parcel.operation, subject(&self.request, trace), self.parcel.sender)
    }
}

fn subject(request: &Value, trace: &Trace) -> String {
    let Some(key) = request.get("Key") else { return String::new() };
    let name = |part: &str| trace.name(key[part]["S"].as_str().unwrap());
    format!("{} {}", name("pk"), name("sk"))
}

fn summary(reply: &Reply) -> String {
    if reply.is_success() {
        return "200".to_owned();
    }
    let kind = reply.body.split_once('#').and_then(|(_, rest)| rest.split('"').next());
    format!("{} {}", reply.status, kind.unwrap_or_default())
}

/// Whether an answer says what the table holds: anything else settles nothing.
fn is_settled(reply: &Reply) -> bool {
    reply.is_success() || reply.body.contains("ConditionalCheckFailed")
}

fn conflict(letter: &Letter) -> Reply {
    let Some(parts) = letter.request["TransactItems"].as_array() else {
        return Reply::exception(400, "TransactionConflictException");
    };
    let reason = |place: usize| json!({"Code": if place == 0 { "TransactionConflict" } else { "None" }});
    let reasons: Vec<_> = (0..parts.len()).map(reason).collect();
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    let body = json!({"__type": kind, "Message": "injected", "CancellationReasons": reasons});
    Reply { status: 400, body: body.to_string() }
}

const TOKEN_MS: u64 = 600_000;
const READS: [&str; 3] = ["GetItem", "BatchGetItem", "Query"];
