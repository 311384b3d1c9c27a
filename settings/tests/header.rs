//! The user header is read with the meaning that C gives it.

mod common;

use common::{Application, HEADER, INTERVAL, assert_holds, header};

fn from_header(line: u32) -> String {
    format!("{HEADER}:{line}")
}

#[test]
fn the_header_alone() {
    let application =
        Application::with_header("#ifndef CONFIG_H\n#define CONFIG_H\n\n".to_string() + &header("300") + "#endif\n");
    assert_eq!(application.interval(), (300, from_header(4)));
}

#[test]
fn neither_header_nor_json() {
    assert_eq!(Application::new().interval(), (540, "default".to_string()));
    assert_eq!(Application::with_header("#define OTHER 1\n").interval(), (540, "default".to_string()));
}

#[test]
fn constant_expressions() {
    for (text, value) in [
        ("(9*60)", 540),
        ("540U", 540),
        ("540UL", 540),
        ("0x21C", 540),
        ("01034", 540),
        ("(1 ? 540 : 0)", 540),
        ("(sizeof(char) * 540)", 540),
        ("((unsigned int)540)", 540),
        ("1", 1),
        ("4294967", 4294967),
        ("540 // seconds", 540),
        ("/* seconds */ 540 /* more */", 540),
    ] {
        assert_eq!(Application::with_header(header(text)).interval(), (value, from_header(1)), "{text}");
    }
}

#[test]
fn values_out_of_range_name_place_and_value() {
    for (text, value) in [
        ("0", "0"),
        ("-1", "-1"),
        ("(-1)", "-1 (written (-1))"),
        ("4294968", "4294968"),
        ("4294967296", "4294967296"),
        ("18446744073709551615u", "18446744073709551615"),
        ("-1U", "4294967295 (written -1U)"),
    ] {
        let error = Application::with_header(header(text)).error();
        let set = format!("{INTERVAL} is set to {value}");
        assert_holds(
            &error,
            &[&set, &format!("{HEADER}:1"), "an integer from 1 to 4294967 seconds. Correct it there."],
        );
    }
}

#[test]
fn values_that_are_no_integers_say_why() {
    for (text, reason) in [
        ("1.5", "it is a number with a fraction"),
        ("540.0", "it is a number with a fraction"),
        ("\"abc\"", "it is text or an address"),
        ("abc", "use of undeclared identifier 'abc'"),
        ("99999999999999999999999", "integer literal is too large"),
        ("((__int128)1 << 64)", "it has more than 64 bits"),
        ("", "it is defined as nothing"),
        ("540; int y", "expected ')'"),
        ("(540", "expected ')'"),
        ("540/0", "not a compile-time constant"),
    ] {
        let error = Application::with_header(header(text)).error();
        assert_holds(&error, &[INTERVAL, &format!("{HEADER}:1"), "an integer from 1 to 4294967 seconds", reason]);
    }
    let error = Application::with_header(format!("#define {INTERVAL}(x) 540\n")).error();
    assert_holds(&error, &["(x) 540", "undeclared identifier"]);
}

#[test]
fn an_inactive_define_is_none() {
    for text in [
        format!("#if 0\n{}#endif\n", header("60")),
        format!("#ifdef SLOW\n{}#endif\n", header("60")),
        format!("// {}", header("60")),
        format!("/*\n{}*/\n", header("60")),
        format!("/* a \\\n{}*/\n", header("60")),
        format!("// continued \\\n{}", header("60")),
        format!("{}#undef {INTERVAL}\n", header("60")),
    ] {
        assert_eq!(Application::with_header(&text).interval(), (540, "default".to_string()), "{text}");
    }
}

#[test]
fn a_definition_switches_the_header() {
    let text = format!("#ifdef SLOW\n{}#elif SPEED > 2\n{}#endif\n", header("60"), header("70"));
    let application = Application::with_header(&text).define("-DSLOW");
    assert_eq!(application.interval(), (60, from_header(2)));
    let application = Application::with_header(&text).define("SPEED=3");
    assert_eq!(application.interval(), (70, from_header(4)));
    let application = Application::with_header(&text).define("-DSLOW").define("-U").define("SLOW");
    assert_eq!(application.interval().0, 540);
}

#[test]
fn the_last_define_holds() {
    let text = format!("{}#undef {INTERVAL}\n{}", header("60"), header("70"));
    assert_eq!(Application::with_header(text).interval(), (70, from_header(3)));

    // Without #undef a compiler warns.
    let settings = Application::with_header(format!("{}{}", header("60"), header("70"))).settings();
    assert_eq!(settings.keepalive_interval_s.value, 70);
    assert_eq!(settings.warnings.len(), 1, "{:?}", settings.warnings);
    assert_holds(&settings.warnings[0], &[":2:9: warning", "macro redefined", "the last definition holds"]);
}

#[test]
fn a_pragma_may_bring_a_define_back() {
    let pragma = |verb: &str| format!("#pragma {verb}_macro(\"{INTERVAL}\")\n");
    let text = format!("{}{}#undef {INTERVAL}\n{}{}", header("60"), pragma("push"), header("70"), pragma("pop"));
    assert_eq!(Application::with_header(text).interval().0, 60);
}

#[test]
fn through_another_macro_and_an_include() {
    let mut application =
        Application::with_header(format!("#include \"parts/base.h\"\n#include <far.h>\n{}", header("(BASE * FAR)")));
    application.file("parts/base.h", "#define BASE NINE\n#define NINE 9\n");
    application.file("far away/far.h", "#define FAR 60\n");
    application.inputs.include_paths.push(application.path("far away"));
    assert_eq!(application.interval(), (540, from_header(3)));

    let settings = application.settings();
    for name in [HEADER, "parts/base.h", "far away/far.h"] {
        assert!(settings.dependencies.contains(&application.path(name)), "{name}: {:?}", settings.dependencies);
    }
}

#[test]
fn the_include_may_hold_the_define() {
    let application = Application::with_header("#include \"base.h\"\n");
    application.file("base.h", format!("\n{}", header("60")));
    assert_eq!(application.interval(), (60, "base.h:2".to_string()));
}

#[test]
fn forms_of_files_that_editors_write() {
    let crlf = format!("/* one */\r\n#define {INTERVAL} \\\r\n  (9 * 60)\r\n#define LAST\r\n");
    assert_eq!(Application::with_header(crlf).interval(), (540, from_header(2)));
    assert_eq!(Application::with_header(format!("\u{feff}{}", header("60"))).interval(), (60, from_header(1)));
    assert_eq!(Application::with_header(header("60").trim_end()).interval(), (60, from_header(1)));

    let mut bytes = b"// caf\xe9 \xff\xfe\n".to_vec();
    bytes.extend_from_slice(header("60").trim_end().as_bytes());
    bytes.extend_from_slice(b" /* \xe9 */\n");
    assert_eq!(Application::with_header(bytes).interval(), (60, from_header(2)));
}

#[test]
fn a_header_that_does_not_preprocess_shows_the_compilers_words() {
    for (text, words) in [
        ("#include \"missing.h\"\n", ":1:10: fatal error: 'missing.h' file not found"),
        ("\n#error no such board\n", ":2:2: error: no such board"),
        ("#if 1\n", ":1:2: error: unterminated conditional directive"),
        ("/* no end\n", ":1:1: error: unterminated /* comment"),
        ("#define 5 6\n", ":1:9: error: macro name must be an identifier"),
        ("#if (\n#endif\n", "error: expected value in expression"),
    ] {
        let error = Application::with_header(text).error();
        assert_holds(&error, &["The header does not preprocess: ", HEADER, words, "MBED_CLOUD_CLIENT_INCLUDE_PATHS"]);
    }
}

#[test]
fn what_only_the_rest_of_the_application_knows_is_no_error() {
    for rest in ["bool running;\n", "class Board;\n", "int f(void) {\n"] {
        let application = Application::with_header(format!("{rest}{}", header("60")));
        assert_eq!(application.interval(), (60, from_header(2)), "{rest}");
    }
    // What cannot be evaluated is not taken for absent.
    let error = Application::with_header(format!("struct open {{\n{}", header("60"))).error();
    assert_holds(&error, &[INTERVAL, &from_header(2), "expected ';'"]);
}

#[test]
fn hostile_headers_are_errors() {
    let itself = format!("#include \"{HEADER}\"\n");
    let long = header(&format!("1{}", "+1".repeat(100_000)));
    let nested = header(&format!("{}1{}", "(".repeat(1000), ")".repeat(1000)));
    let wide: Vec<u8> = header("60").bytes().flat_map(|byte| [byte, 0]).collect();
    let wide = [b"\xff\xfe".to_vec(), wide].concat();
    let null = header("5\u{0}4").into_bytes();
    for (text, words) in [
        (itself.into_bytes(), "#include nested too deeply"),
        (long.into_bytes(), "is longer than any value"),
        (nested.into_bytes(), "bracket nesting level exceeded"),
        (wide, "UTF-16 (LE) byte order mark"),
        (null, "expected ')'"),
        (vec![b' '; 5 * 1024 * 1024], "larger than 4 MiB"),
    ] {
        assert_holds(&Application::with_header(text).error(), &[HEADER, words]);
    }
}

#[test]
fn random_bytes_never_panic() {
    // A small generator with a fixed start, so that a failure can be seen again.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..20 {
        let mut bytes = header("540").into_bytes();
        for _ in 0..40 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let position = (state as usize >> 8) % bytes.len();
            bytes.insert(position, state as u8);
        }
        if let Err(errors) = Application::with_header(&bytes).read() {
            assert!(errors.count() > 0 && !errors.to_string().is_empty(), "{bytes:?}");
        }
    }
}

#[test]
fn a_named_header_must_be_there() {
    let mut application = Application::new();
    application.inputs.user_config = Some(application.path("missing.h"));
    let error = application.error();
    assert_holds(&error, &["missing.h", "there is no such file", "MBED_CLOUD_CLIENT_USER_CONFIG_FILE", "USER_CONFIG"]);
    application.inputs.user_config = Some(application.path("."));
    assert_holds(&application.error(), &["it is a directory"]);
    application.inputs.user_config = Some("/dev/null".into());
    assert_holds(&application.error(), &["it is no regular file"]);
}

#[test]
fn a_path_that_no_include_can_name_is_an_error() {
    let mut application = Application::new();
    application.inputs.user_config = Some(application.file("a\"b.h", header("60")));
    assert_holds(&application.error(), &["a\"b.h", "quotation mark", "Rename it"]);
    application.inputs.user_config = Some(application.file("héader (1)'$\\#.h", header("60")));
    assert_eq!(application.interval(), (60, "héader (1)'$\\#.h:1".to_string()));
}

#[test]
fn the_target_decides_as_its_compiler_would() {
    let text = format!("#ifdef __arm__\n{}#else\n{}#endif\n", header("60"), header("(sizeof(long) * 10)"));
    let mut application = Application::with_header(text);
    application.inputs.clang_target = Some("armv7-unknown-linux-gnueabihf".to_string());
    assert_eq!(application.interval().0, 60);
    application.inputs.clang_target = Some("x86_64-unknown-linux-gnu".to_string());
    assert_eq!(application.interval().0, 80);
    application.inputs.clang_target = Some("no-such-machine".to_string());
    assert_holds(&application.error(), &["target", "--target=no-such-machine"]);
}

#[test]
fn a_misspelt_macro_is_a_warning() {
    let settings = Application::with_header("\n#define MBED_CLIENT_TCP_KEEP_ALIVE_INTERVAL 60\n").settings();
    assert_eq!(settings.keepalive_interval_s.value, 540);
    assert_eq!(settings.warnings.len(), 1);
    assert_holds(
        &settings.warnings[0],
        &[&format!("{HEADER}:2: MBED_CLIENT_TCP_KEEP_ALIVE_INTERVAL is not read: did you mean {INTERVAL}?")],
    );
    let settings = Application::new().define("-DMBED_CLIENT_TCP_KEEPALIVE_INTERVALL=60").settings();
    assert_holds(&settings.warnings[0], &["compile definition", INTERVAL]);
}
