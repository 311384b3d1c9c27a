//! Tells when an interface becomes usable, or stops being so.

use super::{NETWORK_TOKEN, RUNNING, Refusal, lock};
use crate::net::gate::Gate;
use crate::net::interface::{self, Interface, Reach};
use crate::net::notifier::Notifier;
use crate::net::reactor::Interest;
use crate::net::watch::Watch;
use crate::{log, memory};
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
    /// Those that have ended too, while their callbacks run: whoever ends them once more waits as well.
    all: Vec<Arc<Subscription>>,
    /// There while somebody is told.
    watch: Option<Arc<Watch>>,
}

static SUBSCRIPTIONS: Mutex<Subscriptions> = Mutex::new(Subscriptions { all: Vec::new(), watch: None });

impl Subscriptions {
    fn of(&self, number: usize) -> Vec<Arc<Subscription>> {
        self.all.iter().filter(|subscription| subscription.number == number).cloned().collect()
    }
}

/// Has `callback` called when an interface gets better (true: it has a link and an address, or its first address that reaches beyond
/// the link) or worse (false). It takes the place of the earlier callback of the same number, which stays if this fails.
///
/// `interface` says which one the number stands for, under the lock under which [`unsubscribe_if`] asks its question.
pub fn subscribe<Error: From<Refusal>>(
    number: usize,
    interface: impl FnOnce() -> Result<Option<String>, Error>,
    callback: Callback,
) -> Result<(), Error> {
    // Held meanwhile: whoever stops the thread then forgets this one too.
    let running = lock(&RUNNING);
    let mut subscriptions = lock(&SUBSCRIPTIONS);
    let interface = interface()?;
    let notifier = running.as_ref().filter(|running| running.is_of_this_process()).ok_or(Refusal::NotStarted)?;
    memory::spare().map_err(Refusal::from)?;
    let (watch, reach) = watched(notifier, subscriptions.watch.as_ref(), interface.as_deref())?;
    subscriptions.watch = Some(watch);
    // In one step: of two threads that do this at once, one takes the other's place.
    let ended = subscriptions.of(number);
    let (reach, gate) = (Mutex::new(reach), Gate::new());
    subscriptions.all.push(Arc::new(Subscription { number, interface, reach, gate, callback }));
    drop((subscriptions, running));
    shut(ended);
    Ok(())
}

/// A watch of the interfaces, and how far this one reaches.
fn watched(
    notifier: &Notifier,
    watch: Option<&Arc<Watch>>,
    interface: Option<&str>,
) -> Result<(Arc<Watch>, Reach), Refusal> {
    let watch = match watch {
        Some(watch) => watch.clone(),
        None => {
            let watch = Arc::new(Watch::open()?);
            notifier.registrar().add(&*watch, NETWORK_TOKEN, Interest::Read)?;
            watch
        }
    };
    // Looked at once changes are told: none is missed.
    let reach = reach_of(interface, &interface::list()?);
    Ok((watch, reach))
}

/// Ends the callback of this number: when this returns it does not run and will not begin, unless this is that callback.
pub fn unsubscribe(number: usize) {
    unsubscribe_if(number, || true);
}

/// The same, if `is_to_end` says so; gives what it says. No callback of this number is set between the question and the end.
pub fn unsubscribe_if(number: usize, is_to_end: impl FnOnce() -> bool) -> bool {
    let subscriptions = lock(&SUBSCRIPTIONS);
    if !is_to_end() {
        return false;
    }
    let ended = subscriptions.of(number);
    drop(subscriptions);
    shut(ended);
    true
}

/// Ends all of them; what it gives waits for those that run.
pub(super) fn forget_all() -> impl FnOnce() {
    let mut subscriptions = lock(&SUBSCRIPTIONS);
    let ended = subscriptions.all.clone();
    subscriptions.watch = None;
    for subscription in &ended {
        subscription.gate.close();
    }
    || shut(ended)
}

/// Without the lock: a callback that is waited for may want it.
fn shut(ended: Vec<Arc<Subscription>>) {
    for subscription in ended {
        subscription.gate.shut();
    }
    sweep();
}

/// Drops those that have ended.
fn sweep() {
    let mut subscriptions = lock(&SUBSCRIPTIONS);
    subscriptions.all.retain(|subscription| subscription.gate.is_open() || subscription.gate.is_passed_now());
    if subscriptions.all.is_empty() {
        subscriptions.watch = None;
    }
}

/// The system has told of a change. On the layer's thread.
pub(super) fn network_changed() {
    let subscriptions = lock(&SUBSCRIPTIONS);
    let all = subscriptions.all.clone();
    if let Some(watch) = &subscriptions.watch {
        while !watch.drain() {}
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
    // For those that have ended in their own callbacks.
    sweep();
}

fn reach_of(name: Option<&str>, interfaces: &[Interface]) -> Reach {
    let interface = match name {
        Some(name) => interfaces.iter().find(|interface| interface.name == name),
        // Loopback stands in where there is nothing else, and connects to nothing.
        None => interface::default_of(interfaces).filter(|interface| !interface.loopback),
    };
    interface.map_or(Reach::Nothing, Interface::reach)
}
