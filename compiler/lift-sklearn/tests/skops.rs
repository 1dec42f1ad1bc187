//! Archives of skops: the same model saved by joblib lifts to the same module; damage ends in a fault.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use flock_lift_sklearn::{Options, describe, lift, sniff};

fn model(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testsuite/cases").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

const STORED: &str = "files/models/skops.sklearn-1.9.skops";
const DEFLATED: &str = "files/models/skops_deflated.sklearn-1.7.skops";

/// An entry of an archive under construction: name, content, whether it is deflated.
type Part<'a> = (&'a str, &'a [u8], bool);

/// A zip archive; sizes and checksums are right.
fn archive(parts: &[Part<'_>]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content, deflated) in parts {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).expect("memory");
        let packed = if *deflated { encoder.finish().expect("memory") } else { content.to_vec() };
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let mut common = vec![20, 0, 0, 0, if *deflated { 8 } else { 0 }, 0, 0, 0, 0, 0];
        common.extend(crc.sum().to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend((file.len() as u32).to_le_bytes());
        directory.extend(name.bytes());
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(name.bytes());
        file.extend(packed);
    }
    let at = file.len() as u32;
    let size = directory.len() as u32;
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([(parts.len() as u16).to_le_bytes(), (parts.len() as u16).to_le_bytes()].concat());
    file.extend([size.to_le_bytes(), at.to_le_bytes()].concat());
    file.extend([0, 0]);
    file
}

fn schema(text: &str) -> Vec<u8> {
    archive(&[("schema.json", text.as_bytes(), false)])
}

fn message(file: &[u8]) -> String {
    let faults = lift("m", file, &Options::default()).expect_err("a fault");
    format!("{}: {}", faults[0].code, faults[0].message)
}

/// Every model of the cases, saved by skops as well: `cargo xtask skops` makes the folder. Without it, those in the tree.
#[test]
fn the_same_model_is_the_same_module() {
    let Some(folder) = std::env::var_os("FLOCK_SKOPS").map(PathBuf::from) else {
        assert!(lift("m", &model(STORED), &Options::default()).is_ok());
        assert!(lift("m", &model(DEFLATED), &Options::default()).is_ok());
        return;
    };
    let (mut compared, mut wrong) = (0, Vec::new());
    let pairs = std::fs::read_to_string(folder.join("pairs.txt")).expect("the list of pairs");
    for (archive, other) in pairs.lines().filter_map(|l| l.split_once('\t')) {
        let lifted = |path: &Path| {
            let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let faults = |faults: Vec<flock_ir_spec::Diagnostic>| {
                faults.iter().map(|f| format!("{} {}: {}", f.code, f.place, f.message)).collect::<BTreeSet<_>>()
            };
            lift("m", &bytes, &Options::default()).map(|m| m.to_string()).map_err(faults)
        };
        compared += 1;
        let (found, wanted) = (lifted(&folder.join(archive)), lifted(Path::new(other)));
        if found != wanted {
            wrong.push(format!("{other}: {:?}", found.err()));
        }
    }
    assert!(compared > 200 && wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn archives_are_told_apart_and_described() {
    assert!(sniff(&model(STORED)) && sniff(&model(DEFLATED)));
    assert!(!sniff(&archive(&[("word/document.xml", b"<a/>", false)])));
    let described = describe(&model(STORED)).expect("a description");
    let classes: Vec<&str> = described.steps.iter().map(|s| s.class.as_str()).collect();
    assert_eq!(classes[0], "sklearn.pipeline.Pipeline");
    assert!(classes.contains(&"sklearn.preprocessing.OneHotEncoder"), "{classes:?}");
}

#[test]
fn truncated_and_damaged_archives_end_in_a_fault() {
    for name in [STORED, DEFLATED] {
        let bytes = model(name);
        for n in (0..bytes.len()).step_by(97).chain(bytes.len() - 200..bytes.len()) {
            assert!(lift("m", &bytes[..n], &Options::default()).is_err(), "{name} cut at {n}");
        }
        for at in (0..bytes.len()).step_by(211) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            // Bits of times and attributes mean nothing; all others are under a checksum.
            let _ = lift("m", &damaged, &Options::default());
        }
    }
}

#[test]
fn archives_that_lie_are_refused() {
    let zeros = vec![b' '; 200 << 20];
    assert!(message(&archive(&[("schema.json", &zeros, true)])).contains("expand to more than"));
    let twice = archive(&[("schema.json", b"{}", false), ("schema.json", b"{}", false)]);
    assert!(!sniff(&twice));
    let node = r#""__class__": "a", "__module__": "m", "__id__": 1"#;
    for (text, what) in [
        ("{}", "holds no node"),
        ("[1, 2]", "a list of something that is no node"),
        (&"[".repeat(1_000_000), "nested deeper"),
        (&r#"{"a":"#.repeat(1_000_000), "nested deeper"),
        ("{\"a\": \"", "without its closing quote"),
        (r#"{"a": "\ud800"}"#, "an escape that is no character"),
        (r#"{"a": 1} x"#, "text behind the value"),
        (&format!(r#"{{{node}, "__loader__": "EvalNode"}}"#), "the loader `EvalNode` is not known"),
        (&format!(r#"{{{node}, "__loader__": "CachedNode"}}"#), "was not there before"),
        (&format!(r#"{{{node}, "protocol": 3, "__loader__": "ObjectNode"}}"#), "protocol 3"),
        (&format!(r#"{{{node}, "__loader__": "NdArrayNode", "type": "numpy", "file": "../x"}}"#), "no entry `../x`"),
        (&format!(r#"{{{node}, "__loader__": "JsonNode", "content": "[1]"}}"#), "a plain value that is none"),
    ] {
        let found = message(&schema(text));
        assert!(found.starts_with("flock::lift::skops") && found.contains(what), "{what}: {found}");
    }
}

#[test]
fn arrays_must_be_as_large_as_they_say() {
    let node = r#"{"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": "1.npy"}"#;
    for (header, what) in [
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", "takes 24 bytes"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "larger than any memory"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "not supported"),
        ("{'descr': [('a', '<f8', (2,))], 'fortran_order': False, 'shape': (1,), }", "a title or a shape"),
        ("{'descr': '<f8', 'fortran_order': False}", "without `descr`"),
        ("{'descr': ((((((((((((((((1,),),),),),),),),),),),),),),),), }", "no dict"),
        ("import os", "no dict"),
    ] {
        let mut npy = b"\x93NUMPY\x01\x00".to_vec();
        npy.extend((header.len() as u16).to_le_bytes());
        npy.extend(header.bytes());
        npy.extend([0; 16]);
        let found = message(&archive(&[("1.npy", &npy, false), ("schema.json", node.as_bytes(), false)]));
        assert!(found.contains(what), "{what}: {found}");
    }
}
