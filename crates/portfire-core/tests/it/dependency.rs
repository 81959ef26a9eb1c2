//! What a parent's state means for a job that waits for it, against a list written independently.

use portfire_core::{State, Trigger, Verdict};

#[test]
fn every_end_means_what_is_listed_and_every_other_state_is_waited_for() {
    let listed = [
        (Trigger::Success, State::Succeeded, Verdict::Satisfied),
        (Trigger::Success, State::Failed, Verdict::Wait),
        (Trigger::Success, State::Cancelled, Verdict::Impossible),
        (Trigger::Failure, State::Succeeded, Verdict::Impossible),
        (Trigger::Failure, State::Failed, Verdict::Satisfied),
        (Trigger::Failure, State::Cancelled, Verdict::Impossible),
        (Trigger::End, State::Succeeded, Verdict::Satisfied),
        (Trigger::End, State::Failed, Verdict::Satisfied),
        (Trigger::End, State::Cancelled, Verdict::Satisfied),
    ];
    for trigger in Trigger::ALL {
        for state in State::ALL {
            let verdict = listed.iter().find(|(on, end, _)| (*on, *end) == (trigger, state));
            let verdict = verdict.map_or(Verdict::Wait, |(.., verdict)| *verdict);
            assert_eq!(trigger.verdict(state), verdict, "{trigger} of a parent that is {state}");
        }
        assert_eq!(trigger.as_str().parse::<Trigger>().unwrap(), trigger);
    }
}
