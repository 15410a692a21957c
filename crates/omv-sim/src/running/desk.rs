//! Protocol v1 over the insides of a camera.

use omv_wire::v1::desk::Desk;

use super::works::{Shared, Wish};

impl Desk for Shared {
    fn is_running(&self) -> bool {
        let works = self.inside();
        works.running || works.wish == Some(Wish::Run)
    }

    /// Between the last byte of a script and the moment the main loop takes it up, firmware 4.8
    /// loses it this way; an empty one is executed.
    fn asked_running(&mut self) {
        let mut works = self.inside();
        if works.facts.since(4, 8, 0) {
            works.script.clear();
        }
    }

    fn stop(&mut self) {
        let mut works = self.inside();
        if works.running {
            works.text.clear();
            works.wish = Some(Wish::Stop);
        }
    }

    fn execute(&mut self, script: &[u8]) {
        let mut works = self.inside();
        // Before 4.8 a new script empties the buffer; there only asking what runs does.
        if !works.facts.since(4, 8, 0) {
            works.script.clear();
        }
        works.append(script);
        works.wish = Some(Wish::Run);
    }

    fn text_size(&self) -> u32 {
        self.inside().text.len() as u32
    }

    fn text(&mut self, most: u32) -> Vec<u8> {
        self.inside().text.take(most as usize)
    }

    fn sensor(&self) -> Option<u32> {
        Some(self.inside().facts.sensor)
    }

    fn enable(&mut self, on: bool) {
        self.inside().preview.enable(on);
    }

    fn take_frame(&mut self) -> Option<[u32; 3]> {
        let mut works = self.inside();
        works.preview.lock();
        let frame = works.preview.held()?;
        Some([frame.width, frame.height, frame.size])
    }

    fn frame(&self) -> Vec<u8> {
        let works = self.inside();
        works
            .preview
            .held()
            .map_or_else(Vec::new, |frame| frame.bytes.clone())
    }

    fn release_frame(&mut self) {
        self.inside().preview.unlock();
    }
}
