//! A wire to the engine that writes the bill: calls and units by DynamoDB's published rules, from the items' own sizes.

use std::{
    collections::BTreeMap,
    ops::Sub,
    sync::{Arc, Mutex},
};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use faregate_tests::{Link, item_bytes, read_message, read_units, write_units};
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

/// What was billed so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bill {
    pub(crate) calls: usize,
    pub(crate) read_units: usize,
    pub(crate) write_units: usize,
}

impl Sub for Bill {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            calls: self.calls - earlier.calls,
            read_units: self.read_units - earlier.read_units,
            write_units: self.write_units - earlier.write_units,
        }
    }
}

/// The wire; clones share the bill.
#[derive(Clone)]
pub(crate) struct Ledger(Arc<State>);

struct State {
    engine: String,
    client: Client,
    bill: Mutex<Bill>,
    /// Operation and outcome → how often, what the rules say in all, what the engine said in all.
    compared: Mutex<BTreeMap<String, (usize, usize, f64)>>,
}

impl Ledger {
    /// A ledger before an empty embedded engine, and a link to it that faults can be played on.
    pub(crate) async fn open() -> (Self, Link) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let engine = listener.local_addr().unwrap().to_string();
        tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
        let client = Link::before(engine.clone()).await.unwrap().client();
        let ledger = Self(Arc::new(State { engine, client, bill: Mutex::default(), compared: Mutex::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = Link::before(listener.local_addr().unwrap().to_string()).await.unwrap();
        let serving = ledger.clone();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let ledger = serving.clone();
                tokio::spawn(async move { ledger.serve(caller).await });
            }
        });
        (ledger, link)
    }

    pub(crate) fn bill(&self) -> Bill {
        *self.0.bill.lock().unwrap()
    }

    /// Where the engine's own figures differ from the rules: kind of call, calls, units by the rules, by the engine.
    pub(crate) fn differences(&self) -> Vec<(String, usize, usize, f64)> {
        let compared = self.0.compared.lock().unwrap();
        let rows = compared.iter().map(|(kind, (calls, rules, engine))| (kind.clone(), *calls, *rules, *engine));
        rows.filter(|(_, _, rules, engine)| (as_float(*rules) - engine).abs() > 0.01).collect()
    }

    async fn serve(&self, mut caller: TcpStream) {
        while let Ok(Some(request)) = read_message(&mut caller).await {
            let answer = self.pass(&request).await;
            if caller.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    /// Hands a request on to the engine, and bills it.
    async fn pass(&self, request: &[u8]) -> Vec<u8> {
        let (head, body) = split(request);
        let mut body: Value = serde_json::from_slice(body).unwrap_or_default();
        let operation = header(&head, "x-amz-target").rsplit('.').next().unwrap_or_default().to_owned();
        let items = items_of(&operation, &body);
        if !items.is_empty() {
            body["ReturnConsumedCapacity"] = "TOTAL".into();
        }
        let before = self.sizes(&items).await;
        let answer = self.forward(&head, &body.to_string()).await;
        if !items.is_empty() {
            let after = self.sizes(&items).await;
            self.enter(&operation, &before, &after, &answer);
        }
        answer
    }

    fn enter(&self, operation: &str, before: &[usize], after: &[usize], answer: &[u8]) {
        let (head, body) = split(answer);
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let is_applied = head.split(' ').nth(1) == Some("200");
        let stated = stated_units(&body);
        // A transaction that is sent again under its token writes nothing and is billed as reads.
        let is_replay = operation == "TransactWriteItems" && is_applied && before == after;
        let written = before.iter().zip(after).map(|(before, after)| write_units(*before.max(after))).sum::<usize>();
        let read = after.iter().map(|bytes| read_units(*bytes)).sum::<usize>();
        let (reads, writes) = match operation {
            "GetItem" | "BatchGetItem" => (read, 0),
            "TransactWriteItems" if is_replay => (2 * read, 0),
            "TransactWriteItems" => (0, 2 * written),
            _ => (0, written),
        };
        let mut bill = self.0.bill.lock().unwrap();
        bill.calls += 1;
        bill.read_units += reads;
        bill.write_units += writes;
        let outcome = match (is_applied, is_replay) {
            (true, true) => "sent again",
            (true, false) => "applied",
            _ => "refused",
        };
        let mut compared = self.0.compared.lock().unwrap();
        let row = compared.entry(format!("{operation}, {outcome}")).or_default();
        *row = (row.0 + 1, row.1 + reads + writes, row.2 + stated);
    }

    async fn sizes(&self, items: &[(String, Value)]) -> Vec<usize> {
        let mut sizes = Vec::new();
        for (table, key) in items {
            let part = |name: &str| AttributeValue::S(key[name]["S"].as_str().unwrap_or_default().to_owned());
            let read = self.0.client.get_item().table_name(table).key("pk", part("pk")).key("sk", part("sk"));
            let item = read.consistent_read(true).send().await.unwrap().item;
            sizes.push(item.as_ref().map_or(0, item_bytes));
        }
        sizes
    }

    async fn forward(&self, head: &str, body: &str) -> Vec<u8> {
        let mut request = String::new();
        for line in head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("content-length:")) {
            request += line;
            request += "\r\n";
        }
        request += "content-length: ";
        request += &body.len().to_string();
        request += "\r\n\r\n";
        request += body;
        let mut engine = TcpStream::connect(&self.0.engine).await.unwrap();
        engine.write_all(request.as_bytes()).await.unwrap();
        read_message(&mut engine).await.unwrap().unwrap_or_default()
    }
}

/// A count as a number that can be divided.
pub(crate) fn as_float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// The items that a call names: table and key.
fn items_of(operation: &str, body: &Value) -> Vec<(String, Value)> {
    let target = |action: &Value| {
        let key = if action["Key"].is_object() { &action["Key"] } else { &action["Item"] };
        (action["TableName"].as_str().unwrap_or_default().to_owned(), key.clone())
    };
    match operation {
        "GetItem" | "PutItem" | "UpdateItem" => vec![target(body)],
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            let keys = tables.map(|(table, wanted)| (table, wanted["Keys"].as_array().into_iter().flatten()));
            keys.flat_map(|(table, keys)| keys.map(|key| (table.clone(), key.clone()))).collect()
        }
        "TransactWriteItems" => {
            let actions = body["TransactItems"].as_array().into_iter().flatten();
            actions.filter_map(Value::as_object).flat_map(|action| action.values().map(target)).collect()
        }
        _ => Vec::new(),
    }
}

/// What the engine says that a call consumed; zero where it says nothing.
fn stated_units(body: &Value) -> f64 {
    let stated = &body["ConsumedCapacity"];
    let tables = stated.as_array().cloned().unwrap_or_else(|| vec![stated.clone()]);
    tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum()
}

fn split(message: &[u8]) -> (String, &[u8]) {
    let end = message.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(message.len());
    (String::from_utf8_lossy(&message[..end]).into_owned(), message.get(end + 4..).unwrap_or_default())
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    let value = |line: &'h str| line.split_once(':').filter(|(found, _)| found.eq_ignore_ascii_case(name));
    head.lines().find_map(value).map_or("", |(_, value)| value.trim())
}
