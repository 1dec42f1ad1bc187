//! Nodes of a graph: each against its record, its owner and the tables that it trusts.

use flock_text::{Flavour, Pattern};

use super::{Context, Found, Owner, check_template};
use crate::frame::Frame;
use crate::graph::{Graph, Node, NodeId};
use crate::ops::{Attr, Op};
use crate::types::{FrameType, Type};

pub(super) fn check(context: &Context<'_>, graph: &Graph, name: &str, owner: &Owner<'_>, faults: &mut Found) {
    let numbers = graph.numbering();
    for (id, node) in graph.iter() {
        let place = || match numbers[id.index()] {
            Some(n) => format!("{name}/%{n}"),
            None => format!("{name}/{}", leaf_name(node)),
        };
        if let Some(a) = node.args.iter().find(|a| **a >= id) {
            let message = format!("operand {} of `{}` does not come before it", a.0, node.op);
            faults.add("flock::verify::operand", place, message);
            continue;
        }
        match expected(context, graph, node, owner) {
            Err(why) => faults.add("flock::verify::type", place, format!("`{}`: {why}", node.op)),
            Ok(ty) if ty != node.ty => {
                let message = format!("`{}` says {}, expected {ty}", node.op, node.ty);
                faults.add("flock::verify::type", place, message);
            }
            Ok(_) => {}
        }
        if let Err((code, why)) = stands_here(node, owner).and_then(|()| call(context, graph, node, owner)) {
            faults.add(code, place, format!("`{}`: {why}", node.op));
        }
        if let Err(why) = trusted_table(context, graph, node) {
            faults.add("flock::verify::table", place, format!("`{}`: {why}", node.op));
        }
        if node.step.is_some_and(|s| s as usize >= graph.steps.len()) {
            faults.add("flock::verify::operand", place, format!("`{}` belongs to no step", node.op));
        }
    }
}

fn leaf_name(node: &Node) -> String {
    match &node.attr {
        Attr::Param(i) => format!("parameter {i}"),
        Attr::Column(c) => c.to_string(),
        Attr::Const(c) => format!("#{c}"),
        _ => node.op.to_string(),
    }
}

/// The type that the node must have.
fn expected(context: &Context<'_>, graph: &Graph, node: &Node, owner: &Owner<'_>) -> Result<Type, String> {
    match (node.op, &node.attr, owner) {
        (Op::Input, Attr::Param(i), Owner::Function(f)) => {
            let params = &context.module.functions[*f].params;
            params.get(*i as usize).map(|p| Type::Frame(p.ty)).ok_or_else(|| format!("there is no parameter {i}"))
        }
        (Op::Const, Attr::Const(c), _) => {
            context.module.constants.get(*c).map(|c| c.ty()).ok_or_else(|| format!("the constant #{c} is absent"))
        }
        (Op::Column, Attr::Column(c), Owner::Query(columns)) => match (columns.get(c), node.ty) {
            // A column is nullable where an outer join makes it so; whether it must be is checked where it is used.
            (Some(ty), Type::Frame(found)) => Ok(Type::Frame(ty.with_nulls(ty.nullable || found.nullable))),
            (Some(ty), _) => Ok(Type::Frame(*ty)),
            (None, _) => Err(format!("no relation mints {c}")),
        },
        // A leaf of the other sort of graph: `stands_here` reports it.
        (Op::Input | Op::Column, Attr::Param(_) | Attr::Column(_), _) => Ok(node.ty),
        _ => {
            let args: Vec<Type> = node.args.iter().map(|a| graph.ty(*a)).collect();
            node.op.infer(&node.attr, &args)
        }
    }
}

type Reason = (&'static str, String);

/// Whether this sort of leaf belongs to this sort of graph.
fn stands_here(node: &Node, owner: &Owner<'_>) -> Result<(), Reason> {
    let code = "flock::verify::leaf";
    match (node.op, &node.attr, owner) {
        (Op::Input, _, Owner::Query(_)) => Err((code, "a query has no parameters".into())),
        (Op::Column | Op::Opaque, _, Owner::Function(_)) => Err((code, "stands in queries only".into())),
        (Op::Opaque, Attr::Opaque { sql, .. }, _) => check_template(sql, node.args.len()).map_err(|why| (code, why)),
        _ => Ok(()),
    }
}

/// Whether a call means an output of an earlier function, with operands that fit its parameters.
fn call(context: &Context<'_>, graph: &Graph, node: &Node, owner: &Owner<'_>) -> Result<(), Reason> {
    let Attr::Call { function, output, ty } = &node.attr else { return Ok(()) };
    let error = |why: String| Err(("flock::verify::call", why));
    let Some(index) = context.functions.get(function).copied() else {
        return error(format!("there is no function `{function}`"));
    };
    if matches!(owner, Owner::Function(f) if *f <= index) {
        return error(format!("`{function}` does not come before the function that calls it"));
    }
    match context.outputs[index].get(output) {
        Some(Some(found)) if found == ty => {}
        Some(Some(found)) => return error(format!("`{function}.{output}` is {found}, the call says {ty}")),
        _ => return error(format!("`{function}` has no output `{output}`")),
    }
    let params = &context.module.functions[index].params;
    if params.len() != node.args.len() {
        return error(format!("{} operands for {} parameters", node.args.len(), params.len()));
    }
    for (p, a) in params.iter().zip(&node.args) {
        if !graph.frame_type(*a).is_some_and(|t: FrameType| t.fits(p.ty)) {
            return error(format!("parameter `{}` is {}, found {}", p.name, p.ty, graph.ty(*a)));
        }
    }
    Ok(())
}

/// Tables whose content an operator relies on.
fn trusted_table(context: &Context<'_>, graph: &Graph, node: &Node) -> Result<(), String> {
    let [x, table, ..] = *node.args else { return Ok(()) };
    match (node.op, constant_table(context, graph, table)) {
        (Op::Take, Some(t)) => {
            let width = graph.frame_type(x).map_or(0, |t| i64::from(t.width));
            match t.as_i64().unwrap_or(&[]).iter().find(|i| !(0..width).contains(*i)) {
                Some(i) => Err(format!("column {i} of {width}")),
                None => Ok(()),
            }
        }
        (Op::Bucketize, Some(t)) if !ascends(t) => Err("edges that do not ascend".into()),
        (Op::Matches, Some(t)) => match t.as_str().and_then(|p| p.first()) {
            Some(pattern) => Pattern::new(pattern, Flavour::Re2).map(drop).map_err(|e| format!("a pattern with {e}")),
            None => Err("no pattern".into()),
        },
        (Op::Interpolate, Some(t)) if !ascends(t) => Err("xs that do not ascend".into()),
        _ => Ok(()),
    }
}

fn constant_table<'m>(context: &Context<'m>, graph: &Graph, id: NodeId) -> Option<&'m Frame> {
    match graph.node(id).attr {
        Attr::Const(c) => context.module.constants.table(c),
        _ => None,
    }
}

fn ascends(t: &Frame) -> bool {
    match &t.data {
        crate::Data::F32(v) => v.is_sorted() && !v.iter().any(|x| x.is_nan()),
        crate::Data::F64(v) => v.is_sorted() && !v.iter().any(|x| x.is_nan()),
        _ => true,
    }
}
