//! The engine without the D compiler: `classes` compares page classes with the kernel's.
fn main() {
    let t = std::time::Instant::now();
    match lkd_capture::classes::check(3) {
        Ok(r) => println!("{r}"),
        Err(lkd_capture::error::Error::Engine { error, log }) => {
            let lines: Vec<&str> = log.lines().collect();
            for l in lines.iter().skip(lines.len().saturating_sub(70)) { println!("{l}"); }
            println!("{error}");
        }
        Err(e) => println!("engine: {e}"),
    }
    println!("{:?}", t.elapsed());
}
