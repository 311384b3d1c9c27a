//! Compiles the application's configuration in; see the crate `mbed-cloud-connectivity-settings`.

fn main() -> std::process::ExitCode {
    mbed_cloud_connectivity_settings::run_build_script()
}
