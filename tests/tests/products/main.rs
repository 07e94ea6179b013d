//! Five products, each by its policy file alone: its own documentation, walked from top to bottom against the running
//! program, over HTTP. What is expected stands in that documentation, not in the policy.

#![expect(clippy::panic, clippy::unwrap_used, reason = "what does not work in a test fails the test")]

mod aifaceswap;
mod answer;
mod biofrq;
mod curl;
mod faces;
mod facesign;
mod product;
mod sigfigs;
