//! Columns for people: aligned everywhere, coloured only on a terminal.

use super::styles;
use std::io::IsTerminal as _;

/// Rows under headings; columns that are empty in every row are left out.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: impl IntoIterator<Item = &'static str>) -> Self {
        Self { headings: headings.into_iter().collect(), rows: Vec::new() }
    }

    /// A cell per heading.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// For stdout, as wide as it is.
    pub(crate) fn text(&self) -> String {
        self.draw(std::io::stdout().is_terminal())
    }

    fn draw(&self, on_terminal: bool) -> String {
        let used: Vec<usize> = (0..self.headings.len())
            .filter(|i| self.rows.iter().any(|r| r.get(*i).is_some_and(|c| !c.is_empty())))
            .collect();
        let widths: Vec<usize> = used.iter().map(|i| self.width(*i)).collect();
        let line = |cells: Vec<&str>| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| {
                let pad = width.saturating_sub(visible(cell));
                format!("{cell}{}", " ".repeat(pad))
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let heading = line(used.iter().map(|i| self.headings[*i]).collect());
        let mut out = if on_terminal { styles::bold(&heading) } else { heading };
        out.push('\n');
        for row in &self.rows {
            out.push_str(&line(used.iter().map(|i| row.get(*i).map_or("", String::as_str)).collect()));
            out.push('\n');
        }
        out
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|r| r.get(column)).map(|c| visible(c));
        cells.max().unwrap_or(0).max(self.headings[column].len())
    }
}

/// Characters that a terminal shows: colours have no width.
fn visible(cell: &str) -> usize {
    anstream::adapter::strip_str(cell).map(|part| part.chars().count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_empty_ones_go() {
        let mut table = Table::new(["CLUSTER", "VIP", "PROBLEM"]);
        table.row([styles::good("default.shop"), "198.18.0.1".to_owned(), String::new()]);
        table.row(["a.b".to_owned(), String::new(), String::new()]);
        let text = anstream::adapter::strip_str(&table.draw(false)).to_string();
        assert_eq!(text, "CLUSTER       VIP\ndefault.shop  198.18.0.1\na.b\n");
    }
}
