//! Reads an application's connectivity settings.
