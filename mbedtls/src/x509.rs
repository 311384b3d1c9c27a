//! Certificates and revocation lists.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr::NonNull;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::time::unix_seconds;
use crate::{c_text, initialise, raw};

/// One attribute of a name, such as `CN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The short name (`CN`, `O`, `OU`, …), or the object identifier in hex where it has none.
    pub name: String,
    /// The value's bytes as they stand in the certificate.
    pub value: Vec<u8>,
}

/// A name from the subject alternative names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlternativeName {
    /// A DNS name, perhaps with a wildcard.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// Another kind: the number of its tag, and its bytes.
    Other(u8, Vec<u8>),
}

/// What a certificate says, copied out of it.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// The subject in one line, such as `C=FI, O=Example, CN=device`.
    pub subject: String,
    /// The issuer in one line.
    pub issuer: String,
    /// The subject, one by one.
    pub subject_attributes: Vec<Attribute>,
    /// The issuer, one by one.
    pub issuer_attributes: Vec<Attribute>,
    /// The begin of the validity, in seconds since 1970.
    pub not_before: i64,
    /// The end of the validity, in seconds since 1970.
    pub not_after: i64,
    /// The serial number, most significant byte first.
    pub serial: Vec<u8>,
    /// The subject alternative names.
    pub alternative_names: Vec<AlternativeName>,
    /// The public key as SubjectPublicKeyInfo in DER.
    pub public_key: Vec<u8>,
    /// The whole certificate in DER.
    pub der: Vec<u8>,
}

impl CertificateInfo {
    /// The value of the subject's first attribute of this short name, as text.
    pub fn subject_attribute(&self, name: &str) -> Option<String> {
        self.subject_attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| String::from_utf8_lossy(&attribute.value).into_owned())
    }

    /// The public key's point in compressed form, when it is one of P-256.
    pub fn compressed_p256_key(&self) -> Option<[u8; 33]> {
        // SubjectPublicKeyInfo of id-ecPublicKey with prime256v1, up to the point of the BIT STRING.
        const HEAD: [u8; 26] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
            0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        const HEAD_COMPRESSED: [u8; 26] = [
            0x30, 0x39, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
            0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x22, 0x00,
        ];
        let mut key = [0; 33];
        if let Some([4, point @ ..]) = self.public_key.strip_prefix(&HEAD) {
            if point.len() == 64 {
                key[0] = 2 + (point[63] & 1);
                key[1..].copy_from_slice(&point[..32]);
                return Some(key);
            }
        }
        let point = self.public_key.strip_prefix(&HEAD_COMPRESSED)?;
        (point.len() == 33 && matches!(point[0], 2 | 3)).then(|| {
            key.copy_from_slice(point);
            key
        })
    }

    /// Whether an address is among the subject alternative names.
    pub fn is_for_address(&self, address: IpAddr) -> bool {
        self.alternative_names.contains(&AlternativeName::Ip(address))
    }
}

impl fmt::Debug for CertificateInfo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CertificateInfo")
            .field("subject", &self.subject)
            .field("issuer", &self.issuer)
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .field("alternative_names", &self.alternative_names)
            .finish_non_exhaustive()
    }
}

/// One or more certificates: trusted ones, or an own one with those above it.
pub struct CertificateChain {
    first: NonNull<raw::mbedtls_x509_crt>,
    certificates: Vec<CertificateInfo>,
}

// SAFETY: the chain is owned by this value alone, and the library keeps nothing of a thread in it.
unsafe impl Send for CertificateChain {}
// SAFETY: after parsing nothing of the chain is written but RSA's cached values, which the library
// guards with a mutex in the key (MBEDTLS_THREADING_C).
unsafe impl Sync for CertificateChain {}

impl CertificateChain {
    /// Reads one certificate in DER, or one or many in PEM. Bytes after a DER certificate are ignored, as
    /// is what stands between PEM blocks. The bytes are copied.
    ///
    /// # Errors
    /// When any certificate in it cannot be read, or there is none.
    pub fn parse(bytes: &[u8]) -> Result<Arc<Self>, Error> {
        Self::parse_all(&[bytes])
    }

    /// Reads certificates that come one by one, each as for [`CertificateChain::parse`].
    ///
    /// # Errors
    /// As for that function; an empty list is no chain.
    pub fn parse_all<Part: AsRef<[u8]>>(parts: &[Part]) -> Result<Arc<Self>, Error> {
        initialise()?;
        // The chain is freed by its Drop wherever this function leaves.
        let mut chain = Self { first: allocate(raw::mbedtls_x509_crt_init), certificates: Vec::new() };
        let mut expected = 0;
        for part in parts {
            let input = Input::read(part.as_ref(), "CERTIFICATE")?;
            Error::forget_refusals();
            // SAFETY: the chain is initialised, and pointer and length describe the input, terminated where it is PEM.
            let code = unsafe { raw::mbedtls_x509_crt_parse(chain.first.as_ptr(), input.as_ptr(), input.len()) };
            // A positive code counts certificates that failed.
            Error::check(code)?;
            if code > 0 {
                return Err(Error::new(raw::MBEDTLS_ERR_X509_INVALID_FORMAT));
            }
            expected += input.blocks.unwrap_or(1);
        }
        // SAFETY: the chain was parsed, and lives as long as `chain`.
        chain.certificates = unsafe { certificates(chain.first.as_ptr()) };
        // A cut one is silently left out.
        if expected == 0 || expected != chain.certificates.len() {
            return Err(Error::new(raw::MBEDTLS_ERR_X509_INVALID_FORMAT));
        }
        Ok(Arc::new(chain))
    }

    /// The certificates, in their order.
    pub fn certificates(&self) -> &[CertificateInfo] {
        &self.certificates
    }

    pub(crate) fn as_ptr(&self) -> *mut raw::mbedtls_x509_crt {
        self.first.as_ptr()
    }
}

impl Drop for CertificateChain {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `allocate`, was initialised there, and is not used after this.
        unsafe { release(self.first, raw::mbedtls_x509_crt_free) };
    }
}

impl fmt::Debug for CertificateChain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.certificates).finish()
    }
}

/// What a revocation list says about itself.
#[derive(Clone, Debug)]
pub struct RevocationListInfo {
    /// Who issued it, in one line.
    pub issuer: String,
    /// Who issued it, one by one.
    pub issuer_attributes: Vec<Attribute>,
    /// When it was issued, in seconds since 1970.
    pub this_update: i64,
    /// When the next one is due, in seconds since 1970, if it says so.
    pub next_update: Option<i64>,
    /// The serial numbers that it revokes.
    pub revoked: Vec<Vec<u8>>,
    /// The whole list in DER.
    pub der: Vec<u8>,
}

impl RevocationListInfo {
    /// Whether the list is of a certificate's issuer. Names compare without regard to the case of ASCII.
    pub(crate) fn is_of(&self, certificate: &CertificateInfo) -> bool {
        self.issuer_attributes.len() == certificate.issuer_attributes.len()
            && self
                .issuer_attributes
                .iter()
                .zip(&certificate.issuer_attributes)
                .all(|(own, other)| own.name == other.name && own.value.eq_ignore_ascii_case(&other.value))
    }
}

/// One or more revocation lists.
pub struct RevocationList {
    first: NonNull<raw::mbedtls_x509_crl>,
    lists: Vec<RevocationListInfo>,
}

// SAFETY: the lists are owned by this value alone, and the library keeps nothing of a thread in them.
unsafe impl Send for RevocationList {}
// SAFETY: after parsing nothing of the lists is written.
unsafe impl Sync for RevocationList {}

impl RevocationList {
    /// Reads one list in DER, or one or many in PEM. Bytes after a DER list are ignored, as is what stands
    /// between PEM blocks. The bytes are copied.
    ///
    /// # Errors
    /// When any list in it cannot be read, or there is none.
    pub fn parse(bytes: &[u8]) -> Result<Arc<Self>, Error> {
        initialise()?;
        let input = Input::read(bytes, "X509 CRL")?;
        let mut list = Self { first: allocate(raw::mbedtls_x509_crl_init), lists: Vec::new() };
        Error::forget_refusals();
        // SAFETY: the list is initialised, and pointer and length describe the input, terminated where it is PEM.
        let code = unsafe { raw::mbedtls_x509_crl_parse(list.first.as_ptr(), input.as_ptr(), input.len()) };
        Error::check(code)?;
        let mut next: *const raw::mbedtls_x509_crl = list.first.as_ptr();
        while !next.is_null() {
            // SAFETY: an element of the list that was parsed, which lives as long as `list`.
            let element = unsafe { &*next };
            if element.version != 0 {
                // SAFETY: as above; names and entries hang on the element.
                list.lists.push(unsafe { revocation_list_info(element) });
            }
            next = element.next;
        }
        if list.lists.is_empty() || input.blocks.is_some_and(|blocks| blocks != list.lists.len()) {
            return Err(Error::new(raw::MBEDTLS_ERR_X509_INVALID_FORMAT));
        }
        Ok(Arc::new(list))
    }

    /// The lists, in their order.
    pub fn lists(&self) -> &[RevocationListInfo] {
        &self.lists
    }

    pub(crate) fn as_ptr(&self) -> *mut raw::mbedtls_x509_crl {
        self.first.as_ptr()
    }
}

impl Drop for RevocationList {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `allocate`, was initialised there, and is not used after this.
        unsafe { release(self.first, raw::mbedtls_x509_crl_free) };
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.lists).finish()
    }
}

/// Memory for a structure of the library, initialised by its own function.
pub(crate) fn allocate<T>(initialise: unsafe extern "C" fn(*mut T)) -> NonNull<T> {
    let pointer = NonNull::from(Box::leak(Box::new(MaybeUninit::<T>::uninit()))).cast::<T>();
    // SAFETY: the memory has the size and alignment of T, and the function fills all of it.
    unsafe { initialise(pointer.as_ptr()) };
    pointer
}

/// Gives back what [`allocate`] made.
///
/// # Safety
/// The pointer came from [`allocate`] and is not used afterwards.
pub(crate) unsafe fn release<T>(pointer: NonNull<T>, free: unsafe extern "C" fn(*mut T)) {
    // SAFETY: initialised since `allocate`; the box takes back the allocation that was leaked there.
    unsafe {
        free(pointer.as_ptr());
        drop(Box::from_raw(pointer.cast::<MaybeUninit<T>>().as_ptr()));
    }
}

/// Bytes in the form that the library's parsers take: PEM terminated, DER cut to its length.
pub(crate) struct Input {
    bytes: Zeroizing<Vec<u8>>,
    /// How many PEM blocks of the wanted kind there are; nothing for DER.
    pub(crate) blocks: Option<usize>,
}

impl Input {
    /// `label` is the end of the wanted PEM label ("PRIVATE KEY" stands for "EC PRIVATE KEY", too).
    pub(crate) fn read(bytes: &[u8], label: &str) -> Result<Self, Error> {
        // DER begins with a SEQUENCE; text never does so unless it is a digit zero. What is behind is not even looked at.
        if let Some(size) = der_size(bytes) {
            return Ok(Self { bytes: Zeroizing::new(bytes[..size].to_vec()), blocks: None });
        }
        // Callers in C count the terminator of a text.
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = &bytes[..end];
        if let Some(blocks) = pem_blocks(text, label)? {
            let mut owned = Zeroizing::new(Vec::with_capacity(text.len() + 1));
            owned.extend_from_slice(text);
            owned.push(0);
            return Ok(Self { bytes: owned, blocks: Some(blocks) });
        }
        Err(Error::new(raw::MBEDTLS_ERR_X509_INVALID_FORMAT))
    }

    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.bytes.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Counts the PEM blocks whose label ends so; nothing when the text is not PEM. An error when a block
/// has no end: the library would leave it out and say nothing.
fn pem_blocks(text: &[u8], label: &str) -> Result<Option<usize>, Error> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let cut = Err(Error::new(raw::MBEDTLS_ERR_PEM_NO_HEADER_FOOTER_PRESENT));
    let mut blocks = 0;
    let mut seen = false;
    let mut open: Option<Vec<u8>> = None;
    let mut last: &[u8] = b"";
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let line = line.trim_ascii();
        if let Some(rest) = line.strip_prefix(BEGIN) {
            let Some(name) = rest.strip_suffix(b"-----") else { return cut };
            if open.replace([b"-----END ", name, b"-----"].concat()).is_some() {
                return cut;
            }
            seen = true;
            blocks += usize::from(name.ends_with(label.as_bytes()));
        } else if open.as_deref().is_some_and(|end| line == end) {
            open = None;
        }
        if !line.is_empty() {
            last = line;
        }
    }
    // A file cut inside the first line of a block still shows the begin of that line.
    if open.is_some() || (BEGIN.starts_with(last) && !last.is_empty()) {
        return cut;
    }
    if seen { Ok(Some(blocks)) } else { Ok(None) }
}

/// The size of the DER element at the begin, if it is a SEQUENCE that is there in full.
fn der_size(bytes: &[u8]) -> Option<usize> {
    let [0x30, first, rest @ ..] = bytes else { return None };
    let (header, size) = match *first {
        short @ 0..=0x7F => (2, usize::from(short)),
        long @ 0x81..=0x84 => {
            let count = usize::from(long & 0x7F);
            let size = rest.get(..count)?.iter().fold(0_u64, |size, byte| (size << 8) | u64::from(*byte));
            (2 + count, usize::try_from(size).ok()?)
        }
        _ => return None,
    };
    let size = size.checked_add(header)?;
    (size <= bytes.len()).then_some(size)
}

/// The bytes of a buffer of the library.
///
/// # Safety
/// The buffer is empty or describes memory that lives and is not written as long as the result is used.
unsafe fn bytes<'a>(buffer: &raw::mbedtls_x509_buf) -> &'a [u8] {
    if buffer.p.is_null() || buffer.len == 0 {
        return &[];
    }
    // SAFETY: the contract of this function.
    unsafe { std::slice::from_raw_parts(buffer.p, buffer.len) }
}

/// All certificates of a list.
///
/// # Safety
/// `first` is null or the head of a parsed list that lives and is not written during the call.
pub(crate) unsafe fn certificates(first: *const raw::mbedtls_x509_crt) -> Vec<CertificateInfo> {
    let mut found = Vec::new();
    let mut next = first;
    while !next.is_null() {
        // SAFETY: an element of the list by this function's contract.
        let certificate = unsafe { &*next };
        if certificate.raw.len != 0 {
            // SAFETY: as above.
            found.push(unsafe { certificate_info(certificate) });
        }
        next = certificate.next;
    }
    found
}

/// Copies out what a certificate says.
///
/// # Safety
/// The certificate was parsed by the library and is not written during the call.
pub(crate) unsafe fn certificate_info(certificate: &raw::mbedtls_x509_crt) -> CertificateInfo {
    // SAFETY: buffers and names of a parsed certificate point into it.
    unsafe {
        CertificateInfo {
            subject: name_text(&certificate.subject),
            issuer: name_text(&certificate.issuer),
            subject_attributes: attributes(&certificate.subject),
            issuer_attributes: attributes(&certificate.issuer),
            not_before: unix_seconds(&certificate.valid_from),
            not_after: unix_seconds(&certificate.valid_to),
            serial: bytes(&certificate.serial).to_vec(),
            alternative_names: alternative_names(&certificate.subject_alt_names),
            public_key: bytes(&certificate.pk_raw).to_vec(),
            der: bytes(&certificate.raw).to_vec(),
        }
    }
}

/// Copies out what a revocation list says.
///
/// # Safety
/// The list was parsed by the library and is not written during the call.
unsafe fn revocation_list_info(list: &raw::mbedtls_x509_crl) -> RevocationListInfo {
    let mut revoked = Vec::new();
    let mut next: *const raw::mbedtls_x509_crl_entry = &list.entry;
    while !next.is_null() {
        // SAFETY: an entry of the parsed list.
        let entry = unsafe { &*next };
        // SAFETY: a buffer of the parsed list.
        let serial = unsafe { bytes(&entry.serial) };
        if !serial.is_empty() {
            revoked.push(serial.to_vec());
        }
        next = entry.next;
    }
    // SAFETY: buffers and names of a parsed list point into it.
    unsafe {
        RevocationListInfo {
            issuer: name_text(&list.issuer),
            issuer_attributes: attributes(&list.issuer),
            this_update: unix_seconds(&list.this_update),
            // The parser leaves zeros where the list names no next one.
            next_update: (list.next_update.year != 0).then(|| unix_seconds(&list.next_update)),
            revoked,
            der: bytes(&list.raw).to_vec(),
        }
    }
}

/// A name in one line.
///
/// # Safety
/// The name is of something that the library parsed and that lives during the call.
unsafe fn name_text(name: &raw::mbedtls_x509_name) -> String {
    let mut buffer: Vec<c_char> = vec![0; 512];
    loop {
        // SAFETY: pointer and length describe the buffer; the function terminates what it writes.
        let code = unsafe { raw::mbedtls_x509_dn_gets(buffer.as_mut_ptr(), buffer.len(), name) };
        if code >= 0 {
            // SAFETY: terminated by the function.
            return unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_string_lossy().into_owned();
        }
        // A name never needs more than this; a bound keeps a hostile one from taking the memory.
        if code != raw::MBEDTLS_ERR_X509_BUFFER_TOO_SMALL || buffer.len() >= 64 * 1024 {
            return String::new();
        }
        buffer.resize(buffer.len() * 4, 0);
    }
}

/// A name, one attribute after the other.
///
/// # Safety
/// As for [`name_text`].
unsafe fn attributes(name: &raw::mbedtls_x509_name) -> Vec<Attribute> {
    let mut found = Vec::new();
    let mut next: *const raw::mbedtls_x509_name = name;
    while !next.is_null() {
        // SAFETY: an element of the parsed name.
        let attribute = unsafe { &*next };
        next = attribute.next;
        // SAFETY: buffers of the parsed name.
        let (identifier, value) = unsafe { (bytes(&attribute.oid), bytes(&attribute.val)) };
        if identifier.is_empty() {
            continue;
        }
        let mut short: *const c_char = std::ptr::null();
        // SAFETY: both arguments are valid for the call; the text is of the library's constant tables.
        let short = unsafe {
            let code = raw::mbedtls_oid_get_attr_short_name(&attribute.oid, &mut short);
            if code == 0 { c_text(short) } else { None }
        };
        let name = short
            .map_or_else(|| identifier.iter().map(|byte| format!("{byte:02X}")).collect::<String>(), ToOwned::to_owned);
        found.push(Attribute { name, value: value.to_vec() });
    }
    found
}

/// The subject alternative names.
///
/// # Safety
/// The sequence is of a certificate that the library parsed and that lives during the call.
unsafe fn alternative_names(sequence: &raw::mbedtls_x509_sequence) -> Vec<AlternativeName> {
    let mut found = Vec::new();
    let mut next: *const raw::mbedtls_x509_sequence = sequence;
    while !next.is_null() {
        // SAFETY: an element of the parsed sequence.
        let element = unsafe { &*next };
        // SAFETY: a buffer of the parsed sequence.
        let value = unsafe { bytes(&element.buf) };
        next = element.next;
        // The tag is context-specific; its number tells the kind of name (RFC 5280, GeneralName).
        let kind = u8::try_from(element.buf.tag & 0x1F).unwrap_or(0x1F);
        match kind {
            2 => found.push(AlternativeName::Dns(String::from_utf8_lossy(value).into_owned())),
            7 => {
                if let Ok(address) = <[u8; 4]>::try_from(value) {
                    found.push(AlternativeName::Ip(Ipv4Addr::from(address).into()));
                } else if let Ok(address) = <[u8; 16]>::try_from(value) {
                    found.push(AlternativeName::Ip(Ipv6Addr::from(address).into()));
                }
            }
            _ if value.is_empty() => {}
            _ => found.push(AlternativeName::Other(kind, value.to_vec())),
        }
    }
    found
}
