//! From values to a function of the IR: the lifters' table, the closed door, and what lifters build with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flock_ir_spec::{
    Attr, DType, Diagnostic, Faults, Frame, FrameType, Function, FunctionBuilder, Graph, Module, NodeId, Op, Output,
    TypeError,
};

use crate::boosters::{self, ReadBooster};
use crate::columns::{Columns, Input, Kind};
use crate::define;
use crate::estimators;
use crate::prediction::Prediction;
use crate::read::{self, view::View};
use crate::survey::Surveyed;
use crate::version::Version;

/// How a class is lifted.
pub struct Lifter {
    /// The public name, e.g. `sklearn.preprocessing.StandardScaler`.
    pub class: &'static str,
    /// Parameters and fitted attributes that decide the answer.
    pub reads: &'static [&'static str],
    /// Those that do not, or only at fit time.
    pub ignores: &'static [&'static str],
    /// Lifts an estimator of the class.
    pub lift: fn(&mut Lift, &View<'_>, Columns) -> Result<Lifted, Diagnostic>,
}

/// What every estimator may carry and none is read for.
const COMMON: &[&str] =
    &["n_features_in_", "feature_names_in_", "_sklearn_version", "_sklearn_output_config", "_metadata_request"];

/// What an estimator gives.
pub enum Lifted {
    /// Columns for the next step.
    Columns(Columns),
    /// A prediction.
    Prediction(Prediction),
    /// Either: a class that predicts as a last step, and transforms before another.
    Both(Prediction, Columns),
}

/// What the caller decides.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of the columns of an unnamed array, in order.
    pub columns: Option<Vec<String>>,
    /// What columns of the data hold. Asked only of a column that no step reads and that passes through to the output (a
    /// pipeline does not store what it is, and without an entry here it is a number), and of a category that CatBoost
    /// hashes (text without an entry).
    pub types: BTreeMap<String, DType>,
    /// Verified modules with a function per custom class, named for it.
    pub define: Vec<Arc<Module>>,
    /// Who reads the models of other libraries that estimators hold; without it they are refused.
    pub booster: Option<ReadBooster>,
}

/// Pipelines within pipelines, deeper than anybody writes them.
const MAX_DEPTH: usize = 32;

/// Steps of all pipelines together: a file may name one step a million times.
const MAX_STEPS: usize = 10_000;

/// The state of a lift.
pub struct Lift {
    /// The function under construction.
    pub b: FunctionBuilder,
    pub(crate) inputs: Vec<Input>,
    faults: Faults,
    step: Vec<String>,
    steps_left: usize,
    /// Whether columns are asked for and not a prediction.
    pub(crate) transforms: bool,
    seen: Vec<Surveyed>,
    pub(crate) define: Options,
    /// Nodes that definitions may still become.
    pub(crate) nodes_left: usize,
}

/// Reads a `.joblib`, `.pkl` or `.skops` file and lifts it to a module with one function of that name.
///
/// # Errors
/// All faults that were found: a damaged file, an unknown class, a parameter that its lifter does not read, …
pub fn lift(name: &str, bytes: &[u8], options: &Options) -> Result<Module, Faults> {
    lift_and_note(name, bytes, options, &mut Vec::new())
}

/// The same, and the estimators that were met.
pub(crate) fn lift_and_note(
    name: &str,
    bytes: &[u8],
    options: &Options,
    seen: &mut Vec<Surveyed>,
) -> Result<Module, Faults> {
    let document = read::read(bytes).map_err(|d| vec![d])?;
    let root = document.view();
    if let (None, Err(fault)) = (root.class().and_then(|c| define::find(options, &c)), lifter_of(&root)) {
        seen.extend(Surveyed::refused(&root, String::new()));
        return Err(vec![fault]);
    }
    let names = input_names(&root, options)?;
    let input =
        |n: &String| Input { name: n.clone(), given: options.types.get(n).copied().map(Kind::said), used: None };
    let inputs = names.iter().map(input).collect();
    let (b, step) = (FunctionBuilder::new(name), Vec::new());
    let (faults, noted, nodes_left) = (Vec::new(), Vec::new(), define::MAX_NODES);
    let define = Options { define: options.define.clone(), booster: options.booster, ..Options::default() };
    let transforms = false;
    let mut cx = Lift { b, inputs, faults, step, steps_left: MAX_STEPS, transforms, seen: noted, define, nodes_left };
    let lifted = cx.estimator(&root, Columns::inputs(names.clone()));
    if let Err(fault) = lifted.and_then(|l| cx.outputs(l, &root)) {
        cx.faults.push(fault);
    }
    seen.append(&mut cx.seen);
    if !cx.faults.is_empty() {
        return Err(cx.faults);
    }
    let mut module = cx.b.finish()?;
    for function in &mut module.functions {
        *function = in_order(function, &names).map_err(|e| vec![type_fault(&root, &e)])?;
    }
    Ok(module)
}

/// The names of the input's columns: the pipeline's own, the caller's, or `x0 … xn`.
fn input_names(root: &View<'_>, options: &Options) -> Result<Vec<String>, Faults> {
    let fault = |message: String| vec![Diagnostic::new("flock::lift::columns", root.path(), message)];
    let first = first_fitted(root.clone());
    let own = first.get("feature_names_in_").and_then(|v| v.plains().ok());
    let names = match (own, &options.columns) {
        (Some(_), Some(_)) => {
            return Err(fault("the pipeline names its columns itself; `--columns` is for one that does not".into()));
        }
        (Some(own), None) => own.into_iter().map(|p| crate::labels::text(&p)).collect(),
        (None, _) if first.get("n_features_in_").is_none() && boosters::is_one(&first) => {
            boosters::names(&first, options)?
        }
        // A custom first step need not say how many columns it saw.
        (None, Some(given)) if first.get("n_features_in_").is_none() => given.clone(),
        (None, given) => {
            let n = match columns_unsaid(&first) {
                Some(unsaid) => unsaid.or(given.as_ref().map(Vec::len)).unwrap_or(0),
                None => first.attr("n_features_in_").and_then(|v| v.size()).map_err(|d| vec![d])?,
            };
            if n > MAX_INPUTS {
                return Err(fault(format!("an input of {n} columns; {MAX_INPUTS} are supported")));
            }
            match given {
                Some(names) if names.len() == n => names.clone(),
                Some(names) => {
                    let plural = if n == 1 { "column" } else { "columns" };
                    return Err(fault(format!("the pipeline was fitted on {n} {plural}, {} are named", names.len())));
                }
                None => (0..n).map(|i| format!("x{i}")).collect(),
            }
        }
    };
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort();
    match sorted.windows(2).find(|w| w[0] == w[1]) {
        Some(twice) => Err(fault(format!("two columns are named `{}`", twice[0]))),
        None => Ok(names),
    }
}

/// How many columns estimators read that do not say on how many they were fitted: one, or as many as there are.
fn columns_unsaid(view: &View<'_>) -> Option<Option<usize>> {
    let class = view.class().filter(|_| view.get("n_features_in_").is_none())?;
    match public_name(&class).as_str() {
        "sklearn.isotonic.IsotonicRegression"
        | "sklearn.feature_extraction.text.CountVectorizer"
        | "sklearn.feature_extraction.text.HashingVectorizer"
        | "sklearn.feature_extraction.text.TfidfVectorizer"
        | "sklearn.preprocessing.LabelBinarizer"
        | "sklearn.preprocessing.LabelEncoder" => Some(Some(1)),
        "sklearn.dummy.DummyClassifier" | "sklearn.dummy.DummyRegressor" => Some(None),
        _ => None,
    }
}

/// More columns than a table has in any database.
pub(crate) const MAX_INPUTS: usize = 100_000;

/// The estimator that saw the input: a pipeline asks its first step, a union its first transformer, an estimator around
/// others the first of them.
fn first_fitted(mut view: View<'_>) -> View<'_> {
    for _ in 0..MAX_DEPTH {
        if view.get("n_features_in_").is_some() {
            break;
        }
        let Some(first) = first_part(&view) else { break };
        view = first.at(view.path());
    }
    view
}

fn first_part<'a>(view: &View<'a>) -> Option<View<'a>> {
    let fitted = |v: &View<'a>| v.class().is_some();
    if let Some(list) = view.get("steps").or_else(|| view.get("transformer_list")) {
        return list.items().ok()?.iter().filter_map(|i| i.items().ok()?.into_iter().nth(1)).find(fitted);
    }
    let own = ["best_estimator_", "estimator_", "base_estimator_", "regressor_", "estimator"];
    let lists = ["estimators_", "calibrated_classifiers_"].iter().filter_map(|name| view.get(name)?.items().ok());
    lists.flatten().find(fitted).or_else(|| own.iter().filter_map(|name| view.get(name)).find(fitted))
}

/// Parameters in the order of the input's columns; those that are not read are gone.
fn in_order(function: &Function, names: &[String]) -> Result<Function, TypeError> {
    let rank: HashMap<&str, usize> = names.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
    let mut order: Vec<usize> = (0..function.params.len()).collect();
    order.sort_by_key(|i| rank.get(&*function.params[*i].name).copied());
    let mut place = vec![0u32; order.len()];
    order.iter().enumerate().for_each(|(new, old)| place[*old] = new as u32);
    let live = vec![true; function.graph.nodes().len()];
    let (graph, became) = Graph::rebuild(&function.graph, &live, |g, _, node, args| match node.attr {
        Attr::Param(i) => Ok(g.add_leaf(Op::Input, Attr::Param(place[i as usize]), node.ty)),
        _ => g.add_like(node, args),
    })?;
    let output = |o: &Output| Some(Output { name: o.name.clone(), node: became[o.node.index()]? });
    Ok(Function {
        name: function.name.clone(),
        params: order.iter().map(|i| function.params[*i].clone()).collect(),
        outputs: function.outputs.iter().filter_map(output).collect(),
        graph,
    })
}

fn type_fault(place: &View<'_>, e: &TypeError) -> Diagnostic {
    Diagnostic::new("flock::lift::internal", place.path(), format!("the lifter built an ill-typed node: {e}"))
}

/// `sklearn.preprocessing._data.StandardScaler` is `sklearn.preprocessing.StandardScaler` to its users, and
/// `sklearn.linear_model._glm.glm.GammaRegressor` is `sklearn.linear_model.GammaRegressor`.
pub(crate) fn public_name(class: &str) -> String {
    let Some((module, name)) = class.rsplit_once('.') else { return class.into() };
    let public = module.split('.').take_while(|part| !part.starts_with('_'));
    public.chain([name]).collect::<Vec<_>>().join(".")
}

/// The lifter of an object's class.
pub(crate) fn lifter_of(view: &View<'_>) -> Result<&'static Lifter, Diagnostic> {
    let Some(class) = view.class() else { return Err(view.expected("a fitted estimator")) };
    let class = public_name(&class);
    estimators::all().find(|l| l.class == class).ok_or_else(|| {
        let fault = Diagnostic::new("flock::lift::unknown_class", view.path(), format!("`{class}` is not supported"));
        if let Some(reason) = crate::refused::reason(&class) {
            return Diagnostic::new(
                "flock::lift::unknown_class",
                view.path(),
                format!("`{class}` is refused: {reason}"),
            );
        }
        let last = class.rsplit('.').next().unwrap_or_default();
        match estimators::all().find(|l| l.class.rsplit('.').next() == Some(last)) {
            Some(known) => fault.help(format!("`{}` is", known.class)),
            None => {
                fault.help("`flockc inspect` lists the steps; the README's table has the classes that are supported")
            }
        }
    })
}

impl Lift {
    /// Lifts an estimator by its class.
    pub fn estimator(&mut self, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
        let lifted = self.by_class(view, input);
        let step = self.step.join(".");
        let seen = match &lifted {
            Ok(lifted) => Surveyed::lifted(self, view, step, lifted),
            Err(_) => Surveyed::refused(view, step),
        };
        self.seen.extend(seen);
        lifted
    }

    fn by_class(&mut self, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
        let defined = view.class().and_then(|c| define::find(&self.define, &c)).map(|(m, f)| (m.clone(), f.clone()));
        let lifter = match (defined, lifter_of(view)) {
            (None, lifter) => lifter?,
            (Some((module, function)), Err(_)) => return self.defined(&module, &function, view, input),
            (Some((_, function)), Ok(_)) => {
                let message = format!("`{}` is defined, and is lifted without that", function.name);
                let fault = Diagnostic::new("flock::lift::definition", view.path(), message);
                return Err(fault.help("leave the definition out, or give it the name of the custom class"));
            }
        };
        if self.step.len() >= MAX_DEPTH || self.steps_left == 0 {
            return Err(view.unsupported("pipelines are nested too deep, or have too many steps"));
        }
        self.steps_left -= 1;
        self.open(view, lifter);
        if let Some(n) = view.get("n_features_in_").and_then(|n| n.size().ok())
            && n != input.width()
        {
            // A step before is at fault already, and did not say how many columns it would have given.
            if input.is_unknown() && n <= MAX_INPUTS {
                return (lifter.lift)(self, view, Columns::unknown(n));
            }
            let message = format!("fitted on {n} columns, the steps before give {}", input.width());
            return Err(Diagnostic::new("flock::lift::width", view.path(), message));
        }
        (lifter.lift)(self, view, input)
    }

    /// Lifts a step that must give columns. A fault is noted, and the next step goes on with columns of no meaning, so
    /// that all faults of a file come out at once.
    pub fn transformer(&mut self, name: &str, view: &View<'_>, input: Columns, width_after: usize) -> Columns {
        let outer = std::mem::replace(&mut self.transforms, true);
        let lifted = self.in_step(name, |cx| cx.estimator(view, input));
        self.transforms = outer;
        match lifted {
            Ok(Lifted::Columns(columns) | Lifted::Both(_, columns)) => columns,
            Ok(Lifted::Prediction(_)) => {
                self.report(view.unsupported(format!("{} predicts, and cannot be a transformer", view.kind())));
                Columns::unknown(width_after.min(MAX_INPUTS))
            }
            Err(fault) => {
                self.report(fault);
                Columns::unknown(width_after.min(MAX_INPUTS))
            }
        }
    }

    /// Runs `f` with nodes labelled as those of a step.
    pub fn in_step<R>(&mut self, name: &str, f: impl FnOnce(&mut Self) -> R) -> R {
        self.step.push(name.into());
        let before = self.b.set_step(Some(&self.step.join(".")));
        let result = f(self);
        self.b.set_step(before.as_deref());
        self.step.pop();
        result
    }

    /// Notes a fault and goes on.
    pub fn report(&mut self, fault: Diagnostic) {
        self.faults.push(fault);
    }

    /// The closed door: every parameter and attribute must be one that the lifter reads or knows to be of no effect.
    /// Gives whether it is so.
    pub fn open(&mut self, view: &View<'_>, lifter: &Lifter) -> bool {
        let before = self.faults.len();
        // Other libraries say elsewhere which version of theirs it was.
        if lifter.class.starts_with("sklearn.")
            && let Err(fault) = Version::of(view)
        {
            self.report(fault);
        }
        match view.state() {
            Err(fault) => self.report(fault),
            Ok(state) => {
                for (name, _) in state {
                    let known = [lifter.reads, lifter.ignores, COMMON].iter().any(|l| l.contains(&name));
                    if !known {
                        let message = format!("{} has a parameter `{name}` that its lifter does not read", view.kind());
                        self.report(Diagnostic::new("flock::lift::unread_parameter", view.path(), message));
                    }
                }
            }
        }
        before == self.faults.len()
    }

    /// An operator without attribute.
    pub fn op(&mut self, op: Op, args: &[NodeId]) -> Result<NodeId, Diagnostic> {
        self.op_with(op, Attr::None, args)
    }

    /// An operator with an attribute. The lifters build well-typed nodes; a fault here is theirs.
    pub fn op_with(&mut self, op: Op, attr: Attr, args: &[NodeId]) -> Result<NodeId, Diagnostic> {
        let place = || if self.step.is_empty() { "model".into() } else { self.step.join(".") };
        self.b.op_with(op, attr, args).map_err(|e| Diagnostic::new("flock::lift::internal", place(), e.to_string()))
    }

    /// The type of a node that is a frame.
    pub fn frame_type(&self, node: NodeId) -> FrameType {
        self.b.frame_type(node).unwrap_or(FrameType::new(DType::F64, 0))
    }

    /// The number of columns of a node.
    pub fn width(&self, node: NodeId) -> usize {
        self.frame_type(node).width as usize
    }

    /// The node, and where it is null a constant.
    pub fn or_else(&mut self, node: NodeId, constant: Frame) -> Result<NodeId, Diagnostic> {
        if !self.frame_type(node).nullable {
            return Ok(node);
        }
        let constant = self.b.constant(constant);
        self.op(Op::Coalesce, &[node, constant])
    }

    /// A row of numbers as an operand of `op`: `x op row`.
    pub fn with_row(&mut self, op: Op, x: NodeId, row: Vec<f64>) -> Result<NodeId, Diagnostic> {
        let row = self.b.constant(Frame::row_f64(row));
        self.op(op, &[x, row])
    }

    /// A constant of one row of text.
    pub fn text_row(&mut self, texts: impl IntoIterator<Item = String>) -> NodeId {
        self.b.constant(Frame::row_str(texts.into_iter().map(Arc::<str>::from)))
    }
}
