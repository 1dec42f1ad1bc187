//! Between Arrow arrays and the frames of the reference evaluator.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Float32Builder, Float64Builder, Int64Builder, RecordBatch,
    StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use flock_core::{Field, FlockKind};
use flock_engine::{EngineError, Keep, Source};
use flock_ir_spec::{DType, Diagnostic, Frame, FrameType, Function, Output, Param, Scalar, eval};

use crate::error::Result;
use crate::score::faults;

/// The Arrow type of a dtype.
pub fn data_type(dtype: DType) -> DataType {
    match dtype {
        DType::Bool => DataType::Boolean,
        DType::I64 => DataType::Int64,
        DType::F32 => DataType::Float32,
        DType::F64 => DataType::Float64,
        DType::Str => DataType::Utf8,
    }
}

/// The dtype of a column of that Arrow type, where the IR has one that holds its values exactly.
pub fn dtype(found: &DataType) -> Option<DType> {
    Some(match found {
        DataType::Boolean => DType::Bool,
        t if t.is_integer() && *t != DataType::UInt64 => DType::I64,
        DataType::Float16 | DataType::Float32 => DType::F32,
        DataType::Float64 => DType::F64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DType::Str,
        DataType::Dictionary(_, v) if v.is_string() => DType::Str,
        _ => return None,
    })
}

/// The runtime's name for a dtype.
pub fn kind(dtype: DType) -> FlockKind {
    match dtype {
        DType::Bool => FlockKind::Bool,
        DType::I64 => FlockKind::I64,
        DType::F32 => FlockKind::F32,
        DType::F64 => FlockKind::F64,
        DType::Str => FlockKind::Str,
    }
}

/// The inputs of a function as the engine names them.
pub fn input_fields(function: &Function) -> Vec<Field> {
    let field = |p: &Param| Field { name: p.name.to_string(), kind: kind(p.ty.dtype), nullable: p.ty.nullable };
    function.params.iter().map(field).collect()
}

/// The outputs of a function as the engine names them.
pub fn output_fields(function: &Function) -> Vec<Field> {
    let field = |o: &Output| {
        let ty = function.output_type(o)?;
        Some(Field { name: o.name.to_string(), kind: kind(ty.dtype), nullable: ty.nullable })
    };
    function.outputs.iter().filter_map(field).collect()
}

/// An array as a frame of width 1.
///
/// # Errors
/// Where the array cannot be cast to the frame's dtype.
pub fn from_arrow(array: &ArrayRef, ty: FrameType) -> std::result::Result<Frame, EngineError> {
    let array = flock_engine::canonical(array, kind(ty.dtype))?;
    let null = |i: usize| array.is_null(i);
    let frame = |get: &dyn Fn(usize) -> Scalar| {
        Frame::from_fn(array.len(), ty.nullable(), |i, _| if null(i) { Scalar::Null } else { get(i) })
    };
    Ok(match ty.dtype {
        DType::Bool => {
            let a: &BooleanArray = array.as_boolean();
            frame(&|i| Scalar::Bool(a.value(i)))
        }
        DType::I64 => {
            let a = array.as_primitive::<Int64Type>();
            frame(&|i| Scalar::I64(a.value(i)))
        }
        DType::F32 => {
            let a = array.as_primitive::<Float32Type>();
            frame(&|i| Scalar::F32(a.value(i)))
        }
        DType::F64 => {
            let a = array.as_primitive::<Float64Type>();
            frame(&|i| Scalar::F64(a.value(i)))
        }
        DType::Str => {
            let a: &StringArray = array.as_string();
            frame(&|i| Scalar::Str(a.value(i).into()))
        }
    })
}

/// Column `j` of a frame as an array.
pub fn to_arrow(frame: &Frame, j: usize) -> ArrayRef {
    let cells = || (0..frame.rows).map(|i| frame.get(i, j));
    macro_rules! array {
        ($builder:expr, $variant:ident) => {{
            let mut builder = $builder;
            for cell in cells() {
                match cell {
                    Scalar::$variant(x) => builder.append_value(x),
                    _ => builder.append_null(),
                }
            }
            Arc::new(builder.finish()) as ArrayRef
        }};
    }
    match frame.dtype() {
        DType::Bool => array!(BooleanBuilder::new(), Bool),
        DType::I64 => array!(Int64Builder::new(), I64),
        DType::F32 => array!(Float32Builder::new(), F32),
        DType::F64 => array!(Float64Builder::new(), F64),
        DType::Str => array!(StringBuilder::new(), Str),
    }
}

/// A whole data file as a table of the reference evaluator; columns of types that the IR does not have are left out.
///
/// # Errors
/// Where the file cannot be read.
pub fn table(path: &std::path::Path) -> Result<eval::Table> {
    let source = Source::open(&path.to_string_lossy()).map_err(faults)?;
    let schema = source.schema();
    let typed = schema.fields().iter().filter_map(|f| Some((f.name().clone(), dtype(f.data_type())?)));
    let fields: Vec<Field> = typed.map(|(name, d)| Field { name, kind: kind(d), nullable: true }).collect();
    let batches = read(&source, &fields)?;
    let column = |j: usize| {
        let parts: Vec<&dyn Array> = batches.iter().map(|b| b.column(j).as_ref()).collect();
        let whole = arrow::compute::concat(&parts).map_err(|e| {
            crate::Error::one(Diagnostic::new("flock::run::table", path.display().to_string(), e.to_string()))
        })?;
        let ty = FrameType::new(of_kind(fields[j].kind), 1).nullable();
        from_arrow(&whole, ty).map_err(|e| faults(e.into()))
    };
    let frames = (0..fields.len()).map(column).collect::<Result<Vec<_>>>()?;
    Ok(eval::Table::new(fields.iter().map(|f| f.name.as_str().into()).collect(), frames))
}

/// Columns of a source, by name, in batches.
///
/// # Errors
/// Where they do not bind or cannot be read.
pub fn read(source: &Source, fields: &[Field]) -> Result<Vec<RecordBatch>> {
    let bound = source.bind(fields, &Keep::Nothing).map_err(faults)?;
    let batches = bound.rows(BATCH_ROWS).map(|rows| rows.map(|r| r.inputs));
    batches.collect::<std::result::Result<_, _>>().map_err(|e| faults(e.into()))
}

/// Rows of a file that are read at a time.
pub(crate) const BATCH_ROWS: usize = 16_384;

fn of_kind(kind: FlockKind) -> DType {
    match kind {
        FlockKind::Bool => DType::Bool,
        FlockKind::I64 => DType::I64,
        FlockKind::F32 => DType::F32,
        FlockKind::F64 => DType::F64,
        FlockKind::Str => DType::Str,
    }
}
