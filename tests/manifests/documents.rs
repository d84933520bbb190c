//! Objects as they stand in files, and objects inside of objects.

use ferrofleet_tests::peers::control_plane::ObjectRef;
use serde_json::Value;
use std::path::Path;

/// One object of a file.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Where it stands, for people.
    pub place: String,
    /// As it is written: API servers have a YAML parser of their own.
    pub text: String,
    pub value: Value,
}

impl Document {
    pub(super) fn reference(&self) -> ObjectRef {
        ObjectRef::of(&self.value)
    }

    pub(super) fn is_a(&self, kind: &str) -> bool {
        self.value["kind"] == kind
    }

    /// Objects that this one carries as text for another cluster: ConfigMaps of a ClusterResourceSet, static pods.
    pub(super) fn nested(&self) -> Vec<Self> {
        let mut found = Vec::new();
        if self.is_a("ConfigMap") {
            for (key, text) in self.value["data"].as_object().into_iter().flatten() {
                found.extend(split(&format!("{}, {key}", self.place), text.as_str().expect("data are texts")));
            }
        }
        let files =
            [&self.value["spec"]["kubeadmConfigSpec"]["files"], &self.value["spec"]["template"]["spec"]["files"]];
        for file in files.into_iter().filter_map(Value::as_array).flatten() {
            let path = file["path"].as_str().expect("a file has a path");
            if path.starts_with("/etc/kubernetes/manifests/") {
                let text = file["content"].as_str().expect("a static pod is written out");
                found.extend(split(&format!("{}, {path}", self.place), text));
            }
        }
        found
    }
}

/// The objects of a text.
#[track_caller]
pub(super) fn split(place: &str, text: &str) -> Vec<Document> {
    let mut texts = vec![String::new()];
    for line in text.lines() {
        match (line, texts.last_mut()) {
            ("---", _) => texts.push(String::new()),
            (line, Some(last)) => {
                last.push_str(line);
                last.push('\n');
            }
            (_, None) => {}
        }
    }
    let document = |text: String| {
        let value: Value = serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{place}: {e}\n{text}"));
        (!value.is_null()).then(|| Document { place: place.to_owned(), text, value })
    };
    texts.into_iter().filter_map(document).collect()
}

/// The objects of all files below a folder, namespaces first, without the kustomizations.
#[track_caller]
pub(super) fn below(root: &Path) -> Vec<Document> {
    let mut found = Vec::new();
    collect(root, root, &mut found);
    found.retain(|document| document.value["apiVersion"] != "kustomize.config.k8s.io/v1beta1");
    found.sort_by_key(|document| (!document.is_a("Namespace"), document.place.clone()));
    found
}

fn collect(root: &Path, dir: &Path, found: &mut Vec<Document>) {
    for entry in std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            let place = path.strip_prefix(root).unwrap().display().to_string();
            found.extend(split(&place, &std::fs::read_to_string(&path).unwrap()));
        }
    }
}
