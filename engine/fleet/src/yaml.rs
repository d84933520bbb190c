//! YAML as a tree with places: for saying where something is wrong. Only broken files and findings come here.

use crate::limits::{ALIASES_MAX, DEPTH_MAX, NODES_MAX};
use crate::place::shown;
use crate::rules::{ALIASES, DUPLICATE_KEY, INVALID_YAML, MERGE_KEY, ONE_DOCUMENT, Rule, TOO_BIG, TOO_DEEP};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span};
use std::collections::HashMap;

/// A place in a text: line and column from 1, in characters; all 0 for the whole text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) width: u32,
}

impl Mark {
    pub(crate) fn new(line: usize, column: usize, width: usize) -> Self {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { line: small(line), column: small(column), width: small(width) }
    }

    /// Of a span; what goes over several lines is marked at its beginning only.
    fn of(span: &Span) -> Self {
        let (start, end) = (&span.start, &span.end);
        let width = if end.line() == start.line() { end.col().saturating_sub(start.col()) } else { 1 };
        Self::new(start.line(), start.col() + 1, width.max(1))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Plain scalars may be numbers, booleans or null; quoted ones are text.
    Scalar {
        text: String,
        plain: bool,
    },
    Seq(Vec<Node>),
    Map(Vec<Field>),
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) key: String,
    pub(crate) mark: Mark,
    pub(crate) node: Node,
}

impl Node {
    pub(crate) fn field(&self, key: &str) -> Option<&Field> {
        match &self.value {
            Value::Map(fields) => fields.iter().find(|f| f.key == key),
            Value::Scalar { .. } | Value::Seq(_) => None,
        }
    }

    /// Where the node is shown that has no key of its own: an item of a list by its first field.
    pub(crate) fn head(&self) -> Mark {
        match &self.value {
            Value::Map(fields) => fields.first().map_or(self.mark, |f| f.mark),
            Value::Scalar { .. } | Value::Seq(_) => self.mark,
        }
    }

    pub(crate) fn get(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.field(key).map(|f| &f.node))
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Seq(_) | Value::Map(_) => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    fn size(&self) -> usize {
        match &self.value {
            Value::Scalar { .. } => 1,
            Value::Seq(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Value::Map(fields) => 1 + fields.iter().map(|f| 1 + f.node.size()).sum::<usize>(),
        }
    }

    fn depth(&self) -> usize {
        match &self.value {
            Value::Scalar { .. } => 0,
            Value::Seq(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Value::Map(fields) => 1 + fields.iter().map(|f| f.node.depth()).max().unwrap_or(0),
        }
    }
}

/// What the text itself breaks.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) rule: &'static Rule,
    pub(crate) mark: Mark,
    pub(crate) message: String,
    pub(crate) mend: String,
}

impl Fault {
    fn new(rule: &'static Rule, mark: Mark, message: impl Into<String>, mend: &str) -> Self {
        Self { rule, mark, message: message.into(), mend: mend.to_owned() }
    }
}

/// The first document of a text as far as it can be read, and all that is wrong with the text.
pub(crate) fn parse(text: &str) -> (Option<Node>, Vec<Fault>) {
    let mut builder = Builder::default();
    let options = granit_parser::options! { emit_comments: false };
    for next in Parser::new_from_str_with_options(text, options) {
        let going = match next {
            Ok((event, span)) => builder.take(event, &span),
            Err(error) => {
                builder.faults.push(scan_fault(&error, text));
                false
            }
        };
        if !going {
            break;
        }
    }
    builder.finish()
}

fn too_deep(mark: Mark) -> Fault {
    Fault::new(TOO_DEEP, mark, format!("nested more than {DEPTH_MAX} levels deep"), "no document needs more than ten")
}

fn scan_fault(error: &ScanError, text: &str) -> Fault {
    let marker = error.marker();
    // The scanner reads ahead of the events that are counted here.
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return too_deep(Mark::new(marker.line(), marker.col() + 1, 1));
    }
    let line = text.lines().nth(marker.line().saturating_sub(1)).unwrap_or_default();
    let indent: &str = &line[..line.len() - line.trim_start().len()];
    if let Some(column) = indent.chars().position(|c| c == '\t') {
        let mark = Mark::new(marker.line(), column + 1, 1);
        return Fault::new(INVALID_YAML, mark, "a tab in the indentation", "YAML is indented with blanks");
    }
    let at_end = marker.line() > text.lines().count() || marker.index() >= text.chars().count();
    let mend = if at_end {
        "the file ends too early: is it whole?"
    } else {
        "check the indentation and the quotes around here"
    };
    let mark = Mark::new(marker.line(), marker.col() + 1, 1);
    Fault::new(INVALID_YAML, mark, error.kind().to_string(), mend)
}

/// A collection that is being read.
enum Open {
    Seq { mark: Mark, anchor: usize, items: Vec<Node> },
    Map { mark: Mark, anchor: usize, fields: Vec<Field>, seen: HashMap<String, Mark>, key: Option<(String, Mark)> },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    documents: usize,
    nodes: usize,
    aliases: usize,
    faults: Vec<Fault>,
    /// A limit was reached: what follows is not counted any more.
    stopped: bool,
}

impl Builder {
    /// Nothing after this is read.
    fn stop(&mut self, fault: Fault) -> bool {
        self.faults.push(fault);
        self.stopped = true;
        false
    }

    /// False when nothing after this event is to be read.
    fn take(&mut self, event: Event<'_>, span: &Span) -> bool {
        let mark = Mark::of(span);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let mend = "give each document a file of its own";
                    return self.stop(Fault::new(ONE_DOCUMENT, mark, "a second document begins here", mend));
                }
                true
            }
            Event::Alias(id) => self.alias(id, mark),
            Event::Scalar(text, style, anchor, _) => {
                let value = Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                self.add(Node { mark, value }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Open::Seq { mark, anchor, items: Vec::new() }, mark),
            Event::MappingStart(_, anchor, _) => {
                self.begin(Open::Map { mark, anchor, fields: Vec::new(), seen: HashMap::new(), key: None }, mark)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => true,
        }
    }

    fn begin(&mut self, open: Open, mark: Mark) -> bool {
        self.open.push(open);
        if self.open.len() > DEPTH_MAX {
            return self.stop(too_deep(mark));
        }
        true
    }

    fn end(&mut self) -> bool {
        match self.open.pop() {
            Some(Open::Seq { mark, anchor, items }) => self.add(Node { mark, value: Value::Seq(items) }, anchor),
            Some(Open::Map { mark, anchor, fields, seen: _, key: _ }) => {
                self.add(Node { mark, value: Value::Map(fields) }, anchor)
            }
            None => true,
        }
    }

    fn alias(&mut self, id: usize, mark: Mark) -> bool {
        self.aliases += 1;
        if self.aliases > ALIASES_MAX {
            let message = format!("more than {ALIASES_MAX} aliases");
            return self.stop(Fault::new(ALIASES, mark, message, "write the values out"));
        }
        let Some(target) = self.anchors.get(&id).cloned() else {
            return self.stop(Fault::new(
                INVALID_YAML,
                mark,
                "an alias inside of its own anchor",
                "write the values out",
            ));
        };
        if self.open.len() + target.depth() > DEPTH_MAX {
            let message = format!("this alias nests the document more than {DEPTH_MAX} levels deep");
            return self.stop(Fault::new(TOO_DEEP, mark, message, "write the values out"));
        }
        // The node itself is counted when it is added.
        self.nodes += target.size() - 1;
        self.add(Node { mark, value: target.value }, 0)
    }

    fn add(&mut self, node: Node, anchor: usize) -> bool {
        self.nodes += 1;
        if self.nodes > NODES_MAX && !self.stopped {
            let message = format!("more than {NODES_MAX} values, with what aliases repeat");
            return self.stop(Fault::new(TOO_BIG, node.mark, message, "no document needs that many"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::Seq { items, .. }) => items.push(node),
            Some(Open::Map { fields, seen, key, .. }) => match key.take() {
                None => return self.key(node),
                // The first of a key counts; the second one was told.
                Some((key, mark)) if seen.get(&key) == Some(&mark) => fields.push(Field { key, mark, node }),
                Some(_) => {}
            },
        }
        true
    }

    fn key(&mut self, node: Node) -> bool {
        let Some(Open::Map { seen, key, .. }) = self.open.last_mut() else { return true };
        let Node { mark, value: Value::Scalar { text, plain } } = node else {
            return self.stop(Fault::new(INVALID_YAML, node.mark, "a key is text, not a list or a mapping", ""));
        };
        if let Some(first) = seen.get(&text) {
            let message = format!("`{}` is already in line {}, column {}", shown(&text), first.line, first.column);
            self.faults.push(Fault::new(DUPLICATE_KEY, mark, message, "keep one of the two"));
        } else if plain && text == "<<" {
            let fault = Fault::new(
                MERGE_KEY,
                mark,
                "merge keys are not used",
                "write the values out, or use an alias for a whole value",
            );
            self.faults.push(fault);
        }
        seen.entry(text.clone()).or_insert(mark);
        *key = Some((text, mark));
        true
    }

    /// What was open when the reading stopped is closed, so that the rest can be looked at.
    fn finish(mut self) -> (Option<Node>, Vec<Fault>) {
        while !self.open.is_empty() {
            self.end();
        }
        (self.root, self.faults)
    }
}
