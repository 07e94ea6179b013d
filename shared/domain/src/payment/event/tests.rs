//! Events as Stripe sends them, and what is made of those that it would not.

use proptest::prelude::*;

use super::*;

const ACCOUNT: &str = "acc_0123456789ABCDEFabcdef";

fn event(kind: &str, object: &str) -> Result<Event, NoEvent> {
    Event::parse(
        format!(r#"{{"id":"evt_1","object":"event","type":"{kind}","data":{{"object":{object}}}}}"#).as_bytes(),
    )
}

fn session(members: &str) -> Result<Event, NoEvent> {
    let object = r#"{"id":"cs_test_1","object":"checkout.session","payment_intent":"pi_1","payment_status":"paid""#;
    event("checkout.session.completed", &format!("{object},{members}}}"))
}

fn paid(members: &str) -> Paid {
    let Ok(Event::Paid(paid)) = session(members) else { panic!("{members}") };
    paid
}

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

#[test]
fn a_paid_checkout_names_payment_amount_and_account() {
    let read = paid(&format!(r#""amount_total":1999,"currency":"usd","client_reference_id":"{ACCOUNT}""#));
    assert_eq!((read.payment.as_str(), read.amount), ("pi_1", Ok(usd(19_990_000))));
    assert_eq!(read.account, Ok(AccountId::parse(ACCOUNT).unwrap()));
    assert_eq!((read.claim.stated.as_str(), read.claim.account.as_deref()), ("1999 usd", Some(ACCOUNT)));
    for members in [
        format!(r#""client_reference_id":null,"metadata":{{"account_id":"{ACCOUNT}","plan":"x"}}"#),
        format!(r#""client_reference_id":"basket 7","metadata":{{"account_id":"{ACCOUNT}"}}"#),
    ] {
        let read = paid(&format!(r#""amount_total":1,"currency":"usd",{members}"#));
        assert_eq!(read.account, Ok(AccountId::parse(ACCOUNT).unwrap()), "{members}");
    }
}

#[test]
fn without_a_payment_intent_the_checkout_names_the_payment() {
    let object = r#"{"id":"cs_1","payment_intent":null,"payment_status":"paid","amount_total":5,"currency":"usd"}"#;
    let Ok(Event::Paid(read)) = event("checkout.session.async_payment_succeeded", object) else { panic!("paid") };
    assert_eq!((read.payment.as_str(), read.account), ("cs_1", Err(Complaint::NoAccount)));
}

#[test]
fn an_amount_is_whole_cents_of_us_dollars_and_nothing_else() {
    for (amount, currency, wanted) in [
        ("1", r#""usd""#, Ok(usd(10_000))),
        ("100000000", r#""usd""#, Ok(MAX_CREDIT)),
        ("100000001", r#""usd""#, Err(Complaint::MalformedAmount)),
        ("5e3", r#""usd""#, Err(Complaint::MalformedAmount)),
        ("10.5", r#""usd""#, Err(Complaint::MalformedAmount)),
        ("10.0", r#""usd""#, Err(Complaint::MalformedAmount)),
        ("-1", r#""usd""#, Err(Complaint::MalformedAmount)),
        (r#""500""#, r#""usd""#, Err(Complaint::MalformedAmount)),
        ("null", r#""usd""#, Err(Complaint::MalformedAmount)),
        ("99999999999999999999999999", r#""usd""#, Err(Complaint::MalformedAmount)),
        ("500", r#""eur""#, Err(Complaint::OtherCurrency)),
        ("500", r#""USD""#, Err(Complaint::OtherCurrency)),
        ("500", "null", Err(Complaint::OtherCurrency)),
        ("500", "7", Err(Complaint::OtherCurrency)),
    ] {
        let read = paid(&format!(r#""amount_total":{amount},"currency":{currency}"#));
        assert_eq!((read.amount, read.claim.amount), (wanted, wanted.ok()), "{amount} {currency}");
    }
}

#[test]
fn whoever_has_not_paid_or_paid_nothing_is_no_matter() {
    for (status, amount) in [("unpaid", 500), ("no_payment_required", 0), ("paid", 0), ("", 500)] {
        let object = format!(r#"{{"id":"cs_1","payment_status":"{status}","amount_total":{amount},"currency":"usd"}}"#);
        assert_eq!(event("checkout.session.completed", &object), Ok(Event::Other), "{status}");
    }
    for kind in ["invoice.paid", "checkout.session.expired", "payment_intent.succeeded", ""] {
        assert_eq!(event(kind, "{}"), Ok(Event::Other), "{kind}");
    }
}

#[test]
fn a_refund_counts_when_it_is_over() {
    let read = |status: &str| {
        let object = r#""payment_intent":"pi_1","charge":"ch_1","amount":250,"currency":"usd""#;
        event("refund.updated", &format!(r#"{{"id":"re_1","object":"refund",{object},"status":"{status}"}}"#))
    };
    for (status, outcome) in [
        ("succeeded", RefundOutcome::Succeeded),
        ("failed", RefundOutcome::Failed),
        ("canceled", RefundOutcome::Failed),
    ] {
        let Ok(Event::Refund(refund)) = read(status) else { panic!("{status}") };
        assert_eq!((refund.payment.as_str(), refund.name.as_str()), ("pi_1", "re_1"));
        assert_eq!((refund.amount, refund.outcome), (Ok(usd(2_500_000)), outcome));
    }
    for status in ["pending", "requires_action", "new_word"] {
        assert_eq!(read(status), Ok(Event::Other), "{status}");
    }
    let object = r#"{"id":"ch_1","object":"charge","payment_intent":"pi_1","amount":900,"amount_refunded":400,"currency":"usd"}"#;
    let Ok(Event::Refunded(refunded)) = event("charge.refunded", object) else { panic!("refunded") };
    assert_eq!((refunded.payment.as_str(), refunded.amount), ("pi_1", Ok(usd(4_000_000))));
    let Ok(Event::Refunded(old)) = event("charge.refunded", r#"{"id":"ch_1"}"#) else { panic!("refunded") };
    assert_eq!((old.payment.as_str(), old.amount), ("ch_1", Err(Complaint::OtherCurrency)));
}

#[test]
fn what_stripe_does_not_send_is_no_event() {
    for body in ["", "{", "[]", "7", "null", r#"{"type":7}"#, r#"{"type":"refund.created"}"#, "\u{feff}{}"] {
        assert_eq!(Event::parse(body.as_bytes()), Err(NoEvent), "{body}");
    }
    assert_eq!(Event::parse(&[0xff, 0xfe]), Err(NoEvent));
    assert_eq!(Event::parse("[".repeat(60_000).as_bytes()), Err(NoEvent));
    let twice = r#""amount_total":1,"amount_total":900,"currency":"usd""#;
    assert_eq!(session(twice), Err(NoEvent), "an amount that stands twice");
    for name in [r#""""#, r#""a b""#, r#""../x""#, "7", "null"] {
        let object = format!(r#"{{"id":{name},"payment_status":"paid","amount_total":5,"currency":"usd"}}"#);
        assert_eq!(event("checkout.session.completed", &object), Err(NoEvent), "{name}");
    }
}

proptest! {
    #[test]
    fn no_body_panics(body in ".{0,200}", amount in ".{0,30}", account in "\\PC{0,300}") {
        let _ = Event::parse(body.as_bytes());
        let account = serde_json::to_string(&account).unwrap();
        let read = session(&format!(r#""amount_total":{amount},"currency":"usd","client_reference_id":{account}"#));
        if let Ok(Event::Paid(paid)) = read {
            prop_assert!(paid.claim.stated.chars().count() <= MAX_STATED_CHARS);
            prop_assert!(paid.claim.account.is_none_or(|text| text.chars().count() <= MAX_STATED_CHARS));
        }
    }
}
