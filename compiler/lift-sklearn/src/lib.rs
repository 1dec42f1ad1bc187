//! Reads fitted scikit-learn pipelines as data and lifts them to Flock IR.
//!
//! [`read`] turns a file into values and runs nothing; [`lift`] turns values into a function of the IR, one lifter per
//! class in [`estimators`]. What a lifter does not know by name stops the lift with its place.

mod boosters;
mod boosters_parameters;
mod boosting;
mod categories;
mod columns;
mod coupling;
mod covariances;
mod define;
mod describe;
mod digamma;
pub mod estimators;
mod features;
mod forest;
mod histogram;
mod importances;
mod inverse;
mod kernels;
mod labels;
mod lift;
mod linear;
mod members;
mod metrics;
mod nearest;
mod neighbours;
mod numpy_functions;
mod prediction;
pub mod read;
mod refused;
mod selection;
mod stop_words;
mod support_vectors;
mod survey;
mod trees;
mod version;
mod votes;

pub use boosters::{Booster, BoosterFile, ReadBooster};
pub use describe::{Description, Step, describe};
pub use lift::{Lift, Lifted, Lifter, Options, lift};
pub use read::sniff;
pub use survey::{Surveyed, Task, survey};
