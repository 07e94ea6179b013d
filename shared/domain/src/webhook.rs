//! Webhooks: what is told, to whom, under which signature, and when again (Standard Webhooks 1.0.0).

pub mod data;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod schedule;
pub mod secret;

pub use data::Data;
pub use delivery::{Attempt, Delivery, DeliveryState, Ending, Outcome};
pub use endpoint::{Disabled, Endpoint, Reason};
pub use event::{Event, EventKind, InvalidWish, Wish};
pub use secret::SigningSecret;
