//! Builds DynamoDB update expressions and checks them against the rules that emulators do not enforce.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::cell::{CELL, LAYOUT_VERSION};

/// One conditional update of one item, as a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The item's partition key.
    pub partition: String,
    /// The item's sort key.
    pub sort: String,
    /// The update expression.
    pub update: String,
    /// The condition expression.
    pub condition: Option<String>,
    names: BTreeMap<String, String>,
    values: BTreeMap<String, AttributeValue>,
}

impl Write {
    /// The item's key.
    #[must_use]
    pub fn key(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.partition.clone())),
            ("sk".to_owned(), AttributeValue::S(self.sort.clone())),
        ])
    }

    /// The names behind the placeholders.
    #[must_use]
    pub fn names(&self) -> Option<HashMap<String, String>> {
        let names: HashMap<_, _> = self.names.clone().into_iter().collect();
        (!names.is_empty()).then_some(names)
    }

    /// The values behind the placeholders.
    #[must_use]
    pub fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        let values: HashMap<_, _> = self.values.clone().into_iter().collect();
        (!values.is_empty()).then_some(values)
    }

    /// Checks the rules of DynamoDB that emulators do not enforce.
    ///
    /// # Errors
    /// The first rule that the expressions break.
    pub fn lint(&self) -> Result<(), String> {
        let condition = self.condition.as_deref().unwrap_or_default();
        let words: Vec<&str> = self
            .update
            .split([' ', ',', '(', ')', '.'])
            .chain(condition.split([' ', ',', '(', ')', '.']))
            .filter(|word| !word.is_empty())
            .collect();
        for text in [self.update.as_str(), condition] {
            if text.len() > MAX_EXPRESSION_BYTES {
                return Err(format!("{} bytes of expression", text.len()));
            }
        }
        let operators = words.iter().filter(|word| OPERATORS.contains(word)).count();
        if operators > MAX_OPERATORS {
            return Err(format!("{operators} operators"));
        }
        let declared = self.names.keys().chain(self.values.keys());
        if let Some(unused) = declared.clone().find(|name| !words.contains(&name.as_str())) {
            return Err(format!("{unused} is declared and not used"));
        }
        let is_placeholder = |word: &&&str| word.starts_with(['#', ':']);
        if let Some(unknown) =
            words.iter().filter(is_placeholder).find(|word| !declared.clone().any(|name| name == *word))
        {
            return Err(format!("{unknown} is used and not declared"));
        }
        let sets = self.update.split(" REMOVE ").next().unwrap_or_default();
        if let Some(clause) = sets.split(", ").find(|clause| clause.matches([' ']).count() > 6 || terms(clause) > 2) {
            return Err(format!("more than two terms: {clause}"));
        }
        if condition.contains([' ', '(']) && terms(condition) > 1 {
            return Err("arithmetic in a condition".to_owned());
        }
        Ok(())
    }
}

/// Collects the clauses of one [`Write`].
#[derive(Debug, Default)]
pub(crate) struct Builder {
    sets: Vec<String>,
    removes: Vec<String>,
    conditions: Vec<String>,
    names: BTreeMap<String, String>,
    values: BTreeMap<String, AttributeValue>,
}

impl Builder {
    /// Declares `placeholder` (`#x`) for an attribute's name.
    pub(crate) fn name(&mut self, placeholder: &str, attribute: impl Into<String>) {
        let attribute = attribute.into();
        let before = self.names.insert(placeholder.to_owned(), attribute.clone());
        debug_assert!(before.is_none_or(|before| before == attribute), "{placeholder} is declared twice");
    }

    /// Declares `placeholder` (`:x`) for a number.
    pub(crate) fn number(&mut self, placeholder: &str, value: impl Into<i128>) {
        self.value(placeholder, AttributeValue::N(value.into().to_string()));
    }

    /// Declares `placeholder` (`:x`) for a string.
    pub(crate) fn string(&mut self, placeholder: &str, value: impl Into<String>) {
        self.value(placeholder, AttributeValue::S(value.into()));
    }

    /// Declares `placeholder` (`:x`) for any value.
    pub(crate) fn value(&mut self, placeholder: &str, value: AttributeValue) {
        let before = self.values.get(placeholder);
        debug_assert!(before.is_none_or(|before| *before == value), "{placeholder} is declared twice");
        self.values.insert(placeholder.to_owned(), value);
    }

    /// Adds `path = expression` to the update.
    pub(crate) fn set(&mut self, clause: impl Into<String>) {
        self.sets.push(clause.into());
    }

    /// Adds a path to remove.
    pub(crate) fn remove(&mut self, path: impl Into<String>) {
        self.removes.push(path.into());
    }

    /// Adds a condition; all must hold.
    pub(crate) fn require(&mut self, condition: impl Into<String>) {
        self.conditions.push(condition.into());
    }

    /// The finished write. One of a cell requires the layout that this code knows: an instance that still runs while a
    /// later version moves cells on neither takes from them nor gives to them.
    pub(crate) fn build(mut self, partition: String, sort: &str) -> Write {
        if sort == CELL {
            self.number(":v", LAYOUT_VERSION);
            self.require("v = :v");
        }
        let mut update = String::new();
        for (verb, clauses) in [("SET ", self.sets), ("REMOVE ", self.removes)] {
            if !clauses.is_empty() {
                let gap = if update.is_empty() { "" } else { " " };
                update.push_str(gap);
                update.push_str(verb);
                update.push_str(&clauses.join(", "));
            }
        }
        let condition = (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "));
        let sort = sort.to_owned();
        let write = Write { partition, sort, update, condition, names: self.names, values: self.values };
        debug_assert_eq!(write.lint(), Ok(()), "{write:#?}");
        write
    }
}

/// One arithmetic sign makes two terms.
fn terms(clause: &str) -> usize {
    clause.matches(" + ").count() + clause.matches(" - ").count() + 1
}

const MAX_EXPRESSION_BYTES: usize = 4_096;
const MAX_OPERATORS: usize = 300;
const OPERATORS: [&str; 18] = [
    "=",
    "<",
    ">",
    "<=",
    ">=",
    "<>",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "+",
    "-",
    "contains",
    "size",
    "if_not_exists",
    "attribute_exists",
    "attribute_not_exists",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn write(update: &str, condition: &str) -> Write {
        Write {
            partition: "p".into(),
            sort: "s".into(),
            update: update.into(),
            condition: Some(condition.into()),
            names: BTreeMap::new(),
            values: BTreeMap::from([(":one".to_owned(), AttributeValue::N("1".into()))]),
        }
    }

    #[test]
    fn expressions_that_aws_refuses_are_found_before_it_sees_them() {
        for (update, condition, word) in [
            ("SET a = a + :one + :one", "a = :one", "more than two terms"),
            ("SET a = :one", "a + :one > b", "arithmetic in a condition"),
            ("SET a = b", "c = d", ":one is declared and not used"),
            ("SET a = :two", "c = :one", ":two is used and not declared"),
            ("SET a = #a", "c = :one", "#a is used and not declared"),
            ("SET a = :one", &"x".repeat(4_097), "4097 bytes"),
            ("SET a = :one", &"a = b AND ".repeat(151), "303 operators"),
        ] {
            let error = write(update, condition).lint().unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        assert_eq!(write("SET a = if_not_exists(a, b) - :one REMOVE c", "NOT d > :one").lint(), Ok(()));
    }

    #[test]
    #[should_panic(expected = ":one is declared twice")]
    fn a_placeholder_stands_for_one_value() {
        let mut builder = Builder::default();
        builder.number(":one", 1);
        builder.number(":one", 2);
    }

    #[test]
    fn clauses_are_joined_in_dynamodbs_order() {
        let mut builder = Builder::default();
        builder.remove("c");
        builder.set("a = :one");
        builder.set("b = :one");
        builder.number(":one", 1);
        builder.require("d < :one");
        builder.require("e < :one");
        let write = builder.build("p".into(), "s");
        assert_eq!(write.update, "SET a = :one, b = :one REMOVE c");
        assert_eq!(write.condition.as_deref(), Some("d < :one AND e < :one"));
    }
}
