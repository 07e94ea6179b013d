//! Random bytes from the operating system.

/// Fills `pool` with random bytes; pass it wherever the domain asks for entropy.
///
/// # Panics
/// When the operating system has no randomness to give, which leaves nothing safe to do.
#[expect(clippy::panic, reason = "no answer is safe without randomness")]
pub fn fill(pool: &mut [u8]) {
    #[cfg(feature = "simulation")]
    if sequence::fill(pool) {
        return;
    }
    if let Err(error) = getrandom::fill(pool) {
        panic!("the operating system gave no randomness: {error}");
    }
}

/// Lets everything that this thread asks for from now on follow from `seed`, so that a simulated history can be played
/// again. No deployed binary is built with the feature that this needs.
#[cfg(feature = "simulation")]
pub fn seed_thread(seed: u64) {
    sequence::begin(seed);
}

#[cfg(feature = "simulation")]
mod sequence {
    use std::cell::RefCell;

    thread_local! {
        static SEQUENCE: RefCell<Option<fastrand::Rng>> = const { RefCell::new(None) };
    }

    pub(super) fn begin(seed: u64) {
        SEQUENCE.set(Some(fastrand::Rng::with_seed(seed)));
    }

    /// False where this thread was given no seed.
    pub(super) fn fill(pool: &mut [u8]) -> bool {
        SEQUENCE.with_borrow_mut(|sequence| sequence.as_mut().map(|sequence| sequence.fill(pool)).is_some())
    }
}

#[cfg(all(test, feature = "simulation"))]
mod tests {
    use super::*;

    fn drawn() -> [u8; 32] {
        let mut pool = [0; 32];
        fill(&mut pool);
        pool
    }

    #[test]
    fn a_seeded_thread_repeats_itself_and_no_other_thread_does() {
        seed_thread(7);
        let first = drawn();
        assert_ne!(drawn(), first);
        seed_thread(7);
        assert_eq!(drawn(), first);
        let elsewhere = std::thread::spawn(|| [drawn(), drawn()]).join().unwrap();
        assert!(elsewhere[0] != elsewhere[1] && !elsewhere.contains(&first));
    }
}
