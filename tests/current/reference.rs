//! Pages of the reference, from what the code says: types, reasons, rules, and the help of the commands.

mod cli;
mod markdown;
mod schema;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use markdown::anchor;

use crate::{check, root};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    root().join("docs/reference")
}

/// Of the command line; only the binary can tell.
const CLI: &str = "cli.md";

/// Name and text of every other page.
fn pages() -> Vec<(String, String)> {
    let kinds = fleet::schemas().into_iter().map(|(file, schema)| {
        let name = Path::new(&file).with_extension("md").display().to_string();
        (name, markdown::page(&schema::page(&schema)))
    });
    let words = [
        ("conditions.md", words::conditions()),
        ("provider-conditions.md", words::provider()),
        ("rules.md", words::rules()),
        ("changing-a-field.md", words::changes()),
    ];
    kinds.chain(words.map(|(name, text)| (name.to_owned(), text))).collect()
}

#[test]
fn kinds_and_words_are_what_the_code_says() {
    for (name, text) in pages() {
        check(&folder().join(name), &text);
    }
}

#[test]
fn commands_are_what_the_binary_says() {
    check(&folder().join(CLI), &cli::page());
}

#[test]
fn nothing_else_is_in_the_reference() {
    let listed = std::fs::read_dir(folder()).expect("a folder").map(|e| e.expect("an entry").file_name());
    let listed = listed.map(|name| name.into_string().expect("a name")).filter(|name| name != CLI);
    let mut made: Vec<_> = pages().into_iter().map(|(name, _)| name).collect();
    let mut there: Vec<_> = listed.collect();
    made.sort();
    there.sort();
    assert_eq!(there, made, "pages of kinds that are no more, or pages that nobody writes");
}
