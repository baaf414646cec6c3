//! Facts on their way to the records.
//!
//! Every event of every room passes here once, in order and before the message
//! that follows from it.

use std::collections::VecDeque;

use serde::Serialize;

use crate::base::limits;
use crate::call::event::Event as CallEvent;
use crate::call::register::Event as RegisterEvent;
use crate::guard::Event as GuardEvent;
use crate::route::TrunkEvent;

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Of a call.
    Call(CallEvent),
    /// Of a registration.
    Registration(RegisterEvent),
    /// Of the guard.
    Guard(GuardEvent),
    /// Of a trunk.
    Trunk(TrunkEvent),
}

/// The facts that nobody has taken yet; the oldest go when there are too many.
#[derive(Debug, Default)]
pub struct Facts {
    waiting: VecDeque<Fact>,
    /// Facts that nobody took in time.
    pub lost: u64,
}

impl Facts {
    /// Takes a fact.
    pub fn feed(&mut self, fact: Fact) {
        if self.waiting.len() >= limits::FACTS_WAITING {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(fact);
    }

    /// Gives the next fact.
    pub fn poll(&mut self) -> Option<Fact> {
        self.waiting.pop_front()
    }
}
