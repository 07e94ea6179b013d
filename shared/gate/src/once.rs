//! A decision under an `Idempotency-Key`: counted and charged once, whatever is lost and whoever dies.
//!
//! ```text
//! prepare ──▶ decided already ──▶ write the answer down
//!    │
//!    └──▶ an attempt ──▶ pledge it ──▶ send it ──▶ write the answer down
//!                          │ there is one already: wait for it, answer what it was answered,
//!                          │ or, where nobody is at it any more, ask its cell
//! ```

use faregate_domain::{
    base62,
    charge::ChargeId,
    client_session::ClientPass,
    credential::Credential,
    idempotency::IdempotencyKey,
    passage::{Begun, Passage, Pledge, Progress, Stage},
    time::Timestamp,
};
use faregate_edge::entropy;
use faregate_store::{Outcome, PassageOutcome};

use crate::{Call, Decision, Gate, GateError, gate::Prepared, pass::Ready, replay::Ticket};

/// What becomes of a request under an `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once {
    /// It is answered with this text, now or as it was before.
    Answered(String),
    /// Somebody is at it.
    InFlight {
        /// When to ask again.
        retry_at: Timestamp,
    },
    /// The key stands for another request.
    Reused,
}

impl Gate {
    /// Decides a call as [`Gate::decide_call`] does, once for all requests with this ticket; `render` makes the answer
    /// that they all get.
    ///
    /// # Errors
    /// [`GateError`] when a part failed. The same request may then be sent again: it finds out what became of the first.
    pub async fn decide_once(
        &self,
        call: &Call<'_>,
        ticket: &Ticket,
        render: impl Fn(&Decision) -> serde_json::Result<String> + Sync,
    ) -> Result<Once, GateError> {
        for round in 0..MAX_ROUNDS {
            self.turns.pause(round).await;
            let now = self.services().clock.now();
            let asked = Asked { call, ticket, render: &render, now };
            let written = match self.prepare(call, now).await? {
                Prepared::Decided(decision) => {
                    let decision = self.to_browsers(*decision, call);
                    self.write_down(&asked, &decision).await?
                }
                Prepared::Ready(ready) => self.pledge(&asked, *ready).await?,
            };
            let found = match written {
                Passed::Answered(answer) => return Ok(Once::Answered(answer)),
                Passed::Found(found) => found,
                Passed::Gone => continue,
            };
            match found.progress(ticket.fingerprint, now) {
                Progress::Forgotten => {}
                Progress::Other => return Ok(Once::Reused),
                Progress::Answered(answer) => return Ok(Once::Answered(answer.to_owned())),
                Progress::Running { retry_at } => return Ok(Once::InFlight { retry_at }),
                Progress::Broken(begun) => self.recover(&asked, begun, found.begun_at()).await?,
            }
        }
        Err(GateError::Contended)
    }

    /// Writes down the answer to a request that needs no attempt.
    async fn write_down(&self, asked: &Asked<'_>, decision: &Decision) -> Result<Passed, GateError> {
        let answer = (asked.render)(decision)?;
        let passage = asked.passage(Stage::Answered(answer.clone()));
        let outcome = self.services().store.insert_passage(&asked.ticket.name, &passage, asked.now).await?;
        self.count_once(asked, &outcome, decision).await;
        Ok(Passed::of(outcome, answer))
    }

    /// Names the attempt that is to answer the request, then makes it.
    ///
    /// Until the answer is written down, nobody writes under the attempt's lane again: not this process, even where it
    /// fails or is stopped in between.
    async fn pledge(&self, asked: &Asked<'_>, mut ready: Ready) -> Result<Passed, GateError> {
        let name = &asked.ticket.name;
        let holder = base62::random(HOLDER_CHARS, &mut entropy::fill);
        let attempt = &ready.attempt;
        let pledge = Pledge {
            charge: ChargeId { cell: attempt.cell.clone(), nonce: attempt.row.charge.clone() },
            lane: attempt.lane.clone(),
            seq: attempt.seq,
            cost: attempt.cost,
            lease: attempt.lease,
        };
        let begun = Begun { holder: holder.clone(), until: asked.now.plus_s(Passage::ALONE_S), pledge };
        let passage = asked.passage(Stage::Begun(begun));
        match self.services().store.insert_passage(name, &passage, asked.now).await? {
            PassageOutcome::Written => {}
            PassageOutcome::Found(found) => return Ok(Passed::Found(found)),
            PassageOutcome::Gone => return Ok(Passed::Gone),
        }
        ready.is_pledged = true;
        ready.lane.retire();
        let answered = self.keep_pledge(asked, ready, &holder).await;
        if answered.is_err() {
            // What became of the attempt is not known here; whoever asks next finds out.
            let released = self.services().store.release_passage(name, &holder).await;
            released.unwrap_or_else(|error| tracing::warn!(%error, "a broken attempt holds its key for a while"));
        }
        answered
    }

    async fn keep_pledge(&self, asked: &Asked<'_>, ready: Ready, holder: &str) -> Result<Passed, GateError> {
        let (passed, mut lane) = Box::pin(self.carry_out(ready)).await?;
        let refusals = asked.call.refusals(&self.services().config.policy);
        let decision = self.to_browsers(Decision::of(passed, refusals, asked.now)?, asked.call);
        let answer = (asked.render)(&decision)?;
        let outcome = self.services().store.answer_passage(&asked.ticket.name, holder, &answer).await?;
        if outcome == PassageOutcome::Written {
            lane.reinstate();
        }
        // Nobody waits for a lane while a refusal is written down.
        drop(lane);
        self.count_once(asked, &outcome, &decision).await;
        Ok(Passed::of(outcome, answer))
    }

    /// Counts a refusal that is what all requests of the ticket are answered; whoever repeats one is not refused anew.
    async fn count_once(&self, asked: &Asked<'_>, outcome: &PassageOutcome, decision: &Decision) {
        if *outcome == PassageOutcome::Written {
            self.count_if_refused(decision, asked.call).await;
        }
    }

    /// Finds out what became of an attempt that nobody is at any more: where it was applied, its answer is written down;
    /// where it was not, its lane is closed to it for good, and another may be made.
    async fn recover(&self, asked: &Asked<'_>, begun: &Begun, at: Timestamp) -> Result<(), GateError> {
        let (store, name) = (&self.services().store, &asked.ticket.name);
        let pledge = &begun.pledge;
        let cell = match store.close_lane(&pledge.charge.cell, &pledge.lane, pledge.seq).await? {
            Outcome::Refused { cell: Some(cell), .. } if pledge.is_applied(&cell) => cell,
            _ => return Ok(store.withdraw_passage(name, &begun.holder).await?),
        };
        // The same body has the same route, unless the policy was changed since.
        let Some(route) = asked.call.route.as_deref() else { return Err(GateError::Contended) };
        let pass = self.pass_of(asked.call, at).await?;
        let decision = Decision::recovered(pledge, &cell, route, pass.as_ref(), asked.now);
        let answer = (asked.render)(&self.to_browsers(decision, asked.call))?;
        store.answer_passage(name, &begun.holder, &answer).await?;
        Ok(())
    }
}

impl Gate {
    /// What the call's token says of its client session, looked at as of then: it may have ended since.
    async fn pass_of(&self, call: &Call<'_>, at: Timestamp) -> Result<Option<ClientPass>, GateError> {
        let Ok(credential @ Credential::Client(_)) = &call.credential else { return Ok(None) };
        let claim = self.claim(credential, at).await?;
        Ok(claim.ok().and_then(|claim| claim.proof.client().cloned()))
    }
}

/// One round's question.
struct Asked<'a> {
    call: &'a Call<'a>,
    ticket: &'a Ticket,
    render: &'a (dyn Fn(&Decision) -> serde_json::Result<String> + Sync),
    now: Timestamp,
}

impl Asked<'_> {
    fn passage(&self, stage: Stage) -> Passage {
        let end = self.now.plus_s(IdempotencyKey::LIFETIME_S);
        Passage { fingerprint: self.ticket.fingerprint, end, stage }
    }
}

/// How far a round has come.
enum Passed {
    Answered(String),
    Found(Box<Passage>),
    Gone,
}

impl Passed {
    fn of(outcome: PassageOutcome, answer: String) -> Self {
        match outcome {
            PassageOutcome::Written => Self::Answered(answer),
            PassageOutcome::Found(found) => Self::Found(found),
            PassageOutcome::Gone => Self::Gone,
        }
    }
}

/// 11 base62 characters: 65 random bits.
const HOLDER_CHARS: usize = 11;
/// Each round more means that somebody else wrote in between.
const MAX_ROUNDS: u32 = 8;
