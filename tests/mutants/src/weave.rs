//! Writes a file anew, each mutant beside what it replaces.

use std::{cmp::Reverse, ops::Range};

use crate::places::{Kind, Places, Rewrite};

pub fn weave(source: &str, places: &Places) -> String {
    let mut rewrites: Vec<_> = places.rewrites.iter().collect();
    // Outer ones before those that they contain.
    rewrites.sort_by_key(|rewrite| (rewrite.whole.start, Reverse(rewrite.whole.end)));
    Weaver { source, inserts: &places.inserts }.expression(0..source.len(), &rewrites)
}

struct Weaver<'t> {
    source: &'t str,
    inserts: &'t [(usize, String)],
}

impl Weaver<'_> {
    fn expression(&self, range: Range<usize>, rewrites: &[&Rewrite]) -> String {
        let (mut woven, mut at) = (String::new(), range.start);
        for (place, rewrite) in rewrites.iter().enumerate() {
            if rewrite.whole.start < at || rewrite.whole.end > range.end {
                continue;
            }
            woven += &self.plain(at..rewrite.whole.start);
            woven += &self.rewritten(rewrite, &rewrites[place + 1..]);
            at = rewrite.whole.end;
        }
        woven + &self.plain(at..range.end)
    }

    fn rewritten(&self, rewrite: &Rewrite, inner: &[&Rewrite]) -> String {
        let whole = &rewrite.whole;
        match &rewrite.kind {
            Kind::Binary { left, right, others } => {
                let operator = &self.source[left.end..right.start];
                let (left, right) = (self.expression(left.clone(), inner), self.expression(right.clone(), inner));
                choice(others, |other| format!("{left} {other} {right}"), &format!("{left}{operator}{right}"))
            }
            Kind::Unary { operand, mutant } => {
                let operator = &self.source[whole.start..operand.start];
                let operand = self.expression(operand.clone(), inner);
                format!("(if crate::__mutant({mutant}) == {mutant} {{ {operand} }} else {{ {operator}{operand} }})")
            }
            Kind::Guard { others } => choice(others, str::to_owned, &self.expression(whole.clone(), inner)),
        }
    }

    /// What is put in where an expression begins stands before it, however often that is written.
    fn plain(&self, range: Range<usize>) -> String {
        let (mut text, mut at) = (String::new(), range.start);
        let is_here = |(place, _): &&(usize, String)| range.start < *place && *place <= range.end;
        for (place, insert) in self.inserts.iter().filter(is_here) {
            text += &self.source[at..*place];
            text += insert;
            at = *place;
        }
        text + &self.source[at..range.end]
    }
}

fn choice(others: &[(u32, String)], with: impl Fn(&str) -> String, without: &str) -> String {
    let arms: String = others.iter().map(|(number, other)| format!("{number} => {}, ", with(other))).collect();
    format!("(match crate::__mutant({}) {{ {arms}_ => {without} }})", others[0].0)
}
