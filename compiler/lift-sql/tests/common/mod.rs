//! The tables of `queries.txt`, the models of the tests, and rows as text.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::HashMap;
use std::sync::Arc;

use flock_ir_spec::eval::{self, Table};
use flock_ir_spec::{Attr, DType, Frame, FrameType, FunctionBuilder, Module, NodeId, Op, Scalar};
use flock_lift_sql::{Catalog, Column};

pub const QUERIES: &str = include_str!("../queries.txt");

pub struct World {
    pub catalog: Catalog,
    tables: HashMap<String, Table>,
}

/// The blocks of a file: lines without comments, split at blank lines.
pub fn blocks(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.split("\n\n")
        .map(|b| b.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).collect())
        .filter(|b: &Vec<&str>| !b.is_empty())
}

pub fn world() -> World {
    let mut world = World { catalog: Catalog::new(), tables: HashMap::new() };
    for block in blocks(QUERIES).filter(|b| b[0].starts_with("table ")) {
        let name = &block[0][6..];
        let (columns, table) = table(&block[1..]);
        world.catalog.table(name, columns);
        world.tables.insert(name.to_owned(), table);
    }
    for (name, model) in [("late", late()), ("parts", parts()), ("whole", whole())] {
        world.catalog.model(name, &model).unwrap();
    }
    world
}

fn table(lines: &[&str]) -> (Vec<Column>, Table) {
    let header: Vec<(&str, DType)> = lines[0]
        .split_whitespace()
        .map(|c| c.split_once(':').unwrap())
        .map(|(n, d)| (n, DType::parse(d).unwrap()))
        .collect();
    let rows: Vec<Vec<&str>> = lines[1..].iter().map(|l| l.split_whitespace().collect()).collect();
    let ty = |dtype| FrameType::new(dtype, 1).nullable();
    let columns = header.iter().map(|(n, d)| Column::new(*n, ty(*d))).collect();
    let frames =
        header.iter().enumerate().map(|(c, (_, d))| Frame::from_fn(rows.len(), ty(*d), |r, _| scalar(rows[r][c], *d)));
    let names = header.iter().map(|(n, _)| Arc::from(*n)).collect();
    (columns, Table { rows: rows.len(), names, frames: frames.collect() })
}

fn scalar(text: &str, dtype: DType) -> Scalar {
    match dtype {
        _ if text == "NULL" => Scalar::Null,
        DType::Bool => Scalar::Bool(text == "true"),
        DType::I64 => Scalar::I64(text.parse().unwrap()),
        DType::F32 => Scalar::F32(text.parse().unwrap()),
        DType::F64 => Scalar::F64(text.parse().unwrap()),
        DType::Str => Scalar::Str(text.into()),
    }
}

/// score = coalesce(dep_delay, 10) / 2 + (carrier = 'AA'); 1 above 15; probability of 1 is score / 100.
pub fn late() -> Module {
    let mut f = FunctionBuilder::new("pipeline");
    let delay = f.input("dep_delay", FrameType::new(DType::F64, 1).nullable()).unwrap();
    let carrier = f.input("carrier", FrameType::new(DType::Str, 1).nullable()).unwrap();
    let number = |f: &mut FunctionBuilder, x: f64| f.constant(Frame::row_f64([x]));
    let (zero, half, one, ten, hundred, limit) = (
        number(&mut f, 0.0),
        number(&mut f, 0.5),
        number(&mut f, 1.0),
        number(&mut f, 10.0),
        number(&mut f, 100.0),
        number(&mut f, 15.0),
    );
    let delay = f.op(Op::Coalesce, &[delay, ten]).unwrap();
    let aa = f.constant(Frame::row_str(["AA"]));
    let is_aa = f.op(Op::Eq, &[carrier, aa]).unwrap();
    let bonus = f.op(Op::Select, &[is_aa, one, zero]).unwrap();
    let halved = f.op(Op::Mul, &[delay, half]).unwrap();
    let score = f.op(Op::Add, &[halved, bonus]).unwrap();
    let above = f.op(Op::Gt, &[score, limit]).unwrap();
    let label = f.op_with(Op::Cast, Attr::Type(FrameType::new(DType::I64, 1)), &[above]).unwrap();
    let p1 = f.op(Op::Div, &[score, hundred]).unwrap();
    let p0 = f.op(Op::Sub, &[one, p1]).unwrap();
    outputs(f, &[("prediction", label), ("probability_0", p0), ("probability_1", p1)])
}

/// A transformer: x as a 32-bit float, and its sign.
fn parts() -> Module {
    let mut f = FunctionBuilder::new("pipeline");
    let x = f.input("x", FrameType::new(DType::F32, 1)).unwrap();
    let y = f.op(Op::Neg, &[x]).unwrap();
    outputs(f, &[("out_a", x), ("out_b", y)])
}

/// A function of an integer that is never null.
fn whole() -> Module {
    let mut f = FunctionBuilder::new("pipeline");
    let k = f.input("k", FrameType::new(DType::I64, 1)).unwrap();
    let y = f.op(Op::Neg, &[k]).unwrap();
    outputs(f, &[("prediction", y)])
}

fn outputs(mut f: FunctionBuilder, all: &[(&str, NodeId)]) -> Module {
    all.iter().for_each(|(name, node)| f.output(name, *node));
    f.finish().unwrap()
}

impl World {
    /// Rows as text, a line each, on the reference evaluator.
    pub fn rows(&self, module: &Module) -> Result<Vec<String>, String> {
        let query = &module.queries[0];
        let find = |name: &[Arc<str>]| self.tables.get(&*name[name.len() - 1]).cloned();
        let table = eval::query(module, query, &find).map_err(|d| d.to_string())?;
        let row = |r: usize| table.frames.iter().map(|f| show(&f.get(r, 0))).collect::<Vec<_>>().join(" | ");
        Ok((0..table.rows).map(row).collect())
    }
}

fn show(x: &Scalar) -> String {
    match x {
        Scalar::Null => "NULL".into(),
        Scalar::Bool(x) => x.to_string(),
        Scalar::I64(x) => x.to_string(),
        // DuckDB's FLOAT comes as the double of the same value.
        Scalar::F32(x) => format!("{:?}", f64::from(*x)),
        Scalar::F64(x) => format!("{x:?}"),
        Scalar::Str(x) => x.to_string(),
    }
}
