//! What people do to a fleet: they push definitions, and now and then something that they should not have.

use super::checker::Thing;
use super::facts::is_engines;
use super::world::{ADOPTABLE, MAIN, World};
use fastrand::Rng;
use git::{Author, Oid};
use std::collections::{BTreeMap, BTreeSet};

/// Versions that a cluster may go up.
const VERSIONS: [&str; 2] = ["1.33.6", "1.34.2"];
const IMAGES: [&str; 2] = ["firewall-ubuntu-3.0.20251001", "firewall-ubuntu-3.0.20251101"];
/// Beyond so many clusters nobody adds one.
const CLUSTERS_MAX: usize = 4;
/// How many commits a person may throw away at once.
const REWRITTEN_MAX: usize = 5;

/// A definition as a person has it in mind.
#[derive(Clone, Debug)]
struct Definition {
    name: String,
    folder: String,
    replicas: u32,
    version: usize,
    image: usize,
    team: u32,
    has_egress: bool,
    adopts: bool,
    is_confirmed: bool,
    is_paused: bool,
    is_broken: bool,
}

impl Definition {
    fn path(&self) -> String {
        format!("{}/cluster.yaml", self.folder)
    }

    fn text(&self) -> Vec<u8> {
        let Self { name, replicas, team, .. } = self;
        let egress = if self.has_egress { ", egress: [{network: internet}]" } else { "" };
        let vip = if self.adopts { format!("  vip: {{mode: adopt, address: {ADOPTABLE}}}\n") } else { String::new() };
        let confirm = if self.is_confirmed { format!("  deletion: {{confirm: {name}}}\n") } else { String::new() };
        let paused = if self.is_paused { "  paused: true\n" } else { "" };
        let broken = if self.is_broken { "  kubernetes: {{version: [\n" } else { "" };
        format!(
            "# By hand: \t spaces and tabs   stay.\napiVersion: fleet.metal-stack.io/v1alpha1\nkind: ClusterDefinition\n\
             metadata: {{name: {name}, labels: {{team: t{team}}}}}\nspec:\n  kubernetes: {{version: {version}}}\n  \
             firewall: {{image: {image}, healthTimeout: 3m{egress}}}\n{vip}  pools: [{{name: general, replicas: {replicas}}}]\n\
             {confirm}{paused}{broken}",
            version = VERSIONS[self.version],
            image = IMAGES[self.image],
        )
        .into_bytes()
    }
}

type Changes = BTreeMap<String, Option<Vec<u8>>>;

/// Everybody who pushes.
pub(super) struct People {
    world: World,
    definitions: Vec<Definition>,
    gone: Vec<Definition>,
    names: u32,
    moves: u32,
    /// Reverted, and held until their inputs change.
    held: bool,
    is_rewritten: bool,
    /// Clusters that wait for a person.
    excused: BTreeSet<String>,
    /// Clusters whose firewall vanished: its addresses stay in their network, which no engine may free then (R25).
    haunted: BTreeSet<String>,
    /// Firewalls that vanished or died.
    pub(super) incidents: usize,
}

impl People {
    pub(super) fn new(world: World) -> Self {
        Self {
            world,
            definitions: Vec::new(),
            gone: Vec::new(),
            names: 0,
            moves: 0,
            held: false,
            is_rewritten: false,
            excused: BTreeSet::new(),
            haunted: BTreeSet::new(),
            incidents: 0,
        }
    }

    /// The first push: a fleet and some clusters.
    pub(super) fn begin(&mut self, rng: &mut Rng) {
        let fixtures = [
            ("fleet.yaml", include_str!("../../fixtures/fleet/fleet.yaml")),
            ("policies/default.yaml", include_str!("../../fixtures/fleet/policies/default.yaml")),
        ];
        let mut changes: Changes =
            fixtures.iter().map(|(path, text)| ((*path).to_owned(), Some(text.as_bytes().to_vec()))).collect();
        let fleet = "  limits: {freesPerHour: 1000}\n  deletion: {vipHold: 2m, syncDelay: 1m}\n";
        if let Some(Some(text)) = changes.get_mut("fleet.yaml") {
            text.extend_from_slice(fleet.as_bytes());
        }
        changes.insert("README.md".to_owned(), Some(b"\xff\xfe not even UTF-8\r\n".to_vec()));
        for _ in 0..rng.usize(1..4) {
            let definition = self.another(rng);
            changes.insert(definition.path(), Some(definition.text()));
            self.definitions.push(definition);
        }
        self.push("A fleet", &changes);
    }

    /// Something that a person does.
    pub(super) fn act(&mut self, rng: &mut Rng) {
        match rng.u32(0..40) {
            0..=4 => self.add(rng),
            5..=8 => self.change(rng, "More or fewer machines", |d, rng| d.replicas = rng.u32(0..4)),
            9 => self.change(rng, "Another team", |d, rng| d.team = rng.u32(..100)),
            10..=12 => self.change(rng, "A newer Kubernetes", |d, _| d.version = VERSIONS.len() - 1),
            13..=15 => self.change(rng, "Another firewall image", |d, _| d.image = 1 - d.image),
            16 => self.change(rng, "An egress address", |d, _| d.has_egress = true),
            17..=19 => self.change(rng, "Confirm the deletion", |d, _| d.is_confirmed = true),
            20 => self.change(rng, "Take the confirmation back", |d, _| d.is_confirmed = false),
            21..=25 => self.remove(rng, true),
            26 => self.remove(rng, false),
            27 | 28 => self.bring_back(rng),
            29 => self.move_file(rng),
            30 => self.revert(),
            31 => self.rewrite(rng),
            32 => self.copy_lock(rng),
            33 => self.meddle(rng),
            34 => self.change(rng, "A slip", |d, _| d.is_broken = !d.is_broken),
            35 => self.change(rng, "Pause or go on", |d, _| d.is_paused = !d.is_paused),
            36 => self.claimed(rng),
            37 => self.firewall_dies(rng),
            _ => self.two_at_once(rng),
        }
    }

    /// Before all gets quiet: what waits for a person is answered. Who waits all the same.
    pub(super) fn settle(&mut self) -> BTreeSet<String> {
        if self.is_rewritten {
            self.push("Yes, that was me\n\nFleet-Ack: HistoryRewritten example", &Changes::new());
        }
        let mut changes = Changes::new();
        for definition in self.definitions.iter_mut().filter(|_| self.held) {
            // As none had it before: what is as it was when it was reverted stays held.
            definition.replicas += 10;
            changes.insert(definition.path(), Some(definition.text()));
        }
        if !changes.is_empty() {
            self.push("Go on after the revert", &changes);
        }
        let broken = self.definitions.iter().filter(|d| d.is_broken || d.is_paused);
        self.excused.extend(broken.map(|d| format!("default.{}", d.name)));
        let gone = self.gone.iter().map(|d| format!("default.{}", d.name));
        self.excused.extend(gone.filter(|cluster| self.haunted.contains(cluster)));
        self.excused.clone()
    }

    fn another(&mut self, rng: &mut Rng) -> Definition {
        self.names += 1;
        let name = format!("c{}", self.names + 100);
        Definition {
            folder: format!("stages/development/clusters/{name}"),
            name,
            replicas: rng.u32(1..4),
            version: rng.usize(..VERSIONS.len()),
            image: rng.usize(..IMAGES.len()),
            team: 0,
            has_egress: rng.u32(..4) == 0,
            adopts: rng.u32(..4) == 0 && !self.definitions.iter().chain(&self.gone).any(|d| d.adopts),
            is_confirmed: false,
            is_paused: false,
            is_broken: false,
        }
    }

    fn push(&mut self, message: &str, changes: &Changes) {
        let parent = self.world.hub.find(MAIN);
        self.push_on(parent, message, changes);
    }

    fn push_on(&mut self, parent: Option<Oid>, message: &str, changes: &Changes) {
        let ada = Author { name: "Ada".to_owned(), email: "ada@example.com".to_owned() };
        let now = self.world.now().as_second();
        let commit = self.world.hub.commit(parent, changes, message, &ada, now).expect("a commit of a person");
        self.world.hub.set("ada", MAIN, Some(commit));
        for path in changes.keys() {
            self.world.say(format_args!("  ada: {path}"));
        }
        self.world.look();
    }

    fn pick(&self, rng: &mut Rng) -> Option<usize> {
        (!self.definitions.is_empty()).then(|| rng.usize(..self.definitions.len()))
    }

    fn tip(&self) -> Oid {
        self.world.hub.find(MAIN).expect("a branch")
    }

    /// A file at the tip.
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let tree = self.world.hub.tree(self.tip()).expect("the tip");
        tree.entry(path).map(|entry| tree.read(&entry.id, 4 << 20).expect("a blob"))
    }

    fn add(&mut self, rng: &mut Rng) {
        if self.definitions.len() >= CLUSTERS_MAX {
            return;
        }
        let definition = self.another(rng);
        let changes = Changes::from([(definition.path(), Some(definition.text()))]);
        self.definitions.push(definition);
        self.push("Another cluster", &changes);
    }

    fn change(&mut self, rng: &mut Rng, message: &str, change: impl Fn(&mut Definition, &mut Rng)) {
        let Some(at) = self.pick(rng) else { return };
        change(&mut self.definitions[at], rng);
        let definition = &self.definitions[at];
        let changes = Changes::from([(definition.path(), Some(definition.text()))]);
        self.push(message, &changes);
    }

    /// A confirmed one whose confirmation an engine saw, or any other.
    fn remove(&mut self, rng: &mut Rng, is_confirmed: bool) {
        let seen = |d: &Definition| {
            let lock = self.read(&format!("{}/cluster.lock.yaml", d.folder)).unwrap_or_default();
            d.is_confirmed && !d.is_broken && String::from_utf8_lossy(&lock).contains("confirmedIn")
        };
        let fits = |d: &Definition| if is_confirmed { seen(d) } else { !d.is_confirmed };
        let fitting: Vec<usize> = (0..self.definitions.len()).filter(|at| fits(&self.definitions[*at])).collect();
        let Some(at) = rng.choice(fitting) else { return };
        let definition = self.definitions.remove(at);
        // Neither file nor lock may be in what is left of the history: then its resources are orphans.
        if self.is_rewritten && !is_confirmed {
            self.excused.insert(format!("default.{}", definition.name));
        }
        let changes = Changes::from([(definition.path(), None)]);
        self.gone.push(definition);
        self.push(if is_confirmed { "Delete it" } else { "Forget it" }, &changes);
    }

    fn bring_back(&mut self, rng: &mut Rng) {
        if self.gone.is_empty() {
            return;
        }
        let mut definition = self.gone.remove(rng.usize(..self.gone.len()));
        definition.is_confirmed = false;
        let changes = Changes::from([(definition.path(), Some(definition.text()))]);
        self.definitions.push(definition);
        self.push("Bring it back", &changes);
    }

    fn move_file(&mut self, rng: &mut Rng) {
        let Some(at) = self.pick(rng) else { return };
        self.moves += 1;
        let old = self.definitions[at].clone();
        let folder = format!("stages/development/clusters/{}-{}", old.name, self.moves);
        self.definitions[at].folder.clone_from(&folder);
        let mut changes = Changes::from([(old.path(), None), (self.definitions[at].path(), Some(old.text()))]);
        let lock = format!("{}/cluster.lock.yaml", old.folder);
        if let Some(bytes) = self.read(&lock).filter(|_| rng.bool()) {
            changes.insert(lock, None);
            changes.insert(format!("{folder}/cluster.lock.yaml"), Some(bytes));
        }
        self.push("Move it", &changes);
    }

    /// Undoes the tip, where an engine made it.
    fn revert(&mut self) {
        let tip = self.tip();
        let info = self.world.hub.info(tip).expect("the tip");
        let Some(parent) = info.parents.first().filter(|_| info.message.contains("Fleet-Run:")) else { return };
        let before = self.world.hub.tree(*parent).expect("a parent");
        let read = |path: &str| before.entry(path).map(|e| before.read(&e.id, 4 << 20).expect("a blob"));
        let paths = self.world.hub.diff(*parent, tip).expect("two commits");
        let changes: Changes = paths.into_iter().map(|path| (path.clone(), read(&path))).collect();
        let title = info.message.lines().next().unwrap_or_default();
        self.held = true;
        self.push(&format!("Revert \"{title}\"\n\nThis reverts commit {tip}."), &changes);
    }

    /// A force-push: some commits are gone, what people wrote is all there.
    fn rewrite(&mut self, rng: &mut Rng) {
        if !self.gone.is_empty() || self.definitions.iter().any(|d| d.is_confirmed) {
            return;
        }
        let (tip, mut base) = (self.tip(), self.tip());
        for _ in 0..rng.usize(1..=REWRITTEN_MAX) {
            match self.world.hub.info(base).expect("a commit").parents.first() {
                Some(parent) => base = *parent,
                None => break,
            }
        }
        let now = self.world.hub.tree(tip).expect("the tip");
        let read = |path: &str| now.entry(path).map(|e| now.read(&e.id, 4 << 20).expect("a blob"));
        let paths = self.world.hub.diff(base, tip).expect("two commits").into_iter().filter(|path| !is_engines(path));
        let changes: Changes = paths.map(|path| (path.clone(), read(&path))).collect();
        self.is_rewritten = true;
        self.push_on(Some(base), "History, as it should have been", &changes);
    }

    /// A folder is copied with its lock, and only the name is changed.
    fn copy_lock(&mut self, rng: &mut Rng) {
        let Some(at) = self.pick(rng).filter(|_| self.definitions.len() < CLUSTERS_MAX) else { return };
        let from = self.definitions[at].folder.clone();
        let Some(lock) = self.read(&format!("{from}/cluster.lock.yaml")) else { return };
        let definition = self.another(rng);
        let changes = Changes::from([
            (definition.path(), Some(definition.text())),
            (format!("{}/cluster.lock.yaml", definition.folder), Some(lock)),
        ]);
        self.definitions.push(definition);
        self.push("Like the other one", &changes);
    }

    /// A person edits or removes what is the engine's.
    fn meddle(&mut self, rng: &mut Rng) {
        let tree = self.world.hub.tree(self.tip()).expect("the tip");
        let owned: Vec<String> = tree.entries().iter().map(|e| e.path.clone()).filter(|p| is_engines(p)).collect();
        let Some(path) = rng.choice(owned) else { return };
        let bytes = self.read(&path).filter(|_| rng.bool()).map(|mut bytes| {
            bytes.extend_from_slice(b"# by hand\n");
            bytes
        });
        self.push("A quick fix", &Changes::from([(path, bytes)]));
    }

    /// A new definition whose name somebody else's resource has.
    fn claimed(&mut self, rng: &mut Rng) {
        let name = if rng.bool() { "c8" } else { "c9" };
        if self.definitions.iter().chain(&self.gone).any(|d| d.name == name) {
            return;
        }
        let mut definition = self.another(rng);
        definition.name = name.to_owned();
        definition.folder = format!("stages/development/clusters/{name}");
        definition.adopts = false;
        self.excused.insert(format!("default.{name}"));
        let changes = Changes::from([(definition.path(), Some(definition.text()))]);
        self.definitions.push(definition);
        self.push("A name that is taken", &changes);
    }

    /// Hardware fails.
    fn firewall_dies(&mut self, rng: &mut Rng) {
        let firewalls: Vec<Thing> = self.world.things().into_iter().filter(|t| t.kind == "firewall").collect();
        let Some(firewall) = rng.choice(firewalls) else { return };
        let id = &firewall.id;
        self.incidents += 1;
        let vanish = rng.bool();
        let liveliness = (!vanish).then(|| "Dead".to_owned());
        let incident = metal_sim::MachineIncident { liveliness, vanish, ..metal_sim::MachineIncident::default() };
        self.world.say(format_args!("firewall {id} {}", if vanish { "vanishes" } else { "dies" }));
        self.world.sim().machine_incident(id, &incident).expect("a machine");
        if vanish {
            self.haunted.extend(firewall.cluster().map(str::to_owned));
            self.world.state().checker.taken("firewall", id);
        }
    }

    fn two_at_once(&mut self, rng: &mut Rng) {
        self.add(rng);
        self.change(rng, "And machines", |d, rng| d.replicas = rng.u32(1..4));
    }
}
