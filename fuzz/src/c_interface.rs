//! The functions of the committed headers.
#![allow(missing_docs, non_camel_case_types, non_snake_case, non_upper_case_globals)]

// The crate with the functions has to be linked.
use mbed_cloud_connectivity as _;

include!(concat!(env!("OUT_DIR"), "/c_interface.rs"));
