//! Work on many threads with results in order and bounded memory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Applies `f` to the items of `source` on `threads` threads and hands the results to `sink` in the order of the items.
/// `sink` runs on the caller's thread; when it breaks, nothing more is taken from the source. At most `2 * threads`
/// items are under way or waiting, so a slow sink holds the source back. With one thread all runs on the caller's.
/// The result does not depend on the number of threads. A panic in `f` or `source` is passed on.
pub fn ordered_map<T: Send, R: Send>(
    threads: usize,
    source: impl Iterator<Item = T> + Send,
    f: impl Fn(T) -> R + Sync,
    mut sink: impl FnMut(R) -> ControlFlow<()>,
) {
    if threads <= 1 {
        let _ = source.map(f).try_for_each(sink);
        return;
    }
    let source = Mutex::new((0, source.fuse()));
    let state = State { queue: Mutex::default(), moved: Condvar::new(), window: 2 * threads };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| state.work(&source, &f));
        }
        state.drain(threads, &mut sink);
    });
}

/// Results that wait for their turn.
struct Queue<R> {
    done: BTreeMap<usize, R>,
    /// Number of results that the sink has taken: the next one's index.
    taken: usize,
    /// Threads that have ended.
    ended: usize,
    /// The sink wants no more, or a thread has panicked.
    stop: bool,
}

impl<R> Default for Queue<R> {
    fn default() -> Queue<R> {
        Queue { done: BTreeMap::new(), taken: 0, ended: 0, stop: false }
    }
}

struct State<R> {
    queue: Mutex<Queue<R>>,
    moved: Condvar,
    window: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R> State<R> {
    fn wait<'a>(&self, queue: MutexGuard<'a, Queue<R>>) -> MutexGuard<'a, Queue<R>> {
        self.moved.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }

    /// One thread: takes the next item while there is room, works on it, puts the result in its place.
    fn work<T>(&self, source: &Mutex<(usize, impl Iterator<Item = T>)>, f: impl Fn(T) -> R) {
        let _ended = Ended(self);
        loop {
            let mut next = lock(source);
            let index = next.0;
            let mut queue = lock(&self.queue);
            while index >= queue.taken + self.window && !queue.stop {
                queue = self.wait(queue);
            }
            if queue.stop {
                return;
            }
            drop(queue);
            let Some(item) = next.1.next() else { return };
            next.0 += 1;
            drop(next);
            let result = f(item);
            lock(&self.queue).done.insert(index, result);
            self.moved.notify_all();
        }
    }

    /// The caller's thread: hands over what is next until all threads have ended and nothing is left.
    fn drain(&self, threads: usize, sink: &mut impl FnMut(R) -> ControlFlow<()>) {
        loop {
            let mut queue = lock(&self.queue);
            let result = loop {
                let index = queue.taken;
                if let Some(result) = queue.done.remove(&index) {
                    queue.taken += 1;
                    break result;
                }
                if queue.stop || queue.ended == threads {
                    return;
                }
                queue = self.wait(queue);
            };
            drop(queue);
            self.moved.notify_all();
            let stop = Stop(self);
            if sink(result).is_break() {
                return;
            }
            std::mem::forget(stop);
        }
    }
}

/// Says that a thread has ended, by return or by panic.
struct Ended<'a, R>(&'a State<R>);

impl<R> Drop for Ended<'_, R> {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        queue.ended += 1;
        queue.stop |= std::thread::panicking();
        drop(queue);
        self.0.moved.notify_all();
    }
}

/// Lets the threads end, those that wait for room too: the sink wants no more, or it has panicked.
struct Stop<'a, R>(&'a State<R>);

impl<R> Drop for Stop<'_, R> {
    fn drop(&mut self) {
        lock(&self.0.queue).stop = true;
        self.0.moved.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::ordered_map;
    use std::ops::ControlFlow;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_order_whatever_the_threads() {
        for threads in [1, 2, 3, 8] {
            let mut out = Vec::new();
            let slow = |i: u64| {
                (0..(i * 7919 % 13) * 1000).for_each(|x| _ = std::hint::black_box(x));
                i * i
            };
            ordered_map(threads, 0..500, slow, |r| {
                out.push(r);
                ControlFlow::Continue(())
            });
            assert_eq!(out, (0..500).map(|i| i * i).collect::<Vec<_>>(), "{threads} threads");
        }
    }

    #[test]
    fn a_slow_sink_holds_the_source_back_and_a_break_stops_it() {
        let taken = AtomicUsize::new(0);
        let source = (0..).inspect(|_| _ = taken.fetch_add(1, Ordering::SeqCst));
        let mut seen = 0;
        ordered_map(
            2,
            source,
            |i: usize| i,
            |i| {
                assert!(taken.load(Ordering::SeqCst) <= i + 1 + 2 * 2 + 1, "at most the window ahead");
                seen += 1;
                if i == 50 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(seen, 51);
    }

    #[test]
    fn threads_that_wait_for_room_end_on_a_break_and_on_a_panic_of_the_sink() {
        let full = || std::thread::sleep(std::time::Duration::from_millis(5));
        for _ in 0..20 {
            ordered_map(
                3,
                0..,
                |i: usize| i,
                |_| {
                    full();
                    ControlFlow::Break(())
                },
            );
            let panics = || {
                ordered_map(
                    3,
                    0..,
                    |i: usize| i,
                    |_| -> ControlFlow<()> {
                        full();
                        panic!("the sink's own")
                    },
                );
            };
            assert!(std::panic::catch_unwind(panics).is_err());
        }
    }

    #[test]
    fn a_panic_is_passed_on() {
        let run = || ordered_map(2, 0..100, |i: u32| assert!(i != 40), |()| ControlFlow::Continue(()));
        assert!(std::panic::catch_unwind(run).is_err());
    }
}
