//! The report for people: a table, then the findings as sentences.

use anstyle::{AnsiColor, Style};
use mbed_cloud_connectivity::netcheck::endpoint::{Port, Transport};
use mbed_cloud_connectivity::netcheck::finding::{Finding, Severity};
use mbed_cloud_connectivity::netcheck::report::{EndpointReport, NameReport, PortReport, Reach, Report};
use mbed_cloud_connectivity::netcheck::verdict::{
    CoapVerdict, NameVerdict, NatVerdict, Staleness, TcpVerdict, TlsVerdict, TtlVerdict, UdpVerdict,
};
use std::fmt::{Display, Write};
use std::io::{IsTerminal, Stdout};
use std::net::IpAddr;
use std::time::Duration;
use textwrap::core::display_width;

/// A terminal that is narrower wraps lines itself.
const NARROWEST: usize = 60;
/// Longer lines are hard to read.
const WIDEST: usize = 120;
/// From this width on the table names the services too.
const WITH_SERVICES: usize = 110;
/// The part of the width that hosts may have, in percent.
const HOSTS_PERCENT: usize = 45;
/// The space between columns.
const GAP: &str = "  ";

/// How the report is laid out.
pub struct Layout {
    /// The columns of the terminal; none: lines are as long as they are, and each says its host, for programs that read lines.
    pub width: Option<usize>,
    /// Whether colours are used.
    pub colour: bool,
    /// Whether everything is told.
    pub verbose: bool,
    /// The region that was checked.
    pub region: Option<String>,
}

impl Layout {
    /// For standard output as it is. `NO_COLOR` and `TERM=dumb` are respected.
    pub fn of(stdout: &Stdout, region: Option<String>, verbose: bool) -> Self {
        let width = stdout.is_terminal().then(|| {
            let width = terminal_size::terminal_size_of(stdout).map_or(80, |(width, _)| usize::from(width.0));
            width.clamp(NARROWEST, WIDEST)
        });
        let colour = stdout.is_terminal() && anstream::AutoStream::choice(stdout) != anstream::ColorChoice::Never;
        Self { width, colour, verbose, region }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    Doubtful,
    Bad,
    Plain,
}

impl Mood {
    fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Doubtful => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Plain => Style::new(),
        }
    }
}

struct Row {
    service: String,
    host: String,
    check: String,
    result: String,
    mood: Mood,
}

/// The whole report.
pub fn render(report: &Report, layout: &Layout) -> String {
    let mut page = Page { text: String::new(), layout };
    page.paragraph("", &heading(report, layout));
    page.text.push('\n');
    page.table(&report.endpoints.iter().flat_map(rows).collect::<Vec<Row>>());
    if layout.verbose {
        for endpoint in &report.endpoints {
            page.text.push('\n');
            page.details(endpoint);
        }
    }
    page.text.push('\n');
    page.findings(&report.findings);
    page.text
}

struct Page<'a> {
    text: String,
    layout: &'a Layout,
}

impl Page<'_> {
    fn table(&mut self, rows: &[Row]) {
        let widest = |part: fn(&Row) -> &str| rows.iter().map(|row| display_width(part(row))).max().unwrap_or(0);
        let check = widest(|row| &row.check).max("CHECK".len());
        let mut host = widest(|row| &row.host).max("HOST".len());
        let mut service = 0;
        if let Some(width) = self.layout.width {
            host = host.min(width * HOSTS_PERCENT / 100);
            if width >= WITH_SERVICES {
                service = widest(|row| &row.service).clamp("SERVICE".len(), 26);
            }
        }
        let before =
            [service, host, check].iter().filter(|width| **width > 0).map(|width| width + GAP.len()).sum::<usize>();
        let result = self.layout.width.map(|width| width.saturating_sub(before).max(20));

        let bold = if self.layout.colour { Style::new().bold() } else { Style::new() };
        let head = cells(&[("SERVICE", service), ("HOST", host), ("CHECK", check)]) + "RESULT";
        let _ = writeln!(self.text, "{bold}{head}{bold:#}");
        let mut previous = None;
        for row in rows {
            let again = self.layout.width.is_some() && previous == Some((&row.service, &row.host));
            previous = Some((&row.service, &row.host));
            let (service_text, host_text) = if again { ("", "") } else { (row.service.as_str(), row.host.as_str()) };
            let mut first = cells(&[(service_text, service), (host_text, host), (&row.check, check)]);
            let style = if self.layout.colour { row.mood.style() } else { Style::new() };
            for line in wrap(&row.result, result) {
                let _ = writeln!(self.text, "{first}{style}{line}{style:#}");
                first = " ".repeat(before);
            }
        }
    }

    fn findings(&mut self, findings: &[Finding]) {
        let stops = findings.iter().filter(|finding| finding.severity == Severity::Stops).count();
        let warnings = findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
        let (summary, mood) = match (stops, warnings) {
            (0, 0) => ("All is well: this network gives the device what it needs.".to_owned(), Mood::Good),
            (0, count) => (format!("The device works here, with {}.", counted(count, "warning")), Mood::Doubtful),
            (count, _) => (
                format!(
                    "The device cannot work here: {} it.",
                    if count == 1 { "one thing stops".into() } else { format!("{count} things stop") }
                ),
                Mood::Bad,
            ),
        };
        let style = if self.layout.colour { mood.style() } else { Style::new() };
        let _ = writeln!(self.text, "{style}{summary}{style:#}");
        for finding in findings {
            let (label, mood) = match finding.severity {
                Severity::Stops => ("STOPS", Mood::Bad),
                Severity::Warning => ("WARNING", Mood::Doubtful),
                Severity::Note => ("NOTE", Mood::Plain),
            };
            self.text.push('\n');
            let style = if self.layout.colour { mood.style().bold() } else { Style::new() };
            let room = self.layout.width.map(|width| width - 9);
            let mut first = format!("{style}{label:<7}{style:#}  ");
            for line in wrap(&finding.what, room).iter().chain(&wrap(&finding.what_to_do, room)) {
                let _ = writeln!(self.text, "{first}{line}");
                first = " ".repeat(9);
            }
        }
    }

    fn details(&mut self, report: &EndpointReport) {
        let endpoint = &report.endpoint;
        self.paragraph("", &format!("{} ({})", shown(&endpoint.host), shown(&endpoint.service)));
        if let Some(issuer) = &endpoint.expected_issuer {
            self.paragraph("  ", &format!("expected issuer: {}", shown(issuer)));
        }
        for answer in &report.name.answers {
            let said = match (answer.code, answer.ttl) {
                (None, _) => "no answer".to_owned(),
                (Some(0), Some(ttl)) => format!("{} for {ttl} s", list(&answer.addresses)),
                (Some(0), None) => "no address".to_owned(),
                (Some(code), _) => format!("response code {code}"),
            };
            self.paragraph("  ", &format!("resolver {}: {said}", answer.resolver));
        }
        self.paragraph(
            "  ",
            &format!(
                "addresses: {}",
                if report.name.addresses.is_empty() { "none".into() } else { list(&report.name.addresses) }
            ),
        );
        self.paragraph("  ", &format!("TTL: {}", ttl(&report.name.ttl)));
        for tried in &report.ports {
            let (result, _) = result(tried);
            let mut line = format!("{} {}: {result}{}", tried.address, port(tried.port), times(&[tried]));
            match &tried.tls {
                Some(TlsVerdict::Genuine { issuer } | TlsVerdict::NotJudged { issuer }) => {
                    let _ = write!(line, ", issuer {}", shown(issuer));
                }
                Some(TlsVerdict::Intercepted { expected, found }) => {
                    let _ = write!(line, ", issuer {} in place of {}", shown(found), shown(expected));
                }
                Some(TlsVerdict::NotTls { first_bytes, .. }) => {
                    let _ = write!(line, ", first bytes \"{}\"", first_bytes.escape_ascii());
                }
                _ => {}
            }
            if let Some(error) = errno(&tried.reach) {
                let _ = write!(line, ", {}", std::io::Error::from_raw_os_error(error));
            }
            self.paragraph("  ", &line);
        }
    }

    /// A paragraph whose second and later lines stand further in.
    fn paragraph(&mut self, indent: &str, text: &str) {
        let mut first = indent.to_owned();
        for line in wrap(text, self.layout.width.map(|width| width - indent.len() - 2)) {
            let _ = writeln!(self.text, "{first}{line}");
            first = format!("{indent}  ");
        }
    }
}

fn heading(report: &Report, layout: &Layout) -> String {
    let what = layout.region.as_ref().map_or("The hosts given".into(), |region| format!("Region {}", shown(region)));
    let resolvers = if report.resolvers.is_empty() {
        "no resolver".into()
    } else {
        format!("by the DNS {}", list(&report.resolvers))
    };
    let nat = match &report.nat {
        NatVerdict::Direct { address } => format!("no NAT before {address}"),
        NatVerdict::BehindNat { address } => format!("{address} behind a NAT"),
        NatVerdict::NoAddress => "no way out".into(),
    };
    format!("{what}, {resolvers}, {nat}, checked in {:.1} s", report.duration.as_secs_f64())
}

fn rows(report: &EndpointReport) -> Vec<Row> {
    let row = |check: String, (result, mood): (String, Mood)| Row {
        service: shown(&report.endpoint.service),
        host: shown(&report.endpoint.host),
        check,
        result,
        mood,
    };
    let mut rows = vec![row("name".into(), name(&report.name))];
    let mut ports: Vec<Port> = Vec::new();
    for tried in &report.ports {
        if !ports.contains(&tried.port) {
            ports.push(tried.port);
        }
    }
    for number in ports {
        let here: Vec<&PortReport> = report.ports.iter().filter(|tried| tried.port == number).collect();
        let mut groups: Vec<((String, Mood), Vec<&PortReport>)> = Vec::new();
        for tried in here {
            let result = result(tried);
            match groups.iter_mut().find(|(other, _)| *other == result) {
                Some((_, group)) => group.push(tried),
                None => groups.push((result, vec![tried])),
            }
        }
        let one = groups.len() == 1;
        for ((text, mood), group) in groups {
            let mut text = if mood == Mood::Good { format!("{text}{}", times(&group)) } else { text };
            if !one {
                let addresses: Vec<IpAddr> = group.iter().map(|tried| tried.address).collect();
                let _ = write!(text, " ({})", list(&addresses));
            }
            rows.push(row(port(number), (text, mood)));
        }
    }
    rows
}

fn name(name: &NameReport) -> (String, Mood) {
    let (mut text, mut mood) = match &name.verdict {
        NameVerdict::Ok => ("ok".to_owned(), Mood::Good),
        NameVerdict::IsAddress => return ("an address, no name".into(), Mood::Plain),
        NameVerdict::NoSuchName => ("no such name".into(), Mood::Bad),
        NameVerdict::ServerFailure { code } => (format!("the DNS fails, code {code}"), Mood::Bad),
        NameVerdict::NoAnswer => ("the DNS does not answer".into(), Mood::Bad),
        NameVerdict::NotTried { errno } => (format!("not tried, error {errno}"), Mood::Bad),
        NameVerdict::HostsFileOnly => ("from the hosts file only".into(), Mood::Doubtful),
        NameVerdict::Sinkhole { address } => (format!("leads to {address}: blocked"), Mood::Bad),
        NameVerdict::Disagree => ("resolvers disagree".into(), Mood::Doubtful),
    };
    if !name.addresses.is_empty() {
        let _ = write!(text, ", {}", counted(name.addresses.len(), "address"));
    }
    match name.ttl {
        TtlVerdict::Ok => text.push_str(", TTL kept"),
        TtlVerdict::Stale { .. } => {
            text.push_str(", TTL not kept");
            if mood == Mood::Good {
                mood = Mood::Doubtful;
            }
        }
        TtlVerdict::Unknown => {}
    }
    (text, mood)
}

fn ttl(verdict: &TtlVerdict) -> String {
    match verdict {
        TtlVerdict::Ok => "kept".into(),
        TtlVerdict::Unknown => "could not be told".into(),
        TtlVerdict::Stale { why: Staleness::ServedPastTtl { first, later } } => {
            format!("not kept, {first} s left at first and {later} s later")
        }
        TtlVerdict::Stale { why: Staleness::TtlRaised { given, elsewhere } } => {
            format!("not kept, {given} s here and {elsewhere} s elsewhere")
        }
    }
}

/// What came of a port, without its times.
fn result(tried: &PortReport) -> (String, Mood) {
    let (text, mood) = match &tried.reach {
        Reach::Tcp(TcpVerdict::Open { .. }) => match &tried.tls {
            None => ("open", Mood::Good),
            Some(TlsVerdict::Genuine { .. }) => ("open, TLS genuine", Mood::Good),
            Some(TlsVerdict::NotJudged { .. }) => ("open, TLS", Mood::Good),
            Some(TlsVerdict::Intercepted { .. }) => ("open, TLS intercepted", Mood::Bad),
            Some(TlsVerdict::NotTls { http_status: Some(status), .. }) => {
                return (format!("open, not TLS but HTTP {status}"), Mood::Bad);
            }
            Some(TlsVerdict::NotTls { http_status: None, .. }) => ("open, not TLS", Mood::Bad),
            Some(TlsVerdict::Reset) => ("open, cut in the handshake", Mood::Bad),
            Some(TlsVerdict::Alert { name, .. }) => return (format!("open, alert {}", shown(name)), Mood::Bad),
            Some(TlsVerdict::TimedOut) => ("open, handshake without end", Mood::Bad),
            Some(TlsVerdict::Failed { .. }) => ("open, handshake fails", Mood::Bad),
        },
        Reach::Udp(UdpVerdict::Open { .. }) => ("open", Mood::Good),
        Reach::Tcp(TcpVerdict::Refused) => ("refused", Mood::Bad),
        Reach::Tcp(TcpVerdict::TimedOut) => ("filtered", Mood::Bad),
        Reach::Udp(UdpVerdict::Silent) => ("silent", Mood::Bad),
        Reach::Tcp(TcpVerdict::Unreachable { .. }) | Reach::Udp(UdpVerdict::Unreachable { .. }) => {
            ("unreachable", Mood::Bad)
        }
        Reach::Tcp(TcpVerdict::NotTried { .. }) | Reach::Udp(UdpVerdict::NotTried { .. }) => {
            ("could not be tried", Mood::Bad)
        }
    };
    match tried.coap {
        Some(CoapVerdict::Answered { .. }) => (format!("{text}, ping answered"), mood),
        Some(CoapVerdict::Silent) => (format!("{text}, ping not answered"), Mood::Doubtful),
        None => (text.to_owned(), mood),
    }
}

/// `, 34 ms`, or from the shortest to the longest; nothing where nothing came back.
fn times(group: &[&PortReport]) -> String {
    let time = |tried: &&PortReport| match (&tried.coap, &tried.reach) {
        (Some(CoapVerdict::Answered { round_trip }), _)
        | (_, Reach::Tcp(TcpVerdict::Open { round_trip }) | Reach::Udp(UdpVerdict::Open { round_trip })) => {
            Some(*round_trip)
        }
        _ => None,
    };
    let times: Vec<Duration> = group.iter().filter_map(time).collect();
    let (Some(shortest), Some(longest)) = (times.iter().min(), times.iter().max()) else { return String::new() };
    let milliseconds = |time: &Duration| (time.as_secs_f64() * 1e3).ceil();
    match (milliseconds(shortest), milliseconds(longest)) {
        (shortest, longest) if shortest == longest => format!(", {shortest} ms"),
        (shortest, longest) => format!(", {shortest} to {longest} ms"),
    }
}

fn errno(reach: &Reach) -> Option<i32> {
    match reach {
        Reach::Tcp(TcpVerdict::Unreachable { errno } | TcpVerdict::NotTried { errno })
        | Reach::Udp(UdpVerdict::Unreachable { errno } | UdpVerdict::NotTried { errno }) => Some(*errno),
        _ => None,
    }
}

fn port(port: Port) -> String {
    match port.transport {
        Transport::Tcp => format!("TCP {}", port.number),
        Transport::Udp => format!("UDP {}", port.number),
    }
}

fn counted(count: usize, what: &str) -> String {
    match (count, what) {
        (1, _) => format!("1 {what}"),
        (_, "address") => format!("{count} addresses"),
        _ => format!("{count} {what}s"),
    }
}

fn list<T: Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<String>>().join(", ")
}

/// The cells of a row up to the last, each in its width; a width of 0 leaves the cell out.
fn cells(cells: &[(&str, usize)]) -> String {
    let mut row = String::new();
    for (text, width) in cells.iter().filter(|(_, width)| *width > 0) {
        let text = shortened(text, *width);
        let _ = write!(row, "{text}{}{GAP}", " ".repeat(width.saturating_sub(display_width(&text))));
    }
    row
}

/// Leaves out of the middle what is too long: the beginning and the end of a host's name tell most.
fn shortened(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    let tail = width.saturating_sub(1) / 2;
    let begin = fitting(text.chars(), width.saturating_sub(1) - tail);
    let end: String = fitting(text.chars().rev(), tail).chars().rev().collect();
    format!("{begin}…{end}")
}

/// As many characters as fit into so many columns.
fn fitting(characters: impl Iterator<Item = char>, width: usize) -> String {
    let mut text = String::new();
    for character in characters {
        text.push(character);
        if display_width(&text) > width {
            text.pop();
            break;
        }
    }
    text
}

fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    match width {
        Some(width) => {
            let options = textwrap::Options::new(width).word_splitter(textwrap::WordSplitter::NoHyphenation);
            textwrap::wrap(text, options).into_iter().map(String::from).collect()
        }
        None => vec![text.to_owned()],
    }
}

/// Text from the network without what a terminal would obey.
fn shown(text: &str) -> String {
    let hides = |character: &char| {
        character.is_control()
            || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars()
        .map(|character| if hides(&character) { character.escape_unicode().to_string() } else { character.to_string() })
        .collect()
}
