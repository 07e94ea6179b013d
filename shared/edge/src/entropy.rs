//! Random bytes from the operating system.

/// Fills `pool` with random bytes; pass it wherever the domain asks for entropy.
///
/// # Panics
/// When the operating system has no randomness to give, which leaves nothing safe to do.
#[expect(clippy::panic, reason = "no answer is safe without randomness")]
pub fn fill(pool: &mut [u8]) {
    if let Err(error) = getrandom::fill(pool) {
        panic!("the operating system gave no randomness: {error}");
    }
}
