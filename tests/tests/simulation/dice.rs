//! The one source of chance in a run: the same seed rolls the same numbers.

use fastrand::Rng;

#[derive(Clone, Debug)]
pub(crate) struct Dice(Rng);

impl Dice {
    /// Dice of their own for one subject, so that more rolls for one do not change those for another.
    pub(crate) fn for_subject(seed: u64, subject: u64) -> Self {
        let mut seeds = Rng::with_seed(seed);
        (0..subject).for_each(|_| _ = seeds.u64(..));
        Self(Rng::with_seed(seeds.u64(..)))
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.u64(low..=high)
    }

    /// A place in a list of `len`.
    pub(crate) fn place(&mut self, len: usize) -> usize {
        self.0.usize(..len)
    }

    pub(crate) fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.place(list.len())]
    }

    /// True in `per_mille` of a thousand rolls.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.between(0, 999) < per_mille
    }

    /// One of the choices, each as likely as its weight says; at least one weighs something.
    pub(crate) fn weigh<T: Copy>(&mut self, choices: &[(u64, T)]) -> T {
        let total: u64 = choices.iter().map(|(weight, _)| weight).sum();
        let mut left = self.between(1, total);
        for (weight, choice) in choices {
            if left <= *weight {
                return *choice;
            }
            left -= weight;
        }
        unreachable!("a roll within the total falls into one of its parts")
    }
}
