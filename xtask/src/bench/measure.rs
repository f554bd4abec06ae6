//! How long a process took, how much of that on a CPU, and how much memory it held at most.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};
use std::time::Instant;

/// One process from exec to exit.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub seconds: f64,
    /// The seconds in which it had a CPU: what others do on the machine is not in it.
    pub cpu: f64,
    /// The most that lay in memory at once, in MiB.
    pub peak: f64,
}

/// Runs a command to its end; one that fails is an error, not a number.
pub fn run(command: &mut Command) -> Result<Run> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    let pid = i32::try_from(child.id())?;
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zeros are valid, and both pointers are to locals that outlive the call.
    // The child is waited for here only: `Child` does not wait when it is dropped.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        if libc::wait4(pid, &mut status, 0, &mut usage) != pid {
            bail!("cannot wait for {:?}", command.get_program());
        }
        usage
    };
    let seconds = started.elapsed().as_secs_f64();
    if status != 0 {
        bail!("{command:?} ended with wait status {status:#x}");
    }
    let time = |of: libc::timeval| of.tv_sec as f64 + of.tv_usec as f64 / 1e6;
    let cpu = time(usage.ru_utime) + time(usage.ru_stime);
    Ok(Run { seconds, cpu, peak: usage.ru_maxrss as f64 / 1024.0 })
}

/// The middle one of some numbers.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(value), 1) => *value,
        (Some(value), _) => (value + values.get(middle.wrapping_sub(1)).unwrap_or(value)) / 2.0,
        (None, _) => f64::NAN,
    }
}

/// The smallest of some numbers.
pub fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_a_length_and_a_size() {
        let run = run(Command::new("sleep").arg("0.05")).unwrap();
        assert!(run.seconds >= 0.05 && run.peak > 0.1, "{run:?}");
        assert!(super::run(&mut Command::new("false")).is_err());
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(least(&[4.0, 1.0, 2.0]), 1.0);
        assert!(least(&[]).is_nan());
    }
}
