//! Rotations: sent again, recorded, and after the end of the key.

use super::*;

/// Rotates key 5 to the hash of that digit, from the secrets that `before` says.
async fn rotate(
    store: &Store,
    before: &KeySecrets,
    digit: u8,
    grace: Grace,
    record: Option<&Record>,
) -> RotationOutcome {
    let (account, id, new, now) = (account(), key_id(5), KeyHash::from_bytes([digit; 32]), Timestamp::from_epoch_s(60));
    let secret = &sealed(5, before.rotations() + 1);
    store
        .rotate_key(&KeyRotation { account: &account, id: &id, before, new, grace, secret, record, now })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_rotation_that_is_sent_again_is_the_same_rotation() {
    let (hash, now) = (|digit| KeyHash::from_bytes([digit; 32]), Timestamp::from_epoch_s(60));
    let graces = [Grace::Until(now.plus_s(9)), Grace::FromFirstUse { seconds: 9 }];
    for record in [None, Some(&record(600))] {
        let store = table(0).await;
        insert(&store, 5, 9, None, 0).await;
        let mut before = secrets(&store).await;
        for (grace, digit) in graces.into_iter().chain(graces).zip(6..) {
            for _ in 0..2 {
                assert_eq!(rotate(&store, &before, digit, grace, record).await, RotationOutcome::Rotated);
            }
            let outcome = rotate(&store, &before, 99, grace, record).await;
            let wanted = if record.is_some() { RotationOutcome::Recorded } else { RotationOutcome::Outdated };
            assert_eq!((outcome, secrets(&store).await), (wanted, before.rotated(hash(digit), grace, now)));
            if record.is_some() {
                break;
            }
            before = secrets(&store).await;
            store.note_use(&CellId::Key(key_id(5)), &[before.rotation.unwrap().old], Secret::Old, now).await.unwrap();
            assert_eq!(secrets(&store).await.rotation.unwrap().old_used_at, Some(now));
        }
        store.revoke_key(&account(), &key_id(5)).await.unwrap();
        let before = secrets(&store).await;
        assert_eq!(rotate(&store, &before, 50, graces[0], None).await, RotationOutcome::Outdated);
    }
}
