//! Types as C writes them, for messages.

use super::{IntType, Kind, Rank, TypeId, Types};

impl Types {
    /// `struct task_struct *`, `char [16]`, `uint32_t`.
    pub fn name(&self, id: TypeId) -> String {
        self.declare(id, String::new())
    }

    fn declare(&self, id: TypeId, inner: String) -> String {
        match self.kind(id) {
            Kind::Ptr(to) => {
                let wrap = matches!(self.kind(*to), Kind::Array { .. });
                let inner = if wrap { format!("(*{inner})") } else { format!("*{inner}") };
                self.declare(*to, inner)
            }
            Kind::Array { elem, len } => {
                let len = len.map(|n| n.to_string()).unwrap_or_default();
                self.declare(*elem, format!("{inner}[{len}]"))
            }
            kind => {
                let word = self.word(kind);
                if inner.is_empty() { word } else { format!("{word} {inner}") }
            }
        }
    }

    fn word(&self, kind: &Kind) -> String {
        match kind {
            Kind::Void | Kind::Ptr(_) | Kind::Array { .. } => "void".into(),
            Kind::Int(i) => int_name(*i).into(),
            Kind::Float { size: 4 } => "float".into(),
            Kind::Float { size: 8 } => "double".into(),
            Kind::Float { .. } => "long double".into(),
            Kind::Str => "string".into(),
            Kind::Composite(n) => self
                .composites
                .get(*n as usize)
                .map(|c| tagged(if c.union { "union" } else { "struct" }, &c.tag))
                .unwrap_or_default(),
            Kind::Enum(n) => self.enums.get(*n as usize).map(|e| tagged("enum", &e.tag)).unwrap_or_default(),
            Kind::Typedef { name, .. } | Kind::Opaque { name, .. } => name.to_string(),
            Kind::Func { name } => format!("function {name}"),
        }
    }
}

fn tagged(word: &str, tag: &str) -> String {
    if tag.is_empty() { format!("{word} {{...}}") } else { format!("{word} {tag}") }
}

fn int_name(i: IntType) -> &'static str {
    match (i.rank, i.signed) {
        (Rank::Bool, _) => "_Bool",
        (Rank::Char, true) if i.plain => "char",
        (Rank::Char, true) => "signed char",
        (Rank::Char, false) => "unsigned char",
        (Rank::Short, true) => "short",
        (Rank::Short, false) => "unsigned short",
        (Rank::Int, true) => "int",
        (Rank::Int, false) => "unsigned int",
        (Rank::Long, true) => "long",
        (Rank::Long, false) => "unsigned long",
        (Rank::LongLong, true) => "long long",
        (Rank::LongLong, false) => "unsigned long long",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cs() {
        let mut t = Types::new(None);
        let c = t.int(IntType { rank: Rank::Char, signed: true, plain: true });
        let arr = t.array(c, Some(16));
        let p = t.ptr(c);
        let pp = t.ptr(p);
        let parr = t.ptr(arr);
        let arrp = t.array(p, None);
        let u = t.builtin("uint32_t");
        let names: Vec<_> = [c, arr, p, pp, parr, arrp, u].into_iter().map(|i| t.name(i)).collect();
        assert_eq!(names, ["char", "char [16]", "char *", "char **", "char (*)[16]", "char *[]", "uint32_t"]);
    }
}
