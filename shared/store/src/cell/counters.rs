//! Counters as attributes: the window stands in the name.
//!
//! ```text
//! m29456640          e kRtz 29456640      e kRtz s 1767398400      p 1767398400
//! │ └ minute         │ │    └ minute      │ │    │ └ second        │ └ window of the project's length
//! └ the key's        │ └ class of route   │ │    └ s: 1 s, t: 10 s └ tokens of the project's
//! ```

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{
    counters::{Counters, Stale},
    time::{Day, Minute, Month},
    window::{Window, WindowLength},
};

use super::{malformed, parse_number};
use crate::{StoreError, client::Item};

/// The attribute that counts a minute's tokens.
pub(crate) fn minute_attribute(minute: Minute) -> String {
    format!("m{}", minute.0)
}

/// The attribute that counts a route's tokens in a window.
pub(crate) fn route_attribute(class: &str, window: Window) -> String {
    format!("e{class}{}{}", length_letter(window.length), window.index)
}

/// The attribute that holds the project's tokens for a window.
pub(crate) fn tokens_attribute(index: u64) -> String {
    format!("p{index}")
}

/// The attribute that holds the highest window of a length.
pub(crate) fn highest_attribute(length: WindowLength) -> String {
    format!("w{}", length_letter(length))
}

/// The attribute of what a day cost.
pub(crate) fn spent_day_attribute(day: Day) -> String {
    format!("y{}", day.0)
}

/// The attribute of what a month cost.
pub(crate) fn spent_month_attribute(month: Month) -> String {
    format!("z{}", month.0)
}

/// The attribute of a counter that can be removed; those of a slot and of a tab are members of maps.
pub(crate) fn stale_attribute(stale: &Stale) -> String {
    match stale {
        Stale::Minute(minute) => minute_attribute(*minute),
        Stale::Route(class, window) => route_attribute(class, *window),
        Stale::Tokens(index) => tokens_attribute(*index),
        Stale::Day(day) => format!("d{}", day.0),
        Stale::SpentDay(day) => spent_day_attribute(*day),
        Stale::SpentMonth(month) => spent_month_attribute(*month),
        Stale::Slot(lane) => lane.clone(),
        Stale::Tab(session) => session.suffix().to_owned(),
    }
}

/// Reads all counters of an item.
pub(super) fn parse(item: &Item) -> Result<Counters, StoreError> {
    let number = |name: &str| item.get(name).and_then(parse_number).ok_or_else(|| malformed(name));
    let last_row = item.get("lr").map(|row| row.as_s().cloned().map_err(|_| malformed("lr"))).transpose()?;
    let mut counters = Counters {
        requests: number("n")?,
        last_row,
        slots: slots(item)?,
        highest: highest(item)?,
        ..Counters::default()
    };
    for (name, value) in item {
        let (letters, digits) = name.split_at(name.find(|letter: char| letter.is_ascii_digit()).unwrap_or(name.len()));
        let Ok(index) = digits.parse::<u64>() else { continue };
        let signed = || parse_number::<i64>(value).ok_or_else(|| malformed(name));
        let count = || parse_number::<u64>(value).ok_or_else(|| malformed(name));
        match (letters, letters.strip_prefix('e')) {
            ("m", _) => _ = counters.minutes.insert(Minute(index), signed()?),
            ("d", _) => _ = counters.days.insert(Day(index), count()?),
            ("p", _) => _ = counters.tokens.insert(index, count()?),
            ("y", _) => _ = counters.spent_by_day.insert(Day(index), signed()?),
            ("z", _) => _ = counters.spent_by_month.insert(Month(index), signed()?),
            (_, Some(class)) => {
                let (class, length) = split_class(class);
                counters.routes.insert((class.to_owned(), Window { length, index }), signed()?);
            }
            _ => {}
        }
    }
    Ok(counters)
}

/// The highest windows of an item that has any.
pub(crate) fn highest(item: &Item) -> Result<BTreeMap<WindowLength, u64>, StoreError> {
    let mut highest = BTreeMap::new();
    for length in WindowLength::ALL {
        let name = highest_attribute(length);
        if let Some(value) = item.get(&name) {
            highest.insert(length, parse_number(value).ok_or_else(|| malformed(&name))?);
        }
    }
    Ok(highest)
}

fn slots(item: &Item) -> Result<BTreeMap<String, u64>, StoreError> {
    let slots = item.get("q").and_then(|value| value.as_m().ok()).ok_or_else(|| malformed("q"))?;
    let read =
        |(lane, seq): (&String, &AttributeValue)| Ok((lane.clone(), parse_number(seq).ok_or_else(|| malformed("q"))?));
    slots.iter().map(read).collect()
}

/// A class has four letters; one more names a length other than a minute.
fn split_class(letters: &str) -> (&str, WindowLength) {
    let shorter = [WindowLength::Second, WindowLength::TenSeconds];
    let named = |length: &WindowLength| letters.len() > CLASS_LETTERS && letters.ends_with(length_letter(*length));
    match shorter.into_iter().find(named) {
        Some(length) => (&letters[..letters.len() - 1], length),
        None => (letters, WindowLength::Minute),
    }
}

fn length_letter(length: WindowLength) -> &'static str {
    match length {
        WindowLength::Second => "s",
        WindowLength::TenSeconds => "t",
        WindowLength::Minute => "",
    }
}

const CLASS_LETTERS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_read_back_from_its_name() {
        let number = |value: i64| AttributeValue::N(value.to_string());
        let routes = WindowLength::ALL.map(|length| ("abts".to_owned(), Window { length, index: 1_700_000_007 }));
        let mut item = Item::from([
            ("n".to_owned(), number(3)),
            ("q".to_owned(), AttributeValue::M([("lane0001".to_owned(), number(9))].into())),
            ("w".to_owned(), number(29_000_000)),
            ("ws".to_owned(), number(1_700_000_007)),
        ]);
        let removable = [
            Stale::Minute(Minute(29_000_000)),
            Stale::Tokens(7),
            Stale::Day(Day(20_000)),
            Stale::SpentDay(Day(20_000)),
            Stale::SpentMonth(Month(682)),
        ];
        let all = removable.into_iter().chain(routes.iter().map(|(class, at)| Stale::Route(class.clone(), *at)));
        for stale in all {
            item.insert(stale_attribute(&stale), number(5));
        }
        let counters = parse(&item).unwrap();
        assert_eq!(counters.routes, routes.into_iter().map(|route| (route, 5)).collect());
        assert_eq!(
            counters.highest,
            [(WindowLength::Second, 1_700_000_007), (WindowLength::Minute, 29_000_000)].into()
        );
        assert_eq!(counters.minutes, [(Minute(29_000_000), 5)].into());
        assert_eq!((counters.tokens, counters.days), ([(7, 5)].into(), [(Day(20_000), 5)].into()));
        assert_eq!(counters.spent_by_day, [(Day(20_000), 5)].into());
        assert_eq!(counters.spent_by_month, [(Month(682), 5)].into());
        assert_eq!((counters.requests, counters.slots), (3, [("lane0001".to_owned(), 9)].into()));
    }
}
