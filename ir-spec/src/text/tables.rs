//! Constants as text: literals, tables, ensembles; values that print shortest and parse back to the same bits.

use std::fmt::{self, Write};
use std::sync::Arc;

use flock_text::Unit;

use super::lexer::quote;
use crate::constant::Constant;
use crate::frame::{Data, Frame};
use crate::terms::{Features, Terms};
use crate::trees::{Child, TreeEnsemble};
use crate::types::DType;

/// A literal has at most so many elements, and so many bytes of text.
const INLINE_ELEMENTS: usize = 16;
const INLINE_TEXT: usize = 160;
/// A row of a table breaks after about so many characters.
const LINE: usize = 100;

/// Whether the constant stands where it is used, and has no name.
pub(super) fn is_inline(constant: &Constant) -> bool {
    let Constant::Table(t) = constant else { return false };
    let text = t.as_str().map_or(0, |v| v.iter().map(|s| s.len()).sum());
    t.rows == 1 && t.width <= INLINE_ELEMENTS && text <= INLINE_TEXT
}

/// `f64[1, 2]`
pub(super) fn literal(t: &Frame, out: &mut String) -> fmt::Result {
    write!(out, "{}[", t.dtype())?;
    row(t, 0, ", ", out)?;
    out.push(']');
    Ok(())
}

pub(super) fn constant(constant: &Constant, out: &mut String) -> fmt::Result {
    match constant {
        Constant::Table(t) => table(t, out),
        Constant::Trees(t) => trees(&t.clone().canonical(), out),
        Constant::Terms(t) => terms(&t.clone().canonical(), out),
    }
}

/// `table f64[2] [1, 2; 3, 4]`, a row per line.
fn table(t: &Frame, out: &mut String) -> fmt::Result {
    write!(out, "table {}[{}] [", t.dtype(), t.width)?;
    for i in 0..t.rows {
        out.push_str(if i > 0 { ";\n  " } else { "\n  " });
        row(t, i, ", ", out)?;
    }
    out.push_str(if t.rows > 0 { "\n]\n" } else { "]\n" });
    Ok(())
}

fn row(t: &Frame, i: usize, separator: &str, out: &mut String) -> fmt::Result {
    let mut line = out.len();
    for j in 0..t.width {
        if j > 0 {
            out.push_str(separator);
            if out.len() - line > LINE {
                out.truncate(out.trim_end().len());
                out.push_str("\n  ");
                line = out.len();
            }
        }
        let at = j * t.rows + i;
        match &t.data {
            Data::Bool(v) => write!(out, "{}", v[at])?,
            Data::I64(v) => write!(out, "{}", v[at])?,
            Data::F32(v) => single(v[at], out)?,
            Data::F64(v) => double(v[at], out)?,
            Data::Str(v) => quote(&v[at], out),
        }
    }
    Ok(())
}

/// The shortest text that parses to the same double; `nan`, `inf`, `-inf`, `-0`.
pub(super) fn double(x: f64, out: &mut String) -> fmt::Result {
    if x.is_nan() { out.write_str("nan") } else { number(format_args!("{x:?}"), out) }
}

/// The shortest text that parses to the same single.
pub(super) fn single(x: f32, out: &mut String) -> fmt::Result {
    if x.is_nan() { out.write_str("nan") } else { number(format_args!("{x:?}"), out) }
}

fn number(text: fmt::Arguments<'_>, out: &mut String) -> fmt::Result {
    out.write_fmt(text)?;
    if out.ends_with(".0") {
        out.truncate(out.len() - 2);
    }
    Ok(())
}

fn child(c: Child) -> (char, usize) {
    match c.as_node() {
        Some(n) => ('n', n),
        None => ('l', c.as_leaf().unwrap_or(0)),
    }
}

/// Trees, nodes and leaves, each in their order; a tree stands before its root, and leaves behind the last node that
/// leads to one of them, so that in the usual order a tree is one piece of text.
fn trees(t: &TreeEnsemble, out: &mut String) -> fmt::Result {
    let sum = |x: f64, out: &mut String| if t.sum == DType::F32 { single(x as f32, out) } else { double(x, out) };
    let values = |values: &[f64], out: &mut String| -> fmt::Result {
        out.push('[');
        for (i, v) in values.iter().enumerate() {
            out.push_str(if i > 0 { ", " } else { "" });
            sum(*v, out)?;
        }
        out.push(']');
        Ok(())
    };
    write!(out, "trees {}[{}] -> {}[{}] base ", t.input, t.features, t.sum, t.outputs)?;
    values(&t.base, out)?;
    out.push_str(" {\n");
    let mut last_use = vec![0; t.leaves.len()];
    for (i, n) in t.nodes.iter().enumerate() {
        for leaf in [n.left, n.right].into_iter().filter_map(Child::as_leaf).filter(|l| *l < t.leaves.len()) {
            last_use[leaf] = i + 1;
        }
    }
    let (mut tree, mut leaf) = (0, 0);
    for i in 0..=t.nodes.len() {
        while tree < t.trees.len() && (i == t.nodes.len() || t.trees[tree].root.as_node().is_none_or(|n| n <= i)) {
            while leaf < t.leaves.len() && last_use[leaf] <= i {
                write!(out, "  l{leaf}: ")?;
                values(leaf_values(t, leaf), out)?;
                out.push('\n');
                leaf += 1;
            }
            let (kind, root) = child(t.trees[tree].root);
            write!(out, "  tree {kind}{root}")?;
            if let Some(target) = t.trees[tree].target {
                write!(out, " -> {target}")?;
            }
            out.push('\n');
            tree += 1;
        }
        let Some(n) = t.nodes.get(i) else { continue };
        write!(out, "  n{i}: x{} {} ", n.feature, n.test.symbol())?;
        match n.set() {
            Some(set) => categories(t.sets.runs(set), out)?,
            None => double(n.threshold, out)?,
        }
        let ((l, left), (r, right)) = (child(n.left), child(n.right));
        write!(out, " ? {l}{left} : {r}{right}")?;
        out.push_str(if n.missing_left { " missing left\n" } else { "\n" });
    }
    for leaf in leaf..t.leaves.len() {
        write!(out, "  l{leaf}: ")?;
        values(leaf_values(t, leaf), out)?;
        out.push('\n');
    }
    out.push_str("}\n");
    Ok(())
}

/// `terms word 1..3 pattern "\\w+" stop ["a"] binary of ["b", "c"]`
fn terms(t: &Terms, out: &mut String) -> fmt::Result {
    let list = |texts: &[Arc<str>], out: &mut String| -> fmt::Result {
        out.push('[');
        row(&Frame::row_str(texts.iter().cloned()), 0, ", ", out)?;
        out.push(']');
        Ok(())
    };
    write!(out, "terms {} {}..{}", t.unit.name(), t.first, u64::from(t.last) + 1)?;
    if t.unit == Unit::Word {
        out.push_str(" pattern ");
        quote(&t.pattern, out);
    }
    if !t.stop.is_empty() {
        out.push_str(" stop ");
        list(&t.stop, out)?;
    }
    out.push_str(if t.binary { " binary" } else { "" });
    match &t.features {
        Features::Vocabulary(terms) => {
            out.push_str(" of ");
            list(terms, out)?;
        }
        Features::Hashed { columns, signed } => {
            write!(out, " hashed {columns}{}", if *signed { " signed" } else { "" })?;
        }
    }
    out.push('\n');
    Ok(())
}

/// `[0, 4..7]`
fn categories(runs: &[[u32; 2]], out: &mut String) -> fmt::Result {
    out.push('[');
    let mut line = out.len();
    for (i, [first, last]) in runs.iter().enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        if out.len() - line > LINE {
            out.truncate(out.trim_end().len());
            out.push_str("\n    ");
            line = out.len();
        }
        match last - first {
            0 => write!(out, "{first}")?,
            1 => write!(out, "{first}, {last}")?,
            _ => write!(out, "{first}..{}", u64::from(*last) + 1)?,
        }
    }
    out.push(']');
    Ok(())
}

/// The values of a leaf of a canonical ensemble; of any other as far as they are there.
fn leaf_values(t: &TreeEnsemble, leaf: usize) -> &[f64] {
    t.values.get(t.leaves[leaf] as usize..t.leaf_end(leaf)).unwrap_or(&[])
}
