use super::*;
use crate::live::{Blind, Look};
use std::sync::atomic::{AtomicUsize, Ordering};

/// `well` answers, `hung` never does, `broken` fails; nothing else is known.
#[derive(Default)]
struct World {
    looks: AtomicUsize,
}

impl Live for World {
    fn look<'a>(&'a self, access: &'a Label, _: &'a ClusterId) -> Look<'a> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        match access.as_str() {
            "well" => Box::pin(std::future::ready(Some(Ok(Seen { has_cluster: true, ..Seen::default() })))),
            "hung" => Box::pin(std::future::pending()),
            "mad" => Box::pin(async { panic!("a look that breaks off") }),
            "broken" => Box::pin(std::future::ready(Some(Err("no route to host".to_owned())))),
            _ => Box::pin(std::future::ready(None)),
        }
    }
}

const EVERY: Duration = Duration::from_secs(15);

fn target(cluster: &str, access: &str) -> Target {
    Target { cluster: cluster.parse().unwrap(), access: Label::parse(access).unwrap(), is_named: false, every: EVERY }
}

#[tokio::test(start_paused = true)]
async fn i6_a_management_cluster_that_hangs_holds_up_a_pass_once_and_never_for_long() {
    let mut looks = Looks::new(Arc::new(World::default()));
    let targets = [target("a.hung", "hung"), target("a.well", "well")];
    let began = Instant::now();
    let shown = looks.look(&targets).await;
    assert!(began.elapsed() <= PATIENCE, "{:?}", began.elapsed());
    assert!(shown.seen.contains_key(&targets[1].cluster));
    assert!(shown.silent[&targets[0].cluster].contains("not seen yet"));
    tokio::time::sleep(EVERY).await;
    let began = Instant::now();
    let shown = looks.look(&targets).await;
    assert_eq!(began.elapsed(), Duration::ZERO, "known to be silent: nobody waits");
    assert!(shown.silent[&targets[0].cluster].contains("no answer within 5 s"), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn i4_each_cluster_is_looked_at_once_in_its_time() {
    let world = Arc::new(World::default());
    let mut looks = Looks::new(world.clone());
    let targets = [target("a.well", "well"), target("a.broken", "broken"), target("a.none", "none")];
    for _ in 0..5 {
        let shown = looks.look(&targets).await;
        assert_eq!((shown.seen.len(), shown.silent.len()), (1, 1));
    }
    assert_eq!(world.looks.load(Ordering::Relaxed), 3);
    tokio::time::sleep(EVERY).await;
    looks.look(&targets).await;
    assert_eq!(world.looks.load(Ordering::Relaxed), 6);
    let shown = looks.look(&[]).await;
    assert!(shown.seen.is_empty() && shown.silent.is_empty(), "what is not asked for is forgotten");
}

#[tokio::test(start_paused = true)]
async fn without_access_nothing_is_silent() {
    let mut looks = Looks::new(Arc::new(Blind));
    let shown = looks.look(&[target("a.b", "well")]).await;
    assert!(shown.seen.is_empty() && shown.silent.is_empty());
}

#[tokio::test(start_paused = true)]
async fn access_that_the_fleet_names_and_nobody_has_is_silent() {
    let mut looks = Looks::new(Arc::new(Blind));
    let named = Target { is_named: true, ..target("a.b", "well") };
    let shown = looks.look(std::slice::from_ref(&named)).await;
    assert!(shown.silent[&named.cluster].contains("this engine has no such access"), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn i6_a_look_that_breaks_off_is_made_again() {
    let world = Arc::new(World::default());
    let mut looks = Looks::new(world.clone());
    let targets = [target("a.mad", "mad")];
    let shown = looks.look(&targets).await;
    assert!(shown.silent[&targets[0].cluster].contains("the look broke off"), "{shown:?}");
    tokio::time::sleep(EVERY).await;
    looks.look(&targets).await;
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(world.looks.load(Ordering::Relaxed), 2);
}
