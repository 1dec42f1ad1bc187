//! SPEC.md's code blocks, and the freshness of ops.md.

use std::path::Path;

use flock_ir_spec::*;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).replace("\r\n", "\n")
}

/// The blocks of a kind, with the line at which each starts.
fn blocks(kind: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, &str, String)> = None;
    let spec = read("SPEC.md");
    for (i, line) in spec.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some((i + 2, kind, String::new())),
            (Some(_), Some(_)) => {
                let (at, found, text) = open.take().expect("it is open");
                if found == kind {
                    blocks.push((at, text));
                }
            }
            (Some((_, _, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none() && !blocks.is_empty(), "SPEC.md has no `{kind}` block, or one that does not end");
    blocks
}

fn parsed(line: usize, text: &str) -> Module {
    let module = text::parse(text).unwrap_or_else(|f| panic!("SPEC.md:{line}: {f:#?}"));
    verify::check(&module).unwrap_or_else(|f| panic!("SPEC.md:{line}: {f:#?}"));
    module
}

#[test]
fn flock_blocks_parse_verify_and_print_back() {
    for (line, text) in blocks("flock") {
        assert_eq!(parsed(line, &text).to_string(), text, "SPEC.md:{line}");
    }
}

#[test]
fn fault_blocks_fail_as_they_say() {
    for (line, block) in blocks("flock-fault") {
        let (code, text) = block.split_once('\n').expect("a code and a text");
        let faults = match text::parse(text) {
            Ok(module) => verify::check(&module).err().unwrap_or_default(),
            Err(faults) => faults,
        };
        let codes: Vec<&str> = faults.iter().map(|f| f.code).collect();
        assert_eq!(codes, [code], "SPEC.md:{line}: {faults:#?}");
    }
}

/// Rows of values as the text form writes them, through the text form: `null` apart, which no constant holds.
fn frame(line: usize, ty: FrameType, text: &str) -> Frame {
    let rows: Vec<Vec<&str>> = match ty.width {
        1 => text.split(',').map(|v| vec![v.trim()]).collect(),
        _ => text.split(';').map(|r| r.split(',').map(str::trim).collect()).collect(),
    };
    Frame::from_fn(rows.len(), ty.nullable(), |i, j| match rows[i][j] {
        "null" => Scalar::Null,
        value => {
            let text = format!("flock 1\nfn f() {{\n  return (x = {}[{value}])\n}}\n", ty.dtype);
            let module = parsed(line, &text);
            let constant = module.functions[0].graph.constant(&module.constants, NodeId(0)).cloned();
            let Some(Constant::Table(t)) = constant else { panic!("SPEC.md:{line}: {value} is no {}", ty.dtype) };
            t.get(0, 0)
        }
    })
}

#[test]
fn eval_blocks_give_what_they_say() {
    for (line, block) in blocks("eval") {
        let end = block.rfind("\n}\n").expect("a function") + 3;
        let module = parsed(line, &format!("flock 1\n{}", &block[..end]));
        let function = module.functions.last().expect("a function");
        let assignments: Vec<(&str, &str)> = block[end..].lines().filter_map(|l| l.split_once(" = ")).collect();
        let given = |name: &str| assignments.iter().find(|(n, _)| *n == name).expect("a value").1;
        let params: Vec<Frame> = function.params.iter().map(|p| frame(line, p.ty, given(&p.name))).collect();
        let rows = params[0].rows;
        let out = eval::call(&module, function, rows, &params).unwrap_or_else(|e| panic!("SPEC.md:{line}: {e}"));
        for (output, found) in function.outputs.iter().zip(out) {
            let ty = function.output_type(output).expect("a frame");
            let expected = frame(line, ty, given(&format!("=> {}", output.name)));
            assert_eq!(found, expected, "SPEC.md:{line}: {}", output.name);
        }
    }
}

#[test]
fn every_code_of_the_verifier_and_parser_is_in_a_page_or_a_doc() {
    let spec = read("SPEC.md");
    for source in [
        "src/verify/mod.rs",
        "src/verify/nodes.rs",
        "src/verify/queries.rs",
        "src/verify/functions.rs",
        "src/verify/constants.rs",
    ] {
        for code in read(source).split('"').filter(|s| s.starts_with("flock::verify::")) {
            let last = code.rsplit("::").next().expect("a code");
            assert!(spec.contains(&format!("::{last}`")), "SPEC.md does not list {code}");
        }
    }
}

#[test]
fn ops_md_is_fresh() {
    let page = ops::doc::markdown();
    if std::env::var_os("FLOCK_BLESS").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("ops.md"), &page).expect("ops.md can be written");
    }
    assert!(read("ops.md") == page, "ops.md is stale: FLOCK_BLESS=1 cargo test --release -p flock-ir-spec");
}
