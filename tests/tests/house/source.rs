//! What a Rust file may hold.

/// A file that holds more than one idea.
pub(crate) fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > MAX_LINES).then(|| format!("{path}: {lines} lines, at most {MAX_LINES}"))
}

/// A function's `main.rs` that does more than wire.
pub(crate) fn thick_main(path: &str, text: &str) -> Option<String> {
    let is_main = path.starts_with("functions/") && path.ends_with("/src/main.rs");
    let lines = text.lines().count();
    (is_main && lines >= MAIN_LINES).then(|| format!("{path}: {lines} lines, fewer than {MAIN_LINES}"))
}

/// A file that does not begin by saying what it is for.
pub(crate) fn without_purpose(path: &str, text: &str) -> Option<String> {
    let says = text.lines().find(|line| !line.starts_with("#!")).is_some_and(|line| line.starts_with("//! "));
    (!says).then(|| format!("{path}: begins without a `//!` sentence of purpose"))
}

/// Places that read a clock outside its one room.
pub(crate) fn clock_readings(path: &str, text: &str) -> Vec<String> {
    let may_measure = MEASURING_ROOMS.iter().any(|room| path.starts_with(room)) || path.contains("/benches/");
    let wall = WALL_CLOCKS.iter().filter(|_| path != CLOCK_ROOM);
    let stopwatch = STOPWATCHES.iter().filter(|_| !may_measure && path != CLOCK_ROOM);
    wall.chain(stopwatch).flat_map(|word| lines_with(path, text, word, "read outside the clock's room")).collect()
}

/// Marks of unfinished work and switched-off checks.
pub(crate) fn leftovers(path: &str, text: &str) -> Vec<String> {
    LEFTOVERS.iter().flat_map(|word| lines_with(path, text, word, "left behind")).collect()
}

fn lines_with(path: &str, text: &str, word: &str, fault: &str) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| line.contains(word));
    lines.map(|(at, _)| format!("{path}:{}: `{word}` {fault}", at + 1)).collect()
}

const MAX_LINES: usize = 400;
const MAIN_LINES: usize = 30;
const CLOCK_ROOM: &str = "shared/edge/src/now.rs";
/// Where elapsed time may be measured, never the time of day.
const MEASURING_ROOMS: &[&str] = &["infra/local/", "tests/"];
// The words are put together here, so that this file does not break its own rules.
const WALL_CLOCKS: &[&str] = &[concat!("SystemTime", "::now"), concat!("Utc", "::now"), concat!("now", "_utc(")];
const STOPWATCHES: &[&str] = &[concat!("Instant", "::now")];
const LEFTOVERS: &[&str] = &[
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
    concat!("#[", "ignore"),
    concat!("#[", "allow("),
    concat!("#![", "allow("),
];

#[test]
fn a_long_file_is_found() {
    assert!(too_long("a.rs", &"line\n".repeat(401)).is_some());
    assert_eq!(too_long("a.rs", &"line\n".repeat(400)), None);
}

#[test]
fn a_thick_main_is_found() {
    let thick = "line\n".repeat(30);
    assert!(thick_main("functions/keys/src/main.rs", &thick).is_some());
    assert_eq!(thick_main("infra/local/src/main.rs", &thick), None);
    assert_eq!(thick_main("functions/keys/src/main.rs", "fn main() {}\n"), None);
}

#[test]
fn a_file_without_a_purpose_is_found() {
    assert!(without_purpose("a.rs", "use std::fmt;\n").is_some());
    assert!(without_purpose("a.rs", "").is_some());
    assert_eq!(without_purpose("a.rs", "#![no_main]\n//! Text in.\n"), None);
}

#[test]
fn a_second_clock_is_found() {
    for word in WALL_CLOCKS.iter().chain(STOPWATCHES) {
        let text = format!("fn now() {{\n    {word}();\n}}");
        assert_eq!(clock_readings("shared/gate/src/admit.rs", &text).len(), 1, "{word}");
        assert!(clock_readings(CLOCK_ROOM, &text).is_empty());
    }
    assert!(clock_readings("infra/local/src/bench.rs", &format!("{}()", STOPWATCHES[0])).is_empty());
    assert_eq!(clock_readings("infra/local/src/start.rs", &format!("{}()", WALL_CLOCKS[0])).len(), 1);
}

#[test]
fn a_leftover_is_found() {
    for word in LEFTOVERS {
        assert_eq!(leftovers("a.rs", &format!("    {word}\n")).len(), 1, "{word}");
    }
    assert!(leftovers("a.rs", "#[expect(clippy::panic, reason = \"no answer is safe\")]").is_empty());
}
