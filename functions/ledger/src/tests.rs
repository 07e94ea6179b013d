//! The ledger before a table of its own: told in any order, twice, or in halves, the books come out the same.
