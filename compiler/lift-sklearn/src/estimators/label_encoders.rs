//! `LabelEncoder`: the position of a label; `LabelBinarizer`: one-hot, a single column for two labels.
//!
//! | `classes_` | labels, sorted |   | `pos_label`, `neg_label` | what stands for 1 and 0 |
//!
//! They take one column, the target. A label that was not seen is refused by the first, and nothing but `neg_label` to
//! the second, which takes whole numbers and text. Source: scikit-learn `preprocessing/_label.py`.

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, NodeId, Op};

use crate::categories::{Categories, UNKNOWN};
use crate::columns::{Columns, Facts, Kind};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::{Plain, View};

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.preprocessing.LabelBinarizer",
        reads: &["pos_label", "neg_label", "classes_", "y_type_", "sparse_output"],
        ignores: &["sparse_input_"],
        lift: binarize,
    },
    Lifter { class: "sklearn.preprocessing.LabelEncoder", reads: &["classes_"], ignores: &[], lift: encode },
];

fn encode(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let (position, _) = position(cx, view, &input)?;
    cx.refuse_unknown(position)?;
    Ok(Lifted::Columns(Columns::node(position, 1, Facts::CODES, None)))
}

fn binarize(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let kind = view.attr("y_type_")?;
    if !matches!(kind.str(), Some("binary" | "multiclass")) {
        return Err(kind.unsupported("labels of more than one column"));
    }
    let (position, classes) = position(cx, view, &input)?;
    let (negative, positive) = (view.attr("neg_label")?.int()?, view.attr("pos_label")?.int()?);
    let labels = [positive, negative].map(|l| cx.b.constant(Frame::row_i64([l])));
    let at: Vec<i64> = match classes {
        // One class alone is never positive.
        1 => vec![-2],
        2 => vec![1],
        n => (0..n as i64).collect(),
    };
    let width = at.len();
    let at = cx.b.constant(Frame::row_i64(at));
    let is = cx.op(Op::Eq, &[position, at])?;
    let node = cx.op(Op::Select, &[is, labels[0], labels[1]])?;
    let mut out = Columns::node(node, width, Facts::CODES, None);
    out.sparse = view.attr("sparse_output")?.bool()?;
    Ok(Lifted::Columns(out))
}

/// The position of the label, and how many there are.
fn position(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Result<(NodeId, usize), Diagnostic> {
    if input.width() != 1 {
        return Err(view.unsupported(format!("labels of {} columns", input.width())));
    }
    cx.settle(input)?;
    let place = view.attr("classes_")?;
    if place.plains()?.iter().any(|p| matches!(p, Plain::None | Plain::Na) || p.number().is_some_and(f64::is_nan)) {
        return Err(place.unsupported("a label that is missing"));
    }
    let categories = Categories::of(&place)?;
    let (n, kind) = (categories.len(), categories.kind());
    let positions: Vec<Option<usize>> = (0..n).map(Some).collect();
    refuse_broken(cx, view, input, kind)?;
    Ok((cx.positions(input, &categories, &positions, n, UNKNOWN, &place)?, n))
}

/// Numbers that are not whole are no labels to the library, and neither is what is missing.
fn refuse_broken(cx: &mut Lift, view: &View<'_>, input: &Columns, kind: Kind) -> Result<(), Diagnostic> {
    let (x, found) = cx.single(input, kind, view)?;
    let whole = if found == Kind::Number {
        let ty = FrameType::new(DType::F64, 1);
        let x = if cx.frame_type(x).dtype == DType::F64 { x } else { cx.op_with(Op::Cast, Attr::Type(ty), &[x])? };
        cx.refuse_infinity(x)?;
        let floor = cx.op(Op::Floor, &[x])?;
        cx.op(Op::Eq, &[x, floor])?
    } else {
        let null = cx.op(Op::IsNull, &[x])?;
        cx.op(Op::Not, &[null])?
    };
    cx.b.refuse_unless(whole);
    Ok(())
}
