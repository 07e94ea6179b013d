//! What DynamoDB bills, by its published rules: an emulator's own figures are not the bill.

use std::{collections::HashMap, hash::BuildHasher};

use aws_sdk_dynamodb::types::AttributeValue;

/// The size of an item in bytes: its names and its values.
#[must_use]
pub fn item_bytes<S: BuildHasher>(item: &HashMap<String, AttributeValue, S>) -> usize {
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

/// Write units of an item of so many bytes: one per started KiB, and one for no item at all.
#[must_use]
pub fn write_units(bytes: usize) -> usize {
    bytes.div_ceil(1_024).max(1)
}

/// Read units of a strongly consistent read of so many bytes: one per started 4 KiB, and one for no item at all.
#[must_use]
pub fn read_units(bytes: usize) -> usize {
    bytes.div_ceil(4_096).max(1)
}

fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => number_bytes(digits),
        AttributeValue::B(blob) => blob.as_ref().len(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|digits| number_bytes(digits)).sum(),
        AttributeValue::Bs(blobs) => blobs.iter().map(|blob| blob.as_ref().len()).sum(),
        AttributeValue::L(members) => 3 + members.iter().map(|member| 1 + value_bytes(member)).sum::<usize>(),
        AttributeValue::M(members) => {
            3 + members.iter().map(|(name, value)| 1 + name.len() + value_bytes(value)).sum::<usize>()
        }
        _ => 1,
    }
}

/// A byte for two significant digits, one more for the number, and one for a minus.
fn number_bytes(digits: &str) -> usize {
    let magnitude = digits.trim_start_matches('-');
    magnitude.trim_end_matches('0').len().div_ceil(2) + 1 + (digits.len() - magnitude.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_items_size_is_that_of_its_names_and_values() {
        let item = HashMap::from([
            ("pk".to_owned(), AttributeValue::S("key_1".into())),
            ("n".to_owned(), AttributeValue::N("-1200".into())),
            ("m".to_owned(), AttributeValue::M([("ab".to_owned(), AttributeValue::N("123".into()))].into())),
            ("s".to_owned(), AttributeValue::Ss(vec!["demo:*".into()])),
        ]);
        assert_eq!(item_bytes(&item), (2 + 5) + (1 + 3) + (1 + 3 + 1 + 2 + 3) + (1 + 6));
    }

    #[test]
    fn units_are_counted_in_started_kibibytes() {
        for (bytes, writes, reads) in [(0, 1, 1), (1_024, 1, 1), (1_025, 2, 1), (4_097, 5, 2)] {
            assert_eq!((write_units(bytes), read_units(bytes)), (writes, reads), "{bytes}");
        }
    }
}
