//! `printf`: the format taken apart and every argument held against its conversion.

use crate::ast::{self, ExprKind as A};
use crate::diag::{Diag, Tag};
use crate::format::{Conv, Count, Format, Piece};
use crate::names::Row;
use crate::program::{ActionKind, Expr, Ty};
use crate::span::Span;
use crate::types::{Kind, Rank};

use super::value::{INT, Val, convert};
use super::{Checker, R};

impl Checker<'_> {
    pub(super) fn printf(&mut self, row: &Row, args: &[ast::Expr], span: Span) -> R<ActionKind> {
        let Some((first, rest)) = args.split_first() else {
            let text = "printf( ) prototype mismatch: 0 args passed, at least 1 expected";
            return self.err(Tag::ProtoLen, span, text);
        };
        let A::Str(text) = &first.kind else {
            let v = self.expr(first)?;
            let tag = if self.types.is_string(v.t) { Tag::PrintfArgFmt } else { Tag::ProtoArg };
            let diag = Diag::new(tag, first.span, "printf( ) argument #1 is incompatible with prototype")
                .label(format!("this is {}", self.name_of(&v)))
                .note("prototype: string constant");
            return Err(self.report(diag));
        };
        let format = match Format::parse(text) {
            Ok(format) => format,
            Err(error) => {
                let diag = Diag::new(Tag::Syntax, first.span, error.to_string());
                return Err(self.report(diag));
            }
        };
        if format.pieces.is_empty() {
            return self.err(Tag::PrintfFmtEmpty, first.span, "printf( ) format string is empty");
        }
        let mut values = Vec::with_capacity(rest.len());
        for arg in rest {
            values.push(self.expr(arg)?);
        }
        let args = self.match_format(row, &format, values, first.span, span)?;
        Ok(ActionKind::Printf { format, args })
    }

    fn match_format(
        &mut self,
        row: &Row,
        format: &Format,
        values: Vec<Val>,
        text: Span,
        span: Span,
    ) -> R<Vec<Expr>> {
        let mut out = Vec::with_capacity(values.len());
        let mut values = values.into_iter();
        let convs = format.pieces.iter().filter_map(|p| match p {
            Piece::Conv(c) => Some(c),
            Piece::Text(_) => None,
        });
        for (i, conv) in convs.enumerate() {
            let number = i + 1;
            if conv.letter == b'%' {
                continue;
            }
            if conv.agg {
                let text =
                    format!("%@ conversion requires an aggregation and is not for use with {}( )", row.name);
                return self.err(Tag::PrintfAggConv, span, text);
            }
            for (count, what) in [(conv.width, "width"), (conv.precision, "precision")] {
                if count == Some(Count::Star) {
                    out.push(self.star(conv, number, what, values.next(), span)?);
                }
            }
            let at = self.conversion_span(text, i);
            let Some(v) = values.next() else {
                let text = format!(
                    "printf( ) prototype mismatch: conversion #{number} (%{}) is missing a corresponding value argument",
                    conv.name()
                );
                return self.err(Tag::PrintfArgProto, at, text);
            };
            out.push(self.conversion(conv, number, v, at)?);
        }
        if values.next().is_some() {
            let text = format!(
                "printf( ) prototype mismatch: only {} arguments required by this format string",
                out.len()
            );
            return self.err(Tag::PrintfArgExtra, span, text);
        }
        Ok(out)
    }

    /// The argument of a `*`.
    fn star(&mut self, conv: &Conv, number: usize, what: &str, v: Option<Val>, span: Span) -> R<Expr> {
        let Some(v) = v else {
            let text = format!(
                "printf( ) prototype mismatch: conversion #{number} (%{}) is missing a corresponding \"{what}\" argument",
                conv.name()
            );
            return self.err(Tag::PrintfDynProto, span, text);
        };
        if self.types.as_int(v.t).is_none() {
            let diag = Diag::new(
                Tag::PrintfDynType,
                v.e.span,
                format!(
                    "printf( ) argument for the {what} of conversion #{number} (%{}) is not an int",
                    conv.name()
                ),
            )
            .label(format!("this is {}", self.name_of(&v)));
            return Err(self.report(diag));
        }
        Ok(convert(v.e, INT))
    }

    fn conversion(&mut self, conv: &Conv, number: usize, v: Val, at: Span) -> R<Expr> {
        let (span, shown) = (v.e.span, self.name_of(&v));
        match conv.letter {
            b'k' => return self.unbuilt(span, "stacks as arguments of %k"),
            b'e' | b'E' | b'f' | b'g' | b'G' if matches!(self.types.base(v.t), Kind::Float { .. }) => {
                return self.unbuilt(span, "floating-point values");
            }
            _ => {}
        }
        let size = self.types.size_of(v.t).unwrap_or(0);
        let int = self.types.as_int(v.t);
        let char_array = self.types.is_string_like(v.t) && matches!(self.types.base(v.t), Kind::Array { .. });
        let string = self.types.is_string(v.t) || char_array;
        let pointer = self.is_pointer(&v);
        let (fits, wanted) = match (conv.letter, conv.length.as_str()) {
            (b's', "l" | "w") => (false, "wchar_t [] (not built)"),
            (b's' | b'S' | b'I', _) => (string, "char [] or string (or use stringof)"),
            (b'a' | b'A' | b'p', _) => (int.is_some() || pointer, "pointer or integer"),
            (b'c' | b'C', "") => (int.is_some() && size <= 4, "char, short, or int"),
            (b'c', _) => (int.is_some_and(|i| i.size() == 4), "int"),
            (b'P', _) => (int.is_some_and(|i| i.size() == 2), "uint16_t"),
            (b'T' | b'Y', _) => (int.is_some_and(|i| i.size() == 8), "int64_t"),
            (b'e' | b'E' | b'f' | b'g' | b'G', _) => (false, "float, double, or long double"),
            (_, "h") => (int.is_some_and(|i| i.rank == Rank::Short), "short"),
            (_, "l") => (int.is_some_and(|i| i.size() == 8), "long"),
            (_, "ll") => (int.is_some_and(|i| i.size() == 8), "long long"),
            _ => (int.is_some(), "char, short, int, long, or long long"),
        };
        if !fits {
            let text =
                format!("printf( ) argument is incompatible with conversion #{number} (%{})", conv.name());
            let diag = Diag::new(Tag::PrintfArgType, span, text)
                .label(format!("this is {shown}"))
                .also(at, format!("%{} wants {wanted}", conv.name()));
            let diag = match int {
                _ if conv.letter == b's' && pointer => {
                    diag.help("stringof() reads the string that it points to")
                }
                Some(_) if conv.letter == b's' => diag.help("copyinstr() reads a string at a user address"),
                _ => diag,
            };
            return Err(self.report(diag));
        }
        if string {
            return match self.as_string(v) {
                Some(v) => Ok(v.e),
                None => Err(super::Reported),
            };
        }
        let v = self.decay(v);
        self.recordable(&v, span)?;
        debug_assert!(matches!(v.e.ty, Ty::Int { .. } | Ty::Ptr), "a conversion's argument is a scalar");
        Ok(v.e)
    }

    /// Where the conversion stands in the literal; the whole literal if it is not written there as it is read.
    fn conversion_span(&self, text: Span, nth: usize) -> Span {
        let written = self.sources.slice(text);
        let mut starts = Vec::new();
        let mut at = 0;
        while let Some(percent) = written.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'%')) {
            let start = at + percent;
            if written.get(start + 1) == Some(&b'%') {
                at = start + 2;
                continue;
            }
            let tail = written.get(start + 1..).unwrap_or_default();
            let letter = tail.iter().position(|b| b.is_ascii_alphabetic() && !b"hlLw".contains(b));
            at = start + 2 + letter.unwrap_or(tail.len());
            starts.push((start, at));
        }
        match starts.get(nth) {
            Some(&(lo, hi)) if hi <= written.len() => {
                Span::new(text.file, text.lo + lo as u32, text.lo + hi as u32)
            }
            _ => text,
        }
    }
}
