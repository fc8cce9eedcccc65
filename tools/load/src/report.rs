//! The table.

use std::fmt::Write as _;

use anyhow::Result;

use crate::stat::Spread;
use crate::{interrupt, proc};

const COLUMNS: usize = 6;

/// One measured line.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The floor, with its unit.
    pub bare: String,
    /// What is measured, with its unit.
    pub ours: String,
    /// That by the floor, round by round.
    pub ratio: Option<Spread>,
    /// The budget in words.
    pub budget: String,
    /// Whether it is kept; `None` where there is none.
    pub kept: Option<bool>,
}

impl Row {
    /// A line for a comparison of CPU time per delivery: `floor` names what stands in the first
    /// column, and the budget is a multiple of it.
    pub fn of_ratio(what: String, bare: String, ours: String, ratio: Spread, budget: f64) -> Self {
        Self {
            what,
            bare,
            ours,
            ratio: Some(ratio),
            budget: format!("{budget:.2} x"),
            // Compared as printed: to a hundredth, below which nothing here is reproducible.
            kept: Some((ratio.median * 100.0).round() <= (budget * 100.0).round()),
        }
    }

    /// A line for what could not be measured.
    pub fn of_failure(what: String, error: &anyhow::Error) -> Self {
        let reason = format!("{error:#}").replace(['\n', '\r'], " ");
        Self {
            what,
            bare: String::new(),
            ours: format!("failed: {}", reason.replace('|', "/")),
            ratio: None,
            budget: String::new(),
            kept: Some(false),
        }
    }

    fn cells(&self) -> [String; COLUMNS] {
        [
            self.what.clone(),
            self.bare.clone(),
            self.ours.clone(),
            self.ratio.map_or(String::new(), |ratio| ratio.to_string()),
            self.budget.clone(),
            match self.kept {
                Some(true) => "kept",
                Some(false) => "MISSED",
                None => "",
            }
            .to_owned(),
        ]
    }
}

/// Microseconds for a cell.
pub fn us(value: f64) -> String {
    format!("{value:.2} us")
}

/// A count with its thousands set apart.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The rows of a run, in the order in which they were measured.
pub struct Report {
    /// Whose figures stand beside the bare loop's.
    subject: &'static str,
    rows: Vec<Row>,
}

impl Report {
    /// An empty one; `subject` heads the column of what is measured.
    pub fn on(subject: &'static str) -> Self {
        Self { subject, rows: Vec::new() }
    }

    /// Adds the rows that `scenario` measures, or one that says why it could not. Only the end of
    /// the whole run is an error.
    pub fn measure(
        &mut self,
        what: &str,
        scenario: impl FnOnce() -> Result<Vec<Row>>,
    ) -> Result<()> {
        eprintln!("{what} ...");
        let rows = scenario().or_else(|error| {
            interrupt::check()?;
            anyhow::Ok(vec![Row::of_failure(what.to_owned(), &error)])
        })?;
        for row in &rows {
            eprintln!("  {}", row.cells().join("  "));
        }
        self.rows.extend(rows);
        Ok(())
    }

    /// Whether no budget was missed and every measurement succeeded.
    pub fn all_kept(&self) -> bool {
        self.rows.iter().all(|row| row.kept != Some(false))
    }

    /// The rows as a Markdown table under a line about the machine.
    pub fn table(&self) -> String {
        let header = ["", "bare", self.subject, "ratio (min to max)", "budget", ""];
        let mut lines = vec![header.map(str::to_owned)];
        lines.extend(self.rows.iter().map(Row::cells));
        let mut widths = [1; COLUMNS];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.len());
            }
        }

        let mut table = format!("{}\n\n", proc::machine());
        push_line(&mut table, &lines[0], &widths);
        push_line(&mut table, &widths.map(|width| "-".repeat(width)), &widths);
        for line in &lines[1..] {
            push_line(&mut table, line, &widths);
        }
        table
    }
}

fn push_line(table: &mut String, cells: &[String; COLUMNS], widths: &[usize; COLUMNS]) {
    for (cell, width) in cells.iter().zip(widths) {
        let _ = write!(table, "| {cell:width$} ");
    }
    table.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (count, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(count), text);
        }
    }

    #[test]
    fn a_budget_is_judged_as_printed() {
        let row = |median: f64| {
            let ratio = Spread::of(&[median]);
            Row::of_ratio("a".into(), us(1.0), us(1.0), ratio, 1.05)
        };
        assert_eq!(row(1.054).kept, Some(true));
        assert_eq!(row(1.056).kept, Some(false));
    }

    #[test]
    fn every_row_has_every_column() {
        let ratio = Spread::of(&[1.0]);
        let row = Row::of_ratio("a".into(), us(1.0), us(1.0), ratio, 1.05);
        let mut report = Report::on("ours");
        report.measure("a", || Ok(vec![row])).unwrap();
        assert!(report.all_kept());
        report.measure("b", || anyhow::bail!("x | y\nz")).unwrap();
        assert!(!report.all_kept());
        let table = report.table();
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.matches('|').count() == 7));
    }
}
