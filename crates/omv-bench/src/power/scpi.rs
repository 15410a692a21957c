//! Bench meters that speak SCPI: lines of text, over TCP (port 5025) or a serial port.
//!
//! ```text
//!   -> *IDN?        <- ACME,DMM1000,12345,1.0
//!   -> MEAS:CURR?   <- +1.04233E-01
//! ```

use crate::Error;

/// Asks who the meter is.
pub const WHO: &str = "*IDN?";
/// Asks for one reading of the current.
pub const CURRENT: &str = "MEAS:CURR?";
/// No camera takes as many ampere.
const MOST: f64 = 50.0;
/// Port of raw SCPI.
pub const PORT: u16 = 5025;

/// The name in an answer to [`WHO`], cleaned.
///
/// # Errors
/// For an answer that has no four fields.
pub fn name(answer: &str) -> Result<String, Error> {
    let fields: Vec<&str> = answer.trim().split(',').collect();
    if fields.len() < 2 || answer.len() > 256 {
        return Err(Error::Meter("it says no name".to_owned()));
    }
    let shown = format!("{} {}", fields[0].trim(), fields[1].trim());
    Ok(shown.chars().filter(|c| (' '..='~').contains(c)).collect())
}

/// Ampere of an answer to [`CURRENT`].
///
/// # Errors
/// For what is no number, and for the numbers that mean overload (9.9E37) or none (9.91E37).
pub fn reading(answer: &str) -> Result<f64, Error> {
    let first = answer.trim().split(',').next().unwrap_or_default();
    let value: Result<f64, _> = first.trim_end_matches(['A', 'a', ' ']).parse();
    match value {
        Ok(value) if value.is_finite() && value.abs() < MOST => Ok(value),
        Ok(_) => Err(Error::Meter("its range is too small".to_owned())),
        Err(_) => {
            let shown: String = answer
                .chars()
                .filter(|c| (' '..='~').contains(c))
                .take(40)
                .collect();
            Err(Error::Meter(format!(
                "it says `{shown}` instead of a number"
            )))
        }
    }
}
