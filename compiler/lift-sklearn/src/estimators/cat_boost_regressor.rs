//! `CatBoostRegressor`: the model, which has the labels and says how many trees it keeps.
//! Source: catboost `core.py`.

use crate::boosters;
use crate::boosters_parameters::CATBOOST;
use crate::lift::Lifter;

pub static LIFTER: Lifter = Lifter {
    class: "catboost.core.CatBoostRegressor",
    reads: &["__model"],
    ignores: CATBOOST,
    lift: boosters::regressor,
};
