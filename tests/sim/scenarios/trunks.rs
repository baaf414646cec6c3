//! Trunks: the next target, challenges, probes.

use super::*;
use crate::house::House;
use crate::ua::Script;

#[test]
fn a_failing_trunk_is_passed_over() {
    for status in [500, 503, 408, 480] {
        let mut w = World::new(60);
        let (a, b1, b2) = (phone(&mut w, "alice"), w.trunk(0), w.trunk(1));
        w.uas[b1].script = Script::of(&[(50, status)]);
        let (ca, cb) = talk(&mut w, a, b2, "+4930");
        both_hear(&w, ca, cb);
        assert_eq!(w.uas[b1].calls.len(), 1, "after {status}");
        w.hang_up(ca);
        w.settle();
    }
}

#[test]
fn a_silent_trunk_is_given_up() {
    let mut w = World::new(61);
    let (a, b1, b2) = (phone(&mut w, "alice"), w.trunk(0), w.trunk(1));
    w.uas[b1].script.deaf = true;
    let started = w.now.mono;
    let (ca, cb) = answered(&mut w, a, b2, "+4930");
    assert!((w.now.mono - started).as_secs() < 10);
    w.secs(2);
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

#[test]
fn what_the_called_party_says_is_not_tried_elsewhere() {
    for status in [404, 486, 603] {
        let mut w = World::new(62);
        let (a, b1, b2) = (phone(&mut w, "alice"), w.trunk(0), w.trunk(1));
        w.uas[b1].script = Script::of(&[(50, 180), (100, status)]);
        let ca = refused(&mut w, a, "+4930");
        assert_eq!(w.call(ca).status, Some(status));
        assert!(w.uas[b2].calls.is_empty());
        w.settle();
    }
}

#[test]
fn all_trunks_fail() {
    let mut w = World::new(63);
    let (a, b1, b2) = (browser(&mut w, "alice"), w.trunk(0), w.trunk(1));
    w.uas[b1].script = Script::of(&[(50, 503)]);
    w.uas[b2].script.deaf = true;
    let ca = refused(&mut w, a, "+4930");
    assert!(matches!(w.call(ca).status, Some(408 | 500 | 503 | 504)), "{:?}", w.call(ca).status);
    w.settle();
}

#[test]
fn a_trunk_comes_and_goes_during_probes() {
    let house = House { probe: Some(sbc::route::trunk::Probe::default()), ..House::default() };
    let mut w = World::with(64, house);
    let (a, b1, b2) = (phone(&mut w, "alice"), w.trunk(0), w.trunk(1));
    w.uas[b1].script.deaf = true;
    w.secs(200);
    let (ca, _) = answered(&mut w, a, b2, "+4930");
    assert!(w.uas[b1].calls.is_empty());
    w.hang_up(ca);
    w.secs(5);
    w.uas[b1].script.deaf = false;
    w.secs(200);
    let (ca, _) = answered(&mut w, a, b1, "+4930");
    w.hang_up(ca);
    w.secs(3);
    assert!(w.run_until(LONG, |w| w.engine.calls().is_idle()));
}

/// NUMBERS, attack 5: only the trunk that owns credentials gets an answer to its challenge.
#[test]
fn a_trunk_that_asks_for_credentials_gets_its_own() {
    let mut w = World::with(65, House { trunk_login: true, ..House::default() });
    let (a, b) = (browser(&mut w, "alice"), w.trunk(0));
    w.uas[b].script.challenges = true;
    let (ca, cb) = talk(&mut w, a, b, "+4930");
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

#[test]
fn whoever_owns_no_credentials_gets_none() {
    let mut w = World::with(66, House { trunk_login: true, ..House::default() });
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    w.uas[b].script.challenges = true;
    let ca = refused(&mut w, a, "bob");
    assert!(matches!(w.call(ca).status, Some(403 | 480 | 500)), "{:?}", w.call(ca).status);
    assert!(w.uas[b].calls.is_empty());
    w.settle();
}
