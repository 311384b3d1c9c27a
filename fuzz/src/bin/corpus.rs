//! Writes the seeds of the corpora: inputs with a meaning, from which the fuzzer begins. `script/fuzz corpus` runs it.
//!
//! The TLS sessions are made with OpenSSL's server.

use mbed_cloud_connectivity_fuzz::stored_tls::{PSK, config};
use mbed_cloud_connectivity_mbedtls::Session;
use mbed_cloud_connectivity_mbedtls::config::TransportKind;
use mbed_cloud_connectivity_mbedtls::session::{Handshake, ServerName, Transport};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).expect("corpus FOLDER"));
    let seeds = Seeds { folder };
    coap(&seeds)?;
    framing(&seeds)?;
    application(&seeds)?;
    dns(&seeds)?;
    connection(&seeds)?;
    settings(&seeds)?;
    c_interface(&seeds)?;
    stored_tls(&seeds)
}

struct Seeds {
    folder: PathBuf,
}

impl Seeds {
    fn write(&self, target: &str, name: &str, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)
    }
}

/// Messages, well-formed and not. Among them the shapes of the faults that were published of mbed-coap (CVE-2020-12883 to -12887).
fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let with_options = |options: &[u8]| [&[0x40, 1, 0x12, 0x34][..], options].concat();
    let repeated = |option: &[u8], times| with_options(&option.repeat(times));
    vec![
        ("get", [&[0x42, 1, 0x12, 0x34, 0xaa, 0xbb, 0xb5][..], b"hello", &[0xff, 1]].concat()),
        ("content", vec![0x60, 0x45, 0x12, 0x34, 0xc0, 0xff, b'x']),
        ("ping", vec![0x40, 0, 0x12, 0x34]),
        ("reset", vec![0x70, 0, 0x12, 0x34]),
        ("empty-acknowledgement", vec![0x60, 0, 0x12, 0x34]),
        ("ping-with-a-byte-too-many", vec![0x40, 0, 0x12, 0x34, 0]),
        ("reset-with-a-code", vec![0x70, 0x45, 0x12, 0x34]),
        ("half-a-header", vec![0x40, 1]),
        ("other-version", vec![0x80, 1, 0x12, 0x34]),
        ("reserved-class", vec![0x40, 0x21, 0x12, 0x34]),
        // Token lengths: reserved ones, and one that runs past the end.
        ("token-of-9", [&[0x49, 1, 0x12, 0x34][..], &[7; 9]].concat()),
        ("token-of-15", [&[0x4f, 1, 0x12, 0x34][..], &[7; 15]].concat()),
        ("token-past-the-end", vec![0x48, 1, 0x12, 0x34, 7]),
        // Option deltas and lengths that run past the end, in each of their forms.
        ("delta-of-13-without-its-byte", with_options(&[0xd0])),
        ("delta-of-14-without-its-bytes", with_options(&[0xe0])),
        ("delta-of-14-with-one-byte", with_options(&[0xe0, 0xff])),
        ("length-of-13-without-its-byte", with_options(&[0x0d])),
        ("length-of-14-with-one-byte", with_options(&[0x0e, 0xff])),
        ("delta-and-length-share-too-few-bytes", with_options(&[0xee, 0, 1, 0])),
        ("reserved-delta", with_options(&[0xf1, 0])),
        ("reserved-length", with_options(&[0x1f, 0])),
        ("option-past-the-end", with_options(&[0xb5, b'h'])),
        ("long-option-past-the-end", with_options(&[0xbe, 0xff, 0xff, 1])),
        // The largest number that there is, and beyond.
        ("number-of-65535", with_options(&[0xe0, 0xfe, 0xf2])),
        ("number-of-65804", with_options(&[0xe0, 0xff, 0xff])),
        ("numbers-that-wrap", repeated(&[0xe0, 0xff, 0xff], 2)),
        // Lengths that wrap in 8 and 16 bits: 269 + 0xfff3 is 65,792, and 13 + 0xf3 is 256.
        ("length-that-wraps-in-16-bits", with_options(&[0xbe, 0xfe, 0xf3])),
        ("length-that-wraps-in-8-bits", [with_options(&[0xbd, 0xf3]), vec![b'x'; 256]].concat()),
        // Options repeated many times: those that may be, and those that may not.
        ("uri-path-many-times", [with_options(&[0xb1, b'a']), [0x01, b'a'].repeat(60)].concat()),
        (
            "uri-path-many-times-and-past-the-end",
            [with_options(&[0xb1, b'a']), [0x01, b'a'].repeat(60), vec![0x0c]].concat(),
        ),
        ("uri-query-many-times-and-empty", [with_options(&[0xd0, 2]), vec![0; 120]].concat()),
        ("max-age-twice", with_options(&[0xd1, 1, 9, 0x01, 9])),
        ("content-format-many-times", [with_options(&[0xc1, 1]), [0x01, 1].repeat(40)].concat()),
        ("location-path-many-times", [vec![0x60, 0x41, 0x12, 0x34, 0x81, b'a'], [0x01, b'a'].repeat(60)].concat()),
        ("proxy-uri-of-300", [with_options(&[0xde, 22, 0, 31]), vec![b'x'; 300]].concat()),
        // Payload markers.
        ("marker-without-payload", with_options(&[0xff])),
        ("marker-in-an-option", with_options(&[0xb1, 0xff])),
        ("payload-of-markers", with_options(&[0xff, 0xff, 0xff])),
        // Signals of RFC 8323.
        ("capabilities", vec![0x50, 0xe1, 0, 0, 0x22, 0x10, 0]),
        ("capabilities-with-an-unknown-critical-option", vec![0x50, 0xe1, 0, 0, 0x10]),
        ("signal-ping", vec![0x52, 0xe2, 0, 0, 1, 2]),
        ("signal-pong", vec![0x50, 0xe3, 0, 0]),
        ("release", vec![0x50, 0xe4, 0, 0, 0x41, 9]),
        ("abort", vec![0x50, 0xe5, 0, 0]),
        ("unknown-signal", vec![0x50, 0xff, 0, 0]),
        ("size-of-nine-bytes", [&[0x50, 0xe1, 0, 0, 0x29][..], &[0xff; 9]].concat()),
    ]
}

fn coap(seeds: &Seeds) -> io::Result<()> {
    messages().into_iter().try_for_each(|(name, message)| seeds.write("coap", name, message))
}

fn framing(seeds: &Seeds) -> io::Result<()> {
    use mbed_cloud_connectivity::coap::framing::{Framing, encode};
    let framings = [
        (0, "datagram", Framing::Datagram),
        (1, "record", Framing::Record),
        (2, "prefix", Framing::LengthPrefix),
        (3, "rfc8323", Framing::Rfc8323),
    ];
    let long = [&[0x40, 1, 0, 1, 0xff][..], &[7; 300]].concat();
    let short = messages().swap_remove(0).1;
    for (number, name, framing) in framings {
        let frames = [&short, &long, &short].map(|message| encode(framing, message).expect("a message"));
        for (limit, piece) in [(1_000_u16, 0), (1_000, 1), (64, 7)] {
            let head = [&[number][..], &limit.to_le_bytes(), &[piece]].concat();
            seeds.write("framing", &format!("{name}-{limit}-{piece}"), [head, frames.concat()].concat())?;
        }
        seeds.write("framing", &format!("{name}-outgoing"), [&[number, 0xff, 0, 3][..], &short].concat())?;
        seeds.write("framing", &format!("{name}-nothing"), [number, 0xff, 0, 1])?;
    }
    for (name, bytes) in [
        ("prefix-of-0", vec![2, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0x40, 0, 0, 1]),
        ("prefix-of-4294967295", vec![2, 64, 0, 0, 0xff, 0xff, 0xff, 0xff, 1]),
        ("prefix-of-16777216", vec![2, 64, 0, 0, 1, 0, 0, 0, 1]),
        ("prefix-cut", vec![2, 64, 0, 0, 0, 0]),
        // Lengths of RFC 8323 in each form; the longest wraps in 32 bits.
        ("rfc8323-length-of-13", [&[3, 0xff, 0, 2, 0xd0, 0, 0x45, 0xff][..], &[7; 12]].concat()),
        ("rfc8323-length-of-268", [&[3, 0xff, 3, 0, 0xd0, 0xff, 0x45, 0xff][..], &[7; 267]].concat()),
        ("rfc8323-length-of-269", [&[3, 0xff, 3, 0, 0xe0, 0, 0, 0x45, 0xff][..], &[7; 268]].concat()),
        ("rfc8323-length-of-65805", vec![3, 0xff, 0xff, 0, 0xf0, 0, 0, 0, 0, 0x45, 0xff, 7]),
        ("rfc8323-length-that-wraps", vec![3, 0xff, 0xff, 0, 0xf0, 0xff, 0xff, 0xff, 0xff, 0x45, 0xff, 7]),
        ("rfc8323-length-that-wraps-to-0", vec![3, 0xff, 0xff, 0, 0xf0, 0xff, 0xfe, 0xfe, 0xf3, 0x45]),
        ("rfc8323-token-of-9", [&[3, 0xff, 0, 0, 0x09, 1][..], &[7; 9]].concat()),
        ("rfc8323-empty", vec![3, 0xff, 0, 0, 0, 0, 0, 0xe2]),
    ] {
        seeds.write("framing", name, bytes)?;
    }
    Ok(())
}

fn application(seeds: &Seeds) -> io::Result<()> {
    for (name, uri) in [
        ("name", "coaps://device.example.com"),
        ("port", "coap+tcp://a_b.example.:65535/"),
        ("upper-case", "COAPS+TCP://A.EXAMPLE:443"),
        ("ipv4", "coap://127.0.0.1:5683"),
        ("ipv4-with-a-mistake", "coap://256.1.1.1"),
        ("ipv6", "coaps://[2001:db8::7]:1"),
        ("ipv6-with-a-zone", "coap://[fe80::1%25eth0]:5684"),
        ("ipv6-without-brackets", "coap://fe80::1:5683"),
        ("user", "coap://user@x.example"),
        ("no-port", "coap://x.example:"),
        ("port-of-65536", "coap://x.example:65536"),
        ("other-scheme", "http://x.example"),
    ] {
        seeds.write("application", name, uri)?;
    }
    let entry = |network: u64, proven: u64, broken: u64| [network, proven, broken].map(u64::to_be_bytes).concat();
    seeds.write("application", "state-of-two-networks", [entry(1, 60_000, 0), entry(2, 90_000, 120_000)].concat())?;
    seeds.write("application", "state-of-one-network-twice", entry(1, u64::MAX, u64::MAX).repeat(2))?;
    seeds.write(
        "application",
        "state-of-17-networks",
        (0..17).flat_map(|number| entry(number, 1, 2)).collect::<Vec<_>>(),
    )
}

/// Answers of a resolver (RFC 1035 section 4.1), well-formed and not.
fn dns(seeds: &Seeds) -> io::Result<()> {
    const HOST: &[u8] = b"\x06device\x07example\0";
    /// A pointer to the name in the question.
    const ASKED: &[u8] = &[0xc0, 12];
    const A: u8 = 1;
    const ALIAS: u8 = 5;
    const AAAA: u8 = 28;
    let record = |name: &[u8], kind: u8, ttl: u32, data: &[u8]| {
        let size = u16::try_from(data.len()).expect("it is short").to_be_bytes();
        [name, &[0, kind, 0, 1], &ttl.to_be_bytes(), &size, data].concat()
    };
    let answer = |flags: u16, kind: u8, records: &[Vec<u8>]| {
        let [high, low] = flags.to_be_bytes();
        let count = u8::try_from(records.len()).expect("they are few");
        let head = [u8::from(kind == AAAA), 0, 7, high, low, 0, 1, 0, count, 0, 0, 0, 0];
        [&head[..], HOST, &[0, kind, 0, 1], &records.concat()].concat()
    };
    let address = record(ASKED, A, 60, &[192, 0, 2, 1]);
    let alias = |name: &[u8], to: &[u8]| record(name, ALIAS, 30, to);
    for (name, message) in [
        ("address", answer(0x8180, A, std::slice::from_ref(&address))),
        ("address-twice", answer(0x8580, A, &[address.clone(), address.clone()])),
        ("ipv6-address", answer(0x8180, AAAA, &[record(ASKED, AAAA, u32::MAX, &[0x20; 16])])),
        ("alias", answer(0x8180, A, &[alias(ASKED, b"\x01a\0"), record(b"\x01a\0", A, 9, &[192, 0, 2, 2])])),
        ("alias-of-itself", answer(0x8180, A, &[alias(ASKED, ASKED)])),
        ("no-such-name", answer(0x8183, A, &[])),
        ("truncated", answer(0x8380, A, &[])),
        ("address-of-other-size", answer(0x8180, A, &[record(ASKED, A, 60, &[192, 0, 2])])),
        ("pointer-to-itself", answer(0x8180, A, &[record(&[0xc0, 32], A, 60, &[192, 0, 2, 1])])),
        ("pointer-past-the-end", answer(0x8180, A, &[record(&[0xff, 0xff], A, 60, &[192, 0, 2, 1])])),
        ("label-past-the-end", answer(0x8180, A, &[vec![63, b'a']])),
        ("record-that-ends-early", answer(0x8180, A, &[address[..address.len() - 2].to_vec()])),
        ("text", answer(0x8180, A, &[record(ASKED, 16, 60, b"\xffab")])),
        ("options", answer(0x8180, A, &[record(&[0], 41, 0, &[0, 10, 0, 8, 1])])),
        ("question-only", answer(0x0100, A, &[])),
    ] {
        seeds.write("dns", name, message)?;
    }
    Ok(())
}

/// The head: kind, interval, jitter, patience, bounds, networks, queue, size, backoff, seed. Then steps: see the target.
fn connection(seeds: &Seeds) -> io::Result<()> {
    const GO_ON: u8 = 1;
    for (name, kind) in [
        ("tcp", 0),
        ("tls", 1),
        ("rfc8323", 2),
        ("rfc8323-tls", 3),
        ("udp", 4),
        ("dtls", 5),
        ("tcp-adaptive", 0x10),
        ("udp-adaptive", 0x14),
        ("tcp-two-ports-kept-queue", 0xc0),
        ("tls-address", 0x21),
    ] {
        let is_udp = (kind >> 1) % 4 == 2;
        let is_adaptive = kind & 0x18 == 0x10;
        let mut head = vec![kind, 9, 10];
        head.extend(if is_udp { &[][..] } else { &[0x10, 0x27] });
        head.extend(if is_adaptive { &[0x10, 0, 50, 5][..] } else { &[] });
        head.extend([0, 8, 0x00, 0x04, 0xe8, 0x03, 60, 0, 0xe8, 0x03, 7, 0]);
        let open = [0, GO_ON, GO_ON, GO_ON];
        let send = [19, 0, 1, 2, GO_ON, GO_ON];
        let ping = [21, GO_ON, 15, 0, 1, 2, GO_ON];
        let traffic = [13, 0, 0, 5, 6, 13, 0, 32, 7, 8, 13, 0, 130, 1, 0, 0];
        let silence = [6, GO_ON, 6, GO_ON, 6, GO_ON, 6, GO_ON, 6, GO_ON];
        let broken = [11, 0, 30, 6, 6, GO_ON, GO_ON, 19, 0, 1, 2, 11, 0, 40];
        let network = [23, 3, 21, GO_ON, 23 + 24 * 6, 22, 9];
        let steps = [&open[..], &send, &traffic, &ping, &silence, &broken, &open[1..], &network, &send];
        seeds.write("connection", name, [&head[..], &steps.concat()].concat())?;
        seeds.write("connection", &format!("{name}-closed"), [&head[..], &open, &send[..5], &[214]].concat())?;
        seeds.write(
            "connection",
            &format!("{name}-not-found"),
            [&head[..], &[0, 8, 0, 22, 6, 7, 0, 0, 11, 192, 3]].concat(),
        )?;
    }
    Ok(())
}

fn settings(seeds: &Seeds) -> io::Result<()> {
    for (name, json) in [
        ("interval", r#"{"target_overrides":{"*":{"mbed-client.tcp-keepalive-interval":600}}}"#),
        (
            "labels",
            r#"{"target_overrides":{"*":{"mbed-client.reconnection-count":3},"K64F":{"mbed-client.reconnection-count":null},"LINUX":{"mbed-cloud-client.custom-uri-port":443}}}"#,
        ),
        (
            "macros",
            r#"{"macros":["MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=(60*9)","-UX"],"target_overrides":{"K64F":{"target.macros_add":["A=1"]}}}"#,
        ),
        ("out-of-range", r#"{"target_overrides":{"*":{"mbed-client.sn-coap-max-incoming-message-size":1e9}}}"#),
        ("misspelt", r#"{"target_overrides":{"*":{"mbed-client.tcp_keepalive_interval":"600"}}}"#),
        ("twice", r#"{"target_overrides":{"*":{}},"target_overrides":{}}"#),
        ("wrong-shapes", r#"{"macros":{"a":1},"target_overrides":{"*":[],"K64F":{"target.macros":[1,null,[]]}}}"#),
        ("mode", r#"{"target_overrides":{"*":{"mbed-client.transport-mode":"TCP","x\u0000\ud83d\ude00":-0.5e-3}}}"#),
        ("no-object", "[1,2"),
        ("nested", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
        ("byte-order-mark", "\u{feff}{}"),
    ] {
        seeds.write("settings_json", name, json)?;
    }
    for (name, header) in [
        ("interval", "#define MBED_CLIENT_TCP_KEEPALIVE_INTERVAL 600\n"),
        ("expression", "#ifndef X\n#define X (60UL * 9)\n#endif\n#define MBED_CLIENT_TCP_KEEPALIVE_INTERVAL (X + 1)\n"),
        ("transport", "#define MBED_CLOUD_CLIENT_TRANSPORT_MODE_UDP\n#define SN_COAP_MAX_INCOMING_MESSAGE_SIZE 2048\n"),
        (
            "two-transports",
            "#define MBED_CLOUD_CLIENT_TRANSPORT_MODE_UDP 1\n#define MBED_CLOUD_CLIENT_TRANSPORT_MODE_TCP 1\n",
        ),
        (
            "pal",
            "#define PAL_DNS_API_VERSION 3\n#define PAL_TLS_1_3 true\n#define PAL_DEFAULT_RTT_ESTIMATE 5\n#define PAL_TLS_CIPHER_SUITE 0xc0ae\n",
        ),
        ("text", "#define MBED_CLIENT_RECONNECTION_COUNT \"3\"\n"),
        (
            "wide",
            "#define MBED_CLIENT_RECONNECTION_COUNT 18446744073709551616\n#define MBED_CLOUD_CLIENT_CUSTOM_URI_PORT -1\n",
        ),
        ("undefined", "#undef MBED_CLIENT_TCP_KEEPALIVE_INTERVAL\n\0MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=5\n"),
        (
            "both",
            "#define MBED_CLIENT_TCP_KEEPALIVE_INTERVAL 5\n\0-DMBED_CLIENT_TCP_KEEPALIVE_INTERVAL=6\n-D\nA=\"b c\"\n-UA\n",
        ),
        ("misspelt", "#define MBED_CLIENT_TCP_KEEPALIVE_INTERVALL 5\n"),
        ("unclosed", "#if 1\n#define MBED_CLIENT_MAX_RECONNECT_TIMEOUT 1 /* \n"),
        ("brace", "struct a {\n#define MBED_CLIENT_MAX_RECONNECT_TIMEOUT sizeof(struct a *)\n"),
        ("pragma", "#define PAL_X 1\n#pragma push_macro(\"PAL_X\")\n#undef PAL_X\n#pragma pop_macro(\"PAL_X\")\n"),
        ("missing", "#include \"no-such-file.h\"\n"),
        ("itself", "#include \"mbed_cloud_client_user_config.h\"\n"),
    ] {
        seeds.write("settings_header", name, header)?;
    }
    Ok(())
}

/// Calls, as the target reads them.
fn c_interface(seeds: &Seeds) -> io::Result<()> {
    let context = [0, 2];
    // Context, kind of URI, reaction, options, how many more options.
    let open = |uri: u8, reaction: u8| [1, 0, uri, reaction, 0, 0];
    let open_tls = |uri: u8| [&[1, 0, uri, 0, 0x30, 4][..], b"fuzz", &[16], &[0x5a; 16], &[0, 0]].concat();
    let run = [6, 6];
    let csm = [6, 5];
    let ping = [6, 4];
    let send = [3, 0, 1];
    let calls = [3, 0, 6, 3, 0, 9, 255, 3, 0, 11, 3, 0, 8, 30];
    for (name, calls) in [
        ("tcp", [&context[..], &open(0, 0), &run, &run, &send, &run, &ping, &run, &calls, &run, &[3, 0, 15]].concat()),
        ("rfc8323", [&context[..], &open(4, 0), &run, &run, &csm, &run, &send, &run, &calls, &run].concat()),
        ("udp", [&context[..], &[1, 0, 0x10, 0, 4, 0], &run, &send, &run, &ping, &run, &calls].concat()),
        ("refused", [&context[..], &open(0x20, 0), &run, &run, &send, &run].concat()),
        ("localhost", [&context[..], &open(10, 0), &run, &run, &run].concat()),
        ("tls", [&context[..], &open_tls(6), &run, &run, &[6, 1, 5, 21, 3, 3, 0, 2], &run].concat()),
        ("dtls", [&context[..], &open_tls(0x16), &run, &run].concat()),
        ("freed-in-a-callback", [&context[..], &open(0, 3), &run, &run, &send, &run].concat()),
        ("closed-in-a-callback", [&context[..], &open(0, 2), &run, &run].concat()),
        ("sent-in-a-callback", [&context[..], &open(0, 1), &run, &run, &ping, &run].concat()),
        ("own-thread", [&[0, 16][..], &open(0, 0), &run, &run, &send, &[0, 255, 0]].concat()),
        ("nothing-there", vec![3, 255, 6, 3, 254, 1, 1, 0, 1, 253, 0, 0, 0, 0, 8, 200, 255, 10, 255, 40]),
        ("keepalive", vec![8, 1, 30, 10, 30, 8, 0x50, 0, 0xff, 0x7f, 8, 0x58, 0, 8, 0x59, 0, 0xff, 0, 0, 8, 0x6c, 0]),
        (
            "socket",
            vec![
                10, 0, 0, 0, 0, 10, 42, 0, 2, 16, 10, 56, 0, 2, 0, 6, 6, 10, 44, 0, 2, 10, 10, 60, 0, 2, 4, 10, 55, 0,
                2,
            ],
        ),
        ("server-socket", vec![10, 0, 0, 4, 0, 10, 50, 0, 2, 0, 10, 51, 0, 2, 0]),
        (
            "pal-tls",
            [
                &[10, 0, 0, 0, 0, 10, 42, 0, 2, 16, 13, 0, 0, 0, 0, 13, 1, 0, 0, 0, 13, 6, 0, 0, 0, 4][..],
                b"fuzz",
                &[16],
                &[0x5a; 16],
                &[
                    13, 9, 0, 0, 0, 2, 0, 13, 10, 0, 0, 0, 13, 12, 0, 0, 0, 6, 6, 13, 12, 0, 0, 0, 13, 15, 0, 0, 9, 13,
                    17, 0, 0, 0,
                ],
            ]
            .concat(),
        ),
        ("the-rest", (0..12).flat_map(|kind| [15, kind, 3, 1, 2, 3]).collect()),
    ] {
        seeds.write("c_interface", name, calls)?;
    }
    Ok(())
}

fn stored_tls(seeds: &Seeds) -> io::Result<()> {
    let stream = saved(TransportKind::Stream, "-tls1_2")?;
    let stream_1_3 = saved(TransportKind::Stream, "-tls1_3")?;
    let datagram = saved(TransportKind::Datagram, "-dtls1_2")?;
    let record = [&[30, 23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 17][..], &[9; 17]].concat();
    let alert = [15, 21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 1, 0];
    for (name, kind, content) in [
        ("tls-1-2", 3, &stream),
        ("tls-1-3", 3, &stream_1_3),
        ("dtls", 4, &datagram),
        ("dtls-in-both-places", 5, &datagram),
        ("dtls-as-tls", 3, &datagram),
        ("no-form", 1, &vec![1, 2, 3]),
        ("no-form-of-a-context", 2, &b"MCCDTLS\x01".to_vec()),
        ("item", 0, &b"MCCITEM\x01\x01\0\0\0\x02ab\x02\0\0\0\0".to_vec()),
        ("item-that-ends-early", 0, &b"MCCITEM\x01\x01\xff\xff\xff\xff".to_vec()),
    ] {
        let size = u16::try_from(content.len()).expect("a session is short").to_le_bytes();
        seeds.write("stored_tls", name, [&[kind][..], &size, content, &record, &alert].concat())?;
        seeds.write(
            "stored_tls",
            &format!("{name}-cut"),
            [&[kind][..], &size, &content[..content.len() / 2]].concat(),
        )?;
    }
    Ok(())
}

/// What Mbed TLS keeps of a session with OpenSSL, without what this library puts before it.
fn saved(transport: TransportKind, version: &str) -> io::Result<Vec<u8>> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let key: String = PSK.1.iter().map(|byte| format!("{byte:02x}")).collect();
    let server = Command::new("openssl")
        .args(["s_server", "-quiet", "-nocert", version, "-psk", &key, "-psk_identity", "fuzz", "-accept"])
        .arg(format!("127.0.0.1:{port}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let _server = Server(server);
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match handshake(transport, port, until) {
            Ok(bytes) => return Ok(bytes),
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => return Err(error),
        }
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

enum Socket {
    Stream(TcpStream),
    Datagrams(UdpSocket),
}

impl Transport for Socket {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stream(stream) => stream.write(bytes),
            Self::Datagrams(socket) => socket.send(bytes),
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stream(stream) => stream.read(buffer),
            Self::Datagrams(socket) => socket.recv(buffer),
        }
    }
}

fn handshake(transport: TransportKind, port: u16, until: Instant) -> io::Result<Vec<u8>> {
    let wait = Some(Duration::from_millis(200));
    let mut socket = match transport {
        TransportKind::Stream => {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(wait)?;
            Socket::Stream(stream)
        }
        TransportKind::Datagram => {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(("127.0.0.1", port))?;
            socket.set_read_timeout(wait)?;
            Socket::Datagrams(socket)
        }
    };
    let failed = |error| io::Error::other(format!("{error:?}"));
    let mut session = Session::new(config(transport), ServerName::Unchecked).map_err(failed)?;
    while session.handshake(&mut socket).map_err(failed)? != Handshake::Done {
        if Instant::now() > until {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    // In TLS 1.3 the ticket comes after the handshake.
    let _ = session.read(&mut socket, &mut [0; 16]);
    let saved = match transport {
        TransportKind::Stream => session.save().map_err(failed)?.ok_or(io::ErrorKind::NotFound)?,
        TransportKind::Datagram => session.suspend().map_err(failed)?,
    };
    let _ = session.close_notify(&mut socket);
    Ok(saved.as_ref()[72..].to_vec())
}
