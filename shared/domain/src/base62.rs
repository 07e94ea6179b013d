//! Base62 text (`0-9A-Za-z`): unbiased random strings, fixed-width numbers and alphabet checks.

/// Draws `length` characters, each uniform over the alphabet, by rejection.
///
/// `fill` must fill the slice it is given with random bytes.
pub fn random(length: usize, fill: &mut dyn FnMut(&mut [u8])) -> String {
    let mut text = String::with_capacity(length);
    let mut pool = [0_u8; 32];
    while text.len() < length {
        fill(&mut pool);
        for byte in pool {
            if text.len() < length && byte < LARGEST_MULTIPLE {
                text.push(digit(byte.into()));
            }
        }
    }
    text
}

/// `value` in exactly `width` digits, left-padded with `0`; higher digits are dropped.
#[must_use]
pub fn fixed_width(mut value: u128, width: usize) -> String {
    let mut digits = vec!['0'; width];
    for place in digits.iter_mut().rev() {
        *place = digit(value % BASE);
        value /= BASE;
    }
    digits.into_iter().collect()
}

/// Whether every character belongs to the alphabet.
#[must_use]
pub fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[expect(clippy::as_conversions, reason = "a value below 62 fits every integer")]
fn digit(value: u128) -> char {
    // The remainder of a division by 62 indexes an array of 62.
    char::from(ALPHABET[(value % BASE) as usize])
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE: u128 = 62;
/// 4 × 62: bytes from here on would favour the first eight digits.
const LARGEST_MULTIPLE: u8 = 248;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_width() {
        assert_eq!(fixed_width(0, 6), "000000");
        assert_eq!(fixed_width(61, 2), "0z");
        assert_eq!(fixed_width(u128::MAX, 22), "7n42DGM5Tflk9n8mt7Fhc7");
    }

    #[test]
    fn bytes_that_would_bias_the_draw_are_rejected() {
        let mut turn = 0_u8;
        let text = random(3, &mut |pool| {
            pool.fill(if turn == 0 { LARGEST_MULTIPLE } else { 0 });
            turn += 1;
        });
        assert_eq!((text.as_str(), turn), ("000", 2));
    }

    #[test]
    fn every_digit_is_equally_likely_over_all_bytes() {
        let mut counts = std::collections::BTreeMap::new();
        let mut next = 0_u8;
        let text = random(248, &mut |pool| {
            for byte in pool {
                *byte = next;
                next = next.wrapping_add(1);
            }
        });
        for letter in text.chars() {
            *counts.entry(letter).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4), "{counts:?}");
    }
}
