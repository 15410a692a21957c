//! A measurement as a picture, and as a page that needs nothing else.

use crate::table::{loaded, memory, millis};
use crate::{Cell, Run, Summary};

const COLOURS: [(&str, &str); 3] = [
    ("capture", "#3b7dd8"),
    ("infer", "#d8703b"),
    ("loop", "#4a9a5b"),
];
const WIDTH: f64 = 760.0;
const LEFT: f64 = 170.0;
const ROW: f64 = 16.0;

/// Text inside of HTML, SVG or XML.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

/// A step of 1, 2 or 5 that gives about five lines.
fn step(longest: f64) -> f64 {
    let rough = (longest / 5.0).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let fitting = factors.into_iter().find(|factor| factor * power >= rough);
    fitting.unwrap_or(10.0) * power
}

/// Bars for the medians, whiskers from the shortest to the 95th of a hundred.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn svg(run: &Run) -> String {
    let cells: Vec<&Cell> = run
        .cells
        .iter()
        .filter(|cell| cell.trouble.is_none())
        .collect();
    let bars: usize = cells
        .iter()
        .map(|cell| {
            cell.parts()
                .iter()
                .filter(|(_, list)| !list.is_empty())
                .count()
        })
        .sum();
    let height = 64.0 + bars as f64 * ROW + cells.len() as f64 * 14.0;
    let longest = cells
        .iter()
        .flat_map(|cell| cell.parts())
        .filter_map(|(_, list)| Summary::of(list))
        .fold(1.0_f64, |longest, summary| longest.max(summary.p95));
    let across = |micros: f64| LEFT + micros / longest * (WIDTH - LEFT - 70.0);
    let mark = if run.simulated { " (simulated)" } else { "" };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\" aria-label=\"Times{mark}\">\n"
    );
    out.push_str(&format!("<text x=\"{LEFT}\" y=\"16\" fill=\"currentColor\">milliseconds: bar median, whisker shortest to p95{mark}</text>\n"));
    for (index, (part, colour)) in COLOURS.iter().enumerate() {
        let x = LEFT + index as f64 * 90.0;
        out.push_str(&format!("<rect x=\"{x}\" y=\"24\" width=\"10\" height=\"10\" fill=\"{colour}\"/><text x=\"{}\" y=\"33\" fill=\"currentColor\">{part}</text>\n", x + 14.0));
    }
    let (line, bottom) = (step(longest), height - 18.0);
    let mut value = 0.0;
    while value <= longest * 1.0001 {
        let x = across(value);
        out.push_str(&format!("<line x1=\"{x:.1}\" y1=\"42\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"currentColor\" stroke-opacity=\"0.15\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"currentColor\">{}</text>\n", height - 4.0, value / 1e3));
        value += line;
    }
    let mut y = 50.0;
    for cell in cells {
        out.push_str(&format!(
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"currentColor\">{}</text>\n",
            LEFT - 8.0,
            y + 11.0,
            escaped(&cell.name())
        ));
        for (part, list) in cell.parts() {
            let Some(summary) = Summary::of(list) else {
                continue;
            };
            let colour = COLOURS
                .iter()
                .find(|(name, _)| *name == part)
                .map_or("#888", |(_, colour)| colour);
            let (x, middle) = (across(summary.p50), y + 6.0);
            let (from, to) = (across(summary.min), across(summary.p95));
            out.push_str(&format!("<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"12\" fill=\"{colour}\"><title>{part}: median {} ms</title></rect>\n", (x - LEFT).max(0.5), millis(summary.p50)));
            out.push_str(&format!("<path d=\"M{from:.1} {middle:.1}H{to:.1}M{from:.1} {:.1}V{:.1}M{to:.1} {:.1}V{:.1}\" stroke=\"currentColor\" fill=\"none\"/>\n", y + 2.0, y + 10.0, y + 2.0, y + 10.0));
            out.push_str(&format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"currentColor\">{}</text>\n",
                to.max(x) + 6.0,
                y + 11.0,
                millis(summary.p50)
            ));
            y += ROW;
        }
        y += 14.0;
    }
    out.push_str("</svg>\n");
    out
}

/// Each frame's time as a line, so that a pause for collecting garbage is seen.
#[allow(clippy::cast_precision_loss)]
fn frames(cell: &Cell) -> String {
    let longest = cell.round.iter().copied().fold(1.0, f64::max);
    let last = (cell.round.len().max(2) - 1) as f64;
    let points = cell.round.iter().enumerate().map(|(at, micros)| {
        format!(
            "{:.1},{:.1}",
            at as f64 / last * 740.0 + 10.0,
            74.0 - micros / longest * 52.0
        )
    });
    format!(
        "<h3>{}</h3><svg viewBox=\"0 0 760 80\" role=\"img\" aria-label=\"Time of each frame\"><polyline fill=\"none\" stroke=\"#4a9a5b\" points=\"{}\"/><text x=\"10\" y=\"12\" font-size=\"11\" fill=\"currentColor\">longest {} ms</text></svg>",
        escaped(&cell.name()),
        points.collect::<Vec<_>>().join(" "),
        millis(longest)
    )
}

/// A page with everything in it: no script, nothing fetched.
#[must_use]
pub fn html(run: &Run) -> String {
    let rows = run.identity.iter().map(|(name, value)| {
        format!(
            "<tr><th>{}</th><td>{}</td></tr>",
            escaped(name),
            escaped(value)
        )
    });
    let rows: String = rows.collect();
    let banner = match run.simulated {
        true => {
            "<p class=\"sim\"><strong>simulated</strong>: these times come from a cost model of a virtual camera. They are no measurement.</p>"
        }
        false => "",
    };
    let mut table = String::new();
    for cell in &run.cells {
        if let Some(trouble) = &cell.trouble {
            table.push_str(&format!(
                "<tr><td>{}</td><td colspan=\"7\">did not run: {}</td></tr>",
                escaped(&cell.name()),
                escaped(trouble)
            ));
            continue;
        }
        for (part, list) in cell.parts() {
            let Some(s) = Summary::of(list) else { continue };
            let rate = cell
                .rate()
                .filter(|_| part == "loop")
                .map_or_else(String::new, |rate| format!("{rate:.1}"));
            table.push_str(&format!(
                "<tr><td>{}</td><td>{part}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{rate}</td></tr>",
                escaped(&cell.name()), s.count, millis(s.min), millis(s.p50), millis(s.p95), millis(s.max)
            ));
        }
    }
    let notes = run
        .energy
        .iter()
        .flat_map(crate::power::Energy::lines)
        .chain(loaded(run))
        .chain(run.cells.iter().flat_map(memory))
        .chain(run.trouble.clone());
    let notes: String = notes
        .map(|note| format!("<p>{}</p>", escaped(&note)))
        .collect();
    let lines: String = run
        .cells
        .iter()
        .filter(|cell| !cell.round.is_empty())
        .map(frames)
        .collect();
    let unit = if run.simulated { "ms, simulated" } else { "ms" };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>omv bench</title><style>\
        :root{{color-scheme:light dark}}body{{font:15px/1.5 system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em}}\
        .wide{{overflow-x:auto}}table{{border-collapse:collapse}}th{{text-align:left}}td,th{{padding:.15em .8em .15em 0;white-space:nowrap}}.numbers td:nth-child(n+3){{text-align:right}}\
        .sim{{border:2px solid #d8703b;padding:.5em 1em}}svg{{width:100%;height:auto}}</style></head><body>\
        <h1>Measurement of a camera</h1>{banner}<div class=\"wide\"><table>{rows}</table></div><h2>Times</h2>{}\
        <div class=\"wide\"><table class=\"numbers\"><tr><th>frame</th><th></th><th>count</th><th>min</th><th>p50</th><th>p95</th><th>max</th><th>FPS</th></tr>{table}</table></div><p>Times in {unit}. Preview off, warm-up left out.</p>{notes}<h2>Frame by frame</h2>{lines}</body></html>\n",
        svg(run)
    )
}
