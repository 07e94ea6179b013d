//! An account's own wallet: what is paid in, what is allocated to its projects, and the entry of each movement.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::{
    id::{AccountId, EntryId, ProjectId},
    money::{InvalidAmount, MicroUsd, split_exponent},
    time::Timestamp,
};

/// A movement between an account's wallet and one of its projects; never of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// From the account to the project.
    Allocate(MicroUsd),
    /// From the project back to the account.
    Return(MicroUsd),
}

impl Movement {
    /// Reads the text of a JSON value: an amount, with a `-` in front where it goes back.
    ///
    /// # Errors
    /// [`InvalidAmount`] says which rule the literal breaks; zero is no movement.
    pub fn parse_json_literal(literal: &str) -> Result<Self, InvalidAmount> {
        let (text, exponent) = split_exponent(literal)?;
        let amount = |digits: &str| match MicroUsd::parse_scaled(digits, exponent) {
            Ok(MicroUsd::ZERO) => Err(InvalidAmount::Zero),
            Err(InvalidAmount::Negative) => Err(InvalidAmount::Malformed),
            amount => amount,
        };
        match text.strip_prefix('-') {
            Some(digits) => amount(digits).map(Self::Return),
            None => amount(text).map(Self::Allocate),
        }
    }

    /// How much is moved.
    #[must_use]
    pub fn amount(self) -> MicroUsd {
        match self {
            Self::Allocate(amount) | Self::Return(amount) => amount,
        }
    }

    /// What its entry is called.
    #[must_use]
    pub fn kind(self) -> EntryKind {
        match self {
            Self::Allocate(_) => EntryKind::Allocation,
            Self::Return(_) => EntryKind::Return,
        }
    }
}

/// Prints decimal dollars, a return with a `-` in front.
impl fmt::Display for Movement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if matches!(self, Self::Return(_)) { "-" } else { "" };
        write!(out, "{sign}{}", self.amount())
    }
}

/// An account's wallet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountWallet {
    /// What is allocated to no project.
    pub available: MicroUsd,
    /// Entries written so far: every movement writes one more.
    pub entries: u64,
    /// What refunds are to take and found nothing of; whatever comes next pays it first.
    pub owed: MicroUsd,
}

/// What an account and one of its projects have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balances {
    /// In the account's wallet, allocated to no project.
    pub account: MicroUsd,
    /// Allocated to the project, less what was given back.
    pub allocated: MicroUsd,
    /// In the project's wallet, granted to no key.
    pub available: MicroUsd,
}

impl Balances {
    /// The balances after a movement.
    ///
    /// # Errors
    /// [`Declined`] where there is too little, or would be too much.
    pub fn after(self, movement: Movement) -> Result<Self, Declined> {
        let Self { account, allocated, available } = self;
        match movement {
            Movement::Allocate(amount) if amount > account => Err(Declined::Insufficient { available: account }),
            Movement::Allocate(amount) => Ok(Self {
                account: account.minus(amount),
                allocated: sum(allocated, amount)?,
                available: sum(available, amount)?,
            }),
            Movement::Return(amount) if amount > available => Err(Declined::Granted { available }),
            Movement::Return(amount) => Ok(Self {
                account: sum(account, amount)?,
                allocated: allocated.minus(amount),
                available: available.minus(amount),
            }),
        }
    }
}

/// What an account's wallet holds after a credit.
///
/// # Errors
/// [`Declined::TooMuch`] above [`MicroUsd::MAX`].
pub fn credited(account: MicroUsd, amount: MicroUsd) -> Result<MicroUsd, Declined> {
    sum(account, amount)
}

fn sum(one: MicroUsd, other: MicroUsd) -> Result<MicroUsd, Declined> {
    MicroUsd::new(one.micro_usd().saturating_add(other.micro_usd())).map_err(|_| Declined::TooMuch)
}

/// Why money is not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// The account's wallet has too little.
    Insufficient {
        /// What it has.
        available: MicroUsd,
    },
    /// The project's wallet has too little; the rest is spent, or granted to keys.
    Granted {
        /// What it has.
        available: MicroUsd,
    },
    /// A wallet would hold more than one billion dollars.
    TooMuch,
}

/// The most that an operator credits at once: one million dollars.
pub const MAX_CREDIT: MicroUsd = match MicroUsd::new(1_000_000_000_000) {
    Ok(amount) => amount,
    Err(_) => MicroUsd::MAX,
};

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// The credit that a new account gets.
    SignUp,
    /// A credit by an operator.
    Credit,
    /// From the account to a project.
    Allocation,
    /// From a project back to the account.
    Return,
    /// Out of the account, because a payment was refunded.
    Refund,
    /// Into the account again, because a refund came to nothing.
    RefundReversed,
}

impl EntryKind {
    const ALL: [Self; 6] =
        [Self::SignUp, Self::Credit, Self::Allocation, Self::Return, Self::Refund, Self::RefundReversed];

    /// The word in answers and in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::Credit => "credit",
            Self::Allocation => "allocation",
            Self::Return => "return",
            Self::Refund => "refund",
            Self::RefundReversed => "refund_reversed",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One movement of an account's money, written with it and never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id; ids sort as the entries were made.
    pub id: EntryId,
    /// What it is about.
    pub kind: EntryKind,
    /// How much was moved.
    pub amount: MicroUsd,
    /// The project that it was moved to or from.
    pub project: Option<ProjectId>,
    /// What a credit refers to.
    pub reference: Option<Reference>,
    /// When.
    pub at: Timestamp,
}

impl Entry {
    /// The entries of a new account's credit, all of which goes to its first project; none where there is no credit.
    #[must_use]
    pub fn of_sign_up(account: &AccountId, project: &ProjectId, credit: MicroUsd, at: Timestamp) -> Vec<Self> {
        if credit == MicroUsd::ZERO {
            return Vec::new();
        }
        let [first, second] = EntryId::first_two(account);
        let entry = |id, kind, project| Self { id, kind, amount: credit, project, reference: None, at };
        vec![entry(first, EntryKind::SignUp, None), entry(second, EntryKind::Allocation, Some(project.clone()))]
    }
}

/// What an operator calls a payment: 1 to 128 characters, none of them a control character. It is credited once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(String);

impl Reference {
    /// Reads a reference.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_printable = !text.chars().any(char::is_control);
        (is_printable && (1..=MAX_REFERENCE_CHARS).contains(&text.chars().count())).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which the table remembers it, whatever account it was credited to.
    #[must_use]
    pub fn record_name(&self) -> String {
        format!("{REFERENCE_PREFIX}{}", hex::encode(Sha256::digest(&self.0)))
    }
}

const MAX_REFERENCE_CHARS: usize = 128;
const REFERENCE_PREFIX: &str = "ref_";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(micro_usd: u64) -> MicroUsd {
        MicroUsd::new(micro_usd).unwrap()
    }

    #[test]
    fn a_sign_says_which_way_the_money_goes() {
        for (literal, movement) in [
            ("5", Ok(Movement::Allocate(usd(5_000_000)))),
            ("-5", Ok(Movement::Return(usd(5_000_000)))),
            ("\"-0.000001\"", Ok(Movement::Return(usd(1)))),
            ("0", Err(InvalidAmount::Zero)),
            ("-0.00", Err(InvalidAmount::Zero)),
            ("-", Err(InvalidAmount::Malformed)),
            ("\"--5\"", Err(InvalidAmount::Malformed)),
            ("\"+5\"", Err(InvalidAmount::Malformed)),
            ("-1e3", Ok(Movement::Return(usd(1_000_000_000)))),
            ("5e-05", Ok(Movement::Allocate(usd(50)))),
            ("0e3", Err(InvalidAmount::Zero)),
            ("--1e3", Err(InvalidAmount::Malformed)),
            ("\"-1e3\"", Err(InvalidAmount::Malformed)),
            ("-0.0000001", Err(InvalidAmount::TooPrecise)),
            ("-1000000000.000001", Err(InvalidAmount::TooLarge)),
        ] {
            assert_eq!(Movement::parse_json_literal(literal), movement, "{literal}");
        }
        assert_eq!(Movement::Return(usd(10_000)).to_string(), "-0.01");
    }

    #[test]
    fn nothing_is_moved_that_is_not_there_or_has_no_room() {
        let balances = Balances { account: usd(10), allocated: usd(8), available: usd(5) };
        let moved = |movement| balances.after(movement);
        assert_eq!(moved(Movement::Allocate(usd(11))), Err(Declined::Insufficient { available: usd(10) }));
        assert_eq!(moved(Movement::Return(usd(6))), Err(Declined::Granted { available: usd(5) }));
        let full = Balances { allocated: MicroUsd::MAX, ..balances };
        assert_eq!(full.after(Movement::Allocate(usd(1))), Err(Declined::TooMuch));
        let full = Balances { account: MicroUsd::MAX, ..balances };
        assert_eq!(full.after(Movement::Return(usd(1))), Err(Declined::TooMuch));
        assert_eq!(credited(MicroUsd::MAX, usd(1)), Err(Declined::TooMuch));
        assert_eq!(credited(usd(1), MAX_CREDIT), Ok(usd(1_000_000_000_001)));
    }

    #[test]
    fn a_reference_is_short_printable_text() {
        for text in ["", "a\nb", "\u{0}", "\u{7f}", &"x".repeat(129)] {
            assert_eq!(Reference::parse(text), None, "{text:?}");
        }
        let longest = Reference::parse(&"é".repeat(128)).unwrap();
        assert_eq!(longest.record_name().len(), 4 + 64);
        assert_ne!(longest.record_name(), Reference::parse("é").unwrap().record_name());
    }

    #[test]
    fn a_sign_up_is_entered_before_its_allocation() {
        let account = AccountId::mint(&mut |pool| pool.fill(1));
        let project = ProjectId::mint(&mut |pool| pool.fill(2));
        let at = Timestamp::from_epoch_s(1_760_000_000);
        let entries = Entry::of_sign_up(&account, &project, usd(7), at);
        assert_eq!([entries[0].kind, entries[1].kind], [EntryKind::SignUp, EntryKind::Allocation]);
        assert!(entries[0].id < entries[1].id);
        assert_eq!(entries, Entry::of_sign_up(&account, &project, usd(7), at));
        assert!(Entry::of_sign_up(&account, &project, MicroUsd::ZERO, at).is_empty());
    }

    proptest! {
        #[test]
        fn no_movement_makes_or_loses_money(
            account in 0_u64..1_000, available in 0_u64..1_000, granted in 0_u64..1_000, amount in 1_u64..1_500,
            is_return in any::<bool>(),
        ) {
            let before = Balances { account: usd(account), allocated: usd(available + granted), available: usd(available) };
            let movement = if is_return { Movement::Return(usd(amount)) } else { Movement::Allocate(usd(amount)) };
            if let Ok(after) = before.after(movement) {
                prop_assert_eq!(after.account.plus(after.available), usd(account + available));
                prop_assert_eq!(after.allocated, after.available.plus(usd(granted)));
            }
        }
    }
}
