//! A name server for tests, on this device.

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Ends with its value.
pub(super) struct Server {
    pub address: SocketAddr,
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Sends what `answer` gives for each question by UDP.
    pub fn new(answer: impl FnMut(&Message) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut server = Self { address: socket.local_addr().unwrap(), end: Arc::default(), threads: Vec::new() };
        server.serve(socket, answer);
        server
    }

    /// Sends what `by_tcp` gives for a question by TCP too.
    pub fn with_tcp(
        answer: impl FnMut(&Message) -> Vec<Vec<u8>> + Send + 'static,
        mut by_tcp: impl FnMut(&Message) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let (listener, socket) = std::iter::repeat_with(|| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let socket = UdpSocket::bind(listener.local_addr().unwrap());
            socket.map(|socket| (listener, socket))
        })
        .take(100)
        .find_map(Result::ok)
        .unwrap();
        let mut server = Self { address: socket.local_addr().unwrap(), end: Arc::default(), threads: Vec::new() };
        server.serve(socket, answer);
        let end = server.end.clone();
        server.threads.push(std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let mut length = [0; 2];
                stream.read_exact(&mut length).unwrap();
                let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut question).unwrap();
                // A client that has given up is no fault.
                let _ = stream.write_all(&by_tcp(&Message::from_vec(&question).unwrap()));
            }
        }));
        server
    }

    fn serve(&mut self, socket: UdpSocket, mut answer: impl FnMut(&Message) -> Vec<Vec<u8>> + Send + 'static) {
        self.threads.push(std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((size @ 1.., from)) = socket.recv_from(&mut buffer) {
                for message in answer(&Message::from_vec(&buffer[..size]).unwrap()) {
                    let _ = socket.send_to(&message, from);
                }
            }
        }));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let _ = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().send_to(&[], self.address);
        if self.threads.len() > 1 {
            drop(TcpStream::connect(self.address));
        }
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// The answer to a question with these records, of which only the alias and those of the right type are taken.
pub(super) fn answer(question: &Message, records: &[Record]) -> Message {
    let mut message = question.clone();
    message.set_message_type(MessageType::Response);
    let kinds = [RecordType::CNAME, question.queries()[0].query_type()];
    let records = records.iter().filter(|record| kinds.contains(&record.record_type()));
    message.add_answers(records.cloned());
    message
}

/// The same as bytes.
pub(super) fn answered(question: &Message, records: &[Record]) -> Vec<Vec<u8>> {
    vec![answer(question, records).to_vec().unwrap()]
}

/// An answer without records.
pub(super) fn code(question: &Message, code: ResponseCode) -> Vec<Vec<u8>> {
    let mut message = answer(question, &[]);
    message.set_response_code(code);
    vec![message.to_vec().unwrap()]
}

pub(super) fn address(name: &str, ttl: u32, address: impl Into<IpAddr>) -> Record {
    let data = match address.into() {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    };
    Record::from_rdata(Name::from_ascii(name).unwrap(), ttl, data)
}

pub(super) fn alias(name: &str, ttl: u32, of: &str) -> Record {
    let data = RData::CNAME(CNAME(Name::from_ascii(of).unwrap()));
    Record::from_rdata(Name::from_ascii(name).unwrap(), ttl, data)
}
