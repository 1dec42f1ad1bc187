//! Functions: names, parameters, outputs.

use super::{Context, Found, Owner, check_unique, nodes};
use crate::module::Function;
use crate::types::MAX_WIDTH;

pub(super) fn check(context: &Context<'_>, faults: &mut Found) {
    check_unique(context.module.functions.iter().map(|f| &f.name), "function", || "module".into(), faults);
    for (index, function) in context.module.functions.iter().enumerate() {
        let place = || function.name.to_string();
        check_unique(function.params.iter().map(|p| &p.name), "parameter", place, faults);
        check_unique(function.outputs.iter().map(|o| &o.name), "output", place, faults);
        for p in &function.params {
            if p.ty.width == 0 || p.ty.width > MAX_WIDTH {
                let message = format!("parameter `{}` is {}, expected a width of 1 to {MAX_WIDTH}", p.name, p.ty);
                faults.add("flock::verify::type", place, message);
            }
        }
        nodes::check(context, &function.graph, &function.name, &Owner::Function(index), faults);
        outputs(function, faults);
        context.check_inlined(&function.name, context.sizes[index], faults);
    }
}

fn outputs(function: &Function, faults: &mut Found) {
    let place = || function.name.to_string();
    if function.outputs.is_empty() {
        faults.add("flock::verify::output", place, "no output");
    }
    for o in &function.outputs {
        if o.node.index() >= function.graph.nodes().len() {
            faults.add("flock::verify::output", place, format!("output `{}` is a node that does not exist", o.name));
        } else if function.output_type(o).is_none() {
            let found = function.graph.ty(o.node);
            faults.add("flock::verify::output", place, format!("output `{}` is {found}, expected a frame", o.name));
        }
    }
}
