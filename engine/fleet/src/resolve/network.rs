//! Node network, VIP, pods and services.

use super::Sources;
use crate::issue::Report;
use crate::rules::ONE_CIDR;
use model::definition::{NodesWish, VipWish};
use model::policy::OfferedPartition;
use model::want::{NodesSpec, Origin, Setting, VipSpec};
use model::{Cidr, ClusterPolicy};

pub(super) fn nodes(from: &Sources<'_>) -> NodesSpec {
    let NodesWish { mode, id, length } = &from.definition.spec.network.nodes;
    let mode = from.written_or("spec.network.nodes.mode", mode.as_ref(), || Setting::built_in(<_>::default()));
    NodesSpec { mode, id: id.clone(), length: *length }
}

pub(super) fn vip(from: &Sources<'_>, wish: &VipWish, partition: &OfferedPartition) -> VipSpec {
    let VipWish { mode, network, kind, address } = wish;
    let default_network = || Setting::new(partition.default_network.clone(), Origin::Policy);
    VipSpec {
        mode: from.written_or("spec.vip.mode", mode.as_ref(), || Setting::built_in(<_>::default())),
        network: from.written_or("spec.vip.network", network.as_ref(), default_network),
        kind: from.written_or("spec.vip.type", kind.as_ref(), || Setting::built_in(<_>::default())),
        address: *address,
    }
}

type Cidrs = (Option<Setting<Cidr>>, Option<Setting<Cidr>>);

pub(super) fn cidrs(from: &Sources<'_>, policy: &ClusterPolicy, report: &mut Report<'_>) -> Cidrs {
    let (wish, defaults) = (&from.definition.spec.network, &policy.spec.defaults);
    let pods = one_cidr(from, "spec.network.pods", wish.pods.as_deref(), &defaults.pods, report);
    let services = one_cidr(from, "spec.network.services", wish.services.as_deref(), &defaults.services, report);
    (pods, services)
}

/// R11: dual stack is refused for now. A policy's list is judged with the policy.
fn one_cidr(
    from: &Sources<'_>,
    field: &str,
    written: Option<&[Cidr]>,
    default: &[Cidr],
    report: &mut Report<'_>,
) -> Option<Setting<Cidr>> {
    let Some(written) = written else {
        return default.first().filter(|c| is_v4(c)).map(|c| Setting::new(*c, Origin::Policy));
    };
    match written {
        [one] if is_v4(one) => return Some(from.written(field, *one)),
        [one] => report.error(ONE_CIDR, &format!("{field}[0]"), format!("{one} is not IPv4")),
        [] => report.error(ONE_CIDR, field, "the list is empty"),
        [_, second, ..] => report.error(
            ONE_CIDR,
            &format!("{field}[1]"),
            format!("{second} is one too many: dual stack is not built yet"),
        ),
    }
    .mend("write one IPv4 CIDR, or nothing for the policy's");
    None
}

pub(crate) fn is_v4(cidr: &Cidr) -> bool {
    cidr.family() == model::AddressFamily::V4
}
