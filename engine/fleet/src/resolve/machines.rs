//! Sizes and images of machines, as the policy offers them.

use super::written_or;
use crate::issue::Report;
use crate::rules::{IMAGE, IMAGE_PINNED, IMAGE_VERSION, SIZE, choice};
use model::definition::ControlPlaneWish;
use model::fleet::Purpose;
use model::policy::{KubernetesVersion, MachineImage, MachineImageVersion, OfferedPartition};
use model::want::{ImageSpec, MachineSpec, Origin, Setting, image_version};
use model::{ClusterLock, ClusterPolicy, ImageId, SizeId};

/// What machines of one cluster are chosen from.
pub(super) struct Machines<'a> {
    pub(super) policy: &'a ClusterPolicy,
    pub(super) partition: Option<&'a OfferedPartition>,
    pub(super) version: Option<&'a KubernetesVersion>,
    pub(super) lock: Option<&'a ClusterLock>,
}

impl Machines<'_> {
    pub(super) fn control_plane(
        &self,
        wish: &ControlPlaneWish,
        purpose: Purpose,
        report: &mut Report<'_>,
    ) -> Option<MachineSpec> {
        let ControlPlaneWish { replicas, size, image, drain_timeout: _, health_check: _ } = wish;
        let default = if purpose == Purpose::Production { 3 } else { 1 };
        self.spec(replicas.as_ref(), default, size.as_ref(), image.as_ref(), "spec.controlPlane", report)
    }

    pub(super) fn spec(
        &self,
        replicas: Option<&u32>,
        default_replicas: u32,
        size: Option<&SizeId>,
        image: Option<&ImageId>,
        field: &str,
        report: &mut Report<'_>,
    ) -> Option<MachineSpec> {
        let size = self.size(size, &format!("{field}.size"), report);
        let image = self.image(image, &format!("{field}.image"), report);
        let replicas = written_or(replicas, || Setting::built_in(default_replicas));
        Some(MachineSpec { replicas, size: size?, image: image? })
    }

    fn size(&self, wish: Option<&SizeId>, field: &str, report: &mut Report<'_>) -> Option<Setting<SizeId>> {
        let here = |size: &SizeId| self.partition.is_none_or(|p| !p.unavailable_machine_types.contains(size));
        let mut offered = self.policy.spec.machine_types.iter().filter(|t| t.usable && here(&t.name));
        let Some(wish) = wish else {
            let first = offered.next();
            if first.is_none() {
                report
                    .error(SIZE, field, "the policy offers no size in this partition")
                    .mend("offer a machine type there");
            }
            return first.map(|t| Setting::new(t.name.clone(), Origin::Policy));
        };
        let why = match self.policy.machine_type(wish) {
            None => format!("size `{wish}` is not in policy `{}`", self.policy.metadata.name),
            Some(_) if !here(wish) => format!("size `{wish}` is not available in this partition"),
            Some(known) if !known.usable && self.lock.is_none() => {
                format!("size `{wish}` is not offered to new clusters")
            }
            Some(_) => return Some(Setting::new(wish.clone(), Origin::Definition)),
        };
        report.error(SIZE, field, why).mend(choice(wish.as_str(), offered.map(|t| t.name.as_str())));
        None
    }

    fn image(&self, wish: Option<&ImageId>, field: &str, report: &mut Report<'_>) -> Option<ImageSpec> {
        let images = &self.policy.spec.machine_images;
        let Some(wish) = wish else {
            // That a policy has an image is judged with the policy.
            let first = images.first()?;
            let wish = Setting::new(ImageId::parse(first.name.as_str()).ok()?, Origin::Policy);
            return self.of_image(first, wish, field, report);
        };
        let setting = Setting::new(wish.clone(), Origin::Definition);
        if let Some(image) = self.policy.machine_image(wish.as_str()) {
            return self.of_image(image, setting, field, report);
        }
        if image_version(wish).is_some_and(|v| v.version.2 == 0) {
            let message = format!("`{wish}` names no patch: metal-api takes the newest one of its minor");
            report.error(IMAGE_PINNED, field, message).mend("name the image by the policy's name, or by its full id");
            return None;
        }
        self.by_id(setting, field, report)
    }

    /// The version of an image that was built for the cluster's Kubernetes version: the lock's one, else the highest.
    fn of_image(
        &self,
        image: &MachineImage,
        wish: Setting<ImageId>,
        field: &str,
        report: &mut Report<'_>,
    ) -> Option<ImageSpec> {
        let version = self.version?;
        let fitting = || image.versions.iter().filter(|v| v.kubernetes == *version);
        let locked = self.lock.and_then(|l| l.values.images.get(wish.value.as_str()));
        let sticky = locked.and_then(|id| fitting().find(|v| image.image_id(v).as_ref() == Some(id)));
        let Some(chosen) = sticky.or_else(|| fitting().max_by_key(|v| order(v))) else {
            let built_for: Vec<_> = image.versions.iter().map(|v| v.kubernetes.to_string()).collect();
            let name = &image.name;
            report.error(IMAGE_VERSION, field, format!("image `{name}` has no version for Kubernetes {version}")).mend(
                format!(
                    "it is built for {}; choose one of these, or add the image to the policy",
                    built_for.join(", ")
                ),
            );
            return None;
        };
        Some(ImageSpec { wish, id: image.image_id(chosen)?, kube_vip: chosen.kube_vip.clone() })
    }

    fn by_id(&self, wish: Setting<ImageId>, field: &str, report: &mut Report<'_>) -> Option<ImageSpec> {
        let images = &self.policy.spec.machine_images;
        let all = || images.iter().flat_map(|i| i.versions.iter().filter_map(|v| Some((i.image_id(v)?, v))));
        let Some((id, found)) = all().find(|(id, _)| *id == wish.value) else {
            let ids: Vec<_> = all().map(|(id, _)| id).collect();
            let known = images.iter().map(|i| i.name.as_str()).chain(ids.iter().map(ImageId::as_str));
            let message = format!("image `{}` is not in policy `{}`", wish.value, self.policy.metadata.name);
            report.error(IMAGE, field, message).mend(choice(wish.value.as_str(), known));
            return None;
        };
        let version = self.version?;
        if found.kubernetes != *version {
            let message =
                format!("image `{id}` is built for Kubernetes {}, the cluster has {version}", found.kubernetes);
            report
                .error(IMAGE_VERSION, field, message)
                .mend("name the image by the policy's name: version and image move together");
        }
        Some(ImageSpec { wish, id, kube_vip: found.kube_vip.clone() })
    }
}

/// By number where a version is one.
fn order(version: &MachineImageVersion) -> (Option<semver::Version>, &str) {
    (semver::Version::parse(version.version.trim_start_matches('v')).ok(), &version.version)
}
