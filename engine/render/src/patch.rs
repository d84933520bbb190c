//! People's patches on rendered objects: before R1 puts committed bytes back, so that what it keeps is kept with them.

mod owned;

use crate::keep::{CONTROL_PLANE_TEMPLATE, POOL_BOOTSTRAP, POOL_TEMPLATE};
use crate::kinds::{Objects, Pool, name_of};
use model::patch::{PatchOp, PatchOperation, leaves};
use model::want::SourcedPatch;
use model::{Digest, Patch};
use serde_json::{Map, Value, json};

/// A patch that cannot be applied; nothing of its cluster is written then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {field}: {fault}")]
pub struct PatchError {
    /// Where the patch is written.
    pub file: String,
    /// As `spec.patches[0].json[2].path`.
    pub field: String,
    pub fault: Box<PatchFault>,
}

/// Why. An object is named as `Kind/name`, without the hash of objects that are named by their content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchFault {
    /// `there`: the objects of the kind; the kinds where there are none.
    #[error("no rendered object is {target}; there are {there}")]
    NoTarget { target: String, there: String },
    #[error("{object}: {why}")]
    Failed { object: String, why: String },
    /// As `Failed`. `owned`: of a value that the lock may not know yet.
    #[error("{object}: the test of {path} fails: {found} is there")]
    Test { object: String, path: String, found: String, owned: bool },
    #[error("{object}: {}, which is the engine's", touching(path, place))]
    Owned { object: String, path: String, place: String, instead: &'static str },
    #[error("{object}: {}, which no patch may change", touching(path, place))]
    Fixed { object: String, path: String, place: &'static str },
}

/// Which place a pointer concerns, once where both are one.
fn touching(path: &str, place: &str) -> String {
    if path == place { format!("touches {place}") } else { format!("{path} touches {place}") }
}

impl PatchFault {
    /// The id of the finding's rule.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::NoTarget { .. } => "patch-target",
            Self::Failed { .. } | Self::Test { .. } => "patch-failed",
            Self::Owned { .. } | Self::Fixed { .. } => "patch-owned-value",
        }
    }

    pub fn mend(&self) -> String {
        match self {
            Self::NoTarget { .. } => "correct the target, or remove the patch".to_owned(),
            Self::Failed { .. } | Self::Test { .. } => {
                "look at the object as `ferrofleet render` prints it without the patch, and correct the operation"
                    .to_owned()
            }
            Self::Owned { instead: "", .. } => "leave it out, or say `force: true` if you know better".to_owned(),
            Self::Owned { instead, .. } => format!("set {instead} instead, or say `force: true` if you know better"),
            Self::Fixed { .. } => "leave it out".to_owned(),
        }
    }
}

/// Applies the patches in their order. All of a patch is done to an object, or nothing of it. Objects that are named by
/// their content get the name of what they hold now, and whoever refers to them follows.
pub(crate) fn apply(objects: &mut Objects, patches: &[SourcedPatch]) -> Result<(), Vec<PatchError>> {
    if patches.is_empty() {
        return Ok(());
    }
    let errors: Vec<_> = patches.iter().filter_map(|patch| apply_one(objects, patch).err()).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    rename(objects);
    Ok(())
}

/// The first object at which it fails stands for all of them.
fn apply_one(objects: &mut Objects, patch: &SourcedPatch) -> Result<(), PatchError> {
    let SourcedPatch { file, field, patch } = patch;
    let error =
        |at: String, fault| PatchError { file: file.clone(), field: format!("{field}.{at}"), fault: Box::new(fault) };
    let mut matched = false;
    for object in objects.all_mut() {
        let (version, kind) = (text(object, "apiVersion"), text(object, "kind"));
        if patch.target.matches(version, kind, logical_name(object)) {
            matched = true;
            *object = patched(object, patch).map_err(|(at, fault)| error(at, fault))?;
        }
    }
    if matched { Ok(()) } else { Err(error("target".to_owned(), no_target(objects, patch))) }
}

fn no_target(objects: &mut Objects, patch: &Patch) -> PatchFault {
    let all = objects.all_mut();
    let near = all.iter().filter(|object| text(object, "kind") == patch.target.kind);
    let versioned = |object: &Value| match patch.target.api_version {
        Some(_) => format!("{} {}", text(object, "apiVersion"), title(object)),
        None => title(object),
    };
    let mut there: Vec<_> = near.map(|object| versioned(object)).collect();
    if there.is_empty() {
        there = all.iter().map(|object| text(object, "kind").to_owned()).collect();
    }
    there.sort();
    there.dedup();
    let version = patch.target.api_version.as_ref().map_or_else(String::new, |version| format!("{version} "));
    PatchFault::NoTarget { target: format!("{version}{}", patch.target), there: there.join(", ") }
}

/// The object with a patch, or the field of the patch that fails, and why.
fn patched(object: &Value, patch: &Patch) -> Result<Value, (String, PatchFault)> {
    let mut changed = object.clone();
    for (i, operation) in patch.json.iter().flatten().enumerate() {
        let before = changed.clone();
        let at = |part: &str| format!("json[{i}].{part}");
        operate(&mut changed, operation).map_err(|fault| (at("path"), fault))?;
        let paths = match operation.op {
            PatchOp::Test => continue,
            PatchOp::Move => vec![("from", operation.from.as_deref().unwrap_or_default()), ("path", &operation.path)],
            PatchOp::Add | PatchOp::Remove | PatchOp::Replace | PatchOp::Copy => vec![("path", &*operation.path)],
        };
        for (part, path) in paths {
            let inserts = part == "path" && !matches!(operation.op, PatchOp::Remove | PatchOp::Replace);
            let touch = owned::Touch { path, inserts };
            owned::allowed(&before, &changed, touch, patch.force).map_err(|fault| (at(part), fault))?;
        }
    }
    if let Some(merge) = &patch.merge {
        let before = changed.clone();
        json_patch::merge(&mut changed, &Value::Object(merge.clone()));
        for (path, value) in leaves(merge) {
            // An empty object merged into one changes nothing.
            if *value == json!({}) && is_object_among_objects(&before, &path) {
                continue;
            }
            let touch = owned::Touch { path: &path, inserts: false };
            owned::allowed(&before, &changed, touch, patch.force).map_err(|fault| ("merge".to_owned(), fault))?;
        }
    }
    let mut changed = in_order_of(object, changed);
    rename_set(object, &mut changed);
    Ok(changed)
}

/// Whether a pointer leads to an object through objects alone: a merge takes no index of a list, it replaces the list.
fn is_object_among_objects(object: &Value, path: &str) -> bool {
    let is_object = |at: usize| object.pointer(&path[..at]).is_some_and(Value::is_object);
    path.match_indices('/').all(|(at, _)| is_object(at)) && is_object(path.len())
}

/// One operation of RFC 6902.
fn operate(object: &mut Value, operation: &PatchOperation) -> Result<(), PatchFault> {
    let PatchOperation { op, path, from, value } = operation;
    let failed = |why: String| PatchFault::Failed { object: title(object), why };
    let missing = |place: &str| failed(format!("there is nothing at {}", shown(place)));
    let from = from.as_deref();
    if let (PatchOp::Move | PatchOp::Copy, None) = (op, from) {
        return Err(failed(format!("{} needs `from`", word(*op))));
    }
    if let (PatchOp::Add | PatchOp::Replace | PatchOp::Test, None) = (op, value) {
        return Err(failed(format!("{} needs `value`", word(*op))));
    }
    if let Some(from) =
        from.filter(|from| matches!(op, PatchOp::Move | PatchOp::Copy) && object.pointer(from).is_none())
    {
        return Err(missing(from));
    }
    match (op, object.pointer(path)) {
        (PatchOp::Remove | PatchOp::Replace | PatchOp::Test, None) => return Err(missing(path)),
        (PatchOp::Test, Some(found)) if Some(found) != value.as_ref() => {
            let (found, owned) = (cut(&found.to_string()), owned::holds(object, path));
            return Err(PatchFault::Test { object: title(object), path: path.clone(), found, owned });
        }
        _ => {}
    }
    let operation = serde_json::from_value(json!(operation)).map_err(|e| failed(format!("{}: {e}", shown(path))))?;
    json_patch::patch(object, &[operation]).map_err(|e| {
        let why = match e.kind {
            json_patch::PatchErrorKind::InvalidPointer => format!("there is no place for {}", shown(path)),
            kind => format!("{} {}: {kind}", word(*op), shown(path)),
        };
        PatchFault::Failed { object: title(object), why }
    })
}

fn word(op: PatchOp) -> &'static str {
    match op {
        PatchOp::Add => "add",
        PatchOp::Remove => "remove",
        PatchOp::Replace => "replace",
        PatchOp::Move => "move",
        PatchOp::Copy => "copy",
        PatchOp::Test => "test",
    }
}

/// With keys in the order of another value, new ones after them: neither library keeps the order of what it leaves.
pub(crate) fn in_order_of(like: &Value, value: Value) -> Value {
    match (like, value) {
        (Value::Object(like), Value::Object(mut map)) => {
            let mut ordered = Map::with_capacity(map.len());
            for (key, like) in like {
                if let Some(value) = map.shift_remove(key) {
                    ordered.insert(key.clone(), in_order_of(like, value));
                }
            }
            ordered.extend(map);
            Value::Object(ordered)
        }
        (Value::Array(like), Value::Array(items)) if like.len() == items.len() => {
            like.iter().zip(items).map(|(like, item)| in_order_of(like, item)).collect()
        }
        (_, value) => value,
    }
}

/// Templates are named by their content: other content is another name, and their owner follows.
fn rename(objects: &mut Objects) {
    renamed(&mut objects.control_plane_template, &mut objects.control_plane, CONTROL_PLANE_TEMPLATE);
    for Pool { name: _, deployment, machines, bootstrap, health: _ } in &mut objects.pools {
        renamed(machines, deployment, POOL_TEMPLATE);
        renamed(bootstrap, deployment, POOL_BOOTSTRAP);
    }
}

fn renamed(template: &mut Value, owner: &mut Value, reference: &str) {
    let name = format!("{}-{}", logical_name(template), Digest::of(&template["spec"]).short());
    // A reference that was patched, by force, leads where the patch wants it.
    if let Some(reference) = owner.pointer_mut(reference).filter(|r| r.as_str() == Some(name_of(template))) {
        *reference = name.as_str().into();
    }
    template["metadata"]["name"] = name.into();
}

/// R13: the immutable fields of a ClusterResourceSet are in its name.
fn rename_set(before: &Value, object: &mut Value) {
    if text(object, "kind") != "ClusterResourceSet" {
        return;
    }
    let fixed = |object: &Value| {
        let spec = &object["spec"];
        json!({"strategy": spec["strategy"], "clusterSelector": spec["clusterSelector"]})
    };
    if fixed(before) != fixed(object) {
        let name = format!("{}-{}", logical_name(object), Digest::of(&fixed(object)).short());
        object["metadata"]["name"] = name.into();
    }
}

/// The name that patches are matched with: without the hash at the end of objects that are named by their content.
fn logical_name(object: &Value) -> &str {
    const BY_CONTENT: [&str; 3] = ["ClusterResourceSet", "KubeadmConfigTemplate", "MetalStackMachineTemplate"];
    let name = name_of(object);
    let is_hash = |end: &str| end.len() == 8 && end.bytes().all(|b| b.is_ascii_hexdigit());
    match name.rsplit_once('-') {
        Some((logical, end)) if is_hash(end) && BY_CONTENT.contains(&text(object, "kind")) => logical,
        _ => name,
    }
}

/// `Kind/name`.
fn title(object: &Value) -> String {
    format!("{}/{}", text(object, "kind"), logical_name(object))
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_default()
}

/// A pointer in a message; the empty one is the whole object.
fn shown(path: &str) -> &str {
    if path.is_empty() { "the whole object" } else { path }
}

/// A value in a message: one line of it.
fn cut(value: &str) -> String {
    const CHARS_MAX: usize = 80;
    match value.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
