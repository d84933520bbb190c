use super::*;
use ::plan::{CapacityLine, ClusterPlan, Deleting, Loss, LossKind, Next, Orphan};
use model::lock::DeletionPhase;
use model::want::Blocked;
use model::{Place, ProjectId, Slot};
use render::Effect;

fn id(text: &str) -> ClusterId {
    text.parse().unwrap()
}

fn project() -> ProjectId {
    ProjectId::parse("00000000-0000-0000-0000-000000000001").unwrap()
}

fn change(path: &str, before: Option<&str>, after: Option<&str>) -> FileChange {
    let bytes = |text: &str| text.as_bytes().to_owned();
    FileChange { path: path.to_owned(), before: before.map(bytes), after: after.map(bytes) }
}

fn impact(
    object: &str,
    effect: Effect,
    machines: (Option<u32>, Option<u32>),
    replaced: u32,
    fields: &[&str],
) -> Impact {
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    let surge = u32::from(replaced > 0);
    Impact { object: object.to_owned(), effect, before: machines.0, after: machines.1, replaced, surge, fields }
}

/// A bad day: something of everything.
fn report() -> Report {
    let mut report = Report { tip: "1234567890123456789012345678901234567890".parse().ok(), ..Report::default() };
    let plan = &mut report.plan;
    let refuse = Step::Refuse {
        slot: Slot::Firewall(2),
        reason: Reason::NoMachineAvailable,
        message: "no machine of size n1-medium-x86 is free in muc-a".to_owned(),
    };
    let steps = vec![Step::Keep { slot: Slot::Network }, Step::Keep { slot: Slot::Vip }, refuse];
    let cluster = |steps, blocked| ClusterPlan {
        project: project(),
        steps,
        blocked,
        notes: Vec::new(),
        lost: Vec::new(),
        drops_successor: false,
        frees: Vec::new(),
    };
    plan.clusters.insert(id("default.shop"), cluster(steps, None));
    let reason = Reason::FirewallReplacing;
    let note = ::plan::Note::new(reason, "generation 2 is on its way");
    plan.clusters.values_mut().for_each(|cluster| cluster.notes.push(note.clone()));
    plan.clusters.insert(id("default.quiet"), cluster(vec![Step::Keep { slot: Slot::Network }], None));
    let message = "the pods CIDR cannot change; make a new cluster".to_owned();
    let blocked = Blocked { reason: Reason::Immutable, message };
    plan.clusters.insert(id("payments.billing"), cluster(Vec::new(), Some(blocked)));
    let deleting = |phase, next, waits: &[&str], refused: Option<(Reason, &str)>| Deleting {
        project: project(),
        phase,
        next,
        waits: waits.iter().map(|wait| (*wait).to_owned()).collect(),
        refused: refused.map(|(reason, words)| (reason, words.to_owned())),
        until: None,
        ends: false,
        gone: Vec::new(),
    };
    let waiting = deleting(
        Some(DeletionPhase::Removing),
        Next::Wait,
        &["the Cluster is still in management cluster `mgmt-muc`"],
        None,
    );
    plan.deletions.insert(id("default.old"), waiting);
    let over = (Reason::BudgetExceeded, "10 resources were freed within the hour");
    let refused = deleting(Some(DeletionPhase::Freeing), Next::Free, &[], Some(over));
    plan.deletions.insert(id("default.older"), refused);
    plan.deletions.insert(id("default.oldest"), deleting(None, Next::End, &[], None));
    let loss = |kind| Loss {
        cluster: id("default.shop"),
        project: project(),
        slot: Slot::Vip,
        id: "198.18.0.1".to_owned(),
        kind,
    };
    plan.losses = vec![loss(LossKind::Gone), loss(LossKind::ClaimedBy("fleet <other> | @all".to_owned()))];
    let slot = Slot::Network;
    plan.orphans =
        vec![Orphan { project: project(), cluster: "default.gone".to_owned(), slot, id: "net-1".to_owned() }];
    let (partition, size) = ("muc-a".parse().unwrap(), "c1-large-x86".parse().unwrap());
    plan.capacity =
        vec![CapacityLine { partition, size, need: 4, free: 2, reserve: 1, waiting: vec![id("default.shop")] }];
    let fields = ["/spec/kubeadmConfigSpec/files/0/content", "/spec/version", "/a", "/b", "/c"];
    let impacts = vec![
        impact("KubeadmControlPlane/shop-control-plane", Effect::Replace, (Some(3), Some(3)), 3, &fields),
        impact("MachineDeployment/shop-general", Effect::InPlace, (Some(4), Some(2)), 0, &["/spec/replicas"]),
        impact("MachineDeployment/shop-new", Effect::Create, (None, Some(1)), 0, &[]),
        impact("MachineDeployment/shop-scaled", Effect::Replace, (None, None), 0, &[]),
        impact(
            "Cluster/shop",
            Effect::InPlace,
            (None, None),
            0,
            &["/metadata/annotations/a.b~1c", "/metadata/annotations/d"],
        ),
        impact("ConfigMap/shop", Effect::Keep, (None, None), 0, &[]),
        impact("Firewall/shop", Effect::Keep, (Some(1), Some(1)), 0, &[]),
    ];
    report.impacts.insert(id("default.shop"), impacts);
    let pools = (0..12).map(|n| format!("line {n}\n")).collect::<String>();
    let dir = "rendered/mgmt-muc/default/shop";
    report.files = vec![
        change(&format!("{dir}/pools.yaml"), Some(&pools), Some(&pools.replace("line 6", "replicas: 2\n# ```"))),
        change(&format!("{dir}/addons.yaml"), None, Some("kind: ConfigMap\n")),
        change("rendered/mgmt-muc/default/old/pools.yaml", Some("kind: MachineDeployment\n"), None),
    ];
    let warning = Finding::warning("addon-removed", Place::file("cluster.yaml"), "calico would be uninstalled");
    let error = Finding::error("y", Place::file("cluster.yaml"), "a field that nobody knows");
    report.findings = vec![warning.cluster(&id("default.shop")), error.cluster(&id("payments.billing"))];
    report
}

fn plainly(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn for_people() {
    insta::assert_snapshot!("text", plainly(&text(&report(), false)));
    insta::assert_snapshot!("text_diff", plainly(&text(&report(), true)));
}

#[test]
fn for_pull_requests() {
    insta::assert_snapshot!("markdown", markdown(&report(), false));
    insta::assert_snapshot!("markdown_diff", markdown(&report(), true));
}

#[test]
fn for_machines() {
    insta::assert_json_snapshot!("json", View::new(&report(), false));
    let with_diff = serde_json::to_value(View::new(&report(), true)).unwrap();
    assert!(with_diff["files"][0]["diff"].as_str().unwrap().contains("+replicas: 2\n"), "{with_diff}");
}

#[test]
fn a_gap_is_said_first_and_loudly_and_is_never_green() {
    let mut report = Report::default();
    assert_eq!(report.exit(), Exit::Done);
    assert_eq!(plainly(&text(&report, false)), "Plan: nothing to do\n");
    report.plan.incomplete = true;
    assert_eq!(report.exit(), Exit::Failed);
    let shown = plainly(&text(&report, false));
    assert!(shown.starts_with("INCOMPLETE: part of metal-api did not answer"), "{shown}");
    assert!(shown.ends_with("Plan: nothing to do, incomplete\n"), "{shown}");
    assert!(markdown(&report, false).contains("> **Incomplete:** part of metal-api"), "{shown}");
}

#[test]
fn exit_codes_by_what_a_plan_holds() {
    let with = |change: &dyn Fn(&mut Report)| {
        let mut report = Report::default();
        change(&mut report);
        report.exit()
    };
    let bad = report();
    let files = &|report: &mut Report| report.files = bad.files.clone();
    assert_eq!(with(files), Exit::Pending);
    let lacks = &|report: &mut Report| report.plan.capacity = bad.plan.capacity.clone();
    let mut waits = Report::default();
    lacks(&mut waits);
    assert!(plainly(&text(&waits, false)).ends_with("Plan: nothing to do now, and something is waited for\n"));
    assert_eq!(with(lacks), Exit::Pending, "waiting for capacity included");
    let enough = &|report: &mut Report| {
        report.plan.capacity = bad.plan.capacity.clone();
        report.plan.capacity[0].waiting.clear();
    };
    assert_eq!(with(enough), Exit::Done);
    let deletion = |name: &'static str| {
        let deleting = bad.plan.deletions[&id(name)].clone();
        with(&move |report: &mut Report| drop(report.plan.deletions.insert(id(name), deleting.clone())))
    };
    assert_eq!((deletion("default.old"), deletion("default.older")), (Exit::Pending, Exit::Failed));
    let loss = |kind: LossKind| {
        let loss = Loss { kind, ..bad.plan.losses[0].clone() };
        with(&move |report: &mut Report| report.plan.losses.push(loss.clone()))
    };
    // One reading concludes nothing (R15).
    assert_eq!((loss(LossKind::Missing), loss(LossKind::Gone)), (Exit::Done, Exit::Failed));
    let errors = &|report: &mut Report| report.findings = bad.findings.clone();
    assert_eq!(with(errors), Exit::Failed);
}

#[test]
fn a_comment_never_exceeds_what_a_pull_request_takes() {
    let mut report = report();
    let long: String = (0..2_000).map(|n| format!("line {n} of a file\n")).collect();
    for n in 0..40 {
        report.files.push(change(&format!("rendered/{n}.yaml"), None, Some(&long)));
    }
    let shown = markdown(&report, true);
    assert!((30_000..=60_000).contains(&shown.chars().count()), "{}", shown.chars().count());
    assert!(shown.trim_end().ends_with("`ferrofleet plan` shows all of it."), "{}", &shown[shown.len() - 200..]);
    assert_eq!(shown.matches("<details>").count(), shown.matches("</details>").count());
    // The table alone may be too much, too.
    for n in 0..3_000 {
        let mut blocked = report.plan.clusters[&id("payments.billing")].clone();
        blocked.project = project();
        report.plan.clusters.insert(id(&format!("default.c{n}")), blocked);
    }
    let shown = markdown(&report, false);
    assert!(shown.chars().count() <= 60_000 && shown.contains("This is cut here"));
}

#[test]
fn words_of_others_stay_words_in_a_comment() {
    let shown = markdown(&report(), true);
    let table: Vec<_> = shown.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(table.iter().all(|line| line.matches('|').count() == 5), "{table:?}");
    assert!(shown.contains("fleet &lt;other&gt; &#124; &#64;all"), "{shown}");
    // A fence in a file does not end ours.
    assert!(shown.contains("````diff\n") && shown.contains("+# ```\n"), "{shown}");
}
