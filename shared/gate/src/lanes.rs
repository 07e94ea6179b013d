//! Lanes: names under which this process writes, one request at a time, so that a re-sent write is recognised.

use std::sync::{Arc, Mutex, PoisonError};

use faregate_domain::{base62, time::Timestamp};
use faregate_edge::entropy;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The process's lanes: as many as it ever ran requests at once, and not many, because each leaves its number in the
/// cell's item. On AWS a process runs one request at a time.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    idle: Arc<Mutex<Vec<Lane>>>,
    free: Arc<Semaphore>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { idle: Arc::default(), free: Arc::new(Semaphore::new(MAX_LANES)) }
    }
}

impl Lanes {
    /// A lane that nobody else uses until it is dropped, and whether it had to be waited for.
    pub(crate) async fn enter(&self) -> (LaneGuard, bool) {
        let (permit, has_waited) = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => (Some(permit), false),
            // Nobody closes the semaphore; without a permit there would only be a lane more.
            Err(_) => (Arc::clone(&self.free).acquire_owned().await.ok(), true),
        };
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let lane = idle.unwrap_or_else(|| Lane { name: base62::random(NAME_CHARS, &mut entropy::fill), last_seq: 0 });
        (LaneGuard { lanes: self.clone(), lane, is_retired: false, _permit: permit }, has_waited)
    }
}

/// A lane in use.
#[derive(Debug)]
pub(crate) struct LaneGuard {
    lanes: Lanes,
    lane: Lane,
    is_retired: bool,
    _permit: Option<OwnedSemaphorePermit>,
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

    /// Gives the lane up when the guard is dropped: its last number then stands in the cell for good, and tells whoever
    /// asks later what became of it.
    pub(crate) fn retire(&mut self) {
        self.is_retired = true;
    }

    /// Takes [`LaneGuard::retire`] back: nobody will ask.
    pub(crate) fn reinstate(&mut self) {
        self.is_retired = false;
    }

    /// Learns that a higher number was used.
    pub(crate) fn used(&mut self, seq: u64) {
        self.lane.last_seq = self.lane.last_seq.max(seq);
    }
}

impl Drop for LaneGuard {
    fn drop(&mut self) {
        if self.is_retired {
            return;
        }
        let lane = Lane { name: std::mem::take(&mut self.lane.name), last_seq: self.lane.last_seq };
        self.lanes.idle.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
    }
}

#[derive(Debug)]
struct Lane {
    name: String,
    last_seq: u64,
}

/// 8 base62 characters: 47 random bits among the few lanes that one key sees in ten minutes.
const NAME_CHARS: usize = 8;
/// 17 bytes of the item each.
const MAX_LANES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lane_serves_one_request_at_a_time_and_never_repeats_a_number() {
        let lanes = Lanes::default();
        let now = Timestamp::from_epoch_ms(5);
        let (mut first, has_waited) = lanes.enter().await;
        assert!(!has_waited);
        let (second, _) = lanes.enter().await;
        assert_ne!(first.name(), second.name());
        assert_eq!((first.next_seq(now), first.next_seq(now)), (5, 6));
        first.used(90);
        let name = first.name().to_owned();
        drop(first);
        let (mut again, _) = lanes.enter().await;
        assert_eq!(again.name(), name);
        assert_eq!(again.next_seq(now), 91);
    }

    #[tokio::test]
    async fn a_lane_that_was_given_up_is_never_used_again() {
        let lanes = Lanes::default();
        let (mut first, _) = lanes.enter().await;
        let name = first.name().to_owned();
        first.retire();
        drop(first);
        for _ in 0..2 * MAX_LANES {
            let (mut other, has_waited) = lanes.enter().await;
            assert_ne!(other.name(), name);
            assert!(!has_waited, "a place was lost with the lane");
            other.retire();
        }
        let (mut kept, _) = lanes.enter().await;
        let name = kept.name().to_owned();
        kept.retire();
        kept.reinstate();
        drop(kept);
        assert_eq!(lanes.enter().await.0.name(), name);
    }

    #[tokio::test]
    async fn a_process_never_has_more_lanes_than_an_item_should_carry() {
        let lanes = Lanes::default();
        let mut busy = Vec::new();
        for _ in 0..MAX_LANES {
            busy.push(lanes.enter().await.0);
        }
        let name = busy[0].name().to_owned();
        let waiting = tokio::spawn({
            let lanes = lanes.clone();
            async move { lanes.enter().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(busy.swap_remove(0));
        let (lane, has_waited) = waiting.await.unwrap();
        assert_eq!((lane.name(), has_waited), (name.as_str(), true));
    }
}
