//! `faregate policy …`: says whether a policy file can be used, and what editors must know to help with one.

use std::{fmt::Write as _, path::Path};

use faregate_domain::policy::Policy;

/// What is in a sound policy, in one line; of another, a line for everything that is wrong.
///
/// # Errors
/// [`CheckError`], which is printed as it is.
pub(crate) fn check(path: &Path) -> Result<String, CheckError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| CheckError::Unreadable(format!("{name}: {error}")))?;
    let policy = Policy::parse(&text).map_err(|error| CheckError::Unsound(error.lines(&name)))?;
    let mut line = name;
    for (at, (count, thing)) in [
        (policy.environments().len(), "environment"),
        (policy.routes().len(), "route"),
        (policy.catalogue().len(), "scope"),
        (policy.plans().len(), "plan"),
    ]
    .into_iter()
    .enumerate()
    {
        let (before, end) = (if at == 0 { ':' } else { ',' }, if count == 1 { "" } else { "s" });
        // Writing to a string cannot fail.
        let _ = write!(line, "{before} {count} {thing}{end}");
    }
    Ok(line)
}

/// The JSON Schema of a policy file.
#[must_use]
pub fn schema() -> String {
    format!("{:#}", Policy::schema())
}

/// Why a policy is not said to be sound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CheckError {
    /// It cannot be read.
    Unreadable(String),
    /// It cannot be used; a line for each fault.
    Unsound(Vec<String>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<String, CheckError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.yaml");
        std::fs::write(&file, text).unwrap();
        let parent = format!("{}/", folder.path().display());
        let short = |line: String| line.replace(&parent, "");
        check(&file).map(short).map_err(|error| match error {
            CheckError::Unsound(lines) => CheckError::Unsound(lines.into_iter().map(short).collect()),
            CheckError::Unreadable(line) => CheckError::Unreadable(short(line)),
        })
    }

    #[test]
    fn a_sound_policy_is_told_in_one_line() {
        let line = checked(Policy::DEFAULT_TEXT).unwrap();
        assert_eq!(line, "p.yaml: 2 environments, 5 routes, 9 scopes, 1 plan");
    }

    #[test]
    fn everything_that_is_wrong_has_a_line() {
        let text = Policy::DEFAULT_TEXT.replace("burst: 2", "burst: 6").replace("plan: studio,", "plan: gold,");
        let Err(CheckError::Unsound(lines)) = checked(&text) else { panic!("unsound") };
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("p.yaml:") && lines[0].contains(": routes[3].burst: a burst must"), "{lines:?}");
        assert!(lines[1].contains(": sign_up.plan: plan \"gold\""), "{lines:?}");
        assert!(
            matches!(check(Path::new("/no/such")), Err(CheckError::Unreadable(line)) if line.starts_with("/no/such: "))
        );
    }
}
