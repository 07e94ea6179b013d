//! The table: states facts, decides nothing.

mod account;
mod admit;
mod batch;
mod books;
mod bucket;
mod cell;
mod charge;
mod client;
mod client_session;
mod expression;
#[cfg(test)]
mod fresh;
mod funding;
mod hooks;
mod idempotency;
mod jwks;
mod keys;
mod lapse;
mod layout;
mod ledger;
mod nonce;
mod passage;
mod payment;
mod plan;
mod project;
mod refused;
mod schema;
mod session;
mod transaction;

pub use account::Account;
pub use admit::{Outcome, admission};
pub use books::{
    Awaited, Booked, Booking, Event, Item, KnownCallers, Movement, PeriodNumbers, Positioned, RequestRow, RowFilter,
    RowPage, RowPosition, RowQuery, RowSettlement, RowSource, SetAside, is_cell, parse_change, parse_event,
};
pub use charge::{LeasePlace, Reservation};
pub use client::{Meter, Patience, Store, StoreError};
pub use client_session::{
    SessionPlace, StoredClientSession,
    booked::{SessionFact, SessionSequence},
};
pub use expression::Write;
pub use funding::WalletOutcome;
pub use hooks::{
    Due, DueItem, EndpointInsertion, KeySecretItem, NewEndpoint, RedeemedSession, Reminder, SealedSecret, is_delivery,
    is_endpoint, parse_delivery, parse_endpoint, parse_key_secrets, parse_redeemed_session,
};
pub use idempotency::Record;
pub use jwks::PublishedKey;
pub use keys::{
    BudgetChange, KeyAmendment, KeyDescription, KeyInsertion, KeyRotation, LimitsChange, NewKey, RotationOutcome,
    parse_ended_key, parse_new_key,
};
pub use layout::Layout;
pub use ledger::{Credited, Deposit, Deposited, Transfer, Transferred, parse_entry};
pub use nonce::IssuedNonce;
pub use passage::PassageOutcome;
pub use payment::{PaymentChange, Unmatched, WalletChange};
pub use plan::PlanChange;
pub use project::{Followed, NewProject, Project, ProjectAmendment, ProjectInsertion, RateChange, SettingsChange};
pub use refused::{EntryOutcome, is_refused, parse_refused};
