//! Constants: content, shape, hash.

use super::Found;
use crate::constant::Constant;
use crate::frame::Frame;
use crate::module::Module;
use crate::with_data;

pub(super) fn check(module: &Module, faults: &mut Found) {
    for (id, constant) in module.constants.iter() {
        let sound = match constant.as_ref() {
            Constant::Table(t) => table(t),
            Constant::Trees(t) => t.check(),
            Constant::Terms(t) => t.check(),
        };
        let place = || format!("#{id}");
        match sound {
            Err(why) => faults.add("flock::verify::constant", place, why),
            // Only what is sound has a hash that means anything.
            Ok(()) if !module.constants.is_hashed(id) && constant.id() != id => {
                faults.add("flock::verify::hash", place, format!("the content hashes to #{}", constant.id()));
            }
            Ok(()) => {}
        }
    }
}

fn table(t: &Frame) -> Result<(), String> {
    let found = with_data!(&t.data, v => v.len());
    let fits = |n: usize| u32::try_from(n).is_ok();
    if t.rows.checked_mul(t.width) != Some(found) || !fits(t.rows) || !fits(t.width) {
        return Err(format!("{found} elements in a table of {} x {}", t.rows, t.width));
    }
    if t.width == 0 && t.rows != 1 {
        return Err(format!("a table of {} rows without columns", t.rows));
    }
    match &t.valid {
        Some(valid) if valid.len() != found || valid.contains(&false) => Err("a null in a constant".into()),
        _ => Ok(()),
    }
}
