//! What a light means: `omv doctor --led "green blinking"`.

use omv_boards::{Board, Colour, Light};
use serde_json::{Value, json};

use crate::fail::Fail;
use crate::output::{Output, clean};

/// Prints everything the light may mean: on the board that is named, else on all.
pub fn run(text: &str, board: Option<&str>, output: &Output) -> Result<(), Fail> {
    let light = Light::parse(text);
    if !light.says_something() {
        return Err(Fail::Usage {
            what: format!("`{}` names no light", clean(text)),
            help:
                "Name a colour and what it does. For example: omv doctor --led \"green blinking\""
                    .into(),
        });
    }
    let boards: Vec<&'static Board> = match board.and_then(omv_boards::by_name) {
        Some(board) => vec![board],
        None => omv_boards::all().iter().collect(),
    };
    let meanings = light.meanings(boards);
    if output.json {
        let meanings: Vec<Value> = meanings
            .iter()
            .map(|one| {
                json!({
                    "state": one.led.state,
                    "colour": one.led.colour,
                    "motion": one.led.motion,
                    "looks": one.led.looks,
                    "means": one.led.means,
                    "boards": one.boards,
                })
            })
            .collect();
        return output.result(json!({
            "led": clean(text),
            "not_understood": light.unknown.iter().map(|word| clean(word)).collect::<Vec<_>>(),
            "meanings": meanings,
        }));
    }
    if !light.unknown.is_empty() {
        output.line(&format!(
            "not understood: {}",
            clean(&light.unknown.join(", "))
        ))?;
    }
    if meanings.is_empty() {
        return output.line("No known light looks like this. Say less: the colour alone, perhaps.");
    }
    for one in &meanings {
        let colour = match one.led.colour {
            Colour::Unknown => " (colour not known)",
            _ => "",
        };
        output.line(&format!("{}{colour}  [{}]", one.led.looks, one.led.state))?;
        output.line(&format!("  {}", one.led.means))?;
        output.line(&format!("  {}", one.boards.join(", ")))?;
    }
    Ok(())
}
