//! The embedded SQL engine: the generated SQL, executed over files. Needs the feature `query`.

use std::ops::ControlFlow;

use flock_engine::Progress;
use flock_ir_spec::Verified;

use crate::artefact::Pipeline;
use crate::error::Result;
use crate::query;
use crate::run::{Done, Request};
use crate::verify::Answer;

/// What is told how far the work is, and may stop it.
type OnProgress<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

#[cfg(not(feature = "query"))]
mod absent {
    use super::*;
    use crate::error::Error;

    /// Says how to get it.
    pub fn run(_: &Request<'_>, _: OnProgress<'_>) -> Result<Done> {
        Err(Error::feature("query", "--engine sql"))
    }

    /// Says how to get it.
    pub fn query(_: &Verified, _: &str, _: query::Choice, _: &query::Request<'_>, _: OnProgress<'_>) -> Result<Done> {
        Err(Error::feature("query", "flockc query"))
    }

    /// Says how to get it.
    pub fn answerer(_: &Pipeline) -> Result<Answer> {
        Err(Error::feature("query", "the engine `sql`"))
    }
}
#[cfg(not(feature = "query"))]
pub use absent::{answerer, query, run};

#[cfg(feature = "query")]
pub use present::{answerer, query, run};

#[cfg(feature = "query")]
mod present {
    use std::sync::Arc;
    use std::time::Instant;

    use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
    use flock_engine::{EngineError, FileSink, QuerySession, Scorer, Sink, Source, Summary};
    use flock_ir_spec::Diagnostic;

    use super::*;
    use crate::compile::{SqlOptions, collisions, sql};
    use crate::error::Error;
    use crate::output::Output;
    use crate::score::{compiled, faults};

    const TABLE: &str = "data";
    const ROW: &str = "row number";

    fn statement(pipeline: &Pipeline, keep: Vec<String>) -> Result<String> {
        let options =
            SqlOptions { dialect: "datafusion".into(), table: TABLE.into(), keep, exact: true, no_optimize: false };
        sql(pipeline, &options)
    }

    /// Scores a file with the pipeline's SQL.
    pub fn run(request: &Request<'_>, progress: OnProgress<'_>) -> Result<Done> {
        let path = request.data.to_string_lossy();
        let source = Source::open(&path).map_err(faults)?;
        let fields = crate::frames::input_fields(request.pipeline.function());
        // The same faults, in the same words, as every other engine gives.
        let bound = source.bind(&fields, &request.kept()).map_err(faults)?;
        read_once(&fields, bound.kept())?;
        let keep: Vec<String> = bound.kept().fields().iter().map(|f| f.name().clone()).collect();
        collisions(request.pipeline, &keep, false)?;
        let text = statement(request.pipeline, keep.clone())?;
        let started = Instant::now();
        let mut session = session(request.threads)?;
        session.register_table(TABLE, &path, &fields).map_err(faults)?;
        let counted = Summary::default();
        let inner = Output::new(request.out)?;
        let mut sink = Counting { inner, outputs: keep.len(), strict: request.strict, counted };
        session.run(&text, &mut sink, progress).map_err(faults)?;
        Ok(sink.inner.done(sink.counted, ("sql", "asked for".into()), started))
    }

    /// A table has one column of a name: what is kept and an input must be of one type as both.
    fn read_once(inputs: &[flock_engine::Field], kept: &Schema) -> Result<()> {
        let twice = |f: &&Arc<Field>| {
            inputs.iter().any(|i| i.name == *f.name() && !flock_engine::accepts(i.kind, f.data_type()))
        };
        let fault = |f: &Arc<Field>| {
            let message = "it is kept as it stands in the file, as text, and is a number as an input";
            Diagnostic::new("flock::run::kept_input", format!("column `{}`", f.name()), message)
                .help("the SQL engine reads a column once: use --engine native, or do not keep it")
        };
        let faults: Vec<Diagnostic> = kept.fields().iter().filter(twice).map(fault).collect();
        if faults.is_empty() { Ok(()) } else { Err(Error::Input(faults)) }
    }

    /// Runs a statement over files; the functions that it calls are the module's, as machine code.
    pub fn query(
        module: &Verified,
        sql: &str,
        choice: query::Choice,
        request: &query::Request<'_>,
        progress: OnProgress<'_>,
    ) -> Result<Done> {
        let started = Instant::now();
        let mut session = session(request.threads)?;
        for (name, path) in request.tables {
            session.register_table(name, &path.to_string_lossy(), &[]).map_err(faults)?;
        }
        for function in &module.functions {
            let scorer: Arc<dyn Scorer> = Arc::new(compiled(module, &function.name, request.codegen)?);
            for output in &function.outputs {
                let name = query::function_name(&function.name, &output.name);
                session.register_function(&name, scorer.clone(), Some(&*output.name)).map_err(|e| faults(e.into()))?;
            }
        }
        let mut output = Output::new(request.out)?;
        let summary = session.run(sql, &mut output, progress).map_err(faults)?;
        Ok(output.done(summary, (choice.engine, choice.why), started))
    }

    fn session(threads: Option<usize>) -> Result<QuerySession> {
        let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        QuerySession::new(threads).map_err(|e| faults(e.into()))
    }

    /// Counts the rows that are null in every output.
    struct Counting {
        inner: Output,
        /// The first output's column.
        outputs: usize,
        /// Whether such a row is a fault.
        strict: bool,
        counted: Summary,
    }

    impl Sink for Counting {
        fn start(&mut self, schema: &SchemaRef) -> std::result::Result<(), EngineError> {
            self.inner.start(schema)
        }

        fn write(&mut self, batch: &RecordBatch) -> std::result::Result<(), EngineError> {
            let outputs = &batch.columns()[self.outputs..];
            let refused = |i: &usize| outputs.iter().all(|o| o.is_null(*i));
            self.counted.refused += (0..batch.num_rows()).filter(refused).count() as u64;
            self.counted.rows += batch.num_rows() as u64;
            self.inner.write(batch)
        }

        fn finish(&mut self) -> std::result::Result<(), EngineError> {
            let Summary { rows, refused } = self.counted;
            if self.strict && refused > 0 {
                return Err(EngineError::RefusedRows { refused, rows });
            }
            self.inner.finish()
        }
    }

    /// Answers batches by the pipeline's SQL over a temporary file.
    pub fn answerer(pipeline: &Pipeline) -> Result<Answer> {
        let text = statement(pipeline, vec![ROW.into()])?;
        let wanted: Vec<String> = pipeline.function().outputs.iter().map(|o| o.name.to_string()).collect();
        Ok(Box::new(move |batch| answer(batch, &text, &wanted)))
    }

    fn answer(batch: &RecordBatch, text: &str, wanted: &[String]) -> Result<Vec<ArrayRef>> {
        let fault = |m: String| Error::one(Diagnostic::new("flock::verify::sql", "embedded SQL engine", m));
        let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
        let mut columns = batch.columns().to_vec();
        fields.push(Arc::new(Field::new(ROW, DataType::Int64, false)));
        columns.push(Arc::new(Int64Array::from_iter_values(0..batch.num_rows() as i64)));
        let schema = Arc::new(Schema::new(fields));
        let numbered = RecordBatch::try_new(schema.clone(), columns).map_err(|e| fault(e.to_string()))?;
        let folder = tempfile::tempdir().map_err(|e| fault(e.to_string()))?;
        let path = folder.path().join("rows.parquet");
        let mut sink = FileSink::new(&path).map_err(|e| faults(e.into()))?;
        let write =
            |sink: &mut FileSink| sink.start(&schema).and_then(|()| sink.write(&numbered)).and_then(|()| sink.finish());
        write(&mut sink).map_err(|e| faults(e.into()))?;
        let mut session = session(None)?;
        session.register_table(TABLE, &path.to_string_lossy(), &[]).map_err(faults)?;
        let mut all = Collected::default();
        session.run(text, &mut all, &mut |_| ControlFlow::Continue(())).map_err(faults)?;
        let schema = all.schema.ok_or_else(|| fault("no result".into()))?;
        let whole = arrow::compute::concat_batches(&schema, &all.batches).map_err(|e| fault(e.to_string()))?;
        let at = schema.index_of(ROW).map_err(|e| fault(e.to_string()))?;
        let rows = whole.column(at).as_primitive::<Int64Type>();
        let order = arrow::compute::sort_to_indices(rows, None, None).map_err(|e| fault(e.to_string()))?;
        let one = |name: &String| {
            let column = whole.column_by_name(name).ok_or_else(|| fault(format!("no column `{name}`")))?;
            arrow::compute::take(column, &order, None).map_err(|e| fault(e.to_string()))
        };
        wanted.iter().map(one).collect()
    }

    /// Keeps every batch.
    #[derive(Default)]
    struct Collected {
        schema: Option<SchemaRef>,
        batches: Vec<RecordBatch>,
    }

    impl Sink for Collected {
        fn start(&mut self, schema: &SchemaRef) -> std::result::Result<(), EngineError> {
            self.schema = Some(schema.clone());
            Ok(())
        }
        fn write(&mut self, batch: &RecordBatch) -> std::result::Result<(), EngineError> {
            self.batches.push(batch.clone());
            Ok(())
        }
        fn finish(&mut self) -> std::result::Result<(), EngineError> {
            Ok(())
        }
    }
}
