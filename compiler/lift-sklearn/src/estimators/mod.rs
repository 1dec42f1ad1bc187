//! One file per class, or per family of classes that share their arithmetic. A class is supported when it stands in
//! this list.

use flock_ir_spec::Diagnostic;

use crate::categories::Categories;
use crate::columns::{Columns, Kind};
use crate::lift::{Lift, Lifter};
use crate::read::view::View;

macro_rules! estimators {
    (@of $name:ident) => { std::slice::from_ref(&$name::LIFTER) };
    (@of $name:ident [family]) => { $name::LIFTERS };
    ($($name:ident $([$kind:ident])?)*) => {
        $(mod $name;)*

        /// The lifters of each file.
        static FILES: &[&[Lifter]] = &[$(estimators!(@of $name $([$kind])?)),*];
    };
}

/// Every lifter.
pub fn all() -> impl Iterator<Item = &'static Lifter> {
    FILES.iter().copied().flatten()
}

estimators! {
    ada_boost [family]
    bagging [family]
    binarizer
    bisecting_k_means
    calibrated_classifier_cv
    cat_boost_classifier
    cat_boost_ranker
    cat_boost_regressor
    categorical_nb
    category_encoders [family]
    chains [family]
    column_transformer
    decision_tree_classifier
    decision_tree_regressor
    discrete_nb [family]
    dummies [family]
    elliptic_envelope
    extra_tree_classifier
    extra_tree_regressor
    extra_trees_classifier
    extra_trees_regressor
    feature_engine [family]
    feature_engine_creation [family]
    feature_engine_encoders [family]
    feature_union
    function_transformer
    gaussian_mixtures [family]
    gaussian_nb
    gaussian_process_classifier
    gaussian_process_regressor
    generalized_linear [family]
    gradient_boosting_classifier
    gradient_boosting_regressor
    hist_gradient_boosting [family]
    imblearn_ensembles [family]
    isolation_forest
    isotonic_regression
    iterative_imputer
    k_bins_discretizer
    k_means [family]
    k_neighbors [family]
    kernel_maps [family]
    kernel_ridge
    kernel_samplers [family]
    knn_imputer
    label_encoders [family]
    label_propagations [family]
    lgbm_classifier
    lgbm_ranker
    lgbm_regressor
    linear_classifiers [family]
    linear_discriminant_analysis
    linear_regressors [family]
    local_outlier_factor
    logistic_regression [family]
    max_abs_scaler
    min_max_scaler
    missing_indicator
    multi_output [family]
    multiclass [family]
    multilayer_perceptrons [family]
    nearest_centres [family]
    nearest_centroid
    normalizer
    one_hot_encoder
    ordinal_encoder
    partial_least_squares [family]
    pipeline [family]
    polynomial_features
    power_transformer
    principal_components [family]
    projections [family]
    quadratic_discriminant_analysis
    quantile_transformer
    radius_neighbors [family]
    random_forest_classifier
    random_forest_regressor
    random_trees_embedding
    ransac_regressor
    ridge_classifier [family]
    robust_scaler
    select_from_model
    sgd_classifier
    sgd_one_class_svm
    simple_imputer
    spline_transformer
    stacking [family]
    standard_scaler
    support_vector_classifiers [family]
    support_vector_machines [family]
    supporting_selectors [family]
    target_encoder
    text_vectorizers [family]
    tfidf_transformer
    threshold_classifiers [family]
    training_rows_alone [family]
    transformed_target_regressor
    univariate_selectors [family]
    variance_threshold
    voting [family]
    wrappers [family]
    xgb_classifier
    xgb_ranker
    xgb_regressor
    xgbrf_classifier
    xgbrf_regressor
}

/// The library computes in float32 where every column is float32 (`dtype=np.float32` of an encoder); these steps are
/// lifted in f64 only.
pub(crate) fn refuse_single(input: &Columns, view: &View<'_>) -> Result<(), Diagnostic> {
    if input.facts().single {
        return Err(view.unsupported(format!("{} on columns of float32 alone", view.kind())));
    }
    Ok(())
}

/// Whether an encoder's `dtype` is float32. Integers and float64 hold its numbers alike.
fn dtype_is_single(dtype: &View<'_>) -> Result<bool, Diagnostic> {
    let name = dtype.class().or_else(|| dtype.str().map(String::from)).or_else(|| dtype.dtype_name());
    match name.as_deref().and_then(|n| n.rsplit('.').next()) {
        Some("float32" | "f4") => Ok(true),
        Some("float64" | "float" | "f8" | "int" | "int8" | "int16" | "int32" | "int64" | "uint8") => Ok(false),
        _ => Err(dtype.unsupported(format!("codes of dtype `{}`", name.unwrap_or_else(|| dtype.kind())))),
    }
}

/// The parts of a list, one per column.
pub(crate) fn per_column<'a>(list: &View<'a>, columns: usize) -> Result<Vec<View<'a>>, Diagnostic> {
    let items = list.items()?;
    if items.len() == columns {
        Ok(items)
    } else {
        Err(list.expected(&format!("an entry for each of {columns} columns")))
    }
}

/// An attribute that is None, or has an entry for each column.
fn optional_list<'a>(view: &View<'a>, name: &str, columns: usize) -> Result<Option<Vec<View<'a>>>, Diagnostic> {
    let list = view.attr(name)?;
    if list.is_none() { Ok(None) } else { per_column(&list, columns).map(Some) }
}

/// Per column category → position where infrequent categories share one; `None` where a column has none.
fn infrequent_mappings<'a>(encoder: &View<'a>, columns: usize) -> Result<Option<Vec<View<'a>>>, Diagnostic> {
    match encoder.get("_infrequent_enabled") {
        Some(enabled) if enabled.bool()? => optional_list(encoder, "_default_to_infrequent_mappings", columns),
        _ => Ok(None),
    }
}

/// Encoders refuse infinities in columns of numbers; NaN may be a category.
fn refuse_infinite_category(
    cx: &mut Lift,
    column: &Columns,
    categories: &Categories,
    place: &View<'_>,
) -> Result<(), Diagnostic> {
    if categories.kind() == Kind::Number && column.facts().big && !column.is_unknown() {
        let (x, kind) = cx.single(column, Kind::Number, place)?;
        if kind == Kind::Number {
            cx.refuse_infinity(x)?;
        }
    }
    Ok(())
}
