//! Lookups of names that call back, and can be cancelled at any moment.

use super::{RUNNING, Refusal, lock, running};
use crate::error::Failure;
use crate::memory;
use crate::net::gate::Gate;
use crate::net::notifier::Notifier;
use crate::net::resolver::{self, Waiting};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Takes the answer, on the layer's thread.
pub type Answer = Box<dyn FnOnce(Result<Vec<SocketAddr>, Failure>) + Send>;

/// Lookups whose answer has not been told, those that were cancelled among them: whoever cancels one once more also waits for it.
static PENDING: Mutex<BTreeMap<usize, Arc<Gate>>> = Mutex::new(BTreeMap::new());

static NEXT_NUMBER: AtomicUsize = AtomicUsize::new(1);

/// A place in [`PENDING`], which goes with it.
struct Place(usize);

struct Asking {
    place: Place,
    gate: Arc<Gate>,
    notifier: Weak<Notifier>,
    answer: Answer,
}

/// Looks a name up on a thread of its own. `number` is told the lookup's number, which is not 0, before the answer can come.
pub fn begin(name: String, number: impl FnOnce(usize), answer: Answer) -> Result<(), Refusal> {
    let notifier = Arc::downgrade(&running()?);
    memory::spare()?;
    let gate = Arc::new(Gate::new());
    let place = Place::take(&gate);
    number(place.0);
    resolver::look_up(name, 0, Box::new(Asking { place, gate, notifier, answer }));
    Ok(())
}

/// Cancels a lookup: its answer is not told any more. Waits for one that is being told, unless this is a callback. A number that
/// is no lookup's, or not any more, is none.
pub fn cancel(number: usize) {
    let gate = lock(&PENDING).get(&number).cloned();
    if let Some(gate) = gate {
        gate.close();
        resolver::given_up();
        gate.shut();
    }
}

/// Cancels all of them; what it gives waits for those that are being told.
pub(super) fn forget_all() -> impl FnOnce() {
    let gates: Vec<_> = lock(&PENDING).values().cloned().collect();
    for gate in &gates {
        gate.close();
    }
    move || {
        resolver::given_up();
        gates.iter().for_each(|gate| gate.shut());
    }
}

impl Place {
    fn take(gate: &Arc<Gate>) -> Self {
        let mut pending = lock(&PENDING);
        loop {
            let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
            // The numbers are 32 bits on some systems: one that is still in use is passed over.
            if number != 0 && !pending.contains_key(&number) {
                pending.insert(number, gate.clone());
                return Self(number);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&PENDING).remove(&self.0);
    }
}

impl Waiting for Asking {
    fn is_wanted(&self) -> bool {
        self.gate.is_open()
    }

    fn done(self: Box<Self>, result: Result<Vec<SocketAddr>, Failure>) {
        let Self { place, gate, notifier, answer } = *self;
        let job = Box::new(move || {
            gate.pass(|| answer(result));
            // Only now: until here it can be cancelled.
            drop(place);
        });
        // Under the lock, without a reference of its own: that would keep the layer's descriptors beyond its end.
        let running = lock(&RUNNING);
        if let Some(running) = running.as_ref().filter(|running| Arc::as_ptr(running) == notifier.as_ptr()) {
            running.post(job);
        }
    }
}
