//! `dtrace -h`: provider declarations become a C header whose macros place probes in a program.
//!
//! The probes are SystemTap's form of static probes (`<sys/sdt.h>`), which every Linux tracer reads and which needs no linking
//! step (DTrace's `-G`). `PROVIDER_PROBE_ENABLED()` is always true: that form has no is-enabled test without a semaphore.

use crate::compile::Failure;
use crate::input::Input;
use lkd_dlang::ast::{Item, Provider};
use lkd_dlang::lex::MacroArgs;
use lkd_dlang::parse::{Context, parse_script};
use lkd_dlang::source::Sources;
use std::fmt::Write as _;

/// `(path, text)` of one header per script: `dir/probes.d` gives `probes.h` in the working directory, as DTrace does.
pub fn headers(sources: &Sources, inputs: &[Input]) -> Result<Vec<(String, String)>, Failure> {
    let macro_args = MacroArgs::default();
    let context = Context { args: &macro_args, is_type: &|_| false };
    let mut files = Vec::new();
    for input in inputs {
        let parsed = parse_script(sources, input.file, &context);
        if !parsed.diags.is_empty() {
            return Err(Failure::Diags(parsed.diags));
        }
        let providers: Vec<&Provider> = parsed
            .script
            .items
            .iter()
            .filter_map(|i| if let Item::Provider(p) = i { Some(p) } else { None })
            .collect();
        if providers.is_empty() {
            return Err(Failure::Said(format!("{} defines no provider", input.spoken())));
        }
        let stem = input.request.text.rsplit('/').next().unwrap_or("probes.d");
        let stem = stem.strip_suffix(".d").unwrap_or(stem);
        files.push((format!("{stem}.h"), header(stem, &providers)));
    }
    Ok(files)
}

fn header(stem: &str, providers: &[&Provider]) -> String {
    let guard = format!("_{}_H", macro_name(stem));
    let mut text =
        format!("/* Made by dtrace -h. */\n#ifndef {guard}\n#define {guard}\n\n#include <sys/sdt.h>\n");
    for provider in providers {
        for probe in &provider.probes {
            let name = format!("{}_{}", macro_name(&provider.name), macro_name(&probe.name));
            let count = probe.params.len();
            let params: Vec<String> = (0..count).map(|i| format!("arg{i}")).collect();
            let provider_c = provider.name.replace('-', "_");
            // two underscores in D's name of a probe are a dash in its name at run time
            let probe_c = probe.name.replace('-', "__");
            let call = match count {
                0 => format!("DTRACE_PROBE({provider_c}, {probe_c})"),
                n => format!("DTRACE_PROBE{n}({provider_c}, {probe_c}, {})", params.join(", ")),
            };
            let _ = writeln!(text, "\n#define {name}({}) \\\n\t{call}", params.join(", "));
            let _ = writeln!(text, "#define {name}_ENABLED() (1)");
        }
    }
    let _ = writeln!(text, "\n#endif /* {guard} */");
    text
}

/// `my-prov` and `get__value` become `MY_PROV` and `GET_VALUE`.
fn macro_name(name: &str) -> String {
    name.replace("__", "_")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lkd_dlang::ast::ProviderProbe;

    #[test]
    fn macros_are_named_as_dtrace_names_them() {
        let probe = ProviderProbe { name: "get__value".into(), params: Vec::new(), translated: Vec::new() };
        let provider = Provider { name: "my_prov".into(), probes: vec![probe], span: Default::default() };
        let text = header("probes", &[&provider]);
        assert!(
            text.contains("#define MY_PROV_GET_VALUE() \\\n\tDTRACE_PROBE(my_prov, get__value)"),
            "{text}"
        );
        assert!(text.contains("#define MY_PROV_GET_VALUE_ENABLED() (1)"));
        assert!(text.starts_with("/* Made by dtrace -h. */\n#ifndef _PROBES_H\n"));
    }
}
