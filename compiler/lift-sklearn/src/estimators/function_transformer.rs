//! `FunctionTransformer` without a function: the identity that a `ColumnTransformer` puts where it passes columns through.
//! Source: scikit-learn `preprocessing/_function_transformer.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.FunctionTransformer",
    reads: &["func", "validate", "feature_names_out"],
    ignores: &["inverse_func", "accept_sparse", "check_inverse", "kw_args", "inv_kw_args"],
    lift,
};

fn lift(_: &mut Lift, view: &View<'_>, mut input: Columns) -> Result<Lifted, Diagnostic> {
    let func = view.attr("func")?;
    if !func.is_none() {
        let name = func.class().unwrap_or_else(|| func.kind());
        return Err(func.unsupported(format!("the function `{name}` is not supported")));
    }
    if view.attr("validate")?.bool()? {
        return Err(view.unsupported("`validate=True` is not supported"));
    }
    if view.attr("feature_names_out")?.str() != Some("one-to-one") {
        input.names = None;
    }
    Ok(Lifted::Columns(input))
}
