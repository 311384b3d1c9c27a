//! In place of the module `tls` in a library that is built without TLS: there is never a configuration, and never a session.

pub mod time;

use crate::error::{Failure, Status};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What carries the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportKind {
    /// A stream.
    Stream,
    /// Datagrams.
    Datagram,
}

/// A TLS version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

/// How the server and this device would prove who they are.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the fields of the other module's struct")]
pub struct Options<'a> {
    pub transport: TransportKind,
    pub server_name: &'a str,
    pub check_server_name: bool,
    pub versions: (Version, Version),
    pub ca: Option<&'a [u8]>,
    pub crl: Option<&'a [u8]>,
    pub certificate: Option<&'a [u8]>,
    pub key: Option<&'a [u8]>,
    pub key_password: Option<&'a [u8]>,
    pub psk_identity: Option<&'a [u8]>,
    pub psk: Option<&'a [u8]>,
}

/// What a session reads from and writes to.
pub trait Transport {
    /// Sends bytes; returns how many were taken.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Receives bytes; returns how many.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
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
#[expect(missing_docs, reason = "the fields of the other module's enum")]
pub enum Read {
    /// Bytes of one record.
    Data { size: usize, end_of_record: bool },
    /// Nothing until the transport can.
    Blocked,
}

/// What there is none of.
#[derive(Debug)]
pub struct Config(Infallible);

/// What there is none of.
#[derive(Debug)]
pub struct Session(Infallible);

impl Config {
    /// Says that there is no TLS here.
    pub fn new(_: &Options<'_>) -> Result<Self, Failure> {
        Err(Status::Unsupported.into())
    }
}

#[expect(missing_docs, reason = "the functions of the other module's struct, never called")]
impl Session {
    pub fn new(config: &Arc<Config>, _: time::Clock) -> Result<Self, Failure> {
        match config.0 {}
    }

    pub fn handshake(&mut self, _: &mut dyn Transport) -> Result<Progress, Failure> {
        match self.0 {}
    }

    pub fn time_left(&self) -> Option<Duration> {
        match self.0 {}
    }

    pub fn agreed(&self) -> String {
        match self.0 {}
    }

    pub fn can_move(&self) -> bool {
        match self.0 {}
    }

    pub fn max_record_size(&self) -> usize {
        match self.0 {}
    }

    pub fn read(&mut self, _: &mut dyn Transport, _: &mut [u8]) -> Result<Read, Failure> {
        match self.0 {}
    }

    pub fn write(&mut self, _: &mut dyn Transport, _: &[u8]) -> Result<Progress, Failure> {
        match self.0 {}
    }

    pub fn close(&mut self, _: &mut dyn Transport) {
        match self.0 {}
    }
}
