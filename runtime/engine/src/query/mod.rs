//! SQL over files, with scorers as functions, on DataFusion.

mod function;
mod table;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::TableReference;
use datafusion::common::config::ConfigNonZeroUsize;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream_partitioned};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use flock_core::Field;
use futures::StreamExt;
use tokio::runtime::Runtime;

use crate::error::{EngineError, Faults};
use crate::query::function::ScorerFunction;
use crate::query::table::FilePartition;
use crate::run::{Progress, Summary};
use crate::scorer::Scorer;
use crate::sink::Sink;
use crate::source::{FileKind, Source};

/// Planning recurses over the statement: a generated one nests deeply. The memory is taken only as it is used.
const PLANNER_STACK: usize = 1 << 30;
/// Evaluation recurses over expressions.
const WORKER_STACK: usize = 256 << 20;
/// Batches that may wait for those before them.
const AHEAD: usize = 256;
/// How long a query is waited for before it is said again how far it is.
const TICK: Duration = Duration::from_millis(200);

/// Tables and functions by name, and the engine that runs queries over them. Reads only: statements that change
/// anything are refused.
pub struct QuerySession {
    context: SessionContext,
    runtime: Runtime,
    threads: usize,
}

pub(crate) fn refused(e: &DataFusionError) -> EngineError {
    if let DataFusionError::External(inner) = e.find_root()
        && let Some(e) = inner.downcast_ref::<EngineError>()
    {
        return e.clone();
    }
    EngineError::Query { message: e.find_root().strip_backtrace() }
}

impl QuerySession {
    /// A session without tables that uses that many threads.
    ///
    /// # Errors
    /// Where threads cannot be had.
    pub fn new(threads: usize) -> Result<QuerySession, EngineError> {
        let threads = threads.max(1);
        let mut config = SessionConfig::new().with_target_partitions(threads).with_information_schema(true);
        let options = config.options_mut();
        options.sql_parser.recursion_limit = ConfigNonZeroUsize::try_new(50_000).map_err(|e| refused(&e))?;
        // Rows then come in the order of the files wherever the query does not change it.
        options.optimizer.enable_round_robin_repartition = false;
        // It would take `get_field(f(…), 'a')` for cheap and score for each field again, and below filters.
        options.optimizer.enable_leaf_expression_pushdown = false;
        // It takes a column of Parquet whose statistics show one value for that constant; statistics leave NaN out.
        options.execution.collect_statistics = false;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_stack_size(WORKER_STACK)
            .enable_all()
            .build()
            .map_err(|e| EngineError::Query { message: e.to_string() })?;
        Ok(QuerySession { context: SessionContext::new_with_config(config), runtime, threads })
    }

    /// Names a file, a folder or a pattern. Parquet files are read by DataFusion itself, with its pushdown; others in
    /// the same way as by [`crate::run`], where columns of text formats named like one of `wanted` are read as such.
    ///
    /// # Errors
    /// All files that cannot be read.
    pub fn register_table(&mut self, name: &str, path: &str, wanted: &[Field]) -> Result<SchemaRef, Faults> {
        let source = Source::open(path)?;
        let failed = |e: DataFusionError| Faults::from(refused(&e));
        if source.files().all(|(_, kind)| kind == FileKind::Parquet) {
            let urls = source.files().map(|(p, _)| url(p)).collect::<Result<Vec<_>, _>>()?;
            let options = ParquetReadOptions { file_extension: "", ..ParquetReadOptions::default() };
            let frame = self.runtime.block_on(self.context.read_parquet(urls, options)).map_err(failed)?;
            let schema = Arc::new(frame.schema().as_arrow().clone());
            self.context.register_table(exact(name), frame.into_view()).map_err(failed)?;
            return Ok(schema);
        }
        let partitions = FilePartition::all(&source, wanted)?;
        let schema = partitions.schema.clone();
        let table = StreamingTable::try_new(schema.clone(), partitions.streams).map_err(failed)?;
        self.context.register_table(exact(name), Arc::new(table)).map_err(failed)?;
        Ok(schema)
    }

    /// Makes a scorer a function of its inputs in order: of that output, or with None of a struct of all outputs,
    /// of which SQL takes one by `get_field(f(…), 'output')`. Several of them on one call cost one scoring.
    /// SQL finds an unquoted name only where it is in lower case.
    ///
    /// # Errors
    /// Where the scorer has no such output.
    pub fn register_function(
        &mut self,
        name: &str,
        scorer: Arc<dyn Scorer>,
        output: Option<&str>,
    ) -> Result<(), EngineError> {
        self.context.register_udf(ScalarUDF::new_from_impl(ScorerFunction::new(name, scorer, output)?));
        Ok(())
    }

    /// Runs a query and hands its rows to the sink; `progress` counts rows and stops the query where it breaks. It is
    /// called also while no row comes; the share that was read is not known and given as 0.
    ///
    /// # Errors
    /// What DataFusion refuses, and faults of files and sinks. The sink is left unfinished then.
    pub fn run(
        &self,
        sql: &str,
        sink: &mut dyn Sink,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Summary, Faults> {
        let (to, from) = sync_channel(2);
        let mut summary = Summary::default();
        let work = || {
            let result = self.planned(sql, |plan| self.stream(plan, &to));
            if let Err(e) = result {
                _ = to.send(Err(refused(&e)));
            }
            drop(to);
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(PLANNER_STACK).spawn_scoped(scope, work);
            thread.map_err(|e| EngineError::Query { message: e.to_string() })?;
            // Dropped before the scope ends, so that the thread stops when this returns early.
            let from = from;
            loop {
                match from.recv_timeout(TICK) {
                    Ok(message) => match message? {
                        Message::Schema(schema) => sink.start(&schema)?,
                        Message::Rows(batch) => {
                            sink.write(&batch)?;
                            summary.rows += batch.num_rows() as u64;
                        }
                    },
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return sink.finish(),
                }
                if progress(Progress { rows: summary.rows, read: 0.0 }).is_break() {
                    return Err(EngineError::Stopped);
                }
            }
        })?;
        Ok(summary)
    }

    /// The physical plan as text.
    ///
    /// # Errors
    /// What DataFusion refuses.
    pub fn explain(&self, sql: &str) -> Result<String, Faults> {
        let plan = || self.planned(sql, |plan| Ok(displayable(plan.as_ref()).indent(false).to_string()));
        let text = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(PLANNER_STACK).spawn_scoped(scope, plan);
            match thread.map_err(|e| EngineError::Query { message: e.to_string() })?.join() {
                Ok(text) => text.map_err(|e| refused(&e)),
                Err(_) => Err(EngineError::Query { message: "planning failed".into() }),
            }
        });
        Ok(text?)
    }

    /// Plans on this thread, and drops the plan on it: both need its stack.
    fn planned<R>(
        &self,
        sql: &str,
        f: impl FnOnce(Arc<dyn ExecutionPlan>) -> Result<R, DataFusionError>,
    ) -> Result<R, DataFusionError> {
        let reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let plan = self
            .runtime
            .block_on(async { self.context.sql_with_options(sql, reads).await?.create_physical_plan().await })?;
        f(plan)
    }

    /// Sends the rows partition by partition, so that their order does not depend on which is faster. All run at
    /// once, each as far ahead as its share of the buffer lets it.
    fn stream(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        to: &SyncSender<Result<Message, EngineError>>,
    ) -> Result<(), DataFusionError> {
        if to.send(Ok(Message::Schema(plan.schema()))).is_err() {
            return Ok(());
        }
        let _guard = self.runtime.enter();
        let streams = execute_stream_partitioned(plan, self.context.task_ctx())?;
        let ahead = (AHEAD / streams.len().max(1)).max(2);
        let receivers: Vec<_> = streams
            .into_iter()
            .map(|mut stream| {
                let (send, receive) = tokio::sync::mpsc::channel(ahead);
                let task = self.runtime.spawn(async move {
                    while let Some(batch) = stream.next().await {
                        if send.send(batch).await.is_err() {
                            break;
                        }
                    }
                });
                (receive, Aborted(task))
            })
            .collect();
        for (mut receive, _task) in receivers {
            while let Some(batch) = receive.blocking_recv() {
                let batch = batch?;
                if batch.num_rows() > 0 && to.send(Ok(Message::Rows(batch))).is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Threads that queries use.
    pub fn threads(&self) -> usize {
        self.threads
    }
}

/// What the planning thread says.
enum Message {
    Schema(SchemaRef),
    Rows(RecordBatch),
}

/// Ends a task when it is no longer wanted.
struct Aborted(tokio::task::JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A table's name as it stands: not split at dots, not folded.
fn exact(name: &str) -> TableReference {
    TableReference::bare(name.to_string())
}

/// A path as a URL in which nothing is a pattern.
fn url(path: &Path) -> Result<String, EngineError> {
    let path = path.canonicalize().map_err(|e| EngineError::file(path, &e))?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-~:".contains(&b);
    let bytes = path.to_string_lossy().replace('\\', "/").into_bytes();
    let encoded: String =
        bytes.iter().map(|b| if plain(*b) { char::from(*b).to_string() } else { format!("%{b:02X}") }).collect();
    Ok(format!("file://{}{encoded}", if encoded.starts_with('/') { "" } else { "/" }))
}
