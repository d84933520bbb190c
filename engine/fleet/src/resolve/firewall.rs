//! The firewall's settings, from definition, policy and fleet.

use super::Sources;
use super::policy::Chosen;
use super::uses::Use;
use crate::issue::Report;
use crate::rules::{IMAGE, SIZE, choice};
use model::definition::{FirewallWish, RulePreset, RulesWish};
use model::policy::OfferedPartition;
use model::want::{FirewallSpec, Origin, Setting, image_version};
use model::{ImageId, Seconds, SizeId};

/// How long a firewall may be dead before it is replaced (R4).
const HEALTH_TIMEOUT: Seconds = Seconds::minutes(20);

pub(super) fn firewall(
    from: &Sources<'_>,
    chosen: &Chosen<'_>,
    partition: &OfferedPartition,
    report: &mut Report<'_>,
) -> Option<FirewallSpec> {
    let FirewallWish { mode, machine_id, size, image, networks, rules, egress, health_timeout } =
        &from.definition.spec.firewall;
    let RulesWish { presets, egress: written_egress, ingress: written_ingress } = rules;
    let metal = &from.around.fleet.spec.metal;
    let offer = Offer { from, chosen, partition };
    let size = offer.size(size.as_ref(), report);
    let image = offer.image(image.as_ref(), report);
    let base_rules = presets.as_ref().map(|p| p.contains(&RulePreset::Base));
    Some(FirewallSpec {
        mode: from.written_or("spec.firewall.mode", mode.as_ref(), || Setting::built_in(<_>::default())),
        machine: machine_id.clone(),
        size: size?,
        image: image?,
        networks: from.written_or("spec.firewall.networks", networks.as_ref(), || {
            Setting::new(vec![partition.default_network.clone()], Origin::Policy)
        }),
        base_rules: from.written_or("spec.firewall.rules.presets", base_rules.as_ref(), || Setting::built_in(true)),
        written_egress: written_egress.clone(),
        written_ingress: written_ingress.clone(),
        node_api_cidrs: metal.node_api_cidrs.clone(),
        node_api_port: metal.node_api_url.as_ref().map(|url| url.port()),
        egress: egress.iter().map(|e| e.network.clone()).collect(),
        health_timeout: from
            .written_or("spec.firewall.healthTimeout", health_timeout.as_ref(), || Setting::built_in(HEALTH_TIMEOUT)),
    })
}

/// What the policy offers for firewalls of one cluster.
struct Offer<'a, 's> {
    from: &'a Sources<'s>,
    chosen: &'a Chosen<'s>,
    partition: &'a OfferedPartition,
}

impl Offer<'_, '_> {
    fn locked(&self) -> Option<&model::lock::Firewall> {
        self.from.lock.and_then(|lock| lock.values.firewall.as_ref())
    }

    fn size(&self, wish: Option<&SizeId>, report: &mut Report<'_>) -> Option<Setting<SizeId>> {
        const FIELD: &str = "spec.firewall.size";
        let (name, offered) = (&self.partition.name, &self.partition.firewall.types);
        match (wish, offered.first()) {
            (None, None) => {
                let message = format!("the policy names no firewall size for partition `{name}`");
                report.error(SIZE, FIELD, message).mend("name one here, or in the policy");
                None
            }
            (None, Some(first)) => Some(Setting::new(first.clone(), Origin::Policy)),
            (Some(wish), Some(_)) if !offered.contains(wish) => {
                if self.locked().is_some() {
                    Use::FirewallType(wish).is_not_offered(self.chosen, report);
                    return Some(self.from.written(FIELD, wish.clone()));
                }
                let message = format!("firewall size `{wish}` is not offered in partition `{name}`");
                report.error(SIZE, FIELD, message).mend(choice(wish.as_str(), offered.iter().map(SizeId::as_str)));
                None
            }
            // An empty list offers everything.
            (Some(wish), _) => Some(self.from.written(FIELD, wish.clone())),
        }
    }

    /// A short form is allowed: it becomes a full id when the firewall is allocated. A patch of an offered short form is
    /// offered too.
    fn image(&self, wish: Option<&ImageId>, report: &mut Report<'_>) -> Option<Setting<ImageId>> {
        const FIELD: &str = "spec.firewall.image";
        let (name, offered) = (&self.partition.name, &self.partition.firewall.images);
        let Some(wish) = wish else {
            if offered.is_empty() {
                let message = format!("the policy names no firewall image for partition `{name}`");
                report.error(IMAGE, FIELD, message).mend("name one here, or in the policy");
            }
            return offered.first().map(|first| Setting::new(first.clone(), Origin::Policy));
        };
        let admits = |one: &ImageId, other: &ImageId| match (image_version(one), image_version(other)) {
            (Some(one), Some(other)) => one.admits(&other),
            _ => false,
        };
        if !offered.is_empty() && !offered.iter().any(|image| image == wish || admits(image, wish)) {
            if self.locked().is_some_and(|firewall| firewall.image == *wish || admits(wish, &firewall.image)) {
                Use::FirewallImage(wish).is_not_offered(self.chosen, report);
                return Some(self.from.written(FIELD, wish.clone()));
            }
            let message = format!("firewall image `{wish}` is not offered in partition `{name}`");
            report.error(IMAGE, FIELD, message).mend(choice(wish.as_str(), offered.iter().map(ImageId::as_str)));
            return None;
        }
        Some(self.from.written(FIELD, wish.clone()))
    }
}
