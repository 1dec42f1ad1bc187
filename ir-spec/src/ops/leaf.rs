//! Leaves: where values come from.

use super::{Attr, AttrKind, frame, ops};
use crate::types::Type;

ops! {
    /// A parameter of the function, null where the argument is.
    INPUT = "input"() [AttrKind::Param] {
        shape "the parameter's type", nulls Own, exact Bits, source "Flock", infer |_, _| Err("a parameter's type is the function's to say".into()), leaf ()
    }
    /// A constant of the module, named by its content hash.
    CONST = "const"() [AttrKind::Const] {
        shape "the constant's type", nulls Never, exact Bits, source "Flock", infer |_, _| Err("a constant's type is the pool's to say".into()), leaf ()
    }
    /// A column of a relation, named by its id; null where the row has none, above an outer join too.
    COLUMN = "column"() [AttrKind::Column] {
        shape "the column's type, width 1", nulls Own, exact Bits, source "Flock", infer |_, _| Err("a column's type is the relation's to say".into()), leaf ()
    }
    /// A null on every row.
    NULL = "null"() [AttrKind::Type] {
        shape "the type of the attribute, nullable", nulls Own, exact Bits, source "SQL:2016 6.5", infer null, eval |c| c.each(|_, _| crate::Scalar::Null)
    }
    /// One output of a function of the module: a model stays a name until it is inlined. Null where
    /// the function gives null.
    CALL = "call"("a*") [AttrKind::Call] {
        shape "the function's parameters in order -> the output's type", nulls Own, exact Bits, source "Flock", infer call, leaf ()
    }
    /// SQL that is carried and not read. No engine but the target database knows its value, nulls included.
    OPAQUE = "opaque"("a*") [AttrKind::Opaque] {
        shape "frames of width 1 -> the type of the attribute", nulls Own, exact Bits, source "Flock", infer opaque, leaf ()
    }
}

fn null(attr: &Attr, _: &[Type]) -> Result<Type, String> {
    match attr {
        Attr::Type(t) if t.nullable => Ok(Type::Frame(*t)),
        _ => Err("a null needs a nullable type".into()),
    }
}

fn call(attr: &Attr, _: &[Type]) -> Result<Type, String> {
    match attr {
        Attr::Call { ty, .. } => Ok(Type::Frame(*ty)),
        _ => Err("no function is named".into()),
    }
}

fn opaque(attr: &Attr, args: &[Type]) -> Result<Type, String> {
    for i in 0..args.len() {
        let t = frame(args, i)?;
        if t.width != 1 {
            return Err(format!("operand {i} is {t}, expected width 1"));
        }
    }
    match attr {
        Attr::Opaque { ty, .. } if ty.width == 1 => Ok(Type::Frame(*ty)),
        _ => Err("SQL gives a value of width 1".into()),
    }
}
