//! What the command line and the environment say.

use std::path::PathBuf;

use faregate_domain::outbound::{InvalidTarget, Reach, Target};
use secrecy::SecretString;

use crate::client::BaseUrl;

/// Faregate: API keys, rate limits and prepaid credit in front of an API, on this machine.
///
/// Starts a gateway that does what Amazon API Gateway does, a DynamoDB, and the functions that are deployed on AWS.
/// A new data folder gets a demo account with credit and a demo key; the key is printed once.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "faregate", version, after_help = EXAMPLE, max_term_width = 100)]
pub struct Options {
    /// Where callers reach the gateway; port 0 takes any free one
    #[arg(long, env = "FAREGATE_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,

    /// Keep nothing: the store, the secrets and the demo account end with the program
    #[arg(long, env = "FAREGATE_MEMORY", value_parser = clap::builder::BoolishValueParser::new())]
    pub memory: bool,

    /// Folder of the store, the secrets and the development wallet; made on first use
    #[arg(long, env = "FAREGATE_DATA", value_name = "DIR", default_value = "./.faregate", global = true)]
    pub data: PathBuf,

    /// Policy file: environments, scopes, routes, prices, plans [default: the one inside the program]
    #[arg(long, env = "FAREGATE_POLICY", value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Where admitted requests go, http:// or https:// [default: an echo]
    #[arg(long, env = "FAREGATE_UPSTREAM", value_name = "URL")]
    pub upstream: Option<BaseUrl>,

    /// Call the functions through the Lambda Invoke API at this address, as `cargo lambda watch` serves it
    #[arg(long, env = "FAREGATE_INVOKE", value_name = "URL")]
    pub invoke: Option<BaseUrl>,

    /// Where the embedded DynamoDB listens, loopback only [default: any free port; with --invoke 127.0.0.1:8001]
    #[arg(long, env = "FAREGATE_DYNAMODB", value_name = "HOST:PORT")]
    pub dynamodb: Option<String>,

    /// The embedded DynamoDB of another program of this version, http://HOST:PORT, for a second gate on the same table; that
    /// program feeds the books [default: this program's own]
    #[arg(long, env = "FAREGATE_STORE", value_name = "URL")]
    pub store: Option<BaseUrl>,

    /// Where the embedded queues listen, loopback only [default: any free port; with --invoke 127.0.0.1:8002]
    #[arg(long, env = "FAREGATE_QUEUES", value_name = "HOST:PORT")]
    pub queues: Option<String>,

    /// Wallet address whose account operates this gate: it grants credit and makes service keys
    #[arg(long, env = "FAREGATE_OPERATOR", value_name = "ADDRESS")]
    pub operator: Option<String>,

    /// The signing secret of a webhook endpoint at Stripe, whsec_…; `secrets set stripe` keeps it instead
    #[arg(long, env = "FAREGATE_STRIPE_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub stripe_secret: Option<SecretString>,

    /// Where the keys are published that GitHub signs its reports of leaked keys with; on this machine it may be http://
    /// [default: where GitHub has them]
    #[arg(long, env = "FAREGATE_GITHUB_KEYS", value_name = "URL", value_parser = published_at)]
    pub github_keys: Option<Target>,

    /// What to do instead of starting the gateway.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Options {
    /// A throw-away bundle on any free port: nothing of it is kept, nothing of the environment is read.
    #[must_use]
    pub fn throw_away() -> Self {
        Self {
            listen: "127.0.0.1:0".into(),
            memory: true,
            data: PathBuf::from("./.faregate"),
            policy: None,
            upstream: None,
            invoke: None,
            dynamodb: None,
            store: None,
            queues: None,
            operator: None,
            stripe_secret: None,
            github_keys: None,
            command: None,
        }
    }

    /// Where the embedded DynamoDB listens.
    #[must_use]
    pub fn dynamodb_address(&self) -> &str {
        let default = if self.invoke.is_some() { "127.0.0.1:8001" } else { "127.0.0.1:0" };
        self.dynamodb.as_deref().unwrap_or(default)
    }

    /// Where the embedded queues listen.
    #[must_use]
    pub fn queues_address(&self) -> &str {
        let default = if self.invoke.is_some() { "127.0.0.1:8002" } else { "127.0.0.1:0" };
        self.queues.as_deref().unwrap_or(default)
    }
}

/// A place that the program may read by itself: a public one, or one on this machine.
fn published_at(text: &str) -> Result<Target, InvalidTarget> {
    Target::parse(text, Reach::Loopback)
}

/// What the program can do beside running the gateway.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// A development wallet, kept in the data folder, for those who have none; never put money on it
    #[command(subcommand)]
    Wallet(WalletCommand),
    /// The secrets in the data folder; a program that runs on the folder need not be stopped
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Hold every wallet, project, key and lease against the books, while calls go on; ends with 1 where something differs
    Audit(BooksOptions),
    /// Enter the records that the ledger set aside, now that it understands them; ends with 1 where some are left
    Replay(BooksOptions),
    /// Keys: what they look like
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Policy files: whether one can be used, and their JSON Schema
    #[command(subcommand)]
    Policy(PolicyCommand),
}

/// Whose books. Without a table, those of the data folder, of which no program must be running.
#[derive(Clone, Debug, clap::Args)]
pub struct BooksOptions {
    /// A table of the AWS account that the environment's credentials belong to
    #[arg(long, value_name = "NAME", env = "FAREGATE_TABLE")]
    pub table: Option<String>,
    /// Where an emulator is, http://HOST:PORT; a running program's is what it was given as --dynamodb
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<BaseUrl>,
    /// One account only
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
}

/// What can be done with the secrets.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum SecretsCommand {
    /// Put a new version of a secret in force; the one before it is still recognised, older ones no more
    Rotate {
        /// Which one
        secret: RotatingSecret,
    },
    /// Put a secret in force that comes from elsewhere, from standard input; said twice, the one before it is forgotten
    Set {
        /// Which one
        secret: GivenSecret,
    },
}

/// A secret that can be rotated.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum RotatingSecret {
    /// Of the hashes under which keys are stored; each key moves on when it is used
    Pepper,
    /// Of the tag inside each key; keys never move on
    Tag,
    /// Of the access tokens' signing key; tokens of the one before hold until they expire
    Signing,
    /// Of the answers that a repeated request gets again; they are gone after ten minutes
    Seal,
    /// Of client sessions' tokens and of signed URLs; they hold until they expire, a day at most
    Link,
}

/// A secret that somebody else makes.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum GivenSecret {
    /// Of the events that Stripe sends to its endpoint here, whsec_…
    Stripe,
}

/// What can be said of keys.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum KeysCommand {
    /// Print the pattern of a policy's keys, for whoever scans for leaked ones
    Pattern {
        /// The policy file [default: the one inside the program]
        file: Option<PathBuf>,
        /// Whose words to say it in
        #[arg(long = "for", value_name = "SCANNER", default_value = "regex")]
        scanner: Scanner,
    },
}

/// Who looks for keys.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Scanner {
    /// A regular expression
    Regex,
    /// A rule of gitleaks, TOML
    Gitleaks,
    /// A custom detector of `TruffleHog`, YAML
    Trufflehog,
}

/// What can be said of policy files.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum PolicyCommand {
    /// Say what is in a policy file, or everything that is wrong with it, as `file:line: field: what is wrong`
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print the JSON Schema of policy files, for editors
    Schema,
}

/// What the development wallet can do.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum WalletCommand {
    /// Print the wallet's address
    Address,
    /// Sign the message on standard input by `personal_sign`; one newline at its very end is not part of it
    Sign,
}

const EXAMPLE: &str = "\
Each option can also be set by the variable beside it; FAREGATE_LOG sets the log level (default warn).

Example: put the gate in front of an API on port 3000, with your own routes and prices
  faregate --upstream http://127.0.0.1:3000 --policy infra/policies/default.yaml";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_bad_option_is_refused_by_name() {
        for (args, wanted) in [
            (["faregate", "--upstream", "ftp://a"], "--upstream"),
            (["faregate", "--invoke", "nowhere"], "--invoke"),
            (["faregate", "--lisen", "x"], "--lisen"),
        ] {
            let text = Options::try_parse_from(args).unwrap_err().to_string();
            assert!(text.contains(wanted), "{text}");
        }
    }

    #[test]
    fn the_embedded_dynamodb_has_a_known_port_only_where_others_must_find_it() {
        let alone = Options::throw_away();
        assert_eq!(alone.dynamodb_address(), "127.0.0.1:0");
        let watched = Options { invoke: Some("http://127.0.0.1:9000".parse().unwrap()), ..alone.clone() };
        assert_eq!(watched.dynamodb_address(), "127.0.0.1:8001");
        let chosen = Options { dynamodb: Some("127.0.0.1:7".into()), ..alone };
        assert_eq!(chosen.dynamodb_address(), "127.0.0.1:7");
    }
}
