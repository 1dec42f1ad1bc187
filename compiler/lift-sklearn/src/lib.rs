//! Reads fitted scikit-learn pipelines as data and lifts them to Flock IR.
//!
//! [`read`] turns a file into values and runs nothing; [`lift`] turns values into a function of the IR, one lifter per
//! class in [`estimators`]. What a lifter does not know by name stops the lift with its place.

mod boosters;
mod boosters_parameters;
mod boosting;
mod categories;
mod columns;
mod define;
mod describe;
pub mod estimators;
mod forest;
mod labels;
mod lift;
mod prediction;
pub mod read;
mod survey;
mod trees;
mod version;

pub use boosters::{Booster, BoosterFile, ReadBooster};
pub use describe::{Description, Step, describe};
pub use lift::{Lift, Lifted, Lifter, Options, lift};
pub use read::sniff;
pub use survey::{Surveyed, Task, survey};
