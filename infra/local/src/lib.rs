//! The whole bundle on one machine: an API Gateway, a DynamoDB and the functions in one process.

mod answer;
mod books;
mod bundle;
mod call;
mod client;
mod data;
mod demo;
mod dynamodb;
mod event;
mod gateway;
mod gateway_response;
#[cfg(test)]
mod generated;
mod integration;
mod invoke;
mod layer;
mod ledger;
mod log;
mod options;
mod outcome;
mod pages;
mod policy;
mod program;
mod queues;
mod reference;
mod routes;
mod scanners;
mod secrets;
mod server;
mod start;
mod stream;
#[cfg(test)]
mod template;
mod wallet;

pub use client::{BaseUrl, InvalidBaseUrl};
pub use data::DataError;
pub use demo::Demo;
pub use dynamodb::{DynamoDbError, database_in_memory};
pub use gateway_response::InvalidGatewayResponse;
pub use ledger::{Feed, FeedParts, Ledger};
pub use options::{
    BooksOptions, Command, KeysCommand, Options, PolicyCommand, RotatingSecret, Scanner, SecretsCommand, WalletCommand,
};
pub use policy::schema;
pub use program::run;
pub use queues::{EmbeddedQueues, Message, Taker};
pub use routes::NobodyServes;
pub use scanners::pattern;
pub use start::{Running, StartError, start, start_at, start_unfed};
pub use stream::{Stream, StreamError, is_for_the_ledger};
pub use wallet::Wallet;
