use super::*;
use crate::kit::{Branch, LEGACY, SHOP, SHOP_DEFINITION, SHOP_LOCK, SHOP_POOLS, id};
use crate::view::View;
use model::Reason;

fn held(view: &View) -> Vec<String> {
    let held: Vec<_> = view.held.keys().map(ToString::to_string).collect();
    let blocked = |(id, w): (&ClusterId, &model::want::Wanted)| {
        let is_held = w.blocked.as_ref().is_some_and(|b| b.reason == Reason::HeldAfterRevert);
        is_held.then(|| id.to_string())
    };
    assert_eq!(view.want.clusters.iter().filter_map(blocked).collect::<Vec<_>>(), held);
    held
}

fn is_of_shop(path: &str) -> bool {
    path.contains("/shop/")
}

#[test]
fn a_reverted_cluster_keeps_what_the_person_left() {
    let mut branch = Branch::new();
    let engine = branch.engine(&[SHOP], "");
    assert_eq!(held(&branch.view()), [""; 0]);
    let revert = branch.revert(engine);
    let view = branch.view();
    assert_eq!(held(&view), [SHOP]);
    assert_eq!(view.held[&id(SHOP)].by, Some(revert));
    assert_eq!(view.put_right, [""; 0]);
    assert!(view.corrected.entry(SHOP_LOCK).is_none() && view.corrected.entry(SHOP_POOLS).is_none());
    assert_eq!(held(&branch.view_anew()), [SHOP], "another engine, with an empty cache");
}

#[test]
fn a_revert_counts_by_its_content_without_words() {
    let mut branch = Branch::new();
    let first = branch.engine(&[SHOP], "");
    branch.person("a change", &[("README.md", Some("hello"))]);
    branch.engine(&[SHOP], "# 2\n");
    branch.back_to("no words (as a merge or a squash has none)", first, is_of_shop);
    let view = branch.view();
    assert_eq!(held(&view), [SHOP]);
    assert_eq!(view.corrected.entry(SHOP_POOLS), view.tree.entry(SHOP_POOLS));
}

#[test]
fn words_count_where_the_content_never_was_so() {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    let second = branch.engine(&[SHOP], "# 2\n");
    let text = format!("Revert a part\n\nThis reverts commit {second}.");
    branch.person(&text, &[(SHOP_POOLS, Some("# merged by hand\n"))]);
    assert_eq!(held(&branch.view()), [SHOP]);
}

#[test]
fn words_about_nobodys_commit_or_about_another_cluster_are_no_revert() {
    let mut branch = Branch::new();
    let shop = branch.engine(&[SHOP], "");
    branch.engine(&[LEGACY], "");
    let person = branch.person("mine", &[("README.md", Some("hello"))]);
    let legacy_pools = "rendered/mgmt-muc/default/legacy/pools.yaml";
    for (commit, text) in [(shop, "# by hand\n"), (person, "# by hand again\n")] {
        branch.person(&format!("This reverts commit {commit}."), &[(legacy_pools, Some(text))]);
        let view = branch.view();
        assert_eq!(held(&view), [""; 0]);
        assert_eq!(view.put_right, [legacy_pools]);
    }
}

#[test]
fn a_lock_that_was_deleted_and_a_file_that_was_edited_are_put_right() {
    let mut branch = Branch::new();
    let engine = branch.engine(&[SHOP], "");
    branch.person("oops", &[(SHOP_LOCK, None)]);
    branch.person("a quick fix", &[(SHOP_POOLS, Some("# by hand\n"))]);
    let view = branch.view();
    assert_eq!(held(&view), [""; 0]);
    assert_eq!(view.put_right, [SHOP_POOLS, SHOP_LOCK]);
    let then = branch.repo.tree(engine).unwrap();
    for path in [SHOP_LOCK, SHOP_POOLS] {
        assert_eq!(view.corrected.entry(path), then.entry(path));
    }
}

#[test]
fn what_is_edited_after_a_revert_is_put_right_to_what_the_revert_left() {
    let mut branch = Branch::new();
    let first = branch.engine(&[SHOP], "");
    let second = branch.engine(&[SHOP], "# 2\n");
    branch.revert(second);
    branch.person("and a bit more", &[(SHOP_POOLS, Some("# by hand\n"))]);
    let view = branch.view();
    assert_eq!(held(&view), [SHOP]);
    assert_eq!(view.put_right, [SHOP_POOLS]);
    assert_eq!(view.corrected.entry(SHOP_POOLS), branch.repo.tree(first).unwrap().entry(SHOP_POOLS));
}

#[test]
fn a_hold_lasts_over_engine_commits_for_others() {
    let mut branch = Branch::new();
    let engine = branch.engine(&[SHOP], "");
    let revert = branch.revert(engine);
    let before = branch.view().held;
    branch.engine(&[LEGACY], "");
    assert_eq!(branch.view().held, before);
    branch.engine(&[LEGACY], "# 2\n");
    let view = branch.view_anew();
    assert_eq!(view.held, before);
    assert_eq!(held(&view), [SHOP]);
    assert_eq!(before[&id(SHOP)].by, Some(revert));
}

#[test]
fn changed_inputs_end_a_hold() {
    let mut branch = Branch::new();
    let engine = branch.engine(&[SHOP], "");
    branch.revert(engine);
    branch.view();
    branch.engine(&[LEGACY], "");
    let tree = branch.repo.tree(branch.tip).unwrap();
    let bytes = tree.read(&tree.entry(SHOP_DEFINITION).unwrap().id, 1 << 20).unwrap();
    let definition = String::from_utf8(bytes).unwrap();
    branch.person("a comment", &[(SHOP_DEFINITION, Some(&format!("{definition}# a comment\n")))]);
    assert_eq!(held(&branch.view()), [SHOP], "a comment is no input");
    let more = definition.replace("replicas: 2", "replicas: 3");
    assert_ne!(definition, more);
    branch.person("one more", &[(SHOP_DEFINITION, Some(&more))]);
    let view = branch.view();
    assert_eq!(held(&view), [""; 0]);
    assert_eq!(view.put_right, [""; 0], "it goes on from what the person left");
}

#[test]
fn a_revert_of_the_revert_ends_a_hold() {
    for is_seen_between in [false, true] {
        let mut branch = Branch::new();
        let engine = branch.engine(&[SHOP], "");
        let revert = branch.revert(engine);
        if is_seen_between {
            assert_eq!(held(&branch.view()), [SHOP]);
            branch.engine(&[LEGACY], "");
        }
        branch.revert(revert);
        let view = branch.view_anew();
        assert_eq!(held(&view), [""; 0], "seen between: {is_seen_between}");
        assert_eq!(view.put_right, [""; 0]);
        assert_eq!(view.corrected.entry(SHOP_LOCK), branch.repo.tree(engine).unwrap().entry(SHOP_LOCK));
        // And the engine's next commit says so.
        branch.engine(&[LEGACY], "# 3\n");
        assert_eq!(held(&branch.view_anew()), [""; 0]);
    }
}

#[test]
fn a_hold_ends_without_words_when_what_was_taken_back_returns() {
    let mut branch = Branch::new();
    let engine = branch.engine(&[SHOP], "");
    branch.revert(engine);
    branch.view();
    branch.engine(&[LEGACY], "");
    branch.back_to("on second thought", engine, is_of_shop);
    assert_eq!(held(&branch.view()), [""; 0]);
}

#[test]
fn a_revert_of_several_clusters_holds_each() {
    let mut branch = Branch::new();
    let engine = branch.engine(&[SHOP, LEGACY], "");
    branch.revert(engine);
    assert_eq!(held(&branch.view()), [LEGACY, SHOP]);
}

#[test]
fn i9_a_lock_that_leaves_with_its_definition_is_no_revert() {
    let mut branch = Branch::new();
    let engine = branch.engine(&[SHOP], "");
    let root = branch.repo.first_parent(engine).nth(1).unwrap().unwrap().id;
    let mut paths: Vec<String> = branch.repo.diff_paths(root, engine).unwrap();
    paths.push(SHOP_DEFINITION.to_owned());
    let gone: Vec<_> = paths.iter().map(|path| (path.as_str(), None)).collect();
    branch.person(&format!("Remove the shop\n\nThis reverts commit {engine}."), &gone);
    let view = branch.view();
    assert_eq!(held(&view), [""; 0]);
    assert!(view.corrected.entry(SHOP_LOCK).is_some() && view.want.orphan_locks.contains_key(&id(SHOP)));
}

#[test]
fn a_merged_revert_counts_by_what_it_contains() {
    for is_pulled in [false, true] {
        let mut branch = Branch::new();
        let engine = branch.engine(&[SHOP], "");
        let legacy = branch.engine(&[LEGACY], "");
        branch.tip = engine;
        let revert = branch.revert(engine);
        // A pull request is merged into the branch; `git pull` merges the branch into a person's work.
        let parents = if is_pulled { [revert, legacy] } else { [legacy, revert] };
        branch.merge(parents, legacy, (revert, is_of_shop));
        let view = branch.view();
        assert_eq!(held(&view), [SHOP], "pulled: {is_pulled}");
        assert_eq!(view.put_right, [""; 0]);
    }
}

#[test]
fn a_merge_that_brings_the_engines_commit_is_no_revert() {
    let mut branch = Branch::new();
    let first = branch.engine(&[SHOP], "");
    let second = branch.engine(&[SHOP, LEGACY], "# 2\n");
    branch.tip = first;
    let work = branch.person("work", &[("README.md", Some("x"))]);
    branch.merge([work, second], second, (work, |path| path == "README.md"));
    let view = branch.view();
    assert_eq!(held(&view), [""; 0]);
    assert_eq!(view.put_right, [""; 0]);
}

/// A past in which commits are engines' or not, and a state was there or not.
struct Known {
    engines: Vec<Oid>,
    was_so: bool,
}

impl Past for Known {
    fn is_engines(&mut self, commit: Oid) -> Result<bool, git::Error> {
        Ok(self.engines.contains(&commit))
    }

    fn was_so(&mut self, _: Oid, _: &Files) -> Result<bool, git::Error> {
        Ok(self.was_so)
    }
}

#[test]
fn where_output_is_elsewhere_a_lock_that_is_gone_needs_words() {
    let [engine, commit] = [Oid([1; 20]), Oid([2; 20])];
    let (lock, none): (Files, Files) = (vec![Some(Oid([7; 20]))], vec![None]);
    for (says, may_vanish, expected) in [(false, false, false), (false, true, true), (true, false, true)] {
        let says = if says { vec![engine] } else { Vec::new() };
        let act = Act { commit, before: &lock, after: &none, is_defined: true, may_vanish, says: &says };
        let mut state = State::default();
        let mut past = Known { engines: vec![engine], was_so: true };
        judge(&mut state, &State::default(), &lock, &act, &mut past).unwrap();
        assert_eq!(state.held.is_some(), expected, "{says:?} {may_vanish}");
    }
}

#[test]
fn git_says_what_it_reverts() {
    let id = "1234567890123456789012345678901234567890";
    let two = format!("Revert\n\nThis reverts commit {id}, reversing\nchanges made to x.\nThis reverts commit {id}.");
    assert_eq!(says(&two), [id.parse().unwrap(), id.parse().unwrap()]);
    assert_eq!(says("This reverts commit 1234567. And ü"), []);
}

#[test]
fn a_confirmation_ends_a_hold_and_a_revert_of_what_it_did_begins_one() {
    let mut branch = Branch::new();
    let engine = branch.engine(&[SHOP], "");
    branch.revert(engine);
    assert_eq!(held(&branch.view()), [SHOP]);
    let confirming = branch.read(SHOP_DEFINITION).replace("spec:\n", "spec:\n  deletion: {confirm: shop}\n");
    branch.person("Delete it", &[(SHOP_DEFINITION, Some(&confirming))]);
    assert_eq!(held(&branch.view()), [""; 0]);
    assert_eq!(held(&branch.view_anew()), [""; 0]);
    let engine = branch.engine(&[SHOP], "# its guards are lifted\n");
    branch.revert(engine);
    assert_eq!(held(&branch.view()), [SHOP], "nobody is fought with");
}
