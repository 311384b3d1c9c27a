//! The functions, structures and numbers are those of `abi/pal.json`, as the Rust compiler sees them.
//!
//! What C programs see of them, in `include/pal.h`, is checked by tests/pal_abi.rs.

#[path = "../../../tests/common/pal_facts.rs"]
mod pal_facts;

#[cfg(pal_dns_api_version = "1")]
use super::lookup::calling_back::*;
#[cfg(pal_dns_api_version = "3")]
use super::lookup::cancelling::*;
#[cfg(any(pal_dns_api_version = "0", pal_dns_api_version = "1"))]
use super::lookup::waiting::*;
use super::status::{PAL_ERR_SOCKET_ERROR_BASE, PAL_ERR_TLS_ERROR_BASE, palError_t, palStatus_t};
use super::tls::*;
use super::tls::{configuration::*, connection_id::*, entropy::*, session::*, types::*};
use super::types::*;
use super::{address, interface};
use super::{address::*, estimate::*, interface::*, option::*, run::*, socket::*};
use pal_facts::{Facts, Prototype, with_other_numbers, with_other_types};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{c_char, c_int, c_uchar, c_ushort, c_void};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::mem::offset_of;
use std::net::SocketAddr;

/// The version of the lookups that this build has.
const DNS_API_VERSION: u32 = if cfg!(pal_dns_api_version = "3") {
    3
} else if cfg!(pal_dns_api_version = "1") {
    1
} else {
    0
};

const POINTER_SIZE: i64 = size_of::<usize>() as i64;

/// The numbers of the configuration that this layer has constants for.
const CONFIGURATION: [(&str, i64); 5] = [
    ("PAL_NET_DEFAULT_INTERFACE", interface::DEFAULT_INDEX as i64),
    ("PAL_NET_MAX_IF_NAME_LENGTH", interface::NAME_SIZE as i64),
    ("PAL_NET_MAX_ADDR_SIZE", (size_of::<palSocketAddress_t>() - offset_of!(palSocketAddress_t, addressData)) as i64),
    ("PAL_IPV4_ADDRESS_SIZE", size_of::<palIpV4Addr_t>() as i64),
    ("PAL_IPV6_ADDRESS_SIZE", size_of::<palIpV6Addr_t>() as i64),
];

/// The types of each, as texts of Rust without spaces.
type Functions = BTreeMap<String, String>;
/// The size and alignment of each, and its fields with types and offsets.
type Structs = BTreeMap<String, (i64, i64, Vec<(String, String, i64)>)>;
/// The type and size of each.
type Typedefs = BTreeMap<String, (String, i64)>;
/// The size of each, and its values.
type Enums = BTreeMap<String, (i64, BTreeMap<String, i64>)>;

fn without_spaces(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The functions, each of exactly the type that is written here: the compiler sees to it.
macro_rules! functions {
    ($($(#[$attribute:meta])* $name:ident($($parameter:ty),*) $(-> $result:ty)?;)*) => {{
        let mut functions = Functions::new();
        $($(#[$attribute])* {
            let _: extern "C" fn($($parameter),*) $(-> $result)? = $name;
            let text = concat!("fn(", $(stringify!($parameter), ",",)* ")", $("->", stringify!($result))?);
            functions.insert(stringify!($name).to_owned(), without_spaces(text));
        })*
        functions
    }};
}

/// The structures, each with exactly these fields of exactly these types: the compiler sees to it.
macro_rules! structs {
    ($($name:ident { $($field:ident: $kind:ty),* })*) => {{
        let mut structs = Structs::new();
        $(
            let _ = |value: $name| {
                let $name { $($field),* } = value;
                $(let _: $kind = $field;)*
            };
            let fields = vec![$((
                stringify!($field).to_owned(),
                without_spaces(stringify!($kind)),
                offset_of!($name, $field) as i64,
            )),*];
            structs.insert(stringify!($name).to_owned(), (size_of::<$name>() as i64, align_of::<$name>() as i64, fields));
        )*
        structs
    }};
}

/// The other names of types, each of exactly the type that is written here: the compiler sees to it.
macro_rules! typedefs {
    ($($(#[$attribute:meta])* $name:ident = $kind:ty;)*) => {{
        let mut typedefs = Typedefs::new();
        $($(#[$attribute])* {
            let _: PhantomData<$name> = PhantomData::<$kind>;
            typedefs.insert(stringify!($name).to_owned(), (without_spaces(stringify!($kind)), size_of::<$name>() as i64));
        })*
        typedefs
    }};
}

/// The enums, each with exactly these variants: the compiler sees to it. `as` tells the name of the number that the functions take,
/// and `+` constants that C programs find among the variants.
macro_rules! enums {
    ($($name:ident $(as $number:ident)? { $($variant:ident),* $(,)? } $(+ $constant:ident)*;)*) => {{
        let mut enums = Enums::new();
        $(
            let _ = |value: $name| match value { $($name::$variant => ()),* };
            $(const { assert!(size_of::<$number>() == size_of::<$name>()) };)?
            let mut values = BTreeMap::new();
            $(values.insert(stringify!($variant).to_owned(), $name::$variant as i64);)*
            $(values.insert(stringify!($constant).to_owned(), i64::from($constant));)*
            enums.insert(stringify!($name).to_owned(), (size_of::<$name>() as i64, values));
        )*
        enums
    }};
}

fn functions() -> Functions {
    functions! {
        pal_setSockAddrIPV4Addr(*mut palSocketAddress_t, *mut u8) -> palStatus_t;
        pal_setSockAddrIPV6Addr(*mut palSocketAddress_t, *mut u8) -> palStatus_t;
        pal_setSockAddrNAT64Addr(*mut palSocketAddress_t, *mut u8) -> palStatus_t;
        pal_setSockAddrPort(*mut palSocketAddress_t, u16) -> palStatus_t;
        pal_getSockAddrPort(*const palSocketAddress_t, *mut u16) -> palStatus_t;
        pal_getSockAddrIPV4Addr(*const palSocketAddress_t, *mut u8) -> palStatus_t;
        pal_getSockAddrIPV6Addr(*const palSocketAddress_t, *mut u8) -> palStatus_t;
        pal_getRttEstimate() -> u8;
        pal_getStaggerEstimate(u16) -> u16;
        pal_setFixedStaggerEstimate(u16);
        pal_registerNetworkInterface(*mut c_void, *mut u32) -> palStatus_t;
        pal_unregisterNetworkInterface(u32) -> palStatus_t;
        pal_getNumberOfNetInterfaces(*mut u32) -> palStatus_t;
        pal_getNetInterfaceInfo(u32, *mut palNetInterfaceInfo_t) -> palStatus_t;
        pal_setConnectionStatusCallback(u32, connectionStatusCallback, *mut c_void) -> palStatus_t;
        pal_plat_socketsInit(*mut c_void) -> palStatus_t;
        pal_plat_socketsTerminate(*mut c_void) -> palStatus_t;
        pal_asynchronousSocket(
            SocketDomain, SocketType, bool, u32, palAsyncSocketCallback_t, *mut palSocket_t
        ) -> palStatus_t;
        pal_asynchronousSocketWithArgument(
            SocketDomain, SocketType, bool, u32, palAsyncSocketCallback_t, *mut c_void, *mut palSocket_t
        ) -> palStatus_t;
        pal_close(*mut palSocket_t) -> palStatus_t;
        pal_isNonBlocking(palSocket_t, *mut bool) -> palStatus_t;
        pal_setSocketOptions(palSocket_t, c_int, *const c_void, palSocketLength_t) -> palStatus_t;
        pal_setSocketOptionsWithLevel(
            palSocket_t, SocketOptionLevelName, c_int, *const c_void, palSocketLength_t
        ) -> palStatus_t;
        pal_bind(palSocket_t, *mut palSocketAddress_t, palSocketLength_t) -> palStatus_t;
        pal_listen(palSocket_t, c_int) -> palStatus_t;
        pal_accept(
            palSocket_t, *mut palSocketAddress_t, *mut palSocketLength_t, *mut palSocket_t, palAsyncSocketCallback_t, *mut c_void
        ) -> palStatus_t;
        pal_connect(palSocket_t, *const palSocketAddress_t, palSocketLength_t) -> palStatus_t;
        pal_recv(palSocket_t, *mut c_void, usize, *mut usize) -> palStatus_t;
        pal_receiveFrom(
            palSocket_t, *mut c_void, usize, *mut palSocketAddress_t, *mut palSocketLength_t, *mut usize
        ) -> palStatus_t;
        pal_send(palSocket_t, *const c_void, usize, *mut usize) -> palStatus_t;
        pal_sendTo(
            palSocket_t, *const c_void, usize, *const palSocketAddress_t, palSocketLength_t, *mut usize
        ) -> palStatus_t;
        pal_initTLSLibrary() -> palStatus_t;
        pal_cleanupTLS() -> palStatus_t;
        pal_addEntropySource(palEntropySource_f) -> palStatus_t;
        pal_sslDebugging(u8) -> palStatus_t;
        pal_initTLSConfiguration(*mut palTLSConfHandle_t, TLSTransportMode) -> palStatus_t;
        pal_tlsConfigurationFree(*mut palTLSConfHandle_t) -> palStatus_t;
        pal_tlsSetSocket(palTLSConfHandle_t, *mut palTLSSocket_t) -> palStatus_t;
        pal_setDTLSSocketCallback(palTLSConfHandle_t, palSocketCallback_f, *mut c_void);
        pal_setHandShakeTimeOut(palTLSConfHandle_t, u32, u32) -> palStatus_t;
        pal_setCAChain(palTLSConfHandle_t, *mut palX509_t, *mut palX509CRL_t) -> palStatus_t;
        pal_initPrivateKey(*const c_void, usize, *mut palPrivateKey_t) -> palStatus_t;
        pal_setOwnPrivateKey(palTLSConfHandle_t, *mut palPrivateKey_t) -> palStatus_t;
        pal_setOwnCertChain(palTLSConfHandle_t, *mut palX509_t) -> palStatus_t;
        pal_setPSK(palTLSConfHandle_t, *const c_uchar, u32, *const c_uchar, u32) -> palStatus_t;
        pal_enableSslSessionStoring(palTLSConfHandle_t, bool);
        pal_sslSetDebugging(palTLSConfHandle_t, u8) -> palStatus_t;
        pal_initTLS(palTLSConfHandle_t, *mut palTLSHandle_t, bool) -> palStatus_t;
        pal_freeTLS(*mut palTLSHandle_t) -> palStatus_t;
        pal_handShake(palTLSHandle_t, palTLSConfHandle_t, bool) -> palStatus_t;
        pal_sslRead(palTLSHandle_t, *mut c_void, u32, *mut u32) -> palStatus_t;
        pal_sslWrite(palTLSHandle_t, palTLSConfHandle_t, *const c_void, u32, *mut u32) -> palStatus_t;
        pal_sslGetVerifyResultExtended(palTLSHandle_t, *mut i32) -> palStatus_t;
        pal_store_cid();
        pal_remove_cid();
        pal_is_cid_available() -> bool;
        pal_set_cid_value(palTLSHandle_t, palTLSConfHandle_t, *const u8, usize);
        pal_print_cid(palTLSHandle_t);
        #[cfg(any(pal_dns_api_version = "0", pal_dns_api_version = "1"))]
        pal_getAddressInfo(*const c_char, *mut palSocketAddress_t, *mut palSocketLength_t) -> palStatus_t;
        #[cfg(pal_dns_api_version = "1")]
        pal_getAddressInfoAsync(
            *const c_char, *mut palSocketAddress_t, *mut palSocketLength_t, palGetAddressInfoAsyncCallback_t, *mut c_void
        ) -> palStatus_t;
        #[cfg(pal_dns_api_version = "3")]
        pal_getAddressInfoAsync(
            *const c_char, palGetAddressInfoAsyncCallback_t, *mut c_void, *mut palDNSQuery_t
        ) -> palStatus_t;
        #[cfg(pal_dns_api_version = "3")]
        pal_cancelAddressInfoAsync(palDNSQuery_t) -> palStatus_t;
        #[cfg(pal_dns_api_version = "3")]
        pal_free_addressinfoAsync(palDNSQuery_t) -> palStatus_t;
        #[cfg(pal_dns_api_version = "3")]
        pal_getDNSCount(*mut palAddressInfo_t) -> c_int;
        #[cfg(pal_dns_api_version = "3")]
        pal_getDNSAddress(*mut palAddressInfo_t, u16, *mut palSocketAddress_t) -> palStatus_t;
        #[cfg(pal_dns_api_version = "3")]
        pal_freeAddrInfo(*mut palAddressInfo_t);
    }
}

fn structs() -> Structs {
    structs! {
        palSocketAddress_t { addressType: c_ushort, addressData: [c_char; 32] }
        palNetInterfaceInfo_t { interfaceName: [c_char; 16], address: palSocketAddress_t, addressSize: u32 }
        palTLSSocket_t {
            socket: palSocket_t, socketAddress: *mut palSocketAddress_t, addressLength: palSocketLength_t,
            transportationMode: TLSTransportMode
        }
        palTLSBuffer_t { buffer: *const c_void, size: u32 }
    }
}

// Two that the functions have no use for: they are in the header only.
type palIpV4Addr_t = [u8; 4];
type palIpV6Addr_t = [u8; 16];

fn typedefs() -> Typedefs {
    typedefs! {
        palIpV4Addr_t = [u8; 4];
        palIpV6Addr_t = [u8; 16];
        palStatus_t = i32;
        palSocketLength_t = u32;
        palSocket_t = *mut c_void;
        palAsyncSocketCallback_t = Option<extern "C" fn(*mut c_void)>;
        connectionStatusCallback = Option<extern "C" fn(palNetworkStatus_t, *mut c_void)>;
        palTLSHandle_t = usize;
        palTLSConfHandle_t = usize;
        palX509_t = palTLSBuffer_t;
        palX509CRL_t = palTLSBuffer_t;
        palPrivateKey_t = palTLSBuffer_t;
        palEntropySource_f = Option<extern "C" fn(*mut c_void, *mut c_uchar, usize, *mut usize) -> c_int>;
        palSocketCallback_f = Option<extern "C" fn(*mut c_void)>;
        #[cfg(pal_dns_api_version = "1")]
        palGetAddressInfoAsyncCallback_t = Option<
            extern "C" fn(*const c_char, *mut palSocketAddress_t, *mut palSocketLength_t, palStatus_t, *mut c_void)
        >;
        #[cfg(pal_dns_api_version = "3")]
        palGetAddressInfoAsyncCallback_t = Option<
            extern "C" fn(*const c_char, *mut palAddressInfo_t, palStatus_t, *mut c_void)
        >;
        #[cfg(pal_dns_api_version = "3")]
        palAddressInfo_t = *mut c_void;
        #[cfg(pal_dns_api_version = "3")]
        palDNSQuery_t = usize;
    }
}

fn enums() -> Enums {
    enums! {
        palSocketDomain_t as SocketDomain { PAL_AF_UNSPEC, PAL_AF_INET, PAL_AF_INET6 };
        palSocketType_t as SocketType { PAL_SOCK_STREAM, PAL_SOCK_DGRAM, PAL_SOCK_STREAM_SERVER };
        palSocketOptionName_t {
            PAL_SO_REUSEADDR, PAL_SO_KEEPALIVE, PAL_SO_KEEPIDLE, PAL_SO_KEEPINTVL, PAL_SO_SNDTIMEO, PAL_SO_RCVTIMEO,
            PAL_SO_IPV6_MULTICAST_HOPS, PAL_SO_IPV6_TRAFFIC_CLASS
        };
        palSocketOptionLevelName_t as SocketOptionLevelName { PAL_SOL_SOCKET, PAL_SOL_IPPROTO_IPV6 };
        palTLSTransportMode_t as TLSTransportMode { PAL_TLS_MODE, PAL_DTLS_MODE };
        palNetworkStatus_t { PAL_NETWORK_STATUS_DISCONNECTED, PAL_NETWORK_STATUS_CONNECTED };
        palError_t {
            PAL_SUCCESS, PAL_ERR_GENERIC_FAILURE, PAL_ERR_INVALID_ARGUMENT, PAL_ERR_NO_MEMORY,
            PAL_ERR_BUFFER_TOO_SMALL, PAL_ERR_NOT_SUPPORTED, PAL_ERR_TIMEOUT_EXPIRED, PAL_ERR_NOT_INITIALIZED,
            PAL_ERR_NULL_POINTER, PAL_ERR_CREATION_FAILED, PAL_ERR_END_OF_FILE, PAL_ERR_NOT_IMPLEMENTED,
            PAL_ERR_ITEM_NOT_EXIST, PAL_ERR_RTOS_PRIORITY, PAL_ERR_SOCKET_GENERIC, PAL_ERR_SOCKET_NO_BUFFERS,
            PAL_ERR_SOCKET_HOST_UNREACHABLE, PAL_ERR_SOCKET_IN_PROGRES, PAL_ERR_SOCKET_INVALID_VALUE,
            PAL_ERR_SOCKET_WOULD_BLOCK, PAL_ERR_SOCKET_ADDRESS_IN_USE, PAL_ERR_SOCKET_ALREADY_CONNECTED,
            PAL_ERR_SOCKET_CONNECTION_ABORTED, PAL_ERR_SOCKET_CONNECTION_RESET, PAL_ERR_SOCKET_NOT_CONNECTED,
            PAL_ERR_SOCKET_INPUT_OUTPUT_ERROR, PAL_ERR_SOCKET_CONNECTION_CLOSED,
            PAL_ERR_SOCKET_FAILED_TO_SET_SOCKET_TO_NON_BLOCKING, PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY,
            PAL_ERR_SOCKET_INVALID_ADDRESS, PAL_ERR_SOCKET_DNS_ERROR, PAL_ERR_SOCKET_HDCP_ERROR,
            PAL_ERR_SOCKET_AUTH_ERROR, PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED, PAL_ERR_SOCKET_SEND_BUFFER_TOO_BIG,
            PAL_ERR_SOCKET_ALLOCATION_FAILED, PAL_ERR_SOCKET_OPERATION_NOT_PERMITTED,
            PAL_ERR_SOCKET_MAX_NUMBER_OF_INTERFACES_REACHED, PAL_ERR_SOCKET_INTERRUPTED, PAL_ERR_TLS_INIT,
            PAL_ERR_TLS_RESOURCE, PAL_ERR_TLS_CONFIG_INIT, PAL_ERR_TLS_CONTEXT_NOT_INITIALIZED,
            PAL_ERR_TLS_INVALID_CIPHER, PAL_ERR_TLS_WANT_READ, PAL_ERR_TLS_WANT_WRITE,
            PAL_ERR_TLS_CLIENT_RECONNECT, PAL_ERR_TLS_BAD_INPUT_DATA, PAL_ERR_TLS_HELLO_VERIFY_REQUIRED,
            PAL_ERR_TLS_FAILED_TO_PARSE_CERT, PAL_ERR_TLS_FAILED_TO_PARSE_KEY, PAL_ERR_TLS_FAILED_TO_SET_CERT,
            PAL_ERR_TLS_PEER_CLOSE_NOTIFY, PAL_ERR_TLS_MULTIPLE_HANDSHAKE, PAL_ERR_TLS_TIMEOUT,
            PAL_ERR_TLS_SSL_VERSION_MISMATCH, PAL_ERR_CERT_PARSING_FAILED, PAL_ERR_X509_UNKNOWN_OID,
            PAL_ERR_X509_INVALID_NAME, PAL_ERR_FAILED_SET_TIME_CB, PAL_ERR_X509_CERT_VERIFY_FAILED,
            PAL_ERR_SSL_FATAL_ALERT_MESSAGE, PAL_ERR_X509_BADCERT_EXPIRED, PAL_ERR_X509_BADCERT_FUTURE,
            PAL_ERR_X509_BADCERT_BAD_MD, PAL_ERR_X509_BADCERT_BAD_PK, PAL_ERR_X509_BADCERT_NOT_TRUSTED,
            PAL_ERR_X509_BADCERT_BAD_KEY
        } + PAL_ERR_SOCKET_ERROR_BASE + PAL_ERR_TLS_ERROR_BASE;
    }
}

/// A type of C in Rust, without spaces.
fn translated(kind: &str) -> String {
    let kind = kind.trim();
    if let Some(Prototype { result, parameters }) = Prototype::read_pointer(kind) {
        let parameters: Vec<String> = parameters.iter().map(|parameter| translated(parameter)).collect();
        return format!("Option<extern\"C\"fn({}){}>", parameters.join(","), translated_result(&result));
    }
    if let Some((element, size)) = kind.split_once('[') {
        return format!("[{};{}", translated(element), size);
    }
    if let Some(pointee) = kind.strip_suffix('*') {
        return match pointee.strip_prefix("const ") {
            Some(pointee) => format!("*const{}", translated(pointee)),
            None => format!("*mut{}", translated(pointee)),
        };
    }
    // Of a parameter itself, it is no part of the function's type (C11 section 6.7.6.3).
    let name = match kind.strip_prefix("const ").unwrap_or(kind) {
        "_Bool" => "bool",
        "void" => "c_void",
        "char" => "c_char",
        "unsigned char" => "c_uchar",
        "int" => "c_int",
        "short unsigned int" => "c_ushort",
        "uint8_t" => "u8",
        "uint16_t" => "u16",
        "uint32_t" => "u32",
        "int32_t" => "i32",
        "size_t" | "uintptr_t" => "usize",
        other => other,
    };
    without_spaces(name)
}

fn translated_result(result: &str) -> String {
    if result == "void" { String::new() } else { format!("->{}", translated(result)) }
}

/// What the functions take in place of an enum is a number with a name of its own.
fn translated_parameter(parameter: &str, facts: &Facts) -> String {
    if !facts.enums.contains_key(parameter) {
        return translated(parameter);
    }
    parameter.strip_prefix("pal").and_then(|name| name.strip_suffix("_t")).expect("an enum's name").to_owned()
}

/// Adds what is different between what the facts say and what the compiler says.
fn compare<T: PartialEq + Debug>(
    said: &BTreeMap<String, T>,
    compiled: &BTreeMap<String, T>,
    mismatches: &mut Vec<String>,
) {
    let names: BTreeSet<&String> = said.keys().chain(compiled.keys()).collect();
    for name in names {
        let (said, compiled) = (said.get(name), compiled.get(name));
        if said != compiled {
            mismatches.push(format!("{name}: abi/pal.json says {said:?}, compiled is {compiled:?}"));
        }
    }
}

/// Everything in which the compiled library differs from these facts.
fn mismatches(json: &Value) -> Vec<String> {
    let facts = Facts::read(json, DNS_API_VERSION);
    let mut mismatches = Vec::new();

    let said = facts.functions.iter().map(|(name, prototype)| {
        let parameters = prototype.parameters.iter().map(|parameter| translated_parameter(parameter, &facts) + ",");
        let parameters: String = parameters.collect();
        (name.clone(), format!("fn({parameters}){}", translated_result(&prototype.result)))
    });
    compare(&said.collect(), &functions(), &mut mismatches);

    let said = facts.structs.iter().map(|(name, structure)| {
        let fields = structure.fields.iter();
        let fields =
            fields.map(|field| (field.name.clone(), translated_parameter(&field.kind, &facts), field.offset)).collect();
        (name.clone(), (structure.size, pal_facts::layout(name, &facts, POINTER_SIZE).1, fields))
    });
    compare(&said.collect(), &structs(), &mut mismatches);

    let said = facts.typedefs.iter().map(|(name, typedef)| {
        let size = typedef.size.unwrap_or_else(|| pal_facts::layout(&typedef.kind, &facts, POINTER_SIZE).0);
        (name.clone(), (translated(&typedef.kind), size))
    });
    compare(&said.collect(), &typedefs(), &mut mismatches);

    let said = facts.aliases.clone();
    let compiled = typedefs().into_iter().filter(|(name, _)| said.contains_key(name));
    compare(&said, &compiled.collect(), &mut mismatches);

    let said = facts.enums.iter().map(|(name, fact)| (name.clone(), (fact.size, fact.values.clone())));
    compare(&said.collect(), &enums(), &mut mismatches);

    let said = CONFIGURATION.iter().map(|(name, _)| {
        let value = facts.configuration.get(*name).expect("a name of the configuration");
        ((*name).to_owned(), pal_facts::integer(value))
    });
    let compiled = CONFIGURATION.iter().map(|(name, value)| ((*name).to_owned(), *value));
    compare(&said.collect(), &compiled.collect(), &mut mismatches);

    for (family, places) in &facts.layouts {
        mismatches.extend(misplaced(family, places));
    }
    mismatches
}

/// The places of an address that do not hold what belongs there.
fn misplaced(family: &str, places: &[(String, i64)]) -> Vec<String> {
    let (address, number, octets): (SocketAddr, _, &[u8]) = match family {
        "PAL_AF_INET" => (([1, 2, 3, 4], 0x5060).into(), palSocketDomain_t::PAL_AF_INET, &[1, 2, 3, 4]),
        "PAL_AF_INET6" => {
            let octets = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
            let address = std::net::SocketAddrV6::new((*octets).into(), 0x5060, 0x2122_2324, 0x3132_3334);
            (address.into(), palSocketDomain_t::PAL_AF_INET6, octets)
        }
        other => return vec![format!("{other}: no such family")],
    };
    let (structure, _) = address::structure_of(address);
    let mut bytes = structure.addressType.to_ne_bytes().to_vec();
    bytes.extend(structure.addressData.map(|byte| byte as u8));
    let wrong = places.iter().filter(|(name, offset)| {
        let expected = match name.as_str() {
            "family" => (number as c_ushort).to_ne_bytes().to_vec(),
            "port" => vec![0x50, 0x60],
            "address" => octets.to_vec(),
            // In network order, as rustix hands it to the system.
            "flowinfo" => 0x2122_2324_u32.to_be_bytes().to_vec(),
            "scope id" => 0x3132_3334_u32.to_ne_bytes().to_vec(),
            _ => return true,
        };
        let found = usize::try_from(*offset).ok().and_then(|offset| bytes.get(offset..offset + expected.len()));
        found != Some(&*expected)
    });
    wrong.map(|(name, offset)| format!("{family}: the {name} is not at {offset}")).collect()
}

#[test]
fn the_library_is_what_the_facts_say() {
    assert_eq!(mismatches(&pal_facts::json(POINTER_SIZE)), Vec::<String>::new());
}

#[test]
fn every_number_of_the_facts_counts() {
    let others = with_other_numbers(&pal_facts::json(POINTER_SIZE), &CONFIGURATION.map(|(name, _)| name));
    println!("{} numbers, each larger and smaller by one", others.len() / 2);
    assert!(!others.is_empty());
    for (what, other) in others {
        assert_ne!(mismatches(&other), Vec::<String>::new(), "nobody sees {what}");
    }
}

#[test]
fn every_type_of_the_facts_counts() {
    let others = with_other_types(&pal_facts::json(POINTER_SIZE), DNS_API_VERSION, POINTER_SIZE);
    println!("{} other types", others.len());
    assert!(!others.is_empty());
    for (what, other) in others {
        assert_ne!(mismatches(&other), Vec::<String>::new(), "nobody sees {what}");
    }
}

#[test]
fn the_symbols_are_the_functions() {
    let lookups = match DNS_API_VERSION {
        1 => include_str!("../../../abi/symbols-pal-dns-1.txt"),
        3 => include_str!("../../../abi/symbols-pal-dns-3.txt"),
        _ => include_str!("../../../abi/symbols-pal-dns-0.txt"),
    };
    let symbols = include_str!("../../../abi/symbols-pal.txt").lines().chain(lookups.lines());
    let symbols: BTreeSet<String> = symbols.filter(|name| name.starts_with("pal_")).map(str::to_owned).collect();
    assert_eq!(symbols, functions().into_keys().collect(), "abi/symbols-pal*.txt (left), and what is compiled (right)");
}
