//! Reads an application's connectivity settings from the files that it already has: its
//! `mbed_cloud_client_user_config.h` (with the meaning that C gives it), its `mbed_app.json`, and its compile
//! definitions; what none of them sets has a default.
//!
//! The library's build script calls [`run_build_script`]; the command of this crate serves applications that link a
//! prebuilt archive. Both do the same: [`Inputs`] into [`read`], and one of the writers of [`Settings`] after it.
//!
//! A setting may be defined on one side only: by the header (or a definition of the header's macro), or by the JSON
//! file (or the `MBED_CONF_` macro that Mbed tools generate from it). Every problem is reported, not only the first.

#![forbid(unsafe_code)]

mod cargo;
mod compiler;
mod definition;
mod error;
mod file;
mod generate;
mod header;
mod inputs;
mod integer;
mod json;
mod merge;
mod names;
mod pal;
mod settings;
mod source;

pub use cargo::{GENERATED_FILE, directives, run_build_script};
pub use error::{Error, ErrorKind, Errors};
pub use generate::write_if_changed;
pub use inputs::{
    APP_JSON_VARIABLE, CLANG_TARGET_VARIABLE, DEFINES_VARIABLE, INCLUDE_PATHS_VARIABLE, Inputs, SYSROOT_VARIABLE,
    TARGET_LABELS_VARIABLE, TARGET_VARIABLE, USER_CONFIG_VARIABLE, VARIABLES,
};
pub use names::TransportMode;
pub use pal::{PalSettings, PalValue};
pub use settings::{
    DEFAULT_KEEPALIVE_INTERVAL_S, DEFAULT_MAX_INCOMING_MESSAGE_SIZE, DEFAULT_MAX_RECONNECT_TIMEOUT_S, Settings, read,
};
pub use source::{Setting, Source};
