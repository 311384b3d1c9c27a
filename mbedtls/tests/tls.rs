//! TLS against the servers of OpenSSL and GnuTLS.

mod support;

use mbed_cloud_connectivity_mbedtls::config::ProtocolVersion;
use support::*;

#[test]
fn tls_1_2_and_1_3_with_ec_and_rsa_chains() {
    for key in [Key::Ec, Key::Rsa] {
        let pki = Pki::new(key);
        for (argument, version) in [("-tls1_2", ProtocolVersion::Tls12), ("-tls1_3", ProtocolVersion::Tls13)] {
            let server = Server::openssl(&pki, "server", &[argument, "-rev"]);
            let (mut session, mut socket) = establish(pki.client().build().unwrap(), &server);
            assert_eq!(session.version(), Some(version));
            assert!(session.verify_result().is_empty());
            assert!(session.cipher_suite().unwrap().name().contains("GCM"));
            assert!(!session.is_resumed());
            write_all(&mut session, &mut socket, b"hello\n").unwrap();
            assert_eq!(read_exactly(&mut session, &mut socket, 6), b"olleh\n");
        }
    }
}
