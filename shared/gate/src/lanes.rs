//! Lanes: names under which this process writes, one request at a time, so that a re-sent write is recognised.

use std::sync::{Arc, Mutex, PoisonError};

use faregate_domain::{base62, time::Timestamp};
use faregate_edge::entropy;

/// The process's lanes; as many as it ever ran requests at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lanes(Arc<Mutex<Vec<Lane>>>);

impl Lanes {
    /// A lane that nobody else uses until it is dropped.
    pub(crate) fn enter(&self) -> LaneGuard {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let lane = idle.unwrap_or_else(|| Lane { name: base62::random(NAME_CHARS, &mut entropy::fill), last_seq: 0 });
        LaneGuard { lanes: self.clone(), lane }
    }
}

/// A lane in use.
#[derive(Debug)]
pub(crate) struct LaneGuard {
    lanes: Lanes,
    lane: Lane,
}

impl LaneGuard {
    /// The lane's name: new in every process, so that no earlier process can have written under it.
    pub(crate) fn name(&self) -> &str {
        &self.lane.name
    }

    /// A number above all that this lane has used; milliseconds of the clock where that is enough, so that an idle
    /// slot can be told from a busy one.
    pub(crate) fn next_seq(&mut self, now: Timestamp) -> u64 {
        self.lane.last_seq = now.epoch_ms().max(self.lane.last_seq + 1);
        self.lane.last_seq
    }

    /// Learns that a higher number was used.
    pub(crate) fn used(&mut self, seq: u64) {
        self.lane.last_seq = self.lane.last_seq.max(seq);
    }
}

impl Drop for LaneGuard {
    fn drop(&mut self) {
        let lane = Lane { name: std::mem::take(&mut self.lane.name), last_seq: self.lane.last_seq };
        self.lanes.0.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
    }
}

#[derive(Debug)]
struct Lane {
    name: String,
    last_seq: u64,
}

/// 8 base62 characters: 47 random bits among the few lanes that one key sees in ten minutes.
const NAME_CHARS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_serves_one_request_at_a_time_and_never_repeats_a_number() {
        let lanes = Lanes::default();
        let now = Timestamp::from_epoch_ms(5);
        let mut first = lanes.enter();
        let second = lanes.enter();
        assert_ne!(first.name(), second.name());
        assert_eq!((first.next_seq(now), first.next_seq(now)), (5, 6));
        first.used(90);
        let name = first.name().to_owned();
        drop(first);
        let mut again = lanes.enter();
        assert_eq!(again.name(), name);
        assert_eq!(again.next_seq(now), 91);
    }
}
