//! What is published about the look of keys, held against keys and against what only looks like them.

use std::{fs, path::PathBuf};

use faregate::{Scanner, pattern};
use faregate_domain::{
    base62,
    key::{ApiKey, InvalidKey},
    policy::Policy,
    secret::{MacSecret, Versions},
};
use faregate_edge::entropy;
use regex::Regex;
use serde_json::Value;

fn page() -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/leaks.md")).unwrap()
}

/// The first block of that language in the page.
fn block(language: &str) -> String {
    let page = page();
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("\n```").unwrap().0.to_owned()
}

/// The page's patterns, each as its scanner reads it.
fn published() -> Vec<(&'static str, Regex)> {
    let gitleaks: toml::Table = toml::from_str(&block("toml")).unwrap();
    let trufflehog: Value = serde_saphyr::from_str(&block("yaml")).unwrap();
    let rule = gitleaks["rules"][0]["regex"].as_str().unwrap();
    let detector = trufflehog["detectors"][0]["regex"]["key"].as_str().unwrap();
    for keyword in gitleaks["rules"][0]["keywords"].as_array().unwrap() {
        assert!(["sk_test_", "sk_prod_"].contains(&keyword.as_str().unwrap()));
    }
    assert_eq!(trufflehog["detectors"][0]["keywords"], serde_json::json!(["sk_test_", "sk_prod_"]));
    let texts = [("regex", block("text")), ("gitleaks", rule.to_owned()), ("trufflehog", detector.to_owned())];
    texts.map(|(name, text)| (name, Regex::new(&text).unwrap())).into()
}

/// Whether a text is a key as far as can be told offline: its form and its checksum.
fn is_sound(text: &str, prefixes: &[&str]) -> bool {
    let nobodys = Versions { current: MacSecret::new(vec![0; 32]).unwrap(), previous: None };
    matches!(ApiKey::parse(text, prefixes.iter().copied(), &nobodys), Ok(_) | Err(InvalidKey::Tag))
}

#[test]
fn the_page_has_what_the_program_prints() {
    let policy = Policy::parse(Policy::DEFAULT_TEXT).unwrap();
    for (language, scanner) in [("text", Scanner::Regex), ("toml", Scanner::Gitleaks), ("yaml", Scanner::Trufflehog)] {
        assert_eq!(block(language), pattern(&policy, scanner));
    }
}

#[test]
fn every_key_is_found_wherever_it_stands() {
    let tag = MacSecret::new(vec![7; 32]).unwrap();
    let patterns = published();
    for prefix in ["sk_test_", "sk_prod_"] {
        for number in 0..1_000 {
            let key = ApiKey::mint(prefix, &tag, &mut entropy::fill);
            let text = key.reveal();
            assert!(is_sound(text, &["sk_test_", "sk_prod_"]));
            let around =
                [("KEY=", "\n"), ("'", "'"), ("x: ", ","), ("?key=", "&a=b"), ("", ""), ("(", ").")][number % 6];
            let line = format!("{}{text}{}", around.0, around.1);
            for (name, pattern) in &patterns {
                let found = pattern.captures(&line).and_then(|found| found.get(1)).map(|found| found.as_str());
                assert_eq!(found, Some(text), "{name}");
            }
        }
    }
}

#[test]
fn what_only_looks_like_a_key_is_none() {
    let tag = MacSecret::new(vec![7; 32]).unwrap();
    let (patterns, prefixes) = (published(), ["sk_test_", "sk_prod_"]);
    let mut looked_like_one = 0;
    for number in 0..10_000_usize {
        let random = base62::random([20, 55, 63, 100][number % 4], &mut entropy::fill);
        let key = ApiKey::mint(prefixes[number % 2], &tag, &mut entropy::fill);
        let key = key.reveal();
        let at = 8 + number % 55;
        let other = if key.as_bytes()[at] == b'0' { "1" } else { "0" };
        let near = match number % 5 {
            0 => format!("{}{}", prefixes[number % 2], base62::random(55, &mut entropy::fill)),
            1 => format!("{}{other}{}", &key[..at], &key[at + 1..]),
            2 => key[..key.len() - 1].to_owned(),
            3 => format!("{key}0"),
            _ => key.replacen("sk_", "pk_", 1),
        };
        for text in [&random, &near] {
            assert!(!is_sound(text, &prefixes), "{text}");
            let found = patterns.iter().filter(|(_, pattern)| pattern.is_match(text)).count();
            assert!(found == 0 || found == patterns.len(), "the patterns differ about {text}");
            looked_like_one += usize::from(found > 0);
        }
        assert!(patterns.iter().all(|(_, pattern)| !pattern.is_match(&random)), "{random}");
    }
    assert_eq!(looked_like_one, 4_000, "of the near misses two kinds are told apart by the checksum alone");
}

#[test]
fn each_product_has_a_pattern_of_its_own_keys() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../infra/policies");
    let tag = MacSecret::new(vec![7; 32]).unwrap();
    for name in ["aifaceswap", "biofrq", "faces", "facesign", "sigfigs"] {
        let policy = Policy::parse(&fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap()).unwrap();
        let own = Regex::new(&pattern(&policy, Scanner::Regex)).unwrap();
        for environment in policy.environments() {
            let key = ApiKey::mint(&environment.prefix, &tag, &mut entropy::fill);
            assert!(own.is_match(key.reveal()), "{name}");
        }
    }
}
