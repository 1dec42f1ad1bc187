//! The pickle machine on hand-made streams: what it builds, and what hostile ones end in.

use flock_lift_sklearn::read::opcodes::Op;
use flock_lift_sklearn::read::view::Plain;
use flock_lift_sklearn::read::{Document, read};

fn doc(bytes: &[u8]) -> Document<'_> {
    read(bytes).unwrap_or_else(|e| panic!("{e}"))
}

fn code(bytes: &[u8]) -> &'static str {
    match read(bytes) {
        Ok(_) => "read",
        Err(e) => e.code,
    }
}

fn plain(bytes: &[u8]) -> Plain {
    doc(bytes).view().plain().unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn opcodes_are_those_of_pickletools() {
    assert_eq!(Op::ALL.len(), 68);
    for op in Op::ALL {
        assert_eq!(Op::of(op.byte()), Some(*op), "{}", op.name());
    }
    assert_eq!((0..=255).filter(|b| Op::of(*b).is_some()).count(), 68);
}

#[test]
fn plain_values_of_every_protocol() {
    let cases: &[(&[u8], Plain)] = &[
        (b"N.", Plain::None),
        (b"I01\n.", Plain::Bool(true)),
        (b"I00\n.", Plain::Bool(false)),
        (b"I-7\n.", Plain::Int(-7)),
        (b"L12345678901L\n.", Plain::Int(12_345_678_901)),
        (b"F1e-3\n.", Plain::Float(0.001)),
        (b"S'a\\'b\\x41'\n.", Plain::Str("a'bA".into())),
        (b"Vcaf\\u00e9\\U0001f600\n.", Plain::Str("café😀".into())),
        (b"J\xff\xff\xff\xff.", Plain::Int(-1)),
        (b"M\xff\xff.", Plain::Int(65535)),
        (b"G\x3f\xf8\0\0\0\0\0\0.", Plain::Float(1.5)),
        (b"U\x02ok.", Plain::Str("ok".into())),
        (b"X\x02\0\0\0\xc3\xa9.", Plain::Str("é".into())),
        (b"\x80\x02\x8a\x00.", Plain::Int(0)),
        (b"\x80\x02\x8a\x01\xff.", Plain::Int(-1)),
        (b"\x80\x02\x8b\x02\0\0\0\x00\x80.", Plain::Int(-32768)),
        (b"\x80\x04\x95\x03\0\0\0\0\0\0\0\x8c\x01z.", Plain::Str("z".into())),
    ];
    for (bytes, value) in cases {
        assert_eq!(&plain(bytes), value, "{}", bytes.escape_ascii());
    }
}

#[test]
fn containers_keep_order_and_sharing() {
    let d = doc(b"\x80\x04](K\x01)\x94\x85K\x02K\x03\x86h\x00e.");
    let items = d.view().items().expect("a list");
    assert_eq!(items.len(), 4);
    assert_eq!(items[1].items().expect("a tuple").len(), 1);
    assert_eq!(items[3].id(), items[1].items().expect("a tuple")[0].id());
    let d = doc(b"}(U\x01bK\x01U\x01aK\x02U\x01bK\x03u.");
    assert_eq!(d.view().entries().expect("a dict").len(), 3);
    assert_eq!(d.view().entry("b").expect("b").int(), Ok(3), "the last of equal keys counts");
    let set = doc(b"\x80\x04\x8f(K\x01K\x02\x90.");
    assert_eq!(set.view().sizes(), Ok(vec![1, 2]));
    let old = doc(b"\x80\x02c__builtin__\nset\n](K\x05K\x06e\x85R.");
    assert_eq!(old.view().sizes(), Ok(vec![5, 6]));
}

#[test]
fn a_list_in_itself_is_read() {
    let d = doc(b"\x80\x02]q\x00h\x00a.");
    let inner = d.view().items().expect("a list").remove(0);
    assert_eq!(inner.id(), d.view().id());
}

#[test]
fn calls_stay_symbols() {
    let d = doc(b"cos\nsystem\n(S'touch flock_was_here'\ntR.");
    assert_eq!(d.view().class().as_deref(), Some("os.system"));
    assert_eq!(d.view().args()[0].text().as_deref(), Ok("touch flock_was_here"));
    let fault = d.view().f64().expect_err("not a number");
    assert_eq!((fault.code, fault.message.contains("`system`")), ("flock::lift::unexpected_type", true));
    for stream in [
        &b"(S'id'\nios\nsystem\n."[..],
        b"(cos\nsystem\nS'id'\no.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85\x81.",
    ] {
        assert_eq!(doc(stream).view().class().as_deref(), Some("os.system"), "{}", stream.escape_ascii());
    }
}

#[test]
fn what_points_out_of_the_file_is_refused_by_name() {
    for (bytes, name) in [
        (&b"Pid\n."[..], "PERSID"),
        (b"NQ.", "BINPERSID"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02\x83\x01\x00.", "EXT2"),
        (b"\x80\x02\x84\x01\0\0\0.", "EXT4"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x05N\x98.", "READONLY_BUFFER"),
    ] {
        let fault = read(bytes).err().expect("refused");
        assert_eq!(fault.code, "flock::lift::pickle_opcode");
        assert!(fault.message.starts_with(name), "{fault}");
    }
}

#[test]
fn malformed_streams_end_in_a_fault_with_a_place() {
    for bytes in [
        &b"."[..],                                         // nothing to give
        b"\x80\x06N.",                                     // a protocol of the future
        b"\xff",                                           // no opcode
        b"K\x01",                                          // no STOP
        b"h\x07.",                                         // a memo that was never stored
        b"0.",                                             // POP of nothing
        b"t.",                                             // TUPLE without a mark
        b"(K\x01s.",                                       // SETITEM of one
        b"}(K\x01u.",                                      // an odd dict
        b"K\x01K\x02a.",                                   // APPEND to an int
        b"K\x01Nb.",                                       // BUILD of an int
        b"(]K\x01a(a.",                                    // a value from beneath the mark
        b"\x80\x02\x8b\xff\xff\xff\xff.",                  // an int of -1 bytes
        b"\x80\x02\x8b\xff\xff\xff\x7f.",                  // an int of 2^31 bytes
        b"X\xff\xff\xff\xffa.",                            // text of 4 GiB
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.", // text of 2^64 bytes
        b"X\x02\0\0\0\xff\xfe.",                           // text that is not UTF-8
        b"K\x01K\x02\x93.",                                // a class named by numbers
        b"cos\nsystem\nK\x01R.",                           // arguments that are no tuple
        b"Inan\n.",
        b"V\\ud800\n.", // half a surrogate pair
    ] {
        let fault = read(bytes).err().unwrap_or_else(|| panic!("read: {}", bytes.escape_ascii()));
        assert_eq!(fault.code, "flock::lift::pickle", "{}", bytes.escape_ascii());
        assert!(fault.place.starts_with("byte "), "{fault}");
    }
    assert_eq!(code(b""), "flock::lift::not_a_pickle");
    assert_eq!(code(b"PK\x03\x04zip"), "flock::lift::not_a_pickle");
    assert_eq!(code(b"ZF0x5"), "flock::lift::not_a_pickle");
}

/// `numpy.core.multiarray._reconstruct(ndarray, (0,), b'b')` built with a shape, a dtype and bytes.
fn array(code: &str, shape: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut b = b"\x80\x03cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01(".to_vec();
    b.extend(shape);
    b.extend(b"tcnumpy\ndtype\nX");
    b.extend((code.len() as u32).to_le_bytes());
    b.extend(code.as_bytes());
    let order = if code.starts_with('>') { '>' } else { '<' };
    b.extend(b"\x89\x88\x87R(K\x03U\x01");
    b.push(order as u8);
    b.extend(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89B");
    b.extend((payload.len() as u32).to_le_bytes());
    b.extend(payload);
    b.extend(b"tb.");
    b
}

#[test]
fn arrays_are_decoded_in_either_byte_order() {
    let le: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let be: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|x| x.to_be_bytes()).collect();
    assert_eq!(doc(&array("<f8", b"K\x02", &le)).view().f64s(), Ok(vec![1.5, -2.0]));
    assert_eq!(doc(&array(">f8", b"K\x02", &be)).view().f64s(), Ok(vec![1.5, -2.0]));
    assert_eq!(doc(&array("i2", b"K\x02", &[0xfe, 0xff, 3, 0])).view().f64s(), Ok(vec![-2.0, 3.0]));
    assert_eq!(doc(&array("u1", b"K\x02", &[255, 0])).view().sizes(), Ok(vec![255, 0]));
    assert_eq!(doc(&array("f2", b"K\x02", &[0x00, 0x3c, 0x01, 0x00])).view().f64s(), Ok(vec![1.0, 2f64.powi(-24)]));
    let text: Vec<u8> = "é\0b\0".chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
    let bytes = array("<U2", b"K\x02", &text);
    let d = doc(&bytes);
    assert_eq!(d.view().plains(), Ok(vec![Plain::Str("é".into()), Plain::Str("b".into())]));
}

#[test]
fn an_array_must_be_as_large_as_it_says() {
    assert_eq!(code(&array("<f8", b"K\x02", &[0; 15])), "flock::lift::pickle");
    assert_eq!(code(&array("<f8", b"\x8a\x06\0\0\0\0\0\x01", &[0; 16])), "flock::lift::pickle", "2^40 elements");
    assert_eq!(code(&array("<f8", b"\x8a\x08\0\0\0\0\0\0\0\x40K\x08", &[0; 16])), "flock::lift::pickle", "2^65");
    assert_eq!(code(&array("<f8", b"J\xff\xff\xff\xff", &[])), "flock::lift::pickle", "-1 elements");
    assert_eq!(code(&array("V0", b"\x8a\x06\0\0\0\0\0\x01", &[])), "flock::lift::pickle", "2^40 of nothing");
    assert_eq!(code(&array("U0", b"\x8a\x06\0\0\0\0\0\x01", &[])), "flock::lift::pickle", "2^40 of nothing");
}

#[test]
fn a_million_lists_in_each_other_are_read_and_dropped() {
    let mut bytes = b"\x80\x02".to_vec();
    bytes.extend(std::iter::repeat_n(b']', 1_000_000));
    bytes.extend(std::iter::repeat_n(b'a', 999_999));
    bytes.push(b'.');
    assert_eq!(doc(&bytes).view().items().expect("a list").len(), 1);
    let mut bytes = b"\x80\x02N".to_vec();
    bytes.extend(std::iter::repeat_n(0x85, 1_000_000));
    bytes.push(b'.');
    assert_eq!(doc(&bytes).view().items().expect("a tuple").len(), 1);
}

#[test]
fn sharing_that_means_2_to_the_60_elements_costs_nothing() {
    let mut bytes = b"\x80\x02]K\x01a".to_vec();
    for _ in 0..60 {
        bytes.extend(b"q\x00]h\x00ah\x00a");
    }
    bytes.push(b'.');
    assert_eq!(doc(&bytes).view().items().expect("a list").len(), 2);
}

#[test]
fn sparse_memo_indices_take_no_memory() {
    assert_eq!(plain(b"K\x05r\xff\xff\xff\xff0j\xff\xff\xff\xff."), Plain::Int(5));
    assert_eq!(plain(b"K\x05p18446744073709551615\n0g18446744073709551615\n."), Plain::Int(5));
}

#[test]
fn one_text_encoded_again_and_again_has_a_bound() {
    let mut bytes = b"\x80\x02X".to_vec();
    bytes.extend(10_000u32.to_le_bytes());
    bytes.extend(std::iter::repeat_n(b'a', 10_000));
    bytes.extend(b"q\x01c_codecs\nencode\nq\x02");
    for _ in 0..1_000 {
        bytes.extend(b"h\x02h\x01U\x06latin1\x86R");
    }
    bytes.push(b'.');
    assert_eq!(code(&bytes), "flock::lift::pickle");
}

#[test]
fn one_array_decoded_again_and_again_has_a_bound() {
    let n = 1 << 19;
    let mut bytes = b"\x80\x04](cnumpy._core.numeric\n_frombuffer\n(B".to_vec();
    bytes.extend((8 * n as u32).to_le_bytes());
    bytes.extend(vec![0; 8 * n]);
    bytes.extend(b"cnumpy\ndtype\nX\x02\0\0\0f8\x85R");
    bytes.extend(b"J");
    bytes.extend((n as u32).to_le_bytes());
    bytes.extend(b"\x85X\x01\0\0\0CtR\x94");
    bytes.extend(b"h\x00".repeat(99));
    bytes.extend(b"e.");
    let d = doc(&bytes);
    let decoded: Vec<_> = d.view().items().expect("a list").iter().map(|array| array.f64s().map(|v| v.len())).collect();
    assert_eq!(decoded[0], Ok(n));
    assert_eq!(decoded[99].as_ref().map_err(|e| e.code), Err("flock::lift::too_large"));
}
