//! The conformance suite: what every backend of Portfire must do, as tests that need only a constructor.
//!
//! Each case is an ordinary async function over a [`Bed`]. [`conformance!`] makes one named test of each.
//! Time is virtual, so no case waits; the storage is opened with the bed's clock.
#![allow(missing_docs, clippy::unwrap_used, reason = "a case's name is its documentation; a test may unwrap")]

mod bed;
pub mod differential;
mod idle;
mod luck;
pub mod scale;
pub mod sim;
pub mod suite;

use std::future::Future;
use std::sync::Arc;

pub use bed::Bed;
pub use idle::IdleServer;
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
        limits_are_refused_with_advice an_id_twice_in_one_set_is_one_job nothing_is_answered_with_nothing
        a_repeat_does_not_need_its_parents;
    unique: a_name_twice_in_one_set_is_one_job names_differ_by_every_character every_end_frees_a_name
        no_state_before_the_end_frees_a_name a_rescued_job_keeps_its_name
        a_child_cancelled_by_its_parent_frees_its_name a_refused_set_takes_no_name
        an_old_job_does_not_free_its_successors_name;
    claim: order_is_priority_then_due_then_id limits_hold_per_queue_and_in_all
        queues_are_taken_in_the_order_asked unknown_kinds_wait a_repeat_answers_the_same
        an_unknown_or_expired_server_gets_nothing concurrent_claims_take_each_job_once
        a_repeat_keeps_the_order_of_the_queues zero_is_a_limit hostile_kinds_and_queues_are_claimed
        a_promoted_job_stands_where_its_time_puts_it a_claim_carries_all_that_a_handler_needs
        a_repeat_without_a_limit_left_takes_nothing_new a_claim_that_was_asked_again_takes_nothing_later
        a_server_that_was_deaf_for_a_while_has_given_up_its_claims_still;
    settle: success_keeps_the_result a_stale_token_changes_nothing a_zombie_cannot_settle_its_successor
        a_repeat_is_answered_as_it_was a_failure_is_retried_when_due snoozing_and_giving_back_are_free
        attempts_end notes_need_the_lease in_a_large_set_each_job_ends_as_it_would_alone
        in_a_set_of_several_claims_each_job_keeps_what_is_its_own;
    fence: a_zombie_writes_no_notes a_server_is_fenced_from_its_own_older_claim
        an_expired_server_may_settle_what_it_still_holds a_rescue_comes_too_late_for_a_settled_job
        two_rescuers_count_one_crash a_mixed_set_is_answered_in_order a_repeat_leaves_no_second_trace
        a_repeat_is_answered_even_after_an_operator_acted a_deleted_job_cannot_be_settled
        an_exchange_goes_in_its_order one_lease_twice_in_a_set_is_judged_in_order;
    lease: a_dead_servers_job_is_rescued a_renewed_lease_refuses_rescue three_crashes_quarantine
        leaving_expires_what_is_held a_lease_ends_at_its_instant_and_not_before
        only_the_dead_servers_jobs_expire a_crash_on_the_last_attempt_fails_and_is_counted
        a_flagged_job_of_a_dead_server_is_cancelled a_beat_replaces_what_a_server_says_of_itself;
    keep: promotion_is_in_order_and_names_the_next pruning_is_by_state_and_bounded
        a_promotion_takes_the_earliest_first what_is_moved_or_stopped_is_not_promoted_at_its_old_time
        a_job_that_runs_again_is_not_pruned a_dead_server_that_holds_a_job_is_not_forgotten
        a_poll_tells_what_there_is_to_do a_poll_tells_when_something_will_be_due;
    notes: log_lines_keep_the_order_in_which_they_were_said notes_outlive_the_attempt_and_the_end
        progress_is_replaced_whole notes_keep_any_text_and_touch_only_their_job
        nothing_of_a_deleted_job_is_left of_what_is_long_only_so_much_is_shown;
    hostile: what_would_be_sql_is_text_wherever_it_stands
        orders_to_what_would_be_sql_reach_only_what_is_named_so;
    family: children_follow_every_end a_failed_parent_may_still_succeed several_parents_are_all_waited_for
        cancelling_goes_down_the_line a_parent_that_has_ended_counts_at_once deleting_a_parent_cancels
        results_outlive_the_parent;
    line: one_impossible_parent_is_enough one_parent_may_be_asked_twice a_diamond_runs_its_tip_once
        a_diamond_is_cancelled_whole a_long_line_is_cancelled_to_its_end
        a_released_child_still_waits_for_its_time a_retried_or_snoozed_parent_lets_nobody_go
        a_child_run_by_hand_is_not_run_twice a_child_run_by_hand_is_not_cancelled_later
        a_cancelled_child_stays_so_when_its_parent_succeeds a_deleted_child_is_forgotten_by_its_parent
        deleting_an_ended_parent_leaves_released_children pruning_a_failed_parent_cancels_who_still_waits
        a_failure_child_runs_once_though_its_parent_is_retried
        results_come_in_the_order_the_parents_were_named
        a_parent_may_stand_earlier_in_the_set_but_not_later;
    operate: every_wish_obeys_the_table cancelling_a_running_job_flags_it a_flag_beats_all_but_success
        running_again_starts_afresh a_taken_name_refuses_running_again a_set_of_wishes_is_answered_in_order
        a_time_that_has_passed_means_at_once hurrying_a_retry_keeps_its_count a_flag_ends_with_its_attempt
        a_rescheduled_end_begins_afresh;
    steer: a_moved_job_is_claimed_from_its_new_queue a_new_priority_is_a_new_place_in_line
        a_waiting_job_is_moved_where_it_waits a_move_to_no_queue_is_refused_whole
        a_paused_queue_is_passed_by what_a_claim_took_is_its_own_though_the_queue_is_paused
        a_pause_is_shown_with_who_and_why a_name_that_no_queue_has_is_refused_whole
        a_server_hears_its_order_with_every_heartbeat an_order_to_stop_is_not_taken_back
        a_program_leaves_no_entry a_person_leaves_an_entry_for_every_job_that_there_is
        an_entry_says_what_was_before_and_what_is_now an_entry_for_every_change_of_a_queue_or_a_server
        an_entry_for_every_change_of_a_schedule the_audit_comes_in_pages_and_keeps_targets_apart
        old_entries_are_pruned_a_limit_at_a_time a_forgotten_server_is_under_no_order;
    recur: a_schedule_is_kept_as_put putting_again_moves_nothing_that_stays a_refused_schedule_refuses_its_set
        a_slot_is_fired_once_though_two_plan_it no_slot_gets_a_job_after_a_change a_slot_has_its_turn_once
        misfires_follow_the_policy overlaps_follow_the_policy an_earlier_run_that_goes_on_counts
        runs_by_hand_do_not_meet a_removed_schedule_is_another_when_it_is_back a_paused_schedule_makes_nothing_up
        removing_forgets_the_history_and_keeps_the_jobs a_person_may_run_it_now
        a_flagged_schedule_disturbs_no_other the_history_is_bounded_and_in_pages schedules_come_in_order
        a_promotion_names_the_next_slot a_put_schedule_wakes_a_waiter;
    look: pages_have_no_gaps_and_no_doubles filters_narrow_a_list the_overview_equals_a_recount
        pages_are_stable_while_jobs_come_and_go a_page_begins_after_a_job_that_is_gone
        every_list_has_its_order a_page_that_is_just_full_is_the_last filters_hold_in_every_state
        the_overview_is_in_order details_tell_the_whole_history;
    search: times_narrow_every_list a_list_is_entered_at_a_time filters_hold_together what_is_left_out_is_not_found
        a_list_is_walked_back text_finds_what_was_said_last
        a_list_tells_servers_tags_and_faults a_rare_job_is_found_page_by_page counts_stop_where_nobody_counts
        the_oldest_of_a_queue_is_the_one_due_first a_storage_says_what_it_is;
    tallies: nothing_has_no_tally every_end_is_counted crashes_are_counted families_are_counted
        a_repeat_counts_nothing a_refused_set_counts_nothing runs_of_schedules_are_counted
        waits_and_runs_are_summed kinds_and_queues_are_told_apart spans_are_asked_for_by_their_beginning
        folding_changes_no_sum what_is_counted_late_is_added;
    faults: failures_with_one_cause_are_one_group kinds_fail_apart only_jobs_that_failed_for_good_join
        a_job_that_runs_again_leaves_its_group groups_come_in_order_and_in_pages
        a_group_is_forgotten_when_it_is_long_over a_crash_is_a_cause what_was_said_is_shown_as_it_was;
}
