//! A client for backends that ask Faregate: who is calling, may they, can they pay; and what did it cost.
//!
//! ```text
//! verify ──▶ allowed ──▶ do the work ──▶ settle, where the amount was only reserved
//!    │          └ the caller, the charge, the headers with the limits for its answer
//!    └─────▶ refused: status, headers and body for its answer
//! ```
//!
//! A call takes up to 3 attempts of 3 seconds. It is made again when the network failed, when the gate answered 5xx, and
//! when it answered 429, or 409 `request_in_flight`, and said for how long to wait: after a random pause whose bound doubles,
//! or after `Retry-After` where that is not too long. The 409 says that an attempt before is still under way, or that its
//! process has died: it is the one 4xx beside 429 that is not final. All attempts of a call carry one `Idempotency-Key`, so
//! that it is counted and charged once whichever of them arrive.
//!
//! ```no_run
//! use faregate_client::{Call, Client, ServiceKey, Settlement, Verdict};
//!
//! # async fn answer(caller_key: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let key = ServiceKey::new(&std::env::var("FAREGATE_SERVICE_KEY")?)?;
//! let gate = Client::new("https://api.example.com", key)?;
//! match gate.verify(&Call::new(caller_key, "POST", "/videos")).await? {
//!     Verdict::Allowed(allowed) => {
//!         println!("for {}", allowed.principal.account);
//!         if let (Some(charge), true) = (&allowed.charge, allowed.reserved.is_some()) {
//!             gate.settle(charge, &Settlement::Succeeded { actual: None }).await?;
//!         }
//!     }
//!     Verdict::Refused(refused) => println!("{} {}", refused.status, refused.body),
//! }
//! # Ok(())
//! # }
//! ```

mod backoff;
mod bounded;
mod call;
mod charge;
mod client;
mod exchange;
mod key;
mod principal;
mod settlement;
mod verdict;

pub use backoff::Backoff;
pub use call::{Call, InvalidIdempotencyKey};
pub use charge::{Charge, InvalidCharge};
pub use client::{CallError, Client, InvalidClient};
pub use exchange::BoxError;
pub use faregate_domain::{
    id::{AccountId, KeyId, ProjectId},
    money::{InvalidAmount, MicroUsd},
    scope::{Grant, GrantSet, Scope},
    settlement::ErrorCode,
};
pub use key::{InvalidServiceKey, ServiceKey};
pub use principal::{InvalidPrincipal, Part, Principal};
pub use settlement::Settlement;
pub use verdict::{Allowed, Refused, Verdict};
