//! Documents in pages are documents: each is loaded as people would, in a repository as `init` writes it.

use crate::markdown::{Fence, fences};
use crate::{book, root};
use model::tree::MemoryTree;
use model::{FleetName, Timestamp};

/// Where a document of a kind lies when the page does not say so.
fn path(document: &serde_json::Value) -> String {
    let name = document["metadata"]["name"].as_str().unwrap_or("example");
    match document["kind"].as_str().expect("a document has a kind") {
        "Fleet" => "fleet.yaml".to_owned(),
        "ClusterPolicy" => format!("policies/{name}.yaml"),
        "Overlay" => format!("overlays/{name}.yaml"),
        "ClusterDefinition" => format!("stages/development/clusters/{name}/cluster.yaml"),
        kind => panic!("no place for a {kind} of a page"),
    }
}

fn is_document(fence: &Fence) -> bool {
    let head = "apiVersion: fleet.metal-stack.io/";
    fence.language() == "yaml"
        && fence.text.lines().find(|line| !line.starts_with('#')).is_some_and(|l| l.starts_with(head))
}

/// Findings after each document of a page, with those before it in place. A block `yaml mistake` must have some.
fn problems(page: &str) -> Vec<String> {
    let mut tree = MemoryTree::default();
    for (path, text) in fleet::init::files(&FleetName::parse("example").expect("a name")) {
        // The example of a definition becomes one: policies and overlays have somebody to be for.
        let path = path.replace("cluster.yaml.example", "clusters/example/cluster.yaml");
        tree.files.insert(path, text.into_bytes());
    }
    let now = Timestamp::from_second(1_790_000_000).expect("a time");
    let mut found = Vec::new();
    for fence in fences(page).iter().filter(|fence| is_document(fence)) {
        let document = match serde_yaml::from_str::<serde_json::Value>(&fence.text) {
            Ok(document) => document,
            Err(error) => {
                found.push(format!("line {}: {error}", fence.line));
                continue;
            }
        };
        if document["kind"] == "ClusterLock" {
            continue;
        }
        let path = fence.file().map_or_else(|| path(&document), str::to_owned);
        tree.files.insert(path.clone(), fence.text.clone().into_bytes());
        let mut loaded = fleet::load(&tree.tree(), &mut fleet::Memo::default(), now);
        loaded.findings.extend(render::judge(&mut loaded.want, &mut render::Judged::default()));
        if !fence.info.iter().any(|word| word == "mistake") {
            found.extend(loaded.findings.iter().map(|finding| format!("line {}: {finding:?}", fence.line)));
            continue;
        }
        if loaded.findings.is_empty() {
            found.push(format!("line {}: there is no mistake", fence.line));
        }
        tree.files.remove(&path);
    }
    found
}

#[test]
fn documents_in_pages_have_no_findings() {
    let mut found = Vec::new();
    for page in book::pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        let name = page.strip_prefix(root()).expect("below the root").display().to_string();
        found.extend(problems(&text).into_iter().map(|problem| format!("{name}, {problem}")));
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_document_with_a_mistake_is_found() {
    let document =
        "apiVersion: fleet.metal-stack.io/v1alpha1\nkind: ClusterDefinition\nmetadata: {name: a}\nspec: {}\n";
    assert!(!problems(&format!("```yaml\n{document}```\n")).is_empty());
    assert_eq!(problems(&format!("```yaml mistake\n{document}```\n")), Vec::<String>::new());
}
