//! GROUP BY and aggregates. A select list is lifted over the input first; then keys and aggregates take the place of what
//! computes them, and a column of the input that is left over is the fault that databases tell.

use std::collections::{HashMap, HashSet};

use flock_ir_spec::{Aggregate, AggregateKind, ColumnId, DType, NodeId, Op};
use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};
use sqlparser::tokenizer::Span;

use crate::expr::{FLOAT, INTEGER, Literal, TEXT, Value};
use crate::lifter::{Lifted, Lifter};
use crate::scope::Scope;

/// The aggregates of a select, each with the leaf that stands for it.
#[derive(Default)]
pub(crate) struct Grouping {
    pub aggregates: Vec<(Aggregate, NodeId)>,
}

impl Lifter<'_> {
    /// A call of `count`, `sum`, `avg`, `min` or `max`.
    pub fn aggregate(&mut self, f: &Function, name: &str, scope: &Scope<'_>) -> Lifted<Value> {
        let e = Expr::Function(f.clone());
        let Some(mut grouping) = self.grouping.take() else {
            let message = format!("the aggregate `{name}` cannot stand here");
            return Err(self.fault_help("flock::sql::group", &e, message, "conditions on aggregates belong to HAVING"));
        };
        let operand = self.nested(|l| l.aggregate_operand(&e, f, name, scope));
        let result =
            operand.and_then(|(kind, distinct, arg)| self.aggregate_column(&mut grouping, &e, kind, distinct, arg));
        self.grouping = Some(grouping);
        result
    }

    /// The kind, whether distinct, and the operand with FILTER in it.
    fn aggregate_operand(
        &mut self,
        e: &Expr,
        f: &Function,
        name: &str,
        scope: &Scope<'_>,
    ) -> Lifted<(AggregateKind, bool, Option<NodeId>)> {
        let FunctionArguments::List(list) = &f.args else {
            return Err(self.unsupported(e, format!("`{name}` without arguments")));
        };
        if !list.clauses.is_empty() || f.null_treatment.is_some() || !f.within_group.is_empty() {
            return Err(self.unsupported(e, format!("the form of the aggregate `{name}`")));
        }
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let filter = f.filter.as_ref().map(|p| self.condition(p, scope)).transpose();
        let arg = match (name, list.args.as_slice()) {
            ("count", [] | [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]) if !distinct => None,
            (_, [FunctionArg::Unnamed(FunctionArgExpr::Expr(x))]) => Some(self.expr(x, scope)?),
            _ => return Err(self.unsupported(e, format!("`{name}` with these arguments"))),
        };
        let (kind, arg) = self.aggregate_type(e, name, arg)?;
        let arg = match (filter?, arg) {
            (None, arg) => arg,
            (Some(p), Some(arg)) => {
                let kept = self.op(Op::Guard, &[p, arg])?;
                self.like(arg, kept);
                Some(kept)
            }
            (Some(p), None) => {
                let one = self.constant(flock_ir_spec::Frame::row_i64([1]));
                Some(self.op(Op::Guard, &[p, one])?)
            }
        };
        Ok((kind, distinct, arg))
    }

    /// The operand in the type in which it is aggregated.
    fn aggregate_type(&mut self, e: &Expr, name: &str, arg: Option<Value>) -> Lifted<(AggregateKind, Option<NodeId>)> {
        let kind = match name {
            "count" => AggregateKind::Count,
            "sum" => AggregateKind::Sum,
            "min" => AggregateKind::Min,
            "max" => AggregateKind::Max,
            _ => AggregateKind::Avg,
        };
        let Some(arg) = arg else { return Ok((kind, None)) };
        let null = matches!(arg, Value::Literal(Literal::Null));
        let node = self.settle(arg)?;
        let summed = matches!(kind, AggregateKind::Sum | AggregateKind::Avg);
        let ty = self.ty(node);
        let node = if !summed {
            let collated = matches!(kind, AggregateKind::Min | AggregateKind::Max) && ty.dtype == DType::Str;
            if collated { self.collated(node)? } else { node }
        } else if self.unknown.contains(&node) {
            let number = self.opaque("{0}".into(), Some(FLOAT), &[node])?;
            self.unknown.insert(number);
            number
        } else if null || !ty.dtype.is_number() {
            return Err(self.fault("flock::sql::type", e, format!("{name} of {ty}")));
        } else if kind == AggregateKind::Avg || ty.dtype == DType::F32 {
            self.cast_to(node, DType::F64)?
        } else {
            node
        };
        Ok((kind, Some(node)))
    }

    /// Text as the database orders it, where that is not byte by byte.
    pub fn collated(&mut self, node: NodeId) -> Lifted<NodeId> {
        if self.dialect.text_by_bytes() || self.unknown.contains(&node) || self.ty(node).dtype != DType::Str {
            return Ok(node);
        }
        self.opaque("{0}".into(), Some(TEXT), &[node])
    }

    fn aggregate_column(
        &mut self,
        grouping: &mut Grouping,
        e: &Expr,
        kind: AggregateKind,
        distinct: bool,
        arg: Option<NodeId>,
    ) -> Lifted<Value> {
        let equal = |a: &&(Aggregate, NodeId)| a.0.kind == kind && a.0.distinct == distinct && a.0.arg == arg;
        if let Some((_, leaf)) = grouping.aggregates.iter().find(equal) {
            return Ok((*leaf).into());
        }
        let operand = arg.map(|a| self.ty(a));
        let ty = match (kind, operand) {
            (AggregateKind::Count, _) | (_, None) => INTEGER.with_nulls(false),
            (AggregateKind::Avg, _) => FLOAT,
            (_, Some(ty)) => ty.nullable(),
        };
        let column = self.mint(&crate::expr::short(e), ty);
        let leaf = self.leaf(&column);
        if let Some(arg) = arg.filter(|_| kind != AggregateKind::Count) {
            if self.unknown.contains(&arg) {
                self.unknown.insert(leaf);
            }
            if matches!(kind, AggregateKind::Min | AggregateKind::Max) && self.without_nan(arg) {
                self.no_nan.insert(leaf);
            }
        }
        grouping.aggregates.push((Aggregate { column, kind, distinct, arg }, leaf));
        Ok(leaf.into())
    }

    /// The value with nodes replaced as `memo` says; columns that are neither replaced nor in `free` are a fault.
    pub fn substitute(
        &mut self,
        root: NodeId,
        memo: &mut HashMap<NodeId, NodeId>,
        free: &HashSet<ColumnId>,
        at: Span,
    ) -> Lifted<NodeId> {
        let mut needed = Vec::new();
        let mut seen = HashSet::new();
        let mut stack = vec![root];
        while let Some(n) = stack.pop() {
            if !memo.contains_key(&n) && seen.insert(n) {
                needed.push(n);
                stack.extend(self.graph.node(n).args.iter());
            }
        }
        // Operands come before what reads them.
        needed.sort_unstable();
        for n in needed {
            let node = self.graph.node(n).clone();
            if let Some(column) = self.column_of(n).filter(|c| !free.contains(c)) {
                return Err(self.not_grouped(column, at));
            }
            let args: Vec<NodeId> = node.args.iter().map(|a| memo.get(a).copied().unwrap_or(*a)).collect();
            let new = if *args == *node.args { n } else { self.add_like(&node, &args)? };
            self.like(n, new);
            memo.insert(n, new);
        }
        Ok(memo.get(&root).copied().unwrap_or(root))
    }

    fn add_like(&mut self, node: &flock_ir_spec::Node, args: &[NodeId]) -> Lifted<NodeId> {
        match self.graph.add_like(node, args) {
            Ok(new) => Ok(new),
            Err(e) => Err(self.fault_at("flock::sql::internal", Span::empty(), e.to_string(), None)),
        }
    }

    fn not_grouped(&mut self, column: ColumnId, at: Span) -> crate::lifter::Told {
        let name = self.names[column.0 as usize].clone();
        let message = format!("the column `{name}` is neither in GROUP BY nor in an aggregate");
        self.fault_at("flock::sql::group", at, message, None)
    }

    /// The columns of an input that a value reads.
    pub fn columns_in(&self, roots: &[NodeId]) -> Vec<NodeId> {
        let mut seen = HashSet::new();
        let mut stack = roots.to_vec();
        let mut columns = Vec::new();
        while let Some(n) = stack.pop() {
            if seen.insert(n) {
                if self.column_of(n).is_some() {
                    columns.push(n);
                }
                stack.extend(self.graph.node(n).args.iter());
            }
        }
        columns.sort_unstable();
        columns
    }
}
