//! A thread for each CPU that sleeps until a trigger wakes it: waking it is what interrupts the CPU.
//!
//! A BPF program cannot interrupt another CPU; but what it writes to a ring wakes all who wait there, and to wake a thread that
//! is bound to another CPU the kernel interrupts that CPU, in whose interrupt a program of ours stops it (bpf/stop.h). A CPU
//! that idles by watching memory wakes up without an interrupt: there the thread does run, and asks for a timer's interrupt.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::thread::Pid;

use crate::cpus::Cpus;
use crate::ctl::get;
use crate::sys::{Mapping, Wakeups, bind_to, run_first};

/// What the threads look at.
#[derive(Debug)]
struct Shared {
    control: Mapping,
    cpus: Cpus,
    ring: OwnedFd,
    /// Readable when the threads are to end.
    end: OwnedFd,
}

/// The threads, of all CPUs that were online when last looked at.
#[derive(Debug)]
pub struct Wakers {
    shared: Arc<Shared>,
    wakeups: Wakeups,
    threads: Vec<Waker>,
    /// Why a thread has no real-time priority: then what runs on its CPU may come first.
    pub slow: Option<String>,
}

/// A thread, and the CPU that it is for.
#[derive(Debug)]
struct Waker {
    cpu: u32,
    thread: Pid,
    join: JoinHandle<()>,
}

/// How often a thread asks for an interrupt on its CPU while a freeze goes on without it.
const ASKS: u32 = 64;

impl Wakers {
    /// Takes the ring lkd_wake, the control block and the map of CPUs.
    pub fn new(ring: BorrowedFd<'_>, control: Mapping, cpus: Cpus) -> io::Result<Wakers> {
        let wakeups = Wakeups::new(ring)?;
        let end = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Arc::new(Shared { control, cpus, ring: ring.try_clone_to_owned()?, end });
        Ok(Wakers { shared, wakeups, threads: Vec::new(), slow: None })
    }

    /// Lets there be a thread for each of these CPUs, and each of them be expected to stop. Gives true if they were others before.
    pub fn serve(&mut self, online: &[u32]) -> io::Result<bool> {
        let mut changed = false;
        for cpu in online {
            let served = match self.threads.iter().find(|waker| waker.cpu == *cpu) {
                // While its CPU was gone it was moved to another one.
                Some(waker) if !self.shared.cpus.expects(*cpu) => bind_to(Some(waker.thread), *cpu),
                Some(_) => Ok(()),
                None => self.start(*cpu),
            };
            // It may have gone while we looked.
            if let Err(error) = served
                && error.raw_os_error() != Some(libc::EINVAL)
            {
                return Err(error);
            }
        }
        for cpu in 0..self.shared.cpus.slots() {
            changed |= self.shared.cpus.expect(cpu, online.contains(&cpu));
        }
        Ok(changed)
    }

    fn start(&mut self, cpu: u32) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let (told, ready) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name(format!("lkd-wake/{cpu}")).stack_size(64 << 10).spawn(
            move || {
                let bound = bind_to(None, cpu);
                let first = run_first();
                let waits = bound.and_then(|()| shared.events());
                match waits {
                    Ok(events) => {
                        let _ = told.send(Ok((rustix::thread::gettid(), first)));
                        shared.wait(&events, cpu);
                    }
                    Err(error) => {
                        let _ = told.send(Err(error));
                    }
                }
            },
        )?;
        match ready.recv() {
            Ok(Ok((id, first))) => {
                self.slow = self.slow.take().or(first.err().map(|error| crate::error::plain(&error)));
                self.threads.push(Waker { cpu, thread: id, join: thread });
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Makes room in the ring. Only while no freeze goes on: who has not woken up yet would sleep on.
    pub fn drain(&self) {
        self.wakeups.drain();
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        // Without it the threads sleep until the process ends, which is soon.
        let _ = rustix::io::write(&self.shared.end, &1u64.to_ne_bytes());
        for waker in self.threads.drain(..) {
            let _ = waker.join.join();
        }
    }
}

const RING: u64 = 0;
const END: u64 = 1;

impl Shared {
    /// What a thread waits for. Of the ring only the edges: nobody reads it, so there is always something in it.
    fn events(&self) -> io::Result<OwnedFd> {
        let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&events, self.ring.as_fd(), epoll::EventData::new_u64(RING), edges)?;
        epoll::add(&events, self.end.as_fd(), epoll::EventData::new_u64(END), epoll::EventFlags::IN)?;
        Ok(events)
    }

    fn wait(&self, events: &OwnedFd, cpu: u32) {
        let mut room = Vec::with_capacity(2);
        loop {
            room.clear();
            match epoll::wait(events, rustix::buffer::spare_capacity(&mut room), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
            if room.iter().any(|event| event.data.u64() == END) {
                return;
            }
            if !room.is_empty() {
                self.cpus.woke(cpu);
                self.ask();
            }
        }
    }

    /// Woken without an interrupt, and others stand still: the end of a short sleep is one.
    fn ask(&self) {
        for _ in 0..ASKS {
            match self.control.ctl() {
                Some(ctl) if ctl.freeze.load(Ordering::Acquire) != 0 && get(&ctl.rendezvous) != 0 => {
                    std::thread::sleep(Duration::from_nanos(1));
                }
                _ => return,
            }
        }
    }
}
