//! What the application's storage gives back: the item that holds the sessions of TLS and DTLS, each of the two forms in it, and what
//! Mbed TLS reads. A session that was restored then takes records, and writes some.
//!
//! Input: how much of the form is made good (1 byte), size of the content (2), the content, then records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mbed_cloud_connectivity::tls::store::{Storage, Store};
use mbed_cloud_connectivity_fuzz::Reader;
use mbed_cloud_connectivity_fuzz::stored_tls::{
    CONTEXT_HEAD, CONTEXT_TAG, SAVED_HEAD, SESSION_TAG, config, in_item, session_binding, wrapped,
};
use mbed_cloud_connectivity_mbedtls::config::TransportKind;
use mbed_cloud_connectivity_mbedtls::session::{ServerName, Transport};
use mbed_cloud_connectivity_mbedtls::{ErrorKind, Session};
use std::io;
use std::sync::Mutex;
use zeroize::Zeroizing;

struct Shelf(Mutex<Option<Vec<u8>>>);

impl Storage for Shelf {
    fn read(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.0.lock().unwrap().clone().map(Zeroizing::new)
    }

    fn write(&self, bytes: &[u8]) -> bool {
        let mut item = self.0.lock().unwrap();
        item.is_none() && item.replace(bytes.to_vec()).is_none()
    }

    fn delete(&self) -> bool {
        *self.0.lock().unwrap() = None;
        true
    }
}

static SHELF: Shelf = Shelf(Mutex::new(None));

/// Gives the bytes of an input, one record at a time, and takes whatever is sent.
struct Records<'a>(Reader<'a>);

impl Transport for Records<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let record = self.0.bytes();
        if record.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let size = record.len().min(buffer.len());
        buffer[..size].copy_from_slice(&record[..size]);
        Ok(size)
    }
}

fuzz_target!(|input: &[u8]| {
    let mut input = Reader::new(input);
    let kind = input.byte();
    let size = input.short();
    let content = input.take(size.into());
    let [stream, datagram] = [TransportKind::Stream, TransportKind::Datagram].map(config);
    let item = match kind % 6 {
        0 => content.to_vec(),
        1 => in_item(SESSION_TAG, content),
        2 => in_item(CONTEXT_TAG, content),
        3 => in_item(SESSION_TAG, &wrapped(SAVED_HEAD, &session_binding(&stream), content)),
        4 => in_item(CONTEXT_TAG, &wrapped(CONTEXT_HEAD, datagram.fingerprint(), content)),
        _ => [
            in_item(SESSION_TAG, &wrapped(SAVED_HEAD, &session_binding(&stream), content)),
            in_item(CONTEXT_TAG, &wrapped(CONTEXT_HEAD, datagram.fingerprint(), content))[8..].to_vec(),
        ]
        .concat(),
    };
    *SHELF.0.lock().unwrap() = Some(item);
    let store = Store::new(Some(&SHELF));

    if let Some(saved) = store.session(stream.fingerprint()) {
        let mut session = Session::new(stream, ServerName::Unchecked).expect("a session");
        if session.resume(saved.as_ref()).is_ok() {
            assert!(!session.is_established());
            let _ = session.handshake(&mut Records(Reader::new(content)));
        }
        store.keep_session(datagram.fingerprint(), saved);
    }

    let _ = store.has_context();
    if let Some(context) = store.take_context(&datagram) {
        {
            let mut session = context.lock();
            assert!(session.is_established());
            let _ = session.connection_id();
            let _ = (session.version(), session.cipher_suite(), session.max_record_payload());
            // A forged state can have a cipher suite that is never stored.
            if let Ok(saved) = session.suspend() {
                let again = Session::restore(datagram.clone(), saved.as_ref());
                assert!(again.is_ok(), "what was saved can be restored");
            }
        }
        let mut records = Records(input);
        let mut buffer = [0; 512];
        for _ in 0..8 {
            let mut session = context.lock();
            if session.read(&mut records, &mut buffer).is_err_and(|error| error.kind() != ErrorKind::Transport)
                || session.write(&mut records, b"@\x01\0\x01").is_err()
            {
                break;
            }
        }
        let _ = store.release(&context);
        let _ = store.store_latest_context();
        store.forget(&context);
        assert!(store.latest().is_none());
    }
    assert!(store.take_context(&datagram).is_none(), "a session can be gone on with once");
});
