//! What keys of a policy look like, in the words of those who scan for them.

use faregate_domain::{key::ApiKey, policy::Policy};

use crate::options::Scanner;

/// The pattern of every key of a policy, as a scanner takes it.
#[must_use]
pub fn pattern(policy: &Policy, scanner: Scanner) -> String {
    let prefixes: Vec<_> = policy.environments().iter().map(|environment| environment.prefix.as_str()).collect();
    let pattern = ApiKey::pattern(&prefixes);
    let keywords =
        |quote: &str| prefixes.iter().map(|prefix| format!("{quote}{prefix}{quote}")).collect::<Vec<_>>().join(", ");
    match scanner {
        Scanner::Regex => pattern,
        Scanner::Gitleaks => format!(
            "[[rules]]\nid = \"faregate-api-key\"\ndescription = \"Faregate API key\"\nregex = '''{pattern}'''\nkeywords = [{}]",
            keywords("\"")
        ),
        Scanner::Trufflehog => format!(
            "detectors:\n  - name: faregate-api-key\n    keywords: [{}]\n    regex:\n      key: '{pattern}'",
            keywords("")
        ),
    }
}
