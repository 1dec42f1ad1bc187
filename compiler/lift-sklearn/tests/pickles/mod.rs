//! Writes pickles of protocol 2, for files that no library would write.

/// `None`.
pub fn none() -> Vec<u8> {
    b"N".to_vec()
}

/// An int of 32 bits.
pub fn int(i: i32) -> Vec<u8> {
    [&b"J"[..], &i.to_le_bytes()].concat()
}

/// A bool.
pub fn bool(b: bool) -> Vec<u8> {
    vec![if b { 0x88 } else { 0x89 }]
}

/// A `str`.
pub fn text(s: &str) -> Vec<u8> {
    [&b"X"[..], &(s.len() as u32).to_le_bytes(), s.as_bytes()].concat()
}

/// A `list`.
pub fn list(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    [b"](".to_vec(), items.into_iter().collect::<Vec<_>>().concat(), b"e".to_vec()].concat()
}

/// A `tuple`.
pub fn tuple(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    [b"(".to_vec(), items.into_iter().collect::<Vec<_>>().concat(), b"t".to_vec()].concat()
}

/// A `dict` with text keys.
pub fn dict(entries: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = entries.into_iter().map(|(k, v)| [text(k), v].concat()).collect();
    [b"}(".to_vec(), entries.concat(), b"u".to_vec()].concat()
}

/// An object by its class, with its attributes.
pub fn object(module: &str, name: &str, state: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Vec<u8> {
    [format!("c{module}\n{name}\n").into_bytes(), b")\x81".to_vec(), dict(state), b"b".to_vec()].concat()
}

/// An array of f64 without copies of numpy's own pickles: `_frombuffer`.
pub fn f64s(values: &[f64]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    array("f8", &bytes, values.len())
}

/// An array over bytes.
pub fn array(code: &str, bytes: &[u8], n: usize) -> Vec<u8> {
    let buffer = [&b"B"[..], &(bytes.len() as u32).to_le_bytes(), bytes].concat();
    let dtype = [b"cnumpy\ndtype\n".to_vec(), text(code), b"\x89\x88\x87R".to_vec()].concat();
    let args = tuple([buffer, dtype, tuple([int(n as i32)]), text("C")]);
    [b"cnumpy._core.numeric\n_frombuffer\n".to_vec(), args, b"R".to_vec()].concat()
}

/// A whole file.
pub fn file(value: Vec<u8>) -> Vec<u8> {
    [b"\x80\x02".to_vec(), value, b".".to_vec()].concat()
}

/// A `StandardScaler` of one column with these attributes beside its own.
pub fn scaler(version: &'static str, more: Vec<(&'static str, Vec<u8>)>) -> Vec<u8> {
    let mut state = vec![
        ("with_mean", bool(true)),
        ("with_std", bool(true)),
        ("copy", bool(true)),
        ("n_features_in_", int(1)),
        ("mean_", f64s(&[2.0])),
        ("scale_", f64s(&[0.5])),
        ("_sklearn_version", text(version)),
    ];
    state.extend(more);
    object("sklearn.preprocessing._data", "StandardScaler", state)
}

/// A `Pipeline` of these steps.
pub fn pipeline(steps: Vec<(&'static str, Vec<u8>)>) -> Vec<u8> {
    let steps = list(steps.into_iter().map(|(name, step)| tuple([text(name), step])));
    let state =
        vec![("steps", steps), ("memory", none()), ("verbose", bool(false)), ("_sklearn_version", text("1.9.1"))];
    object("sklearn.pipeline", "Pipeline", state)
}
