//! The loop of every controller: gather, decide, act, and again, until there is nothing to do but rest; then report.

use super::context::Context;
use super::error::Error;
use super::patch::{difference, merge_status};
use crate::api::Condition;
use crate::conditions::transitions;
use crate::reason::Reason;
use crate::step::{Decision, Memory, Rest, Step};
use kube::core::NamespaceResourceScope;
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt as _};
use model::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

/// More steps than any object needs: who takes more goes round in circles.
const STEPS_MAX: usize = 32;

/// One kind of object and what is done for it.
pub(crate) trait Kind: Send + Sync + 'static {
    type Object: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static;
    type Status: Reported;
    /// All that a decision looks at.
    type Observed: Send + Sync;
    /// One effect. Debug shows it in the log and under `--observe`: no secrets.
    type Action: Debug + Send;

    /// Reads what the decision needs, from caches where they will do.
    fn gather(
        context: &Context,
        object: Arc<Self::Object>,
        memory: Memory,
    ) -> impl Future<Output = Result<Self::Observed, Error>> + Send;

    /// Pure.
    fn decide(observed: &Self::Observed, now: Timestamp) -> Decision<Self::Action, Self::Status>;

    /// Carries one step out and puts what came of it into `observed`: the object as patched, what metal-api answered. A
    /// refusal of metal-api is no error: it is remembered, and decided upon.
    fn act(
        context: &Context,
        observed: &mut Self::Observed,
        action: Self::Action,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    fn object(observed: &Self::Observed) -> &Self::Object;
    fn status(object: &Self::Object) -> Option<&Self::Status>;
    fn memory(observed: &Self::Observed) -> &Memory;
}

/// A status that says what is so.
pub(crate) trait Reported: Clone + PartialEq + Serialize + Send + Sync {
    fn conditions(&self) -> &[Condition];
}

/// One pass over one object; when to come again.
pub(crate) async fn reconcile<K: Kind>(object: Arc<K::Object>, context: Arc<Context>) -> Result<Action, Error> {
    if context.is_paused() || context.is_ending() {
        return Ok(context.requeue(Rest::Soon));
    }
    let uid = object.uid().unwrap_or_default();
    let mut observed = K::gather(&context, object, context.memory(&uid)).await?;
    let outcome = steps::<K>(&context, &mut observed).await;
    let gone = matches!(outcome, Ok(None));
    context.remember(&uid, (!gone).then(|| K::memory(&observed).clone()));
    if outcome.is_ok() {
        context.current(&uid);
    }
    Ok(outcome?.map_or_else(Action::await_change, |rest| context.requeue(rest)))
}

/// `None`: the object is gone.
async fn steps<K: Kind>(context: &Context, observed: &mut K::Observed) -> Result<Option<Rest>, Error> {
    for _ in 0..STEPS_MAX {
        let decision = K::decide(observed, context.clock.now());
        let action = match decision.step {
            Step::Act(action) if context.config.observe => {
                tracing::info!(kind = %K::Object::kind(&()), object = %name(K::object(observed)), would = ?action, "observed");
                return Ok(Some(Rest::Interval));
            }
            Step::Act(action) => action,
            Step::Rest(rest) => {
                if let Some(status) = decision.status {
                    report::<K>(context, observed, status).await?;
                }
                return Ok(Some(rest));
            }
        };
        tracing::debug!(kind = %K::Object::kind(&()), object = %name(K::object(observed)), step = ?action, "a step");
        match K::act(context, observed, action).await {
            Ok(()) => {}
            // The last finalizer went, and the object with it.
            Err(Error::Gone) if K::object(observed).meta().deletion_timestamp.is_some() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let last = K::decide(observed, context.clock.now()).step;
    Err(Error::Restless(STEPS_MAX, format!("{last:?}")))
}

/// Writes what the status lacks, and tells of transitions.
async fn report<K: Kind>(context: &Context, observed: &K::Observed, status: K::Status) -> Result<(), Error> {
    let object = K::object(observed);
    let before = K::status(object);
    let Some(patch) = difference(before, &status) else { return Ok(()) };
    if context.config.observe {
        tracing::info!(kind = %K::Object::kind(&()), object = %name(object), would_say = %patch, "observed");
        return Ok(());
    }
    match merge_status(&context.client, object, patch).await {
        Ok(_) => {}
        Err(Error::Gone) => return Ok(()),
        Err(error) => return Err(error),
    }
    let conditions = before.map(Reported::conditions).unwrap_or_default();
    for condition in transitions(conditions, status.conditions()) {
        tell(context, object, condition).await;
    }
    Ok(())
}

async fn tell<O: Resource<DynamicType = ()>>(context: &Context, object: &O, condition: &Condition) {
    let warning = Reason::parse(&condition.reason).is_some_and(Reason::is_warning);
    // An Event's note has at most 1 KiB.
    let note: String = condition.message.chars().take(1000).collect();
    let event = Event {
        type_: if warning { EventType::Warning } else { EventType::Normal },
        reason: condition.reason.clone(),
        note: Some(note),
        action: condition.type_.clone(),
        secondary: None,
    };
    if let Err(error) = context.events.publish(&event, &object.object_ref(&())).await {
        tracing::debug!(%error, "an Event was not taken");
    }
}

fn name<O: Resource<DynamicType = ()>>(object: &O) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}
