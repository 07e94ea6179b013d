//! A table as a version left it, what it is asked, and what that version answered.

use std::{collections::BTreeMap, path::PathBuf};

use faregate_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fixture {
    /// Which version of this code wrote it, in words.
    pub(crate) written_by: String,
    /// When, milliseconds since 1970.
    pub(crate) at_epoch_ms: u64,
    /// Where callers reached it.
    pub(crate) url: String,
    /// What the story's keys, ids and charges are.
    pub(crate) names: BTreeMap<String, String>,
    /// Everything in the table.
    pub(crate) items: Vec<Value>,
    /// What was asked, in this order, and answered.
    pub(crate) answers: Vec<Recorded>,
}

/// A question and what matters of its answer.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    /// The question, by its words in `questions`.
    pub(crate) question: String,
    /// The status.
    pub(crate) status: u16,
    /// Members of the answer, by JSON pointer.
    pub(crate) said: BTreeMap<String, Value>,
}

impl Fixture {
    /// Every table that was recorded, by file name, which begins with a number; the newest last.
    pub(crate) fn all() -> Vec<(String, Self)> {
        let mut all = Vec::new();
        for folder in std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()) {
            for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                let name = file.strip_prefix(root()).unwrap().display().to_string();
                let text = std::fs::read_to_string(&file).unwrap();
                all.push((name.clone(), serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))));
            }
        }
        all.sort_by_key(|(name, _): &(String, Self)| name.clone());
        assert!(!all.is_empty(), "nothing is recorded in {}", root().display());
        all
    }

    /// The table that this code would write today.
    pub(crate) fn newest() -> Self {
        Self::all().pop().unwrap().1
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_epoch_ms(self.at_epoch_ms)
    }

    /// The layout that the table says it has.
    pub(crate) fn layout(&self) -> Option<u64> {
        let item = self.items.iter().find(|item| item["pk"]["S"] == "layout")?;
        item["v"]["N"].as_str()?.parse().ok()
    }

    /// Writes the table down, an item to a line so that a difference can be read.
    pub(crate) fn save(&self, name: &str) {
        let folder = root().join(format!("v{}", self.layout().unwrap_or(0)));
        std::fs::create_dir_all(&folder).unwrap();
        let lines = |values: Vec<String>| values.join(",\n    ");
        let text = format!(
            "{{\n  \"written_by\": {},\n  \"at_epoch_ms\": {},\n  \"url\": {},\n  \"names\": {},\n  \"items\": [\n    {}\n  ],\n  \"answers\": [\n    {}\n  ]\n}}\n",
            Value::from(self.written_by.as_str()),
            self.at_epoch_ms,
            Value::from(self.url.as_str()),
            serde_json::to_string(&self.names).unwrap(),
            lines(self.items.iter().map(Value::to_string).collect()),
            lines(self.answers.iter().map(|answer| serde_json::to_string(answer).unwrap()).collect()),
        );
        std::fs::write(folder.join(format!("{name}.json")), text).unwrap();
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("layouts")
}
