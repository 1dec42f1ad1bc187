//! `XGBClassifier`: a booster, asked up to its best iteration; `missing` is missing beside NaN.
//! Source: xgboost `sklearn.py`.

use crate::boosters;
use crate::boosters_parameters::XGBOOST;
use crate::lift::Lifter;

pub static LIFTER: Lifter = Lifter {
    class: "xgboost.sklearn.XGBClassifier",
    reads: &["_Booster", "missing", "classes_"],
    ignores: XGBOOST,
    lift: boosters::classifier,
};
