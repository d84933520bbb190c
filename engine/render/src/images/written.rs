//! References of container images inside objects and chart values: where they stand, and rewriting them in place.

use model::policy::ImagePolicy;
use serde::Deserialize;
use serde_json::Value;

/// Lists of containers of a pod, at any depth.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Rewrites every reference in a value, YAML documents in strings included. Without rules nothing is touched.
pub(crate) fn rewrite(images: &ImagePolicy, value: &mut Value) {
    if images.rewrite.is_empty() {
        return;
    }
    for Written { at, form, .. } in written(value) {
        let Some(target) = value.pointer_mut(&at) else { continue };
        match form {
            Form::Text => {
                if let Some(new) = target.as_str().and_then(|old| images.rewritten(old)) {
                    *target = new.into();
                }
            }
            Form::Parts(name) => rewrite_parts(images, target, name),
            Form::Documents => {
                if let Some(new) = target.as_str().and_then(|text| rewritten_text(images, text)) {
                    *target = new.into();
                }
            }
        }
    }
}

/// A reference in a value.
pub(crate) struct Written {
    /// JSON pointer; `>` and the number of a document lead into a string.
    pub(crate) at: String,
    form: Form,
    pub(crate) reference: String,
}

#[derive(Clone, Copy)]
enum Form {
    /// A string.
    Text,
    /// An object with `registry`, the rest of the name below this key, and `tag`.
    Parts(&'static str),
    /// A string of YAML documents that hold references.
    Documents,
}

/// Every reference of a value, in its order.
pub(crate) fn references(value: &Value) -> Vec<Written> {
    let mut found = Vec::new();
    for one in written(value) {
        if let Form::Documents = one.form {
            let text = value.pointer(&one.at).and_then(Value::as_str).unwrap_or_default();
            for (i, document) in documents(text).iter().enumerate() {
                let inner = references(document);
                found.extend(inner.into_iter().map(|w| Written { at: format!("{}>{i}{}", one.at, w.at), ..w }));
            }
        } else {
            found.push(one);
        }
    }
    found
}

/// The documents of a text that is YAML; none where it is not, or plain text.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let all: Result<Vec<_>, _> = serde_yaml::Deserializer::from_str(text).map(Value::deserialize).collect();
    all.unwrap_or_default().into_iter().filter(|document| document.is_object() || document.is_array()).collect()
}

fn written(value: &Value) -> Vec<Written> {
    let mut found = Vec::new();
    walk(value, &mut String::new(), false, &mut found);
    found
}

fn walk(value: &Value, at: &mut String, is_container: bool, found: &mut Vec<Written>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let length = at.len();
                at.push('/');
                at.push_str(&key.replace('~', "~0").replace('/', "~1"));
                if let Some((form, reference)) = named(map, key, value, is_container) {
                    // Parts stand side by side in the object around a key `image`.
                    let place =
                        if value.is_string() && matches!(form, Form::Parts(_)) { &at[..length] } else { at.as_str() };
                    found.push(Written { at: place.to_owned(), form, reference });
                } else if let (Value::Array(items), true) = (value, CONTAINERS.contains(&&**key)) {
                    walk_items(items, at, true, found);
                } else {
                    walk(value, at, false, found);
                }
                at.truncate(length);
            }
        }
        Value::Array(items) => walk_items(items, at, false, found),
        Value::String(text) if has_documents(text) => {
            found.push(Written { at: at.clone(), form: Form::Documents, reference: String::new() });
        }
        _ => {}
    }
}

/// Whether a text is YAML with references in it. One line is none.
fn has_documents(text: &str) -> bool {
    text.contains('\n') && documents(text).iter().any(|document| !written(document).is_empty())
}

fn walk_items(items: &[Value], at: &mut String, are_containers: bool, found: &mut Vec<Written>) {
    for (i, item) in items.iter().enumerate() {
        let length = at.len();
        at.push_str(&format!("/{i}"));
        walk(item, at, are_containers, found);
        at.truncate(length);
    }
}

/// The reference that a field is: `image` of a container, and elsewhere what is named like an image and reads like one. An
/// OS image of metal-stack has neither slash nor colon.
fn named(
    around: &serde_json::Map<String, Value>,
    key: &str,
    value: &Value,
    is_container: bool,
) -> Option<(Form, String)> {
    // Operators take what they start from their environment.
    let is_variable =
        || key == "value" && around.get("name").and_then(Value::as_str).is_some_and(|n| n.contains("IMAGE"));
    if !key.to_ascii_lowercase().ends_with("image") && key != "imageRepository" && !is_variable() {
        return None;
    }
    match value {
        Value::String(_) if key == "image" && around.get("registry").is_some_and(Value::is_string) => {
            Some((Form::Parts("image"), parts(around, "image")?))
        }
        Value::String(text) if is_container && key == "image" && !text.is_empty() => Some((Form::Text, text.clone())),
        Value::String(text) if reads_like_one(text) => Some((Form::Text, text.clone())),
        // A volume made from an image.
        Value::Object(map) if map.contains_key("reference") => {
            Some((Form::Parts("reference"), parts(map, "reference")?))
        }
        Value::Object(map) => Some((Form::Parts("repository"), parts(map, "repository")?)),
        _ => None,
    }
}

fn reads_like_one(text: &str) -> bool {
    text.contains(['/', ':'])
        && !text.contains("://")
        && !text.starts_with(['/', '.'])
        && !text.contains(|c: char| c.is_whitespace() || c == '{')
}

/// The reference that `registry`, a name, `tag` and `digest` make together; None without a name.
fn parts(map: &serde_json::Map<String, Value>, name: &str) -> Option<String> {
    let text = |key: &str| map.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut reference = text("registry").map(|r| format!("{}/", r.trim_end_matches('/'))).unwrap_or_default();
    reference.push_str(text(name)?);
    let number = || map.get("tag").filter(|tag| tag.is_number()).map(ToString::to_string);
    if let Some(tag) = text("tag").map(str::to_owned).or_else(number) {
        reference.push_str(&format!(":{tag}"));
    }
    if let Some(digest) = text("digest") {
        reference.push_str(&format!("@{digest}"));
    }
    Some(reference)
}

fn rewrite_parts(images: &ImagePolicy, target: &mut Value, name: &str) {
    let Some(map) = target.as_object_mut() else { return };
    let text = |key: &str| map.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let (registry, Some(rest)) = (text("registry"), text(name)) else { return };
    let Some(registry) = registry else {
        if let Some(new) = images.rewritten(&rest) {
            map.insert(name.to_owned(), new.into());
        }
        return;
    };
    if let Some(new) = images.rewritten(&format!("{}/{rest}", registry.trim_end_matches('/'))) {
        // The name stays as it is where it can: other fields may be made from it.
        let new_registry = new.strip_suffix(&rest).and_then(|registry| registry.strip_suffix('/'));
        let (registry, rest) = match new_registry {
            Some(registry) => (registry, rest.as_str()),
            None => new.split_once('/').unwrap_or((&new, "")),
        };
        map.insert("registry".to_owned(), registry.into());
        map.insert(name.to_owned(), rest.into());
    }
}

/// A text of YAML documents with other references, as little changed as can be: comments and layout stay where replacing
/// the references in the text means the same.
fn rewritten_text(images: &ImagePolicy, text: &str) -> Option<String> {
    let before = documents(text);
    let mut after = before.clone();
    after.iter_mut().for_each(|document| rewrite(images, document));
    if before == after {
        return None;
    }
    let mut changed = text.to_owned();
    for one in before.iter().flat_map(references) {
        if let Some(new) = images.rewritten(&one.reference) {
            changed = replaced(&changed, &one.reference, &new);
        }
    }
    Some(if documents(&changed) == after { changed } else { crate::emit::text(&after) })
}

/// Every occurrence that is no part of a longer reference.
fn replaced(text: &str, old: &str, new: &str) -> String {
    let continues = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(old) {
        let (before, after) = (&rest[..at], &rest[at + old.len()..]);
        let inside = before.ends_with(continues) || after.starts_with(continues);
        out.push_str(before);
        out.push_str(if inside { old } else { new });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::policy::ImageRewrite;
    use serde_json::json;

    fn policy() -> ImagePolicy {
        let rule = |from: &str, to: &str| ImageRewrite { from: from.to_owned(), to: to.to_owned() };
        ImagePolicy { airgapped: false, rewrite: vec![rule("ghcr.io", "r.io/ghcr"), rule("docker.io", "r.io/hub")] }
    }

    #[test]
    fn every_form_of_a_reference_is_found_and_rewritten() {
        let mut value = json!({
            "spec": {
                "initContainers": [{"image": "nginx"}],
                "containers": [{"name": "image", "image": "ghcr.io/a/b:v1"}],
                "volumes": [{"image": {"reference": "ghcr.io/v:v1"}}],
            },
            "image": {"registry": "docker.io", "repository": "a/b", "tag": 1.5},
            "sidecarImage": {"repository": "ghcr.io/s", "tag": "v2", "digest": "sha256:00"},
            "operator": {"registry": "docker.io/", "image": "t/o"},
            "machine": {"image": "capms-ubuntu-1.34.2"},
            "disk": {"image": "https://ghcr.io/disk.img"},
            "pauseImage": "ghcr.io/pause:3",
            "env": [{"name": "RELATED_IMAGE_X", "value": "ghcr.io/x:v1"}, {"name": "URL", "value": "ghcr.io/x:v1"}],
            "text": "ghcr.io/not/an/image:v1",
        });
        let found: Vec<_> = references(&value).into_iter().map(|w| (w.at, w.reference)).collect();
        let found: Vec<_> = found.iter().map(|(at, reference)| (at.as_str(), reference.as_str())).collect();
        assert_eq!(
            found,
            [
                ("/spec/initContainers/0/image", "nginx"),
                ("/spec/containers/0/image", "ghcr.io/a/b:v1"),
                ("/spec/volumes/0/image", "ghcr.io/v:v1"),
                ("/image", "docker.io/a/b:1.5"),
                ("/sidecarImage", "ghcr.io/s:v2@sha256:00"),
                ("/operator", "docker.io/t/o"),
                ("/pauseImage", "ghcr.io/pause:3"),
                ("/env/0/value", "ghcr.io/x:v1"),
            ]
        );
        rewrite(&policy(), &mut value);
        assert_eq!(value["spec"]["initContainers"][0]["image"], "r.io/hub/library/nginx");
        assert_eq!(value["spec"]["containers"][0], json!({"name": "image", "image": "r.io/ghcr/a/b:v1"}));
        assert_eq!(value["image"], json!({"registry": "r.io/hub", "repository": "a/b", "tag": 1.5}));
        assert_eq!(value["sidecarImage"]["repository"], "r.io/ghcr/s");
        assert_eq!(
            (&value["env"][0]["value"], &value["env"][1]["value"]),
            (&json!("r.io/ghcr/x:v1"), &json!("ghcr.io/x:v1"))
        );
        assert_eq!(value["operator"], json!({"registry": "r.io/hub", "image": "t/o"}));
        assert_eq!(
            (&value["machine"]["image"], &value["pauseImage"]),
            (&json!("capms-ubuntu-1.34.2"), &json!("r.io/ghcr/pause:3"))
        );
        assert_eq!(
            (&value["disk"]["image"], &value["text"]),
            (&json!("https://ghcr.io/disk.img"), &json!("ghcr.io/not/an/image:v1"))
        );
    }

    #[test]
    fn a_nested_document_keeps_its_comments() {
        let text = "# of ghcr.io/a:v1\ncontainers:\n- image: ghcr.io/a:v1 # why\n- image: ghcr.io/a:v10\n";
        let mut value = json!({"data": {"pod.yaml": text, "notes": "plain\ntext: here\n"}});
        let places: Vec<_> = references(&value).into_iter().map(|w| w.at).collect();
        assert_eq!(places, ["/data/pod.yaml>0/containers/0/image", "/data/pod.yaml>0/containers/1/image"]);
        rewrite(&policy(), &mut value);
        let expected = "# of r.io/ghcr/a:v1\ncontainers:\n- image: r.io/ghcr/a:v1 # why\n- image: r.io/ghcr/a:v10\n";
        assert_eq!(value["data"]["pod.yaml"], expected);
        assert_eq!(value["data"]["notes"], "plain\ntext: here\n");
    }

    #[test]
    fn without_rules_nothing_is_touched() {
        let text = "containers: [{image: nginx}]\n";
        let mut value = json!({"a": text});
        rewrite(&ImagePolicy::default(), &mut value);
        assert_eq!(value, json!({"a": text}));
    }
}
