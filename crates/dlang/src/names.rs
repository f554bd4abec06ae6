//! Every name that D itself defines: one row per built-in variable, action, subroutine and aggregating function, with its
//! D prototype. What this version does not run is here too, so that its use is told from a spelling error.
//!
//! A new subroutine or action is one row here, one variant in [`crate::program`], and its generation.

use crate::program::{Builtin, Subr};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Var(Builtin),
    /// `arg0` … `arg9`.
    Arg(u8),
    /// `args[]`.
    Args,
    Subr(Subr),
    Action(Act),
    Unbuilt(Unbuilt),
}

/// The actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Trace,
    Printf,
    Exit,
    Stack,
    Lkd,
    Raise,
    Stop,
    Panic,
}

/// DTrace's names that do not run yet; the kind decides how the message calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbuilt {
    Var,
    Subr,
    Action,
    Aggregating,
}

#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    /// A type for a variable, `result(arguments)` for a function; `[x]` may be left out, `@` is of any type.
    pub proto: &'static str,
    pub what: What,
}

impl Row {
    /// The result's and the arguments' types as written.
    pub fn signature(&self) -> Signature {
        let Some((result, rest)) = self.proto.split_once('(') else {
            return Signature { result: self.proto, args: Vec::new(), needed: 0, variadic: false };
        };
        let mut signature = Signature { result: result.trim(), args: Vec::new(), needed: 0, variadic: false };
        for arg in rest.trim_end_matches(')').split(',').map(str::trim).filter(|a| !a.is_empty()) {
            if arg == "..." {
                signature.variadic = true;
                continue;
            }
            match arg.strip_prefix('[').and_then(|a| a.strip_suffix(']')) {
                Some(optional) => signature.args.push(optional),
                None => {
                    signature.args.push(arg);
                    signature.needed = signature.args.len();
                }
            }
        }
        signature
    }
}

/// A prototype, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub result: &'static str,
    pub args: Vec<&'static str>,
    /// Arguments that must be there.
    pub needed: usize,
    pub variadic: bool,
}

const fn var(name: &'static str, proto: &'static str, builtin: Builtin) -> Row {
    Row { name, proto, what: What::Var(builtin) }
}

const fn arg(name: &'static str, n: u8) -> Row {
    Row { name, proto: "int64_t", what: What::Arg(n) }
}

const fn subr(name: &'static str, proto: &'static str, subr: Subr) -> Row {
    Row { name, proto, what: What::Subr(subr) }
}

const fn act(name: &'static str, proto: &'static str, act: Act) -> Row {
    Row { name, proto, what: What::Action(act) }
}

const fn no(name: &'static str, proto: &'static str, kind: Unbuilt) -> Row {
    Row { name, proto, what: What::Unbuilt(kind) }
}

use Unbuilt::{Action as NoAct, Aggregating as NoAgg, Subr as NoSubr, Var as NoVar};

/// The table, in the order of the alphabet.
pub const TABLE: &[Row] = &[
    no("alloca", "void *(size_t)", NoSubr),
    arg("arg0", 0),
    arg("arg1", 1),
    arg("arg2", 2),
    arg("arg3", 3),
    arg("arg4", 4),
    arg("arg5", 5),
    arg("arg6", 6),
    arg("arg7", 7),
    arg("arg8", 8),
    arg("arg9", 9),
    Row { name: "args", proto: "@", what: What::Args },
    no("avg", "void(@)", NoAgg),
    no("basename", "string(const char *)", NoSubr),
    no("bcopy", "void(void *, void *, size_t)", NoSubr),
    no("breakpoint", "void()", NoAct),
    var("caller", "uintptr_t", Builtin::Caller),
    no("chill", "void(int)", NoAct),
    no("cleanpath", "string(const char *)", NoSubr),
    no("clear", "void(...)", NoAct),
    no("commit", "void(int)", NoAct),
    subr("copyin", "void *(uintptr_t, size_t)", Subr::Copyin),
    subr("copyinstr", "string(uintptr_t, [size_t])", Subr::Copyinstr),
    no("copyinto", "void(uintptr_t, size_t, void *)", NoSubr),
    no("copyout", "void(void *, uintptr_t, size_t)", NoSubr),
    no("copyoutstr", "void(char *, uintptr_t, size_t)", NoSubr),
    no("count", "void()", NoAgg),
    var("cpu", "processorid_t", Builtin::Cpu),
    no("curcpu", "void *", NoVar),
    no("curlwpsinfo", "void *", NoVar),
    no("curpsinfo", "void *", NoVar),
    var("curthread", "struct task_struct *", Builtin::Curthread),
    no("cwd", "string", NoVar),
    no("ddi_pathname", "string(void *, int64_t)", NoSubr),
    no("denormalize", "void(...)", NoAct),
    no("dirname", "string(const char *)", NoSubr),
    no("discard", "void(int)", NoAct),
    no("d_path", "string(void *)", NoSubr),
    var("epid", "uint_t", Builtin::Epid),
    var("errno", "int", Builtin::Errno),
    no("execargs", "string", NoVar),
    var("execname", "string", Builtin::Execname),
    act("exit", "void(int)", Act::Exit),
    no("fds", "void *", NoVar),
    no("freopen", "void(@, ...)", NoAct),
    no("ftruncate", "void()", NoAct),
    no("func", "uintptr_t(uintptr_t)", NoAct),
    no("getf", "void *(int)", NoSubr),
    no("getmajor", "uint32_t(uint64_t)", NoSubr),
    no("getminor", "uint32_t(uint64_t)", NoSubr),
    var("gid", "gid_t", Builtin::Gid),
    no("htonl", "uint32_t(uint32_t)", NoSubr),
    no("htonll", "uint64_t(uint64_t)", NoSubr),
    no("htons", "uint16_t(uint16_t)", NoSubr),
    var("id", "uint_t", Builtin::Id),
    no("index", "int(const char *, const char *, [int])", NoSubr),
    no("inet_ntoa", "string(void *)", NoSubr),
    no("inet_ntoa6", "string(void *)", NoSubr),
    no("inet_ntop", "string(int, void *)", NoSubr),
    no("ipl", "uint_t", NoVar),
    no("json", "string(const char *, const char *)", NoSubr),
    no("jstack", "void(...)", NoAct),
    no("link_ntop", "string(int, void *)", NoSubr),
    act("lkd", "void([uint32_t])", Act::Lkd),
    no("llquantize", "void(@, int32_t, int32_t, int32_t, int32_t, ...)", NoAgg),
    no("lltostr", "string(int64_t, [int])", NoSubr),
    no("lquantize", "void(@, int32_t, int32_t, ...)", NoAgg),
    no("max", "void(@)", NoAgg),
    no("memref", "uintptr_t *(void *, size_t)", NoSubr),
    no("memstr", "string(void *, char, size_t)", NoSubr),
    no("min", "void(@)", NoAgg),
    no("mod", "uintptr_t(uintptr_t)", NoAct),
    no("msgdsize", "size_t(void *)", NoSubr),
    no("msgsize", "size_t(void *)", NoSubr),
    no("mutex_owned", "int(void *)", NoSubr),
    no("mutex_owner", "void *(void *)", NoSubr),
    no("mutex_type_adaptive", "int(void *)", NoSubr),
    no("mutex_type_spin", "int(void *)", NoSubr),
    no("normalize", "void(...)", NoAct),
    no("ntohl", "uint32_t(uint32_t)", NoSubr),
    no("ntohll", "uint64_t(uint64_t)", NoSubr),
    no("ntohs", "uint16_t(uint16_t)", NoSubr),
    act("panic", "void()", Act::Panic),
    no("pcap", "void(@, int)", NoAct),
    var("pid", "pid_t", Builtin::Pid),
    var("ppid", "pid_t", Builtin::Ppid),
    no("print", "void(@)", NoAct),
    no("printa", "void(@, ...)", NoAct),
    act("printf", "void(@, ...)", Act::Printf),
    no("printm", "void(size_t, uintptr_t *)", NoAct),
    var("probefunc", "string", Builtin::Probefunc),
    var("probemod", "string", Builtin::Probemod),
    var("probename", "string", Builtin::Probename),
    var("probeprov", "string", Builtin::Probeprov),
    no("progenyof", "int(pid_t)", NoSubr),
    no("quantize", "void(@, ...)", NoAgg),
    act("raise", "void(int)", Act::Raise),
    no("rand", "int()", NoSubr),
    no("regs", "uint64_t", NoVar),
    no("rindex", "int(const char *, const char *, [int])", NoSubr),
    no("root", "string", NoVar),
    no("rw_iswriter", "int(void *)", NoSubr),
    no("rw_read_held", "int(void *)", NoSubr),
    no("rw_write_held", "int(void *)", NoSubr),
    no("setopt", "void(const char *, [const char *])", NoAct),
    no("speculate", "void(int)", NoAct),
    no("speculation", "int()", NoSubr),
    act("stack", "void([int])", Act::Stack),
    var("stackdepth", "uint32_t", Builtin::Stackdepth),
    no("stddev", "void(@)", NoAgg),
    act("stop", "void()", Act::Stop),
    no("strchr", "string(const char *, char)", NoSubr),
    subr("strjoin", "string(const char *, const char *)", Subr::Strjoin),
    subr("strlen", "size_t(const char *)", Subr::Strlen),
    no("strrchr", "string(const char *, char)", NoSubr),
    no("strstr", "string(const char *, const char *)", NoSubr),
    no("strtok", "string(const char *, const char *)", NoSubr),
    no("strtoll", "int64_t(const char *, [int])", NoSubr),
    no("substr", "string(const char *, int, [int])", NoSubr),
    no("sum", "void(@)", NoAgg),
    no("sym", "uintptr_t(uintptr_t)", NoAct),
    no("system", "void(@, ...)", NoAct),
    var("tid", "id_t", Builtin::Tid),
    var("timestamp", "uint64_t", Builtin::Timestamp),
    no("tolower", "string(const char *)", NoSubr),
    no("toupper", "string(const char *)", NoSubr),
    act("trace", "void(@)", Act::Trace),
    no("tracemem", "void(@, size_t, ...)", NoAct),
    no("trunc", "void(...)", NoAct),
    no("uaddr", "uintptr_t(uintptr_t)", NoAct),
    no("ucaller", "uint64_t", NoVar),
    no("ufunc", "uintptr_t(uintptr_t)", NoAct),
    var("uid", "uid_t", Builtin::Uid),
    no("umod", "uintptr_t(uintptr_t)", NoAct),
    no("uregs", "uint64_t", NoVar),
    no("ustack", "void(...)", NoAct),
    no("ustackdepth", "uint32_t", NoVar),
    no("usym", "uintptr_t(uintptr_t)", NoAct),
    var("vtimestamp", "uint64_t", Builtin::Vtimestamp),
    var("walltimestamp", "int64_t", Builtin::Walltimestamp),
    no("zonename", "string", NoVar),
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|r| r.name == name)
}

/// Whether a name is called (`true`) or read.
pub fn is_function(what: What) -> bool {
    match what {
        What::Var(_) | What::Arg(_) | What::Args | What::Unbuilt(NoVar) => false,
        What::Subr(_) | What::Action(_) | What::Unbuilt(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_once_and_functions_have_a_prototype() {
        for row in TABLE {
            assert_eq!(TABLE.iter().filter(|r| r.name == row.name).count(), 1, "{}", row.name);
            assert_eq!(row.proto.ends_with(')'), is_function(row.what), "{}", row.name);
        }
    }

    #[test]
    fn prototypes_are_taken_apart() {
        let s = find("copyinstr").expect("a row").signature();
        assert_eq!((s.result, s.args.as_slice(), s.needed), ("string", &["uintptr_t", "size_t"][..], 1));
        let s = find("printf").expect("a row").signature();
        assert!(s.variadic && s.args == ["@"] && s.needed == 1);
        assert_eq!(find("stop").expect("a row").signature().args.len(), 0);
    }
}
