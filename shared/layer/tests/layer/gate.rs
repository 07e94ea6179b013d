//! The gate's side of a settlement: a server that writes down what it is told.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use faregate_layer::{ServiceKey, Settler};
use serde_json::{Value, json};
use tokio::sync::{
    Mutex, Semaphore,
    mpsc::{UnboundedReceiver, UnboundedSender, error::TryRecvError, unbounded_channel},
};

/// What backends settle with.
pub(crate) const KEY: &str = "sk_prod_a_service_key_that_nobody_may_see";

/// A gate that answers every settlement with one status.
pub(crate) struct Gate {
    pub(crate) url: String,
    /// One permit lets one settlement through.
    door: Arc<Semaphore>,
    arrived: Mutex<UnboundedReceiver<()>>,
    settled: Mutex<UnboundedReceiver<Value>>,
}

#[derive(Clone)]
struct Desk {
    status: StatusCode,
    door: Arc<Semaphore>,
    arrivals: UnboundedSender<()>,
    settlements: UnboundedSender<Value>,
}

impl Gate {
    /// A gate that settles whatever it is told to.
    pub(crate) async fn open() -> Self {
        let gate = Self::closed(StatusCode::OK).await;
        gate.open_door(1_000);
        gate
    }

    /// A gate that answers with this status.
    pub(crate) async fn refusing(status: u16) -> Self {
        let gate = Self::closed(StatusCode::from_u16(status).unwrap()).await;
        gate.open_door(1_000);
        gate
    }

    /// A gate that takes its time until [`Gate::open_door`].
    pub(crate) async fn slow() -> Self {
        Self::closed(StatusCode::OK).await
    }

    async fn closed(status: StatusCode) -> Self {
        let (arrivals, arrived) = unbounded_channel();
        let (settlements, settled) = unbounded_channel();
        let door = Arc::new(Semaphore::new(0));
        let desk = Desk { status, door: Arc::clone(&door), arrivals, settlements };
        let app = Router::new().route("/v1/charges/{charge}/settle", post(settle)).with_state(desk);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, door, arrived: Mutex::new(arrived), settled: Mutex::new(settled) }
    }

    /// Lets so many settlements through.
    pub(crate) fn open_door(&self, settlements: usize) {
        self.door.add_permits(settlements);
    }

    /// Waits until a settlement stands before the door.
    pub(crate) async fn arrival(&self) {
        within_reason(async { self.arrived.lock().await.recv().await.unwrap() }).await;
    }

    /// The next settlement, `{"charge", "authorization", "body"}`.
    pub(crate) async fn settlement(&self) -> Value {
        within_reason(async { self.settled.lock().await.recv().await.unwrap() }).await
    }

    /// The next settlement's body.
    pub(crate) async fn body(&self) -> Value {
        self.settlement().await["body"].take()
    }

    /// Says that nothing else was settled; what may still come must have been waited for.
    pub(crate) async fn assert_silent(&self) {
        let next = self.settled.lock().await.try_recv();
        assert_eq!(next, Err(TryRecvError::Empty), "the gate was told something");
    }

    /// A settler for this gate.
    pub(crate) fn settler(&self) -> Settler {
        Settler::new(&self.url, ServiceKey::new(KEY).unwrap()).unwrap()
    }
}

/// What never comes fails the test instead of holding it up.
pub(crate) async fn within_reason<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(std::time::Duration::from_secs(20), awaited).await.unwrap()
}

async fn settle(
    State(desk): State<Desk>,
    Path(charge): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    desk.arrivals.send(()).unwrap();
    desk.door.acquire().await.unwrap().forget();
    let authorization = headers["authorization"].to_str().unwrap();
    desk.settlements.send(json!({"charge": charge, "authorization": authorization, "body": body})).unwrap();
    let answer = if desk.status.is_success() { json!({"data": {}}) } else { json!({"code": "already_settled"}) };
    (desk.status, Json(answer))
}
