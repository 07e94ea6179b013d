//! What a function is told by its environment, checked before the first request.

use std::path::PathBuf;

use faregate_domain::{
    outbound::Reach,
    policy::{Policy, PolicyError},
    wallet::Address,
};

/// Where a function finds its table, its policy, its secrets and its public name.
#[derive(Clone, Debug)]
pub struct Config {
    /// The table's name.
    pub table: String,
    /// The origin under which callers reach the bundle, `https://api.example.com`; no trailing slash.
    pub public_origin: String,
    /// The chain that wallets sign in on (EIP-155).
    pub chain_id: u64,
    /// Where the secrets are.
    pub secrets: SecretsLocation,
    /// The checked policy.
    pub policy: Policy,
    /// How far calls to addresses of others' choosing may go.
    pub reach: Reach,
}

impl Config {
    /// Reads `FAREGATE_TABLE`, `FAREGATE_ORIGIN`, `FAREGATE_CHAIN_ID`, `FAREGATE_SECRETS`, `FAREGATE_POLICY`,
    /// `FAREGATE_LAYER`, `FAREGATE_OPERATOR` and `FAREGATE_REACH`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable; a function with an error must not start.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// As [`Config::from_env`], from any source of variables.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable.
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let public_origin = find("FAREGATE_ORIGIN").ok_or(ConfigError::Missing("FAREGATE_ORIGIN"))?;
        faregate_domain::origin::Origin::parse(&public_origin)
            .map_err(|_| ConfigError::Malformed("FAREGATE_ORIGIN"))?;
        let chain_id = find("FAREGATE_CHAIN_ID").map_or(Ok(1), |text| text.parse());
        let secrets = find("FAREGATE_SECRETS").ok_or(ConfigError::Missing("FAREGATE_SECRETS"))?;
        let policy = policy(find("FAREGATE_POLICY").map(PathBuf::from), find("FAREGATE_OPERATOR"))?;
        let has_layer = match find("FAREGATE_LAYER").as_deref() {
            None => false,
            Some("present") => true,
            Some(_) => return Err(ConfigError::Malformed("FAREGATE_LAYER")),
        };
        let reach = match find("FAREGATE_REACH").as_deref() {
            None => Reach::Public,
            Some("loopback") => Reach::Loopback,
            Some(_) => return Err(ConfigError::Malformed("FAREGATE_REACH")),
        };
        Ok(Self {
            table: find("FAREGATE_TABLE").unwrap_or_else(|| "faregate".to_owned()),
            public_origin,
            chain_id: chain_id.map_err(|_| ConfigError::Malformed("FAREGATE_CHAIN_ID"))?,
            secrets: SecretsLocation::parse(&secrets)?,
            // A policy that leaves refusals to a layer lets every request through where that layer was forgotten.
            policy: if has_layer { policy } else { policy.without_layer() },
            reach,
        })
    }
}

/// Reads the policy from a file, or takes the one that ships with the bundle, and adds an operator.
///
/// # Errors
/// [`ConfigError`] when the file cannot be read, the policy is unsound, or the operator is no wallet address.
pub fn policy(file: Option<PathBuf>, operator: Option<String>) -> Result<Policy, ConfigError> {
    let policy = match file {
        Some(path) => {
            let text = std::fs::read_to_string(&path).map_err(|error| ConfigError::Unreadable(path.clone(), error))?;
            Policy::parse(&text).map_err(|error| ConfigError::Policy(path, error))?
        }
        None => {
            Policy::parse(Policy::DEFAULT_TEXT).map_err(|error| ConfigError::Policy("default.yaml".into(), error))?
        }
    };
    match operator {
        Some(text) => {
            let address: Address = text.parse().map_err(|_| ConfigError::Malformed("FAREGATE_OPERATOR"))?;
            Ok(policy.with_operator(address))
        }
        None => Ok(policy),
    }
}

/// Where the secrets are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretsLocation {
    /// A JSON file on this machine, `file:PATH`; for local work.
    File(PathBuf),
    /// AWS Secrets Manager, `aws:PREFIX`: the secrets are `PREFIX/pepper`, `PREFIX/tag`, `PREFIX/signing`, `PREFIX/seal`, `PREFIX/stripe`.
    Manager(String),
}

impl SecretsLocation {
    fn parse(text: &str) -> Result<Self, ConfigError> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("aws", prefix)) if !prefix.is_empty() => Ok(Self::Manager(prefix.to_owned())),
            _ => Err(ConfigError::Malformed("FAREGATE_SECRETS")),
        }
    }
}

/// Why a function must not start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable that has no default is absent.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A variable cannot be understood.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// The policy file cannot be read.
    #[error("{}: {}", .0.display(), .1)]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The policy is unsound; a line for each fault, `file:line: field: what is wrong`.
    #[error("{}", .1.lines(&.0.display().to_string()).join("\n"))]
    Policy(PathBuf, #[source] PolicyError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &'static [(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_lookup(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_missing_or_malformed_variable_is_named() {
        for (pairs, wanted) in [
            (&[("FAREGATE_SECRETS", "aws:faregate")][..], "FAREGATE_ORIGIN is not set"),
            (&[("FAREGATE_ORIGIN", "https://a.com")], "FAREGATE_SECRETS is not set"),
            (&[("FAREGATE_ORIGIN", "a.com"), ("FAREGATE_SECRETS", "aws:x")], "FAREGATE_ORIGIN is malformed"),
            (&[("FAREGATE_ORIGIN", "https://a.com"), ("FAREGATE_SECRETS", "x")], "FAREGATE_SECRETS is malformed"),
        ] {
            assert_eq!(from(pairs).unwrap_err().to_string(), wanted);
        }
    }

    #[test]
    fn every_fault_of_a_policy_is_told_with_file_line_and_field() {
        let text = Policy::DEFAULT_TEXT.replace("plan: studio,", "plan: gold,").replace("burst: 2", "burst: 6");
        let error = ConfigError::Policy("p.yaml".into(), Policy::parse(&text).unwrap_err()).to_string();
        let lines: Vec<_> = error.lines().collect();
        let wanted =
            ["p.yaml:45: routes[3].burst: a burst must not", "p.yaml:51: sign_up.plan: plan \"gold\" does not"];
        assert!(lines.len() == 2 && lines.iter().zip(wanted).all(|(line, wanted)| line.starts_with(wanted)), "{error}");
    }

    #[test]
    fn a_forgotten_layer_leaves_refusals_to_api_gateway() {
        use faregate_domain::policy::Refusals;
        const BASE: [(&str, &str); 2] = [("FAREGATE_ORIGIN", "https://a.com"), ("FAREGATE_SECRETS", "file:s.json")];
        const WITH: [(&str, &str); 3] = [BASE[0], BASE[1], ("FAREGATE_LAYER", "present")];
        const ODD: [(&str, &str); 3] = [BASE[0], BASE[1], ("FAREGATE_LAYER", "yes")];
        let are_all = |config: Config, wanted| config.policy.routes().iter().all(|route| route.refusals == wanted);
        assert!(are_all(from(&BASE).unwrap(), Refusals::Gateway));
        assert!(are_all(from(&WITH).unwrap(), Refusals::Backend));
        assert_eq!(from(&ODD).unwrap_err().to_string(), "FAREGATE_LAYER is malformed");
    }

    #[test]
    fn calls_go_to_public_addresses_unless_local_work_is_meant() {
        const BASE: [(&str, &str); 2] = [("FAREGATE_ORIGIN", "https://a.com"), ("FAREGATE_SECRETS", "file:s.json")];
        const LOCAL: [(&str, &str); 3] = [BASE[0], BASE[1], ("FAREGATE_REACH", "loopback")];
        const ODD: [(&str, &str); 3] = [BASE[0], BASE[1], ("FAREGATE_REACH", "anywhere")];
        assert_eq!(from(&BASE).unwrap().reach, Reach::Public);
        assert_eq!(from(&LOCAL).unwrap().reach, Reach::Loopback);
        assert_eq!(from(&ODD).unwrap_err().to_string(), "FAREGATE_REACH is malformed");
    }

    #[test]
    fn the_rest_has_defaults() {
        let config = from(&[("FAREGATE_ORIGIN", "https://a.com"), ("FAREGATE_SECRETS", "file:s.json")]).unwrap();
        assert_eq!((config.table.as_str(), config.chain_id), ("faregate", 1));
        assert_eq!(config.secrets, SecretsLocation::File("s.json".into()));
    }
}
