//! A measurement as a table for the terminal, and as CSV.

use crate::{Cell, Run, Summary};

/// Milliseconds, with as many digits as matter.
pub(crate) fn millis(micros: f64) -> String {
    match micros {
        ..10_000.0 => format!("{:.3}", micros / 1e3),
        ..100_000.0 => format!("{:.2}", micros / 1e3),
        _ => format!("{:.1}", micros / 1e3),
    }
}

/// Lines for a terminal. Times in milliseconds.
#[must_use]
pub fn table(run: &Run) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, value) in &run.identity {
        lines.push(format!("{name:<10}{value}"));
    }
    if run.simulated {
        lines.push("simulated: these times come from a cost model, not from a camera".to_owned());
    }
    lines.extend(loaded(run));
    let mark = if run.simulated { "ms, simulated" } else { "ms" };
    lines.push(format!(
        "{:<12} {:<10} {:<8} {:>9} {:>9} {:>9} {:>9}  {:>7}   {mark}",
        "size", "pixels", "", "min", "p50", "p95", "max", "FPS"
    ));
    for cell in &run.cells {
        if let Some(trouble) = &cell.trouble {
            lines.push(format!(
                "{:<12} {:<10} did not run: {trouble}",
                cell.size, cell.pixels
            ));
            continue;
        }
        for (part, list) in cell.parts() {
            let Some(summary) = Summary::of(list) else {
                continue;
            };
            let rate = match (part, cell.rate()) {
                ("loop", Some(rate)) => format!("{rate:.1}"),
                _ => String::new(),
            };
            lines.push(format!(
                "{:<12} {:<10} {part:<8} {:>9} {:>9} {:>9} {:>9}  {rate:>7}",
                cell.size,
                cell.pixels,
                millis(summary.min),
                millis(summary.p50),
                millis(summary.p95),
                millis(summary.max),
            ));
        }
        lines.extend(memory(cell));
    }
    if let Some(energy) = &run.energy {
        lines.extend(energy.lines());
    }
    lines.extend(
        run.trouble
            .iter()
            .map(|trouble| format!("trouble   {trouble}")),
    );
    lines
}

/// Where the network is, and what it took.
pub(crate) fn loaded(run: &Run) -> Option<String> {
    let loaded = run.loaded.as_ref()?;
    let bytes = |value: Option<f64>| value.map_or_else(|| "?".into(), |v| format!("{v:.0}"));
    Some(format!(
        "network   loaded in {} ms into the {}; file {} bytes, arena {} bytes; heap free {} before, {} after",
        millis(loaded.load),
        loaded.place,
        bytes(loaded.size),
        bytes(loaded.arena),
        bytes(loaded.heap_before),
        bytes(loaded.heap_after),
    ))
}

/// What a cell left of the heap, and what the firmware says of its pools.
pub(crate) fn memory(cell: &Cell) -> Vec<String> {
    let head = format!("{:<12} {:<10}", cell.size, cell.pixels);
    let heap = |low: f64| format!("{head} heap     {low:.0} bytes free at the least");
    let pools = |pools: &String| format!("{head} pools    {pools}");
    let heap = cell.heap_low.map(heap);
    heap.into_iter()
        .chain(cell.pools.as_ref().map(pools))
        .collect()
}

/// One row for each cell and part. Times in microseconds.
#[must_use]
pub fn csv(run: &Run) -> String {
    let mut text =
        String::from("size,pixels,part,count,min_us,p50_us,p95_us,max_us,mean_us,fps,simulated\n");
    for cell in &run.cells {
        for (part, list) in cell.parts() {
            let Some(s) = Summary::of(list) else { continue };
            let rate = cell.rate().filter(|_| part == "loop");
            let rate = rate.map_or_else(String::new, |rate| format!("{rate:.3}"));
            text.push_str(&format!(
                "{},{},{part},{},{:.0},{:.0},{:.0},{:.0},{:.1},{rate},{}\n",
                cell.size, cell.pixels, s.count, s.min, s.p50, s.p95, s.max, s.mean, run.simulated
            ));
        }
    }
    text
}
