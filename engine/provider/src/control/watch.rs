//! One watch of one kind: what fills a store, also with objects that cannot be read.

use super::config::Scope;
use crate::names;
use futures::StreamExt as _;
use kube::core::{DeserializeGuard, NamespaceResourceScope, ObjectMeta};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A kind of which every object can be watched.
pub(super) trait Watched:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
}

impl<K> Watched for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

pub(super) type OnChange<K> = Box<dyn Fn(&K) + Send + Sync>;
pub(super) type Watch<K> = Box<dyn FnOnce(OnChange<K>) -> futures::future::BoxFuture<'static, ()> + Send>;

/// A store, and what keeps it: a watch that never ends and tells of every object that came, changed or went.
pub(super) fn watched<K>(client: &Client, scope: &Scope, config: watcher::Config) -> (Store<K>, Watch<K>)
where
    K: Watched,
{
    watched_with(client, scope, config, Unread::default())
}

pub(super) fn watched_with<K>(
    client: &Client,
    scope: &Scope,
    config: watcher::Config,
    unread: Unread,
) -> (Store<K>, Watch<K>)
where
    K: Watched,
{
    let (store, mut writer) = reflector::store::<K>();
    let api = api::<DeserializeGuard<K>>(client, scope);
    let reader = store.clone();
    let watch: Watch<K> = Box::new(move |changed| {
        Box::pin(async move {
            let mut events = Box::pin(watcher(api, config).default_backoff());
            while let Some(event) = events.next().await {
                let event = match event {
                    Ok(event) => event,
                    Err(error) => {
                        tracing::warn!(kind = %K::kind(&()), %error, "a watch failed and is taken up again");
                        continue;
                    }
                };
                let Some(event) = readable(event, &reader, &unread) else { continue };
                writer.apply_watcher_event(&event);
                match &event {
                    watcher::Event::Apply(object) | watcher::Event::Delete(object) => changed(object),
                    // What went away while nothing was watched is told by its absence: all are looked at.
                    watcher::Event::InitDone => reader.state().iter().for_each(|object| changed(object)),
                    watcher::Event::Init | watcher::Event::InitApply(_) => {}
                }
            }
        })
    });
    (store, watch)
}

pub(super) fn api<K>(client: &Client, scope: &Scope) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match &scope.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Objects that the API server has and that cannot be read, by namespace and name, with the cluster that they say they
/// are of: they count as there, whatever they say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unread(Arc<Mutex<Clusters>>);

/// By namespace and name of an object: the cluster in its label.
type Clusters = BTreeMap<(String, String), Option<String>>;

impl Unread {
    pub(crate) fn of(&self, namespace: &str, cluster: &str) -> Vec<String> {
        let all = self.all();
        let of = all.iter().filter(|((of, _), label)| of == namespace && label.as_deref() == Some(cluster));
        of.map(|((_, name), _)| name.clone()).collect()
    }

    fn note(&self, object: &ObjectMeta, is_there: bool) {
        let key = (object.namespace.clone().unwrap_or_default(), object.name.clone().unwrap_or_default());
        if is_there {
            let cluster = object.labels.as_ref().and_then(|labels| labels.get(names::CLUSTER_NAME_LABEL));
            self.all().insert(key, cluster.cloned());
        } else {
            self.all().remove(&key);
        }
    }

    fn all(&self) -> MutexGuard<'_, Clusters> {
        // Each entry is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event of an object that can be read, without its managed fields, which are most of its bytes. One that cannot be
/// read any more stays as it was; when it goes, it goes.
fn readable<K>(
    event: watcher::Event<DeserializeGuard<K>>,
    store: &Store<K>,
    unread: &Unread,
) -> Option<watcher::Event<K>>
where
    K: Resource<DynamicType = ()> + Clone,
{
    let lean = |DeserializeGuard(object): DeserializeGuard<K>, is_there: bool| match object {
        Ok(mut object) => {
            object.meta_mut().managed_fields = None;
            unread.note(object.meta(), false);
            Some(object)
        }
        Err(invalid) => {
            let (name, namespace) = (invalid.metadata.name.as_deref(), invalid.metadata.namespace.as_deref());
            if is_there {
                let error = &invalid.error;
                tracing::warn!(kind = %K::kind(&()), name, namespace, %error, "an object that cannot be read is left alone");
            }
            unread.note(&invalid.metadata, is_there);
            let former = ObjectRef::new(name.unwrap_or_default()).within(namespace.unwrap_or_default());
            store.get(&former).map(|former| (*former).clone())
        }
    };
    Some(match event {
        watcher::Event::Apply(object) => watcher::Event::Apply(lean(object, true)?),
        watcher::Event::Delete(object) => watcher::Event::Delete(lean(object, false)?),
        watcher::Event::InitApply(object) => watcher::Event::InitApply(lean(object, true)?),
        watcher::Event::Init => watcher::Event::Init,
        watcher::Event::InitDone => watcher::Event::InitDone,
    })
}
