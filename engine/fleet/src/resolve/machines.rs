//! Sizes and images of machines, as the policy offers them.

use super::policy::Chosen;
use super::uses::{Use, is_rendered};
use super::{Sources, default_control_plane};
use crate::issue::Report;
use crate::rules::{IMAGE, IMAGE_EXPIRED, IMAGE_PINNED, IMAGE_PREVIEW, IMAGE_VERSION, SIZE, choice};
use model::definition::ControlPlaneWish;
use model::fleet::Purpose;
use model::policy::{Classification, KubernetesVersion, MachineImage, MachineImageVersion, OfferedPartition};
use model::want::{ImageSpec, MachineSpec, Origin, Setting, image_version};
use model::{ImageId, SizeId};

/// What machines of one cluster are chosen from.
pub(super) struct Machines<'a, 's> {
    pub(super) from: &'a Sources<'s>,
    pub(super) chosen: &'a Chosen<'s>,
    pub(super) partition: Option<&'a OfferedPartition>,
    pub(super) version: Option<&'a KubernetesVersion>,
    pub(super) purpose: Purpose,
}

/// What a definition says of a set of machines.
pub(super) struct Wish<'a> {
    pub(super) replicas: Option<&'a u32>,
    pub(super) default_replicas: u32,
    pub(super) size: Option<&'a SizeId>,
    pub(super) image: Option<&'a ImageId>,
}

impl Machines<'_, '_> {
    pub(super) fn control_plane(&self, wish: &ControlPlaneWish, report: &mut Report<'_>) -> Option<MachineSpec> {
        let ControlPlaneWish { replicas, size, image, drain_timeout: _, health_check: _ } = wish;
        let default_replicas = default_control_plane(self.purpose);
        let wish = Wish { replicas: replicas.as_ref(), default_replicas, size: size.as_ref(), image: image.as_ref() };
        self.spec(&wish, "spec.controlPlane", "controlPlane", report)
    }

    /// `object` is the key of these machines in the lock.
    pub(super) fn spec(
        &self,
        wish: &Wish<'_>,
        field: &str,
        object: &str,
        report: &mut Report<'_>,
    ) -> Option<MachineSpec> {
        let Wish { replicas, default_replicas, size, image } = wish;
        let size = self.size(*size, &format!("{field}.size"), object, report);
        let image = self.image(*image, &format!("{field}.image"), report);
        let built_in = || Setting::built_in(*default_replicas);
        let replicas = self.from.written_or(&format!("{field}.replicas"), *replicas, built_in);
        let size = size?;
        let reserve = self.chosen.policy.machine_type(&size.value).map_or(0, |known| known.reserve);
        Some(MachineSpec { replicas, size, image: image?, reserve })
    }

    fn size(
        &self,
        wish: Option<&SizeId>,
        field: &str,
        object: &str,
        report: &mut Report<'_>,
    ) -> Option<Setting<SizeId>> {
        let policy = self.chosen.policy;
        let here = |size: &SizeId| self.partition.is_none_or(|p| !p.unavailable_machine_types.contains(size));
        let mut offered = policy.spec.machine_types.iter().filter(|t| t.usable && here(&t.name));
        let Some(wish) = wish else {
            let first = offered.next();
            if first.is_none() {
                report
                    .error(SIZE, field, "the policy offers no size in this partition")
                    .mend("offer a machine type there");
            }
            return first.map(|t| Setting::new(t.name.clone(), Origin::Policy));
        };
        let written = || Some(self.from.written(field, wish.clone()));
        let is_used = is_rendered(self.from.lock, object);
        let why = match policy.machine_type(wish) {
            None if is_used => {
                Use::MachineType(wish).is_not_offered(self.chosen, report);
                return written();
            }
            None => format!("size `{wish}` is not in policy `{}`", self.chosen.name),
            Some(_) if !here(wish) && is_used => {
                Use::MachineTypeIn(wish, &self.from.identity.partition).is_not_offered(self.chosen, report);
                return written();
            }
            Some(_) if !here(wish) => format!("size `{wish}` is not available in this partition"),
            Some(known) if !known.usable && !is_used => format!("size `{wish}` is not offered to new machines"),
            Some(_) => return written(),
        };
        report.error(SIZE, field, why).mend(choice(wish.as_str(), offered.map(|t| t.name.as_str())));
        None
    }

    fn image(&self, wish: Option<&ImageId>, field: &str, report: &mut Report<'_>) -> Option<ImageSpec> {
        let images = &self.chosen.policy.spec.machine_images;
        let Some(wish) = wish else {
            // That a policy has an image is judged with the policy.
            let first = images.first()?;
            let wish = Setting::new(ImageId::parse(first.name.as_str()).ok()?, Origin::Policy);
            return self.of_image(0, first, wish, field, report);
        };
        let setting = self.from.written(field, wish.clone());
        if let Some(index) = images.iter().position(|image| image.name.as_str() == wish.as_str()) {
            return self.of_image(index, &images[index], setting, field, report);
        }
        if image_version(wish).is_some_and(|v| v.version.2 == 0) {
            let message = format!("`{wish}` names no patch: metal-api takes the newest one of its minor");
            report.error(IMAGE_PINNED, field, message).mend("name the image by the policy's name, or by its full id");
            return None;
        }
        self.by_id(setting, field, report)
    }

    /// The version of an image that was built for the cluster's Kubernetes version: the lock's one, else the best.
    fn of_image(
        &self,
        index: usize,
        image: &MachineImage,
        wish: Setting<ImageId>,
        field: &str,
        report: &mut Report<'_>,
    ) -> Option<ImageSpec> {
        let version = self.version?;
        let versions = || image.versions.iter().enumerate();
        if let Some(locked) = self.from.lock.and_then(|l| l.values.images.get(wish.value.as_str())) {
            match versions().find(|(_, v)| image.image_id(v).as_ref() == Some(locked)) {
                Some((at, offered)) if offered.kubernetes == *version => {
                    return Some(self.spec_of(wish, locked.clone(), (index, at), offered, report));
                }
                Some(_) => {}
                // Another Kubernetes version leaves it behind.
                None if !self.has_version(version) => {}
                // Which kube-vip it holds, nobody says any more: nothing is rendered anew.
                None => {
                    Use::Image(locked).is_not_offered(self.chosen, report);
                    return None;
                }
            }
        }
        let fitting = || versions().filter(|(_, v)| v.kubernetes == *version);
        if fitting().next().is_none() {
            let built_for: Vec<_> = image.versions.iter().map(|v| v.kubernetes.to_string()).collect();
            let list = built_for.join(", ");
            let message = format!("image `{}` has no version for Kubernetes {version}", image.name);
            report
                .error(IMAGE_VERSION, field, message)
                .mend(format!("it is built for {list}; choose one of these, or add the image to the policy"));
            return None;
        }
        let best = fitting().filter(|(_, v)| self.refuses(v).is_none()).max_by_key(|(_, v)| order(v));
        let Some((at, best)) = best else {
            let refused = fitting().filter_map(|(_, v)| self.refuses(v)).next();
            self.refuse(&image.name, refused, field, report);
            return None;
        };
        Some(self.spec_of(wish, image.image_id(best)?, (index, at), best, report))
    }

    /// Whether the cluster has this Kubernetes version already.
    fn has_version(&self, version: &KubernetesVersion) -> bool {
        let locked = self.from.lock.and_then(|lock| lock.values.kubernetes.as_ref());
        locked.is_none_or(|kubernetes| kubernetes.version == *version)
    }

    fn by_id(&self, wish: Setting<ImageId>, field: &str, report: &mut Report<'_>) -> Option<ImageSpec> {
        let images = &self.chosen.policy.spec.machine_images;
        let all = || {
            let of = |(i, image): (usize, &'_ MachineImage)| {
                let ids: Vec<_> = image
                    .versions
                    .iter()
                    .enumerate()
                    .filter_map(|(v, version)| Some((image.image_id(version)?, (i, v))))
                    .collect();
                ids
            };
            images.iter().enumerate().flat_map(of)
        };
        let is_had = self.from.lock.is_some_and(|l| l.values.images.contains_key(wish.value.as_str()));
        let Some((id, at)) = all().find(|(id, _)| *id == wish.value) else {
            if is_had {
                Use::Image(&wish.value).is_not_offered(self.chosen, report);
                return None;
            }
            let ids: Vec<_> = all().map(|(id, _)| id).collect();
            let known = images.iter().map(|i| i.name.as_str()).chain(ids.iter().map(ImageId::as_str));
            let message = format!("image `{}` is not in policy `{}`", wish.value, self.chosen.name);
            report.error(IMAGE, field, message).mend(choice(wish.value.as_str(), known));
            return None;
        };
        let (version, found) = (self.version?, images.get(at.0)?.versions.get(at.1)?);
        if found.kubernetes != *version {
            let message =
                format!("image `{id}` is built for Kubernetes {}, the cluster has {version}", found.kubernetes);
            report
                .error(IMAGE_VERSION, field, message)
                .mend("name the image by the policy's name: version and image move together");
        } else if let Some(refused) = self.refuses(found).filter(|_| !is_had) {
            self.refuse(&id, Some(refused), field, report);
        }
        Some(self.spec_of(wish, id, at, found, report))
    }

    /// `at` is where the version stands in the policy.
    fn spec_of(
        &self,
        wish: Setting<ImageId>,
        id: ImageId,
        at: (usize, usize),
        version: &MachineImageVersion,
        report: &mut Report<'_>,
    ) -> ImageSpec {
        if !self.from.is_new() {
            let field = format!("spec.machineImages[{}].versions[{}]", at.0, at.1);
            let (end, now) = (version.expiration_date, self.from.around.now);
            Use::Image(&id).expires(self.chosen, &field, end, now, report);
        }
        ImageSpec { wish, id, kube_vip: version.kube_vip.clone() }
    }

    /// Why nobody gets it anew, where that is so.
    fn refuses(&self, version: &MachineImageVersion) -> Option<Refused> {
        let is_preview = version.classification == Classification::Preview;
        if version.expiration_date.is_some_and(|end| end <= self.from.around.now) {
            Some(Refused::Expired)
        } else if is_preview && !self.chosen.policy.spec.allow_preview_for.contains(&self.purpose) {
            Some(Refused::Preview)
        } else {
            None
        }
    }

    fn refuse(&self, what: &dyn std::fmt::Display, why: Option<Refused>, field: &str, report: &mut Report<'_>) {
        match why {
            Some(Refused::Preview) => {
                let purpose = format!("{:?}", self.purpose).to_lowercase();
                let message = format!(
                    "image `{what}` is a preview for this Kubernetes version, which the policy does not allow for purpose {purpose}"
                );
                report
                    .error(IMAGE_PREVIEW, field, message)
                    .mend("choose another image or Kubernetes version, or another purpose");
            }
            Some(Refused::Expired) | None => {
                let message = format!("image `{what}` has expired: only clusters that have it already keep it");
                report.error(IMAGE_EXPIRED, field, message).mend("choose another image or a newer Kubernetes version");
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Refused {
    Expired,
    Preview,
}

/// Supported before deprecated, deprecated before preview; then by number where a version is one.
fn order(version: &MachineImageVersion) -> (u8, Option<Vec<u64>>, &str) {
    let rank = super::version::rank(version.classification);
    (rank, crate::rules::image_numbers(&version.version).map(Vec::from), &version.version)
}
