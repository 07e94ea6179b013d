//! The token bucket as clauses of a write: a window's attribute that does not exist yet is the new window.

use faregate_domain::limit::Opening;

use crate::expression::Builder;

/// The paths of one bucket: its tokens now and in the window before, and the paths or values of its policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    pub(crate) now: &'static str,
    pub(crate) previous: &'static str,
    pub(crate) capacity: &'static str,
    pub(crate) burst: &'static str,
    /// Where the item keeps the sustained limit; `None` when the policy file does.
    pub(crate) sustained: Option<&'static str>,
    /// The value with which the bucket opens after a heavy window, the tokens taken off.
    pub(crate) opens_with: &'static str,
}

impl Bucket {
    /// Takes one token, if there is one.
    pub(crate) fn take_one(&self, builder: &mut Builder, opening: Opening) {
        self.take(builder, opening, ":one", 1);
    }

    /// Takes `count` tokens, if there are as many; `placeholder` stands for their number.
    pub(crate) fn take(&self, builder: &mut Builder, opening: Opening, placeholder: &str, count: u64) {
        let Self { now, previous, capacity, burst, opens_with, .. } = self;
        let declare = |builder: &mut Builder, limit: u32| {
            builder.number(opens_with, i128::from(limit) - i128::from(count));
            builder.number(":zero", 0);
        };
        match opening {
            Opening::Full => {
                builder.number(placeholder, count);
                builder.set(format!("{now} = if_not_exists({now}, {capacity}) - {placeholder}"));
                let opens_full = format!("attribute_not_exists({now}) AND NOT {previous} < {burst}");
                builder.require(format!("({now} >= {placeholder} OR ({opens_full}))"));
            }
            Opening::Carried { limit } => {
                declare(builder, limit);
                builder.set(format!("{now} = {previous} + {opens_with}"));
                builder.require(format!("attribute_not_exists({now})"));
                builder.require(format!("{previous} < {burst}"));
                builder.require(format!("{previous} >= :zero"));
                self.require_limit(builder, limit);
            }
            Opening::Drained { limit } => {
                declare(builder, limit);
                builder.set(format!("{now} = {opens_with}"));
                builder.require(format!("attribute_not_exists({now})"));
                builder.require(format!("{previous} < :zero"));
                self.require_limit(builder, limit);
            }
        }
    }

    /// The constant that opens the bucket must be the item's own limit, which may just have been changed.
    fn require_limit(&self, builder: &mut Builder, limit: u32) {
        if let Some(sustained) = self.sustained {
            builder.number(":tl", limit);
            builder.require(format!("{sustained} = :tl"));
        }
    }
}
