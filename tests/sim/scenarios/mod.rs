//! Stories with known ends.

mod basic;
