//! Tests on a value rounded to float32, as tests on the value itself.
//!
//! A library that compares `float32(x) <= t` sends x where a comparison of x with another double sends it: rounding is
//! monotone, so the values that round to at most t are all doubles up to some bound. No dialect needs a 32-bit type for
//! that, and no cast can abort the query. With f the greatest float32 that is at most t and g its successor, the bound
//! is their midpoint where the midpoint rounds down to f (its tie goes to the even mantissa), else the double below it.
//! Source: IEEE 754-2019, 4.3.1 roundTiesToEven.

use flock_ir_spec::Test;

/// A test on a double that is not missing. No bound is infinite or NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Every value passes.
    Always,
    /// None does.
    Never,
    /// `x TEST bound`.
    Cmp(Test, f64),
    /// `x > low AND x <= high`.
    Within(f64, f64),
    /// `x <= low OR x > high`.
    Outside(f64, f64),
}

impl Rule {
    /// Whether x passes.
    pub fn holds(self, x: f64) -> bool {
        match self {
            Rule::Always => true,
            Rule::Never => false,
            Rule::Cmp(test, bound) => test.holds(x, bound),
            Rule::Within(low, high) => x > low && x <= high,
            Rule::Outside(low, high) => x <= low || x > high,
        }
    }

    /// The rule that holds where this one does not.
    pub fn negated(self) -> Rule {
        match self {
            Rule::Always => Rule::Never,
            Rule::Never => Rule::Always,
            Rule::Cmp(test, bound) => Rule::Cmp(negated(test), bound),
            Rule::Within(low, high) => Rule::Outside(low, high),
            Rule::Outside(low, high) => Rule::Within(low, high),
        }
    }
}

/// The test that holds where this one does not, NaN apart.
pub fn negated(test: Test) -> Test {
    match test {
        Test::Le => Test::Gt,
        Test::Lt => Test::Ge,
        Test::Ge => Test::Lt,
        Test::Gt => Test::Le,
        Test::Eq => Test::Ne,
        Test::Ne => Test::Eq,
        // No comparison: it is written by its set.
        Test::In => Test::In,
    }
}

/// `x TEST t`, t not NaN, without an infinite bound.
pub fn exact(test: Test, t: f64) -> Rule {
    let max = f64::MAX;
    match (test, t) {
        (Test::Le, f64::INFINITY) | (Test::Ge, f64::NEG_INFINITY) => Rule::Always,
        (Test::Gt, f64::INFINITY) | (Test::Lt, f64::NEG_INFINITY) => Rule::Never,
        (Test::Lt | Test::Ne, f64::INFINITY) => Rule::Cmp(Test::Le, max),
        (Test::Ge | Test::Eq, f64::INFINITY) => Rule::Cmp(Test::Gt, max),
        (Test::Le | Test::Eq, f64::NEG_INFINITY) => Rule::Cmp(Test::Lt, -max),
        (Test::Gt | Test::Ne, f64::NEG_INFINITY) => Rule::Cmp(Test::Ge, -max),
        // -0 and 0 are one value in every comparison.
        (_, t) => Rule::Cmp(test, t + 0.0),
    }
}

/// `float32(x) TEST t`, t not NaN.
pub fn rounded(test: Test, t: f64) -> Rule {
    match test {
        Test::Le => at_most(greatest_at_most(t)),
        Test::Gt => at_most(greatest_at_most(t)).negated(),
        Test::Lt => greatest_below(t).map_or(Rule::Never, at_most),
        Test::Ge => greatest_below(t).map_or(Rule::Always, |f| at_most(f).negated()),
        Test::Eq => equal(t),
        Test::Ne => equal(t).negated(),
        Test::In => Rule::Cmp(Test::In, t),
    }
}

fn equal(t: f64) -> Rule {
    if f64::from(t as f32) != t {
        return Rule::Never;
    }
    let below = greatest_below(t).map_or(Rule::Never, at_most);
    match (below, at_most(greatest_at_most(t))) {
        (Rule::Never, high) => high,
        (low, Rule::Always) => low.negated(),
        (Rule::Cmp(_, low), Rule::Cmp(_, high)) => Rule::Within(low, high),
        _ => Rule::Never,
    }
}

fn greatest_at_most(t: f64) -> f32 {
    let f = t as f32;
    if f64::from(f) <= t { f } else { f.next_down() }
}

fn greatest_below(t: f64) -> Option<f32> {
    match greatest_at_most(t) {
        f if f64::from(f) < t => Some(f),
        f32::NEG_INFINITY => None,
        f => Some(f.next_down()),
    }
}

/// The doubles that round to at most f.
fn at_most(f: f32) -> Rule {
    if f == f32::INFINITY {
        return Rule::Always;
    }
    // Rounding treats the first value beyond the greatest finite one as 2^128.
    let beyond = 2f64.powi(128);
    let double = |f: f32| if f.is_infinite() { beyond.copysign(f.into()) } else { f64::from(f) };
    let midpoint = (double(f) + double(f.next_up())) / 2.0;
    Rule::Cmp(Test::Le, if midpoint as f32 <= f { midpoint } else { midpoint.next_down() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(x: f64) -> impl Iterator<Item = f64> {
        [x, x.next_up(), x.next_down()].into_iter()
    }

    /// Around a float32: itself, its neighbours of both widths, the midpoints to them and one double beside each.
    fn around(f: f32) -> Vec<f64> {
        let (a, b, c) = (f64::from(f.next_down()), f64::from(f), f64::from(f.next_up()));
        let edge = 2f64.powi(128) - 2f64.powi(103);
        [a, b, c, (a + b) / 2.0, (b + c) / 2.0, edge, -edge]
            .into_iter()
            .filter(|x| !x.is_nan())
            .flat_map(steps)
            .collect()
    }

    fn special() -> Vec<f32> {
        let mut all = vec![0.0, 1.0, 0.1, 16_777_216.0, f32::MAX, f32::MIN_POSITIVE, f32::INFINITY, f32::from_bits(1)];
        all.extend([f32::MAX.next_down(), f32::MIN_POSITIVE.next_down(), f32::from_bits(2), f32::from_bits(3)]);
        all.iter().flat_map(|f| [*f, -*f]).collect()
    }

    /// A fixed sequence of bit patterns; every exponent turns up.
    fn random(n: usize) -> impl Iterator<Item = f32> {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f32::from_bits((state >> 32) as u32)
        })
        .filter(|f| !f.is_nan())
        .take(n)
    }

    fn agree(t: f64, xs: &[f64]) {
        for test in Test::COMPARISONS {
            let (narrow, wide) = (rounded(test, t), exact(test, t));
            for x in xs.iter().filter(|x| !x.is_nan()) {
                let float32 = f64::from(*x as f32);
                assert_eq!(
                    narrow.holds(*x),
                    test.holds(float32, t),
                    "float32({x:e}) {} {t:e}: {narrow:?}",
                    test.symbol()
                );
                assert_eq!(wide.holds(*x), test.holds(*x, t), "{x:e} {} {t:e}: {wide:?}", test.symbol());
                assert_ne!(narrow.holds(*x), narrow.negated().holds(*x));
            }
        }
    }

    #[test]
    fn bounds_route_as_rounding_does() {
        let extremes =
            [f64::MAX, -f64::MAX, f64::INFINITY, f64::NEG_INFINITY, 1e300, 5e-324, -5e-324, 0.0, -0.0, 1e-60];
        for f in special().into_iter().chain(random(20_000)) {
            let mut xs = around(f);
            xs.extend(extremes);
            for t in around(f).into_iter().chain([f64::INFINITY, f64::NEG_INFINITY, 1e300]) {
                agree(t, &xs);
            }
        }
    }

    #[test]
    fn no_bound_is_infinite() {
        for t in special().into_iter().flat_map(around) {
            for rule in Test::COMPARISONS.into_iter().flat_map(|test| [exact(test, t), rounded(test, t)]) {
                match rule {
                    Rule::Always | Rule::Never => {}
                    Rule::Cmp(_, b) => assert!(b.is_finite(), "{rule:?}"),
                    Rule::Within(a, b) | Rule::Outside(a, b) => assert!(a.is_finite() && b.is_finite(), "{rule:?}"),
                }
            }
        }
    }
}
