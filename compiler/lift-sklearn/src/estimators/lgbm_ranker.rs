//! `LGBMRanker`: a booster, asked up to its best iteration.
//! Source: lightgbm `sklearn.py`.

use crate::boosters;
use crate::boosters_parameters::LIGHTGBM;
use crate::lift::Lifter;

pub static LIFTER: Lifter = Lifter {
    class: "lightgbm.sklearn.LGBMRanker",
    reads: &["_Booster", "_objective", "_classes"],
    ignores: LIGHTGBM,
    lift: boosters::regressor,
};
