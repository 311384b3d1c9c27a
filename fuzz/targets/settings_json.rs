//! The reader of `mbed_app.json`: whatever the file holds, there are settings or errors that say something.
//!
//! Input: the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mbed_cloud_connectivity_fuzz::settings::{Folder, check};
use mbed_cloud_connectivity_settings::Inputs;

thread_local!(static FOLDER: Folder = Folder::new());

fuzz_target!(|bytes: &[u8]| {
    FOLDER.with(|folder| {
        check(&Inputs {
            app_json: Some(folder.write("mbed_app.json", bytes)),
            target: Some("K64F".into()),
            target_labels: vec!["Freescale".into(), "LINUX".into()],
            ..Inputs::default()
        });
    });
});
