mod common;
use common::*;

#[test]
fn show() {
    let o = lkd_codegen::compile(&seed(), &all_returns(&[0, 1]), &env()).unwrap();
    for p in &o.progs {
        println!("{}", p.listing());
    }
    println!("{:#?}", o.layouts);
    for m in &o.maps {
        println!("{} {:?} {} {} {}", m.name, m.kind, m.key_size, m.value_size, m.max_entries);
    }
}
