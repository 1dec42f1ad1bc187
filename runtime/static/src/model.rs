//! Programs that were called before: each is checked once, and its memory used again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use flock_core::{Column, CoreError, FlockProgram, OutputColumn, Part, Program, Scratch};

use crate::{Faults, missing, pool};

/// A program of an object file, ready.
pub(crate) struct Model {
    pub program: Arc<Program>,
    idle: Mutex<Vec<Scratch>>,
}

/// The program at that address. It lives as long as the process: it is part of the program's file, or of a library that
/// is never unloaded.
/// # Safety
/// As for [`crate::flock_batch`].
pub(crate) unsafe fn get(program: *const FlockProgram) -> Result<&'static Model, Faults> {
    static KNOWN: OnceLock<RwLock<HashMap<usize, &'static Model>>> = OnceLock::new();
    let known = KNOWN.get_or_init(RwLock::default);
    if program.is_null() {
        return Err(missing("program"));
    }
    if let Some(model) = known.read().unwrap_or_else(PoisonError::into_inner).get(&program.addr()) {
        return Ok(model);
    }
    // SAFETY: the caller's promise.
    let made = unsafe { Program::from_static(&*program) }.map_err(|e| vec![e])?;
    let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
    let leak = || -> &'static Model { Box::leak(Box::new(Model { program: Arc::new(made), idle: Mutex::default() })) };
    Ok(known.entry(program.addr()).or_insert_with(leak))
}

/// Pieces of a batch per thread: some threads are slower than others.
const PIECES: usize = 4;

impl Model {
    /// The outputs of a batch.
    ///
    /// # Errors
    /// As for [`Program::score`].
    pub fn score(&self, columns: &[Column<'_>], rows: usize, threads: usize) -> Result<Vec<OutputColumn>, CoreError> {
        let batch = self.program.batch(columns, rows)?;
        let threads = if threads == 0 { pool::processors() } else { threads }.min(batch.blocks());
        let piece = if threads <= 1 { usize::MAX } else { batch.blocks().div_ceil(threads * PIECES) };
        let done: Mutex<(Vec<Part>, Vec<(usize, CoreError)>)> = Mutex::default();
        pool::run(threads, &|| {
            let mut scratch = self.idle().pop().unwrap_or_else(|| self.program.scratch());
            while let Some(part) = batch.next(piece, &mut scratch) {
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                match part {
                    Ok(part) => done.0.push(part),
                    Err(e) => {
                        done.1.push(e);
                        break;
                    }
                }
            }
            self.idle().push(scratch);
        });
        let (parts, faults) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        match faults.into_iter().min_by_key(|(row, _)| *row) {
            Some((_, fault)) => Err(fault),
            None => batch.finish(parts),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
