//! Where a list of requests goes on, as its sealed cursor names it.

use faregate_domain::{books::Span, id::AccountId, time::Timestamp};
use faregate_edge::page;
use faregate_gate::management::Refusal;
use faregate_store::RowPosition;
use lambda_http::Request;

use crate::App;

/// Where a list of requests goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Here {
    /// What is listed in all; as it was when the list began.
    pub(crate) span: Span,
    /// Before this place.
    pub(crate) before: RowPosition,
    /// With these accounts, where it is a list of everybody's.
    pub(crate) group: Group,
}

/// Some accounts that are listed together: after the one, up to and with the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) after: Option<AccountId>,
    pub(crate) last: Option<AccountId>,
}

impl Here {
    /// Where a list of that span begins.
    pub(crate) fn first(span: Span) -> Self {
        Self { span, before: RowPosition::start_of(span.to), group: Group::default() }
    }

    /// The same list, going on there.
    pub(crate) fn at(&self, before: RowPosition) -> Self {
        Self { before, ..self.clone() }
    }

    /// Whether nothing of its span is left.
    pub(crate) fn is_over(&self) -> bool {
        self.before <= RowPosition::start_of(self.span.from)
    }

    fn text(&self) -> String {
        let account = |account: &Option<AccountId>| account.as_ref().map_or("-".to_owned(), ToString::to_string);
        let Self { span, before, group } = self;
        let (from, to) = (span.from.epoch_ms(), span.to.epoch_ms());
        format!("{from} {to} {} {} {}", before.as_str(), account(&group.after), account(&group.last))
    }

    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let &[from, to, before, after, last] = words.as_slice() else { return None };
        let time = |word: &str| word.parse().ok().map(Timestamp::from_epoch_ms);
        let account = |word| if word == "-" { Some(None) } else { AccountId::parse(word).ok().map(Some) };
        Some(Self {
            span: Span { from: time(from)?, to: time(to)? },
            before: RowPosition::parse(before)?,
            group: Group { after: account(after)?, last: account(last)? },
        })
    }
}

impl App {
    /// Where the caller's list goes on, if it does not begin.
    pub(crate) async fn find_here(&self, request: &Request, question: &str) -> Result<Option<Here>, Refusal> {
        let Some(text) = self.gate.open_cursor(request, question).await? else { return Ok(None) };
        Ok(Some(Here::parse(&text).ok_or_else(page::foreign_cursor)?))
    }

    /// The cursor of a place.
    pub(crate) async fn cursor_of(&self, here: Option<&Here>, question: &str) -> Result<Option<String>, Refusal> {
        match here {
            Some(here) => self.gate.seal_cursor(question, &here.text()).await.map(Some),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let span = Span { from: Timestamp::from_epoch_ms(1), to: Timestamp::from_epoch_ms(1_760_000_000_000) };
        let mut here = Here::first(span);
        assert_eq!(Here::parse(&here.text()), Some(here.clone()));
        here.group.last = Some(AccountId::mint(&mut |pool| pool.fill(1)));
        assert_eq!(Here::parse(&here.text()), Some(here));
        for text in ["", "1 2", "1 2 x - -", "1 2 0000000000001_ - x", "1 2 0000000000001_ - - -"] {
            assert_eq!(Here::parse(text), None, "{text}");
        }
    }
}
