//! A crate that is built as the library is: its settings follow its files.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{Application, HEADER, assert_holds, header, json};

/// Builds and runs the crate, which prints its interval.
fn run(application: &Application, variables: &[(&str, &str)]) -> Output {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--offline", "--color=never"]).current_dir(application.path(""));
    // Kept between test runs, so that only the first one compiles libclang's wrapper.
    cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cargo-test"));
    for name in mbed_cloud_connectivity_settings::VARIABLES {
        cargo.env_remove(name);
    }
    cargo.envs(variables.iter().copied()).output().unwrap()
}

fn interval(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

fn replace(path: &Path, text: &str) {
    // cargo compares times; a second change within one tick would not be seen.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    fs::write(path, text).unwrap();
}

#[test]
fn the_library_follows_header_include_json_and_variables() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().unwrap();
    let application = Application::new();
    application.file(
        "Cargo.toml",
        format!(
            "[package]\nname = \"follower\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
             [build-dependencies]\nmbed-cloud-connectivity-settings = {{ path = {:?} }}\n",
            here
        ),
    );
    application.file("Cargo.lock", fs::read(root.join("Cargo.lock")).unwrap());
    application.file(
        "build.rs",
        "fn main() -> std::process::ExitCode { mbed_cloud_connectivity_settings::run_build_script() }\n",
    );
    // The library's own file, so that it and what is generated for it stay together.
    application.file("src/settings.rs", fs::read(root.join("src/settings.rs")).unwrap());
    application.file(
        "src/main.rs",
        "mod settings;\nfn main() { println!(\"{} {}\", settings::KEEPALIVE_INTERVAL_S, settings::KEEPALIVE_INTERVAL_SOURCE); }\n",
    );
    let config = application.file(HEADER, "#include \"base.h\"\n");
    let base = application.file("base.h", header("60"));
    let app = application.file("mbed_app.json", json("70"));
    let (config_name, app_name) = (config.display().to_string(), app.display().to_string());
    let with_header = [("MBED_CLOUD_CLIENT_USER_CONFIG_FILE", config_name.as_str())];
    let with_json = [("MBED_APP_JSON", app_name.as_str())];

    let output = run(&application, &with_header);
    assert_eq!(interval(&output), "60 base.h:1");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_holds(&words, &[&format!("keepalive interval 60 s ({}:1)", base.display())]);

    // Nothing changed: nothing is built.
    let output = run(&application, &with_header);
    assert_eq!(interval(&output), "60 base.h:1");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("Compiling"), "built again for nothing");

    replace(&base, &header("61"));
    assert_eq!(interval(&run(&application, &with_header)), "61 base.h:1");
    replace(&config, &header("62"));
    assert_eq!(interval(&run(&application, &with_header)), format!("62 {HEADER}:1"));

    assert_eq!(interval(&run(&application, &[])), "540 default");
    assert_eq!(interval(&run(&application, &with_json)).split(' ').next(), Some("70"));
    replace(&app, &json("71"));
    assert_eq!(interval(&run(&application, &with_json)).split(' ').next(), Some("71"));
    let defines = [("MBED_CLOUD_CLIENT_DEFINES", "-DMBED_CLIENT_TCP_KEEPALIVE_INTERVAL=72")];
    assert_eq!(interval(&run(&application, &defines)).split(' ').next(), Some("72"));

    let output = run(&application, &[with_header[0], with_json[0]]);
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_holds(&words, &["error: follower@0.0.0: MBED_CLIENT_TCP_KEEPALIVE_INTERVAL is defined twice: as 62 by "]);
}
