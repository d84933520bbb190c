//! The files of a new fleet repository: complete but for the names of one's own metal-stack.

use model::FleetName;

/// Path and text of every file that `ferrofleet init` writes.
pub fn files(name: &FleetName) -> Vec<(String, String)> {
    let own = |text: &str| text.replace("FLEET_NAME", name.as_str());
    let written = [
        ("fleet.yaml", own(include_str!("init/fleet.yaml"))),
        ("policies/default.yaml", include_str!("init/policy.yaml").to_owned()),
        // Beside the clusters, under a name that is no definition's.
        ("stages/development/cluster.yaml.example", include_str!("init/cluster.yaml").to_owned()),
        ("README.md", own(include_str!("init/README.md"))),
        (".gitattributes", include_str!("init/gitattributes").to_owned()),
    ];
    let schemas = crate::schemas().into_iter().map(|(file, schema)| (format!("schemas/{file}"), text(&schema)));
    written.into_iter().map(|(path, text)| (path.to_owned(), text)).chain(schemas).collect()
}

/// A schema as it is written to a file.
pub fn text(schema: &serde_json::Value) -> String {
    format!("{schema:#}\n")
}
