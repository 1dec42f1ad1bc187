//! `OneHotEncoder`: per column 1 at the value's category, 0 elsewhere.
//!
//! | `categories_` | per column, sorted; None or NaN last |
//! | `_default_to_infrequent_mappings` | per column, category → position; all infrequent ones share the last |
//! | `_drop_idx_after_grouping` | per column, the position that has no column of its own |
//! | `handle_unknown` | `error` refuses the row, `ignore` gives zeros, `infrequent_if_exist`, and since 1.8 `warn`, the infrequent column |
//!
//! Infinities are refused. Source: scikit-learn `preprocessing/_encoders.py`.

use flock_ir_spec::{Attr, DType, Diagnostic, FrameType, NodeId, Op};

use crate::categories::{Categories, UNKNOWN};
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

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
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
    let mappings = super::infrequent_mappings(view, input.width())?;
    let drops = super::optional_list(view, "_drop_idx_after_grouping", input.width())?;
    let columns = cx.split(&input)?;
    let mut out = Columns::none();
    for (i, (categories, column)) in categories.iter().zip(columns).enumerate() {
        let encoding = match Encoding::of(categories, mappings.as_ref().map(|m| &m[i]), drops.as_ref().map(|d| &d[i])) {
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
    /// `mapping` is None or `None` where no category is infrequent, `drop` where none is dropped.
    fn of(view: &View<'_>, mapping: Option<&View<'_>>, drop: Option<&View<'_>>) -> Result<Encoding, Diagnostic> {
        let categories = Categories::of(view)?;
        let present = |v: &&View<'_>| !v.is_none();
        let mapping = mapping.filter(present).map(|m| m.sizes()).transpose()?;
        if mapping.as_ref().is_some_and(|m| m.len() != categories.len()) {
            return Err(view.expected(&format!("as many categories as positions, {}", categories.len())));
        }
        let grouped: Vec<usize> = mapping.clone().unwrap_or_else(|| (0..categories.len()).collect());
        let drop = drop.filter(present).map(|d| d.size()).transpose()?;
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
    cx: &mut Lift,
    place: &View<'_>,
    column: &Columns,
    encoding: &Encoding,
    error: bool,
    infrequent: bool,
) -> Result<Option<NodeId>, Diagnostic> {
    let unknown = encoding.infrequent.filter(|_| infrequent).map_or(UNKNOWN, |p| p as i64);
    let position =
        cx.positions(column, &encoding.categories, &encoding.positions, encoding.width, unknown, place)?;
    if error {
        cx.refuse_unknown(position)?;
    }
    if encoding.width == 0 {
        return Ok(None);
    }
    let ty = FrameType::new(DType::F64, encoding.width as u32);
    cx.op_with(Op::OneHot, Attr::Type(ty), &[position]).map(Some)
}
