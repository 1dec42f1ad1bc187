//! What has no exact form, refused by name: the option and why.

#[allow(dead_code, reason = "each test binary writes the pickles that it needs")]
mod pickles;

use flock_lift_sklearn::{Options, lift};
use pickles::{array, bool, dict, f64s, file, int, none, object, text, tuple};

type State = Vec<(&'static str, Vec<u8>)>;

/// The place and the message of the one fault.
fn refusal(module: &str, class: &str, state: State) -> String {
    let common = [("n_features_in_", int(1)), ("_sklearn_version", text("1.9.1"))];
    let value = object(module, class, state.into_iter().chain(common));
    match lift("m", &file(value), &Options::default()) {
        Ok(_) => panic!("{class} is lifted"),
        Err(faults) => faults.iter().map(|d| format!("{}: {}", d.place, d.message)).collect::<Vec<_>>().join("\n"),
    }
}

fn ints(values: &[i64]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    array("i8", &bytes, values.len())
}

/// A class or function by its name.
fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

/// A float.
fn float(x: f64) -> Vec<u8> {
    [&b"G"[..], &x.to_be_bytes()].concat()
}

fn dummy(strategy: &'static str) -> String {
    let state = vec![
        ("strategy", text(strategy)),
        ("constant", ints(&[0])),
        ("classes_", ints(&[0, 1])),
        ("class_prior_", f64s(&[0.25, 0.75])),
        ("n_outputs_", int(1)),
    ];
    refusal("sklearn.dummy", "DummyClassifier", state)
}

#[test]
fn what_is_drawn_at_random_has_no_value() {
    for strategy in ["stratified", "uniform"] {
        let expected = format!("strategy: the strategy `{strategy}` draws at random, anew with each call");
        assert_eq!(dummy(strategy), expected);
    }
}

fn machine(kernel: Vec<u8>) -> String {
    let state = vec![
        ("kernel", kernel),
        ("degree", int(3)),
        ("coef0", int(0)),
        ("_gamma", int(1)),
        ("_sparse", bool(false)),
        ("classes_", ints(&[0, 1])),
        ("_n_support", ints(&[1, 1])),
        ("support_", ints(&[0, 1])),
        ("support_vectors_", f64s(&[0.0, 1.0])),
        ("_dual_coef_", f64s(&[1.0, -1.0])),
        ("_intercept_", f64s(&[0.0])),
    ];
    refusal("sklearn.svm._classes", "SVC", state)
}

#[test]
fn a_kernel_of_python_is_a_name_alone() {
    let fault = machine(global("my_company.kernels", "similarity"));
    assert_eq!(fault, "kernel: a kernel that is a function of Python: a file has its name alone");
}

fn process(kernel: Vec<u8>) -> String {
    let state = vec![
        ("kernel_", kernel),
        ("X_train_", f64s(&[0.0])),
        ("alpha_", f64s(&[1.0])),
        ("_y_train_mean", f64s(&[0.0])),
        ("_y_train_std", f64s(&[1.0])),
    ];
    refusal("sklearn.gaussian_process._gpr", "GaussianProcessRegressor", state)
}

#[test]
fn a_bessel_function_without_closed_form_is_refused() {
    let state = vec![("nu", float(1.2)), ("length_scale", f64s(&[1.0]))];
    let fault = process(object("sklearn.gaussian_process.kernels", "Matern", state));
    assert!(fault.starts_with("kernel_.nu: `nu` of 1.2: its Bessel function has a closed form"), "{fault}");
}

#[test]
fn kernels_of_ones_own_are_refused() {
    let fault = process(object("my_company.kernels", "Wavelet", vec![("scale", f64s(&[1.0]))]));
    assert_eq!(fault, "kernel_: the kernel `my_company.kernels.Wavelet` is not one of the library's");
}

#[test]
fn a_loss_of_ones_own_has_a_link_that_python_alone_knows() {
    let state = vec![("loss", object("my_company.losses", "Huber", vec![]))];
    let fault =
        refusal("sklearn.ensemble._hist_gradient_boosting.gradient_boosting", "HistGradientBoostingRegressor", state);
    assert_eq!(fault, "loss: a loss that is not known, and so is its link");
}

#[test]
fn a_metric_of_ones_own_keeps_its_positive_class_to_itself() {
    let metric = global("my_company.metrics", "profit");
    let scorer = vec![("_kwargs", dict([])), ("_score_func", metric)];
    let state =
        vec![("estimator_", none()), ("_curve_scorer", object("sklearn.metrics._scorer", "_CurveScorer", scorer))];
    let fault = refusal("sklearn.model_selection._classification_threshold", "TunedThresholdClassifierCV", state);
    let expected = "_curve_scorer._score_func: the metric `my_company.metrics.profit`, whose positive class is known to Python alone";
    assert_eq!(fault, expected);
}

#[test]
fn kernel_values_between_rows_are_no_columns() {
    let state = vec![("classes_", ints(&[0, 1])), ("pairwise_indices_", tuple([ints(&[0, 1])]))];
    let fault = refusal("sklearn.multiclass", "OneVsOneClassifier", state);
    assert_eq!(fault, "pairwise_indices_: members over a table of kernel values between rows");
}

fn neighbours(metric: Vec<u8>, weights: Vec<u8>) -> String {
    let state = vec![
        ("n_neighbors", int(1)),
        ("weights", weights),
        ("p", int(2)),
        ("_y", f64s(&[0.0, 1.0])),
        ("_fit_X", f64s(&[0.0, 1.0])),
        ("_fit_method", text("kd_tree")),
        ("effective_metric_", metric),
        ("effective_metric_params_", b"}".to_vec()),
        ("n_samples_fit_", int(2)),
    ];
    refusal("sklearn.neighbors._regression", "KNeighborsRegressor", state)
}

#[test]
fn a_metric_or_weights_of_python_are_a_name_alone() {
    let fault = neighbours(global("my_company.metrics", "apart"), text("uniform"));
    assert_eq!(fault, "effective_metric_: a metric that is a function of Python: a file has its name alone");
}

#[test]
fn a_dissimilarity_that_is_no_metric_is_refused_with_an_index() {
    let fault = neighbours(text("braycurtis"), text("uniform"));
    assert!(fault.starts_with("effective_metric_: the dissimilarity `braycurtis`, which is no metric"), "{fault}");
}

#[test]
fn clusterings_of_training_rows_have_no_function_of_a_row() {
    let fault = refusal("sklearn.cluster._dbscan", "DBSCAN", vec![("eps", int(1))]);
    let expected = "model: `DBSCAN`, which labels its training rows alone: it has no `predict` for other rows";
    assert_eq!(fault, expected);
    let fault = refusal("sklearn.neighbors._lof", "LocalOutlierFactor", vec![("novelty", bool(false))]);
    assert!(fault.starts_with("novelty: outliers among the training rows alone"), "{fault}");
}
