//! Holds the sizes and offsets that the bindings use against those of the compiled C.

use std::ffi::CStr;
use std::mem::{offset_of, size_of};

use crate::error::Error;
use crate::raw;

macro_rules! layouts {
    ($( $structure:ident { $( $name:literal => $field:ident ),* } )*) => {
        &[ $( (stringify!($structure), "", size_of::<raw::$structure>()),
              $( (stringify!($structure), $name, offset_of!(raw::$structure, $field)), )* )* ]
    };
}

const EXPECTED: &[(&str, &str, usize)] = layouts! {
    mbedtls_ssl_context {
        "conf" => private_conf, "in_msg" => private_in_msg, "in_msglen" => private_in_msglen,
        "out_left" => private_out_left
    }
    mbedtls_ssl_config {}
    mbedtls_ssl_session {}
    mbedtls_x509_crt {
        "raw" => raw, "serial" => serial, "issuer" => issuer, "subject" => subject, "valid_from" => valid_from,
        "valid_to" => valid_to, "pk_raw" => pk_raw, "pk" => pk, "subject_alt_names" => subject_alt_names,
        "next" => next
    }
    mbedtls_x509_crl {
        "raw" => raw, "issuer" => issuer, "this_update" => this_update, "next_update" => next_update,
        "entry" => entry, "next" => next
    }
    mbedtls_x509_name { "val" => val, "next" => next }
    mbedtls_x509_time {}
    mbedtls_pk_context {}
};

/// Fails when bindings and library were not made for the same layout, before any structure is used.
pub(crate) fn check() -> Result<(), Error> {
    if compiled().eq(EXPECTED.iter().copied()) { Ok(()) } else { Err(Error::INTERNAL) }
}

/// What the C compiler saw.
fn compiled() -> impl Iterator<Item = (&'static str, &'static str, usize)> {
    // SAFETY: a constant of the C side, never written.
    let count = unsafe { raw::mbed_cloud_connectivity_layouts_count };
    (0..count).map(|index| {
        // SAFETY: the array has `count` elements, is never written, and its strings are terminated literals.
        unsafe {
            let entry = &*(&raw const raw::mbed_cloud_connectivity_layouts)
                .cast::<raw::mbed_cloud_connectivity_layout>()
                .add(index);
            (
                CStr::from_ptr(entry.structure).to_str().unwrap_or_default(),
                CStr::from_ptr(entry.field).to_str().unwrap_or_default(),
                entry.value,
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_and_library_agree_on_every_structure() {
        let compiled: Vec<_> = compiled().collect();
        assert_eq!(compiled, EXPECTED);
        assert!(compiled.len() >= 25);
        assert_eq!(check(), Ok(()));
    }
}
