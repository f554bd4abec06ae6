//! Slabs: the free objects of each, walked and counted, and the slabs that each CPU and node has.
//!
//! A slab's free list and its counters are one 16-byte word that changes by one instruction, so at every instant the list has
//! exactly `objects - inuse` elements, whoever owns the slab: in a CPU's slab that are the objects which others gave back, while
//! the CPU's own list (c->freelist) is counted as in use, as are a sheaf's objects since 6.18. Nobody touches the link in a free
//! object. What a legal instant may show beside this is a slab that is being set up (its list is made object by object, its
//! first counters are set by plain stores, in ___slab_alloc with interrupts on) or taken down: whoever does it has its
//! struct slab in hand.
//!
//! A trigger inside the allocator is the one case without evidence: a local lock leaves no word behind. It can leave c->slab and
//! c->freelist of its own CPU half done; the proof is made with triggers outside of it.
//!
//! c->slab and c->freelist change with interrupts off (local_lock_irqsave), c->freelist by one instruction too; a node's list of
//! slabs changes under its list_lock (spin_lock_irqsave); the list of caches under slab_mutex.

use std::collections::HashSet;

use super::pages::{Kind, Pages};
use super::tasks::Census;
use super::view::Bits;
use super::{Finding, Lacking, View};

/// The claim about each slab's free list.
pub const SLABS: &str = "slabs";
/// The claim about the slabs that CPUs allocate from.
pub const CPU_SLABS: &str = "cpu slabs";
/// The claim about the nodes' lists of slabs.
pub const PARTIAL: &str = "partial slabs";

/// `struct page`s that are read at once.
const AT_ONCE: u64 = 64;
/// KFENCE's pool: 256 pairs of pages.
const KFENCE_BYTES: u64 = 2 << 20;

/// Where in the allocator's structures what stands.
struct Slub {
    pages: Pages,
    cache: u64,
    freelist: u64,
    inuse: Bits,
    objects: Bits,
    frozen: Bits,
    links: u64,
    /// The random number of hardened lists, where they are hardened.
    random: Option<u64>,
    offset: Bits,
    size: Bits,
    padding: Option<Bits>,
    name: u64,
    list: u64,
}

impl Slub {
    fn of(view: &View<'_>) -> Result<Slub, Lacking> {
        Ok(Slub {
            pages: Pages::of(view)?,
            cache: view.member("slab", "slab_cache")?,
            freelist: view.member("slab", "freelist")?,
            inuse: view.bits("slab", "inuse")?,
            objects: view.bits("slab", "objects")?,
            frozen: view.bits("slab", "frozen")?,
            links: view.member("slab", "slab_list")?,
            random: view.member("kmem_cache", "random").ok(),
            offset: view.bits("kmem_cache", "offset")?,
            size: view.bits("kmem_cache", "size")?,
            padding: view.bits("kmem_cache", "red_left_pad").ok(),
            name: view.member("kmem_cache", "name")?,
            list: view.member("kmem_cache", "list")?,
        })
    }

    fn caches(&self, view: &View<'_>, finding: &mut Finding) -> Vec<Cache> {
        let links = view.list(view.bases.slab_caches, "slab_caches", finding);
        let mut caches = Vec::new();
        for link in links {
            let vaddr = link.wrapping_sub(self.list);
            match self.cache_at(view, vaddr) {
                Some(cache) => caches.push(cache),
                None => finding.unread("a slab cache", vaddr),
            }
        }
        if view.word(view.bases.slab_mutex).is_some_and(|owner| owner != 0) {
            finding.excuse_all(u64::MAX, "slab_mutex is held");
        }
        caches
    }

    fn cache_at(&self, view: &View<'_>, vaddr: u64) -> Option<Cache> {
        let random = match self.random {
            Some(at) => view.word(vaddr.wrapping_add(at))?,
            None => 0,
        };
        Some(Cache {
            vaddr,
            random,
            offset: view.field(vaddr, self.offset)?,
            size: view.field(vaddr, self.size)?,
            // With red zones objects do not begin at the slab's first byte: a machine that is being debugged.
            plain: self.padding.is_none_or(|padding| view.field(vaddr, padding) == Some(0)),
        })
    }

    /// A cache's name, for people.
    fn name(&self, view: &View<'_>, cache: u64) -> String {
        let mut bytes = [0; 24];
        let named =
            view.word(cache.wrapping_add(self.name)).is_some_and(|at| view.image.read(at, &mut bytes));
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        if named && text.iter().all(u8::is_ascii_graphic) {
            String::from_utf8_lossy(text).into_owned()
        } else {
            format!("{cache:#x}")
        }
    }

    /// The slab whose struct is at `vaddr`.
    fn slab(&self, view: &View<'_>, vaddr: u64) -> Option<Slab> {
        let pfn = vaddr.checked_sub(view.bases.vmemmap)?.checked_div(self.pages.size)?;
        let at = |offset: u64| vaddr.wrapping_add(offset);
        Some(Slab {
            cache: view.word(at(self.cache))?,
            freelist: view.word(at(self.freelist))?,
            inuse: view.field(vaddr, self.inuse)?,
            objects: view.field(vaddr, self.objects)?,
            frozen: view.field(vaddr, self.frozen)? != 0,
            first: view.bases.page_offset.checked_add(pfn.checked_mul(4096)?)?,
        })
    }

    /// Walks a list of free objects of one slab. Gives them, or what is wrong.
    fn chain(&self, view: &View<'_>, cache: &Cache, slab: &Slab, from: u64) -> Result<Vec<u64>, Broken> {
        let mut chain = Vec::new();
        let mut at = from;
        while at != 0 {
            let within = at.checked_sub(slab.first).filter(|within| {
                cache.size > 0
                    && *within < slab.objects.saturating_mul(cache.size)
                    && within.is_multiple_of(cache.size)
            });
            if within.is_none() {
                return Err(Broken::Strange(at, chain.len()));
            }
            if chain.len() as u64 >= slab.objects {
                return Err(Broken::Circle);
            }
            chain.push(at);
            let link = at.wrapping_add(cache.offset);
            let word = view.word(link).ok_or(Broken::Unread(link))?;
            at = if self.random.is_some() { word ^ cache.random ^ link.swap_bytes() } else { word };
        }
        Ok(chain)
    }
}

#[derive(Clone, Copy, Debug)]
struct Cache {
    vaddr: u64,
    random: u64,
    offset: u64,
    size: u64,
    plain: bool,
}

#[derive(Clone, Copy, Debug)]
struct Slab {
    cache: u64,
    freelist: u64,
    inuse: u64,
    objects: u64,
    frozen: bool,
    first: u64,
}

/// Why a list of free objects is none.
#[derive(Clone, Copy, Debug)]
enum Broken {
    /// It leads to what is no object of the slab, after so many that are.
    Strange(u64, usize),
    /// It has more elements than the slab has objects.
    Circle,
    /// The image lacks an object.
    Unread(u64),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Broken::Strange(at, after) => {
                write!(f, "its free list leads, after {after} objects, to {at:#x}, which is none")
            }
            Broken::Circle => write!(f, "its free list is longer than it has objects"),
            Broken::Unread(at) => write!(f, "the image has no {at:#x} of its free list"),
        }
    }
}

/// Every slab of the machine: its cache is one, and its free list has as many objects as are not in use.
pub fn slabs(view: &View<'_>, census: &Census) -> Result<Finding, Lacking> {
    let mut finding = Finding::new(SLABS);
    let slub = Slub::of(view)?;
    let caches = slub.caches(view, &mut Finding::new(SLABS));
    let by_address: std::collections::HashMap<u64, Cache> =
        caches.iter().map(|cache| (cache.vaddr, *cache)).collect();
    let size = slub.pages.size;
    let mut odd: Vec<(u64, String, bool)> = Vec::new();
    let mut bytes = vec![0; (AT_ONCE * size) as usize];
    for group in 0..view.bases.end_pfn.div_ceil(AT_ONCE) {
        let start = view.bases.vmemmap.wrapping_add(group.wrapping_mul(AT_ONCE * size));
        // Where there is no memory there is no struct page, mostly.
        if !view.image.read(start, &mut bytes) {
            continue;
        }
        for (vaddr, page) in (start..).step_by(size as usize).zip(bytes.chunks_exact(size as usize)) {
            if slub.pages.state(vaddr, page).is_none_or(|state| state.kind != Kind::Slab) {
                continue;
            }
            let Some(slab) = slub.slab(view, vaddr) else { continue };
            let pool = view.bases.kfence_pool;
            if pool != 0 && slab.first.wrapping_sub(pool) < KFENCE_BYTES {
                continue;
            }
            finding.looked += 1;
            let Some(cache) = by_address.get(&slab.cache) else {
                odd.push((vaddr, format!("slab {vaddr:#x}: its cache {:#x} is none", slab.cache), false));
                continue;
            };
            if !cache.plain {
                continue;
            }
            let of = || format!("slab {vaddr:#x} of {}", slub.name(view, slab.cache));
            if slab.objects == 0 || slab.inuse > slab.objects {
                odd.push((vaddr, format!("{}: {} of {} in use", of(), slab.inuse, slab.objects), false));
                continue;
            }
            let free = slab.objects - slab.inuse;
            match slub.chain(view, cache, &slab, slab.freelist) {
                Ok(chain) if chain.len() as u64 == free => {}
                Ok(chain) => {
                    let text = format!("{}: {free} objects are free, its list has {}", of(), chain.len());
                    odd.push((vaddr, text, false));
                }
                Err(why) => {
                    odd.push((vaddr, format!("{}: {why}", of()), matches!(why, Broken::Unread(_))));
                }
            }
        }
    }
    let wanted: HashSet<u64> = odd.iter().map(|(vaddr, ..)| *vaddr).collect();
    let in_hand = view.in_hand(census, &wanted)?;
    for (vaddr, text, unread) in odd {
        if in_hand.contains(&vaddr) {
            finding.excuse(format!("in somebody's hand: {text}"));
        } else {
            finding.unread += u64::from(unread);
            finding.violation(text);
        }
    }
    Ok(finding)
}

/// Each CPU's slab of each cache is that cache's, is frozen, and the CPU's free objects are objects of it that its own list
/// does not have.
pub fn cpu_slabs(view: &View<'_>) -> Result<Finding, Lacking> {
    let mut finding = Finding::new(CPU_SLABS);
    let slub = Slub::of(view)?;
    let cpu_slab_at = view.member("kmem_cache", "cpu_slab")?;
    let freelist_at = view.member("kmem_cache_cpu", "freelist")?;
    let slab_at = view.member("kmem_cache_cpu", "slab")?;
    for cache in slub.caches(view, &mut finding) {
        let Some(per_cpu) = view.word(cache.vaddr.wrapping_add(cpu_slab_at)) else { continue };
        if !cache.plain || per_cpu == 0 {
            continue;
        }
        for (cpu, base) in view.bases.per_cpu.iter().enumerate() {
            let own = per_cpu.wrapping_add(*base);
            let of = || format!("CPU {cpu}'s slab of {}", slub.name(view, cache.vaddr));
            let (Some(list), Some(vaddr)) =
                (view.word(own.wrapping_add(freelist_at)), view.word(own.wrapping_add(slab_at)))
            else {
                finding.unread(&of(), own);
                continue;
            };
            finding.looked += 1;
            if vaddr == 0 {
                if list != 0 {
                    finding.violation(format!("{}: free objects ({list:#x}) without a slab", of()));
                }
                continue;
            }
            let Some(slab) = slub.slab(view, vaddr) else {
                finding.unread(&of(), vaddr);
                continue;
            };
            if slab.cache != cache.vaddr || !slab.frozen {
                finding.violation(format!(
                    "{}: {vaddr:#x} belongs to {:#x} and is {}frozen",
                    of(),
                    slab.cache,
                    if slab.frozen { "" } else { "not " }
                ));
                continue;
            }
            let chains =
                (slub.chain(view, &cache, &slab, list), slub.chain(view, &cache, &slab, slab.freelist));
            match chains {
                (Ok(own), Ok(others)) => {
                    let own: HashSet<u64> = own.into_iter().collect();
                    if let Some(twice) = others.iter().find(|object| own.contains(object)) {
                        finding.violation(format!("{}: object {twice:#x} is free twice", of()));
                    }
                }
                (Err(why), _) => {
                    finding.unread += u64::from(matches!(why, Broken::Unread(_)));
                    finding.violation(format!("{}: {why}", of()));
                }
                // the slab's own list is the other claim's
                (_, Err(_)) => {}
            }
        }
    }
    Ok(finding)
}

/// Each node's list of slabs with free objects is whole, as long as it is counted, and of that cache's slabs that no CPU has.
pub fn partial(view: &View<'_>) -> Result<Finding, Lacking> {
    let mut finding = Finding::new(PARTIAL);
    let slub = Slub::of(view)?;
    let (nodes_at, stride) = match view.member("kmem_cache", "node") {
        Ok(at) => (at, 8),
        // newer kernels (7.3): each node has a pointer to its barn, too
        Err(_) => {
            let pointers = view.member("kmem_cache", "per_node")?;
            let node = view.member("kmem_cache_per_node_ptrs", "node")?;
            (pointers.wrapping_add(node), view.size("kmem_cache_per_node_ptrs")?)
        }
    };
    let list_at = view.member("kmem_cache_node", "partial")?;
    let count_at = view.member("kmem_cache_node", "nr_partial")?;
    let lock_at = view.member("kmem_cache_node", "list_lock")?;
    for cache in slub.caches(view, &mut finding) {
        for number in 0..u64::from(view.bases.nodes) {
            let Some(node) = view.word(cache.vaddr.wrapping_add(nodes_at).wrapping_add(number * stride))
            else {
                continue;
            };
            if node == 0 {
                continue;
            }
            let what = format!("node {number}'s slabs of {}", slub.name(view, cache.vaddr));
            let mut own = Finding::new(PARTIAL);
            let links = view.list(node.wrapping_add(list_at), &what, &mut own);
            let count = view.word(node.wrapping_add(count_at));
            if count != Some(links.len() as u64) {
                own.violation(format!("{what}: {count:?} are counted, {} linked", links.len()));
            }
            // A list that is not whole may have led into another, whose members are none of ours.
            let members = if own.violations == 0 { links.as_slice() } else { &[] };
            for link in members {
                match slub.slab(view, link.wrapping_sub(slub.links)) {
                    None => own.unread(&what, *link),
                    Some(slab) if slab.cache != cache.vaddr || slab.frozen => own.violation(format!(
                        "{what}: {link:#x} belongs to {:#x} and is {}frozen",
                        slab.cache,
                        if slab.frozen { "" } else { "not " }
                    )),
                    Some(_) => {}
                }
            }
            if view.spin_locked(node.wrapping_add(lock_at)) {
                own.excuse_all(u64::MAX, "the node's list_lock is held");
            }
            finding.absorb(own);
        }
    }
    Ok(finding)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Slabs;
    use super::*;

    fn judge(slabs: &Slabs) -> [Finding; 3] {
        slabs.made.view(|view| {
            [super::slabs(view, &slabs.census()).unwrap(), cpu_slabs(view).unwrap(), partial(view).unwrap()]
        })
    }

    fn broken(slabs: &Slabs) -> Vec<&'static str> {
        judge(slabs).iter().filter(|finding| finding.violations > 0).map(|finding| finding.check).collect()
    }

    #[test]
    fn sound_slabs_are_no_violation() {
        for finding in judge(&Slabs::sound()) {
            assert!(finding.holds(), "{finding}");
        }
    }

    #[test]
    fn a_counter_of_another_time_is_found() {
        let mut slabs = Slabs::sound();
        slabs.set_counters(1, 9, 16, false);
        assert_eq!(broken(&slabs), [SLABS]);
    }

    #[test]
    fn an_object_of_another_time_is_found() {
        for object in [0, 0x4141_4141_4141_4141, u64::MAX] {
            let mut slabs = Slabs::sound();
            let link = slabs.object(1, 2) + slabs.offset;
            slabs.made.put(link, object);
            assert_eq!(broken(&slabs), [SLABS], "{object:#x}");
        }
    }

    #[test]
    fn a_free_list_in_a_circle_ends() {
        let mut slabs = Slabs::sound();
        let (last, first) = (slabs.object(1, 5), slabs.object(1, 2));
        slabs.link(last, first);
        assert_eq!(broken(&slabs), [SLABS]);
    }

    #[test]
    fn a_slab_that_is_being_set_up_is_in_somebodys_hand() {
        let mut slabs = Slabs::sound();
        slabs.set_counters(1, 0, 16, false);
        let slab = slabs.slab(1);
        slabs.put_on_stack(slab);
        assert!(broken(&slabs).is_empty());
        assert_eq!(judge(&slabs)[0].excused, 1);
    }

    #[test]
    fn a_slab_of_no_cache_is_found() {
        let mut slabs = Slabs::sound();
        let at = slabs.slab(1) + slabs.cache_at;
        slabs.made.put(at, 0xffff_8880_0dea_d000);
        assert_eq!(broken(&slabs), [SLABS, PARTIAL]);
    }

    #[test]
    fn a_cpus_slab_that_is_not_frozen_is_found() {
        let mut slabs = Slabs::sound();
        slabs.set_counters(0, 16, 16, false);
        assert_eq!(broken(&slabs), [CPU_SLABS]);
    }

    #[test]
    fn an_object_that_is_free_twice_is_found() {
        let mut slabs = Slabs::sound();
        let object = slabs.object(0, 3);
        slabs.set_freelist(0, object);
        slabs.link(object, 0);
        slabs.set_counters(0, 15, 16, true);
        assert_eq!(broken(&slabs), [CPU_SLABS]);
    }

    #[test]
    fn a_list_that_is_counted_otherwise_is_found_unless_its_lock_is_held() {
        let mut slabs = Slabs::sound();
        let (count, lock) = (slabs.node + slabs.count_at, slabs.node + slabs.lock_at);
        slabs.made.put(count, 7);
        assert_eq!(broken(&slabs), [PARTIAL]);
        slabs.made.put_half(lock, 1);
        assert!(broken(&slabs).is_empty());
    }
}
