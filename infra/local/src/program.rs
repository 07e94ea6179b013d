//! The command line: reads options, runs until told to stop, says in one line what is wrong.

use std::{
    ffi::OsString,
    io::{Read, Write},
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches, error::ErrorKind};
use zeroize::Zeroizing;

use faregate_edge::{config, now::Clock, secrets::SecretName};

use crate::{
    books::{self, BooksError, Findings},
    data::DataError,
    log,
    options::{
        Command, GivenSecret, KeysCommand, Options, PolicyCommand, RotatingSecret, SecretsCommand, WalletCommand,
    },
    policy::{self, CheckError},
    scanners,
    secrets::{self, PutError, RotationError},
    start::{Running, StartError, start},
    wallet::Wallet,
};

/// Runs the program. Exit code 0 after an orderly end, 1 for a policy or for books that were checked and are unsound, 2 when
/// the program cannot do what it was asked to.
#[must_use]
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match obey(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Obstacle(line)) => {
            eprintln!("faregate: {line}");
            ExitCode::from(2)
        }
        Err(Failure::Unsound(lines)) => {
            eprintln!("{}", lines.join("\n"));
            ExitCode::from(1)
        }
    }
}

fn obey(args: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    let matches = Options::command().try_get_matches_from(args);
    let options = match matches.and_then(|matches| Options::from_arg_matches(&matches)) {
        Ok(options) => options,
        Err(error) => return say_or_fail(&error),
    };
    log::start().map_err(Failure::Obstacle)?;
    match options.command {
        Some(Command::Wallet(command)) => use_wallet(&options, command),
        Some(Command::Secrets(SecretsCommand::Rotate { secret })) => rotate(&options, secret),
        Some(Command::Secrets(SecretsCommand::Set { secret })) => set(&options, secret),
        Some(Command::Audit(ref whose)) => work(books::audit(&options, whose)),
        Some(Command::Replay(ref whose)) => work(books::replay(&options, whose)),
        Some(Command::Keys(KeysCommand::Pattern { file, scanner })) => {
            let policy = config::policy(file, None).map_err(|error| Failure::Unsound(vec![error.to_string()]))?;
            say(&scanners::pattern(&policy, scanner));
            Ok(())
        }
        Some(Command::Policy(PolicyCommand::Check { file })) => {
            say(&policy::check(&file)?);
            Ok(())
        }
        Some(Command::Policy(PolicyCommand::Schema)) => {
            say(&policy::schema());
            Ok(())
        }
        None => run_gateway(&options),
    }
}

/// Does what takes a while and ends; prints what it says.
fn work(task: impl Future<Output = Result<Findings, BooksError>>) -> Result<(), Failure> {
    let found = runtime()?.block_on(task).map_err(|error| Failure::Obstacle(one_line(&error.to_string())))?;
    say(&found.summary);
    if found.faults.is_empty() { Ok(()) } else { Err(Failure::Unsound(found.faults)) }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::Obstacle(format!("no threads: {error}")))
}

fn run_gateway(options: &Options) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let stop = stop_signal()?;
        let running = start(options.clone()).await?;
        greet(&running, options).await;
        stop.await;
        running.stop().await;
        Ok(())
    })
}

/// Says where the gateway is and, for a fresh store, how to try it.
async fn greet(running: &Running, options: &Options) {
    let place = if options.memory { "nothing is kept".to_owned() } else { options.data.display().to_string() };
    let target = options.upstream.as_ref().map_or("the echo".to_owned(), ToString::to_string);
    say(&format!("Faregate is listening on {} (store: {place}; behind it: {target})\n", running.url));
    say(&format!("Its own API is described at {}/docs; its console is {}/console\n", running.url, running.url));
    let keys = running.config.policy.management().keys();
    if options.invoke.is_some() {
        let table = running.dynamodb_url();
        say(&format!("The functions find their table at {table}.\n"));
        say(&way_to_a_key(&running.url, keys, options));
        return;
    }
    match running.make_demo().await {
        Ok(Some(demo)) => say(&demo.greeting(&running.url, &running.config.policy)),
        Ok(None) => say(&way_to_a_key(&running.url, keys, options)),
        // A policy may well leave new accounts without keys; the gate works all the same.
        Err(error) => eprintln!("faregate: {}", one_line(&error.to_string())),
    }
    say("\nCtrl-C stops it.");
}

/// How the owner of the development wallet gets another key.
fn way_to_a_key(url: &str, keys: &str, options: &Options) -> String {
    let program = if std::env::var_os("CARGO").is_some() { "cargo run -q --" } else { "faregate" };
    let data = options.data.display().to_string();
    let data = if data == "./.faregate" { String::new() } else { format!(" --data '{data}'") };
    let wallet = format!("{program}{data} wallet");
    [
        "For a new key, log in with the development wallet, or with any other (needs jq):".to_owned(),
        format!("  address=$({wallet} address)"),
        format!("  login=$(curl -s {url}/auth/nonce/$address)"),
        format!("  signature=$(printf %s \"$login\" | jq -r .data.message | {wallet} sign)"),
        "  proof=$(printf %s \"$login\" | jq \"{address:\\\"$address\\\",signature:\\\"$signature\\\",nonce:.data.nonce}\")"
            .to_owned(),
        format!("  token=$(curl -s {url}/auth/verify {JSON} -d \"$proof\" | jq -r .data.access_token)"),
        format!("  curl -s {url}{keys} -H \"Authorization: Bearer $token\" {JSON} -d '{{\"name\":\"new\"}}'"),
    ]
    .join("\n")
}

fn use_wallet(options: &Options, command: WalletCommand) -> Result<(), Failure> {
    let wallet = Wallet::open(&options.data.join("wallet.hex"))?;
    match command {
        WalletCommand::Address => say(&wallet.address().to_string()),
        WalletCommand::Sign => {
            let mut message = String::new();
            let read = std::io::stdin().take(MAX_MESSAGE_BYTES + 1).read_to_string(&mut message);
            let bytes = read.map_err(|error| Failure::Obstacle(format!("standard input: {error}")))?;
            if u64::try_from(bytes).is_ok_and(|bytes| bytes > MAX_MESSAGE_BYTES) {
                return Err(Failure::Obstacle("standard input: a message may have at most 65536 bytes".into()));
            }
            // Shells and most programs end their output with a newline; sign-in messages have none there.
            let message = message.strip_suffix('\n').unwrap_or(&message);
            say(&wallet.sign(message.strip_suffix('\r').unwrap_or(message)));
        }
    }
    Ok(())
}

fn rotate(options: &Options, secret: RotatingSecret) -> Result<(), Failure> {
    let (name, what_follows) = match secret {
        RotatingSecret::Pepper => (SecretName::Pepper, "Each key moves to the new pepper when it is next used."),
        RotatingSecret::Tag => (SecretName::Tag, "Keys that are made from now on carry a tag of the new secret."),
        RotatingSecret::Signing => (SecretName::Signing, "Tokens are signed under the new key from then on."),
        RotatingSecret::Seal => (SecretName::Seal, "Answers are sealed under the new secret from now on."),
        RotatingSecret::Link => (SecretName::Link, "Client sessions and signed URLs are signed under the new secret."),
    };
    secrets::rotate(&options.data.join("secrets.json"), name, Clock::system().now())?;
    let name = name.as_str();
    say(&format!("The {name} is rotated; a running program takes it up within five minutes. {what_follows}"));
    Ok(())
}

fn set(options: &Options, GivenSecret::Stripe: GivenSecret) -> Result<(), Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = std::io::stdin().take(MAX_SECRET_BYTES).read_to_string(&mut text);
    read.map_err(|error| Failure::Obstacle(format!("standard input: {error}")))?;
    secrets::put_stripe(&options.data.join("secrets.json"), &text)?;
    say("Stripe's secret is in force; a running program takes it up by itself.");
    Ok(())
}

/// Help and version are what was asked for; anything else is an error, of which the first line says what it is.
fn say_or_fail(error: &clap::Error) -> Result<(), Failure> {
    let text = error.to_string();
    if !error.use_stderr() {
        say(text.trim_end());
        return Ok(());
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let subcommands = [
            ("keys", "`faregate keys pattern`"),
            ("policy", "`faregate policy check FILE` or `faregate policy schema`"),
            ("secrets", "`faregate secrets rotate pepper` or `faregate secrets set stripe`"),
            ("wallet", "`faregate wallet address` or `faregate wallet sign`"),
        ];
        let asked = subcommands.iter().find(|(name, _)| text.contains(&format!("faregate {name}")));
        let (name, commands) = asked.unwrap_or(&subcommands[3]);
        return Err(Failure::Obstacle(format!("{name} what? Say {commands}")));
    }
    let first = text.lines().next().unwrap_or_default();
    Err(Failure::Obstacle(format!("{}; see --help", first.trim_start_matches("error: "))))
}

/// Resolves at Ctrl-C or SIGTERM; the handlers are in place when this returns.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|error| Failure::Obstacle(format!("no signal handler: {error}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// A reader that went away, as `head` does, is no reason to stop.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What is wrong.
#[derive(Debug)]
enum Failure {
    /// One line about what is in the way.
    Obstacle(String),
    /// A line for each fault of a policy, or of the books.
    Unsound(Vec<String>),
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Unreadable(line) => Self::Obstacle(line),
            CheckError::Unsound(lines) => Self::Unsound(lines),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Obstacle(one_line(&error.to_string()))
    }
}

impl From<RotationError> for Failure {
    fn from(error: RotationError) -> Self {
        Self::Obstacle(one_line(&error.to_string()))
    }
}

impl From<PutError> for Failure {
    fn from(error: PutError) -> Self {
        Self::Obstacle(one_line(&error.to_string()))
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::Obstacle(one_line(&error.to_string()))
    }
}

/// The first line says what is wrong; what a parser adds below it is a picture of the place.
fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

const JSON: &str = "-H 'Content-Type: application/json'";
const MAX_MESSAGE_BYTES: u64 = 65_536;
const MAX_SECRET_BYTES: u64 = 1_024;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(args: &[&str]) -> Result<(), Failure> {
        obey(["faregate"].iter().chain(args).map(OsString::from))
    }

    fn failure(args: &[&str]) -> String {
        match said(args).unwrap_err() {
            Failure::Obstacle(line) => line,
            Failure::Unsound(lines) => lines.join("\n"),
        }
    }

    #[test]
    fn what_is_wrong_with_the_command_line_fits_one_line() {
        for (args, wanted) in [
            (&["--lisen", "x"][..], "unexpected argument '--lisen' found"),
            (&["--upstream", "nowhere"], "--upstream"),
            (&["wallet"], "wallet address"),
            (&["policy"], "policy check FILE"),
            (&["keys"], "keys pattern"),
            (&["wallets"], "wallets"),
            (&["secrets"], "secrets rotate pepper"),
            (&["secrets", "rotate", "colour"], "colour"),
            (&["--data", "/no/such", "secrets", "rotate", "pepper"], "/no/such"),
        ] {
            let line = failure(args);
            assert!(line.contains(wanted) && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn what_is_in_the_way_of_a_start_fits_one_line() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.yaml");
        std::fs::write(&policy, "environments: []\n").unwrap();
        let policy = policy.to_str().unwrap();
        for (args, wanted) in [
            (&["--memory", "--listen", &address][..], address.as_str()),
            (&["--memory", "--listen", "nowhere"], "nowhere"),
            (&["--listen", "127.0.0.1:0", "--data", policy], "policy.yaml"),
            (&["--memory", "--listen", "127.0.0.1:0", "--policy", policy], "policy.yaml"),
            (&["--memory", "--listen", "127.0.0.1:0", "--policy", "/no/such"], "/no/such"),
            (&["--memory", "--listen", "127.0.0.1:0", "--operator", "me"], "FAREGATE_OPERATOR"),
            (&["--memory", "--listen", "127.0.0.1:0", "--dynamodb", "0.0.0.0:0"], "0.0.0.0:0"),
        ] {
            let line = failure(args);
            assert!(line.contains(wanted) && !line.contains('\n'), "{args:?}: {line}");
        }
    }

    /// Sends the embedded engine one of DynamoDB's own messages, past the store.
    fn carry_out(url: &str, operation: &str, mut message: Value) {
        message["TableName"] = json!("faregate");
        let (message, host) = (message.to_string(), url.trim_start_matches("http://"));
        let mut wire = std::net::TcpStream::connect(host).unwrap();
        let head = format!("POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}", message.len());
        let kind = format!("content-type: application/x-amz-json-1.0\r\nx-amz-target: DynamoDB_20120810.{operation}");
        // It wants to see a signature, and looks at none.
        let signature = "x-amz-date: -\r\nauthorization: AWS4-HMAC-SHA256 Credential=-, SignedHeaders=-, Signature=-";
        wire.write_all(format!("{head}\r\n{kind}\r\n{signature}\r\n\r\n{message}").as_bytes()).unwrap();
        let mut answer = String::new();
        wire.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[test]
    fn an_audit_names_what_differs_and_ends_with_one() {
        let threads = runtime().unwrap();
        let running = threads.block_on(start(Options::throw_away())).unwrap();
        let demo = threads.block_on(running.make_demo()).unwrap().unwrap();
        let url = running.dynamodb_url();
        let args = ["audit", "--endpoint", &url];
        assert!(said(&args).is_ok());
        let key = json!({"pk": {"S": demo.key_id}, "sk": {"S": "cell"}});
        let change = |by: i64| {
            let amount = json!({":by": {"N": by.to_string()}});
            let update =
                json!({"Key": key, "UpdateExpression": "SET bal = bal + :by", "ExpressionAttributeValues": amount});
            carry_out(&url, "UpdateItem", update);
        };
        change(1);
        let line = failure(&args);
        assert!(line.contains(&format!("{}: balance, µUSD: the books say 0, it holds 1", demo.key_id)), "{line}");
        let code = run(["faregate"].iter().chain(&args).map(OsString::from));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(1)));
        change(-1);
        assert!(said(&args).is_ok());
        // Without a result it is neither.
        let code = run(["faregate", "audit", "--endpoint", &url, "--account", "nobody"].map(OsString::from));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
        threads.block_on(running.stop());
    }

    #[test]
    fn what_was_set_aside_is_replayed_once_it_can_be_read() {
        let threads = runtime().unwrap();
        let running = threads.block_on(start(Options::throw_away())).unwrap();
        let demo = threads.block_on(running.make_demo()).unwrap().unwrap();
        let url = running.dynamodb_url();
        let records = running.stream().peek(1_000).unwrap();
        let is_of_key = |record: &&Value| record["dynamodb"]["Keys"]["pk"]["S"] == json!(demo.key_id);
        let record = records.iter().find(is_of_key).unwrap().to_string();
        let set_aside = |record: &str| {
            let texts = [("pk", "book_aside"), ("sk", "100"), ("re", record), ("wy", "not understood")];
            let mut item: Value = texts.iter().map(|(name, text)| ((*name).to_owned(), json!({"S": text}))).collect();
            item["at"] = json!({"N": "1"});
            carry_out(&url, "PutItem", json!({ "Item": item }));
        };
        let args = ["replay", "--endpoint", &url];
        set_aside(&record.replace("\"bal\"", "\"balance\""));
        for _ in 0..2 {
            assert_eq!(failure(&args), "100: not understood");
        }
        set_aside(&record);
        assert!(said(&args).is_ok());
        let store = faregate_gate::Services::table_at(&url, "faregate");
        assert!(threads.block_on(store.find_set_aside(None, 1)).unwrap().is_empty());
        threads.block_on(running.stop());
    }
}
