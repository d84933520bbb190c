//! The Containerfile, as far as it can be judged without a container runtime.

use super::folder;
use crate::root;
use std::collections::BTreeSet;

/// Instructions with their arguments; comments gone, continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(folder().join("Containerfile")).unwrap();
    let lines: String = text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    let joined = lines.replace("\\\n", " ");
    let instruction = |line: &str| {
        let (name, arguments) = line.split_once(' ').unwrap_or_else(|| panic!("no arguments: {line}"));
        (name.to_owned(), arguments.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    joined.lines().filter(|line| !line.trim().is_empty()).map(instruction).collect()
}

fn arguments(name: &str) -> Vec<String> {
    instructions().into_iter().filter(|(found, _)| found == name).map(|(_, arguments)| arguments).collect()
}

/// What is copied from the repository.
fn copied() -> BTreeSet<String> {
    let from_here = arguments("COPY").into_iter().filter(|arguments| !arguments.starts_with("--from="));
    let sources = from_here.flat_map(|arguments| {
        let mut words: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
        words.pop().expect("a target");
        words
    });
    sources.collect()
}

#[test]
fn instructions_are_known_and_images_are_pinned() {
    const KNOWN: [&str; 8] = ["FROM", "ARG", "RUN", "WORKDIR", "COPY", "LABEL", "USER", "ENTRYPOINT"];
    for (name, arguments) in instructions() {
        assert!(KNOWN.contains(&name.as_str()), "{name} {arguments}");
    }
    let images = arguments("FROM");
    assert_eq!(images.len(), 2);
    for image in &images {
        let tag = image.split(' ').next().unwrap().rsplit_once(':').unwrap_or_else(|| panic!("no tag: {image}")).1;
        assert_eq!(tag.split('-').next().unwrap().matches('.').count(), 2, "a whole version: {image}");
    }
    let stages: Vec<_> = images.iter().filter_map(|image| Some(image.split_once(" AS ")?.1)).collect();
    let copies = arguments("COPY");
    let mut from = copies.iter().filter_map(|copy| copy.strip_prefix("--from=")?.split(' ').next());
    assert!(from.all(|stage| stages.contains(&stage)), "{copies:?}");
    // The compiler is the one that the workspace asks for.
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap();
    let version = version.trim_end_matches('"');
    assert!(images[0].starts_with(&format!("docker.io/library/rust:{version}.")), "{version}: {}", images[0]);
}

#[test]
fn everything_that_the_build_reads_is_copied() {
    let copied = copied();
    for source in &copied {
        assert!(root().join(source).exists(), "{source} is not there");
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).unwrap();
    let members: Vec<String> = serde_json::from_str(members).unwrap();
    let mut needed: BTreeSet<_> = members.iter().map(|member| member.trim_end_matches("/*").to_owned()).collect();
    // Whatever code embeds from outside of its own room.
    needed.extend(["Cargo.toml", "Cargo.lock", "fleet-example"].map(str::to_owned));
    assert_eq!(copied, needed);
    let script = std::fs::read_to_string(root().join("engine/cli/build.rs")).unwrap();
    assert!(script.contains("../../fleet-example"), "fleet-example is no longer embedded: COPY it no more");
}

#[test]
fn it_runs_as_nobody_and_brings_git_and_ssh() {
    let all = instructions();
    assert_eq!(arguments("USER"), ["65532:65532"]);
    let last: Vec<_> = all.iter().rev().take(2).map(|(name, _)| name.as_str()).collect();
    assert_eq!(last, ["ENTRYPOINT", "USER"]);
    let entrypoint: Vec<String> = serde_json::from_str(&arguments("ENTRYPOINT")[0]).unwrap();
    assert_eq!(entrypoint, ["/usr/local/bin/ferrofleet"]);
    let target = arguments("COPY").last().unwrap().split(' ').next_back().unwrap().to_owned();
    assert_eq!(entrypoint, [target]);
    let run = arguments("RUN").pop().unwrap();
    for word in ["ca-certificates", "git", "openssh-client-default", "65532"] {
        assert!(run.split(' ').any(|found| found == word), "{word} is not in: {run}");
    }
    let labels = arguments("LABEL").concat();
    for name in ["title", "description", "source", "licenses", "version", "revision"] {
        assert!(labels.contains(&format!("org.opencontainers.image.{name}=")), "{name}");
    }
}
