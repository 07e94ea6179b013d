//! Whatever order events come in, the wallet ends where the refunds say.

use proptest::prelude::*;

use super::*;

fn usd(micro_usd: u64) -> MicroUsd {
    MicroUsd::new(micro_usd).unwrap()
}

fn payment(refunds: Refunds) -> Payment {
    let now = Timestamp::from_epoch_s(1);
    Payment { refunds, ..Payment::new(PaymentName::parse("pi_1").unwrap(), now) }
}

fn of(succeeded: u64, failed: u64, charge: u64) -> Refunds {
    Refunds { succeeded: usd(succeeded), failed: usd(failed), charge: usd(charge) }
}

#[test]
fn a_name_is_short_and_plain_and_makes_a_reference() {
    let name = PaymentName::parse("pi_3MtwBwLkdIwHu7ix28a3tqPa").unwrap();
    assert_eq!(name.reference().as_str(), "stripe:pi_3MtwBwLkdIwHu7ix28a3tqPa");
    assert_eq!(PaymentName::parse(name.as_str()), Some(name));
    for text in ["", "pi/1", "pi 1", "pi-1", "pi\u{e9}", &"x".repeat(121)] {
        assert_eq!(PaymentName::parse(text), None, "{text}");
        assert_eq!(RefundName::parse(text), None, "{text}");
    }
    assert!(PaymentName::parse(&"x".repeat(120)).is_some());
}

#[test]
fn every_complaint_reads_as_its_word() {
    for complaint in Complaint::ALL {
        assert_eq!(Complaint::parse(complaint.as_str()), Some(complaint));
    }
    assert_eq!(Complaint::parse(""), None);
}

#[test]
fn single_refunds_and_the_sum_of_a_charge_count_once() {
    for (refunds, total) in [
        (of(0, 0, 0), 0),
        (of(500, 0, 0), 500),
        (of(0, 0, 500), 500),
        (of(500, 0, 500), 500),
        (of(500, 0, 800), 800),
        (of(800, 0, 500), 800),
        (of(500, 300, 800), 500),
        (of(800, 300, 800), 800),
        (of(0, 300, 0), 0),
    ] {
        assert_eq!(refunds.total(), usd(total), "{refunds:?}");
    }
}

#[test]
fn a_refund_counts_once_and_a_failure_is_final() {
    let news = |outcome| KnownRefund { outcome, amount: usd(5) };
    let (succeeded, failed) = (news(RefundOutcome::Succeeded), news(RefundOutcome::Failed));
    let (one, known) = Refunds::default().after(None, succeeded).unwrap();
    assert_eq!((one, known), (of(5, 0, 0), succeeded));
    assert_eq!(one.after(Some(succeeded), succeeded), None);
    // What it amounts to was said with the first news of it.
    let other = KnownRefund { amount: usd(900), ..failed };
    assert_eq!(one.after(Some(succeeded), other), Some((of(0, 5, 0), failed)));
    assert_eq!(Refunds::default().after(None, failed), Some((of(0, 5, 0), failed)));
    for late in [succeeded, failed] {
        assert_eq!(of(0, 5, 0).after(Some(failed), late), None);
    }
}

#[test]
fn refunds_are_borne_by_whoever_has_the_money_and_never_beyond_it() {
    let refunded = payment(of(7, 0, 0));
    let level = |holder| {
        let level = refunded.level(holder);
        (level.borne, level.complaint)
    };
    assert_eq!(level(Holder::Unknown), (usd(0), Some(Complaint::UnknownPayment)));
    assert_eq!(level(Holder::Assigned), (usd(7), None));
    assert_eq!(level(Holder::Credited(usd(9))), (usd(7), None));
    assert_eq!(level(Holder::Credited(usd(4))), (usd(4), Some(Complaint::ExceedsPayment)));
    assert_eq!(payment(of(0, 7, 0)).level(Holder::Unknown).complaint, None);
    let told = Payment { complaint: Some(Complaint::UnknownPayment), ..refunded.clone() };
    assert_eq!(told.level(Holder::Credited(usd(9))).complaint, None, "it is known by now");
    let foreign = Payment { assignment: Some(Assignment::Nobody), ..refunded.clone() };
    assert_eq!(foreign.level(Holder::Unknown), Level { borne: usd(0), complaint: None });
    let kept = Payment { complaint: Some(Complaint::NoAccount), ..refunded };
    assert_eq!(kept.level(Holder::Unknown).complaint, Some(Complaint::NoAccount));
}

proptest! {
    /// Refunds of one payment, each with its last word, told in any order and any number of times, also as the charge's sum.
    #[test]
    fn in_whatever_order_refunds_are_told_the_total_is_what_went_through(
        refunds in prop::collection::vec((1_u64..50, any::<bool>()), 1..6),
        told in prop::collection::vec((0_usize..6, any::<bool>(), any::<bool>()), 0..40),
    ) {
        let (mut state, mut known) = (Refunds::default(), vec![None; refunds.len()]);
        let mut tell = |state: &mut Refunds, at: usize, outcome| {
            let news = KnownRefund { outcome, amount: usd(refunds[at].0) };
            if let Some((after, now)) = state.after(known[at], news) {
                (*state, known[at]) = (after, Some(now));
            }
        };
        for (at, says_final, as_sum) in told {
            let at = at % refunds.len();
            let outcome = if says_final && refunds[at].1 { RefundOutcome::Failed } else { RefundOutcome::Succeeded };
            if as_sum {
                // The charge shows every refund up to this one.
                let sum = refunds[..=at].iter().map(|(amount, _)| amount).sum();
                state.charge = state.charge.max(usd(sum));
            } else {
                tell(&mut state, at, outcome);
            }
        }
        for (at, (_, fails)) in refunds.iter().enumerate() {
            tell(&mut state, at, if *fails { RefundOutcome::Failed } else { RefundOutcome::Succeeded });
        }
        let went_through: u64 = refunds.iter().filter(|(_, fails)| !fails).map(|(amount, _)| amount).sum();
        prop_assert_eq!(state.total(), usd(went_through));
    }
}
