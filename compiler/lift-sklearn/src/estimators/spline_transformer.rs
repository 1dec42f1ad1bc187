//! `SplineTransformer`: the values of the B-splines of each column.
//!
//! | `bsplines_` | per column scipy's `BSpline`: knots `t`, degree `k`, coefficients `c` |
//! | `extrapolation` | beyond the knots: `error`, `constant`, `linear`, `continue`, `periodic` |
//! | `include_bias` | without it the last spline of each column is left out |
//! | `handle_missing` | since 1.9: `zeros` lets NaN through, whose splines are 0, and infinities |
//!
//! Between two knots each spline is a polynomial, whose coefficients around the left knot are known here: the row looks
//! up those of its interval. Without `zeros` NaN and infinities are refused.
//! Source: scikit-learn `preprocessing/_polynomial.py`; scipy `interpolate/_bsplines.py`.

use flock_ir_spec::{Attr, Diagnostic, Frame, NodeId, Op, Word};

use crate::columns::Columns;
use crate::features::{ANY, lookup, row};
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::read::view::{Matrix, View};

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.SplineTransformer",
    reads: &["extrapolation", "include_bias", "handle_missing", "sparse_output", "bsplines_"],
    ignores: &["degree", "knots", "n_knots", "order", "n_features_out_"],
    lift,
};

type Res<T> = Result<T, Diagnostic>;

/// Numbers that the polynomials of one column may have.
const MAX_COEFFICIENTS: usize = 1 << 22;

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let splines = super::per_column(&view.attr("bsplines_")?, input.width())?;
    let extrapolation = view.attr("extrapolation")?.text()?;
    let zeros = view.get("handle_missing").is_some_and(|h| h.str() == Some("zeros"));
    super::refuse_single(&input, view)?;
    cx.settle(&input)?;
    let x = if zeros { cx.numbers(&input, view)? } else { linear::finite(cx, view, &input)? };
    let bias = view.attr("include_bias")?.bool()?;
    let mut out = Columns::none();
    // `linear` counts the degree up, and the next column starts from there.
    let mut degree = None;
    for (i, place) in splines.iter().enumerate() {
        let spline = Spline::of(place)?;
        let column = cx.pick(x, &[i])?;
        let degree = degree.get_or_insert(spline.degree);
        let mut values = match extrapolation.as_str() {
            "continue" => spline.values(cx, column)?,
            "periodic" => spline.periodic(cx, place, column)?,
            "error" => spline.inside_only(cx, column)?,
            "constant" => spline.constant(cx, column)?,
            "linear" => spline.linear(cx, place, column, degree)?,
            _ => return Err(view.unsupported(format!("the extrapolation `{extrapolation}`"))),
        };
        if zeros {
            if extrapolation == "continue" {
                // An infinity has no spline at all.
                let nothing = cx.op(Op::Sub, &[column, column])?;
                values = cx.op(Op::Add, &[values, nothing])?;
            }
            let (missing, zero) = (cx.op(Op::IsNan, &[column])?, row(cx, vec![0.0]));
            values = cx.op(Op::Select, &[missing, zero, values])?;
        }
        let kept: Vec<usize> = (0..spline.coefficients.columns - usize::from(!bias)).collect();
        if kept.is_empty() {
            continue;
        }
        let node = cx.pick(values, &kept)?;
        let names = input.names.as_ref().map(|n| kept.iter().map(|j| format!("{}_sp_{j}", n[i])).collect());
        out.append(Columns::node(node, kept.len(), ANY, names));
    }
    out.sparse = view.get("sparse_output").map_or(Ok(false), |s| s.bool())?;
    Ok(Lifted::Columns(out))
}

/// The splines of one column.
struct Spline {
    knots: Vec<f64>,
    degree: usize,
    /// A row per basis function, a column per spline.
    coefficients: Matrix,
}

impl Spline {
    fn of(place: &View<'_>) -> Res<Spline> {
        // scipy 1.15 renamed them.
        let part = |name: &str| place.get(&format!("_{name}")).map_or_else(|| place.attr(name), Ok);
        let (knots, degree) = (part("t")?.f64s()?, place.attr("k")?.size()?);
        let coefficients = part("c")?.matrix()?;
        let intervals = knots.len().checked_sub(2 * degree + 1).filter(|n| *n > 0);
        let fits = intervals.is_some() && coefficients.rows + degree + 1 == knots.len() && coefficients.columns > 0;
        let size = knots.len().saturating_mul(degree + 1).saturating_mul(coefficients.columns);
        if !fits || !knots.is_sorted() || size > MAX_COEFFICIENTS {
            return Err(place.expected("a spline with ascending knots and a coefficient for each basis function"));
        }
        Ok(Spline { knots, degree, coefficients })
    }

    fn first(&self) -> f64 {
        self.knots[self.degree]
    }

    fn last(&self) -> f64 {
        self.knots[self.knots.len() - 1 - self.degree]
    }

    /// The knots behind the first interval and before the last one.
    fn inner(&self) -> &[f64] {
        &self.knots[self.degree + 1..self.knots.len() - 1 - self.degree]
    }

    /// The polynomials of an interval, counted from the first: per power of the distance to its left knot a
    /// coefficient for each spline. de Boor's recursion, as scipy's `_deBoor_D` has it, on polynomials.
    fn polynomials(&self, interval: usize) -> Vec<Vec<f64>> {
        let (k, at) = (self.degree, interval + self.degree);
        let left = self.knots[at];
        let mut basis = vec![vec![0.0; k + 1]; k + 1];
        basis[0][0] = 1.0;
        for j in 1..=k {
            let below = basis.clone();
            basis[0] = vec![0.0; k + 1];
            for n in 1..=j {
                let (high, low) = (self.knots[at + n], self.knots[at + n - j]);
                basis[n] = vec![0.0; k + 1];
                if high == low {
                    continue;
                }
                for power in 0..j {
                    let w = below[n - 1][power] / (high - low);
                    basis[n - 1][power] += w * (high - left);
                    basis[n - 1][power + 1] -= w;
                    basis[n][power] += w * (left - low);
                    basis[n][power + 1] += w;
                }
            }
        }
        let width = self.coefficients.columns;
        let mut by_power = vec![vec![0.0; width]; k + 1];
        for (m, polynomial) in basis.iter().enumerate() {
            let row = &self.coefficients.values[(at - k + m) * width..][..width];
            for (power, b) in polynomial.iter().enumerate() {
                by_power[power].iter_mut().zip(row).for_each(|(sum, c)| *sum += c * b);
            }
        }
        by_power
    }

    /// The values at a point, or the slopes.
    fn at(&self, x: f64, slopes: bool) -> Vec<f64> {
        let interval = self.inner().partition_point(|t| *t <= x);
        let u = x - self.knots[interval + self.degree];
        let polynomials = self.polynomials(interval);
        let term = |(power, c): (usize, &Vec<f64>), i: usize| match slopes {
            true if power > 0 => c[i] * power as f64 * u.powi(power as i32 - 1),
            true => 0.0,
            false => c[i] * u.powi(power as i32),
        };
        let value = |i: usize| polynomials.iter().enumerate().map(|p| term(p, i)).sum();
        (0..self.coefficients.columns).map(value).collect()
    }

    /// The polynomials of the interval that the column lies in; the outer ones go on beyond their knots.
    fn values(&self, cx: &mut Lift, x: NodeId) -> Res<NodeId> {
        let (k, width) = (self.degree, self.coefficients.columns);
        let intervals = self.inner().len() + 1;
        let mut values = Vec::new();
        for i in 0..intervals {
            values.push(self.knots[i + k]);
            self.polynomials(i).into_iter().rev().for_each(|c| values.extend(c));
        }
        let columns = 1 + (k + 1) * width;
        let found = if intervals == 1 {
            row(cx, values)
        } else {
            let edges = row(cx, self.inner().to_vec());
            let index = cx.op_with(Op::Bucketize, Attr::Word(Word::Right), &[x, edges])?;
            lookup(cx, index, &Matrix { rows: intervals, columns, values })?
        };
        let left = cx.pick(found, &[0])?;
        let u = cx.op(Op::Sub, &[x, left])?;
        let power = |p: usize| (1 + p * width..1 + (p + 1) * width).collect::<Vec<_>>();
        let mut sum = cx.pick(found, &power(0))?;
        for p in 1..=k {
            let product = cx.op(Op::Mul, &[sum, u])?;
            let next = cx.pick(found, &power(p))?;
            sum = cx.op(Op::Add, &[product, next])?;
        }
        Ok(sum)
    }

    /// The column is brought between the knots: Python's remainder has the sign of the divisor.
    fn periodic(&self, cx: &mut Lift, place: &View<'_>, x: NodeId) -> Res<NodeId> {
        let (first, period) = (self.first(), self.last() - self.first());
        if period <= 0.0 {
            return Err(place.unsupported("a period of no length: the column had one value alone"));
        }
        let shifted = cx.with_row(Op::Sub, x, vec![first])?;
        let rest = cx.with_row(Op::Rem, shifted, vec![period])?;
        let negative = cx.with_row(Op::Lt, rest, vec![0.0])?;
        let above = cx.with_row(Op::Add, rest, vec![period])?;
        let rest = cx.op(Op::Select, &[negative, above, rest])?;
        let x = cx.with_row(Op::Add, rest, vec![first])?;
        self.values(cx, x)
    }

    fn outside(&self, cx: &mut Lift, x: NodeId, first: f64, last: f64) -> Res<[NodeId; 2]> {
        Ok([cx.with_row(Op::Lt, x, vec![first])?, cx.with_row(Op::Gt, x, vec![last])?])
    }

    fn inside_only(&self, cx: &mut Lift, x: NodeId) -> Res<NodeId> {
        let outside = self.outside(cx, x, self.first(), self.last())?;
        let outside = cx.op(Op::Or, &outside)?;
        let inside = cx.op(Op::Not, &[outside])?;
        cx.b.refuse_unless(inside);
        self.values(cx, x)
    }

    /// Beyond the knots the values at the ends, of the splines that reach them.
    fn constant(&self, cx: &mut Lift, x: NodeId) -> Res<NodeId> {
        let (k, width) = (self.degree, self.coefficients.columns);
        let kept = |values: Vec<f64>, keep: &dyn Fn(usize) -> bool| {
            values.into_iter().enumerate().map(|(j, v)| if keep(j) { v } else { 0.0 }).collect::<Vec<_>>()
        };
        let low = kept(self.at(self.first(), false), &|j| j < k);
        let high = kept(self.at(self.last(), false), &|j| j + k >= width);
        let [below, above] = self.outside(cx, x, self.first(), self.last())?;
        if k == 0 && width > 1 {
            // numpy cannot assign all values to no column.
            let fine = cx.op(Op::Not, &[above])?;
            cx.b.refuse_unless(fine);
        }
        let values = self.values(cx, x)?;
        let (low, high) = (row(cx, low), row(cx, high));
        let values = cx.op(Op::Select, &[below, low, values])?;
        cx.op(Op::Select, &[above, high, values])
    }

    /// Beyond the knots on with the slope at the ends; `degree` is how many splines reach them.
    fn linear(&self, cx: &mut Lift, place: &View<'_>, x: NodeId, degree: &mut usize) -> Res<NodeId> {
        let (n, width) = (self.knots.len(), self.coefficients.columns);
        if *degree + 1 > n {
            return Err(place.expected("more knots"));
        }
        let (first, last) = (self.knots[*degree], self.knots[n - 1 - *degree]);
        if *degree <= 1 {
            *degree += 1;
        }
        let degree = *degree;
        let [below, above] = self.outside(cx, x, first, last)?;
        let mut values = self.values(cx, x)?;
        for (end, beyond, low) in [(first, below, true), (last, above, false)] {
            let reaches = |j: usize| if low { j < degree } else { j + degree >= width };
            let kept = |values: Vec<f64>| {
                values.into_iter().enumerate().map(|(j, v)| if reaches(j) { v } else { 0.0 }).collect::<Vec<_>>()
            };
            let (value, slope) = (kept(self.at(end, false)), kept(self.at(end, true)));
            let distance = cx.with_row(Op::Sub, x, vec![end])?;
            let rise = cx.with_row(Op::Mul, distance, slope)?;
            let line = cx.with_row(Op::Add, rise, value)?;
            // An infinite distance times no slope is NaN, and the spline 0.
            let (reached, zero) = ((0..width).map(reaches).collect::<Vec<_>>(), row(cx, vec![0.0]));
            let reached = cx.b.constant(Frame::row_bool(reached));
            let line = cx.op(Op::Select, &[reached, line, zero])?;
            values = cx.op(Op::Select, &[beyond, line, values])?;
        }
        Ok(values)
    }
}
