//! Encoders of category_encoders: the categories of some columns become one number, or several.
//!
//! | `cols`, `feature_names_in_` | the columns that are encoded, and all of them |
//! | `ordinal_encoder.mapping` | per column the code of each category, NaN's among them; -1 is a category that is new |
//! | `mapping` | per column the numbers of each code: a series, or a table whose columns take the column's place |
//! | `mapping` of counts, means | per column a number, or a sum and a count, of each category itself |
//! | `handle_unknown`, `handle_missing` | `value`, `return_nan`, `error`, which refuses the row |
//! | `composite_members_`, `keep_components` | columns that are joined to one; whether they stay beside it |
//! | `hash_method`, `n_components` | of `HashingEncoder`, which counts digests by their remainder |
//! | `invariant_cols` | columns that `drop_invariant` leaves out |
//!
//! Source: category_encoders 2.11, `ordinal.py`, `base_contrast_encoder.py`, `leave_one_out.py`, `cat_boost.py`, ….

use flock_ir_spec::{Attr, DType, Diagnostic, Digest, Frame, FrameType, NodeId, Op, Word};

use super::feature_engine::{listed, names};
use crate::categories::Categories;
use crate::columns::{Columns, Facts, Kind};
use crate::features::lookup;
use crate::labels::text;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::pandas::{series, table};
use crate::read::view::{Matrix, Plain, View};

type Res<T> = Result<T, Diagnostic>;

/// Why numbers are no text.
const NO_DIGITS: &str = "pandas writes 1 as `1` or as `1.0` by whether another row of the column has a gap";

/// Columns that a digest chooses among.
const MOST_BUCKETS: usize = 1 << 16;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "category_encoders.hashing.HashingEncoder",
        reads: &["cols", "n_components", "hash_method", "drop_invariant", "invariant_cols", "min_group_lumping_"],
        ignores: &[
            "X", "_dim", "combine_min_nan_groups", "composite_cols", "composite_members_", "data_lines",
            "feature_dtypes_in_", "feature_names_out_", "handle_missing", "handle_unknown", "keep_components", "mapping",
            "max_process", "max_sample", "min_group_name", "min_group_size", "process_creation_method", "return_df",
            "use_all_cols", "use_default_cols", "verbose",
        ],
        lift: hash,
    },
    encoder("category_encoders.backward_difference.BackwardDifferenceEncoder"),
    encoder("category_encoders.basen.BaseNEncoder"),
    encoder("category_encoders.binary.BinaryEncoder"),
    encoder("category_encoders.cat_boost.CatBoostEncoder"),
    encoder("category_encoders.count.CountEncoder"),
    encoder("category_encoders.glmm.GLMMEncoder"),
    encoder("category_encoders.gray.GrayEncoder"),
    encoder("category_encoders.helmert.HelmertEncoder"),
    encoder("category_encoders.james_stein.JamesSteinEncoder"),
    encoder("category_encoders.leave_one_out.LeaveOneOutEncoder"),
    encoder("category_encoders.m_estimate.MEstimateEncoder"),
    encoder("category_encoders.one_hot.OneHotEncoder"),
    encoder("category_encoders.ordinal.OrdinalEncoder"),
    encoder("category_encoders.polynomial.PolynomialEncoder"),
    encoder("category_encoders.quantile_encoder.QuantileEncoder"),
    encoder("category_encoders.rankhot.RankHotEncoder"),
    encoder("category_encoders.sum_coding.SumEncoder"),
    encoder("category_encoders.target_encoder.TargetEncoder"),
    encoder("category_encoders.woe.WOEEncoder"),
];

const fn encoder(class: &'static str) -> Lifter {
    Lifter {
        class,
        reads: &[
            "cols",
            "mapping",
            "ordinal_encoder",
            "handle_unknown",
            "handle_missing",
            "_handle_unknown",
            "_handle_missing",
            "_min_group_categories",
            "min_group_lumping_",
            "_mean",
            "a",
            "drop_invariant",
            "invariant_cols",
            "composite_members_",
            "keep_components",
            "hierarchy",
        ],
        ignores: &[
            "_combine_min_nan_groups", "_count", "_dim", "_min_group_name", "_min_group_size", "_normalize", "_sum",
            "base", "binomial_target", "combine_min_nan_groups", "composite_cols", "feature_dtypes_in_",
            "feature_names_out_", "hierarchy_depth", "index_start", "lab_encoder_", "m",
            "mapping_supplied", "min_group_name", "min_group_size", "min_samples_leaf", "model", "normalize",
            "quantile", "random_state", "randomized", "regularization", "return_df", "sigma", "smoothing",
            "use_all_cols", "use_cat_names", "use_default_cols", "verbose",
        ],
        lift,
    }
}

/// What one column becomes.
struct Encoding {
    /// The categories but for what is missing, and a row of numbers for each.
    categories: Vec<(Plain, Vec<f64>)>,
    missing: Vec<f64>,
    unknown: Vec<f64>,
    /// The columns that stand in its place, where they have names of their own.
    names: Option<Vec<String>>,
    /// Whether rows are refused for which it has no number.
    strict: bool,
}

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    if view.get("hierarchy").is_some_and(|v| !v.is_none()) {
        return Err(view.unsupported("`hierarchy`"));
    }
    let mut names = names(view, &input)?;
    let mut columns = cx.split(&input)?;
    let members = join_composites(cx, view, &mut names, &mut columns)?;
    let encoded = listed(view, "cols", &names)?;
    let mut out = Columns::none();
    for (i, mut column) in columns.into_iter().enumerate() {
        let name = &names[i];
        if encoded.contains(&i) {
            column = encode(cx, view, name, &column)?;
        } else {
            column.names = Some(vec![name.clone()]);
        }
        out.append(column);
    }
    left(cx, view, &out, members).map(Lifted::Columns)
}

/// The columns that are neither of these names nor invariant ones that `drop_invariant` leaves out.
fn left(cx: &mut Lift, view: &View<'_>, columns: &Columns, mut dropped: Vec<String>) -> Res<Columns> {
    if view.attr("drop_invariant")?.bool()? {
        dropped.extend(view.attr("invariant_cols")?.plains()?.iter().map(text));
    }
    let all = columns.names.clone().unwrap_or_default();
    let kept: Vec<usize> = (0..all.len()).filter(|i| !dropped.contains(&all[*i])).collect();
    if kept.len() == all.len() { Ok(columns.clone()) } else { cx.select(columns, &kept) }
}

/// Appends the columns that are made of several, whose texts `|` joins; missing where one of them is. Gives the names of
/// those that go, once all is encoded.
fn join_composites(
    cx: &mut Lift,
    view: &View<'_>,
    names: &mut Vec<String>,
    columns: &mut Vec<Columns>,
) -> Res<Vec<String>> {
    let mut gone = Vec::new();
    let composites = view.get("composite_members_").map(|c| c.entries()).transpose()?.unwrap_or_default();
    for (name, group) in composites {
        let mut joined = None;
        for member in group.items()? {
            let member = member.text()?;
            let at = names.iter().position(|n| *n == member);
            let at = at.ok_or_else(|| group.unsupported(format!("no column `{member}`")))?;
            let (x, kind) = cx.single(&columns[at], Kind::Text, view)?;
            if kind != Kind::Text {
                return Err(group.unsupported(format!("{} in `{member}`: {NO_DIGITS}", kind.name())));
            }
            joined = Some(match joined {
                None => x,
                Some(before) => {
                    let bar = cx.text_row(["|".to_owned()]);
                    let before = cx.op(Op::Append, &[before, bar])?;
                    cx.op(Op::Append, &[before, x])?
                }
            });
            gone.push(member);
        }
        let name = name.text()?;
        let node = joined.ok_or_else(|| group.expected("columns to join"))?;
        columns.push(Columns::node(node, 1, Facts::CODES, Some(vec![name.clone()])));
        names.push(name);
    }
    let kept = view.get("keep_components").map_or(Ok(false), |k| k.bool())?;
    Ok(if kept { Vec::new() } else { gone })
}

/// Digests of text: how many of the row's texts have one that leaves each remainder. Text that is missing is NaN, which
/// Python writes `nan`. The digest is a number of many words, and so is divided word by word:
/// `r = (r × (2^32 mod n) + word) mod n`, whose products fit 64 bits while n is below 2^31.
fn hash(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let names = names(view, &input)?;
    let hashed = listed(view, "cols", &names)?;
    let count = view.attr("n_components")?;
    let n = count.size()?;
    if n == 0 || n > MOST_BUCKETS {
        return Err(count.unsupported(format!("{n} columns; up to {MOST_BUCKETS} make a frame")));
    }
    if view.get("min_group_lumping_").is_some_and(|l| l.entries().is_ok_and(|e| !e.is_empty())) {
        return Err(view.unsupported("`min_group_size`: its groups are named anew before they are hashed"));
    }
    let method = view.attr("hash_method")?;
    let name = method.text()?;
    let Some(digest) = Digest::ALL.into_iter().find(|d| d.name() == name) else {
        return Err(method.unsupported(format!("the digest `{name}`: MD5, SHA-1 and SHA-2 are known")));
    };
    let (mut total, mut rest) = (None, Columns::none());
    for (i, mut column) in cx.split(&input)?.into_iter().enumerate() {
        if hashed.contains(&i) {
            let hot = bucket(cx, view, &names[i], &column, digest, n as i64)?;
            total = Some(if let Some(t) = total { cx.op(Op::Add, &[t, hot])? } else { hot });
        } else {
            column.names = Some(vec![names[i].clone()]);
            rest.append(column);
        }
    }
    let Some(total) = total else { return left(cx, view, &rest, Vec::new()).map(Lifted::Columns) };
    let mut out = Columns::node(total, n, Facts::CODES, Some((0..n).map(|i| format!("col_{i}")).collect()));
    out.append(rest);
    left(cx, view, &out, Vec::new()).map(Lifted::Columns)
}

/// 1 in the column of the text's remainder.
fn bucket(
    cx: &mut Lift,
    view: &View<'_>,
    name: &str,
    column: &Columns,
    digest: Digest,
    n: i64,
) -> Res<NodeId> {
    let (x, kind) = cx.single(column, Kind::Text, view)?;
    if kind != Kind::Text {
        return Err(view.unsupported(format!("{} in `{name}`: {NO_DIGITS}", kind.name())));
    }
    let x = cx.or_else(x, Frame::row_str(["nan"]))?;
    let hashed = cx.op_with(Op::Digest, Attr::Word(Word::Digest(digest)), &[x])?;
    let whole = |cx: &mut Lift, value: i64| cx.b.constant(Frame::row_i64([value]));
    let (divisor, shift) = (whole(cx, n), whole(cx, (1 << 32) % n));
    let first = cx.pick(hashed, &[0])?;
    let mut rest = cx.op(Op::Rem, &[first, divisor])?;
    for at in 1..digest.words() {
        let next = cx.pick(hashed, &[at])?;
        let shifted = cx.op(Op::Mul, &[rest, shift])?;
        let sum = cx.op(Op::Add, &[shifted, next])?;
        rest = cx.op(Op::Rem, &[sum, divisor])?;
    }
    // No remainder is null, for no divisor is 0.
    let rest = cx.or_else(rest, Frame::row_i64([0]))?;
    let hot = FrameType::new(DType::F64, n as u32);
    cx.op_with(Op::OneHot, Attr::Type(hot), &[rest])
}

fn encode(cx: &mut Lift, view: &View<'_>, name: &str, column: &Columns) -> Res<Columns> {
    let mut encoding = Encoding::of(view, name)?;
    encoding.lump(view, name)?;
    let place = view.at(view.join(&format!("mapping.{name}")));
    let mut keys: Vec<Plain> = encoding.categories.iter().map(|(key, _)| key.clone()).collect();
    let known = keys.len();
    // What is missing comes last: NaN among numbers, None among words.
    let numbers = keys.first().is_some_and(|k| k.number().is_some());
    keys.push(if numbers { Plain::Float(f64::NAN) } else { Plain::None });
    let categories = Categories::from(keys, &place)?;
    let n = categories.len();
    let positions: Vec<Option<usize>> = (0..n).map(Some).collect();
    cx.settle(column)?;
    let position = cx.positions(column, &categories, &positions, n, n as i64, &place)?;
    for (policy, at) in [("handle_unknown", n), ("handle_missing", known)] {
        if view.attr(policy)?.str() == Some("error") {
            let at = cx.b.constant(Frame::row_i64([at as i64]));
            let fine = cx.op(Op::Ne, &[position, at])?;
            cx.b.refuse_unless(fine);
        }
    }
    let width = encoding.unknown.len();
    let rows = encoding.categories.into_iter().map(|(_, row)| row).chain([encoding.missing, encoding.unknown]);
    let values: Vec<f64> = rows.flatten().collect();
    let node = lookup(cx, position, &Matrix { rows: n + 1, columns: width, values })?;
    if encoding.strict {
        let nan = cx.op(Op::IsNan, &[node])?;
        let fine = cx.op(Op::Not, &[nan])?;
        cx.b.refuse_unless(fine);
    }
    let names = encoding.names.unwrap_or_else(|| vec![name.into()]);
    Ok(Columns::node(node, width, Facts { nan: true, big: true, ..Facts::CODES }, Some(names)))
}

impl Encoding {
    fn of(view: &View<'_>, column: &str) -> Res<Encoding> {
        let class = view.class().unwrap_or_default();
        match class.rsplit('.').next().unwrap_or_default() {
            "OrdinalEncoder" => Encoding::ordinal(view, column),
            "CountEncoder" => Encoding::counts(view, column),
            "LeaveOneOutEncoder" | "CatBoostEncoder" => Encoding::means(view, column),
            "RankHotEncoder" => Encoding::by_rank(view, column),
            _ => Encoding::by_code(view, column),
        }
    }

    /// Of categories with a row of numbers each; the missing one is among them or is as what is new.
    fn new(rows: Vec<(Plain, Vec<f64>)>, unknown: Vec<f64>, missing: Option<Vec<f64>>) -> Encoding {
        let is_missing = |p: &Plain| matches!(p, Plain::None | Plain::Na) || p.number().is_some_and(f64::is_nan);
        let (absent, categories): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(key, _)| is_missing(key));
        let missing = missing.or_else(|| absent.into_iter().next().map(|(_, row)| row));
        Encoding { categories, missing: missing.unwrap_or_else(|| unknown.clone()), unknown, names: None, strict: false }
    }

    fn ordinal(view: &View<'_>, column: &str) -> Res<Encoding> {
        let policy = view.attr("handle_unknown")?;
        let unknown = match policy.str() {
            Some("value") => -1.0,
            Some("return_nan" | "error") => f64::NAN,
            _ => policy.f64()?,
        };
        let policy = view.attr("handle_missing")?;
        let missing = match policy.str() {
            Some("value" | "error") => None,
            Some("return_nan") => Some(f64::NAN),
            _ => Some(policy.f64()?),
        };
        let codes = codes(view, column)?;
        let kept = |code: f64| if code == -2.0 { missing.unwrap_or(code) } else { code };
        let rows = codes.into_iter().map(|(key, code)| (key, vec![kept(code)])).collect();
        Ok(Encoding::new(rows, vec![unknown], None))
    }

    fn by_code(view: &View<'_>, column: &str) -> Res<Encoding> {
        let codes = codes(&view.attr("ordinal_encoder")?, column)?;
        let mapping = view.attr("mapping")?;
        let (index, values, names) = match mapping.entries() {
            Ok(_) => {
                let series_view = mapping.entry(column).ok_or_else(|| mapping.expected(&format!("`{column}`")))?;
                let (index, values) = series(&series_view)?;
                (index, vec![values], None)
            }
            Err(_) => {
                let table = table(&switch(&mapping, column)?)?;
                (table.index, table.values, Some(table.columns.iter().map(text).collect()))
            }
        };
        let at: Vec<Option<f64>> = index.iter().map(Plain::number).collect();
        let row = |code: f64| match at.iter().position(|c| *c == Some(code)) {
            Some(i) => values.iter().map(|column| column[i]).collect(),
            None => vec![f64::NAN; values.len()],
        };
        let rows = codes.into_iter().map(|(key, code)| (key, row(code))).collect();
        let mut encoding = Encoding::new(rows, row(-1.0), None);
        encoding.names = names;
        Ok(encoding)
    }

    /// 1 for every rank up to the category's own; nothing but 0, or NaN, for what has no rank.
    fn by_rank(view: &View<'_>, column: &str) -> Res<Encoding> {
        let table = table(&switch(&view.attr("mapping")?, column)?)?;
        let none = if view.attr("handle_unknown")?.str() == Some("return_nan") { f64::NAN } else { 0.0 };
        let default = vec![none; table.index.len()];
        let row = |code: f64| match table.index.iter().position(|c| c.number() == Some(code)) {
            Some(i) => table.values.iter().map(|column| column[i]).collect(),
            None => default.clone(),
        };
        let missing = match view.attr("handle_missing")?.str() {
            Some("return_nan") => Some(vec![f64::NAN; table.index.len()]),
            Some("ignore") => Some(default.clone()),
            _ => None,
        };
        let codes = codes(&view.attr("ordinal_encoder")?, column)?;
        let rows = codes.into_iter().map(|(key, code)| (key, row(code))).collect();
        let mut encoding = Encoding::new(rows, default.clone(), missing);
        encoding.names = Some(table.columns.iter().map(text).collect());
        Ok(encoding)
    }

    fn counts(view: &View<'_>, column: &str) -> Res<Encoding> {
        let policy = named(&view.attr("_handle_unknown")?, column)?;
        let gaps = named(&view.attr("_handle_missing")?, column)?.str() == Some("return_nan");
        let none = match policy.str() {
            Some("value") if !gaps => 0.0,
            Some("value" | "return_nan" | "error") => f64::NAN,
            _ => policy.f64()?,
        };
        let count = |count: f64| if count.is_nan() { none } else { count };
        let (index, values) = series(&named(&view.attr("mapping")?, column)?)?;
        let rows = index.into_iter().zip(values.into_iter().map(|v| vec![count(v)])).collect();
        let encoding = Encoding::new(rows, vec![none], None);
        Ok(Encoding { strict: policy.str() == Some("error"), ..encoding })
    }

    /// Categories that were too rare to stand alone are as one.
    fn lump(&mut self, view: &View<'_>, column: &str) -> Res<()> {
        let groups = ["_min_group_categories", "min_group_lumping_"].iter().filter_map(|name| view.get(name));
        let Some(group) = groups.filter_map(|groups| groups.entry(column)).next() else { return Ok(()) };
        let mut named = None;
        for (rare, name) in group.entries()? {
            let (rare, name) = (rare.plain()?, name.plain()?);
            let row = self.categories.iter().find(|(key, _)| *key == name).map(|(_, row)| row.clone());
            let row = row.ok_or_else(|| group.expected("a group that is encoded"))?;
            match rare {
                Plain::Float(f) if f.is_nan() => self.missing = row,
                Plain::None | Plain::Na => self.missing = row,
                rare => self.categories.push((rare, row)),
            }
            named = Some(name);
        }
        // The name of a group of numbers is text, and no value of the column.
        if self.categories.iter().any(|(key, _)| key.number().is_some()) {
            self.categories.retain(|(key, _)| Some(key) != named.as_ref());
        }
        Ok(())
    }

    fn means(view: &View<'_>, column: &str) -> Res<Encoding> {
        let table = table(&named(&view.attr("mapping")?, column)?)?;
        let of = |name: &str| table.columns.iter().position(|c| *c == Plain::Str(name.into())).map(|i| &table.values[i]);
        let (Some(sums), Some(counts)) = (of("sum"), of("count")) else {
            return Err(view.expected("sums and counts"));
        };
        let mean = view.attr("_mean")?.f64()?;
        let prior = view.get("a").map(|a| a.f64()).transpose()?;
        let of_category = |sum: f64, count: f64| match prior {
            _ if count <= 1.0 => mean,
            Some(a) => (sum + mean * a) / (count + a),
            None => sum / count,
        };
        let rows = table.index.iter().cloned().zip(sums.iter().zip(counts).map(|(s, c)| vec![of_category(*s, *c)]));
        let policy = |name: &str| -> Res<f64> {
            let policy = view.attr(name)?;
            match policy.str() {
                Some("value" | "error") => Ok(mean),
                Some("return_nan") => Ok(f64::NAN),
                _ => Err(policy.unsupported("another way than `value`, `return_nan` and `error`")),
            }
        };
        let (unknown, missing) = (policy("handle_unknown")?, policy("handle_missing")?);
        let mut encoding = Encoding::new(rows.collect(), vec![mean], missing.is_nan().then(|| vec![missing]));
        encoding.unknown = vec![unknown];
        Ok(encoding)
    }
}

fn named<'a>(dict: &View<'a>, column: &str) -> Res<View<'a>> {
    dict.entry(column).ok_or_else(|| dict.expected(&format!("an entry for `{column}`")))
}

/// `[{"col": …, "mapping": …}, …]`.
fn switch<'a>(list: &View<'a>, column: &str) -> Res<View<'a>> {
    for item in list.items()? {
        if item.entry("col").is_some_and(|c| c.str() == Some(column)) {
            return named(&item, "mapping");
        }
    }
    Err(list.expected(&format!("a mapping of `{column}`")))
}

/// The code of each category.
fn codes(view: &View<'_>, column: &str) -> Res<Vec<(Plain, f64)>> {
    let mapping = switch(&view.attr("mapping")?, column)?;
    let (index, codes) = series(&mapping)?;
    Ok(index.into_iter().zip(codes).collect())
}
