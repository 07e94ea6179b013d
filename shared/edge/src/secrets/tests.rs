//! Secrets from a file: what is read, remembered, looked at again, and what may be missing.

use super::*;

fn secrets_in(text: &str) -> (tempfile::TempDir, Secrets) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.json");
    std::fs::write(&path, text).unwrap();
    let aws = aws_config::SdkConfig::builder().build();
    (folder, Secrets::new(&SecretsLocation::File(path), &aws))
}

#[tokio::test]
async fn both_versions_are_read() {
    let text = format!(r#"{{"pepper":{{"current":"{}","previous":"{}"}}}}"#, "aa".repeat(32), "bb".repeat(32));
    let (_folder, secrets) = secrets_in(&text);
    let pepper = secrets.find(SecretName::Pepper, Timestamp::from_epoch_s(1)).await.unwrap();
    assert_eq!(pepper.iter().count(), 2);
}

#[tokio::test]
async fn a_missing_or_short_secret_is_an_error_that_shows_nothing() {
    let (_folder, secrets) = secrets_in(r#"{"pepper":{"current":"c0ffee"}}"#);
    let now = Timestamp::from_epoch_s(1);
    let error = secrets.find(SecretName::Pepper, now).await.unwrap_err().to_string();
    assert!(error.contains("pepper") && !error.contains("c0ffee"), "{error}");
    assert!(secrets.find(SecretName::Tag, now).await.is_err());
}

#[tokio::test]
async fn a_rotation_is_seen_and_an_outage_is_survived_for_an_hour() {
    let text = |digit: &str| format!(r#"{{"pepper":{{"current":"{}"}}}}"#, digit.repeat(64));
    let (folder, secrets) = secrets_in(&text("a"));
    let path = folder.path().join("secrets.json");
    let at = Timestamp::from_epoch_s;
    let tag = |secret: Arc<Versions<MacSecret>>| secret.current.mac(&[b"x"]);
    let first = tag(secrets.find(SecretName::Pepper, at(0)).await.unwrap());
    std::fs::write(&path, text("b")).unwrap();
    assert_eq!(tag(secrets.find(SecretName::Pepper, at(MAX_AGE_S - 1)).await.unwrap()), first);
    let second = tag(secrets.find(SecretName::Pepper, at(MAX_AGE_S)).await.unwrap());
    assert_ne!(second, first);
    std::fs::remove_file(&path).unwrap();
    let late = at(MAX_AGE_S + MAX_STALE_S - 1);
    assert_eq!(tag(secrets.find(SecretName::Pepper, late).await.unwrap()), second);
    assert!(secrets.find(SecretName::Pepper, at(MAX_AGE_S + MAX_STALE_S)).await.is_err());
}

#[tokio::test]
async fn a_reading_of_this_very_moment_does_not_decide_and_a_flood_does_not_read_for_ever() {
    let text = |digit: u32| format!(r#"{{"pepper":{{"current":"{}"}}}}"#, digit.to_string().repeat(64));
    let (folder, secrets) = secrets_in(&text(0));
    let path = folder.path().join("secrets.json");
    let seen = async |digit: u32, now: Timestamp| {
        std::fs::write(&path, text(digit)).unwrap();
        secrets.find_fresh(SecretName::Pepper, now).await.unwrap().current.mac(&[b"x"])
    };
    let (now, later) = (Timestamp::from_epoch_ms(1_000), Timestamp::from_epoch_ms(1_000 + looks::EVERY_MS));
    secrets.find(SecretName::Pepper, now).await.unwrap();
    let mut last = seen(1, now).await;
    for digit in [2, 3, 4] {
        let next = seen(digit, now).await;
        assert_ne!(next, last, "{digit}");
        last = next;
    }
    assert_eq!(seen(5, now).await, last);
    assert_ne!(seen(5, later).await, last);
    std::fs::remove_file(&path).unwrap();
    assert!(secrets.find_fresh(SecretName::Pepper, later).await.is_ok(), "the last reading serves");
}

#[tokio::test]
async fn a_deployment_may_do_without_stripes_secret_and_gets_it_later() {
    let stripe = "whsec_0123456789abcdef0123456789abcdef";
    let (folder, secrets) = secrets_in("{}");
    let at = Timestamp::from_epoch_s;
    assert!(secrets.find_optional(SecretName::Stripe, at(100)).await.unwrap().is_none());
    let text = format!(r#"{{"stripe":{{"current":"{stripe}"}}}}"#);
    std::fs::write(folder.path().join("secrets.json"), &text).unwrap();
    assert!(secrets.find_optional(SecretName::Stripe, at(100 + MIN_REFRESH_S - 1)).await.unwrap().is_none());
    let found = secrets.find_optional(SecretName::Stripe, at(100 + MIN_REFRESH_S)).await.unwrap().unwrap();
    assert_eq!(found.current.mac(&[b"x"]), MacSecret::new(stripe.as_bytes().to_vec()).unwrap().mac(&[b"x"]));
    let (_folder, empty) = secrets_in(r#"{"stripe":{"current":""}}"#);
    assert!(empty.find_optional(SecretName::Stripe, at(1)).await.unwrap().is_none());
    let first = format!(r#"{{"stripe":{{"current":"{stripe}","previous":""}}}}"#);
    let (_folder, first) = secrets_in(&first);
    assert_eq!(first.find_optional(SecretName::Stripe, at(1)).await.unwrap().unwrap().iter().count(), 1);
    let (_folder, broken) = secrets_in(r#"{"stripe":{"current":"sk_live_0123456789abcdef0123456789"}}"#);
    let error = broken.find_optional(SecretName::Stripe, at(1)).await.unwrap_err().to_string();
    assert!(error.contains("stripe") && !error.contains("sk_live"), "{error}");
}

#[test]
fn stripes_secret_has_its_form() {
    assert!(stripe_secret("whsec_0123456789abcdef0123456789abcdef").is_some());
    for text in
        ["", "whsec_", "whsec_short", "0123456789abcdef0123456789abcdef", "whsec_0123456789abcdef 123456789abcdef"]
    {
        assert!(stripe_secret(text).is_none(), "{text}");
    }
    assert!(stripe_secret(&format!("whsec_{}", "x".repeat(251))).is_none());
}
