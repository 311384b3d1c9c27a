//! What the surrounding application gives to TLS: its clock and its storage.

use crate::ffi::host;
use crate::net::clock;
use crate::tls::pal::Environment;
use crate::tls::secure_time::{AuthorityId, Strength};
use crate::tls::store::{Storage, Store};
use crate::tls::time::Clock;
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// The one that all sessions have.
pub(super) static ENVIRONMENT: Application = Application;

static STORE: OnceLock<Store> = OnceLock::new();

#[derive(Debug)]
pub(super) struct Application;

impl Environment for Application {
    fn clock(&self) -> Clock {
        let seconds = host::time().map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
        Clock::new(seconds.unwrap_or_else(clock::seconds_since_1970))
    }

    fn trusted_time_server(&self) -> Option<AuthorityId> {
        host::trusted_time_server()
    }

    fn set_time(&self, strength: Strength, time: i64) {
        let strength = match strength {
            Strength::Weak => host::Strength::Weak,
            Strength::Strong => host::Strength::Strong,
        };
        // A host without a clock, or that does not want the time, goes on as it was.
        let _ = host::set_time(strength, u64::try_from(time).unwrap_or(0));
    }

    fn store(&self) -> &Store {
        store()
    }
}

pub(super) fn store() -> &'static Store {
    STORE.get_or_init(|| Store::new(host::has_storage().then_some(&HostStorage as &dyn Storage)))
}

struct HostStorage;

impl Storage for HostStorage {
    fn read(&self) -> Option<Zeroizing<Vec<u8>>> {
        host::stored_session()
    }

    fn write(&self, bytes: &[u8]) -> bool {
        host::store_session(bytes)
    }

    fn delete(&self) -> bool {
        host::delete_session()
    }
}
