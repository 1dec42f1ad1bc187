//! Classes that a user teaches: a Flock function named for the class of a custom step.
//!
//! The first parameter is what flows into the step: numbers as `f64` (a missing one is NaN), text as `str?`, truth values
//! as `bool?`. Every other parameter is an attribute of the object by its name, one row of values. A first parameter of
//! width 1 stands for each column in turn, and an attribute of as many values as there are columns gives each its own;
//! a wider one takes exactly that many columns. An output `prediction` makes it a predictor; one that is named as the
//! first parameter keeps the names of its columns.

use std::collections::HashMap;
use std::sync::Arc;

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, Function, Module, NodeId, Param, Scalar};

use crate::columns::{Columns, Facts, Kind};
use crate::lift::{Lift, Lifted, Options, public_name};
use crate::prediction::Prediction;
use crate::read::view::{Plain, View};

type Res<T> = Result<T, Diagnostic>;

/// Nodes that all definitions together may become: functions that call each other can mean very many.
pub(crate) const MAX_NODES: usize = 200_000;

/// The definition of a class.
pub(crate) fn find<'o>(options: &'o Options, class: &str) -> Option<(&'o Arc<Module>, &'o Function)> {
    let class = public_name(class);
    let of = |module: &'o Arc<Module>| {
        module.functions.iter().find(|f| public_name(&f.name) == class).map(|function| (module, function))
    };
    options.define.iter().find_map(of)
}

/// An attribute as a row of values, one or one per column.
struct Bound<'f> {
    param: &'f Param,
    values: Frame,
}

impl Lift {
    /// Lifts a step by its definition.
    pub(crate) fn defined(
        &mut self,
        module: &Module,
        function: &Function,
        view: &View<'_>,
        input: Columns,
    ) -> Res<Lifted> {
        let Some((first, attributes)) = function.params.split_first() else {
            return Err(fault(view, format!("the definition of `{}` has no parameter for the columns", function.name)));
        };
        let width = input.width();
        let each = first.ty.width == 1 && width != 1;
        if !each && first.ty.width as usize != width {
            let message = format!("the definition takes {} columns, the steps before give {width}", first.ty.width);
            return Err(fault(view, message));
        }
        self.settle(&input)?;
        let frame = self.flowing(first, &input, view)?;
        let bound = attributes.iter().map(|param| bind(param, view, if each { width } else { 1 }));
        let bound = bound.collect::<Res<Vec<_>>>()?;
        let columns = if each { (0..width).map(Some).collect() } else { vec![None] };
        let mut outputs: Vec<Vec<NodeId>> = vec![Vec::new(); function.outputs.len()];
        for at in columns {
            let mut arguments = vec![match at {
                Some(at) => self.pick(frame, &[at])?,
                None => frame,
            }];
            for b in &bound {
                arguments.push(self.b.constant(b.row(at)));
            }
            let mut inlining = Inlining { module, known: HashMap::new() };
            let nodes = inlining.function(self, function, &arguments, view)?;
            outputs.iter_mut().zip(nodes).for_each(|(all, node)| all.push(node));
        }
        let outputs = outputs.iter().map(|nodes| self.side_by_side(nodes)).collect::<Res<Vec<_>>>()?;
        self.lifted(function, first, &input, &outputs)
    }

    /// The columns as the first parameter has them.
    fn flowing(&mut self, first: &Param, input: &Columns, view: &View<'_>) -> Res<NodeId> {
        let (dtype, nullable) = (first.ty.dtype, first.ty.nullable);
        let wanted = match (dtype, nullable) {
            (DType::F64, false) => return self.numbers(input, view),
            (DType::Str, true) => Kind::Text,
            (DType::Bool, true) => Kind::Bool,
            _ => {
                let message = format!("`{}: {}` in the definition of `{}`", first.name, first.ty, view.kind());
                return Err(fault(view, message).help("columns are `f64` (a missing number is NaN), `str?` or `bool?`"));
            }
        };
        let mut nodes = Vec::new();
        for column in self.split(input)? {
            let (node, kind) = self.single(&column, wanted, view)?;
            if kind != wanted {
                let message = format!("a column of {} where the definition takes {}", kind.name(), wanted.name());
                return Err(fault(view, message));
            }
            nodes.push(node);
        }
        self.side_by_side(&nodes)
    }

    /// The outputs of a function of a module for these arguments.
    pub(crate) fn inlined(
        &mut self,
        module: &Module,
        function: &Function,
        arguments: &[NodeId],
        view: &View<'_>,
    ) -> Res<Vec<NodeId>> {
        Inlining { module, known: HashMap::new() }.function(self, function, arguments, view)
    }

    fn lifted(&mut self, function: &Function, first: &Param, input: &Columns, outputs: &[NodeId]) -> Res<Lifted> {
        if function.outputs.iter().all(|o| &*o.name == "prediction" || o.name.starts_with("prediction_")) {
            return Ok(Lifted::Prediction(Prediction::Numbers(self.side_by_side(outputs)?)));
        }
        let mut all = Columns::none();
        for (output, node) in function.outputs.iter().zip(outputs) {
            let width = self.width(*node);
            let names = match width {
                _ if output.name == first.name && width == input.width() => input.names.clone(),
                1 => Some(vec![output.name.to_string()]),
                _ => Some((0..width).map(|k| format!("{}_{k}", output.name)).collect()),
            };
            all.append(Columns::node(*node, width, Facts { overflow: true, ..Facts::RAW }, names));
        }
        Ok(Lifted::Columns(all))
    }
}

/// The attribute of the parameter's name.
fn bind<'f>(param: &'f Param, view: &View<'_>, columns: usize) -> Res<Bound<'f>> {
    let attribute = view.attr(&param.name)?;
    let many = attribute.shape().is_ok_and(|shape| !shape.is_empty());
    let plains = if many { attribute.plains()? } else { vec![attribute.plain()?] };
    let width = param.ty.width as usize;
    let fits = plains.len() == 1 || plains.len() == if columns > 1 { columns * width } else { width };
    if !fits {
        let found = plains.len();
        return Err(
            attribute.expected(&format!("1 value or {} for the definition, not {found}; an array", columns * width))
        );
    }
    let ty = FrameType::new(param.ty.dtype, plains.len() as u32);
    let ty = if param.ty.nullable { ty.nullable() } else { ty };
    let values: Option<Vec<Scalar>> = plains.into_iter().map(|p| scalar(p, ty)).collect();
    let values = values.ok_or_else(|| attribute.expected(&format!("`{}: {}`", param.name, param.ty)))?;
    Ok(Bound { param, values: Frame::from_fn(1, ty, |_, k| values[k].clone()) })
}

fn scalar(plain: Plain, ty: FrameType) -> Option<Scalar> {
    Some(match (plain, ty.dtype) {
        (Plain::None | Plain::Na, _) if ty.nullable => Scalar::Null,
        (Plain::Str(text), DType::Str) => Scalar::Str(text.into()),
        (Plain::Bool(b), DType::Bool) => Scalar::Bool(b),
        (Plain::Int(i), DType::I64) => Scalar::I64(i),
        (Plain::Bool(b), DType::I64) => Scalar::I64(i64::from(b)),
        (plain, DType::F64) => Scalar::F64(plain.number()?),
        _ => return None,
    })
}

impl Bound<'_> {
    /// The row for one column, or for all.
    fn row(&self, column: Option<usize>) -> Frame {
        let (width, given) = (self.param.ty.width as usize, self.values.width);
        let ty = self.param.ty;
        let start = column.map_or(0, |at| at * width);
        Frame::from_fn(1, ty, |_, k| self.values.get(0, if given == 1 { 0 } else { start + k }))
    }
}

/// The bodies of functions in place of their calls.
struct Inlining<'m> {
    module: &'m Module,
    /// What a function gave for the same arguments.
    known: HashMap<(Arc<str>, Vec<NodeId>), Vec<NodeId>>,
}

impl Inlining<'_> {
    /// The function's outputs for these arguments. A function calls only functions before it, so this ends.
    fn function(&mut self, cx: &mut Lift, f: &Function, arguments: &[NodeId], view: &View<'_>) -> Res<Vec<NodeId>> {
        let key = (f.name.clone(), arguments.to_vec());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let mut became: Vec<NodeId> = Vec::with_capacity(f.graph.nodes().len());
        for node in f.graph.nodes() {
            cx.nodes_left = cx
                .nodes_left
                .checked_sub(1)
                .ok_or_else(|| fault(view, format!("the definitions become more than {MAX_NODES} nodes")))?;
            let args: Vec<NodeId> = node.args.iter().map(|a| became[a.index()]).collect();
            became.push(match &node.attr {
                Attr::Param(at) => arguments[*at as usize],
                Attr::Const(id) => match self.module.constants.get(*id) {
                    Some(constant) => cx.b.constant(constant.as_ref().clone()),
                    None => return Err(fault(view, format!("a definition without its constant {id}"))),
                },
                Attr::Call { function, output, .. } => {
                    let callee = self
                        .module
                        .function(function)
                        .ok_or_else(|| fault(view, format!("a definition calls `{function}`, which is not there")))?;
                    let at = callee.outputs.iter().position(|o| o.name == *output);
                    let outputs = self.function(cx, callee, &args, view)?;
                    match at.and_then(|at| outputs.get(at)) {
                        Some(node) => *node,
                        None => return Err(fault(view, format!("`{function}` has no output `{output}`"))),
                    }
                }
                Attr::Opaque { .. } | Attr::Column(_) => {
                    return Err(fault(view, format!("`{}` in a definition", node.op.name())));
                }
                attr => cx.op_with(node.op, attr.clone(), &args)?,
            });
        }
        let outputs: Vec<NodeId> = f.outputs.iter().map(|o| became[o.node.index()]).collect();
        self.known.insert(key, outputs.clone());
        Ok(outputs)
    }
}

fn fault(view: &View<'_>, message: String) -> Diagnostic {
    Diagnostic::new("flock::lift::definition", view.path(), message)
}
