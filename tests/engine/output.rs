//! Output on a branch of its own, or in another repository: two commits that know each other.

use ferrofleet_tests::bed::{Bed, definition, folder};
use ferrofleet_tests::repo::Bare;

const SHOP: &str = "default.shop";
const LOCK: &str = "stages/development/clusters/shop/cluster.lock.yaml";
const POOLS: &str = "rendered/mgmt/default/shop/pools.yaml";

/// A fleet with one cluster, whose output goes where `output` says.
fn bed(output: &str) -> Bed {
    let bed = Bed::new();
    let fleet = bed.ada.read("fleet.yaml");
    bed.ada.write("fleet.yaml", &format!("{fleet}  output: {output}\n"));
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop")).push("A shop");
    bed
}

fn elsewhere(bed: &Bed) -> (Bare, String) {
    let other = Bare::init(&bed.path().join("output.git"), &bed.home());
    let url = other.url();
    (other, url)
}

fn paths(remote: &Bare, branch: &str) -> Vec<String> {
    remote.git(["ls-tree", "-r", "--name-only", &format!("refs/heads/{branch}")]).lines().map(str::to_owned).collect()
}

fn trailer(remote: &Bare, branch: &str, key: &str) -> String {
    remote.git(["log", "-1", &format!("--format=%(trailers:key={key},valueonly)"), &format!("refs/heads/{branch}")])
}

fn is_output(path: &str) -> bool {
    path.starts_with("rendered/") || path.starts_with("gitops/")
}

#[test]
fn i8_output_goes_to_its_own_branch_and_the_two_commits_know_each_other() {
    let bed = bed("{branch: rendered}");
    let _ = bed.run_once().expect(0);
    assert!(bed.remote.paths().iter().all(|path| !is_output(path)), "{:?}", bed.remote.paths());
    assert!(bed.remote.paths().contains(&LOCK.to_owned()));
    let output = paths(&bed.remote, "rendered");
    assert!(output.contains(&POOLS.to_owned()) && output.iter().all(|path| is_output(path)), "{output:?}");
    bed.assert_one_of_each(SHOP, &folder("shop"));

    assert_eq!(trailer(&bed.remote, "main", "Fleet-Output"), "branch rendered");
    // Once, a commit without a change notes what is there: what is lost later is noticed.
    assert_eq!(bed.remote.git(["log", "-1", "--format=%s", "main"]), "Note where the output is");
    assert_eq!(trailer(&bed.remote, "main", "Fleet-Output-At"), bed.remote.git(["rev-parse", "rendered"]));
    assert_eq!(trailer(&bed.remote, "rendered", "Fleet-Source"), bed.remote.git(["rev-parse", "main~1"]));
    assert_eq!(trailer(&bed.remote, "rendered", "Fleet-Cluster"), SHOP);
    assert_eq!(trailer(&bed.remote, "rendered", "Fleet-Run"), trailer(&bed.remote, "main", "Fleet-Run"));

    // I4: the same again, with an empty cache.
    let tips = || (bed.remote.tip(), bed.remote.git(["rev-parse", "rendered"]));
    let before = tips();
    let _ = bed.run_once().expect(0);
    assert_eq!(tips(), before);

    // What is rendered changes, what is resolved does not.
    let path = format!("{}/cluster.yaml", folder("shop"));
    let more = bed.ada.pull().read(&path).replace("replicas: 1", "replicas: 3");
    let source = bed.ada.write(&path, &more).push("More machines");
    let _ = bed.run_once().expect(0);
    assert!(bed.remote.git(["show", &format!("rendered:{POOLS}")]).contains("replicas: 3"));
    assert_eq!(bed.remote.git(["rev-parse", "main~1"]), source, "the lock records the new inputs");
}

#[test]
fn output_goes_to_another_repository_that_the_engine_was_told_of() {
    let bed = Bed::new();
    let (other, url) = elsewhere(&bed);
    let fleet = bed.ada.read("fleet.yaml");
    bed.ada.write("fleet.yaml", &format!("{fleet}  output: {{repo: '{url}', branch: live}}\n"));
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop")).push("A shop");

    let refused = bed.run_once().expect(1);
    assert!(refused.stderr.contains("was not told of"), "{}", refused.stderr);
    assert_eq!((bed.writes(), bed.remote.engine_commits()), (Vec::new(), 0), "nothing is allocated for it");

    let _ = bed.spawn_once_with(&["--output-repo", &url]).finish(ferrofleet_tests::bed::LIMIT).expect(0);
    assert!(paths(&other, "live").contains(&POOLS.to_owned()));
    assert_eq!(trailer(&other, "live", "Fleet-Source"), bed.remote.git(["rev-parse", "main~1"]));
    assert_eq!(trailer(&bed.remote, "main", "Fleet-Output"), format!("branch live of {url}"));
    assert!(bed.remote.paths().iter().all(|path| !is_output(path)));
}

#[test]
fn i1_the_lock_lands_first_and_output_that_was_refused_follows_later() {
    let bed = bed("{branch: rendered}");
    bed.remote.hook("update", "#!/bin/sh\n[ \"$1\" != refs/heads/rendered ] || { echo 'not today' >&2; exit 1; }\n");
    let refused = bed.run_once().expect(1);
    assert!(refused.stderr.contains("refused the commit to rendered"), "{}", refused.stderr);
    let lock = bed.remote.tip();
    assert!(bed.remote.paths().contains(&LOCK.to_owned()));
    assert_eq!(bed.remote.claims(), Vec::<String>::new());

    bed.remote.remove_hook("update");
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.git(["diff", "--name-only", &lock, "main"]), "", "the lock stays as it is");
    assert_eq!(trailer(&bed.remote, "rendered", "Fleet-Source"), lock);
    bed.assert_one_of_each(SHOP, &folder("shop"));
}

#[test]
fn a_person_s_edit_of_the_output_branch_is_put_right_and_other_files_there_stay() {
    let bed = bed("{branch: rendered}");
    let _ = bed.run_once().expect(0);
    let before = bed.remote.git(["show", &format!("rendered:{POOLS}")]);
    let bob = bed.person("bob");
    bob.run(["checkout", "--quiet", "rendered"]);
    bob.write(POOLS, "edited\n").write("README.md", "By people.\n");
    bob.commit("An edit");
    bob.run(["push", "--quiet", "origin", "rendered"]);
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.git(["show", &format!("rendered:{POOLS}")]), before);
    assert_eq!(bed.remote.git(["show", "rendered:README.md"]), "By people.");
    assert_eq!(trailer(&bed.remote, "rendered", "Fleet-Reason"), "repair");
}

#[test]
fn r1_output_that_moves_to_a_branch_is_the_same_there() {
    let bed = Bed::new();
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop")).push("A shop");
    let _ = bed.run_once().expect(0);
    let before = bed.remote.read(POOLS);
    let fleet = bed.ada.pull().read("fleet.yaml");
    bed.ada.write("fleet.yaml", &format!("{fleet}  output: {{branch: rendered}}\n")).push("Output moves");
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.git(["show", &format!("rendered:{POOLS}")]), before);
    assert_eq!(bed.remote.read(POOLS), before, "what lay beside the definitions is people's from now on");
}

#[test]
fn what_argo_cd_and_flux_sync_goes_with_the_output_and_leaves_with_the_tool() {
    let bed = bed("{branch: rendered, sourceURL: 'https://git.example.com/fleet.git'}");
    let tool = |from: &str, to: &str| {
        let fleet = bed.ada.pull().read("fleet.yaml");
        assert!(fleet.contains(from), "{fleet}");
        bed.ada.write("fleet.yaml", &fleet.replace(from, to)).push("Another tool");
        let _ = bed.run_once().expect(0);
        let output = paths(&bed.remote, "rendered");
        output.into_iter().filter(|path| path.starts_with("gitops/")).collect::<Vec<_>>()
    };
    let argocd = tool("{name: mgmt}", "{name: mgmt, gitops: argocd}");
    assert_eq!(argocd, ["gitops/argocd/mgmt.default.shop.yaml", "gitops/argocd/mgmt.namespaces.yaml"]);
    let application = bed.remote.git(["show", &format!("rendered:{}", argocd[0])]);
    assert!(application.contains("targetRevision: rendered"), "{application}");
    let pools = bed.remote.git(["show", &format!("rendered:{POOLS}")]);
    assert!(pools.contains("argocd.argoproj.io/sync-wave"), "{pools}");

    let flux = tool("gitops: argocd", "gitops: flux");
    assert!(flux.contains(&"gitops/flux/mgmt/kustomization.yaml".to_owned()), "{flux:?}");
    assert!(flux.iter().all(|path| path.starts_with("gitops/flux/")), "{flux:?}");
    assert!(!bed.remote.git(["show", &format!("rendered:{POOLS}")]).contains("sync-wave"));
    assert_eq!(tool(", gitops: flux", ""), Vec::<String>::new());
}

const CONTROL_PLANE: &str = "rendered/mgmt/default/shop/control-plane.yaml";

/// Commits another control plane to a branch of output, as an engine of another version would have.
fn by_another_binary(bed: &Bed, branch: &str) {
    let eve = bed.person("eve");
    eve.run(["checkout", "--quiet", branch]);
    let before = eve.read(CONTROL_PLANE);
    assert!(before.contains("imagePullPolicy: IfNotPresent"), "{before}");
    eve.write(CONTROL_PLANE, &before.replace("imagePullPolicy: IfNotPresent", "imagePullPolicy: Always"));
    let (parent, source) = (eve.run(["rev-parse", "HEAD"]), bed.remote.tip());
    let trailers = format!(
        "Render {SHOP}\n\nFleet-Run: older\nFleet-Source: {source}\nFleet-Cluster: {SHOP}\nFleet-Parent: {parent}\n\
         Fleet-Name: example\n"
    );
    eve.commit(&trailers);
    eve.run(["push", "--quiet", "origin", branch]);
}

fn is_kept(bed: &Bed, branch: &str) -> bool {
    bed.remote.git(["show", &format!("{branch}:{CONTROL_PLANE}")]).contains("imagePullPolicy: Always")
}

fn change_output(bed: &Bed, from: &str, to: &str) {
    let fleet = bed.ada.pull().read("fleet.yaml");
    assert!(fleet.contains(from), "{fleet}");
    bed.ada.write("fleet.yaml", &fleet.replace(from, to)).push("Output moves");
}

#[test]
fn r1_output_that_moves_on_and_back_keeps_what_another_binary_rendered() {
    let bed = bed("{branch: live}");
    let _ = bed.run_once().expect(0);
    by_another_binary(&bed, "live");
    let kept = bed.run_once().expect(0);
    assert!(kept.stdout.contains("RenderOutdated") && is_kept(&bed, "live"), "{}", kept.stdout);

    change_output(&bed, "{branch: live}", "{branch: live2}");
    let _ = bed.run_once().expect(0);
    assert!(is_kept(&bed, "live2"));
    // The next run keeps by what is there now.
    bed.remote.git(["branch", "-D", "live"]);
    let _ = bed.run_once().expect(0);
    assert!(is_kept(&bed, "live2"));

    change_output(&bed, "  output: {branch: live2}\n", "");
    let _ = bed.run_once().expect(0);
    assert!(is_kept(&bed, "main"));
    let tip = bed.remote.tip();
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.tip(), tip);
}

#[test]
fn r1_output_that_is_lost_is_not_rendered_anew_before_a_person_says_so() {
    let bed = bed("{branch: live}");
    let _ = bed.run_once().expect(0);
    bed.remote.git(["branch", "-D", "live"]);
    let refused = bed.run_once().expect(1);
    assert!(refused.stderr.contains("OutputLost branch live"), "{}", refused.stderr);
    assert!(bed.remote.git(["branch", "--list", "live"]).is_empty());

    bed.ada.pull().push("We know\n\nFleet-Ack: OutputLost branch live");
    let _ = bed.run_once().expect(0);
    assert!(paths(&bed.remote, "live").contains(&POOLS.to_owned()));
    let _ = bed.run_once().expect(0);
}

#[test]
fn i6_a_branch_that_holds_another_fleet_s_output_is_left_alone() {
    let bed = bed("{branch: live}");
    let _ = bed.run_once().expect(0);
    let eve = bed.person("eve");
    eve.run(["checkout", "--quiet", "live"]);
    eve.write("rendered/other/default/theirs/pools.yaml", "theirs\n");
    let parent = eve.run(["rev-parse", "HEAD"]);
    eve.commit(&format!(
        "Render theirs\n\nFleet-Run: x\nFleet-Source: {parent}\nFleet-Parent: {parent}\nFleet-Name: other"
    ));
    eve.run(["push", "--quiet", "origin", "live"]);
    let tip = bed.remote.git(["rev-parse", "live"]);
    let refused = bed.run_once().expect(1);
    assert!(refused.stderr.contains("holds the output of fleet `other`"), "{}", refused.stderr);
    assert_eq!(bed.remote.git(["rev-parse", "live"]), tip);
}

#[test]
fn i3_people_s_own_files_below_gitops_stay() {
    let bed = bed("{sourceURL: 'https://git.example.com/fleet.git'}");
    let theirs = ["gitops/README.md", "gitops/argocd/root.yaml", "gitops/flux/mgmt/own.yaml"];
    for path in theirs {
        bed.ada.pull().write(path, "By people.\n");
    }
    bed.ada.push("Our own files");
    change_output(&bed, "{name: mgmt}", "{name: mgmt, gitops: argocd}");
    let _ = bed.run_once().expect(0);
    bed.ada.pull().write("gitops/argocd/later.yaml", "By people.\n").write(theirs[1], "Edited.\n").push("More of ours");
    let _ = bed.run_once().expect(0);
    change_output(&bed, ", gitops: argocd", "");
    let _ = bed.run_once().expect(0);
    let left: Vec<_> = bed.remote.paths().into_iter().filter(|path| path.starts_with("gitops/")).collect();
    assert_eq!(
        left,
        ["gitops/README.md", "gitops/argocd/later.yaml", "gitops/argocd/root.yaml", "gitops/flux/mgmt/own.yaml"]
    );
    assert_eq!(bed.remote.read(theirs[1]), "Edited.");
}

#[test]
fn i7_a_password_in_the_place_of_the_output_is_never_shown() {
    let bed = bed("{repo: 'https://bot:hunter2@git.example.com/x.git?token=hunter3'}");
    let refused = bed.run_once().expect(1);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("https://git.example.com/x.git") && !said.contains("hunter"), "{said}");
}

#[test]
fn i9_what_is_delivered_stays_while_fleet_yaml_says_too_little_and_where_a_management_cluster_is_gone() {
    let bed = bed("{branch: rendered, sourceURL: 'https://git.example.com/fleet.git'}");
    change_output(&bed, "{name: mgmt}", "{name: mgmt, gitops: argocd}");
    let _ = bed.run_once().expect(0);
    let delivered = || {
        let output = paths(&bed.remote, "rendered");
        output.into_iter().filter(|path| path.starts_with("gitops/")).collect::<Vec<_>>()
    };
    let before = delivered();
    assert_eq!(before.len(), 2);
    change_output(&bed, ", sourceURL: 'https://git.example.com/fleet.git'", "");
    let _ = bed.run_once().expect(1);
    assert_eq!(delivered(), before);
    change_output(&bed, "{branch: rendered}", "{branch: rendered, sourceURL: 'https://git.example.com/fleet.git'}");
    let fleet = bed.ada.pull().read("fleet.yaml").replace("name: mgmt, ", "name: other, ");
    bed.ada
        .write("fleet.yaml", &fleet.replace("managementCluster: mgmt", "managementCluster: other"))
        .push("Another one");
    let _ = bed.run_once().expect(1);
    assert_eq!(delivered(), before);
}

#[test]
fn output_branches_that_cannot_be_are_refused_at_once() {
    for branch in ["main/out", "ferrofleet-claim/main"] {
        let refused = bed(&format!("{{branch: {branch}}}")).run_once().expect(1);
        assert!(refused.stderr.contains("the output cannot go to branch"), "{}", refused.stderr);
    }
}

#[test]
fn r1_output_that_was_reset_to_an_older_commit_is_lost() {
    let bed = bed("{branch: live}");
    let _ = bed.run_once().expect(0);
    for name in ["two", "three"] {
        bed.ada.pull().write(&format!("{}/cluster.yaml", folder(name)), &definition(name)).push("One more");
        let _ = bed.run_once().expect(0);
    }
    bed.remote.git(["branch", "-f", "live", "live~2"]);
    let refused = bed.run_once().expect(1);
    assert!(refused.stderr.contains("OutputLost branch live"), "{}", refused.stderr);
}

#[test]
fn r1_what_was_made_beside_the_definitions_after_the_output_came_back_is_kept_too() {
    let bed = bed("{branch: live}");
    let _ = bed.run_once().expect(0);
    change_output(&bed, "  output: {branch: live}\n", "");
    let _ = bed.run_once().expect(0);
    bed.remote.git(["branch", "-D", "live"]);
    // Another binary's output, in a commit as an engine makes it.
    let eve = bed.person("eve");
    let before = eve.read(CONTROL_PLANE);
    eve.write(CONTROL_PLANE, &before.replace("imagePullPolicy: IfNotPresent", "imagePullPolicy: Always"));
    let source = bed.remote.tip();
    eve.commit(&format!("Render {SHOP}\n\nFleet-Run: older\nFleet-Source: {source}\nFleet-Cluster: {SHOP}\n"));
    eve.run(["push", "--quiet", "origin", "main"]);
    let _ = bed.run_once().expect(0);
    assert!(is_kept(&bed, "main"));
    // And back again to the branch of old.
    let fleet = bed.ada.pull().read("fleet.yaml");
    bed.ada.write("fleet.yaml", &format!("{fleet}  output: {{branch: live}}\n")).push("Back again");
    let _ = bed.run_once().expect(0);
    assert!(is_kept(&bed, "live"));
}

#[test]
fn definitions_that_were_reset_do_not_stop_the_fleet() {
    let bed = bed("{branch: live}");
    let _ = bed.run_once().expect(0);
    let before = bed.remote.tip();
    bed.ada.pull().write(&format!("{}/cluster.yaml", folder("more")), &definition("more")).push("One more");
    let _ = bed.run_once().expect(0);
    bed.remote.git(["update-ref", "refs/heads/main", &before]);
    let _ = bed.run_once();
    let said = bed.run_once();
    assert!(!said.stderr.contains("object not found"), "{}", said.stderr);
}

#[test]
fn i7_what_fleet_yaml_says_wrongly_is_not_delivered() {
    let bed = bed("{branch: live, sourceURL: 'https://git.example.com/fleet.git'}");
    change_output(&bed, "{name: mgmt}", "{name: mgmt, gitops: argocd}");
    let _ = bed.run_once().expect(0);
    for bad in ["https://bot:hunter2@git.example.com/fleet.git", "https://git.example.com/fleet.git?token=hunter2"] {
        let fleet = bed.ada.pull().read("fleet.yaml");
        bed.ada.write("fleet.yaml", &fleet.replace("https://git.example.com/fleet.git", bad)).push("A password");
        let refused = bed.run_once().expect(1);
        assert!(!format!("{}{}", refused.stdout, refused.stderr).contains("hunter2"), "{}", refused.stdout);
        assert!(!bed.remote.git(["log", "-p", "live"]).contains("hunter2"));
        bed.ada.write("fleet.yaml", &fleet).push("Taken back");
    }
}

#[test]
fn output_that_comes_back_unchanged_is_noted_and_its_branch_is_not_needed_any_more() {
    let bed = Bed::new();
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop")).push("A shop");
    let _ = bed.run_once().expect(0);
    let fleet = bed.ada.pull().read("fleet.yaml");
    bed.ada.write("fleet.yaml", &format!("{fleet}  output: {{branch: live}}\n")).push("There");
    let _ = bed.run_once().expect(0);
    change_output(&bed, "  output: {branch: live}\n", "");
    let _ = bed.run_once().expect(0);
    bed.remote.git(["branch", "-D", "live"]);
    let tip = bed.remote.tip();
    let _ = bed.run_once().expect(0);
    assert_eq!(bed.remote.tip(), tip);
}
