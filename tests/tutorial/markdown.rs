//! Fenced blocks of a Markdown page.

/// One fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    /// What follows the backticks: the language, then more.
    pub(crate) info: Vec<String>,
    pub(crate) text: String,
    /// Of the opening backticks, from 1.
    pub(crate) line: usize,
}

impl Fence {
    pub(crate) fn language(&self) -> &str {
        self.info.first().map_or("", String::as_str)
    }

    /// The path that a first line `# file: path` gives.
    pub(crate) fn file(&self) -> Option<&str> {
        self.text.lines().next()?.strip_prefix("# file: ").map(str::trim)
    }
}

/// In the order of the page.
pub(crate) fn fences(page: &str) -> Vec<Fence> {
    let mut found = Vec::new();
    let mut open: Option<(Fence, &str)> = None;
    for (index, line) in page.lines().enumerate() {
        match &mut open {
            None => {
                let Some(info) = line.trim_start().strip_prefix("```") else { continue };
                let indent = &line[..line.len() - line.trim_start().len()];
                let info = info.split_whitespace().map(str::to_owned).collect();
                open = Some((Fence { info, text: String::new(), line: index + 1 }, indent));
            }
            Some(_) if line.trim() == "```" => found.extend(open.take().map(|(fence, _)| fence)),
            Some((fence, indent)) => {
                fence.text += line.strip_prefix(*indent).unwrap_or(line);
                fence.text.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block is not closed: {open:?}");
    found
}
