//! Types and declarations as C writes them: from the name outwards.

use super::{expr, operand};
use crate::ast::{
    DeclScope, Declaration, Derive, Enumerator, Inline, IntWord, Param, TypeName, TypeSpec, TypeSpecKind,
};

pub(super) fn declaration(decl: &Declaration) -> String {
    let scope = match decl.scope {
        DeclScope::Global => "",
        DeclScope::This => "this ",
        DeclScope::SelfVar => "self ",
        DeclScope::Typedef => "typedef ",
        DeclScope::Extern => "extern ",
        DeclScope::Static => "static ",
        DeclScope::Register => "register ",
        DeclScope::Auto => "auto ",
    };
    let names: Vec<String> = decl
        .names
        .iter()
        .map(|d| {
            let bits = d.bits.as_ref().map(|b| format!(" : {}", operand(b))).unwrap_or_default();
            format!("{}{bits}", declarator(&d.name, &d.derive))
        })
        .collect();
    let space = if names.is_empty() { "" } else { " " };
    format!("{scope}{}{space}{};", specifier(&decl.spec), names.join(", "))
}

pub(super) fn type_name(ty: &TypeName) -> String {
    spaced(&specifier(&ty.spec), &declarator("", &ty.derive))
}

/// `type name[keys]` of an inline, its keys with their names.
pub(super) fn inline_declarator(inline: &Inline) -> String {
    let keys = match inline.params.is_empty() {
        true => String::new(),
        false => format!("[{}]", param_list(&inline.params)),
    };
    let inner = declarator(&format!("{}{keys}", inline.name), &inline.ty.derive);
    spaced(&specifier(&inline.ty.spec), &inner)
}

pub(super) fn param_list(params: &[Param]) -> String {
    let one = |p: &Param| {
        let name = p.name.as_deref().unwrap_or_default();
        spaced(&specifier(&p.ty.spec), &declarator(name, &p.ty.derive))
    };
    params.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn spaced(left: &str, right: &str) -> String {
    if right.is_empty() { left.to_owned() } else { format!("{left} {right}") }
}

fn declarator(name: &str, derive: &[Derive]) -> String {
    let mut text = name.to_owned();
    let mut after_star = false;
    for step in derive {
        if after_star && !matches!(step, Derive::Pointer) {
            text = format!("({text})");
        }
        after_star = matches!(step, Derive::Pointer);
        text = match step {
            Derive::Pointer => format!("*{text}"),
            Derive::Array(None) => format!("{text}[]"),
            Derive::Array(Some(size)) => format!("{text}[{}]", expr(size)),
            Derive::Keys(keys) => {
                format!("{text}[{}]", keys.iter().map(type_name).collect::<Vec<_>>().join(", "))
            }
            Derive::Function { params, variadic } => {
                let comma = if *variadic && !params.is_empty() { ", " } else { "" };
                let dots = if *variadic { "..." } else { "" };
                format!("{text}({}{comma}{dots})", param_list(params))
            }
        };
    }
    text
}

fn specifier(spec: &TypeSpec) -> String {
    match &spec.kind {
        TypeSpecKind::Int { size, signed } => {
            let word = match size {
                IntWord::Bool => "_Bool",
                IntWord::Char => "char",
                IntWord::Short => "short",
                IntWord::Int => "int",
                IntWord::Long => "long",
                IntWord::LongLong => "long long",
            };
            match signed {
                None => word.to_owned(),
                Some(true) => format!("signed {word}"),
                Some(false) => format!("unsigned {word}"),
            }
        }
        TypeSpecKind::Void => "void".into(),
        TypeSpecKind::Float => "float".into(),
        TypeSpecKind::Double => "double".into(),
        TypeSpecKind::LongDouble => "long double".into(),
        TypeSpecKind::String => "string".into(),
        TypeSpecKind::Named { module, name } => qualified(module.as_deref(), name),
        TypeSpecKind::Struct { union, module, tag, body } => {
            let word = if *union { "union" } else { "struct" };
            let tag = tag.as_ref().map(|t| qualified(module.as_deref(), t)).unwrap_or_default();
            let body = body.as_ref().map(|members| {
                let inner: String = members.iter().map(|m| format!("{} ", declaration(m))).collect();
                format!("{{ {inner}}}")
            });
            spaced(&spaced(word, &tag), &body.unwrap_or_default())
        }
        TypeSpecKind::Enum { module, tag, body } => {
            let tag = tag.as_ref().map(|t| qualified(module.as_deref(), t)).unwrap_or_default();
            let body = body.as_ref().map(|list| {
                let inner: Vec<String> = list.iter().map(enumerator).collect();
                format!("{{ {} }}", inner.join(", "))
            });
            spaced(&spaced("enum", &tag), &body.unwrap_or_default())
        }
    }
}

fn enumerator(e: &Enumerator) -> String {
    match &e.value {
        Some(value) => format!("{} = {}", e.name, operand(value)),
        None => e.name.clone(),
    }
}

fn qualified(module: Option<&str>, name: &str) -> String {
    module.map_or_else(|| name.to_owned(), |m| format!("{m}`{name}"))
}
