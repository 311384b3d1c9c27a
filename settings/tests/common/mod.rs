//! A directory of an application, for the tests.

#![allow(dead_code, reason = "each test program uses its part")]

use std::fs;
use std::path::PathBuf;

use mbed_cloud_connectivity_settings::{Errors, Inputs, Settings, read};
use tempfile::TempDir;

/// The macro of the keepalive interval.
pub const INTERVAL: &str = "MBED_CLIENT_TCP_KEEPALIVE_INTERVAL";
/// Its key in the JSON file.
pub const KEY: &str = "mbed-client.tcp-keepalive-interval";
/// The name of the user header.
pub const HEADER: &str = "mbed_cloud_client_user_config.h";

/// An application's files, removed at the end.
pub struct Application {
    directory: TempDir,
    /// What is handed to the reader.
    pub inputs: Inputs,
}

impl Application {
    /// Without any file.
    pub fn new() -> Self {
        // The space stays in every test: paths with spaces are common.
        let directory = tempfile::Builder::new().prefix("an application ").tempdir().unwrap();
        Self { directory, inputs: Inputs::default() }
    }

    /// With a user header.
    pub fn with_header(text: impl AsRef<[u8]>) -> Self {
        Self::new().header(text)
    }

    /// With a JSON file.
    pub fn with_json(text: impl AsRef<[u8]>) -> Self {
        Self::new().json(text)
    }

    pub fn header(mut self, text: impl AsRef<[u8]>) -> Self {
        self.inputs.user_config = Some(self.file(HEADER, text));
        self
    }

    pub fn json(mut self, text: impl AsRef<[u8]>) -> Self {
        self.inputs.app_json = Some(self.file("mbed_app.json", text));
        self
    }

    pub fn target(mut self, name: &str, labels: &[&str]) -> Self {
        self.inputs.target = Some(name.to_string()).filter(|name| !name.is_empty());
        self.inputs.target_labels = labels.iter().map(|label| label.to_string()).collect();
        self
    }

    pub fn define(mut self, definition: &str) -> Self {
        self.inputs.definitions.push(definition.to_string());
        self
    }

    /// Writes a file of the application.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn read(&self) -> Result<Settings, Errors> {
        read(&self.inputs)
    }

    /// The settings of an application in which nothing is wrong.
    pub fn settings(&self) -> Settings {
        self.read().unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// The interval and its source.
    pub fn interval(&self) -> (u32, String) {
        let setting = self.settings().keepalive_interval_s;
        (setting.value, setting.source.to_string())
    }

    /// The errors, one text each.
    pub fn errors(&self) -> Vec<String> {
        let errors = self.read().expect_err("something is wrong here");
        errors.iter().map(|error| error.message().to_string()).collect()
    }

    /// The only error.
    pub fn error(&self) -> String {
        let errors = self.errors();
        assert_eq!(errors.len(), 1, "{errors:#?}");
        errors.into_iter().next().unwrap()
    }
}

/// A header that only sets the interval.
pub fn header(value: &str) -> String {
    format!("#define {INTERVAL} {value}\n")
}

/// A JSON file that only sets the interval, for every target.
pub fn json(value: &str) -> String {
    format!("{{\"target_overrides\": {{\"*\": {{\"{KEY}\": {value}}}}}}}")
}

/// Asserts that a text holds every part.
pub fn assert_holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}
