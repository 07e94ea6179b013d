//! The ledger's writes, one after the other.

use faregate_domain::{
    books::{Chunk, Durations, Hole, Numbers, Part, Period, Position, Sequence},
    time::Timestamp,
};
use faregate_store::{
    Awaited, Booked, Booking, Event, KnownCallers, Movement, RequestRow, RowSettlement, SessionFact, SessionSequence,
    SetAside, Store,
};

use super::{Scene, charge, client_session, settled, slot, usd};

/// One of the ledger's writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Active,
    Row,
    LeasedRow,
    SettledRow,
    Await,
    NoteAwaited,
    NoteUnknown,
    AwaitNoted,
    Amend { has_failed: bool },
    AmendNothing,
    Grant,
    GrantBelowZero,
    Return,
    Event,
    EventAboutSomething,
    FirstCallers,
    MoreCallers,
    FirstPosition,
    PositionWithHole,
    HoleClosed,
    Hour,
    Day,
    BeyondGap,
    IntoGap,
    Correction,
    ManyWords,
    ClientSession,
    Aside,
}

/// Each of them, in an order in which it finds what it needs, and whether it changes anything.
pub(super) const STEPS: [(Step, bool); 29] = [
    (Step::Active, true),
    (Step::Row, true),
    (Step::LeasedRow, true),
    (Step::SettledRow, true),
    (Step::Await, true),
    (Step::NoteAwaited, false),
    (Step::NoteUnknown, true),
    (Step::AwaitNoted, false),
    (Step::Amend { has_failed: false }, true),
    (Step::Amend { has_failed: true }, true),
    (Step::AmendNothing, false),
    (Step::Grant, true),
    (Step::GrantBelowZero, true),
    (Step::Return, true),
    (Step::Event, true),
    (Step::EventAboutSomething, true),
    (Step::FirstCallers, true),
    (Step::MoreCallers, true),
    (Step::FirstPosition, true),
    (Step::PositionWithHole, true),
    (Step::HoleClosed, true),
    (Step::Hour, true),
    (Step::Day, true),
    (Step::BeyondGap, true),
    (Step::IntoGap, true),
    (Step::Correction, true),
    (Step::ManyWords, true),
    (Step::ClientSession, true),
    (Step::Aside, true),
];

impl Step {
    /// Sends it; what is written once says something else at the second try, which must not get in.
    pub(super) async fn write(self, store: &Store, scene: &Scene, try_: u64) {
        match self {
            Self::Row | Self::LeasedRow | Self::SettledRow => store.insert_row(&self.row(scene, try_)).await.unwrap(),
            Self::Await | Self::NoteAwaited | Self::NoteUnknown | Self::AwaitNoted => self.settle(store, scene).await,
            Self::Amend { has_failed } => {
                let charge = settled(2, scene.now.plus_s(6), has_failed);
                store.amend_row(&scene.cell, scene.now, &charge, 1).await.unwrap();
            }
            Self::AmendNothing => {
                store.amend_row(&scene.cell, scene.now, &settled(9, scene.now, true), 1).await.unwrap();
            }
            Self::Grant | Self::GrantBelowZero | Self::Return => self.transfer(store, scene, try_).await,
            Self::Active => store.note_active(&scene.owner.account, scene.now).await.unwrap(),
            Self::Event | Self::EventAboutSomething => {
                let event = Event {
                    kind: "gap".to_owned(),
                    what: if self == Self::Event { String::new() } else { "n-2-4".to_owned() },
                    at: scene.now,
                    account: scene.owner.account.clone(),
                    details: format!(r#"{{"try":{try_}}}"#),
                };
                store.insert_event(&scene.cell, &event).await.unwrap();
            }
            Self::FirstCallers | Self::MoreCallers => self.remember(store, scene, try_).await,
            Self::FirstPosition | Self::PositionWithHole | Self::HoleClosed => self.advance(store, scene, try_).await,
            Self::Hour | Self::Day | Self::BeyondGap | Self::IntoGap | Self::Correction | Self::ManyWords => {
                self.book(store, scene, try_).await;
            }
            Self::ClientSession => {
                let fact = |sequence, seq, micro_usd| SessionFact { sequence, seq, micro_usd };
                let charged = i64::try_from(100 * try_).unwrap();
                let facts = [
                    fact(SessionSequence::Requests, 1, charged),
                    fact(SessionSequence::Requests, 2, charged),
                    fact(SessionSequence::Settlements, 1, -63),
                ];
                store.book_session(&client_session(), &facts).await.unwrap();
            }
            Self::Aside => {
                let (number, record) = ("100000000000000000042".to_owned(), r#"{"dynamodb":{}}"#.to_owned());
                let aside = SetAside { sequence_number: number, why: "no row".to_owned(), record, at: scene.now };
                store.set_aside(&aside).await.unwrap();
            }
        }
    }

    fn row(self, scene: &Scene, try_: u64) -> RequestRow {
        let number = match self {
            Self::Row => 1,
            Self::LeasedRow => 2,
            _ => 3,
        };
        let settled = settled(number, scene.now.plus_s(1), true);
        let (settlement, at) = (settled.settlement, settled.at);
        let known = (self != Self::SettledRow).then(|| "203.0.113.0/24".to_owned());
        RequestRow {
            cell: scene.cell.clone(),
            charge: charge(number),
            session: (self == Self::LeasedRow).then(client_session),
            seq: number.into(),
            at: scene.now,
            account: scene.owner.account.clone(),
            project: scene.owner.project.clone(),
            environment: scene.owner.environment.clone(),
            route: "GET /demo/free".to_owned(),
            network: known.clone(),
            agent: known.map(|_| "curl".to_owned()),
            amount: usd(99 + try_),
            is_leased: self != Self::Row,
            settled: (self == Self::SettledRow).then_some(RowSettlement { settlement, at, seq: 2 }),
            expires_at: scene.now.plus_s(86_400),
        }
    }

    /// A charge that is told of before its settlement, and one after.
    async fn settle(self, store: &Store, scene: &Scene) {
        let number = if matches!(self, Self::Await | Self::NoteAwaited) { 2 } else { 4 };
        let route = "GET /demo/free".to_owned();
        let awaited = Awaited {
            charge: charge(number),
            at: scene.now,
            reserved: usd(100),
            route,
            session: Some(client_session()),
        };
        // Not every engine says what stands there; the items are compared.
        if matches!(self, Self::Await | Self::AwaitNoted) {
            store.await_settlement(&scene.cell, &awaited).await.unwrap();
        } else {
            store.note_settlement(&scene.cell, &settled(number, scene.now, true), 3).await.unwrap();
        }
    }

    async fn transfer(self, store: &Store, scene: &Scene, try_: u64) {
        let amount = i64::try_from(10 + try_).unwrap();
        let (sequence, seq, micro_usd) = match self {
            Self::Grant => (Sequence::Grants, 1, amount),
            Self::GrantBelowZero => (Sequence::Grants, 2, -amount),
            _ => (Sequence::Returns, 1, amount),
        };
        let movement = Movement { sequence, seq, micro_usd, at: scene.now };
        store.insert_movement(&scene.cell, &scene.owner, &movement).await.unwrap();
    }

    async fn remember(self, store: &Store, scene: &Scene, try_: u64) {
        let callers = |networks: &[&str], agents: &[&str]| KnownCallers {
            networks: networks.iter().map(|text| (*text).to_owned()).collect(),
            agents: agents.iter().map(|text| (*text).to_owned()).collect(),
        };
        let first = callers(&["203.0.113.0/24"], &[]);
        let other = format!("198.51.{try_}.0/24");
        let (before, after) = match self {
            Self::FirstCallers if try_ == 1 => (KnownCallers::default(), first),
            Self::FirstCallers => (KnownCallers::default(), callers(&[&other], &["curl"])),
            _ => (first, callers(&["203.0.113.0/24", &other], &["curl", "python"])),
        };
        assert_eq!(store.save_callers(&scene.cell, &before, &after).await.unwrap(), try_ == 1, "{self:?}");
    }

    async fn advance(self, store: &Store, scene: &Scene, try_: u64) {
        let hole = |first, last| Hole { sequence: Sequence::Requests, first, last };
        let (version, last, holes) = match self {
            Self::FirstPosition => (0, 1, vec![]),
            Self::PositionWithHole => (1, 4, vec![hole(2, 2), hole(4, 4)]),
            _ => (2, 5, vec![]),
        };
        let position = Position::new([(Sequence::Requests, last + try_), (Sequence::Grants, 1)], holes);
        assert_eq!(store.save_position(&scene.cell, &position, version).await.unwrap(), try_ == 1, "{self:?}");
    }

    async fn book(self, store: &Store, scene: &Scene, try_: u64) {
        let numbers = |calls: i64| {
            let took = Durations::of(1_000 * try_);
            Numbers { calls, micro_usd: calls * i64::try_from(10 * try_).unwrap(), took }
        };
        let part = |sequence, seq, adds| Part { sequence, seq, at: scene.now, adds };
        let (admission, ok) = (Sequence::Requests, slot("ok"));
        let parts = match self {
            Self::Hour | Self::Day => vec![
                part(admission, 1, vec![(ok.clone(), numbers(1))]),
                part(admission, 2, vec![(ok.clone(), numbers(1))]),
                part(Sequence::Settlements, 1, vec![(ok, numbers(-1)), (slot("model.timeout"), numbers(1))]),
            ],
            Self::BeyondGap => vec![part(admission, 5, vec![(ok, numbers(1))])],
            Self::IntoGap => vec![part(admission, 4, vec![(ok, numbers(1))])],
            // The calls cancel out, and it is counted all the same.
            Self::Correction => vec![part(Sequence::Settlements, 2, vec![(ok.clone(), numbers(1)), (ok, numbers(-1))])],
            // As many as one write has room for, with four numbers each, on routes as long as they may be shown.
            _ => (6..22).map(|seq| part(admission, seq, vec![(slot(&format!("word-{seq}")), numbers(1))])).collect(),
        };
        let period_of: fn(Timestamp) -> Period = if self == Self::Day { Period::day_of } else { Period::hour_of };
        let chunks = Chunk::of(&parts, period_of);
        let [chunk] = chunks.as_slice() else { panic!("{self:?} is one write: {chunks:?}") };
        let booked =
            Booked { cell: &scene.cell, owner: &scene.owner, rows_kept_until: scene.now.plus_s(86_400 + try_) };
        let booking = match self {
            Self::IntoGap => store.book_into_gap(&booked, chunk).await,
            Self::BeyondGap => store.book(&booked, chunk, &[admission]).await,
            _ => store.book(&booked, chunk, &[]).await,
        };
        // Where an engine does not say what refused a write, that comes out as an item that is none.
        assert_eq!(matches!(booking, Ok(Booking::Counted(_))), try_ == 1, "{self:?}: {booking:?}");
    }
}
