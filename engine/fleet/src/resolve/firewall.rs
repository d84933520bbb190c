//! The firewall's settings, from definition, policy and fleet.

use super::{Sources, written_or};
use crate::issue::Report;
use crate::rules::{IMAGE, SIZE, choice};
use model::definition::{FirewallWish, RulePreset, RulesWish};
use model::policy::OfferedPartition;
use model::want::{FirewallSpec, Origin, Setting, image_version};
use model::{ImageId, SizeId};

pub(super) fn firewall(
    from: &Sources<'_>,
    partition: &OfferedPartition,
    report: &mut Report<'_>,
) -> Option<FirewallSpec> {
    let FirewallWish { mode, machine_id, size, image, networks, rules, egress } = &from.definition.spec.firewall;
    let RulesWish { presets, egress: written_egress, ingress: written_ingress } = rules;
    let metal = &from.around.fleet.spec.metal;
    let size = self::size(size.as_ref(), partition, report);
    let image = self::image(image.as_ref(), partition, report);
    let base_rules = presets.as_ref().map(|p| p.contains(&RulePreset::Base));
    Some(FirewallSpec {
        mode: written_or(mode.as_ref(), || Setting::built_in(<_>::default())),
        machine: machine_id.clone(),
        size: size?,
        image: image?,
        networks: written_or(networks.as_ref(), || {
            Setting::new(vec![partition.default_network.clone()], Origin::Policy)
        }),
        base_rules: written_or(base_rules.as_ref(), || Setting::built_in(true)),
        written_egress: written_egress.clone(),
        written_ingress: written_ingress.clone(),
        node_api_cidrs: metal.node_api_cidrs.clone(),
        node_api_port: metal.node_api_url.as_ref().map(|url| url.port()),
        egress: egress.iter().map(|e| e.network.clone()).collect(),
    })
}

fn size(wish: Option<&SizeId>, partition: &OfferedPartition, report: &mut Report<'_>) -> Option<Setting<SizeId>> {
    const FIELD: &str = "spec.firewall.size";
    let offered = &partition.firewall.types;
    match (wish, offered.first()) {
        (None, None) => {
            let message = format!("the policy names no firewall size for partition `{}`", partition.name);
            report.error(SIZE, FIELD, message).mend("name one here, or in the policy");
            None
        }
        (None, Some(first)) => Some(Setting::new(first.clone(), Origin::Policy)),
        (Some(wish), Some(_)) if !offered.contains(wish) => {
            let message = format!("firewall size `{wish}` is not offered in partition `{}`", partition.name);
            report.error(SIZE, FIELD, message).mend(choice(wish.as_str(), offered.iter().map(SizeId::as_str)));
            None
        }
        // An empty list offers everything.
        (Some(wish), _) => Some(Setting::new(wish.clone(), Origin::Definition)),
    }
}

/// A short form is allowed: it becomes a full id when the firewall is allocated. A patch of an offered short form is
/// offered too.
fn image(wish: Option<&ImageId>, partition: &OfferedPartition, report: &mut Report<'_>) -> Option<Setting<ImageId>> {
    const FIELD: &str = "spec.firewall.image";
    let offered = &partition.firewall.images;
    let Some(wish) = wish else {
        if offered.is_empty() {
            let message = format!("the policy names no firewall image for partition `{}`", partition.name);
            report.error(IMAGE, FIELD, message).mend("name one here, or in the policy");
        }
        return offered.first().map(|first| Setting::new(first.clone(), Origin::Policy));
    };
    let admits = |image: &ImageId| match (image_version(image), image_version(wish)) {
        (Some(offered), Some(wish)) => offered.admits(&wish),
        _ => false,
    };
    if !offered.is_empty() && !offered.iter().any(|image| image == wish || admits(image)) {
        let message = format!("firewall image `{wish}` is not offered in partition `{}`", partition.name);
        report.error(IMAGE, FIELD, message).mend(choice(wish.as_str(), offered.iter().map(ImageId::as_str)));
        return None;
    }
    Some(Setting::new(wish.clone(), Origin::Definition))
}
