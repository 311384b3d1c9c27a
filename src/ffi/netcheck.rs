//! The network check.

use crate::connection::endpoint::Host;
use crate::error::Status;
use crate::ffi::connection::{microseconds, milliseconds_of};
use crate::ffi::pointer::{Sized32, array, bytes, sized, text};
use crate::ffi::status::{mcc_error_class_t, mcc_status_t};
use crate::ffi::status_of_result;
use crate::memory;
use crate::netcheck::endpoint::{self, Endpoint, Port, Transport};
use crate::netcheck::finding::{Finding, Kind, Severity};
use crate::netcheck::report::{EndpointReport, PortReport, Reach, Report};
use crate::netcheck::verdict::{CoapVerdict, NameVerdict, NatVerdict, TcpVerdict, TlsVerdict, TtlVerdict, UdpVerdict};
use crate::netcheck::{self, Credentials, Options};
use std::ffi::{CString, c_char, c_void};
use std::net::SocketAddr;
use std::time::Duration;

/// A host of the service, and how devices reach it. Begin with `MCC_NETCHECK_ENDPOINT_INIT`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_netcheck_endpoint_t {
    /// The size of this struct in bytes, as the initialiser sets it.
    pub size: u32,
    /// 1: it speaks CoAP inside TLS and DTLS, and is pinged where the credentials allow it. 0 (the default): it does not.
    pub coap: u32,
    /// 1: only Edge gateways need it; what stops it is a warning. 0 (the default): every device does.
    pub edge_only: u32,
    /// The port reached by UDP with DTLS, or 0 (the default) for none.
    pub udp_port: u16,
    /// The port reached by TCP with TLS, or 0 (the default) for none.
    pub tcp_port: u16,
    /// Another port reached by TCP with TLS, or 0 (the default) for none.
    pub alternative_tcp_port: u16,
    /// Keeps the fields below aligned; 0.
    pub reserved: u16,
    /// Its name, or an address.
    pub host: *const c_char,
    /// The service, as people call it; null (the default) for the host.
    pub service: *const c_char,
    /// What a device needs one of: endpoints of the same purpose stand in for each other. Null (the default): a purpose of its own.
    pub purpose: *const c_char,
    /// The issuer that its certificate has to have, such as `C=GB, O=Example, CN=Example CA`, compared attribute by attribute; null
    /// (the default) where any will do.
    pub expected_issuer: *const c_char,
}

// SAFETY: numbers and pointers only, the first is the size.
unsafe impl Sized32 for mcc_netcheck_endpoint_t {
    const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        coap: 0,
        edge_only: 0,
        udp_port: 0,
        tcp_port: 0,
        alternative_tcp_port: 0,
        reserved: 0,
        host: std::ptr::null(),
        service: std::ptr::null(),
        purpose: std::ptr::null(),
        expected_issuer: std::ptr::null(),
    };
}

/// What is checked, and how. Begin with `MCC_NETCHECK_OPTIONS_INIT`. Everything that is pointed to is only read, and not after
/// `mcc_netcheck_run` has returned. Certificates and keys are PEM text or DER; a size does not count the NUL of a text.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_netcheck_options_t {
    /// The size of this struct in bytes, as the initialiser sets it.
    pub size: u32,
    /// Milliseconds that the whole check may take, 100 to 600000; 14000 by default.
    pub timeout_ms: u32,
    /// 1: addresses of private networks are as good as others, for a service of one's own. 0 (the default): a name that leads to one
    /// is redirected.
    pub allow_private_addresses: u32,
    /// Keeps the fields below aligned; 0.
    pub reserved: u32,
    /// The region whose endpoints are checked; null (the default) for `us-east-1`. Not used where `endpoints` are given.
    pub region: *const c_char,
    /// Endpoints in place of the region's: pointers to `endpoint_count` of them. Null by default.
    pub endpoints: *const *const mcc_netcheck_endpoint_t,
    /// How many.
    pub endpoint_count: usize,
    /// Resolvers in place of the system's, each `ADDRESS:PORT` or `[ADDRESS]:PORT`: pointers to `resolver_count` texts. Null by
    /// default.
    pub resolvers: *const *const c_char,
    /// How many.
    pub resolver_count: usize,
    /// The CA certificates that the service's chains lead to, or null: then only issuers that endpoints expect are judged.
    pub ca: *const u8,
    /// Size of `ca` in bytes.
    pub ca_size: usize,
    /// The device's own certificate and the chain to its CA, or null: then nothing is pinged.
    pub certificate: *const u8,
    /// Size of `certificate` in bytes.
    pub certificate_size: usize,
    /// The private key of `certificate`, PKCS#8 or SEC1 without a password, or null.
    pub key: *const u8,
    /// Size of `key` in bytes.
    pub key_size: usize,
}

// SAFETY: numbers and pointers only, the first is the size.
unsafe impl Sized32 for mcc_netcheck_options_t {
    const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        timeout_ms: 14_000,
        allow_private_addresses: 0,
        reserved: 0,
        region: std::ptr::null(),
        endpoints: std::ptr::null(),
        endpoint_count: 0,
        resolvers: std::ptr::null(),
        resolver_count: 0,
        ca: std::ptr::null(),
        ca_size: 0,
        certificate: std::ptr::null(),
        certificate_size: 0,
        key: std::ptr::null(),
        key_size: 0,
    };
}

/// What a result is about: it tells which member of `data` counts.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_netcheck_result_type_t {
    /// How this device stands to the internet: `data.nat`.
    MCC_NETCHECK_NAT = 1,
    /// A name: `data.name`.
    MCC_NETCHECK_NAME = 2,
    /// A port of an address: `data.port`.
    MCC_NETCHECK_PORT = 3,
    /// What it means, in words: `data.finding`. The gravest come first.
    MCC_NETCHECK_FINDING = 4,
    /// The last result: `data.summary`.
    MCC_NETCHECK_SUMMARY = 5,
}

/// How this device stands to the internet.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_netcheck_nat_verdict_t {
    /// By an address of the internet.
    MCC_NETCHECK_NAT_DIRECT = 1,
    /// By an address of the private or shared ranges: behind a NAT.
    MCC_NETCHECK_NAT_BEHIND = 2,
    /// It has no way out.
    MCC_NETCHECK_NAT_NO_ADDRESS = 3,
}

/// What a host's name leads to.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_netcheck_name_verdict_t {
    /// Addresses of the internet.
    MCC_NETCHECK_NAME_OK = 1,
    /// The host was given as an address.
    MCC_NETCHECK_NAME_IS_ADDRESS = 2,
    /// There is no such name.
    MCC_NETCHECK_NAME_NOT_FOUND = 3,
    /// The resolvers fail: `code` is their response code.
    MCC_NETCHECK_NAME_SERVER_FAILURE = 4,
    /// No resolver answers.
    MCC_NETCHECK_NAME_NO_ANSWER = 5,
    /// Only a hosts file knows the name.
    MCC_NETCHECK_NAME_HOSTS_FILE_ONLY = 6,
    /// An address that no service of the internet can have.
    MCC_NETCHECK_NAME_SINKHOLE = 7,
    /// Two resolvers have no address in common.
    MCC_NETCHECK_NAME_DISAGREE = 8,
    /// This device could not ask: `error_number` says why.
    MCC_NETCHECK_NAME_NOT_TRIED = 9,
}

/// Whether the resolvers keep to the time that an answer may be kept for.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_netcheck_ttl_verdict_t {
    /// They do.
    MCC_NETCHECK_TTL_OK = 1,
    /// An answer outlives its time.
    MCC_NETCHECK_TTL_STALE = 2,
    /// It could not be told.
    MCC_NETCHECK_TTL_UNKNOWN = 3,
}

/// Whether a port is reached.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_netcheck_reach_verdict_t {
    /// It is: TCP connects, or DTLS answers.
    MCC_NETCHECK_REACH_OPEN = 1,
    /// TCP is refused.
    MCC_NETCHECK_REACH_REFUSED = 2,
    /// Nothing comes back: TCP is filtered, or UDP silent.
    MCC_NETCHECK_REACH_SILENT = 3,
    /// The network says that it cannot be reached, UDP by ICMP, or this device has no way to it: `error_number` says more.
    MCC_NETCHECK_REACH_UNREACHABLE = 4,
    /// This device could not try: `error_number` says why.
    MCC_NETCHECK_REACH_NOT_TRIED = 5,
}

/// What a TLS handshake, which trusts nobody, came to.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_netcheck_tls_verdict_t {
    /// None was tried.
    MCC_NETCHECK_TLS_NONE = 0,
    /// The certificate is from the expected issuer.
    MCC_NETCHECK_TLS_GENUINE = 1,
    /// There is a certificate, and nothing to judge it by.
    MCC_NETCHECK_TLS_NOT_JUDGED = 2,
    /// The certificate is from somebody else: TLS is opened on the way.
    MCC_NETCHECK_TLS_INTERCEPTED = 3,
    /// What answers does not speak TLS.
    MCC_NETCHECK_TLS_NOT_TLS = 4,
    /// The connection was closed or reset in the handshake.
    MCC_NETCHECK_TLS_RESET = 5,
    /// The peer ended the handshake by an alert.
    MCC_NETCHECK_TLS_ALERT = 6,
    /// The handshake did not come to an end in time.
    MCC_NETCHECK_TLS_TIMED_OUT = 7,
    /// The handshake failed otherwise.
    MCC_NETCHECK_TLS_FAILED = 8,
}

/// What a CoAP ping through the session came to.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_netcheck_coap_verdict_t {
    /// None was tried.
    MCC_NETCHECK_COAP_NONE = 0,
    /// It was answered.
    MCC_NETCHECK_COAP_ANSWERED = 1,
    /// It was not.
    MCC_NETCHECK_COAP_SILENT = 2,
}

/// How grave a finding is.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_netcheck_severity_t {
    /// All is well.
    MCC_NETCHECK_WELL = 0,
    /// Good to know.
    MCC_NETCHECK_NOTE = 1,
    /// The device works, but not in every way or not for ever.
    MCC_NETCHECK_WARNING = 2,
    /// It stops the device.
    MCC_NETCHECK_STOPS = 3,
}

/// What a finding is about. A number never changes its meaning; new ones can be added.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_netcheck_kind_t {
    /// There is no such name.
    MCC_NETCHECK_KIND_NO_SUCH_NAME = 101,
    /// The resolvers fail.
    MCC_NETCHECK_KIND_RESOLVER_FAILS = 102,
    /// No resolver answers.
    MCC_NETCHECK_KIND_RESOLVER_SILENT = 103,
    /// The name comes from a hosts file only.
    MCC_NETCHECK_KIND_HOSTS_FILE = 104,
    /// The name leads to an address that no service of the internet can have.
    MCC_NETCHECK_KIND_SINKHOLE = 105,
    /// Resolvers contradict each other.
    MCC_NETCHECK_KIND_RESOLVERS_DISAGREE = 106,
    /// A resolver keeps answers for too long.
    MCC_NETCHECK_KIND_STALE_ANSWERS = 107,
    /// A port is refused.
    MCC_NETCHECK_KIND_REFUSED = 201,
    /// A port is filtered.
    MCC_NETCHECK_KIND_FILTERED = 202,
    /// A host cannot be reached.
    MCC_NETCHECK_KIND_UNREACHABLE = 203,
    /// UDP does not come through.
    MCC_NETCHECK_KIND_UDP_SILENT = 204,
    /// UDP is turned away.
    MCC_NETCHECK_KIND_UDP_UNREACHABLE = 205,
    /// This device could not try.
    MCC_NETCHECK_KIND_NOT_TRIED = 206,
    /// Somebody opens TLS on the way.
    MCC_NETCHECK_KIND_INTERCEPTED = 301,
    /// Something else than TLS answers.
    MCC_NETCHECK_KIND_NOT_TLS = 302,
    /// The connection is cut in the handshake.
    MCC_NETCHECK_KIND_HANDSHAKE_RESET = 303,
    /// The peer ended the handshake by an alert.
    MCC_NETCHECK_KIND_HANDSHAKE_ALERT = 304,
    /// The handshake does not come to an end.
    MCC_NETCHECK_KIND_HANDSHAKE_TIMEOUT = 305,
    /// The handshake failed otherwise.
    MCC_NETCHECK_KIND_HANDSHAKE_FAILED = 306,
    /// A ping through the session is not answered.
    MCC_NETCHECK_KIND_PING_SILENT = 401,
    /// The device is behind a NAT.
    MCC_NETCHECK_KIND_BEHIND_NAT = 501,
    /// The device has no way out.
    MCC_NETCHECK_KIND_NO_NETWORK = 502,
}

impl From<Kind> for mcc_netcheck_kind_t {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::NoSuchName => Self::MCC_NETCHECK_KIND_NO_SUCH_NAME,
            Kind::ResolverFails => Self::MCC_NETCHECK_KIND_RESOLVER_FAILS,
            Kind::ResolverSilent => Self::MCC_NETCHECK_KIND_RESOLVER_SILENT,
            Kind::HostsFile => Self::MCC_NETCHECK_KIND_HOSTS_FILE,
            Kind::Sinkhole => Self::MCC_NETCHECK_KIND_SINKHOLE,
            Kind::ResolversDisagree => Self::MCC_NETCHECK_KIND_RESOLVERS_DISAGREE,
            Kind::StaleAnswers => Self::MCC_NETCHECK_KIND_STALE_ANSWERS,
            Kind::Refused => Self::MCC_NETCHECK_KIND_REFUSED,
            Kind::Filtered => Self::MCC_NETCHECK_KIND_FILTERED,
            Kind::Unreachable => Self::MCC_NETCHECK_KIND_UNREACHABLE,
            Kind::UdpSilent => Self::MCC_NETCHECK_KIND_UDP_SILENT,
            Kind::UdpUnreachable => Self::MCC_NETCHECK_KIND_UDP_UNREACHABLE,
            Kind::NotTried => Self::MCC_NETCHECK_KIND_NOT_TRIED,
            Kind::Intercepted => Self::MCC_NETCHECK_KIND_INTERCEPTED,
            Kind::NotTls => Self::MCC_NETCHECK_KIND_NOT_TLS,
            Kind::HandshakeReset => Self::MCC_NETCHECK_KIND_HANDSHAKE_RESET,
            Kind::HandshakeAlert => Self::MCC_NETCHECK_KIND_HANDSHAKE_ALERT,
            Kind::HandshakeTimeout => Self::MCC_NETCHECK_KIND_HANDSHAKE_TIMEOUT,
            Kind::HandshakeFailed => Self::MCC_NETCHECK_KIND_HANDSHAKE_FAILED,
            Kind::PingSilent => Self::MCC_NETCHECK_KIND_PING_SILENT,
            Kind::BehindNat => Self::MCC_NETCHECK_KIND_BEHIND_NAT,
            Kind::NoNetwork => Self::MCC_NETCHECK_KIND_NO_NETWORK,
        }
    }
}

/// `MCC_NETCHECK_NAT`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_netcheck_nat_t {
    /// The verdict.
    pub verdict: mcc_netcheck_nat_verdict_t,
    /// This device's address, as text; empty where it has none.
    pub address: *const c_char,
}

/// `MCC_NETCHECK_NAME`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_netcheck_name_t {
    /// The service.
    pub service: *const c_char,
    /// The host.
    pub host: *const c_char,
    /// The verdict.
    pub verdict: mcc_netcheck_name_verdict_t,
    /// The resolvers' response code (RFC 1035 section 4.1.1) where they fail; else 0.
    pub code: u16,
    /// The error of the system that `verdict` tells of; else 0.
    pub error_number: i32,
    /// Whether the resolvers keep to TTLs.
    pub ttl: mcc_netcheck_ttl_verdict_t,
    /// The addresses that were tried, as texts.
    pub addresses: *const *const c_char,
    /// How many.
    pub address_count: usize,
}

/// `MCC_NETCHECK_PORT`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_netcheck_port_t {
    /// The service.
    pub service: *const c_char,
    /// The host.
    pub host: *const c_char,
    /// The address, as text.
    pub address: *const c_char,
    /// 1: UDP. 0: TCP.
    pub udp: u32,
    /// The port.
    pub port: u16,
    /// Whether it is reached.
    pub reach: mcc_netcheck_reach_verdict_t,
    /// The error of the system that `reach` tells of; else 0.
    pub error_number: i32,
    /// Microseconds until TCP was connected or DTLS answered, if it did; else 0.
    pub round_trip_us: u64,
    /// What TLS came to.
    pub tls: mcc_netcheck_tls_verdict_t,
    /// Who issued the certificate; null where there was none.
    pub issuer: *const c_char,
    /// Who should have, where TLS is intercepted; else null.
    pub expected_issuer: *const c_char,
    /// The number of the alert (RFC 8446 section 6), the status of HTTP where that answered, or the error of Mbed TLS; else 0.
    pub tls_detail: i32,
    /// The first bytes of what does not speak TLS; null where there are none.
    pub first_bytes: *const u8,
    /// How many, at most 64.
    pub first_bytes_size: usize,
    /// What a ping came to.
    pub coap: mcc_netcheck_coap_verdict_t,
    /// Microseconds until the ping was answered, if it was; else 0.
    pub ping_round_trip_us: u64,
}

/// `MCC_NETCHECK_FINDING`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_netcheck_finding_t {
    /// How grave it is.
    pub severity: mcc_netcheck_severity_t,
    /// What it is about.
    pub kind: mcc_netcheck_kind_t,
    /// The class of the reason that a connection gives for the same; `MCC_CLASS_NONE` where it gives none.
    pub error_class: mcc_error_class_t,
    /// The host, or null.
    pub host: *const c_char,
    /// The port, if it is about one; else 0.
    pub port: u16,
    /// 1: that port is UDP's. 0: it is TCP's, or there is none.
    pub udp: u32,
    /// What is wrong, in a sentence.
    pub what: *const c_char,
    /// What to do, in a sentence that can be sent to the network's owner.
    pub what_to_do: *const c_char,
}

/// `MCC_NETCHECK_SUMMARY`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_netcheck_summary_t {
    /// The gravest of the findings.
    pub severity: mcc_netcheck_severity_t,
    /// Milliseconds that the check took.
    pub duration_ms: u64,
}

/// What a result says; the result's type tells which member counts.
#[repr(C)]
#[derive(Clone, Copy)]
pub union mcc_netcheck_data_t {
    /// `MCC_NETCHECK_NAT`
    pub nat: mcc_netcheck_nat_t,
    /// `MCC_NETCHECK_NAME`
    pub name: mcc_netcheck_name_t,
    /// `MCC_NETCHECK_PORT`
    pub port: mcc_netcheck_port_t,
    /// `MCC_NETCHECK_FINDING`
    pub finding: mcc_netcheck_finding_t,
    /// `MCC_NETCHECK_SUMMARY`
    pub summary: mcc_netcheck_summary_t,
}

/// One result.
#[repr(C)]
pub struct mcc_netcheck_result_t {
    /// What it is about. New types can be added: pass over those that you do not know.
    pub r#type: mcc_netcheck_result_type_t,
    /// What it says.
    pub data: mcc_netcheck_data_t,
}

/// Takes the results of a check, one at a time, on the thread that called `mcc_netcheck_run`. The result and all that it points to are
/// gone when it returns. Any `mcc_*` function may be called from it; it must not throw or jump out.
pub type mcc_netcheck_result_cb = Option<extern "C" fn(argument: *mut c_void, result: *const mcc_netcheck_result_t)>;

/// Checks whether this network lets a device through to the service, and gives the results to `callback` when all are there: how the
/// device stands to the internet, each name, each port, then what it means in words, and a summary.
///
/// It takes as long as the slowest check, at most `timeout_ms`; the checks run side by side on threads of their own, which end with
/// it, but for a lookup by a resolver of the system that hangs. Null options mean the defaults. Any thread; not from a callback of a
/// connection, which it would hold up. Names are asked of the resolvers and addresses are connected to, as a device would; nothing
/// else leaves the machine.
///
/// Errors: `MCC_ERR_NULL_POINTER` (callback, a host, or an element of a list), `MCC_ERR_INVALID_ARGUMENT` (a number out of its range,
/// an unknown region, a resolver that is no address and port, an issuer that is none, an endpoint without a port), `MCC_ERR_URI_HOST`
/// (a host that cannot be a name or an address), `MCC_ERR_CA_INVALID`, `MCC_ERR_CERTIFICATE_INVALID`, `MCC_ERR_KEY_INVALID`,
/// `MCC_ERR_KEY_MISMATCH`, `MCC_ERR_OUT_OF_MEMORY`. Then nothing was checked. That the network stops the device is no error.
///
/// Only in a library that is built with TLS and with this function (`MBED_CLOUD_CONNECTIVITY_TLS`,
/// `MBED_CLOUD_CONNECTIVITY_NETCHECK_RUN`).
#[unsafe(no_mangle)]
pub extern "C" fn mcc_netcheck_run(
    options: *const mcc_netcheck_options_t,
    callback: mcc_netcheck_result_cb,
    argument: *mut c_void,
) -> mcc_status_t {
    status_of_result(|| {
        let callback = callback.ok_or(Status::NullPointer)?;
        let options = if options.is_null() {
            mcc_netcheck_options_t::DEFAULT
        } else {
            // SAFETY: the caller gives a struct that begins with its size.
            unsafe { sized(options) }?
        };
        // SAFETY: what the struct points to is readable, as its description says.
        let options = unsafe { checked(&options) }?;
        memory::spare().map_err(|failure| failure.status)?;
        let report = netcheck::run(&options, &mut |_| {}).map_err(|failure| failure.status)?;
        tell(&report, &|r#type, data| {
            let result = mcc_netcheck_result_t { r#type, data };
            // The callback is the program's: what it does to this thread is no business of the guard around.
            callback(argument, &raw const result);
        });
        Ok(())
    })
}

/// The checked options.
///
/// # Safety
/// What the struct points to can be read, as its description says.
unsafe fn checked(options: &mcc_netcheck_options_t) -> Result<Options, Status> {
    if !(100..=600_000).contains(&options.timeout_ms) || options.allow_private_addresses > 1 {
        return Err(Status::InvalidArgument);
    }
    // SAFETY: by the caller's promise, here and below.
    let given = unsafe { array(options.endpoints, options.endpoint_count) }?;
    let endpoints = if given.is_empty() {
        // SAFETY: as above.
        let region = unsafe { optional_text(options.region) }?;
        endpoint::region(region.as_deref().unwrap_or(endpoint::DEFAULT_REGION)).ok_or(Status::InvalidArgument)?
    } else {
        // SAFETY: as above.
        given.iter().map(|endpoint| unsafe { checked_endpoint(*endpoint) }).collect::<Result<_, _>>()?
    };
    // SAFETY: as above.
    let resolvers = unsafe { array(options.resolvers, options.resolver_count) }?
        .iter()
        .map(|resolver| {
            // SAFETY: as above.
            let resolver = unsafe { optional_text(*resolver) }?.ok_or(Status::NullPointer)?;
            let resolver = resolver.parse::<SocketAddr>().ok();
            resolver.filter(|resolver| resolver.port() != 0).ok_or(Status::InvalidArgument)
        })
        .collect::<Result<Vec<SocketAddr>, Status>>()?;
    let optional = |pointer: *const u8, size| {
        // SAFETY: as above.
        unsafe { bytes(pointer, size) }.map(|bytes| (!bytes.is_empty()).then(|| bytes.to_vec()))
    };
    let credentials = Credentials {
        ca: optional(options.ca, options.ca_size)?,
        certificate: optional(options.certificate, options.certificate_size)?,
        key: optional(options.key, options.key_size)?,
    };
    credentials.check()?;
    Ok(Options {
        endpoints,
        resolvers,
        timeout: Duration::from_millis(options.timeout_ms.into()),
        credentials: Some(credentials),
        allow_private_addresses: options.allow_private_addresses == 1,
    })
}

/// # Safety
/// What the struct points to can be read, as its description says.
unsafe fn checked_endpoint(endpoint: *const mcc_netcheck_endpoint_t) -> Result<Endpoint, Status> {
    // SAFETY: the caller gives a struct that begins with its size.
    let endpoint = unsafe { sized(endpoint) }?;
    if endpoint.coap > 1 || endpoint.edge_only > 1 {
        return Err(Status::InvalidArgument);
    }
    // SAFETY: by the caller's promise.
    let optional = |pointer| unsafe { optional_text(pointer) };
    let host = optional(endpoint.host)?.ok_or(Status::NullPointer)?;
    Host::parse(&host)?;
    let ports = [
        (Transport::Tcp, endpoint.tcp_port),
        (Transport::Udp, endpoint.udp_port),
        (Transport::Tcp, endpoint.alternative_tcp_port),
    ];
    let ports = ports.into_iter().filter(|(_, number)| *number != 0);
    let reached_by: Vec<Port> = ports.map(|(transport, number)| Port { transport, number }).collect();
    if reached_by.is_empty() {
        return Err(Status::InvalidArgument);
    }
    Ok(Endpoint {
        service: optional(endpoint.service)?.unwrap_or_else(|| host.clone()),
        reached_by,
        purpose: optional(endpoint.purpose)?.unwrap_or_else(|| host.clone()),
        edge_only: endpoint.edge_only == 1,
        coap: endpoint.coap == 1,
        expected_issuer: optional(endpoint.expected_issuer)?,
        host,
    })
}

/// # Safety
/// A string that ends with NUL stands at `pointer`, or it is null.
unsafe fn optional_text(pointer: *const c_char) -> Result<Option<String>, Status> {
    // SAFETY: by the caller's promise.
    let text = unsafe { text(pointer) };
    text.map(|text| text.to_str().map(str::to_owned).map_err(|_| Status::InvalidArgument)).transpose()
}

/// Hands on what a report says, a result at a time.
fn tell(report: &Report, callback: &dyn Fn(mcc_netcheck_result_type_t, mcc_netcheck_data_t)) {
    use mcc_netcheck_result_type_t::*;
    let (verdict, address) = match &report.nat {
        NatVerdict::Direct { address } => (mcc_netcheck_nat_verdict_t::MCC_NETCHECK_NAT_DIRECT, address.to_string()),
        NatVerdict::BehindNat { address } => (mcc_netcheck_nat_verdict_t::MCC_NETCHECK_NAT_BEHIND, address.to_string()),
        NatVerdict::NoAddress => (mcc_netcheck_nat_verdict_t::MCC_NETCHECK_NAT_NO_ADDRESS, String::new()),
    };
    let address = c_text(&address);
    let nat = mcc_netcheck_nat_t { verdict, address: address.as_ptr() };
    callback(MCC_NETCHECK_NAT, mcc_netcheck_data_t { nat });
    for endpoint in &report.endpoints {
        tell_endpoint(endpoint, callback);
    }
    for finding in &report.findings {
        tell_finding(finding, callback);
    }
    let summary = mcc_netcheck_summary_t {
        severity: c_severity(report.severity()),
        duration_ms: milliseconds_of(report.duration),
    };
    callback(MCC_NETCHECK_SUMMARY, mcc_netcheck_data_t { summary });
}

fn tell_endpoint(report: &EndpointReport, callback: &dyn Fn(mcc_netcheck_result_type_t, mcc_netcheck_data_t)) {
    let (service, host) = (c_text(&report.endpoint.service), c_text(&report.endpoint.host));
    let addresses: Vec<CString> = report.name.addresses.iter().map(|address| c_text(&address.to_string())).collect();
    let addresses: Vec<*const c_char> = addresses.iter().map(|address| address.as_ptr()).collect();
    let name = mcc_netcheck_name_t {
        service: service.as_ptr(),
        host: host.as_ptr(),
        verdict: c_name(&report.name.verdict),
        code: if let NameVerdict::ServerFailure { code } = report.name.verdict { code } else { 0 },
        error_number: if let NameVerdict::NotTried { errno } = report.name.verdict { errno } else { 0 },
        ttl: match report.name.ttl {
            TtlVerdict::Ok => mcc_netcheck_ttl_verdict_t::MCC_NETCHECK_TTL_OK,
            TtlVerdict::Stale { .. } => mcc_netcheck_ttl_verdict_t::MCC_NETCHECK_TTL_STALE,
            TtlVerdict::Unknown => mcc_netcheck_ttl_verdict_t::MCC_NETCHECK_TTL_UNKNOWN,
        },
        addresses: addresses.as_ptr(),
        address_count: addresses.len(),
    };
    callback(mcc_netcheck_result_type_t::MCC_NETCHECK_NAME, mcc_netcheck_data_t { name });
    for port in &report.ports {
        tell_port(port, &service, &host, callback);
    }
}

fn c_name(verdict: &NameVerdict) -> mcc_netcheck_name_verdict_t {
    use mcc_netcheck_name_verdict_t::*;
    match verdict {
        NameVerdict::Ok => MCC_NETCHECK_NAME_OK,
        NameVerdict::IsAddress => MCC_NETCHECK_NAME_IS_ADDRESS,
        NameVerdict::NoSuchName => MCC_NETCHECK_NAME_NOT_FOUND,
        NameVerdict::ServerFailure { .. } => MCC_NETCHECK_NAME_SERVER_FAILURE,
        NameVerdict::NoAnswer => MCC_NETCHECK_NAME_NO_ANSWER,
        NameVerdict::NotTried { .. } => MCC_NETCHECK_NAME_NOT_TRIED,
        NameVerdict::HostsFileOnly => MCC_NETCHECK_NAME_HOSTS_FILE_ONLY,
        NameVerdict::Sinkhole { .. } => MCC_NETCHECK_NAME_SINKHOLE,
        NameVerdict::Disagree => MCC_NETCHECK_NAME_DISAGREE,
    }
}

fn tell_port(
    report: &PortReport,
    service: &CString,
    host: &CString,
    callback: &dyn Fn(mcc_netcheck_result_type_t, mcc_netcheck_data_t),
) {
    let address = c_text(&report.address.to_string());
    let (reach, error_number, round_trip) = c_reach(&report.reach);
    let mut issuers = (None, None);
    let mut first: &[u8] = &[];
    let mut tls_detail = 0;
    use mcc_netcheck_tls_verdict_t::*;
    let tls = match &report.tls {
        None => MCC_NETCHECK_TLS_NONE,
        Some(TlsVerdict::Genuine { issuer }) => {
            issuers.0 = Some(c_text(issuer));
            MCC_NETCHECK_TLS_GENUINE
        }
        Some(TlsVerdict::NotJudged { issuer }) => {
            issuers.0 = Some(c_text(issuer));
            MCC_NETCHECK_TLS_NOT_JUDGED
        }
        Some(TlsVerdict::Intercepted { expected, found }) => {
            issuers = (Some(c_text(found)), Some(c_text(expected)));
            MCC_NETCHECK_TLS_INTERCEPTED
        }
        Some(TlsVerdict::NotTls { first_bytes, http_status }) => {
            first = first_bytes;
            tls_detail = http_status.map_or(0, i32::from);
            MCC_NETCHECK_TLS_NOT_TLS
        }
        Some(TlsVerdict::Reset) => MCC_NETCHECK_TLS_RESET,
        Some(TlsVerdict::Alert { number, .. }) => {
            tls_detail = (*number).into();
            MCC_NETCHECK_TLS_ALERT
        }
        Some(TlsVerdict::TimedOut) => MCC_NETCHECK_TLS_TIMED_OUT,
        Some(TlsVerdict::Failed { error }) => {
            tls_detail = *error;
            MCC_NETCHECK_TLS_FAILED
        }
    };
    let (coap, ping) = match report.coap {
        None => (mcc_netcheck_coap_verdict_t::MCC_NETCHECK_COAP_NONE, None),
        Some(CoapVerdict::Answered { round_trip }) => {
            (mcc_netcheck_coap_verdict_t::MCC_NETCHECK_COAP_ANSWERED, Some(round_trip))
        }
        Some(CoapVerdict::Silent) => (mcc_netcheck_coap_verdict_t::MCC_NETCHECK_COAP_SILENT, None),
    };
    let text_or_null = |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
    let port = mcc_netcheck_port_t {
        service: service.as_ptr(),
        host: host.as_ptr(),
        address: address.as_ptr(),
        udp: c_udp(Some(report.port)),
        port: report.port.number,
        reach,
        error_number,
        round_trip_us: round_trip.map_or(0, microseconds),
        tls,
        issuer: text_or_null(&issuers.0),
        expected_issuer: text_or_null(&issuers.1),
        tls_detail,
        first_bytes: if first.is_empty() { std::ptr::null() } else { first.as_ptr() },
        first_bytes_size: first.len(),
        coap,
        ping_round_trip_us: ping.map_or(0, microseconds),
    };
    callback(mcc_netcheck_result_type_t::MCC_NETCHECK_PORT, mcc_netcheck_data_t { port });
}

fn c_udp(port: Option<Port>) -> u32 {
    port.is_some_and(|port| port.transport == Transport::Udp).into()
}

fn c_reach(reach: &Reach) -> (mcc_netcheck_reach_verdict_t, i32, Option<Duration>) {
    use mcc_netcheck_reach_verdict_t::*;
    match *reach {
        Reach::Tcp(TcpVerdict::Open { round_trip }) | Reach::Udp(UdpVerdict::Open { round_trip }) => {
            (MCC_NETCHECK_REACH_OPEN, 0, Some(round_trip))
        }
        Reach::Tcp(TcpVerdict::Refused) => (MCC_NETCHECK_REACH_REFUSED, 0, None),
        Reach::Tcp(TcpVerdict::TimedOut) | Reach::Udp(UdpVerdict::Silent) => (MCC_NETCHECK_REACH_SILENT, 0, None),
        Reach::Tcp(TcpVerdict::Unreachable { errno }) | Reach::Udp(UdpVerdict::Unreachable { errno }) => {
            (MCC_NETCHECK_REACH_UNREACHABLE, errno, None)
        }
        Reach::Tcp(TcpVerdict::NotTried { errno }) | Reach::Udp(UdpVerdict::NotTried { errno }) => {
            (MCC_NETCHECK_REACH_NOT_TRIED, errno, None)
        }
    }
}

fn tell_finding(finding: &Finding, callback: &dyn Fn(mcc_netcheck_result_type_t, mcc_netcheck_data_t)) {
    let host = finding.host.as_deref().map(c_text);
    let (what, what_to_do) = (c_text(&finding.what), c_text(&finding.what_to_do));
    let finding = mcc_netcheck_finding_t {
        severity: c_severity(Some(finding.severity)),
        kind: finding.kind.into(),
        error_class: finding.kind.class().into(),
        host: host.as_ref().map_or(std::ptr::null(), |host| host.as_ptr()),
        port: finding.port.map_or(0, |port| port.number),
        udp: c_udp(finding.port),
        what: what.as_ptr(),
        what_to_do: what_to_do.as_ptr(),
    };
    callback(mcc_netcheck_result_type_t::MCC_NETCHECK_FINDING, mcc_netcheck_data_t { finding });
}

fn c_severity(severity: Option<Severity>) -> mcc_netcheck_severity_t {
    match severity {
        None => mcc_netcheck_severity_t::MCC_NETCHECK_WELL,
        Some(Severity::Note) => mcc_netcheck_severity_t::MCC_NETCHECK_NOTE,
        Some(Severity::Warning) => mcc_netcheck_severity_t::MCC_NETCHECK_WARNING,
        Some(Severity::Stops) => mcc_netcheck_severity_t::MCC_NETCHECK_STOPS,
    }
}

/// Text for C; a NUL in it, which a peer can send, is left out.
fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', "")).unwrap_or_default()
}
