//! A running program with its table: this version's in this process, or another version's as a process of its own.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use faregate::{Options, Running, Wallet, start_at};
use faregate_domain::{
    secret::{MacSecret, Versions},
    time::Timestamp,
};
use faregate_edge::{client_token::ClientToken, now::Clock};
use faregate_tests::{Answer, send_over_http};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Where a program is knocked at, and where its table is.
pub(crate) struct Door {
    pub(crate) url: String,
    table_url: String,
    clock: Option<Clock>,
    program: Program,
    _folder: TempDir,
}

enum Program {
    Here(Box<Running>),
    Elsewhere(Child),
}

impl Door {
    /// This version, at an instant.
    pub(crate) async fn here(now: Timestamp) -> Self {
        let folder = data_folder();
        let options = Options {
            memory: false,
            data: folder.path().to_owned(),
            operator: Some(wallet("operator").address().to_string()),
            ..Options::throw_away()
        };
        let clock = Clock::standing_at(now);
        let running = start_at(options, clock.clone()).await.unwrap_or_else(|error| panic!("{error}"));
        Self {
            url: running.url.clone(),
            table_url: running.dynamodb_url(),
            clock: Some(clock),
            program: Program::Here(Box::new(running)),
            _folder: folder,
        }
    }

    /// Another version: its local program, on the system's clock.
    pub(crate) async fn elsewhere(program: &Path) -> Self {
        let folder = data_folder();
        let (gate, table) = (free_address(), free_address());
        let child = Command::new(program)
            .args(["--listen", &gate, "--dynamodb", &table, "--data"])
            .arg(folder.path())
            .args(["--operator", &wallet("operator").address().to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let url = format!("http://{gate}");
        for _ in 0..100 {
            if tokio::net::TcpStream::connect(&gate).await.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        // Its demonstration account is made while it greets.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let table_url = format!("http://{table}");
        Self { url, table_url, clock: None, program: Program::Elsewhere(child), _folder: folder }
    }

    /// Where its table is.
    pub(crate) fn table_url(&self) -> &str {
        &self.table_url
    }

    /// What it is now for the program.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.clone().unwrap_or_default().now()
    }

    /// Lets time pass; false where it cannot be made to.
    pub(crate) fn wait_s(&self, seconds: u64) -> bool {
        self.clock.as_ref().map(|clock| clock.advance_ms(seconds * 1_000)).is_some()
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(String, String)], body: &str) -> Answer {
        send_over_http(&self.url, method, path, headers, body).await
    }

    /// Everything in the table, as DynamoDB's own JSON.
    pub(crate) async fn items(&self) -> Vec<Value> {
        let answer = self.table("Scan", &json!({"TableName": TABLE, "ConsistentRead": true})).await;
        assert_eq!(answer["LastEvaluatedKey"], Value::Null, "the table is larger than one page");
        answer["Items"].as_array().unwrap().clone()
    }

    /// Waits until the books have come as far as the cells.
    pub(crate) async fn wait_for_books(&self) {
        for _ in 0..300 {
            let items = self.items().await;
            let numbers = |sort: &str, names: [&str; 3]| {
                let of = |item: &Value| names.map(|name| item[name]["N"].as_str().unwrap_or("0").to_owned());
                let these = items.iter().filter(|item| item["sk"]["S"] == json!(sort));
                let partition = |item: &Value| item["pk"]["S"].as_str().unwrap().trim_start_matches("book_").to_owned();
                these.map(|item| (partition(item), of(item))).collect::<std::collections::BTreeMap<_, _>>()
            };
            let (cells, mut books) = (numbers("cell", ["n", "sn", "gs"]), numbers("position", ["n", "s", "g"]));
            let nothing = ["0", "0", "0"].map(str::to_owned);
            if cells.iter().all(|(cell, wanted)| *wanted == books.remove(cell).unwrap_or_else(|| nothing.clone())) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the books never came as far as the cells");
    }

    /// Puts items into the table, over those that are there.
    pub(crate) async fn fill(&self, items: &[Value]) {
        for item in items {
            self.table("PutItem", &json!({"TableName": TABLE, "Item": item})).await;
        }
    }

    /// Takes an item out of the table.
    pub(crate) async fn forget(&self, partition: &str, sort: &str) {
        let key = json!({"pk": {"S": partition}, "sk": {"S": sort}});
        self.table("DeleteItem", &json!({"TableName": TABLE, "Key": key})).await;
    }

    async fn table(&self, operation: &str, body: &Value) -> Value {
        let headers = [
            ("content-type".to_owned(), "application/x-amz-json-1.0".to_owned()),
            ("x-amz-target".to_owned(), format!("DynamoDB_20120810.{operation}")),
            ("x-amz-date".to_owned(), "20250101T000000Z".to_owned()),
            // Nobody looks at the signature; there must be one.
            ("authorization".to_owned(), format!("AWS4-HMAC-SHA256 {SCOPE}, SignedHeaders=host, Signature=none")),
        ];
        let answer = send_over_http(&self.table_url, "POST", "/", &headers, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text);
        answer.body
    }

    pub(crate) async fn stop(self) {
        match self.program {
            Program::Here(running) => running.stop().await,
            Program::Elsewhere(mut child) => {
                child.kill().unwrap();
                child.wait().unwrap();
            }
        }
    }
}

/// A wallet that is the same in every version's story.
pub(crate) fn wallet(name: &str) -> Arc<Wallet> {
    let digit = if name == "operator" { "1" } else { "2" };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wallet.hex");
    std::fs::write(&file, digit.repeat(64)).unwrap();
    Arc::new(Wallet::open(&file).unwrap())
}

/// A data folder whose secrets every version shares.
fn data_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let secret = |digit: &str| json!({"current": digit.repeat(64), "previous": null});
    let secrets = json!({"pepper": secret("a"), "tag": secret("b"), "signing": secret("c"), "seal": secret("d"), "link": secret("e")});
    std::fs::write(PathBuf::from(folder.path()).join("secrets.json"), secrets.to_string()).unwrap();
    folder
}

/// A client session's token as it would have been made at another address: it is good at its own alone.
pub(crate) fn readdressed(token: &str, from: &str, to: &str, now: Timestamp) -> String {
    let link = Versions { current: MacSecret::new(vec![0xee; 32]).unwrap(), previous: None };
    let pass = ClientToken::verify(token, &link, from, now).unwrap();
    ClientToken::sign(&pass, &link.current, to).unwrap().expose().to_owned()
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

const TABLE: &str = "faregate";
const SCOPE: &str = "Credential=local/20250101/us-east-1/dynamodb/aws4_request";
