//! Rows by key with an inverted index: a search starts from the shortest list of rows that share one of its terms.

use fastrand::Rng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a table holds.
pub(crate) trait Row {
    /// The model of the API, as it is answered.
    type Wire: Serialize;

    fn key(&self) -> &str;
    fn wire(&self) -> &Self::Wire;
    /// The words this row is found by, such as `project=…`.
    fn terms(&self) -> BTreeSet<String>;
    /// Puts those arrays into another order that metal-api answers in none. Never changes the terms.
    fn shuffle(&mut self, rng: &mut Rng);
}

#[derive(Clone, Debug)]
pub(crate) struct Table<R> {
    rows: BTreeMap<String, R>,
    index: HashMap<String, BTreeSet<String>>,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), index: HashMap::new() }
    }
}

impl<R: Row> Table<R> {
    pub(crate) fn insert(&mut self, row: R) {
        let key = row.key().to_owned();
        self.remove(&key);
        for term in row.terms() {
            self.index.entry(term).or_default().insert(key.clone());
        }
        self.rows.insert(key, row);
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<R> {
        let row = self.rows.remove(key)?;
        self.forget(key, &row.terms());
        Some(row)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&R> {
        self.rows.get(key)
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.rows.contains_key(key)
    }

    /// Changes a row; the index follows.
    pub(crate) fn update<T>(&mut self, key: &str, change: impl FnOnce(&mut R) -> T) -> Option<T> {
        let row = self.rows.get_mut(key)?;
        let before = row.terms();
        let result = change(row);
        let after = row.terms();
        let gone: BTreeSet<String> = before.difference(&after).cloned().collect();
        self.forget(key, &gone);
        for term in after.difference(&before) {
            self.index.entry(term.clone()).or_default().insert(key.to_owned());
        }
        Some(result)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &R> {
        self.rows.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Rows that have every one of the terms, in the order of their keys.
    pub(crate) fn with_terms<'a>(&'a self, terms: &'a [String]) -> Box<dyn Iterator<Item = &'a R> + 'a> {
        let lists: Option<Vec<_>> = terms.iter().map(|term| self.index.get(term)).collect();
        let Some(lists) = lists else { return Box::new(std::iter::empty()) };
        let Some(shortest) = lists.iter().min_by_key(|list| list.len()).copied() else {
            return Box::new(self.rows.values());
        };
        let in_all = move |key: &&String| lists.iter().all(|list| list.contains(*key));
        Box::new(shortest.iter().filter(in_all).filter_map(|key| self.rows.get(key)))
    }

    /// One row as JSON.
    pub(crate) fn json(&mut self, key: &str, rng: &mut Rng) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.write(key, rng, &mut out).then_some(out)
    }

    /// Rows as a JSON array, in no order.
    pub(crate) fn json_list(&mut self, mut keys: Vec<String>, rng: &mut Rng) -> Vec<u8> {
        rng.shuffle(&mut keys);
        let mut out = Vec::with_capacity(2 + keys.len() * 1024);
        out.push(b'[');
        for key in keys {
            if out.len() > 1 {
                out.push(b',');
            }
            self.write(&key, rng, &mut out);
        }
        out.push(b']');
        out
    }

    fn write(&mut self, key: &str, rng: &mut Rng, out: &mut Vec<u8>) -> bool {
        let Some(row) = self.rows.get_mut(key) else { return false };
        row.shuffle(rng);
        serde_json::to_writer(out, row.wire()).is_ok()
    }

    fn forget(&mut self, key: &str, terms: &BTreeSet<String>) {
        for term in terms {
            if let Some(list) = self.index.get_mut(term) {
                list.remove(key);
                if list.is_empty() {
                    self.index.remove(term);
                }
            }
        }
    }
}

impl<R: Row> FromIterator<R> for Table<R> {
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        let mut table = Self::default();
        rows.into_iter().for_each(|row| table.insert(row));
        table
    }
}

impl<R: Serialize> Serialize for Table<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.values())
    }
}

impl<'de, R: Row + Deserialize<'de>> Deserialize<'de> for Table<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{BTreeSet, Row, Table};
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    struct Words(String, BTreeSet<u8>);

    impl Row for Words {
        type Wire = BTreeSet<u8>;

        fn key(&self) -> &str {
            &self.0
        }

        fn wire(&self) -> &BTreeSet<u8> {
            &self.1
        }

        fn terms(&self) -> BTreeSet<String> {
            self.1.iter().map(ToString::to_string).collect()
        }

        fn shuffle(&mut self, _: &mut fastrand::Rng) {}
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_scan_finds(
            changes in prop::collection::vec((0u8..12, prop::option::of(prop::collection::btree_set(0u8..6, 0..4)), any::<bool>()), 1..60),
            asked in prop::collection::btree_set(0u8..6, 0..3),
        ) {
            let mut table = Table::default();
            for (key, words, replace) in changes {
                let key = key.to_string();
                match words {
                    None => drop(table.remove(&key)),
                    Some(words) if replace || !table.contains(&key) => table.insert(Words(key, words)),
                    Some(words) => drop(table.update(&key, |row: &mut Words| row.1 = words)),
                }
            }
            let terms: Vec<String> = asked.iter().map(ToString::to_string).collect();
            let found: Vec<&str> = table.with_terms(&terms).map(Row::key).collect();
            let scanned: Vec<&str> = table.iter().filter(|row| asked.is_subset(&row.1)).map(Row::key).collect();
            prop_assert_eq!(found, scanned);
            let used: BTreeSet<String> = table.iter().flat_map(Row::terms).collect();
            prop_assert_eq!(table.index.keys().cloned().collect::<BTreeSet<_>>(), used);
        }
    }
}
