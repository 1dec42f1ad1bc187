//! Programs that were called before: each is checked once, and its memory used again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

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
    // A list: a process has few.
    static KNOWN: RwLock<Vec<(usize, &'static Model)>> = RwLock::new(Vec::new());
    if program.is_null() {
        return Err(missing("program"));
    }
    let find = |known: &[(usize, &'static Model)]| known.iter().find(|k| k.0 == program.addr()).map(|k| k.1);
    if let Some(model) = find(&KNOWN.read().unwrap_or_else(PoisonError::into_inner)) {
        return Ok(model);
    }
    // SAFETY: the caller's promise.
    let made = unsafe { Program::from_static(&*program) }.map_err(|e| vec![e])?;
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(model) = find(&known) {
        return Ok(model);
    }
    let model: &'static Model = Box::leak(Box::new(Model { program: Arc::new(made), idle: Mutex::default() }));
    known.push((program.addr(), model));
    Ok(model)
}

/// Pieces of a batch per thread: some threads are slower than others.
const PIECES: usize = 4;

impl Model {
    /// The outputs of a batch.
    ///
    /// # Errors
    /// As for [`Program::score`].
    pub fn score(&self, columns: &[Column<'_>], rows: usize, threads: usize) -> Result<Vec<OutputColumn>, CoreError> {
        let threads = if threads == 0 { pool::processors() } else { threads };
        let batch = self.program.batch(columns, rows)?.divided(threads);
        let threads = threads.min(batch.blocks());
        let piece = if threads <= 1 { usize::MAX } else { batch.blocks().div_ceil(threads * PIECES) };
        let done: Mutex<Vec<Part>> = Mutex::default();
        let failed: Mutex<Vec<(usize, CoreError)>> = Mutex::default();
        pool::run(threads, &|| {
            let mut scratch = self.idle().pop().unwrap_or_else(|| self.program.scratch());
            while let Some(part) = batch.next(piece, &mut scratch) {
                match part {
                    Ok(part) => lock(&done).push(part),
                    Err(e) => {
                        lock(&failed).push(e);
                        break;
                    }
                }
            }
            self.idle().push(scratch);
        });
        let failed = std::mem::take(&mut *lock(&failed));
        match failed.into_iter().min_by_key(|(row, _)| *row) {
            Some((_, fault)) => Err(fault),
            None => batch.finish(std::mem::take(&mut *lock(&done))),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Scratch>> {
        lock(&self.idle)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
