//! The text form: what is printed parses to the same, faults are found where they are, and no text does harm.

use flock_ir_spec::{Module, text, verify};

const EXAMPLE: &str = include_str!("text/example.flock");

fn parsed(text: &str) -> Module {
    text::parse(text).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

#[test]
fn printing_is_the_inverse_of_parsing() {
    let once = parsed(EXAMPLE).to_string();
    assert_eq!(once, EXAMPLE, "tests/text/example.flock is not as it is printed");
    assert_eq!(parsed(&once).to_string(), once);
}

#[test]
fn the_example_is_sound() {
    verify::check(&parsed(EXAMPLE)).unwrap_or_else(|faults| panic!("{faults:#?}"));
}

#[test]
fn faults_of_all_lines_are_found_where_they_are() {
    let text = "flock 1\n\nfn f(a: f64, b: f65) {\n  return (x = a)\n}\nfn g(a: f64) {\n  %0 = add a\n  %1 = add a %0\n  \
                %2 = frobnicate a\n  %3 = add a f64[1e999]\n  %4: i64 = cast a\n  return (x = %9)\n}\n";
    let faults = text::parse(text).expect_err("it has faults");
    let found: Vec<(&str, &str)> = faults.iter().map(|f| (f.place.as_str(), f.code)).collect();
    let expected = [
        ("3:17", "flock::text::syntax"),
        ("7:3", "flock::text::type"),
        ("9:8", "flock::text::syntax"),
        ("10:18", "flock::text::value"),
        ("11:3", "flock::text::type"),
        ("12:15", "flock::text::name"),
    ];
    assert_eq!(found, expected, "{faults:#?}");
}

/// xorshift64*: the same texts on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }
}

/// Cuts, doubles, swaps and overwrites pieces of the text.
fn mutated(text: &str, random: &mut Random) -> String {
    const PIECES: [&str; 24] = [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "\\",
        "#",
        "%",
        "@",
        "-",
        "\n",
        "nan",
        "-inf",
        "1e999",
        "4294967296",
        "é",
        "\u{0}",
        "%0",
        "r0",
        "@1",
        "f64[",
        "?",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..1 + random.below(3) {
        let (a, b) = (random.below(chars.len().max(1)), random.below(chars.len().max(1)));
        let (a, b) = (a.min(b), a.max(b).min(a.min(b) + 40));
        match random.below(4) {
            0 => drop(chars.drain(a..b)),
            1 => {
                let piece: Vec<char> = chars[a..b].to_vec();
                let at = random.below(chars.len() + 1);
                chars.splice(at..at, piece);
            }
            2 => drop(chars.splice(a..(a + 1).min(chars.len()), PIECES[random.below(PIECES.len())].chars())),
            _ => drop(chars.splice(a..a, PIECES[random.below(PIECES.len())].chars())),
        }
    }
    chars.into_iter().collect()
}

#[test]
fn no_text_makes_the_parser_or_the_verifier_panic() {
    let mut random = Random(0x00F1_0C4B);
    let mut accepted = 0;
    // Constants are refused at once when a digit differs, so every other mutant leaves them alone.
    let (constants, rest) = EXAMPLE.split_once("fn ").expect("functions follow the constants");
    for i in 0..6_000 {
        let text = if i % 2 == 0 {
            mutated(EXAMPLE, &mut random)
        } else {
            format!("{constants}fn {}", mutated(rest, &mut random))
        };
        match text::parse(&text) {
            Err(faults) => assert!(!faults.is_empty() && faults.len() <= 100),
            Ok(module) => {
                accepted += 1;
                let printed = module.to_string();
                assert_eq!(parsed(&printed).to_string(), printed, "of\n{text}");
                let _ = verify::check(&module);
            }
        }
    }
    assert!(accepted > 50, "{accepted} mutants were accepted: the mutations are too rough to test anything");
}

#[test]
fn a_large_text_takes_linear_time() {
    use std::fmt::Write;
    let text = |n: usize| {
        let mut text = "flock 1\nfn f(a: f64) {\n  %0 = neg a\n".to_owned();
        for i in 1..n {
            writeln!(text, "  step s{i}\n  %{i} = add %{} f64[{i}]", i - 1).expect("a string takes everything");
        }
        text + &format!("  return (x = %{})\n}}\n", n - 1)
    };
    let module = parsed(&text(200_000));
    verify::check(&module).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(module.functions[0].graph.numbering().iter().flatten().count(), 200_000);
    assert_eq!(module.functions[0].without_dead_nodes().graph.nodes().len(), module.functions[0].graph.nodes().len());
    // Everything left open, and everything nested.
    for open in ["(", "[", "{", "\"", "fn f(", "query q {\n", "const #"] {
        assert!(text::parse(&format!("flock 1\n{}", open.repeat(300_000))).is_err());
    }
}
