//! A tower layer for Rust services behind Faregate: acts on the gate's decision, tells the service who calls, settles.
//!
//! ```text
//! request ──▶ decision? ── none ─────▶ 503 gate_unavailable; the service is not called
//!                 │────── refused ───▶ the refusal as the gate meant it; the service is not called
//!                 ▼
//!             admitted ──▶ service, with an Admission in the request's extensions
//!                              │
//!                              ▼
//!             settle, where the amount was only held ──▶ response, with the gate's rate-limit headers
//! ```
//!
//! A server reads the decision from headers that the gateway sets; a function on AWS Lambda reads it from its event
//! (feature `lambda`). Which of the two is said once, by the constructor, and never guessed.
//!
//! ```
//! use axum::{Extension, Router, routing::post};
//! use faregate_layer::{ActualCost, Admission, FaregateLayer, MicroUsd, ServiceKey, Settler, Settling};
//!
//! async fn render(Extension(admission): Extension<Admission>) -> (Extension<ActualCost>, String) {
//!     (Extension(ActualCost(MicroUsd::ZERO)), format!("for {}", admission.principal.account))
//! }
//!
//! # let key = "sk_prod_example";
//! let settler = Settler::new("http://127.0.0.1:8080", ServiceKey::new(key)?)?;
//! let app: Router = Router::new()
//!     .route("/videos", post(render))
//!     .layer(FaregateLayer::behind_gateway(Settling::Awaited(settler)));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod admission;
pub mod credential;
mod decision;
mod lease;
pub mod member;
mod outcome;
pub mod rendering;
mod service;
mod settler;
mod source;

pub use admission::Admission;
pub use faregate_client::{
    AccountId, BoxError, Charge, ErrorCode, Grant, GrantSet, InvalidAmount, InvalidCharge, InvalidServiceKey, KeyId,
    MicroUsd, Principal, ProjectId, Scope, ServiceKey, Settlement,
};
pub use outcome::{ActualCost, COST_HEADER, Outcome};
pub use service::{Faregate, FaregateLayer, Settling};
pub use settler::{InvalidSettler, SettleError, Settler};
