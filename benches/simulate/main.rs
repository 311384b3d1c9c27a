//! The program of `script/simulate`: fleets in virtual time, as tables and a plot.
//!
//!     simulate [--devices NUMBER] [--seed NUMBER] [--plot FILE] FLEET DAYS [FLEET DAYS ...]
//!
//! The plot shows the first fleet. `docs/simulation.md` says what is assumed.

mod model;
mod plot;

use mbed_cloud_connectivity::connection::Transport;
use model::{Outcome, Path, Strategy, Timeline, Totals, read_paths, run};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The first restart takes no time; these many seconds more are tried in a table of their own.
const SERVER_AWAY_S: [u64; 6] = [0, 5, 10, 30, 60, 120];
/// That table's time: the restart after an hour, the outage after two.
const SERVER_AWAY_END: Duration = Duration::from_secs(3 * 3600);
/// In this time after the restart or the outage the peak is looked for, in seconds.
const PEAK_WITHIN_S: usize = 600;

/// Bytes of one ping exchange and of one full handshake: TLS 1.2 with CCM-8; DTLS 1.2 with CCM-8 and a Connection ID of 6 bytes.
const TLS_BYTES: (f64, f64) = (206.0, 1046.0);
const DTLS_BYTES: (f64, f64) = (129.0, 1483.0);
/// What an exchange and a bare waking of the modem cost (one author's measurements on an nRF9160, NB-IoT).
const EXCHANGE_MWH: f64 = 0.14;
const WAKING_MWH: f64 = 0.10;
/// A cell of 5 Wh.
const CELL_MWH: f64 = 5000.0;

struct Arguments {
    devices: u64,
    seed: u64,
    plot: Option<PathBuf>,
    fleets: Vec<(PathBuf, u64)>,
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments { devices: 100_000, seed: 1, plot: None, fleets: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
        match word.as_str() {
            "--devices" => arguments.devices = number(value()?)?,
            "--seed" => arguments.seed = number(value()?)?,
            "--plot" => arguments.plot = Some(value()?.into()),
            // What cargo adds.
            "--bench" => {}
            _ => {
                let days = number(value()?)?;
                arguments.fleets.push((word.into(), days));
            }
        }
    }
    if arguments.devices == 0 || arguments.fleets.is_empty() || arguments.fleets.iter().any(|(_, days)| *days == 0) {
        return Err("devices, a fleet and days are needed".into());
    }
    Ok(arguments)
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| simulate(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simulate: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(arguments: &Arguments) -> Result<(), String> {
    let Arguments { devices, seed, .. } = *arguments;
    println!("{devices} devices, seed {seed}.");
    for (number, (file, days)) in arguments.fleets.iter().enumerate() {
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let paths = read_paths(&text)?;
        let timeline = Timeline::new(Duration::from_secs(days * 86_400), Duration::ZERO);
        let outcomes = Strategy::ALL.map(|strategy| {
            let begin = Instant::now();
            let outcome = run(&paths, strategy, devices, &timeline, seed);
            eprintln!("simulate: {}, {}: {:.0} s", file.display(), strategy.name(), begin.elapsed().as_secs_f64());
            outcome
        });
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let plural = if *days == 1 { "" } else { "s" };
        println!("\n### `{name}`, {days} day{plural}\n");
        print_strategies(&paths, &outcomes);
        println!();
        print_peaks(&outcomes, &timeline, devices);
        println!();
        print_paths(&paths, &outcomes);
        if number == 0 {
            print_server_away(&paths, devices, seed);
            if let Some(file) = &arguments.plot {
                let plot = plot::draw(&paths, &outcomes, &timeline, devices);
                fs::write(file, plot).map_err(|error| format!("{}: {error}", file.display()))?;
            }
        }
    }
    Ok(())
}

fn print_strategies(paths: &[Path], outcomes: &[Outcome]) {
    println!(
        "| devices | keepalive | reachable | unreachable, minutes a day | pings a day | connections a day | bytes a day \
         | mWh a day | days of a 5 Wh cell |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (name, transport) in [("TCP", Transport::Tcp), ("UDP", Transport::Udp)] {
        for (strategy, outcome) in Strategy::ALL.iter().zip(outcomes) {
            let sum = outcome.sum(paths, |path| path.transport == transport);
            if sum.devices == 0 {
                continue;
            }
            let (reachability, energy) = (sum.reachability(), energy_a_day(&sum));
            println!(
                "| {name} | {} | **{:.3} %** | {:.2} | **{:.0}** | {:.2} | {:.0} | {energy:.1} | {:.0} |",
                strategy.name(),
                100.0 * reachability,
                1440.0 * (1.0 - reachability),
                sum.pings_a_day(),
                sum.connections as f64 / sum.days(),
                bytes_a_day(&sum, transport),
                CELL_MWH / energy,
            );
        }
    }
}

fn bytes_a_day(totals: &Totals, transport: Transport) -> f64 {
    let (exchange, handshake) = if transport == Transport::Tcp { TLS_BYTES } else { DTLS_BYTES };
    (totals.pings as f64 * exchange + totals.connections as f64 * handshake) / totals.days()
}

fn energy_a_day(totals: &Totals) -> f64 {
    let exchanges = totals.pings + totals.connections;
    let in_vain = totals.attempts - totals.connections;
    (exchanges as f64 * EXCHANGE_MWH + in_vain as f64 * WAKING_MWH) / totals.days()
}

fn percent_of(number: u32, devices: u64) -> f64 {
    100.0 * f64::from(number) / devices as f64
}

fn print_peaks(outcomes: &[Outcome], timeline: &Timeline, devices: u64) {
    println!("| keepalive | connections in the fullest second after the restart | after the outage |");
    println!("| --- | --- | --- |");
    for (strategy, outcome) in Strategy::ALL.iter().zip(outcomes) {
        let restart = outcome.peak(timeline.restart.start, PEAK_WITHIN_S);
        let outage = outcome.peak(timeline.outage.end, PEAK_WITHIN_S);
        println!(
            "| {} | {restart} (**{:.2} %** of the fleet) | {outage} ({:.2} %) |",
            strategy.name(),
            percent_of(restart, devices),
            percent_of(outage, devices)
        );
    }
}

fn print_paths(paths: &[Path], outcomes: &[Outcome]) {
    let names: Vec<String> = Strategy::ALL.iter().map(|strategy| strategy.name()).collect();
    println!("| path | source | reachable: {} | pings a day, adaptive |", names.join(" | "));
    println!("| --- | --- | {}--- |", "--- | ".repeat(outcomes.len()));
    for (index, path) in paths.iter().enumerate() {
        let reachable = outcomes.iter().map(|outcome| format!("{:.3} %", 100.0 * outcome.totals[index].reachability()));
        let reachable: Vec<String> = reachable.collect();
        let pings = outcomes.last().map_or(0.0, |adaptive| adaptive.totals[index].pings_a_day());
        println!("| {} | {} | {} | {pings:.0} |", path.name(), path.source, reachable.join(" | "));
    }
}

/// A server that is not back at once refuses those who come too early.
fn print_server_away(paths: &[Path], devices: u64, seed: u64) {
    println!("\n| the server takes no connections for | fullest second after the restart, adaptive |");
    println!("| --- | --- |");
    for away in SERVER_AWAY_S {
        let timeline = Timeline::new(SERVER_AWAY_END, Duration::from_secs(away));
        let outcome = run(paths, Strategy::Adaptive, devices, &timeline, seed);
        let peak = outcome.peak(timeline.restart.start, PEAK_WITHIN_S);
        println!("| {away} s | {peak} ({:.2} %) |", percent_of(peak, devices));
    }
}
