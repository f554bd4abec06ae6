//! What the writer works with: handed over by dtrace in a sealed piece of memory and a row of descriptors, taken over here.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lkd_dump::{Format, Shot, Vaddr};

use crate::buffer::{Buffer, Shape};
use crate::cpus::Cpus;
use crate::ctl::{self, CpuSlot, Ctl, Lanes, State, Unit, get, set};
use crate::error::Error;
use crate::guests::{self, Guests};
use crate::handover::Handover;
use crate::live::{self, Live};
use crate::options::{Options, ProbeName};
use crate::parts;
use crate::peek::Peeker;
use crate::prepare::Prepared;
use crate::progress::Event;
use crate::sys::{self, Mapping, Wakeups, inherited};
use crate::taken::{Taken, read_shot};
use crate::wakers::Wakers;

const MAPS: [&str; 10] = [
    "lkd_ctl",
    "lkd_cpus",
    "lkd_shot",
    "lkd_stack",
    "lkd_list",
    "lkd_classes",
    "lkd_pages",
    "lkd_peeks",
    "lkd_bounce",
    "lkd_wake",
];
const PROGRAMS: [&str; 3] = ["lkd_peek", "lkd_classify", "lkd_copy"];
const RING: &str = "lkd_shots";

/// What is handed over, and the descriptors that must stay open for it.
#[derive(Debug)]
pub struct Given<'a> {
    pub text: Handover,
    pub fds: Vec<BorrowedFd<'a>>,
}

/// Describes an arming for the writer.
pub fn handover<'a>(
    options: &Options,
    prepared: &'a Prepared,
    socket: BorrowedFd<'a>,
) -> Result<Given<'a>, Error> {
    let Prepared { engine, live, .. } = prepared;
    let mut text = Handover::default();
    let mut fds = vec![socket];
    text.put_value("socket", socket.as_raw_fd());
    for name in MAPS.into_iter().chain(guests::MAPS).chain([RING]) {
        let fd = engine.map(name)?;
        text.put_value(name, fd.as_raw_fd());
        fds.push(fd);
    }
    for name in PROGRAMS {
        let fd = engine.program(name)?;
        text.put_value(&format!("program.{name}"), fd.as_raw_fd());
        fds.push(fd);
    }
    for name in [parts::LIST_GUESTS, parts::LIST_MINI] {
        if let Ok(fd) = engine.program(name) {
            text.put_value(&format!("program.{name}"), fd.as_raw_fd());
            fds.push(fd);
        }
    }
    text.put(
        "pieces",
        engine.pieces().iter().map(|fd| fd.as_raw_fd().to_string()).collect::<Vec<_>>().join(","),
    );
    fds.extend(engine.pieces().iter().map(AsFd::as_fd));
    text.put("no_guests", prepared.no_guests.as_deref().unwrap_or_default());
    text.put("root", std::os::unix::ffi::OsStrExt::as_bytes(options.root.as_os_str()));
    text.put("file", options.file.as_deref().unwrap_or_default());
    text.put("component", options.component.as_bytes());
    text.put("format", options.format.name());
    text.put("script", options.script.as_bytes());
    text.put_value("slots", engine.sizes.slots);
    text.put_value("entries", engine.sizes.lanes.iter().sum::<u64>());
    text.put_value("phys_base", live.phys_base);
    text.put("vmcoreinfo", live.vmcoreinfo.as_slice());
    text.put("cpus", live.cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(","));
    text.put_value("cpu_slots", live.cpu_slots);
    text.put("image", format!("{} {}", live.ram.image.start, live.ram.image.end));
    text.put(
        "ram",
        live.ram.pages.runs().map(|run| format!("{} {}\n", run.start.0, run.end.0)).collect::<String>(),
    );
    let name = &live.utsname;
    text.put(
        "utsname",
        [&name.sysname, &name.nodename, &name.release, &name.version, &name.machine, &name.domainname]
            .map(String::as_str)
            .join("\n"),
    );
    let probes = options.probes.iter().map(|probe| {
        format!("{}\t{}\t{}\t{}\t{}\n", probe.id, probe.provider, probe.module, probe.function, probe.name)
    });
    text.put("probes", probes.collect::<String>());
    Ok(Given { text, fds })
}

/// What the writer works with.
#[derive(Debug)]
pub struct Writer {
    pub control: Mapping,
    pub shot: Mapping,
    pub stack: Mapping,
    pub list: Mapping,
    pub classes: Mapping,
    pub pages: Arc<Buffer>,
    /// The engine's map of the buffer's pieces, and the first of them.
    pieces: (OwnedFd, Option<OwnedFd>),
    pub peeker: Peeker,
    classify: OwnedFd,
    copy: OwnedFd,
    pub guests: Guests,
    /// Not there where no kind of the arming has guests, is a minidump.
    list_guests: Option<OwnedFd>,
    list_mini: Option<OwnedFd>,
    ring: OwnedFd,
    wakeups: Wakeups,
    pub cpus: Cpus,
    wakers: Option<Wakers>,
    pub socket: Socket,
    /// CPUs, memory came or went between the last look at them and the shot.
    changed: [bool; 2],
    pub units: Vec<Unit>,
    pub live: Live,
    pub root: PathBuf,
    /// The dump's name in `root`; `None`: a report of this component.
    pub file: Option<String>,
    pub component: String,
    pub format: Format,
    pub script: String,
    pub probes: Vec<ProbeName>,
}

/// The way to dtrace.
#[derive(Debug)]
pub struct Socket(UnixStream);

/// How long the writer waits for a dtrace that does not listen, when it has something to tell that must not be lost.
const HEARD: Duration = Duration::from_secs(60);

impl Socket {
    /// Tells dtrace, if it is there. How far the writing is it hears if it listens now: a dump does not wait for a reader. All else
    /// waits for it, for some time.
    pub fn tell(&mut self, event: &Event) {
        let now = matches!(event, Event::Writing { .. });
        let _ = self.0.set_nonblocking(now);
        let _ = self.0.set_write_timeout((!now).then_some(HEARD));
        let _ = self.0.write_all(event.encode().as_bytes());
    }
}

impl Writer {
    /// Takes over what [`handover`] described; `fd` is the memory with the description. Dtrace is told why it cannot.
    pub fn take_over(fd: i32) -> Result<Writer, Error> {
        use std::os::unix::fs::FileExt;
        let failed = |error: io::Error| Error::io("taking over from dtrace", error);
        let broken = |error: crate::handover::BadHandover| Error::Machine(error.to_string());
        let file = std::fs::File::from(inherited(fd).map_err(failed)?);
        let mut bytes = vec![0; file.metadata().map_err(failed)?.len() as usize];
        file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        let text = Handover::decode(&bytes).map_err(broken)?;
        let socket = inherited(text.value::<i32>("socket").map_err(broken)?).map_err(failed)?;
        let socket = UnixStream::from(socket);
        let mut last_word = Socket(socket.try_clone().map_err(failed)?);
        Writer::of(&text, Socket(socket))
            .inspect_err(|error| last_word.tell(&Event::Failed { why: error.to_string() }))
    }

    /// Takes over what the text tells of.
    fn of(text: &Handover, socket: Socket) -> Result<Writer, Error> {
        let failed = |error: io::Error| Error::io("taking over from dtrace", error);
        let broken = |error: crate::handover::BadHandover| Error::Machine(error.to_string());
        let fd = |name: &str| inherited(text.value::<i32>(name).map_err(broken)?).map_err(failed);
        let map = |name: &str, len: usize| {
            Mapping::new(fd(name)?.as_fd(), len.max(1).next_multiple_of(4096))
                .map_err(|error| Error::io(format!("mapping {name}"), error))
        };
        let number = |name: &str| text.value::<u64>(name).map_err(broken);
        let live = told_live(text)?;
        let units = live.ram.units();
        let ring = fd(RING)?;
        let (peeks, bounce) = (fd("lkd_peeks")?, fd("lkd_bounce")?);
        let (control, cpus, wake) = (fd("lkd_ctl")?, fd("lkd_cpus")?, fd("lkd_wake")?);
        let mapped =
            |fd: &OwnedFd, len: usize| Mapping::new(fd.as_fd(), len.next_multiple_of(4096)).map_err(failed);
        let control = || mapped(&control, size_of::<Ctl>());
        let piece = |number: u32| inherited(number as i32).map_err(failed);
        let pieces = crate::ram::number_list(text.text("pieces").map_err(broken)?);
        let pieces = pieces.into_iter().map(piece).collect::<Result<Vec<OwnedFd>, Error>>()?;
        let buffer = Buffer::map(Shape::of(number("slots")?), pieces.iter().map(AsFd::as_fd))?;
        let slots = live.cpu_slots.max(1);
        let no_guests = text.text("no_guests").map_err(broken)?;
        let beside = |name: &str| {
            let name = format!("program.{name}");
            text.get(&name).is_ok().then(|| fd(&name)).transpose()
        };
        let cpus = || Ok(Cpus::new(mapped(&cpus, slots as usize * size_of::<CpuSlot>())?, slots));
        let mut wakers = Wakers::new(wake.as_fd(), control()?, cpus()?).map_err(failed)?;
        wakers.serve(&live.cpus).map_err(|error| Error::io("starting a thread for each CPU", error))?;
        Ok(Writer {
            control: control()?,
            cpus: cpus()?,
            wakers: Some(wakers),
            shot: map("lkd_shot", size_of::<Shot>())?,
            stack: map("lkd_stack", ctl::STACK_BYTES)?,
            list: map("lkd_list", number("entries")? as usize * 8)?,
            classes: map("lkd_classes", units.len() * ctl::UNIT_PAGES as usize)?,
            pages: Arc::new(buffer),
            pieces: (fd("lkd_pages")?, pieces.into_iter().next()),
            peeker: Peeker::new(fd("program.lkd_peek")?, peeks.as_fd(), bounce.as_fd()).map_err(failed)?,
            classify: fd("program.lkd_classify")?,
            copy: fd("program.lkd_copy")?,
            guests: Guests::new(map, Some(no_guests.to_owned()).filter(|why| !why.is_empty()))?,
            list_guests: beside(parts::LIST_GUESTS)?,
            list_mini: beside(parts::LIST_MINI)?,
            wakeups: Wakeups::new(ring.as_fd()).map_err(failed)?,
            ring,
            socket,
            changed: [false; 2],
            units,
            live,
            root: PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(
                text.get("root").map_err(broken)?.to_vec(),
            )),
            file: Some(text.text("file").map_err(broken)?.to_owned()).filter(|name| !name.is_empty()),
            component: text.text("component").map_err(broken)?.to_owned(),
            format: text.value("format").map_err(broken)?,
            script: String::from_utf8_lossy(text.get("script").map_err(broken)?).into_owned(),
            probes: text.text("probes").map_err(broken)?.lines().filter_map(probe_name).collect(),
        })
    }

    /// The control block.
    pub fn ctl(&self) -> Result<&Ctl, Error> {
        self.control.ctl().ok_or_else(|| Error::Machine("the engine's control block is too short".into()))
    }

    /// Tells dtrace that the threads are there, and waits until it has tried them; false when it ends instead.
    pub fn begin(&mut self) -> bool {
        let slow = self.wakers.as_ref().and_then(|wakers| wakers.slow.clone());
        self.socket.tell(&Event::Ready { slow });
        let mut go = [0];
        self.socket.0.read_exact(&mut go).is_ok()
    }

    /// Serves the CPUs that are online now; true if they were others before, or if that cannot be told.
    fn follow_cpus(&mut self) -> bool {
        let Some(wakers) = &mut self.wakers else { return true };
        live::online().map_or(true, |online| wakers.serve(&online).unwrap_or(true))
    }

    /// Waits for a shot; false when there will be none.
    pub fn wait(&mut self) -> Result<bool, Error> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut alone_since = None::<Instant>;
        loop {
            match self.ctl()?.state() {
                State::Held => {
                    // What it shows is what was so a moment ago: a CPU does not come and go within a freeze.
                    self.changed[0] = self.follow_cpus();
                    // Memory is looked at when it is armed: the engine's maps are made for it.
                    self.changed[1] = live::read_ram().map_or(true, |ram| ram.pages != self.live.ram.pages);
                    self.wakers = None;
                    let sequence = get(&self.ctl()?.sequence);
                    self.cpus.wait_left(sequence, LEAVE)?;
                    return Ok(true);
                }
                State::Idle => return Ok(false),
                // dtrace is gone and no shot has been taken: from now on none will be.
                State::Armed if alone_since.is_some() && self.ctl()?.disarm() => return Ok(false),
                State::Armed | State::Taken => {}
            }
            if let Some(since) = alone_since {
                // A thread is held, for no longer than the longest pause; the trigger's deadline sees to that.
                let longest = Duration::from_nanos(get(&self.ctl()?.max_pause_ns)) + Duration::from_secs(30);
                if since.elapsed() > longest {
                    return Err(Error::Machine("a shot was begun but never finished".into()));
                }
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            let ended = {
                let mut waited =
                    [PollFd::new(&self.ring, PollFlags::IN), PollFd::new(&self.socket.0, PollFlags::RDHUP)];
                // The wake-up is forced and not lost; the timeout is for CPUs that come and go.
                match poll(&mut waited, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })) {
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(Error::io("waiting for a shot", error)),
                }
                let [_, socket] = &waited;
                socket.revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
            };
            self.wakeups.drain();
            if self.ctl()?.state() == State::Armed {
                self.follow_cpus();
            }
            if ended {
                alone_since = Some(Instant::now());
            }
        }
    }

    /// Finishes what the deadline or the buffer's size cut short. Gives what came late.
    pub fn finish_capture(&self) -> Result<Finished, Error> {
        let ctl = self.ctl()?;
        let run = |program: &OwnedFd, doing: &str| {
            sys::run_program(program.as_fd()).map_err(|error| Error::io(doing.to_owned(), error))
        };
        if ctl.by_class() {
            crate::pass::classify_rest(ctl, || run(&self.classify, "classifying the rest"))?;
        }
        let from = crate::pass::now_ns();
        let mut late = 0;
        if let Some(list_guests) = self.list_guests.as_ref().filter(|_| ctl.keeps(Lanes::Guest)) {
            late = self.guests.finish(|idle| {
                set(&ctl.deadline_ns, crate::pass::slice_end(idle));
                run(list_guests, "looking for virtual machines").map(|_| ())
            })?;
        }
        // Only what the freeze had no time for: a task that came after it is in no dump of one instant.
        let cut = read_shot(&self.shot, ctl)?.classified_ns == 0;
        if let Some(list_mini) = self.list_mini.as_ref().filter(|_| cut && !ctl.by_class()) {
            crate::pass::list_rest(ctl, || run(list_mini, "listing the rest of the tasks"))?;
        }
        if get(&ctl.copy) == 1 {
            crate::pass::copy_rest(ctl, || run(&self.copy, "copying the rest"))?;
        }
        // Nothing is copied any more: from now on the engine holds but one piece, and what is unmapped here is free.
        if let (pages, Some(first)) = &self.pieces {
            let pieces = vec![first.as_fd(); self.pages.count()];
            sys::put_maps(pages.as_fd(), &pieces)
                .map_err(|error| Error::io("letting go of the buffer", error))?;
        }
        Ok(Finished { from_ns: from, to_ns: crate::pass::now_ns(), late_guests: late })
    }
}

/// What came after the freeze.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    /// Pages were copied from then
    pub from_ns: u64,
    /// to then.
    pub to_ns: u64,
    /// What of virtual machines was found then, as bits of [`lkd_dump::vm::flags`].
    pub late_guests: u32,
}

impl Writer {
    /// What the freeze has left.
    pub fn taken(&self) -> Result<Taken, Error> {
        Ok(Taken::judge(read_shot(&self.shot, self.ctl()?)?, &self.cpus, self.changed))
    }
}

/// How long a CPU that has stopped may take to come back: longer than any host takes one away and lives.
const LEAVE: Duration = Duration::from_secs(120);

fn probe_name(line: &str) -> Option<ProbeName> {
    let mut fields = line.split('\t');
    let id = fields.next()?.parse().ok()?;
    let mut text = || fields.next().map(str::to_owned);
    Some(ProbeName { id, provider: text()?, module: text()?, function: text()?, name: text()? })
}

/// What dtrace found out of the running kernel.
fn told_live(text: &Handover) -> Result<Live, Error> {
    let broken = |error: crate::handover::BadHandover| Error::Machine(error.to_string());
    let pair = |line: &str| {
        let (first, second) = line.split_once(' ')?;
        Some((first.parse::<u64>().ok()?, second.parse::<u64>().ok()?))
    };
    let mut ram = crate::ram::Ram::default();
    for (first, end) in text.text("ram").map_err(broken)?.lines().filter_map(pair) {
        ram.pages.insert_run(lkd_dump::Pfn(first), end.saturating_sub(first));
    }
    let image = pair(text.text("image").map_err(broken)?).unwrap_or((0, 0));
    ram.image = image.0..image.1;
    let mut names = text.text("utsname").map_err(broken)?.split('\n').map(str::to_owned);
    let mut name = || names.next().unwrap_or_default();
    Ok(Live {
        ram,
        page_offset: 0,
        vmemmap: 0,
        vmcoreinfo: text.get("vmcoreinfo").map_err(broken)?.to_vec(),
        phys_base: text.value("phys_base").map_err(broken)?,
        cpus: crate::ram::number_list(text.text("cpus").map_err(broken)?),
        cpu_slots: text.value("cpu_slots").map_err(broken)?,
        utsname: lkd_dump::Utsname {
            sysname: name(),
            nodename: name(),
            release: name(),
            version: name(),
            machine: name(),
            domainname: name(),
        },
    })
}

impl Writer {
    /// Where physical address 0 appears.
    pub fn direct_map(&self) -> Result<Vaddr, Error> {
        Ok(Vaddr(get(&self.ctl()?.page_offset)))
    }
}
