//! How far changes may go, and how a cluster ends.

use super::Sources;
use model::Seconds;
use model::definition::{AllowReplacement, DeletionWish, RolloutWish};
use model::fleet::Purpose;
use model::want::{DeletionSpec, Setting};

/// How long a deleted production cluster keeps network and VIP where nobody says otherwise.
const PRODUCTION_GRACE: Seconds = Seconds::minutes(48 * 60);

pub(super) fn allow_replacement(from: &Sources<'_>, wish: RolloutWish, purpose: Purpose) -> Setting<AllowReplacement> {
    from.written_or("spec.rollout.allowReplacement", wish.allow_replacement.as_ref(), || {
        Setting::built_in(if purpose == Purpose::Production {
            AllowReplacement::Never
        } else {
            AllowReplacement::Always
        })
    })
}

pub(super) fn deletion(from: &Sources<'_>, wish: &DeletionWish, purpose: Purpose) -> DeletionSpec {
    let DeletionWish { protect, confirm, grace_period } = wish;
    let is_named = confirm.as_deref() == Some(from.definition.metadata.name.as_str());
    DeletionSpec {
        is_confirmed: is_named && *protect != Some(true),
        grace_period: from.written_or("spec.deletion.gracePeriod", grace_period.as_ref(), || {
            Setting::built_in(if purpose == Purpose::Production { PRODUCTION_GRACE } else { Seconds::new(0) })
        }),
    }
}
