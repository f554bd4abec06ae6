//! A live dump of a guest's kernel: ours against makedumpfile's, in turns in one boot.

use super::measure::median;
use super::{Ground, Row};
use crate::guest::Guest;
use crate::qemu::{Ending, Shared, Sinks};
use anyhow::{Result, bail};

/// Runs in the guest. Lines: who, hundredths of a second from start to end, bytes, and for ours hundredths of a second from the
/// probe to the published file: what comes before it (compiling, one look at every page, memory for the buffer) happens while a
/// script waits for its probe, and makedumpfile has nothing like it.
const SCRIPT: &str = r#"
now() { tr -d . </proc/uptime | cut -d' ' -f1; }
load 20 >/tmp/load.log &
sleep 21
for round in 1 2 3; do
	for codec in zstd zlib; do
		rm -rf /var/lib/lkd/LiveKernelReports /out/peer
		start=$(now)
		dtrace -w -x lkdformat=kdump-$codec -n 'BEGIN{lkd(0);exit(0);}' >/tmp/ours.log 2>&1 || { cat /tmp/ours.log >&2; exit 1; }
		took=$(($(now) - start))
		written=$(sed -n 's/^dtrace: wrote .* in \([0-9]*\)\.\([0-9]\) s.*/\1\20/p' /tmp/ours.log)
		echo $codec $took $(cat /var/lib/lkd/LiveKernelReports/*/vmcore | wc -c) ${written:?no dump}
	done
	for letter in l c; do
		rm -f /out/peer
		start=$(now)
		makedumpfile --message-level 0 -$letter -d 31 /proc/kcore /out/peer >/tmp/peer.log 2>&1 || exit 2
		echo $letter $(($(now) - start)) $(wc -c </out/peer)
	done
done
"#;

/// The rows of this group.
pub fn rows(ground: &Ground, rows: &mut Vec<Row>) -> Result<()> {
    let dir = crate::place::RunDir::new()?;
    let mut guest =
        Guest { kernel: ground.kernel.clone(), out: Some(dir.file("out")), mem: 2048, ..Guest::default() };
    guest.add_ours()?;
    guest.programs.push("makedumpfile".into());
    let (stdout, stderr) = (Shared::default(), Shared::default());
    match guest.run(&[SCRIPT.to_owned()], &Sinks::new(stdout.clone(), stderr.clone()))? {
        Ending::Exit(0) => {}
        Ending::Exit(status) => bail!("status {status} in the guest: {}", stderr.text()),
        Ending::Lost(why) | Ending::Unborn(why) => bail!("the guest was lost: {why}"),
    }
    let text = stdout.text();
    let numbers = |who: &str, at: usize| {
        let lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let mine = lines.filter(|words| words.first() == Some(&who));
        median(mine.filter_map(|words| words.get(at)?.parse().ok()).collect())
    };
    for (codec, letter, peer) in
        [("zstd", "l", "makedumpfile -l -d 31"), ("zlib", "c", "makedumpfile -c -d 31")]
    {
        let what = |what: &str| format!("{what}, {codec} ({} guest)", ground.kernel);
        let seconds = |who| numbers(who, 1) / 100.0;
        let mib = |who| numbers(who, 2) / f64::from(1 << 20);
        rows.push(Row {
            what: what("dump, from the probe to the file"),
            ours: numbers(codec, 3) / 100.0,
            peer,
            peers: Some(seconds(letter)),
            unit: "s",
        });
        rows.push(Row {
            what: what("dump, start to exit"),
            ours: seconds(codec),
            peer,
            peers: Some(seconds(letter)),
            unit: "s",
        });
        rows.push(Row {
            what: what("dump, size"),
            ours: mib(codec),
            peer,
            peers: Some(mib(letter)),
            unit: "MiB",
        });
    }
    Ok(())
}
