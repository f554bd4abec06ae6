//! Records decoded: any bytes, and truncated ones.

use lkd_codegen::record::*;
use lkd_dlang::program::Ty;
use proptest::prelude::*;

proptest! {
    /// Whatever lies in the ring, decoding ends with a value or an error.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..96), offset in 0u32..120, len in 0u32..64, frames in 0u32..8) {
        if let Ok(Record::Data(d)) = Record::parse(&bytes) {
            for source in [Source::Bytes { offset, len }, Source::Stack { offset, frames }] {
                for ty in [Ty::Ptr, Ty::Int { size: 4, signed: true }, Ty::Str { size: 8 }, Ty::Mem { size: 3 }, Ty::Void] {
                    let field = Field { ty, source: source.clone() };
                    match d.value(&field) {
                        Ok(Value::Stack(s)) => prop_assert!(s.len() <= 8 * frames as usize),
                        Ok(Value::Mem(m)) => prop_assert_eq!(m.len(), len as usize),
                        Ok(Value::Str(s)) => prop_assert!(!s.contains(&0)),
                        _ => {}
                    }
                }
            }
        }
    }
}

#[test]
fn an_error_record_is_read_field_by_field() {
    let words: Vec<u8> = [3u32, 44, 1, KIND_ERROR, 2, 4, 0xdead, 0xbeef, 17, 99]
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    assert_eq!(words.len(), ERROR_SIZE as usize);
    let want = ErrorRecord {
        clause: 3,
        probe: 44,
        cpu: 1,
        action: 2,
        fault: 4,
        value: 0xbeef_0000_dead,
        insn: 17,
        epid: 99,
    };
    assert_eq!(Record::parse(&words), Ok(Record::Error(want)));
    for n in 0..words.len() {
        assert_eq!(Record::parse(&words[..n]), Err(BadRecord));
    }
}

#[test]
fn integers_are_extended_as_their_type_says() {
    let mut bytes: Vec<u8> = [0u32, 0, 0, KIND_DATA].iter().flat_map(|w| w.to_le_bytes()).collect();
    bytes.extend([0xfe, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let Ok(Record::Data(d)) = Record::parse(&bytes) else { panic!("a data record") };
    let int = |len: u32, signed| {
        let ty = Ty::Int { size: len as u8, signed };
        let field = Field { ty, source: Source::Bytes { offset: 16, len } };
        match d.value(&field) {
            Ok(Value::Int(v)) => v,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(int(1, true), -2i64 as u64);
    assert_eq!(int(1, false), 0xfe);
    assert_eq!(int(4, true), -2i64 as u64);
    assert_eq!(int(8, true), 0xffff_fffe);
}
