//! Purpose and flavor.

use super::Sources;
use crate::issue::Report;
use crate::rules::FLAVOR_VERSION;
use model::definition::FlavorWish;
use model::fleet::Purpose;
use model::policy::KubernetesVersion;
use model::want::{Flavor, Origin, Setting};

pub(super) fn purpose(from: &Sources<'_>) -> Setting<Purpose> {
    let stage = || from.home.stage.purpose.map(|p| Setting::new(p, Origin::Stage));
    let unwritten = || stage().unwrap_or(Setting::built_in(Purpose::default()));
    from.written_or("spec.purpose", from.definition.spec.purpose.as_ref(), unwritten)
}

/// What auto chooses is this binary's choice, not a person's.
pub(super) fn flavor(
    wish: FlavorWish,
    version: &KubernetesVersion,
    report: &mut Report<'_>,
) -> Option<Setting<Flavor>> {
    let modern = version.minor() >= (1, 33);
    let (flavor, fits) = match wish {
        FlavorWish::Auto if modern => return Some(Setting::built_in(Flavor::Calico)),
        FlavorWish::Auto => return Some(Setting::built_in(Flavor::PreV133)),
        FlavorWish::Default => (Flavor::Default, modern),
        FlavorWish::Calico => (Flavor::Calico, modern),
        FlavorWish::PreV133 => (Flavor::PreV133, !modern),
        // Never acted on: what is said of it is thrown away.
        FlavorWish::Kamaji | FlavorWish::Metal3Kamaji | FlavorWish::GardenerShoot => (Flavor::Default, true),
    };
    if !fits {
        let (name, other) = match flavor {
            Flavor::Default => ("default", "Kubernetes 1.33 and newer"),
            Flavor::Calico => ("calico", "Kubernetes 1.33 and newer"),
            Flavor::PreV133 => ("pre-v1.33", "Kubernetes before 1.33"),
        };
        let message = format!("flavor `{name}` is for {other}, this cluster has {version}");
        report.error(FLAVOR_VERSION, "spec.flavor", message).mend("use `auto`, or another version");
    }
    Some(Setting::new(flavor, Origin::Definition))
}
