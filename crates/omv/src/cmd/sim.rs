//! stub
use crate::cli::{Common, Sim};
use crate::fail::Fail;
use crate::output::Output;
use omv_link::Bus;
use std::sync::Arc;
pub fn running(_who: &str) -> Vec<Arc<dyn Bus>> {
    Vec::new()
}
pub fn run(_common: &Common, _args: &Sim, _output: &Output) -> Result<(), Fail> {
    Ok(())
}
