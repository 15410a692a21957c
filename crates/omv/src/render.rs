//! Events as a person sees them: every step listed before it runs, each line becoming its own
//! receipt; or as JSON lines.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use omv_camera::Event;
use omv_plan::{Risk, StepInfo};

use crate::fail::Fail;
use crate::output::{Output, clean, size};

/// Draws one operation.
pub struct Render<'a> {
    output: &'a Output,
    steps: Vec<StepInfo>,
    bars: Vec<ProgressBar>,
    area: MultiProgress,
    broken: Option<Fail>,
}

impl<'a> Render<'a> {
    /// A blank page.
    pub fn new(output: &'a Output) -> Self {
        Self {
            output,
            steps: Vec::new(),
            bars: Vec::new(),
            area: MultiProgress::new(),
            broken: None,
        }
    }

    /// Takes in one event.
    pub fn event(&mut self, event: Event) {
        if self.output.json {
            if let Err(fail) = self.output.object(&event) {
                self.broken.get_or_insert(fail);
            }
            return;
        }
        match event {
            Event::Planned { steps, warnings } => self.planned(steps, &warnings),
            Event::Started { step } => self.started(step),
            Event::Moved { step, done, total } => self.moved(step, done, total),
            Event::Hands { step, ask } => self.hands(step, &ask),
            Event::Waiting { ask } => self.say(&self.output.paint("1;33", &format!("-> {ask}"))),
            Event::Note { text } => self.say(&format!("   {}", clean(&text))),
            Event::Finished {
                step,
                millis,
                outcome,
            } => self.finished(step, millis, outcome),
            Event::Failed { step, .. } => self.failed(step),
            _ => {}
        }
    }

    /// A drawing beside what hands are asked for.
    pub fn draw(&self, lines: &[String]) {
        if !self.output.json {
            for line in lines {
                self.say(&format!("     {line}"));
            }
        }
    }

    /// Whether the lines could be written.
    pub fn end(self) -> Result<(), Fail> {
        self.broken.map_or(Ok(()), Err)
    }

    fn say(&self, text: &str) {
        if self.output.is_live() {
            // Above the bars, not through them.
            let _ = self.area.println(text);
        } else {
            eprintln!("{text}");
        }
    }

    /// What a person is to do: above the steps, and in the step that waits for it.
    fn hands(&self, step: usize, ask: &str) {
        let ask = self.output.paint("1;33", &format!("-> {ask}"));
        self.say(&ask);
        if let Some(bar) = self.bars.get(step) {
            bar.set_message(ask);
            bar.tick();
        }
    }

    fn planned(&mut self, steps: Vec<StepInfo>, warnings: &[String]) {
        for warning in warnings {
            let head = self.output.paint("1;33", "warning:");
            self.say(&format!("{head} {}", clean(warning)));
        }
        if self.output.is_live() {
            for step in &steps {
                let bar = self.area.add(ProgressBar::new(step.bytes));
                bar.set_style(style("  {msg}"));
                bar.set_message(self.output.paint("2", &label(step)));
                bar.tick();
                self.bars.push(bar);
            }
        }
        self.steps = steps;
    }

    fn started(&mut self, step: usize) {
        if let (Some(bar), Some(info)) = (self.bars.get(step), self.steps.get(step)) {
            bar.set_message(label(info));
            bar.tick();
        }
    }

    fn moved(&mut self, step: usize, done: u64, total: u64) {
        let Some(bar) = self.bars.get(step) else {
            return;
        };
        bar.set_style(
            style("  {msg}  [{bar:20}] {percent:>3}%  {bytes_per_sec}").progress_chars("##-"),
        );
        bar.set_length(total);
        bar.set_position(done);
    }

    fn finished(&mut self, step: usize, millis: u64, outcome: Option<String>) {
        let Some(info) = self.steps.get(step) else {
            return;
        };
        let mut line = format!("{}  {}", label(info), seconds(millis));
        if let Some(outcome) = outcome {
            line = format!("{line}  {}", clean(&outcome));
        }
        match self.bars.get(step) {
            Some(bar) => {
                bar.set_style(style("  {msg}"));
                bar.finish_with_message(line);
            }
            None => eprintln!("  {line}"),
        }
    }

    fn failed(&mut self, step: usize) {
        let Some(info) = self.steps.get(step) else {
            return;
        };
        let line = format!("{}  {}", label(info), self.output.paint("1;31", "failed"));
        match self.bars.get(step) {
            Some(bar) => {
                bar.set_style(style("  {msg}"));
                bar.abandon_with_message(line);
                // What was not begun stays dim above the error.
                self.bars.iter().for_each(ProgressBar::abandon);
            }
            None => eprintln!("  {line}"),
        }
    }
}

/// A plan as the dry run prints it: what would run, and the same as lines of other tools.
pub fn dry_run(output: &Output, steps: &[StepInfo], warnings: &[String]) -> Result<(), Fail> {
    for warning in warnings {
        output.line(&format!("warning: {}", clean(warning)))?;
    }
    for step in steps {
        let risk = match step.risk {
            Risk::Forever => "  (for ever)",
            _ => "",
        };
        output.line(&format!("  {}{risk}", label(step)))?;
        for line in &step.equivalent {
            output.line(&format!("              {}", output.paint("2", line)))?;
        }
    }
    output.line("Nothing was touched: this was a dry run.")
}

/// One step in a line: the verb, what it acts on, how much at most.
fn label(step: &StepInfo) -> String {
    let bytes = if step.bytes > 0 {
        format!("  {}", size(step.bytes))
    } else {
        String::new()
    };
    format!("{:<8} {}{bytes}", step.verb, clean(&step.what))
}

fn seconds(millis: u64) -> String {
    format!("{:.1} s", Duration::from_millis(millis).as_secs_f64())
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
