//! The plot: what each strategy reaches and costs, path by path, and the crowd after the restart.

use crate::model::{Outcome, Path, Strategy, Timeline, Totals};
use std::fmt::Write as _;

/// Told apart also without colours: each is darker than the one before.
const COLOURS: [&str; 4] = ["#c9b458", "#e08214", "#5aae61", "#2166ac"];
const WIDTH: f64 = 960.0;
const LEFT: f64 = 70.0;
const PANEL_HEIGHT: f64 = 190.0;
/// From the top of one panel to that of the next.
const PANEL_DISTANCE: f64 = 265.0;
const FIRST_PANEL: f64 = 100.0;
/// The seconds around the restart that are shown.
const BEFORE_S: usize = 5;
const AFTER_S: usize = 55;
const MOST_PERCENT: f64 = 6.0;
const LIMIT_PERCENT: f64 = 5.0;

/// The plot as SVG.
pub fn draw(paths: &[Path], outcomes: &[Outcome], timeline: &Timeline, devices: u64) -> String {
    let height = FIRST_PANEL + 3.0 * PANEL_DISTANCE - 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let days = timeline.end.as_secs() / 86_400;
    text(&mut svg, LEFT, 28.0, "start", &format!("{devices} devices over {days} days, by their keepalive"), "18");
    for (index, (strategy, colour)) in Strategy::ALL.iter().zip(COLOURS).enumerate() {
        let x = LEFT + 150.0 * index as f64;
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"44\" width=\"14\" height=\"14\" fill=\"{colour}\"/>");
        text(&mut svg, x + 20.0, 56.0, "start", &strategy.name(), "13");
    }
    let reachable = |totals: &Totals| 100.0 * totals.reachability();
    let pings = |totals: &Totals| totals.pings_a_day();
    bars(&mut svg, 0, "Share of time reachable, %", paths, outcomes, &reachable, 2);
    bars(&mut svg, 1, "Pings a device and day", paths, outcomes, &pings, 0);
    crowd(&mut svg, outcomes, timeline, devices);
    svg.push_str("</svg>\n");
    svg
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str, size: &str) {
    let _ =
        writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{words}</text>");
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), style: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(svg, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {style}/>");
}

/// The title and the base line of a panel; gives where the base line is.
fn panel(svg: &mut String, number: usize, title: &str) -> f64 {
    let top = FIRST_PANEL + PANEL_DISTANCE * number as f64;
    text(svg, LEFT, top - 8.0, "start", title, "15");
    let base = top + PANEL_HEIGHT;
    line(svg, (LEFT, base), (WIDTH - 20.0, base), "stroke=\"#222\"");
    base
}

fn bars(
    svg: &mut String,
    number: usize,
    title: &str,
    paths: &[Path],
    outcomes: &[Outcome],
    value: &dyn Fn(&Totals) -> f64,
    digits: usize,
) {
    let base = panel(svg, number, title);
    let values = outcomes.iter().flat_map(|outcome| outcome.totals.iter().map(value));
    let most = values.fold(1.0, f64::max);
    let group = (WIDTH - 20.0 - LEFT) / paths.len() as f64;
    let bar = group * 0.8 / outcomes.len() as f64;
    for (place, path) in paths.iter().enumerate() {
        let begin = LEFT + group * (place as f64 + 0.1);
        for (index, (outcome, colour)) in outcomes.iter().zip(COLOURS).enumerate() {
            let value = value(&outcome.totals[place]);
            // Room for the number above the highest one.
            let height = value / most * (PANEL_HEIGHT - 24.0);
            let x = begin + bar * index as f64;
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>",
                base - height,
                bar - 4.0
            );
            text(svg, x + bar / 2.0 - 2.0, base - height - 5.0, "middle", &format!("{value:.digits$}"), "12");
        }
        text(svg, begin + group * 0.4, base + 20.0, "middle", &path.name(), "13");
    }
}

fn crowd(svg: &mut String, outcomes: &[Outcome], timeline: &Timeline, devices: u64) {
    let base = panel(svg, 2, "Connections in each second around the restart of the server, % of the fleet");
    let restart = timeline.restart.start.as_secs() as usize;
    let x = |second: f64| LEFT + second / (BEFORE_S + AFTER_S) as f64 * (WIDTH - 20.0 - LEFT);
    let y = |percent: f64| base - percent / MOST_PERCENT * PANEL_HEIGHT;
    for percent in 0..=MOST_PERCENT as u32 {
        let height = y(f64::from(percent));
        line(svg, (LEFT, height), (WIDTH - 20.0, height), "stroke=\"#dddddd\"");
        text(svg, LEFT - 8.0, height + 4.0, "end", &percent.to_string(), "12");
    }
    line(
        svg,
        (LEFT, y(LIMIT_PERCENT)),
        (WIDTH - 20.0, y(LIMIT_PERCENT)),
        "stroke=\"#b2182b\" stroke-dasharray=\"6 4\"",
    );
    for second in (0..=AFTER_S).step_by(5) {
        text(svg, x((BEFORE_S + second) as f64), base + 20.0, "middle", &format!("{second} s"), "12");
    }
    for (outcome, colour) in outcomes.iter().zip(COLOURS) {
        let taken = &outcome.taken[restart - BEFORE_S..restart + AFTER_S];
        let points = taken.iter().enumerate().map(|(second, taken)| {
            let percent = 100.0 * f64::from(*taken) / devices as f64;
            format!("{:.1},{:.1}", x(second as f64 + 0.5), y(percent.min(MOST_PERCENT)))
        });
        let points: Vec<String> = points.collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
    }
}
