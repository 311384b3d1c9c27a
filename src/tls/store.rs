//! Where sessions are kept: those of TLS to be resumed, those of DTLS with a Connection ID to go on.
//!
//! Key material stays in buffers that are wiped when they are dropped.

use crate::lock::lock;
use mbed_cloud_connectivity_mbedtls::config::ClientConfig;
use mbed_cloud_connectivity_mbedtls::session::SavedSession;
use mbed_cloud_connectivity_mbedtls::{Error, ErrorKind, Session};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use zeroize::Zeroizing;

/// One item of the application's own storage.
pub trait Storage: Send + Sync {
    /// What it holds; none: it is not there.
    fn read(&self) -> Option<Zeroizing<Vec<u8>>>;
    /// Puts it there; one that is there is not replaced. False where that failed.
    fn write(&self, bytes: &[u8]) -> bool;
    /// Removes it. False where it may still be there.
    fn delete(&self) -> bool;
}

/// A hash over whom a session trusts, who it is, and whom it is for.
pub type Identity = [u8; 32];

/// Without storage this many sessions of TLS are remembered, of as many identities.
const MAX_REMEMBERED: usize = 16;

/// A session that several may know of.
#[derive(Debug)]
pub struct Context {
    session: Mutex<Session>,
    identity: Identity,
    in_use: AtomicBool,
    /// Its state stands in storage, and no record has gone out since.
    is_stored: AtomicBool,
}

impl Context {
    /// A session in use.
    pub fn new(session: Session) -> Arc<Self> {
        let identity = *session.config().fingerprint();
        let (in_use, is_stored) = (AtomicBool::new(true), AtomicBool::new(false));
        Arc::new(Self { session: Mutex::new(session), identity, in_use, is_stored })
    }

    /// The session, for one caller at a time.
    pub fn lock(&self) -> MutexGuard<'_, Session> {
        lock(&self.session)
    }
}

/// Where sessions are kept.
pub struct Store {
    storage: Option<&'static dyn Storage>,
    memory: Mutex<Memory>,
}

struct Memory {
    /// The process that this is the memory of.
    process: u32,
    /// The latest last.
    contexts: Vec<Arc<Context>>,
    /// In a child of fork(2), those that its parent goes on with: here nobody begins to use them.
    of_parent: Vec<Arc<Context>>,
    /// Whose state stands in storage, if it lives: kept, or in use by a session and kept no more.
    stored: Weak<Context>,
    sessions: Vec<(Identity, SavedSession)>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// One that keeps things in storage, or without any in memory.
    pub const fn new(storage: Option<&'static dyn Storage>) -> Self {
        let memory = Memory {
            process: 0,
            contexts: Vec::new(),
            of_parent: Vec::new(),
            stored: Weak::new(),
            sessions: Vec::new(),
        };
        Self { storage, memory: Mutex::new(memory) }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        let mut memory = lock(&self.memory);
        let process = std::process::id();
        if memory.process != process {
            memory.process = process;
            // Two processes that go on with one session use its record numbers twice.
            let contexts = std::mem::take(&mut memory.contexts);
            memory.of_parent.extend(contexts);
        }
        memory
    }

    /// The TLS session to resume under this identity. What storage holds may be of another one: whoever resumes it finds out.
    pub fn session(&self, identity: &Identity) -> Option<SavedSession> {
        let memory = self.memory();
        match self.storage {
            Some(storage) => Item::read(storage).session.map(SavedSession::from_bytes),
            None => memory.sessions.iter().find(|(other, _)| other == identity).map(|(_, saved)| saved.clone()),
        }
    }

    /// Keeps the latest TLS session of an identity.
    pub fn keep_session(&self, identity: &Identity, saved: SavedSession) {
        let mut memory = self.memory();
        if let Some(storage) = self.storage {
            let mut item = Item::read(storage);
            // A flash wears out by what is written.
            if item.session.as_deref().map(Vec::as_slice) != Some(saved.as_ref()) {
                item.session = Some(saved.into_bytes());
                item.replace(storage);
            }
            return;
        }
        memory.sessions.retain(|(other, _)| other != identity);
        if memory.sessions.len() == MAX_REMEMBERED {
            memory.sessions.remove(0);
        }
        memory.sessions.push((*identity, saved));
    }

    /// Keeps a datagram session, in place of an earlier one of its identity.
    pub fn keep_context(&self, context: &Arc<Context>) {
        let mut memory = self.memory();
        memory.contexts.retain(|other| other.identity != context.identity);
        memory.contexts.push(context.clone());
    }

    /// The kept datagram session of a configuration, which nobody else uses. One from storage is deleted there.
    pub fn take_context(&self, config: &Arc<ClientConfig>) -> Option<Arc<Context>> {
        let mut memory = self.memory();
        let identity = config.fingerprint();
        if let Some(context) = memory.contexts.iter().find(|context| context.identity == *identity) {
            // One that is in use is not used twice, and what is stored of it neither.
            return (!context.in_use.swap(true, Ordering::SeqCst)).then(|| context.clone());
        }
        // What is stored is the state of a session that lives: to load it too would use record numbers twice.
        if memory.stored.upgrade().is_some() {
            return None;
        }
        let storage = self.storage?;
        let mut item = Item::read(storage);
        let stored = item.context.take()?;
        match Session::restore(config.clone(), &stored) {
            // One that stays in storage could be loaded once more.
            Ok(session) if item.replace(storage) != Outcome::Unchanged => {
                let context = Context::new(session);
                memory.contexts.push(context.clone());
                Some(context)
            }
            Err(error) if error.kind() == ErrorKind::BadInput => {
                item.replace(storage);
                None
            }
            // That of another identity is left to it.
            _ => None,
        }
    }

    /// Whether a datagram session is kept to go on later.
    pub fn is_kept(&self, context: &Arc<Context>) -> bool {
        self.memory().keeps(context)
    }

    /// Says that a session is not in use any more. True: it is kept.
    pub fn release(&self, context: &Arc<Context>) -> bool {
        // Whoever goes on with it does not know the bytes that wait.
        if context.lock().has_pending_write() {
            self.forget(context);
        }
        let memory = self.memory();
        context.in_use.store(false, Ordering::SeqCst);
        memory.keeps(context)
    }

    /// Keeps a datagram session no more, in memory and in storage: it is over.
    pub fn forget(&self, context: &Arc<Context>) {
        let mut memory = self.memory();
        memory.contexts.retain(|other| !Arc::ptr_eq(other, context));
        memory.of_parent.retain(|other| !Arc::ptr_eq(other, context));
        if context.is_stored.load(Ordering::SeqCst) {
            self.delete_stored_context(&mut memory);
        }
    }

    /// Has to be called before a record goes out: what was stored of this session must not be used any more. False where it may
    /// still be there: then the record has to wait, and the session is kept no more, so that the next one is not held up.
    pub fn about_to_send(&self, context: &Arc<Context>) -> bool {
        if !context.is_stored.load(Ordering::SeqCst) {
            return true;
        }
        let mut memory = self.memory();
        let may_send = self.delete_stored_context(&mut memory);
        if !may_send {
            memory.contexts.retain(|other| !Arc::ptr_eq(other, context));
        }
        may_send
    }

    /// Writes the state of the latest datagram session to storage, where there is storage.
    pub fn store_latest_context(&self) -> Result<(), Error> {
        let (Some(storage), Some(latest)) = (self.storage, self.latest()) else { return Ok(()) };
        // The order of these two locks is that of whoever sends.
        let mut session = latest.lock();
        let mut memory = self.memory();
        let saved = session.suspend()?;
        let mut item = Item::read(storage);
        item.context = Some(saved.into_bytes());
        match item.replace(storage) {
            Outcome::Unchanged => {}
            Outcome::Removed => memory.nothing_is_stored(),
            Outcome::Done => {
                memory.nothing_is_stored();
                memory.stored = Arc::downgrade(&latest);
                latest.is_stored.store(true, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    /// Forgets the latest datagram session, in memory alone, or in storage as well.
    pub fn forget_latest_context(&self, in_storage: bool) {
        let mut memory = self.memory();
        let forgotten = memory.contexts.pop();
        if in_storage {
            self.delete_stored_context(&mut memory);
        }
        drop(memory);
        drop(forgotten);
    }

    /// Whether there is a datagram session that can go on.
    pub fn has_context(&self) -> bool {
        let memory = self.memory();
        !memory.contexts.is_empty() || self.storage.is_some_and(|storage| Item::read(storage).context.is_some())
    }

    /// The latest datagram session in memory.
    pub fn latest(&self) -> Option<Arc<Context>> {
        self.memory().contexts.last().cloned()
    }

    /// With the memory's lock held: reading and writing the item is one step. False where a context may still be stored.
    fn delete_stored_context(&self, memory: &mut Memory) -> bool {
        let is_gone = self.storage.is_none_or(|storage| match Item::try_read(storage) {
            Some(Item { context: None, .. }) => true,
            Some(item) => Item { context: None, ..item }.replace(storage) != Outcome::Unchanged,
            // It could be there and not be readable now.
            None => storage.delete(),
        });
        if is_gone {
            memory.nothing_is_stored();
        }
        is_gone
    }
}

impl Memory {
    /// One of the parent is kept there.
    fn keeps(&self, context: &Arc<Context>) -> bool {
        self.contexts.iter().chain(&self.of_parent).any(|other| Arc::ptr_eq(other, context))
    }

    fn nothing_is_stored(&mut self) {
        if let Some(context) = std::mem::take(&mut self.stored).upgrade() {
            context.is_stored.store(false, Ordering::SeqCst);
        }
    }
}

/// What the one item of storage holds. Each part has its own checksum inside, and says to whom it belongs.
#[derive(Default)]
struct Item {
    session: Option<Zeroizing<Vec<u8>>>,
    context: Option<Zeroizing<Vec<u8>>>,
}

/// Magic and version of the form; then for each part its tag, its size in four bytes, and itself.
const ITEM_HEAD: &[u8; 8] = b"MCCITEM\x01";
const SESSION_TAG: u8 = 1;
const CONTEXT_TAG: u8 = 2;

/// What became of the item in storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The earlier one may still be there.
    Unchanged,
    /// The earlier one is gone, and the new one is not there.
    Removed,
    /// As it was to be.
    Done,
}

impl Item {
    /// What cannot be read is as if it were not there.
    fn read(storage: &dyn Storage) -> Self {
        Self::try_read(storage).unwrap_or_default()
    }

    fn try_read(storage: &dyn Storage) -> Option<Self> {
        storage.read().and_then(|bytes| Self::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(ITEM_HEAD)?;
        let mut item = Self::default();
        while let Some((tag, after)) = rest.split_first() {
            let (size, after) = after.split_first_chunk::<4>()?;
            let (part, after) = after.split_at_checked(u32::from_be_bytes(*size) as usize)?;
            let part = Some(Zeroizing::new(part.to_vec()));
            match *tag {
                SESSION_TAG => item.session = part,
                CONTEXT_TAG => item.context = part,
                _ => return None,
            }
            rest = after;
        }
        Some(item)
    }

    /// Puts it in place of the one in storage.
    fn replace(&self, storage: &dyn Storage) -> Outcome {
        let earlier = if storage.delete() { Outcome::Removed } else { Outcome::Unchanged };
        let mut bytes = Zeroizing::new(Vec::new());
        let parts = [(SESSION_TAG, &self.session), (CONTEXT_TAG, &self.context)];
        let size: usize = parts.iter().filter_map(|(_, part)| Some(part.as_ref()?.len() + 5)).sum();
        if size == 0 {
            return if earlier == Outcome::Removed { Outcome::Done } else { earlier };
        }
        // Reserved at once: a buffer that grows leaves its content behind.
        bytes.reserve_exact(ITEM_HEAD.len() + size);
        bytes.extend_from_slice(ITEM_HEAD);
        for (tag, part) in parts.iter().filter_map(|(tag, part)| Some((tag, part.as_ref()?))) {
            bytes.push(*tag);
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        if storage.write(&bytes) { Outcome::Done } else { earlier }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Shelf(Mutex<Option<Vec<u8>>>);

    impl Storage for Shelf {
        fn read(&self) -> Option<Zeroizing<Vec<u8>>> {
            lock(&self.0).clone().map(Zeroizing::new)
        }

        fn write(&self, bytes: &[u8]) -> bool {
            let mut item = lock(&self.0);
            item.is_none() && item.replace(bytes.to_vec()).is_none()
        }

        fn delete(&self) -> bool {
            *lock(&self.0) = None;
            true
        }
    }

    fn part(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        Some(Zeroizing::new(bytes.to_vec()))
    }

    #[test]
    fn the_parts_of_an_item_are_kept_apart() {
        let shelf = Shelf::default();
        assert_eq!(Item { session: part(b"tls"), context: None }.replace(&shelf), Outcome::Done);
        let mut item = Item::read(&shelf);
        item.context = part(b"dtls");
        assert_eq!(item.replace(&shelf), Outcome::Done);
        let item = Item::read(&shelf);
        assert_eq!((item.session, item.context), (part(b"tls"), part(b"dtls")));
        assert_eq!(Item::default().replace(&shelf), Outcome::Done);
        assert_eq!(*lock(&shelf.0), None, "nothing is left behind");
    }

    #[test]
    fn an_item_that_is_cut_or_damaged_is_read_without_harm() {
        let shelf = Shelf::default();
        assert_eq!(Item { session: part(b"tls"), context: part(b"dtls") }.replace(&shelf), Outcome::Done);
        let whole = lock(&shelf.0).clone().unwrap();
        for size in 0..whole.len() {
            let cut = Item::parse(&whole[..size]);
            let kept = [ITEM_HEAD.len(), ITEM_HEAD.len() + 8].contains(&size);
            assert_eq!(cut.is_some(), kept, "cut at {size}");
        }
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            let _ = Item::parse(&damaged);
        }
        assert!(Item::parse(b"somebody else's").is_none());
    }

    #[test]
    fn without_storage_the_latest_sessions_are_remembered() {
        let store = Store::new(None);
        for number in 0..=MAX_REMEMBERED {
            let identity = [u8::try_from(number).unwrap(); 32];
            store.keep_session(&identity, SavedSession::from_bytes(Zeroizing::new(vec![0; number])));
        }
        assert!(store.session(&[0; 32]).is_none(), "the oldest made room");
        assert_eq!(store.session(&[1; 32]).unwrap().as_ref().len(), 1);
    }
}
