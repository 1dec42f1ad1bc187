//! `OneHotEncoder`: per column 1 at the value's category, 0 elsewhere.
//!
//! | `categories_` | per column, sorted; None or NaN last |
//! | `_default_to_infrequent_mappings` | per column, category → position; all infrequent ones share the last |
//! | `_drop_idx_after_grouping` | per column, the position that has no column of its own |
//! | `handle_unknown` | `error` refuses the row, `ignore` gives zeros, `infrequent_if_exist`, and since 1.8 `warn`, the infrequent column |
//!
//! Infinities are refused. Source: scikit-learn `preprocessing/_encoders.py`.

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, NodeId, Op};

use crate::categories::Categories;
use crate::columns::{Columns, Facts};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::{Plain, View};
use crate::version::Version;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.OneHotEncoder",
    reads: &[
        "handle_unknown",
        "dtype",
        "sparse",
        "sparse_output",
        "categories_",
        "feature_name_combiner",
        "_infrequent_enabled",
        "_default_to_infrequent_mappings",
        "_drop_idx_after_grouping",
    ],
    ignores: &[
        "categories",
        "drop",
        "min_frequency",
        "max_categories",
        "_infrequent_indices",
        "drop_idx_",
        "_n_features_outs",
    ],
    lift,
};

/// How one column is encoded.
struct Encoding {
    categories: Categories,
    /// Per category, its column; None where it was dropped.
    positions: Vec<Option<usize>>,
    /// The column of the infrequent categories, if it was not dropped.
    infrequent: Option<usize>,
    /// Whether there are infrequent categories.
    groups: bool,
    width: usize,
}

fn lift(cx: &mut Lift<'_>, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let handle = view.attr("handle_unknown")?;
    let (error, infrequent) = match handle.str() {
        Some("error") => (true, false),
        Some("ignore") => (false, false),
        Some("infrequent_if_exist") => (false, true),
        // 1.6 and 1.7 document it as the above, and give zeros.
        Some("warn") => (false, Version::of(view)? >= Version(1, 8)),
        _ => return Err(handle.unsupported("an unknown way to handle unknown categories")),
    };
    cx.settle(&input)?;
    let facts = Facts { single: super::dtype_is_single(&view.attr("dtype")?)?, ..Facts::CODES };
    let categories = super::per_column(&view.attr("categories_")?, input.width())?;
    let mut out = Columns::none();
    for (i, categories) in categories.iter().enumerate() {
        let column = cx.select(&input, &[i])?;
        let encoding = match Encoding::of(view, categories, i) {
            Ok(encoding) => encoding,
            Err(fault) => {
                cx.report(fault);
                continue;
            }
        };
        super::refuse_infinite_category(cx, &column, &encoding.categories, categories)?;
        let node = encode(cx, categories, &column, &encoding, error, infrequent)?;
        let names = encoding.names(view, column.names.as_ref())?;
        out.append(match node {
            Some(node) => Columns::node(node, encoding.width, facts, names),
            None => Columns::none(),
        });
    }
    out.sparse = match view.get("sparse").map(|s| s.plain()) {
        Some(Ok(Plain::Bool(sparse))) => sparse,
        _ => view.attr("sparse_output")?.bool()?,
    };
    Ok(Lifted::Columns(out))
}

impl Encoding {
    fn of(view: &View<'_>, categories: &View<'_>, i: usize) -> Result<Encoding, Diagnostic> {
        let categories = Categories::of(categories)?;
        let mapping = super::infrequent_mapping(view, i)?;
        if mapping.as_ref().is_some_and(|m| m.len() != categories.len()) {
            return Err(view.expected(&format!("a position for each of {} categories", categories.len())));
        }
        let grouped: Vec<usize> = mapping.clone().unwrap_or_else(|| (0..categories.len()).collect());
        let drops = view.attr("_drop_idx_after_grouping")?;
        let drop = if drops.is_none() { Plain::None } else { super::item(&drops, i)?.plain()? };
        let drop = match drop {
            Plain::None => None,
            Plain::Int(d) => Some(usize::try_from(d).map_err(|_| drops.expected("positions"))?),
            _ => return Err(drops.expected("positions")),
        };
        let place = |g: usize| match drop {
            Some(d) if g == d => None,
            Some(d) if g > d => Some(g - 1),
            _ => Some(g),
        };
        let groups = grouped.iter().max().map_or(0, |m| m + 1);
        if groups > categories.len() || drop.is_some_and(|d| d >= groups) {
            return Err(view.expected("positions within the categories"));
        }
        Ok(Encoding {
            positions: grouped.iter().map(|g| place(*g)).collect(),
            // The group of the infrequent categories is the last.
            infrequent: mapping.as_ref().and_then(|_| place(groups - 1)),
            groups: mapping.is_some(),
            width: groups - usize::from(drop.is_some()),
            categories,
        })
    }

    /// `column_category`, or None where a callable names them.
    fn names(&self, view: &View<'_>, column: Option<&Vec<String>>) -> Result<Option<Vec<String>>, Diagnostic> {
        let concat = view.get("feature_name_combiner").is_none_or(|c| c.str() == Some("concat"));
        let Some(column) = column.and_then(|c| c.first()).filter(|_| concat) else { return Ok(None) };
        let mut names = vec![String::new(); self.width];
        for (c, position) in self.positions.iter().enumerate() {
            if let Some(p) = position {
                let infrequent = self.groups && Some(*p) == self.infrequent;
                let text = if infrequent { "infrequent_sklearn".into() } else { self.categories.text(c) };
                names[*p] = format!("{column}_{text}");
            }
        }
        Ok(Some(names))
    }
}

/// The columns of one column; None where every category was dropped.
fn encode(
    cx: &mut Lift<'_>,
    place: &View<'_>,
    column: &Columns,
    encoding: &Encoding,
    error: bool,
    infrequent: bool,
) -> Result<Option<NodeId>, Diagnostic> {
    let mut position = cx.positions(column, &encoding.categories, &encoding.positions, encoding.width, place)?;
    if error {
        cx.refuse_unknown(position)?;
    }
    if encoding.width == 0 {
        return Ok(None);
    }
    if let Some(other) = encoding.infrequent.filter(|_| infrequent) {
        let unknown = cx.is_unknown(position)?;
        let other = cx.b.constant(Frame::row_i64([other as i64]));
        position = cx.op(Op::Select, &[unknown, other, position])?;
    }
    let ty = FrameType::new(DType::F64, encoding.width as u32);
    cx.op_with(Op::OneHot, Attr::Type(ty), &[position]).map(Some)
}
