//! Operators that change nothing.

use egg::Id;
use flock_ir_spec::{Attr, DType, Frame, Op, Scalar};

use super::rules;
use crate::analysis::{add, add_constant, table};
use crate::language::{Egraph, Enode};
use crate::tables::floats;

rules! {
    /// Subtracting +0 changes no bit; adding +0 would turn -0 into +0, so that rule is absent.
    Bits "sub-zero":       "(sub ?a ?z)"                => "?a" if plus_zero(?z);
    /// Adding -0 changes no bit.
    Bits "add-minus-zero": "(add ?a ?z)"                => "?a" if minus_zero(?z);
    /// Multiplying by 1 changes no bit, on either side.
    Bits "mul-one":        "(mul ?a ?o)"                => "?a" if one(?o);
    /// Multiplying by 1 changes no bit, on either side.
    Bits "one-mul":        "(mul ?o ?a)"                => "?a" if one(?o);
    /// Dividing by 1 changes no bit.
    Bits "div-one":        "(div ?a ?o)"                => "?a" if one(?o);
    /// Negating twice changes no bit of a float.
    Bits "neg-neg":        "(neg (neg ?a))"             => "?a" if float(?a);
    /// The absolute value has no sign to lose.
    Bits "abs-abs":        "(abs (abs ?a))"             => "(abs ?a)" if float(?a);
    /// The absolute value does not see a sign.
    Bits "abs-neg":        "(abs (neg ?a))"             => "(abs ?a)" if float(?a);
    /// The lesser of a value and itself is the value, NaN too.
    Bits "min-same":       "(min ?a ?a)"                => "?a";
    /// The greater of a value and itself is the value, NaN too.
    Bits "max-same":       "(max ?a ?a)"                => "?a";
    /// Two negations of three-valued logic are none.
    Bits "not-not":        "(not (not ?a))"             => "?a";
    /// A condition that is always true takes the first branch.
    Bits "select-true":    "(select ?p ?a ?b)"          => "?a" if yes(?p);
    /// A condition that is never true takes the second branch.
    Bits "select-false":   "(select ?p ?a ?b)"          => "?b" if no(?p);
    /// Equal branches need no condition.
    Bits "select-same":    "(select ?p ?a ?a)"          => "?a";
    /// A negated condition that is never null swaps the branches.
    Bits "select-not":     "(select (not ?p) ?a ?b)"    => "(select ?p ?b ?a)" if never_null(?p);
    /// What is never null needs no substitute.
    Bits "coalesce-value": "(coalesce ?a ?b)"           => "?a" if never_null(?a);
    /// What is never null is not null.
    Bits "is-null-never":  "(is_null ?a)"               => { not_null(?a) };
    /// A cast to the type that a value has changes nothing.
    Bits "cast-same":      [Cast]                       => { cast_same };
    /// Two casts are one where the first one loses nothing: to a wider float, or from a truth value.
    Bits "cast-cast":      [Cast]                       => { cast_cast };
    /// A composite is its definition; rules and facts see through it.
    Bits "definition":     [every]                      => { definition };
}

fn all(g: &Egraph<'_>, class: Id, holds: impl Fn(f64) -> bool) -> bool {
    table(g, class).and_then(floats).is_some_and(|v| v.into_iter().all(holds))
}

fn plus_zero(g: &Egraph<'_>, c: &[Id]) -> bool {
    all(g, c[0], |x| x.to_bits() == 0.0f64.to_bits())
}

fn minus_zero(g: &Egraph<'_>, c: &[Id]) -> bool {
    all(g, c[0], |x| x.to_bits() == (-0.0f64).to_bits())
}

fn one(g: &Egraph<'_>, c: &[Id]) -> bool {
    all(g, c[0], |x| x == 1.0)
}

fn float(g: &Egraph<'_>, c: &[Id]) -> bool {
    g[c[0]].data.frame().is_some_and(|t| t.dtype.is_float())
}

fn truth(g: &Egraph<'_>, c: &[Id], wanted: bool) -> bool {
    table(g, c[0]).is_some_and(|t| (0..t.len()).all(|i| t.get_flat(i) == Scalar::Bool(wanted)))
}

fn yes(g: &Egraph<'_>, c: &[Id]) -> bool {
    truth(g, c, true)
}

fn no(g: &Egraph<'_>, c: &[Id]) -> bool {
    truth(g, c, false)
}

fn never_null(g: &Egraph<'_>, c: &[Id]) -> bool {
    g[c[0]].data.frame().is_some_and(|t| !t.nullable)
}

fn not_null(g: &mut Egraph<'_>, c: &[Id]) -> Option<Id> {
    let width = g[c[0]].data.width() as usize;
    never_null(g, c).then(|| add_constant(g, Frame::row_bool(vec![false; width])))
}

fn cast_same(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let Attr::Type(to) = node.attr() else { return None };
    (g[node.children[0]].data.frame()?.dtype == to.dtype).then_some(node.children[0])
}

fn cast_cast(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let Attr::Type(to) = *node.attr() else { return None };
    let (x, first) = g[node.children[0]].nodes.iter().find_map(|n| {
        let x = n.is(Op::Cast)?[0];
        Some((x, g[x].data.frame()?))
    })?;
    let middle = g[node.children[0]].data.frame()?;
    let lossless = matches!((first.dtype, middle.dtype), (DType::F32, DType::F64))
        || (first.dtype == DType::Bool && middle.dtype.is_number());
    if !lossless || to.dtype == DType::Str {
        return None;
    }
    if first.dtype == to.dtype {
        return Some(x);
    }
    add(g, Op::Cast, Attr::Type(to), &[x])
}

fn definition(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let Some(Op::Composite(composite)) = node.op() else { return None };
    crate::build::definition(g, composite, &node.children)
}
