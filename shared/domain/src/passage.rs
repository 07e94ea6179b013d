//! A decision under an `Idempotency-Key`: taken once, whoever asks how often, and whoever dies meanwhile.
//!
//! Before the one write of an attempt is sent, a record names the attempt: its lane, its number there and its charge. The
//! cell's slot of that lane then tells for good whether the attempt was applied, because until there is an answer nobody
//! else writes under the lane:
//!
//! ```text
//! slot   below its number   it was not applied, and a copy may be on its way: the lane is closed to it first
//!        its number         it was applied
//!        above its number   the lane was closed to it: it was not applied and never will be
//! ```

use crate::{
    cell::Cell,
    charge::ChargeId,
    idempotency::{Fingerprint, IdempotencyKey, Precedent},
    lease::Lease,
    money::MicroUsd,
    time::Timestamp,
};

/// One request's passage, as its record states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The request's body.
    pub fingerprint: Fingerprint,
    /// From when on it is forgotten.
    pub end: Timestamp,
    /// How far it has come.
    pub stage: Stage,
}

/// How far a request has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// An attempt is on its way.
    Begun(Begun),
    /// It was answered so.
    Answered(String),
}

/// An attempt that is to answer a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Who is at it: a name that nobody else has.
    pub holder: String,
    /// Until when whoever asks again is told to wait.
    pub until: Timestamp,
    /// The attempt.
    pub pledge: Pledge,
}

/// What names an attempt for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pledge {
    /// The charge that it makes, in the cell that it writes to.
    pub charge: ChargeId,
    /// The lane that it writes under.
    pub lane: String,
    /// Its number in that lane, which it keeps.
    pub seq: u64,
    /// What it costs, or reserves.
    pub cost: MicroUsd,
    /// What it holds until it is settled; `None` where the price is fixed.
    pub lease: Option<Lease>,
}

impl Pledge {
    /// Whether the state shows the attempt as applied. Otherwise it was not, once its lane is closed to it.
    #[must_use]
    pub fn is_applied(&self, cell: &Cell) -> bool {
        cell.counters.slots.get(&self.lane) == Some(&self.seq)
    }
}

/// What a passage means for a request under the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<'p> {
    /// Nothing: it has been forgotten.
    Forgotten,
    /// It is another request's.
    Other,
    /// The same request, which gets the same answer.
    Answered(&'p str),
    /// The same request, which somebody is at.
    Running {
        /// When to ask again.
        retry_at: Timestamp,
    },
    /// The same request, whose attempt nobody is at any more: its cell tells what became of it.
    Broken(&'p Begun),
}

impl Passage {
    /// For how long whoever begins an attempt is left alone with it, in seconds: a function may run for 3, so nobody who
    /// is still at it is disturbed; and no longer, so that a client learns within its attempts what became of a call
    /// whose process has died. One that is disturbed all the same loses its lane, and no charge is made twice.
    pub const ALONE_S: u64 = 4;
    /// For how long after its beginning a broken attempt can be told from its cell, in seconds. A slot stays for
    /// [`IdempotencyKey::LIFETIME_S`] at least; the rest is for clocks that differ.
    pub const RESUMABLE_S: u64 = 300;

    /// What it means for the request of that fingerprint.
    #[must_use]
    pub fn progress(&self, request: Fingerprint, now: Timestamp) -> Progress<'_> {
        match Precedent::of(self.fingerprint, self.end, request, now) {
            Precedent::Forgotten => Progress::Forgotten,
            Precedent::Other => Progress::Other,
            Precedent::Same => match &self.stage {
                Stage::Answered(text) => Progress::Answered(text),
                Stage::Begun(begun) if now < begun.until => Progress::Running { retry_at: begun.until },
                Stage::Begun(begun) if now < self.resumable_until() => Progress::Broken(begun),
                Stage::Begun(_) => Progress::Running { retry_at: self.end },
            },
        }
    }

    /// When it was begun.
    #[must_use]
    pub fn begun_at(&self) -> Timestamp {
        self.end.minus_s(IdempotencyKey::LIFETIME_S)
    }

    fn resumable_until(&self) -> Timestamp {
        self.end.minus_s(IdempotencyKey::LIFETIME_S - Self::RESUMABLE_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cell::CellId, charge::ChargeNonce, id::KeyId};

    fn at(epoch_s: u64) -> Timestamp {
        Timestamp::from_epoch_s(epoch_s)
    }

    fn begun() -> Begun {
        let charge = ChargeId {
            cell: CellId::Key(KeyId::mint(&mut |pool| pool.fill(1))),
            nonce: ChargeNonce::mint(&mut |pool| pool.fill(2)),
        };
        let pledge = Pledge { charge, lane: "lane".into(), seq: 7, cost: MicroUsd::ZERO, lease: None };
        Begun { holder: "me".into(), until: at(1_010), pledge }
    }

    #[test]
    fn an_attempt_is_waited_for_then_resumed_then_left_to_lapse() {
        let (own, other) = (Fingerprint::of(b"1"), Fingerprint::of(b"2"));
        let begun = begun();
        let passage = Passage { fingerprint: own, end: at(1_600), stage: Stage::Begun(begun.clone()) };
        for (now, wanted) in [
            (1_000, Progress::Running { retry_at: at(1_010) }),
            (1_009, Progress::Running { retry_at: at(1_010) }),
            (1_010, Progress::Broken(&begun)),
            (1_299, Progress::Broken(&begun)),
            // The slot that would tell may be gone before long.
            (1_300, Progress::Running { retry_at: at(1_600) }),
            (1_599, Progress::Running { retry_at: at(1_600) }),
            (1_600, Progress::Forgotten),
        ] {
            assert_eq!(passage.progress(own, at(now)), wanted, "{now}");
        }
        for now in [1_000, 1_100, 1_400] {
            assert_eq!(passage.progress(other, at(now)), Progress::Other, "{now}");
        }
    }

    #[test]
    fn an_answer_stands_until_it_is_forgotten() {
        let own = Fingerprint::of(b"1");
        let passage = Passage { fingerprint: own, end: at(1_600), stage: Stage::Answered("text".into()) };
        assert_eq!(passage.progress(own, at(1_599)), Progress::Answered("text"));
        assert_eq!(passage.progress(Fingerprint::of(b"2"), at(1_599)), Progress::Other);
        assert_eq!(passage.progress(own, at(1_600)), Progress::Forgotten);
    }
}
