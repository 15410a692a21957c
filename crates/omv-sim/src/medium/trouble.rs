//! What is wrong with a card, as it is typed: `fails:150-152+400`, `wraps:4096`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use super::Trouble;

/// One read in so many of a rotten block is wrong, unless it was said.
const ODDS: u32 = 3;

impl Trouble {
    /// How each is typed, and what it does. Blocks are counted from 0, and the last one named is included.
    pub const FORMS: [(&'static str, &'static str); 9] = [
        (
            "wraps:BLOCKS",
            "it has so many blocks, and begins again behind them",
        ),
        (
            "drops:BLOCKS",
            "it has so many blocks, and forgets what is behind them",
        ),
        ("stuck:RANGES", "these blocks keep what they had"),
        (
            "rots:RANGE[/ODDS]",
            "one read in so many of these has a wrong bit",
        ),
        ("fails:RANGES", "these give errors, which an RT1062 hides"),
        (
            "forgets:BLOCKS",
            "so many of the last ones are lost when it is let go of",
        ),
        (
            "swaps:RANGE+RANGE",
            "what is written to the one lands in the other",
        ),
        (
            "slow:USUAL/WORST",
            "a write takes so many milliseconds, and one in 50 the second",
        ),
        ("protected", "it refuses writes"),
    ];
}

/// Text that names no trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoTrouble;

impl fmt::Display for NoTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = Trouble::FORMS.map(|(form, _)| form);
        write!(f, "there are {}", forms.join(", "))
    }
}

impl std::error::Error for NoTrouble {}

impl FromStr for Trouble {
    type Err = NoTrouble;

    fn from_str(text: &str) -> Result<Self, NoTrouble> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let blocks = || rest.parse().ok().filter(|blocks| *blocks > 0);
        let trouble = match kind {
            "wraps" => blocks().map(Self::Wraps),
            "drops" => blocks().map(Self::Drops),
            "stuck" => ranges(rest).map(Self::Stuck),
            "fails" => ranges(rest).map(Self::Fails),
            "forgets" => rest.parse().ok().map(Self::Forgets),
            "rots" => {
                let (place, odds) = rest.split_once('/').unwrap_or((rest, ""));
                let odds = match odds {
                    "" => Some(ODDS),
                    odds => odds.parse().ok().filter(|odds| *odds > 0),
                };
                range(place)
                    .zip(odds)
                    .map(|(range, odds)| Self::Rot(range, odds))
            }
            "swaps" => match ranges(rest).as_deref() {
                Some([one, two]) if one.end - one.start == two.end - two.start => {
                    Some(Self::Swaps(one.clone(), two.clone()))
                }
                _ => None,
            },
            "slow" => {
                let millis = |text: &str| text.parse().ok().map(Duration::from_millis);
                let (usual, worst) = rest.split_once('/').ok_or(NoTrouble)?;
                let both = millis(usual).zip(millis(worst));
                both.map(|(usual, worst)| Self::Slow(usual, worst))
            }
            "protected" if rest.is_empty() => Some(Self::Protected),
            _ => None,
        };
        trouble.ok_or(NoTrouble)
    }
}

fn ranges(text: &str) -> Option<Vec<Range<u64>>> {
    text.split('+').map(range).collect()
}

/// `7` or `7-9`, of which the last is meant, too.
fn range(text: &str) -> Option<Range<u64>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first = first.parse::<u64>().ok()?;
    let end = last.parse::<u64>().ok()?.checked_add(1)?;
    (first < end).then_some(first..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_can_be_typed() {
        for (text, trouble) in [
            ("wraps:4096", Trouble::Wraps(4096)),
            ("drops:1", Trouble::Drops(1)),
            ("stuck:7+9", Trouble::Stuck(vec![7..8, 9..10])),
            (
                "fails:150-152+400-401",
                Trouble::Fails(vec![150..153, 400..402]),
            ),
            ("rots:5-6", Trouble::Rot(5..7, 3)),
            ("rots:5-6/9", Trouble::Rot(5..7, 9)),
            ("forgets:40", Trouble::Forgets(40)),
            ("swaps:1-2+5-6", Trouble::Swaps(1..3, 5..7)),
            (
                "slow:1/400",
                Trouble::Slow(Duration::from_millis(1), Duration::from_millis(400)),
            ),
            ("protected", Trouble::Protected),
        ] {
            assert_eq!(text.parse(), Ok(trouble), "{text}");
        }
        let kinds = Trouble::FORMS.map(|(form, _)| form.split(':').next().unwrap_or(form));
        for kind in kinds.into_iter().filter(|kind| *kind != "protected") {
            assert_eq!(kind.parse::<Trouble>(), Err(NoTrouble), "{kind} of nothing");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "",
            "melts",
            "wraps:0",
            "wraps:-1",
            "fails:9-3",
            "fails:",
            "fails:1+",
            "rots:1/0",
            "swaps:1-2",
            "swaps:1-2+5",
            "slow:4",
            "protected:1",
            "fails:0-18446744073709551615",
        ] {
            assert_eq!(text.parse::<Trouble>(), Err(NoTrouble), "{text}");
        }
    }
}
