//! Helm charts of the workload cluster, installed by the Helm add-on provider of Cluster API.

use crate::facts::{CLUSTER_NAME_LABEL, Facts, object};
use crate::images;
use model::definition::ChartWish;
use serde_json::{Map, Value, json};

/// Where charts go that every cluster has; it is there.
pub(crate) const KUBE_SYSTEM: &str = "kube-system";

/// A release for life (R13): a change of anything but version and values uninstalls it and installs another one.
pub(crate) struct Chart<'a> {
    /// Of the HelmChartProxy.
    pub(crate) name: &'a str,
    /// Labels of the Cluster, beside its name.
    pub(crate) selector: &'a [(&'a str, &'a str)],
    pub(crate) release: &'a str,
    pub(crate) repository: &'a str,
    pub(crate) chart: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) version: &'a str,
    pub(crate) values: Option<Value>,
}

impl Chart<'_> {
    /// Guarded against pruning as everything else: the release goes with its HelmChartProxy.
    pub(crate) fn object(self, facts: Facts<'_>) -> Value {
        let Self { name, selector, release, repository, chart, namespace, version, values } = self;
        let mut labels = Map::new();
        labels.extend(selector.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
        labels.insert(CLUSTER_NAME_LABEL.to_owned(), facts.name().into());
        let mut spec = json!({
            "clusterSelector": {"matchLabels": labels},
            "releaseName": release,
            "repoURL": facts.effective().images.reference(repository),
            "chartName": chart,
            "namespace": namespace,
            "version": version,
        });
        if let Some(values) = values {
            spec["valuesTemplate"] = escaped(&crate::emit::text(&[values])).into();
        }
        if namespace != KUBE_SYSTEM {
            spec["options"] = json!({"install": {"createNamespace": true}});
        }
        object("addons.cluster.x-k8s.io/v1alpha1", "HelmChartProxy", facts.metadata(name, &[]), spec)
    }
}

/// A chart of the definition.
pub(crate) fn extra(facts: Facts<'_>, wish: &ChartWish) -> Value {
    let ChartWish { name, repo_url, chart, version, namespace, values } = wish;
    let values = values.clone().map(|values| {
        let mut values = Value::Object(values);
        images::rewrite(&facts.effective().images, &mut values);
        values
    });
    let chart = Chart {
        name: &facts.named(name),
        selector: &[],
        release: name.as_str(),
        repository: repo_url,
        chart,
        namespace: namespace.as_str(),
        version,
        values,
    };
    chart.object(facts)
}

/// An image that a chart of ours pulls, and where in its values the repository stands.
pub(crate) struct Pulled {
    /// JSON pointer.
    pub(crate) place: &'static str,
    /// Without its tag.
    pub(crate) upstream: &'static str,
    /// What the chart puts behind the repository.
    pub(crate) suffix: &'static str,
    /// Where the tag is the chart's version with a `v`; else only the chart knows it.
    pub(crate) versioned: bool,
    /// A switch of the values without which it is not pulled.
    pub(crate) switch: Option<&'static str>,
}

impl Pulled {
    fn is_with(&self, values: &Value) -> bool {
        self.switch.is_none_or(|at| values.pointer(at).and_then(Value::as_bool).unwrap_or_default())
    }
}

/// Our values with the definition's merged in (RFC 7386), and with rewritten images: both the written ones and those that
/// the chart would pull from elsewhere. Without rules they are as written.
pub(crate) fn merged(facts: Facts<'_>, ours: Value, written: Option<&Map<String, Value>>, pulled: &[Pulled]) -> Value {
    let images = &facts.effective().images;
    let mut values = ours;
    if let Some(written) = written {
        let like = values.clone();
        json_patch::merge(&mut values, &Value::Object(written.clone()));
        values = crate::patch::in_order_of(&like, values);
    }
    images::rewrite(images, &mut values);
    for image in pulled {
        let unwritten = image.is_with(&values) && values.pointer(image.place).is_none();
        if let Some(reference) = images.rewritten(image.upstream).filter(|_| unwritten) {
            set(&mut values, image.place, reference.into());
        }
    }
    values
}

/// What a chart pulls with these values, as far as it can be known.
pub(crate) fn references(pulled: &[Pulled], values: &Value, version: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for Pulled { place, upstream, suffix, versioned, switch: _ } in pulled.iter().filter(|image| image.is_with(values))
    {
        let repository = values.pointer(place).and_then(Value::as_str).unwrap_or(upstream);
        let written = place.rsplit_once('/').and_then(|(image, _)| values.pointer(&format!("{image}/tag")));
        let tag = match written.and_then(Value::as_str).filter(|tag| !tag.is_empty()) {
            Some(tag) => format!(":{tag}"),
            None if *versioned => format!(":v{}", version.trim_start_matches('v')),
            None => String::new(),
        };
        found.push((*place, format!("{repository}{suffix}{tag}")));
    }
    found
}

/// Sets a value at a JSON pointer of plain keys; what is in its way and no object is replaced.
pub(crate) fn set(values: &mut Value, place: &str, value: Value) {
    let mut at = values;
    for key in place.split('/').skip(1) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[key];
    }
    *at = value;
}

/// As the Helm add-on provider must read it: it takes values for a Go template. What people write arrives as written,
/// braces too, and nothing of it can look into the management cluster.
fn escaped(text: &str) -> String {
    text.replace("{{", BRACES)
}

/// The text that the Helm add-on provider makes of a template of ours.
pub(crate) fn unescaped(template: &str) -> String {
    template.replace(BRACES, "{{")
}

/// Two braces as a template's raw string, which can stand in a quoted YAML string.
const BRACES: &str = "{{`{{`}}";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What `text/template` makes of a template whose only action is a quoted string.
    fn executed(template: &str) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, action)) = rest.split_once("{{") {
            let (action, after) = action.split_once("}}").unwrap();
            out.push_str(before);
            out.push_str(action.strip_prefix('`').and_then(|a| a.strip_suffix('`')).unwrap());
            rest = after;
        }
        out + rest
    }

    proptest! {
        #[test]
        fn braces_arrive_as_written(text in "[{}`\"\\- a-c\n]{0,24}") {
            let template = escaped(&text);
            prop_assert_eq!(executed(&template), &*text);
            prop_assert_eq!(unescaped(&template), text);
        }
    }

    #[test]
    fn a_value_is_set_where_nothing_or_no_object_was() {
        let mut values = json!({"a": {"b": 1}, "c": "x"});
        set(&mut values, "/a/d/e", json!(2));
        set(&mut values, "/c/f", json!(3));
        assert_eq!(values, json!({"a": {"b": 1, "d": {"e": 2}}, "c": {"f": 3}}));
    }
}
