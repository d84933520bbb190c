//! An API server with every kind that is delivered.

use ferrofleet_tests::peers::control_plane::{Client, ControlPlane, ObjectRef};
use ferrofleet_tests::peers::{need, skipped};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use ureq::http::Method;

/// Longest that a tool may take for anything: seconds alone, more beside a build.
const LIMIT: Duration = Duration::from_secs(120);

/// Folders of CRDs of the shared data.
const CRDS: [&str; 3] = ["capi", "capms", "caaph"];

/// The API server with the folders of CRDs that every delivery needs and `more`, or `None` where the test is skipped.
pub(crate) fn start(more: &[&str]) -> Option<ControlPlane> {
    let Some(crds) = crds() else {
        skipped("no CRDs in /work/shared/data or FERROFLEET_SHARED_DATA");
        return None;
    };
    let plane = need(ControlPlane::start().and_then(ControlPlane::with_controller_manager))?;
    for folder in CRDS.iter().chain(more) {
        plane.client().install_crds(&crds.join(folder));
    }
    Some(plane)
}

fn crds() -> Option<PathBuf> {
    let data = std::env::var_os("FERROFLEET_SHARED_DATA").map_or_else(|| "/work/shared/data".into(), PathBuf::from);
    let crds = data.join("crds");
    crds.is_dir().then_some(crds)
}

/// Looks until there is something; `last` says what was seen when that takes too long.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>, last: impl Fn() -> String) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {LIMIT:?}: {what}\n{}", last());
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// The object as it is stored.
#[track_caller]
pub(crate) fn stored(client: &Client, object: &ObjectRef) -> Option<Value> {
    client.get(object).unwrap_or_else(|e| panic!("{object}: {e}"))
}

/// The version of each object that there is.
#[track_caller]
pub(crate) fn versions(client: &Client, objects: &[ObjectRef]) -> BTreeMap<ObjectRef, u64> {
    let version = |object: &ObjectRef| Some((object.clone(), version_of(&stored(client, object)?)));
    objects.iter().filter_map(version).collect()
}

fn version_of(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok()).unwrap()
}

/// Where rendered objects differ from what is stored; fields that were added are none of it.
#[track_caller]
pub(crate) fn differences<'a>(client: &Client, rendered: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let mut found = Vec::new();
    for object in rendered {
        let name = ObjectRef::of(object);
        match stored(client, &name) {
            Some(stored) => compare(&name.to_string(), object, &stored, &mut found),
            None => found.push(format!("{name} is not there")),
        }
    }
    found
}

fn compare(place: &str, wanted: &Value, stored: &Value, found: &mut Vec<String>) {
    match (wanted, stored) {
        (Value::Object(wanted), Value::Object(stored)) => {
            for (key, wanted) in wanted {
                compare(&format!("{place}.{key}"), wanted, stored.get(key).unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(wanted), Value::Array(stored)) if wanted.len() == stored.len() => {
            for (at, (wanted, stored)) in wanted.iter().zip(stored).enumerate() {
                compare(&format!("{place}[{at}]"), wanted, stored, found);
            }
        }
        (wanted, stored) if wanted == stored => {}
        (wanted, stored) => found.push(format!("{place}: {wanted} is stored as {stored}")),
    }
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

/// Everything that happened to objects after a version, in order: the API server tells it to whoever watches from there.
#[derive(Clone, Debug)]
pub(crate) struct History(Vec<(u64, Change, ObjectRef)>);

impl History {
    /// Of all objects of the kinds of these.
    #[track_caller]
    pub(crate) fn since(client: &Client, version: u64, of: &[ObjectRef]) -> Self {
        let read =
            |kind| watch(client, version, &kind).unwrap_or_else(|| panic!("{kind:?} is not known from {version}"));
        let mut events: Vec<_> = std::thread::scope(|threads| {
            let read = &read;
            let watches: Vec<_> = kinds(of).into_iter().map(|kind| threads.spawn(move || read(kind))).collect();
            watches.into_iter().flat_map(|watch| watch.join().unwrap()).collect()
        });
        events.retain(|(_, _, object)| of.contains(object));
        events.sort();
        Self(events)
    }

    /// In the order in which it happened.
    pub(crate) fn of(&self, change: Change) -> Vec<&ObjectRef> {
        self.0.iter().filter(|(_, what, _)| *what == change).map(|(_, _, object)| object).collect()
    }
}

/// The version that the API server is at, from which it tells the history of these kinds later.
#[track_caller]
pub(crate) fn now(client: &Client, of: &[ObjectRef]) -> u64 {
    let version = || version_of(&client.call(&Method::GET, "/api/v1/namespaces", None).unwrap());
    let is_told = |version: u64| kinds(of).iter().all(|kind| watch(client, version, kind).is_some());
    // A kind that is new is watched by the API server itself since a moment ago.
    until("every kind can be watched", || Some(version()).filter(|version| is_told(*version)), String::new)
}

type Kind<'a> = (&'a str, &'a str);

fn kinds(of: &[ObjectRef]) -> BTreeSet<Kind<'_>> {
    of.iter().map(|object| (object.api_version.as_str(), object.kind.as_str())).collect()
}

/// Events after a version, or `None` where they are not known. The watch ends after a second; what was before comes at
/// once.
fn watch(client: &Client, version: u64, (api_version, kind): &Kind<'_>) -> Option<Vec<(u64, Change, ObjectRef)>> {
    let root = if api_version.contains('/') { "apis" } else { "api" };
    let lower = kind.to_lowercase();
    let plural = lower.strip_suffix('y').map_or_else(|| format!("{lower}s"), |stem| format!("{stem}ies"));
    let query = format!("watch=1&resourceVersion={version}&timeoutSeconds=1");
    let answer = client.call(&Method::GET, &format!("/{root}/{api_version}/{plural}?{query}"), None);
    let events: Vec<Value> = match answer {
        // One event is an object, more of them are lines that are no JSON together.
        Ok(Value::String(lines)) => lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        Ok(event) => vec![event],
        // It is about to watch.
        Err(error) if error.status == 429 => return None,
        Err(error) => panic!("watch {kind}: {error}"),
    };
    let event = |event: Value| {
        let change = match event["type"].as_str() {
            Some("ADDED") => Change::Added,
            Some("MODIFIED") => Change::Modified,
            Some("DELETED") => Change::Deleted,
            _ if event["object"]["code"] == 410 => return None,
            _ => panic!("watch {kind}: {event}"),
        };
        Some((version_of(&event["object"]), change, ObjectRef::of(&event["object"])))
    };
    events.into_iter().map(event).collect()
}

/// What came before something that it has to come after. `rank` orders the objects of a folder by file and kind; a
/// namespace comes before what is in it.
pub(crate) fn out_of_order(
    history: &History,
    objects: &[(&str, Value)],
    rank: impl Fn(&str, &str) -> u8,
) -> Vec<String> {
    let added = history.of(Change::Added);
    let mut found = Vec::new();
    let mut last: BTreeMap<&str, (u8, &ObjectRef)> = BTreeMap::new();
    let mut inhabited = BTreeSet::new();
    for name in &added {
        let Some((path, _)) = objects.iter().find(|(_, object)| ObjectRef::of(object) == **name) else { continue };
        if name.kind == "Namespace" && inhabited.contains(name.name.as_str()) {
            found.push(format!("{name} after an object of it"));
        }
        inhabited.extend(name.namespace.as_deref());
        let (folder, file) = path.rsplit_once('/').unwrap();
        let rank = rank(file, &name.kind);
        if let Some((_, before)) = last.get(folder).filter(|(before, _)| *before > rank) {
            found.push(format!("{name} after {before}"));
        }
        last.insert(folder, (rank, *name));
    }
    let never = objects.iter().map(|(_, object)| ObjectRef::of(object)).filter(|name| !added.contains(&name));
    // It is there from the beginning.
    found.extend(
        never
            .filter(|name| (name.kind.as_str(), name.name.as_str()) != ("Namespace", "default"))
            .map(|name| format!("{name} never came")),
    );
    found
}
