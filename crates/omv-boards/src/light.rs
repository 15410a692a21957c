//! What a person says about a light, and what that may mean.
//!
//! ```text
//!   "fast green blinking"  --Light::parse-->  green, blinking, fast
//!                          --meanings------>  every light of every board that fits
//! ```
//!
//! Words nobody knows are kept and told; they never narrow the answer. Nothing is guessed: what
//! is left open (`green` alone) gives everything that fits.

use crate::{Board, Colour, Led, Motion, State};

/// A light as a person describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Light {
    /// The colours named; none: not said.
    pub colours: Vec<Colour>,
    /// What it does; none: not said.
    pub motion: Option<Motion>,
    /// How fast it blinks; none: not said.
    pub pace: Option<Pace>,
    /// Words that say nothing about a light.
    pub unknown: Vec<String>,
}

/// How fast a light blinks, in a person's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// "slow": changes every 200 ms or less often.
    Slow,
    /// "fast": changes every 100 ms or more often.
    Fast,
    /// "very fast": changes every 50 ms.
    VeryFast,
}

/// One thing a light may mean, and the boards on which it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The light, as the board files describe it.
    pub led: &'static Led,
    /// Titles of the boards, sorted by their build names.
    pub boards: Vec<&'static str>,
}

/// Words that carry no meaning here.
const FILLERS: [&str; 23] = [
    "a", "an", "and", "the", "is", "it", "its", "led", "leds", "light", "lights", "lit", "my",
    "only", "just", "then", "with", "camera", "goes", "user", "very", "short", "together",
];

impl Light {
    /// Reads a description in English: colours, what the light does, and how fast.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut light = Self::default();
        let lower = text.to_lowercase().replace("on and off", "blinking");
        let words = lower
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty());
        let very = lower.contains("very");
        for word in words {
            if let Some(colour) = colour(word) {
                if !light.colours.contains(&colour) {
                    light.colours.push(colour);
                }
            } else if let Some(motion) = motion(word) {
                // "on" says little beside a better word: "the light is on and blinks".
                if light.motion.is_none() || motion != Motion::Steady {
                    light.motion = Some(motion);
                }
            } else if let Some(pace) = pace(word, very) {
                light.pace = Some(pace);
            } else if !FILLERS.contains(&word) {
                light.unknown.push(word.to_owned());
            }
        }
        // Red, green and blue at once are seen as white.
        let mixed = [Colour::Red, Colour::Green, Colour::Blue];
        if mixed.iter().all(|one| light.colours.contains(one)) {
            light.colours = vec![Colour::White];
        }
        if light.motion.is_none() && light.pace.is_some() {
            light.motion = Some(Motion::Blinking);
        }
        light
    }

    /// Whether anything was said about a light at all.
    #[must_use]
    pub fn says_something(&self) -> bool {
        !self.colours.is_empty() || self.motion.is_some()
    }

    /// Whether this light of a board file may be the one described.
    #[must_use]
    pub fn fits(&self, led: &Led) -> bool {
        let colour = self.colours.is_empty()
            || led.colour == Colour::Unknown
            || self.colours.contains(&led.colour);
        let motion = match self.motion {
            None => true,
            Some(Motion::Off) => led.colour == Colour::Off,
            Some(motion) => led.motion == Motion::Unknown || led.motion == motion,
        };
        let pace = match (self.pace, led.toggles_every) {
            (None, _) | (_, None) => true,
            (Some(Pace::Slow), Some(every)) => every >= 200,
            (Some(Pace::Fast), Some(every)) => every <= 100,
            (Some(Pace::VeryFast), Some(every)) => every <= 50,
        };
        colour && motion && pace
    }

    /// Everything this light may mean on these boards, equal meanings joined, in the order of the
    /// board files; empty when nothing was said about a light, or nothing fits.
    #[must_use]
    pub fn meanings(&self, boards: impl IntoIterator<Item = &'static Board>) -> Vec<Meaning> {
        let mut meanings: Vec<Meaning> = Vec::new();
        if !self.says_something() {
            return meanings;
        }
        for board in boards {
            for led in board.leds.iter().filter(|led| self.fits(led)) {
                let same = |one: &&mut Meaning| key(one.led) == key(led);
                match meanings.iter_mut().find(same) {
                    Some(known) if known.boards.contains(&&*board.title) => {}
                    Some(known) => known.boards.push(&board.title),
                    None => meanings.push(Meaning {
                        led,
                        boards: vec![&board.title],
                    }),
                }
            }
        }
        meanings
    }
}

fn key(led: &Led) -> (State, Colour, &str, &str) {
    (led.state, led.colour, &led.looks, &led.means)
}

fn colour(word: &str) -> Option<Colour> {
    Some(match word {
        "red" => Colour::Red,
        "green" => Colour::Green,
        "blue" => Colour::Blue,
        "white" => Colour::White,
        "off" | "dark" | "no" | "none" | "nothing" => Colour::Off,
        _ => return None,
    })
}

fn motion(word: &str) -> Option<Motion> {
    let begins = |stems: &[&str]| stems.iter().any(|stem| word.starts_with(stem));
    Some(match word {
        "steady" | "solid" | "constant" | "constantly" | "on" | "permanent" | "always"
        | "glows" | "glowing" => Motion::Steady,
        _ if begins(&["blink", "flash", "flicker"]) => Motion::Blinking,
        _ if begins(&["fade", "fading", "puls", "breath"]) => Motion::Fading,
        _ => return None,
    })
}

fn pace(word: &str, very: bool) -> Option<Pace> {
    Some(match word {
        "slow" | "slowly" | "slower" => Pace::Slow,
        "fast" | "quick" | "quickly" | "rapid" | "rapidly" | "faster" if very => Pace::VeryFast,
        "fast" | "quick" | "quickly" | "rapid" | "rapidly" | "faster" => Pace::Fast,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{all, by_name};

    fn means(text: &str, board: &str) -> Vec<&'static str> {
        Light::parse(text)
            .meanings(by_name(board))
            .iter()
            .map(|meaning| &*meaning.led.means)
            .collect()
    }

    #[test]
    fn a_green_blinking_light_has_one_meaning_per_pace() {
        let all = means("green blinking", "openmv3");
        assert_eq!(all.len(), 5, "{all:?}");
        let slow = means("slow green blinking", "openmv3");
        assert_eq!(
            slow,
            ["A host holds the bootloader; it will not leave by itself."]
        );
        let fastest = means("The LED flashes green, very fast!", "openmv3");
        assert!(
            fastest
                .iter()
                .all(|means| means.contains("fatal error") || means.contains("Writing failed")),
            "{fastest:?}"
        );
        assert_eq!(fastest.len(), 2);
    }

    #[test]
    fn an_ambiguous_word_lists_everything_that_fits() {
        let states: Vec<State> = Light::parse("green")
            .meanings(by_name("openmv_n6"))
            .iter()
            .map(|meaning| meaning.led.state)
            .collect();
        assert_eq!(
            states,
            [State::Dfu, State::Dfu, State::Dfu, State::Silent],
            "blinking bootloader and steady power light alike"
        );
    }

    #[test]
    fn only_a_green_light_on_an_rt1062_is_its_power_light() {
        let means = means("only a green light", "rt1062");
        assert_eq!(means.len(), 1);
        assert!(means[0].contains("power light"), "{means:?}");
    }

    #[test]
    fn the_pure_thermals_bootloader_is_blue_and_no_other_camera_is() {
        let meanings = Light::parse("blue fast blinking").meanings(all());
        let bootloader = meanings
            .iter()
            .filter(|meaning| meaning.led.state == State::Dfu)
            .flat_map(|meaning| &meaning.boards);
        for board in bootloader {
            assert!(board.contains("Pure Thermal"), "{board}");
        }
    }

    #[test]
    fn no_light_is_an_answer_and_no_words_are_none() {
        let rom = means("no light", "openmv4");
        assert_eq!(
            rom,
            ["The chip's ROM waits. No light is the expected sign."]
        );
        assert!(Light::parse("").meanings(all()).is_empty());
        let strange = Light::parse("turquoise hedgehog");
        assert_eq!(strange.unknown, ["turquoise", "hedgehog"]);
        assert!(strange.meanings(all()).is_empty());
    }

    #[test]
    fn a_light_that_is_on_and_blinks_blinks() {
        for text in ["on and blinking", "blinking, always", "goes on and off"] {
            let light = Light::parse(text);
            assert_eq!(light.motion, Some(Motion::Blinking), "{text}");
            assert_eq!(light.colours, [], "{text}");
        }
    }

    #[test]
    fn red_green_and_blue_together_are_white() {
        let light = Light::parse("red, green and blue together, flashing");
        assert_eq!(light.colours, [Colour::White]);
        assert_eq!(
            means("red, green and blue together", "rt1062"),
            ["The firmware has crashed."]
        );
    }

    #[test]
    fn equal_meanings_of_several_boards_are_told_once() {
        let meanings = Light::parse("white flashing").meanings(all());
        assert_eq!(meanings.len(), 1);
        assert!(meanings[0].boards.len() >= 7, "{meanings:?}");
    }

    #[test]
    fn the_words_of_every_board_file_find_their_own_light() {
        for board in all() {
            for led in &board.leds {
                assert_ne!(led.motion, Motion::Unknown, "{}: {}", board.name, led.looks);
                let text = match led.colour {
                    Colour::Off => "no light".to_owned(),
                    Colour::Unknown => led.looks.clone(),
                    colour => format!("{colour:?} {:?}", led.motion),
                };
                let found = Light::parse(&text).meanings([board]);
                let own = found.iter().any(|meaning| meaning.led == led);
                assert!(own, "{}: {text} does not find {}", board.name, led.looks);
            }
        }
    }
}
