//! Second looks at a secret: how often it is read anew because a credential fits no version that is known.

use std::sync::atomic::{AtomicU64, Ordering};

use faregate_domain::time::Timestamp;
use tokio::sync::Mutex;

/// The second looks at one secret.
///
/// A credential that fits nothing may be one that a rotation has just brought, so the last reading does not decide by
/// itself, however young it is. A stranger who makes credentials up must not cause a reading for each of them.
#[derive(Debug, Default)]
pub(super) struct Looks {
    begun: AtomicU64,
    turn: Mutex<Turn>,
}

/// What only one at a time may do.
#[derive(Debug, Default)]
struct Turn {
    /// The number of the last look that came to its end.
    ended: u64,
    /// Until when looks are spent, in milliseconds since the epoch, at one each [`EVERY_MS`].
    spent_until_ms: u64,
}

impl Looks {
    /// Has `look` carried out, unless another began and ended while this one waited for its turn, or none is left.
    pub(super) async fn take(&self, now: Timestamp, look: impl Future<Output = ()>) {
        let seen = self.begun.load(Ordering::SeqCst);
        let mut turn = self.turn.lock().await;
        if turn.ended > seen || !turn.may_spend(now) {
            return;
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        look.await;
        turn.ended = number;
    }
}

impl Turn {
    fn may_spend(&mut self, now: Timestamp) -> bool {
        let now_ms = now.epoch_ms();
        let from_ms = self.spent_until_ms.max(now_ms);
        let is_left = from_ms - now_ms <= (AT_ONCE - 1) * EVERY_MS;
        if is_left {
            self.spent_until_ms = from_ms + EVERY_MS;
        }
        is_left
    }
}

/// Looks that may be taken one right after the other.
pub(super) const AT_ONCE: u64 = 4;
/// How long it takes until there is one more, in milliseconds: in a flood of junk no reading is older that decides.
pub(super) const EVERY_MS: u64 = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_gets_a_few_looks_and_then_one_every_other_second() {
        let (looks, taken) = (Looks::default(), AtomicU64::new(0));
        let flood = async |from_ms: u64, until_ms: u64| {
            for ms in (from_ms..until_ms).step_by(10) {
                let look = async { _ = taken.fetch_add(1, Ordering::SeqCst) };
                looks.take(Timestamp::from_epoch_ms(1_000_000 + ms), look).await;
            }
            taken.swap(0, Ordering::SeqCst)
        };
        assert_eq!(flood(0, 2_000).await, 4);
        assert_eq!(flood(2_000, 4_000).await, 1);
        assert_eq!(flood(4_000, 24_000).await, 10);
        assert_eq!(flood(60_000, 61_000).await, 4);
    }

    #[tokio::test]
    async fn who_comes_during_a_look_waits_for_one_that_begins_later_and_shares_it() {
        let (looks, taken) = (Looks::default(), AtomicU64::new(0));
        let take = || async {
            let look = async {
                taken.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            };
            looks.take(Timestamp::from_epoch_s(1), look).await;
            taken.load(Ordering::SeqCst)
        };
        let seen = tokio::join!(take(), take(), take(), take(), take(), take(), take(), take());
        assert_eq!(seen, (1, 2, 2, 2, 2, 2, 2, 2));
    }
}
