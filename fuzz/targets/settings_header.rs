//! The reader of the application's header and of compile definitions: whatever they hold, there are settings or errors that say
//! something. What libclang makes of C is its own affair: it is not built for this.
//!
//! Input: the header; after a NUL, if there is one, definitions, one a line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mbed_cloud_connectivity_fuzz::settings::{Folder, check};
use mbed_cloud_connectivity_settings::Inputs;

thread_local!(static FOLDER: Folder = Folder::new());

fuzz_target!(|bytes: &[u8]| -> libfuzzer_sys::Corpus {
    // Files of this machine, of which some never end, are no input.
    if bytes.windows(4).any(|bytes| bytes == b"/dev" || bytes == b"/pro") {
        return libfuzzer_sys::Corpus::Reject;
    }
    let (header, definitions) = match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[][..]),
    };
    FOLDER.with(|folder| {
        check(&Inputs {
            user_config: Some(folder.write("mbed_cloud_client_user_config.h", header)),
            definitions: String::from_utf8_lossy(definitions).lines().map(str::to_owned).collect(),
            ..Inputs::default()
        });
    });
    libfuzzer_sys::Corpus::Keep
});
