//! Columns for people: aligned everywhere; coloured, and where words allow it no wider than it is, on a terminal.

use super::{styles, width};

/// A column is not made narrower than this, whatever the terminal.
const COLUMN_MIN: usize = 12;

/// Rows under headings; columns that are empty in every row are left out.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    indent: usize,
    /// What may be shortened or continued below itself; a name or an address with its end cut off is none.
    elastic: Option<usize>,
    /// What a terminal that is too narrow does without, the first first.
    expendable: Vec<usize>,
}

impl Table {
    pub(crate) fn new(headings: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            headings: headings.into_iter().collect(),
            rows: Vec::new(),
            indent: 0,
            elastic: None,
            expendable: Vec::new(),
        }
    }

    /// This column is words: a terminal that is too narrow shows their beginning.
    pub(crate) fn elastic(mut self, heading: &str) -> Self {
        self.elastic = self.headings.iter().position(|known| *known == heading);
        self
    }

    /// A terminal that is too narrow leaves these columns out, the first first, rather than breaking every line.
    pub(crate) fn expendable(mut self, headings: impl IntoIterator<Item = &'static str>) -> Self {
        let position = |heading| self.headings.iter().position(|known| *known == heading);
        self.expendable = headings.into_iter().filter_map(position).collect();
        self
    }

    /// Columns that a terminal of this width leaves out.
    pub(crate) fn left_out(&self, terminal: usize) -> Vec<&'static str> {
        let (used, shown) = (self.used(), self.shown(Some(terminal)));
        used.into_iter().filter(|i| !shown.contains(i)).map(|i| self.headings[i]).collect()
    }

    /// Without headings, indented, as a part of something else. The last column is text, and continues below itself.
    pub(crate) fn plain(columns: usize) -> Self {
        Self {
            headings: vec![""; columns],
            rows: Vec::new(),
            indent: 2,
            elastic: columns.checked_sub(1),
            expendable: Vec::new(),
        }
    }

    /// A cell per heading.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// For stdout, as wide as it is.
    pub(crate) fn text(&self) -> String {
        self.draw(width())
    }

    /// Whether a terminal of this width shows every cell in full.
    pub(crate) fn fits(&self, terminal: usize) -> bool {
        let widths: Vec<_> = self.used().into_iter().map(|i| self.width(i)).collect();
        total(&widths) + self.indent <= terminal
    }

    /// Columns in which something stands.
    fn used(&self) -> Vec<usize> {
        let stands = |i: &usize| self.rows.iter().any(|r| r.get(*i).is_some_and(|c| !c.is_empty()));
        (0..self.headings.len()).filter(stands).collect()
    }

    /// The used columns that a terminal of this width has room for.
    fn shown(&self, terminal: Option<usize>) -> Vec<usize> {
        let mut shown = self.used();
        for column in &self.expendable {
            let widths: Vec<_> = shown.iter().map(|i| self.width(*i)).collect();
            if terminal.is_none_or(|terminal| total(&widths) + self.indent <= terminal) {
                break;
            }
            shown.retain(|i| i != column);
        }
        shown
    }

    /// `terminal`: its width, where one reads; else every cell stands in full.
    fn draw(&self, terminal: Option<usize>) -> String {
        let used = self.shown(terminal);
        let mut widths: Vec<usize> = used.iter().map(|i| self.width(*i)).collect();
        if let (Some(terminal), Some(at)) = (terminal, used.iter().position(|i| Some(*i) == self.elastic)) {
            let over = (total(&widths) + self.indent).saturating_sub(terminal);
            widths[at] = widths[at].saturating_sub(over).max(COLUMN_MIN.min(widths[at]));
        }
        let line = |cells: &[&str]| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| {
                let cell = shortened(cell, *width);
                let pad = width.saturating_sub(visible(&cell));
                format!("{cell}{}", " ".repeat(pad))
            });
            format!("{}{}", " ".repeat(self.indent), padded.collect::<Vec<_>>().join("  ").trim_end())
        };
        let mut out = String::new();
        if self.has_headings() {
            let heading = line(&used.iter().map(|i| self.headings[*i]).collect::<Vec<_>>());
            out.push_str(&if terminal.is_some() { styles::bold(&heading) } else { heading });
            out.push('\n');
        }
        for row in &self.rows {
            let cells: Vec<_> = used.iter().map(|i| row.get(*i).map_or("", String::as_str)).collect();
            for cells in self.continued(cells, &widths) {
                out.push_str(&line(&cells.iter().map(String::as_str).collect::<Vec<_>>()));
                out.push('\n');
            }
        }
        out
    }

    /// The lines of a row: one, or as many as its text needs.
    fn continued(&self, cells: Vec<&str>, widths: &[usize]) -> Vec<Vec<String>> {
        let (Some((text, before)), Some(width)) = (cells.split_last(), widths.last()) else { return Vec::new() };
        if self.has_headings() || visible(text) <= *width {
            return vec![cells.into_iter().map(str::to_owned).collect()];
        }
        let text = anstream::adapter::strip_str(text).to_string();
        let rows = super::wrapped(&text, *width).into_iter().enumerate().map(|(i, part)| {
            let cell = |cell: &&str| if i == 0 { (*cell).to_owned() } else { String::new() };
            before.iter().map(cell).chain([part]).collect()
        });
        rows.collect()
    }

    fn has_headings(&self) -> bool {
        self.headings.iter().any(|heading| !heading.is_empty())
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|r| r.get(column)).map(|c| visible(c));
        cells.max().unwrap_or(0).max(self.headings[column].len())
    }
}

/// With the blanks between.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)
}

/// A cell that is too wide ends in `…` and has no colour.
fn shortened(cell: &str, width: usize) -> std::borrow::Cow<'_, str> {
    if visible(cell) <= width {
        return cell.into();
    }
    let text = anstream::adapter::strip_str(cell).to_string();
    format!("{}…", text.chars().take(width.saturating_sub(1)).collect::<String>()).into()
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
        let text = anstream::adapter::strip_str(&table.draw(None)).to_string();
        assert_eq!(text, "CLUSTER       VIP\ndefault.shop  198.18.0.1\na.b\n");
    }

    #[test]
    fn a_terminal_is_not_exceeded_and_a_pipe_gets_everything() {
        let mut table = Table::new(["FIELD", "VALUE"]).elastic("VALUE");
        assert!(table.fits(0));
        let value = "a value that is longer than forty columns of a terminal";
        table.row(["spec.network.pods".to_owned(), styles::good(value)]);
        let narrow = anstream::adapter::strip_str(&table.draw(Some(40))).to_string();
        assert_eq!(narrow, "FIELD              VALUE\nspec.network.pods  a value that is long…\n");
        assert!(table.fits(76) && !table.fits(73));
        assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
        assert!(anstream::adapter::strip_str(&table.draw(None)).to_string().contains(value));
    }

    #[test]
    fn a_narrow_terminal_does_without_what_is_not_needed() {
        let mut table = Table::new(["CLUSTER", "VERSION", "VIP", "COMMIT"]).expendable(["COMMIT", "VERSION"]);
        table.row(["default.shop", "1.34.2", "198.18.0.1:443", "1234567"].map(str::to_owned));
        let plain = |width| anstream::adapter::strip_str(&table.draw(width)).to_string();
        assert_eq!(
            plain(None),
            "CLUSTER       VERSION  VIP             COMMIT\ndefault.shop  1.34.2   198.18.0.1:443  1234567\n"
        );
        assert_eq!(plain(Some(46)), plain(None));
        assert_eq!(plain(Some(45)), "CLUSTER       VERSION  VIP\ndefault.shop  1.34.2   198.18.0.1:443\n");
        assert_eq!(plain(Some(30)), "CLUSTER       VIP\ndefault.shop  198.18.0.1:443\n");
        assert_eq!((table.left_out(46), table.left_out(30)), (vec![], vec!["VERSION", "COMMIT"]));
    }

    #[test]
    fn a_part_of_something_else_has_no_headings() {
        let mut table = Table::plain(3);
        table.row(["a".to_owned(), String::new(), "x".to_owned()]);
        table.row(["bcd".to_owned(), String::new(), "y".to_owned()]);
        assert_eq!(table.draw(None), "  a    x\n  bcd  y\n");
        table.row(["e".to_owned(), String::new(), "some words that need another line".to_owned()]);
        assert_eq!(table.draw(Some(30)), "  a    x\n  bcd  y\n  e    some words that need\n       another line\n");
    }
}
