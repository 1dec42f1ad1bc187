//! Threads that stay: work that several of them do at once, without starting any for each batch.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Threads beyond which none is started, whatever is asked.
const MOST: usize = 256;

/// Processors of this machine that the process may use; 1 where that is not known.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Work that is offered.
struct Job {
    /// Valid until `run` returns, which waits for everyone that has begun.
    work: *const (dyn Fn() + Sync),
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Workers that may still begin.
    seats: usize,
    /// Workers that have begun and not ended.
    running: usize,
    panicked: bool,
}

// SAFETY: the work can be called by any thread, and `run` keeps it alive while one can.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

#[derive(Default)]
struct Pool {
    queue: VecDeque<Arc<Job>>,
    /// Workers that there are, in the process of that number: a fork has none of them.
    workers: usize,
    process: u32,
    /// Workers that wait for work.
    idle: usize,
}

static POOL: Mutex<Option<Pool>> = Mutex::new(None);
static OFFERED: Condvar = Condvar::new();

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` on this thread and on up to `threads - 1` others, and returns when all that have begun it are done. It must
/// do all there is to do whoever comes, this thread alone too: workers that are busy elsewhere do not begin.
/// A panic of the work is passed on.
pub(crate) fn run(threads: usize, work: &(dyn Fn() + Sync)) {
    if threads <= 1 {
        return work();
    }
    let erased: *const (dyn Fn() + Sync + '_) = work;
    // SAFETY: only the lifetime changes; nobody calls it once this function has returned.
    let work_of_job = unsafe { std::mem::transmute::<*const (dyn Fn() + Sync + '_), *const (dyn Fn() + Sync)>(erased) };
    let state = Mutex::new(State { seats: threads - 1, ..State::default() });
    let job = Arc::new(Job { work: work_of_job, state, ended: Condvar::new() });
    offer(&job, threads - 1);
    let own = catch_unwind(AssertUnwindSafe(work));
    let mut state = lock(&job.state);
    state.seats = 0;
    while state.running > 0 {
        state = job.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    let panicked = state.panicked;
    drop(state);
    if let Some(pool) = lock(&POOL).as_mut() {
        pool.queue.retain(|other| !Arc::ptr_eq(other, &job));
    }
    if let Err(panic) = own {
        resume_unwind(panic);
    }
    assert!(!panicked, "a worker has panicked");
}

/// Puts a job into the queue, and starts workers where too few wait.
fn offer(job: &Arc<Job>, wanted: usize) {
    let mut guard = lock(&POOL);
    let pool = guard.get_or_insert_with(Pool::default);
    if pool.process != std::process::id() {
        *pool = Pool { process: std::process::id(), ..Pool::default() };
    }
    pool.queue.push_back(Arc::clone(job));
    let more = wanted.saturating_sub(pool.idle).min(MOST.saturating_sub(pool.workers));
    for _ in 0..more {
        // Without a thread more, those that there are do the work.
        if std::thread::Builder::new().name("flock".into()).spawn(worker).is_err() {
            break;
        }
        pool.workers += 1;
    }
    drop(guard);
    OFFERED.notify_all();
}

fn worker() {
    loop {
        let job = next();
        // SAFETY: this worker has taken a seat, so that `run` waits for it.
        let work = unsafe { &*job.work };
        let done = catch_unwind(AssertUnwindSafe(work));
        let mut state = lock(&job.state);
        state.running -= 1;
        state.panicked |= done.is_err();
        if state.running == 0 {
            job.ended.notify_all();
        }
    }
}

/// Waits for a job with a seat, and takes it.
fn next() -> Arc<Job> {
    let mut guard = lock(&POOL);
    loop {
        let pool = guard.get_or_insert_with(Pool::default);
        while let Some(job) = pool.queue.front() {
            let mut state = lock(&job.state);
            if state.seats > 0 {
                state.seats -= 1;
                state.running += 1;
                drop(state);
                return Arc::clone(job);
            }
            drop(state);
            pool.queue.pop_front();
        }
        pool.idle += 1;
        guard = OFFERED.wait(guard).unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = guard.as_mut() {
            pool.idle = pool.idle.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::run;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Many callers at once, each with more threads than there are processors: every item is done once.
    #[test]
    fn everything_is_done_once_whoever_comes() {
        let rounds = if cfg!(miri) { 3 } else { 400 };
        std::thread::scope(|scope| {
            for caller in 0..4 {
                scope.spawn(move || {
                    for round in 0..rounds {
                        let items: Vec<AtomicUsize> = (0..round % 37).map(|_| AtomicUsize::new(0)).collect();
                        let taken = AtomicUsize::new(0);
                        run(1 + (caller + round) % 6, &|| {
                            while let Some(item) = items.get(taken.fetch_add(1, Ordering::Relaxed)) {
                                item.fetch_add(1, Ordering::Relaxed);
                            }
                        });
                        assert!(items.iter().all(|n| n.load(Ordering::Relaxed) == 1));
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_is_passed_on_and_the_pool_lives() {
        let panics = std::panic::catch_unwind(|| run(4, &|| panic!("of the work")));
        assert!(panics.is_err());
        let done = AtomicUsize::new(0);
        run(4, &|| _ = done.fetch_add(1, Ordering::Relaxed));
        assert!((1..=4).contains(&done.into_inner()));
    }
}
