//! Where in a file its mutants are, and what stands there.

use std::{collections::BTreeMap, ops::Range};

use syn::{spanned::Spanned, visit, visit::Visit};

use crate::{
    mutant::{Genre, Mutant, Mutants},
    text::Text,
};

/// An expression that is written anew.
pub struct Rewrite {
    pub whole: Range<usize>,
    pub kind: Kind,
}

pub enum Kind {
    /// The operands, and the operators that mutants put between them.
    Binary { left: Range<usize>, right: Range<usize>, others: Vec<(u32, String)> },
    /// The operand of an operator that a mutant takes away.
    Unary { operand: Range<usize>, mutant: u32 },
    /// What mutants put in place of a guard.
    Guard { others: Vec<(u32, String)> },
}

#[derive(Default)]
pub struct Places {
    pub rewrites: Vec<Rewrite>,
    /// Text put in at a byte, in the order of the bytes.
    pub inserts: Vec<(usize, String)>,
    /// Mutants by number, and the place that asks for each.
    pub woven: Vec<(u32, u32)>,
}

impl Places {
    pub fn find(source: &str, mutants: &Mutants) -> syn::Result<Self> {
        let text = Text::new(source);
        let mut at = BTreeMap::<_, Here<'_>>::new();
        for (number, mutant) in mutants {
            let start = &mutant.span.start;
            at.entry(text.byte(start.line, start.column - 1)).or_default().push((*number, mutant));
        }
        let mut finder = Finder { text, at, constant: Vec::new(), is_constant: false, places: Self::default() };
        finder.visit_file(&syn::parse_file(source)?);
        let Finder { at, constant, mut places, .. } = finder;
        for (start, mutants) in &at {
            if constant.iter().any(|range| range.contains(start)) {
                continue;
            }
            for (number, mutant) in mutants.iter().filter(|(_, mutant)| mutant.genre == Genre::FnValue) {
                let value = &mutant.replacement;
                let early = format!("if crate::__mutant({number}) == {number} {{ return {value}; }} ");
                places.inserts.push((*start, early));
                places.woven.push((*number, *number));
            }
        }
        places.inserts.sort_by_key(|(at, _)| *at);
        Ok(places)
    }
}

type Here<'m> = Vec<(u32, &'m Mutant)>;

struct Finder<'m, 't> {
    text: Text<'t>,
    /// Mutants by the byte where they begin.
    at: BTreeMap<usize, Here<'m>>,
    /// Functions that are constant: what asks for a mutant is not.
    constant: Vec<Range<usize>>,
    is_constant: bool,
    places: Places,
}

impl Finder<'_, '_> {
    fn others(&self, start: usize, genre: Genre) -> Vec<(u32, String)> {
        let here = self.at.get(&start).into_iter().flatten().filter(|(_, mutant)| mutant.genre == genre);
        here.filter(|_| !self.is_constant).map(|(number, mutant)| (*number, mutant.replacement.clone())).collect()
    }

    fn rewrite(&mut self, whole: Range<usize>, kind: Kind) {
        match &kind {
            Kind::Binary { others, .. } | Kind::Guard { others } => {
                let place = others[0].0;
                self.places.woven.extend(others.iter().map(|(number, _)| (*number, place)));
            }
            Kind::Unary { mutant, .. } => self.places.woven.push((*mutant, *mutant)),
        }
        self.places.rewrites.push(Rewrite { whole, kind });
    }

    fn within(&mut self, is_constant: bool, range: Range<usize>, visit: impl FnOnce(&mut Self)) {
        let before = self.is_constant;
        self.is_constant |= is_constant;
        if is_constant {
            self.constant.push(range);
        }
        visit(self);
        self.is_constant = before;
    }
}

impl<'ast> Visit<'ast> for Finder<'_, '_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let range = self.text.range(item.span());
        self.within(item.sig.constness.is_some(), range, |it| visit::visit_item_fn(it, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        let range = self.text.range(item.span());
        self.within(item.sig.constness.is_some(), range, |it| visit::visit_impl_item_fn(it, item));
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        let range = self.text.range(item.span());
        self.within(true, range, |it| visit::visit_item_const(it, item));
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        let range = self.text.range(item.span());
        self.within(true, range, |it| visit::visit_impl_item_const(it, item));
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        let range = self.text.range(item.span());
        self.within(true, range, |it| visit::visit_item_static(it, item));
    }

    fn visit_expr_binary(&mut self, it: &'ast syn::ExprBinary) {
        let others = self.others(self.text.range(it.op.span()).start, Genre::BinaryOperator);
        if !others.is_empty() && !binds(&it.left) && !binds(&it.right) {
            let (left, right) = (self.text.range(it.left.span()), self.text.range(it.right.span()));
            self.rewrite(self.text.range(it.span()), Kind::Binary { left, right, others });
        }
        visit::visit_expr_binary(self, it);
    }

    fn visit_expr_unary(&mut self, it: &'ast syn::ExprUnary) {
        let operator = self.text.range(it.op.span()).start;
        if let Some((mutant, _)) = self.others(operator, Genre::UnaryOperator).pop() {
            let operand = self.text.range(it.expr.span());
            self.rewrite(self.text.range(it.span()), Kind::Unary { operand, mutant });
        }
        visit::visit_expr_unary(self, it);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let pattern = self.text.range(arm.pat.span());
        let deleted = self.others(pattern.start, Genre::MatchArm).pop().map(|(mutant, _)| mutant);
        match &arm.guard {
            Some((_, guard)) if !binds(guard) => {
                let range = self.text.range(guard.span());
                let mut others = self.others(range.start, Genre::MatchArmGuard);
                others.extend(deleted.map(|mutant| (mutant, "false".to_owned())));
                if !others.is_empty() {
                    self.rewrite(range, Kind::Guard { others });
                }
            }
            Some(_) => {}
            None => {
                if let Some(mutant) = deleted {
                    self.places.inserts.push((pattern.end, format!(" if crate::__mutant({mutant}) != {mutant} ")));
                    self.places.woven.push((mutant, mutant));
                }
            }
        }
        visit::visit_arm(self, arm);
    }
}

/// Whether an expression is a chain with a `let` in it, which cannot be moved elsewhere.
fn binds(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(it) => binds(&it.left) || binds(&it.right),
        _ => false,
    }
}
