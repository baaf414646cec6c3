//! The B2BUA: legs, setup, progress, update, transfer, teardown, registration.
//!
//! A call is two dialogs and a media session; this room decides what a message
//! on one side means for the other.

pub mod cause;
pub mod event;
