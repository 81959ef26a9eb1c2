//! The conformance suite: what every backend of Portfire must do, as tests that need only a constructor.
//!
//! Each case is an ordinary async function over a [`Bed`]. [`conformance!`] makes one named test of each.
//! Time is virtual, so no case waits; the storage is opened with the bed's clock.
#![allow(missing_docs, clippy::unwrap_used, reason = "a case's name is its documentation; a test may unwrap")]

mod bed;
pub mod suite;

use std::future::Future;
use std::sync::Arc;

pub use bed::Bed;
use portfire_core::{Storage, VirtualClock};

/// Runs one case on a fresh storage. `make` gives the storage and what keeps its files alive.
pub fn run<M, F, G, C, R>(make: M, case: C)
where
    M: Fn(Arc<VirtualClock>) -> F,
    F: Future<Output = (Arc<dyn Storage>, G)>,
    C: FnOnce(Arc<Bed>) -> R,
    R: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Arc::new(VirtualClock::default());
        let (storage, guard) = make(Arc::clone(&clock)).await;
        case(Arc::new(Bed::new(storage, clock))).await;
        drop(guard);
    });
}

macro_rules! cases {
    ($($room:ident: $($case:ident)*;)*) => {
        /// One test per case of the suite, on the storage that `$make` constructs.
        ///
        /// `$make` is `fn(Arc<VirtualClock>) -> impl Future<Output = (Arc<dyn Storage>, Guard)>`.
        #[macro_export]
        macro_rules! conformance {
            ($make:path) => {
                $(mod $room {
                    $(#[test]
                    fn $case() {
                        $crate::run($make, $crate::suite::$room::$case);
                    })*
                })*
            };
        }
    };
}

cases! {
    enter: a_job_is_stored_as_asked a_repeated_id_changes_nothing a_unique_name_is_held_until_the_end
        names_are_apart_by_kind a_later_job_is_scheduled a_set_is_stored_whole_or_not_at_all
        five_thousand_jobs_are_one_set hostile_text_comes_back_as_it_was big_integers_keep_their_digits
        limits_are_refused_with_advice;
    claim: order_is_priority_then_due_then_id limits_hold_per_queue_and_in_all
        queues_are_taken_in_the_order_asked unknown_kinds_wait a_repeat_answers_the_same
        an_unknown_or_expired_server_gets_nothing concurrent_claims_take_each_job_once;
    settle: success_keeps_the_result a_stale_token_changes_nothing a_zombie_cannot_settle_its_successor
        a_repeat_is_answered_as_it_was a_failure_is_retried_when_due snoozing_and_giving_back_are_free
        attempts_end notes_need_the_lease;
    lease: a_dead_servers_job_is_rescued a_renewed_lease_refuses_rescue three_crashes_quarantine
        leaving_expires_what_is_held;
    keep: promotion_is_in_order_and_names_the_next pruning_is_by_state_and_bounded;
    family: children_follow_every_end a_failed_parent_may_still_succeed several_parents_are_all_waited_for
        cancelling_goes_down_the_line a_parent_that_has_ended_counts_at_once deleting_a_parent_cancels
        results_outlive_the_parent;
    operate: every_wish_obeys_the_table cancelling_a_running_job_flags_it a_flag_beats_all_but_success
        running_again_starts_afresh a_taken_name_refuses_running_again;
    look: pages_have_no_gaps_and_no_doubles filters_narrow_a_list the_overview_equals_a_recount;
}
