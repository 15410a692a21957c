//! What stands behind a camera's commands: the side of protocol v1 that scripts and frames plug
//! into.

/// Script, text and frame of one camera. The camera's half keeps framing and order of bytes.
///
/// Source: openmv/openmv `common/usbdbg.c`.
pub trait Desk {
    /// Whether something is executed.
    fn is_running(&self) -> bool;

    /// The host asked that: firmware 4.8 empties its script buffer then.
    fn asked_running(&mut self) {}

    /// Stops what is executed, and drops the text that waits.
    fn stop(&mut self);

    /// Executes a script that came whole.
    fn execute(&mut self, script: &[u8]);

    /// Bytes of text that wait.
    fn text_size(&self) -> u32;

    /// Takes at most so many of them.
    fn text(&mut self, most: u32) -> Vec<u8>;

    /// Chip id of the sensor.
    fn sensor(&self) -> Option<u32>;

    /// Switches the preview on or off; off also gives the host's frame back.
    fn enable(&mut self, on: bool);

    /// Width, height and size of the frame that waits, which the host has from now on.
    fn take_frame(&mut self) -> Option<[u32; 3]>;

    /// Bytes of the frame the host has.
    fn frame(&self) -> Vec<u8>;

    /// The host has read it.
    fn release_frame(&mut self);
}

/// Nothing to show and no interpreter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idle {
    /// Whether a script, such as `main.py`, counts as running.
    pub running: bool,
    /// Chip id of the sensor.
    pub sensor: Option<u32>,
}

impl Desk for Idle {
    fn is_running(&self) -> bool {
        self.running
    }

    fn stop(&mut self) {
        self.running = false;
    }

    fn execute(&mut self, _script: &[u8]) {}

    fn text_size(&self) -> u32 {
        0
    }

    fn text(&mut self, _most: u32) -> Vec<u8> {
        Vec::new()
    }

    fn sensor(&self) -> Option<u32> {
        self.sensor
    }

    fn enable(&mut self, _on: bool) {}

    fn take_frame(&mut self) -> Option<[u32; 3]> {
        None
    }

    fn frame(&self) -> Vec<u8> {
        Vec::new()
    }

    fn release_frame(&mut self) {}
}
