//! The lifecycle of a session.
//!
//! ```text
//! Inactive ──start()──▶ Warmup ──▶ Active ──exit(), ^C, targets gone──▶ Draining ──▶ Cooldown ──▶ Stopped
//!            BEGIN runs   probes     probes record      probes detach        END runs     all told
//!                 └──────── exit() in BEGIN ───────────────▶
//! ```
//!
//! The arrows only go forward: END runs once, and after Stopped nothing starts again.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// Loaded; nothing runs.
    Inactive,
    /// BEGIN has run, probes are being attached.
    Warmup,
    /// Probes record.
    Active,
    /// Probes are detached, their last records taken.
    Draining,
    /// END has run, its records are taken.
    Cooldown,
    /// Everything has been handed out and counted.
    Stopped,
}

impl Activity {
    /// Moves to `to` if that is forward; says whether it moved.
    pub fn advance(&mut self, to: Activity) -> bool {
        let forward = to > *self;
        if forward {
            *self = to;
        }
        forward
    }
}

#[cfg(test)]
mod tests {
    use super::Activity::*;

    #[test]
    fn nothing_leads_back() {
        let all = [Inactive, Warmup, Active, Draining, Cooldown, Stopped];
        for (n, from) in all.into_iter().enumerate() {
            for (m, to) in all.into_iter().enumerate() {
                let mut a = from;
                assert_eq!(a.advance(to), m > n);
                assert_eq!(a, if m > n { to } else { from });
            }
        }
    }
}
