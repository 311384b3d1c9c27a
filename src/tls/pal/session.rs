//! One session of a configuration.

use super::configuration::Basis;
use super::{Configuration, Reasons, Refusal};
use crate::lock::lock;
use crate::log;
use crate::tls::Transport;
use crate::tls::secure_time::{self, AuthorityId, Decision, Strength};
use crate::tls::session::agreed;
use crate::tls::store::{Context, Store};
use crate::tls::time::Clock;
use mbed_cloud_connectivity_mbedtls::config::TransportKind;
use mbed_cloud_connectivity_mbedtls::session::{Handshake, Read, Write};
use mbed_cloud_connectivity_mbedtls::{self as mbedtls, Error, ErrorKind, VerifyFlags};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Records without data that one call passes over before it lets the caller do something else.
const EMPTY_RECORDS: usize = 16;

/// What a session has beside its peer.
pub trait Environment: Send + Sync {
    /// This device's clock.
    fn clock(&self) -> Clock;
    /// The authority of the trusted time server, if there is one.
    fn trusted_time_server(&self) -> Option<AuthorityId>;
    /// Tells this device's clock a time, in seconds since 1970.
    fn set_time(&self, strength: Strength, time: i64);
    /// Where sessions are kept.
    fn store(&self) -> &Store;
}

/// Carries the bytes of a session, and calls its user back.
pub trait Channel: Transport {
    /// Has the user called back soon though nothing may have come.
    fn call_back_soon(&mut self);
}

/// A session.
pub struct Session {
    configuration: Arc<Configuration>,
    environment: &'static dyn Environment,
    /// A session only to see whether the server answers: it never goes on with a kept one.
    is_server_ping: bool,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// There from the first handshake on.
    active: Option<Active>,
}

enum Phase {
    /// In a handshake, or before it.
    Handshake,
    /// The chain was judged at the server's time: the next call tells that to this device's clock.
    ServerTime(Strength, i64),
    Established,
    Failed(Refusal),
}

struct Active {
    context: Arc<Context>,
    basis: Basis,
    decision: Arc<Mutex<Option<Decision>>>,
    verdict: VerifyFlags,
}

/// What a handshake came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Done, or why not.
    pub result: Result<(), Refusal>,
    /// When the next call is due though nothing came.
    pub deadline: Option<Instant>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// A session that has sent nothing.
    pub fn new(configuration: Arc<Configuration>, environment: &'static dyn Environment, is_server_ping: bool) -> Self {
        let state = Mutex::new(State { phase: Phase::Handshake, active: None });
        Self { configuration, environment, is_server_ping, state }
    }

    /// Goes on with the handshake. `skip_resume`: neither goes on with a kept session nor resumes one.
    ///
    /// `server_time` is told the time that this device's clock is set to by the next call, before the channel calls back.
    pub fn handshake(
        &self,
        channel: &mut impl Channel,
        skip_resume: bool,
        mut server_time: impl FnMut(u64),
    ) -> Progress {
        let mut state = lock(&self.state);
        let result = match state.phase {
            Phase::Established => Ok(None),
            Phase::Failed(refusal) => Err(refusal),
            Phase::ServerTime(strength, time) => {
                state.phase = Phase::Established;
                Ok(Some((strength, time)))
            }
            Phase::Handshake => self.shake_hands(&mut state, channel, skip_resume, &mut server_time),
        };
        let deadline = match (&state.phase, &state.active) {
            (Phase::Handshake, Some(active)) => active.context.lock().deadline(),
            _ => None,
        };
        // Whoever is told may look at this session, or close its socket.
        drop(state);
        if let Ok(Some((strength, time))) = result {
            self.environment.set_time(strength, time);
        }
        Progress { result: result.map(|_| ()), deadline }
    }

    /// When it is done: the time that this device's clock is to be told.
    fn shake_hands(
        &self,
        state: &mut State,
        channel: &mut impl Channel,
        skip_resume: bool,
        server_time: &mut dyn FnMut(u64),
    ) -> Result<Option<(Strength, i64)>, Refusal> {
        if state.active.is_none() {
            super::spare()?;
            let basis = self.configuration.basis()?;
            if let Some(context) = self.kept_context(&basis, skip_resume) {
                log::info(format_args!("DTLS goes on with a kept session, without a handshake"));
                let (decision, verdict) = (Arc::default(), VerifyFlags::NONE);
                state.active = Some(Active { context, basis, decision, verdict });
                state.phase = Phase::Established;
                return Ok(None);
            }
            state.active = Some(self.begin(basis, skip_resume)?);
        }
        let Some(active) = &mut state.active else { return Err(Refusal::Other) };
        let context = active.context.clone();
        let mut session = context.lock();
        let progress = session.handshake(channel);
        if active.basis.is_debugging {
            log::info(format_args!("the TLS handshake came to {progress:?}"));
        }
        match progress {
            Ok(Handshake::WantRead) => Err(Refusal::WantRead),
            Ok(Handshake::WantWrite) => Err(Refusal::WantWrite),
            Ok(Handshake::Done) => {
                active.verdict = session.verify_result();
                log::info(format_args!("{}", agreed(&session)));
                session.forget_certificates();
                self.keep(&active.basis, &context, &mut session);
                let decision = lock(&active.decision).take();
                state.phase = Phase::Established;
                match decision {
                    Some(Decision { judged_at: Some(_), pass_on: Some((strength, time)), .. }) => {
                        state.phase = Phase::ServerTime(strength, time);
                        server_time(u64::try_from(time).unwrap_or(0));
                        channel.call_back_soon();
                        Err(Refusal::WantRead)
                    }
                    Some(Decision { pass_on, .. }) => Ok(pass_on),
                    None => Ok(None),
                }
            }
            Err(error) => {
                active.verdict = match error.kind() {
                    ErrorKind::NoTrustedCertificates => VerifyFlags::BADCERT_NOT_TRUSTED,
                    _ => session.verify_result(),
                };
                let refusal = Refusal::of(error, true);
                log::warning(format_args!("the TLS handshake failed: {}", reason(&session, error, active.verdict)));
                state.phase = Phase::Failed(refusal);
                Err(refusal)
            }
        }
    }

    /// The session to go on with, which needs no handshake.
    fn kept_context(&self, basis: &Basis, skip_resume: bool) -> Option<Arc<Context>> {
        let wanted = basis.is_storing && !skip_resume && !self.is_server_ping;
        if !wanted || self.configuration.kind() == TransportKind::Stream {
            return None;
        }
        let context = self.environment.store().take_context(&basis.client)?;
        context.lock().forget_certificates();
        Some(context)
    }

    fn begin(&self, basis: Basis, skip_resume: bool) -> Result<Active, Refusal> {
        let setup = |error| Refusal::of(error, false);
        let mut session = mbedtls::Session::new(basis.client.clone(), basis.server_name()).map_err(setup)?;
        let decision = Arc::new(Mutex::new(None));
        let (decided, environment) = (decision.clone(), self.environment);
        session.set_verify_hook(Box::new(move |chain| {
            let decision = secure_time::decide(chain, environment.clock(), environment.trusted_time_server());
            *lock(&decided) = Some(decision);
            decision.flags
        }));
        match self.configuration.kind() {
            TransportKind::Datagram => session.ask_for_connection_id().map_err(setup)?,
            TransportKind::Stream if basis.is_storing && !skip_resume => {
                if let Some(saved) = self.environment.store().session(basis.client.fingerprint()) {
                    // What cannot be resumed means a full handshake, which is what happens without it.
                    let _ = session.resume(saved.as_ref());
                }
            }
            TransportKind::Stream => {}
        }
        let context = Context::new(session);
        Ok(Active { context, basis, decision, verdict: VerifyFlags::NONE })
    }

    /// Keeps what a later session can use.
    fn keep(&self, basis: &Basis, context: &Arc<Context>, session: &mut mbedtls::Session) {
        match self.configuration.kind() {
            TransportKind::Datagram if session.connection_id().is_some() => {
                self.environment.store().keep_context(context);
            }
            TransportKind::Stream if basis.is_storing => self.keep_session(basis, session),
            _ => {}
        }
    }

    fn keep_session(&self, basis: &Basis, session: &mut mbedtls::Session) {
        if let Ok(Some(saved)) = session.save() {
            self.environment.store().keep_session(basis.client.fingerprint(), saved);
        }
    }

    /// Reads bytes of one record.
    pub fn read(&self, channel: &mut dyn Channel, buffer: &mut [u8]) -> Result<usize, Refusal> {
        let state = lock(&self.state);
        let active = state.established()?;
        let mut session = active.context.lock();
        let mut guarded = Guarded { channel, store: self.environment.store(), context: &active.context };
        for _ in 0..EMPTY_RECORDS {
            let read = session.read(&mut guarded, buffer);
            if session.has_new_ticket() && active.basis.is_storing {
                self.keep_session(&active.basis, &mut session);
            }
            return match read {
                Ok(Read::Data { size: 0, .. }) => continue,
                Ok(Read::Data { size, .. }) => Ok(size),
                Ok(Read::WantRead) => Err(Refusal::WantRead),
                Ok(Read::WantWrite) => Err(Refusal::WantWrite),
                Ok(Read::Closed) => {
                    self.environment.store().forget(&active.context);
                    Err(Refusal::CloseNotify)
                }
                Ok(Read::EndOfFile) => Err(Refusal::EndOfFile),
                Err(error) => Err(self.failed("read", active, &session, error)),
            };
        }
        channel.call_back_soon();
        Err(Refusal::WantRead)
    }

    /// Writes one record, and says how many bytes it took.
    pub fn write(&self, channel: &mut dyn Channel, bytes: &[u8]) -> Result<usize, Refusal> {
        let state = lock(&self.state);
        let active = state.established()?;
        let mut session = active.context.lock();
        let mut guarded = Guarded { channel, store: self.environment.store(), context: &active.context };
        match session.write(&mut guarded, bytes) {
            Ok(Write::Done(size)) => Ok(size),
            Ok(Write::WantWrite) => Err(Refusal::WantWrite),
            Err(error) => Err(self.failed("write", active, &session, error)),
        }
    }

    fn failed(&self, what: &str, active: &Active, session: &mbedtls::Session, error: Error) -> Refusal {
        log::warning(format_args!("TLS could not {what}: {}", reason(session, error, VerifyFlags::NONE)));
        if !session.is_established() {
            self.environment.store().forget(&active.context);
        }
        Refusal::of(error, false)
    }

    /// Ends it, unless it is kept to go on later: says so to the peer, once, without waiting, where it has a channel.
    pub fn close(&self, channel: Option<&mut dyn Channel>) {
        self.end(channel, Refusal::BadInput);
    }

    /// Its channel is about to go, or (none) has gone: it ends, unless it is kept and can go on over another one.
    pub fn channel_closes(&self, channel: Option<&mut dyn Channel>) {
        let is_kept =
            lock(&self.state).active.as_ref().is_some_and(|active| self.environment.store().is_kept(&active.context));
        if !is_kept {
            self.end(channel, Refusal::Other);
        }
    }

    /// What is asked of it from now on is refused so.
    fn end(&self, channel: Option<&mut dyn Channel>, refusal: Refusal) {
        let mut state = lock(&self.state);
        let was = std::mem::replace(&mut state.phase, Phase::Failed(refusal));
        let Some(active) = &state.active else { return };
        let is_kept = self.environment.store().release(&active.context);
        let Some(channel) = channel else { return };
        if matches!(was, Phase::Established | Phase::ServerTime(..)) && !is_kept {
            let mut guarded = Guarded { channel, store: self.environment.store(), context: &active.context };
            let _ = active.context.lock().close_notify(&mut guarded);
        }
    }

    /// Why the peer's certificates were refused.
    pub fn reasons(&self) -> Reasons {
        lock(&self.state).active.as_ref().map_or(Reasons::default(), |active| active.verdict.into())
    }

    /// The Connection ID that its records carry, if one was agreed on.
    pub fn connection_id(&self) -> Option<Vec<u8>> {
        lock(&self.state).active.as_ref().and_then(|active| active.context.lock().connection_id())
    }

    /// Puts another Connection ID, of 0 to 32 bytes, into its records.
    pub fn replace_connection_id(&self, id: &[u8]) -> Result<(), Refusal> {
        let state = lock(&self.state);
        let mut session = state.established()?.context.lock();
        session.replace_connection_id(id).map_err(|error| Refusal::of(error, false))
    }
}

impl State {
    fn established(&self) -> Result<&Active, Refusal> {
        match (&self.phase, &self.active) {
            (Phase::Established, Some(active)) => Ok(active),
            (Phase::Failed(refusal), _) => Err(*refusal),
            _ => Err(Refusal::BadInput),
        }
    }
}

/// A channel that has what is stored of the session forgotten before a record goes out: no record number is used twice.
struct Guarded<'a> {
    channel: &'a mut dyn Channel,
    store: &'a Store,
    context: &'a Arc<Context>,
}

impl Transport for Guarded<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.store.about_to_send(self.context) {
            return Err(io::Error::other("what is stored of this session cannot be deleted"));
        }
        self.channel.send(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.channel.receive(buffer)
    }
}

fn reason(session: &mbedtls::Session, error: Error, verdict: VerifyFlags) -> String {
    match (error.kind(), session.last_alert()) {
        (ErrorKind::VerifyFailed | ErrorKind::NoTrustedCertificates, _) => verdict.to_string(),
        (ErrorKind::FatalAlert, Some(alert)) => format!("the peer sent the alert {}", alert.name()),
        _ => error.to_string(),
    }
}
