//! Puts the steps in order and gives every value its place.

use std::collections::HashMap;

use flock_api::Unsupported;
use flock_core::{Memo, kernel};
use flock_ir_spec::{Attr, Constant, DType, Frame, FrameType, Graph, NodeId, Op, TreeEnsemble};

use super::fuse::{Work, floored, frame_operands, fuse, work};
use super::layout::{Fixed, lay_out};
use super::{Arg, Buffer, Loop, Place, Plan, Step, Valid, View};
use crate::Options;
use crate::constants::{BlobId, Constants};
use crate::flatten::{Flat, place, unsupported};

/// Columns of a batch, and steps, beyond which a function is refused.
const MOST_COLUMNS: u64 = 1 << 16;
const MOST_STEPS: usize = 1 << 17;

/// Plans a function.
pub(crate) fn build(flat: Flat, options: &Options) -> Result<Plan, Vec<Unsupported>> {
    let refuse = |what: &str, why: &str| vec![unsupported(&flat.name, what, why)];
    let columns = |types: &mut dyn Iterator<Item = u32>| types.map(u64::from).sum::<u64>();
    if columns(&mut flat.params.iter().map(|p| p.ty.width)) > MOST_COLUMNS
        || columns(&mut flat.outputs.iter().map(|o| o.ty.width)) > MOST_COLUMNS
    {
        return Err(refuse("function", "more than 65,536 columns"));
    }
    let mut b = Builder::new(&flat, *options);
    let schedule = b.schedule();
    b.settle_concatenations(&schedule);
    let mut faults: Vec<Unsupported> = Vec::new();
    for item in &schedule {
        let done = match *item {
            Item::Node(id) => b.node(id),
            Item::Store(o) => b.store(o),
        };
        if let Err(why) = done {
            let id = match *item {
                Item::Node(id) => id,
                Item::Store(o) => flat.outputs[o].node,
            };
            let one = unsupported(place(&flat.graph, id, &flat.name), flat.graph.node(id).op.name(), why);
            // What follows from a fault is not another one.
            if !faults.contains(&one) && !matches!(&*one.reason, FOLLOWS) {
                faults.push(one);
            }
        }
    }
    if b.steps.len() > MOST_STEPS {
        faults.push(unsupported(&flat.name, "function", "too many steps"));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let Builder { constants, places, rows, steps, buffers, fixed, memos, block_rows, .. } = b;
    let name = flat.name.clone();
    let blobs = constants.blobs;
    let mut plan = Plan { flat, places, rows, steps, buffers, blobs, memos, block_rows, scratch_bytes: 0 };
    match lay_out(&mut plan, &fixed) {
        true => Ok(plan),
        false => Err(vec![unsupported(&name, "function", "its frames are too wide: 64 rows take more than 512 MiB")]),
    }
}

/// The reason of a fault that another fault caused.
const FOLLOWS: &str = "an operand has no place";

/// What is done when.
#[derive(Clone, Copy)]
pub(super) enum Item {
    /// The steps of a node.
    Node(NodeId),
    /// Writing an output.
    Store(usize),
}

pub(super) struct Builder<'a> {
    pub flat: &'a Flat,
    pub options: Options,
    pub constants: Constants,
    pub steps: Vec<Step>,
    pub memos: Vec<Memo>,
    /// Rows of a block that a kernel asks for; 0 if none does.
    pub block_rows: usize,
    /// The first input column of each parameter, then the number of all.
    pub inputs: Vec<u32>,
    works: Vec<Work>,
    group: Vec<Option<NodeId>>,
    members: HashMap<NodeId, Vec<NodeId>>,
    buffers: Vec<Buffer>,
    fixed: Vec<Fixed>,
    places: Vec<Option<Place>>,
    /// Where a concatenation wants the elements and the validity of a node.
    wanted: Vec<(Option<View>, Option<View>)>,
    rows: Vec<Option<(BlobId, Option<BlobId>)>>,
}

/// Bytes of an element in scratch.
pub fn size(dtype: DType) -> u8 {
    match dtype {
        DType::Bool => 1,
        DType::F32 => 4,
        DType::I64 | DType::F64 => 8,
        DType::Str => 16,
    }
}

/// The suffix of kernels for a dtype.
pub(super) fn suffix(dtype: DType) -> &'static str {
    dtype.name()
}

impl<'a> Builder<'a> {
    fn new(flat: &'a Flat, options: Options) -> Builder<'a> {
        let graph = &flat.graph;
        let n = graph.nodes().len();
        let roots: Vec<NodeId> = flat.outputs.iter().map(|o| o.node).collect();
        let live = graph.reachable(roots.iter().copied());
        let works: Vec<Work> = graph.iter().map(|(id, _)| work(graph, &flat.pool, id)).collect();
        let mut inputs = vec![0];
        flat.params.iter().for_each(|p| inputs.push(inputs[inputs.len() - 1] + p.ty.width));
        let mut b = Builder {
            flat,
            options,
            constants: Constants::default(),
            steps: Vec::new(),
            memos: Vec::new(),
            block_rows: 0,
            inputs,
            works,
            group: Vec::new(),
            members: HashMap::new(),
            buffers: Vec::new(),
            fixed: Vec::new(),
            places: vec![None; n],
            wanted: vec![(None, None); n],
            rows: vec![None; n],
        };
        b.settle_floors(&live, &roots);
        b.group = fuse(graph, &b.works, &live, &roots);
        for (id, _) in graph.iter() {
            if let Some(root) = b.group[id.index()] {
                b.members.entry(root).or_default().push(id);
            }
        }
        b
    }

    /// A floor is part of its linear map where nothing else reads the map, and the map is one kernel.
    fn settle_floors(&mut self, live: &[bool], roots: &[NodeId]) {
        let graph = self.graph();
        let mut readers = vec![0; live.len()];
        let read = graph.iter().filter(|(id, _)| live[id.index()]).flat_map(|(_, node)| node.args.iter()).chain(roots);
        read.for_each(|a| readers[a.index()] += 1);
        for (id, _) in graph.iter().filter(|(id, _)| live[id.index()]) {
            if let Some((map, _)) = floored(graph, &self.flat.pool, id)
                && (readers[map.index()] > 1 || self.parts(map).is_some())
            {
                self.works[id.index()] = Work::Element;
            }
        }
    }

    pub fn graph(&self) -> &'a Graph {
        &self.flat.graph
    }

    /// The type of a frame.
    pub fn ty(&self, id: NodeId) -> FrameType {
        self.graph().frame_type(id).unwrap_or(FrameType::new(DType::F64, 0))
    }

    /// The table that a node holds.
    pub fn table(&self, id: NodeId) -> Result<(flock_ir_spec::ConstId, &'a Frame), String> {
        match (&self.graph().node(id).attr, self.graph().constant(&self.flat.pool, id)) {
            (Attr::Const(c), Some(Constant::Table(t))) => Ok((*c, t)),
            _ => Err("an operand is no table of the module".into()),
        }
    }

    /// The ensemble that a node holds.
    pub fn ensemble(&self, id: NodeId) -> Result<(flock_ir_spec::ConstId, &'a TreeEnsemble), String> {
        match (&self.graph().node(id).attr, self.graph().constant(&self.flat.pool, id)) {
            (Attr::Const(c), Some(Constant::Trees(t))) => Ok((*c, t)),
            _ => Err("an operand is no ensemble of the module".into()),
        }
    }

    /// The terms that a node holds.
    pub fn terms(&self, id: NodeId) -> Result<(flock_ir_spec::ConstId, &'a flock_ir_spec::Terms), String> {
        match (&self.graph().node(id).attr, self.graph().constant(&self.flat.pool, id)) {
            (Attr::Const(c), Some(Constant::Terms(t))) => Ok((*c, t)),
            _ => Err("an operand is no terms of the module".into()),
        }
    }

    pub fn is_leaf(&self, id: NodeId) -> bool {
        self.works[id.index()] == Work::Leaf
    }

    /// Where a frame lies.
    pub fn place(&self, id: NodeId) -> Result<Place, String> {
        self.places[id.index()].ok_or_else(|| FOLLOWS.to_owned())
    }

    /// Operands that must have a place before the node's steps.
    fn needs(&self, id: NodeId) -> Vec<NodeId> {
        let graph = self.graph();
        if let Some(members) = self.members.get(&id) {
            let operands = members.iter().flat_map(|m| frame_operands(graph, *m));
            let outside = operands.filter(|a| self.group[a.index()] != Some(id) && !self.is_leaf(**a));
            return outside.copied().collect();
        }
        self.step_operands(id)
    }

    /// Nodes and stores in the order of a walk from the outputs, operands first: what is used together is computed
    /// together, and little is alive at once.
    fn schedule(&self) -> Vec<Item> {
        let mut done = vec![false; self.works.len()];
        let mut schedule = Vec::new();
        for (o, output) in self.flat.outputs.iter().enumerate() {
            let mut stack = vec![(output.node, self.needs(output.node), 0)];
            while let Some((id, needs, next)) = stack.last_mut() {
                if done[id.index()] {
                    stack.pop();
                } else if let Some(need) = needs.get(*next).copied() {
                    *next += 1;
                    if !done[need.index()] {
                        stack.push((need, self.needs(need), 0));
                    }
                } else {
                    done[id.index()] = true;
                    schedule.push(Item::Node(*id));
                    stack.pop();
                }
            }
            schedule.push(Item::Store(o));
        }
        schedule
    }

    /// Gives the operands of concatenations their places within it, so that they need not be copied there. Outer ones
    /// come first; an operand of two goes to the one that comes last.
    fn settle_concatenations(&mut self, schedule: &[Item]) {
        let graph = self.graph();
        for item in schedule.iter().rev() {
            let Item::Node(id) = *item else { continue };
            let node = graph.node(id);
            if node.op != Op::Concat {
                continue;
            }
            let ty = self.ty(id);
            let data = self.target(id);
            let valid = self.target_valid(id);
            self.wanted[id.index()] = (Some(data), valid);
            let mut column = 0;
            for a in &node.args {
                let t = self.ty(*a);
                let moves = matches!(graph.node(*a).op, Op::Slice | Op::Take);
                if !self.is_leaf(*a) && !moves && self.wanted[a.index()] == (None, None) {
                    let valid = valid.filter(|_| t.nullable && ty.nullable).map(|v| v.skip(column));
                    self.wanted[a.index()] = (Some(data.skip(column)), valid);
                }
                column += t.width;
            }
        }
    }

    /// New columns of scratch.
    pub fn fresh(&mut self, size: u8, columns: u32) -> View {
        self.buffers.push(Buffer { row_bytes: u64::from(size) * u64::from(columns), at: 0 });
        View { buffer: (self.buffers.len() - 1) as u32, column: 0, size }
    }

    /// Memory of so many bytes for a kernel that asks for blocks of so many rows.
    pub fn memory(&mut self, bytes: usize, rows: usize) -> View {
        self.block_rows = self.block_rows.max(rows);
        let view = self.fresh(1, 0);
        self.fixed.push(Fixed { buffer: view.buffer, bytes });
        view
    }

    /// Where the elements of a node go.
    pub fn target(&mut self, id: NodeId) -> View {
        let t = self.ty(id);
        self.wanted[id.index()].0.unwrap_or_else(|| self.fresh(size(t.dtype), t.width))
    }

    /// Where the validity of a node goes if it has one of its own and per column.
    pub fn target_valid(&mut self, id: NodeId) -> Option<View> {
        let t = self.ty(id);
        let known = self.wanted[id.index()].1;
        t.nullable.then(|| known.unwrap_or_else(|| self.fresh(1, t.width)))
    }

    /// Calls a kernel for each of so many columns. A call that goes on where the last one ends is joined to it.
    pub fn call(&mut self, name: &str, args: Vec<Arg>, columns: u32) -> Result<(), String> {
        let kernel = kernel(name).filter(|k| k.params.len() == args.len());
        let kernel = kernel.ok_or_else(|| format!("the runtime has no kernel `{name}` of {} arguments", args.len()))?;
        if let Some(Step::Call { kernel: last, args: before, columns: n }) = self.steps.last_mut()
            && last.name == name
            && before.iter().zip(&args).all(|(a, b)| follows(*a, *b, *n))
        {
            *n += columns;
            return Ok(());
        }
        self.steps.push(Step::Call { kernel, args, columns });
        Ok(())
    }

    fn node(&mut self, id: NodeId) -> Result<(), String> {
        if self.steps.len() > MOST_STEPS {
            return Ok(());
        }
        let place = match self.works[id.index()] {
            Work::Leaf => self.fused(id, vec![id])?,
            Work::Element => {
                let members = self.members.remove(&id).unwrap_or_else(|| vec![id]);
                self.fused(id, members)?
            }
            Work::Steps => self.steps_of(id)?,
        };
        self.places[id.index()] = Some(place);
        Ok(())
    }

    fn fused(&mut self, id: NodeId, members: Vec<NodeId>) -> Result<Place, String> {
        let valid = self.target_valid(id).map(|view| Valid { view, wide: true });
        let to = Place { data: self.target(id), valid };
        self.loop_to(id, members, to)?;
        Ok(to)
    }

    /// A loop over the columns of `id` that ends in its value.
    pub fn loop_to(&mut self, id: NodeId, members: Vec<NodeId>, to: Place) -> Result<(), String> {
        for m in &members {
            self.constant_row(*m)?;
            for a in frame_operands(self.graph(), *m) {
                self.constant_row(*a)?;
                if !self.is_leaf(*a) && self.group[a.index()] != Some(id) {
                    self.place(*a)?;
                }
            }
        }
        self.steps.push(Step::Loop(Loop { width: self.ty(id).width, members, to }));
        Ok(())
    }

    /// Makes the blobs of a constant row that a loop reads: wide ones, and text.
    fn constant_row(&mut self, id: NodeId) -> Result<(), String> {
        let t = self.ty(id);
        if !matches!(self.graph().node(id).op, Op::Const) || (t.width == 1 && t.dtype != DType::Str) {
            return Ok(());
        }
        let (constant, table) = self.table(id)?;
        let row = self.constants.row(constant, table)?;
        let bytes = if t.dtype == DType::Str { Some(self.constants.bytes(constant, table)?) } else { None };
        self.rows[id.index()] = Some((row, bytes));
        Ok(())
    }

    fn store(&mut self, output: usize) -> Result<(), String> {
        let o = &self.flat.outputs[output];
        let place = self.place(o.node)?;
        let before: u32 = self.flat.outputs[..output].iter().map(|o| o.ty.width).sum();
        let valid = place.valid.map_or(Arg::Null, |v| Arg::Column(v.view, v.wide));
        let name = format!("flock_store_{}", suffix(o.ty.dtype));
        let args = vec![Arg::Output(before), Arg::Start, Arg::Rows, Arg::Column(place.data, true), valid];
        self.call(&name, args, o.ty.width)
    }
}

/// Whether an argument goes on after n columns of the other.
fn follows(before: Arg, after: Arg, n: u32) -> bool {
    match (before, after) {
        (Arg::Column(a, true), Arg::Column(b, true)) => a.skip(n) == b,
        (Arg::Input(a), Arg::Input(b)) | (Arg::Output(a), Arg::Output(b)) => a + n == b,
        (Arg::Element(_, _, true), _) => false,
        (a, b) => a == b,
    }
}
