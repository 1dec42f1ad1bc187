//! Functions over Arrow batches.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowDictionaryKeyType, DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use flock_core::{Code, Column, CoreError, Field, FlockKind, OutputColumn, Program, Scratch, Values};

use crate::error::EngineError;

/// A function of rows to rows: compiled code, or the reference evaluation.
pub trait Scorer: Send + Sync {
    /// The inputs: column i of a batch is input i.
    fn inputs(&self) -> &[Field];

    /// The outputs: array o of a result is output o.
    fn outputs(&self) -> &[Field];

    /// The outputs of a batch, each with as many rows. The batch has one column per input, in order, of a type that
    /// [`crate::accepts`] the input's kind; names do not matter.
    ///
    /// # Errors
    /// [`EngineError::Score`] where a column does not fit, or a null is where none may be.
    fn score(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, EngineError>;
}

/// Compiled code as a [`Scorer`]. Input arrays are read where they lie.
pub struct CompiledScorer {
    program: Program,
    idle: Mutex<Vec<Scratch>>,
}

impl CompiledScorer {
    /// A scorer of that program.
    pub fn new(program: Program) -> CompiledScorer {
        CompiledScorer { program, idle: Mutex::default() }
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scorer for CompiledScorer {
    fn inputs(&self) -> &[Field] {
        self.program.inputs()
    }

    fn outputs(&self) -> &[Field] {
        self.program.outputs()
    }

    fn score(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, EngineError> {
        let rows = batch.num_rows();
        let arrays: Vec<ArrayRef> = batch.columns().iter().map(|a| plain(a, None)).collect::<Result<_, _>>()?;
        let columns = arrays.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let mut scratch = self.idle().pop().unwrap_or_else(|| self.program.scratch());
        let outputs = self.program.score(&columns, rows, &mut scratch);
        self.idle().push(scratch);
        outputs.map_err(refused)?.into_iter().map(|o| array(o, rows)).collect()
    }
}

pub(crate) fn refused(e: CoreError) -> EngineError {
    EngineError::Score { place: e.place, message: e.message }
}

fn arrow_refused(e: arrow::error::ArrowError) -> EngineError {
    EngineError::Score { place: "batch".into(), message: e.to_string() }
}

/// Whether a column of that Arrow type can be an input of that kind. Integers, floats, decimals and truth values can
/// become floats (rounding to nearest), integers and truth values i64; all text is text; a column of nulls is anything.
pub fn accepts(kind: FlockKind, found: &DataType) -> bool {
    match (kind, found) {
        (_, DataType::Null) => true,
        (_, DataType::Dictionary(_, value)) => accepts(kind, value),
        (FlockKind::Str, t) => matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
        (_, DataType::Boolean) => true,
        (FlockKind::Bool, _) => false,
        (FlockKind::I64, t) => t.is_integer(),
        (FlockKind::F32 | FlockKind::F64, t) => {
            t.is_integer() || t.is_floating() || matches!(t, DataType::Decimal128(..) | DataType::Decimal256(..))
        }
    }
}

/// The array in a type that [`column`] reads: decimals and half floats widen to f64, dictionaries of anything but
/// text are unpacked; everything else, and anything but `only` where that is given, is shared.
pub(crate) fn plain(array: &ArrayRef, only: Option<&DataType>) -> Result<ArrayRef, EngineError> {
    let to = match (array.data_type(), only) {
        (_, Some(t)) => t.clone(),
        (DataType::Float16 | DataType::Decimal128(..) | DataType::Decimal256(..), _) => DataType::Float64,
        (DataType::Dictionary(_, v), _) if !accepts(FlockKind::Str, v) => {
            return plain(&arrow::compute::cast(array, v).map_err(arrow_refused)?, None);
        }
        _ => return Ok(array.clone()),
    };
    arrow::compute::cast(array, &to).map_err(arrow_refused)
}

/// An array as an input column of a program, without copies.
///
/// # Errors
/// Where its type is none that a program reads.
pub fn column(array: &ArrayRef) -> Result<Column<'_>, EngineError> {
    macro_rules! numbers {
        ($t:ty) => {
            Column::numbers::<<$t as arrow::datatypes::ArrowPrimitiveType>::Native>(array.as_primitive::<$t>().values())
        };
    }
    let column = match array.data_type() {
        DataType::Null => return Ok(Column::null(array.len())),
        DataType::Boolean => {
            let bits = array.as_boolean().values();
            Column::bits(bits.values(), bits.offset(), bits.len()).map_err(refused)?
        }
        DataType::Int8 => numbers!(Int8Type),
        DataType::Int16 => numbers!(Int16Type),
        DataType::Int32 => numbers!(Int32Type),
        DataType::Int64 => numbers!(Int64Type),
        DataType::UInt8 => numbers!(UInt8Type),
        DataType::UInt16 => numbers!(UInt16Type),
        DataType::UInt32 => numbers!(UInt32Type),
        DataType::UInt64 => numbers!(UInt64Type),
        DataType::Float32 => numbers!(Float32Type),
        DataType::Float64 => numbers!(Float64Type),
        DataType::Utf8 => {
            let a = array.as_string::<i32>();
            Column::str32(a.value_offsets(), a.value_data()).map_err(refused)?
        }
        DataType::LargeUtf8 => {
            let a = array.as_string::<i64>();
            Column::str64(a.value_offsets(), a.value_data()).map_err(refused)?
        }
        DataType::Utf8View => {
            let a = array.as_string_view();
            let buffers: Vec<&[u8]> = a.data_buffers().iter().map(Buffer::as_slice).collect();
            Column::views(a.views(), &buffers).map_err(refused)?
        }
        DataType::Dictionary(key, _) => dictionary(array, key)?,
        other => {
            return Err(EngineError::Score { place: "batch".into(), message: format!("a column of type {other}") });
        }
    };
    match array.nulls() {
        Some(n) => column.validity(n.validity(), n.offset()).map_err(refused),
        None => Ok(column),
    }
}

fn dictionary<'a>(array: &'a ArrayRef, key: &DataType) -> Result<Column<'a>, EngineError> {
    fn of<K: ArrowDictionaryKeyType>(array: &ArrayRef) -> Result<Column<'_>, EngineError>
    where
        K::Native: Code,
    {
        let a = array.as_dictionary::<K>();
        Ok(Column::dictionary::<K::Native>(a.keys().values(), column(a.values())?))
    }
    match key {
        DataType::Int8 => of::<Int8Type>(array),
        DataType::Int16 => of::<Int16Type>(array),
        DataType::Int32 => of::<Int32Type>(array),
        DataType::Int64 => of::<Int64Type>(array),
        DataType::UInt8 => of::<UInt8Type>(array),
        DataType::UInt16 => of::<UInt16Type>(array),
        DataType::UInt32 => of::<UInt32Type>(array),
        _ => of::<UInt64Type>(array),
    }
}

/// An output column as an array, without copies.
///
/// # Errors
/// Where text is not UTF-8, which an input that is not UTF-8 can cause.
pub fn array(output: OutputColumn, rows: usize) -> Result<ArrayRef, EngineError> {
    let nulls = output.validity.map(|v| NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(v), 0, rows)));
    Ok(match output.values {
        Values::Bool(v) => Arc::new(BooleanArray::new(BooleanBuffer::new(Buffer::from_vec(v), 0, rows), nulls)),
        Values::I64(v) => Arc::new(Int64Array::new(ScalarBuffer::from(v), nulls)),
        Values::F32(v) => Arc::new(Float32Array::new(ScalarBuffer::from(v), nulls)),
        Values::F64(v) => Arc::new(Float64Array::new(ScalarBuffer::from(v), nulls)),
        Values::Str { offsets, bytes } => {
            let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
            Arc::new(StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls).map_err(arrow_refused)?)
        }
    })
}

/// The Arrow type of a kind.
pub fn data_type(kind: FlockKind) -> DataType {
    match kind {
        FlockKind::Bool => DataType::Boolean,
        FlockKind::I64 => DataType::Int64,
        FlockKind::F32 => DataType::Float32,
        FlockKind::F64 => DataType::Float64,
        FlockKind::Str => DataType::Utf8,
    }
}

/// An accepted array in exactly the type of a kind, converted as compiled code converts it: for evaluators that want
/// one type per kind. Nulls stay nulls.
///
/// # Errors
/// Where the array cannot become that kind, or an unsigned value is beyond i64.
pub fn canonical(array: &ArrayRef, kind: FlockKind) -> Result<ArrayRef, EngineError> {
    let array = plain(array, None)?;
    let output = column(&array)?.to_kind(kind).map_err(refused)?;
    self::array(output, array.len())
}
