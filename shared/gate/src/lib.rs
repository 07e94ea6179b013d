//! Where facts and decisions meet: the store states, the domain decides, the gate joins them for every function.

pub mod again;
pub mod audit;
pub mod caller;
mod claim;
mod clawback;
mod cursor;
pub mod decision;
pub mod explain;
mod fund;
mod gate;
mod lanes;
pub mod management;
mod memory;
mod once;
mod owed;
mod pass;
pub mod project;
mod recall;
pub mod refusal;
mod refused;
pub mod rendering;
pub mod replay;
pub mod request;
pub mod services;
pub mod session;
pub mod settle;
mod tally;
mod turns;

pub use caller::Caller;
pub use decision::Decision;
pub use gate::{Call, Gate, GateError};
pub use once::Once;
pub use refused::RefusedCalls;
pub use request::Request;
pub use services::{Services, StartError};
pub use tally::Tally;
