//! Tables and progress for people.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use comfy_table::{ContentArrangement, Table, presets};
use flock_engine::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// Rows as a table; null is empty.
pub fn table(names: &[String], rows: &[Vec<Option<String>>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(names);
    for row in rows {
        table.add_row(row.iter().map(|c| c.as_deref().unwrap_or("NULL")));
    }
    table.to_string()
}

/// A bar on standard error, where that is a terminal and the work lasts longer than a second.
pub struct Bar {
    started: Instant,
    bar: Option<ProgressBar>,
}

const STEPS: u64 = 1000;

impl Bar {
    /// Nothing is drawn yet.
    pub fn new() -> Bar {
        Bar { started: Instant::now(), bar: None }
    }

    /// Draws how far the work is.
    pub fn update(&mut self, p: Progress) -> ControlFlow<()> {
        if self.bar.is_none() && self.started.elapsed() > Duration::from_secs(1) && std::io::stderr().is_terminal() {
            // How much of a query is done is not known: its rows are counted.
            let template = if p.read > 0.0 { "{wide_bar} {percent}% {msg}" } else { "{spinner} {elapsed} {msg}" };
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            self.bar = Some(ProgressBar::new(STEPS).with_style(style));
        }
        if let Some(bar) = &self.bar {
            bar.set_position((p.read * STEPS as f64) as u64);
            bar.set_message(format!("{} rows", p.rows));
            bar.tick();
        }
        ControlFlow::Continue(())
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
