//! The roads every plan shares: into a bootloader, and back to running.

use std::time::Duration;

use omv_boards::{Board, Mboot, State};

use crate::Refusal;
use crate::step::{Plan, Step};

/// How long a person may take to plug something.
pub(crate) const HANDS: Duration = Duration::from_secs(300);

/// Into a bootloader that can do it, and hold it there.
pub(crate) fn enter(plan: &mut Plan, state: State) -> Result<(), Refusal> {
    let board = plan.board;
    match state {
        State::Run => plan.steps.push(Step::Enter {
            expect: State::Sbl,
            limit: millis(board.limits.enter),
        }),
        State::Sbl => {}
        // Its window opens at the next start; whoever runs the plan catches it.
        State::Cycling | State::Silent => plan.steps.push(Step::Hands {
            ask: "Plug the camera in; if it is plugged in, unplug it and plug it in again.".into(),
            expect: vec![State::Sbl],
            limit: HANDS,
        }),
        State::Flashloader => {
            plan.steps.push(Step::Hold {
                expect: State::Flashloader,
            });
            plan.steps.push(Step::Configure);
            return Ok(());
        }
        _ => return Err(Refusal::WrongState { state }),
    }
    plan.steps.push(Step::Hold { expect: State::Sbl });
    Ok(())
}

/// Back to running. Whatever runs in RAM came there by the wire, which is still in place.
pub(crate) fn leave(plan: &mut Plan, state: State) {
    let hands = match state {
        State::Flashloader => leave_rom(plan.board),
        _ => None,
    };
    finish(plan, hands);
}

/// Back to running, and who runs there.
pub(crate) fn finish(plan: &mut Plan, hands: Option<String>) {
    let limit = millis(plan.board.limits.run);
    match hands {
        // With the wire in place every reset leads back into the ROM, and that is no error.
        Some(ask) => {
            let back = Duration::from_secs(10);
            plan.steps.push(Step::Leave {
                expect: State::Sdp,
                limit: back,
            });
            plan.steps.push(Step::Hands {
                ask,
                expect: vec![State::Run],
                limit: HANDS,
            });
        }
        None => plan.steps.push(Step::Leave {
            expect: State::Run,
            limit,
        }),
    }
    plan.steps.push(Step::Ask);
}

/// What hands must do so that the chip does not start in its ROM.
pub(crate) fn leave_rom(board: &Board) -> Option<String> {
    let mut identities = board.identities(State::Sdp);
    identities.find_map(|identity| identity.leave.clone())
}

/// The board, if this program can flash it.
pub(crate) fn supported(board: &'static Board) -> Result<&'static Mboot, Refusal> {
    board.mboot.as_ref().ok_or_else(|| Refusal::Unsupported {
        board: board.title.clone(),
        why: "its bootloader is not spoken yet".into(),
    })
}

fn millis(count: u32) -> Duration {
    Duration::from_millis(count.into())
}
