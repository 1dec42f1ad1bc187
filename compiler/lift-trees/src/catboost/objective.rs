//! What the library's estimators predict under each loss, and the labels that a file stores.

use std::sync::Arc;

use flock_ir_spec::{Frame, NodeId, Op};

use crate::answer::{Answer, Classes, Form, Labels};
use crate::build::Build;
use crate::value::Value;
use crate::{Res, damaged, unsupported};

/// What a file says of its training.
pub(crate) struct Info {
    loss: String,
    labels: Option<(Frame, Vec<Arc<str>>)>,
}

impl Info {
    /// Out of the parameters and the labels' description.
    pub fn read(params: Option<&Value<'_>>, classes: Option<&Value<'_>>) -> Res<Info> {
        let loss = params.and_then(|p| p.at(&["loss_function", "type"])).and_then(Value::text);
        let loss = loss.ok_or_else(|| damaged("model_info.params", "no loss function"))?.to_owned();
        // A model that was trained on probabilities has a list of no names.
        let names = classes.and_then(|c| c.get("class_names")).and_then(Value::items).filter(|n| !n.is_empty());
        let fault = || unsupported("class_params", "labels that are no text, numbers or truth values");
        // JSON writes 1.0 as 1.
        let floats = classes.and_then(|c| c.get("class_label_type")).and_then(Value::text) == Some("Float");
        let labels = names.map(|n| labels(&n, floats).ok_or_else(fault));
        Ok(Info { loss, labels: labels.transpose()? })
    }

    fn labels(&self, classes: usize) -> Res<Labels> {
        match &self.labels {
            None => Ok(Labels::Count(classes)),
            Some((table, texts)) if texts.len() == classes => Ok(Labels::Stored(table.clone(), texts.clone())),
            Some((_, texts)) => Err(damaged("class_params", format!("{} labels for {classes} classes", texts.len()))),
        }
    }
}

fn labels(names: &[Value<'_>], floats: bool) -> Option<(Frame, Vec<Arc<str>>)> {
    let texts: Option<Vec<Arc<str>>> = names.iter().map(|n| n.text().map(Arc::from)).collect();
    if let Some(texts) = texts {
        let table = Frame { rows: texts.len(), width: 1, ..Frame::row_str(texts.iter().cloned()) };
        return Some((table, texts));
    }
    let truths: Option<Vec<bool>> = names.iter().map(Value::truth).collect();
    if let Some(truths) = truths {
        let texts = truths.iter().map(|t| Arc::from(if *t { "True" } else { "False" })).collect();
        return Some((Frame { rows: truths.len(), width: 1, ..Frame::row_bool(truths) }, texts));
    }
    let numbers: Vec<f64> = names.iter().map(Value::number).collect::<Option<_>>()?;
    if !floats && numbers.iter().all(|x| x.fract() == 0.0 && x.abs() < 9e15) {
        let whole: Vec<i64> = numbers.iter().map(|x| *x as i64).collect();
        let texts = whole.iter().map(|i| Arc::from(i.to_string())).collect();
        return Some((Frame { rows: whole.len(), width: 1, ..Frame::row_i64(whole) }, texts));
    }
    let texts = numbers.iter().map(|x| Arc::from(format!("{x:?}"))).collect();
    Some((Frame { rows: numbers.len(), width: 1, ..Frame::row_f64(numbers) }, texts))
}

/// The prediction.
pub(crate) fn apply(cx: &mut Build, info: &Info, raw: NodeId) -> Res<Answer> {
    let width = cx.width(raw);
    let form = match info.loss.as_str() {
        "Logloss" | "CrossEntropy" if width == 1 => {
            let p = cx.op(Op::Logistic, &[raw])?;
            let second = cx.with(Op::Gt, raw, 0.0)?;
            Form::Classes(vec![Classes::two(cx, Some(p), second, info.labels(2)?)?])
        }
        "MultiClass" => {
            let p = cx.op(Op::Softmax, &[raw])?;
            Form::Classes(vec![Classes::many(cx, raw, p, info.labels(width)?)?])
        }
        "MultiClassOneVsAll" => {
            let p = cx.op(Op::Logistic, &[raw])?;
            Form::Classes(vec![Classes::many(cx, raw, p, info.labels(width)?)?])
        }
        // Each label may hold by itself.
        "MultiLogloss" | "MultiCrossEntropy" => {
            let p = cx.op(Op::Logistic, &[raw])?;
            let second = cx.with(Op::Gt, raw, 0.0)?;
            let target = |k: usize| {
                let (p, second) = (cx.column(p, k)?, cx.column(second, k)?);
                Classes::two(cx, Some(p), second, Labels::Count(2))
            };
            Form::Classes((0..width).map(target).collect::<Res<_>>()?)
        }
        "Poisson" | "Tweedie" => Form::Numbers(cx.op(Op::Exp, &[raw])?),
        "RMSE"
        | "MAE"
        | "Quantile"
        | "MultiQuantile"
        | "LogLinQuantile"
        | "Lq"
        | "Huber"
        | "Expectile"
        | "MAPE"
        | "MultiRMSE"
        | "MultiRMSEWithMissingValues"
        | "LogCosh"
        | "Cox"
        | "Focal"
        | "QueryRMSE"
        | "QuerySoftMax"
        | "PairLogit"
        | "PairLogitPairwise"
        | "YetiRank"
        | "YetiRankPairwise"
        | "LambdaMart"
        | "StochasticRank"
        | "StochasticFilter"
        | "SurvivalAft"
            if info.labels.is_none() =>
        {
            Form::Numbers(raw)
        }
        loss => return Err(unsupported("model_info.params", format!("the loss `{loss}`, for {width} dimensions"))),
    };
    Ok(Answer { raw, form })
}
