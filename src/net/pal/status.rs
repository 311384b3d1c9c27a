//! Tells when an interface becomes usable, or stops being so.

use super::{NETWORK_TOKEN, RUNNING, Refusal, lock};
use crate::log;
use crate::net::gate::Gate;
use crate::net::interface::{self, Interface, Reach};
use crate::net::reactor::Interest;
use crate::net::watch::Watch;
use std::sync::{Arc, Mutex};

/// Takes whether the interface is connected now. It runs on the layer's thread.
pub type Callback = Box<dyn Fn(bool) + Send + Sync>;

struct Subscription {
    number: usize,
    /// None: the default one.
    interface: Option<String>,
    reach: Mutex<Reach>,
    gate: Gate,
    callback: Callback,
}

struct Subscriptions {
    all: Vec<Arc<Subscription>>,
    /// There while somebody is told.
    watch: Option<Arc<Watch>>,
}

static SUBSCRIPTIONS: Mutex<Subscriptions> = Mutex::new(Subscriptions { all: Vec::new(), watch: None });

/// Has `callback` called when an interface gets better (true: it has a link and an address, or its first address that reaches beyond
/// the link) or worse (false). It takes the place of the earlier callback of the same number.
pub fn subscribe(number: usize, interface: Option<String>, callback: Callback) -> Result<(), Refusal> {
    unsubscribe(number);
    // Held meanwhile: whoever stops the thread then forgets this one too.
    let running = lock(&RUNNING);
    let notifier = running.as_ref().ok_or(Refusal::NotStarted)?;
    let mut subscriptions = lock(&SUBSCRIPTIONS);
    let watch = match &subscriptions.watch {
        Some(watch) => watch.clone(),
        None => {
            let watch = Arc::new(Watch::open()?);
            notifier.registrar().add(&*watch, NETWORK_TOKEN, Interest::Read)?;
            watch
        }
    };
    // Looked at once changes are told: none is missed.
    let reach = reach_of(interface.as_deref(), &interface::list()?);
    subscriptions.watch = Some(watch);
    let (reach, gate) = (Mutex::new(reach), Gate::new());
    subscriptions.all.push(Arc::new(Subscription { number, interface, reach, gate, callback }));
    Ok(())
}

/// Ends the callback of this number: when this returns it does not run and will not begin, unless this is that callback.
pub fn unsubscribe(number: usize) {
    let mut subscriptions = lock(&SUBSCRIPTIONS);
    let (ended, kept) =
        std::mem::take(&mut subscriptions.all).into_iter().partition(|subscription| subscription.number == number);
    subscriptions.all = kept;
    if subscriptions.all.is_empty() {
        subscriptions.watch = None;
    }
    drop(subscriptions);
    shut::<Vec<_>>(ended);
}

/// Ends all of them.
pub(super) fn forget_all() {
    let mut subscriptions = lock(&SUBSCRIPTIONS);
    let ended = std::mem::take(&mut subscriptions.all);
    subscriptions.watch = None;
    drop(subscriptions);
    shut(ended);
}

/// Without the lock: a callback that is waited for may want it.
fn shut<All: IntoIterator<Item = Arc<Subscription>>>(ended: All) {
    for subscription in ended {
        subscription.gate.shut();
    }
}

/// The system has told of a change. On the layer's thread.
pub(super) fn network_changed() {
    let subscriptions = lock(&SUBSCRIPTIONS);
    let all = subscriptions.all.clone();
    if let Some(watch) = &subscriptions.watch {
        watch.drain();
    }
    drop(subscriptions);
    let interfaces = match interface::list() {
        Ok(interfaces) => interfaces,
        // The next change has it looked at again.
        Err(error) => return log::error(format_args!("the interfaces cannot be listed: {error}")),
    };
    for subscription in all {
        let now = reach_of(subscription.interface.as_deref(), &interfaces);
        let before = std::mem::replace(&mut *lock(&subscription.reach), now);
        if now != before {
            subscription.gate.pass(|| (subscription.callback)(now > before));
        }
    }
}

fn reach_of(name: Option<&str>, interfaces: &[Interface]) -> Reach {
    let interface = match name {
        Some(name) => interfaces.iter().find(|interface| interface.name == name),
        // Loopback stands in where there is nothing else, and connects to nothing.
        None => interface::default_of(interfaces).filter(|interface| !interface.loopback),
    };
    interface.map_or(Reach::Nothing, Interface::reach)
}
