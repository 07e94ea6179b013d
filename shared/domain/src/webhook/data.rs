//! What an event tells, member by member; money to its last digit, which no floating-point number has.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value, json};

use crate::money::MicroUsd;

/// The members of an event's `data`, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data(BTreeMap<String, String>);

impl Data {
    /// With a text.
    #[must_use]
    pub fn with_text(self, name: &str, text: &str) -> Self {
        self.with_literal(name, json!(text).to_string())
    }

    /// With a text, or `null`.
    #[must_use]
    pub fn with_optional_text(self, name: &str, text: Option<&str>) -> Self {
        self.with_literal(name, json!(text).to_string())
    }

    /// With a whole number.
    #[must_use]
    pub fn with_number(self, name: &str, number: u64) -> Self {
        self.with_literal(name, number.to_string())
    }

    /// With an amount of dollars, as a number.
    #[must_use]
    pub fn with_usd(self, name: &str, amount: MicroUsd) -> Self {
        self.with_literal(name, amount.to_string())
    }

    /// With the members of a JSON object, where `…_micro_usd` becomes `…_usd`.
    #[must_use]
    pub fn with_details(self, details: &str) -> Self {
        let Ok(members) = serde_json::from_str::<Map<String, Value>>(details) else { return self };
        members.iter().fold(self, |data, (name, value)| {
            let amount = value.as_u64().and_then(|amount| MicroUsd::new(amount).ok());
            match (name.strip_suffix("_micro_usd"), amount) {
                (Some(name), Some(amount)) => data.with_usd(&format!("{name}_usd"), amount),
                _ => data.with_literal(name, value.to_string()),
            }
        })
    }

    fn with_literal(mut self, name: &str, literal: String) -> Self {
        self.0.insert(name.to_owned(), literal);
        self
    }
}

/// Prints a JSON object.
impl fmt::Display for Data {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.0.iter().map(|(name, literal)| format!("{}:{literal}", json!(name)));
        write!(out, "{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_json_and_money_keeps_its_digits() {
        let amount = MicroUsd::new(999_999_999_999_999).unwrap();
        let data = Data::default()
            .with_text("name", "a \"b\"\n")
            .with_optional_text("reference", None)
            .with_number("calls", 7)
            .with_usd("amount_usd", amount);
        let wanted = r#"{"amount_usd":999999999.999999,"calls":7,"name":"a \"b\"\n","reference":null}"#;
        assert_eq!(data.to_string(), wanted);
        assert!(serde_json::from_str::<Value>(wanted).is_ok());
        assert_eq!(Data::default().to_string(), "{}");
    }

    #[test]
    fn details_are_taken_over_and_micro_dollars_become_dollars() {
        let details = r#"{"percent":80,"budget_micro_usd":1500000,"value":"192.0.2.0/24"}"#;
        let wanted = r#"{"budget_usd":1.5,"percent":80,"value":"192.0.2.0/24"}"#;
        assert_eq!(Data::default().with_details(details).to_string(), wanted);
        assert_eq!(Data::default().with_details("no object").to_string(), "{}");
    }
}
