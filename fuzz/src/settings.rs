//! For the readers of an application's files.

use mbed_cloud_connectivity_settings::{Inputs, directives, read};
use std::fs;
use std::path::PathBuf;

/// A folder that goes with its process.
pub struct Folder(tempfile::TempDir);

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Folder {
    /// A new one, in memory where the system has such a place.
    pub fn new() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self(folder.expect("a folder for files"))
    }

    /// Writes a file, in place of an earlier one.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).expect("a file");
        path
    }
}

/// Reads the settings and writes them in each form; or there are errors, each with a text.
pub fn check(inputs: &Inputs) {
    match read(inputs) {
        Ok(settings) => {
            let _ = (
                settings.rust_constants(),
                settings.summary(),
                settings.c_definitions(),
                settings.cmake_variables(),
                settings.text(),
            );
            let _ = settings.warnings_for_prebuilt_archive();
            assert!(
                directives(&settings).iter().all(|line| line.starts_with("cargo::") && !line.contains(['\n', '\r']))
            );
        }
        Err(errors) => {
            assert_ne!(errors.count(), 0);
            assert!(errors.iter().all(|error| !error.message().is_empty()));
            assert!(!errors.to_string().is_empty());
        }
    }
}
