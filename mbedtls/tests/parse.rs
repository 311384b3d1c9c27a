//! Certificates, lists and keys from outside: good ones, cut ones, damaged ones.

mod support;

use mbed_cloud_connectivity_mbedtls::ErrorKind;
use mbed_cloud_connectivity_mbedtls::pk::PrivateKey;
use mbed_cloud_connectivity_mbedtls::x509::{AlternativeName, CertificateChain, RevocationList};
use support::{Key, Pki, now};

fn trimmed(text: &[u8]) -> &[u8] {
    text.trim_ascii_end()
}

#[test]
fn a_certificate_tells_what_is_in_it() {
    let pki = Pki::new(Key::Ec);
    let chain = pki.chain("server.crt");
    let [certificate] = chain.certificates() else { panic!("{chain:?}") };
    assert_eq!(certificate.subject, "C=FI, O=Example, CN=server");
    assert_eq!(certificate.issuer, "C=FI, O=Example, CN=Test ca");
    assert_eq!(certificate.issuer_attributes[2].name, "CN");
    assert_eq!(certificate.issuer_attributes[2].value, b"Test ca");
    assert_eq!(
        certificate.alternative_names,
        [AlternativeName::Dns("localhost".to_owned()), AlternativeName::Ip("127.0.0.1".parse().unwrap())]
    );
    assert!((now() - certificate.not_before).abs() < 120);
    assert_eq!(certificate.not_after - certificate.not_before, 365 * 24 * 3600);
    assert_eq!(certificate.serial[0], 0x10);
    pki.openssl(&["x509", "-in", "server.crt", "-outform", "DER", "-out", "server.der"]);
    assert_eq!(certificate.der, pki.bytes("server.der"));
    pki.openssl(&["x509", "-in", "server.crt", "-noout", "-pubkey", "-out", "server.pub"]);
    #[rustfmt::skip]
    pki.openssl(&[
        "ec", "-pubin", "-in", "server.pub", "-conv_form", "compressed", "-outform", "DER", "-out", "compressed.der",
    ]);
    let compressed = pki.bytes("compressed.der");
    assert_eq!(certificate.compressed_p256_key().unwrap(), compressed[compressed.len() - 33..]);
    let rsa = Pki::new(Key::Rsa);
    assert_eq!(rsa.chain("ca.crt").certificates()[0].compressed_p256_key(), None);
}

#[test]
fn der_and_pem_are_taken_with_what_callers_leave_behind_them() {
    let pki = Pki::new(Key::Ec);
    let pem = pki.bytes("server.crt");
    let der = pki.chain("server.crt").certificates()[0].der.clone();
    for bytes in [
        der.clone(),
        [&der[..], &[0; 100]].concat(),
        [&der[..], b"rubbish"].concat(),
        pem.clone(),
        [&pem[..], &[0; 3]].concat(),
        [b"a word before\n", &pem[..], b"and one after\n"].concat(),
        String::from_utf8(pem.clone()).unwrap().replace('\n', "\r\n").into_bytes(),
    ] {
        assert_eq!(CertificateChain::parse(&bytes).unwrap().certificates()[0].der, der);
    }
    let chain = CertificateChain::parse(&[pem, pki.bytes("ca.crt")].concat()).unwrap();
    assert_eq!(chain.certificates().len(), 2);
    assert_eq!(chain.certificates()[1].subject, "C=FI, O=Example, CN=Test ca");
}

#[test]
fn a_certificate_cut_at_any_byte_is_an_error() {
    let pki = Pki::new(Key::Ec);
    let pem = pki.bytes("server.crt");
    let der = pki.chain("server.crt").certificates()[0].der.clone();
    for size in 0..der.len() {
        assert!(CertificateChain::parse(&der[..size]).is_err(), "DER cut at {size}");
    }
    for size in 0..trimmed(&pem).len() {
        assert!(CertificateChain::parse(&pem[..size]).is_err(), "PEM cut at {size}");
    }
    // Nor is the first of two enough when the second is cut.
    let two = [&pem[..], &pem[..]].concat();
    for size in pem.len() + 1..trimmed(&two).len() {
        assert!(CertificateChain::parse(&two[..size]).is_err(), "the second PEM cut at {size}");
    }
}

#[test]
fn pem_with_a_bad_certificate_among_good_ones_is_an_error() {
    let pki = Pki::new(Key::Ec);
    let good = pki.bytes("server.crt");
    let bad = b"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
    let error = CertificateChain::parse(&[&good[..], bad, &good[..]].concat()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadCertificate);
    // A file that holds the key as well is usual.
    let both = [pki.bytes("server.key"), good].concat();
    assert_eq!(CertificateChain::parse(&both).unwrap().certificates().len(), 1);
    assert!(PrivateKey::parse(&both, None).is_ok());
    assert!(CertificateChain::parse(&pki.bytes("server.key")).is_err(), "a key alone is no certificate");
}

#[test]
fn a_damaged_certificate_does_no_harm() {
    let pki = Pki::new(Key::Ec);
    let der = pki.chain("server.crt").certificates()[0].der.clone();
    let mut refused = 0;
    for index in 0..der.len() {
        for bit in 0..8 {
            let mut damaged = der.clone();
            damaged[index] ^= 1 << bit;
            refused += usize::from(CertificateChain::parse(&damaged).is_err());
        }
    }
    assert!(refused > der.len(), "{refused} of {} refused", der.len() * 8);
}

#[test]
fn revocation_lists_are_read_or_refused() {
    let pki = Pki::new(Key::Ec);
    let pem = pki.revoke(&["server"], "7");
    let lists = RevocationList::parse(&pem).unwrap();
    assert_eq!(lists.lists().len(), 1);
    assert_eq!(lists.lists()[0].issuer, "C=FI, O=Example, CN=Test ca");
    assert_eq!(lists.lists()[0].next_update.unwrap() - lists.lists()[0].this_update, 7 * 24 * 3600);
    let der = lists.lists()[0].der.clone();
    assert_eq!(RevocationList::parse(&[&der[..], &[0; 9]].concat()).unwrap().lists()[0].der, der);
    for size in 0..der.len() {
        assert!(RevocationList::parse(&der[..size]).is_err(), "DER cut at {size}");
    }
    for size in 0..trimmed(&pem).len() {
        assert!(RevocationList::parse(&pem[..size]).is_err(), "PEM cut at {size}");
    }
    assert!(RevocationList::parse(&pki.bytes("ca.crt")).is_err());
}

#[test]
fn keys_come_in_every_usual_form() {
    let pki = Pki::new(Key::Ec);
    let chain = pki.chain("server.crt");
    pki.openssl(&["ec", "-in", "server.key", "-out", "sec1.pem"]);
    pki.openssl(&["ec", "-in", "server.key", "-outform", "DER", "-out", "sec1.der"]);
    pki.openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", "server.key", "-outform", "DER", "-out", "pkcs8.der"]);
    for name in ["server.key", "sec1.pem", "sec1.der", "pkcs8.der"] {
        let bytes = pki.bytes(name);
        let key = PrivateKey::parse(&bytes, None).unwrap();
        assert!(key.matches(&chain).unwrap(), "{name}");
        assert!(!key.matches(&pki.chain("ca.crt")).unwrap(), "{name}");
        // Callers pass the size of the buffer, not of the key.
        assert!(PrivateKey::parse(&[&bytes[..], &[0; 50]].concat(), None).unwrap().matches(&chain).unwrap(), "{name}");
        for size in 0..trimmed(&bytes).len() {
            let cut = PrivateKey::parse(&bytes[..size], None);
            assert!(cut.is_err(), "{name} cut at {size}");
        }
    }
    let rsa = Pki::new(Key::Rsa);
    rsa.openssl(&["rsa", "-in", "server.key", "-outform", "DER", "-traditional", "-out", "pkcs1.der"]);
    let key = PrivateKey::parse(&rsa.bytes("pkcs1.der"), None).unwrap();
    assert!(key.matches(&rsa.chain("server.crt")).unwrap() && !key.matches(&chain).unwrap());
    assert_eq!(PrivateKey::parse(b"", None).unwrap_err().kind(), ErrorKind::BadKey);
    assert_eq!(PrivateKey::parse(b"no key", None).unwrap_err().kind(), ErrorKind::BadKey);
    assert_eq!(format!("{key:?}"), "PrivateKey(..)");
}

#[test]
fn an_encrypted_key_opens_with_its_password_only() {
    let pki = Pki::new(Key::Ec);
    #[rustfmt::skip]
    pki.openssl(&[
        "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256", "-in", "server.key",
        "-passout", "pass:secret", "-out", "locked.pem",
    ]);
    let bytes = pki.bytes("locked.pem");
    assert!(PrivateKey::parse(&bytes, Some(b"secret")).unwrap().matches(&pki.chain("server.crt")).unwrap());
    for password in [None, Some(&b"wrong"[..]), Some(b"")] {
        assert_eq!(PrivateKey::parse(&bytes, password).unwrap_err().kind(), ErrorKind::KeyPassword, "{password:?}");
    }
}
