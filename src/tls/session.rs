//! One TLS or DTLS session.

use super::config::{Config, Offer};
use super::issuer::Stranger;
use super::time::Clock;
use super::{Transport, TransportKind, verify};
use crate::error::{Failure, Status};
use crate::log;
use mbed_cloud_connectivity_mbedtls::session::{Handshake, Read as RawRead, Write};
use mbed_cloud_connectivity_mbedtls::{self as mbedtls, Error, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// MBEDTLS_ERR_SSL_INVALID_RECORD: the header of a record is none.
const INVALID_RECORD: i32 = -0x7200;
/// MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE: well-formed, and not for this library or not now.
const UNEXPECTED_MESSAGE: i32 = -0x7700;
/// The longest datagram of a handshake, which has to pass everywhere: what every link of IPv6 carries (RFC 8200 section 5: 1280
/// bytes) less the headers of IPv6 (40) and UDP (8).
const HANDSHAKE_DATAGRAM_SIZE: u16 = 1280 - 40 - 8;

/// One TLS or DTLS session of a connection.
pub struct Session {
    session: mbedtls::Session,
    config: Arc<Config>,
    /// The earlier session that is offered over datagrams, as long as nobody has answered.
    offered: Option<Offer>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").finish_non_exhaustive()
    }
}

/// How far a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It is done.
    Done,
    /// It goes on when the transport can.
    Blocked,
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Bytes of one record.
    Data {
        /// How many.
        size: usize,
        /// Whether the record ends with them.
        end_of_record: bool,
    },
    /// Nothing until the transport can.
    Blocked,
}

impl Session {
    /// A session that resumes the latest one of the configuration, if there was one and the server agrees.
    pub fn new(config: &Arc<Config>, clock: Clock) -> Result<Self, Failure> {
        let mut session = mbedtls::Session::new(config.client.clone(), config.server_name()).map_err(setup_failure)?;
        match clock {
            Clock::Set(now) => session.set_time(Some(now)),
            Clock::Unset => {
                session.set_verify_hook(Box::new(|chain| verify::without_a_clock(|time| chain.flags_at(time))))
            }
        }
        if config.transport == TransportKind::Datagram {
            session.set_mtu(HANDSHAKE_DATAGRAM_SIZE);
            // So that the session goes on when a NAT gives this device another address (RFC 9146), where the server agrees.
            session.ask_for_connection_id().map_err(setup_failure)?;
        }
        let mut offered = config.take_saved();
        if let Some(offer) = &offered {
            // What cannot be resumed means a full handshake, which is what happens without it.
            let _ = session.resume(offer.session.as_ref());
        }
        if config.transport == TransportKind::Stream {
            offered = None;
        }
        Ok(Self { session, config: config.clone(), offered })
    }

    /// Goes on with the handshake.
    pub fn handshake(&mut self, transport: &mut dyn Transport) -> Result<Progress, Failure> {
        match self.session.handshake(transport) {
            Ok(Handshake::Done) => {
                if self.config.transport == TransportKind::Datagram {
                    // Messages may be as long as over UDP without DTLS; the network's layer cuts them up.
                    self.session.set_mtu(0);
                }
                self.offered = None;
                self.session.forget_certificates();
                self.remember();
                Ok(Progress::Done)
            }
            Ok(Handshake::WantRead | Handshake::WantWrite) => Ok(Progress::Blocked),
            Err(error) => {
                if !matches!(error.kind(), ErrorKind::Transport | ErrorKind::ConnectionReset | ErrorKind::Timeout) {
                    self.offered = None;
                }
                Err(self.handshake_failure(error))
            }
        }
    }

    /// How long until the handshake is to go on though nothing came in: DTLS sends again what may be lost.
    pub fn time_left(&self) -> Option<Duration> {
        self.session.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// What was agreed, for the log.
    pub fn agreed(&self) -> String {
        agreed(&self.session)
    }

    /// Whether the peer knows the session by its Connection ID, from whatever address its records come.
    pub fn can_move(&self) -> bool {
        self.session.is_established() && self.session.connection_id().is_some_and(|id| !id.is_empty())
    }

    /// The longest message that one record takes, in bytes.
    pub fn max_record_size(&self) -> usize {
        self.session.max_record_payload()
    }

    /// Reads bytes of one record.
    pub fn read(&mut self, transport: &mut dyn Transport, buffer: &mut [u8]) -> Result<Read, Failure> {
        match self.session.read(transport, buffer) {
            Ok(RawRead::Data { size, end_of_record }) => Ok(Read::Data { size, end_of_record }),
            Ok(RawRead::WantRead | RawRead::WantWrite) => Ok(Read::Blocked),
            Ok(RawRead::Closed | RawRead::EndOfFile) => Err(Status::ClosedByPeer.into()),
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Writes one record. When it is blocked, the call is to be repeated with the same bytes.
    pub fn write(&mut self, transport: &mut dyn Transport, bytes: &[u8]) -> Result<Progress, Failure> {
        match self.session.write(transport, bytes) {
            Ok(Write::Done(_)) => Ok(Progress::Done),
            Ok(Write::WantWrite) => Ok(Progress::Blocked),
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Says to the peer that nothing follows, without waiting, and keeps the session for the next one.
    pub fn close(&mut self, transport: &mut dyn Transport) {
        if self.session.is_established() {
            self.remember();
            // The rest of a record would go out before the alert, and its message arrive that is reported as not sent.
            if !self.session.has_pending_write() {
                let _ = self.session.close_notify(transport);
            }
        }
    }

    /// Keeps the session for the next one. In TLS 1.3 tickets come after the handshake, so that this is done at the end again.
    fn remember(&mut self) {
        if let Ok(Some(saved)) = self.session.save() {
            self.config.save(saved);
        }
    }

    fn handshake_failure(&self, error: Error) -> Failure {
        match error.kind() {
            ErrorKind::VerifyFailed => self.refusal(),
            // A server that proves itself by a certificate, while only a pre-shared key was given.
            ErrorKind::NoTrustedCertificates => Status::CertificateUntrusted.into(),
            ErrorKind::BadCertificate => Failure::with_detail(Status::CertificateRejected, error.code()),
            ErrorKind::BadMessage if error.code() == INVALID_RECORD && self.session.peer_certificates().is_empty() => {
                Failure::with_detail(Status::NotTls, error.code())
            }
            ErrorKind::Timeout => Status::HandshakeTimeout.into(),
            ErrorKind::ProtocolVersion => Failure::with_detail(Status::TlsVersion, error.code()),
            ErrorKind::FatalAlert | ErrorKind::ConnectionEof | ErrorKind::CloseNotify => self.failure(error),
            ErrorKind::ConnectionReset | ErrorKind::AllocationFailed | ErrorKind::InvalidMac => self.failure(error),
            _ => Failure::with_detail(Status::HandshakeFailed, error.code()),
        }
    }

    /// Why the server's certificate was not accepted.
    fn refusal(&self) -> Failure {
        let failure = verify::failure(self.session.verify_result());
        if failure.status != Status::CertificateUntrusted {
            return failure;
        }
        match Stranger::among(self.session.peer_certificates(), self.session.config().trusted()) {
            Some(stranger) => {
                log::warning(format_args!("{stranger}"));
                Failure { status: Status::Intercepted, ..failure }
            }
            None => failure,
        }
    }

    fn failure(&self, error: Error) -> Failure {
        let status = match error.kind() {
            ErrorKind::FatalAlert => {
                let number = self.session.last_alert().map_or(0, |alert| alert.description.into());
                return Failure::with_detail(Status::TlsAlert, number);
            }
            ErrorKind::ConnectionEof | ErrorKind::CloseNotify => return Status::ClosedByPeer.into(),
            ErrorKind::ConnectionReset => return Status::ConnectionReset.into(),
            ErrorKind::AllocationFailed => return Status::OutOfMemory.into(),
            ErrorKind::BadInput => Status::Internal,
            _ if error.code() == UNEXPECTED_MESSAGE => Status::TlsUnsupported,
            _ => Status::TlsRecord,
        };
        Failure::with_detail(status, error.code())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(offer) = self.offered.take() {
            self.config.give_back(offer);
        }
    }
}

/// What was agreed: the version, the cipher suite, the Connection ID, and whether an earlier session was resumed.
pub(super) fn agreed(session: &mbedtls::Session) -> String {
    let protocol = match session.transport_kind() {
        TransportKind::Stream => "TLS",
        TransportKind::Datagram => "DTLS",
    };
    let version = session.version().map_or(String::new(), |version| format!("{protocol} {version}"));
    let suite = session.cipher_suite().map_or("no cipher suite", |suite| suite.name());
    let id = session.connection_id().filter(|id| !id.is_empty());
    let id = id.map_or(String::new(), |id| format!(", Connection ID {} bytes", id.len()));
    let resumed = if session.is_resumed() { ", resumed" } else { "" };
    format!("{version}, {suite}{id}{resumed}")
}

fn setup_failure(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::AllocationFailed => Status::OutOfMemory.into(),
        ErrorKind::BadInput => Status::InvalidArgument.into(),
        _ => Failure::with_detail(Status::SystemFailed, error.code()),
    }
}
