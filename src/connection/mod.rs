//! The state machine of a connection that stays up. No socket, no thread, no clock.
//!
//! The contract: [`Connection::handle`] an input, then drain [`Connection::poll_output`] until it says [`Output::Wait`]. The caller
//! says what time it is, as a [`Duration`] since any fixed moment that never goes back. When the time of the latest `Wait` has come,
//! drain again. `net::driver` turns the outputs into system calls; the tests' virtual network is the other driver.

pub mod addresses;
pub mod backoff;
pub mod endpoint;
mod machine;
pub mod networks;
#[cfg(test)]
mod tests;

use crate::coap::framing::Framing;
use crate::error::Failure;
use crate::keepalive;
use endpoint::Host;
pub use machine::Connection;
use networks::{Network, Networks};
use std::net::SocketAddr;
use std::time::Duration;

/// What carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A stream.
    Tcp,
    /// Datagrams.
    Udp,
}

/// Where to connect to and how. The ranges are checked by who takes them from the application.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// The port that is tried when that one is refused, filtered or intercepted; whichever worked is tried first the next time.
    pub alternative_port: Option<u16>,
    /// What carries the messages.
    pub transport: Transport,
    /// Whether TLS, over datagrams DTLS, stands between.
    pub secure: bool,
    /// How messages are told apart.
    pub framing: Framing,
    /// When to ping.
    pub keepalive: keepalive::Settings,
    /// What earlier connections found out about the paths of networks.
    pub networks: Networks,
    /// How many messages may wait to be sent.
    pub queue_limit: usize,
    /// Whether those that wait when the connection drops are kept for the next one.
    pub keep_queued: bool,
    /// The longest message that is taken from the peer, in bytes.
    pub max_message_size: usize,
    /// How long to wait before the next attempt.
    pub backoff: backoff::Settings,
    /// How long a lookup may take.
    pub resolve_timeout: Duration,
    /// How long connecting may take, over all addresses.
    pub connect_timeout: Duration,
    /// How long TLS or DTLS and the capabilities of RFC 8323 may take.
    pub handshake_timeout: Duration,
}

/// One socket of a connection; never used again for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Link(pub u64);

/// One lookup of a connection; never used again for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lookup(pub u64);

/// What happens to a connection. What names a link or lookup that is over changes nothing.
#[derive(Debug)]
pub enum Input<'a> {
    /// Begin.
    Open,
    /// The lookup gave these addresses.
    Resolved(Lookup, Vec<SocketAddr>),
    /// The lookup gave none.
    NotResolved(Lookup, Failure),
    /// The transport is connected.
    Connected(Link),
    /// TLS or DTLS stands. A record takes messages up to this many bytes.
    Secured(Link, usize),
    /// The session that [`Output::CarryLink`] kept goes on at this link; the rest is as for `Secured`.
    Carried(Link, usize),
    /// Over datagrams something came from the peer in the handshake.
    Answered(Link),
    /// The link is over: it could not be connected or secured, the peer closed it, or it broke.
    Failed(Link, Failure),
    /// Bytes came in: a whole datagram, a part of a record, or any part of a stream. Whether a datagram or record ends with them.
    Received(Link, &'a [u8], bool),
    /// What was to be written went to the transport, whole.
    Sent(Link),
    /// What was to be written was refused, and the link goes on: a datagram that is too long for the path.
    NotSent(Link, Failure),
    /// The application sends a message that [`crate::coap::framing::check_outgoing`] passed.
    Send {
        /// The number in its report.
        ticket: u64,
        /// The message.
        message: Vec<u8>,
    },
    /// The application asks for a ping.
    Ping,
    /// The application changes the keepalive interval; none: off.
    SetKeepalive(Option<Duration>),
    /// The addresses or routes of this device have changed; it is in this network now, if in any.
    NetworkChanged(Option<Network>),
    /// The application closes the connection.
    Close,
}

/// What is to be done for a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Look the name up; answer with `Resolved` or `NotResolved`. An earlier lookup is of no interest any more.
    Resolve(Lookup, String, u16),
    /// Make a socket and connect it; answer with `Connected` or `Failed`.
    Connect(Link, SocketAddr),
    /// Begin TLS, over datagrams DTLS; answer with `Secured`, `Carried` or `Failed`.
    Secure(Link),
    /// Write these bytes; answer with `Sent`, `NotSent` or `Failed`. There is one at a time.
    Write(Link, Vec<u8>),
    /// Close the socket, if it is still open, as the protocol has it.
    CloseLink(Link),
    /// Close the socket, whose address this device has lost, and keep the DTLS session for the next `Secure` with the same peer, if its
    /// records carry a Connection ID; else as `CloseLink`.
    CarryLink(Link),
    /// Hand a message to the application.
    Deliver(Vec<u8>),
    /// Tell the application.
    Report(Report),
    /// Nothing more now; drain again at this time, if there is one.
    Wait(Option<Duration>),
}

/// What the application is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The state has changed.
    State {
        /// The new one.
        state: State,
        /// Why, for `Waiting` and `Closed`; for `Connecting`, why it is the other port's turn.
        reason: Option<Failure>,
        /// For `Waiting`: how long.
        next_attempt: Duration,
    },
    /// A message went to the transport, whole.
    Sent {
        /// Which.
        ticket: u64,
    },
    /// A message was not sent.
    Failed {
        /// Which.
        ticket: u64,
        /// Why.
        reason: Failure,
    },
    /// A message from the peer was longer than the limit and was dropped whole.
    Dropped {
        /// Its size in bytes.
        size: u64,
    },
    /// A ping goes out.
    PingSent,
    /// The ping was answered.
    PingAnswered {
        /// From its latest transmission to the answer.
        round_trip: Duration,
    },
    /// The ping was not answered in time, or not sent.
    PingLost {
        /// Why.
        reason: Failure,
    },
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// The host's name is being looked up.
    #[default]
    Resolving,
    /// The transport is being connected.
    Connecting,
    /// TLS or DTLS, or the exchange of RFC 8323 capabilities, is being agreed.
    Handshaking,
    /// Messages go both ways.
    Ready,
    /// It failed and is tried again.
    Waiting,
    /// It is over.
    Closed,
}

/// What a connection has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Where it stands.
    pub state: State,
    /// Attempts to connect.
    pub attempts: u64,
    /// Times that it became ready.
    pub connections: u64,
    /// Messages of the application written to the transport.
    pub messages_sent: u64,
    /// Messages of the application reported as failed.
    pub messages_failed: u64,
    /// Messages delivered.
    pub messages_received: u64,
    /// Messages that wait to be sent.
    pub messages_queued: u64,
    /// Messages from the peer that were dropped because they break RFC 7252 or RFC 8323.
    pub format_errors: u64,
    /// Messages from the peer that were dropped because they are longer than the limit.
    pub oversize_dropped: u64,
    /// Pings sent, without retransmissions.
    pub pings_sent: u64,
    /// Pings answered.
    pub pings_answered: u64,
    /// Pings lost.
    pub pings_lost: u64,
    /// Pings of the peer that were answered.
    pub peer_pings_answered: u64,
    /// The round-trip time of the latest answered ping.
    pub round_trip: Duration,
    /// The keepalive interval in force; none: no pings but those asked for.
    pub keepalive_interval: Option<Duration>,
}
