//! Inlining and expansion change the graph and not the answer.

use flock_ir_spec::eval::{self, Table};
use flock_ir_spec::expand::{expand_composites, inline_calls};
use flock_ir_spec::*;

const TEXT: &str = "flock 1
fn inner(a: f64?, b: f64?) {
  step scale
  %0 = relu a
  %1: i64? = cast %0
  %2: f64?[3] = one_hot %1
  step -
  %3 = is_missing b
  %4 = concat %2 b
  return (wide = %4, missing = %3, unused = a)
}
fn outer(x: f64, y: f64?) {
  step features
  %0: f64?[4] = call[inner.wide] x y
  %1: bool = call[inner.missing] x y
  %2: bool = call[inner.missing] y x
  step model
  %3 = sum %0
  %4 = guard %1 %3
  return (p = %3, q = %4, r = %2)
}
query q {
  r0 = scan t (x@1: f64, y@2: f64?)
  %0: f64? = call[outer.p] @1 @2
  %1: bool = call[outer.r] f64[1] @2
  %2 = is_finite %0
  %3 = or %1 %2
  r1 = filter r0 %3
  r2 = project r1 (p@3: f64? = %0)
  return r2
}
";

fn sound(module: Module) -> Module {
    verify::check(&module).unwrap_or_else(|f| panic!("{module}\n{f:#?}"));
    module
}

fn answers(module: &Module) -> (Vec<Frame>, Table) {
    let ty = FrameType::new(DType::F64, 1);
    let values = [0.0, 1.0, -0.0, 2.5, f64::NAN, -3.0, f64::INFINITY, 7.0];
    let x = Frame::from_fn(8, ty, |i, _| Scalar::F64(values[i]));
    let y = Frame::from_fn(8, ty.nullable(), |i, _| if i % 3 == 0 { Scalar::Null } else { Scalar::F64(values[7 - i]) });
    let table = Table::new(vec!["x".into(), "y".into()], vec![x.clone(), y.clone()]);
    let function = module.function("outer").expect("it is there");
    let scored = eval::call(module, function, 8, &[x, y]).unwrap_or_else(|e| panic!("{e}"));
    let queried = eval::query(module, &module.queries[0], &|_| Some(table.clone())).unwrap_or_else(|e| panic!("{e}"));
    (scored, queried)
}

#[test]
fn answers_stay() {
    let module = sound(text::parse(TEXT).unwrap_or_else(|f| panic!("{f:#?}")));
    let before = answers(&module);
    assert_eq!(before.1.rows, 3, "the query keeps the rows whose sum is finite");
    let inlined = sound(inline_calls(&module));
    let expanded = sound(expand_composites(&inlined, &|_| false));
    for module in
        [&inlined, &expanded, &sound(inline_calls(&sound(expand_composites(&module, &|c| c == Composite::RELU))))]
    {
        assert_eq!(answers(module), before, "{module}");
        assert!(!module.to_string().contains("call["), "{module}");
        assert_eq!(text::parse(&module.to_string()).map(|m| m.to_string()), Ok(module.to_string()));
    }
}

#[test]
fn steps_say_which_function_they_are_of() {
    let module = text::parse(TEXT).unwrap_or_else(|f| panic!("{f:#?}"));
    let inlined = inline_calls(&module);
    assert_eq!(
        inlined.function("outer").expect("it is there").graph.steps,
        ["features", "inner.scale", "inner", "model"]
    );
    let steps = &inlined.queries[0].graph.steps;
    for step in ["outer.inner.scale", "outer.inner", "outer.model"] {
        assert!(steps.iter().any(|s| s == step), "{steps:?}");
    }
}

/// Two outputs of one call are one body, and what nobody asks for is not there.
#[test]
fn bodies_are_shared() {
    let module = text::parse(TEXT).unwrap_or_else(|f| panic!("{f:#?}"));
    let outer = inline_calls(&module).function("outer").expect("it is there").clone();
    let count = |op: Op| outer.graph.nodes().iter().filter(|n| n.op == op).count();
    assert_eq!((count(Op::OneHot), count(Op::Composite(Composite::IS_MISSING)), count(Op::Call)), (1, 2, 0));
}

#[test]
fn composites_that_are_kept_stay() {
    let module = text::parse(TEXT).unwrap_or_else(|f| panic!("{f:#?}"));
    let some = expand_composites(&module, &|c| c == Composite::RELU).to_string();
    assert!(some.contains("relu") && !some.contains("is_missing") && !some.contains("is_finite"), "{some}");
}

#[test]
fn absorbed_functions_come_before_their_callers() {
    let mut module = text::parse(TEXT).unwrap_or_else(|f| panic!("{f:#?}"));
    let new_inner = "flock 1\nfn helper(a: f64?) {\n  %0 = is_missing a\n  return (m = %0)\n}\nfn inner(a: f64?, b: f64?) {\n  \
                     %0: bool = call[helper.m] b\n  %1 = concat b b b a\n  return (wide = %1, missing = %0)\n}\n";
    module.absorb(text::parse(new_inner).unwrap_or_else(|f| panic!("{f:#?}")));
    let names: Vec<&str> = module.functions.iter().map(|f| &*f.name).collect();
    assert_eq!(names, ["helper", "inner", "outer"]);
    sound(module);
}
