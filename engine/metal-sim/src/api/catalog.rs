//! What is only read: version, health, projects, partitions, sizes, images, layouts, the caller.

use super::{Answer, Ctx, Reply};
use crate::{image, refusal::Refusal};
use metal_api::wire::{
    Health, Image, ImageFindRequest, Project, ProjectFindRequest, Quota, SizeConstraint, SizeSuggestRequest, User,
    Version,
};
use std::collections::BTreeMap;

/// The release whose behaviour is simulated.
const VERSION: &str = "v0.44.1";

pub(super) fn version(_: &mut Ctx<'_>) -> Answer {
    Reply::ok(&Version {
        name: "metal-api".into(),
        version: VERSION.into(),
        builddate: "2026-06-23T09:12:44Z".into(),
        revision: "refs/tags/v0.44.1-0-gferrofleet".into(),
        gitsha1: "ferrofleet".into(),
        min_client_version: "v0.0.1".into(),
        release_version: Some("v0.22.14".into()),
    })
}

pub(super) fn health(_: &mut Ctx<'_>) -> Answer {
    let service = || Health { status: "healthy".into(), message: String::new(), services: None };
    let services: BTreeMap<String, Health> =
        ["ipam", "masterdata-api", "nsq", "rethinkdb"].into_iter().map(|name| (name.to_owned(), service())).collect();
    Reply::ok(&Health { services: Some(services), ..service() })
}

pub(super) fn user_me(ctx: &mut Ctx<'_>) -> Answer {
    let user = ctx.user;
    Reply::ok(&User {
        email: user.email(),
        name: user.name().into(),
        groups: user.groups(),
        tenant: "metal-stack".into(),
        issuer: String::new(),
        subject: String::new(),
    })
}

pub(super) fn project(ctx: &mut Ctx<'_>) -> Answer {
    let world = &*ctx.world;
    let mut project = world.project(ctx.param())?.clone();
    let term = [format!("project={}", ctx.param())];
    let used = |count: usize| i32::try_from(count).ok();
    if let Some(quotas) = &mut project.quotas {
        let machines = used(world.machines.with_terms(&term).count());
        let ips = used(world.ips.with_terms(&term).count());
        quotas.machine = Some(Quota { used: machines, ..quotas.machine.take().unwrap_or_default() });
        quotas.ip = Some(Quota { used: ips, ..quotas.ip.take().unwrap_or_default() });
    }
    Reply::ok(&project)
}

pub(super) fn projects(ctx: &mut Ctx<'_>) -> Answer {
    listed(ctx, &ProjectFindRequest::default())
}

pub(super) fn find_projects(ctx: &mut Ctx<'_>) -> Answer {
    let request = ctx.body()?;
    listed(ctx, &request)
}

fn listed(ctx: &mut Ctx<'_>, request: &ProjectFindRequest) -> Answer {
    let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
    let wanted = |(id, project): &(&String, &Project)| {
        is(&request.id, id)
            && is(&request.name, &project.name)
            && is(&request.description, &project.description)
            && is(&request.tenant_id, &project.tenant_id)
    };
    let found: Vec<Project> =
        ctx.world.catalog.projects.iter().filter(wanted).map(|(_, project)| project.clone()).collect();
    match found.is_empty() {
        // Go's nil slice.
        true => Reply::ok(&()),
        false => ctx.shuffled(found),
    }
}

pub(super) fn partition(ctx: &mut Ctx<'_>) -> Answer {
    let found = ctx.world.catalog.partitions.get(ctx.param());
    Reply::ok(found.ok_or_else(|| Refusal::no("partition", ctx.param()))?)
}

pub(super) fn partitions(ctx: &mut Ctx<'_>) -> Answer {
    let all = ctx.world.catalog.partitions.values().cloned().collect();
    ctx.shuffled(all)
}

pub(super) fn size(ctx: &mut Ctx<'_>) -> Answer {
    let found = ctx.world.catalog.sizes.get(ctx.param());
    Reply::ok(found.ok_or_else(|| Refusal::no("size", ctx.param()))?)
}

pub(super) fn sizes(ctx: &mut Ctx<'_>) -> Answer {
    let all = ctx.world.catalog.sizes.values().cloned().collect();
    ctx.shuffled(all)
}

/// The size that would fit a machine exactly.
pub(super) fn suggest_size(ctx: &mut Ctx<'_>) -> Answer {
    let request: SizeSuggestRequest = ctx.body()?;
    let id = request.machine_id.ok_or_else(|| Refusal::bad_request("machineID must be given"))?;
    let hardware = &ctx.world.machine(&id)?.wire.hardware;
    let constraint =
        |kind: &str, amount| SizeConstraint { r#type: kind.into(), min: amount, max: amount, identifier: None };
    let suggested = vec![
        constraint("cores", hardware.cpus.iter().map(|cpu| u64::from(cpu.cores)).sum()),
        constraint("memory", hardware.memory),
        constraint("storage", hardware.disks.iter().map(|disk| disk.size).sum()),
    ];
    ctx.shuffled(suggested)
}

/// The exact id only.
pub(super) fn image(ctx: &mut Ctx<'_>) -> Answer {
    let found = ctx.world.catalog.images.get(ctx.param());
    Reply::ok(found.ok_or_else(|| Refusal::no("image", ctx.param()))?)
}

pub(super) fn images(ctx: &mut Ctx<'_>) -> Answer {
    let all = ctx.world.catalog.images.values().cloned().collect();
    ctx.shuffled(all)
}

pub(super) fn latest_image(ctx: &mut Ctx<'_>) -> Answer {
    Reply::ok(resolve_image(ctx, ctx.param())?)
}

pub(super) fn query_images(ctx: &mut Ctx<'_>) -> Answer {
    let found = image::query(&ctx.world.catalog.images, ctx.param()).into_iter().cloned().collect();
    ctx.shuffled(found)
}

pub(super) fn resolve_image<'a>(ctx: &'a Ctx<'_>, id: &str) -> Result<&'a Image, Refusal> {
    let found = image::query(&ctx.world.catalog.images, id).into_iter().next();
    found.ok_or_else(|| Refusal::not_found(format_args!("no image for id:{id} found:no version matches")))
}

/// Usage is not simulated: `usedby` stays `null` whatever `show-usage` says.
pub(super) fn find_images(ctx: &mut Ctx<'_>) -> Answer {
    let request: ImageFindRequest = ctx.body()?;
    let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
    let wanted = |image: &&Image| {
        let (os, version) = image.id.rsplit_once('-').unwrap_or((&image.id, ""));
        is(&request.id, &image.id)
            && is(&request.name, &image.name)
            && is(&request.classification, &image.classification)
            && is(&request.os, os)
            && is(&request.version, version)
            && request.features.iter().flatten().all(|feature| image.features.contains(feature))
    };
    let found = ctx.world.catalog.images.values().filter(wanted).cloned().collect();
    ctx.shuffled(found)
}

pub(super) fn layout(ctx: &mut Ctx<'_>) -> Answer {
    let found = ctx.world.catalog.layouts.iter().find(|layout| layout.id == ctx.param());
    Reply::ok(found.ok_or_else(|| Refusal::no("filesystemlayout", ctx.param()))?)
}

pub(super) fn layouts(ctx: &mut Ctx<'_>) -> Answer {
    let all = ctx.world.catalog.layouts.clone();
    ctx.shuffled(all)
}
