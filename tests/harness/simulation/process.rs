//! One engine's process: its clock, its ways to the remote and to metal-api, and the point at which it is killed.

use super::weather::Fate;
use super::world::{World, answer};
use git::{Asked, Moment, Pace, Worker};
use gitops::{Engine, Options, Triggers, Waker};
use metal_api::{AuthType, Carry, Credentials, HttpMetal, Lost, Secret, Told, Unobserved};
use model::{Attempt, Timestamp};
use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What no process reaches.
const NEVER: u64 = u64::MAX;

pub(super) const METAL_INTERVAL: Duration = Duration::from_secs(120);
const GIT_INTERVAL: Duration = Duration::from_secs(20);

type Waits<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An engine that runs.
pub(super) struct Process {
    pub(super) name: String,
    life: Arc<Life>,
    task: JoinHandle<()>,
    /// The engine ends when this is gone.
    _stop: watch::Sender<bool>,
}

struct Life {
    world: World,
    name: String,
    is_dead: AtomicBool,
    /// Awaits until its death.
    left: AtomicU64,
    skew_seconds: AtomicI64,
}

impl Process {
    /// Starts one with an empty cache, as on another machine.
    pub(super) fn start(world: &World, name: &str) -> Self {
        let life = Arc::new(Life {
            world: world.clone(),
            name: name.to_owned(),
            is_dead: AtomicBool::new(false),
            left: AtomicU64::new(NEVER),
            skew_seconds: AtomicI64::new(0),
        });
        let attempt = {
            let mut bytes = [0; 16];
            world.state().rng.fill(&mut bytes);
            uuid(bytes)
        };
        let attempt = Attempt::parse(&attempt).expect("a UUID");
        let options = Options {
            git_interval: GIT_INTERVAL,
            metal_interval: METAL_INTERVAL,
            ..Options::new("main", attempt, name)
        };
        let key = Secret::value("metal-admin");
        let credentials = Credentials::Hmac { auth_type: AuthType::Admin, key };
        let to = metal_api::Options::new("http://metal.invalid/metal", credentials);
        let metal = HttpMetal::carried(to, life.clone(), Arc::new(Wire(life.clone()))).expect("an address");
        let metals = BTreeMap::from([("default".to_owned(), Arc::new(metal))]);
        let cache = world.dir.path().join(name);
        let worker = || {
            let fates = life.clone();
            let fate = move |asked: &Asked| fates.fate(asked);
            let repo = world.hub.client(name, "main", &cache, fate).expect("a cache");
            Worker::here(repo, Steps(life.clone()))
        };
        let mut engine = Engine::new(options, metals, Arc::new(Unobserved), life.clone(), worker(), worker());
        let (stop, stopped) = watch::channel(false);
        let triggers = Triggers::new(Waker::default(), stopped);
        world.say(format_args!("{name} starts"));
        let task = tokio::spawn(async move { engine.run(triggers).await });
        Self { name: name.to_owned(), life, task, _stop: stop }
    }

    /// It dies at the await that many further on.
    pub(super) fn dies_after(&self, awaits: u64) {
        self.life.left.store(awaits, Ordering::Relaxed);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.life.is_dead.load(Ordering::Relaxed)
    }

    /// Whether its task is over although nobody ended it: it panicked.
    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends it without a word.
    pub(super) fn kill(self) {
        self.life.is_dead.store(true, Ordering::Relaxed);
        self.life.world.say(format_args!("{} is gone", self.name));
        self.life.world.state().checker.died();
        self.task.abort();
    }

    /// Its wall clock is so far off.
    pub(super) fn skew(&self, seconds: i64) {
        self.life.skew_seconds.store(seconds, Ordering::Relaxed);
    }
}

impl Life {
    /// One await: takes a moment, or is the last.
    async fn step(&self) {
        self.world.pause().await;
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 && !self.is_dead.swap(true, Ordering::Relaxed) {
            self.world.say(format_args!("{} dies here", self.name));
            self.world.state().checker.died();
        }
        if left != NEVER {
            self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        }
        if self.is_dead.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }

    fn fate(&self, asked: &Asked) -> git::Fate {
        let fate = self.world.fate_of_git();
        if fate != git::Fate::Serve {
            // Without ids: those of commits are by chance.
            let what = match asked {
                Asked::Refs => "a look at refs",
                Asked::Fetch => "a fetch",
                Asked::Advert => "the begin of a push",
                Asked::Push { full_ref, .. } => full_ref,
            };
            self.world.say(format_args!("{}: {what} meets {fate:?}", self.name));
        }
        fate
    }
}

impl model::Clock for Life {
    fn now(&self) -> Timestamp {
        let skew = self.skew_seconds.load(Ordering::Relaxed);
        let (now, by) = (self.world.now(), Duration::from_secs(skew.unsigned_abs()));
        if skew < 0 { now - by } else { now + by }
    }
}

/// Git calls take two awaits each.
struct Steps(Arc<Life>);

impl Pace for Steps {
    fn pause(&self, moment: Moment) -> Waits<'_, ()> {
        Box::pin(async move {
            if moment == Moment::After {
                self.0.world.look();
            }
            self.0.step().await;
        })
    }
}

/// The way to metal-api.
struct Wire(Arc<Life>);

impl Carry for Wire {
    fn carry(&self, asked: metal_api::Asked) -> Waits<'_, Result<Told, Lost>> {
        Box::pin(async move {
            let Self(life) = self;
            life.step().await;
            let world = &life.world;
            let fate = world.fate_of_metal();
            if fate != Fate::Serve {
                world.say(format_args!("{}: {asked:?} meets {fate:?}", life.name));
            }
            let broken = || Err(Lost::Broken("the connection broke".to_owned()));
            let answered = match fate {
                Fate::Serve => Ok(answer(world, &asked)),
                Fate::Refuse => Err(Lost::Refused("connection refused".to_owned())),
                Fate::DropBefore => broken(),
                Fate::DropAfter => {
                    answer(world, &asked);
                    broken()
                }
                Fate::Status(status) => {
                    let body = br#"{"statuscode":500,"message":"a simulated error"}"#.to_vec();
                    Ok(Told { status, body, time: world.now() })
                }
                Fate::Hang => pending().await,
                Fate::Late(after) => {
                    let world = world.clone();
                    // What is on its way arrives, whatever becomes of the sender.
                    let call = tokio::spawn(async move {
                        tokio::time::sleep(after).await;
                        answer(&world, &asked)
                    });
                    call.await.map_err(|_| Lost::Broken("the server ended".to_owned()))
                }
                Fate::Twice => {
                    answer(world, &asked);
                    Ok(answer(world, &asked))
                }
            };
            life.step().await;
            answered
        })
    }
}

/// Of version 4.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
