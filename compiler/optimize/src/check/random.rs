//! Random conditions over hard values, before random frames: what they say of columns must be true, and what is pruned
//! by it must give the same bits.

use super::*;

/// Grows a function: conditions and numbers over four columns.
struct Grower<'b> {
    b: &'b mut FunctionBuilder,
    n: Numbers,
    x: [NodeId; 2],
    k: NodeId,
    s: NodeId,
    p: NodeId,
    /// Values that conditions and thresholds share, so that they meet.
    shared: [f64; 2],
}

impl Grower<'_> {
    fn op(&mut self, op: Op, args: &[NodeId]) -> NodeId {
        self.b.op(op, args).unwrap_or_else(|e| panic!("{e}"))
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.n.below(of.len())]
    }

    fn value(&mut self) -> f64 {
        if self.n.below(3) == 0 { self.pick(&FLOATS) } else { self.pick(&self.shared.clone()) }
    }

    fn float(&mut self) -> NodeId {
        let x = self.value();
        self.b.constant(Frame::row_f64([x]))
    }

    fn ordinary(&mut self) -> NodeId {
        let x = self.pick(&[0.1, 0.5, 1.0, 2.5, 7.3, -3.0, 30.0]);
        self.b.constant(Frame::row_f64([x]))
    }

    /// A number of width 1.
    fn number(&mut self, depth: u32) -> NodeId {
        if depth == 0 || self.n.below(3) == 0 {
            return self.pick(&self.x.clone());
        }
        let x = self.number(depth - 1);
        match self.n.below(13) {
            0 => {
                let c = self.float();
                self.op(Op::Coalesce, &[x, c])
            }
            1 => {
                let missing = self.op(Op::IsNan, &[x]);
                let c = self.float();
                self.op(Op::Select, &[missing, c, x])
            }
            i @ 2..=5 => {
                let op = [Op::Add, Op::Sub, Op::Mul, Op::Div][i - 2];
                let c = self.ordinary();
                let args = if self.n.below(3) == 0 { [c, x] } else { [x, c] };
                self.op(op, &args)
            }
            6 => {
                let op = self.pick(&[Op::Neg, Op::Abs, Op::Floor, Op::Ceil, Op::Round, Op::Sqrt]);
                self.op(op, &[x])
            }
            7 => {
                let c = self.ordinary();
                let op = self.pick(&[Op::Min, Op::Max]);
                self.op(op, &[x, c])
            }
            8 => {
                let t = self.b.frame_type(x).expect("a frame");
                let single = self.b.op_with(Op::Cast, Attr::Type(t.with_dtype(DType::F32)), &[x]).expect("typed");
                self.b.op_with(Op::Cast, Attr::Type(t), &[single]).expect("typed")
            }
            9 => {
                let t = self.b.frame_type(self.k).expect("a frame").with_dtype(DType::F64);
                let k = self.k;
                self.b.op_with(Op::Cast, Attr::Type(t), &[k]).expect("typed")
            }
            10 => {
                let y = self.number(depth - 1);
                let op = self.pick(&[Op::Add, Op::Mul, Op::Min, Op::Div, Op::Sub]);
                self.op(op, &[x, y])
            }
            11 => {
                let (p, y) = (self.condition(depth - 1), self.number(depth - 1));
                self.op(Op::Select, &[p, x, y])
            }
            _ => {
                let p = self.condition(depth - 1);
                self.op(Op::Guard, &[p, x])
            }
        }
    }

    /// A truth value of width 1.
    fn condition(&mut self, depth: u32) -> NodeId {
        let compare = [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge];
        let leaf = depth == 0 || self.n.below(3) == 0;
        match self.n.below(if leaf { 8 } else { 12 }) {
            0 => {
                let (op, s, c) = (self.pick(&compare), self.s, self.pick(&TEXTS));
                let c = self.b.constant(Frame::row_str([c]));
                self.op(op, &[s, c])
            }
            1 => {
                let (s, set) = (self.s, [self.pick(&TEXTS), self.pick(&TEXTS)]);
                let set = self.b.constant(Frame::row_str(set));
                self.op(Op::InSet, &[s, set])
            }
            2 => {
                let (op, k, c) = (self.pick(&compare), self.k, self.pick(&INTEGERS));
                let c = self.b.constant(Frame::row_i64([c]));
                self.op(op, &[k, c])
            }
            3 => self.p,
            4 => {
                let x = self.number(depth.min(2));
                let op = self.pick(&[Op::IsNull, Op::IsNan, Op::Composite(Composite::IS_MISSING)]);
                self.op(op, &[x])
            }
            5 => {
                let (x, set) =
                    (self.number(depth.min(2)), [self.pick(&FLOATS), self.pick(&FLOATS), self.pick(&FLOATS)]);
                let set = self.b.constant(Frame::row_f64(set));
                self.op(Op::InSet, &[x, set])
            }
            6 | 7 => {
                let (x, c, op) = (self.number(depth.min(3)), self.float(), self.pick(&compare));
                let args = if self.n.below(3) == 0 { [c, x] } else { [x, c] };
                self.op(op, &args)
            }
            i @ (8 | 9) => {
                let parts: Vec<NodeId> = (0..2 + self.n.below(2)).map(|_| self.condition(depth - 1)).collect();
                self.op(if i == 8 { Op::And } else { Op::Or }, &parts)
            }
            10 => {
                let p = self.condition(depth - 1);
                self.op(Op::Not, &[p])
            }
            _ => {
                let (p, c) = (self.condition(depth - 1), self.n.below(2) == 0);
                let c = self.b.constant(Frame::row_bool([c]));
                self.op(Op::Coalesce, &[p, c])
            }
        }
    }

    /// Trees over an imputed number, an encoded text and an integer.
    fn trees(&mut self) -> NodeId {
        let nan = self.b.constant(Frame::row_f64([f64::NAN]));
        let depth = self.n.below(3) as u32;
        let x = self.number(depth);
        let x = self.op(Op::Coalesce, &[x, nan]);
        let list = self.b.constant(Frame::row_str(["AA", "B6", "é"]));
        let index = self.op(Op::IndexOf, &[self.s, list]);
        let other = self.b.constant(Frame::row_i64([3]));
        let index = self.op(Op::Coalesce, &[index, other]);
        let hot = self.b.op_with(Op::OneHot, Attr::Type(FrameType::new(DType::F64, 4)), &[index]).expect("typed");
        let parts = self.op(Op::Concat, &[x, hot]);
        let mut t = TreeEnsemble {
            features: 5,
            outputs: 1,
            input: if self.n.below(2) == 0 { DType::F32 } else { DType::F64 },
            sum: DType::F64,
            base: vec![0.1],
            trees: Vec::new(),
            nodes: Vec::new(),
            leaves: Vec::new(),
            values: Vec::new(),
            sets: CategorySets::default(),
        };
        for _ in 0..3 {
            let (node, leaf) = (t.nodes.len() as u32, t.leaves.len() as u32);
            t.trees.push(Tree { root: Child::node(node), target: Some(0) });
            for i in 0..7 {
                let child = |j: u32| if j < 7 { Child::node(node + j) } else { Child::leaf(leaf + j - 7) };
                let feature = [0, 0, 1, 2, 3, 4][self.n.below(6)];
                let threshold = Some(self.value()).filter(|x| !x.is_nan()).unwrap_or(0.5);
                let threshold = if feature == 0 { threshold } else { 0.5 };
                let (mut test, missing_left) = (Test::COMPARISONS[self.n.below(6)], self.n.below(2) == 0);
                let mut threshold = threshold;
                if self.n.below(4) == 0 {
                    // Some of what the columns hold, and now and then too many to tell apart.
                    let mut members: Vec<u32> =
                        (0..self.n.below(4)).map(|_| [0, 1, 2, 7, 8, 30][self.n.below(6)]).collect();
                    members.extend((0..[0, 0, 0, 300][self.n.below(4)]).map(|m| 2 * m));
                    (test, threshold) = (Test::In, f64::from(t.sets.add(members).expect("few")));
                }
                t.nodes.push(TreeNode {
                    feature,
                    test,
                    missing_left,
                    threshold,
                    left: child(2 * i + 1),
                    right: child(2 * i + 2),
                });
            }
            for _ in 0..8 {
                t.leaves.push(t.values.len() as u32);
                t.values.push([0.1, -0.0, 1e16, 3.5, 0.30000000000000004][self.n.below(5)]);
            }
        }
        let t = self.b.constant(t);
        self.op(Op::Trees, &[parts, t])
    }
}

/// A function with a condition and a frame in each branch of it.
fn grown(seed: u64) -> Module {
    let mut b = FunctionBuilder::new("f");
    let null = |d| FrameType::new(d, 1).nullable();
    let mut input = |name, dtype| b.input(name, null(dtype)).expect("new");
    let (x, y) = (input("x", DType::F64), input("y", DType::F64));
    let (k, s, p) = (input("k", DType::I64), input("s", DType::Str), input("p", DType::Bool));
    let mut g = Grower { b: &mut b, n: Numbers(seed), x: [x, y], k, s, p, shared: [0.0; 2] };
    (0..7).for_each(|_| _ = g.n.below(2));
    g.shared = [g.pick(&FLOATS), g.pick(&FLOATS)];
    let condition = g.condition(3);
    let (yes, no) = (g.trees(), if seed.is_multiple_of(4) { g.number(3) } else { g.trees() });
    let picked = g.op(Op::Select, &[condition, yes, no]);
    let guarded = g.op(Op::Guard, &[condition, yes]);
    b.output("condition", condition);
    b.output("picked", picked);
    b.output("guarded", guarded);
    b.output("plain", yes);
    b.finish().unwrap_or_else(|e| panic!("{e:#?}"))
}

const FUNCTIONS: u64 = 300;

#[test]
fn random_functions_keep_every_bit() {
    for seed in 0..FUNCTIONS {
        let module = Verified::new(grown(seed)).expect("sound");
        let f = &module.functions[0];
        check_classes(&module, f);
        let done = optimize(&module, &Target::Function("f".into()), &with(reals()), &Estimate).expect("optimised");
        let values = params(f, false, seed);
        let before = eval::call(&module, f, ROWS, &values).expect("before");
        let after = eval::call(&done.module, &done.module.functions[0], ROWS, &values).expect("after");
        for (b, a) in before.iter().zip(&after) {
            assert_eq!(difference(b, a), None, "seed {seed}\n{}became\n{}", *module, *done.module);
        }
    }
}

/// `select plain, picked from t where condition`, by calls of the function.
fn with_query(mut module: Module) -> Verified {
    let f = &module.functions[0];
    let mut g = Graph::default();
    let columns: Vec<ColumnDef> = f
        .params
        .iter()
        .enumerate()
        .map(|(i, p)| ColumnDef { id: ColumnId(i as u32), name: p.name.clone(), ty: p.ty })
        .collect();
    let leaf = |c: &ColumnDef| g.add_leaf(Op::Column, Attr::Column(c.id), Type::Frame(c.ty));
    let args: Vec<NodeId> = columns.iter().map(leaf).collect();
    let mut call = |name: &str| {
        let ty = f.output_type(f.output(name).expect("an output")).expect("a frame");
        let attr = Attr::Call { function: "f".into(), output: name.into(), ty };
        (g.add(Op::Call, attr, &args).expect("typed"), ty)
    };
    let (predicate, _) = call("condition");
    let items = ["plain", "picked", "guarded"].iter().enumerate().map(|(i, name)| {
        let (node, ty) = call(name);
        (ColumnDef { id: ColumnId(50 + i as u32), name: (*name).into(), ty }, node)
    });
    let items = items.collect();
    let rels = vec![
        Rel::Scan { table: Arc::from([Arc::from("t")]), columns },
        Rel::Filter { input: RelId(0), predicate },
        Rel::Project { input: RelId(1), items },
    ];
    module.queries.push(Query { name: "q".into(), graph: g, rels, root: RelId(2) });
    Verified::new(module).unwrap_or_else(|e| panic!("{e:#?}"))
}

#[test]
fn random_filters_keep_every_bit_of_the_rows_that_are_left() {
    let mut pruned = 0;
    for seed in 0..FUNCTIONS {
        let module = with_query(grown(seed));
        let f = &module.functions[0];
        let names: Vec<Arc<str>> = f.params.iter().map(|p| p.name.clone()).collect();
        let table = Table::new(names, params(f, false, seed + 1000));
        let rows = |m: &Module| super::rows(&eval::query(m, &m.queries[0], &|_| Some(table.clone())).expect("rows"));
        let done = optimize(&module, &Target::Query("q".into()), &with(reals()), &Estimate).expect("optimised");
        assert_eq!(rows(&done.module), rows(&module), "seed {seed}\n{}", *done.module);
        pruned += usize::from(fired(&done).contains(&"relation-context"));
    }
    assert!(pruned > FUNCTIONS as usize / 3, "{pruned} of {FUNCTIONS} pruned by their filter");
}
