//! A scorer as a scalar function.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use datafusion::common::plan_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::bind::nearest;
use crate::error::{EngineError, kind_words};
use crate::scorer::{Scorer, accepts, data_type};

/// A function of the scorer's inputs that gives one output, or a struct of all.
pub(crate) struct ScorerFunction {
    name: String,
    scorer: Arc<dyn Scorer>,
    output: Option<usize>,
    signature: Signature,
}

impl ScorerFunction {
    pub(crate) fn new(
        name: &str,
        scorer: Arc<dyn Scorer>,
        output: Option<&str>,
    ) -> std::result::Result<ScorerFunction, EngineError> {
        let find = |wanted: &str| {
            let names = || scorer.outputs().iter().map(|o| o.name.as_str());
            names().position(|n| n == wanted).ok_or_else(|| EngineError::MissingColumn {
                column: wanted.into(),
                message: format!("the pipeline behind `{name}` has no such output"),
                nearest: nearest(wanted, names()),
            })
        };
        let output = output.map(find).transpose()?;
        Ok(ScorerFunction {
            name: name.into(),
            scorer,
            output,
            signature: Signature::user_defined(Volatility::Immutable),
        })
    }

    fn fields(&self) -> Fields {
        self.scorer.outputs().iter().map(|o| Field::new(&o.name, data_type(o.kind), o.nullable)).collect()
    }

    fn result(&self) -> (DataType, bool) {
        match self.output.and_then(|o| self.scorer.outputs().get(o)) {
            Some(o) => (data_type(o.kind), o.nullable),
            None => (DataType::Struct(self.fields()), false),
        }
    }

    fn score(&self, args: &[ColumnarValue], rows: usize) -> Result<ArrayRef> {
        let arrays = args.iter().map(|a| a.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let named = |(a, f): (&ArrayRef, &flock_core::Field)| Field::new(&f.name, a.data_type().clone(), true);
        let schema = Schema::new(arrays.iter().zip(self.scorer.inputs()).map(named).collect::<Vec<_>>());
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(schema), arrays, &options)?;
        let outputs = self.scorer.score(&batch).map_err(|e| DataFusionError::External(Box::new(e)))?;
        match self.output.and_then(|o| outputs.get(o)) {
            Some(o) => Ok(o.clone()),
            None => Ok(Arc::new(StructArray::try_new_with_length(self.fields(), outputs, None, rows)?)),
        }
    }
}

impl std::fmt::Debug for ScorerFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScorerFunction({})", self.name)
    }
}

impl PartialEq for ScorerFunction {
    fn eq(&self, o: &ScorerFunction) -> bool {
        self.name == o.name && self.output == o.output && Arc::ptr_eq(&self.scorer, &o.scorer)
    }
}

impl Eq for ScorerFunction {}

impl Hash for ScorerFunction {
    fn hash<H: Hasher>(&self, h: &mut H) {
        (&self.name, self.output).hash(h);
    }
}

impl ScalarUDFImpl for ScorerFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Arguments stay as they are: the scorer reads every accepted type where it lies.
    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        let inputs = self.scorer.inputs();
        if found.len() != inputs.len() {
            let names: Vec<&str> = inputs.iter().map(|f| f.name.as_str()).collect();
            return plan_err!(
                "`{}` takes {} arguments ({}), not {}",
                self.name,
                inputs.len(),
                names.join(", "),
                found.len()
            );
        }
        match inputs.iter().zip(found).find(|(f, t)| !accepts(f.kind, t)) {
            Some((f, t)) => plan_err!("`{}` needs {} for `{}`, not {t}", self.name, kind_words(f.kind), f.name),
            None => Ok(found.to_vec()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.result().0)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let (ty, nullable) = self.result();
        Ok(Arc::new(Field::new(&self.name, ty, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Array(self.score(&args.args, args.number_rows)?))
    }
}
