//! Where buffers lie in scratch, and how many rows a block has.

use super::{Arg, Buffer, Place, Plan, Step, View};
use crate::fuse::frame_operands;

/// Scratch that a block should stay within, so that it stays in the second-level cache with the model beside it.
const CACHE_BYTES: u64 = 256 << 10;
/// Most rows of a block: the features that an ensemble walks over then fit into the first-level cache.
const MOST_ROWS: u64 = 256;
/// Rows come in these; kernels rely on it.
const ROWS: u64 = 64;
/// Scratch beyond which a function is refused.
const MOST_BYTES: u64 = 512 << 20;
/// Scratch up to which a kernel gets more rows of a block than [`ENOUGH_ROWS`].
const LARGE_BYTES: u64 = 16 << 20;
/// Rows up to which a kernel that asks for them needs them.
const ENOUGH_ROWS: u64 = 512;

/// A kernel's memory of so many bytes, whatever the rows of a block are.
#[derive(Clone, Copy)]
pub(crate) struct Fixed {
    pub buffer: u32,
    pub bytes: usize,
}

/// Lays the buffers out; a buffer's memory is used again after its last step. Rows of a block are what a kernel has asked
/// for, as long as scratch is not too large, or what fits into the cache. False where it is too large for 64 rows.
pub(crate) fn lay_out(plan: &mut Plan, fixed: &[Fixed]) -> bool {
    let lives = lives(plan);
    let asked = (plan.block_rows as u64).next_multiple_of(ROWS);
    let mut rows = asked;
    loop {
        for Fixed { buffer, bytes } in fixed {
            plan.buffers[*buffer as usize].row_bytes = (*bytes as u64).div_ceil(rows);
        }
        let row_bytes = arrange(plan, &lives);
        if asked == 0 {
            rows = (CACHE_BYTES / row_bytes.max(1) / ROWS * ROWS).clamp(ROWS, MOST_ROWS);
        }
        let most = if rows > ENOUGH_ROWS { LARGE_BYTES } else { MOST_BYTES };
        match row_bytes.checked_mul(rows) {
            Some(bytes) if bytes <= most => {
                (plan.block_rows, plan.scratch_bytes) = (rows as usize, bytes as usize);
                return true;
            }
            _ if rows <= ROWS => return false,
            _ => rows = (rows / 2).next_multiple_of(ROWS),
        }
    }
}

/// Places the buffers, and gives the bytes of a row that they take together.
fn arrange(plan: &mut Plan, lives: &[Option<(usize, usize)>]) -> u64 {
    let mut starts: Vec<Vec<usize>> = vec![Vec::new(); plan.steps.len()];
    let mut ends: Vec<Vec<usize>> = vec![Vec::new(); plan.steps.len()];
    for (b, life) in lives.iter().enumerate() {
        if let Some((first, last)) = life {
            starts[*first].push(b);
            ends[*last].push(b);
        }
    }
    let mut space = Space::default();
    for step in 0..plan.steps.len() {
        for b in &starts[step] {
            let buffer = &mut plan.buffers[*b];
            buffer.at = space.take(buffer.row_bytes);
        }
        for b in &ends[step] {
            let Buffer { row_bytes, at } = plan.buffers[*b];
            space.give(at, row_bytes);
        }
    }
    space.end
}

/// The first and last step that touch each buffer.
fn lives(plan: &Plan) -> Vec<Option<(usize, usize)>> {
    let mut lives = vec![None; plan.buffers.len()];
    for (i, step) in plan.steps.iter().enumerate() {
        touched(plan, step, &mut |v: View| {
            let life = &mut lives[v.buffer as usize];
            *life = Some((life.map_or(i, |(first, _)| first), i));
        });
    }
    lives
}

fn touched(plan: &Plan, step: &Step, f: &mut dyn FnMut(View)) {
    let mut place = |p: &Place| {
        f(p.data);
        p.valid.iter().for_each(|v| f(v.view));
    };
    match step {
        Step::Loop(l) => {
            place(&l.to);
            let operands = l.members.iter().flat_map(|m| frame_operands(&plan.flat.graph, *m));
            operands.filter_map(|a| plan.places[a.index()].as_ref()).for_each(place);
        }
        Step::Call { args, .. } => args.iter().for_each(|a| {
            if let Arg::Column(v, _) = a {
                f(*v);
            }
        }),
        Step::Ones { to, .. } | Step::Text { to, .. } => f(*to),
        Step::Both { a, b, to, .. } => [a.view, b.view, *to].into_iter().for_each(f),
        Step::Test { from, to, .. } => [*from, *to].into_iter().for_each(f),
        Step::Trees(t) => [t.x, t.out].into_iter().for_each(f),
    }
}

/// Memory in bytes per row: free ranges in order, merged.
#[derive(Default)]
struct Space {
    free: Vec<(u64, u64)>,
    end: u64,
}

impl Space {
    /// The first range that is long enough.
    fn take(&mut self, bytes: u64) -> u64 {
        if let Some(i) = self.free.iter().position(|(_, len)| *len >= bytes) {
            let (at, len) = self.free[i];
            if len == bytes {
                self.free.remove(i);
            } else {
                self.free[i] = (at + bytes, len - bytes);
            }
            return at;
        }
        // A free range at the very end is extended.
        let at = match self.free.last() {
            Some((at, len)) if at + len == self.end => {
                let at = *at;
                self.free.pop();
                at
            }
            _ => self.end,
        };
        self.end = at.saturating_add(bytes);
        at
    }

    fn give(&mut self, at: u64, bytes: u64) {
        let i = self.free.partition_point(|(a, _)| *a < at);
        self.free.insert(i, (at, bytes));
        for i in [i + 1, i] {
            if i > 0 && i < self.free.len() && self.free[i - 1].0 + self.free[i - 1].1 == self.free[i].0 {
                self.free[i - 1].1 += self.free[i].1;
                self.free.remove(i);
            }
        }
    }
}
