//! Payments through Stripe: what is known of one, what of it was refunded, and what that takes from the account's wallet.
//!
//! A paid checkout is credited under the reference `stripe:<payment>`, once for ever. What is kept of a payment beside that is
//! what could not be credited, and its refunds. Events come late, twice and in any order; whatever they say is added
//! to what is known, and the wallet is brought level with it.

use crate::{id::AccountId, ledger::Reference, money::MicroUsd, time::Timestamp};

mod debt;
pub mod event;
pub mod signature;

/// Stripe's name of a payment: `pi_…`, or `cs_…` or `ch_…` where there is no payment intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentName(Reference);

impl PaymentName {
    /// Reads a name: 1 to 120 letters, digits and `_`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_name(text).then(|| Reference::parse(&format!("{REFERENCE_PREFIX}{text}")))?.map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().strip_prefix(REFERENCE_PREFIX).unwrap_or_default()
    }

    /// The reference under which the payment is credited.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.0
    }
}

/// Stripe's name of a refund, `re_…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundName(String);

impl RefundName {
    /// Reads a name: 1 to 120 letters, digits and `_`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_name(text).then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a refund ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// The payer has the money.
    Succeeded,
    /// The payer did not get it. Stripe may say so long after it said that it went through.
    Failed,
}

/// What is known of one refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownRefund {
    /// How it ended.
    pub outcome: RefundOutcome,
    /// How much.
    pub amount: MicroUsd,
}

/// What was refunded of a payment, as single refunds and as the sum that its charge shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refunds {
    /// Single refunds that have gone through.
    pub succeeded: MicroUsd,
    /// Single refunds that came to nothing.
    pub failed: MicroUsd,
    /// The largest sum that the charge ever showed, which may hold refunds that failed later.
    pub charge: MicroUsd,
}

impl Refunds {
    /// What was refunded in all. An operator may have Stripe send one kind of event, the other, or both: whatever is heard
    /// twice counts once.
    #[must_use]
    pub fn total(self) -> MicroUsd {
        self.succeeded.max(self.charge.minus(self.failed))
    }

    /// The refunds after news of one of them, of which `known` is known; `None` where it is no news. A failure is final.
    #[must_use]
    pub fn after(self, known: Option<KnownRefund>, news: KnownRefund) -> Option<(Self, KnownRefund)> {
        let (mut after, amount) = (self, known.map_or(news.amount, |known| known.amount));
        match (known.map(|known| known.outcome), news.outcome) {
            (None, RefundOutcome::Succeeded) => after.succeeded = after.succeeded.plus(amount),
            (None, RefundOutcome::Failed) => after.failed = after.failed.plus(amount),
            (Some(RefundOutcome::Succeeded), RefundOutcome::Failed) => {
                after.succeeded = after.succeeded.minus(amount);
                after.failed = after.failed.plus(amount);
            }
            (Some(_), _) => return None,
        }
        Some((after, KnownRefund { amount, ..news }))
    }
}

/// A checkout that was paid and is credited to nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// How much, where that could be read.
    pub amount: Option<MicroUsd>,
    /// The amount as Stripe says it: `1999 usd`.
    pub stated: String,
    /// The account as Stripe says it.
    pub account: Option<String>,
}

/// Why a payment needs an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// The checkout names no account.
    NoAccount,
    /// The checkout names an account that is not there.
    UnknownAccount,
    /// The amount is not in US dollars.
    OtherCurrency,
    /// The amount is no whole number of cents, or more than a million dollars.
    MalformedAmount,
    /// Its reference was credited before, to another account or with another amount.
    Conflicting,
    /// The account's wallet has no room for it.
    WalletFull,
    /// Something is refunded of a payment that was never credited.
    UnknownPayment,
    /// More is refunded than was credited.
    ExceedsPayment,
    /// The account's wallet had less than was refunded; it owes the rest.
    NotCovered,
}

impl Complaint {
    const ALL: [Self; 9] = [
        Self::NoAccount,
        Self::UnknownAccount,
        Self::OtherCurrency,
        Self::MalformedAmount,
        Self::Conflicting,
        Self::WalletFull,
        Self::UnknownPayment,
        Self::ExceedsPayment,
        Self::NotCovered,
    ];

    /// The word in answers, in the log and in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAccount => "no_account",
            Self::UnknownAccount => "unknown_account",
            Self::OtherCurrency => "other_currency",
            Self::MalformedAmount => "malformed_amount",
            Self::Conflicting => "conflicting",
            Self::WalletFull => "wallet_full",
            Self::UnknownPayment => "unknown_payment",
            Self::ExceedsPayment => "exceeds_payment",
            Self::NotCovered => "not_covered",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|complaint| complaint.as_str() == word)
    }
}

/// Whose payment an operator says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// This account's.
    Account(AccountId),
    /// None of ours: the same Stripe account sells something else too.
    Nobody,
}

/// What is kept of a payment beside its credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its name.
    pub name: PaymentName,
    /// When something was first kept of it.
    pub first_seen: Timestamp,
    /// How often that was changed; 0 before it is kept.
    pub version: u64,
    /// What was paid and is credited to nobody.
    pub claim: Option<Claim>,
    /// What was refunded.
    pub refunds: Refunds,
    /// What of that was taken from a wallet, or is owed by it.
    pub debited: MicroUsd,
    /// Why it needs an operator.
    pub complaint: Option<Complaint>,
    /// What an operator said of it.
    pub assignment: Option<Assignment>,
}

impl Payment {
    /// A payment of which nothing is kept yet.
    #[must_use]
    pub fn new(name: PaymentName, now: Timestamp) -> Self {
        Self {
            name,
            first_seen: now,
            version: 0,
            claim: None,
            refunds: Refunds::default(),
            debited: MicroUsd::ZERO,
            complaint: None,
            assignment: None,
        }
    }

    /// What of its refunds the holder of its money is to bear in all, and what an operator must be told.
    #[must_use]
    pub fn level(&self, holder: Holder) -> Level {
        let total = self.refunds.total();
        let is_open = self.assignment.is_none();
        let standing = self.complaint.filter(|complaint| *complaint != Complaint::UnknownPayment);
        match holder {
            Holder::Unknown => {
                let is_lost = is_open && total > MicroUsd::ZERO;
                let complaint = standing.or(is_lost.then_some(Complaint::UnknownPayment));
                Level { borne: self.debited, complaint }
            }
            Holder::Assigned => Level { borne: total, complaint: standing },
            Holder::Credited(credited) => {
                let exceeds = (is_open && total > credited).then_some(Complaint::ExceedsPayment);
                Level { borne: total.min(credited), complaint: standing.or(exceeds) }
            }
        }
    }
}

/// Who has a payment's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody that is known.
    Unknown,
    /// An account that an operator named; it was credited in another way, if at all.
    Assigned,
    /// The account that was credited with so much.
    Credited(MicroUsd),
}

/// How things should stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// What the holder bears of the refunds in all.
    pub borne: MicroUsd,
    /// What an operator must be told.
    pub complaint: Option<Complaint>,
}

fn is_name(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (1..=MAX_NAME_BYTES).contains(&text.len()) && is_plain
}

/// With the prefix no longer than a reference may be; Stripe's own names have up to 70.
const MAX_NAME_BYTES: usize = 120;
const REFERENCE_PREFIX: &str = "stripe:";

#[cfg(test)]
mod tests;
